"""The jobs' store, on both of its databases."""

import os
import stat
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from databases import Place
from keeping import ANN, BEN, OTHER, PICTURE, at_once
from paidjobs import REQUEST, WAY_TO, add, done, failed, finish, look, send, sent, unknown
from sqlalchemy.exc import IntegrityError

from headshot.storage import (
    JobId,
    JobState,
    StateError,
    Store,
    hash_token,
    key_fingerprint,
)

# --- the machine


CALLS: dict[str, Callable[[Store, JobId], bool | None]] = {
    "sending": lambda store, job: store.sending(job, asked=True),
    "withdrawn": lambda store, job: store.reset_to_pending(job, "not connected"),
    "accepted": lambda store, job: store.accepted(job, "r1", 9.5),
    "unknown": lambda store, job: store.unknown(job, "No answer came."),
    "failed": lambda store, job: store.failed(job, "Declined."),
    "done": lambda store, job: store.done(job, OTHER, "b.png"),
}
NO, BUG = "no change", "a bug"
# fmt: off
OUTCOMES = {  # from:   PENDING         SENT              PROCESSING        UNKNOWN           DONE  FAILED
    "sending":   (JobState.SENT,    BUG,              BUG,              BUG,              BUG,  BUG),
    "withdrawn": (NO,            JobState.PENDING,    BUG,              NO,               BUG,  BUG),
    "accepted":  (BUG,           JobState.PROCESSING, NO,               JobState.PROCESSING, NO,   NO),
    "unknown":   (BUG,           JobState.UNKNOWN,    JobState.UNKNOWN,    NO,               NO,   NO),
    "failed":    (JobState.FAILED,  JobState.FAILED,     JobState.FAILED,     JobState.FAILED,     NO,   NO),
    "done":      (BUG,           BUG,              JobState.DONE,       JobState.DONE,       NO,   NO),
}
# fmt: on
START = (JobState.PENDING, JobState.SENT, JobState.PROCESSING, JobState.UNKNOWN, JobState.DONE, JobState.FAILED)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_in_each_state_does_what_the_machine_says_and_nothing_else(store: Store, call: str) -> None:
    for start, outcome in zip(START, OUTCOMES[call], strict=True):
        job = WAY_TO[start](store)
        before = look(store, job)
        assert before.state is start
        if outcome == BUG:
            with pytest.raises(StateError, match=job):
                CALLS[call](store, job)
        else:
            assert CALLS[call](store, job) is (None if call == "sending" else outcome != NO)
        after = look(store, job)
        if outcome in (NO, BUG):
            assert after == before, (start, call)
            assert [event.what for event in store.timeline(ANN, job)][-1] == ("added" if start == "pending" else start)
        else:
            assert after.state is outcome
            assert after.changed_at > before.changed_at
        store.forget(ANN)


def test_a_job_is_on_the_disk_before_anything_is_sent(place: Place, store: Store) -> None:
    job = add(store, position=3, track_id="t", webhook_mark=hash_token("w"))
    with place.open() as another:
        found = look(another, job)
    assert found == look(store, job)
    assert (found.state, found.stranded, found.position, found.request) == (JobState.PENDING, False, 3, REQUEST)
    assert (found.api, found.key_fingerprint, found.track_id) == ("v6", key_fingerprint("key", store.salt), "t")
    assert (found.remote_id, found.picture, found.polls, found.facts) == (None, None, 0, {})
    assert found.created_at == found.changed_at
    assert found.created_at.utcoffset() == timedelta(0)


def test_a_finished_job_has_its_picture_and_its_facts_for_good(place: Place, store: Store) -> None:
    job = send(store)
    assert store.done(job, PICTURE, "a.png", {"seed": 5, "notes": ["calm"]})
    store.close()
    with place.open() as again:
        found = look(again, job)
    assert (found.state, found.filename, found.facts) == (JobState.DONE, "a.png", {"seed": 5, "notes": ["calm"]})
    assert found.picture is not None
    assert found.picture.read_bytes() == PICTURE
    assert place.files == {sha256(PICTURE).hexdigest()}


