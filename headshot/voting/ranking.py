"""The blind vote: which pair a voter sees next, and what the ballots say about the pictures.

A picture's strength s is its log odds of being preferred: P(a over b) = 1 / (1 + exp(s_b - s_a)).
  Bradley, Terry: Rank analysis of incomplete block designs, Biometrika 39 (1952).
  Ties as half a win for both: what they add to a strength is the same in Davidson, On extending the Bradley-Terry model
  to accommodate ties, JASA 65 (1970), whose sufficient statistic is wins plus half the ties.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from headshot.exports.comparison_csv import safe_text
from headshot.exports.sheet import GREY, HAIRLINE, INK, MAT, PAPER
from headshot.imaging.text_drawing import Colour, length, shortened, write

Outcome = Literal["left", "right", "tie"]
OUTCOMES: tuple[Outcome, ...] = ("left", "right", "tie")

MOST_PAIRS = 60  # that one voter is asked about: at five seconds a pair, as long as anybody stays attentive

# Every picture is counted as having tied once with an average one, so that nothing is infinite: not the strength of
# the undefeated, nor that of the unplayed. One ballot's weight, gone as soon as there are real ones.
_PRIOR = 1.0
_95_PERCENT = 1.959964  # standard deviations of a normal distribution
_SHOWN_AHEAD = 1  # how much more often than the least shown pair another may have been, however much it would tell
_SETTLED = 1e-10  # of a strength, from one step to the next
_MOST_STEPS = 200  # Newton's method takes about six

_Matrix = npt.NDArray[np.float64]


class BallotLike(Protocol):
    """What one voter said of one pair."""

    @property
    def voter(self) -> str: ...
    @property
    def left(self) -> str: ...
    @property
    def right(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...


@dataclass(frozen=True)
class Rank:
    """Where a picture stands after the ballots.

    strength: in log odds; 0 is the average picture, against which the shares of all average to one half.
    low, high: its 95 % interval.
    share: the chance to be preferred to the average picture, 0…1.
    best, worst: the places, from 1, between which the votes do not decide. Two pictures are told apart where their
    intervals do not overlap, which errs on the careful side.
    """

    shot: str
    strength: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    share: float
    best: int
    worst: int

    @property
    def share_low(self) -> float:
        return _probability(self.low)

    @property
    def share_high(self) -> float:
        return _probability(self.high)

    @property
    def place(self) -> str:
        """“1”, or “2–4” where the votes do not tell it from others."""
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


def pairs_for(count: int) -> int:
    """Of how many pairs of that many pictures one voter is asked."""
    return min(math.comb(count, 2), MOST_PAIRS)


def is_valid_ballot(shots: Sequence[str], voter: str, ballots: Iterable[BallotLike]) -> int:
    """How many pairs this voter has judged."""
    return sum(one.voter == voter for one in _counted(shots, ballots))


def next_pair(shots: Sequence[str], voter: str, ballots: Iterable[BallotLike]) -> tuple[str, str] | None:
    """The pair to show to this voter, left and right, or None when all were seen that one voter is asked of.

    Of the pairs that the voter has not judged, the one whose answer would tell most by now, as far as it was not shown
    more often than the least shown of them. Its sides are those that this voter has seen each picture on less often.
    The same ballots give the same pair; what they leave open is drawn from the voter's mark.
    """
    shots = list(dict.fromkeys(shots))
    counted = _counted(shots, ballots)
    own = [one for one in counted if one.voter == voter]
    if len(own) >= pairs_for(len(shots)):
        return None
    fitted = _fitted(len(shots), counted)
    seen = {frozenset((one.left, one.right)) for one in own}
    left = [(a, b) for b in range(len(shots)) for a in range(b) if {a, b} not in seen]
    most = min(fitted.counts[pair] for pair in left) + _SHOWN_AHEAD
    draw = partial(_rng_for, voter)
    a, b = max(
        (pair for pair in left if fitted.counts[pair] <= most),
        key=lambda pair: (fitted.gain(*pair), draw(*sorted((shots[pair[0]], shots[pair[1]])))),
    )
    return (shots[b], shots[a]) if _swap_sides(a, b, own, counted, draw(shots[a], shots[b])) else (shots[a], shots[b])


def _swap_sides(a: int, b: int, own: "Sequence[_Counted]", everybody: "Sequence[_Counted]", drawn: int) -> bool:
    """Whether b goes to the left."""
    lean = _side_bias(a, own) - _side_bias(b, own)
    if lean == 0:
        lean = sum((one.left == a) - (one.left == b) for one in everybody if {one.left, one.right} == {a, b})
    return lean > 0 if lean else bool(drawn % 2)


def _side_bias(shot: int, ballots: "Sequence[_Counted]") -> int:
    """How much more often it stood on the left."""
    return sum((one.left == shot) - (one.right == shot) for one in ballots)


def _rng_for(voter: str, *shots: str) -> int:
    return int.from_bytes(sha256("\n".join((voter, *shots)).encode("utf-8", "surrogatepass")).digest()[:8])


# -------------------------------------------------------------------------------------------------------------- the fit


def fit(shots: Sequence[str], ballots: Iterable[BallotLike]) -> list[Rank]:
    """Where each picture stands, the strongest first.

    Ballots on anything else are left out; of two by one voter on one pair the later counts.
    The interval is the wider of two: from the Fisher information, which takes every ballot for a question of its own,
    and from how much whole voters differ (the sandwich of Liang, Zeger: Longitudinal data analysis using generalized
    linear models, Biometrika 73 (1986), a voter being a cluster), for one voter's ballots share that voter's taste.
    """
    shots = list(dict.fromkeys(shots))
    if not shots:
        return []
    counted = _counted(shots, ballots)
    fitted = _fitted(len(shots), counted)
    margin = _95_PERCENT * np.sqrt(fitted.variances(counted))
    low, high = fitted.strengths - margin, fitted.strengths + margin
    standings = []
    for number in np.argsort(-fitted.strengths, kind="stable"):
        scores = [one.score if one.left == number else 1 - one.score for one in counted if number in one[1:3]]
        standings.append(
            Rank(
                shot=shots[number],
                strength=float(fitted.strengths[number]),
                low=float(low[number]),
                high=float(high[number]),
                wins=scores.count(1.0),
                losses=scores.count(0.0),
                ties=scores.count(0.5),
                share=_probability(float(fitted.strengths[number])),
                best=1 + int((low > high[number]).sum()),
                worst=len(shots) - int((high < low[number]).sum()),
            )
        )
    return standings


class _Counted(NamedTuple):
    """A ballot that counts. left, right: the numbers of the pictures.  score: the left one's, 1, 0.5 or 0."""

    voter: str
    left: int
    right: int
    score: float


