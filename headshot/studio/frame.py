"""Framing: where the head stands in the headshot, and never a body that ends in mid-air."""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Crop = Literal["close", "classic", "wide"]

WIDTH, HEIGHT = 1024, 1280  # 4:5, the portrait format of print and of LinkedIn's and the agencies' guidelines
CANVAS_WIDTH, CANVAS_HEIGHT = 1280, 1600  # holds the widest crop and the seeds' play around it
CANVAS_HEAD = 660  # head and hair on the canvas: a classic crop of it is reduced by 3 %, so nothing is enlarged twice
CANVAS_EYES = 0.40  # of the canvas's height
# Crown to chin, of the headshot's height.
HEAD_SHARE: dict[Crop, float] = {"close": 0.535, "classic": 0.5, "wide": 0.465}
_SHARE_BOUNDS = 0.452, 0.548  # photographers' rule of 45 to 55 %, with room for the crown's uncertainty
_EYE_LINE = 0.385  # of the headshot's height: the upper third, lowered by the hair's room; eyes at .365-.39 look right
_TIGHTEST = 0.95  # a head larger than this would be a face, not a headshot
_GRID = 8  # canvas pixels to one pixel of the map that the search reads


@dataclass(frozen=True, eq=False)
class Room:
    """What the frame may show, on the canvas.

    forbidden: integral image, on a grid of 8 px, of where the person goes on beyond the photo.
    eyes: canvas x and y between the eyes.  crown, chin: canvas y.
    """

    forbidden: Array
    eyes: tuple[float, float]
    crown: float
    chin: float

    @property
    def head(self) -> float:
        return self.chin - self.crown


@dataclass(frozen=True)
class Frame:
    """A crop of the canvas. scale: headshot pixels to canvas pixels; left, top: canvas pixels.

    share: the head's part of the height.  cut: the part of the frame where the person had to be continued beyond the
    photo, 0 where framing alone could avoid it.
    """

    left: float
    top: float
    scale: float
    tilt_degrees: float
    share: float
    cut: float

    def affine(self, size: float) -> Array:
        """(2, 3) headshot from canvas, for a headshot of `size` times the full one; the tilt turns about its centre."""
        zoom = self.scale * size
        centre = self.left + WIDTH / 2 / self.scale, self.top + HEIGHT / 2 / self.scale
        matrix: Array = cv2.getRotationMatrix2D(centre, self.tilt_degrees, zoom)
        matrix[:, 2] += np.array([WIDTH / 2, HEIGHT / 2]) * size - centre
        return matrix.astype(np.float32)


def room(alpha: Array, inside: Array, eyes: tuple[float, float], crown: float, chin: float) -> Room:
    """alpha, inside: (h, w) float32 on the 8 px grid; inside is 1 where the photo has pixels."""
    beyond = ((alpha > 0.12) & (inside < 0.98)).astype(np.uint8)
    return Room(cv2.integral(beyond), eyes, crown, chin)


def choose(space: Room, crop: Crop, share_play: float, across_play: float, down_play: float, tilt_play: float) -> Frame:
    """The best frame for the crop: the head's share, the eyes' line and the middle, as far as the photo allows.

    The four `play` values, −1…1, are how this frame differs from the look's own.
    """
    wanted = float(np.clip(HEAD_SHARE[crop] * (1 + 0.05 * share_play), *_SHARE_BOUNDS))
    middle = 0.5 + 0.036 * across_play
    line = _EYE_LINE + 0.012 * down_play
    shares = np.concatenate([[wanted], np.linspace(wanted, _TIGHTEST, 40)[1:], np.linspace(wanted, 0.42, 6)[1:]])
    across = middle + np.linspace(-0.16, 0.16, 17)
    down = line + np.linspace(-0.09, 0.13, 23)
    share, at_x, at_y = (axis.ravel() for axis in np.meshgrid(shares, across, down, indexing="ij"))
    scale = share * HEIGHT / space.head
    left, top = space.eyes[0] - at_x * WIDTH / scale, space.eyes[1] - at_y * HEIGHT / scale
    # A tight crop may cut the hair but must keep the chin in.
    chin_room = (HEIGHT - (space.chin - top) * scale) / HEIGHT
    cut = _covered(space.forbidden, left, top, WIDTH / scale, HEIGHT / scale)
    # The weights put first things first: no person cut off by the photo's edge, then the share, the eyes' line, the
    # middle, and the chin's room. Tightening costs less than leaving the middle, so no frame leaves the canvas.
    cost = (
        30 * np.maximum(share - wanted, 0)
        + 120 * np.maximum(wanted - share, 0)
        + 900 * (at_x - middle) ** 2
        + 1600 * (at_y - line) ** 2
        + 400 * np.maximum(0.04 - chin_room, 0)
        + np.where(cut > 0, 8 + 400 * cut, 0)
    )
    best = int(cost.argmin())
    tilt = 0.9 * tilt_play if cut[best] == 0 else 0.0
    return Frame(float(left[best]), float(top[best]), float(scale[best]), tilt, float(share[best]), float(cut[best]))


def _covered(integral: Array, left: Array, top: Array, width: Array, height: Array) -> Array:
    """The marked part of each rectangle, 0…1; a margin of one grid pixel allows for the tilt."""
    rows, columns = integral.shape[0] - 1, integral.shape[1] - 1
    x0 = np.clip(np.floor(left / _GRID).astype(int), 0, columns)
    y0 = np.clip(np.floor(top / _GRID).astype(int), 0, rows)
    x1 = np.clip(np.ceil((left + width) / _GRID).astype(int), 0, columns)
    y1 = np.clip(np.ceil((top + height) / _GRID).astype(int), 0, rows)
    marked = integral[y1, x1] - integral[y0, x1] - integral[y1, x0] + integral[y0, x0]
    return marked / (width * height / _GRID**2)
