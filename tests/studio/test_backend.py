"""The studio's promises, on the two real portraits and on portraits made from them."""

import asyncio
import importlib
import io
import threading
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image
from studio_pictures import PORTRAITS, picture, same_face

from headshot.comparison.axes import plan
from headshot.errors import PhotoError, Stopped
from headshot.imaging import face, models
from headshot.imaging.photo import Photo
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.studio.backend import Studio

SEEDS = (1, 2, 3, 4)


def shoot(studio: Studio, photo: Photo, request: HeadshotRequest, seeds: tuple[int, ...]) -> list[Headshot]:
    async def run() -> list[Headshot]:
        return [headshot async for headshot in studio.generate(photo, plan(request, seeds), Progress())]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(cached_photos=12)  # each portrait is analysed once for all tests


@pytest.fixture(scope="module")
def session_of_four(studio: Studio) -> list[Headshot]:
    return shoot(studio, Photo.of(Image.fromarray(picture("portrait"))), HeadshotRequest(), SEEDS)


# --- the files ---------------------------------------------------------------------------------------------------


def test_headshots_are_1024_by_1280_png_files_that_hold_the_picture(session_of_four: list[Headshot]) -> None:
    for headshot in session_of_four:
        assert headshot.image.size == (1024, 1280)
        with Image.open(io.BytesIO(headshot.png)) as read:
            assert read.format == "PNG"
            assert np.array_equal(np.asarray(read), np.asarray(headshot.image))


def test_the_same_photo_request_and_seed_give_the_same_bytes_in_a_new_studio(session_of_four: list[Headshot]) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    alone = shoot(Studio(), photo, HeadshotRequest(), (3,))
    assert alone[0].png == session_of_four[2].png


def test_four_seeds_are_four_frames_of_one_session(session_of_four: list[Headshot]) -> None:
    pictures = [np.asarray(headshot.image).astype(np.float32) for headshot in session_of_four]
    means = np.array([cv2.cvtColor(shot / 255, cv2.COLOR_RGB2LAB).mean(axis=(0, 1)) for shot in pictures])
    assert np.ptp(means, axis=0).max() < 8  # one session: the overall colour hardly moves
    for one in range(4):
        for other in range(one):
            assert np.abs(pictures[one] - pictures[other]).mean() > 3  # and no two frames are the same


@pytest.mark.parametrize(
    "kind", [*PORTRAITS, "busy_background", "glasses", "long_hair", "darker_skin", "lighter_skin", "small_face"]
)
def test_the_default_look_keeps_the_likeness(kind: str, studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture(kind)))
    reference = face.embed(photo.pixels, face.find(photo.pixels)[0])
    for headshot in shoot(studio, photo, HeadshotRequest(), SEEDS if kind in PORTRAITS else SEEDS[:2]):
        pixels = np.asarray(headshot.image)
        likeness = face.likeness(reference, face.embed(pixels, same_face(pixels)))
        assert likeness >= 0.90
        assert headshot.likeness == pytest.approx(likeness, abs=0.01)


def test_a_look_that_costs_too_much_likeness_is_rendered_milder_as_a_whole_and_says_so(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The look's own likeness is so near the bound that the processor's arithmetic would decide.
    monkeypatch.setattr("headshot.studio.backend._LIKENESS_BY_GUIDANCE", ((7.5, 20), (0.94, 0.80)))
    photo = Photo.of(Image.fromarray(picture("astronaut")))
    hard = HeadshotRequest(prompt="black and white, split light, high contrast, charcoal backdrop")
    headshots = shoot(studio, photo, hard, SEEDS)
    milder = [any("milder" in note.text for note in headshot.notes) for headshot in headshots]
    assert milder == [True] * 4
    assert min(headshot.likeness or 0 for headshot in headshots) >= 0.92


def test_a_small_face_gives_a_full_headshot_and_a_note(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("small_face")))
    [headshot] = shoot(studio, photo, HeadshotRequest(), (1,))
    assert headshot.image.size == (1024, 1280)
    advice = [note.text for note in headshot.notes if note.kind == "advice"]
    assert "The face is too small in this photo for a headshot of use at full size: use a closer photo." in advice


# --- running -----------------------------------------------------------------------------------------------------


def test_a_photo_without_a_face_is_refused_with_a_sentence(studio: Studio) -> None:
    with pytest.raises(PhotoError, match="No face"):
        shoot(studio, Photo.of(Image.fromarray(picture("no_face"))), HeadshotRequest(), (1,))


def test_a_photo_on_its_side_is_refused_with_how_to_turn_it_and_taken_once_it_is_turned(studio: Studio) -> None:
    upright = Photo.of(Image.fromarray(picture("portrait")))
    on_its_side = upright.turned(270)
    with pytest.raises(PhotoError, match=r"lies on its side.*90° clockwise"):
        shoot(studio, on_its_side, HeadshotRequest(), (1,))
    [one], [other] = (shoot(studio, photo, HeadshotRequest(), (1,)) for photo in (on_its_side.turned(90), upright))
    assert one.png == other.png


