"""The results of the votes on a comparison, as ranks and as files."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from headshot.comparison.labels import labels
from headshot.imaging.encoding import png

from .chart import ranking_chart, ranking_csv
from .ranking import Rank, fit

if TYPE_CHECKING:
    from headshot.storage import Ballot, History, HistoryEntry, Poll, StoredHeadshot

TABLE, CHART = "ranking.csv", "ranking.png"


@dataclass(frozen=True)
class PollResult:
    """A poll with its ballots.

    Attributes:
        poll: Open or closed.
        ballots: All of the poll.
        shots: The headshots that voters choose from, by their ids, without those deleted since.
        names: What they are called in the table and the chart, by their ids.
    """

    poll: "Poll"
    ballots: "tuple[Ballot, ...]"
    shots: "Mapping[str, StoredHeadshot]"
    names: Mapping[str, str]

    @property
    def ranks(self) -> list[Rank]:
        """One rank a headshot, the strongest first."""
        return fit(self.poll.shots, self.ballots)

    @property
    def turnout(self) -> str:
        """How many have voted how often, for people: “12 votes by 3 people”."""
        voters = len({ballot.voter for ballot in self.ballots})
        return f"{_count(len(self.ballots), 'vote')} by {_count(voters, 'person', 'people')}"

    def csv(self) -> bytes:
        """The table as a CSV file."""
        return ranking_csv(self.ranks, self.names)

    def png(self) -> bytes:
        """Draw the chart as a PNG file.

        Raises:
            FileNotFoundError: if the file of a headshot is gone.
        """
        pictures = {shot: Image.open(io.BytesIO(stored.picture.read_bytes())) for shot, stored in self.shots.items()}
        return png(ranking_chart(self.ranks, pictures, self.names, self.poll.title, footer=self.turnout))


def results_of(history: "History", owner: str, comparison: str) -> list[PollResult]:
    """The results of all polls on a comparison, the latest first.

    Args:
        history: Read in this thread.
        owner: Whose polls they are; those of others are left out.
        comparison: The comparison's id.
    """
    polls = [poll for poll in history.votes(owner) if poll.comparison == comparison]
    entry = history.comparison(owner, comparison) if polls else None
    return [] if entry is None else [_result(history, poll, entry) for poll in polls]


def result_of(history: "History", owner: str, code: str) -> PollResult | None:
    """The result of one poll, or None if this owner has no such poll or its comparison is gone.

    Args:
        history: Read in this thread.
        owner: Whose poll it is.
        code: The poll's code, as it is stored.
    """
    poll = next((poll for poll in history.votes(owner) if poll.code == code), None)
    entry = None if poll is None else history.comparison(owner, poll.comparison)
    return None if poll is None or entry is None else _result(history, poll, entry)


def _result(history: "History", poll: "Poll", entry: "HistoryEntry") -> PollResult:
    shots = {stored.id: stored for stored in entry.headshots if stored.id in poll.shots}
    titles = labels(entry.requests)
    names = {shot: titles[stored.request] for shot, stored in shots.items()}
    return PollResult(poll, history.ballots(poll.code), shots, names)


def files(results: Sequence[PollResult]) -> dict[str, bytes]:
    """Table and chart of the first result that has ballots, by their file names; empty if none has.

    Args:
        results: Of one comparison, the latest first.
    """
    for result in results:
        if result.ballots:
            return {TABLE: result.csv(), CHART: result.png()}
    return {}


def _count(count: int, singular: str, plural: str = "") -> str:
    return f"{count} {singular if count == 1 else plural or f'{singular}s'}"
