"""What is made of a visitor's headshots when it is asked for: contact sheet, ZIP, the photo laid over a headshot."""

import io
import json
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from .. import face, overlay, sheet
from ..archive import archive
from ..errors import PhotoError
from ..photo import Photo
from ..request import HeadshotRequest
from . import cards
from .job import OVERLAID, SHEET, ZIP, Original, Shot
from .visitors import Visitors

_TITLE = "Headshot Playground"


def make(visitors: Visitors, visitor_name: str, corner: str, name: str) -> bytes | None:
    """The file at that address, made now; None where there is nothing to make it of. Takes up to half a second."""
    visitor = visitors.named(visitor_name)
    if visitor is None:
        return None
    if name == OVERLAID:
        shot = visitor.shot(corner)
        original = None if shot is None else shot.original
        return None if shot is None or original is None else _existing(lambda: _overlaid(shot, original))
    job = visitor.job
    if job is None or job.id != corner:
        return None
    shots, requests = job.landed, job.requests  # once: more may land meanwhile
    if shots and name == SHEET:
        return _existing(lambda: _sheet(shots, requests))
    if shots and name == ZIP:
        return _existing(lambda: _zip(shots, requests))
    return None


def _existing(make: Callable[[], bytes]) -> bytes | None:
    try:
        return make()
    except FileNotFoundError:  # its pictures have been kept for their time
        return None


def _overlaid(shot: Shot, original: Original) -> bytes:
    photo = Photo.open(original.path).pixels
    headshot = _opened(shot)
    found = overlay.same_face(face.find(photo), original.box)
    try:
        if found is None:
            raise PhotoError("The photo's face was not found again.")
        pixels = overlay.overlay(photo, found, np.asarray(headshot))
    except PhotoError:  # then the two lie side by side, if not over each other
        pixels = overlay.fitted(photo, headshot.size)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=92)
    return data.getvalue()


def _sheet(shots: Sequence[Shot], requests: Sequence[HeadshotRequest]) -> bytes:
    labels = [(cards.label(shot.request, requests), " · ".join(cards.facts(shot))) for shot in shots]
    page = sheet.contact_sheet([_opened(shot) for shot in shots], labels, title=_TITLE)
    data = io.BytesIO()
    page.save(data, "PNG")
    return data.getvalue()


def _zip(shots: Sequence[Shot], requests: Sequence[HeadshotRequest]) -> bytes:
    told = [
        {
            "file": shot.filename,
            "backend": shot.backend,
            "request": shot.request.model_dump(),
            "seconds": round(shot.seconds, 3),
            "likeness": None if shot.likeness is None else round(shot.likeness, 4),
            "notes": [{"kind": note.kind, "text": note.text} for note in shot.notes],
        }
        for shot in shots
    ]
    return archive(
        {
            **{shot.filename: shot.path.read_bytes() for shot in shots},
            SHEET: _sheet(shots, requests),
            "headshots.json": json.dumps(told, indent=2, ensure_ascii=False).encode(),
        }
    )


def _opened(shot: Shot) -> Image.Image:
    return Image.open(io.BytesIO(shot.path.read_bytes())).convert("RGB")
