"""From a person's photo to what a service is sent, and from the file it sends back to a headshot."""

import io
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from headshot.backend_names import MODELSLAB
from headshot.imaging import face
from headshot.imaging.encoding import png
from headshot.imaging.photo import Photo
from headshot.request import Headshot, HeadshotRequest, Note

from .bodies import face_image
from .output import detect_placeholder
from .replies import JobResponse

_HEADS = 1.5  # face heights kept on every side of a face that was picked: hair and shoulders stay, most neighbours go


class Subject:
    """Whom a comparison is of. face: which of `face.find(photo)`, None for the first.

    Its methods take a moment: call them in a worker thread.
    """

    def __init__(self, photo: Photo, index: int | None = None) -> None:
        self.photo = photo
        self._index = index

    def face_image(self) -> str:
        """The photo as a data URI; around the face alone where one was picked, for the service takes whom it likes.

        Raises PhotoError where there is no such face.
        """
        if self._index is None:
            return face_image(self.photo)
        found = face.choose(face.find(self.photo.pixels), self._index)
        (x, y), reach = found.centre, found.height * (_HEADS + 0.5)
        height, width = self.photo.pixels.shape[:2]
        left, right = (int(np.clip(at, 0, width)) for at in (x - reach, x + reach))
        top, bottom = (int(np.clip(at, 0, height)) for at in (y - reach, y + reach))
        return face_image(Photo.from_image(Image.fromarray(self.photo.pixels[top:bottom, left:right])))

    @cached_property
    def embedding(self) -> np.ndarray | None:
        faces = face.find(self.photo.pixels)
        return face.embed(self.photo.pixels, face.choose(faces, self._index)) if faces else None

    def likeness(self, pixels: np.ndarray, found: face.Face) -> float | None:
        """As in Headshot, of the face that was found in the picture."""
        return None if self.embedding is None else face.likeness(self.embedding, face.embed(pixels, found))


def headshot_from_bytes(
    data: bytes,
    request: HeadshotRequest,
    reply: JobResponse,
    subject: Subject | None,
    made_by: Mapping[str, Any],
    *,
    seconds: float,
    job: str,
) -> Headshot:
    """The headshot that a picture file is, whatever its format: cleaned as a stranger's photo is, and written as PNG.

    subject: None where the photo is not at hand any more; then nothing is said of its likeness.
    made_by: the headshot's facts.  Raises PhotoError where the file is no usable picture.
    """
    pixels = Photo.from_bytes(data).pixels
    image = Image.fromarray(pixels)
    found = next(iter(face.find(pixels)), None)
    likeness = None if subject is None or found is None else subject.likeness(pixels, found)
    box = None if found is None else found.box
    notes = tuple(_notes(pixels, request, reply))
    return Headshot(image, png(image), request, MODELSLAB, seconds, notes, likeness, job, box, made_by)


def _notes(pixels: np.ndarray, request: HeadshotRequest, reply: JobResponse) -> list[Note]:
    notes = []
    replaced = detect_placeholder(pixels)
    if replaced:
        notes.append(Note("advice", replaced))
    elif reply.nsfw:
        notes.append(Note("advice", "The service's safety checker marked this picture."))
    if reply.seed is not None and reply.seed != request.seed:
        notes.append(Note("not applied", f"seed {request.seed}: the service says that it took {reply.seed}"))
    return notes


def to_record(headshot: Headshot) -> dict[str, Any]:
    """What is to be remembered of a headshot beside its file and its request, as JSON's types."""
    return {
        "seconds": headshot.seconds,
        "likeness": headshot.likeness,
        "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
        "made_by": dict(headshot.facts),
        "face": None if headshot.face_box is None else list(headshot.face_box),
    }


def from_record(png: bytes, request: HeadshotRequest, facts: Mapping[str, Any], job: str) -> Headshot:
    """The headshot that `to_record` and its file remember."""
    image = Image.open(io.BytesIO(png))
    image.load()
    notes = tuple(Note(note["kind"], note["text"]) for note in facts["notes"])
    made_by, box = facts.get("made_by", {}), facts.get("face")  # what was made before these were kept has none
    return Headshot(
        image,
        png,
        request,
        MODELSLAB,
        facts["seconds"],
        notes,
        facts["likeness"],
        job,
        tuple(box) if box else None,
        made_by,
    )
