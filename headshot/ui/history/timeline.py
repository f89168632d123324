"""The entries of the history, as HTML. Pure functions; every text that is not ours is escaped."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from headshot.comparison import labels
from headshot.comparison.comparing import varying_fields
from headshot.comparison.presets import preset_of
from headshot.exports import snippets
from headshot.request import HeadshotRequest
from headshot.runs.files import FileSink, load
from headshot.ui.headshots import cards

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry, StoredHeadshot, Usage

_MOST_THUMBNAILS = 8  # one row on a wide screen; history.css folds what comes after
_TITLE_CHARACTERS = 64  # of a prompt: two lines beside the thumbnails
_SINGLE = "1 headshot"
_HARD_BLANK = "\N{NO-BREAK SPACE}"
_VARIED = {"seed": "Seeds", "guidance_scale": "Guidance", "num_inference_steps": "Steps"}


def entry_card(
    runs: Sequence["HistoryEntry"],
    sink: FileSink,
    backends: Mapping[str, str],
    *,
    hours: float,
    api: snippets.Api = "enterprise",
) -> dict[str, Any]:
    """One comparison, or the runs of one team in the order of its people, as history.js takes it.

    backends: their titles by name.  hours: for which each is kept.
    """
    first = runs[0]
    team = len(runs) > 1 or first.kind == "team"
    figures = []
    for entry in runs:
        called = labels.labels(entry.requests)
        figures += [_figure(entry, kept, called[kept.request], sink, team=team, api=api) for kept in entry.headshots]
    until = min(entry.kept_since for entry in runs) + timedelta(hours=hours)
    return {
        "key": first.group or first.id,
        "begun": max(entry.begun for entry in runs).isoformat(),
        "title": title(first),
        "info": _info(runs, backends, until.isoformat()),
        "strip": _strip(figures),
    }


def title(entry: "HistoryEntry") -> str:
    """Its name, or its team's, or what it was asked for."""
    return _named(entry) or asked(entry.requests[0])


def _named(entry: "HistoryEntry") -> str:
    return entry.group_name if entry.group else entry.name


def asked(request: HeadshotRequest) -> str:
    """A look's name where that is what stands in the prompts, else how the prompt begins."""
    look = preset_of(request)
    if look is not None:
        return look
    words = " ".join(request.prompt.split())
    if len(words) > _TITLE_CHARACTERS:
        words = words[:_TITLE_CHARACTERS].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"
    return words[:1].upper() + words[1:] or "Without a prompt"


def kind(runs: Sequence["HistoryEntry"]) -> str:
    """What was compared."""
    first = runs[0]
    if first.kind == "team":
        return f"Team of {len(runs)}"
    if first.kind == "matrix":
        return "Matrix"
    varied = [name for name in varying_fields(first.requests) if name in _VARIED]
    return _VARIED[varied[0]] if varied else _SINGLE


def line(usage: "Usage", hours: float) -> str:
    """What all of it takes, and how long it stays."""
    if not usage.comparisons:
        return ""
    each = "Each is" if usage.comparisons > 1 else "It is"
    parts = [_counted(usage.comparisons, "comparison"), _counted(usage.headshots, "headshot"), size(usage.bytes)]
    return f"{', '.join(parts)}. {each} deleted {_counted(round(hours), 'hour')} after it was made."


def came(comparisons: int, shots: int, skipped: int, looks: int) -> str:
    """What an archive has brought."""
    brought = [
        _counted(count, noun)
        for count, noun in ((comparisons, "comparison"), (shots, "headshot"), (looks, "look"))
        if count
    ]
    there = f"{_counted(skipped, 'headshot')} {'was' if skipped == 1 else 'were'} here already."
    if not brought:
        return there if skipped else "The archive holds nothing."
    told = f"{', '.join(brought)} came in."
    return f"{told} {there}" if skipped else told


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(bytes_: int) -> str:
    """In the unit that says it in three digits."""
    megabytes = bytes_ / 1e6
    if megabytes >= 1_000:
        return f"{megabytes / 1_000:.1f} GB"
    return f"{megabytes:.0f} MB" if megabytes >= 10 else f"{max(0.1, megabytes):.1f} MB"


