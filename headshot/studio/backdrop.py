"""What stands behind the person: seven studio papers and three rooms out of focus, painted without a photograph.

A paper is its colour under two lights, a spot on the paper and the key's spill, with the slow mottling of a hand-painted canvas. A scene is a small set built in metres
and lit in linear HDR; each depth is blurred by the disc that a fast lens would draw there, and only then are the highlights rolled off. That order is what makes a
bright leaf a disc of light instead of a grey smudge.

Everything but the tooth is computed at one fixed size and then resized, so that a proof shows the layout of the full picture.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.look import Backdrop

Array = npt.NDArray[np.float32]

# --- the door -----------------------------------------------------------------------------------------------------


def paint(name: Backdrop, *, width: int, height: int, rng: np.random.Generator, key_from: float, drama: float) -> Array:
    """Paint one backdrop.

    width, height: pixels, any size of about 4:5. The same `rng` state gives the same layout at every size, and leaves the generator in the same state.
    key_from: where the key light stands, -1 left … 1 right. The brighter side, the window or the sun follows it.
    drama: 0 even, 1 the full look, 2 stronger falloff and contrast.
    Returns (height, width, 3) float32, linear light, sRGB primaries, 0…1.
    """
    key_from = min(1.0, max(-1.0, key_from))
    drama = min(2.0, max(0.0, drama))
    fine = np.random.default_rng(rng.integers(2**63))  # its draws depend on the size, so they must not advance rng
    paper = _PAPERS.get(name)
    if paper is not None:
        small = _lit_paper(paper, height / width, rng, key_from, drama)
        tooth = paper.tooth
    else:
        small = _photographed(_SCENES[name], height / width, rng, key_from, drama)
        tooth = 0.45
    shrinks = width < small.shape[1]
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return _with_tooth(np.asarray(picture, np.float32), fine, tooth)


def _with_tooth(picture: Array, rng: np.random.Generator, levels: float) -> Array:
    """Add the surface's finest grain, `levels` 8-bit sRGB steps (sigma): under half a step, a smooth gradient would band."""
    height, width = picture.shape[:2]
    thumb = cv2.resize(picture, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA).mean(axis=2)
    # The slope of linear light over encoded value, 2.275·lin^0.583 for the 2.4 exponent, makes the grain even to the eye.
    slope = (2.275 * np.clip(thumb, 0, 1) ** 0.583 + 0.04) * (levels / 255)
    slope = cv2.resize(slope.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    grain *= slope
    picture += grain[..., None]
    return np.clip(picture, 0, 1, out=picture)


# --- papers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Paper:
    lab: tuple[float, float, float]  # CIE Lab (D65) where the spot is brightest
    falloff: float  # share of the light that comes from the spot: what the corners can lose
    mottle: float  # sigma of the mottling, share of the light
    warmth: float = 0.0  # Lab b of the mottling's lighter patches: hand-painted canvas is never one hue
    tooth: float = 0.6  # sigma, 8-bit steps


_PAPERS: dict[str, _Paper] = {
    "white": _Paper((99.0, 0.0, 0.3), 0.10, 0.002, tooth=0.45),
    "light grey": _Paper((83.0, -0.2, -0.8), 0.42, 0.012),
    "grey": _Paper((61.0, -0.1, -0.8), 0.55, 0.020),
    "charcoal": _Paper((37.0, 0.0, -1.2), 0.70, 0.035),
    "black": _Paper((11.0, 0.1, -0.8), 0.80, 0.030),
    "navy": _Paper((31.0, 1.5, -21.0), 0.70, 0.035),
    "beige": _Paper((79.0, 2.6, 12.5), 0.45, 0.022),
}
_FIELD = 256  # width at which papers are computed; they hold nothing finer than a soft brush stroke


def _lit_paper(paper: _Paper, aspect: float, rng: np.random.Generator, key_from: float, drama: float) -> Array:
    spot_x, spot_y, size, oval, level, spill, tilt = rng.uniform(-1, 1, 7)
    height = round(_FIELD * aspect)
    x = np.linspace(-1, 1, _FIELD, dtype=np.float32)[None, :]
    y = (np.linspace(-1, 1, height, dtype=np.float32) * np.float32(aspect))[:, None]

    # The spot stands behind head and shoulders, drawn towards the key, and never right at the head's edge: it is wider than the head.
    centre_x = 0.13 * spot_x + 0.16 * key_from
    centre_y = 0.02 + 0.20 * spot_y
    reach = 1.15 * (1 + 0.22 * size)
    across, down = (x - centre_x) / (reach * (1 + 0.10 * oval)), (y - centre_y) / (reach * (1.12 - 0.10 * oval))
    spot = (1 + across**2 + down**2) ** -1.6
    # A wall lit from one side loses light with the square of the distance to the lamp.
    lamp = (2.6 + 0.3 * spill) ** 2 / ((x - 1.9 * key_from) ** 2 + (y + 0.5 + 0.2 * tilt) ** 2 + 1.6)
    lamp /= lamp[height // 2, _FIELD // 2]

    falloff = paper.falloff * min(1.0, 0.25 + 0.75 * drama) if drama <= 1 else paper.falloff ** (1 / drama)
    light = (1 - falloff + falloff * spot) * (1 + falloff * (0.2 + 0.35 * min(drama, 1.5)) * (lamp - 1))
    light *= (1 + 0.06 * level * min(1.0, 3 * paper.falloff)) / np.float32(np.quantile(light, 0.98))

    mottling = _clouds(rng, height)
    light *= 1 + paper.mottle * (0.5 + 0.5 * drama) * mottling
    colour = _linear_from_lab(paper.lab)
    picture = light[..., None].astype(np.float32) * colour
    # Deeper shade is slightly richer in colour than the lit paper.
    shade = np.clip(1 - light, 0, 1)[..., None].astype(np.float32)
    return np.asarray(picture * (1 + 0.12 * shade * (colour / colour.mean() - 1)), np.float32)


def _clouds(rng: np.random.Generator, height: int) -> Array:
    """Mottling of mean 0 and sigma 1, (height, _FIELD): four sizes of blurred noise, which unlike an enlarged grid has no lattice."""
    total = np.zeros((height, _FIELD), np.float32)
    for sigma, share in ((40.0, 1.0), (18.0, 0.75), (8.0, 0.45), (3.5, 0.2)):
        noise = rng.standard_normal((height, _FIELD), dtype=np.float32)
        # Strokes run a little longer than they are high, as a hand with a wide brush moves.
        soft = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma * 1.15, sigmaY=sigma * 0.9, borderType=cv2.BORDER_REFLECT)
        total += share * (soft - soft.mean()) / soft.std()
    return np.asarray(total / total.std(), np.float32)


def _linear_from_lab(lab: tuple[float, float, float]) -> Array:
    colour = cv2.cvtColor(np.array([[lab]], np.float32), cv2.COLOR_Lab2LRGB)[0, 0]
    return np.asarray(np.clip(colour, 0, 1), np.float32)


# --- the camera and the film --------------------------------------------------------------------------------------

_SCENE = 400  # width at which sets are drawn; the smallest disc is 8 px of radius there, so nothing finer exists
_MARGIN = 28  # px around the frame: a light just outside still throws its disc into the picture
_FOCAL = 2.7  # frame widths: the view of a 50 mm lens at head-and-shoulders distance
_SUBJECT = 1.35  # m from the camera to the person, who is in focus
_DISC = 0.042  # radius, in frame widths, of the disc for infinitely far things, f/1.8 at that focal length
_EYE = 1.5  # m: the camera stands at the height of the eyes …
_HORIZON = 0.40  # … which the crop puts at this share of the frame's height


@dataclass(frozen=True)
class _Camera:
    """Where this frame was taken from: x, y to the side and up (m), yaw (radians, + turns right), all small."""

    aspect: float
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    level: float = 1.0  # exposure, and how far the sun stood that minute
    sun: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas with its margin."""
        return _SCENE + 2 * _MARGIN, round(_SCENE * self.aspect) + 2 * _MARGIN

    def project(self, points: Array) -> Array:
        """(…, 3) metres, x right, y up, z forward, to (…, 2) px. Points must lie in front of the camera."""
        x, y, z = points[..., 0] - self.x, points[..., 1] - _EYE - self.y, points[..., 2]
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        across, depth = x * cos - z * sin, np.maximum(x * sin + z * cos, 0.3)
        scale = _FOCAL * _SCENE / depth
        return np.stack(
            [_MARGIN + _SCENE / 2 + across * scale, _MARGIN + _HORIZON * self.aspect * _SCENE - y * scale], -1
        ).astype(np.float32)


class _Layer:
    """Everything at about one depth, as premultiplied RGBA in linear HDR."""

    def __init__(self, camera: _Camera, depth: float) -> None:
        width, height = camera.size
        self.camera = camera
        self.depth = depth
        self.canvas: Array = np.zeros((height, width, 4), np.float32)

    def polygons(self, points: Array, colours: Array) -> None:
        """points: (n, k, 3) convex, in metres, painted in their order.  colours: (n, 3)."""
        pixels = np.round(np.clip(self.camera.project(points), -4000, 4000) * 16).astype(np.int32)
        canvas = self.canvas
        for corners, (red, green, blue) in zip(pixels, colours.tolist(), strict=True):
            cv2.fillConvexPoly(canvas, corners, (red, green, blue, 1.0), lineType=cv2.LINE_8, shift=4)

    def blurred(self) -> Array:
        radius = _DISC * _SCENE * (1 - _SUBJECT / self.depth)
        return np.asarray(cv2.filter2D(self.canvas, -1, _disc(radius), borderType=cv2.BORDER_REPLICATE), np.float32)


def _disc(radius: float) -> Array:
    """A disc with smooth edge, a little brighter towards its rim, as a real lens wide open draws it; sums to 1."""
    half = math.ceil(radius + 1)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    distance = np.hypot(x, y)
    disc = np.clip(radius + 0.5 - distance, 0, 1) * (0.85 + 0.3 * (distance / radius) ** 2)
    return np.asarray(disc / disc.sum(), np.float32)


def _photographed(scene: "_Scene", aspect: float, rng: np.random.Generator, key_from: float, drama: float) -> Array:
    """Sets are built with the light on the left; a key on the right mirrors the frame."""
    x, y, yaw, level, sun = rng.uniform(-1, 1, 5)
    camera = _Camera(aspect, scene.sway * x, 0.06 * y, scene.turn * yaw, level=1 + 0.09 * level, sun=float(sun))
    picture = np.zeros((*camera.size[::-1], 3), np.float32)
    for layer in scene.build(camera):
        seen = layer.blurred()
        picture *= 1 - seen[..., 3:]
        picture += seen[..., :3]
    # The glare of a bright window inside the lens; it also softens what the coarse set leaves too clean.
    glare = cv2.GaussianBlur(picture, (0, 0), _SCENE * 0.07)
    picture += 0.10 * (glare - picture)
    picture *= camera.level * scene.exposure
    middle = np.float32(scene.middle)
    contrast = 0.72 + 0.28 * drama
    picture = middle * (np.maximum(picture, 0) / middle) ** np.float32(contrast)
    grey = picture @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    picture += (1 - scene.saturation) * (grey[..., None] - picture)
    picture = _rolled_off(picture)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.ascontiguousarray(picture if key_from < 0 else picture[:, ::-1])


def _rolled_off(picture: Array) -> Array:
    """Straight up to the shoulder, then ever closer to the film's white."""
    shoulder, white = np.float32(0.45), np.float32(0.94)
    room = white - shoulder
    over = np.maximum(picture - shoulder, 0)
    return np.minimum(picture, shoulder) + room * (1 - np.exp(-over / room))


@dataclass(frozen=True)
class _Scene:
    build: Callable[[_Camera], list[_Layer]]
    sway: float  # m the camera moves to either side between frames
    turn: float  # radians it turns
    exposure: float
    middle: float  # the linear level that contrast leaves alone
    saturation: float


# --- building sets ------------------------------------------------------------------------------------------------


def _plane(origin: Any, along: Any, up: Any, columns: int = 1, rows: int = 1) -> Array:
    """A parallelogram as (columns·rows, 4, 3) cells, so that each can take its own light."""
    origin, along, up = (np.asarray(v, np.float32) for v in (origin, along, up))
    u = np.linspace(0, 1, columns + 1, dtype=np.float32)
    v = np.linspace(0, 1, rows + 1, dtype=np.float32)
    grid = origin + u[:, None, None] * along + v[None, :, None] * up
    return np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], 2).reshape(-1, 4, 3)


