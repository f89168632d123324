"""The renderer: one picture from an analysis, a look and a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging.finishing import GRAIN, SHARPNESS, finished
from headshot.imaging.warp import warp

from . import framing, lighting, tone
from .analysis import Analysis
from .cutout_trust import TRUSTED
from .prompt.style_spec import OWN_BACKGROUND, StyleSpec
from .scene.backdrop import is_paper, paint, paper_colour
from .scene.own_background import LOST_DIFFERENCE, graded_background

Array = npt.NDArray[Any]

LIKENESS_TEST_SIZE = 0.5  # of the full picture: the face is some 230 px high, twice what the likeness network sees

# The amounts behind the words of a look, at the full look (guidance 7.5). Chosen by eye on twenty portraits of all
# complexions, at full size: a step less cannot be seen, a step more draws attention to itself.
_CONTRAST = {"low": 0.08, "normal": 0.3, "high": 0.6}
_TONES = {"natural": (1.0, 1.0, 1.0), "warm": (1.035, 1.0, 0.945), "cool": (0.965, 1.0, 1.04)}
_RETOUCH = {"none": 0.0, "gentle": 0.6, "polished": 1.0}
_RIM = {"none": 0.0, "subtle": 0.16, "strong": 0.5}
_VIGNETTE = {"none": 0.0, "subtle": 0.13, "strong": 0.32}
_BACKDROP_LEVEL = {"low key": 0.62, "normal": 1.0, "high key": 1.12}
_BACKDROP_DRAMA = {"low key": 1.3, "normal": 1.0, "high key": 0.6}
_RELIGHT = 0.85  # of the pattern: the rest is the photo's own light, without which a face looks like a mask
_SHADED_SKIN = (-0.25, 0.0, 0.25)  # red is darkened less and blue more: skin in the shade is warmer, by eye
_BURN_RANGE = (0.62, 0.92)  # sRGB: from the first more light begins to burn out, at the second no more fits
_BURN_BLUR = 0.03  # face heights over which the brightness is averaged for that
_LIGHT_WRAP = 0.22  # of the backdrop's light on the outline: more looks like fog
_PAPER_SHADOW = 0.09  # on the paper behind: more looks like a wall at the person's back
_DITHER = 0.002  # the least grain, half an 8-bit step: without it a smooth backdrop would show bands
# The most that a seed changes: far enough to see, near enough to be one photo session.
_TURN_DEGREES, _LIFT_DEGREES, _DEPTH, _GLOW = 13.0, 5.0, 0.22, 0.25
_FULL_SCALE = 65535  # of the layers: half the memory of float32, and finer than any file
_SRGB_GAMMA = 2.2  # as a pure power, in which a factor on linear light is a factor on the stored value


@dataclass(frozen=True)
class SeedJitter:
    """The small differences that a seed makes. Every field but the last two lies in −1…1.

    Attributes:
        share: of the head in the frame's height.
        across: of the head's place in the frame.
        down: of the eyes' line in the frame.
        tilt: of the frame.
        turn: of the key's azimuth.
        lift: of the key's height.
        depth: of the key's ratio.
        glow: of the rim light's level.
        grain: 0…1 twice, the frame's place on the grain sheet.
        backdrop: the seed of the painted backdrop.
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
    def of(cls, seed: int) -> "SeedJitter":
        """Return the differences of a seed, the same ones every time."""
        rng = np.random.default_rng(seed)
        share, across, down, tilt, turn, lift, depth, glow = rng.uniform(-1, 1, 8).tolist()
        grain_row, grain_column = rng.uniform(0, 1, 2).tolist()
        painted = int(rng.integers(2**32))
        return cls(share, across, down, tilt, turn, lift, depth, glow, (grain_row, grain_column), painted)


# The extremes that cost most likeness: close, and the key turned furthest to either side at its hardest.
LIKENESS_TEST_JITTERS = (
    SeedJitter(share=1, turn=1, lift=1, depth=1),
    SeedJitter(share=1, turn=-1, lift=-1, depth=1),
)


