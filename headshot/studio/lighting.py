"""Light on the person: the portrait patterns that photographers name, in linear light, by the surface's normals."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .face_geometry import Surface
from .prompt.style_spec import Pattern

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LightingSetup:
    """A portrait pattern.

    Attributes:
        azimuth: of the key, in degrees from the camera's axis.
        elevation: of the key, in degrees.
        ratio: key plus fill over fill.
        swap: 0…1, the power to which the photo's own shading is removed; a full swap looks like a mask.
        hardest: the largest SourceLight.x that is believed: a shadow of hair can look like a hard side light.
    """

    azimuth: float
    elevation: float
    ratio: float
    swap: float = 0.55
    hardest: float = 0.8


# Hunter, Biver and Fuqua, "Light: Science & Magic", chapter 8, for the positions; the ratios by eye.
SETUPS: dict[Pattern, LightingSetup] = {
    "loop": LightingSetup(38, 34, 2.3),
    "Rembrandt": LightingSetup(52, 40, 3.8),
    "butterfly": LightingSetup(5, 46, 2.2),
    "split": LightingSetup(80, 14, 5.0),
    "broad window": LightingSetup(60, 14, 2.6),
    # A person who asks for soft light wants hard light gone.
    "soft": LightingSetup(20, 26, 1.6, swap=0.85, hardest=1.5),
}
# Natural logarithms of luminance, as all of SourceLight. No light from above is harder: if it seems so, a beard, a
# fringe or a hat is dark.
_MAX_X, _MAX_Y, _SHADING_PER_X = 1.5, 0.8, 0.875
# The least SourceLight.x that tells the light's side: on a head that looks ahead, and on one that is turned …
_SIDE_X, _SIDE_X_TURNED = 0.06, 0.25
_TURNED_DEGREES = 18.0  # … by so many degrees
_TEMPLES = 127, 356  # in the mesh's numbering
_HARD_RANGE, _HARD_SWAP = (0.6, 1.2), 0.15  # SourceLight.x: a window behind the camera's shoulder, and one at the side
_TERMINATOR_WRAP = 0.25  # a softbox an arm's length away lights this far round the terminator
_MIN_GAIN, _MAX_GAIN = 0.5, 1.7  # a stop down and less than one up: more shows the flatness of the source


@dataclass(frozen=True)
class SourceLight:
    """The photo's own light: log luminance = constant + x·nx + y·ny on the skin.

    Attributes:
        x: how hard the light is from the picture's right; negative from its left.
        y: how hard the light is from below; negative from above.
        turn: degrees by which the head is turned, positive towards the picture's right.
    """

    x: float
    y: float
    turn: float = 0.0

    @property
    def side(self) -> float:
        """The key's side: −1 for the picture's left, 1 for its right, 0 if the photo does not tell.

        It is the side of the photo's light. A turned head shows little of one cheek, so a weak slope says nothing:
        then the key is on the side to which the face looks, because from the other side it would light the ear.
        """
        turned = abs(self.turn) > _TURNED_DEGREES
        if abs(self.x) >= (_SIDE_X_TURNED if turned else _SIDE_X):
            return float(np.sign(self.x))
        return float(np.sign(self.turn)) if turned else 0.0

    def shading(self, surface: Surface, hardest: float) -> Array:
        """Return the light's factors on the surface, (h, w) float32 around 1, with |x| limited to `hardest`."""
        normals, most = surface.normals, _SHADING_PER_X * hardest
        x = float(np.clip(self.x, -hardest, hardest))
        return np.exp(np.clip(x * normals[..., 0] + self.y * normals[..., 1], -most, most))


def estimate_source(picture: Array, surface: Surface, mesh: Array) -> SourceLight:
    """Fit the photo's own light to the skin's luminance, robustly.

    Args:
        picture: (h, w, 3) float32 sRGB 0…1, on the surface's grid.
        surface: of the person.
        mesh: (468, 3), in pixels of the grid.
    """
    across = mesh[_TEMPLES[1]] - mesh[_TEMPLES[0]]
    turn = float(np.degrees(np.arctan2(across[2], abs(across[0]))))
    chosen = (surface.skin > 0.6) & (surface.face > 0.3)
    if chosen.sum() < 100:
        return SourceLight(0.0, 0.0, turn)
    luminance = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[chosen] ** 2.2
    log = np.log(np.maximum(luminance, 1e-3))
    design = np.column_stack([np.ones(log.size), surface.normals[chosen][:, :2]])
    weight = np.ones(log.size)
    fit = np.zeros(3)
    for _ in range(6):  # iteratively reweighted: highlights and shadows of the nose must not tip the fit
        weighted = design * weight[:, None]
        fit = np.linalg.lstsq(weighted.T @ design + 1e-3 * np.eye(3), weighted.T @ log, rcond=None)[0]
        off = np.abs(log - design @ fit)
        weight = 1 / np.maximum(off / (1.5 * np.median(off) + 1e-4), 1)
    x, y = np.clip(fit[1:], [-_MAX_X, -_MAX_Y], [_MAX_X, _MAX_Y])
    return SourceLight(float(x), float(y), turn)


