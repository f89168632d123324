"""The person as a lit surface: normals and heights from face mesh and outline, and masks of skin, face and eyes."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging.face import BROWS, EYES, LIPS, OVAL

from .morphology import disc

Array = npt.NDArray[Any]

# Patches in the middle of each cheek, in the mesh's numbering: skin, whatever else the face wears.
CHEEKS = ((50, 101, 118, 117, 123, 147, 187, 205), (280, 330, 347, 346, 352, 376, 411, 425))


@dataclass(frozen=True, eq=False)
class Surface:
    """The person's shape, everything on one grid of a quarter of the canvas's width.

    Attributes:
        normals: (h, w, 3) float32 of length 1; x right, y down, z towards the camera.
        height: (h, w) float32, the surface's distance towards the camera in grid pixels.
        face: (h, w) float32, 1 inside the mesh's oval, with a soft border.
        skin: (h, w) float32, 0…1, where skin shows.
    """

    normals: Array
    height: Array
    face: Array
    skin: Array

    def halved(self) -> "Surface":
        """Return the same surface on a grid of half the width and height."""
        normals, height, face, skin = (
            np.asarray(cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
            for part in (self.normals, self.height, self.face, self.skin)
        )
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        return Surface(normals, height * np.float32(0.5), face, skin)


def build_surface(picture: Array, alpha: Array, mesh: Array, face_px: float) -> Surface:
    """Build the surface of a person: the face by its mesh, hair and body by their inflated outline.

    Args:
        picture: (h, w, 3) float32 RGB 0…1, on the grid.
        alpha: (h, w) float32, the person, on the grid.
        mesh: (468, 3), in grid pixels.
        face_px: the face's height in grid pixels.
    """
    oval = _polygon_mask(alpha.shape, mesh[list(OVAL), :2])
    face = cv2.GaussianBlur(cv2.erode(oval, disc(0.03 * face_px)), (0, 0), 0.035 * face_px)
    bulge = _inflated_outline(alpha, face_px)
    mask = cv2.GaussianBlur(_mesh_height(mesh, alpha.shape, face_px), (0, 0), 0.014 * face_px)
    # Light on the broad form makes a portrait; light on every fold of lip and lid costs likeness and looks carved.
    form = cv2.GaussianBlur(mask, (0, 0), 0.05 * face_px)
    # Slopes are blended rather than heights, so that no step appears where the two shapes meet.
    slopes = [
        face * cv2.Sobel(form, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8)
        + (1 - face) * cv2.Sobel(bulge, cv2.CV_32F, dx, dy, ksize=3, scale=1 / 8)
        for dx, dy in ((1, 0), (0, 1))
    ]
    normals = np.dstack([-slopes[0], -slopes[1], np.ones_like(alpha)])
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    inside = face > 0.5
    offset = float((bulge[inside] - mask[inside]).mean()) if inside.any() else 0.0
    height = face * (mask + offset) + (1 - face) * bulge
    return Surface(normals.astype(np.float32), height, face, skin_map(picture, alpha, mesh, face_px))


def _mesh_height(mesh: Array, shape: tuple[int, ...], face_px: float) -> Array:
    """A thin-plate spline through the mesh's depths, evaluated coarsely and enlarged: smooth enough for slopes."""
    points = mesh[:, :2].astype(np.float64) / face_px
    depth = -mesh[:, 2].astype(np.float64)
    centre = points.mean(axis=0)
    points -= centre
    kernel = _thin_plate(points, points) + 1e-3 * np.eye(len(points))  # a little slack: the network's depth is noisy
    plane = np.hstack([np.ones((len(points), 1)), points])
    system = np.block([[kernel, plane], [plane.T, np.zeros((3, 3))]])
    # Not NumPy's solver: its threads spin, which costs eight times the CPU.
    weights = cv2.solve(system, np.concatenate([depth, np.zeros(3)])[:, None], flags=cv2.DECOMP_LU)[1][:, 0]
    low, high = mesh[:, :2].min(0) - 0.1 * face_px, mesh[:, :2].max(0) + 0.1 * face_px
    columns, rows = np.linspace(low[0], high[0], 40), np.linspace(low[1], high[1], 52)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2) / face_px - centre
    coarse = _thin_plate(grid, points) @ weights[:-3] + np.hstack([np.ones((len(grid), 1)), grid]) @ weights[-3:]
    step = (high - low) / (39, 51)
    affine = np.array([[step[0], 0, low[0]], [0, step[1], low[1]]], np.float32)
    return cv2.warpAffine(
        coarse.reshape(52, 40).astype(np.float32),
        affine,
        shape[1::-1],
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _thin_plate(one: Array, other: Array) -> Array:
    squared = (one[:, :1] - other[:, 0]) ** 2
    squared += (one[:, 1:] - other[:, 1]) ** 2
    return 0.5 * squared * cv2.log(squared + 1e-12)


def _inflated_outline(alpha: Array, face_px: float) -> Array:
    """The outline blown up like a balloon: a quarter circle of half a head's radius at the rim, flat inside."""
    radius = 0.55 * face_px
    # The picture's border is not the person's: padding keeps shoulders from rounding off at the bottom.
    pad = int(radius) + 2
    inside = cv2.copyMakeBorder((alpha > 0.5).astype(np.uint8), 1, pad, pad, pad, cv2.BORDER_REPLICATE)
    inside[0] = 0
    depth = np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 5) / radius, 1)
    bulge = cv2.GaussianBlur(radius * np.sqrt(1 - (1 - depth) ** 2), (0, 0), 0.05 * face_px)
    return bulge[1:-pad, pad:-pad]


