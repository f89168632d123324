"""Small faces are enlarged softly: neither etched nor waxy, measured against the large photo that they were made of."""

from functools import cache

import cv2
import numpy as np
import portraits
import pytest

from headshot.imaging import face
from headshot.studio import retouch
from headshot.studio.face_geometry import CHEEKS

_SIDE, _FACE_PX = 640, 480  # of the picture that is made, and of the face in it

SMALL = [(name, height) for name in ("portrait", "astronaut") for height in (70, 90, 110)]


@cache
def _enlargements(name: portraits.Name, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The studio's enlargement of a strong JPEG, plain interpolation of it and of the photo without JPEG, the mesh."""
    pixels = portraits.photograph(name)
    found = face.find(pixels)[0]
    scale = height / found.height
    clean = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = cv2.imdecode(cv2.imencode(".jpg", clean, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_UNCHANGED)
    x, y = np.array(found.centre) * scale
    up = _FACE_PX / height
    affine = np.array([[up, 0, _SIDE / 2 - up * x], [0, up, _SIDE / 2 - up * y]], np.float32)
    mesh = face.mesh(pixels, found)[:, :2] * scale @ affine[:, :2].T + affine[:, 2]
    return retouch.enlarge(small, affine, (_SIDE, _SIDE)), _plain(small, affine), _plain(clean, affine), mesh


def _plain(pixels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    enlarged = cv2.warpAffine(pixels.astype(np.float32) / 255, affine, (_SIDE, _SIDE), flags=cv2.INTER_CUBIC)
    return np.clip(enlarged, 0, 1)


def _inside(outlines: list[np.ndarray]) -> np.ndarray:
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [cv2.convexHull(np.round(outline).astype(np.int32))], 1)
    return mask > 0


@pytest.mark.parametrize(("name", "height"), SMALL)
def test_the_edges_of_a_small_face_are_a_little_steeper_than_plain_interpolation_and_no_more(
    name: portraits.Name, height: int
) -> None:
    enlarged, plain, _, mesh = _enlargements(name, height)
    inside = _inside([mesh[list(face.OVAL)]])

    def steepness(picture: np.ndarray) -> float:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        return float(np.percentile(slope[inside], 98))

    assert 1.0 <= steepness(enlarged) / steepness(plain) <= 1.16


@pytest.mark.parametrize(("name", "height"), SMALL)
def test_jpeg_blocks_on_the_cheeks_of_a_small_face_are_not_made_stronger(name: portraits.Name, height: int) -> None:
    enlarged, plain, clean, mesh = _enlargements(name, height)
    cheeks = _inside([mesh[list(cheek)] for cheek in CHEEKS])

    def damage(picture: np.ndarray) -> np.ndarray:
        error = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) - cv2.cvtColor(clean, cv2.COLOR_RGB2LAB)
        fine: np.ndarray = (error - cv2.GaussianBlur(error, (0, 0), 8))[cheeks].std(axis=0)
        return fine

    lightness, a, b = damage(enlarged) / damage(plain)
    assert lightness < 1.12
    assert max(a, b) < 1.0
