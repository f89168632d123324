"""A headshot as files: saved when it is finished, or loaded from the history."""

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


# Made from a visitor's headshots on request: see headshot/web/downloads.py.
OVERLAID, SHEET, ZIP = "original.jpg", "contact-sheet.png", "headshots.zip"
PDF, TABLE = "headshots.pdf", "headshots.csv"
CLEAN = "-clean"  # comes before the ending of a copy without metadata
THUMBNAIL = "thumbnail.webp"  # of a headshot in the history
DETAILS = "details.json"  # what the viewer shows of a headshot only when it is opened

_THUMBNAIL_PX = 640  # twice the width of a card at four in a row, for sharp screens
_COMMIT = re.compile(r"(@[0-9a-f]{7})[0-9a-f]{33}\b")  # shortened as git does
_COPY_PX = 2048  # of the photo, to lay beside a headshot of 1280: a face fills at most half of it


class FileSink(Protocol):
    """Where a run's files go: the tab's folder."""

    def write(self, name: str, data: bytes, run: Run | None = None) -> Path:
        """Write a file into a slot of its own; see `TabSession.write`."""
        ...

    def address(self, slot: str, name: str) -> str:
        """Return the address of a file in that slot, relative to the page."""
        ...


def save_photo_copy(sink: FileSink, photo: Photo, chosen: Face, run: Run | None = None) -> PhotoCopy:
    """Save a small copy of the photo, to lay beside the headshots.

    Args:
        sink: where it goes.
        photo: the clean photo.
        chosen: its face.
        run: the run that the copy belongs to, if any.

    Raises:
        Stopped: see `TabSession.write`.
    """
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
    """Save a headshot's signed file and its thumbnail, for the page and in the history.

    Args:
        sink: where the files go.
        run: the run that it belongs to.
        headshot: with its pixels.
        original: the photo's copy, if there is one.
        record: the job's request and response, for jobs of the hosted service.
        recorder: saves it in the history, and signs it.

    Raises:
        Stopped: see `TabSession.write`.
    """
    small = headshot.image.copy()
    # Reduced by a whole number first, which is all that a headshot needs: 3 ms with the JPEG; Lanczos and WebP take 65.
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS, reducing_gap=1.0)
    png, content_id = recorder.signer.sign_headshot(headshot), content_id_of(headshot.png)
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
        content_id=content_id,
        record=record,
        history_id=recorder.save(run, headshot, png, small, content_id),
    )


def load(sink: FileSink, stored: "StoredHeadshot", original: PhotoCopy | None) -> SavedHeadshot:
    """Return a headshot of the history as the page shows it; its files stay where they are.

    Args:
        sink: gives the addresses.
        stored: from the history.
        original: the photo's copy, if there is one.
    """
    facts = stored.facts
    return SavedHeadshot(
        id=stored.id,
        request=stored.request,
        backend=stored.backend,
        made_by=_model(facts.get("made_by") or {}),
        photo_sha256=stored.photo_sha256,
        face=stored.face,
        filename=stored.filename,
        size=stored.size,
        seconds=float(facts.get("seconds") or 0.0),
        likeness=facts.get("likeness"),
        trust=facts.get("trust"),
        notes=tuple(Note(note["kind"], note["text"]) for note in facts.get("notes", ())),
        path=stored.picture,
        thumbnail_path=stored.picture,
        picture=sink.address(stored.id, stored.filename),
        thumbnail=sink.address(stored.id, THUMBNAIL),
        overlaid="" if original is None else sink.address(stored.id, OVERLAID),
        photo_copy=original,
        face_box=tuple(facts["face"]) if facts.get("face") else None,
        content_id=str(facts.get("mark") or ""),
        history_id=stored.id,
        stored=True,
    )


def _model(facts: Mapping[str, Any]) -> str:
    name = facts.get("revision") or facts.get("model") or facts.get("endpoint") or ""
    return _COMMIT.sub(r"\1", str(name).removeprefix("https://"))
