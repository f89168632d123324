"""The page's parts without a browser: controls, sentences, cards, and who keeps what for how long."""

import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from stub import StubBackend

from headshot.comparison.axes import expand_axis, plan
from headshot.comparison.labels import label
from headshot.comparison.presets import PRESETS
from headshot.cookies import PAGE_COOKIE
from headshot.errors import PhotoError, RequestError, Stopped
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.modelslab.key import Key
from headshot.progress import Step
from headshot.request import HeadshotRequest, Note
from headshot.runs.run import Run
from headshot.runs.saved_headshot import PhotoCopy, SavedHeadshot
from headshot.sessions import folder
from headshot.sessions.registry import SessionRegistry
from headshot.ui import messages
from headshot.ui.headshots import controls, results

REQUEST = HeadshotRequest(seed=1)
NAMES = ("prompt", "negative_prompt", "guidance_scale", "num_inference_steps")


def test_a_control_is_what_its_field_says() -> None:
    slider = controls.control("guidance_scale")
    assert isinstance(slider, gr.Slider)
    assert (slider.minimum, slider.maximum, slider.step, slider.value) == (1, 20, 0.5, 7.5)
    steps = controls.control("num_inference_steps")
    assert isinstance(steps, gr.Dropdown)
    assert steps.choices == [("21", "21"), ("31", "31"), ("41", "41")]
    assert steps.value == "21"
    prompt = controls.control("prompt")
    assert isinstance(prompt, gr.Textbox)
    assert prompt.max_length == 2_000
    for name in NAMES:
        field = HeadshotRequest.model_fields[name]
        made = controls.control(name)
        assert (made.label, made.info) == (field.title, field.description)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_control_is_given_is_what_it_is_read_as(name: str) -> None:
    for request in (HeadshotRequest(), HeadshotRequest(num_inference_steps=41, guidance_scale=3.25, prompt="")):
        value = getattr(request, name)
        assert controls.read(name, controls.written(name, value)) == value


def test_untouched_controls_spell_the_default_request() -> None:
    made = {name: controls.control(name) for name in NAMES}
    values = {control: control.value for control in made.values()}
    assert controls.request(values, made) == HeadshotRequest()


def test_an_emptied_number_is_answered_with_a_sentence() -> None:
    made = {name: controls.control(name) for name in NAMES}
    values = {control: control.value for control in made.values()} | {made["guidance_scale"]: None}
    with pytest.raises(RequestError, match=r"^Guidance must be a number"):
        controls.request(values, made)


