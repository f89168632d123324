"""The photo aligned with a headshot, face on face, so that a slider between the two compares the same places."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.errors import PhotoError
from headshot.imaging import face as faces
from headshot.imaging.face import Face
from headshot.imaging.warp import downsampled, scale_factor, warp

Array = npt.NDArray[Any]
Box = tuple[float, float, float, float]

_RIVALS = 4  # of several faces in a headshot, the first so many are compared with the photo's: 15 ms each
_SAME_BOX = 0.3  # intersection over union; the detector treats boxes that overlap by more as one face
_ROUNDS = 12  # of reweighting: a few are enough for the same face, ten if its mouth has moved

# The refinement, in a crop around the face. On eleven studio headshots, measured by hundreds of matched features each,
# the mesh alone is off by 2 to 13 px of 1024, because new light moves its points; after the refinement by 0.1 px.
_CROP_PX = 384  # the face is about 300 px in it; at 256 px the result is off by twice as much
_CROP_SIDES = 1.3  # the crop's side, in the mesh's longer sides
_PATCH_PX = 21  # about an eye's width in the crop
_SHADING_PX = 12.0  # sigma; slower changes of brightness and contrast come from the light and not from the face
_RETURN_PX = 0.5  # a patch tracked to the other picture and back must end this near to its start
_TRACKED = 1 / 3  # least share of the mesh's points; 0.9 and more in a face's own photo, at most 0.13 in others
_FURTHEST_PX = 0.06 * _CROP_PX  # three times the mesh's largest error; a patch found further away is a false match

# The area beyond the photo's edge is a dark, muted continuation of the photo's own colours, like the mount of a print.
# Chosen by eye on seven photos, among the edge repeated, the photo mirrored, the whole photo blurred, and plain colours
# in dark, middle and light.
_MOUNT_STEP = 8  # headshot pixels for one of the mount, which has no detail
_MOUNT_SIGMAS = 0.25, 0.09  # of the longer side: near the photo's edge the mount keeps more of its colours
_HALF_TRUST = 0.1  # the share of a blur's weight inside the photo at which its colour counts half; 0.5 at the edge
_GREY, _GREYED, _COLOUR_KEPT = 64.0, 0.55, 0.45  # darken a bright photo's mount and lighten a black one's
_SHADOW, _SHADOW_SIGMA = 0.5, 0.008  # sigma of the longer side; shows the edge if photo and mount are alike


def overlay(photo: Array, face: Face, headshot: Array) -> Array:
    """Turn, scale and move the photo so that its face is where the headshot's is. Takes about 0.15 s.

    If the photo ends inside the frame, its colours continue blurred and muted.

    Args:
        photo: (H, W, 3) uint8 RGB.
        face: In the photo's pixels.
        headshot: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) uint8 of the headshot's size.

    Raises:
        PhotoError: if the headshot shows no face; use `fitted` then.
    """
    size = headshot.shape[1], headshot.shape[0]
    target = _counterpart(photo, face, headshot)
    there = faces.mesh(headshot, target)[:, :2]
    photo, affine = downsampled(photo, _similarity(faces.mesh(photo, face)[:, :2], there))  # once for two warps
    aligned = warp(photo, affine, size)
    correction = _refinement(aligned, headshot, there)
    if correction is None:  # the mesh again, now from the same crop in both, so that most of its error cancels
        correction = _similarity(faces.mesh(aligned, target)[:, :2], there)
    affine = _after(correction, affine)
    return _with_mount(warp(photo, affine, size, cv2.INTER_CUBIC), photo, affine)


def fitted(photo: Array, size: tuple[int, int]) -> Array:
    """Fit the whole photo upright into the middle of a frame, filled around it as by `overlay`.

    Args:
        photo: (H, W, 3) uint8 RGB.
        size: The frame's width and height.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = photo.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    # Pixel centres are at whole numbers, so a picture's middle is half a pixel before half its width.
    left, top = (size[0] - 1 - scale * (width - 1)) / 2, (size[1] - 1 - scale * (height - 1)) / 2
    affine = np.array([[scale, 0, left], [0, scale, top]])
    return _with_mount(warp(photo, affine, size, cv2.INTER_CUBIC), photo, affine)


def same_face(found: Sequence[Face], box: Box) -> Face | None:
    """Find a face again by its box.

    Args:
        found: The faces to choose from.
        box: x, y, width, height in the same picture's pixels.

    Returns:
        The face whose box overlaps most; None if it overlaps less than two detections of one face do, as that of a
        neighbour in a crowd.
    """
    best = max(found, key=lambda face: _overlap(face.box, box), default=None)
    return best if best is not None and _overlap(best.box, box) > _SAME_BOX else None


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(one[2] * one[3] + other[2] * other[3] - shared, 1e-9)


def _counterpart(photo: Array, face: Face, headshot: Array) -> Face:
    """The headshot's face; of several, the one most like the photo's. Raises PhotoError if there is none."""
    found = faces.find(headshot)
    if not found:
        raise PhotoError(
            "No face was found in this headshot, so the photo cannot be aligned with it: compare them side by side."
        )
    if len(found) == 1:
        return found[0]
    person = faces.embed(photo, face)
    return max(found[:_RIVALS], key=lambda rival: faces.likeness(person, faces.embed(headshot, rival)))


