"""Which pair of pictures a voter sees next, and on which sides."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import sha256

from .ranking import BallotLike, JudgedPair, fit_model, judged_pairs

MAX_PAIRS = 60  # for one voter: at five seconds a pair, about as long as anybody stays attentive

_SHOWN_AHEAD = 1  # how much more often than the least shown pair another may have been, however informative it is


def pairs_for(count: int) -> int:
    """How many pairs one voter is asked to judge in a vote on `count` pictures."""
    return min(math.comb(count, 2), MAX_PAIRS)


def count_judged(shots: Sequence[str], voter: str, ballots: Iterable[BallotLike]) -> int:
    """How many pairs of these pictures the voter has judged.

    Args:
        shots: The pictures' ids.
        voter: As in the ballots.
        ballots: Of all voters.
    """
    return sum(pair.voter == voter for pair in judged_pairs(shots, ballots))


def next_pair(shots: Sequence[str], voter: str, ballots: Iterable[BallotLike]) -> tuple[str, str] | None:
    """Choose the pair that the voter judges next.

    Of the pairs that the voter has not judged and that were not shown more often than the least shown of them (by more
    than one), it is the pair with the most expected information. Its sides are those on which this voter has seen each
    picture less often. The same ballots give the same pair; a draw is decided by a hash of the voter.

    Args:
        shots: The pictures' ids.
        voter: As in the ballots.
        ballots: Of all voters.

    Returns:
        The ids of the left and the right picture, or None if the voter has judged as many pairs as `pairs_for` says.
    """
    shots = list(dict.fromkeys(shots))
    judged = judged_pairs(shots, ballots)
    own = [pair for pair in judged if pair.voter == voter]
    if len(own) >= pairs_for(len(shots)):
        return None
    model = fit_model(len(shots), judged)
    seen = {frozenset((pair.left, pair.right)) for pair in own}
    unseen = [(a, b) for b in range(len(shots)) for a in range(b) if {a, b} not in seen]
    most_shown = min(model.counts[pair] for pair in unseen) + _SHOWN_AHEAD
    draw = partial(_hash_of, voter)
    a, b = max(
        (pair for pair in unseen if model.counts[pair] <= most_shown),
        key=lambda pair: (model.expected_information(*pair), draw(*sorted((shots[pair[0]], shots[pair[1]])))),
    )
    return (shots[b], shots[a]) if _swap_sides(a, b, own, judged, draw(shots[a], shots[b])) else (shots[a], shots[b])


def _swap_sides(a: int, b: int, own: Sequence[JudgedPair], everybody: Sequence[JudgedPair], drawn: int) -> bool:
    """Whether b is shown on the left. `drawn` decides if a and b were on the left equally often."""
    bias = _side_bias(a, own) - _side_bias(b, own)
    if bias == 0:
        bias = sum((pair.left == a) - (pair.left == b) for pair in everybody if {pair.left, pair.right} == {a, b})
    return bias > 0 if bias else bool(drawn % 2)


def _side_bias(shot: int, judged: Sequence[JudgedPair]) -> int:
    """How much more often the picture was shown on the left than on the right."""
    return sum((pair.left == shot) - (pair.right == shot) for pair in judged)


def _hash_of(voter: str, *shots: str) -> int:
    return int.from_bytes(sha256("\n".join((voter, *shots)).encode("utf-8", "surrogatepass")).digest()[:8])
