"""What the store does after a crash, and which jobs and pictures it deletes."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from databases import Place
from keeping import ANN, BEN, OTHER, PICTURE
from paidjobs import WAY_TO, add, finish, look, send, sent

from headshot.errors import Stopped
from headshot.request import HeadshotRequest
from headshot.storage import (
    JobState,
    StateError,
    Store,
    hash_token,
)

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