def _info(runs: Sequence["HistoryEntry"], backends: Mapping[str, str], until: str) -> str:
    first = runs[0]
    name, auto = escape(title(first)), escape(asked(first.requests[0]))
    favourite = all(entry.favourite for entry in runs)
    landed = sum(len({shot.position for shot in entry.headshots}) for entry in runs)
    total = sum(len(entry.requests) for entry in runs)
    about = [kind(runs), _made_by(runs, backends)]
    told = "".join(f"<span>{escape(words)} · </span>" for words in about)
    count = f"{landed} of {total}" if landed < total else _counted(total, "headshot")
    whole = "" if count == _SINGLE else f"<span> · {count.replace(' ', _HARD_BLANK)}</span>"
    heading = f'<button type="button" class="name" data-do="rename" title="Rename">{name}</button>'
    show_it = (
        f'<button type="button" class="act" data-showcase aria-label="Showcase: {name}">Showcase</button>'
        if landed
        else ""
    )
    open_it = f'<button type="button" class="act" data-do="open" aria-label="Open: {name}">Open</button>'
    return (
        f'<div class="heading"><h4 data-name="{escape(_named(first))}" data-auto="{auto}">{heading}</h4>'
        f"{_star('the comparison', favourite, first.id)}</div>"
        f'<p class="about">{told}<time class="at"></time>{whole}</p>{_why(runs, landed, total)}'
        f'<p class="left" data-until="{until}"></p>'
        f'<div class="acts" data-id="{first.id}" data-count="{sum(len(entry.headshots) for entry in runs)}">{open_it}'
        f'<button type="button" class="act" data-do="continue" aria-label="Continue from: {name}">Continue from here'
        f"</button>{show_it}"
        f'<button type="button" class="act quiet" data-do="delete" aria-label="Delete: {name}">Delete</button>'
        "</div>"
    )


def _made_by(runs: Sequence["HistoryEntry"], backends: Mapping[str, str]) -> str:
    names = dict.fromkeys([entry.backend for entry in runs])
    others = dict.fromkeys(shot.backend for entry in runs for shot in entry.headshots if shot.backend not in names)
    asked_of, made = ([backends.get(name, name) for name in some] for some in (names, others))
    return ", ".join(asked_of) + (f", then {', '.join(made)}" if made else "")


def _why(runs: Sequence["HistoryEntry"], landed: int, total: int) -> str:
    """What stands in the way of those that are missing."""
    if landed == total:
        return ""
    sentences = dict.fromkeys(why for entry in runs for why in entry.failures.values())
    if sentences:
        return f'<p class="why">{escape(next(iter(sentences)))}</p>'
    return "" if all(entry.ended for entry in runs) else '<p class="why">It goes on, or was broken off.</p>'


def _strip(figures: Sequence[str]) -> str:
    if not figures:
        return '<p class="none">None of its headshots is here.</p>'
    more = len(figures) - _MOST_THUMBNAILS
    if more <= 1:  # a button takes the place of one
        return f'<div class="thumbnails">{"".join(figures)}</div>'
    return (
        f'<div class="thumbnails folded">{"".join(figures)}</div>'
        f'<button type="button" class="act unfold" data-do="unfold">Show all {len(figures)}</button>'
    )


def _figure(
    entry: "HistoryEntry", kept: "StoredHeadshot", called: str, sink: FileSink, *, team: bool, api: snippets.Api
) -> str:
    """called: what sets the headshot apart from the others of its run."""
    shot = load(sink, kept, None)
    words = entry.name if team and entry.name else called
    if team and len(entry.requests) > 1:
        words = f"{words}, {called.lower()}"
    name = escape(words)
    opening = (
        f'<button type="button" class="icon open" data-do="open" data-id="{entry.id}" title="Open" '
        f'aria-label="Open: {name}"></button>'
        if team
        else ""
    )
    acts = (
        f"{_star(words, kept.favourite, kept.id)}{opening}"
        f'<button type="button" class="icon onward" data-do="continue" data-id="{kept.id}" title="Continue from this '
        f'one" aria-label="Continue from: {name}"></button>'
    )
    return cards.history_card(shot, words, acts, api=api)


def _star(what: str, on: bool, name: str) -> str:
    return (
        f'<button type="button" class="icon star" data-do="favourite" data-id="{name}" aria-pressed="{str(on).lower()}"'
        f' title="Favourite" aria-label="Favourite: {escape(what)}"></button>'
    )
