"""A comparison as parts: its cards and their order, its files and its notes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from headshot.comparison.labels import differences_from, label, labels
from headshot.comparison.matrix import Matrix
from headshot.modelslab.backend import OtherRun
from headshot.runs.files import PDF, SHEET, TABLE, ZIP
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.sessions.snapshot import Part
from headshot.sessions.status import Status, status_of
from headshot.sessions.tab_session import TabSession

from .cards import common_notes, finished_card, unfinished_card
from .notes import notes_of

_MOST_EARLIER = 4  # as many as fit on one line
_FILES = (
    ("sheet", SHEET, "Contact sheet"),
    ("pdf", PDF, "PDF"),
    ("table", TABLE, "CSV"),
    ("zip", ZIP, "ZIP of all"),
)
_BASELINE = "baseline"


def comparison_parts(session: TabSession, greeting: Status) -> dict[str, Part]:
    """Return the parts that show a tab's comparison: `status`, `results`, `notes`, and one for each card.

    Args:
        session: the tab's.
        greeting: the status before the first comparison.
    """
    run, baseline = session.run, session.baseline
    status = session.notice or (greeting if run is None else status_of(run))
    order, cards = _cards(run, baseline)
    return {
        "status": status.part(),
        "results": {
            **order,
            "promise": run is None and baseline is None,
            "files": _files(session, run),
            "remaining": len(run.missing) if run is not None and _offers_files(run) and run.can_go_on else 0,
            "total": _total(run),
            "earlier": _earlier(session.other_runs, run),
        },
        "notes": notes_of([] if run is None else run.headshots, "" if run is None else run.history_error),
        **{f"card/{key}": card for key, card in cards.items()},
    }


def _cards(run: Run | None, baseline: SavedHeadshot | None) -> tuple[dict[str, Any], dict[str, Part]]:
    """The layout, which names the cards by their keys, and the cards."""
    matrix = None if run is None or run.kind != "matrix" else Matrix.spanned(run.requests)
    if matrix is not None and len(matrix.rows()) < 2:
        matrix = None
    requests = [] if run is None else run.requests
    shots = {} if run is None else {shot.request: shot for shot in run.headshots}
    titles = labels(requests) if matrix is not None else {request: label(request, requests) for request in requests}
    shared = common_notes(list(shots.values()))
    cards: dict[str, Part] = {}
    if baseline is not None and baseline not in shots.values():
        cards[_BASELINE] = _finished(baseline, requests or [baseline.request], baseline=True)
    for position, request in enumerate(requests):
        shot = shots.get(request)
        if shot is not None and matrix is not None:
            card: Part | None = finished_card(shot, titles[request], facts=shot.measures, baseline=shot == baseline)
        elif shot is not None:
            own = [note for note in shot.notes if note not in shared]
            card = _finished(shot, requests, own, baseline=shot == baseline)
        else:
            card = None if run is None else unfinished_card(titles[request], run, request)
        if card is not None:
            cards[str(position)] = card
    if matrix is None:
        return {"keys": list(cards), "matrix": None}, cards
    positions = {request: str(position) for position, request in enumerate(requests)}
    cells, columns = matrix.cells(), matrix.columns()
    rows = [
        {"title": list(words), "keys": [positions[cells[row, column]] for column in range(len(columns))]}
        for row, words in enumerate(matrix.rows())
    ]
    above = [_BASELINE] if _BASELINE in cards else []
    return {"keys": above, "matrix": {"columns": [list(words) for words in columns], "rows": rows}}, cards


def _finished(shot: SavedHeadshot, among: Sequence[Any], own: Sequence[Any] = (), *, baseline: bool) -> Part:
    facts = [*differences_from(shot.request, among), *shot.measures]
    return finished_card(shot, label(shot.request, among), facts=facts, notes=own, baseline=baseline)


def _offers_files(run: Run) -> bool:
    return bool(run.headshots) or run.kind == "matrix"


def _files(session: TabSession, run: Run | None) -> list[Part]:
    """Links to files of the whole comparison, once it has a headshot."""
    if run is None or not run.headshots:
        return []
    return [
        {"kind": kind, "href": session.address(run.id, name), "name": name, "text": text} for kind, name, text in _FILES
    ]


def _total(run: Run | None) -> list[str]:
    """How long all took together, as a row of a name and a value; empty if it is not known."""
    if run is None or not run.seconds or run.remote_id:
        return []
    return [f"Total for all {len(run.headshots)}", f"{run.seconds:.2f} s"]


def _earlier(found: Sequence[OtherRun], run: Run | None) -> list[Part]:
    """The comparisons at ModelsLab which are not on the page already, and can be opened."""
    here = set() if run is None else {shot.job for shot in run.headshots} | {at.job for at in run.statuses.values()}
    now = datetime.now(UTC)
    return [
        {"id": one.comparison, "text": f"{one.completed} of {len(one.jobs)}, {_ago(now - one.begun)}"}
        for one in [one for one in found if not one.jobs & here][:_MOST_EARLIER]
    ]


def _ago(passed: timedelta) -> str:
    minutes = round(passed.total_seconds() / 60)
    return "just now" if minutes < 1 else f"{minutes} min ago" if minutes < 90 else f"{round(minutes / 60)} h ago"
