"""Structuring elements for erosion and dilation."""

from typing import Any

import cv2
import numpy.typing as npt


def disc(radius: float) -> npt.NDArray[Any]:
    """Return a round (n, n) uint8 element whose radius is at least one pixel."""
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
