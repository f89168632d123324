"""Writes the metadata into a headshot's file, converts the file to other formats, and makes copies without it."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from headshot.request import Headshot

from . import exif, png, xmp
from .container import Kind
from .digital_source_type import Source
from .limits import parse_json
from .record import PRODUCT, as_json, details, parameters

# High enough that skin and a plain backdrop show no blocks, at a fifth of the PNG's size. Colour is stored at full
# resolution, because a red collar or lips would fray at half of it.
_QUALITY = {"jpeg": 92, "webp": 90}


def embed_metadata(headshot: Headshot, *, photo_sha256: str = "", parent: str = "") -> Headshot:
    """Return the same headshot with metadata in its file. The same headshot gives the same bytes.

    The metadata does not say who, where or when. The seconds and the likeness are left out, because they differ from
    run to run; `with_duration` adds the seconds to files that are downloaded.

    Args:
        headshot: of any backend.
        photo_sha256: of the cleaned photo, `Photo.sha256`.
        parent: the content id of the picture whose settings this one was based on, "" for none.

    Raises:
        TypeError: if its file is no PNG.
    """
    if not headshot.png.startswith(png.SIGNATURE):
        raise TypeError(f"the {headshot.backend} backend gave a file that is no PNG")
    record = details(headshot, photo_sha256=photo_sha256, parent=parent)
    texts = {
        "parameters": parameters(headshot),
        "headshot": as_json(record),
        png.XMP: xmp.packet(Source.of(headshot.backend), _tool(record)).decode(),
    }
    return replace(headshot, png=png.with_texts(headshot.png, texts))


def with_duration(data: bytes, seconds: float) -> bytes:
    """Return a headshot's PNG with its duration added to our record. A second run will not give the same bytes.

    A PNG without our record is returned as it is.
    """
    text = dict(png.texts(data)).get("headshot")
    if text is None:
        return data
    record = {**_parse_record(text), "timings": {"seconds": round(seconds, 3)}}
    return png.with_text_replaced(data, "headshot", as_json(record))


def convert(data: bytes, kind: Kind, *, quality: int | None = None) -> bytes:
    """Convert a headshot's PNG to another kind of file with the same metadata.

    In JPEG and WebP `parameters` is EXIF's user comment, where other tools read it, and our record is in the XMP.

    Args:
        data: the PNG.
        kind: of file.
        quality: 1…100, None for the kind's default.
    """
    if kind == "png":
        return data
    texts = dict(png.texts(data))
    text = texts.get("headshot", "")
    record = _parse_record(text)
    return _encode(
        data,
        kind,
        quality,
        exif=exif.encode(texts["parameters"], _tool(record)) if "parameters" in texts else b"",
        xmp=xmp.packet(_source(texts, record), _tool(record), text),
    )


def stripped_copy(data: bytes, kind: Kind, *, quality: int | None = None) -> bytes:
    """Convert a headshot's PNG to a file whose only metadata is the kind of picture.

    Args:
        data: the PNG.
        kind: of file.
        quality: 1…100, None for the kind's default.
    """
    texts = dict(png.texts(data))
    record = _parse_record(texts.get("headshot", ""))
    packet = xmp.packet(_source(texts, record), PRODUCT)  # not its version either
    if kind == "png":
        return png.with_texts(png.pixels_only(data), {png.XMP: packet.decode()})
    return _encode(data, kind, quality, exif=b"", xmp=packet)


def _encode(data: bytes, kind: Kind, quality: int | None, **metadata: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        profile = image.info.get("icc_profile")
        pixels = image.convert("RGB")
    options: dict[str, Any] = {
        "quality": _QUALITY[kind] if quality is None else quality,
        "icc_profile": profile,
        **{name: block for name, block in metadata.items() if block},
    }
    if kind == "jpeg":
        options |= {"subsampling": "4:4:4", "optimize": True}
        if "exif" in options:
            options["exif"] = b"Exif\0\0" + options["exif"]
    written = io.BytesIO()
    pixels.info.clear()  # Pillow would write some of it
    pixels.save(written, kind.upper(), **options)
    return written.getvalue()


def _parse_record(text: str) -> Mapping[str, Any]:
    record = parse_json(text, "recipe") if text else {}
    return record if isinstance(record, dict) else {}


def _tool(record: Mapping[str, Any]) -> str:
    versions = record.get("made_with")
    version = versions.get(PRODUCT, "") if isinstance(versions, dict) else ""
    return f"{PRODUCT} {version}".strip()


def _source(texts: Mapping[str, str], record: Mapping[str, Any]) -> str:
    """Return the kind of picture that the file's XMP names; older files without one are judged by their backend."""
    source = xmp.read(texts[png.XMP].encode()).get("source") if png.XMP in texts else None
    return source or Source.of(str(record.get("backend", "")))
