"""Red pupils from a flash: found inside the eyes' openings, and darkened."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging.face import EYES

Array = npt.NDArray[Any]

# A flash reflected by the retina is red with hardly more green than blue. A brown iris has clearly more green than
# blue, and lids, corners and lashes in warm light are less red than this or lie at the opening's border: on 35 photos
# of all complexions, with brown eyes and sore ones among them, no pupil is mistaken for a red one.
_MIN_RED_OVER_GREEN = 0.17  # sRGB, red above green
_MIN_RED_TO_GREEN = 2.0  # red to green
_MAX_YELLOW = 0.25  # of that difference: as much may green lie above blue
_AREA_SHARES = (0.02, 0.6)  # of the opening's area: from a pupil in daylight to a whole iris under wide lids
_REDDER_THAN_REST = 0.15  # sRGB, of that difference above the rest of the opening's: less is skin under a wrong mesh
_INNER_SCALE = 0.72  # the opening shrunk to this scale, in which at least …
_MIN_INNER_SHARE = 0.6  # … this share of a pupil lies
_FULLY_GREY = 0.08  # sRGB, red above both others: from here on a pixel of a pupil is made entirely grey
_MIN_COMPACTNESS = 0.45  # of its bounding box: a disc fills .79, one with a catch light or under a lid .5


def darken_pupils(picture: Array, mesh: Array) -> bool:
    """Darken red pupils in place; returns whether there were any.

    The catch light, iris, white and lids keep their colour: only pixels that are redder than green and blue turn grey,
    inside the red blob and softly around it.

    Args:
        picture: (H, W, 3) float32 sRGB 0…1.
        mesh: (468, 3), in the picture's pixels.
    """
    found = [_darken_pupil(picture, mesh[list(eye), :2]) for eye in EYES]
    return any(found)


def _darken_pupil(picture: Array, outline: Array) -> bool:
    margin = 3
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - margin, 0)
    high = np.maximum(np.ceil(outline.max(axis=0)).astype(int) + margin + 1, 0)
    region = picture[low[1] : high[1], low[0] : high[0]]
    if min(region.shape[:2]) <= 2 * margin + 2:  # beside the picture, or closed
        return False
    local = outline - low
    opening, inner = _polygon_mask(region.shape[:2], local), _polygon_mask(region.shape[:2], _shrunk(local))
    pupil = _pupil(region, opening, inner)
    if pupil is None:
        return False
    width = float(np.ptp(local[:, 0]))
    reach = 2 * max(1, round(0.025 * width)) + 1
    soft = cv2.dilate(pupil, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) & opening
    weight = cv2.GaussianBlur(soft.astype(np.float32), (0, 0), max(0.6, 0.012 * width))
    red, green, blue = cv2.split(region)
    weight *= np.clip((red - np.maximum(green, blue)) / _FULLY_GREY, 0, 1)
    neutral = (green + blue) / 2
    region += weight[..., None] * (neutral[..., None] - region)
    return True


def _pupil(region: Array, opening: Array, inner: Array) -> Array | None:
    """The red disc as (h, w) uint8, or None."""
    red, green, blue = cv2.split(region)
    more = red - green
    is_red = (
        (more > _MIN_RED_OVER_GREEN)
        & (red > _MIN_RED_TO_GREEN * green)
        & (green - blue < _MAX_YELLOW * more)
        & (opening > 0)
    )
    joined = cv2.morphologyEx(is_red.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, numbers, _ = cv2.connectedComponentsWithStats(joined, connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(numbers[1:, cv2.CC_STAT_AREA].argmax())
    _, _, width, height, area = numbers[largest].tolist()
    blob: Array = (labels == largest).astype(np.uint8)
    rest = more[(opening > 0) & (blob == 0)]
    fits = (
        _AREA_SHARES[0] <= area / float(opening.sum()) <= _AREA_SHARES[1]
        and area >= _MIN_COMPACTNESS * width * height
        and max(width, height) <= 2.2 * min(width, height)
        and rest.size > 0
        and float(np.median(more[blob > 0])) >= float(np.median(rest)) + _REDDER_THAN_REST
        and float((blob & inner).sum()) >= _MIN_INNER_SHARE * area
    )
    return blob if fits else None


def _shrunk(outline: Array) -> Array:
    middle = outline.mean(axis=0)
    inner: Array = middle + _INNER_SCALE * (outline - middle)
    return inner


def _polygon_mask(shape: tuple[int, ...], outline: Array) -> Array:
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.round(outline).astype(np.int32)], 1)
    return canvas