_SCORES: dict[Outcome, float] = {"left": 1.0, "tie": 0.5, "right": 0.0}


def _counted(shots: Sequence[str], ballots: Iterable[BallotLike]) -> list[_Counted]:
    numbers = {shot: number for number, shot in enumerate(dict.fromkeys(shots))}
    latest: dict[tuple[str, frozenset[str]], _Counted] = {}
    for ballot in ballots:
        if ballot.left in numbers and ballot.right in numbers and ballot.left != ballot.right:
            latest[ballot.voter, frozenset((ballot.left, ballot.right))] = _Counted(
                ballot.voter, numbers[ballot.left], numbers[ballot.right], _SCORES[ballot.outcome]
            )
    return list(latest.values())


@dataclass(frozen=True)
class _Fitted:
    """strengths: (k,).  counts: (k, k), how often each pair was judged.  covariance: (k, k), of the strengths."""

    strengths: _Matrix
    counts: _Matrix
    covariance: _Matrix

    def gain(self, a: int, b: int) -> float:
        """How much one more ballot on this pair is expected to tell: what it adds to the information's determinant."""
        chance = _probability(self.strengths[a] - self.strengths[b])
        spread = self.covariance[a, a] + self.covariance[b, b] - 2 * self.covariance[a, b]
        return round(chance * (1 - chance) * float(spread), 9)  # so that equal ones are equal on every machine

    def variances(self, counted: Sequence[_Counted]) -> _Matrix:
        """Of each strength against the average picture's, (k,)."""
        slopes = _expit(self.strengths) * _expit(-self.strengths)
        against_average = np.eye(len(slopes)) - slopes / slopes.sum()
        by_ballot = np.diag(against_average @ self.covariance @ against_average.T)
        surprises: dict[str, _Matrix] = {}
        for one in counted:
            surprise = one.score - _probability(self.strengths[one.left] - self.strengths[one.right])
            of_voter = surprises.setdefault(one.voter, np.zeros(len(slopes)))
            of_voter[one.left] += surprise
            of_voter[one.right] -= surprise
        if len(surprises) < 2:  # one voter alone differs from nobody
            return by_ballot
        voters = np.stack(list(surprises.values())) @ self.covariance @ against_average.T
        by_voter = (voters**2).sum(axis=0) * len(surprises) / (len(surprises) - 1)
        wider: _Matrix = np.maximum(by_ballot, by_voter)
        return wider


