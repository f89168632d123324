"""The headshots side by side, as HTML. Pure functions; every text that is not ours is escaped."""

import json
from collections.abc import Sequence
from html import escape

from .. import snippets
from ..compare import differing
from ..request import HeadshotRequest, Note
from .job import Job, Shot

EMPTY_FRAMES = 4  # as many as the seeds field asks for at first, so that nothing moves when they arrive
_WORDS = {"seed": "seed {}", "guidance_scale": "guidance {:g}", "num_inference_steps": "{} steps"}

_PERSON = (
    '<svg viewBox="0 0 80 100" aria-hidden="true"><circle cx="40" cy="41" r="16"/>'
    '<path d="M6 100c1-24 14-35 34-35s33 11 34 35z"/></svg>'
)


def grid(job: Job | None, baseline: Shot | None = None) -> str:
    """The baseline, the headshots that have landed, and a frame for each that is still to come."""
    landed = [] if job is None else job.shots
    pinned = [baseline] if baseline is not None and baseline not in landed else []
    among = [] if job is None else job.requests
    shared = common_notes(landed)
    cards = [_card(shot, [shot.request, *among], [], baseline, None) for shot in pinned]
    for shot in landed:
        cards.append(_card(shot, among, [note for note in shot.notes if note not in shared], baseline, job))
    if job is not None and not job.stopped:
        cards += [_waiting(label(request, among)) for request in job.requests[len(landed) :]]
    if not cards:
        cards = [f'<div class="shot"><div class="frame">{_PERSON}</div></div>'] * EMPTY_FRAMES
    return f'<div class="shots">{"".join(cards)}</div>'


def label(request: HeadshotRequest, among: Sequence[HeadshotRequest]) -> str:
    """What sets a headshot apart from those beside it, its seed where nothing does: `Seed 2`, `Guidance 4`."""
    varied = differing(among)
    fields = [field for field in _WORDS if field in varied] or ["seed"]
    words = " · ".join(_WORDS[field].format(getattr(request, field)) for field in fields)
    return words[0].upper() + words[1:]


def facts(shot: Shot) -> list[str]:
    """Its time and, where it is known, its likeness."""
    known = [] if shot.likeness is None else [f"likeness {shot.likeness:.2f}"]
    return [f"{shot.seconds:.1f} s", *known]


def common_notes(shots: Sequence[Shot]) -> list[Note]:
    """The notes that all of these share."""
    if not shots:
        return []
    first, *others = shots
    return [note for note in first.notes if all(note in other.notes for other in others)]


def _card(
    shot: Shot, among: Sequence[HeadshotRequest], own: Sequence[Note], baseline: Shot | None, job: Job | None
) -> str:
    title = label(shot.request, among)
    pinned = shot == baseline
    said = "<i> · </i>".join(f"<span>{escape(fact)}</span>" for fact in facts(shot))
    picture, name = escape(shot.picture), escape(shot.filename)
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in own)
    width, height = shot.size
    badge = '<span class="badge">Baseline</span>' if pinned else ""
    return (
        f'<figure class="shot landed{" baseline" if pinned else ""}" id="shot-{shot.id}" '
        f'data-shot="{escape(_details(shot, title, job, pinned=pinned))}">'
        f'<div class="held"><a class="frame" href="{picture}" target="_blank" aria-label="Open the headshot: {title}">'
        f'<img src="{escape(shot.thumbnail)}" alt="Headshot, {title.lower()}" width="{width}" height="{height}"></a>'
        f'{badge}<button type="button" class="pick" aria-pressed="false" title="Compare" '
        f'aria-label="Compare: {title}"></button></div>'
        f'<figcaption><span class="label"><b>{title}</b><span class="facts">{said}</span>'
        f'</span><a class="download" href="{picture}" download="{name}" title="Download {name}" '
        f'aria-label="Download the headshot: {title}"></a></figcaption>'
        + (f'<ul class="own-notes">{notes}</ul>' if notes else "")
        + "</figure>"
    )


def _details(shot: Shot, title: str, job: Job | None, *, pinned: bool) -> str:
    """What the viewer shows of a headshot, as JSON."""
    timings = [["This headshot", f"{shot.seconds:.2f} s"]]
    if job is not None and job.seconds:
        timings.append([f"All {len(job.shots)} with what they share", f"{job.seconds:.2f} s"])
    width, height = shot.size
    return json.dumps(
        {
            "id": shot.id,
            "label": title,
            "facts": facts(shot),
            "name": shot.filename,
            "picture": shot.picture,
            "original": shot.overlaid,
            "width": width,
            "height": height,
            "baseline": pinned,
            "notes": [{"kind": note.kind, "text": note.text} for note in shot.notes],
            "timings": timings,
            "request": snippets.as_json(shot.request),
            "python": snippets.as_python(shot.request, shot.backend, shot.face),
            "curl": snippets.as_curl(shot.request),
        }
    )


def _waiting(title: str) -> str:
    return (
        f'<div class="shot waiting"><div class="frame">{_PERSON}</div>'
        f'<div class="label"><b>{title}</b><span class="facts">waiting</span></div></div>'
    )
