"""A headshot as files: put down as it lands, or found again in the history."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from headshot.imaging.encoding import jpeg
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.metadata import content_id_of
from headshot.modelslab.backend import JobRecord
from headshot.request import Headshot, Note

from .history_recorder import HistoryRecorder
from .run import Run
from .saved_headshot import PhotoCopy, SavedHeadshot

if TYPE_CHECKING:
    from headshot.storage import StoredHeadshot


# What is made of a visitor's headshots when it is asked for: see exports.py.
OVERLAID, SHEET, ZIP = "original.jpg", "contact-sheet.png", "headshots.zip"
PDF, TABLE = "headshots.pdf", "headshots.csv"
CLEAN = "-clean"  # stands before the ending of a copy without the recipe
THUMBNAIL = "thumbnail.webp"  # of a headshot that was found again in the history

_THUMBNAIL_PX = 640  # twice the width of a card at four in a row, for sharp screens
_COMMIT = re.compile(r"(@[0-9a-f]{7})[0-9a-f]{33}\b")  # shortened as git does
_COPY_PX = 2048  # of the photo, to lay beside a headshot of 1280: a face fills at most half of it


class FileSink(Protocol):
    """Where a job's files go: its visitor's folder."""

    def write(self, name: str, data: bytes, run: Run | None = None) -> Path: ...

    def address(self, corner: str, name: str) -> str: ...


def save_photo_copy(sink: FileSink, photo: Photo, chosen: Face, run: Run | None = None) -> PhotoCopy:
    """The photo's copy, to lay beside the headshots."""
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    scale = min(1.0, _COPY_PX / max(image.size))
    image.thumbnail((_COPY_PX, _COPY_PX), Image.Resampling.LANCZOS)
    x, y, width, height = (float(value) * scale for value in chosen.box)
    return PhotoCopy(sink.write("photo.jpg", jpeg(image, 90), run), (x, y, width, height))


def save(
    sink: FileSink,
    run: Run,
    headshot: Headshot,
    original: PhotoCopy | None,
    record: JobRecord | None,
    recorder: HistoryRecorder,
) -> SavedHeadshot:
    """The headshot's own file, signed, under its own name, and a thumbnail for the page; both, too, in the history."""
    small = headshot.image.copy()
    # Reduced by a whole number first, which for a headshot is all there is to do: 3 ms with the JPEG, where Lanczos and
    # WebP take 65.
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS, reducing_gap=1.0)
    png, mark = recorder.signer.finished(headshot), content_id_of(headshot.png)
    path = sink.write(headshot.filename, png, run)
    thumbnail = sink.write("thumbnail.jpg", jpeg(small, 88), run)
    return SavedHeadshot(
        id=path.parent.name,
        request=headshot.request,
        backend=headshot.backend,
        made_by=_model(headshot.facts),
        photo_sha256=run.photo_sha256,
        face=run.face,
        filename=headshot.filename,
        size=headshot.image.size,
        seconds=headshot.seconds,
        likeness=headshot.likeness,
        trust=headshot.trust,
        notes=headshot.notes,
        path=path,
        thumbnail_path=thumbnail,
        picture=sink.address(path.parent.name, path.name),
        thumbnail=sink.address(thumbnail.parent.name, thumbnail.name),
        overlaid="" if original is None else sink.address(path.parent.name, OVERLAID),
        photo_copy=original,
        face_box=headshot.face_box,
        job=headshot.job,
        content_id=mark,
        record=record,
        history_id=recorder.save(run, headshot, png, small, mark),
    )


def load(sink: FileSink, kept: "StoredHeadshot", original: PhotoCopy | None) -> SavedHeadshot:
    """A headshot of the history as the page shows it; its files stay where they are."""
    facts = kept.facts
    return SavedHeadshot(
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
        picture=sink.address(kept.id, kept.filename),
        thumbnail=sink.address(kept.id, THUMBNAIL),
        overlaid="" if original is None else sink.address(kept.id, OVERLAID),
        photo_copy=original,
        face_box=tuple(facts["face"]) if facts.get("face") else None,
        content_id=str(facts.get("mark") or ""),
        history_id=kept.id,
        stored=True,
    )


def _model(facts: Mapping[str, Any]) -> str:
    told = facts.get("revision") or facts.get("model") or facts.get("endpoint") or ""
    return _COMMIT.sub(r"\1", str(told).removeprefix("https://"))
