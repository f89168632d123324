"""The entries of the history as HTML. Pure functions; every text that is not ours is escaped."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from headshot.comparison import labels
from headshot.comparison.axes import varying_fields
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
    """Return one entry as history.js reads it.

    Args:
        runs: one comparison, or those of one team in the order of its people.
        sink: gives the addresses of the headshots.
        backends: their titles by name.
        hours: how long each is kept.
        api: the ModelsLab API that the code in the details calls.
    """
    first = runs[0]
    team = len(runs) > 1 or first.kind == "team"
    figures = []
    for entry in runs:
        names = labels.labels(entry.requests)
        figures += [_figure(entry, shot, names[shot.request], sink, team=team, api=api) for shot in entry.headshots]
    until = min(entry.kept_since for entry in runs) + timedelta(hours=hours)
    return {
        "key": first.group or first.id,
        "begun": max(entry.begun for entry in runs).isoformat(),
        "title": title(first),
        "info": _info(runs, backends, until.isoformat()),
        "strip": _strip(figures),
    }


def title(entry: "HistoryEntry") -> str:
    """Return its name, or its team's, or else a title for its settings."""
    return _given_name(entry) or settings_title(entry.requests[0])


def _given_name(entry: "HistoryEntry") -> str:
    return entry.group_name if entry.group else entry.name


def settings_title(request: HeadshotRequest) -> str:
    """Return the preset's name if both prompts are a preset's, else the beginning of the prompt."""
    preset = preset_of(request)
    if preset:
        return preset
    words = " ".join(request.prompt.split())
    if len(words) > _TITLE_CHARACTERS:
        words = words[:_TITLE_CHARACTERS].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"
    return words[:1].upper() + words[1:] or "No prompt"


def kind(runs: Sequence["HistoryEntry"]) -> str:
    """Return what was compared, in words."""
    first = runs[0]
    if first.kind == "team":
        return f"Team of {len(runs)}"
    if first.kind == "matrix":
        return "Matrix"
    varied = [name for name in varying_fields(first.requests) if name in _VARIED]
    return _VARIED[varied[0]] if varied else _SINGLE


def usage_line(usage: "Usage", hours: float) -> str:
    """Return how much there is in all and how long it is kept; "" if there is nothing."""
    if not usage.comparisons:
        return ""
    each = "Each is" if usage.comparisons > 1 else "It is"
    parts = [_counted(usage.comparisons, "comparison"), _counted(usage.headshots, "headshot"), size(usage.bytes)]
    return f"{', '.join(parts)}. {each} deleted {_counted(round(hours), 'hour')} after it was made."


def imported(comparisons: int, shots: int, skipped: int, looks: int) -> str:
    """Return what an import has added, in words.

    Args:
        comparisons: that were added.
        shots: headshots that were added.
        skipped: headshots that were in the history already.
        looks: that were added.
    """
    added = [
        _counted(count, noun)
        for count, noun in ((comparisons, "comparison"), (shots, "headshot"), (looks, "look"))
        if count
    ]
    already = f"{_counted(skipped, 'headshot')} {'was' if skipped == 1 else 'were'} already here."
    if not added:
        return already if skipped else "The archive is empty."
    sentence = f"Imported {', '.join(added)}."
    return f"{sentence} {already}" if skipped else sentence


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(bytes_: int) -> str:
    """Return a size in MB or GB, with up to three digits."""
    megabytes = bytes_ / 1e6
    if megabytes >= 1_000:
        return f"{megabytes / 1_000:.1f} GB"
    return f"{megabytes:.0f} MB" if megabytes >= 10 else f"{max(0.1, megabytes):.1f} MB"


def _info(runs: Sequence["HistoryEntry"], backends: Mapping[str, str], until: str) -> str:
    first = runs[0]
    name, auto = escape(title(first)), escape(settings_title(first.requests[0]))
    favourite = all(entry.favourite for entry in runs)
    done = sum(len({shot.position for shot in entry.headshots}) for entry in runs)
    total = sum(len(entry.requests) for entry in runs)
    about = [kind(runs), _made_by(runs, backends)]
    facts = "".join(f"<span>{escape(words)} · </span>" for words in about)
    count = f"{done} of {total}" if done < total else _counted(total, "headshot")
    whole = "" if count == _SINGLE else f"<span> · {count.replace(' ', _HARD_BLANK)}</span>"
    heading = f'<button type="button" class="name" data-do="rename" title="Rename">{name}</button>'
    show_it = (
        f'<button type="button" class="act" data-fullscreen aria-label="Full screen: {name}">Full screen</button>'
        if done
        else ""
    )
    open_it = f'<button type="button" class="act" data-do="open" aria-label="Open: {name}">Open</button>'
    return (
        f'<div class="heading"><h4 data-name="{escape(_given_name(first))}" data-auto="{auto}">{heading}</h4>'
        f"{_star('the comparison', favourite, first.id)}</div>"
        f'<p class="about">{facts}<time class="at"></time>{whole}</p>{_why(runs, done, total)}'
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
    chosen, used = ([backends.get(name, name) for name in some] for some in (names, others))
    return ", ".join(chosen) + (f", then {', '.join(used)}" if used else "")


def _why(runs: Sequence["HistoryEntry"], done: int, total: int) -> str:
    """Why headshots are missing."""
    if done == total:
        return ""
    sentences = dict.fromkeys(why for entry in runs for why in entry.failures.values())
    if sentences:
        return f'<p class="why">{escape(next(iter(sentences)))}</p>'
    return "" if all(entry.ended for entry in runs) else '<p class="why">Still running, or interrupted.</p>'


def _strip(figures: Sequence[str]) -> str:
    if not figures:
        return '<p class="none">No headshots.</p>'
    more = len(figures) - _MOST_THUMBNAILS
    if more <= 1:  # a button would need as much room as one thumbnail
        return f'<div class="thumbnails">{"".join(figures)}</div>'
    return (
        f'<div class="thumbnails folded">{"".join(figures)}</div>'
        f'<button type="button" class="act unfold" data-do="unfold">Show all {len(figures)}</button>'
    )


def _figure(
    entry: "HistoryEntry", stored: "StoredHeadshot", label: str, sink: FileSink, *, team: bool, api: snippets.Api
) -> str:
    """A headshot's card. `label`: how the headshot differs from the others of its run."""
    shot = load(sink, stored, None)
    card_title = entry.name if team and entry.name else label
    if team and len(entry.requests) > 1:
        card_title = f"{card_title}, {label.lower()}"
    name = escape(card_title)
    opening = (
        f'<button type="button" class="icon open" data-do="open" data-id="{entry.id}" title="Open" '
        f'aria-label="Open: {name}"></button>'
        if team
        else ""
    )
    acts = (
        f"{_star(card_title, stored.favourite, stored.id)}{opening}"
        f'<button type="button" class="icon onward" data-do="continue" data-id="{stored.id}" title="Continue from this '
        f'one" aria-label="Continue from: {name}"></button>'
    )
    return cards.history_card(shot, card_title, acts, api=api)


def _star(what: str, on: bool, name: str) -> str:
    return (
        f'<button type="button" class="icon star" data-do="favourite" data-id="{name}" aria-pressed="{str(on).lower()}"'
        f' title="Favourite" aria-label="Favourite: {escape(what)}"></button>'
    )
