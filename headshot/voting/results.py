"""What the votes on a comparison came to: who leads and how certain that is, as numbers and as files."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from headshot.comparison.labels import labels
from headshot.imaging.encoding import png

from .ranking import Rank, chart, fit, table

if TYPE_CHECKING:
    from headshot.storage import Ballot, History, HistoryEntry, Poll, StoredHeadshot

TABLE, CHART = "ranking.csv", "ranking.png"


@dataclass(frozen=True)
class PollResult:
    """A vote as it stands. names: of its headshots, by their ids."""

    vote: "Poll"
    ballots: "tuple[Ballot, ...]"
    shots: "Mapping[str, StoredHeadshot]"
    names: Mapping[str, str]

    @property
    def standings(self) -> list[Rank]:
        return fit(self.vote.shots, self.ballots)

    @property
    def counted(self) -> str:
        voters = len({ballot.voter for ballot in self.ballots})
        return f"{_counted(len(self.ballots), 'vote')} by {_counted(voters, 'person', 'people')}"

    def csv(self) -> bytes:
        return table(self.standings, self.names)

    def png(self) -> bytes:
        """Raises FileNotFoundError where a picture is gone."""
        pictures = {name: Image.open(io.BytesIO(kept.picture.read_bytes())) for name, kept in self.shots.items()}
        return png(chart(self.standings, pictures, self.names, self.vote.title, footer=self.counted))


def results_of(history: "History", owner: str, comparison: str) -> list[PollResult]:
    """Of all votes on a comparison, the latest first."""
    found = [one for one in history.votes(owner) if one.comparison == comparison]
    entry = history.comparison(owner, comparison) if found else None
    return [] if entry is None else [_ranking(history, one, entry) for one in found]


def result_of(history: "History", owner: str, code: str) -> PollResult | None:
    """Of one of this visitor's votes."""
    found = next((one for one in history.votes(owner) if one.code == code), None)
    entry = None if found is None else history.comparison(owner, found.comparison)
    return None if found is None or entry is None else _ranking(history, found, entry)


def _ranking(history: "History", found: "Poll", entry: "HistoryEntry") -> PollResult:
    shots = {kept.id: kept for kept in entry.headshots if kept.id in found.shots}
    titles = labels(entry.requests)
    names = {name: titles[kept.request] for name, kept in shots.items()}
    return PollResult(found, history.ballots(found.code), shots, names)


def files(found: Sequence[PollResult]) -> dict[str, bytes]:
    """Table and chart of the latest vote in which somebody has voted, for the comparison's ZIP."""
    for one in found:
        if one.ballots:
            return {TABLE: one.csv(), CHART: one.png()}
    return {}


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"
