"""The brush of erosion and dilation."""

from typing import Any

import cv2
import numpy.typing as npt


def disc(radius: float) -> npt.NDArray[Any]:
    """A round one of at least one pixel's radius, uint8."""
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
