"""Colour and tone: white balance from the skin, exposure, the tone curve, black and white."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Hue angles of human skin in CIELAB lie in a narrow band across all complexions, while lightness and chroma do not
# (Chardon et al. 1991; Xiao et al. 2017): a skin hue outside is a cast. Chroma beyond the bound is one too.
_SKIN_HUE_DEGREES = (38.0, 66.0)
_SKIN_CHROMA = (8.0, 34.0)
_COLOURLESS = 3.0  # chroma: the skin of a black-and-white photo lies below, and nothing is corrected
_GREYISH = (4.5, 9.0)  # chroma: skin under a veil or in bad light; at the first its hue is taken to the band entirely
_BALANCE_SHARE = 0.65  # of the way: the fit may be wrong, and evening light is part of a face
_BALANCE_BOUNDS = (0.88, 1.14)
_DIM = 0.55  # sRGB: no well exposed photo has its brightest 2 % below; the darkest of twenty had them at .63
_LIFT_SHARE, _LIFT_AT_MOST = 0.7, 1.35  # of the way, and half a stop of sRGB: more shows the noise


def colour_balance(picture: Array, alpha: Array, skin: Array, scene_white: float) -> Array:
    """Return (3,) float32 factors on sRGB values that correct colour cast and exposure.

    The cast is judged by the skin's hue alone and leaves its lightness; black and white stays black and white. The
    exposure is judged by what is brightest in the photo and on the person (eyes, teeth, collar), never by how light
    the skin is: only a photo in which nothing at all is bright is lifted, and dark skin in good light stays as it is.

    Args:
        picture: (h, w, 3) float32 sRGB 0…1, the person's colours, on the surface's grid.
        alpha: (h, w), the person.
        skin: (h, w), 0…1, where skin shows.
        scene_white: the grey value, 0…1, that only the brightest 2 % of the photo exceed.
    """
    factors = np.ones(3, np.float32)
    chosen = skin > 0.6
    if chosen.sum() >= 60:
        lightness, a, b = np.median(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[chosen], axis=0)
        hue, chroma = np.degrees(np.arctan2(b, a)), np.hypot(a, b)
        # The less colour is left, the less of a hue there is to keep: grey skin is grey by a veil or by bad light.
        share = np.interp(chroma, [_COLOURLESS, *_GREYISH], [0, 1, _BALANCE_SHARE])
        wanted_hue = np.radians(hue + share * (np.clip(hue, *_SKIN_HUE_DEGREES) - hue))
        wanted_chroma = chroma + min(share, _BALANCE_SHARE) * (np.clip(chroma, *_SKIN_CHROMA) - chroma)
        pair = np.array(
            [[[lightness, a, b], [lightness, wanted_chroma * np.cos(wanted_hue), wanted_chroma * np.sin(wanted_hue)]]],
            np.float32,
        )
        present, wanted = cv2.cvtColor(pair, cv2.COLOR_LAB2RGB)[0]
        factors = np.clip(wanted / np.maximum(present, 0.02), *_BALANCE_BOUNDS).astype(np.float32)
    person = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[alpha > 0.9]
    if person.size >= 100:
        brightest = max(float(np.percentile(person, 99.3)), scene_white)
        lift = np.clip((_DIM / max(brightest, 0.05)) ** _LIFT_SHARE, 1.0, _LIFT_AT_MOST)
        factors = factors * np.float32(lift)
    return factors


def apply_curve(picture: Array, contrast: float, pivot: float) -> Array:
    """Apply an S-curve of the luminance through 0, `pivot` and 1, in place; returns `picture`.

    All channels move alike: a curve on each would push skin towards orange.

    Args:
        picture: (h, w, 3) float32 sRGB 0…1.
        contrast: 0…1.
        pivot: the tone that stays as it is, the skin's.
    """
    if contrast == 0:
        return picture
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    bend = grey * (1 - grey)
    bend *= grey - pivot
    bend *= 1.6 * contrast
    return cv2.add(picture, cv2.merge([bend, bend, bend]), dst=picture)


def black_and_white(picture: Array) -> Array:
    """Return the picture as (h, w, 3) grey.

    Red weighs more than in luminance, as through a yellow filter: it is kind to skin.
    """
    grey = cv2.transform(picture, np.array([[0.36, 0.51, 0.13]], np.float32))
    return cv2.merge([grey, grey, grey])
