"""Three places out of focus, painted without a photograph: an office, a room with a window, a garden.

Each is a small set built in metres and lit in linear HDR; each depth is blurred by the disc that a fast lens would draw
there, and only then are the highlights rolled off. Because of that order a bright leaf is a disc of light, not a grey
smudge.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .camera import DISC_RADIUS, FOCAL, MARGIN_PX, PLACE_PX, SUBJECT_DISTANCE, Camera, Layer

Array = npt.NDArray[np.float32]


# --- the picture --------------------------------------------------------------------------------------------------

_CACHED_IMAGES = 8  # 3 MB each, a coarse one 0.8 MB: the seeds of a comparison, whose guidance or light is changed


def render_place(
    name: str, aspect: float, rng: np.random.Generator, key_from: float, drama: float, *, coarse: bool = False
) -> Array:
    """Paint a place, out of focus.

    Sets are built with the light on the left; a key on the right mirrors the frame.

    Args:
        name: of the place.
        aspect: height over width.
        rng: as in `backdrop.paint`, like the next two.
        key_from: the side of the light.
        drama: of the contrast.
        coarse: half as wide and high, for a picture that is not larger; the place and its frame are the same.

    Returns:
        (400 × aspect, 400, 3) float32, linear light, 0…1.
    """
    place = _PLACES[name]
    x, y, z, yaw, level, sun = rng.uniform(-1, 1, 6).tolist()
    camera = Camera(aspect, place.sway * x, 0.05 * y, 0.25 * z, place.turn * yaw, sun)
    shrink = 2 if coarse else 1
    margin = MARGIN_PX // shrink
    seen = _film_image(name, camera, shrink)[margin:-margin, margin:-margin]
    exposure = place.exposure * (1 + 0.09 * level)
    contrast = 0.72 + 0.28 * drama
    # Contrast turns about the place's middle: m·(e·p / m)^c.
    picture = np.asarray(cv2.pow(np.maximum(seen, 1e-6), contrast), np.float32)
    picture *= np.float32(place.middle * (exposure / place.middle) ** contrast)
    mixed = cv2.transform(picture, place.saturation * np.eye(3) + (1 - place.saturation) * _LUMA)
    framed = _highlights_rolled_off(np.asarray(mixed, np.float32))
    return np.ascontiguousarray(framed if key_from < 0 else framed[:, ::-1])


@lru_cache(_CACHED_IMAGES)
def _film_image(name: str, camera: Camera, shrink: int) -> Array:
    """The image of a place with its margin, in linear HDR, 1 / `shrink` as wide and high as the canvas."""
    width, height = camera.size
    picture: Array = np.zeros((height // shrink, width // shrink, 3), np.float32)
    for layer in _PLACES[name].build(camera):
        layer.lay_over(picture, shrink)
    # The glare of a bright window inside the lens; it is so wide that a quarter of the size holds it.
    glare = cv2.GaussianBlur(cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA), (0, 0), 7)
    picture = np.asarray(cv2.addWeighted(picture, 0.9, cv2.resize(glare, picture.shape[1::-1]), 0.1, 0), np.float32)
    picture.setflags(write=False)
    return picture


_LUMA = np.array([[0.2126, 0.7152, 0.0722]] * 3)  # Rec. 709, the luminance of sRGB primaries


def _highlights_rolled_off(picture: Array) -> Array:
    """Straight up to the shoulder, then ever closer to the film's white."""
    shoulder, white = 0.45, 0.94
    room = white - shoulder
    held_back = cv2.exp(np.minimum(shoulder - picture, 0) * np.float32(1 / room))
    return np.asarray(np.minimum(picture, shoulder) + np.float32(room) * (1 - held_back), np.float32)


@dataclass(frozen=True)
class _Place:
    build: Callable[[Camera], list[Layer]]
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


def _colours(light: Any, albedo: Any) -> Array:
    """(n, 3) colours of cells under (n,) light."""
    return np.asarray(np.asarray(light, np.float32)[:, None] * np.asarray(albedo, np.float32), np.float32)


def _flat(colour: Any, count: int = 1) -> Array:
    return np.tile(np.asarray(colour, np.float32), (count, 1))


