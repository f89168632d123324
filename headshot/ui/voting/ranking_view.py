"""The votes on a comparison as HTML: who leads, with what certainty."""

from collections.abc import Mapping
from html import escape

from headshot.voting.ranking import Rank
from headshot.voting.results import CHART, TABLE, PollResult


def told(one: PollResult, address: str, thumbnails: Mapping[str, str]) -> str:
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


def _table(one: PollResult, thumbnails: Mapping[str, str]) -> str:
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


def _bar(standing: Rank) -> str:
    low, high, share = (round(100 * value) for value in (standing.share_low, standing.share_high, standing.share))
    return (
        f'<span class="range" style="--low:{low}%;--high:{high}%;--share:{share}%"><i></i></span>'
        f"<span>{share} % <small>({low}–{high})</small></span>"
    )
