"""A headshot as files: put down as it lands, or found again in the history."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from headshot.imaging.encoding import jpeg
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.metadata import mark_of
from headshot.modelslab.backend import Record
from headshot.request import Headshot, Note

from .history_recorder import Keeper
from .run import Job
from .saved_headshot import Original, Shot

if TYPE_CHECKING:
    from headshot.storage import Kept

    from .run import Job

# What is made of a visitor's headshots when it is asked for: see exports.py.
OVERLAID, SHEET, ZIP = "original.jpg", "contact-sheet.png", "headshots.zip"
PDF, TABLE = "headshots.pdf", "headshots.csv"
CLEAN = "-clean"  # stands before the ending of a copy without the recipe
THUMBNAIL = "thumbnail.webp"  # of a headshot that was found again in the history

_THUMBNAIL_PX = 640  # twice the width of a card at four in a row, for sharp screens
_COMMIT = re.compile(r"(@[0-9a-f]{7})[0-9a-f]{33}\b")  # shortened as git does
_COPY_PX = 2048  # of the photo, to lay beside a headshot of 1280: a face fills at most half of it


class Album(Protocol):
    """Where a job's files go: its visitor's folder."""

    def write(self, name: str, data: bytes, job: Job | None = None) -> Path: ...

    def address(self, corner: str, name: str) -> str: ...


def put_down_original(album: Album, photo: Photo, chosen: Face, job: Job | None = None) -> Original:
    """The photo's copy, to lay beside the headshots."""
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    scale = min(1.0, _COPY_PX / max(image.size))
    image.thumbnail((_COPY_PX, _COPY_PX), Image.Resampling.LANCZOS)
    x, y, width, height = (float(value) * scale for value in chosen.box)
    return Original(album.write("photo.jpg", jpeg(image, 90), job), (x, y, width, height))


def put_down(
    album: Album, job: Job, headshot: Headshot, original: Original | None, record: Record | None, keeper: Keeper
) -> Shot:
    """The headshot's own file, signed, under its own name, and a thumbnail for the page; both, too, in the history."""
    small = headshot.image.copy()
    # Reduced by a whole number first, which for a headshot is all there is to do: 3 ms with the JPEG, where Lanczos and
    # WebP take 65.
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS, reducing_gap=1.0)
    png, mark = keeper.signer.finished(headshot), mark_of(headshot.png)
    path = album.write(headshot.filename, png, job)
    thumbnail = album.write("thumbnail.jpg", jpeg(small, 88), job)
    return Shot(
        id=path.parent.name,
        request=headshot.request,
        backend=headshot.backend,
        made_by=_model(headshot.facts),
        photo_sha256=job.photo_sha256,
        face=job.face,
        filename=headshot.filename,
        size=headshot.image.size,
        seconds=headshot.seconds,
        likeness=headshot.likeness,
        trust=headshot.trust,
        notes=headshot.notes,
        path=path,
        thumbnail_path=thumbnail,
        picture=album.address(path.parent.name, path.name),
        thumbnail=album.address(thumbnail.parent.name, thumbnail.name),
        overlaid="" if original is None else album.address(path.parent.name, OVERLAID),
        original=original,
        face_box=headshot.face_box,
        job=headshot.job,
        mark=mark,
        record=record,
        kept=keeper.land(job, headshot, png, small, mark),
    )


def found_again(album: Album, kept: "Kept", original: Original | None) -> Shot:
    """A headshot of the history as the page shows it; its files stay where they are."""
    facts = kept.facts
    return Shot(
        id=kept.id,
        request=kept.request,
        backend=kept.backend,
        made_by=_model(facts.get("made_by") or {}),
        photo_sha256=kept.photo_sha256,
        face=kept.face,
        filename=kept.filename,
        size=kept.size,
        seconds=float(facts.get("seconds") or 0.0),
        likeness=facts.get("likeness"),
        trust=facts.get("trust"),
        notes=tuple(Note(note["kind"], note["text"]) for note in facts.get("notes", ())),
        path=kept.picture,
        thumbnail_path=kept.picture,
        picture=album.address(kept.id, kept.filename),
        thumbnail=album.address(kept.id, THUMBNAIL),
        overlaid="" if original is None else album.address(kept.id, OVERLAID),
        original=original,
        face_box=tuple(facts["face"]) if facts.get("face") else None,
        mark=str(facts.get("mark") or ""),
        kept=kept.id,
        stored=True,
    )


def _model(facts: Mapping[str, Any]) -> str:
    told = facts.get("revision") or facts.get("model") or facts.get("endpoint") or ""
    return _COMMIT.sub(r"\1", str(told).removeprefix("https://"))
