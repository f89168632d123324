"""Who sees which pair, and what the ballots say: no side, no name and no order of asking may decide a vote."""

import csv
import io
import math
import random
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headshot.exports.sheet import GREY, INK, PAPER
from headshot.voting.chart import ranking_chart, ranking_csv
from headshot.voting.pairs import MAX_PAIRS, count_judged, next_pair, pairs_for
from headshot.voting.ranking import OUTCOMES, Outcome, fit

SHOTS = ("fir", "oak", "elm", "ash", "yew")
SWAPPED: dict[Outcome, Outcome] = {"left": "right", "right": "left", "tie": "tie"}


@dataclass(frozen=True)
class Ballot:
    voter: str
    left: str
    right: str
    outcome: Outcome


PAIRS = st.lists(st.sampled_from(SHOTS), min_size=2, max_size=2, unique=True)
BALLOTS = st.lists(
    st.builds(
        lambda voter, pair, outcome: Ballot(voter, *pair, outcome),
        st.sampled_from(("ann", "bob", "cat")),
        PAIRS,
        st.sampled_from(OUTCOMES),
    ),
    max_size=30,
    unique_by=lambda ballot: (ballot.voter, frozenset((ballot.left, ballot.right))),
)


def _many(left: str, right: str, wins: int, losses: int, ties: int = 0) -> list[Ballot]:
    """Each by a voter of its own."""
    outcomes: list[Outcome] = [*["left"] * wins, *["right"] * losses, *["tie"] * ties]
    return [Ballot(f"voter {number}", left, right, outcome) for number, outcome in enumerate(outcomes)]