def _fitted(count: int, counted: Sequence[_Counted]) -> _Fitted:
    """The likeliest strengths, by Newton's method with a step that is halved until it is no step back.

    Hunter's MM (Annals of Statistics 32, 2004) comes to the same place, in thousands of steps where few ballots link
    two groups that each have many; and the matrix that Newton needs is the one that the intervals come from.
    """
    won = np.zeros((count, count))
    for one in counted:
        won[one.left, one.right] += one.score
        won[one.right, one.left] += 1 - one.score
    counts = won + won.T
    strengths = np.zeros(count)
    for _ in range(_MOST_STEPS):
        step = np.linalg.solve(_information(strengths, counts), _slope(strengths, won, counts))
        if np.abs(step).max(initial=0.0) < _SETTLED:
            break
        likelihood = _likelihood(strengths, won)
        while _likelihood(strengths + step, won) < likelihood:  # ends at the latest where the step is too small to add
            step /= 2
        strengths = strengths + step
    covariance: _Matrix = np.linalg.inv(_information(strengths, counts)).astype(np.float64)
    return _Fitted(strengths, counts, covariance)


def _likelihood(strengths: _Matrix, won: _Matrix) -> float:
    apart = strengths[:, None] - strengths
    prior = np.logaddexp(0, strengths) + np.logaddexp(0, -strengths)
    return -float((won * np.logaddexp(0, -apart)).sum() + _PRIOR / 2 * prior.sum())


def _slope(strengths: _Matrix, won: _Matrix, counts: _Matrix) -> _Matrix:
    expected = counts * _expit(strengths[:, None] - strengths)
    slope: _Matrix = (won - expected).sum(axis=1) + _PRIOR * (0.5 - _expit(strengths))
    return slope


def _information(strengths: _Matrix, counts: _Matrix) -> _Matrix:
    apart = strengths[:, None] - strengths
    weights = counts * _expit(apart) * _expit(-apart)
    own = weights.sum(axis=1) + _PRIOR * _expit(strengths) * _expit(-strengths)
    information: _Matrix = np.diag(own) - weights
    return information


def _expit(values: _Matrix) -> _Matrix:
    chances: _Matrix = np.exp(-np.logaddexp(0, -values))
    return chances


def _probability(log_odds: float) -> float:
    return float(np.exp(-np.logaddexp(0, -log_odds)))


# ----------------------------------------------------------------------------------------------------------- the result

_COLUMNS = (
    *("place_from", "place_to", "headshot", "preferred_percent", "low_percent", "high_percent"),
    *("won", "lost", "tied", "strength"),
)


def table(standings: Sequence[Rank], names: Mapping[str, str]) -> bytes:
    """CSV as the comparison's own: RFC 4180, UTF-8 with its mark. names: of the pictures by their ids.

    low_percent, high_percent: the 95 % interval of preferred_percent.
    """
    written = io.StringIO(newline="")
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow(_COLUMNS)
    for one in standings:
        name = safe_text(names[one.shot])
        shares = (round(share * 100, 1) for share in (one.share, one.share_low, one.share_high))
        rows.writerow(
            (one.best, one.worst, name, *shares, one.wins, one.losses, one.ties, round(one.strength, 3)),
        )
    return written.getvalue().encode("utf-8-sig", "replace")


_PINE = (20, 100, 89)  # the page's accent; 6.6 : 1 on the paper
_BAR = (196, 216, 211)  # the same in pale
_GRID = (233, 233, 229)

_WIDTH, _MARGIN = 1600, 64
_THUMBNAIL = (112, 140)  # 4:5, as the headshots are; of this size a face is still recognized
_ROW, _TITLE, _HEADS, _FOOT = 172, 84, 54, 64
_PLACE_X, _THUMBNAIL_X, _NAME_X, _AXIS_X = _MARGIN, 176, 320, 840
_AXIS = 540
_FINE = 4  # lines and dots are drawn that much larger and reduced: Pillow's own have steps at their edges