@dataclass(frozen=True, eq=False)
class LookSetup:
    """A look prepared for one analysis, which all seeds share.

    Attributes:
        analysis: of the photo.
        look: the choices of the prompt.
        layers: (H, W, 4) uint16, full scale for 1: the corrected, retouched person and alpha, on the canvas or, for
            drafts, on the reduced canvas.
        strength: 0 (corrected only) … 1 (the full look) … 2 (dramatic).
        likeness_factor: 0…1, of light, retouch and contrast: less than 1 keeps more likeness.
        side: of the key light, −1 for the picture's left, 1 for its right.
        skin_tone: the sRGB grey value that the tone curve keeps.
        headroom: (h, w) float32 0…1, on the surface's grid: how much of added light does not burn out.
        background: (h, w, 3) float32 sRGB on half the canvas, the photo's own; None if the backdrop is painted.
    """

    analysis: Analysis
    look: StyleSpec
    layers: Array
    strength: float
    likeness_factor: float
    side: float
    skin_tone: float
    headroom: Array
    background: Array | None = None


def effective_strength(guidance_scale: float) -> float:
    """Return the strength of a guidance: 1 → 0 (corrected only), 7.5 → 1 (a full studio look), 20 → 2 (dramatic)."""
    return float(np.interp(guidance_scale, [1, 7.5, 20], [0, 1, 2]))


def keeps_background(analysis: Analysis, look: StyleSpec) -> bool:
    """Return whether the photo's own background stays: by choice, or because the cut-out cannot be trusted."""
    return look.backdrop == OWN_BACKGROUND or analysis.trust < TRUSTED


def prepare_look(analysis: Analysis, look: StyleSpec, guidance_scale: float, likeness_factor: float = 1.0) -> LookSetup:
    """Prepare a look for all its seeds.

    Args:
        analysis: of the photo.
        look: the choices of the prompt.
        guidance_scale: of the request.
        likeness_factor: 0…1, of light, retouch and contrast: 1 is the look as asked, less keeps more likeness.
    """
    strength = effective_strength(guidance_scale)
    own = keeps_background(analysis, look)
    person = analysis.foreground.astype(np.float32)
    alpha = analysis.alpha.astype(np.float32)
    if own:
        own_background = analysis.own_background
        shown = own_background.person.astype(np.float32)
        # Where the cut-out has lost a part of the person, or nothing is blurred, the photo itself stays.
        canvas = analysis.canvas.astype(np.float32) * np.float32(1 / 255)
        photo = np.maximum(np.clip((shown - alpha) / LOST_DIFFERENCE, 0, 1), 1 - own_background.blur_amount)
        person += (canvas - person) * _three_channels(photo)
        alpha = shown
    _scale_channels(person, analysis.balance * np.array(_TONES[look.tone], np.float32))
    amount = min(strength, 1.3) * likeness_factor
    if amount > 0:
        layer = analysis.skin_layer.astype(np.float32) * (_RETOUCH[look.retouch] * amount)
        layer += analysis.eye_layer.astype(np.float32) * amount
        person += _three_channels(layer)
    np.clip(person, 0, 1, out=person)
    skin = analysis.surface.skin > 0.5
    grid = cv2.resize(person, skin.shape[::-1], interpolation=cv2.INTER_AREA)
    skin_tone = float(cv2.cvtColor(grid, cv2.COLOR_RGB2GRAY)[skin].mean()) if skin.any() else 0.5
    brightest = cv2.GaussianBlur(
        grid.max(axis=2), (0, 0), _BURN_BLUR * analysis.face_px * grid.shape[1] / framing.CANVAS_WIDTH
    )
    low, high = _BURN_RANGE
    headroom = np.clip((high - brightest) / (high - low), 0, 1)
    # On the side of the photo's own light: shadows opposite to the photo's own look wrong.
    side = {"left": -1.0, "right": 1.0, "auto": analysis.light.side or -1.0}[look.key_side]
    person *= _FULL_SCALE
    person += 0.5
    alpha = alpha * _FULL_SCALE + 0.5
    layers = cv2.merge([*cv2.split(person.astype(np.uint16)), alpha.astype(np.uint16)])
    background = _own_background(analysis, look, strength) if own else None
    return LookSetup(analysis, look, layers, strength, likeness_factor, side, skin_tone, headroom, background)


def _own_background(analysis: Analysis, look: StyleSpec, strength: float) -> Array:
    """The photo's own background in the look's brightness and colour; (h, w, 3) float32 sRGB."""
    colour = paper_colour(look.backdrop)
    background = graded_background(analysis.own_background, colour, _BACKDROP_LEVEL[look.brightness], min(strength, 1))
    cv2.pow(np.clip(background, 0, 1, out=background), 1 / _SRGB_GAMMA, dst=background)
    background *= analysis.balance * np.array(_TONES[look.tone], np.float32)
    return background


