"""What the ballots say about the pictures: strengths, ranks and how certain they are.

A picture's strength s is its log odds of being preferred: P(a over b) = 1 / (1 + exp(s_b - s_a)).
  Bradley, Terry: Rank analysis of incomplete block designs, Biometrika 39 (1952).
  A tie counts as half a win for both: it adds the same to a strength as in Davidson, On extending the Bradley-Terry
  model to accommodate ties, JASA 65 (1970), whose sufficient statistic is wins plus half the ties.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Outcome = Literal["left", "right", "tie"]
OUTCOMES: tuple[Outcome, ...] = ("left", "right", "tie")

# Every picture counts as having tied once with an average one, so that the strength of a picture that won everything
# or was never shown is finite. It weighs as much as one ballot, so real ballots soon outweigh it.
_PRIOR = 1.0
_95_PERCENT = 1.959964  # standard deviations of a normal distribution
_CONVERGED = 1e-10  # change of a strength from one step to the next
_MAX_STEPS = 200  # Newton's method takes about six

_Matrix = npt.NDArray[np.float64]


class BallotLike(Protocol):
    """One voter's answer about one pair of pictures."""

    @property
    def voter(self) -> str:
        """The hash of the voter's secret."""
        ...

    @property
    def left(self) -> str:
        """The id of the picture shown on the left."""
        ...

    @property
    def right(self) -> str:
        """The id of the picture shown on the right."""
        ...

    @property
    def outcome(self) -> Outcome:
        """Which picture the voter preferred."""
        ...


@dataclass(frozen=True)
class Rank:
    """The result of the vote for one picture.

    Two pictures have separate ranks if their intervals do not overlap, which errs on the careful side.

    Attributes:
        shot: The picture's id.
        strength: In log odds; 0 is the average picture, against which the shares of all pictures average to one half.
        low: Lower end of the strength's 95 % interval.
        high: Upper end of the strength's 95 % interval.
        wins: Ballots that preferred this picture.
        losses: Ballots that preferred the other one.
        ties: Ballots without a preference.
        share: The chance to be preferred to the average picture, 0 to 1.
        best: The best rank that the votes allow, from 1.
        worst: The worst rank that the votes allow.
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
        """Lower end of the share's 95 % interval."""
        return probability(self.low)

    @property
    def share_high(self) -> float:
        """Upper end of the share's 95 % interval."""
        return probability(self.high)

    @property
    def rank_range(self) -> str:
        """“1”, or “2–4” if the votes do not separate the picture from others."""
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


def fit(shots: Sequence[str], ballots: Iterable[BallotLike]) -> list[Rank]:
    """Rank the pictures by the ballots.

    The interval is the wider of two. One comes from the Fisher information, which treats every ballot as independent.
    The other comes from how much whole voters differ, because the ballots of one voter share that voter's taste: the
    sandwich estimator of Liang, Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73
    (1986), with a voter as a cluster.

    Args:
        shots: The pictures' ids.
        ballots: In the order in which they were cast. Ballots on other pictures are ignored, and a voter's later
            ballot on a pair replaces the earlier one.

    Returns:
        One rank a picture, the strongest first.
    """
    shots = list(dict.fromkeys(shots))
    if not shots:
        return []
    judged = judged_pairs(shots, ballots)
    model = fit_model(len(shots), judged)
    margin = _95_PERCENT * np.sqrt(model.variances(judged))
    low, high = model.strengths - margin, model.strengths + margin
    ranks = []
    for index in np.argsort(-model.strengths, kind="stable"):
        scores = [pair.score if pair.left == index else 1 - pair.score for pair in judged if index in pair[1:3]]
        ranks.append(
            Rank(
                shot=shots[index],
                strength=float(model.strengths[index]),
                low=float(low[index]),
                high=float(high[index]),
                wins=scores.count(1.0),
                losses=scores.count(0.0),
                ties=scores.count(0.5),
                share=probability(float(model.strengths[index])),
                best=1 + int((low > high[index]).sum()),
                worst=len(shots) - int((high < low[index]).sum()),
            )
        )
    return ranks


class JudgedPair(NamedTuple):
    """A ballot that counts.

    Attributes:
        voter: As in the ballot.
        left: The left picture's index.
        right: The right picture's index.
        score: The left picture's score: 1 for a win, 0.5 for a tie, 0 for a loss.
    """

    voter: str
    left: int
    right: int
    score: float


_SCORES: dict[Outcome, float] = {"left": 1.0, "tie": 0.5, "right": 0.0}


