"""The photo's own background behind the person, out of focus, as a long lens would have drawn it.

The blur is that of a lens: a disc, in linear light, with the person left out of it. It grows with the distance from the
person's edge and is nothing at the edge itself, where the photo stays as it is: an outline that is wrong by some pixels
cannot be seen.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .kernel import disc

Array = npt.NDArray[Any]

# In face heights, by eye on eight photos whose cut-out had failed.
_MARGIN = 0.006  # from the outline outwards: the photo as it is
_RADII = (0.015, 0.04, 0.09, 0.16)  # of the disc, from the margin outwards …
_REACHED = (0.013, 0.05, 0.15, 0.4)  # … and the distances at which each is reached
_FASTER = 2.5  # along an edge that is beyond doubt: leaves and grass that stay sharp there look like a crust
_BESIDE = 1.5  # of the radii above: a face half sharp and half melted would look like a mistake
_BORDER = 0.25  # from the photo's border inwards the blur is at its widest, so that the border cannot be seen
_TONE_AT_EDGE, _TONE_FULL = 0.35, 1.1  # how much of the look's brightness and colour the edge has, and where all
_TONE_SHARE, _TONE_BOUNDS = 0.5, (0.45, 1.5)  # of the way, in stops, to the look's brightness
_CALMER = 0.6  # of the background's own colours is given up for the paper's
_GAMMA = 2.2
_HIGHLIGHT = 0.75  # linear: what is brighter was cut off by the camera, and spreads as a brighter disc would
_HIGHLIGHT_GAIN = 1.2


@dataclass(frozen=True, eq=False)
class OwnBackground:
    """A photo whose own background stays, on the canvas.

    near: (H, W) float16, 1 on the person and the margin around them, where the photo itself is shown.
    lit: (H, W) float16, 1 on the person, falling off softly across the edge: how far the look's light reaches.
    behind: (h, w, 3) float16, linear light, half the canvas's size: the background out of focus.
    far: (h, w) float16, .35…1: how far the look's brightness and colour are reached.
    """

    near: Array
    lit: Array
    behind: Array
    far: Array

    def smaller(self, scale: float) -> "OwnBackground":
        """The same for a canvas of `scale` times the size."""
        fields = (self.near, self.lit, self.behind, self.far)
        return OwnBackground(*(_resized(field.astype(np.float32), scale).astype(np.float16) for field in fields))


def own_background(
    canvas: Array, opinion: Array, clear: Array, beside: Array, inside: Array, face_px: float
) -> OwnBackground:
    """Blur what is not the person.

    Args:
        canvas: (H, W, 3) uint8 RGB, the photo on the canvas.
        opinion: (H, W) float, 0…1, where the person may be: rather too much than too little.
        clear: (h, w) float, 0…1, how surely the person's edge is where the opinion has it: there the blur grows faster.
        beside: (H, W) float, 0…1, people as near to the camera as the person: all of them is a little out of focus.
        inside: (H, W), 1 where the photo has pixels.
        face_px: the face's height on the canvas.
    """
    height, width = canvas.shape[:2]
    size = width // 2, height // 2
    unit = face_px / 2
    picture = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    person = cv2.resize(opinion.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    known = (cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.98).astype(np.float32)
    body: Array = (person > 0.5).astype(np.uint8)
    body = cv2.morphologyEx(body, cv2.MORPH_CLOSE, disc(0.06 * unit))
    away: Array = cv2.distanceTransform(1 - body, cv2.DIST_L2, 5) / unit
    to_border = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5) / unit

    linear = picture**_GAMMA
    linear += _HIGHLIGHT_GAIN * np.clip(linear - _HIGHLIGHT, 0, None)
    free = known * np.clip(away / _MARGIN, 0, 1)
    levels = [_out_of_focus(linear, free, radius * unit) for radius in _RADII]
    widest = _everywhere(levels[-1], free, unit)
    quick = cv2.resize(clear.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    faster = away * (1 + (_FASTER - 1) * quick)
    place = np.interp(faster, (_MARGIN, *_REACHED), range(len(_RADII) + 1)).astype(np.float32)
    near_by = cv2.resize(beside.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    place += (_BESIDE - place) * near_by * np.clip(away / _MARGIN, 0, 1)
    border = np.clip(1 - to_border / _BORDER, 0, 1) * np.clip(away / _REACHED[1], 0, 1)
    place = np.maximum(place, border * len(_RADII))
    blurred = linear
    for number, level in enumerate((*levels[:-1], widest)):
        blurred = blurred + (level - blurred) * np.clip(place - number, 0, 1)[..., None]
    blurred = np.where(known[..., None] > 0.5, blurred, widest)
    blurred = np.minimum(blurred, 1)  # the highlights' gain has done its work in the blur

    near = cv2.GaussianBlur(
        cv2.dilate(body.astype(np.float32), disc(0.3 * _MARGIN * unit)), (0, 0), 0.3 * _MARGIN * unit
    )
    lit = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 0.05 * unit)
    far = _TONE_AT_EDGE + (1 - _TONE_AT_EDGE) * _smooth(np.clip(away / _TONE_FULL, 0, 1))
    full = width, height
    return OwnBackground(
        near=cv2.resize(near, full, interpolation=cv2.INTER_LINEAR).astype(np.float16),
        lit=cv2.resize(lit, full, interpolation=cv2.INTER_LINEAR).astype(np.float16),
        behind=blurred.astype(np.float16),
        far=far.astype(np.float16),
    )


def toned(own: OwnBackground, colour: Array | None, level: float, amount: float = 1.0) -> Array:
    """The background brought towards a look's, the more the farther it is from the person: (h, w, 3) float32, linear.

    Args:
        own: the background.
        colour: (3,) linear RGB, the paper that the look asks for; None where it asks for a place, or for nothing.
        level: what the look's brightness multiplies a backdrop with.
        amount: 0…1, how much of all that is wanted.
    """
    behind = own.behind.astype(np.float32)
    far = amount * own.far.astype(np.float32)[..., None]
    grey = behind @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    weight = own.far.astype(np.float32)
    mean = float((grey * weight).sum() / max(float(weight.sum()), 1e-3)) if weight.sum() > 1 else float(grey.mean())
    if colour is None:
        return behind * (1 + (level - 1) * far)
    wanted = float(colour @ np.array([0.2126, 0.7152, 0.0722])) * level
    # Half of the way, in stops: a bright wall stays a wall, only darker.
    gain = float(np.clip((wanted / max(mean, 1e-3)) ** _TONE_SHARE, *_TONE_BOUNDS))
    tint = (colour / max(float(colour.mean()), 1e-3)).astype(np.float32)
    calmer = behind + _CALMER * far * (grey[..., None] * tint - behind)
    return np.minimum(calmer * (1 + (gain - 1) * far), 1)


def _out_of_focus(linear: Array, free: Array, radius: float) -> Array:
    """The mean over a disc, of what is free only; where nothing free is in reach, the picture itself."""
    # Wide discs on a smaller picture: the result is as smooth as the disc is wide.
    step = 2 if radius > 12 else 1
    small = linear if step == 1 else cv2.resize(linear, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    weight = free if step == 1 else cv2.resize(free, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    kernel = disc(radius / step).astype(np.float32)
    kernel /= kernel.sum()
    total = cv2.filter2D(small * weight[..., None], -1, kernel, borderType=cv2.BORDER_REFLECT)
    covered = cv2.filter2D(weight, -1, kernel, borderType=cv2.BORDER_REFLECT)
    share = np.clip(covered / 0.05, 0, 1)[..., None]
    mean = total / np.maximum(covered, 1e-3)[..., None]
    result = small + (mean - small) * share
    return result if step == 1 else cv2.resize(result, linear.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _everywhere(widest: Array, free: Array, unit: float) -> Array:
    """The widest blur carried on, from coarse to fine, to where nothing free was in its reach."""
    size = widest.shape[1::-1]
    layers = []
    colour: Array = widest * free[..., None]
    weight: Array = free
    while min(weight.shape) > 8:
        layers.append((colour, weight))
        colour, weight = (
            cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for field in (colour, weight)
        )
    carried: Array = colour / np.maximum(weight, 1e-4)[..., None]
    for finer_colour, finer_weight in reversed(layers):
        carried = cv2.resize(carried, finer_weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.clip(finer_weight / 0.3, 0, 1)[..., None]
        carried = carried + (finer_colour / np.maximum(finer_weight, 1e-3)[..., None] - carried) * share
    return cv2.resize(cv2.GaussianBlur(carried, (0, 0), 0.06 * unit), size)


def _resized(field: Array, scale: float) -> Array:
    return cv2.resize(field, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _smooth(share: Array) -> Array:
    return share * share * (3 - 2 * share)