@dataclass(frozen=True)
class _Wall:
    """An upright plane with its own axes, in metres: u along it, v up, w out of it into the room."""

    start: Array
    along: Array
    inward: Array

    @staticmethod
    def between(x0: float, z0: float, x1: float, z1: float) -> "_Wall":
        run = np.array([x1 - x0, 0, z1 - z0], np.float32)
        along = run / np.linalg.norm(run)
        inward = np.array([along[2], 0, -along[0]], np.float32)
        return _Wall(np.array([x0, 0, z0], np.float32), along, inward)

    def at(self, u: Any, v: Any, w: Any) -> Array:
        u, v, w = (np.asarray(a, np.float32)[..., None] for a in (u, v, w))
        return np.asarray(self.start + self.along * u + np.array([0, 1, 0], np.float32) * v + self.inward * w)

    def upright(
        self, u: tuple[float, float], v: tuple[float, float], w: float = 0.0, grid: tuple[int, int] = (1, 1)
    ) -> Array:
        """Cells parallel to the wall."""
        return _plane(self.at(u[0], v[0], w), self.along * (u[1] - u[0]), (0, v[1] - v[0], 0), *grid)

    def level(self, u: tuple[float, float], w: tuple[float, float], v: float, grid: tuple[int, int] = (1, 1)) -> Array:
        """Cells parallel to the floor."""
        return _plane(self.at(u[1], v, w[0]), self.along * (u[0] - u[1]), self.inward * (w[1] - w[0]), *grid)

    def across(self, w: tuple[float, float], v: tuple[float, float], u: float, grid: tuple[int, int] = (1, 1)) -> Array:
        """Cells at right angles to the wall."""
        return _plane(self.at(u, v[0], w[0]), self.inward * (w[1] - w[0]), (0, v[1] - v[0], 0), *grid)


def _daylight(cells: Array, normal: Any, lamps: Array, facing: Array) -> Array:
    """(n,) light of a window, given as (m, 3) small openings that face into the room, on cells of one normal."""
    way = lamps - cells.mean(1)[:, None, :]
    square = (way**2).sum(-1) + 0.2
    leaves = np.maximum(-(way @ facing), 0)
    lands = np.maximum(way @ np.asarray(normal, np.float32), 0)
    return np.asarray((leaves * lands / square**2).sum(-1), np.float32)


def _patches(plan: np.random.Generator, columns: int, rows: int, size: float) -> Array:
    """Smooth noise for (columns·rows,) cells of a plane, mean 0, sigma 1."""
    noise = cv2.GaussianBlur(plan.standard_normal((columns, rows), dtype=np.float32), (0, 0), size)
    return np.asarray(((noise - noise.mean()) / noise.std()).reshape(-1), np.float32)


def _leaves(
    plan: np.random.Generator, centres: Array, radius: Array, each: int, size: float, sun: Array
) -> tuple[Array, Array]:
    """Leaf clumps as quads (n, 4, 3), and how far each leaf lies on the sun's side of its clump, sigma about 0.55.

    centres (m, 3) and radius (m,) in metres; `each` leaves of about `size` metres around every centre.
    """
    offset = np.float32(0.55) * plan.standard_normal((len(centres), each, 3), dtype=np.float32)
    count = len(centres) * each
    lit = (offset @ sun).reshape(-1)
    where = (centres[:, None] + offset * radius[:, None, None]).reshape(count, 3)
    angle = plan.uniform(0, math.pi, count).astype(np.float32)
    length = (size * plan.uniform(0.6, 1.3, count)).astype(np.float32)
    girth = length * plan.uniform(0.3, 0.65, count).astype(np.float32)
    zero = np.zeros_like(angle)
    long = np.stack([np.cos(angle), np.sin(angle), zero], -1) * length[:, None]
    wide = np.stack([-np.sin(angle), np.cos(angle), zero], -1) * girth[:, None]
    quads = np.stack([where - long, where + wide, where + long, where - wide], 1)
    # The shaded leaves first: the lit ones lie outside and are seen.
    order = np.argsort(lit, kind="stable")
    return quads[order].astype(np.float32), np.asarray(lit[order], np.float32)


