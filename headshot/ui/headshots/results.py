"""What the page says of a comparison, as HTML. Pure functions; every text that is not ours is escaped."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from headshot.exports import snippets
from headshot.imaging.face import SAME_PERSON
from headshot.modelslab.backend import Earlier
from headshot.request import Step
from headshot.runs.files import PDF, SHEET, TABLE, ZIP
from headshot.runs.run import Job
from headshot.runs.saved_headshot import Shot
from headshot.runs.team import Team

from . import cards

_MOST_EARLIER = 4  # one line; what is older is in the way here

_PROMISE = (
    '<p class="promise">Each headshot arrives here as soon as it is ready, with its seed, its time and its likeness to '
    "your photo. The same photo, settings and seed give the same picture again.</p>"
)


def shots(
    job: Job | None,
    baseline: Shot | None,
    address: Callable[[str, str], str] | None = None,
    *,
    earlier: Sequence[Earlier] = (),
    api: snippets.Api = "enterprise",
) -> str:
    """The grid and, once something has landed, the whole comparison as files at `address(the job's id, name)`.

    earlier: other comparisons that can be opened.  api: the one of ModelsLab's that the code in the details calls.
    """
    grid = cards.grid(job, baseline, api=api)
    if job is None or address is None:
        return grid + ("" if baseline else _PROMISE) + _earlier(earlier, job)
    return grid + (_files(job, address) if job.shots or job.kind == "matrix" else "") + _earlier(earlier, job)


def status(text: str, *, done: int = 0, total: int = 0, kind: str = "") -> str:
    """One line that is read aloud when it changes. kind: "", "running", "done", "stopped" or "error"."""
    bar = ""
    if kind == "running":
        # An unknown share at first: the bar moves without claiming a number.
        share = f' value="{done}"' if done else ""
        bar = f'<progress max="{total}"{share} aria-label="Headshots that have landed"></progress>'
    count = f'<span class="count">{done} of {total}</span>' if kind == "running" else ""
    return (
        f'<div class="status {kind}"><p role="status" aria-live="polite"><span class="stage">{escape(text)}</span>'
        f"{count}</p>{bar}</div>"
    )


def step(at: Step) -> str:
    return status(at.stage, done=at.done, total=at.total, kind="running")


def ended(job: Job) -> str:
    done, total = len(job.shots), len(job.requests)
    if job.stopped:
        sent = sum(standing.kind == "under way" and bool(standing.job) for standing in job.standings.values())
        left = f". {sent} had been sent, and may be billed" if sent else ""
        return status(f"Stopped: {done} of {total}{left}", kind="stopped")
    noun = "headshot" if done == 1 else "headshots"
    took = "" if job.resumed else f" in {job.seconds:.1f} s"  # nobody measured those that went on alone
    return status(f"{done} {noun}{took}", kind="done")


def found(job: Job) -> str:
    """Of a comparison that was found in the history."""
    done, total = len(job.shots), len(job.requests)
    return status(f"From your history: {done} of {total} headshots", kind="done" if done == total else "stopped")


def some_missing(job: Job) -> str:
    """Of a comparison whose cards say themselves what became of those that did not land."""
    done, total = len(job.shots), len(job.requests)
    landed = f"{done} of {total} headshots" if done else "No headshot has come"
    return status(f"{landed}: the cards say why.", kind="stopped")


def notes(job: Job | Team | None) -> str:
    """What was and was not applied, once for all the headshots where it is the same for all."""
    if job is None or not job.shots:
        return ""
    common = cards.common_notes(job.shots)
    unkept = [job.unkept] if job.unkept else []
    applied = [note.text for note in common if note.kind == "applied"]
    missing = [note.text for note in common if note.kind == "not applied"]
    advice = unkept + [note.text for note in common if note.kind == "advice"]
    parts = []
    if missing:
        parts.append(_note_list("Not applied", "not-applied", missing))
    if advice:
        parts.append(_note_list("Good to know", "advice", advice))
    if applied:
        parts.append(_note_list("Applied", "applied", applied))
    if any(shot.likeness is not None for shot in job.shots):
        parts.append(
            '<p class="legend">Likeness compares the face with the photo’s: two photos of one person reach about '
            f"0.70 to 0.77, different people at most 0.29; below {SAME_PERSON:.2f} it could be somebody else.</p>"
        )
    return f'<div class="notes">{"".join(parts)}</div>' if parts else ""


def _files(job: Job, address: Callable[[str, str], str]) -> str:
    links = (
        ""
        if not job.shots
        else "".join(
            f'<a class="file {kind}" href="{escape(address(job.id, name))}" download="{name}">{text}</a>'
            for kind, name, text in _FILES
        )
    )
    missing = len(job.missing)
    if missing and job.can_go_on:
        words = "Make the missing one" if missing == 1 else f"Make the missing {missing}"
        links += f'<button type="button" class="file" data-act="make all" data-job="">{words}</button>'
    return f'<nav class="files" aria-label="The whole comparison as files">{links}</nav>'


_FILES = (
    ("sheet", SHEET, "Contact sheet"),
    ("pdf", PDF, "PDF"),
    ("table", TABLE, "CSV"),
    ("zip", ZIP, "ZIP of all"),
)


def _earlier(found: Sequence[Earlier], job: Job | None) -> str:
    """Buttons for what is not on the page already."""
    here = set() if job is None else {shot.job for shot in job.shots} | {at.job for at in job.standings.values()}
    now = datetime.now(UTC)
    buttons = "".join(
        f'<button type="button" class="file" data-act="open" data-job="{escape(one.comparison)}">'
        f"{one.landed} of {len(one.jobs)}, {_ago(now - one.begun)}</button>"
        for one in [one for one in found if not one.jobs & here][:_MOST_EARLIER]
    )
    return (
        f'<nav class="files earlier" aria-label="Earlier"><span>Earlier at ModelsLab</span>{buttons}</nav>'
        if buttons
        else ""
    )


def _ago(passed: timedelta) -> str:
    minutes = round(passed.total_seconds() / 60)
    return "just now" if minutes < 1 else f"{minutes} min ago" if minutes < 90 else f"{round(minutes / 60)} h ago"


def _note_list(title: str, kind: str, texts: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<section class="note {kind}"><h2>{title}</h2><ul>{items}</ul></section>'