def key_direction(setup: LightingSetup, side: float) -> Array:
    """Return the unit vector towards the key, (3,) float32: x right, y down, z towards the camera.

    Args:
        setup: the pattern.
        side: −1 for the picture's left, 1 for its right.
    """
    azimuth, elevation = np.radians([setup.azimuth, setup.elevation])
    return np.array(
        [side * np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation)],
        np.float32,
    )


def relight(
    surface: Surface, source_light: SourceLight, setup: LightingSetup, side: float, strength: float, face_px: float
) -> Array:
    """Return factors in linear light, (h, w) float32, that replace the photo's light by a pattern.

    Their mean on the skin is 1, because light must not change the exposure. The photo's own shading is removed in part
    only, to the power setup.swap, and more of it the harder it is: a pattern on top of hard light from the same side
    would be harder than either.

    Args:
        surface: of the person.
        source_light: the photo's own light.
        setup: the pattern.
        side: of the key, −1 for the picture's left, 1 for its right.
        strength: 0 leaves the photo's light, 1 is the full pattern.
        face_px: the face's height in pixels of the grid.
    """
    towards = key_direction(setup, side)
    facing = surface.normals @ towards
    key = np.clip((facing + _TERMINATOR_WRAP) / (1 + _TERMINATOR_WRAP), 0, 1) * _cast_shadow(
        surface.height, towards, face_px
    )
    fill = 0.65 + 0.35 * surface.normals[..., 2]
    shading = (setup.ratio - 1) * key + fill
    hard = float(np.interp(abs(source_light.x), _HARD_RANGE, [0, 1])) if source_light.x * side > 0 else 0.0
    ratio = shading / source_light.shading(surface, setup.hardest) ** min(1.0, setup.swap + _HARD_SWAP * hard)
    # Cloth and hair have shapes the balloon does not know: they get the light's direction, not its full contrast.
    trust = 0.6 + 0.4 * surface.face
    weight = surface.skin * surface.face
    log = np.log(np.maximum(ratio, 0.05))
    level = float((log * weight).sum() / max(float(weight.sum()), 1e-3)) if weight.sum() > 1 else float(log.mean())
    log = np.clip((log - level) * trust * strength, np.log(_MIN_GAIN), np.log(_MAX_GAIN))
    gain = np.exp(cv2.GaussianBlur(log, (0, 0), 0.02 * face_px))
    return (gain / _skin_mean(gain, weight)).astype(np.float32)


def rim_light(surface: Surface, side: float, face_px: float) -> Array:
    """Return a light from behind the shoulder opposite the key, (h, w) float32 0…1, to be added by screening.

    Args:
        surface: of the person.
        side: of the key, −1 for the picture's left, 1 for its right.
        face_px: the face's height in pixels of the grid.
    """
    normals = surface.normals
    grazing = np.clip(1 - normals[..., 2], 0, 1) ** 2
    turned = np.clip(-side * normals[..., 0] * 0.9 - normals[..., 1] * 0.45, 0, 1)
    return cv2.GaussianBlur(grazing * turned * (1 - 0.7 * surface.face), (0, 0), 0.01 * face_px)


def _cast_shadow(height: Array, towards: Array, face_px: float) -> Array:
    """1 where the key reaches, less where the surface itself blocks it: found by steps towards the light."""
    across, down, up = (float(part) for part in towards)
    flat = float(np.hypot(across, down))
    if flat < 1e-3:
        return np.ones_like(height)
    steps = 14
    reach = 0.42 * face_px  # a nose's shadow ends on the cheek; farther ones come from errors of the inflated shape
    blocked = np.zeros_like(height)
    for step in range(1, steps + 1):
        far = reach * (step / steps) ** 1.3
        shift = np.array([[1, 0, -across / flat * far], [0, 1, -down / flat * far]], np.float32)
        there = cv2.warpAffine(height, shift, height.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        clearance = there - (height + far * up / flat)
        # The farther the edge, the wider the penumbra of a large source.
        np.maximum(blocked, clearance / (0.02 * face_px + 0.22 * far), out=blocked)
    return cv2.GaussianBlur(1 - 0.75 * np.clip(blocked, 0, 1), (0, 0), 0.015 * face_px)


def _skin_mean(values: Array, weight: Array) -> float:
    total = float(weight.sum())
    return float((values * weight).sum()) / total if total > 1 else float(values.mean())
