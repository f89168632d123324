"""Painted backdrops: seven studio papers here, three places out of focus in `places.py`.

A paper is its colour under two lights, a spot on the paper and the key's spill, with the slow mottling of a painted
canvas. Everything but the tooth (the fine grain of canvas) is computed at one fixed
size and then resized, so that a smaller picture shows the full one's layout.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.prompt.style_spec import Backdrop

from . import places

Array = npt.NDArray[np.float32]


def paint(name: Backdrop, *, width: int, height: int, rng: np.random.Generator, key_from: float, drama: float) -> Array:
    """Paint one backdrop.

    Args:
        name: any but the photo's own background.
        width: in pixels.
        height: in pixels; about 5/4 of the width.
        rng: the same state gives the same layout at every size, and ends in the same state.
        key_from: the side of the key light, -1 left … 1 right; the brighter side, the window or the sun follows it.
        drama: 0 even, 1 the full look, 2 stronger falloff and contrast.

    Returns:
        (height, width, 3) float32, linear light, sRGB primaries, 0…1.
    """
    key_from = min(1.0, max(-1.0, key_from))
    drama = min(2.0, max(0.0, drama))
    fine = np.random.default_rng(rng.integers(2**63))  # its draws depend on the size, so they must not advance rng
    paper = _PAPERS.get(name)
    if paper is not None:
        small = _lit_paper(paper, height / width, rng, key_from, drama)
    else:
        small = places.render_place(name, height / width, rng, key_from, drama, coarse=width <= _COARSE)
    shrinks = width < small.shape[1]
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return _with_tooth(np.asarray(picture, np.float32), fine)


_COARSE = 512  # width up to which a place is painted at half its size: it is out of focus, so no difference shows
_TOOTH = 0.6  # sigma in 8-bit sRGB steps: well under half a step, a smooth gradient would band


def is_paper(name: Backdrop) -> bool:
    """Return whether it is a paper, which is so close that the person's shadow falls on it."""
    return name in _PAPERS


def paper_colour(name: Backdrop) -> Array | None:
    """Return a paper's colour in average light, (3,) float32 linear RGB; None if it is no paper."""
    paper = _PAPERS.get(name)
    return None if paper is None else _linear_from_lab(paper.lab) * np.float32(1 - 0.4 * paper.falloff)