def judged_pairs(shots: Sequence[str], ballots: Iterable[BallotLike]) -> list[JudgedPair]:
    """The ballots that count: on two different pictures of `shots`, the latest of each voter on each pair.

    Args:
        shots: The pictures' ids, whose positions become the indices.
        ballots: In the order in which they were cast.
    """
    indices = {shot: index for index, shot in enumerate(dict.fromkeys(shots))}
    latest: dict[tuple[str, frozenset[str]], JudgedPair] = {}
    for ballot in ballots:
        if ballot.left in indices and ballot.right in indices and ballot.left != ballot.right:
            latest[ballot.voter, frozenset((ballot.left, ballot.right))] = JudgedPair(
                ballot.voter, indices[ballot.left], indices[ballot.right], _SCORES[ballot.outcome]
            )
    return list(latest.values())


@dataclass(frozen=True)
class FittedModel:
    """The Bradley-Terry model of k pictures.

    Attributes:
        strengths: (k,), in log odds.
        counts: (k, k), how often each pair was judged.
        covariance: (k, k), of the strengths.
    """

    strengths: _Matrix
    counts: _Matrix
    covariance: _Matrix

    def expected_information(self, a: int, b: int) -> float:
        """What one more ballot on the pictures `a` and `b` adds to the information matrix's determinant."""
        p = probability(self.strengths[a] - self.strengths[b])
        variance = self.covariance[a, a] + self.covariance[b, b] - 2 * self.covariance[a, b]
        return round(p * (1 - p) * float(variance), 9)  # rounded so that equal values are equal on every machine

    def variances(self, judged: Sequence[JudgedPair]) -> _Matrix:
        """The variance of each strength relative to the average picture's, (k,).

        Args:
            judged: The ballots that the model was fitted to.
        """
        slopes = _expit(self.strengths) * _expit(-self.strengths)
        against_average = np.eye(len(slopes)) - slopes / slopes.sum()
        by_ballot = np.diag(against_average @ self.covariance @ against_average.T)
        residuals: dict[str, _Matrix] = {}
        for pair in judged:
            residual = pair.score - probability(self.strengths[pair.left] - self.strengths[pair.right])
            of_voter = residuals.setdefault(pair.voter, np.zeros(len(slopes)))
            of_voter[pair.left] += residual
            of_voter[pair.right] -= residual
        if len(residuals) < 2:  # with one voter there is no difference between voters to measure
            return by_ballot
        voters = np.stack(list(residuals.values())) @ self.covariance @ against_average.T
        by_voter = (voters**2).sum(axis=0) * len(residuals) / (len(residuals) - 1)
        wider: _Matrix = np.maximum(by_ballot, by_voter)
        return wider


def fit_model(count: int, judged: Sequence[JudgedPair]) -> FittedModel:
    """Find the most likely strengths, by Newton's method with steps halved until the likelihood does not fall.

    Hunter's MM algorithm (Annals of Statistics 32, 2004) converges to the same strengths, but takes thousands of steps
    if few ballots link two groups that each have many. Newton's matrix also gives the intervals.

    Args:
        count: Number of pictures.
        judged: The ballots that count.
    """
    won = np.zeros((count, count))
    for pair in judged:
        won[pair.left, pair.right] += pair.score
        won[pair.right, pair.left] += 1 - pair.score
    counts = won + won.T
    strengths = np.zeros(count)
    for _ in range(_MAX_STEPS):
        step = np.linalg.solve(_information_matrix(strengths, counts), _gradient(strengths, won, counts))
        if np.abs(step).max(initial=0.0) < _CONVERGED:
            break
        likelihood = _log_likelihood(strengths, won)
        while _log_likelihood(strengths + step, won) < likelihood:  # ends at the latest when the step rounds to nothing
            step /= 2
        strengths = strengths + step
    covariance: _Matrix = np.linalg.inv(_information_matrix(strengths, counts)).astype(np.float64)
    return FittedModel(strengths, counts, covariance)


def probability(log_odds: float) -> float:
    """Log odds as a probability, 0 to 1."""
    return float(np.exp(-np.logaddexp(0, -log_odds)))


def _log_likelihood(strengths: _Matrix, won: _Matrix) -> float:
    difference = strengths[:, None] - strengths
    prior = np.logaddexp(0, strengths) + np.logaddexp(0, -strengths)
    return -float((won * np.logaddexp(0, -difference)).sum() + _PRIOR / 2 * prior.sum())


def _gradient(strengths: _Matrix, won: _Matrix, counts: _Matrix) -> _Matrix:
    expected = counts * _expit(strengths[:, None] - strengths)
    gradient: _Matrix = (won - expected).sum(axis=1) + _PRIOR * (0.5 - _expit(strengths))
    return gradient


def _information_matrix(strengths: _Matrix, counts: _Matrix) -> _Matrix:
    difference = strengths[:, None] - strengths
    weights = counts * _expit(difference) * _expit(-difference)
    diagonal = weights.sum(axis=1) + _PRIOR * _expit(strengths) * _expit(-strengths)
    information: _Matrix = np.diag(diagonal) - weights
    return information


def _expit(log_odds: _Matrix) -> _Matrix:
    probabilities: _Matrix = np.exp(-np.logaddexp(0, -log_odds))
    return probabilities