def skin_map(picture: Array, alpha: Array, mesh: Array, face_px: float) -> Array:
    """Return where skin shows, (h, w) float32 0…1: by one Gaussian in Lab from the cheeks, within reach of the face.

    Args:
        picture: (h, w, 3) float32 RGB 0…1.
        alpha: (h, w), the person.
        mesh: (468, 3), in the picture's pixels.
        face_px: the face's height in the picture's pixels.
    """
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    seeds = np.maximum(*(_polygon_mask(alpha.shape, mesh[list(cheek), :2]) for cheek in CHEEKS)) > 0.5
    if seeds.sum() < 12:
        return np.zeros(alpha.shape, np.float32)
    sample = lab[seeds]
    middle = np.median(sample, axis=0)
    # Light changes L far more than colour, so L counts least; the floors keep even make-up from refusing its own face.
    spread = np.maximum(1.4826 * np.median(np.abs(sample - middle), axis=0), [9, 4, 4]) * [2.2, 1.3, 1.3]
    distance = (((lab - middle) / spread) ** 2).sum(axis=2)
    likely = np.exp(-0.5 * np.maximum(distance - 1.5, 0)).astype(np.float32)
    oval = _polygon_mask(alpha.shape, mesh[list(OVAL), :2])
    reach = cv2.GaussianBlur(cv2.dilate(oval, disc(0.22 * face_px)), (0, 0), 0.1 * face_px)
    kept = cv2.GaussianBlur(likely, (0, 0), 0.012 * face_px) * reach * alpha
    features = _polygon_mask(alpha.shape, mesh[list(LIPS), :2])
    for feature in (*EYES, *BROWS):
        features = np.maximum(features, _polygon_mask(alpha.shape, mesh[list(feature), :2]))
    features = cv2.GaussianBlur(cv2.dilate(features, disc(0.012 * face_px)), (0, 0), 0.012 * face_px)
    return np.clip(kept * (1 - features), 0, 1).astype(np.float32)


def oval_mask(shape: tuple[int, ...], mesh: Array, face_px: float) -> Array:
    """Return (h, w) float32: 1 well inside the face's oval, soft at its border.

    Args:
        shape: of the picture.
        mesh: (468, 3), in the picture's pixels.
        face_px: the face's height in the picture's pixels.
    """
    outline = mesh[list(OVAL), :2]
    reach = 0.1 * face_px  # beyond it nothing shows
    left, top = np.clip(np.floor(outline.min(0) - reach), 0, None).astype(int).tolist()
    right, bottom = np.ceil(outline.max(0) + reach).astype(int).tolist()
    filled = _polygon_mask(shape, outline)
    here = filled[top : max(bottom, 0), left : max(right, 0)]
    if here.size:
        here[:] = cv2.GaussianBlur(cv2.erode(here, disc(0.03 * face_px)), (0, 0), 0.015 * face_px)
    return filled


def eye_mask(shape: tuple[int, ...], mesh: Array, face_px: float) -> Array:
    """Return (h, w) float32: 1 in the openings of both eyes, with a soft border.

    Args:
        shape: of the picture.
        mesh: (468, 3), in the picture's pixels.
        face_px: the face's height in the picture's pixels.
    """
    both = np.maximum(*(_polygon_mask(shape, mesh[list(eye), :2]) for eye in EYES))
    return cv2.GaussianBlur(both, (0, 0), 0.008 * face_px)


def _polygon_mask(shape: tuple[int, ...], points: Array) -> Array:
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return canvas.astype(np.float32) / 255
