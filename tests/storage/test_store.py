"""The jobs' store, on both of its databases."""

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import Place, PostgreSQL
from keeping import ANN, BEN, OTHER, PICTURE, at_once
from paths import ROOT
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

from headshot.errors import SettingsError, Stopped
from headshot.request import HeadshotRequest
from headshot.storage import (
    JobId,
    JobState,
    ModelsLabJob,
    StateError,
    Store,
    StoreError,
    database,
    hash_token,
    key_fingerprint,
)
from headshot.storage.schema import Base

REQUEST = HeadshotRequest(prompt="teal backdrop", seed=7)


def add(store: Store, owner: str = ANN, comparison: str = "c", position: int = 0, **more: str | None) -> JobId:
    marks = {"key_fingerprint": key_fingerprint("key", store.salt), "photo_sha256": hash_token("photo")}
    return store.add(owner, comparison, position, REQUEST, api="v6", **(marks | more))


def send(store: Store, remote_id: str | None = "r1", owner: str = ANN, **more: str | None) -> JobId:
    """A job that the service has accepted."""
    job = add(store, owner, **more)
    store.sending(job)
    store.accepted(job, remote_id)
    return job


def finish(store: Store, picture: bytes = PICTURE, owner: str = ANN) -> JobId:
    job = send(store, remote_id=os.urandom(4).hex(), owner=owner)
    store.done(job, picture, "a.png")
    return job


def look(store: Store, job: JobId, owner: str = ANN) -> ModelsLabJob:
    found = store.job(owner, job)
    assert found is not None
    return found


# --- the machine


def pending(store: Store) -> JobId:
    return add(store)


def sent(store: Store) -> JobId:
    job = add(store)
    store.sending(job)
    return job


def unknown(store: Store) -> JobId:
    job = sent(store)
    store.unknown(job, "No answer came.")
    return job


def done(store: Store) -> JobId:
    job = send(store)
    store.done(job, PICTURE, "a.png")
    return job


def failed(store: Store) -> JobId:
    job = sent(store)
    store.failed(job, "Declined.")
    return job


WAY_TO: dict[JobState, Callable[[Store], JobId]] = {
    JobState.PENDING: pending,
    JobState.SENT: sent,
    JobState.PROCESSING: send,
    JobState.UNKNOWN: unknown,
    JobState.DONE: done,
    JobState.FAILED: failed,
}
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
    assert (found.api, found.key_mark, found.track_id) == ("v6", key_fingerprint("key", store.salt), "t")
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


# --- after a crash


def test_after_a_crash_each_job_is_what_can_be_known_of_it(place: Place, store: Store) -> None:
    ways = {state: way(store) for state, way in WAY_TO.items()}
    nameless = send(store, None)
    store.close()
    with place.open() as again:
        recovery = again.recover()
        assert {job.id for job in recovery.unknown} == {ways[JobState.SENT], nameless}
        assert [job.id for job in recovery.never_sent] == [ways[JobState.PENDING]]
        assert [job.id for job in recovery.to_poll] == [ways[JobState.PROCESSING]]
        states = {state: look(again, job).state for state, job in ways.items()}
        assert states == {state: JobState.UNKNOWN if state is JobState.SENT else state for state in JobState}
        lost, left = look(again, ways[JobState.SENT]), look(again, ways[JobState.PENDING])
        assert "may have been made and billed" in lost.sentence
        assert (left.stranded, "nothing was billed" in left.sentence) == (True, True)
        assert look(again, ways[JobState.UNKNOWN]).sentence == "No answer came."
        assert again.recover() == replace(recovery, unknown=())
        assert [event.what for event in again.timeline(ANN, left.id)] == ["added", "stranded"]


def test_a_stranded_job_is_sent_only_when_its_visitor_asks(store: Store) -> None:
    job = add(store)
    store.recover()
    with pytest.raises(StateError, match="its visitor asks"):
        store.sending(job)
    assert look(store, job).state is JobState.PENDING
    store.sending(job, asked=True)
    assert (look(store, job).state, look(store, job).stranded) == (JobState.SENT, False)
    store.reset_to_pending(job, "not connected")
    store.sending(job)  # asked for once, it is tried as any other


def test_files_that_no_job_wants_are_swept(place: Place, store: Store) -> None:
    finish(store)
    folder = next((place.folder / "pictures").iterdir())
    (folder / "unfinished-0123").write_bytes(b"half")
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / ("ab" * 32)).write_bytes(b"left")
    store.recover()
    assert place.files == {sha256(PICTURE).hexdigest()}