def render_frame(setup: LookSetup, jitter: SeedJitter, size: float = 1.0) -> tuple[Array, framing.Frame]:
    """Render one picture; the same arguments give the same bytes.

    Args:
        setup: the prepared look.
        jitter: of the seed.
        size: of the full picture; less is for a likeness test or a draft, without grain and sharpening.

    Returns:
        (1280, 1024, 3) uint8 RGB times `size`, and its crop.
    """
    look = setup.look
    crop = framing.choose_frame(
        setup.analysis.framing_limits,
        look.crop,
        jitter.share,
        jitter.across,
        jitter.down,
        jitter.tilt,
        own_background=setup.background is not None,
    )
    frame_from_canvas = crop.affine(size)
    frame_from_canvas[:, 2] += (size - 1) / 2  # pixel centres, not corners, as in a full picture that was reduced
    pixels = round(framing.WIDTH * size), round(framing.HEIGHT * size)
    layers = warp(setup.layers, _frame_from_map(setup.layers, frame_from_canvas), pixels, cv2.INTER_CUBIC)
    person = cv2.cvtColor(layers, cv2.COLOR_RGBA2RGB) * np.float32(1 / _FULL_SCALE)
    alpha = cv2.extractChannel(layers, 3) * np.float32(1 / _FULL_SCALE)
    del layers
    if setup.background is None:
        _relight(person, setup, jitter, frame_from_canvas)
        picture = _composite(person, alpha, _painted_backdrop(setup, jitter, pixels), setup, size)
    else:
        picture = _composite_own_background(person, alpha, setup.background, frame_from_canvas)
        _relight(picture, setup, jitter, frame_from_canvas)
    picture = _grade(picture, setup)
    sharpness = graininess = 0.0
    if size == 1:
        sharpness = SHARPNESS / max(setup.analysis.upscale, 1.0)
        fine = 0.5 + 0.5 * setup.strength if look.grain == "fine" else 1.0
        graininess = max(GRAIN[look.grain] * fine, _DITHER)
    return finished(picture, sharpness=sharpness, graininess=graininess, at=jitter.grain), crop


def _frame_from_map(of_canvas: Array, frame_from_canvas: Array) -> Array:
    """(2, 3) map to the frame from a picture of the whole canvas that has fewer pixels."""
    step = framing.CANVAS_WIDTH / of_canvas.shape[1]
    moved = frame_from_canvas.copy()
    moved[:, :2] *= step
    moved[:, 2] += frame_from_canvas[:, :2] @ [(step - 1) / 2, (step - 1) / 2]  # pixel centres, not corners
    return moved


def _relight(person: Array, setup: LookSetup, jitter: SeedJitter, frame_from_canvas: Array) -> None:
    """Key, fill and rim on the person, in place."""
    shape = setup.analysis.surface
    unit = setup.analysis.face_px * shape.skin.shape[1] / framing.CANVAS_WIDTH
    size = person.shape[1], person.shape[0]
    frame_from_grid = _frame_from_map(shape.skin, frame_from_canvas)
    pattern = lighting.SETUPS[setup.look.light]
    pattern = replace(
        pattern,
        azimuth=pattern.azimuth + _TURN_DEGREES * jitter.turn,
        elevation=pattern.elevation + _LIFT_DEGREES * jitter.lift,
        ratio=1 + (pattern.ratio - 1) * (1 + _DEPTH * jitter.depth) * (1 + 0.5 * max(setup.strength - 1, 0)),
    )
    strength = _RELIGHT * setup.strength * setup.likeness_factor
    gain = lighting.relight(shape, setup.analysis.light, pattern, setup.side, strength, unit) ** (1 / _SRGB_GAMMA)
    gain = np.where(gain > 1, 1 + (gain - 1) * setup.headroom, gain)
    if setup.background is not None:
        lit = cv2.resize(setup.analysis.own_background.light_reach.astype(np.float32), gain.shape[::-1])
        gain = 1 + (gain - 1) * lit
    skin = cv2.GaussianBlur(np.maximum(shape.skin, shape.face), (0, 0), 0.06 * unit)
    shade = np.minimum(gain - 1, 0) * skin
    person *= warp(cv2.merge([gain + more * shade for more in _SHADED_SKIN]), frame_from_grid, size)
    if setup.background is not None:
        return  # a rim light would show the outline, which cannot be trusted
    rim = _RIM[setup.look.rim] * min(setup.strength, 1.6) * setup.likeness_factor * (1 + _GLOW * jitter.glow)
    if rim > 0:
        edge = _three_channels(warp(lighting.rim_light(shape, setup.side, unit) * rim, frame_from_grid, size))
        lit = 1 - edge
        lit *= person
        lit += edge
        np.maximum(person, lit, out=person)  # values above white stay as they are


