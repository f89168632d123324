"""A comparison as HTML: its status, its files and its notes. Pure functions; text from outside is escaped."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from headshot.exports import snippets
from headshot.imaging.face import SAME_PERSON
from headshot.modelslab.backend import OtherRun
from headshot.progress import Step
from headshot.runs.files import PDF, SHEET, TABLE, ZIP
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.runs.team import Team

from . import cards

_MOST_EARLIER = 4  # as many as fit on one line

_PROMISE = (
    '<p class="promise">Each headshot arrives here as soon as it is ready, with its seed, its time and its likeness to '
    "your photo. The same photo, settings and seed give the same picture again.</p>"
)


def shots(
    run: Run | None,
    baseline: SavedHeadshot | None,
    address: Callable[[str, str], str] | None = None,
    *,
    earlier: Sequence[OtherRun] = (),
    api: snippets.Api = "enterprise",
) -> str:
    """The cards, and links to files of the whole comparison.

    Args:
        run: the comparison, None before the first.
        baseline: the pinned headshot.
        address: makes a file's URL from the run's id and the file's name. Without it there are no links.
        earlier: other comparisons at ModelsLab, which can be opened.
        api: which of ModelsLab's endpoints the code in the details calls.
    """
    grid = cards.grid(run, baseline, api=api)
    if run is None or address is None:
        return grid + ("" if baseline else _PROMISE) + _earlier(earlier, run)
    return grid + (_files(run, address) if run.headshots or run.kind == "matrix" else "") + _earlier(earlier, run)


def status(text: str, *, done: int = 0, total: int = 0, kind: str = "") -> str:
    """The status line, which screen readers announce when it changes.

    Args:
        text: as plain text.
        done: how many headshots are finished, for the progress bar.
        total: of how many.
        kind: "", "running" (with a progress bar), "done", "stopped" or "error".
    """
    bar = ""
    if kind == "running":
        # Without a value while nothing is finished: the bar moves and names no share.
        share = f' value="{done}"' if done else ""
        bar = f'<progress max="{total}"{share} aria-label="Finished headshots"></progress>'
    count = f'<span class="count">{done} of {total}</span>' if kind == "running" else ""
    return (
        f'<div class="status {kind}"><p role="status" aria-live="polite"><span class="stage">{escape(text)}</span>'
        f"{count}</p>{bar}</div>"
    )


def starting(run: Run) -> str:
    """The status of a comparison before its first news."""
    return status("Starting…", total=len(run.requests), kind="running")


def step(at: Step) -> str:
    """The status of a comparison under way."""
    return status(at.stage, done=at.done, total=at.total, kind="running")


def ended(run: Run) -> str:
    """The status of a comparison that has ended or was stopped."""
    done, total = len(run.headshots), len(run.requests)
    if run.stopped:
        sent = sum(standing.kind == "under way" and bool(standing.job) for standing in run.statuses.values())
        stopped = f"Stopped: {done} of {total}" if done or not sent else "Stopped"
        return status(f"{stopped}. {sent} already sent may be billed." if sent else stopped, kind="stopped")
    noun = "headshot" if done == 1 else "headshots"
    took = (
        "" if run.remote_id else f" in {run.seconds:.1f} s"
    )  # the time of a comparison that continued without this page was not measured
    return status(f"{done} {noun}{took}", kind="done")


def found(run: Run) -> str:
    """The status of a comparison that was opened from the history."""
    done, total = len(run.headshots), len(run.requests)
    return status(f"From your history: {done} of {total} headshots", kind="done" if done == total else "stopped")


def some_missing(run: Run) -> str:
    """The status of a comparison that ended without some headshots, whose cards say why."""
    done, total = len(run.headshots), len(run.requests)
    cards = "card" if total - done == 1 else "cards"
    return status(f"{done} of {total} done; see the failed {cards}.", kind="stopped")


def notes(run: Run | Team | None) -> str:
    """The notes that all headshots of a run share, as HTML: not applied, good to know, applied."""
    if run is None or not run.headshots:
        return ""
    common = cards.common_notes(run.headshots)
    unkept = [run.history_error] if run.history_error else []
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
    if any(shot.likeness is not None for shot in run.headshots):
        parts.append(
            '<p class="legend">Likeness compares the face with the photo’s: two photos of one person reach about '
            f"0.70 to 0.77, different people at most 0.29; below {SAME_PERSON:.2f} it could be somebody else.</p>"
        )
    return f'<div class="notes">{"".join(parts)}</div>' if parts else ""


def _files(run: Run, address: Callable[[str, str], str]) -> str:
    links = (
        ""
        if not run.headshots
        else "".join(
            f'<a class="file {kind}" href="{escape(address(run.id, name))}" download="{name}">{text}</a>'
            for kind, name, text in _FILES
        )
    )
    missing = len(run.missing)
    if missing and run.can_go_on:
        words = "Generate the remaining one" if missing == 1 else f"Generate the remaining {missing}"
        links += f'<button type="button" class="file" data-act="make all" data-job="">{words}</button>'
    return f'<nav class="files" aria-label="The whole comparison as files">{links}</nav>'


_FILES = (
    ("sheet", SHEET, "Contact sheet"),
    ("pdf", PDF, "PDF"),
    ("table", TABLE, "CSV"),
    ("zip", ZIP, "ZIP of all"),
)


def _earlier(found: Sequence[OtherRun], run: Run | None) -> str:
    """Buttons that open the comparisons which are not on the page already."""
    here = set() if run is None else {shot.job for shot in run.headshots} | {at.job for at in run.statuses.values()}
    now = datetime.now(UTC)
    buttons = "".join(
        f'<button type="button" class="file" data-act="open" data-job="{escape(one.comparison)}">'
        f"{one.completed} of {len(one.jobs)}, {_ago(now - one.begun)}</button>"
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
