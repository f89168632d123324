"""Red pupils of a flash go; every other eye keeps its colour."""

from functools import cache

import cv2
import numpy as np
import portraits
import pytest

from headshot.imaging import face
from headshot.studio import analysis, red_eye

_EYES = ((33, 133, 159, 145), (362, 263, 386, 374))  # corners and the lids' middles, in the mesh's numbering


@cache
def _photo(name: portraits.Name) -> tuple[np.ndarray, np.ndarray]:
    pixels = portraits.photograph(name)
    return pixels, face.mesh(pixels, face.find(pixels)[0])


def _pupils(mesh: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """The middle of each opening, and half its height."""
    return [
        (mesh[list(eye), :2].mean(axis=0), float(np.linalg.norm(mesh[eye[2], :2] - mesh[eye[3], :2])) / 2)
        for eye in _EYES
    ]


def _with_red_pupils(name: portraits.Name, colour: tuple[int, int, int]) -> np.ndarray:
    """The portrait as a flash beside the lens would take it: a glowing disc with a catch light in each eye."""
    pixels, mesh = _photo(name)
    glow, spark = np.zeros(pixels.shape[:2], np.float32), np.zeros(pixels.shape[:2], np.float32)
    for (x, y), half in _pupils(mesh):
        cv2.circle(glow, (round(16 * x), round(16 * y)), round(16 * 0.85 * half), 1, -1, cv2.LINE_AA, 4)
        cv2.circle(spark, (round(16 * x), round(16 * y - 5 * half)), round(16 * 0.2 * half), 1, -1, cv2.LINE_AA, 4)
    made = pixels.astype(np.float32)
    for mask, paint in ((cv2.GaussianBlur(glow, (0, 0), 0.7), colour), (spark, (250, 245, 245))):
        made += (np.float32(paint) - made) * mask[..., None]
    return made.round().astype(np.uint8)


def _redness(pixels: np.ndarray, mesh: np.ndarray) -> list[float]:
    """Lab's a in the middle of each pupil, below the catch light: the median."""
    lab = cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_RGB2LAB)
    values = []
    for (x, y), half in _pupils(mesh):
        disc = np.zeros(pixels.shape[:2], np.uint8)
        cv2.circle(disc, (round(x), round(y + 0.2 * half)), max(2, round(0.4 * half)), 1, -1)
        values.append(float(np.median(lab[disc > 0][:, 1])))
    return values


@pytest.mark.parametrize("colour", [(214, 46, 52), (150, 30, 40), (235, 96, 104)])
@pytest.mark.parametrize("name", ["portrait", "astronaut"])
def test_red_pupils_turn_dark_and_keep_their_catch_light(name: portraits.Name, colour: tuple[int, int, int]) -> None:
    mesh = _photo(name)[1]
    photo = _with_red_pupils(name, colour).astype(np.float32) / 255
    cleared = photo.copy()
    assert red_eye.darken_pupils(cleared, mesh)
    assert min(_redness(photo, mesh)) > 35
    assert max(map(abs, _redness(cleared, mesh))) < 6
    sparks = photo.min(axis=2) > 0.85
    assert np.abs(cleared - photo)[sparks].max() < 0.03
    elsewhere = np.ones(photo.shape[:2], bool)
    for eye in face.EYES:
        low, high = mesh[list(eye), :2].min(axis=0).astype(int) - 5, mesh[list(eye), :2].max(axis=0).astype(int) + 6
        elsewhere[low[1] : high[1], low[0] : high[0]] = False
    assert np.array_equal(cleared[elsewhere], photo[elsewhere])


def test_a_headshot_of_a_photo_with_red_eyes_has_none() -> None:
    pixels = _with_red_pupils("portrait", (214, 46, 52))
    studied = analysis.analyse(pixels, face.find(pixels)[0], [], steps=21)
    person = studied.foreground.astype(np.float32)
    canvas_mesh = face.mesh((person * 255).astype(np.uint8), face.find((person * 255).astype(np.uint8))[0])
    assert max(_redness(person, canvas_mesh)) < 12


@pytest.mark.parametrize(
    "iris", [(92, 54, 30), (120, 72, 38), (64, 38, 28), (110, 132, 150), (96, 110, 70), (58, 30, 24)]
)
def test_brown_blue_and_green_eyes_keep_their_colour(iris: tuple[int, int, int]) -> None:
    for name in ("portrait", "astronaut"):
        mesh = _photo(name)[1]
        for warmth in (np.float32([1, 1, 1]), np.float32([1.1, 0.95, 0.8])):  # lamp light, too
            photo = np.clip(_with_red_pupils(name, iris).astype(np.float32) / 255 * warmth, 0, 1)
            same = photo.copy()
            assert not red_eye.darken_pupils(same, mesh)
            assert np.array_equal(same, photo)


def test_the_portraits_own_eyes_and_pink_lids_are_not_touched() -> None:
    for name in ("portrait", "astronaut"):
        pixels, mesh = _photo(name)
        pink = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        for photo in (pixels.astype(np.float32) / 255, cv2.cvtColor(pink + np.float32([0, 14, 0]), cv2.COLOR_LAB2RGB)):
            assert not red_eye.darken_pupils(np.clip(photo, 0, 1), mesh)


def test_skin_under_a_mesh_that_missed_the_eyes_is_not_touched() -> None:
    pixels, mesh = portraits.darker_skin(), _photo("portrait")[1]
    photo = np.clip(pixels.astype(np.float32) / 255 * np.float32([1.1, 0.85, 0.85]), 0, 1)
    for down in (-0.35, 0.15, 0.25, 0.6):
        missed = mesh + np.float32([0, down * float(np.ptp(mesh[:, 1])), 0])
        assert not red_eye.darken_pupils(photo.copy(), missed)