@pytest.fixture
def toasts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the toasts, which outside a running page have nowhere to go."""
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda message, **_: said.append(message))
    return said


def test_an_expected_error_is_said_with_its_markup_escaped(toasts: list[str]) -> None:
    async def handler(values: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        raise PhotoError("<b>Bold</b> & bad")

    spoken = messages.event_handler(handler, otherwise=lambda sentence, _: {"status": sentence})
    assert asyncio.run(spoken({}, gr.Request())) == {"status": "<b>Bold</b> & bad"}
    assert toasts == ["&lt;b&gt;Bold&lt;/b&gt; &amp; bad"]


def test_a_bug_is_logged_and_its_text_kept_from_the_page(toasts: list[str], caplog: pytest.LogCaptureFixture) -> None:
    async def handler(values: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        yield {"shots": 1}
        raise KeyError("a secret")

    async def run() -> list[dict[str, Any]]:
        spoken = messages.event_handler(handler, otherwise=lambda sentence, _: {"status": sentence})
        return [update async for update in spoken({}, gr.Request())]

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(run()) == [{"shots": 1}, {"status": messages.BUG}, gr.skip()]
    assert "a secret" not in toasts[0]
    assert "KeyError: 'a secret'" in caplog.text


@pytest.mark.parametrize("details", [[], [{"line": "Testing…"}, {"line": "The key works."}]])
def test_the_last_update_of_a_generator_which_gradio_repeats_changes_nothing(details: list[dict[str, Any]]) -> None:
    async def handler(values: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        for update in details:
            yield update

    async def run() -> list[Any]:
        return [update async for update in messages.event_handler(handler)({}, gr.Request())]

    assert asyncio.run(run()) == [*details, gr.skip()]


def test_closing_a_spoken_generator_closes_the_handler_within(toasts: list[str]) -> None:
    ended: list[bool] = []

    async def handler(values: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield {}
        finally:
            ended.append(True)

    async def run() -> None:
        updates = messages.event_handler(handler, otherwise=lambda *_: {})({}, gr.Request())
        await anext(updates)
        await updates.aclose()
        assert ended == [True]

    asyncio.run(run())
    assert toasts == []


def _shot(seed: int, *notes: Note, likeness: float | None = 0.7, **request: Any) -> SavedHeadshot:
    return SavedHeadshot(
        id=f"shot{seed}",
        request=HeadshotRequest(seed=seed, **request),
        backend="stub",
        made_by="",
        photo_sha256=PHOTO.sha256,
        face=None,
        filename=f"headshot-stub-seed-{seed}.png",
        size=(640, 800),
        seconds=1.25,
        likeness=likeness,
        notes=notes,
        path=Path(f"/nowhere/shot{seed}/headshot-stub-seed-{seed}.png"),
        thumbnail_path=Path(f"/nowhere/thumbnail{seed}/thumbnail.jpg"),
        picture=f"p{seed}",
        thumbnail=f"t{seed}",
        overlaid=f"o{seed}",
        photo_copy=PhotoCopy(Path("/nowhere/photo/photo.jpg"), (1.0, 2.0, 3.0, 4.0)),
    )


MARK = "1a2b3c4d" * 8


def _new_job(requests: list[HeadshotRequest], photo: Photo | None = None) -> Run:
    return Run(
        requests, photo, Face((10.0, 10.0, 40.0, 50.0), np.zeros((5, 2), np.float32), 0.9), None, [StubBackend()]
    )


def _job(*shots: SavedHeadshot, of: int) -> Run:
    async def make() -> Run:
        job = _new_job(plan(REQUEST, list(range(1, of + 1))))
        job.headshots.extend(shots)
        return job

    return asyncio.run(make())


def _address(slot: str, name: str) -> str:
    return f"headshots/visitor/{slot}/{name}"


def _details(html: str) -> list[dict[str, Any]]:
    """What the cards tell the viewer."""
    return [json.loads(unescape(text)) for text in re.findall(r'data-shot="([^"]*)"', html)]


def test_notes_that_all_share_are_said_once_and_the_others_at_their_headshot() -> None:
    shared, own = Note("applied", "navy backdrop"), Note("not applied", "a <i>hat</i>")
    job = _job(_shot(1, shared), _shot(2, shared, own), of=2)
    assert results.notes(job).count("navy backdrop") == 1
    assert "hat" not in results.notes(job)
    own_lists = re.findall(r'<ul class="own-notes">.*?</ul>', results.shots(job, None))
    assert own_lists == ['<ul class="own-notes"><li>Not applied: a &lt;i&gt;hat&lt;/i&gt;</li></ul>']


def test_a_card_names_seed_seconds_and_likeness_and_leaves_out_a_likeness_that_is_not_known() -> None:
    html = results.shots(_job(_shot(1), _shot(2, likeness=None), of=3), None)
    assert "<b>Seed 1</b>" in html
    assert "<span>1.2 s</span>" in html
    assert html.count("<span>likeness 0.70</span>") == 1
    assert "likeness 0.70" not in json.dumps(_details(html)[1])
    assert html.count('class="shot waiting"') == 1
    assert 'download="headshot-stub-seed-2.png"' in html


def test_a_card_is_labelled_with_what_differs() -> None:
    request = HeadshotRequest(seed=3)
    scales = expand_axis(request, "guidance_scale", [1, 7.5])
    assert [label(each, scales) for each in scales] == ["Guidance 1", "Guidance 7.5"]
    step_counts = expand_axis(request, "num_inference_steps", [21, 41])
    assert [label(each, step_counts) for each in step_counts] == ["21 steps", "41 steps"]
    assert label(request, [request]) == "Seed 3"
    assert label(scales[0], [*scales, HeadshotRequest(seed=4)]) == "Seed 3 · guidance 1"
    assert label(request, [request, HeadshotRequest(seed=3, prompt="another")]) == "Seed 3"


def test_the_baseline_stands_before_the_comparison_until_it_is_part_of_it() -> None:
    baseline = _shot(9, guidance_scale=12, prompt=PRESETS[1].prompt, negative_prompt=PRESETS[1].negative_prompt)
    html = results.shots(_job(_shot(1), of=1), baseline)
    assert [shot["label"] for shot in _details(html)] == ["Seed 9", "Seed 1"]
    assert html.count("<span>guidance 12</span><i> · </i><span>Executive</span>") == 1
    assert [shot["baseline"] for shot in _details(html)] == [True, False]
    html = results.shots(_job(_shot(1), _shot(2), of=2), _shot(1))
    assert [shot["label"] for shot in _details(html)] == ["Seed 1", "Seed 2"]
    assert html.count('class="badge"') == 1
    assert [shot["id"] for shot in _details(results.shots(None, baseline))] == ["shot9"]


def test_headshots_that_land_out_of_order_stand_where_they_were_asked_for() -> None:
    html = results.shots(_job(_shot(3), _shot(1), of=3), None)
    assert re.findall(r"<b>(Seed \d)</b>", html) == ["Seed 1", "Seed 2", "Seed 3"]
    assert [shot["label"] for shot in _details(html)] == ["Seed 1", "Seed 3"]


def test_a_card_tells_the_viewer_everything_and_no_text_breaks_out() -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    shot = _shot(1, Note("applied", hostile), prompt=hostile)
    job = _job(shot, of=1)
    job.requests = [shot.request]
    html = results.shots(job, None)
    assert "<img src=x" not in html
    [details] = _details(html)
    assert json.loads(details["request"]) == shot.request.model_dump()
    assert details["notes"] == [{"kind": "applied", "text": hostile}]
    assert details["timings"][0] == ["This headshot", "1.25 s"]
    assert (details["picture"], details["original"], details["name"]) == ("p1", "o1", "headshot-stub-seed-1.png")
    assert details["origin"] == {"backend": "stub", "photo": PHOTO.sha256[:6], "face": 1}
    assert PHOTO.sha256 not in html
    assert "shoot(" in details["python"]
    assert "curl" in details["curl"]


def test_the_whole_comparison_is_offered_as_files_once_something_has_completed() -> None:
    assert "contact-sheet" not in results.shots(_job(of=2), None, _address)
    job = _job(_shot(1), of=2)
    html = results.shots(job, None, _address)
    assert f'href="headshots/visitor/{job.id}/contact-sheet.png" download="contact-sheet.png"' in html
    assert f'href="headshots/visitor/{job.id}/headshots.zip" download="headshots.zip"' in html


def test_progress_and_its_end_are_one_line_each() -> None:
    assert 'Lighting…</span><span class="count">2 of 4</span>' in results.step(Step("Lighting…", 2, 4))
    job = _job(_shot(1), of=4)
    job.stop()
    assert "Stopped: 1 of 4" in results.ended(job)
    assert "waiting" not in results.shots(job, None)
    assert "<script>" not in results.status("<script>", kind="error")


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


PHOTO = Photo.from_image(Image.new("RGB", (80, 80)))
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
    job = _job(_shot(1), of=2)
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
        return replace(_shot(seed), id=path.parent.name, path=path, thumbnail_path=thumbnail, photo_copy=original)

    first, second = shot(1), shot(2)
    session.begin(_job(first, second, of=2))
    session.set_baseline(second)
    session.begin(_job(of=1))
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
    session.baseline = replace(_shot(1), id=path.parent.name, path=path)
    session.expire(before=clock.now)
    assert session.baseline is not None
    session.expire(before=clock.now + 1)
    assert session.baseline is None
    assert not path.exists()


def test_leaving_stops_the_comparison_and_lets_the_photo_go(sessions: SessionRegistry) -> None:
    async def make() -> Run:
        return _new_job(plan(REQUEST, [1]), PHOTO)

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