def _similarity(here: Array, there: Array) -> Array:
    """The (2, 3) float64 similarity that brings (n, 2) points nearest to others, robust against outliers.

    Least squares (Umeyama 1991, without reflection; in the plane a division of complex numbers), reweighted as by
    Geman and McClure (1987), so that a mouth that smiles in only one picture, two fifths of the points, does not move
    the eyes.
    """
    start, end = (points.astype(np.float64) @ [1, 1j] for points in (here, there))
    weights = np.ones(len(start))
    for _ in range(_ROUNDS):
        weights /= weights.sum()
        middle, target = weights @ start, weights @ end
        spread = weights @ np.abs(start - middle) ** 2
        turn = weights @ (np.conj(start - middle) * (end - target)) / spread
        move = target - turn * middle
        miss = np.abs(turn * start + move - end)
        weights = (1 + (miss / max(1.5 * float(np.median(miss)), 1e-6)) ** 2) ** -2
    return np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])


def _refinement(aligned: Array, headshot: Array, points: Array) -> Array | None:
    """The remaining (2, 3) similarity from the aligned photo to the headshot; None if too few points can be tracked.

    The surroundings of `points`, (468, 2) of the headshot's mesh, are tracked from one picture to the other by the
    optical flow of Lucas and Kanade (Bouguet's pyramids), with the shading removed from both.
    """
    low, high = points.min(0), points.max(0)
    scale = _CROP_PX / (_CROP_SIDES * float((high - low).max()))
    corner = _CROP_PX / 2 - scale * (low + high) / 2
    crop = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
    here, there = (_fine_structure(warp(picture, crop, (_CROP_PX, _CROP_PX))) for picture in (aligned, headshot))
    started = (points * scale + corner).astype(np.float32)
    tracked, seen = _track(there, here, started)
    returned, seen_again = _track(here, there, tracked)
    good = seen & seen_again
    good &= np.linalg.norm(returned - started, axis=1) < _RETURN_PX
    good &= np.linalg.norm(tracked - started, axis=1) < _FURTHEST_PX
    if good.sum() < _TRACKED * len(points):
        return None
    back = cv2.invertAffineTransform(crop)
    there_points, here_points = (p[good] @ back[:, :2].T + back[:, 2] for p in (started, tracked))
    return _similarity(here_points, there_points)


def _fine_structure(pixels: Array) -> Array:
    """A crop's fine structure as (h, w) uint8, in which a face looks the same under two lights."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey -= cv2.GaussianBlur(grey, (0, 0), _SHADING_PX)
    contrast = np.sqrt(cv2.GaussianBlur(grey * grey, (0, 0), _SHADING_PX))
    relief: Array = np.clip(128 + 50 * grey / (contrast + 4), 0, 255).astype(np.uint8)  # 4 of 255: noise stays noise
    return relief


def _track(start: Array, end: Array, points: Array) -> tuple[Array, Array]:
    """The positions of (n, 2) float32 points of one crop in another, and (n,) bool, whether they were found."""
    window = (_PATCH_PX, _PATCH_PX)
    moved, seen, _ = cv2.calcOpticalFlowPyrLK(start, end, points[:, None], None, winSize=window, maxLevel=2)  # type: ignore[call-overload]
    return moved[:, 0], seen[:, 0] > 0


def _after(second: Array, first: Array) -> Array:
    """The (2, 3) affine that applies `first` and then `second`."""
    both: Array = second[:, :2] @ first
    both[:, 2] += second[:, 2]
    return both


def _with_mount(aligned: Array, photo: Array, affine: Array) -> Array:
    """The aligned photo, and beyond its edge its own colours, blurred and muted, with its shadow on them."""
    height, width = aligned.shape[:2]
    coverage = _coverage(photo, affine, (width, height))
    if coverage.min() == 1:
        return aligned
    small = max(1, round(width / _MOUNT_STEP)), max(1, round(height / _MOUNT_STEP))
    weight = cv2.resize(coverage, small, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(aligned, small, interpolation=cv2.INTER_AREA) * weight[..., None]
    mount = np.broadcast_to(colour.sum((0, 1)) / (weight.sum() + 1e-6), colour.shape)
    for share in _MOUNT_SIGMAS:
        near, around = (_blurred(plane, share * max(small), cv2.BORDER_CONSTANT) for plane in (weight, colour))
        trust = near[..., None] / (near[..., None] + _HALF_TRUST)
        mount = mount + (around / np.maximum(near[..., None], 1e-4) - mount) * trust
    luma = mount @ np.array([[0.299], [0.587], [0.114]], np.float32)
    mount = luma + (mount - luma) * _COLOUR_KEPT
    mount += (_GREY - mount) * _GREYED
    mount *= 1 - _SHADOW * _blurred(weight, _SHADOW_SIGMA * max(small), cv2.BORDER_REPLICATE)[..., None]
    large = cv2.resize(mount.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.blendLinear(aligned, np.clip(large + 0.5, 0, 255).astype(np.uint8), coverage, 1 - coverage)


def _blurred(plane: Array, sigma: float, border: int) -> Array:
    blurred: Array = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=border)
    return blurred


def _coverage(photo: Array, affine: Array, size: tuple[int, int]) -> Array:
    """How much of each pixel of a frame of `size` the photo covers: (height, width) float32 0…1, soft at its edges."""
    back = cv2.invertAffineTransform(affine).astype(np.float32)
    across, down = np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32)[:, None]
    scale = scale_factor(affine)
    coverage = np.ones((size[1], size[0]), np.float32)
    for row, length in zip(back, photo.shape[1::-1], strict=True):
        at = row[0] * across + row[1] * down + row[2]  # the photo's coordinate, whose edges are at -½ and length - ½
        inside = np.minimum(at + 0.5, length - 0.5 - at) * scale + 0.5
        coverage *= np.clip(inside, 0, 1)
    return coverage
