"""What the History tab reads and changes: pages of entries, in which a team is one entry, and edits of an entry."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from headshot.errors import RequestError

if TYPE_CHECKING:
    from headshot.storage import History, HistoryEntry


@dataclass(frozen=True)
class ListState:
    """What a tab lists: the filters, and how far down.

    Attributes:
        search: text to find in prompts and names.
        backend: name of a backend, "" for all.
        favourites: True for favourites only.
        before: the last entry that is listed; None for the top.
        count: of the comparisons that are listed.
        groups: the teams that are listed. Further runs of theirs are part of entries that are listed already.
    """

    search: str = ""
    backend: str = ""
    favourites: bool = False
    before: "HistoryEntry | None" = None
    count: int = 0
    groups: frozenset[str] = frozenset()

    def from_top(self) -> "ListState":
        """Return the same filters, with nothing listed yet."""
        return replace(self, before=None, count=0, groups=frozenset())


def page_of(
    history: "History", owner: str, state: ListState, limit: int
) -> "tuple[list[tuple[HistoryEntry, ...]], bool, ListState]":
    """Return the next entries of a list. A team is listed where its latest run is.

    Args:
        history: of all owners.
        owner: whose entries.
        state: what is listed already.
        limit: how many comparisons to read, a team's each counted.

    Returns:
        The entries, each the comparisons of one team or a single one; whether more follow; the new state.
    """
    found = history.page(
        owner,
        search=state.search,
        backend=state.backend,
        favourites=state.favourites,
        before=state.before,
        limit=limit + 1,
    )
    page, more = found[:limit], len(found) > limit
    groups = set(state.groups)
    entries: list[tuple[HistoryEntry, ...]] = []
    for entry in page:
        if not entry.group:
            entries.append((entry,))
        elif entry.group not in groups:
            groups.add(entry.group)
            entries.append(history.group(owner, entry.group) or (entry,))
    last = page[-1] if page else state.before
    return entries, more, replace(state, before=last, count=state.count + len(page), groups=frozenset(groups))


def with_team(history: "History", owner: str, entry_id: str) -> "tuple[HistoryEntry, ...]":
    """Return a comparison with all others of its team; empty if there is none with that id."""
    entry = history.comparison(owner, entry_id)
    return () if entry is None else history.group(owner, entry.group) or (entry,)


def rename(history: "History", owner: str, entry_id: str, name: str) -> bool:
    """Rename a comparison, or its team if it has one; returns False if there is none with that id."""
    entry = history.comparison(owner, entry_id)
    if entry is not None and entry.group:
        return history.rename_group(owner, entry.group, name)
    return history.rename(owner, entry_id, name)


def set_favourite(history: "History", owner: str, what: str, *, on: bool) -> bool:
    """Star or unstar a headshot, or a comparison with all others of its team.

    Args:
        history: of all owners.
        owner: whose it is.
        what: id of the headshot or of the comparison.
        on: whether it is a favourite from now on.

    Returns:
        False if there is none with that id.
    """
    entries = with_team(history, owner, what)
    done = [history.favourite(owner, each, on) for each in ([entry.id for entry in entries] or [what])]
    return all(done)


def export_to(history: "History", owner: str, path: Path) -> None:
    """Write an owner's whole history as one archive.

    Raises:
        RequestError: if the archive cannot be written.
    """
    from headshot.storage.history_export import export_history  # loads SQLAlchemy: too slow for a start

    try:
        with path.open("wb") as out:
            export_history(history, owner, out)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RequestError("Could not write the archive. Try again, or delete some of your history.") from error