def chart(
    standings: Sequence[Rank],
    thumbnails: Mapping[str, Image.Image],
    names: Mapping[str, str],
    title: str = "",
    *,
    footer: str = "",
) -> Image.Image:
    """The ranking as one RGB page: a row a picture with its place, what was said of it, its share and its interval.

    thumbnails: any size and mode; a picture that is missing leaves its place empty.  names: of every picture.
    """
    head = _MARGIN + (_TITLE if title else 0)
    height = head + _HEADS + len(standings) * _ROW + _FOOT + _MARGIN
    page = Image.new("RGB", (_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(page)
    if title:
        _draw_text(draw, (_MARGIN, _MARGIN), title, 42, INK, _WIDTH - 2 * _MARGIN)
    top = head + _HEADS
    _draw_text(draw, (_PLACE_X, head + 20), "Place", 18, GREY, 104)
    _draw_text(draw, (_AXIS_X - 6, head - 16), "Preferred to the average headshot", 22, GREY, _AXIS)
    for percent in (0, 50, 100):
        x = _AXIS_X + _AXIS * percent // 100
        draw.line((x, top, x, top + len(standings) * _ROW), HAIRLINE if percent == 50 else _GRID, 2)
        _draw_text(draw, (x, head + 20), f"{percent} %", 18, GREY, _AXIS, anchor="middle")
    for number, one in enumerate(standings):
        _draw_row(page, draw, top + number * _ROW, one, thumbnails.get(one.shot), names[one.shot])
    draw.line((_MARGIN, top + len(standings) * _ROW, _WIDTH - _MARGIN, top + len(standings) * _ROW), HAIRLINE, 1)
    legend = "Dot: the estimate. Bar: its 95 % interval; where two bars overlap, the votes do not decide."
    below = top + len(standings) * _ROW + 36
    _draw_text(draw, (_MARGIN, below), legend, 20, GREY, 1000)
    _draw_text(draw, (_WIDTH - _MARGIN, below), footer, 20, GREY, 440, anchor="right")
    return page


def _draw_row(
    page: Image.Image, draw: ImageDraw.ImageDraw, top: int, one: Rank, thumbnail: Image.Image | None, name: str
) -> None:
    middle = top + _ROW // 2
    draw.line((_MARGIN, top, _WIDTH - _MARGIN, top), HAIRLINE, 1)
    told_apart = one.best == one.worst
    _draw_text(draw, (_PLACE_X, middle), one.place, 44 if told_apart else 32, INK if told_apart else GREY, 104)
    left, above = _THUMBNAIL_X, middle - _THUMBNAIL[1] // 2
    draw.rectangle((left - 1, above - 1, left + _THUMBNAIL[0], above + _THUMBNAIL[1]), MAT, HAIRLINE)
    if thumbnail is not None:
        small = thumbnail.convert("RGB")
        small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS, reducing_gap=3.0)
        place = left + (_THUMBNAIL[0] - small.width) // 2, above + (_THUMBNAIL[1] - small.height) // 2
        page.paste(small, place)
    _draw_text(draw, (_NAME_X, middle - 18), name, 26, INK, _AXIS_X - _NAME_X - 40)
    said = [f"{one.wins} won", f"{one.losses} lost", *([f"{one.ties} tied"] if one.ties else [])]
    _draw_text(draw, (_NAME_X, middle + 22), " · ".join(said), 21, GREY, _AXIS_X - _NAME_X - 40)
    _draw_interval(page, middle, one)
    _draw_text(draw, (_WIDTH - _MARGIN, middle), f"{one.share * 100:.0f} %", 32, INK, 120, anchor="right")


def _draw_interval(page: Image.Image, middle: int, one: Rank) -> None:
    thickness, radius, pad = 12, 12, 13
    size = (_AXIS + 2 * pad, 2 * radius + 4)
    fine = Image.new("RGBA", (size[0] * _FINE, size[1] * _FINE), (*PAPER, 0))
    draw = ImageDraw.Draw(fine)
    centre = size[1] * _FINE / 2

    def x(share: float) -> float:
        return (pad + _AXIS * share) * _FINE

    half = thickness / 2 * _FINE
    bar = (x(one.share_low) - half, centre - half, x(one.share_high) + half, centre + half)
    draw.rounded_rectangle(bar, half, (*_BAR, 255))
    dot = radius * _FINE
    draw.ellipse((x(one.share) - dot, centre - dot, x(one.share) + dot, centre + dot), (*_PINE, 255))
    small = fine.resize(size, Image.Resampling.BOX)
    page.paste(small, (_AXIS_X - pad, middle - size[1] // 2), small)


def _draw_text(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    ink: Colour,
    width: int,
    *,
    bold: bool = False,
    anchor: Literal["left", "middle", "right"] = "left",
) -> None:
    """One line. place: where its capitals' middle height lies, at its left end, its middle or its right one."""
    long = length(shortened(text, size, width, bold=bold), size, bold=bold)
    left = place[0] - {"left": 0, "middle": long // 2, "right": long}[anchor]
    # `write` takes the letters' top: 0.75 of the size above their foot, and capitals are 0.69 high.
    write(draw, (left, place[1] - round(size * 0.405)), text, size, ink, long + 1, bold=bold)