def _chance(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _strengths(ballots: list[Ballot], shots: tuple[str, ...] = SHOTS) -> dict[str, float]:
    return {one.shot: one.strength for one in fit(shots, ballots)}


# ---------------------------------------------------------------------------------------------------------- next_pair


def _judge_all(voter: str, ballots: list[Ballot], shots: tuple[str, ...] = SHOTS, most: int = 10_000) -> list[Ballot]:
    """The voter judges what is shown, at random, until nothing is or `most` are judged. The ballots grow by them."""
    chance, own = random.Random(voter), []
    while len(own) < most and (pair := next_pair(shots, voter, ballots)) is not None:
        own.append(Ballot(voter, *pair, chance.choice(OUTCOMES)))
        ballots.append(own[-1])
    return own


@given(BALLOTS, st.sampled_from(("ann", "dan")))
@settings(deadline=None, max_examples=25)
def test_a_voter_sees_each_pair_once_and_then_none(ballots: list[Ballot], voter: str) -> None:
    before = {frozenset((one.left, one.right)) for one in ballots if one.voter == voter}
    assert count_judged(SHOTS, voter, ballots) == len(before)
    seen = [frozenset((one.left, one.right)) for one in _judge_all(voter, ballots)]
    assert sorted(map(sorted, [*before, *seen])) == sorted(map(sorted, combinations(SHOTS, 2)))
    assert count_judged(SHOTS, voter, ballots) == pairs_for(len(SHOTS)) == 10


@given(BALLOTS)
@settings(deadline=None, max_examples=25)
def test_the_same_ballots_give_the_same_pair_in_whatever_order_they_came(ballots: list[Ballot]) -> None:
    shown = next_pair(SHOTS, "dan", ballots)
    assert next_pair(SHOTS, "dan", ballots) == next_pair(SHOTS, "dan", ballots[::-1]) == shown


def test_voters_begin_with_different_pairs_and_sides() -> None:
    first = Counter(next_pair(SHOTS, f"voter {number}", []) for number in range(300))
    assert len(first) == 20  # ten pairs, each both ways round
    assert max(first.values()) < 35


@pytest.mark.parametrize("voters", [1, 2, 7])
def test_no_pair_starves_though_voters_leave_early(voters: int) -> None:
    ballots: list[Ballot] = []
    for number in range(voters):
        voter, own = f"voter {number}", 0
        while own < 6:
            shown = Counter(frozenset((one.left, one.right)) for one in ballots)
            seen = {frozenset((one.left, one.right)) for one in ballots if one.voter == voter}
            least = min(shown[pair] for pair in map(frozenset, combinations(SHOTS, 2)) if pair not in seen)
            pair = next_pair(SHOTS, voter, ballots)
            assert pair is not None
            assert shown[frozenset(pair)] <= least + 1
            ballots.append(Ballot(voter, *pair, "left"))
            own += 1
    met = Counter(shot for one in ballots for shot in (one.left, one.right))
    assert max(met.values()) - min(met.values()) <= 2 + voters // 2


def test_what_is_uncertain_is_asked_before_what_is_clear() -> None:
    clear = [*_many("fir", "oak", 12, 0), *_many("fir", "elm", 12, 0), *_many("oak", "elm", 6, 6)]
    first = [next_pair(SHOTS[:3], f"new {number}", clear) for number in range(5)]
    assert {frozenset(pair or ()) for pair in first} == {frozenset(("oak", "elm"))}


@pytest.mark.parametrize("count", [4, 7, 11])
def test_every_picture_stands_on_either_side_about_as_often(count: int) -> None:
    shots = tuple(f"shot {number}" for number in range(count))
    everybody: list[Ballot] = []
    for voter in ("ann", "bob", "cat"):
        own = _judge_all(voter, everybody, shots)
        for shot in shots:
            assert abs(sum((one.left == shot) - (one.right == shot) for one in own)) <= 3, shot


def test_a_vote_on_many_pictures_asks_nobody_for_ever() -> None:
    shots = tuple(f"shot {number}" for number in range(16))
    assert pairs_for(16) == MAX_PAIRS < math.comb(16, 2)
    own = _judge_all("ann", [], shots)
    assert len(own) == MAX_PAIRS
    met = Counter(shot for one in own for shot in (one.left, one.right))
    assert set(met) == set(shots)
    assert min(met.values()) >= 4  # of 7.5 on average: what always wins tells little more by winning again


@pytest.mark.parametrize("shots", [(), ("fir",)])
def test_fewer_than_two_pictures_make_no_pair(shots: tuple[str, ...]) -> None:
    assert next_pair(shots, "ann", []) is None
    assert len(fit(shots, [])) == len(shots)


def test_ballots_on_a_picture_that_was_deleted_since_are_left_out() -> None:
    ballots = [Ballot("ann", "fir", "gone", "left"), Ballot("ann", "fir", "oak", "left")]
    assert count_judged(("fir", "oak"), "ann", ballots) == 1
    assert fit(("fir", "oak"), ballots) == fit(("fir", "oak"), ballots[1:])


# ------------------------------------------------------------------------------------------------------------- the fit


@pytest.mark.parametrize(("wins", "losses", "ties"), [(1, 0, 0), (7, 3, 0), (7, 3, 4), (0, 9, 1), (500, 250, 0)])
def test_two_pictures_stand_where_the_closed_form_puts_them(wins: int, losses: int, ties: int) -> None:
    """The likelihood's slope is zero: half-wins are as many as expected, the tie with the average one counted too."""
    strength = _strengths(_many("fir", "oak", wins, losses, ties), ("fir", "oak"))["fir"]
    expected = (wins + losses + ties) * _chance(2 * strength) + _chance(strength)
    assert wins + ties / 2 + 0.5 == pytest.approx(expected, abs=1e-8)


def test_with_many_ballots_two_pictures_are_apart_by_their_log_odds_and_its_known_error() -> None:
    fir, oak = fit(("fir", "oak"), _many("fir", "oak", 6000, 3000))
    assert fir.strength - oak.strength == pytest.approx(math.log(2), abs=1e-3)
    error = math.sqrt(1 / 6000 + 1 / 3000)  # of a log odds ratio: Woolf 1955
    assert fir.high - fir.low == pytest.approx(1.96 * error, rel=0.01)  # each lies half the difference from the middle


def test_hunters_algorithm_comes_to_the_same_strengths() -> None:
    chance = random.Random(3)
    ballots = [
        Ballot(f"voter {number}", *pair, chance.choice(OUTCOMES))
        for number in range(4)
        for pair in combinations(SHOTS, 2)
    ]
    number = {shot: at for at, shot in enumerate(SHOTS)}
    score, met = np.full(5, 0.5), np.zeros((5, 5))  # half a win against the average picture, whose strength is 1
    for one in ballots:
        left, right = number[one.left], number[one.right]
        met[left, right] += 1
        met[right, left] += 1
        share = {"left": 1.0, "tie": 0.5, "right": 0.0}[one.outcome]
        score[left] += share
        score[right] += 1 - share
    gamma = np.ones(5)
    for _ in range(3000):
        gamma = score / ((met / (gamma[:, None] + gamma)).sum(axis=1) + 1 / (gamma + 1))
    found = _strengths(ballots)
    assert [found[shot] for shot in SHOTS] == pytest.approx(list(np.log(gamma)), abs=1e-6)


def test_a_known_order_is_found_again_and_lies_within_its_intervals() -> None:
    truth = dict(zip(SHOTS, (1.6, 0.8, 0.0, -0.8, -1.6), strict=True))
    chance, ballots = random.Random(5), list[Ballot]()
    for number in range(120):
        for left, right in combinations(SHOTS, 2):
            wins = chance.random() < _chance(truth[left] - truth[right])
            ballots.append(Ballot(f"voter {number}", left, right, "left" if wins else "right"))
    ranks = fit(SHOTS, ballots)
    assert [one.shot for one in ranks] == list(SHOTS)
    assert all(one.low < truth[one.shot] < one.high for one in ranks)
    assert [one.rank_range for one in ranks] == ["1", "2", "3", "4", "5"]


def test_where_voters_only_disagree_nothing_is_told_apart() -> None:
    """Twelve people, each quite sure, and no two alike: 180 ballots, and only twelve tastes."""
    chance, covered = random.Random(8), 0
    for _ in range(20):
        ballots = []
        for voter in range(12):
            taste = random.Random(chance.random()).sample(SHOTS, 5)
            ballots += [
                Ballot(f"voter {voter}", *pair, "left" if taste.index(pair[0]) < taste.index(pair[1]) else "right")
                for pair in combinations(SHOTS, 2)
            ]
        covered += sum(one.low < 0 < one.high for one in fit(SHOTS, ballots))
    assert covered >= 90  # of a hundred, at 95 %; the ballots alone would give about 80


@given(BALLOTS)
@settings(deadline=None, max_examples=40)
def test_whatever_is_said_every_number_is_finite_and_the_shares_average_to_one_half(ballots: list[Ballot]) -> None:
    ranks = fit(SHOTS, ballots)
    assert {one.shot for one in ranks} == set(SHOTS)
    assert all(math.isfinite(number) for one in ranks for number in (one.strength, one.low, one.high))
    assert all(0 < one.share_low <= one.share <= one.share_high < 1 for one in ranks)
    assert sum(one.share for one in ranks) / 5 == pytest.approx(0.5, abs=1e-9)
    assert sum(one.wins for one in ranks) == sum(one.losses for one in ranks)
    assert sum(one.wins + one.losses + one.ties for one in ranks) == 2 * len(ballots)
    assert all(1 <= one.best <= rank <= one.worst <= 5 for rank, one in enumerate(ranks, start=1))


@given(BALLOTS, st.permutations(SHOTS))
@settings(deadline=None, max_examples=25)
def test_another_name_or_side_or_order_changes_no_standing(ballots: list[Ballot], names: list[str]) -> None:
    renamed = dict(zip(SHOTS, names, strict=True))
    turned = [Ballot(one.voter, renamed[one.right], renamed[one.left], SWAPPED[one.outcome]) for one in ballots[::-1]]
    plain, other = fit(SHOTS, ballots), {one.shot: one for one in fit(names, turned)}
    for one in plain:
        same = other[renamed[one.shot]]
        assert (same.strength, same.low, same.high) == pytest.approx((one.strength, one.low, one.high), abs=1e-7)
        assert (same.wins, same.losses, same.ties) == (one.wins, one.losses, one.ties)


@given(BALLOTS)
@settings(deadline=None, max_examples=25)
def test_to_turn_every_answer_round_turns_the_ranking_round(ballots: list[Ballot]) -> None:
    turned = _strengths([Ballot(one.voter, one.left, one.right, SWAPPED[one.outcome]) for one in ballots])
    for shot, strength in _strengths(ballots).items():
        assert turned[shot] == pytest.approx(-strength, abs=1e-7)


def test_more_ballots_narrow_the_interval() -> None:
    widths = []
    for number in (1, 4, 16, 64):
        ranks = fit(SHOTS[:2], _many("fir", "oak", 2 * number, number))
        widths.append(ranks[0].high - ranks[0].low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 4


def test_who_wins_everything_is_first_and_who_was_never_shown_stands_in_the_middle() -> None:
    ballots = [ballot for other in ("oak", "elm", "ash") for ballot in _many("fir", other, 9, 0)]
    ranks = fit(SHOTS, ballots)
    assert [one.shot for one in ranks][:2] == ["fir", "yew"]
    assert ranks[0].best == 1
    assert ranks[1].wins == ranks[1].losses == ranks[1].ties == 0
    assert ranks[1].low < -1 < 1 < ranks[1].high


def test_a_few_ballots_between_two_groups_with_many_are_heard() -> None:
    """Where an algorithm of small steps would stop long before its end."""
    ballots = [*_many("fir", "oak", 500, 500), *_many("elm", "ash", 500, 500), *_many("fir", "elm", 3, 0)]
    strengths = _strengths(ballots, SHOTS[:4])
    apart = strengths["fir"] - strengths["elm"]
    # The slope of one group as a whole: three wins over the other, and two ties with the average one.
    assert 3 * (1 - _chance(apart)) + 2 * (0.5 - _chance(apart / 2)) == pytest.approx(0, abs=1e-2)


def test_of_two_ballots_by_one_voter_on_one_pair_the_later_counts() -> None:
    changed = [Ballot("ann", "fir", "oak", "left"), Ballot("ann", "oak", "fir", "left")]
    assert fit(("fir", "oak"), changed) == fit(("fir", "oak"), changed[1:])


# ---------------------------------------------------------------------------------------------------------- the result


def test_the_table_says_who_won_and_runs_no_formula() -> None:
    ranks = fit(("fir", "oak"), _many("fir", "oak", 3, 1, 2))
    data = ranking_csv(ranks, {"fir": "=HYPERLINK(1)", "oak": "Seed 2, “navy”"})
    assert data.startswith(b"\xef\xbb\xbf")
    first, second = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert first["headshot"] == "'=HYPERLINK(1)"
    assert second["headshot"] == "Seed 2, “navy”"
    assert (first["won"], first["lost"], first["tied"]) == ("3", "1", "2")
    assert (first["place_from"], first["place_to"]) == ("1", "2")
    assert float(first["low_percent"]) < 50 < float(first["preferred_percent"]) < float(first["high_percent"])
    assert float(first["strength"]) == -float(second["strength"])


def test_the_chart_shows_every_picture_beside_its_interval() -> None:
    ranks = fit(("fir", "oak", "elm"), [*_many("fir", "oak", 9, 3), *_many("oak", "elm", 9, 3)])
    colours = {"fir": (200, 30, 30), "oak": (20, 40, 210), "elm": (240, 190, 20)}
    pictures = {shot: Image.new("RGB", (256, 320), colour) for shot, colour in colours.items()}
    names = {shot: f"Seed {number}" for number, shot in enumerate(colours)}
    page = np.asarray(ranking_chart(ranks, pictures, names, "Which one?", footer="24 votes")).astype(int)
    tops, dots = [], []
    for shot in ("fir", "oak", "elm"):
        rows, columns = np.nonzero((page == colours[shot]).all(axis=2))
        assert np.ptp(columns) + 1 == 112
        assert np.ptp(rows) + 1 == 140
        tops.append(rows.min())
        middle = page[(rows.min() + rows.max() + 1) // 2]
        dots.append(np.nonzero((np.abs(middle - (20, 100, 89)) < 8).all(axis=1))[0].mean())
    assert tops == sorted(tops)
    assert dots == sorted(dots, reverse=True)  # the stronger, the further right
    one = ranks[0]
    assert (dots[0] - 840) / 540 == pytest.approx(one.share, abs=0.003)


def test_a_chart_without_votes_pictures_or_a_title_is_still_one() -> None:
    names = {"fir": "Seed 1 " * 60, "oak": "“Ω” Ящик"}
    page = ranking_chart(fit(("fir", "oak"), []), {}, names)
    titled = ranking_chart(fit(("fir", "oak"), []), {"fir": Image.new("LA", (3, 900))}, names, "Title")
    assert titled.height > page.height
    assert {page.getpixel((2, 2)), page.getpixel((page.width - 2, page.height - 2))} == {PAPER}
    colours = {colour for _, colour in page.getcolors(1 << 20) or ()}
    assert {INK, GREY} <= colours