def _box(low: Any, high: Any) -> Array:
    """The front and left faces of an upright box, seen from the camera: (2, 4, 3)."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    return np.array(
        [
            [[x0, y0, z0], [x0, y0, z1], [x0, y1, z1], [x0, y1, z0]],
            [[x0, y0, z0], [x1, y0, z0], [x1, y1, z0], [x0, y1, z0]],
        ],
        np.float32,
    )


def _irradiance(points: Array, normal: Any, lamps: Array, facing: Any) -> Array:
    """Light of a window, as `lamps` (n, 3) small openings that face into the room, on surfaces of one normal. Returns (…,)."""
    normal, facing = np.asarray(normal, np.float32), np.asarray(facing, np.float32)
    way = lamps - points[..., None, :]
    square = (way**2).sum(-1) + 0.15
    leaves = np.maximum(-(way @ facing), 0)
    lands = np.maximum(way @ normal, 0)
    return np.asarray((leaves * lands / square**2).sum(-1), np.float32)


def _lit(cells: Array, normal: Any, lamps: Array, facing: Any, albedo: Any, ambient: float, power: float) -> Array:
    """Colours (n, 3) of cells under a window of `power` and an even `ambient`."""
    light = ambient + power * _irradiance(cells.mean(1), normal, lamps, facing)
    return np.asarray(light[:, None] * np.asarray(albedo, np.float32), np.float32)


def _flat(colour: Any, count: int) -> Array:
    return np.tile(np.asarray(colour, np.float32), (count, 1))


def _leaves(
    plan: np.random.Generator, centres: Array, radius: Array, each: int, size: float, sun: Any
) -> tuple[Array, Array]:
    """Leaf clumps: quads (n, 4, 3) and how far each is turned to the sun, about -1…1.

    centres (m, 3), radius (m,) in metres; `each` leaves of `size` metres around every centre. `plan` fixes the plant, so that it grows the same in all frames.
    """
    count = len(centres) * each
    offset = plan.standard_normal((len(centres), each, 3), dtype=np.float32)
    offset *= np.float32(0.55)
    sun = np.asarray(sun, np.float32) / np.linalg.norm(sun)
    lit = (offset @ sun).reshape(-1)
    where = (centres[:, None] + offset * radius[:, None, None]).reshape(count, 3)
    angle = plan.uniform(0, math.pi, count).astype(np.float32)
    length = size * plan.uniform(0.6, 1.3, count).astype(np.float32)
    girth = length * plan.uniform(0.25, 0.6, count).astype(np.float32)
    zero = np.zeros_like(angle)
    long = np.stack([np.cos(angle), np.sin(angle), zero], -1) * length[:, None]
    wide = np.stack([-np.sin(angle), np.cos(angle), zero], -1) * girth[:, None]
    quads = np.stack([where - long, where + wide, where + long, where - wide], 1).astype(np.float32)
    order = np.argsort(-where[:, 2], kind="stable")
    return quads[order], lit[order]


# --- the garden ---------------------------------------------------------------------------------------------------


def _garden(camera: _Camera) -> list[_Layer]:
    plan = np.random.default_rng(20)
    sun = np.array([-0.75 + 0.1 * camera.sun, 0.6, 0.25])
    shine = 1 + 0.12 * camera.sun

    # Hazy light between the trees, brightest on the sun's side, over a lawn in sun and shade.
    far = _Layer(camera, 60.0)
    sky = _plane((-12, 1, 60), (24, 0, 0), (0, 22, 0), 12, 10)
    middle = sky.mean(1)
    glow = np.exp(-((middle[:, 0] + 5) ** 2) / 60) * (0.35 + 0.65 * np.clip(middle[:, 1] / 16, 0, 1))
    far.polygons(sky, (0.35 + 1.5 * glow)[:, None] * np.array([[0.93, 1.0, 0.80]], np.float32))
    lawn = _plane((-12, 0, 60), (24, 0, 0), (0, 0, -54), 10, 26)
    patch = plan.uniform(0, 1, len(lawn)).astype(np.float32)
    far.polygons(lawn, (0.10 + 0.35 * patch**2)[:, None] * np.array([[0.75, 1.0, 0.36]], np.float32))

    def foliage(
        depth: float,
        count: int,
        spread: tuple[float, float, float, float],
        radius: float,
        each: int,
        size: float,
        shade: Any,
        light: Any,
        sparkle: float,
    ) -> _Layer:
        layer = _Layer(camera, depth)
        left, right, low, high = spread
        centres = np.stack(
            [
                plan.uniform(left, right, count),
                plan.uniform(low, high, count),
                depth + plan.normal(0, 0.06 * depth, count),
            ],
            -1,
        ).astype(np.float32)
        size_of = (radius * plan.uniform(0.6, 1.4, count)).astype(np.float32)
        quads, lit = _leaves(plan, centres, size_of, each, size, sun)
        clump = np.clip(0.45 + 0.5 * lit + 0.12 * plan.standard_normal(len(lit), dtype=np.float32), 0, 1.3)[:, None]
        colours = np.asarray(shade, np.float32) * (1 - clump) + np.asarray(light, np.float32) * clump * shine
        flash = plan.uniform(0, 1, len(lit)) < sparkle * np.clip(lit + 0.3, 0, 1)
        colours[flash] = np.array([1.0, 1.0, 0.72]) * (3.0 + 4 * plan.uniform(0, 1, (int(flash.sum()), 1))) * shine
        layer.polygons(quads, colours)
        return layer

    return [
        far,
        foliage(26.0, 70, (-6.5, 6.5, 0.8, 9.0), 1.0, 36, 0.16, (0.030, 0.055, 0.022), (0.24, 0.36, 0.10), 0.02),
        foliage(13.0, 34, (-3.6, 3.6, 2.2, 5.2), 0.7, 34, 0.10, (0.016, 0.034, 0.012), (0.20, 0.34, 0.07), 0.03),
        foliage(7.0, 36, (-2.6, 2.6, -0.3, 1.15), 0.40, 34, 0.05, (0.018, 0.036, 0.012), (0.17, 0.28, 0.055), 0.015),
    ]


# --- the rooms ----------------------------------------------------------------------------------------------------


def _office(camera: _Camera) -> list[_Layer]:
    """A glass-fronted office: the window wall runs away from the key side, the room lies open on the other."""
    plan = np.random.default_rng(7)
    ceiling = 2.75
    sky = (0.92 + 0.10 * camera.sun) * np.array([0.90, 0.97, 1.06], np.float32)

    outside = _Layer(camera, 80.0)
    air = _plane((-30, -6, 80), (60, 0, 0), (0, 40, 0), 1, 12)
    rise = np.linspace(0, 1, 12, dtype=np.float32)[:, None]
    outside.polygons(air, sky * (1.5 + 0.9 * rise))
    for _ in range(26):
        x, wide, high = plan.uniform(-24, 20), plan.uniform(2, 5), plan.uniform(0, 9) ** 1.1
        tone = plan.uniform(0.45, 0.95)
        outside.polygons(
            _plane((x, -8, 79), (wide, 0, 0), (0, 8 + high, 0)), _flat(tone * np.array([0.92, 0.98, 1.03]), 1)
        )

    # The window wall leaves a point near the camera on the left and meets the back wall behind the head.
    start, end = np.array([-1.75, 0, 4.5], np.float32), np.array([0.55, 0, 13.0], np.float32)
    run = end - start
    length = float(np.linalg.norm(run))
    inward = np.array([run[2], 0, -run[0]], np.float32) / length
    openings = np.stack(
        [start + run * t + np.array([0, h, 0], np.float32) for t in np.linspace(0.05, 0.95, 7) for h in (0.7, 1.5, 2.3)]
    )

    room = _Layer(camera, 10.0)
    back_z = 13.0
    floor = _plane((-2, 0, 14), (10, 0, 0), (0, 0, -11), 14, 16)
    room_floor = floor[(floor.mean(1) - start) @ inward > -0.2]
    room.polygons(room_floor, _lit(room_floor, (0, 1, 0), openings, inward, (0.30, 0.28, 0.26), 0.32, 1.0))
    top = _plane((-2, ceiling, 14), (10, 0, 0), (0, 0, -11), 14, 16)
    top = top[(top.mean(1) - start) @ inward > -0.2]
    room.polygons(top, _lit(top, (0, -1, 0), openings, inward, (0.62, 0.61, 0.60), 0.34, 0.8))
    wall = _plane((0.5, 0, back_z), (5, 0, 0), (0, ceiling, 0), 14, 8)
    room.polygons(wall, _lit(wall, (0, 0, -1), openings, inward, (0.52, 0.48, 0.43), 0.36, 1.3))
    # A timber panel and a glazed meeting room on the back wall, to the side of the head.
    panel = _plane((1.55, 0, back_z - 0.05), (2.6, 0, 0), (0, 2.35, 0), 10, 6)
    room.polygons(panel, _lit(panel, (0, 0, -1), openings, inward, (0.30, 0.21, 0.14), 0.36, 1.4))
    for z in (8.0, 9.6, 11.2):
        lamp = _plane((0.9, ceiling - 0.01, z), (1.0, 0, 0), (0, 0, 0.28))
        room.polygons(lamp, _flat((2.3, 2.15, 1.9), 1))
    # Mullions and rails of the window wall.
    for t in np.linspace(0.02, 1.0, 7):
        foot = start + run * t
        bar = np.array([foot, foot + inward * 0.16, foot + inward * 0.16, foot], np.float32)
        bar = bar + run / length * np.array([0, 0, 0.07, 0.07], np.float32)[:, None]
        post = _plane(foot, inward * 0.16 + run / length * 0.07, (0, ceiling, 0))
        room.polygons(post, _flat((0.22, 0.23, 0.24), 1))
    for low, high in ((0.0, 0.12), (ceiling - 0.18, ceiling)):
        rail = _plane(start + np.array([0, low, 0], np.float32), run, (0, high - low, 0), 6)
        room.polygons(rail, _flat((0.24, 0.25, 0.26), 6))

    desks = _Layer(camera, 6.5)
    for x, z in ((0.75, 8.6), (1.0, 6.6)):
        surface = _plane((x, 0.74, z), (2.4, 0, 0), (0, 0, 0.8), 4, 2)
        desks.polygons(surface, _lit(surface, (0, 1, 0), openings, inward, (0.55, 0.50, 0.44), 0.34, 1.4))
        desks.polygons(_plane((x, 0.70, z), (2.4, 0, 0), (0, 0.04, 0)), _flat((0.16, 0.145, 0.13), 1))
        desks.polygons(_plane((x + 0.1, 0, z), (2.2, 0, 0), (0, 0.7, 0)), _flat((0.10, 0.10, 0.105), 1))
        for shift in (0.28, 1.25):
            screen = _plane((x + shift, 0.88, z + 0.45), (0.58, 0, 0.12), (0, 0.36, 0))
            desks.polygons(screen, _flat((0.045, 0.05, 0.06), 1))
    return [outside, room, desks]


def _window(camera: _Camera) -> list[_Layer]:
    """A white room: a tall window on the key side, sheer curtain, sill, and daylight falling along the wall."""
    plan = np.random.default_rng(11)
    outside = _Layer(camera, 30.0)
    air = _plane((-14, -3, 30), (28, 0, 0), (0, 16, 0), 1, 10)
    outside.polygons(
        air, (1.5 + 0.9 * np.linspace(0, 1, 10, dtype=np.float32))[:, None] * np.array([[0.95, 1.0, 1.03]], np.float32)
    )
    centres = np.stack([plan.uniform(-9, 4, 26), plan.uniform(-1, 2.8, 26), plan.uniform(22, 28, 26)], -1).astype(
        np.float32
    )
    quads, lit = _leaves(plan, centres, np.full(26, 1.3, np.float32), 24, 0.4, (-0.5, 0.8, 0))
    outside.polygons(quads, (0.65 + 0.35 * np.clip(lit, -1, 1.5))[:, None] * np.array([[0.80, 0.98, 0.66]], np.float32))

    # The wall with the window turns away from the camera to the right.
    start, run = np.array([-2.6, 0, 3.6], np.float32), np.array([5.6, 0, 2.0], np.float32)
    length = float(np.linalg.norm(run))
    along = run / length
    inward = np.array([along[2], 0, -along[0]], np.float32)
    up = np.array([0, 1, 0], np.float32)
    room = _Layer(camera, 4.6)

    def on_wall(u0: float, u1: float, v0: float, v1: float, columns: int = 1, rows: int = 1, out: float = 0.0) -> Array:
        return _plane(start + along * u0 + up * v0 + inward * out, along * (u1 - u0), up * (v1 - v0), columns, rows)

    def shade(cells: Array, albedo: Any, edge: float) -> Array:
        reach = (cells.mean(1) - start) @ along - edge
        light = 0.42 + 0.40 * np.exp(-np.maximum(reach, 0) / 1.1)
        return np.asarray(light[:, None] * np.asarray(albedo, np.float32), np.float32)

    left, right, sill, head = 0.3, 2.35, 0.85, 2.7
    white = (0.86, 0.84, 0.81)
    for cells in (
        on_wall(right, 7, 0, 3.2, 20, 6),
        on_wall(-1, right, 0, sill, 8, 2),
        on_wall(-1, right, head, 3.4, 8, 2),
    ):
        room.polygons(cells, shade(cells, white, right))
    frame = (0.62, 0.62, 0.62)
    for u in (left, 1.3, right - 0.07):
        room.polygons(on_wall(u, u + 0.07, sill, head), _flat(frame, 1))
    room.polygons(on_wall(left, right, 1.95, 2.0), _flat(frame, 1))
    room.polygons(on_wall(left - 0.1, right + 0.1, sill - 0.06, sill, out=0.18), _flat((0.95, 0.95, 0.95), 1))
    return [outside, room]


_SCENES: dict[str, _Scene] = {
    "office": _Scene(_office, 0.16, 0.018, 1.0, 0.30, 0.85),
    "window": _Scene(_window, 0.14, 0.02, 1.0, 0.50, 0.80),
    "garden": _Scene(_garden, 0.30, 0.02, 1.0, 0.18, 0.80),
}