def _with_tooth(picture: Array, rng: np.random.Generator) -> Array:
    height, width = picture.shape[:2]
    thumb = cv2.resize(picture, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA).mean(axis=2)
    # The slope of linear light over encoded value (2.275·lin^0.583 for the 2.4 exponent): even to the eye.
    slope = (2.275 * np.clip(thumb, 0, 1) ** 0.583 + 0.04) * (_TOOTH / 255)
    grain = cv2.resize(slope.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    grain *= _noise(height, width, rng)
    cv2.add(picture, cv2.merge([grain, grain, grain]), dst=picture)
    return np.clip(picture, 0, 1, out=picture)


def _noise(height: int, width: int, rng: np.random.Generator) -> Array:
    """(height, width) float32 of mean 0 and sigma 1: any part of one sheet, where the sheet is large enough."""
    sheet = _noise_sheet()
    room = sheet.shape[0] - height, sheet.shape[1] - width
    if min(room) < 0:
        return rng.standard_normal((height, width), dtype=np.float32)
    top, left = int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
    return sheet[top : top + height, left : left + width]


@cache
def _noise_sheet() -> Array:
    return np.random.default_rng(21).standard_normal((1408, 1152), dtype=np.float32)


# --- papers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Paper:
    lab: tuple[float, float, float]  # CIE Lab (D65) where the spot is brightest; falloff only takes from it
    falloff: float  # share of the light that comes from the spot: what the corners can lose
    mottle: float  # sigma of the mottling, share of the light
    hue: float = 0.0  # sigma of warm against cool: a hand-painted canvas is never of one hue, seamless paper is


_PAPERS: dict[str, _Paper] = {
    "white": _Paper((99.0, 0.0, 0.3), 0.09, 0.002),
    "light grey": _Paper((86.0, -0.2, -0.8), 0.30, 0.012),
    "grey": _Paper((60.0, -0.1, -0.8), 0.58, 0.028, 0.003),
    "charcoal": _Paper((36.0, 0.0, -1.2), 0.74, 0.055, 0.005),
    "black": _Paper((11.0, 0.1, -0.8), 0.85, 0.040),
    "navy": _Paper((28.0, 1.0, -19.0), 0.74, 0.055, 0.012),
    "beige": _Paper((79.0, 2.4, 12.0), 0.45, 0.028, 0.008),
}
_FIELD = 256  # width at which papers are computed; they hold nothing finer than a soft brush stroke


def _lit_paper(paper: _Paper, aspect: float, rng: np.random.Generator, key_from: float, drama: float) -> Array:
    spot_x, spot_y, size, oval, level, spill, tilt = rng.uniform(-1, 1, 7).tolist()
    height = round(_FIELD * aspect)
    x = np.linspace(-1, 1, _FIELD, dtype=np.float32)[None, :]
    y = (np.linspace(-1, 1, height, dtype=np.float32) * np.float32(aspect))[:, None]

    # The spot stands behind head and shoulders, drawn towards the key, and wide: a rim of light around the head alone
    # would look like a halo.
    centre_x, centre_y = 0.17 * spot_x + 0.16 * key_from, 0.05 + 0.24 * spot_y
    reach = 1.35 * (1 + 0.22 * size)
    across = (x - centre_x) / (reach * (1 + 0.12 * oval))
    down = (y - centre_y) / (reach * (1.10 - 0.12 * oval))
    spot = (1 + across**2 + down**2) ** -1.9
    # The key beside the camera also reaches the paper, with the inverse square of its distance.
    lamp = 1 / ((x - 1.9 * key_from) ** 2 + (y + 0.5 + 0.25 * tilt) ** 2 + 1.6 + 0.4 * spill)
    lamp /= lamp[height // 2, _FIELD // 2]

    falloff = paper.falloff * (0.25 + 0.75 * drama) if drama <= 1 else paper.falloff ** (1 / drama)
    light = (1 - falloff + falloff * spot) * (1 + falloff * (0.2 + 0.35 * min(drama, 1.5)) * (lamp - 1))
    light *= (1 + 0.12 * level * paper.falloff) / np.quantile(light, 0.98)
    mottling = _clouds(rng, height)
    light *= 1 + paper.mottle * (0.5 + 0.5 * drama) * mottling

    colour = _linear_from_lab(paper.lab)
    tint = colour / colour.mean() - 1
    shade = np.clip(1 - light, 0, 1)[..., None]  # shade is a little richer in colour than lit paper …
    picture = light[..., None] * colour * (1 + 0.12 * shade * tint)
    # … and turned upside down, the mottling serves again as an unrelated field of warm and cool.
    picture *= 1 + paper.hue * mottling[::-1, :, None] * np.array([0.8, 0.2, -1.1], np.float32)
    return np.asarray(picture, np.float32)


def _clouds(rng: np.random.Generator, height: int) -> Array:
    """Mottling (height, _FIELD) of mean 0, sigma 1: four sizes of blurred noise, so without a lattice."""
    total = np.zeros((height, _FIELD), np.float32)
    for sigma, share, coarser in ((40.0, 1.0, 8), (18.0, 0.75, 4), (8.0, 0.45, 2), (3.5, 0.2, 1)):
        noise = rng.standard_normal((height, _FIELD), dtype=np.float32)
        # What is so smooth is blurred on fewer pixels: the picture stays, and the time falls to a third.
        few = cv2.resize(noise, (_FIELD // coarser, height // coarser), interpolation=cv2.INTER_AREA)
        sigma /= coarser
        # Strokes run a little longer than they are high, as a hand with a wide brush moves.
        few = cv2.GaussianBlur(few, (0, 0), sigmaX=sigma * 1.15, sigmaY=sigma * 0.9, borderType=cv2.BORDER_REFLECT)
        soft = cv2.resize(few, (_FIELD, height), interpolation=cv2.INTER_CUBIC)
        total += share * (soft - soft.mean()) / soft.std()
    return np.asarray(total / total.std(), np.float32)


def _linear_from_lab(lab: tuple[float, float, float]) -> Array:
    colour = cv2.cvtColor(np.array([[lab]], np.float32), cv2.COLOR_Lab2LRGB)[0, 0]
    return np.asarray(np.clip(colour, 0, 1), np.float32)
