"""The crop of a headshot: where the head is in it, and never a body that ends in mid-air."""

from dataclasses import dataclass, replace
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
_TIGHT = 0.62  # a head larger than this no longer looks like a headshot: only where the photo shows nothing more
_TIGHTEST = 0.95
_EYE_LINE = 0.385  # of the headshot's height: the upper third, lowered by the hair's room; eyes at .365-.39 look right
# The cost of eyes off their line; a frame that cuts the crown may have them higher.
_EYE_LINE_COST, _EYE_LINE_COST_CUT_CROWN = 450, 250
_MIN_AIR, _MAX_AIR = 0.03, 0.15  # of the height, above the hair: less cramps, more drowns the head
_MIN_BESIDE = 0.02  # of the width, beside it
_MIN_CHEST = 0.14  # of the height, below the chin: less shows no shoulders
_OTHERS_COST = 100  # the cost of a frame that is full of other people
_GAZE_ROOM = 0.035  # of the width, before a head that is turned by 45 degrees
_GRID = 8  # canvas pixels to one pixel of the map that the search reads
_TILT_REACH = 14  # canvas pixels by which a frame's corners move at the largest tilt


@dataclass(frozen=True)
class Head:
    """A head on the canvas, in pixels.

    Attributes:
        eyes: x and y of the point between the eyes.
        left: x of the leftmost part of head and hair above the mouth.
        right: x of the rightmost part.
        middle: x of the skull's middle.
        crown: y of the highest hair.
        chin: y of the chin.
        gaze: −1…1, the direction it looks; −1 is 45 degrees or more to the picture's left.
        crown_is_cut: whether the photo's border cuts the hair at the top.
    """

    eyes: tuple[float, float]
    left: float
    right: float
    middle: float
    crown: float
    chin: float
    gaze: float = 0.0
    crown_is_cut: bool = False

    @property
    def height(self) -> float:
        """Crown to chin."""
        return self.chin - self.crown

    def scaled(self, scale: float) -> "Head":
        """Return the same head in a picture of another size."""
        return replace(
            self,
            eyes=(self.eyes[0] * scale, self.eyes[1] * scale),
            left=self.left * scale,
            right=self.right * scale,
            middle=self.middle * scale,
            crown=self.crown * scale,
            chin=self.chin * scale,
        )


@dataclass(frozen=True, eq=False)
class FramingLimits:
    """The parts of the canvas that a frame must avoid, as integral images on a grid of 8 px.

    Attributes:
        forbidden: where the person goes on beyond the photo.
        missing: where there is no photo.
        others: where other people touch the person.
        head: of the person.
    """

    forbidden: Array
    missing: Array
    others: Array
    head: Head


@dataclass(frozen=True)
class Frame:
    """A crop of the canvas.

    Attributes:
        left: in canvas pixels.
        top: in canvas pixels.
        scale: headshot pixels to canvas pixels.
        tilt_degrees: by which the frame is turned about its centre.
        share: the head's part of the frame's height.
        air: the part of the height above the hair.
        chest: the part of the height below the chin.
        cut: the part of the frame where the person goes on beyond the photo; 0 if framing could avoid it.
    """

    left: float
    top: float
    scale: float
    tilt_degrees: float
    share: float
    air: float
    chest: float
    cut: float

    def affine(self, size: float) -> Array:
        """Return the (2, 3) float32 map from the canvas to a headshot of `size` times the full one."""
        zoom = self.scale * size
        centre = self.left + WIDTH / 2 / self.scale, self.top + HEIGHT / 2 / self.scale
        matrix: Array = cv2.getRotationMatrix2D(centre, self.tilt_degrees, zoom)
        matrix[:, 2] += np.array([WIDTH / 2, HEIGHT / 2]) * size - centre
        return matrix.astype(np.float32)


def framing_limits(person: Array, inside: Array, others: Array, head: Head) -> FramingLimits:
    """Build the limits of a photo.

    Args:
        person: (h, w) float32 0…1 on the 8 px grid, like the two others.
        inside: 1 where the photo has pixels.
        others: people who touch the person.
        head: on the canvas.
    """
    missing = inside < 0.98
    beyond = ((person > 0.12) & missing).astype(np.uint8)
    theirs = (others > 0.3).astype(np.uint8)
    return FramingLimits(cv2.integral(beyond), cv2.integral(missing.astype(np.uint8)), cv2.integral(theirs), head)


