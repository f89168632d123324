"""Finds all metadata of a PNG, JPEG or WebP file, wherever each format keeps it."""

from dataclasses import dataclass, field
from typing import Literal

from headshot.errors import PhotoError
from headshot.imaging.photo import MAX_FILE_BYTES

from . import exif, jpeg, png, webp
from .limits import MAX_ALL_BYTES, MAX_TEXT_BYTES, limit_error, printable

Kind = Literal["png", "jpeg", "webp"]
TITLES: dict[Kind, str] = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}


@dataclass(frozen=True)
class ContainerMetadata:
    """The metadata of one file.

    Attributes:
        kind: of file.
        texts: by their keywords.
        xmp: the packet, b"" for none.
        exif: as `exif.texts` returns them.
        has_credentials: whether there are Content Credentials, valid or not.
    """

    kind: Kind
    texts: dict[str, str] = field(default_factory=dict)
    xmp: bytes = b""
    exif: dict[str, str] = field(default_factory=dict)
    has_credentials: bool = False


def kind_of(data: bytes) -> Kind | None:
    """Return the kind of a file by its first bytes, because names may be wrong; None for any other file."""
    if data.startswith(png.SIGNATURE):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def container_metadata(data: bytes) -> ContainerMetadata:
    """Read all metadata of a file. The pixels are not decoded.

    Raises:
        PhotoError: for any other kind of file, and for one that is damaged, cut short or exceeds a limit.
    """
    if len(data) > MAX_FILE_BYTES:
        raise PhotoError(
            f"The file has {len(data) / 2**20:,.1f} MB and at most {MAX_FILE_BYTES / 2**20:g} MB are read: "
            "headshots are smaller."
        )
    match kind_of(data):
        case "png":
            texts: dict[str, str] = {}
            size = 0
            for name, text in png.texts(data):
                size += len(text)
                if size > MAX_ALL_BYTES:
                    raise limit_error(f"more than {MAX_ALL_BYTES / 2**20:g} MB of text")
                texts.setdefault(name, printable(text))
            packet = texts.pop(png.XMP, "").encode()
            return ContainerMetadata("png", texts, packet, _exif(png.exif(data)), png.has_credentials(data))
        case "jpeg":
            comment = jpeg.comment(data)[:MAX_TEXT_BYTES].decode("utf-8", "replace")
            texts = {"comment": printable(comment)} if comment else {}
            return ContainerMetadata("jpeg", texts, jpeg.xmp(data), _exif(jpeg.exif(data)), jpeg.has_credentials(data))
        case "webp":
            return ContainerMetadata("webp", {}, webp.xmp(data), _exif(webp.exif(data)), webp.has_credentials(data))
        case _:
            raise PhotoError(
                "Only PNG, JPEG and WebP files can tell how they were made: choose the file as it was saved here, "
                "not a copy in another format."
            )


def _exif(block: bytes) -> dict[str, str]:
    if len(block) > MAX_TEXT_BYTES:
        raise limit_error(f"an EXIF block of {len(block) / 2**20:.1f} MB")
    return {name: printable(text) for name, text in exif.texts(block).items()}
