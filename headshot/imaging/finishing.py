"""The last steps of a headshot, whichever backend made it: sharpening and grain."""

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

GRAIN = {"none": 0.0, "fine": 0.0085, "film": 0.022}
SHARPNESS = 0.35  # unsharp masking for a screen; an enlarged photo has no detail to gain and gets less


def finished(picture: Array, *, sharpness: float, graininess: float, at: tuple[float, float]) -> Array:
    """Apply the output steps of every headshot; `picture` is changed.

    Args:
        picture: (h, w, 3) float32, 0 to 1.
        sharpness: The amount for `sharpen`, with a sigma of one pixel; 0 leaves the step out.
        graininess: The amount for `grain`; 0 leaves the step out.
        at: As for `grain`.

    Returns:
        (h, w, 3) uint8.
    """
    if sharpness:
        picture = sharpen(picture, sharpness, 1.0)
    if graininess:
        picture = grain(picture, graininess, at)
    np.clip(picture, 0, 1, out=picture)
    return cv2.convertScaleAbs(picture, alpha=255)


def sharpen(picture: Array, amount: float, sigma: float) -> Array:
    """Unsharp masking of the luminance, limited to ±0.035 so that no edge gets a halo; in place.

    Args:
        picture: (h, w, 3) float32, 0 to 1.
        amount: How much of the detail is added.
        sigma: Of the blur that separates the detail, in pixels.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    detail = cv2.addWeighted(grey, amount, cv2.GaussianBlur(grey, (0, 0), sigma), -amount, 0)
    np.clip(detail, -0.035, 0.035, out=detail)
    return cv2.add(picture, cv2.merge([detail, detail, detail]), dst=picture)


def grain_place(seed: int) -> tuple[float, float]:
    """Where on the grain sheet the frame of this seed is.

    Returns:
        Row and column, 0 to 1 each, as `grain` takes them.
    """
    row, column = np.random.default_rng(seed).uniform(0, 1, 2).tolist()
    return row, column


@cache
def _grain_sheet() -> Array:
    sheet: Array = np.random.default_rng(20).standard_normal((1664, 1408), dtype=np.float32)
    sheet = 0.75 * sheet + 1.6 * cv2.GaussianBlur(sheet, (0, 0), 1.1)  # grain clumps: pure noise looks digital
    sheet /= sheet.std()
    return sheet


def grain(picture: Array, amount: float, at: tuple[float, float]) -> Array:
    """Add the same film grain to person and backdrop, strongest in the mid-tones; in place.

    Args:
        picture: (h, w, 3) float32, 0 to 1.
        amount: Standard deviation in the mid-tones.
        at: Where on the grain sheet this frame is: row and column, 0 to 1 each.
    """
    sheet = _grain_sheet()
    height, width = picture.shape[:2]
    top, left = int(at[0] * (sheet.shape[0] - height)), int(at[1] * (sheet.shape[1] - width))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    strength: Array = cv2.multiply(grey, 1 - grey, scale=3.2 * amount)
    strength += 0.2 * amount
    strength *= sheet[top : top + height, left : left + width]
    return cv2.add(picture, cv2.merge([strength, strength, strength]), dst=picture)
