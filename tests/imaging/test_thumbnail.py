"""Thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image

from headshot.imaging.thumbnail import MAX_BYTES, thumbnail_of


@pytest.mark.parametrize("size", [(1024, 1280), (300, 5000), (4096, 4096), (64, 80), (2000, 1)])
def test_a_thumbnail_of_anything_is_small_and_keeps_its_shape(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    data = thumbnail_of(image)
    assert len(data) <= MAX_BYTES
    with Image.open(io.BytesIO(data)) as small:
        assert (small.format, small.mode) == ("WEBP", "RGB")
        assert small.width <= min(320, size[0])
        assert small.height <= min(400, size[1])
        if min(small.size) > 10:
            assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)
    assert (image.size, np.array_equal(np.asarray(image), noise)) == (size, True)


def test_a_thumbnail_looks_like_its_picture() -> None:
    across = np.linspace(0, 255, 1024, dtype=np.float32)[None, :].repeat(1280, 0)
    down = np.linspace(0, 255, 1280, dtype=np.float32)[:, None].repeat(1024, 1)
    pixels = np.stack([across, down, 255 - across], -1).astype(np.uint8)
    with Image.open(io.BytesIO(thumbnail_of(Image.fromarray(pixels)))) as small:
        assert small.size == (320, 400)
        wanted = np.asarray(Image.fromarray(pixels).resize((320, 400)), np.float32)
        assert np.abs(np.asarray(small, np.float32) - wanted).mean() < 3
