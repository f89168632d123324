"""The headshots side by side, as HTML. Pure functions; text from outside is escaped."""

import base64
import json
from collections.abc import Sequence
from html import escape

from headshot.backend_names import TITLES
from headshot.comparison.labels import differences_from, label, labels
from headshot.comparison.matrix import Matrix
from headshot.exports import snippets
from headshot.modelslab.backend import JobRecord
from headshot.request import HeadshotRequest, Note
from headshot.runs.files import CLEAN
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot

EMPTY_FRAMES = 4  # as many as the seeds field asks for at first, so that nothing moves when they arrive
_PHOTO_CHARS = 6  # enough for the photos of one person, and for a column of four on a phone

_PERSON = (
    '<svg viewBox="0 0 80 100" aria-hidden="true"><circle cx="40" cy="41" r="16"/>'
    '<path d="M6 100c1-24 14-35 34-35s33 11 34 35z"/></svg>'
)


def grid(run: Run | None, baseline: SavedHeadshot | None = None, *, api: snippets.Api = "enterprise") -> str:
    """The baseline, the finished headshots, and a frame for each that is still to come.

    Args:
        run: the comparison, None before the first.
        baseline: the pinned headshot; it comes first, unless the comparison has it.
        api: which of ModelsLab's endpoints the code in the details calls.
    """
    matrix = None if run is None or run.kind != "matrix" else Matrix.spanned(run.requests)
    if run is not None and matrix is not None and len(matrix.rows()) > 1:
        table = _matrix(run, matrix, baseline, api)
        if baseline is None or baseline in run.headshots:
            return table
        return f'<div class="shots">{_card(baseline, run.requests, [], baseline, None, api)}</div>{table}'
    shots = {} if run is None else {shot.request: shot for shot in run.headshots}
    requests = [] if run is None else run.requests
    shared = common_notes(list(shots.values()))
    cards = []
    if baseline is not None and baseline not in shots.values():
        cards.append(_card(baseline, requests or [baseline.request], [], baseline, None, api))
    for request in requests:
        shot = shots.get(request)
        if shot is not None:
            cards.append(_card(shot, requests, [note for note in shot.notes if note not in shared], baseline, run, api))
        elif run is not None:
            cards.append(_unfinished_card(label(request, requests), run, request))
    if not cards:
        cards = [f'<div class="shot"><div class="frame">{_PERSON}</div></div>'] * EMPTY_FRAMES
    return f'<div class="shots">{"".join(cards)}</div>'