def choose_frame(
    limits: FramingLimits,
    crop: Crop,
    share_jitter: float,
    across_jitter: float,
    down_jitter: float,
    tilt_jitter: float,
    *,
    own_background: bool = False,
) -> Frame:
    """Return the best frame for the crop, as far as the photo allows.

    In this order: nothing of the person is cut off by the photo's border; no head beyond 62 % of the height; crown,
    hair and shoulders inside, if the photo shows them; the head's share; the eyes' line; the head in the middle, with
    room before a turned one. A crown that the photo cuts is cut by the frame too. If the photo's own background stays,
    people who touch the person are kept out as far as possible.

    Args:
        limits: of the analysed photo.
        crop: the look's.
        share_jitter: −1…1, like the other three: how this frame differs from the look's own.
        across_jitter: of the middle.
        down_jitter: of the eyes' line.
        tilt_jitter: of the level.
        own_background: whether the photo stays behind the person, so that the frame should keep within it.
    """
    head = limits.head
    wanted = float(np.clip(HEAD_SHARE[crop] * (1 + 0.05 * share_jitter), *_SHARE_BOUNDS))
    middle = 0.5 + 0.036 * across_jitter - _GAZE_ROOM * head.gaze
    line = _EYE_LINE + 0.012 * down_jitter
    shares = np.concatenate([[wanted], np.linspace(wanted, _TIGHTEST, 40)[1:], np.linspace(wanted, 0.42, 6)[1:]])
    across = middle + np.linspace(-0.16, 0.16, 17)
    down = line + np.linspace(-0.16, 0.32, 49)
    share, at_x, at_y = (axis.ravel() for axis in np.meshgrid(shares, across, down, indexing="ij"))
    scale = share * HEIGHT / head.height
    width, height = WIDTH / scale, HEIGHT / scale
    left, top = head.middle - at_x * width, head.eyes[1] - at_y * height
    cut = _marked_share(limits.forbidden, left, top, width, height)
    above = (head.crown - top) / height
    beside = np.minimum(head.left - left, left + width - head.right) / width
    below = (top + height - head.chin) / height
    off_canvas = np.maximum(
        np.maximum(_TILT_REACH - left, left + width - (CANVAS_WIDTH - _TILT_REACH)),
        np.maximum(_TILT_REACH - top, top + height - (CANVAS_HEIGHT - _TILT_REACH)),
    )
    cost = (
        30 * np.maximum(share - wanted, 0)
        + 200 * np.maximum(share - _TIGHT, 0)
        + 60 * np.maximum(above - _MAX_AIR, 0)
        + 120 * np.maximum(wanted - share, 0)
        + 900 * (at_x - middle) ** 2
        + np.where(head.crown_is_cut & (at_y < line), _EYE_LINE_COST_CUT_CROWN, _EYE_LINE_COST) * (at_y - line) ** 2
        + (0 if head.crown_is_cut else 160) * np.maximum(_MIN_AIR - above, 0)
        + 60 * np.maximum(_MIN_BESIDE - beside, 0)
        + 60 * np.maximum(_MIN_CHEST - below, 0)
        + 400 * np.maximum(0.04 - below, 0)
        + np.where(cut > 0, 400 + 400 * cut, 0)
        + np.where(off_canvas > 0, 1000 + off_canvas, 0)
    )
    if own_background:
        cost += 40 * _marked_share(limits.missing, left, top, width, height)
        cost += _OTHERS_COST * _marked_share(limits.others, left, top, width, height)
    best = int(cost.argmin())
    tilt = 0.9 * tilt_jitter if cut[best] == 0 else 0.0
    return Frame(
        left=float(left[best]),
        top=float(top[best]),
        scale=float(scale[best]),
        tilt_degrees=tilt,
        share=float(share[best]),
        air=float(above[best]),
        chest=float(below[best]),
        cut=float(cut[best]),
    )


def _marked_share(integral: Array, left: Array, top: Array, width: Array, height: Array) -> Array:
    """The marked part of each rectangle, 0…1; a margin of one grid pixel allows for the tilt."""
    rows, columns = integral.shape[0] - 1, integral.shape[1] - 1
    x0 = np.clip(np.floor(left / _GRID).astype(int), 0, columns)
    y0 = np.clip(np.floor(top / _GRID).astype(int), 0, rows)
    x1 = np.clip(np.ceil((left + width) / _GRID).astype(int), 0, columns)
    y1 = np.clip(np.ceil((top + height) / _GRID).astype(int), 0, rows)
    marked = integral[y1, x1] - integral[y0, x1] - integral[y1, x0] + integral[y0, x0]
    return marked / (width * height / _GRID**2)
