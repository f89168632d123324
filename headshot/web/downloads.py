"""Files made from a visitor's headshots on request: contact sheet, ZIP, other formats, the photo laid over one."""

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

from headshot.comparison.labels import label
from headshot.comparison.matrix import Matrix
from headshot.errors import PhotoError
from headshot.exports import overlay, sheet, team_files
from headshot.exports.comparison_csv import CsvRow, comparison_csv
from headshot.exports.grid import grid_sheet
from headshot.exports.pdf import as_pdf
from headshot.exports.snippets import Api
from headshot.exports.zip_bundle import zip_bundle
from headshot.imaging import face
from headshot.imaging.encoding import jpeg, png
from headshot.imaging.photo import Photo
from headshot.metadata import Kind, convert, stripped_copy
from headshot.request import HeadshotRequest
from headshot.runs.files import CLEAN, DETAILS, OVERLAID, PDF, SHEET, TABLE, THUMBNAIL, ZIP, load
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.saved_headshot import PhotoCopy, SavedHeadshot
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.view.cards import details_of
from headshot.voting import results

Failures = Mapping[HeadshotRequest, str]  # why one is missing

_TITLE = "Headshot Playground"
_HISTORY_ID = re.compile(r"[0-9a-f]{32}")
_KINDS: dict[str, Kind] = {".png": "png", ".jpg": "jpeg", ".webp": "webp"}


def make(
    sessions: SessionRegistry, recorder: HistoryRecorder, token: str, slot: str, name: str, *, api: Api = "enterprise"
) -> bytes | None:
    """Return the file at that address, made now or read from the history. Takes up to half a second.

    Args:
        sessions: the open tabs.
        recorder: the history.
        token: of the tab's session.
        slot: id of a run, a headshot, a team or a vote.
        name: of the file.
        api: which of ModelsLab's endpoints the code of a headshot calls.

    Returns:
        None if there is nothing to make it from.

    Raises:
        StoreError: if the store fails.
    """
    session = sessions.by_token(token)
    if session is None:
        return None
    if _HISTORY_ID.fullmatch(slot) and name == THUMBNAIL:
        return recorder.thumbnail(session.owner, slot)
    if _HISTORY_ID.fullmatch(slot) and name in team_files.NAMES:
        team, group = session.team, recorder.group(session.owner, slot)
        if team.group != slot or team.look is None:
            return _existing(lambda: team_files.make(group, name))
        words, absent = team.look.words, team.without_result
        return _existing(lambda: team_files.make(group, name, words=words, absent=absent))
    if name in (results.TABLE, results.CHART):
        vote = recorder.run_sync(lambda history: results.result_of(history, session.owner, slot))
        return None if vote is None else _existing(vote.csv if name == results.TABLE else vote.png)
    shot = session.headshot(slot)
    if name == DETAILS:
        stored = recorder.headshot(session.owner, slot) if shot is None and _HISTORY_ID.fullmatch(slot) else None
        known = load(session, stored, None) if stored is not None else shot
        return None if known is None else json.dumps(details_of(known, api)).encode()
    if name == OVERLAID:
        original = None if shot is None else shot.photo_copy
        return None if shot is None or original is None else _existing(lambda: _overlaid(shot, original))
    history_id = slot if shot is None else shot.history_id
    if _HISTORY_ID.fullmatch(history_id) and (found := recorder.headshot(session.owner, history_id)) is not None:
        return _existing(lambda: _as_named(recorder, found.picture.read_bytes(), found.filename, name))
    if shot is not None:
        return _existing(lambda: _as_named(recorder, shot.path.read_bytes(), shot.filename, name))
    run = session.run
    if run is None or run.id != slot:
        return None
    shots, requests = run.completed, run.requests  # read once: more may be completed meanwhile
    if not shots:
        return None
    if name == ZIP:
        entry = run.history_id
        votes = recorder.run_sync(lambda history: results.results_of(history, session.owner, entry)) if entry else []
        return _existing(lambda: _zip(shots, requests, run.failures, results.files(votes)))
    whole = {SHEET: _sheet, PDF: _pdf, TABLE: _table}.get(name)
    return None if whole is None else _existing(lambda: whole(shots, requests, run.failures))


def _existing(make: Callable[[], bytes | None]) -> bytes | None:
    try:
        return make()
    except FileNotFoundError:  # its pictures have expired
        return None


