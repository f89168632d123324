"""Warping without aliasing."""

import numpy as np
import pytest

from headshot.imaging import warp


def test_a_fine_pattern_becomes_grey_when_it_is_reduced() -> None:
    stripes = np.zeros((600, 600), np.float32)
    stripes[:, ::2] = 1
    small = warp.warp(stripes, np.array([[0.15, 0, 0], [0, 0.15, 0]], np.float32), (90, 90))
    assert np.abs(small[5:-5, 5:-5] - 0.5).max() < 0.08


@pytest.mark.parametrize("scale", [0.3, 0.74, 0.76, 1.0, 2.0])
def test_a_place_stays_where_the_similarity_puts_it(scale: float) -> None:
    rows, columns = np.mgrid[0:400, 0:400].astype(np.float32)
    affine = np.array([[scale, 0, -40 * scale], [0, scale, -60 * scale]], np.float32)
    size = int(200 * scale), int(200 * scale)
    for field, offset in ((columns, 40), (rows, 60)):
        there = warp.warp(field, affine, size)
        middle = size[0] // 2
        # half a source pixel is what an area reduction may shift a pixel's centre by
        assert there[middle, middle] == pytest.approx(middle / scale + offset, abs=0.51 / min(scale, 1) + 0.01)


def test_a_target_beside_the_picture_repeats_its_border() -> None:
    picture = np.full((50, 50), 9, np.uint8)
    assert (warp.warp(picture, np.array([[1, 0, 500], [0, 1, 500]], np.float32), (20, 20)) == 9).all()
