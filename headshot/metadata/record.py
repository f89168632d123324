"""The metadata of a headshot: our own record as JSON, and the one text that other tools read."""

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
# the widest script, and the settings of a model, stay below this.
_MAX_BYTES = 40_000
# The packages that decide the pixels of a backend that reports no versions of its own.
_PACKAGES = {STUDIO: ("numpy", "opencv-python-headless", "onnxruntime")}
# Entries of a backend's facts about the sending and not about the picture, or about where and when.
_PRIVATE_FACTS = ("sent", "reply", "job", "track_id")


def details(headshot: Headshot, *, photo_sha256: str = "", parent: str = "") -> dict[str, Any]:
    """Return our own record of a headshot, values of JSON's types, in at most 40,000 bytes.

    If it would be longer, `made_by` and then the notes are left out, and `left_out` names the missing ones.

    Args:
        headshot: with its facts.
        photo_sha256: as for `embed_metadata`.
        parent: as for `embed_metadata`.
    """
    made_by = {name: value for name, value in headshot.facts.items() if name not in _PRIVATE_FACTS}
    record: dict[str, Any] = {
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
        if name in record and len(as_json(record).encode()) > _MAX_BYTES:
            del record[name]
            record["left_out"] = [*record.get("left_out", []), name]
    return record


def as_json(record: Mapping[str, Any]) -> str:
    """Return JSON of characters that UTF-8 and XML 1.0 can both hold; the others are escaped."""
    written = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[\x7f-\x9f\ud800-\udfff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", written)


def content_id(record: Mapping[str, Any]) -> str:
    """Return the id of a headshot: the SHA-256 of its own record, in hex. It reveals nothing of the record.

    It is the same in PNG, JPEG and WebP, signed or not, at any time: `timings`, which only some files have, do not
    count, nor does the order of the entries.

    Args:
        record: as `details` returns it, or as it was read from a file.
    """
    counted = {name: value for name, value in record.items() if name != "timings"}
    return sha256(json.dumps(counted, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def parameters(headshot: Headshot) -> str:
    """Return the text that other tools read: prompt, negative prompt, and one line of settings."""
    request = headshot.request
    width, height = headshot.image.size
    settings = {
        "Steps": request.num_inference_steps,
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": request.seed,
        "Size": f"{width}x{height}",
        "Model": headshot.backend,
    }
    line = ", ".join(f"{name}: {value}" for name, value in settings.items())
    text = f"{request.prompt}\nNegative prompt: {request.negative_prompt}\n{line}"
    return text.replace("\0", "\ufffd")  # a PNG's text holds no null character


def _versions(backend: str, made_by: Mapping[str, Any]) -> dict[str, str]:
    return {} if "versions" in made_by else dict(_installed(_PACKAGES.get(backend, ())))


@cache
def _installed(packages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = []
    for name in packages:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:  # the same code under another name: opencv-python beside the headless one
            continue
    return tuple(found)