def _as_named(recorder: HistoryRecorder, png: bytes, filename: str, name: str) -> bytes | None:
    """A headshot's file, in the format and with or without the metadata that the name asks for."""
    stem = filename.removesuffix(".png")
    if name == filename:
        return png
    for ending, kind in _KINDS.items():
        if name == f"{stem}{ending}":
            return recorder.signer.sign(convert(png, kind), kind, parent=png)
        if name == f"{stem}{CLEAN}{ending}":
            return stripped_copy(png, kind)
    return None


def _overlaid(shot: SavedHeadshot, original: PhotoCopy) -> bytes:
    photo = Photo.open(original.path).pixels
    headshot = _opened(shot)
    found = overlay.same_face(face.find(photo), original.box)
    try:
        if found is None:
            raise PhotoError("The photo's face was not found again.")
        pixels = overlay.overlay(photo, found, np.asarray(headshot))
    except PhotoError:  # then the two are fitted to the same size without aligning the faces
        pixels = overlay.fitted(photo, headshot.size)
    return jpeg(Image.fromarray(pixels), 92)


def _page(shots: Sequence[SavedHeadshot], requests: Sequence[HeadshotRequest], failures: Failures) -> Image.Image:
    """All of them as one picture: a matrix as a grid, anything else as a contact sheet."""
    matrix = Matrix.spanned(requests)
    if matrix is not None and len(matrix.rows()) > 1:
        there = {shot.request: shot.path for shot in shots}
        cells = matrix.cells()
        return grid_sheet(
            {place: there.get(request) for place, request in cells.items()},
            matrix.rows(),
            matrix.columns(),
            title=_TITLE,
            reasons={place: failures[request] for place, request in cells.items() if request in failures},
        )
    labels = [(label(shot.request, requests), " · ".join(shot.measures)) for shot in shots]
    return sheet.contact_sheet([_opened(shot) for shot in shots], labels, title=_TITLE)


def _sheet(shots: Sequence[SavedHeadshot], requests: Sequence[HeadshotRequest], failures: Failures) -> bytes:
    return png(_page(shots, requests, failures))


def _pdf(shots: Sequence[SavedHeadshot], requests: Sequence[HeadshotRequest], failures: Failures) -> bytes:
    return as_pdf([_page(shots, requests, failures)], title=_TITLE)


def _table(shots: Sequence[SavedHeadshot], requests: Sequence[HeadshotRequest], failures: Failures) -> bytes:
    lines = [
        CsvRow(
            shot.request,
            file=name,
            backend=shot.backend,
            seconds=shot.seconds,
            likeness=shot.likeness,
            notes=shot.notes,
        )
        for shot, name in _named(shots)
    ]
    return comparison_csv([*lines, *(CsvRow(request, error=why) for request, why in failures.items())])


def _zip(
    shots: Sequence[SavedHeadshot], requests: Sequence[HeadshotRequest], failures: Failures, votes: Mapping[str, bytes]
) -> bytes:
    records = [
        {
            "file": name,
            "backend": shot.backend,
            "request": shot.request.model_dump(),
            "seconds": round(shot.seconds, 3),
            "likeness": None if shot.likeness is None else round(shot.likeness, 4),
            "notes": [{"kind": note.kind, "text": note.text} for note in shot.notes],
        }
        for shot, name in _named(shots)
    ]
    return zip_bundle(
        {
            **{name: shot.path.read_bytes() for shot, name in _named(shots)},
            SHEET: _sheet(shots, requests, failures),
            TABLE: _table(shots, requests, failures),
            **votes,
            "headshots.json": json.dumps(records, indent=2, ensure_ascii=False).encode(),
        }
    )


def _named(shots: Sequence[SavedHeadshot]) -> list[tuple[SavedHeadshot, str]]:
    """Each with a unique name: headshots that differ in the prompt alone have the same file name."""
    names: dict[str, SavedHeadshot] = {}
    for shot in shots:
        stem, number = shot.filename.removesuffix(".png"), 1
        while (name := f"{stem}.png" if number == 1 else f"{stem}-{number}.png") in names:
            number += 1
        names[name] = shot
    return [(shot, name) for name, shot in names.items()]


def _opened(shot: SavedHeadshot) -> Image.Image:
    return Image.open(io.BytesIO(shot.path.read_bytes())).convert("RGB")
