"""A cut-out corrected by hand, with points that belong to the person and points that do not.

GrabCut (Rother, Kolmogorov and Blake 2004, OpenCV's implementation) extends each point along the colours around it, as
far as hair reaches; only those pieces of its result that hold a point are used.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.morphology import disc

Array = npt.NDArray[Any]
Point = tuple[float, float]

# In face heights, by eye on hair that a cut-out had lost and on a chair that it had kept.
_REACH = 0.9  # how far from a point the outline may move
_POINT = 0.018  # the radius of the certain disc around a point
_SURE = 0.1  # from the old outline inwards and outwards: colours to learn from
_SOFT = 0.012  # the new edge, before the colours refine it
_LIKE = 16.0  # a difference in CIELAB from the point's own colour
_ROUNDS = 2


def correct_outline(
    patch: Array, alpha: Array, inside: Sequence[Point], outside: Sequence[Point], face_px: float
) -> tuple[Array, Array]:
    """Move the outline so that it agrees with the points.

    Args:
        patch: (h, w, 3) uint8 RGB.
        alpha: (h, w) float32, 0…1, the cut-out so far.
        inside: x and y of points that belong to the person, in the patch's pixels; those beside the patch are ignored.
        outside: the same, of points that do not.
        face_px: the face's height on the patch.

    Returns:
        The new alpha, and a (h, w) bool mask of the pixels that changed or were named.
    """
    shape = alpha.shape
    inside, outside = ([point for point in points if _inside_picture(point, shape)] for points in (inside, outside))
    if not inside and not outside:
        return alpha, np.zeros(shape, bool)
    box = _box_around([*inside, *outside], shape, 1.3 * _REACH * face_px)
    new, touched = _grown_marks(
        np.ascontiguousarray(patch[box]), alpha[box], _relative_to(inside, box), _relative_to(outside, box), face_px
    )
    result, named = alpha.copy(), np.zeros(shape, bool)
    result[box], named[box] = new, touched
    return result, named


def _grown_marks(
    patch: Array, alpha: Array, inside: list[Point], outside: list[Point], face_px: float
) -> tuple[Array, Array]:
    body = (alpha > 0.5).astype(np.uint8)
    lab = cv2.cvtColor(cv2.GaussianBlur(patch, (0, 0), 1.2).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    labels = np.where(body > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    for points, probable in ((inside, cv2.GC_PR_FGD), (outside, cv2.GC_PR_BGD)):
        for point in points:
            labels[_alike_region(lab, point, face_px)] = probable
    # Beyond the points' reach nothing changes: GrabCut learns its colours there.
    for mask, certain, points in ((body, cv2.GC_FGD, outside), (1 - body, cv2.GC_BGD, inside)):
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        near = _disc_mask(mask.shape, points, _REACH * face_px)
        labels[(mask > 0) & ~near & (depth > (_SURE * face_px if not points else 1))] = certain
    # Written last, because a point is certain.
    spots = [_disc_mask(body.shape, points, _POINT * face_px) for points in (inside, outside)]
    labels[spots[0]], labels[spots[1]] = cv2.GC_FGD, cv2.GC_BGD
    known = [int(np.isin(labels, pair).sum()) for pair in ((0, 2), (1, 3))]
    if min(known) > 20:
        cv2.setRNGSeed(0)  # its clusters start at random: the same points must give the same outline
        no_box = (0, 0, 0, 0)
        cv2.grabCut(patch, labels, no_box, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    added = _pieces_touching(person & (body == 0) & _disc_mask(body.shape, inside, _REACH * face_px), spots[0])
    removed = _pieces_touching(~person & (body > 0) & _disc_mask(body.shape, outside, _REACH * face_px), spots[1])
    added, removed = added | spots[0], removed | spots[1]
    sigma = max(0.6, _SOFT * face_px)
    more, less = (cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) for mask in (added, removed))
    new = np.minimum(np.maximum(alpha, more), 1 - less)
    new[added & ~removed] = np.maximum(new, 0.97)[added & ~removed]
    new[removed & ~added] = np.minimum(new, 0.03)[removed & ~added]
    touched = cv2.dilate((added | removed).astype(np.uint8), disc(2 * sigma)) > 0
    return new.astype(np.float32), touched


def _alike_region(lab: Array, point: Point, face_px: float) -> Array:
    """The region of like colours around the point, within its reach."""
    x, y = round(point[0]), round(point[1])
    spot = _disc_mask(lab.shape[:2], [point], max(2.0, 0.5 * _POINT * face_px))
    colour = np.median(lab[spot], axis=0)
    like = (np.linalg.norm(lab - colour, axis=2) < _LIKE) & _disc_mask(lab.shape[:2], [point], _REACH * face_px)
    like |= spot
    _, labels = cv2.connectedComponents(like.astype(np.uint8))
    found: Array = labels == labels[y, x]
    return found


def _pieces_touching(mask: Array, spots: Array) -> Array:
    """The pieces of the mask that touch a spot."""
    _, labels = cv2.connectedComponents((mask | spots).astype(np.uint8))
    numbers = np.unique(labels[spots])
    found: Array = np.isin(labels, numbers[numbers > 0]) & mask
    return found


def _disc_mask(shape: tuple[int, ...], points: Sequence[Point], radius: float) -> Array:
    mask = np.zeros(shape[:2], np.uint8)
    for x, y in points:
        cv2.circle(mask, (round(x), round(y)), max(1, round(radius)), 1, -1)
    return mask > 0


def _inside_picture(point: Point, shape: tuple[int, ...]) -> bool:
    return 0 <= point[0] <= shape[1] - 1 and 0 <= point[1] <= shape[0] - 1


def _box_around(points: Sequence[Point], shape: tuple[int, ...], margin: float) -> tuple[slice, slice]:
    corners = np.array(points)
    low = np.maximum(np.floor(corners.min(axis=0) - margin), 0).astype(int)
    high = np.ceil(corners.max(axis=0) + margin).astype(int) + 1
    return slice(int(low[1]), min(int(high[1]), shape[0])), slice(int(low[0]), min(int(high[0]), shape[1]))


def _relative_to(points: Sequence[Point], box: tuple[slice, slice]) -> list[Point]:
    return [(x - box[1].start, y - box[0].start) for x, y in points]
