"""Who keeps what for how long: tabs, their photos and their files."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from shots import PHOTO, REQUEST, new_run, run_of, saved
from stub import StubBackend

from headshot.comparison.axes import plan
from headshot.cookies import PAGE_COOKIE
from headshot.errors import RequestError, Stopped
from headshot.imaging.photo import Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.modelslab.key import Key
from headshot.runs.run import Run
from headshot.runs.saved_headshot import PhotoCopy, SavedHeadshot
from headshot.sessions import folder
from headshot.sessions.registry import SessionRegistry

MARK = "1a2b3c4d" * 8


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> SessionRegistry:
    return SessionRegistry(tmp_path, keep_seconds=100, grace_seconds=20, clock=clock)


CHECK = PhotoCheck((), None, ())


def test_an_open_tab_keeps_its_things_and_a_closed_one_loses_them(sessions: SessionRegistry, clock: Clock) -> None:
    with sessions.connected("tab"):
        session = sessions.get("tab")
        session.set_photo(PHOTO, CHECK, None, b"")
        path = session.write("a.png", b"a")
        clock.now += 30
        sessions.sweep()
        assert path.exists()
        assert sessions.get("tab") is session
    sessions.sweep()
    assert path.exists()  # the grace: a broken connection is not a closed tab
    clock.now += 30
    sessions.sweep()
    assert not session.folder.exists()
    assert session.photo is None
    assert sessions.get("tab") is not session


def test_the_backends_forget_a_photo_when_its_visitor_does(tmp_path: Path, clock: Clock) -> None:
    stub = StubBackend()
    sessions = SessionRegistry(tmp_path, keep_seconds=100, grace_seconds=20, backends=[stub], clock=clock)
    other = Photo.from_image(Image.new("RGB", (80, 80), "navy"))
    session = sessions.get("tab")
    session.set_photo(PHOTO, CHECK, None, b"")
    session.set_photo(PHOTO, CHECK, 1, b"")  # another face of the same photo
    assert stub.forgotten == []
    session.set_photo(other, CHECK, None, b"")
    assert stub.forgotten == [PHOTO.sha256]
    session.remove_photo()
    assert stub.forgotten == [PHOTO.sha256, other.sha256]
    session.set_photo(PHOTO, CHECK, None, b"")
    clock.now += 30
    sessions.sweep()
    assert stub.forgotten == [PHOTO.sha256, other.sha256, PHOTO.sha256]


def test_a_tab_that_reconnects_within_the_grace_keeps_everything(sessions: SessionRegistry, clock: Clock) -> None:
    with sessions.connected("tab"):
        path = sessions.get("tab").write("a.png", b"a")
    with sessions.connected("tab"):
        clock.now += 30
        sessions.sweep()
        assert path.exists()


def test_the_old_connection_that_ends_late_does_not_end_the_visit(sessions: SessionRegistry, clock: Clock) -> None:
    old, new = sessions.connected("tab"), sessions.connected("tab")
    old.__enter__()
    path = sessions.get("tab").write("a.png", b"a")
    new.__enter__()
    old.__exit__(None, None, None)
    clock.now += 30
    sessions.sweep()
    assert path.exists()
    new.__exit__(None, None, None)


def test_a_visitor_without_a_heartbeat_is_forgotten_too(sessions: SessionRegistry, clock: Clock) -> None:
    path = sessions.get("script").write("a.png", b"a")
    clock.now += 30
    sessions.sweep()
    assert not path.exists()


def test_things_are_deleted_after_their_time_in_an_open_tab(sessions: SessionRegistry, clock: Clock) -> None:
    with sessions.connected("tab"):
        session = sessions.get("tab")
        old = session.write("old.png", b"old")
        session.set_photo(PHOTO, CHECK, None, b"")
        clock.now += 60
        new = session.write("new.png", b"new")
        session.set_photo(PHOTO, CHECK, 1, b"")  # another face: the photo is no younger for it
        clock.now += 60
        sessions.sweep()
        assert (old.exists(), new.exists()) == (False, True)
        assert session.photo is None
        assert session.photo_lost_reason == "expired"


def test_a_photos_preview_goes_with_it(sessions: SessionRegistry) -> None:
    session = sessions.get("tab")
    shown = []
    for face in (None, 1):
        session.set_photo(PHOTO, CHECK, face, b"a preview")
        assert session.preview is not None
        shown.append(session.preview)
    assert [path.exists() for path in shown] == [False, True]
    session.remove_photo()
    assert not any(path.parent.exists() for path in shown)


def test_the_picture_that_was_taken_over_from_is_named_with_whatever_photo_until_all_is_deleted(
    sessions: SessionRegistry,
) -> None:
    session = sessions.get("tab")
    session.parent = MARK  # its settings, which need not be for the photo that it was made from
    session.set_photo(PHOTO, CHECK, None, b"")
    session.remove_photo()
    session.set_photo(Photo.from_image(Image.new("RGB", (200, 200))), CHECK, None, b"")
    assert session.parent == MARK
    session.delete()
    assert session.parent == ""


def test_beyond_the_bound_of_all_photos_the_oldest_make_room(tmp_path: Path, clock: Clock) -> None:
    sessions = SessionRegistry(tmp_path, keep_seconds=100, photo_bytes=2 * PHOTO.pixels.nbytes, clock=clock)
    tabs = [sessions.get(name) for name in ("first", "second", "third")]
    for session in tabs:
        clock.now += 1
        session.set_photo(PHOTO, CHECK, None, b"")
        sessions.evict()
    assert [session.photo is None for session in tabs] == [True, False, False]
    assert tabs[0].photo_lost_reason == "evicted"
    large = Photo.from_image(Image.new("RGB", (200, 200)))
    clock.now += 1
    tabs[1].set_photo(large, CHECK, None, b"")
    sessions.evict()
    assert [session.photo is None for session in tabs] == [True, False, True]  # the latest stays, whatever its size


def test_a_backend_that_cannot_forget_keeps_nothing_else_from_being_deleted(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    class Forgetless(StubBackend):
        def drop_cache(self, photo: Photo) -> None:
            raise OSError("the memory is stuck")

    stub = StubBackend()
    sessions = SessionRegistry(tmp_path, 100, 20, backends=[Forgetless(), stub], clock=clock)
    tabs = [sessions.get(name) for name in ("one", "other")]
    for session in tabs:
        session.set_photo(PHOTO, CHECK, None, b"")
    clock.now += 50
    sessions.sweep()
    assert not any(session.folder.exists() for session in tabs)
    assert stub.forgotten == [PHOTO.sha256] * 2
    assert caplog.text.count("OSError: the memory is stuck") == 2


def test_what_somebody_else_deleted_is_no_reason_to_fail(sessions: SessionRegistry, clock: Clock) -> None:
    with sessions.connected("tab"):
        path = sessions.get("tab").write("a.png", b"a")
        shutil.rmtree(path.parent)
        clock.now += 200
        sessions.sweep()


def test_a_killed_servers_folder_is_deleted_by_the_next_and_a_living_ones_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = (
        "import runpy, sys, time; made = runpy.run_path(sys.argv[1])['claim'](); "
        "(made / 'portrait.jpg').write_bytes(b'a face'); print(made, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script, folder.__file__], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        made = Path(process.stdout.readline().strip())
        folder.delete_abandoned_folders()
        assert (made / "portrait.jpg").exists()
        process.kill()
    folder.delete_abandoned_folders()
    assert not made.exists()


def test_a_headshot_that_is_done_after_the_visitor_left_is_not_written(sessions: SessionRegistry) -> None:
    session = sessions.get("tab")
    session.leave()
    with pytest.raises(Stopped):
        session.write("late.png", b"late")
    assert not session.folder.exists()


def test_delete_takes_everything_and_what_is_done_late_is_not_written(sessions: SessionRegistry) -> None:
    session = sessions.get("tab")
    session.set_photo(PHOTO, PhotoCheck((), None, ()), None, b"a preview")
    job = run_of(saved(1), of=2)
    session.run, session.baseline = job, job.headshots[0]
    session.write("headshot.png", b"a headshot", job)
    session.delete()
    assert not session.folder.exists()
    assert (session.photo, session.run, session.baseline, session.preview) == (None, None, None, None)
    with pytest.raises(Stopped):
        job.attempt.progress.check()
    with pytest.raises(Stopped):
        session.write("late.png", b"late", job)
    assert not session.folder.exists()
    assert session.write("next.png", b"the next").read_bytes() == b"the next"


def test_a_new_comparison_deletes_the_one_before_but_for_the_baseline(sessions: SessionRegistry) -> None:
    session = sessions.get("tab")
    original = PhotoCopy(session.write("photo.jpg", b"a copy"), (1.0, 2.0, 3.0, 4.0))

    def shot(seed: int) -> SavedHeadshot:
        path, thumbnail = session.write(f"{seed}.png", b"a headshot"), session.write("thumbnail.jpg", b"small")
        return replace(saved(seed), id=path.parent.name, path=path, thumbnail_path=thumbnail, photo_copy=original)

    first, second = shot(1), shot(2)
    session.begin(run_of(first, second, of=2))
    session.set_baseline(second)
    session.begin(run_of(of=1))
    assert not first.path.exists() and not first.thumbnail_path.exists()
    assert second.path.exists() and second.thumbnail_path.exists() and original.path.exists()
    session.set_baseline(None)
    assert [path for path in session.folder.rglob("*") if path.is_file()] == []


def test_a_tab_that_comes_back_too_late_is_told_why_its_photo_is_gone(sessions: SessionRegistry, clock: Clock) -> None:
    with sessions.connected("tab"):
        sessions.get("tab").set_photo(PHOTO, PhotoCheck((), None, ()), None, b"a preview")
    clock.now += sessions.grace_seconds
    sessions.sweep()
    assert sessions.get("tab").photo_lost_reason == "disconnected"
    assert sessions.get("a new tab").photo_lost_reason == ""


def test_a_baseline_goes_when_its_picture_has_been_kept_for_its_time(sessions: SessionRegistry, clock: Clock) -> None:
    session = sessions.get("tab")
    path = session.write("headshot.png", b"a headshot")
    session.baseline = replace(saved(1), id=path.parent.name, path=path)
    session.expire(before=clock.now)
    assert session.baseline is not None
    session.expire(before=clock.now + 1)
    assert session.baseline is None
    assert not path.exists()


def test_leaving_stops_the_comparison_and_lets_the_photo_go(sessions: SessionRegistry) -> None:
    async def make() -> Run:
        return new_run(plan(REQUEST, [1]), PHOTO)

    session = sessions.get("tab")
    session.run = asyncio.run(make())
    sessions.stop("tab")
    with pytest.raises(Stopped):
        session.run.attempt.progress.check()
    assert session.run.photo is None


def test_names_are_long_and_no_address_climbs(sessions: SessionRegistry) -> None:
    one, other = sessions.get("a"), sessions.get("b")
    assert len(one.token) >= 43
    assert one.token != other.token
    path = one.write("a.png", b"a")
    _, name, slot, file = one.address(path.parent.name, path.name).split("/")
    assert sessions.picture(name, slot, file) == path
    assert sessions.picture(other.token, slot, file) is None
    for parts in (
        ("..", name, slot),
        (name, "..", "x"),
        (name, slot, ".."),
        (name, f"{slot}/..", file),
        ("", "", ""),
    ):
        assert sessions.picture(*parts) is None


def test_a_page_without_a_session_is_told_so(sessions: SessionRegistry) -> None:
    with pytest.raises(RequestError, match="Reload it"):
        sessions.get(None)


def test_a_key_is_there_in_all_tabs_of_a_browser_and_forgotten_in_all(sessions: SessionRegistry) -> None:
    mine, theirs = ({PAGE_COOKIE: letter * 43} for letter in "ab")
    first = sessions.get("first", mine)
    first.key = Key("a-key-of-somebody")
    second, stranger = sessions.get("second", mine), sessions.get("stranger", theirs)
    assert (second.owner, second.key) == (first.owner, first.key)
    assert stranger.owner != first.owner
    assert stranger.key is None
    sessions.forget_key(second.owner)
    assert first.key is None
    assert sessions.get("third", mine).key is None


def test_a_cookie_that_anybody_could_guess_opens_nothing(sessions: SessionRegistry) -> None:
    first, second = (sessions.get(name, {PAGE_COOKIE: "guest"}) for name in ("first", "second"))
    assert first.owner != second.owner


def test_deletion_in_one_tab_reaches_the_others_of_the_browser_and_nobody_else(sessions: SessionRegistry) -> None:
    mine, theirs = ({PAGE_COOKIE: letter * 43} for letter in "ab")
    tabs = [sessions.get(name, mine) for name in ("first", "second")]
    stranger = sessions.get("stranger", theirs)
    kept = [tab.write("a.png", b"a") for tab in (*tabs, stranger)]
    sessions.delete(tabs[0].owner)
    assert [path.exists() for path in kept] == [False, False, True]