def test_two_databases_with_one_folder_leave_each_others_pictures_alone(place: Place, tmp_path: Path) -> None:
    with place.open() as store, Store.open(place.folder, f"sqlite:///{tmp_path / 'other.sqlite3'}") as other:
        job = finish(store)
        other.recover()
        assert look(store, job).picture.read_bytes() == PICTURE  # type: ignore[union-attr]


# --- what goes


def test_a_picture_that_two_have_stays_until_both_are_gone(place: Place, store: Store) -> None:
    finish(store, PICTURE, ANN)
    finish(store, OTHER, ANN)
    theirs = finish(store, PICTURE, BEN)
    assert store.forget(ANN) == 2
    assert place.files == {sha256(PICTURE).hexdigest()}
    assert look(store, theirs, BEN).picture.read_bytes() == PICTURE  # type: ignore[union-attr]
    assert store.forget(BEN) == 1
    assert place.files == set()
    assert store.forget(BEN) == 0


def test_nothing_about_a_deleted_job_comes_back(place: Place, store: Store) -> None:
    waiting, running = add(store), send(store)
    store.forget(ANN)
    with pytest.raises(Stopped):
        store.sending(waiting)
    assert not store.accepted(running, "r1")
    assert not store.unknown(running, "?")
    assert not store.failed(running, "?")
    assert not store.reset_to_pending(running, "not connected")
    assert not store.done(running, PICTURE, "a.png")
    assert not store.polled(running)
    assert not store.note(running, "webhook")
    assert store.jobs(ANN) == ()
    assert place.files == set()


def test_what_a_visitor_deletes_is_not_left_in_the_files_of_sqlite(tmp_path: Path) -> None:
    def found() -> list[str]:
        return [path.name for path in tmp_path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]

    with Store.open(tmp_path) as store:
        for position in range(50):
            job = store.add(
                ANN,
                "c",
                position,
                HeadshotRequest(prompt="canary " * 20),
                api="v6",
                key_fingerprint=hash_token("k"),
                photo_sha256=hash_token("p"),
            )
            store.failed(job, "canary")
        finish(store, owner=BEN)
        assert found()
        store.forget(ANN)
        assert found() == []
        assert len(store.jobs(BEN)) == 1


def test_what_came_to_rest_goes_with_its_time_and_what_may_be_paid_for_after_a_day(place: Place, store: Store) -> None:
    ways = {state: way(store) for state, way in WAY_TO.items()}
    store.recover()  # PENDING is stranded, SENT becomes UNKNOWN
    waiting, under_way = add(store), sent(store)
    assert store.expire(place.clock() - timedelta(hours=1)) == 0
    place.clock.now += timedelta(hours=1)
    late = finish(store, OTHER)
    assert store.expire(place.clock() - timedelta(hours=1)) == 3
    left = {job.id for job in store.jobs(ANN)}
    assert left == {ways[JobState.SENT], ways[JobState.PROCESSING], ways[JobState.UNKNOWN], waiting, under_way, late}
    assert place.files == {sha256(OTHER).hexdigest()}
    place.clock.now += timedelta(hours=23)
    assert store.expire(place.clock() - timedelta(hours=24)) == 5
    assert [job.id for job in store.jobs(ANN)] == [late]


def test_a_job_that_ends_late_is_kept_its_time_from_its_end(place: Place, store: Store) -> None:
    job = send(store)
    place.clock.now += timedelta(hours=30)
    store.done(job, PICTURE, "a.png")
    assert store.expire(place.clock() - timedelta(hours=1)) == 0


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


# --- trouble


def test_a_database_that_does_not_answer_is_said_in_a_sentence_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://ann:canary@127.0.0.1:{nobody.getsockname()[1]}/jobs"
        with pytest.raises(StoreError, match="does not answer") as caught:
            Store.open(tmp_path, url)
    assert "canary" not in "".join(traceback.format_exception(caught.value)).replace("//ann:canary@", "", 1)