def _glints(where: Array, light: Array, colour: Any, camera: Camera) -> tuple[Array, Array]:
    """Points of light (n, 3) that raise the disc they become by `light` (n,), whatever its size."""
    depth = where[:, 2]
    half = np.float32(1.3) * depth / (FOCAL * PLACE_PX)  # a point 2.6 px wide
    radius = DISC_RADIUS * PLACE_PX * (1 - SUBJECT_DISTANCE / depth)
    quads = where[:, None] + half[:, None, None] * np.array(
        [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32
    )
    energy = light * math.pi * radius**2 / 9.0  # the fill covers about 3 x 3 px
    return quads.astype(np.float32), _colours(energy, colour)


# --- the garden ---------------------------------------------------------------------------------------------------


def _garden(camera: Camera) -> list[Layer]:
    """Trees and hedges against the light: sun from behind on the key side, a lawn, branches hanging into the frame."""
    plan = np.random.default_rng(20)
    sun = np.array([-0.75 + 0.25 * camera.sun, 0.65, 0.1], np.float32)
    shine = 1 + 0.15 * camera.sun

    far = Layer(camera, 60.0)
    wood = _plane((-15, 0, 60), (30, 0, 0), (0, 16, 0), 44, 24)
    x, y = wood.mean(1)[:, 0], wood.mean(1)[:, 1]
    glow = np.exp(-(((x + 6) / 8) ** 2) - ((y - 8) / 7) ** 2)
    bright = np.exp(0.8 * _patches(plan, 44, 24, 1.6)) * (0.20 + 1.1 * glow) * shine
    mix = np.clip(bright, 0, 1.6)[:, None]
    far.polygons(wood, (1 - np.minimum(mix, 1)) * _flat((0.022, 0.040, 0.020)) + mix * _flat((0.54, 0.63, 0.30)))
    lawn = _plane((-15, 0, 60), (30, 0, 0), (0, 0, -56), 60, 70)
    depth = lawn.mean(1)[:, 2]
    dapple = np.exp(0.55 * _patches(plan, 60, 70, 2.4)) * (0.07 + 0.20 * np.exp(-(((depth - 26) / 12) ** 2)))
    far.polygons(lawn, _colours(dapple * shine, (0.84, 1.0, 0.30)))

    def foliage(
        depth: float,
        where: list[tuple[float, float, float, float, int]],
        radius: float,
        each: int,
        size: float,
        shade: Any,
        light: Any,
        sparkle: float,
    ) -> Layer:
        """where: boxes (left, right, low, high, clumps) in metres."""
        layer = Layer(camera, depth)
        centres = np.concatenate(
            [
                np.stack([plan.uniform(a, b, n), plan.uniform(c, d, n), depth * plan.uniform(0.9, 1.1, n)], -1)
                for a, b, c, d, n in where
            ]
        ).astype(np.float32)
        sizes = (radius * plan.uniform(0.6, 1.4, len(centres))).astype(np.float32)
        quads, lit = _leaves(plan, centres, sizes, each, size, sun)
        grown = plan.standard_normal(len(lit), dtype=np.float32)
        clump = np.clip(0.36 + 0.55 * lit + 0.14 * grown, 0, 1.4)[:, None]
        layer.polygons(quads, _flat(shade) * (1 - np.minimum(clump, 1)) + _flat(light) * clump * np.float32(shine))
        chosen = plan.uniform(0, 1, len(lit)) < sparkle * np.clip(lit, 0, 1)
        points = quads[chosen].mean(1)
        strength = np.minimum(0.05 * np.exp(0.9 * plan.standard_normal(len(points), dtype=np.float32)), 0.34)
        # Beside the head nothing may outshine the face.
        aside = np.abs(points[:, 0] / points[:, 2]) * FOCAL
        strength *= np.clip((aside - 0.18) / 0.2, 0.15, 1)
        layer.polygons(*_glints(points, strength * shine, (1.0, 0.95, 0.62), camera))
        return layer

    trees = foliage(
        24.0, [(-7, 7, 0.5, 3.2, 26), (-7, -1.5, 3, 7.5, 22), (1, 7, 2.5, 7.5, 34)], 0.95, 34, 0.17,
        (0.014, 0.031, 0.014), (0.23, 0.335, 0.095), 0.09,
    )  # fmt: skip
    hedge = foliage(
        11.5, [(-3.6, -0.9, 0.1, 1.5, 22), (0.9, 3.6, 0.1, 1.7, 24), (-3.6, 3.6, 0.0, 0.7, 16)], 0.42, 34, 0.075,
        (0.010, 0.023, 0.010), (0.165, 0.26, 0.062), 0.07,
    )  # fmt: skip
    trunk = _plane((1.62, 0, 11.8), (0.30, 0, 0), (-0.15, 6, 0), 6, 1)
    hedge.polygons(trunk, _colours((0.26, 0.11, 0.06, 0.045, 0.04, 0.04), (1.0, 0.86, 0.66)))
    branches = foliage(
        6.5, [(-1.7, -0.75, 2.15, 2.7, 9), (0.75, 1.7, 1.95, 2.7, 12)], 0.24, 26, 0.05,
        (0.018, 0.036, 0.010), (0.26, 0.37, 0.07), 0.06,
    )  # fmt: skip
    return [far, trees, hedge, branches]


# --- the rooms ----------------------------------------------------------------------------------------------------


def _office(camera: Camera) -> list[Layer]:
    """A floor of an office tower: the glass front on the key side, the desks on the other."""
    plan = np.random.default_rng(7)
    day = 1 + 0.12 * camera.sun
    ceiling = 2.75
    front = _Wall.between(-1.75, 4.5, 0.5, 13.0)
    length = 8.8
    openings = np.concatenate([front.at(np.linspace(-1, length, 9), h, 0.0) for h in (0.6, 1.4, 2.2)])

    outside = Layer(camera, 80.0)
    air = _plane((-30, -28, 80), (60, 0, 0), (0, 62, 0), 1, 31)
    high = air.mean(1)[:, 1]
    outside.polygons(air, _colours(day * np.clip(1.15 + 0.05 * high, 0.42, 2.6), (0.90, 0.98, 1.07)))
    for _ in range(22):
        left, wide, top = plan.uniform(-26, 20), plan.uniform(2.5, 6), plan.uniform(-6, 7)
        tone = day * plan.uniform(0.42, 0.85)
        block = _plane((left, -20, 79), (wide, 0, 0), (0, 20 + top, 0), 1, 4)
        outside.polygons(block, _colours(tone * np.array([0.55, 0.75, 0.95, 1.08]), (0.92, 0.98, 1.05)))

    room = Layer(camera, 10.5)

    def lay(cells: Array, normal: Any, albedo: Any, ambient: float, power: float) -> None:
        light = ambient + power * day * _daylight(cells, normal, openings, front.inward)
        room.polygons(cells, _colours(light, albedo))

    lay(front.level((-2.5, length), (0, 7), 0.0, (30, 18)), (0, 1, 0), (0.27, 0.245, 0.22), 0.22, 0.9)
    lay(front.level((-2.5, length), (0, 7), ceiling, (30, 18)), (0, -1, 0), (0.58, 0.57, 0.55), 0.24, 0.55)
    back = front.across((0, 7), (0, ceiling), length, (34, 8))
    lay(back, -front.along, (0.50, 0.465, 0.42), 0.30, 1.1)
    timber = front.across((0.85, 7), (0, 2.45), length - 0.04, (30, 6))
    lay(timber, -front.along, (0.27, 0.185, 0.12), 0.34, 1.2)
    # Shelves let into the timber, with a warm strip of light under each.
    for shelf in (0.95, 1.32, 1.69):
        room.polygons(front.across((1.15, 2.9), (shelf, shelf + 0.31), length - 0.05), _flat((0.065, 0.048, 0.034)))
        room.polygons(front.across((1.15, 2.9), (shelf + 0.27, shelf + 0.31), length - 0.06), _flat((0.75, 0.50, 0.27)))
        w = 1.2
        while w < 2.8:
            wide, tall = plan.uniform(0.04, 0.16), plan.uniform(0.12, 0.24)
            tint = np.array([0.20, 0.19, 0.18]) * plan.uniform(0.3, 1.5) * (1 + 0.35 * plan.uniform(-1, 1, 3))
            if plan.uniform() < 0.7:
                room.polygons(front.across((w, w + wide), (shelf, shelf + tall), length - 0.07), _flat(tint))
            w += wide + plan.uniform(0.0, 0.12)
    for w in (0.75, 2.15):
        for u in (2.6, 4.4, 6.2, 8.0):
            room.polygons(front.level((u - 1.6, u), (w, w + 0.16), ceiling - 0.01), _flat((2.2, 2.0, 1.7)))
    for low, tall in ((0.0, 0.10), (ceiling - 0.16, 0.16)):
        room.polygons(front.upright((-2.5, length), (low, low + tall), grid=(8, 1)), _flat((0.20, 0.205, 0.21), 8))
    for u in np.arange(-1.9, length + 0.1, 1.78):
        room.polygons(front.across((0, 0.15), (0, ceiling), float(u)), _flat((0.15, 0.155, 0.16)))
        room.polygons(front.upright((float(u) - 0.06, float(u)), (0, ceiling), 0.15), _flat((0.26, 0.265, 0.27)))

    desks = Layer(camera, 7.0)
    for u in (5.4, 3.5, 1.6):
        board = front.level((u, u + 1.7), (1.15, 2.9), 0.74, (5, 4))
        light = 0.30 + day * _daylight(board, (0, 1, 0), openings, front.inward)
        desks.polygons(front.across((1.2, 2.9), (0, 0.72), u + 1.6), _flat((0.07, 0.066, 0.062)))
        desks.polygons(board, _colours(light, (0.50, 0.46, 0.41)))
        desks.polygons(front.across((1.15, 2.9), (0.70, 0.74), u), _flat((0.17, 0.155, 0.14)))
        for w in (1.35, 2.15):
            desks.polygons(front.across((w, w + 0.58), (0.86, 1.20), u + 0.8), _flat((0.045, 0.047, 0.052)))
            desks.polygons(front.across((w + 0.03, w + 0.55), (0.89, 1.17), u + 0.79), _flat((0.10, 0.12, 0.15)))
    centres = front.at([2.6, 2.7, 2.5, 2.6, 2.75], [0.95, 1.12, 1.05, 1.28, 1.2], [1.05, 1.2, 1.32, 1.18, 1.3])
    quads, lit = _leaves(plan, centres, np.full(5, 0.20, np.float32), 26, 0.075, -front.inward)
    tone = np.clip(0.35 + 0.5 * lit, 0.05, 1.2)
    desks.polygons(quads, _colours(tone, (0.13, 0.19, 0.075)))
    return [outside, room, desks]


def _window(camera: Camera) -> list[Layer]:
    """A white room: a tall window with sheer curtains on the key side, daylight falling along the wall, a plant."""
    plan = np.random.default_rng(11)
    day = 1 + 0.10 * camera.sun
    wall = _Wall.between(-2.36, 3.9, 2.64, 5.3)
    left, right, sill, head = 0.15, 2.06, 0.72, 2.75

    outside = Layer(camera, 30.0)
    air = _plane((-16, -8, 30), (32, 0, 0), (0, 22, 0), 1, 16)
    outside.polygons(air, _colours(day * np.clip(0.9 + 0.18 * air.mean(1)[:, 1], 0.30, 2.6), (0.95, 1.0, 1.04)))
    across = plan.uniform(-11, 4, 60)
    crown = 1.6 + 1.2 * np.sin(0.8 * across)  # the tree tops rise and fall, and no clump floats above them
    trees = np.stack([across, plan.uniform(-5, crown), plan.uniform(24, 28, 60)], -1).astype(np.float32)
    size = np.full(60, 1.2, np.float32)
    quads, lit = _leaves(plan, trees, size, 24, 0.36, np.array([-0.4, 0.8, 0], np.float32))
    outside.polygons(quads, _colours(day * np.clip(0.30 + 0.30 * lit, 0.08, 1.5), (0.78, 1.0, 0.54)))

    room = Layer(camera, 4.6)

    def daylit(cells: Array, albedo: Any, out: float = 0.0) -> None:
        """A wall beside its own window takes its light from the room, most of it near the opening."""
        middle = cells.mean(1) - wall.start
        u, v = middle @ wall.along, middle[:, 1]
        reach = np.maximum(u - right, 0)
        light = 0.34 + 0.36 * np.exp(-reach / 1.1) - 0.03 * (v - 1.3) ** 2
        # The sun through the next window leaves a leaning patch, crossed by its glazing bar.
        lean = u - 3.42 + 0.55 * (v - 1.5)
        patch = _step(lean + 0.42) * _step(0.42 - lean) * _step(v - 0.98) * _step(2.2 - v)
        patch *= 1 - 0.8 * _step(0.09 - np.abs(lean))
        sunlight = 0.22 * (1 + 0.4 * camera.sun) * patch
        room.polygons(cells, _colours(day * light, albedo) + _colours(day * sunlight, (0.95, 0.81, 0.63)))

    white = (0.89, 0.83, 0.76)
    daylit(wall.upright((right, 5.2), (0, 3.6), grid=(60, 36)), white)
    daylit(wall.upright((-2, right), (0, sill), grid=(6, 2)), white)
    daylit(wall.upright((-2, right), (head, 3.8), grid=(6, 2)), white)
    room.polygons(wall.upright((right - 0.10, right), (sill, head), grid=(3, 1)), _colours((0.50, 0.55, 0.6), white))
    for u in (left, 0.75, 1.35):
        room.polygons(wall.upright((u, u + 0.06), (sill, head)), _flat((0.30, 0.295, 0.29)))
    room.polygons(wall.upright((left, right), (1.98, 2.04)), _flat((0.30, 0.295, 0.29)))
    room.polygons(wall.upright((left, right + 0.1), (sill - 0.07, sill), 0.15), _flat((0.72, 0.70, 0.67)))

    curtain = Layer(camera, 4.2)
    for start, wide in ((-0.6, 0.75), (1.80, 0.42)):
        folds = wall.upright((start, start + wide), (0.02, 3.6), 0.25, grid=(44, 1))
        phase = np.linspace(0, 1, 44, dtype=np.float32)
        pleat = np.sin(2 * math.pi * (5 * phase + 0.5 * np.sin(5 * phase))) + 0.4 * np.sin(2 * math.pi * 13 * phase)
        fade = 1 - 0.28 * _step((start + wide * phase - right) / 0.5) * (start > 0)
        curtain.polygons(folds, _colours(day * fade * (0.80 + 0.15 * pleat), (0.97, 0.94, 0.90)))
    curtain.canvas *= np.float32(0.80)  # sheer: a part of the day outside shows through

    near = Layer(camera, 3.6)
    board = _Wall.between(0.44, 4.35, 2.4, 4.75)
    near.polygons(board.upright((0, 2), (0, 0.72)), _flat((0.34, 0.255, 0.175)))
    near.polygons(board.level((0, 2), (-0.35, 0), 0.74, (4, 2)), _flat((0.50, 0.39, 0.28), 8))
    near.polygons(board.upright((0.38, 0.58), (0.74, 0.92), -0.15), _flat((0.62, 0.60, 0.57)))
    centres = board.at([0.36, 0.5, 0.62, 0.47, 0.55, 0.4], [1.02, 1.12, 1.05, 1.27, 1.38, 1.2], -0.15)
    quads, lit = _leaves(plan, centres, np.full(6, 0.15, np.float32), 20, 0.07, np.array([-0.9, 0.4, 0], np.float32))
    near.polygons(quads, _colours(day * np.clip(0.42 + 0.45 * lit, 0.08, 1.2), (0.20, 0.27, 0.11)))
    return [outside, room, curtain, near]


def _step(x: Array) -> Array:
    """0 below, 1 above, over 6 cm: the sun is no point."""
    return np.asarray(np.clip(x / 0.06 + 0.5, 0, 1), np.float32)


_PLACES: dict[str, _Place] = {
    "office": _Place(_office, 0.30, 0.030, 0.95, 0.30, 0.90),
    "window": _Place(_window, 0.18, 0.018, 1.06, 0.50, 0.90),
    "garden": _Place(_garden, 0.50, 0.030, 1.0, 0.16, 0.88),
}
