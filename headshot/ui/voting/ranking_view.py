"""The votes on a comparison as HTML: the ranking, and how certain it is."""

from collections.abc import Mapping
from html import escape

from headshot.voting.ranking import Rank
from headshot.voting.results import CHART, TABLE, PollResult


def poll_section(result: PollResult, address: str, thumbnails: Mapping[str, str]) -> str:
    """Return what a poll's owner sees.

    Args:
        result: with its votes counted.
        address: of the folder of its files, without a slash at the end.
        thumbnails: their addresses, by the headshots' ids.
    """
    code = escape(result.poll.code)
    state = (
        f'<p class="share">Anyone who opens <a href="vote/{code}" target="_blank">vote/<b>{code}</b></a> on this '
        "server sees these headshots without labels and can vote. "
        f'<button type="button" data-act="copy" data-code="{code}">Copy link</button></p>'
        if result.poll.open
        else '<p class="share">This vote is closed.</p>'
    )
    acts = '<button type="button" data-act="refresh">Refresh</button>'
    if result.poll.open:
        acts += f'<button type="button" data-act="close" data-code="{code}">Close vote</button>'
    files = "".join(
        f'<a class="file {kind}" href="{escape(address)}/{name}" download="{name}">{words}</a>'
        for kind, name, words in (("table", TABLE, "Table"), ("sheet", CHART, "Chart"))
    )
    return (
        f'<section class="vote" data-code="{code}">{state}<p class="count" role="status">{result.turnout}</p>'
        f"{_table(result, thumbnails) if result.ballots else ''}"
        f'<nav class="files" aria-label="Results of the vote">{files if result.ballots else ""}{acts}</nav></section>'
    )


def _table(result: PollResult, thumbnails: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><td class="place">{rank.rank_range}</td>'
        f'<td><div class="who"><img src="{escape(thumbnails.get(rank.shot, ""))}" alt="" width="40" height="50">'
        f"<span>{escape(result.names.get(rank.shot, 'deleted'))}</span></div></td>"
        f'<td class="chance">{_bar(rank)}</td>'
        f'<td class="sum">{rank.wins} / {rank.losses} / {rank.ties}</td></tr>'
        for rank in result.ranks
    )
    return (
        '<table><thead><tr><th scope="col">Rank</th><th scope="col">Headshot</th>'
        '<th scope="col">Chance of beating the average</th>'
        f'<th scope="col">Won / lost / tied</th></tr></thead><tbody>{rows}</tbody></table>'
        '<p class="legend">The bar shows the range that contains the chance in 95 of 100 such votes. If the votes '
        "cannot separate some ranks, they are given as a range.</p>"
    )


def _bar(rank: Rank) -> str:
    low, high, share = (round(100 * value) for value in (rank.share_low, rank.share_high, rank.share))
    return (
        f'<span class="range" style="--low:{low}%;--high:{high}%;--share:{share}%"><i></i></span>'
        f"<span>{share} % <small>({low}–{high})</small></span>"
    )
