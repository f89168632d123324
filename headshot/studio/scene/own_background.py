"""The photo's own background behind the person, out of focus, as a long lens would have drawn it.

The blur is that of a lens: a disc, in linear light, with the person left out of it. Behind an outline that the cut-out
is sure of it is wide at once, as a lens has it. Where the cut-out and the networks differ (a hand, a sleeve), the photo
itself stays, and the blur grows from there with the distance, so that an error there cannot be seen. It grows as slowly
where the outline is a guess, because the person has the background's colours there, and around a small face, whose
outline has few pixels. Other people who touch the person are left out, and the background continues in their place.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.morphology import disc

Array = npt.NDArray[Any]

# In face heights, by eye on eighteen photos whose cut-out had failed.
_MARGIN = 0.006  # from a doubtful outline outwards: the photo as it is
_RADII = (0.015, 0.04, 0.09, 0.16)  # of the disc, from there outwards …
_REACHED = (0.013, 0.05, 0.15, 0.4)  # … and the distances at which each is reached
_AT_ONCE, _WIDEST_AT = 3, 0.3  # behind a sure outline: the radius that it begins with, and where the widest is reached
LOST_DIFFERENCE = 0.25  # of alpha, that the cut-out differs from what the networks see
_MIN_DOUBT, _DOUBT_REACH = 0.02, 0.06  # the least width of a doubt, and how far around it the outline is not sure
_THEIR_EDGE = 0.06  # around other people: their outlines are not known more exactly
# Half the width of a gap in the outline that shows the photo itself, because nobody can tell it from hair; and of a
# spike in the outline of a small face, which is an error.
_GAP = 0.025
_OTHERS_REACH = 0.12  # around other people: there the networks' smooth outline is drawn
_SCRAP, _NEAR_OTHERS = 0.09, 0.4  # half the width of a piece too thin to be the person's, so near to others
_MIN_FREE, _SMOOTH = 0.3, 0.1  # of a disc must be background; and the blur of the colours that replace the rest
_BORDER = 0.25  # from the photo's border and from others the blur is at its widest, so that neither can be seen
_FREE_RANGE = 0.28, 0.36  # of the photo: with less background it stays as it is, with more all of it is blurred
_ALIKE_AROUND = 0.12  # around a guess of the outline: whatever looks like the person there may be
_BORDER_RAMP = 3  # the reciprocal of the amount of blur from which none of it ends in a line at the photo's border
# An outline of few pixels is less sure: the face's enlargement, and how far.
_COARSE_ENLARGEMENT, _COARSE_DOUBT = (3.8, 4.6), 0.6
_TONE_AT_EDGE, _TONE_FULL = 0.35, 1.1  # how much of the look's brightness and colour the edge has, and where all
_TONE_SHARE, _TONE_BOUNDS = 0.5, (0.45, 1.5)  # of the way, in stops, to the look's brightness
_PAPER_COLOUR_SHARE = 0.6  # of the background's own colours is given up for the paper's
_GAMMA = 2.2
_HIGHLIGHT = 0.75  # linear: the camera cut off everything brighter, so it spreads as a brighter disc would
_HIGHLIGHT_GAIN = 1.2


@dataclass(frozen=True, eq=False)
class OwnBackground:
    """A photo whose own background stays, on the canvas.

    Attributes:
        person: (H, W) float16, 1 on the person and where they may be; if it is more than alpha, the photo itself shows.
        light_reach: (H, W) float16, how far the look's light counts: 1 on the person, less softly across the edge.
        blurred: (h, w, 3) float16, linear light, half the canvas's size: the background out of focus.
        tone_reach: (h, w) float16 0…1, how far the look's brightness and colour count.
        blur_amount: 0…1, how much of the blur there is; 0 leaves the photo as it is.
    """

    person: Array
    light_reach: Array
    blurred: Array
    tone_reach: Array
    blur_amount: float

    def smaller(self, scale: float) -> "OwnBackground":
        """Return the same for a canvas of `scale` times the size."""
        person, light_reach, blurred, tone_reach = (
            _resized(field.astype(np.float32), scale).astype(np.float16)
            for field in (self.person, self.light_reach, self.blurred, self.tone_reach)
        )
        return OwnBackground(person, light_reach, blurred, tone_reach, self.blur_amount)


def blur_own_background(
    canvas: Array,
    alpha: Array,
    likely_person: Array,
    uncertain: Array,
    others: Array,
    in_photo: Array,
    face_px: float,
    enlargement: float,
) -> OwnBackground:
    """Blur everything but the person, as a lens would.

    Args:
        canvas: (H, W, 3) uint8 RGB, the photo on the canvas.
        alpha: (H, W) float, 0…1, the cut-out.
        likely_person: (h, w) float, 0…1, the person as the networks see them, where the cut-out may be wrong.
        uncertain: (h, w) float, 0…1, where alpha is a guess, because person and background have the same colours.
        others: (h, w) float, 0…1, people who touch the person: they are left out.
        in_photo: (h, w), 1 where the photo has pixels.
        face_px: the face's height on the canvas.
        enlargement: how many times the face is enlarged for a headshot.
    """
    height, width = canvas.shape[:2]
    size = width // 2, height // 2
    unit = face_px / 2
    picture = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    sure = cv2.resize(alpha.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    likely, others, known, alike = (
        cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        for field in (likely_person, others, in_photo, uncertain)
    )
    known = (known > 0.98).astype(np.float32)
    low, high = _COARSE_ENLARGEMENT
    coarse = float(np.clip((enlargement - low) / (high - low), 0, 1))
    shown, excluded, doubt = _shown_outline(sure, np.clip(likely, 0, 1), others, known, coarse, unit)
    body = (shown > 0.5).astype(np.uint8)
    away: Array = cv2.distanceTransform(1 - body, cv2.DIST_L2, 5) / unit
    to_others = (
        cv2.distanceTransform(1 - excluded.astype(np.uint8), cv2.DIST_L2, 5) / unit if excluded.any() else np.inf
    )
    to_border = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5) / unit

    linear = picture**_GAMMA
    linear += _HIGHLIGHT_GAIN * np.clip(linear - _HIGHLIGHT, 0, None)
    free = known * ~excluded * np.clip(1 - 20 * shown, 0, 1) * np.clip(away / _MARGIN, 0, 1)
    smooth = _filled_background(linear, free, unit)
    *levels, widest = (_disc_blur(linear, free, radius * unit, smooth) for radius in _RADII)
    place = np.interp(away, (0, _WIDEST_AT), (_AT_ONCE, len(_RADII))).astype(np.float32)
    slowly = np.interp(away, (_MARGIN, *_REACHED), range(len(_RADII) + 1)).astype(np.float32)
    alike = _soft_dilation(alike > 0.3, _ALIKE_AROUND * unit, 0.5)
    border = np.clip(1 - np.minimum(to_border, to_others) / _BORDER, 0, 1)
    place += (slowly - place) * np.maximum(np.maximum(doubt, _COARSE_DOUBT * coarse), alike * (1 - border))
    place = np.maximum(place, border * np.clip(away / _REACHED[1], 0, 1) * len(_RADII))
    low, high = _FREE_RANGE
    background = float((np.maximum(free, excluded) * known).sum() / max(known.sum(), 1))
    amount = float(np.clip((background - low) / (high - low), 0, 1))
    place *= amount
    blurred = linear
    for number, level in enumerate((*levels, widest)):
        blurred = blurred + (level - blurred) * np.clip(place - number, 0, 1)[..., None]
    hidden = np.maximum(1 - known, excluded.astype(np.float32))
    softly = min(1.0, _BORDER_RAMP * amount)  # a photo that stays as it is does so up to its border
    hidden = np.maximum(hidden, softly * _soft_dilation(hidden, _THEIR_EDGE * unit, 0.4))
    blurred += (widest - blurred) * hidden[..., None]
    blurred = np.minimum(blurred, 1)  # the highlights' gain has done its work in the blur

    lit = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 0.05 * unit)
    far = amount * (_TONE_AT_EDGE + (1 - _TONE_AT_EDGE) * _smoothstep(np.clip(away / _TONE_FULL, 0, 1)))
    full = width, height
    kept = cv2.resize(shown - sure, full, interpolation=cv2.INTER_LINEAR)
    person = np.clip(alpha.astype(np.float32) + kept, 0, 1)
    return OwnBackground(
        person=person.astype(np.float16),
        light_reach=cv2.resize(lit, full, interpolation=cv2.INTER_LINEAR).astype(np.float16),
        blurred=blurred.astype(np.float16),
        tone_reach=far.astype(np.float16),
        blur_amount=amount,
    )


def _shown_outline(
    sure: Array, likely: Array, others: Array, known: Array, coarse: float, unit: float
) -> tuple[Array, Array, Array]:
    """Decide where the person is shown, which parts are left out, and where the outline is doubtful.

    Args:
        sure: (h, w) float32, the cut-out.
        likely: (h, w) float32, the person as the networks see them.
        others: (h, w) float32, other people.
        known: (h, w), 1 where the photo has pixels.
        coarse: 0…1, how far the face is too small for a sure outline.
        unit: the face's height in pixels.

    Returns:
        The person, (h, w) float32 0…1; the parts left out, (h, w) bool; the doubt, (h, w) float32 0…1.
    """
    missed = (np.abs(likely - sure) > LOST_DIFFERENCE).astype(np.uint8)
    missed = cv2.morphologyEx(missed, cv2.MORPH_OPEN, disc(_MIN_DOUBT * unit))
    doubt = _soft_dilation(missed, _DOUBT_REACH * unit, 0.5)
    excluded: Array = cv2.dilate((others > 0.3).astype(np.uint8), disc(_THEIR_EDGE * unit)) > 0
    # Hair in front of somebody else's hair has no edge that colours could show.
    beside = _soft_dilation(excluded, _OTHERS_REACH * unit, 0.3)
    shown = sure + np.maximum(doubt, beside) * (likely - sure)
    doubt *= 1 - beside
    shown = cv2.morphologyEx(shown, cv2.MORPH_CLOSE, disc(_GAP * unit))
    shown = shown + (cv2.morphologyEx(shown, cv2.MORPH_OPEN, disc(_GAP * unit)) - shown) * coarse
    if excluded.any():
        scraps = _scraps(shown, excluded, known, unit)
        excluded = excluded | (scraps > 0.5)
        shown = shown * (1 - scraps)
    return shown, excluded, doubt


def _soft_dilation(mask: Array, reach: float, soft: float) -> Array:
    """(h, w) float32: 1 on the mask and up to `reach` pixels around it, blurred by the share `soft` of `reach`."""
    wide = cv2.dilate(mask.astype(np.float32), disc(reach))
    return cv2.GaussianBlur(wide, (0, 0), soft * reach)


def _scraps(shown: Array, excluded: Array, known: Array, unit: float) -> Array:
    """(h, w) float32, 0…1: thin pieces beside other people, which are more likely theirs than the person's.

    So are pieces that only a thin bridge, or nothing within the photo, joins to the person.
    """
    body = ((shown > 0.5) & (known > 0)).astype(np.uint8)
    solid = cv2.morphologyEx(body, cv2.MORPH_OPEN, disc(_SCRAP * unit))
    count, pieces, sizes, _ = cv2.connectedComponentsWithStats(solid)
    if count > 1:
        solid = (pieces == 1 + sizes[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    solid = cv2.dilate(solid, disc(0.5 * _SCRAP * unit))
    around = cv2.dilate(excluded.astype(np.uint8), disc(_NEAR_OTHERS * unit))
    return cv2.GaussianBlur(((1 - solid) * around).astype(np.float32), (0, 0), 0.1 * _SCRAP * unit)


def graded_background(own: OwnBackground, colour: Array | None, level: float, amount: float = 1.0) -> Array:
    """Return the background in a look's brightness and colour, more so the farther it is from the person.

    Args:
        own: the background.
        colour: (3,) linear RGB, the paper of the look; None if the look has a place, or no backdrop of its own.
        level: the factor of the look's brightness on a backdrop.
        amount: 0…1, how much of the change is wanted.

    Returns:
        (h, w, 3) float32, linear light.
    """
    background = own.blurred.astype(np.float32)
    far = amount * own.tone_reach.astype(np.float32)[..., None]
    grey = background @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    weight = own.tone_reach.astype(np.float32)
    mean = float((grey * weight).sum() / max(float(weight.sum()), 1e-3)) if weight.sum() > 1 else float(grey.mean())
    if colour is None:
        return background * (1 + (level - 1) * far)
    wanted = float(colour @ np.array([0.2126, 0.7152, 0.0722])) * level
    # Half of the way, in stops: a bright wall stays a wall, only darker.
    gain = float(np.clip((wanted / max(mean, 1e-3)) ** _TONE_SHARE, *_TONE_BOUNDS))
    tint = (colour / max(float(colour.mean()), 1e-3)).astype(np.float32)
    calmer = background + _PAPER_COLOUR_SHARE * far * (grey[..., None] * tint - background)
    return np.minimum(calmer * (1 + (gain - 1) * far), 1)


def _disc_blur(linear: Array, free: Array, radius: float, smooth: Array) -> Array:
    """The mean of the free pixels over a disc; where few are in reach, the smooth background."""
    # Wide discs on a smaller picture: the result is as smooth as the disc is wide.
    step = 2 if radius > 12 else 1
    size = linear.shape[1] // step, linear.shape[0] // step
    small, weight = (cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in (linear, free))
    kernel = disc(radius / step).astype(np.float32)
    kernel /= kernel.sum()
    total = cv2.filter2D(small * weight[..., None], -1, kernel, borderType=cv2.BORDER_REFLECT)
    covered = cv2.filter2D(weight, -1, kernel, borderType=cv2.BORDER_REFLECT)
    share = _smoothstep(np.clip(covered / _MIN_FREE, 0, 1))[..., None]
    around = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
    result = around + (total / np.maximum(covered, 1e-3)[..., None] - around) * share
    return result if step == 1 else cv2.resize(result, linear.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _filled_background(linear: Array, free: Array, unit: float) -> Array:
    """The free pixels extended from coarse to fine over all others, as smooth as the widest blur."""
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


def _smoothstep(share: Array) -> Array:
    return share * share * (3 - 2 * share)
