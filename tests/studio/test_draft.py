"""Drafts: the comparison made small, for a view that follows every change."""

import asyncio
from functools import cache

import cv2
import numpy as np
import portraits
import pytest
from PIL import Image

import headshot
from headshot.comparison.axes import plan
from headshot.errors import PhotoError, Stopped
from headshot.imaging import models
from headshot.imaging.photo import Photo
from headshot.progress import Progress
from headshot.request import HeadshotRequest
from headshot.studio.backend import Studio

SEEDS = (1, 2)
LOOKS = (
    HeadshotRequest(),
    HeadshotRequest(prompt="charcoal backdrop, Rembrandt light, high contrast, close crop", guidance_scale=12),
    HeadshotRequest(prompt="garden backdrop, warm tones, wide crop, rim light"),
    HeadshotRequest(prompt="black and white, split light, black backdrop, film grain", guidance_scale=20),
    HeadshotRequest(guidance_scale=1),
)


@cache
def photo(kind: str) -> Photo:
    pixels = portraits.no_face() if kind == "no_face" else portraits.photograph(kind)  # type: ignore[arg-type]
    return Photo.of(Image.fromarray(pixels))


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def shoot(studio: Studio, kind: str, request: HeadshotRequest) -> list[np.ndarray]:
    async def run() -> list[np.ndarray]:
        shots = studio.generate(photo(kind), plan(request, SEEDS), Progress())
        return [np.asarray(shot.image) async for shot in shots]

    return asyncio.run(run())


def drafts(studio: Studio, kind: str, request: HeadshotRequest) -> list[np.ndarray]:
    return [np.asarray(draft) for draft in studio.draft(photo(kind), plan(request, SEEDS))]


def detail(pixels: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey - cv2.GaussianBlur(grey, (0, 0), 4)


@pytest.mark.parametrize("request_", LOOKS, ids=lambda look: look.prompt[:20] + f" {look.guidance_scale:g}")
@pytest.mark.parametrize("kind", ["portrait", "astronaut"])
def test_a_draft_looks_like_the_full_picture_made_small(kind: str, request_: HeadshotRequest, studio: Studio) -> None:
    full = [cv2.resize(shot, (320, 400), interpolation=cv2.INTER_AREA) for shot in shoot(studio, kind, request_)]
    for shot, draft in zip(full, drafts(studio, kind, request_), strict=True):
        assert draft.shape == (400, 320, 3)
        off = draft.astype(np.float32) - shot
        assert np.abs(off).mean() < 2.5
        assert np.abs(off.mean(axis=(0, 1))).max() < 0.5  # no cast, and no other exposure
        assert np.abs(cv2.GaussianBlur(off, (0, 0), 4)).max() < 6  # light, backdrop and frame stand where they stood
        assert np.corrcoef(detail(draft).ravel(), detail(shot).ravel())[0, 1] > 0.95


def test_the_same_requests_give_the_same_drafts_alone_and_in_a_new_studio(studio: Studio) -> None:
    request = HeadshotRequest(prompt="office backdrop, loop light")
    one, two = drafts(studio, "portrait", request)
    assert np.array_equal(drafts(Studio(), "portrait", request)[1], two)
    [alone] = studio.draft(photo("portrait"), plan(request, [2]))
    assert np.array_equal(np.asarray(alone), two)
    assert not np.array_equal(one, two)


def test_drafts_come_in_the_requests_order(studio: Studio) -> None:
    navy, white = (HeadshotRequest(prompt=f"{colour} backdrop", seed=1) for colour in ("navy", "white"))
    dark, bright, also_dark = (np.asarray(draft) for draft in studio.draft(photo("portrait"), [navy, white, navy]))
    assert np.array_equal(dark, also_dark)
    assert bright[:40].mean() > dark[:40].mean() + 100


def test_a_draft_of_an_analysed_photo_runs_no_network(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts(studio, "portrait", HeadshotRequest())
    seen: list[str] = []
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name))
    monkeypatch.setattr(models, "detect_faces", lambda pixels: seen.append("yunet"))
    for steps in (21, 31, 41):  # more effort cannot be seen at this size, and asks for no other analysis
        drafts(studio, "portrait", HeadshotRequest(prompt="beige backdrop, butterfly light", num_inference_steps=steps))
    assert seen == []


def test_a_comparison_after_a_draft_does_not_analyse_the_photo_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Studio()
    drafts(fresh, "portrait", HeadshotRequest())
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    shoot(fresh, "portrait", HeadshotRequest())
    assert "u2netp" not in seen
    assert "sface_int8bq" in seen  # the spy does see what runs


def test_a_draft_is_as_mild_as_the_comparison_of_its_look_was(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that the look must be milder, whatever the processor's arithmetic.
    monkeypatch.setattr("headshot.studio.backend._LIKENESS_BY_GUIDANCE", ((7.5, 20), (0.94, 0.80)))
    fresh = Studio()
    hard = HeadshotRequest(prompt="black and white, split light, high contrast, charcoal backdrop")
    before = drafts(fresh, "astronaut", hard)[0]
    full = cv2.resize(shoot(fresh, "astronaut", hard)[0], (320, 400), interpolation=cv2.INTER_AREA).astype(np.float32)
    after = drafts(fresh, "astronaut", hard)[0]
    assert np.abs(before - full).mean() > 1.5 * np.abs(after - full).mean()


def test_a_look_is_proved_once_however_often_it_is_shot(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    request = HeadshotRequest(prompt="navy backdrop, loop light")
    first = shoot(studio, "portrait", request)
    seen: list[str] = []
    original = models.run
    monkeypatch.setattr(models, "run", lambda name, batch: seen.append(name) or original(name, batch))
    again = shoot(studio, "portrait", request)
    assert seen.count("sface_int8bq") == len(SEEDS)  # each picture's own likeness, and no proof
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_a_photo_without_a_face_is_refused_with_a_sentence(studio: Studio) -> None:
    with pytest.raises(PhotoError, match="No face"):
        drafts(studio, "no_face", HeadshotRequest())


def test_stop_ends_drafts(studio: Studio) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Stopped):
        studio.draft(photo("portrait"), plan(HeadshotRequest(), SEEDS), progress)


def test_another_face_can_be_drafted(studio: Studio) -> None:
    both = Photo.of(Image.fromarray(portraits.two_people()))
    one, other = (
        np.asarray(studio.draft(both, plan(HeadshotRequest(), [1]), face=index)[0]).astype(np.float32)
        for index in (0, 1)
    )
    assert np.abs(one - other).mean() > 5
    with pytest.raises(PhotoError, match="no face number 9"):
        studio.draft(both, plan(HeadshotRequest(), [1]), face=8)


def test_the_library_drafts_in_one_call() -> None:
    small, also_small = headshot.draft(photo("portrait"), "navy backdrop", seeds=[1, 2])
    assert small.size == also_small.size == (320, 400)
    assert small.mode == "RGB"
