"""The history: comparisons and their headshots, on both databases, beside the jobs' store."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from databases import Place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keeping import ANN, BEN, OTHER, PHOTO, PICTURE, asked, begin, files_of, look, rows, save_headshot, shot

from headshot.errors import RequestError
from headshot.request import HeadshotRequest
from headshot.storage import History, HistoryEntry, Store, StoreError

# --- what comes


def test_what_is_saved_is_there_for_good_as_it_was_given(place: Place, store: Store) -> None:
    requests = asked("teal", "grey", "blue")
    comparison = store.history.begin(
        ANN, requests, kind="matrix", backend="auto", photo_sha256=PHOTO, face=2, group="g", name="  Ann's \n first "
    )
    facts = {"seconds": 0.5, "likeness": None, "notes": [{"kind": "applied", "text": "Teal."}], "face": [1, 2, 3, 4]}
    one = store.history.save_headshot(
        comparison,
        2,
        png=PICTURE,
        filename="blue.png",
        thumbnail=b"small",
        size=(1024, 1280),
        backend="studio",
        facts=facts,
    )
    store.close()
    with place.open() as again:
        found = look(again.history, comparison)
        assert (found.owner, found.kind, found.group, found.name) == (ANN, "matrix", "g", "Ann's first")
        assert (found.backend, found.photo_sha256, found.face, found.favourite) == ("auto", PHOTO, 2, False)
        assert (found.requests, found.failures, found.ended) == (tuple(requests), {}, False)
        assert found.begun == found.kept_since
        (kept,) = found.headshots
        assert again.history.headshot(ANN, str(one)) == kept
        assert (kept.id, kept.comparison, kept.position, kept.request) == (one, comparison, 2, requests[2])
        assert (kept.backend, kept.filename, kept.size, kept.facts) == ("studio", "blue.png", (1024, 1280), facts)
        assert (kept.favourite, kept.picture.read_bytes()) == (False, PICTURE)
        assert kept.made > found.begun
        assert again.history.thumbnail(ANN, kept.id) == b"small"
        assert again.history.latest(ANN) == found


def test_a_headshot_is_found_by_its_mark(history: History) -> None:
    marks = [letter * 64 for letter in "ab"]
    save_headshot(history, begin(history), png=OTHER)  # from before there were marks
    comparison = begin(history)
    first, second = (
        save_headshot(history, comparison, at, str(at).encode(), mark=mark) for at, mark in enumerate(marks)
    )
    again = save_headshot(history, begin(history), mark=marks[0])
    for mark, shot_id in zip(marks, (again, second), strict=True):
        found = history.by_content_id(ANN, mark)
        assert found is not None and found.id == shot_id != first
    assert history.by_content_id(ANN, "c" * 64) is None


def test_a_comparison_goes_on_until_it_is_ended_and_keeps_what_comes_later(history: History) -> None:
    comparison = begin(history)
    save_headshot(history, comparison, 1)
    assert not look(history, comparison).ended
    history.end(comparison)
    assert look(history, comparison).ended
    save_headshot(history, comparison, 0, OTHER)
    assert [kept.position for kept in look(history, comparison).headshots] == [0, 1]
    assert look(history, comparison).ended


def test_why_one_did_not_come_is_kept_until_it_is_saved(history: History) -> None:
    comparison = begin(history)
    history.fail(comparison, 1, "The service declined it.")
    history.fail(comparison, 1, "It declined it again.")
    assert look(history, comparison).failures == {1: "It declined it again."}
    save_headshot(history, comparison, 1)
    assert look(history, comparison).failures == {}
    history.fail(comparison, 1, "A latecomer.")
    assert look(history, comparison).failures == {}


def test_the_same_picture_is_saved_once_and_another_one_stands_behind_it(place: Place, history: History) -> None:
    comparison = begin(history)
    first = save_headshot(history, comparison)
    assert save_headshot(history, comparison) == first
    second = save_headshot(history, comparison, png=OTHER)
    assert [kept.id for kept in look(history, comparison).headshots] == [first, second]
    assert place.files == files_of(PICTURE, OTHER)


def test_a_paid_job_is_saved_once_though_two_pages_sign_its_picture_differently(place: Place, history: History) -> None:
    comparison = begin(history)
    first = save_headshot(history, comparison, job="j1")
    assert save_headshot(history, comparison, png=OTHER, job="j1") == first
    assert save_headshot(history, comparison, png=OTHER, job="j2") != first  # it was sent again, and paid for again
    assert len(look(history, comparison).headshots) == 2


def test_what_its_visitor_has_deleted_does_not_come_back(place: Place, history: History) -> None:
    comparison = begin(history)
    history.delete(ANN, comparison)
    assert save_headshot(history, comparison) is None
    history.fail(comparison, 0, "Too late.")
    history.end(comparison)
    assert (rows(place), place.files) == ({}, set())


def test_a_position_or_a_seed_that_is_none_is_a_bug(place: Place, history: History) -> None:
    comparison = begin(history)
    for position in (-1, 2):
        with pytest.raises(ValueError, match="no position"):
            save_headshot(history, comparison, position)
        with pytest.raises(ValueError, match="no position"):
            history.fail(comparison, position, "?")
    for requests in ([], [HeadshotRequest()]):
        with pytest.raises(ValueError, match="seed"):
            history.begin(ANN, requests, kind="team", backend="studio", photo_sha256=PHOTO, face=None)
    assert (rows(place), place.files) == ({"comparisons": 1}, set())


def test_a_token_that_is_passed_for_its_mark_is_refused_and_not_shown(history: History) -> None:
    with pytest.raises(ValueError, match="owner must be") as caught:
        begin(history, "canary")
    assert "canary" not in str(caught.value)


def test_a_picture_that_cannot_be_written_leaves_nothing_and_can_land_later(place: Place, history: History) -> None:
    comparison = begin(history)
    folder = next((place.folder / "pictures").iterdir())
    in_the_way = folder / sha256(PICTURE).hexdigest()[:2]
    in_the_way.write_text("no folder")
    with pytest.raises(StoreError, match="pictures"):
        save_headshot(history, comparison)
    assert look(history, comparison).headshots == ()
    in_the_way.unlink()
    assert save_headshot(history, comparison)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_said_can_be_kept(history: History, word: str, sentence: str) -> None:
    try:
        requests = [HeadshotRequest(prompt=word, seed=1)]
    except RequestError:  # half a character
        requests = asked("plain")
    comparison = begin(history, requests=requests, name=word)
    history.fail(comparison, 0, sentence)
    found = look(history, comparison)
    assert found.requests == tuple(requests)
    assert len(found.failures[0]) == len(sentence)
    history.forget(ANN)


# --- what is found


def test_the_history_is_paged_without_a_gap_or_a_repetition(place: Place, history: History) -> None:
    made = []
    for number in range(11):
        place.clock.step = timedelta(seconds=number % 3 == 0)  # most share their moment with another
        made.append(begin(history))
        begin(history, BEN)
    pages: list[tuple[HistoryEntry, ...]] = []
    last = None
    while page := history.page(ANN, before=last, limit=3):
        pages.append(page)
        last = page[-1]
    found = [comparison for page in pages for comparison in page]
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    assert {comparison.id for comparison in found} == set(made)
    assert found == sorted(found, key=lambda comparison: (comparison.begun, comparison.id), reverse=True)


@pytest.mark.parametrize(
    ("kept", "sought"),
    [
        ("Charcoal SUIT", "charcoal suit"),
        ("charcoal\n  suit", "CHARCOAL Suit"),
        ("weiße Straße", "WEISSE STRASSE"),
        ("cafe\u0301", "CAFÉ"),
        ("ΟΔΟΣ", "οδός".replace("ό", "ο")),
        ("100% wool", "0% w"),
        ("a_b", "A_B"),
        ("back\\slash", "k\\s"),
        ("it's “quoted”", "it's “q"),
    ],
)
def test_a_search_finds_a_text_in_whatever_letters(history: History, kept: str, sought: str) -> None:
    begin(history, requests=asked("100 wool", "axb", "backslash", "plain"))
    in_prompt = begin(history, requests=asked("plain", kept))
    in_negative = begin(history, requests=[HeadshotRequest(negative_prompt=kept, seed=1)])
    in_name = begin(history)
    history.rename(ANN, in_name, kept)
    assert [found.id for found in history.page(ANN, search=sought)] == [in_name, in_negative, in_prompt]
    history.rename(ANN, in_name, "")
    assert [found.id for found in history.page(ANN, search=sought)] == [in_negative, in_prompt]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("aB%_\\é ", max_size=6), min_size=1, max_size=4), st.text("Ab%_\\É ", max_size=3))
def test_a_search_finds_what_holds_it_and_nothing_else(history: History, prompts: list[str], sought: str) -> None:
    history.forget(ANN)
    for prompt in prompts:
        begin(history, requests=[HeadshotRequest(prompt=prompt, negative_prompt="", seed=1)])
    found = [comparison.requests[0].prompt for comparison in history.page(ANN, search=sought)]
    words = " ".join(sought.lower().split())
    assert found == [prompt for prompt in reversed(prompts) if words in " ".join(prompt.lower().split())]


def test_a_search_for_a_book_is_refused_with_a_sentence(history: History) -> None:
    with pytest.raises(RequestError, match="fewer words"):
        history.page(ANN, search="%" * 50_000)


def test_the_history_is_filtered_by_backend_and_by_favourites(history: History) -> None:
    studio, fell, plain = begin(history), begin(history, backend="modelslab"), begin(history, backend="pipeline")
    save_headshot(history, studio)
    kept = save_headshot(history, fell, png=OTHER, backend="studio")  # where the service was not to be had
    assert [found.id for found in history.page(ANN, backend="studio")] == [fell, studio]
    assert [found.id for found in history.page(ANN, backend="modelslab")] == [fell]
    assert history.page(ANN, favourites=True) == ()
    assert history.favourite(ANN, str(kept), True)
    assert history.favourite(ANN, plain, True)
    assert [found.id for found in history.page(ANN, favourites=True)] == [plain, fell]
    assert [found.id for found in history.page(ANN, favourites=True, backend="studio", search="TEAL")] == [fell]
    assert [found.favourite for found in history.page(ANN)] == [True, False, False]
    assert look(history, fell).headshots[0].favourite
    assert history.favourite(ANN, str(kept), False)
    assert [found.id for found in history.page(ANN, favourites=True)] == [plain]


def test_what_belongs_together_is_found_together_in_its_order(history: History) -> None:
    first, second = begin(history, group="team 1"), begin(history, group="team 1")
    begin(history, group="team 2")
    begin(history)
    assert [found.id for found in history.group(ANN, "team 1")] == [first, second]
    assert history.group(ANN, "") == ()


def test_usage_counts_each_file_once(history: History) -> None:
    shot(history, PICTURE)
    shot(history, PICTURE)
    shot(history, OTHER)
    shot(history, OTHER, BEN)
    usage = history.usage(ANN)
    assert (usage.comparisons, usage.headshots, usage.bytes) == (3, 3, len(PICTURE) + len(OTHER))


def test_a_name_is_bounded_and_one_line(history: History) -> None:
    comparison = begin(history)
    assert history.rename(ANN, comparison, " for\tthe\nboard ")
    assert look(history, comparison).name == "for the board"
    with pytest.raises(RequestError, match="80 characters"):
        history.rename(ANN, comparison, "n" * 81)
    with pytest.raises(RequestError, match="80 characters"):
        begin(history, name="n" * 81)


def test_a_groups_name_is_that_of_all_its_runs_and_of_those_that_come(history: History) -> None:
    ann, other = begin(history, group="team", name="Ann"), begin(history, group="another", name="Li")
    theirs = begin(history, BEN, group="team")
    assert history.rename_group(ANN, "team", " The\tboard ")
    cy = begin(history, group="team", name="Cy")
    assert [(run.name, run.group_name) for run in history.group(ANN, "team")] == [
        ("Ann", "The board"),
        ("Cy", "The board"),
    ]
    assert {run.id for run in history.page(ANN, search="the BOARD")} == {ann, cy}
    assert look(history, other).group_name == ""
    assert [run.group_name for run in history.group(BEN, "team")] == [""], theirs
    assert history.rename_group(ANN, "team", "")
    assert history.page(ANN, search="board") == ()
    alone = begin(history)
    assert not history.rename_group(ANN, "", "Nobody's")
    assert look(history, alone).group_name == ""
    with pytest.raises(RequestError, match="80 characters"):
        history.rename_group(ANN, "team", "n" * 81)


# --- whose is what


def test_a_visitor_finds_and_changes_nothing_of_another_visitors(place: Place, history: History) -> None:
    kept, second = shot(history), shot(history, OTHER)
    comparison = begin(history, group="team")
    save_headshot(history, comparison, mark="a" * 64)
    look_of_ann = history.save_look(ANN, "Board", {"prompt": "teal"})
    code = history.open_vote(ANN, kept.comparison, [kept.id, second.id], "Which?")
    before = rows(place)
    calls: dict[str, Callable[[], object]] = {
        "page": lambda: history.page(BEN),
        "comparison": lambda: history.comparison(BEN, comparison),
        "group": lambda: history.group(BEN, "team"),
        "latest": lambda: history.latest(BEN),
        "begun_at": lambda: history.begun_at(BEN, look(history, comparison).begun),
        "headshot": lambda: history.headshot(BEN, kept.id),
        "by_content_id": lambda: history.by_content_id(BEN, "a" * 64),
        "thumbnail": lambda: history.thumbnail(BEN, kept.id),
        "usage": lambda: history.usage(BEN).comparisons + history.usage(BEN).headshots + history.usage(BEN).bytes,
        "rename": lambda: history.rename(BEN, comparison, "mine"),
        "rename_group": lambda: history.rename_group(BEN, "team", "mine"),
        "favourite": lambda: history.favourite(BEN, comparison, True) or history.favourite(BEN, kept.id, True),
        "delete": lambda: history.delete(BEN, comparison),
        "delete_headshot": lambda: history.delete_headshot(BEN, kept.id),
        "forget": lambda: history.forget(BEN),
        "saved_settings": lambda: history.saved_settings(BEN),
        "delete_look": lambda: history.delete_look(BEN, look_of_ann.id),
        "close_vote": lambda: history.close_vote(BEN, code),
        "votes": lambda: history.votes(BEN),
    }
    public = {name: getattr(history, name) for name in (*dir(History), *vars(history)) if not name.startswith("_")}
    scoped = {name for name, method in public.items() if "owner" in inspect.signature(method).parameters}
    assert set(calls) == scoped - {"begin", "save_look", "open_vote"}  # which make something of the owner's own
    for name, call in calls.items():
        assert not call(), name
    with pytest.raises(RequestError, match="no longer there"):
        history.open_vote(BEN, kept.comparison, [kept.id, second.id], "Mine?")
    assert rows(place) == before
    assert place.files == files_of(PICTURE, OTHER)
    assert look(history, comparison).name == ""
    assert history.page(ANN, favourites=True) == ()


# --- what goes


def test_everything_of_a_deleted_comparison_goes_with_it(place: Place, history: History) -> None:
    kept, second = shot(history), shot(history, OTHER)
    history.fail(kept.comparison, 1, "Declined.")
    code = history.open_vote(ANN, kept.comparison, [kept.id, second.id], "Which?")
    assert history.cast(code, BEN, kept.id, second.id, "tie")
    assert history.delete(ANN, kept.comparison)
    assert rows(place) == {"comparisons": 1, "shots": 1, "thumbnails": 1}
    assert place.files == files_of(OTHER)
    assert not history.delete(ANN, kept.comparison)


def test_a_deleted_headshot_takes_its_picture_and_leaves_its_comparison(place: Place, history: History) -> None:
    comparison = begin(history)
    first, second = save_headshot(history, comparison, 0), save_headshot(history, comparison, 1, OTHER)
    assert history.delete_headshot(ANN, str(first))
    assert [kept.id for kept in look(history, comparison).headshots] == [second]
    assert place.files == files_of(OTHER)
    assert not history.delete_headshot(ANN, str(first))


def test_what_a_visitor_asks_to_forget_is_forgotten_and_nothing_else(place: Place, history: History) -> None:
    first, second, theirs = shot(history), shot(history, OTHER), shot(history, OTHER, BEN)
    history.save_look(ANN, "Board", {})
    history.save_look(BEN, "Board", {})
    code = history.open_vote(ANN, first.comparison, [first.id, second.id], "Which?")
    history.cast(code, BEN, first.id, second.id, "left")
    assert history.forget(ANN) == 2
    assert rows(place) == {"comparisons": 1, "shots": 1, "thumbnails": 1, "looks": 1}
    assert place.files == files_of(OTHER)
    assert history.headshot(BEN, theirs.id) == theirs
    assert history.forget(ANN) == 0


def test_what_came_in_before_expires_however_old_it_is_itself(place: Place, history: History) -> None:
    old = shot(history)
    place.clock.now += timedelta(hours=2)
    brought = history.begin(
        ANN, asked(), kind="comparison", backend="studio", photo_sha256=PHOTO, face=None, begun=old.made
    )
    history.save_look(ANN, "Board", {})
    (place.folder / "pictures" / next((place.folder / "pictures").iterdir()).name / "unfinished-0123").touch()
    assert history.expire(place.clock() - timedelta(hours=1)) == 1
    assert [found.id for found in history.page(ANN)] == [brought]
    assert look(history, brought).begun == old.made
    assert place.files == set()
    assert [kept.name for kept in history.saved_settings(ANN)] == ["Board"]
    place.clock.now += timedelta(days=401)
    assert history.expire(place.clock()) == 1
    assert rows(place) == {}


def test_a_star_on_a_comparison_or_a_headshot_keeps_both_until_their_own_time(place: Place, history: History) -> None:
    plain, starred, with_starred = shot(history), shot(history, OTHER), shot(history, b"PNG third")
    assert history.favourite(ANN, starred.comparison, True)
    assert history.favourite(ANN, with_starred.id, True)
    now = place.clock.now = place.clock.now + timedelta(hours=2)
    assert history.expire(now - timedelta(hours=1), starred_before=now - timedelta(hours=3)) == 1
    assert {found.id for found in history.page(ANN)} == {starred.comparison, with_starred.comparison}
    assert history.headshot(ANN, plain.id) is None
    assert history.expire(now - timedelta(hours=1), starred_before=now - timedelta(hours=1)) == 2


def test_what_a_visitor_deletes_is_not_left_in_the_files_of_sqlite(tmp_path: Path) -> None:
    def found() -> list[str]:
        return [path.name for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]

    with Store.open(tmp_path) as store:
        for number in range(20):
            comparison = begin(store.history, requests=asked("canary " * 20), name=f"canary {number}")
            store.history.fail(comparison, 0, "canary")
            store.history.save_look(ANN, f"canary {number}", {"prompt": "canary"})
        begin(store.history, BEN)
        assert found()
        store.history.forget(ANN)
        assert found() == []