def _matrix(run: Run, matrix: Matrix, baseline: SavedHeadshot | None, api: snippets.Api) -> str:
    """A table with a headshot, or its placeholder, in each cell."""
    shots = {shot.request: shot for shot in run.headshots}
    cells, columns, titles = matrix.cells(), matrix.columns(), labels(run.requests)
    head = "".join(f'<th scope="col">{_heading(words)}</th>' for words in columns)
    lines = []
    for row, words in enumerate(matrix.rows()):
        line = [f'<th scope="row">{_heading(words)}</th>']
        for column in range(len(columns)):
            request = cells[row, column]
            title = titles[request]
            shot = shots.get(request)
            if shot is None:
                line.append(f"<td>{_unfinished_card(escape(title), run, request)}</td>")
            else:
                line.append(f"<td>{_card(shot, run.requests, [], baseline, run, api, title)}</td>")
        lines.append(f"<tr>{''.join(line)}</tr>")
    return (
        '<div class="matrix" tabindex="0" role="region" aria-label="The matrix">'
        f'<table style="--columns: {len(columns)}"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _heading(label: Sequence[str]) -> str:
    """A row's or column's label, its group above it."""
    *group, own = label
    return "".join(f"<i>{escape(word)}</i>" for word in group) + escape(own)


def common_notes(shots: Sequence[SavedHeadshot]) -> list[Note]:
    """The notes that all of these share."""
    if not shots:
        return []
    first, *others = shots
    return [note for note in first.notes if all(note in other.notes for other in others)]


def _card(
    shot: SavedHeadshot,
    among: Sequence[HeadshotRequest],
    own: Sequence[Note],
    baseline: SavedHeadshot | None,
    run: Run | None,
    api: snippets.Api,
    title: str = "",
    name: str = "",
) -> str:
    """The card of a finished headshot.

    title: plain text; "" for the settings in which it differs from `among`. name: as for `person_card`.
    """
    facts = shot.measures if title else [*differences_from(shot.request, among), *shot.measures]
    title = title or label(shot.request, among)
    called = escape(title)
    pinned = shot == baseline
    facts_html = "<i> · </i>".join(f"<span>{escape(fact)}</span>" for fact in facts)
    details = escape(_details(shot, title, run, api, name=name, pinned=pinned))
    alt = called if name else called.lower()
    picture, name = escape(shot.picture), escape(name or shot.filename)
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in own)
    width, height = shot.size
    badge = '<span class="badge">Baseline</span>' if pinned else ""
    return (
        f'<figure class="shot completed{" baseline" if pinned else ""}" id="shot-{shot.id}" '
        f'data-shot="{details}">'
        f'<div class="held"><a class="frame" href="{picture}" target="_blank" aria-label="Open the headshot: {called}">'
        f'<img src="{escape(shot.thumbnail)}" alt="Headshot, {alt}" width="{width}" height="{height}"></a>'
        f'{badge}<button type="button" class="pick" aria-pressed="false" title="Compare" '
        f'aria-label="Compare: {called}"></button></div>'
        f'<figcaption><span class="label"><b>{called}</b><span class="facts">{facts_html}</span>'
        f'</span><a class="download" href="{picture}" download="{name}" title="Download {name}" '
        f'aria-label="Download the headshot: {called}"></a></figcaption>'
        + (f'<ul class="own-notes">{notes}</ul>' if notes else "")
        + "</figure>"
    )


def person_card(
    shot: SavedHeadshot, person: str, own: Sequence[Note], name: str, *, api: snippets.Api = "enterprise"
) -> str:
    """A card of a team.

    Args:
        shot: the headshot.
        person: the title, as plain text.
        own: the notes that are shown on this card.
        name: the file's name when it is downloaded.
        api: which of ModelsLab's endpoints the code in the details calls.
    """
    return _card(shot, [shot.request], own, None, None, api, person, name)


def history_card(shot: SavedHeadshot, title: str, acts: str, *, api: snippets.Api = "enterprise") -> str:
    """A card of the history.

    Args:
        shot: the headshot.
        title: as plain text.
        acts: buttons, as HTML.
        api: which of ModelsLab's endpoints the code in the details calls.
    """
    name, picture = escape(title), escape(shot.picture)
    width, height = shot.size
    return (
        f'<figure class="shot completed small" id="shot-{shot.id}" '
        f'data-shot="{escape(_details(shot, title, None, api, pinned=False))}">'
        f'<div class="held"><a class="frame" href="{picture}" target="_blank" aria-label="Open the headshot: {name}">'
        f'<img src="{escape(shot.thumbnail)}" alt="Headshot, {name}" width="{width}" height="{height}" loading="lazy" '
        f'decoding="async"></a><button type="button" class="pick" aria-pressed="false" title="Compare" '
        f'aria-label="Compare: {name}"></button></div>'
        f'<figcaption><b title="{name}">{name}</b><span class="icons">{acts}</span></figcaption></figure>'
    )


def _measured(shot: SavedHeadshot) -> list[list[str]]:
    """The measurements of a headshot, as rows of a name and a value."""
    rows = [["Likeness to the photo, −1 to 1", shot.likeness], ["Confidence in the cut-out, 0 to 1", shot.trust]]
    return [[str(name), f"{value:.2f}"] for name, value in rows if isinstance(value, float)]