def test_a_database_that_goes_away_is_said_and_one_that_comes_back_is_used(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    name = postgresql.another()
    with Store.open(tmp_path, postgresql.url(name)) as store:
        job = add(store)
        postgresql.do(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgresql.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(StoreError):
            store.sending(job)
        postgresql.do(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert look(store, job).state is JobState.PENDING


def test_a_database_that_another_holds_locked_is_waited_for_and_then_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with Store.open(tmp_path) as store:
        other = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreError):
            add(store)
        assert time.monotonic() - began >= 0.2
        assert store.jobs(ANN) == ()  # readers do not wait
        other.execute("ROLLBACK")
        other.close()
        add(store)


@pytest.mark.parametrize("url", [
    "mysql://ann:canary@host/jobs", "sqlite://", "sqlite:///:memory:", "canary", "postgresql+asyncpg://a:canary@h/j",
    "postgresql://a:canary@h:port/j",
])  # fmt: skip
def test_a_url_that_cannot_be_used_is_named_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="HEADSHOT_DATABASE_URL must be") as caught:
        Store.open(tmp_path / "data", url)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None
    assert not (tmp_path / "data").exists()


def test_postgresql_without_its_driver_says_which_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'psycopg\[binary\]'"):
        Store.open(tmp_path, "postgres://ann@127.0.0.1/jobs")


def test_a_file_that_is_no_database_is_said_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(b"somebody's letters" * 1000)
    with pytest.raises(StoreError, match="no database of ours"):
        Store.open(tmp_path)
    assert (tmp_path / database.FILE).read_bytes() == b"somebody's letters" * 1000


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(StoreError, match="folder"):
        Store.open(tmp_path / "data" / "jobs")


def test_a_picture_that_cannot_be_written_leaves_its_job_to_be_finished_later(place: Place, store: Store) -> None:
    job = send(store)
    folder = next((place.folder / "pictures").iterdir())
    in_the_way = folder / sha256(PICTURE).hexdigest()[:2]
    in_the_way.write_bytes(b"")
    with pytest.raises(StoreError, match="pictures"):
        store.done(job, PICTURE, "a.png")
    assert look(store, job).state is JobState.PROCESSING
    in_the_way.unlink()
    assert store.done(job, PICTURE, "a.png")


# --- migrations


def schema_of(engine: Engine) -> dict[str, object]:
    """What the database itself says of its tables."""
    inspector = inspect(engine)

    def told(rows: list[object]) -> list[str]:
        return sorted(str(sorted((key, str(value)) for key, value in row.items())) for row in rows)  # type: ignore[attr-defined]

    return {
        table: {
            "columns": told(inspector.get_columns(table)),
            "indexes": told(inspector.get_indexes(table)),
            "checks": told(inspector.get_check_constraints(table)),
            "unique": told(inspector.get_unique_constraints(table)),
            "foreign": told(inspector.get_foreign_keys(table)),
            "primary": str(inspector.get_pk_constraint(table)),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def test_the_migrations_end_where_the_models_are(place: Place, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    place.open().close()
    migrated = database.connect(place.folder, place.url)
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    if place.url is None:
        made = database.connect(tmp_path / "made", None)
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        made = database.connect(tmp_path, server.url(server.another()))
    with made.begin() as connection:
        Base.metadata.create_all(connection)
    from_models, from_steps = schema_of(made), schema_of(migrated)
    history = {"comparisons", "shots", "thumbnails", "failures", "looks", "votes", "candidates", "ballots"}
    assert set(from_models) == {"store", "jobs", "events"} | history
    assert from_steps == from_models
    migrated.dispose()
    made.dispose()


def test_a_database_of_the_first_revision_comes_up_with_all_its_jobs(place: Place) -> None:
    engine = database.connect(place.folder, place.url)
    database.migrate(engine, "0001")
    row = {
        "id": "a" * 32,
        "owner": ANN,
        "comparison": "c",
        "request": REQUEST.model_dump_json(),
        "hash_token": hash_token("k"),
        "at": place.clock().replace(tzinfo=None).isoformat(" ", "microseconds"),
    }
    with database.writing(engine).begin() as connection:
        salt = connection.execute(text("SELECT salt FROM store")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO jobs (id, owner, comparison, position, request, api, key_mark, photo_sha256, state,"
                " stranded, remote_id, sentence, facts, created_at, changed_at) VALUES (:id, :owner, :comparison, 0,"
                " :request, 'v6', :mark, :mark, 'processing', false, 'r1', '', '{}', :at, :at)"
            ),
            row,
        )
    engine.dispose()
    with place.open() as store:
        found = look(store, JobId("a" * 32))
        assert (found.state, found.polls, found.request) == (JobState.PROCESSING, 0, REQUEST)
        assert [event.what for event in store.timeline(ANN, found.id)] == ["added"]
        assert bytes(salt) == store.salt
        assert store.polled(found.id)
        assert store.done(found.id, PICTURE, "a.png")


def test_the_history_of_a_database_from_before_teams_had_names_is_there(place: Place) -> None:
    engine = database.connect(place.folder, place.url)
    database.migrate(engine, "0003")
    row = {
        "id": "a" * 32,
        "owner": ANN,
        "requests": f"[{REQUEST.model_dump_json()}]",
        "hash_token": hash_token("k"),
        "at": place.clock().replace(tzinfo=None).isoformat(" ", "microseconds"),
    }
    with database.writing(engine).begin() as connection:
        connection.execute(
            text(
                'INSERT INTO comparisons (id, owner, kind, "group", name, favourite, backend, photo_sha256, requests,'
                " ended, begun, kept_since, search) VALUES (:id, :owner, 'team', 'g', 'Ann', false, 'studio', :mark,"
                " :requests, true, :at, :at, 'ann')"
            ),
            row,
        )
    engine.dispose()
    with place.open() as store:
        [found] = store.history.group(ANN, "g")
        assert (found.name, found.group_name, found.requests) == ("Ann", "", (REQUEST,))
        assert store.history.rename_group(ANN, "g", "The board")


def test_a_database_of_a_later_version_is_refused_and_left_alone(place: Place) -> None:
    place.open().close()
    engine = database.connect(place.folder, place.url)
    with database.writing(engine).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="update the program"):
        place.open()


def test_many_who_open_an_empty_database_at_once_find_one_and_the_same(place: Place) -> None:
    stores = at_once(*[place.open] * 6)
    assert {type(store) for store in stores} == {Store}, stores
    assert len({store.salt for store in stores if isinstance(store, Store)}) == 1
    for store in stores:
        assert isinstance(store, Store)
        add(store)
        store.close()


def test_an_installed_package_brings_its_migrations_along(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "headshot", tmp_path / "site" / "headshot", ignore=shutil.ignore_patterns("__pycache__"))
    script = "import sys, pathlib, headshot.storage as s; s.Store.open(pathlib.Path(sys.argv[1])); print(s.__file__)"
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "data"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith(str(tmp_path / "site"))
    assert (ran.stderr, (tmp_path / "data" / database.FILE).exists()) == ("", True)


def test_sqlite_keeps_what_was_committed_through_a_power_cut(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    engine = database.connect(tmp_path, None)
    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        }
    engine.dispose()
    assert told == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 10_000
    }  # fmt: skip


def test_the_copies_that_sqlite_leaves_in_its_pages_go_with_the_next_deletion(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        add(store)
    file = tmp_path / database.FILE
    data = bytearray(file.read_bytes())
    # As a moved row leaves it: between the cells' addresses and the cells of a page (fileformat2, section 1.6).
    page = next(at for at in range(4096, len(data), 4096) if data[at] == 13)
    gap = page + 8 + 2 * int.from_bytes(data[page + 3 : page + 5])
    assert gap + 20 < page + int.from_bytes(data[page + 5 : page + 7])
    data[gap + 2 : gap + 2 + len(b"zebra-striped")] = b"zebra-striped"
    file.write_bytes(data)
    with Store.open(tmp_path) as store:
        add(store)
        assert b"zebra-striped" in file.read_bytes()
        assert store.forget(ANN) == 2
        assert b"zebra-striped" not in file.read_bytes()
        add(store)  # and the file is sound


def test_what_is_deleted_leaves_sqlites_log_though_somebody_else_empties_it_at_that_moment(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        add(store)
        log = tmp_path / f"{database.FILE}-wal"
        assert b"teal backdrop" in log.read_bytes()
        # SQLite's lock of whoever empties the log: the second of the eight bytes at 120 (fileformat2, section 2.3.1).
        # A process of its own holds it, for a process may take its own locks twice.
        emptying = (
            f"import fcntl, sys; file = open({str(tmp_path / database.FILE)!r} + '-shm', 'r+b');"
            "fcntl.lockf(file, fcntl.LOCK_EX, 1, 121); print(flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", emptying],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as somebody:
            assert somebody.stdin is not None and somebody.stdout is not None
            somebody.stdout.readline()
            threading.Timer(0.3, somebody.stdin.close).start()
            assert store.forget(ANN) == 1
        assert b"teal backdrop" not in log.read_bytes()
