"""Exposure of a dark or backlit face: how far it is lifted, judged within its own range, and the lift itself."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging.face import CHIN, EYES, LIPS, OVAL

from .morphology import disc

Array = npt.NDArray[Any]

# All by eye on 35 photos, in CIELAB's lightness. The brightest parts of a well lit face (highlights of the skin, the
# whites of the eyes, teeth) lie at 65 to 90 whatever the complexion; those of a face that is plainly too dark, at 46 to
# 64.
_DARK_BELOW = 60.0  # a bright end below it is dark wherever the person stands
_BACKLIT_BELOW = 76.0  # and below this one, if the background of the head is brighter still …
_BRIGHTER_BEHIND = 6.0  # … by as much
_TEETH = 6.0  # teeth are as much brighter than the rest of the bright end
# Dark skin in good light has bright highlights, a face in the shade is flat: from the skin's median to its bright end
# there were 28 to 33 in the one and 10 to 21 in the other.
_FLAT, _LIVELY = 20.0, 27.0
_LEAST_STOPS, _MOST_STOPS = 0.4, 1.0  # less is no fault of the photo, more shows the noise
_SHOULDER = 0.55  # sRGB: from here on the lift fades, so that nothing bright is burnt out
_MOST_GAIN = 1.44  # above it, tones near white would change places
_HELD_CHROMA = 0.7  # of the gain, as a power, that chroma does not get
_SRGB_GAMMA = 2.2  # as a pure power, in which a factor on linear light is a factor on the stored value
_VEIL = 0.06  # sRGB: a darkest tone above it is stray light, which a backlit lens lays over everything
_VEIL_AT_MOST = 0.1
# By eye on a face with the sun behind it.
_RIM, _RIM_FADES = 0.09, 1.8  # of the face's height from the outline, and where it ends in that unit
_RIM_KEPT = 0.66  # sRGB: no rim is darkened below it
_RIM_SHARE = 0.65  # of the brightness above the face's
_RIM_BURNT, _RIM_TINTED = 0.2, 0.35  # sRGB above the face's own, from which on so much of the colour is the skin's


@dataclass(frozen=True)
class Lift:
    """A correction that brightens a person.

    Attributes:
        gain: 1…1.44, a factor on sRGB values up to the middle tones.
        veil: 0…0.1 sRGB, subtracted at the black end before.
    """

    gain: float = 1.0
    veil: float = 0.0

    @property
    def needed(self) -> bool:
        """Whether it changes anything."""
        return self.gain > 1

    def apply(self, picture: Array) -> Array:
        """Return a (h, w, 3) float32 sRGB picture 0…1 lifted. White stays white, and every pixel keeps its hue."""
        if not self.needed:
            return picture
        if self.veil:
            picture = np.clip((picture - np.float32(self.veil)) / np.float32(1 - self.veil), 0, 1)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        factor = np.clip((1 - grey) * np.float32(1 / (1 - _SHOULDER)), 0, 1)
        factor *= np.float32(self.gain - 1)
        factor += 1
        # A full lift makes strong colours glare: only a part of it reaches their chroma.
        colour = (picture - grey[..., None]) * (factor ** (1 - _HELD_CHROMA))[..., None]
        return grey[..., None] * factor[..., None] + colour


def needed_lift(picture: Array, scene: Array, alpha: Array, skin: Array, mesh: Array) -> Lift:
    """Return the lift that a face needs: none if it is well lit, half a stop to a stop if it is too dark.

    Too dark means dark for its surroundings: the lightness of the skin alone never counts.

    Args:
        picture: (h, w, 3) float32 sRGB 0…1, the person's colours.
        scene: (h, w, 3) float32 sRGB 0…1, the photo with its background.
        alpha: (h, w), the person.
        skin: (h, w), 0…1, where skin shows.
        mesh: (468, 3), in pixels of the same grid.
    """
    chosen = skin > 0.6
    if chosen.sum() < 60:
        return Lift()
    lightness = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0]
    middle, bright = np.percentile(lightness[chosen], [50, 95]).tolist()
    flat = np.interp(bright - middle, [_FLAT, _LIVELY], [1, 0])
    for outline, brighter in ((EYES[0], 0.0), (EYES[1], 0.0), (LIPS, _TEETH)):
        inside = _polygon_mask(alpha.shape, mesh[list(outline), :2])
        if inside.sum() >= 20:
            bright = max(bright, float(np.percentile(lightness[inside], 98)) - brighter)
    wanted = np.interp(
        _background_lightness(scene, alpha, mesh) - bright, [0, _BRIGHTER_BEHIND], [_DARK_BELOW, _BACKLIT_BELOW]
    )
    stops = min(_MOST_STOPS, float(flat * np.log2(_luminance(float(wanted)) / _luminance(bright))))
    if stops < _LEAST_STOPS:
        return Lift()
    person = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[alpha > 0.9]
    veil = float(np.percentile(person, 1)) - _VEIL if person.size else 0.0
    veil = float(np.clip(veil, 0, _VEIL_AT_MOST)) * stops
    level = _luminance(bright) ** (1 / _SRGB_GAMMA)
    lost = level * (1 - veil) / max(level - veil, 0.1)  # subtracting the veil darkens the bright end, too
    return Lift(min(_MOST_GAIN, 2 ** (stops / _SRGB_GAMMA) * lost), veil)


def rim_factors(picture: Array, alpha: Array, skin: Array, mesh: Array, face_px: float) -> Array:
    """Return (h, w, 3) float32 factors that remove a burnt-out rim along jaw and ears of a lifted person.

    Such a rim is daylight from behind. Before a paper backdrop, without the daylight, it looks like a fault of the
    cut-out. It is darkened, and the colour that the sensor lost is replaced by the skin's.

    Args:
        picture: (h, w, 3) float32 sRGB 0…1, lifted.
        alpha: (h, w), the person.
        skin: (h, w), 0…1, where skin shows.
        mesh: (468, 3), in pixels of the same grid.
        face_px: the face's height in pixels of the grid.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    inside = cv2.copyMakeBorder((alpha > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    near = np.clip(_RIM_FADES - depth / (_RIM * face_px), 0, 1)
    head = cv2.dilate(_polygon_mask(alpha.shape, mesh[list(OVAL), :2]).astype(np.float32), disc(0.16 * face_px))
    # Above the ears a bright rim is hair in the sun, and at the chin's height a collar begins.
    eyes, chin = float(mesh[list(EYES[0] + EYES[1]), 1].mean()), float(mesh[CHIN, 1])
    rows = np.interp(np.arange(alpha.shape[0]), [eyes - 1, eyes, chin - 0.2 * face_px, chin], [0, 1, 1, 0])
    face = (skin > 0.6) & (near == 0)
    if face.sum() < 60:
        return np.ones_like(picture)
    kept = max(float(np.percentile(grey[face], 90)), _RIM_KEPT)
    where = near * cv2.GaussianBlur(head, (0, 0), 0.06 * face_px) * rows[:, None].astype(np.float32)
    excess = np.maximum(grey - kept, 0) * where
    darkened = grey - _RIM_SHARE * excess
    colour = np.median(picture[face], axis=0)
    tinted = np.clip(excess / _RIM_BURNT, 0, _RIM_TINTED)[..., None]
    wanted = picture * (darkened / np.maximum(grey, 0.1))[..., None] * (1 - tinted)
    wanted += darkened[..., None] * (colour / max(float(colour.mean()), 0.05)) * tinted
    factors = np.where(excess[..., None] > 0, wanted / np.maximum(picture, 0.1), 1)
    return cv2.GaussianBlur(np.clip(factors, 0.5, 1.5).astype(np.float32), (0, 0), 0.008 * face_px)


def _background_lightness(scene: Array, alpha: Array, mesh: Array) -> float:
    """The median lightness of the background beside and above the head; 0 if too little of it shows."""
    chin = int(np.clip(mesh[CHIN, 1], 0, alpha.shape[0]))
    seen = scene[:chin][alpha[:chin] < 0.05]
    if len(seen) < 0.02 * alpha.size:
        return 0.0
    return float(np.median(cv2.cvtColor(seen[None], cv2.COLOR_RGB2LAB)[..., 0]))


def _luminance(lightness: float) -> float:
    return ((max(lightness, 1.0) + 16) / 116) ** 3


def _polygon_mask(shape: tuple[int, ...], points: Array) -> Array:
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], 1)
    return canvas > 0
