"""Portraits of the kinds that go wrong, made from the two public-domain photographs in the repository.

Every function is deterministic and returns fresh arrays. A photo is (H, W, 3) uint8 RGB. Where a person was put before
a new backdrop, the alpha is *known*: it is the one that composed the photo, in sRGB values as matting has it, so that
the error of a cut-out can be measured and not only looked at. What is drawn is drawn at several times its size and
averaged down, so that edges are as soft as a lens makes them.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from headshot.imaging import face, models

_ROOT = Path(__file__).parent.parent
Name = Literal["astronaut", "portrait"]


@dataclass(frozen=True, eq=False)
class Person:
    """A person lifted off the photograph.

    colour: (H, W, 3) float32 RGB 0…255, the person's own colour carried on past the outline, free of the old backdrop.
    alpha: (H, W) float32 0…1.  face: the face found in the photograph, in the same pixels.
    """

    colour: np.ndarray
    alpha: np.ndarray
    face: face.Face

    def over(self, backdrop: np.ndarray) -> np.ndarray:
        """The person before a (H, W, 3) backdrop, as float32 0…255."""
        return self.colour * self.alpha[..., None] + backdrop * (1 - self.alpha[..., None])


def photograph(name: Name) -> np.ndarray:
    """The photo as it is: astronaut (1024, 1024, 3), enlarged twofold; portrait (1137, 910, 3).

    The face is 222 px high in the one, 328 px in the other.
    """
    path = {"astronaut": "headshot/examples/astronaut.png", "portrait": "headshot/examples/portrait.jpg"}[name]
    pixels = cv2.cvtColor(cv2.imread(str(_ROOT / path)), cv2.COLOR_BGR2RGB)
    if name == "astronaut":  # 512 px: strands of hair and frames of glasses need room
        pixels = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4)
    return pixels


# Where the network hesitates and the eye does not, as polygons of (x, y) in photograph(name)'s pixels.
_SURELY_PERSON = {
    "astronaut": [
        [(90, 900), (240, 560), (420, 480), (560, 480), (680, 620), (760, 760), (960, 900), (975, 1024), (80, 1024)]
    ],
    "portrait": [[(130, 1000), (250, 940), (700, 900), (745, 1010), (735, 1137), (225, 1137)]],
}
_SURELY_BACKDROP = {
    "astronaut": [
        [
            (0, 0),
            (140, 0),
            (190, 400),
            (118, 500),
            (84, 580),
            (62, 640),
            (46, 700),
            (40, 800),
            (44, 880),
            (52, 945),
            (86, 1024),
            (0, 1024),
        ]
    ],
    "portrait": [
        [(0, 0), (300, 0), (300, 380), (100, 640), (0, 1137)],
        [(840, 860), (910, 700), (910, 1137), (780, 1137)],
    ],
}


@cache
def person(name: Name) -> Person:
    """The person of a photograph, cut out with a soft edge; seen by eye on both, good to about two pixels.

    One network looks at the whole and, closer, at the head: its own blur, made four pixels narrow, is the soft edge.
    """
    pixels = photograph(name)
    height, width = pixels.shape[:2]
    found = face.find(pixels)[0]
    likely = _u2netp(pixels)
    side = 2.4 * found.height
    x, y = found.centre
    left, top = int(max(0, x - side / 2)), int(max(0, y - 0.45 * side))
    head = np.s_[top : int(min(height, y + 0.55 * side)), left : int(min(width, x + side / 2))]
    trust = np.zeros((height, width), np.float32)
    trust[head] = 1
    trust[: top + 1] = 0
    trust = cv2.GaussianBlur(cv2.erode(trust, _disc(24)), (0, 0), 8)
    closer = np.zeros_like(trust)
    closer[head] = _u2netp(pixels[head])
    likely += (closer - likely) * trust
    alpha = np.clip((likely - 0.36) / 0.4, 0, 1)
    for polygons, value in ((_SURELY_PERSON, 1.0), (_SURELY_BACKDROP, 0.0)):
        sure = np.zeros((height, width), np.float32)
        cv2.fillPoly(sure, [np.int32(polygon) for polygon in polygons[name]], 1.0)
        sure = cv2.GaussianBlur(sure, (0, 0), 1.2)
        alpha += (value - alpha) * sure
    return Person(_carried_on(pixels, alpha), alpha.astype(np.float32), found)


def scene(height: int, width: int, seed: int = 3, blur: float = 0.003, zoom: float = 1.0) -> np.ndarray:
    """A bookcase with a window beside it and small lamps: (height, width, 3) float32 RGB 0…255.

    Edges in every direction, every hue, near-black and blown parts; no face is found in it.
    blur: the lens's disc as a share of the longer side.  zoom: 1 shows about six shelves' width in the longer side.
    """
    rng = np.random.default_rng(seed)
    over = 2
    h, w = height * over, width * over
    unit = zoom * max(h, w) / 100
    canvas = np.empty((h, w, 3), np.float32)
    canvas[:] = (58, 38, 26)
    top = -rng.uniform(0, 9) * unit
    while top < h:
        shelf = rng.uniform(14, 19) * unit
        x = 0.0
        while x < w:
            kind = rng.random()
            if kind < 0.1:
                x += rng.uniform(1, 4) * unit
            elif kind < 0.16:
                x = _plant(canvas, rng, x, top + shelf, unit)
            else:
                x = _book(canvas, rng, x, top + shelf, shelf, unit)
        y = int(top + shelf)
        cv2.rectangle(canvas, (0, y), (w, int(y + 1.4 * unit)), (128, 86, 52), -1)
        cv2.rectangle(canvas, (0, y), (w, int(y + 0.3 * unit)), (176, 128, 84), -1)
        shade = np.linspace(0.3, 1, max(2, int(6 * unit)), dtype=np.float32)[:, None, None]
        under = canvas[int(y + 1.4 * unit) : int(y + 1.4 * unit) + len(shade)]
        under *= shade[: len(under)]
        top += shelf + 1.4 * unit
    canvas *= np.linspace(0.8, 1.15, w, dtype=np.float32)[None, :, None]  # the window lights the shelves beside it
    _window(canvas, unit)
    for _ in range(14):
        centre = int(rng.uniform(0, w - 17 * unit)), int(rng.uniform(0, 0.5 * h))
        cv2.circle(canvas, centre, int(rng.uniform(0.3, 0.7) * unit), (520, 450, 300), -1)
    radius = max(1, round(blur * max(h, w)))
    canvas = cv2.filter2D(canvas, -1, _disc(radius).astype(np.float32) / _disc(radius).sum())
    picture = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(picture + rng.normal(0, 2.0, picture.shape).astype(np.float32), 0, 255)


def busy_background() -> np.ndarray:
    """The portrait before a patterned bookcase: (1137, 910, 3). Its true alpha is person("portrait").alpha."""
    someone = person("portrait")
    return _photo(someone.over(scene(*someone.alpha.shape)))


def no_face() -> np.ndarray:
    """The bookcase alone, (900, 1200, 3)."""
    return _photo(scene(900, 1200, seed=5, blur=0.001))


def harsh_side_light() -> np.ndarray:
    """The portrait lit hard and warm from the picture's left, (1137, 910, 3); what the light misses is dim and cool.

    The lit cheek is nearly 4 stops above the other one, its brightest parts clip; the backdrop is as it was.
    """
    pixels, someone = photograph("portrait"), person("portrait")
    normal = _normals(pixels, someone)
    towards_light = np.float32([-0.96, -0.2, 0.2])  # almost from the side, a little from above
    lit = np.clip((normal @ towards_light + 0.14) / 1.0, 0, 1)[..., None]
    gain = np.float32([0.11, 0.13, 0.165]) + lit * np.float32([2.5, 2.1, 1.65])
    linear = (pixels / 255.0) ** 2.2 * gain
    relit = 255 * np.clip(linear, 0, 1) ** (1 / 2.2)
    return _photo(relit * someone.alpha[..., None] + pixels * (1 - someone.alpha[..., None]))


def glasses() -> np.ndarray:
    """The portrait with dark frames and a reflection on each lens, (1137, 910, 3); eyes and iris stay visible."""
    pixels = photograph("portrait")
    return _photo(_with_glasses(pixels, face.find(pixels)[0]))


def small_face() -> np.ndarray:
    """The portrait far away before the bookcase, (900, 1200, 3), about one megapixel; the face is 70 px high."""
    return _photo(_placed(scene(900, 1200, seed=8, blur=0.0008, zoom=0.5), [("portrait", 70, 0.62, False)]))


def two_people() -> np.ndarray:
    """The astronaut and the portrait side by side, (1000, 1400, 3); the portrait's face is a tenth larger."""
    return _photo(_placed(scene(1000, 1400, seed=4), [("astronaut", 200, 0.27, False), ("portrait", 222, 0.72, False)]))


