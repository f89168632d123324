"""What is told of a headshot: our own record as JSON, and the one text that other tools read."""

import json
import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from headshot.backend_names import STUDIO
from headshot.request import Headshot
from headshot.version import __version__

VERSION = 2
PRODUCT = "Headshot Playground"
# A JPEG keeps XMP in one segment of 65,502 bytes, where "&" and "<" take up to five. Two prompts of 2,000 characters in
# the widest script, and what a model was told of them, stay below this.
_MAX_BYTES = 40_000
# The backends that tell no versions of their own, and the packages that their pixels depend on.
_SHAPED_BY = {STUDIO: ("numpy", "opencv-python-headless", "onnxruntime")}
# Entries of a backend's facts that tell of the sending and not of the picture, or of where and when.
_NOT_TOLD = ("sent", "reply", "job", "track_id")


def details(headshot: Headshot, *, photo_sha256: str = "", parent: str = "") -> dict[str, Any]:
    """Our own record of a headshot, as JSON's types, in at most 40,000 bytes. parent: as `inscribed` takes it.

    Where it would be longer, made_by's texts and then the notes are left out, and `left_out` names what is missing.
    """
    made_by = {name: value for name, value in headshot.facts.items() if name not in _NOT_TOLD}
    told: dict[str, Any] = {
        "version": VERSION,
        "made_with": {PRODUCT: __version__, **_versions(headshot.backend, made_by)},
        "backend": headshot.backend,
        "request": headshot.request.model_dump(),
        "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
        **({"made_by": made_by} if made_by else {}),
        **({"photo_sha256": photo_sha256} if photo_sha256 else {}),
        **({"parent": parent} if parent else {}),
    }
    for name in ("made_by", "notes"):
        if name in told and len(as_json(told).encode()) > _MAX_BYTES:
            del told[name]
            told["left_out"] = [*told.get("left_out", []), name]
    return told


def as_json(told: Mapping[str, Any]) -> str:
    """JSON of characters that UTF-8 and XML 1.0 can both hold; the others are escaped."""
    written = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", written)


def content_id(record: Mapping[str, Any]) -> str:
    """What names a picture of ours, and tells nothing else: the SHA-256 of its own record, as JSON's types, in hex.

    The same in its PNG, JPEG and WebP, signed or not, whenever it was made: `timings`, which only some of them carry,
    are left out, and the entries' order does not count.
    """
    told = {name: value for name, value in record.items() if name != "timings"}
    return sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


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


def _versions(backend: str, made_by: Mapping[str, Any]) -> dict[str, str]:
    return {} if "versions" in made_by else dict(_installed(_SHAPED_BY.get(backend, ())))


@cache
def _installed(packages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = []
    for name in packages:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:  # the same code under another name: opencv-python beside the headless one
            continue
    return tuple(found)
