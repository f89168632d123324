"""What is written into every headshot's file: how it was made, readable by this project and by other tools.

Two iTXt chunks (PNG specification, 11.3.3): `parameters`, in the words that A1111's web UI made common and that most
viewers of generated pictures show, and `headshot`, our own JSON. Nothing in them tells who, where or when.
"""

import json
import struct
import zlib
from dataclasses import replace
from typing import Any

from .request import Headshot

VERSION = 1
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_END = len(_SIGNATURE) + 25  # the IHDR chunk: length, name, 13 bytes, checksum


def inscribed(headshot: Headshot) -> Headshot:
    """The same headshot whose file tells how it was made. The same headshot gives the same bytes.

    Its seconds and its likeness stay outside: they are what one run measured, not what was asked for.
    """
    chunks = _text("parameters", parameters(headshot)) + _text("headshot", json.dumps(details(headshot)))
    png = headshot.png
    if not png.startswith(_SIGNATURE):
        raise TypeError(f"the {headshot.backend} backend gave a file that is no PNG")
    return replace(headshot, png=png[:_HEADER_END] + chunks + png[_HEADER_END:])


def details(headshot: Headshot) -> dict[str, Any]:
    """Our own record of a headshot, as JSON's types."""
    return {
        "version": VERSION,
        "backend": headshot.backend,
        "request": headshot.request.model_dump(),
        "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
        **({"made_by": dict(headshot.facts)} if headshot.facts else {}),
    }


def parameters(headshot: Headshot) -> str:
    """The text that other tools read: prompt, negative prompt, and one line of settings."""
    asked = headshot.request
    width, height = headshot.image.size
    settings = {
        "Steps": asked.num_inference_steps,
        "CFG scale": f"{asked.guidance_scale:g}",
        "Seed": asked.seed,
        "Size": f"{width}x{height}",
        "Model": headshot.backend,
    }
    told = ", ".join(f"{name}: {value}" for name, value in settings.items())
    text = f"{asked.prompt}\nNegative prompt: {asked.negative_prompt}\n{told}"
    return text.replace("\0", "\ufffd")  # a PNG's text holds no null character


def _text(keyword: str, text: str) -> bytes:
    """An iTXt chunk: keyword, not compressed, no language, UTF-8."""
    data = keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    name = b"iTXt"
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