def test_the_first_end_wins_and_a_late_picture_is_not_even_written(place: Place, store: Store) -> None:
    declined, ready = failed(store), done(store)
    assert not store.done(declined, OTHER, "b.png")
    assert not store.done(ready, OTHER, "b.png")
    assert not store.failed(ready, "Declined.")
    assert [look(store, job).state for job in (declined, ready)] == [JobState.FAILED, JobState.DONE]
    assert place.files == {sha256(PICTURE).hexdigest()}


def test_what_is_unknown_can_still_be_found_and_finished(store: Store) -> None:
    job = unknown(store)
    assert look(store, job).sentence == "No answer came."
    assert store.accepted(job, "late", 3.0)
    assert (look(store, job).remote_id, look(store, job).sentence) == ("late", "")
    assert store.unknown(job, "No result within ten minutes.")
    assert look(store, job).remote_id == "late"
    assert store.done(job, PICTURE, "a.png")


def test_a_post_that_nobody_can_have_taken_is_withdrawn_and_sent_again(store: Store) -> None:
    job = sent(store)
    assert store.reset_to_pending(job, "rate limited")
    assert "nothing was sent" in look(store, job).sentence
    store.sending(job)
    assert (look(store, job).state, look(store, job).sentence) == (JobState.SENT, "")


def test_no_other_reason_withdraws_a_post(store: Store) -> None:
    job = sent(store)
    with pytest.raises(KeyError):
        store.reset_to_pending(job, "read timeout")  # type: ignore[arg-type]
    assert look(store, job).state is JobState.SENT


def test_a_job_that_the_service_knows_by_two_names_is_a_bug_and_keeps_the_first(store: Store) -> None:
    job = send(store, "r1")
    for start in (lambda: None, lambda: store.unknown(job, "?"), lambda: store.done(job, PICTURE, "a.png")):
        start()
        with pytest.raises(StateError, match="'r1' at the service, and now 'r2'"):
            store.accepted(job, "r2")
    assert look(store, job).remote_id == "r1"
    assert not store.accepted(job, "r1")
    assert not store.accepted(job, None)


def test_polls_are_counted_while_the_service_works(store: Store) -> None:
    job = add(store)
    assert not store.polled(job)
    store.sending(job)
    store.accepted(job, "r1", 13.067986918399999)
    assert store.polled(job)
    assert (look(store, job).polls, look(store, job).eta_seconds) == (1, 13.067986918399999)
    assert store.polled(job, 4.5)
    assert (look(store, job).polls, look(store, job).eta_seconds) == (2, 4.5)
    store.done(job, PICTURE, "a.png")
    assert not store.polled(job)


def test_the_timeline_tells_what_happened_in_its_order(store: Store) -> None:
    job = add(store)
    store.sending(job)
    store.reset_to_pending(job, "not connected")
    store.sending(job)
    store.accepted(job, "r1", 2.0, details={"status": "processing"})
    assert store.note(job, "webhook", "It called.")
    store.done(job, PICTURE, "a.png")
    events = store.timeline(ANN, job)
    assert [event.what for event in events] == [
        "added", "sent", "pending", "sent", "processing", "webhook", "done"
    ]  # fmt: skip
    assert [event.at for event in events] == sorted({event.at for event in events})
    assert (events[2].sentence, events[4].details) == (
        "The service could not be reached, so nothing was sent.",
        {"status": "processing"},
    )
    assert events[5].sentence == "It called."


def test_whatever_the_service_says_can_be_kept(store: Store) -> None:
    odd = "nul \0 half \ud800 whole 😀"
    kept = "nul \ufffd half ? whole 😀"
    job = add(store, track_id=odd)
    store.sending(job)
    store.accepted(job, "r1", details={"eta": float("nan"), odd: [odd, float("-inf")]})
    store.unknown(job, odd)
    assert (look(store, job).sentence, look(store, job).track_id) == (kept, kept)
    store.done(job, PICTURE, odd, {"text": odd, "number": float("inf")})
    assert (look(store, job).filename, look(store, job).facts) == (kept, {"text": odd, "number": None})
    assert store.timeline(ANN, job)[2].details == {"eta": None, odd: [odd, None]}
    assert store.job(ANN, JobId(odd)) is None
    assert store.by_webhook(odd, odd, odd) is None