def _composite_own_background(person: Array, alpha: Array, background: Array, frame_from_canvas: Array) -> Array:
    """Put the person before the photo's blurred background. Works in place; returns `person`."""
    background = warp(background, _frame_from_map(background, frame_from_canvas), alpha.shape[::-1])
    person -= background
    person *= _three_channels(alpha)
    person += background
    return person


def _painted_backdrop(setup: LookSetup, jitter: SeedJitter, size: tuple[int, int]) -> Array:
    """The backdrop of the look, (h, w, 3) float32 sRGB."""
    look = setup.look
    drama = min(setup.strength * _BACKDROP_DRAMA[look.brightness], 2.0)
    rng = np.random.default_rng(jitter.backdrop)
    painted = paint(look.backdrop, width=size[0], height=size[1], rng=rng, key_from=setup.side, drama=drama)
    painted *= _BACKDROP_LEVEL[look.brightness]
    cv2.pow(np.clip(painted, 0, 1, out=painted), 1 / _SRGB_GAMMA, dst=painted)
    _scale_channels(painted, _TONES[look.tone])
    return painted


def _composite(person: Array, alpha: Array, backdrop: Array, setup: LookSetup, size: float) -> Array:
    """Put the person before the backdrop: a soft shadow on paper, the backdrop's light around the outline.

    Changes `person` and `backdrop` in place. Lengths are in pixels of the full-size headshot.
    """
    height, width = alpha.shape
    small = cv2.resize(alpha, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    unit = size / 4  # pixels of the small maps to full-size pixels
    if is_paper(setup.look.backdrop):
        away = np.array([[1, 0, -setup.side * 46 * unit], [0, 1, 30 * unit]], np.float32)
        shadow = cv2.GaussianBlur(small, (0, 0), 60 * unit)
        shadow = cv2.warpAffine(shadow, away, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        shade = 1 - _PAPER_SHADOW * min(setup.strength, 1.5) * shadow
        backdrop *= _three_channels(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR))
    glow = cv2.resize(backdrop, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    around: Array = cv2.resize(cv2.GaussianBlur(glow, (0, 0), 5 * size), (width, height))
    rim: Array = (1 - cv2.GaussianBlur(small, (0, 0), 9 * unit)) * 2 * _LIGHT_WRAP
    rim = cv2.resize(rim, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.blendLinear(around, person, rim, 1 - rim, dst=person)
    return cv2.blendLinear(person, backdrop, alpha, 1 - alpha, dst=person)


def _grade(picture: Array, setup: LookSetup) -> Array:
    """Black and white, tone curve, vignette."""
    look = setup.look
    if look.black_and_white:
        picture = tone.black_and_white(picture)
    contrast = _CONTRAST[look.contrast] * (0.15 + 0.85 * setup.strength) * (0.5 + 0.5 * setup.likeness_factor)
    picture = tone.apply_curve(picture, min(contrast, 0.9), float(np.clip(setup.skin_tone, 0.25, 0.75)))
    height, width = picture.shape[:2]
    vignette = _VIGNETTE[look.vignette] * min(setup.strength, 1.5)
    if vignette > 0:
        picture *= _three_channels(_vignette(width, height, vignette))
    if look.brightness == "high key":
        picture += 0.06 * picture * (1 - picture)
    return picture


def _vignette(width: int, height: int, amount: float) -> Array:
    """(h, w) float32 factors: 1 in the middle, falling off beyond the head."""
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1.05, 0.95, height, dtype=np.float32)
    far = across[None, :] ** 2 * 0.8 + (down[:, None] ** 2 * 0.75 - 0.35)
    np.maximum(far, 0, out=far)
    far *= np.sqrt(far)  # to the power 1.5
    far *= -amount
    far += 1
    return far


def _three_channels(values: Array) -> Array:
    """Repeat (h, w) values for red, green and blue: (h, w, 3). NumPy is slow over so short an axis."""
    return cv2.merge([values, values, values])


def _scale_channels(picture: Array, factors: Sequence[float] | Array) -> None:
    """Multiply red, green and blue by a factor each, in place."""
    red, green, blue = (float(factor) for factor in factors)
    if (red, green, blue) != (1, 1, 1):
        cv2.multiply(picture, np.array([red, green, blue, 1]), dst=picture)
