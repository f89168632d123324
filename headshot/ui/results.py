"""What the page shows of a comparison, as HTML. Pure functions; every text that is not ours is escaped."""

from collections.abc import Sequence
from html import escape

from ..face import SAME_PERSON
from ..request import Note, Step
from .visitors import Job, Shot

_EMPTY_FRAMES = 4  # as many as the seeds field asks for at first, so that nothing moves when they arrive

_PERSON = (
    '<svg viewBox="0 0 80 100" aria-hidden="true"><circle cx="40" cy="41" r="16"/>'
    '<path d="M6 100c1-24 14-35 34-35s33 11 34 35z"/></svg>'
)


def empty() -> str:
    """The results before the first comparison."""
    frames = _grid([f'<div class="shot"><div class="frame">{_PERSON}</div></div>'] * _EMPTY_FRAMES)
    return (
        f'{frames}<p class="promise">Each headshot arrives here as soon as it is ready, with its seed, its time and '
        "its likeness to your photo. The same photo, settings and seed give the same picture again.</p>"
    )


def shots(job: Job) -> str:
    """The headshots that have landed, and a frame for each that is still to come."""
    cards = [_card(shot, job.shots) for shot in job.shots]
    if not job.stopped:
        cards += [_waiting(request.seed) for request in job.requests[len(job.shots) :]]
    return _grid(cards) if cards else empty()


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
        return status(f"Stopped: {done} of {total}", kind="stopped")
    noun = "headshot" if done == 1 else "headshots"
    return status(f"{done} {noun} in {job.seconds:.1f} s", kind="done")


def notes(job: Job | None) -> str:
    """What was and was not applied, once for all the headshots where it is the same for all."""
    if job is None or not job.shots:
        return ""
    common = _common(job.shots)
    applied = [note.text for note in common if note.kind == "applied"]
    missing = [note.text for note in common if note.kind == "not applied"]
    advice = [note.text for note in common if note.kind == "advice"]
    parts = []
    if missing:
        parts.append(_note_list("Not applied", "not-applied", missing))
    if advice:
        parts.append(_note_list("Good to know", "advice", advice))
    if applied:
        parts.append(_note_list("Applied", "applied", applied))
    if any(shot.likeness is not None for shot in job.shots):
        parts.append(
            '<p class="legend">Likeness compares the face with your photo’s: two photos of one person reach about '
            f"0.65 to 0.8, and below {SAME_PERSON:.2f} it could be somebody else.</p>"
        )
    return f'<div class="notes">{"".join(parts)}</div>' if parts else ""


def _common(shots: Sequence[Shot]) -> list[Note]:
    first, *others = shots
    return [note for note in first.notes if all(note in other.notes for other in others)]


def _note_list(title: str, kind: str, texts: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<section class="note {kind}"><h2>{title}</h2><ul>{items}</ul></section>'


def _card(shot: Shot, among: Sequence[Shot]) -> str:
    seed = shot.request.seed
    facts = [f"{shot.seconds:.1f} s"]
    if shot.likeness is not None:
        facts.append(f"likeness {shot.likeness:.2f}")
    said = "<i> · </i>".join(f"<span>{escape(fact)}</span>" for fact in facts)
    picture, name = escape(shot.picture), escape(shot.filename)
    common = _common(among)
    own = "".join(f"<li>{escape(str(note))}</li>" for note in shot.notes if note not in common)
    width, height = shot.size
    return (
        f'<figure class="shot landed"><a class="frame" href="{picture}" target="_blank" data-name="{name}" '
        f'aria-label="Enlarge the headshot with seed {seed}">'
        f'<img src="{escape(shot.thumbnail)}" alt="Headshot, seed {seed}" width="{width}" height="{height}"></a>'
        f'<figcaption><span class="label"><b>Seed {seed}</b><span class="facts">{said}</span>'
        f'</span><a class="download" href="{picture}" download="{name}" title="Download {name}" '
        f'aria-label="Download the headshot with seed {seed}"></a></figcaption>'
        + (f'<ul class="own-notes">{own}</ul>' if own else "")
        + "</figure>"
    )


def _waiting(seed: int | None) -> str:
    return (
        f'<div class="shot waiting"><div class="frame">{_PERSON}</div>'
        f'<div class="label"><b>Seed {seed}</b><span class="facts">waiting</span></div></div>'
    )


def _grid(cards: Sequence[str]) -> str:
    return f'<div class="shots">{"".join(cards)}</div>'
