"""The cards of finished and unfinished headshots, as data."""

import base64
from collections.abc import Sequence
from typing import Any

from headshot.backend_names import TITLES
from headshot.exports import snippets
from headshot.request import HeadshotRequest, Note
from headshot.runs.files import CLEAN, DETAILS
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.sessions.snapshot import Part

_PHOTO_CHARS = 6  # enough for the photos of one person, and for a column of four on a phone
_STOPPED_AFTER_SENDING = "Sent before you pressed Stop, so it may be billed. The result will be kept for you."
_STILL_COMES = "Sent before you pressed Stop, so it may be billed. It appears here when ModelsLab has made it."
_CHECK, _SEND = ("check", "Check again"), ("send", "Send")
_ACTS = {
    "under way": [_CHECK],
    "never sent": [_SEND],
    "failed": [("send", "Try again")],
    "unknown": [_CHECK, ("send", "Send again (may be charged twice)")],
}


def common_notes(shots: Sequence[SavedHeadshot]) -> list[Note]:
    """Return the notes that all of these share."""
    if not shots:
        return []
    first, *others = shots
    return [note for note in first.notes if all(note in other.notes for other in others)]


def finished_card(
    shot: SavedHeadshot,
    label: str,
    *,
    facts: Sequence[str] = (),
    notes: Sequence[Note] = (),
    name: str = "",
    baseline: bool = False,
) -> Part:
    """Return the card of a finished headshot.

    Args:
        shot: the headshot.
        label: what it differs in from the others, or whose it is.
        facts: shown under the label.
        notes: shown on this card, because not all cards have them.
        name: of the file when it is downloaded; "" for the headshot's own.
        baseline: whether it is pinned.
    """
    width, height = shot.size
    measured = [["Likeness to the photo, −1 to 1", shot.likeness], ["Confidence in the cut-out, 0 to 1", shot.trust]]
    return {
        "kind": "finished",
        "id": shot.id,
        "label": label,
        "alt": f"Headshot, {label if name else label.lower()}",
        "facts": list(facts),
        "measures": shot.measures,
        "own": [str(note) for note in notes],
        "name": name or shot.filename,
        "picture": shot.picture,
        "thumbnail": shot.thumbnail,
        "jpeg": _other_format(shot, ".jpg"),
        "webp": _other_format(shot, ".webp"),
        "clean": _other_format(shot, f"{CLEAN}.png"),
        "original": shot.overlaid,
        "details": f"{shot.picture.rpartition('/')[0]}/{DETAILS}",
        "likeness": shot.likeness,
        "face": shot.face_box,
        "kept": shot.history_id,
        "origin": _origin(shot),
        "width": width,
        "height": height,
        "baseline": baseline,
        "notes": [{"kind": note.kind, "text": note.text} for note in shot.notes],
        "measured": [[name, f"{value:.2f}"] for name, value in measured if isinstance(value, float)],
        "timings": [["This headshot", f"{shot.seconds:.2f} s"]],
        "request": shot.request.model_dump(),
    }


def details_of(shot: SavedHeadshot, api: snippets.Api) -> dict[str, Any]:
    """Return what the viewer shows of a headshot only when it is opened: code, and what was sent and received.

    Args:
        shot: the headshot.
        api: which of ModelsLab's endpoints the code calls.
    """
    record = shot.record
    exchange = {} if record is None else {"sent": record.sent, "reply": record.reply, "timeline": record.timeline}
    return {
        "python": snippets.as_python(shot.request, shot.backend, shot.face),
        "curl": snippets.as_curl(shot.request, api),
        "javascript": snippets.as_javascript(shot.request, api),
        **exchange,
    }


def unfinished_card(label: str, run: Run, request: HeadshotRequest) -> Part | None:
    """Return the card of a headshot that waits, failed, or was left out; None if the whole comparison is missing.

    Args:
        label: what it differs in from the others.
        run: the comparison.
        request: one of its requests.
    """
    status, alive = run.statuses.get(request), run.alive
    if alive and run.only not in (None, request):
        return _missing_card(label, run, request)
    if alive and (status is None or status.kind in ("waiting", "under way")):
        preview = b"" if status is None else status.preview
        return {
            "kind": "waiting",
            "label": label,
            "text": "waiting" if status is None else status.text,
            "preview": f"data:image/jpeg;base64,{base64.b64encode(preview).decode()}" if preview else "",
        }
    if status is None or status.kind == "waiting" or not status.job:
        return _missing_card(label, run, request)
    late = status.kind == "under way"
    if late and run.open:
        return {"kind": "missing", "label": label, "text": _STILL_COMES, "doubtful": False, "acts": []}
    return {
        "kind": "missing",
        "label": label,
        "text": _STOPPED_AFTER_SENDING if late else status.text,
        "doubtful": status.kind == "unknown",
        "acts": [{"act": act, "id": status.job, "text": text} for act, text in _ACTS[status.kind]],
    }


def _missing_card(label: str, run: Run, request: HeadshotRequest) -> Part | None:
    """The card of a failed or skipped headshot, with a button to make it."""
    status = run.statuses.get(request)
    why = run.failures.get(request, "" if status is None or status.error is None else status.text)
    if run.remote_id or not (why or run.kind == "matrix") or not (run.headshots or run.kind == "matrix"):
        return None
    text = "Try again" if why else "Generate this one"
    make = {"act": "make", "id": str(run.requests.index(request)), "text": text, "label": f"{text}: {label}"}
    return {
        "kind": "missing",
        "label": label,
        "text": why or "not generated",
        "doubtful": False,
        "acts": [make] if run.can_go_on else [],
    }


def _origin(shot: SavedHeadshot) -> dict[str, object]:
    """Backend, model, photo and face of a headshot. The photo is identified by a few digits of its SHA-256 only."""
    origin = {
        "backend": TITLES.get(shot.backend, shot.backend),
        "model": shot.made_by,
        "photo": shot.photo_sha256[:_PHOTO_CHARS],
        "face": (shot.face or 0) + 1,  # the first one is the default
    }
    return {name: value for name, value in origin.items() if value}


def _other_format(shot: SavedHeadshot, ending: str) -> str:
    """The address of the headshot's file in another format."""
    return shot.picture.removesuffix(".png") + ending
