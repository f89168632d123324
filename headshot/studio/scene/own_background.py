"""The photo's own background behind the person, out of focus, as a long lens would have drawn it.

The blur is that of a lens: a disc, in linear light, with the person left out of it. Behind an outline that the cut-out
is sure of it is wide at once, as a lens has it. Where the cut-out and the networks differ (a hand, a sleeve), the photo
itself stays, and the blur grows from there with the distance: what is wrong there cannot be seen. It grows as slowly
where the outline is a guess, for the person has the background's colours there, and around a small face, whose outline
has few pixels. Other people who touch the person are left out, and the background goes on in their place.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.kernel import disc

Array = npt.NDArray[Any]

# In face heights, by eye on eighteen photos whose cut-out had failed.
_MARGIN = 0.006  # from a doubtful outline outwards: the photo as it is
_RADII = (0.015, 0.04, 0.09, 0.16)  # of the disc, from there outwards …
_REACHED = (0.013, 0.05, 0.15, 0.4)  # … and the distances at which each is reached
_AT_ONCE, _WIDEST_AT = 3, 0.3  # behind a sure outline: the radius that it begins with, and where the widest is reached
LOST = 0.25  # of alpha, that the cut-out differs from what the networks see
_A_DOUBT, _AROUND = 0.02, 0.06  # the width of what is no doubt yet, and how far around a doubt the outline is not sure
_THEIR_EDGE = 0.06  # around other people: their outlines are not known better
# Half the width of a gap in the outline that shows the photo itself, for nobody can tell it from hair; and of a tick at
# that of a small face, which is dirt.
_GAP = 0.025
_BESIDE = 0.12  # around other people: there the networks' smooth outline is drawn
_SCRAP, _NEAR_OTHERS = 0.09, 0.4  # half the width of what is too thin to be the person's, so near to others
_ENOUGH, _SMOOTH = 0.3, 0.1  # of a disc must be background; and the blur of what takes the place of the rest
_BORDER = 0.25  # from the photo's border and from others the blur is at its widest, so that neither can be seen
_FREE = 0.28, 0.36  # of the photo: with less background it stays as it is, with more all of it is blurred
_ALIKE_AROUND = 0.12  # around a guess of the outline: what looks like the person may be
_SOON = 3  # the reciprocal of the amount of blur from which none of it ends in a line at the photo's border
_COARSE, _HALF_SURE = (3.8, 4.6), 0.6  # of so few pixels an outline is less sure: the face's enlargement, and how far
_TONE_AT_EDGE, _TONE_FULL = 0.35, 1.1  # how much of the look's brightness and colour the edge has, and where all
_TONE_SHARE, _TONE_BOUNDS = 0.5, (0.45, 1.5)  # of the way, in stops, to the look's brightness
_CALMER = 0.6  # of the background's own colours is given up for the paper's
_GAMMA = 2.2
_HIGHLIGHT = 0.75  # linear: what is brighter was cut off by the camera, and spreads as a brighter disc would
_HIGHLIGHT_GAIN = 1.2


@dataclass(frozen=True, eq=False)
class OwnBackground:
    """A photo whose own background stays, on the canvas.

    near: (H, W) float16, 1 on the person, and where they may be: more than alpha there, the photo itself is shown.
    lit: (H, W) float16, 1 on the person, falling off softly across the edge: how far the look's light reaches.
    behind: (h, w, 3) float16, linear light, half the canvas's size: the background out of focus.
    far: (h, w) float16, 0…1: how far the look's brightness and colour are reached.
    amount: 0…1, how much of the blur there is: 0 leaves the photo as it is.
    """

    near: Array
    lit: Array
    behind: Array
    far: Array
    amount: float

    def smaller(self, scale: float) -> "OwnBackground":
        """The same for a canvas of `scale` times the size."""
        near, lit, behind, far = (
            _resized(field.astype(np.float32), scale).astype(np.float16)
            for field in (self.near, self.lit, self.behind, self.far)
        )
        return OwnBackground(near, lit, behind, far, self.amount)


def own_background(
    canvas: Array,
    alpha: Array,
    opinion: Array,
    guessed: Array,
    others: Array,
    inside: Array,
    face_px: float,
    enlargement: float,
) -> OwnBackground:
    """Blur what is not the person.

    Args:
        canvas: (H, W, 3) uint8 RGB, the photo on the canvas.
        alpha: (H, W) float, 0…1, the cut-out.
        opinion: (h, w) float, 0…1, the person as the networks see them, where the cut-out may be wrong.
        guessed: (h, w) float, 0…1, where alpha is a guess, for person and background have the same colours.
        others: (h, w) float, 0…1, people who touch the person: they are left out.
        inside: (h, w), 1 where the photo has pixels.
        face_px: the face's height on the canvas.
        enlargement: how many times the face is enlarged for a headshot.
    """
    height, width = canvas.shape[:2]
    size = width // 2, height // 2
    unit = face_px / 2
    picture = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    sure = cv2.resize(alpha.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    likely, theirs, known, alike = (
        cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        for field in (opinion, others, inside, guessed)
    )
    known = (known > 0.98).astype(np.float32)
    low, high = _COARSE
    coarse = float(np.clip((enlargement - low) / (high - low), 0, 1))
    seen, gone, unsure = _outline(sure, np.clip(likely, 0, 1), theirs, known, coarse, unit)
    body = (seen > 0.5).astype(np.uint8)
    away: Array = cv2.distanceTransform(1 - body, cv2.DIST_L2, 5) / unit
    to_others = cv2.distanceTransform(1 - gone.astype(np.uint8), cv2.DIST_L2, 5) / unit if gone.any() else np.inf
    to_border = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5) / unit

    linear = picture**_GAMMA
    linear += _HIGHLIGHT_GAIN * np.clip(linear - _HIGHLIGHT, 0, None)
    free = known * ~gone * np.clip(1 - 20 * seen, 0, 1) * np.clip(away / _MARGIN, 0, 1)
    smooth = _everywhere(linear, free, unit)
    *levels, widest = (_out_of_focus(linear, free, radius * unit, smooth) for radius in _RADII)
    place = np.interp(away, (0, _WIDEST_AT), (_AT_ONCE, len(_RADII))).astype(np.float32)
    slowly = np.interp(away, (_MARGIN, *_REACHED), range(len(_RADII) + 1)).astype(np.float32)
    alike = _around(alike > 0.3, _ALIKE_AROUND * unit, 0.5)
    border = np.clip(1 - np.minimum(to_border, to_others) / _BORDER, 0, 1)
    place += (slowly - place) * np.maximum(np.maximum(unsure, _HALF_SURE * coarse), alike * (1 - border))
    place = np.maximum(place, border * np.clip(away / _REACHED[1], 0, 1) * len(_RADII))
    low, high = _FREE
    background = float((np.maximum(free, gone) * known).sum() / max(known.sum(), 1))
    amount = float(np.clip((background - low) / (high - low), 0, 1))
    place *= amount
    blurred = linear
    for number, level in enumerate((*levels, widest)):
        blurred = blurred + (level - blurred) * np.clip(place - number, 0, 1)[..., None]
    hidden = np.maximum(1 - known, gone.astype(np.float32))
    softly = min(1.0, _SOON * amount)  # a photo that stays as it is does so up to its border
    hidden = np.maximum(hidden, softly * _around(hidden, _THEIR_EDGE * unit, 0.4))
    blurred += (widest - blurred) * hidden[..., None]
    blurred = np.minimum(blurred, 1)  # the highlights' gain has done its work in the blur

    lit = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 0.05 * unit)
    far = amount * (_TONE_AT_EDGE + (1 - _TONE_AT_EDGE) * _smooth(np.clip(away / _TONE_FULL, 0, 1)))
    full = width, height
    kept = cv2.resize(seen - sure, full, interpolation=cv2.INTER_LINEAR)
    near = np.clip(alpha.astype(np.float32) + kept, 0, 1)
    return OwnBackground(
        near=near.astype(np.float16),
        lit=cv2.resize(lit, full, interpolation=cv2.INTER_LINEAR).astype(np.float16),
        behind=blurred.astype(np.float16),
        far=far.astype(np.float16),
        amount=amount,
    )


def _outline(
    sure: Array, likely: Array, theirs: Array, known: Array, coarse: float, unit: float
) -> tuple[Array, Array, Array]:
    """What of the picture is shown as the person, what is left out of it, and where the outline is doubtful.

    sure, likely: (h, w) float32, the cut-out, and the person as the networks see them.  theirs: other people.
    known: 1 where the photo has pixels.  coarse: 0…1, how far the face is too small for a sure outline.
    Returns (h, w) float32 0…1, (h, w) bool, (h, w) float32 0…1.
    """
    missed = (np.abs(likely - sure) > LOST).astype(np.uint8)
    missed = cv2.morphologyEx(missed, cv2.MORPH_OPEN, disc(_A_DOUBT * unit))
    unsure = _around(missed, _AROUND * unit, 0.5)
    gone: Array = cv2.dilate((theirs > 0.3).astype(np.uint8), disc(_THEIR_EDGE * unit)) > 0
    # Hair before somebody else's has no edge that colours could tell.
    beside = _around(gone, _BESIDE * unit, 0.3)
    seen = sure + np.maximum(unsure, beside) * (likely - sure)
    unsure *= 1 - beside
    seen = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, disc(_GAP * unit))
    seen = seen + (cv2.morphologyEx(seen, cv2.MORPH_OPEN, disc(_GAP * unit)) - seen) * coarse
    if gone.any():
        scraps = _scraps(seen, gone, known, unit)
        gone = gone | (scraps > 0.5)
        seen = seen * (1 - scraps)
    return seen, gone, unsure


def _around(mask: Array, reach: float, soft: float) -> Array:
    """(h, w) float32: 1 on the mask and around it, over so many pixels, softly by that part of them."""
    wide = cv2.dilate(mask.astype(np.float32), disc(reach))
    return cv2.GaussianBlur(wide, (0, 0), soft * reach)


def _scraps(seen: Array, gone: Array, known: Array, unit: float) -> Array:
    """(h, w) float32, 0…1: thin pieces beside other people, which are more likely theirs than the person's.

    So are pieces that only a thin bridge joins to the person, or nothing within the photo.
    """
    body = ((seen > 0.5) & (known > 0)).astype(np.uint8)
    solid = cv2.morphologyEx(body, cv2.MORPH_OPEN, disc(_SCRAP * unit))
    count, pieces, sizes, _ = cv2.connectedComponentsWithStats(solid)
    if count > 1:
        solid = (pieces == 1 + sizes[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    solid = cv2.dilate(solid, disc(0.5 * _SCRAP * unit))
    around = cv2.dilate(gone.astype(np.uint8), disc(_NEAR_OTHERS * unit))
    return cv2.GaussianBlur(((1 - solid) * around).astype(np.float32), (0, 0), 0.1 * _SCRAP * unit)


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


def _out_of_focus(linear: Array, free: Array, radius: float, smooth: Array) -> Array:
    """The mean over a disc, of what is free only; where little is in reach, the smooth background."""
    # Wide discs on a smaller picture: the result is as smooth as the disc is wide.
    step = 2 if radius > 12 else 1
    size = linear.shape[1] // step, linear.shape[0] // step
    small, weight = (cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in (linear, free))
    kernel = disc(radius / step).astype(np.float32)
    kernel /= kernel.sum()
    total = cv2.filter2D(small * weight[..., None], -1, kernel, borderType=cv2.BORDER_REFLECT)
    covered = cv2.filter2D(weight, -1, kernel, borderType=cv2.BORDER_REFLECT)
    share = _smooth(np.clip(covered / _ENOUGH, 0, 1))[..., None]
    around = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
    result = around + (total / np.maximum(covered, 1e-3)[..., None] - around) * share
    return result if step == 1 else cv2.resize(result, linear.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _everywhere(linear: Array, free: Array, unit: float) -> Array:
    """What is free carried on, from coarse to fine, to where nothing is: as smooth as the widest blur."""
    size = linear.shape[1::-1]
    layers = []
    colour: Array = linear * free[..., None]
    weight: Array = free
    while weight.size > 1:
        layers.append((colour, weight))
        half = max(1, weight.shape[1] // 2), max(1, weight.shape[0] // 2)
        colour, weight = (cv2.resize(field, half, interpolation=cv2.INTER_AREA) for field in (colour, weight))
    carried: Array = colour / np.maximum(weight, 1e-4)[..., None]
    for finer_colour, finer_weight in reversed(layers):
        carried = cv2.resize(carried, finer_weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.clip(finer_weight / 0.3, 0, 1)[..., None]
        carried = carried + (finer_colour / np.maximum(finer_weight, 1e-3)[..., None] - carried) * share
    return cv2.resize(cv2.GaussianBlur(carried, (0, 0), _SMOOTH * unit), size)


def _resized(field: Array, scale: float) -> Array:
    return cv2.resize(field, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _smooth(share: Array) -> Array:
    return share * share * (3 - 2 * share)