# --- two at once


def test_of_many_threads_that_race_to_send_a_job_one_may(place: Place) -> None:
    stores = [place.open() for _ in range(4)]
    for _ in range(10):
        job = add(stores[0])
        results = at_once(*[partial(store.sending, job) for store in stores * 2])
        assert results.count(None) == 1
        assert [type(result) for result in results].count(StateError) == 7
    for store in stores:
        store.close()


def test_of_many_ends_that_race_one_wins_and_its_file_alone_stays(place: Place) -> None:
    first, second = place.open(), place.open()
    for _ in range(10):
        job = send(first)
        results = at_once(
            partial(first.done, job, PICTURE, "a.png"),
            partial(second.failed, job, "Declined."),
            partial(second.done, job, OTHER, "b.png"),
            partial(first.unknown, job, "?"),
        )
        assert results[:3].count(True) == 1
        assert results[:3].count(False) == 2
        won = [{sha256(PICTURE).hexdigest()}, set(), {sha256(OTHER).hexdigest()}][results.index(True)]
        assert place.files == won
        first.forget(ANN)
    first.close()
    second.close()


def test_a_picture_that_one_gets_while_another_deletes_it_stays(place: Place) -> None:
    first, second = place.open(), place.open()
    for _ in range(10):
        finish(first, owner=ANN)
        job = send(second, owner=BEN)
        results = at_once(partial(first.forget, ANN), partial(second.done, job, PICTURE, "b.png"))
        assert results == [1, True]
        assert place.files == {sha256(PICTURE).hexdigest()}
        second.forget(BEN)
        assert place.files == set()
    first.close()
    second.close()


def test_nothing_is_deadlocked_when_all_is_done_at_once(place: Place) -> None:
    first, second = place.open(), place.open()
    for _ in range(3):
        jobs = [send(first, f"r{index}") for index in range(6)]
        results = at_once(
            first.recover,
            partial(second.expire, place.clock()),
            partial(first.forget, ANN),
            *[partial(second.done, job, PICTURE, "a.png") for job in jobs],
            *[partial(first.note, job, "webhook") for job in jobs],
        )
        assert [result for result in results if isinstance(result, Exception)] == []
        first.forget(ANN)
    assert first.recover().to_poll == ()
    assert place.files == set()
    first.close()
    second.close()


# --- whose is what


def test_a_visitor_finds_nothing_of_another_visitors(store: Store) -> None:
    job = finish(store, owner=ANN)
    assert store.job(ANN, job) is not None
    assert store.job(BEN, job) is None
    assert store.jobs(BEN) == store.comparison(BEN, "c") == store.in_state(BEN, *JobState) == ()
    assert store.timeline(ANN, job) != ()
    assert store.timeline(BEN, job) == ()
    assert store.forget(BEN) == 0
    assert store.job(ANN, job) is not None


def test_the_history_is_paged_without_a_gap_or_a_repetition(place: Place, store: Store) -> None:
    jobs = [add(store, position=position) for position in range(4)]
    place.clock.step = timedelta(0)
    jobs += [add(store, position=position) for position in range(7)]  # in one moment
    pages, last = [], None
    while page := store.jobs(ANN, before=last, limit=3):
        pages.append(page)
        last = page[-1]
    seen = [job.id for page in pages for job in page]
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    assert sorted(seen) == sorted(jobs)
    assert seen[7:] == jobs[3::-1]


def test_a_comparison_comes_by_position_and_what_was_sent_again_stands_behind(store: Store) -> None:
    second, first = add(store, position=1), add(store, position=0)
    again = add(store, position=0)
    add(store, comparison="another")
    assert [job.id for job in store.comparison(ANN, "c")] == [first, again, second]


