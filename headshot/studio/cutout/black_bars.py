"""Black bars around a photo, from a film, a screenshot or a data set, which are no part of it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .region import Region

Array = npt.NDArray[Any]

_BLACK = 12  # of 255: compression does not keep black any purer
_SOFT_PX = 4  # a compressed bar ends within some pixels
_LEAST_PX = 64  # a photo is not smaller


def region_inside_bars(pixels: Array) -> Region:
    """Return the rectangle inside a photo's black bars; the whole photo if it has none.

    A dark room is no bar: after a bar the picture begins at once.

    Args:
        pixels: (H, W, 3) uint8 RGB.
    """
    height, width = pixels.shape[:2]
    whole = Region(0, 0, width, height)
    dark = pixels.max(axis=2) <= _BLACK
    rows, columns = np.flatnonzero(dark.mean(axis=1) < 0.99), np.flatnonzero(dark.mean(axis=0) < 0.99)
    if not rows.size or not columns.size:
        return whole
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    inner = Region(
        left + _SOFT_PX * (left > 0),
        top + _SOFT_PX * (top > 0),
        right - _SOFT_PX * (right < width),
        bottom - _SOFT_PX * (bottom < height),
    )
    picture = inner.crop(pixels)
    if min(picture.shape[:2]) < _LEAST_PX:
        return whole
    ends = ((top, picture[0]), (height - bottom, picture[-1]), (left, picture[:, 0]), (width - right, picture[:, -1]))
    return inner if any(bar > 0 and float(end.mean()) > 2 * _BLACK for bar, end in ends) else whole
