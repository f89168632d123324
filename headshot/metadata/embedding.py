"""The recipe put into a headshot's file, carried into other formats, and taken out of a copy."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from headshot.request import Headshot

from . import exif, png, xmp
from .container import Kind
from .limits import from_json
from .record import PRODUCT, as_json, details, parameters
from .source import Source

# High enough that skin and a plain backdrop show no blocks, at a fifth of the PNG's size; colour is kept at full
# resolution, for a red collar or lips would fray at half of it.
_QUALITY = {"jpeg": 92, "webp": 90}


def embed_metadata(headshot: Headshot, *, photo_sha256: str = "", parent: str = "") -> Headshot:
    """The same headshot whose file tells how it was made. The same headshot gives the same bytes.

    Nothing in it tells who, where or when. Its seconds and its likeness stay outside: they are what one run measured,
    and `with_duration` adds the seconds to what leaves the house. photo_sha256: of the cleaned photo, `Photo.sha256`.
    parent: the mark (`mark_of`) of the picture whose settings this one goes on from, "" where there is none.
    """
    if not headshot.png.startswith(png.SIGNATURE):
        raise TypeError(f"the {headshot.backend} backend gave a file that is no PNG")
    told = details(headshot, photo_sha256=photo_sha256, parent=parent)
    texts = {
        "parameters": parameters(headshot),
        "headshot": as_json(told),
        png.XMP: xmp.packet(Source.of(headshot.backend), _tool(told)).decode(),
    }
    return replace(headshot, png=png.with_texts(headshot.png, texts))


def with_duration(data: bytes, seconds: float) -> bytes:
    """A headshot's PNG whose record also tells how long it took; from then on no second run gives the same bytes.

    A PNG without our record stays as it is.
    """
    record = dict(png.texts(data)).get("headshot")
    if record is None:
        return data
    told = {**_told(record), "timings": {"seconds": round(seconds, 3)}}
    return png.with_text_anew(data, "headshot", as_json(told))


def convert(data: bytes, kind: Kind, *, quality: int | None = None) -> bytes:
    """A headshot's PNG as another kind of file that tells the same. quality: 1…100, None for the kind's own.

    In JPEG and WebP `parameters` is EXIF's user comment, as other tools read it there, and our record is in the XMP.
    """
    if kind == "png":
        return data
    texts = dict(png.texts(data))
    record = texts.get("headshot", "")
    told = _told(record)
    return _encoded(
        data,
        kind,
        quality,
        exif=exif.written(texts["parameters"], _tool(told)) if "parameters" in texts else b"",
        xmp=xmp.packet(_source(texts, told), _tool(told), record),
    )


def stripped_copy(data: bytes, kind: Kind, *, quality: int | None = None) -> bytes:
    """A headshot's PNG as a file of the same pixels that tells what kind of picture it is, and not how it was made."""
    texts = dict(png.texts(data))
    told = _told(texts.get("headshot", ""))
    packet = xmp.packet(_source(texts, told), PRODUCT)  # not its version either
    if kind == "png":
        return png.with_texts(png.pixels_only(data), {png.XMP: packet.decode()})
    return _encoded(data, kind, quality, exif=b"", xmp=packet)


def _encoded(data: bytes, kind: Kind, quality: int | None, **told: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        profile = image.info.get("icc_profile")
        pixels = image.convert("RGB")
    options: dict[str, Any] = {
        "quality": _QUALITY[kind] if quality is None else quality,
        "icc_profile": profile,
        **{name: block for name, block in told.items() if block},
    }
    if kind == "jpeg":
        options |= {"subsampling": "4:4:4", "optimize": True}
        if "exif" in options:
            options["exif"] = b"Exif\0\0" + options["exif"]
    written = io.BytesIO()
    pixels.info.clear()  # Pillow would write some of it
    pixels.save(written, kind.upper(), **options)
    return written.getvalue()


def _told(record: str) -> Mapping[str, Any]:
    told = from_json(record, "recipe") if record else {}
    return told if isinstance(told, dict) else {}


def _tool(told: Mapping[str, Any]) -> str:
    versions = told.get("made_with")
    version = versions.get(PRODUCT, "") if isinstance(versions, dict) else ""
    return f"{PRODUCT} {version}".strip()


def _source(texts: Mapping[str, str], told: Mapping[str, Any]) -> str:
    """What the file says of itself; files of before it did are known by their backend."""
    said = xmp.read(texts[png.XMP].encode()).get("source") if png.XMP in texts else None
    return said or Source.of(str(told.get("backend", "")))
