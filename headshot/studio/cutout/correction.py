"""A person's own word on a cut-out: points that belong to them and points that do not.

GrabCut (Rother, Kolmogorov and Blake 2004, OpenCV's implementation) carries each point on along the colours around it,
as far as hair reaches; of its answer only the pieces that hold a point are taken.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.kernel import disc

Array = npt.NDArray[Any]
Point = tuple[float, float]

# In face heights, by eye on hair that a cut-out had lost and on a chair that it had kept.
_REACH = 0.9  # how far from a point the outline may move
_POINT = 0.018  # the radius of what a point itself makes certain
_SURE = 0.1  # from the old outline inwards and outwards: colours to learn from
_SOFT = 0.012  # the new edge, before the colours refine it
_LIKE = 16.0  # a difference in CIELAB from the point's own colour
_ROUNDS = 2


def corrected(
    patch: Array, alpha: Array, inside: Sequence[Point], outside: Sequence[Point], face_px: float
) -> tuple[Array, Array]:
    """Move the outline to where the points want it.

    Args:
        patch: (h, w, 3) uint8 RGB.
        alpha: (h, w) float32, 0…1, the cut-out so far.
        inside: x and y of points that belong to the person, in the patch's pixels. Those beside the patch are ignored.
        outside: the same, of points that do not.
        face_px: the face's height on the patch.

    Returns:
        The new alpha, and a (h, w) bool mask of what has changed or was named.
    """
    shape = alpha.shape
    inside, outside = ([point for point in points if _within(point, shape)] for points in (inside, outside))
    if not inside and not outside:
        return alpha, np.zeros(shape, bool)
    box = _around([*inside, *outside], shape, 1.3 * _REACH * face_px)
    new, touched = _grown(
        np.ascontiguousarray(patch[box]), alpha[box], _moved(inside, box), _moved(outside, box), face_px
    )
    result, named = alpha.copy(), np.zeros(shape, bool)
    result[box], named[box] = new, touched
    return result, named


def _grown(
    patch: Array, alpha: Array, inside: list[Point], outside: list[Point], face_px: float
) -> tuple[Array, Array]:
    body = (alpha > 0.5).astype(np.uint8)
    lab = cv2.cvtColor(cv2.GaussianBlur(patch, (0, 0), 1.2).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    labels = np.where(body > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    for points, probable in ((inside, cv2.GC_PR_FGD), (outside, cv2.GC_PR_BGD)):
        for point in points:
            labels[_like(lab, point, face_px)] = probable
    # Beyond the points' reach nothing changes: the colours are learnt there.
    for mask, certain, points in ((body, cv2.GC_FGD, outside), (1 - body, cv2.GC_BGD, inside)):
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        near = _discs(mask.shape, points, _REACH * face_px)
        labels[(mask > 0) & ~near & (depth > (_SURE * face_px if not points else 1))] = certain
    # What is named last stays: a point is certain.
    spots = [_discs(body.shape, points, _POINT * face_px) for points in (inside, outside)]
    labels[spots[0]], labels[spots[1]] = cv2.GC_FGD, cv2.GC_BGD
    known = [int(np.isin(labels, pair).sum()) for pair in ((0, 2), (1, 3))]
    if min(known) > 20:
        cv2.setRNGSeed(0)  # its clusters begin by chance: the same points give the same outline
        no_box = (0, 0, 0, 0)
        cv2.grabCut(patch, labels, no_box, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    added = _holding(person & (body == 0) & _discs(body.shape, inside, _REACH * face_px), spots[0])
    removed = _holding(~person & (body > 0) & _discs(body.shape, outside, _REACH * face_px), spots[1])
    added, removed = added | spots[0], removed | spots[1]
    sigma = max(0.6, _SOFT * face_px)
    more, less = (cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) for mask in (added, removed))
    new = np.minimum(np.maximum(alpha, more), 1 - less)
    new[added & ~removed] = np.maximum(new, 0.97)[added & ~removed]
    new[removed & ~added] = np.minimum(new, 0.03)[removed & ~added]
    touched = cv2.dilate((added | removed).astype(np.uint8), disc(2 * sigma)) > 0
    return new.astype(np.float32), touched


def _like(lab: Array, point: Point, face_px: float) -> Array:
    """What is joined to the point, within its reach, by colours like its own."""
    x, y = round(point[0]), round(point[1])
    spot = _discs(lab.shape[:2], [point], max(2.0, 0.5 * _POINT * face_px))
    colour = np.median(lab[spot], axis=0)
    like = (np.linalg.norm(lab - colour, axis=2) < _LIKE) & _discs(lab.shape[:2], [point], _REACH * face_px)
    like |= spot
    _, labels = cv2.connectedComponents(like.astype(np.uint8))
    found: Array = labels == labels[y, x]
    return found


def _holding(mask: Array, spots: Array) -> Array:
    """The pieces of the mask that touch a spot."""
    _, labels = cv2.connectedComponents((mask | spots).astype(np.uint8))
    numbers = np.unique(labels[spots])
    found: Array = np.isin(labels, numbers[numbers > 0]) & mask
    return found


def _discs(shape: tuple[int, ...], points: Sequence[Point], radius: float) -> Array:
    mask = np.zeros(shape[:2], np.uint8)
    for x, y in points:
        cv2.circle(mask, (round(x), round(y)), max(1, round(radius)), 1, -1)
    return mask > 0


def _within(point: Point, shape: tuple[int, ...]) -> bool:
    return 0 <= point[0] <= shape[1] - 1 and 0 <= point[1] <= shape[0] - 1


def _around(points: Sequence[Point], shape: tuple[int, ...], margin: float) -> tuple[slice, slice]:
    corners = np.array(points)
    low = np.maximum(np.floor(corners.min(axis=0) - margin), 0).astype(int)
    high = np.ceil(corners.max(axis=0) + margin).astype(int) + 1
    return slice(int(low[1]), min(int(high[1]), shape[0])), slice(int(low[0]), min(int(high[0]), shape[1]))


def _moved(points: Sequence[Point], box: tuple[slice, slice]) -> list[Point]:
    return [(x - box[1].start, y - box[0].start) for x, y in points]
