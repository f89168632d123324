"""The entries of the history, as data and in words. Pure functions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headshot.comparison import labels
from headshot.comparison.axes import varying_fields
from headshot.comparison.presets import preset_of
from headshot.request import HeadshotRequest
from headshot.runs.files import FileSink, load
from headshot.sessions.view.cards import finished_card
from headshot.settings import Settings

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry, StoredHeadshot, Usage

_TITLE_CHARACTERS = 64  # of a prompt: two lines beside the thumbnails
_SINGLE = "1 headshot"
_HARD_BLANK = "\N{NO-BREAK SPACE}"
_VARIED = {"seed": "Seeds", "guidance_scale": "Guidance", "num_inference_steps": "Steps"}


def entry_card(
    runs: Sequence["HistoryEntry"],
    sink: FileSink,
    backends: Mapping[str, str],
    *,
    settings: Settings,
) -> dict[str, Any]:
    """Return one entry as history.js reads it.

    Args:
        runs: one comparison, or those of one team in the order of its people.
        sink: gives the addresses of the headshots.
        backends: their titles by name.
        settings: of the server, for how long each is kept.
    """
    first = runs[0]
    team = len(runs) > 1 or first.kind == "team"
    cards = []
    for entry in runs:
        names = labels.labels(entry.requests)
        cards += [_card(entry, shot, names[shot.request], sink, team=team) for shot in entry.headshots]
    done = sum(len({shot.position for shot in entry.headshots}) for entry in runs)
    total = sum(len(entry.requests) for entry in runs)
    count = f"{done} of {total}" if done < total else _counted(total, "headshot")
    until = min(
        entry.kept_since
        + settings.history_time(starred=entry.favourite or any(shot.favourite for shot in entry.headshots))
        for entry in runs
    )
    return {
        "key": first.group or first.id,
        "id": first.id,
        "begun": max(entry.begun for entry in runs).isoformat(),
        "until": until.isoformat(),
        "name": _given_name(first),
        "automatic": settings_title(first.requests[0]),
        "favourite": all(entry.favourite for entry in runs),
        "about": [kind(runs), _made_by(runs, backends)],
        "count": "" if count == _SINGLE else count.replace(" ", _HARD_BLANK),
        "why": _why(runs, done, total),
        "cards": cards,
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


def usage_line(usage: "Usage", settings: Settings) -> str:
    """Return how much there is in all and how long it is kept; "" if there is nothing."""
    if not usage.comparisons:
        return ""
    each = "Each is" if usage.comparisons > 1 else "It is"
    parts = [_counted(usage.comparisons, "comparison"), _counted(usage.headshots, "headshot"), size(usage.bytes)]
    hours, days = _counted(settings.history_hours, "hour"), _counted(settings.starred_days, "day")
    return f"{', '.join(parts)}. {each} deleted {hours} after it was made; with a star, {days} after."


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


def _made_by(runs: Sequence["HistoryEntry"], backends: Mapping[str, str]) -> str:
    names = dict.fromkeys([entry.backend for entry in runs])
    others = dict.fromkeys(shot.backend for entry in runs for shot in entry.headshots if shot.backend not in names)
    chosen, used = ([backends.get(name, name) for name in some] for some in (names, others))
    return ", ".join(chosen) + (f", then {', '.join(used)}" if used else "")


def _why(runs: Sequence["HistoryEntry"], done: int, total: int) -> str:
    """Why headshots are missing; "" if none is, or nobody knows."""
    if done == total:
        return ""
    sentences = dict.fromkeys(why for entry in runs for why in entry.failures.values())
    if sentences:
        return next(iter(sentences))
    return "" if all(entry.ended for entry in runs) else "Still running, or interrupted."


def _card(entry: "HistoryEntry", stored: "StoredHeadshot", label: str, sink: FileSink, *, team: bool) -> dict[str, Any]:
    """A headshot's card. `label`: how the headshot differs from the others of its run."""
    title = entry.name if team and entry.name else label
    if team and len(entry.requests) > 1:
        title = f"{title}, {label.lower()}"
    return {
        **finished_card(load(sink, stored, None), title),
        "favourite": stored.favourite,
        "open": entry.id if team else "",  # a single comparison is opened by its own button
    }