def five_faces() -> np.ndarray:
    """Five faces in a row, (800, 1800, 3), from 130 to 170 px high; the two people, mirrored and repeated."""
    row: list[tuple[Name, int, float, bool]] = [
        ("portrait", 130, 0.1, False),
        ("astronaut", 140, 0.3, True),
        ("portrait", 140, 0.68, True),
        ("astronaut", 150, 0.88, False),
        ("portrait", 170, 0.49, False),
    ]
    return _photo(_placed(scene(800, 1800, seed=6), row))


def tilted(degrees: float) -> np.ndarray:
    """The portrait leaning before the bookcase, (h, 910, 3); positive lowers the picture's left eye.

    h is what the lean leaves of 1137 px: the body's straight lower edge must not come into the picture.
    """
    someone = person("portrait")
    height, width = someone.alpha.shape
    turn = cv2.getRotationMatrix2D(someone.face.centre, degrees, 1)
    alpha = cv2.warpAffine(someone.alpha, turn, (width, height), flags=cv2.INTER_LINEAR)
    colour = cv2.warpAffine(
        someone.colour, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    corners = np.float32([[0, height, 1], [width, height, 1]]) @ turn.T
    kept = int(min(height, corners[:, 1].min()))
    leaning = Person(colour, alpha, someone.face).over(scene(height, width, seed=9))
    return _photo(leaning[:kept])


def darker_skin() -> np.ndarray:
    """The portrait with dark skin on face, ears, neck and hands, (1137, 910, 3): median L* of the cheeks about 38."""
    return _photo(_with_skin("portrait", lightness=38, chroma=0.86))


def lighter_skin() -> np.ndarray:
    """The portrait with very light skin, (1137, 910, 3): median L* of the cheeks about 80."""
    return _photo(_with_skin("portrait", lightness=80, chroma=0.62))


def long_hair(backdrop: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The astronaut with long wavy hair before a bookcase, or before a (1024, 1024, 3) backdrop of yours, 0…255.

    Returns (photo, alpha, hair): photo (1024, 1024, 3) uint8; alpha (1024, 1024) float32 0…1, the true alpha of person
    and hair together; hair (1024, 1024) bool, the band around drawn strands where the error of a cut-out is worth
    measuring: outside the body, within 12 px of a strand. A strand is 0.3 to 1.3 px wide.
    Whatever the backdrop, the strands are the same.
    """
    someone = person("astronaut")
    behind = scene(1024, 1024, seed=11) if backdrop is None else backdrop.astype(np.float32)
    back, front = _hair_layers()
    photo = behind
    for colour, alpha in (back, (someone.colour * someone.alpha[..., None], someone.alpha), front):
        photo = colour + photo * (1 - alpha[..., None])
    alpha = 1 - (1 - back[1]) * (1 - someone.alpha) * (1 - front[1])
    strands = ((back[1] > 0.02) | (front[1] > 0.02)).astype(np.uint8)
    hair = (cv2.dilate(strands, _disc(12)) > 0) & (someone.alpha < 0.02)
    return _photo(photo), alpha.astype(np.float32), hair


# --- below: how


def about_the_vertical(points: np.ndarray, degrees: float) -> np.ndarray:
    """Mesh points turned in space about the head's own axis."""
    centre = (points.min(0) + points.max(0)) / 2
    centre[2] = points[[234, 454], 2].mean()
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    away = points - centre
    x, y, z = away.T
    return np.stack([x * cosine + z * sine, y, z * cosine - x * sine], 1) + centre


def _photo(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _u2netp(pixels: np.ndarray) -> np.ndarray:
    """(H, W) float32: how likely a pixel belongs to what stands out."""
    small = cv2.resize(pixels, (320, 320), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    normal = (small - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])  # ImageNet's
    likely = models.run("u2netp", normal.transpose(2, 0, 1)[None])[0].reshape(320, 320)
    return cv2.resize(likely, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _guided(pixels: np.ndarray, mask: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """He, Sun and Tang's guided filter with luminance as the guide."""
    guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    size = (2 * radius + 1, 2 * radius + 1)
    mean_i, mean_p = cv2.blur(guide, size), cv2.blur(mask, size)
    slope = (cv2.blur(guide * mask, size) - mean_i * mean_p) / (cv2.blur(guide * guide, size) - mean_i**2 + eps)
    return cv2.blur(slope, size) * guide + cv2.blur(mean_p - slope * mean_i, size)


def _carried_on(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colour of what is surely person, kept there, and carried outwards from there by ever wider averages."""
    inside = cv2.erode((alpha > 0.97).astype(np.uint8), _disc(1)).astype(np.float32)
    colour, known = pixels.astype(np.float32) * inside[..., None], inside
    for sigma in (1, 2, 4, 8, 32):
        spread, weight = cv2.GaussianBlur(colour, (0, 0), sigma), cv2.GaussianBlur(known, (0, 0), sigma)
        fresh = (known < 0.5) & (weight > 0.02)
        colour[fresh] = spread[fresh] / weight[fresh, None]
        known = np.where(fresh, 1, known).astype(np.float32)
    return colour


def _placed(behind: np.ndarray, people: list[tuple[Name, int, float, bool]]) -> np.ndarray:
    """People standing before a scene, first those behind; each is cut by the picture's lower edge.

    people: name, height of the face in px, where the face's centre is as a share of the width, mirrored or not.
    """
    height, width = behind.shape[:2]
    for name, face_px, share, mirrored in people:
        someone = person(name)
        scale = face_px / someone.face.height
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        alpha = cv2.resize(someone.alpha, None, fx=scale, fy=scale, interpolation=how)[..., None]
        lit = cv2.resize(someone.colour * someone.alpha[..., None], None, fx=scale, fy=scale, interpolation=how)
        centre = someone.face.centre[0] * scale
        if mirrored:
            alpha, lit, centre = alpha[:, ::-1], lit[:, ::-1], alpha.shape[1] - centre
        left, top = round(share * width - centre), height - alpha.shape[0]
        x0, y0, x1 = max(0, left), max(0, top), min(width, left + alpha.shape[1])
        window = np.s_[y0:height, x0:x1]
        part = np.s_[y0 - top : height - top, x0 - left : x1 - left]
        behind[window] = lit[part] + behind[window] * (1 - alpha[part])
    return behind


def _book(canvas: np.ndarray, rng: np.random.Generator, x: float, floor: float, shelf: float, unit: float) -> float:
    wide, tall = rng.uniform(0.9, 3.2) * unit, rng.uniform(0.6, 0.95) * shelf
    hue, saturation, value = (
        rng.choice([0, 6, 12, 18, 24, 38, 60, 95, 108, 115, 165]),
        rng.uniform(20, 150),
        rng.uniform(50, 225),
    )
    spine = cv2.cvtColor(np.uint8([[[hue, saturation, value]]]), cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
    left, right, top, bottom = int(x), int(x + wide), int(floor - tall), int(floor)
    left, top = max(0, left), max(0, top)
    area = canvas[top : max(top, bottom), left : max(left, right)]
    if area.size:
        across = np.linspace(-1, 1, area.shape[1], dtype=np.float32)
        area[:] = spine * (1.05 - 0.4 * across**2)[None, :, None]
        ink = (235, 220, 170) if value < 160 else (40, 32, 30)
        for at in rng.uniform(0.08, 0.9, rng.integers(1, 5)):
            y = int(top + at * (bottom - top))
            cv2.rectangle(canvas, (left, y), (right - 1, int(y + rng.uniform(0.15, 0.9) * unit)), ink, -1)
    return x + wide + rng.uniform(0, 0.15) * unit


def _plant(canvas: np.ndarray, rng: np.random.Generator, x: float, floor: float, unit: float) -> float:
    centre = x + 3 * unit
    pot = np.array([[-1.6, 0], [1.6, 0], [2, -3.4], [-2, -3.4]]) * unit + (centre, floor)
    cv2.fillPoly(canvas, [np.int32(pot)], (206, 196, 184))
    for _ in range(26):
        angle, long = np.radians(rng.uniform(-75, 75)), rng.uniform(3, 7.5) * unit
        tip = centre + long * np.sin(angle), floor - 3.4 * unit - long * np.cos(angle)
        axes = int(long / 2), int(rng.uniform(0.25, 0.6) * unit)
        middle = int((centre + tip[0]) / 2), int((floor - 3.4 * unit + tip[1]) / 2)
        green = rng.uniform(0.5, 1.2) * np.array([74, 130, 58])
        cv2.ellipse(canvas, middle, axes, float(np.degrees(angle)) - 90, 0, 360, green.tolist(), -1)
    return x + 6 * unit


def _window(canvas: np.ndarray, unit: float) -> None:
    """A blown window down the right side: no cut-out may take white for nothing."""
    h, w = canvas.shape[:2]
    left = int(w - 15 * unit)
    cv2.rectangle(canvas, (left, 0), (w, h), (150, 140, 128), -1)
    for row in range(int(h / (17 * unit)) + 1):
        y = int((row * 17 + 2) * unit)
        cv2.rectangle(canvas, (left + int(2 * unit), y), (w, y + int(15 * unit)), (300, 300, 296), -1)


def _normals(pixels: np.ndarray, someone: Person) -> np.ndarray:
    """(H, W, 3) float32 unit normals, x right, y down, z to the viewer: the mesh on the face, a cushion elsewhere."""
    height, width = someone.alpha.shape
    h = someone.face.height
    cushion = cv2.GaussianBlur(someone.alpha, (0, 0), 0.25 * h, borderType=cv2.BORDER_REPLICATE)
    cushion += cv2.GaussianBlur(someone.alpha, (0, 0), 0.1 * h, borderType=cv2.BORDER_REPLICATE)
    slope_x, slope_y = cv2.Sobel(cushion, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(cushion, cv2.CV_32F, 0, 1, ksize=3)
    body = np.dstack([-0.1 * h * slope_x, -0.05 * h * slope_y, np.full_like(cushion, 0.28)])
    points = face.mesh(pixels, someone.face)
    on_face, covered = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    for corners in _triangles(points[:, :2], (width, height)):
        a, b, c = points[corners]
        normal = np.cross(b - a, c - a)
        normal /= max(1e-6, float(np.linalg.norm(normal)))
        normal = normal if normal[2] < 0 else -normal  # the mesh's z grows away from the viewer
        shape = [np.int32(np.rint(points[corners][:, :2]))]
        cv2.fillPoly(on_face, shape, (normal * [1, 1, -1]).tolist())
        cv2.fillPoly(covered, shape, 1.0)
    soft = 0.03 * h  # the mesh is coarse; its facets must not show
    weight = np.maximum(cv2.GaussianBlur(covered, (0, 0), soft), 1e-3)
    on_face = cv2.GaussianBlur(on_face, (0, 0), soft) / weight[..., None]
    here = cv2.GaussianBlur(cv2.erode(covered, _disc(round(0.07 * h))), (0, 0), 0.06 * h)[..., None]
    body /= np.linalg.norm(body, axis=2, keepdims=True)
    mixed = on_face * here + body * (1 - here)
    return mixed / np.maximum(np.linalg.norm(mixed, axis=2, keepdims=True), 1e-6)


def _triangles(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Delaunay's triangles over (n, 2) points: (m, 3) indices."""
    net = cv2.Subdiv2D((0, 0, *size))
    net.insert(points.astype(np.float32).tolist())
    corners = net.getTriangleList().reshape(-1, 3, 2)
    distance = ((corners[:, :, None] - points[None, None]) ** 2).sum(-1)
    nearest = distance.argmin(-1)
    return nearest[distance.min(-1).max(-1) < 1]


_CHEEKS = [50, 280, 117, 346, 123, 352, 205, 425]  # MediaPipe's numbering
_TEMPLES = (127, 356)
_EYES = ([33, 160, 158, 133, 153, 144], [263, 387, 385, 362, 380, 373])
_MOUTH = [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]
_BROWS = ([70, 63, 105, 66, 107, 55, 65, 52, 53, 46], [300, 293, 334, 296, 336, 285, 295, 282, 283, 276])


def _skin(pixels: np.ndarray, someone: Person) -> tuple[np.ndarray, np.ndarray]:
    """How much a pixel is skin, (H, W) float32 0…1, and the cheeks' (n, 3) Lab values."""
    h = someone.face.height
    points = face.mesh(pixels, someone.face)[:, :2]
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    spots = np.zeros(someone.alpha.shape, np.uint8)
    for x, y in points[_CHEEKS]:
        cv2.circle(spots, (int(x), int(y)), int(0.05 * h), 1, -1)
    seeds = lab[spots > 0]
    middle = np.median(seeds, 0)
    # Hue and chroma tell skin from cloth and hair; lightness hardly, since shadow is skin too.
    off = (lab - middle) / np.float32([38, 12, 14])
    like = np.exp(-0.5 * np.maximum(0, (off**2).sum(2) - 1.5))
    hull = np.zeros(someone.alpha.shape, np.float32)
    cv2.fillConvexPoly(hull, cv2.convexHull(points.astype(np.int32)), 1.0)
    like = np.maximum(like, cv2.GaussianBlur(hull, (0, 0), 0.02 * h))
    for group, grow in ((_EYES[0], 3), (_EYES[1], 3), (_MOUTH, 2), (_BROWS[0], 2), (_BROWS[1], 2)):
        part = np.zeros(someone.alpha.shape, np.float32)
        cv2.fillPoly(part, [points[group].astype(np.int32)], 1.0)
        # Brows and lips move with the skin by half, else they would look pasted on; eyes do not.
        keep = 1.0 if group in _EYES else 0.5
        like *= 1 - keep * cv2.GaussianBlur(cv2.dilate(part, _disc(grow)), (0, 0), 2)
    smooth = _guided(pixels, cv2.GaussianBlur(like.astype(np.float32), (0, 0), 1.5), radius=6, eps=1e-3)
    return np.clip(smooth * 1.15 - 0.08, 0, 1) * someone.alpha, seeds


def _with_skin(name: Name, lightness: float, chroma: float) -> np.ndarray:
    """Skin moved to a median L* by a power curve that pins the highlights: dark skin keeps its shine."""
    pixels, someone = photograph(name), person(name)
    mask, seeds = _skin(pixels, someone)
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    white = 97.0
    power = np.log(lightness / white) / np.log(np.median(seeds[:, 0]) / white)
    moved = lab.copy()
    curve = white * np.clip(lab[..., 0] / white, 1e-3, None) ** power
    # The curve alone would deepen every shadow of darkened skin as if the light were harder, too.
    moved[..., 0] = curve if power < 1 else 0.5 * (curve + lab[..., 0] * lightness / np.median(seeds[:, 0]))
    moved[..., 1:] *= chroma
    mixed = lab + (moved - lab) * mask[..., None]
    return 255 * np.clip(cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB), 0, 1)


def _with_glasses(pixels: np.ndarray, found: face.Face) -> np.ndarray:
    over = 4
    height, width = pixels.shape[:2]
    points = face.mesh(pixels, found)[:, :2]
    left, right = found.points[0], found.points[1]
    between = float(np.linalg.norm(right - left))
    along = (right - left) / between
    down = np.array([-along[1], along[0]])
    middle = (left + right) / 2 + 0.06 * between * down

    def at(x: float, y: float) -> np.ndarray:
        return middle + between * (x * along + y * down)

    def lens(side: int, grow: float) -> np.ndarray:
        turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
        c, s = np.cos(turn), np.sin(turn)
        x = np.sign(c) * np.abs(c) ** 0.6 * (0.385 + grow)  # a superellipse: a rounded rectangle, the usual frame
        y = np.sign(s) * np.abs(s) ** 0.68 * (0.25 + grow) * np.where(s > 0, 1 - 0.12 * np.abs(c), 1)
        return np.array([at(side * 0.545 + a, b) for a, b in zip(x, y, strict=True)])

    def drawn(*shapes: tuple[np.ndarray, float]) -> np.ndarray:
        sheet = np.zeros((height * over, width * over), np.uint8)
        for polygon, value in shapes:
            cv2.fillPoly(sheet, [np.int32(np.rint(polygon * over))], int(255 * value))
        return cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255

    def bar(start: np.ndarray, end: np.ndarray, thick: float, end_thick: float) -> np.ndarray:
        across = np.array([-(end - start)[1], (end - start)[0]]) / np.linalg.norm(end - start) * between / 2
        return np.array(
            [start + across * thick, end + across * end_thick, end - across * end_thick, start - across * thick]
        )

    rims: list[tuple[np.ndarray, float]] = []
    for side, temple in ((-1, points[_TEMPLES[0]]), (1, points[_TEMPLES[1]])):
        ear = float((temple - middle) @ along) / between  # the arm ends where the head turns away from the lens
        rims.append((bar(at(side * 0.9, -0.12), at(ear + side * 0.03, -0.14), 0.08, 0.055), 1.0))
    arch = [at(x, -0.1 - 0.05 * (1 - (x / 0.16) ** 2)) for x in np.linspace(-0.16, 0.16, 9)]
    rims.append(
        (np.array(arch + [at(x, -0.02 - 0.05 * (1 - (x / 0.16) ** 2)) for x in np.linspace(0.16, -0.16, 9)]), 1.0)
    )
    rims += [(lens(side, 0.04), 1.0) for side in (-1, 1)] + [(lens(side, 0.0), 0.0) for side in (-1, 1)]
    frame = drawn(*rims)
    glass = drawn(*[(lens(side, 0.0), 1.0) for side in (-1, 1)])
    streaks = []
    for side in (-1, 1):
        for x, wide in ((-0.2, 0.16), (0.05, 0.05)):
            corners = [(x + 0.16, -0.4), (x + wide + 0.16, -0.4), (x + wide - 0.16, 0.4), (x - 0.16, 0.4)]
            streaks.append((np.array([at(side * 0.545 + a, b) for a, b in corners]), 1.0))
    fade = np.clip(0.75 - ((np.mgrid[:height, :width][0] - middle[1]) / (0.6 * between)), 0, 1).astype(np.float32)
    shine = cv2.GaussianBlur(drawn(*streaks), (0, 0), 0.012 * between) * glass * fade

    picture = pixels.astype(np.float32)
    shift = np.float32([[1, 0, 0.01 * between], [0, 1, 0.055 * between]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(frame, shift, (width, height)), (0, 0), 0.022 * between)
    picture *= 1 - 0.42 * shadow[..., None]
    picture *= 1 - 0.05 * glass[..., None]
    picture += (np.float32([236, 242, 250]) - picture) * (0.05 * glass + 0.3 * shine)[..., None]
    slope = cv2.GaussianBlur(frame, (0, 0), 0.012 * between)
    edge = np.clip(cv2.Sobel(slope, cv2.CV_32F, 0, 1, ksize=3, scale=0.25) * 0.1 * between, 0, 1)  # light from above
    acetate = np.float32([30, 24, 22]) + edge[..., None] * np.float32([96, 92, 90])
    return picture + (acetate - picture) * frame[..., None]


@cache
def _hair_layers() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Hair behind the body, and hair before it: each (colour times alpha, alpha), float32, 0…255 and 0…1."""
    rng = np.random.default_rng(7)
    someone = person("astronaut")
    x, y, width, height = someone.face.box
    centre = np.array([x + width / 2, y])
    size = np.array([width, height])
    crown = photograph("astronaut")[int(y - 0.3 * height) : int(y), int(centre[0] - 60) : int(centre[0] + 80)]
    tones = crown.reshape(-1, 3).astype(np.float32)
    tones = tones[np.argsort(tones.sum(1))]
    dark, light = tones[: len(tones) // 5].mean(0), tones[-len(tones) // 8 :].mean(0)
    back, front = _Strands(someone.alpha.shape), _Strands(someone.alpha.shape)
    for side in (-1, 1):
        mirror = size * (side, 1)  # the curves below are in the face's widths and heights, from its top centre outwards

        def curve(*points: tuple[float, float], mirror: np.ndarray = mirror) -> np.ndarray:
            return centre + np.array(points) * mirror

        for _ in range(70):
            out = rng.uniform(0.1, 0.78)
            path = curve(
                (out, 0.3), (out + 0.12, 0.7), (out + 0.08, 1.2), (out + rng.normal(0, 0.04), rng.uniform(1.5, 1.8))
            )
            back.lock(rng, path, height, dark * 0.62, light * 0.6, count=30, spread=0.05, flyaway=0.0)
        for at in np.linspace(1, 0, 60):  # the outer locks first, so that those nearer the face lie over them
            path = curve(
                (0.3 + 0.3 * at + rng.normal(0, 0.03), -0.2 + 0.2 * at),
                (0.62 + 0.22 * at, -0.14 + 0.16 * at),
                (0.54 + 0.24 * at + rng.normal(0, 0.03), 0.8),
                (0.52 + 0.42 * at + rng.normal(0, 0.09), 1.72 - 0.15 * at + rng.normal(0, 0.13)),
            )
            front.lock(rng, path, height, dark, light, count=34, spread=0.035, flyaway=0.0)
        for _ in range(70):  # single hairs that left their lock: the hard part of any cut-out
            at = rng.uniform(0.5, 1.25)
            path = curve(
                (0.4 + 0.2 * at, -0.15 + 0.16 * at),
                (0.66 + 0.24 * at, 0.0),
                (0.56 + 0.36 * at + rng.normal(0, 0.09), 0.8),
                (0.5 + 0.6 * at + rng.normal(0, 0.16), rng.uniform(0.9, 1.85)),
            )
            front.lock(rng, path, height, dark, light, count=1, spread=0.02, flyaway=1.0)
    return back.layer(), front.layer()


class _Strands:
    """Strands drawn one over the other at three times the size."""

    _OVER = 3

    def __init__(self, shape: tuple[int, int]) -> None:
        self._sheet = np.zeros((shape[0] * self._OVER, shape[1] * self._OVER, 4), np.uint8)

    def lock(
        self,
        rng: np.random.Generator,
        path: np.ndarray,
        height: float,
        dark: np.ndarray,
        light: np.ndarray,
        *,
        count: int,
        spread: float,
        flyaway: float,
    ) -> None:
        """Strands along a cubic Bézier curve of (4, 2) points in px, waving together, gathered at the tip.

        height: the face's, the unit of spread.  flyaway: 0…1, how thin and how much on its own each one is.
        """
        t = np.linspace(0, 1, 44)[:, None]
        spine = (1 - t) ** 3 * path[0] + 3 * (1 - t) ** 2 * t * path[1] + 3 * (1 - t) * t**2 * path[2] + t**3 * path[3]
        deep, turns = height * rng.uniform(0.035, 0.06), rng.uniform(1.9, 2.3)
        phase, tone = rng.normal(0, 0.45), rng.normal(0, 0.14)
        for _ in range(count):
            swing = deep * np.sin(2 * np.pi * turns * t + phase + rng.normal(0, 0.12 + flyaway)) * t**0.7
            off = rng.normal(0, spread * height) * (0.5 + 1.6 * t * (1 - 0.8 * t)) + swing
            off += rng.normal(0, 0.012 * height) * t**3
            line = spine + np.hstack([off, 0.35 * off])
            line = line[: rng.integers(36, 45)]
            shine = 0.5 * np.exp(-(((t - 0.17 - rng.normal(0, 0.02)) / 0.1) ** 2))
            shine += 0.22 * np.sin(2 * np.pi * turns * t + phase + 0.6)  # a wave catches the light where it turns to it
            mix = np.clip(0.32 + tone + rng.normal(0, 0.24) + shine - 0.12 * t, 0, 1.1)
            colours = np.clip(dark + (light - dark) * mix, 0, 255)
            thick = rng.uniform(2, 4) * (1 - 0.45 * flyaway)
            places = np.rint(line * self._OVER).astype(int)
            for i in range(len(places) - 1):
                taper = min(1.0, 0.35 + 5 * t[i, 0]) * min(1.0, 0.3 + 4 * (1 - t[i, 0]))
                width = max(1, round(thick * taper))
                cv2.line(self._sheet, places[i].tolist(), places[i + 1].tolist(), (*colours[i].tolist(), 255), width)

    def layer(self) -> tuple[np.ndarray, np.ndarray]:
        size = self._sheet.shape[1] // self._OVER, self._sheet.shape[0] // self._OVER
        layer = cv2.resize(self._sheet.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return layer[..., :3], layer[..., 3] / 255
