"""Looks that are kept and votes that are shared, on both databases."""

from functools import partial

import pytest
from databases import Place
from keeping import ANN, BEN, OTHER, PICTURE, at_once, begin, save_headshot, shot

from headshot.errors import RequestError
from headshot.storage import History, hash_token, saved_settings, votes

CY = hash_token("cy's token")


@pytest.fixture
def three(history: History) -> tuple[str, str, str]:
    """The ids of three headshots of one comparison."""
    comparison = begin(history)
    first, second, third = (save_headshot(history, comparison, 0, PICTURE + bytes([number])) for number in range(3))
    return str(first), str(second), str(third)


def opened(history: History, shots: tuple[str, ...], owner: str = ANN) -> str:
    kept = history.headshot(owner, shots[0])
    assert kept is not None
    return history.open_vote(owner, kept.comparison, shots, "  For the \n board ")


# --- looks


def test_a_look_is_kept_under_its_name_and_replaced_under_the_same(history: History) -> None:
    settings = {"prompt": "teal", "guidance_scale": 7.5, "num_inference_steps": 31, "backend": None}
    first = history.save_look(ANN, "  The \n board ", settings)
    assert (first.name, first.settings) == ("The board", settings)
    history.save_look(ANN, "alpine", {})
    history.save_look(BEN, "The board", {"prompt": "another's"})
    assert [kept.name for kept in history.saved_settings(ANN)] == ["alpine", "The board"]
    again = history.save_look(ANN, "The board", {"prompt": "grey"})
    assert history.saved_settings(ANN)[1] == again
    assert (again.id, again.settings) == (first.id, {"prompt": "grey"})
    assert history.delete_look(ANN, first.id)
    assert not history.delete_look(ANN, first.id)
    assert [kept.name for kept in history.saved_settings(ANN)] == ["alpine"]
    assert history.saved_settings(BEN)[0].settings == {"prompt": "another's"}


def test_a_look_that_is_too_much_is_refused_with_a_sentence(history: History) -> None:
    for name, settings, sentence in (
        (" ", {}, "Give the look a name"),
        ("n" * 41, {}, "40 characters"),
        ("long", {"prompt": "p" * 20_000}, "shorten"),
    ):
        with pytest.raises(RequestError, match=sentence):
            history.save_look(ANN, name, settings)
    for number in range(saved_settings.MAX_SAVED):
        history.save_look(ANN, f"look {number}", {})
    with pytest.raises(RequestError, match="At most 50 looks"):
        history.save_look(ANN, "one more", {})
    assert history.save_look(ANN, "look 7", {"seed": 1}).settings == {"seed": 1}
    assert len(history.saved_settings(ANN)) == saved_settings.MAX_SAVED


def test_one_name_saved_twice_at_once_is_one_look(place: Place) -> None:
    first, second = place.open(), place.open()
    for number in range(5):
        save = [partial(store.history.save_look, ANN, f"look {number}", {}) for store in (first, second) * 2]
        results = at_once(*save)
        assert [result for result in results if isinstance(result, Exception)] == []
        assert len(first.history.saved_settings(ANN)) == number + 1
    first.close()
    second.close()


# --- votes


def test_a_vote_is_found_by_its_code_however_that_is_typed(history: History, three: tuple[str, str, str]) -> None:
    code = opened(history, three[::-1])
    assert len(code) == 8
    assert set(code).isdisjoint("01ILOU")
    found = history.vote(code)
    assert found is not None
    assert (found.code, found.owner, found.title, found.open) == (code, ANN, "For the board", True)
    assert found.shots == three[::-1]
    for typed in (code.lower(), f" {code[:4]}-{code[4:]}\n", f"{code[:4]} {code[4:].lower()}"):
        assert history.vote(typed) == found
    for wrong in ("", "22222222", code[:-1], code + code[:1], code * 500, "%" * 8, "\0" * 8):
        assert history.vote(wrong) is None
    second = opened(history, three[:2])
    assert second != code
    assert [vote.code for vote in history.votes(ANN)] == [second, code]
    assert history.votes(BEN) == ()


def test_a_vote_that_cannot_be_is_refused_with_a_sentence(history: History, three: tuple[str, str, str]) -> None:
    comparison = shot(history).comparison
    theirs = shot(history, OTHER, BEN)
    for shots, title, sentence in (
        (three[:1], "", "2 to 64 headshots: 1"),
        (three[:1] * 2, "", "2 to 64 headshots: 1"),
        ([str(number) for number in range(65)], "", "2 to 64 headshots: 65"),
        ([*three, "no such"], "", "no longer there"),
        ([*three, theirs.id], "", "no longer there"),
        (three, "t" * 81, "80 characters"),
    ):
        with pytest.raises(RequestError, match=sentence):
            history.open_vote(ANN, comparison, shots, title)
    with pytest.raises(RequestError, match="no longer there"):
        history.open_vote(ANN, theirs.comparison, three, "")
    assert history.votes(ANN) == ()