def test_another_face_can_be_chosen(studio: Studio) -> None:
    pixels = picture("two_people")
    photo = Photo.of(Image.fromarray(pixels))
    references = [face.embed(pixels, found) for found in face.find(pixels)[:2]]

    async def run(index: int) -> Headshot:
        requests = plan(HeadshotRequest(), [1])
        [headshot] = [headshot async for headshot in studio.generate(photo, requests, Progress(), face=index)]
        return headshot

    for index in (0, 1):
        result = np.asarray(asyncio.run(run(index)).image)
        embedding = face.embed(result, face.find(result)[0])
        scores = [face.likeness(reference, embedding) for reference in references]
        assert int(np.argmax(scores)) == index


def test_each_further_seed_reuses_the_analysis(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    shoot(studio, photo, HeadshotRequest(), (1,))
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(studio, photo, HeadshotRequest(prompt="navy backdrop"), (8, 9))
    assert "u2netp" not in seen
    assert "sface_int8bq" in seen  # the spy does see what runs


def test_the_studio_remembers_no_more_photos_than_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful = Studio(cached_photos=1)
    first, second = (Photo.of(Image.fromarray(picture(kind))) for kind in PORTRAITS)
    shoot(forgetful, first, HeadshotRequest(), (1,))
    shoot(forgetful, second, HeadshotRequest(), (1,))
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(forgetful, second, HeadshotRequest(), (2,))
    assert "u2netp" not in seen
    shoot(forgetful, first, HeadshotRequest(), (2,))
    assert "u2netp" in seen


def test_a_forgotten_photo_is_analysed_anew(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    shoot(studio, photo, HeadshotRequest(), (1,))
    studio.drop_cache(photo)
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(studio, photo, HeadshotRequest(), (1,))
    assert "u2netp" in seen


def test_a_photo_taken_back_while_it_is_analysed_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = Studio()
    photo = Photo.of(Image.fromarray(picture("portrait")))
    original = models.run
    seen: list[str] = []

    def interrupted(name: str, batch: np.ndarray) -> list[np.ndarray]:
        if name == "u2netp":
            seen.append(name)
            hasty.drop_cache(photo)
        return original(name, batch)

    monkeypatch.setattr(models, "run", interrupted)
    shoot(hasty, photo, HeadshotRequest(), (1,))
    once = len(seen)
    shoot(hasty, photo, HeadshotRequest(), (1,))
    assert len(seen) == 2 * once > 0


def test_stop_ends_a_comparison_and_keeps_what_had_completed(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    completed: list[Headshot] = []
    progress = Progress()

    async def run() -> None:
        async for headshot in studio.generate(photo, plan(HeadshotRequest(), list(range(8))), progress):
            completed.append(headshot)
            progress.cancel()

    with pytest.raises(Stopped):
        asyncio.run(run())
    assert 1 <= len(completed) <= 3
    assert len(shoot(studio, photo, HeadshotRequest(), (1,))) == 1  # and the studio goes on


def test_progress_tells_the_stages_and_the_count(studio: Studio) -> None:
    steps = []
    photo = Photo.of(Image.fromarray(picture("portrait")))

    async def run() -> None:
        progress = Progress(lambda step: steps.append((step.done, step.total)))
        async for _ in studio.generate(photo, plan(HeadshotRequest(), [1, 2, 3]), progress):
            pass

    asyncio.run(run())
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (3, 3)


def test_comparisons_at_once_take_turns_and_all_finish(studio: Studio) -> None:
    photos = [Photo.of(Image.fromarray(picture(kind))) for kind in PORTRAITS] * 2
    prompts = ("white backdrop", "navy backdrop", "office backdrop", "garden backdrop")
    completed: list[int] = []

    async def one(number: int) -> None:
        requests = plan(HeadshotRequest(prompt=prompts[number]), [1, 2, 3, 4])
        async for _ in studio.generate(photos[number], requests, Progress()):
            completed.append(number)

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in range(4)))

    asyncio.run(run())
    assert sorted(completed) == [number for number in range(4) for _ in range(4)]
    first_to_end = min(len(completed) - completed[::-1].index(number) for number in range(4))
    assert len(set(completed[:first_to_end])) > 1  # nobody is done before somebody else has something


def test_no_work_is_done_on_the_event_loop(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    for place, name in (
        ("headshot.imaging.models", "run"),
        ("headshot.studio.backend", "render_frame"),
        ("headshot.studio.backend", "fast_png"),
    ):
        original = getattr(importlib.import_module(place), name)

        def noting(*arguments: object, original: Callable[..., object] = original) -> object:
            threads.add(threading.get_ident())
            return original(*arguments)

        monkeypatch.setattr(f"{place}.{name}", noting)
    shoot(studio, Photo.of(Image.fromarray(picture("astronaut"))), HeadshotRequest(prompt="beige backdrop"), (1,))
    assert threads
    assert threading.get_ident() not in threads


def test_what_the_studio_cannot_do_is_said_and_not_dropped(studio: Studio) -> None:
    photo = Photo.of(Image.fromarray(picture("portrait")))
    request = HeadshotRequest(prompt="charcoal backdrop, Rembrandt light, wearing a red velvet jacket, big smile")
    [headshot] = shoot(studio, photo, request, (1,))
    said = {
        kind: " ".join(note.text for note in headshot.notes if note.kind == kind) for kind in ("applied", "not applied")
    }
    assert "charcoal" in said["applied"]
    assert "Rembrandt" in said["applied"]
    assert "jacket" in said["not applied"]
    assert "smile" in said["not applied"]
