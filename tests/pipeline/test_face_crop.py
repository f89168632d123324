"""The face crop for the local pipeline's models: who is in it, how large, and what lies beyond the photo's edge."""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import portraits
import pytest
from PIL import Image

from headshot import errors
from headshot.imaging import face
from headshot.pipeline.face_crop import face_region
from headshot.pipeline.model_specs import MODEL_SPECS, ModelSpec

EDITOR, ADAPTER = MODEL_SPECS["flux2-klein"], MODEL_SPECS["sdxl-face"]
EDITORS_SHARE, ADAPTERS_SHARE = 1 / 2.6, 1 / 1.7  # the face's height in the square's


def cut_around(pixels: np.ndarray, *, above: float, below: float, left: float, right: float) -> np.ndarray:
    """The photo cropped to the face's box and so many face heights more, as far as it goes."""
    x, y, width, height = face.find(pixels)[0].box
    top, start = max(0, round(y - above * height)), max(0, round(x - left * height))
    return pixels[top : round(y + (1 + below) * height), start : round(x + width + right * height)].copy()


def share(region: Image.Image) -> float:
    return face.find(np.asarray(region))[0].height / region.height


def at_its_own_size(pixels: np.ndarray, spec: ModelSpec, times: float) -> np.ndarray:
    """The square without any resizing, where it is `times` the face's height."""
    side = round(times * face.find(pixels)[0].height)
    return np.asarray(face_region(pixels, dataclasses.replace(spec, reference_px=side)))


def contains(whole: np.ndarray, region: np.ndarray) -> bool:
    """Whether the region is somewhere in the whole, bit for bit."""
    _, _, (x, y), _ = cv2.minMaxLoc(cv2.matchTemplate(whole, region, cv2.TM_SQDIFF))
    return np.array_equal(whole[y : y + region.shape[0], x : x + region.shape[1]], region)


def detail(strip: np.ndarray) -> float:
    return float(np.abs(np.diff(strip.astype(float), axis=0)).mean())


@pytest.mark.parametrize("name", MODEL_SPECS)
def test_the_crop_is_an_rgb_square_of_the_models_size(name: str) -> None:
    region = face_region(portraits.photograph("portrait"), MODEL_SPECS[name])
    assert (region.size, region.mode) == ((MODEL_SPECS[name].reference_px,) * 2, "RGB")


@pytest.mark.parametrize("photo", [lambda: portraits.photograph("astronaut"), portraits.small_face])
def test_the_face_is_equally_large_however_far_away_it_was(photo: Callable[[], np.ndarray]) -> None:
    pixels = photo()
    assert share(face_region(pixels, EDITOR)) == pytest.approx(EDITORS_SHARE, rel=0.08)
    assert share(face_region(pixels, ADAPTER)) == pytest.approx(ADAPTERS_SHARE, rel=0.08)


@pytest.mark.parametrize("index", [0, 1])
def test_the_chosen_person_is_in_the_crop_and_the_other_is_not(index: int) -> None:
    pixels = portraits.two_people()
    chosen, other = (face.embed(pixels, face.find(pixels)[which]) for which in (index, 1 - index))
    region = np.asarray(face_region(pixels, ADAPTER, index))
    (found,) = face.find(region)
    assert face.likeness(face.embed(region, found), chosen) > 0.9
    assert face.likeness(face.embed(region, found), other) < face.SAME_PERSON


def test_the_first_face_is_used_by_default() -> None:
    pixels = portraits.two_people()
    assert face_region(pixels, EDITOR).tobytes() == face_region(pixels, EDITOR, 0).tobytes()


@pytest.mark.parametrize(("side", "margins"), [("left", (0.1, 2.0)), ("right", (2.0, 0.1))])
def test_a_face_at_the_edge_moves_the_square_and_nothing_is_invented(side: str, margins: tuple[float, float]) -> None:
    pixels = cut_around(portraits.small_face(), above=1, below=1.5, left=margins[0], right=margins[1])
    square = at_its_own_size(pixels, EDITOR, 2.6)
    assert contains(pixels, square)
    x, _ = face.find(square)[0].centre
    assert (x < 0.4 * len(square)) == (side == "left")


def test_a_photo_that_is_smaller_than_the_square_is_used_whole() -> None:
    pixels = cut_around(portraits.photograph("portrait"), above=0.3, below=0.7, left=0.7, right=0.7)
    square = at_its_own_size(pixels, EDITOR, min(pixels.shape[:2]) / face.find(pixels)[0].height)
    assert contains(pixels, square)


def test_a_photo_of_a_face_alone_keeps_the_whole_face_and_its_edges_are_extended_and_blurred() -> None:
    pixels = cut_around(portraits.photograph("portrait"), above=0.2, below=0.1, left=0.03, right=0.03)
    height, width = pixels.shape[:2]
    square = at_its_own_size(pixels, EDITOR, height / face.find(pixels)[0].height)
    before = (height - width) // 2
    assert contains(square, pixels)
    filled = square[:, : before - 5]
    assert filled.shape[1] > 20
    assert detail(filled) < 0.2 * detail(pixels[:, :20])
    assert np.abs(filled.mean((0, 1)) - pixels[:, :20].mean((0, 1))).max() < 20


def test_a_photo_without_a_face_or_without_that_face_raises_photo_error() -> None:
    with pytest.raises(errors.PhotoError, match=r"No face was found"):
        face_region(portraits.no_face(), EDITOR)
    with pytest.raises(errors.PhotoError, match=r"no face number 3"):
        face_region(portraits.two_people(), EDITOR, 2)


def test_the_photo_itself_is_not_changed() -> None:
    pixels = cut_around(portraits.photograph("portrait"), above=0.2, below=0.1, left=0.03, right=0.03)
    before = pixels.copy()
    face_region(pixels, EDITOR)
    assert np.array_equal(pixels, before)
