"""One headshot from an analysis, a look and a seed."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from . import frame, light, tone
from .analysis import Analysis
from .backdrop import paint
from .look import Look

Array = npt.NDArray[Any]

PROOF = 0.5  # a proof's size: its face is some 230 px high, twice what the likeness network sees
_PAPERS = {"white", "light grey", "grey", "charcoal", "black", "navy", "beige"}
_CONTRAST = {"low": 0.08, "normal": 0.3, "high": 0.6}
_TONES = {"natural": (1.0, 1.0, 1.0), "warm": (1.035, 1.0, 0.945), "cool": (0.965, 1.0, 1.04)}
_RETOUCH = {"none": 0.0, "gentle": 0.6, "polished": 1.0}
_RIM = {"none": 0.0, "subtle": 0.16, "strong": 0.5}
_VIGNETTE = {"none": 0.0, "subtle": 0.13, "strong": 0.32}
_GRAIN = {"none": 0.0, "fine": 0.0085, "film": 0.022}
_WRAP = 0.22  # of the backdrop's light on the outline: more looks like fog


@dataclass(frozen=True)
class Variation:
    """How one frame of a session differs from the next; every field but the last three lies in −1…1.

    share, across, down, tilt: framing.  turn, lift, depth: the key's azimuth, height and ratio.  glow: the rim's level.
    grain: 0…1 twice, the frame's place on the grain sheet.  backdrop: the seed of what is painted behind.
    """

    share: float = 0.0
    across: float = 0.0
    down: float = 0.0
    tilt: float = 0.0
    turn: float = 0.0
    lift: float = 0.0
    depth: float = 0.0
    glow: float = 0.0
    grain: tuple[float, float] = (0.0, 0.0)
    backdrop: int = 0

    @classmethod
    def of(cls, seed: int) -> "Variation":
        rng = np.random.default_rng(seed)
        share, across, down, tilt, turn, lift, depth, glow = rng.uniform(-1, 1, 8).tolist()
        grain_row, grain_column = rng.uniform(0, 1, 2).tolist()
        painted = int(rng.integers(2**32))
        return cls(share, across, down, tilt, turn, lift, depth, glow, (grain_row, grain_column), painted)


# The extremes that cost most likeness: close, and the key turned furthest to either side at its hardest.
PROOFS = (Variation(share=1, turn=1, lift=1, depth=1), Variation(share=1, turn=-1, lift=-1, depth=1))


@dataclass(frozen=True, eq=False)
class Session:
    """A look over one analysis: what all its seeds share.

    layers: (H, W, 4) float32 on the canvas: the corrected, retouched person and alpha.
    strength: 0 (corrected only) … 1 (the full look) … 2 (dramatic).  mildness: what the likeness guard leaves, 0…1.
    side: the key's, −1 or 1.  skin_tone: the sRGB grey value that the tone curve keeps.
    """

    analysis: Analysis
    look: Look
    layers: Array
    strength: float
    mildness: float
    side: float
    skin_tone: float


def strength_of(guidance_scale: float) -> float:
    """1 → 0 (cut out, framed and corrected only), 7.5 → 1 (a full studio look), 20 → 2 (dramatic)."""
    return float(np.interp(guidance_scale, [1, 7.5, 20], [0, 1, 2]))


def session(analysis: Analysis, look: Look, guidance_scale: float, mildness: float = 1.0) -> Session:
    strength = strength_of(guidance_scale)
    person = analysis.fore * (analysis.balance * np.array(_TONES[look.tone], np.float32))
    amount = min(strength, 1.3) * mildness
    if amount > 0:
        layer = analysis.skin_layer.astype(np.float32) * (_RETOUCH[look.retouch] * amount)
        layer += analysis.eye_layer.astype(np.float32) * amount
        person += layer[..., None]
    np.clip(person, 0, 1, out=person)
    skin = analysis.surface.skin > 0.5
    grid = cv2.resize(person, skin.shape[::-1], interpolation=cv2.INTER_AREA)
    skin_tone = float(cv2.cvtColor(grid, cv2.COLOR_RGB2GRAY)[skin].mean()) if skin.any() else 0.5
    side = {"left": -1.0, "right": 1.0, "auto": analysis.light.side or -1.0}[look.key_side]
    return Session(analysis, look, np.dstack([person, analysis.alpha]), strength, mildness, side, skin_tone)


def expose(shared: Session, variation: Variation, size: float = 1.0) -> tuple[Array, frame.Frame]:
    """(1280, 1024, 3) uint8 RGB times `size`, and its frame. The same arguments give the same bytes."""
    analysis, look = shared.analysis, shared.look
    crop = frame.choose(analysis.room, look.crop, variation.share, variation.across, variation.down, variation.tilt)
    width, height = round(frame.WIDTH * size), round(frame.HEIGHT * size)
    to_output = crop.affine(size)
    warped = _cropped(shared.layers, to_output, (width, height))
    person, alpha = np.ascontiguousarray(warped[..., :3]), np.clip(warped[..., 3], 0, 1)

    setup = light.SETUPS[look.light]
    setup = replace(
        setup,
        azimuth=setup.azimuth + 13 * variation.turn,
        elevation=setup.elevation + 5 * variation.lift,
        ratio=1 + (setup.ratio - 1) * (1 + 0.22 * variation.depth) * (1 + 0.5 * max(shared.strength - 1, 0)),
    )
    lit = 0.85 * shared.strength * shared.mildness
    shape = analysis.surface
    grid_px = analysis.face_px / 4
    from_grid = to_output.copy()
    from_grid[:, :2] *= 4
    from_grid[:, 2] += to_output[:, :2] @ [1.5, 1.5]  # pixel centres of a grid four times coarser
    gain = light.relight(shape, analysis.light, setup, shared.side, lit, grid_px) ** (1 / 2.2)
    person *= cv2.warpAffine(gain, from_grid, (width, height), borderMode=cv2.BORDER_REPLICATE)[..., None]
    rim = _RIM[look.rim] * min(shared.strength, 1.6) * shared.mildness
    if rim > 0:
        edge = light.rim(shape, shared.side, grid_px) * (rim * (1 + 0.25 * variation.glow))
        touched = cv2.warpAffine(edge, from_grid, (width, height), borderMode=cv2.BORDER_REPLICATE)
        person += (1 - np.minimum(person, 1)) * touched[..., None]

    drama = shared.strength * {"low key": 1.3, "normal": 1.0, "high key": 0.6}[look.brightness]
    rng = np.random.default_rng(variation.backdrop)
    backdrop = paint(look.backdrop, width=width, height=height, rng=rng, key_from=shared.side, drama=min(drama, 2.0))
    if look.brightness != "normal":
        backdrop *= 0.62 if look.brightness == "low key" else 1.12
    cv2.pow(np.clip(backdrop, 0, 1, out=backdrop), 1 / 2.2, dst=backdrop)
    backdrop *= np.array(_TONES[look.tone], np.float32)
    picture = _stand_in(person, alpha, backdrop, look, shared, size)

    pivot = float(np.clip(shared.skin_tone, 0.25, 0.75))
    if look.black_and_white:
        picture = tone.black_and_white(picture)
    contrast = _CONTRAST[look.contrast] * (0.15 + 0.85 * shared.strength) * (0.5 + 0.5 * shared.mildness)
    picture = tone.curve(picture, min(contrast, 0.9), pivot)
    picture *= _vignette(width, height, _VIGNETTE[look.vignette] * min(shared.strength, 1.5))[..., None]
    if look.brightness == "high key":
        picture += 0.06 * picture * (1 - picture)
    if size == 1:
        picture = tone.sharpen(picture, 0.35 / max(analysis.upscale, 1.0), 1.0)
        amount = _GRAIN[look.grain] if look.grain != "fine" else _GRAIN["fine"] * (0.5 + 0.5 * shared.strength)
        picture = tone.grain(picture, max(min(amount, 0.035), 0.002), variation.grain)
    np.clip(picture, 0, 1, out=picture)
    return cv2.convertScaleAbs(picture, alpha=255), crop


def _cropped(layers: Array, affine: Array, size: tuple[int, int]) -> Array:
    scale = float(np.hypot(affine[0, 0], affine[1, 0]))
    if scale < 0.75:  # a proof: reduced by area first, for a bare warp would alias
        layers = cv2.resize(layers, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        affine = affine.copy()
        affine[:, :2] /= scale
    return cv2.warpAffine(layers, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _stand_in(person: Array, alpha: Array, backdrop: Array, look: Look, shared: Session, size: float) -> Array:
    """Put the person before the backdrop: a soft shadow on paper, the backdrop's light round the outline."""
    height, width = alpha.shape
    small = cv2.resize(alpha, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    unit = size / 4  # pixels of the small maps to full-size pixels
    if look.backdrop in _PAPERS:
        away = np.array([[1, 0, -shared.side * 46 * unit], [0, 1, 30 * unit]], np.float32)
        shadow = cv2.GaussianBlur(small, (0, 0), 60 * unit)
        shadow = cv2.warpAffine(shadow, away, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        shade = 1 - 0.09 * min(shared.strength, 1.5) * shadow
        backdrop *= cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    around: Array = cv2.GaussianBlur(
        cv2.resize(backdrop, (width // 8, height // 8), interpolation=cv2.INTER_AREA), (0, 0), 40 * size / 8
    )
    around = cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR)
    wrap: Array = (1 - cv2.GaussianBlur(small, (0, 0), 9 * unit)) * 2 * _WRAP
    around -= person
    around = around * cv2.resize(wrap, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    person += around
    person -= backdrop
    person *= alpha[..., None]
    person += backdrop
    return person


def _vignette(width: int, height: int, amount: float) -> Array:
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1.05, 0.95, height, dtype=np.float32)
    far = across[None, :] ** 2 * 0.8 + down[:, None] ** 2 * 0.75
    return 1 - amount * np.clip(far - 0.35, 0, None) ** 1.5
