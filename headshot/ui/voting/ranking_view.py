"""How the votes on a comparison stand: who leads, with what certainty, as HTML and as files. For worker threads."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from headshot.ui.headshots import cards
from headshot.voting.ranking import Standing, chart, fit, table

if TYPE_CHECKING:
    from headshot.storage import Ballot, Comparison, History, Kept, Vote

TABLE, CHART = "ranking.csv", "ranking.png"


@dataclass(frozen=True)
class Ranking:
    """A vote as it stands. names: of its headshots, by their ids."""

    vote: "Vote"
    ballots: "tuple[Ballot, ...]"
    shots: "Mapping[str, Kept]"
    names: Mapping[str, str]

    @property
    def standings(self) -> list[Standing]:
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
        data = io.BytesIO()
        page = chart(self.standings, pictures, self.names, self.vote.title, footer=self.counted)
        page.save(data, "PNG")
        return data.getvalue()


def rankings(history: "History", owner: str, comparison: str) -> list[Ranking]:
    """Of all votes on a comparison, the latest first."""
    found = [one for one in history.votes(owner) if one.comparison == comparison]
    run = history.comparison(owner, comparison) if found else None
    return [] if run is None else [_ranking(history, one, run) for one in found]


def ranking(history: "History", owner: str, code: str) -> Ranking | None:
    """Of one of this visitor's votes."""
    found = next((one for one in history.votes(owner) if one.code == code), None)
    run = None if found is None else history.comparison(owner, found.comparison)
    return None if found is None or run is None else _ranking(history, found, run)


def _ranking(history: "History", found: "Vote", run: "Comparison") -> Ranking:
    shots = {kept.id: kept for kept in run.shots if kept.id in found.shots}
    labels = cards.labels(run.requests)
    names = {name: labels[kept.request] for name, kept in shots.items()}
    return Ranking(found, history.ballots(found.code), shots, names)


def told(one: Ranking, address: str, thumbnails: Mapping[str, str]) -> str:
    """What its owner sees. address: where its files lie, up to the slash.  thumbnails: addresses, by the shots' ids."""
    code = escape(one.vote.code)
    state = (
        f'<p class="share">Whoever opens <a href="vote/{code}" target="_blank">vote/<b>{code}</b></a> on this server '
        "sees these pictures, without a label, and votes. "
        f'<button type="button" data-act="copy" data-code="{code}">Copy the link</button></p>'
        if one.vote.open
        else '<p class="share">This vote is closed.</p>'
    )
    acts = '<button type="button" data-act="refresh">Refresh</button>'
    if one.vote.open:
        acts += f'<button type="button" data-act="close" data-code="{code}">Close the vote</button>'
    files = "".join(
        f'<a class="file {kind}" href="{escape(address)}/{name}" download="{name}">{words}</a>'
        for kind, name, words in (("table", TABLE, "Table"), ("sheet", CHART, "Chart"))
    )
    return (
        f'<section class="vote" data-code="{code}">{state}<p class="count" role="status">{one.counted}</p>'
        f"{_table(one, thumbnails) if one.ballots else ''}"
        f'<nav class="files" aria-label="The vote">{files if one.ballots else ""}{acts}</nav></section>'
    )


def _table(one: Ranking, thumbnails: Mapping[str, str]) -> str:
    lines = "".join(
        f'<tr><td class="place">{standing.place}</td>'
        f'<td><div class="who"><img src="{escape(thumbnails.get(standing.shot, ""))}" alt="" width="40" height="50">'
        f"<span>{escape(one.names.get(standing.shot, 'deleted'))}</span></div></td>"
        f'<td class="chance">{_bar(standing)}</td>'
        f'<td class="sum">{standing.wins} / {standing.losses} / {standing.ties}</td></tr>'
        for standing in one.standings
    )
    return (
        '<table><thead><tr><th scope="col">Place</th><th scope="col">Headshot</th>'
        '<th scope="col">Chance to be preferred to the average one</th>'
        f'<th scope="col">Won / lost / even</th></tr></thead><tbody>{lines}</tbody></table>'
        '<p class="legend">The bar is the range in which the chance lies in 95 of 100 such votes. Places that the '
        "votes do not tell apart are given as a range.</p>"
    )


def _bar(standing: Standing) -> str:
    low, high, share = (round(100 * value) for value in (standing.share_low, standing.share_high, standing.share))
    return (
        f'<span class="range" style="--low:{low}%;--high:{high}%;--share:{share}%"><i></i></span>'
        f"<span>{share} % <small>({low}–{high})</small></span>"
    )


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def files(found: Sequence[Ranking]) -> dict[str, bytes]:
    """Table and chart of the latest vote in which somebody has voted, for the comparison's ZIP."""
    for one in found:
        if one.ballots:
            return {TABLE: one.csv(), CHART: one.png()}
    return {}
