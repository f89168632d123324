"""What a PNG, JPEG or WebP file carries beside its pixels, found where each format keeps it."""

from dataclasses import dataclass, field
from typing import Literal

from headshot.errors import PhotoError
from headshot.imaging.photo import MAX_FILE_BYTES

from . import exif, jpeg, png, webp
from .limits import MAX_ALL_BYTES, MAX_TEXT_BYTES, plain, too_much

Kind = Literal["png", "jpeg", "webp"]
TITLES: dict[Kind, str] = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}


@dataclass(frozen=True)
class ContainerMetadata:
    """texts: by the name that their tool gave them.  xmp: the packet.  exif: as `exif.texts`.

    sealed: whether there are Content Credentials, of whatever worth.
    """

    kind: Kind
    texts: dict[str, str] = field(default_factory=dict)
    xmp: bytes = b""
    exif: dict[str, str] = field(default_factory=dict)
    sealed: bool = False


def kind_of(data: bytes) -> Kind | None:
    """By the first bytes, for names are wrong at times; None for any other file."""
    if data.startswith(png.SIGNATURE):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def container_metadata(data: bytes) -> ContainerMetadata:
    """Raises PhotoError with one sentence for another kind of file, and for what is damaged, cut short or beyond the
    bounds. The pixels are not looked at.
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
                    raise too_much(f"more than {MAX_ALL_BYTES / 2**20:g} MB of text")
                texts.setdefault(name, plain(text))
            packet = texts.pop(png.XMP, "").encode()
            return ContainerMetadata("png", texts, packet, _exif(png.exif(data)), png.is_sealed(data))
        case "jpeg":
            words = jpeg.comment(data)[:MAX_TEXT_BYTES].decode("utf-8", "replace")
            texts = {"comment": plain(words)} if words else {}
            return ContainerMetadata("jpeg", texts, jpeg.xmp(data), _exif(jpeg.exif(data)), jpeg.is_sealed(data))
        case "webp":
            return ContainerMetadata("webp", {}, webp.xmp(data), _exif(webp.exif(data)), webp.is_sealed(data))
        case _:
            raise PhotoError(
                "Only PNG, JPEG and WebP files can tell how they were made: choose the file as it was saved here, "
                "not a copy in another format."
            )


def _exif(block: bytes) -> dict[str, str]:
    if len(block) > MAX_TEXT_BYTES:
        raise too_much(f"an EXIF block of {len(block) / 2**20:.1f} MB")
    return {name: plain(text) for name, text in exif.texts(block).items()}