def test_a_voters_word_on_a_pair_replaces_what_that_voter_said_before(
    history: History, three: tuple[str, str, str]
) -> None:
    a, b, c = three
    code = opened(history, three)
    assert history.cast(code.lower(), BEN, a, b, "left")
    assert history.cast(code, CY, a, b, "tie")
    assert history.cast(code, BEN, b, c, "right")
    assert history.cast(code, BEN, b, a, "left")
    ballots = [(ballot.voter, ballot.left, ballot.right, ballot.outcome) for ballot in history.ballots(code)]
    assert ballots == [(CY, a, b, "tie"), (BEN, b, c, "right"), (BEN, b, a, "left")]
    moments = [ballot.at for ballot in history.ballots(code)]
    assert moments == sorted(moments)


def test_a_vote_takes_nothing_that_is_not_of_it_and_nothing_once_it_is_closed(
    history: History, three: tuple[str, str, str]
) -> None:
    a, b, c = three
    code = opened(history, (a, b))
    assert not history.cast(code, BEN, a, c, "left")
    assert not history.cast(code, BEN, a, a, "tie")
    assert not history.cast(code, BEN, a, "no such", "left")
    assert not history.cast("22222222", BEN, a, b, "left")
    with pytest.raises(ValueError, match="voter must be"):
        history.cast(code, "a name", a, b, "left")
    with pytest.raises(ValueError, match="outcome"):
        history.cast(code, BEN, a, b, "both")  # type: ignore[arg-type]
    assert history.cast(code, BEN, a, b, "left")
    assert history.close_vote(ANN, code)
    assert not history.close_vote(ANN, code)
    assert not history.cast(code, BEN, a, b, "right")
    found = history.vote(code)
    assert found is not None
    assert not found.open
    assert [ballot.outcome for ballot in history.ballots(code)] == ["left"]


def test_who_has_the_code_sees_the_pictures_of_the_vote_and_no_other(
    history: History, three: tuple[str, str, str]
) -> None:
    code = opened(history, three[:2])
    assert history.shot_of_vote(code.lower(), three[1]) == history.headshot(ANN, three[1])
    assert history.shot_of_vote(code, three[2]) is None
    assert history.shot_of_vote("22222222", three[1]) is None
    other = opened(history, three[1:])
    assert history.shot_of_vote(other, three[0]) is None


def test_a_headshot_that_is_deleted_leaves_its_votes(history: History, three: tuple[str, str, str]) -> None:
    a, b, c = three
    code = opened(history, three)
    for left, right in ((a, b), (b, c), (a, c)):
        assert history.cast(code, BEN, left, right, "left")
    assert history.delete_headshot(ANN, b)
    found = history.vote(code)
    assert found is not None
    assert found.shots == (a, c)
    assert [(ballot.left, ballot.right) for ballot in history.ballots(code)] == [(a, c)]
    assert not history.cast(code, BEN, a, b, "left")
    assert history.shot_of_vote(code, b) is None


def test_a_flood_of_ballots_ends_at_its_bound_and_leaves_what_was_said(
    history: History, three: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = three
    code = opened(history, three)
    monkeypatch.setattr(votes, "MAX_BALLOTS", 2)
    assert history.cast(code, BEN, a, b, "left")
    assert history.cast(code, CY, a, b, "left")
    with pytest.raises(RequestError, match="as many answers as it can"):
        history.cast(code, CY, b, c, "left")
    assert history.cast(code, CY, b, a, "tie")  # in the place of the former
    assert len(history.ballots(code)) == 2


def test_ballots_that_come_at_once_are_each_counted_once(place: Place) -> None:
    first, second = place.open(), place.open()
    comparison = begin(first.history)
    a, b, c = (str(save_headshot(first.history, comparison, 0, bytes([number]))) for number in range(3))
    code = first.history.open_vote(ANN, comparison, [a, b, c], "")
    cast = [
        partial(store.history.cast, code, voter, *pair, "left")
        for store in (first, second)
        for voter in (BEN, CY)
        for pair in ((a, b), (b, a))
    ]
    assert at_once(*cast) == [True] * 8
    assert sorted(ballot.voter for ballot in first.history.ballots(code)) == sorted((BEN, CY))
    results = at_once(*cast, partial(second.history.delete_headshot, ANN, b))
    assert [result for result in results if isinstance(result, Exception)] == []
    assert first.history.ballots(code) == ()
    first.close()
    second.close()
