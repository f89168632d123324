"""From a photo to the face image that is sent, and from the picture file that comes back to a Headshot."""

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

from .face_image import face_image
from .output import detect_placeholder
from .replies import JobResponse

# In face heights, kept on every side of a chosen face: hair and shoulders stay, most neighbours are cut away.
_MARGIN = 1.5


class Subject:
    """The photo and selected face a comparison is based on. Its methods are slow: call them in a worker thread.

    Attributes:
        photo: the whole photo.
    """

    def __init__(self, photo: Photo, index: int | None = None) -> None:
        """Select a face.

        Args:
            photo: the whole photo.
            index: into `face.find(photo.pixels)`; None for the first face.
        """
        self.photo = photo
        self._index = index

    def face_image(self) -> str:
        """Return the photo as a JPEG data URI, cropped around the face if one was selected.

        Without the crop, the service would choose a face itself.

        Raises:
            PhotoError: if there is no such face.
        """
        if self._index is None:
            return face_image(self.photo)
        found = face.choose(face.find(self.photo.pixels), self._index)
        (x, y), reach = found.centre, found.height * (_MARGIN + 0.5)
        height, width = self.photo.pixels.shape[:2]
        left, right = (int(np.clip(at, 0, width)) for at in (x - reach, x + reach))
        top, bottom = (int(np.clip(at, 0, height)) for at in (y - reach, y + reach))
        return face_image(Photo.from_image(Image.fromarray(self.photo.pixels[top:bottom, left:right])))

    @cached_property
    def embedding(self) -> np.ndarray | None:
        """The embedding of the selected face; None if the photo has no face."""
        faces = face.find(self.photo.pixels)
        return face.embed(self.photo.pixels, face.choose(faces, self._index)) if faces else None

    def likeness(self, pixels: np.ndarray, found: face.Face) -> float | None:
        """Return the likeness of a face to this person, as `face.likeness` does; None if the photo has no face.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            found: a face in them.
        """
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
    """Make a Headshot from a downloaded picture file. The file is as little trusted as a photo, and rewritten as PNG.

    Args:
        data: the file, in any format that Photo reads.
        request: the settings it was made with.
        reply: the last response about its job.
        subject: to measure likeness against; None if the photo is gone, then likeness is None.
        made_by: the headshot's facts.
        seconds: how long it took.
        job: its job's id in the store.

    Raises:
        PhotoError: if the file is no usable picture.
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
        notes.append(Note("not applied", f"seed {request.seed}: the service says that it used {reply.seed}"))
    return notes


def to_record(headshot: Headshot) -> dict[str, Any]:
    """Return the fields of a Headshot to store beside its file and its request, as JSON's types."""
    return {
        "seconds": headshot.seconds,
        "likeness": headshot.likeness,
        "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
        "made_by": dict(headshot.facts),
        "face": None if headshot.face_box is None else list(headshot.face_box),
    }


def from_record(png: bytes, request: HeadshotRequest, facts: Mapping[str, Any], job: str) -> Headshot:
    """Return the Headshot that was stored as a file and with `to_record`.

    Args:
        png: the file.
        request: the settings it was made with.
        facts: from `to_record`.
        job: its job's id in the store.
    """
    image = Image.open(io.BytesIO(png))
    image.load()
    notes = tuple(Note(note["kind"], note["text"]) for note in facts["notes"])
    made_by, box = facts.get("made_by", {}), facts.get("face")  # older records have neither
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
