"""Black bars around a photo are found, and nothing else is taken for one."""

import cv2
import numpy as np
import portraits
import pytest

from headshot.studio.cutout.black_bars import region_inside_bars


def barred(left: int, top: int, right: int, bottom: int, quality: int | None = None) -> np.ndarray:
    """The portrait inside black bars; as a JPEG of that quality where one is given."""
    picture = cv2.copyMakeBorder(portraits.photograph("portrait"), top, bottom, left, right, cv2.BORDER_CONSTANT)
    if quality is None:
        return picture
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("quality", [None, 80])
@pytest.mark.parametrize("bars", [(0, 120, 0, 120), (90, 0, 90, 0), (20, 150, 33, 8)])
def test_bars_are_cut_off_with_what_compression_made_of_their_edge(
    bars: tuple[int, int, int, int], quality: int | None
) -> None:
    left, top, right, bottom = bars
    height, width = portraits.photograph("portrait").shape[:2]
    found = region_inside_bars(barred(*bars, quality=quality))
    for bar, side, true in (
        (left, found.left, left),
        (top, found.top, top),
        (right, -found.right, -(left + width)),
        (bottom, -found.bottom, -(top + height)),
    ):
        assert 0 <= side - true <= (10 if bar else 0)


@pytest.mark.parametrize("name", ["portrait", "astronaut"])
def test_a_photo_without_bars_stays_whole(name: str) -> None:
    pixels = portraits.photograph(name)  # type: ignore[arg-type]
    found = region_inside_bars(pixels)
    assert (found.left, found.top, found.right, found.bottom) == (0, 0, pixels.shape[1], pixels.shape[0])


def test_a_dark_room_is_no_bar() -> None:
    """Black at the sides that grows lighter towards the middle."""
    ramp = np.clip(np.abs(np.linspace(-1, 1, 600)) * -300 + 240, 0, 255)
    room = np.repeat(np.repeat(ramp[None, :, None], 500, axis=0), 3, axis=2).astype(np.uint8)
    found = region_inside_bars(room)
    assert (found.left, found.right) == (0, 600)


def test_a_black_picture_stays_whole() -> None:
    assert region_inside_bars(np.zeros((300, 200, 3), np.uint8)).right == 200