def test_jobs_are_found_by_their_state(store: Store) -> None:
    waiting, lost, ready = add(store), unknown(store), finish(store)
    assert [job.id for job in store.in_state(ANN, JobState.UNKNOWN)] == [lost]
    assert {job.id for job in store.in_state(ANN, JobState.PENDING, JobState.DONE)} == {waiting, ready}
    assert store.in_state(ANN) == ()


# --- the webhook


def test_a_webhooks_call_counts_only_where_everything_fits(store: Store) -> None:
    job = send(store, "r1", track_id="t1", webhook_mark=hash_token("w1"))
    other = send(store, "r2", track_id="t2", webhook_mark=hash_token("w2"))
    assert store.by_webhook(hash_token("w1"), "t1", "r1") == look(store, job)
    assert store.by_webhook(hash_token("w2"), "t2", "r2") == look(store, other)
    for call in (("w", "t1", "r1"), ("w1", "t2", "r1"), ("w1", None, "r1"), ("w1", "t1", "r2"), ("w1", "t1", "")):
        assert store.by_webhook(hash_token(call[0]), *call[1:]) is None, call
    assert store.by_webhook("w1", "t1", "r1") is None  # the token itself is no mark


def test_a_webhook_may_name_what_has_no_name_yet_but_not_with_anothers(store: Store) -> None:
    job = add(store, track_id="t1", webhook_mark=hash_token("w1"))
    send(store, "r2")
    assert store.by_webhook(hash_token("w1"), "t1", "r1") is None  # nothing was sent
    store.sending(job)
    assert store.by_webhook(hash_token("w1"), "t1", "r1") == look(store, job)
    store.unknown(job, "?")
    assert store.by_webhook(hash_token("w1"), "t1", "r1") == look(store, job)
    assert store.by_webhook(hash_token("w1"), "t1", "r2") is None


def test_a_webhook_that_calls_twice_finds_the_ended_job_and_one_that_calls_next_day_nothing(
    place: Place, store: Store
) -> None:
    job = send(store, "r1", track_id="t1", webhook_mark=hash_token("w1"))
    store.done(job, PICTURE, "a.png")
    found = store.by_webhook(hash_token("w1"), "t1", "r1")
    assert found is not None
    assert found.state.ended
    place.clock.now += timedelta(hours=24)
    assert store.by_webhook(hash_token("w1"), "t1", "r1") is None


def test_no_two_jobs_share_a_webhook(store: Store) -> None:
    add(store, webhook_mark=hash_token("w"))
    with pytest.raises(IntegrityError):
        add(store, webhook_mark=hash_token("w"))


# --- secrets, and other people on the machine


def test_a_secret_that_is_passed_for_its_mark_is_refused_and_not_shown(store: Store) -> None:
    canary = "sk-canary-0123456789"
    for name in ("owner", "key_fingerprint", "photo_sha256", "webhook_mark"):
        with pytest.raises(ValueError, match=name) as caught:
            add(store, **{name: canary})
        assert canary not in "".join(traceback.format_exception(caught.value))
    assert store.jobs(ANN) == ()


def test_the_mark_of_a_key_tells_keys_apart_and_is_another_in_another_database(store: Store, tmp_path: Path) -> None:
    assert (
        key_fingerprint("key", store.salt) == key_fingerprint("key", store.salt) != key_fingerprint("yek", store.salt)
    )
    with Store.open(tmp_path / "other") as other:
        assert key_fingerprint("key", store.salt) != key_fingerprint("key", other.salt)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_nobody_else_on_the_machine_can_read_the_jobs_or_the_pictures(place: Place, store: Store) -> None:
    finish(store)
    paths = [place.folder, *place.folder.rglob("*")]
    assert len(paths) > 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}


def test_what_a_statement_was_given_is_in_no_error(store: Store) -> None:
    add(store, webhook_mark=hash_token("w"), track_id="canary")
    with pytest.raises(Exception, match="webhook_mark") as caught:
        add(store, webhook_mark=hash_token("w"), track_id="canary")
    shown = "".join(traceback.format_exception(caught.value))
    assert "INSERT INTO jobs" in shown
    assert "canary" not in shown.replace('track_id="canary"', "")
    assert REQUEST.prompt not in shown