def _details(
    shot: SavedHeadshot, title: str, run: Run | None, api: snippets.Api, *, pinned: bool, name: str = ""
) -> str:
    """Everything that the viewer shows of a headshot, as JSON. name: as for `person_card`, "" for the file's own."""
    timings = [["This headshot", f"{shot.seconds:.2f} s"]]
    if run is not None and run.seconds and not run.remote_id:
        timings.append([f"Total for all {len(run.headshots)}", f"{run.seconds:.2f} s"])
    width, height = shot.size
    return json.dumps(
        {
            "id": shot.id,
            "label": title,
            "facts": shot.measures,
            "name": name or shot.filename,
            "picture": shot.picture,
            "jpeg": _other_format(shot, ".jpg"),
            "webp": _other_format(shot, ".webp"),
            "clean": _other_format(shot, f"{CLEAN}.png"),
            "likeness": shot.likeness,
            "face": shot.face_box,
            "kept": shot.history_id,
            "origin": _origin(shot),
            "original": shot.overlaid,
            "width": width,
            "height": height,
            "baseline": pinned,
            "notes": [{"kind": note.kind, "text": note.text} for note in shot.notes],
            "measured": _measured(shot),
            "timings": timings,
            **_exchange(shot.record),
            "request": snippets.as_json(shot.request),
            "python": snippets.as_python(shot.request, shot.backend, shot.face),
            "curl": snippets.as_curl(shot.request, api),
            "javascript": snippets.as_javascript(shot.request, api),
        }
    )


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


def _exchange(record: JobRecord | None) -> dict[str, object]:
    """What was sent to ModelsLab and received from it."""
    return {} if record is None else {"sent": record.sent, "reply": record.reply, "timeline": record.timeline}


def _unfinished_card(title: str, run: Run, request: HeadshotRequest) -> str:
    """The card of a headshot that is not finished: waiting, failed, or left out."""
    standing, alive = run.statuses.get(request), run.alive
    if alive and run.only not in (None, request):
        return _missing_card(title, run, request)
    if alive and standing is None:
        return _frame("waiting", title, '<span class="facts">waiting</span>')
    if alive and standing is not None and standing.kind in ("waiting", "under way"):
        return _frame("waiting", title, f'<span class="facts">{escape(standing.text)}</span>', standing.preview)
    if standing is None or standing.kind == "waiting" or not standing.job:
        return _missing_card(title, run, request)
    text = _STOPPED_AFTER_SENDING if standing.kind == "under way" else standing.text
    acts = "".join(
        f'<button type="button" data-act="{act}" data-job="{escape(standing.job)}">{words}</button>'
        for act, words in _ACTS[standing.kind]
        if standing.job
    )
    doubt = "doubtful" if standing.kind == "unknown" else ""
    content = f'<span class="facts {doubt}">{escape(text)}</span>' + (f'<div class="acts">{acts}</div>' if acts else "")
    return _frame("missing", title, content)


def _missing_card(title: str, run: Run, request: HeadshotRequest) -> str:
    """The card of a failed or skipped headshot, with a button to make it; "" if the whole comparison is missing."""
    standing = run.statuses.get(request)
    why = run.failures.get(request, "" if standing is None or standing.error is None else standing.text)
    if run.remote_id or not (why or run.kind == "matrix") or not (run.headshots or run.kind == "matrix"):
        return ""
    words = "Try again" if why else "Generate this one"
    button = (
        f'<div class="acts"><button type="button" data-act="make" data-job="{run.requests.index(request)}" '
        f'aria-label="{words}: {title}">{words}</button></div>'
    )
    reason = f'<span class="facts">{escape(why or "not generated")}</span>'
    return _frame("missing", title, reason + (button if run.can_go_on else ""))


_STOPPED_AFTER_SENDING = "Sent before you pressed Stop, so it may be billed. The result will be kept for you."
_CHECK, _SEND = ("check", "Check again"), ("send", "Send")
_ACTS = {
    "under way": [_CHECK],
    "never sent": [_SEND],
    "failed": [("send", "Try again")],
    "unknown": [_CHECK, ("send", "Send again (may be charged twice)")],
}


def _frame(kind: str, title: str, content: str, preview: bytes = b"") -> str:
    address = f"data:image/jpeg;base64,{base64.b64encode(preview).decode()}"
    figure = f'<img class="preview" src="{address}" alt="Preview, {title.lower()}">' if preview else _PERSON
    label = f'<div class="label"><b>{title}</b>{content}</div>'
    return f'<div class="shot {kind}"><div class="frame">{figure}</div>{label}</div>'
