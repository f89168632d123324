"""The person's outline in a photo, by two small networks.

U-2-Net (Qin et al. 2020) gives the edges, from the bust and again from the head; MediaPipe's selfie segmentation guards
against furniture, holes and neighbours. `alpha.py` makes a hair-accurate alpha of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging import models
from headshot.imaging.face import Face
from headshot.imaging.photo import Marks, Point
from headshot.imaging.warp import warp
from headshot.studio.morphology import disc

from . import people
from .correction import correct_outline
from .region import Region

Array = npt.NDArray[Any]

NO_MARKS = Marks()
_U2NET_PX = 320
_SELFIE_PX = 256
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
# The square that holds all a headshot shows, and how far its centre is below the face's: in face heights, by eye.
_BUST_SIDE, _BUST_BELOW = 3.2, 0.28
_FACE_PX = 200  # the networks resolve at most 145 pixels a face; more than this would only hold interpolation
_INSIDE = 0.05  # of the face's height: so far from its own edge the person mask was right on sixteen photos
_HEAD_MARGIN = 0.16  # of the head's extent, on each side: enough backdrop for the network to see an outline


@dataclass(frozen=True, eq=False)
class Outline:
    """The chosen person as the networks see them, on the bust's region of the photo.

    Attributes:
        region: of the bust.
        scale: the region's pixels to the photo's, at most 1.
        alpha: (h, w) float32 0…1, the networks' combined opinion.
        dissent: (h, w) float32 0…1, the opinion that differs most from it.
        crown: the photo's y of the highest hair.
        sides: the photo's x of the leftmost and rightmost hair above the mouth.
        salient: (h, w) float32 0…1, the person by U-2-Net alone.
        person: (h, w) float32 0…1, the person by the person mask alone.
        contact: (h, w) float32, 1 along the line between the chosen person and others.
        others: (h, w) float32, people who touch the chosen person and are as near to the camera.
    """

    region: Region
    scale: float
    alpha: Array
    dissent: Array
    crown: float
    sides: tuple[float, float]
    salient: Array
    person: Array
    contact: Array
    others: Array

    def on_canvas(self, field: Array, canvas_from_photo: Array, size: tuple[int, int]) -> Array:
        """Return one of the (h, w) fields on a canvas; beyond the photo's border its last row repeats.

        Args:
            field: to be mapped.
            canvas_from_photo: (2, 3).
            size: width and height of the canvas.
        """
        affine = canvas_from_photo.copy()
        affine[:, 2] += affine[:, :2] @ [self.region.left, self.region.top]
        affine[:, :2] /= self.scale
        return warp(field, affine, size)


@dataclass(frozen=True, eq=False)
class NetworkOutputs:
    """The networks' opinions of a photo, before they are combined, on the bust's region: the slow part.

    Attributes:
        region: of the bust.
        scale: the region's pixels to the photo's, at most 1.
        patch: (h, w, 3) uint8 RGB, the region at that scale.
        by_bust: (h, w) float32 0…1, U-2-Net's opinion from the whole bust.
        by_head: (h, w) float32 0…1, U-2-Net's opinion from the head alone, where there is one.
        person: (h, w) float32 0…1, the person mask.
        division: of the patch among its people.
        head: the rectangle around it, on the patch.
    """

    region: Region
    scale: float
    patch: Array
    by_bust: Array
    by_head: Array
    person: Array
    division: people.Division
    head: Region

    def on_patch(self, points: Sequence[Point]) -> list[Point]:
        """Return points of the photo in pixels of the patch."""
        return [((x - self.region.left) * self.scale, (y - self.region.top) * self.scale) for x, y in points]


def run_networks(pixels: Array, face: Face, others: list[Face]) -> NetworkOutputs:
    """Run the networks on the bust, then U-2-Net again on the head that was found there.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: the chosen one.
        others: the photo's other faces, whose bodies are left out.
    """
    x, y = face.centre
    bust = _region_around(pixels, x, y + _BUST_BELOW * face.height, _BUST_SIDE * face.height, _BUST_SIDE * face.height)
    scale = min(1.0, _FACE_PX / face.height)
    patch = cv2.resize(bust.crop(pixels), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = patch.shape[1::-1]
    by_bust = _run_u2net(patch)
    person = cv2.resize(_run_selfie_segmentation(patch), size, interpolation=cv2.INTER_LINEAR)
    height = face.height * scale
    division = people.divide(patch, by_bust, person, face, others, (bust.left, bust.top), scale)
    body = _piece_with_face(np.maximum(by_bust, person) * division.own, face, bust, scale)
    head = _head_extent(body, face, bust, scale)
    weight = _soft_window(head, size, 0.1 * height)
    by_head = by_bust.copy()
    head.crop(by_head)[:] += (_run_u2net(head.crop(patch)) - head.crop(by_bust)) * weight

    return NetworkOutputs(bust, scale, patch, by_bust, by_head, person, division, head)


def person_outline(outputs: NetworkOutputs, face: Face, marks: Marks = NO_MARKS) -> Outline:
    """Combine the networks' opinions into one outline.

    Args:
        outputs: of the networks.
        face: the chosen one.
        marks: points with which the person has corrected the cut-out, in the photo's pixels.
    """
    bust, scale, head, own = outputs.region, outputs.scale, outputs.head, outputs.division.own
    by_bust, by_head, person, division = outputs.by_bust, outputs.by_head, outputs.person, outputs.division
    height = face.height * scale
    alpha = _without_strays(_median_opinion(by_bust, by_head, person), person, height)
    contact = division.contact
    filled = np.maximum(alpha, _well_inside(person, height))
    dissent = _most_opposed(alpha, by_bust, by_head, person, height)
    dissent += (filled - alpha) * (filled - dissent)  # parts that the person mask has filled are certain
    if contact.any():  # somebody far behind may be joined to the hair
        own = own * people.within_reach(alpha.shape, face, (bust.left, bust.top), scale)
    own = own * _piece_with_face(filled * own, face, bust, scale)
    alpha, dissent = filled * own, dissent * own
    salient, person = np.maximum(by_bust, by_head) * division.own, person * division.own
    if marks:
        inside, outside = outputs.on_patch(marks.inside), outputs.on_patch(marks.outside)
        alpha, named = correct_outline(outputs.patch, alpha, inside, outside, height)
        dissent, salient, person = (np.where(named, alpha, field) for field in (dissent, salient, person))
    rows = np.flatnonzero(alpha[:, head.left : head.right].max(axis=1) > 0.5)
    top = int(rows[0]) if rows.size else 0
    mouth = max(top + 1, round((face.centre[1] + 0.2 * face.height - bust.top) * scale))
    columns = head.left + np.flatnonzero(alpha[top:mouth, head.left : head.right].max(axis=0) > 0.5)
    sides = (columns[0], columns[-1] + 1) if columns.size else (head.left, head.right)
    left, right = (bust.left + float(side) / scale for side in sides)
    return Outline(
        region=bust,
        scale=scale,
        alpha=alpha,
        dissent=dissent,
        crown=bust.top + top / scale,
        sides=(left, right),
        salient=salient,
        person=person,
        contact=contact.astype(np.float32),
        others=division.others,
    )


def _median_opinion(by_bust: Array, by_head: Array, person: Array) -> Array:
    """The middle opinion: a jacket that one network overlooks stays, a passer-by that only one of them includes goes.

    The person mask sees people in any crowd: where neither other opinion says person, it cannot raise their mean.
    """
    low, high = np.minimum(by_bust, by_head), np.maximum(by_bust, by_head)
    mean, middle = (low + high) / 2, np.clip(person, low, high)
    counted = np.where(middle > mean, np.clip((high - 0.4) / 0.2, 0, 1), 1)
    return np.asarray(mean + (middle - mean) * counted, np.float32)


def _most_opposed(alpha: Array, by_bust: Array, by_head: Array, person: Array, height: float) -> Array:
    """The opinion that differs most from alpha; one of U-2-Net's that the person mask contradicts counts by half.

    The mask itself is coarse and sees people in any crowd: it adds to the person only where alpha is at least half.
    """
    near = cv2.dilate(alpha, disc(0.015 * height))
    capped = np.minimum(person, np.clip(2.5 * near - 0.6, 0, 1))
    apart = np.where(np.abs(by_bust - alpha) > np.abs(by_head - alpha), by_bust, by_head) - alpha
    apart *= np.where(np.abs(person - alpha) < 0.25, 0.5, 1)
    opposed: Array = np.where(np.abs(apart) > np.abs(capped - alpha), alpha + apart, capped)
    return np.clip(opposed, 0, 1).astype(np.float32)


def _well_inside(person: Array, height: float) -> Array:
    """1 well inside the person mask, so that U-2-Net's two opinions cannot overrule it about a shirt or hair."""
    small = cv2.resize(person, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    unit = height / 2
    inside = cv2.GaussianBlur(cv2.erode(small, disc(_INSIDE * unit)), (0, 0), 0.02 * unit)
    fill: Array = np.clip((inside - 0.5) / 0.4, 0, 1)
    return cv2.resize(fill, person.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _without_strays(alpha: Array, person: Array, height: float) -> Array:
    """Remove parts far from any person, fill parts well inside one."""
    size = alpha.shape[::-1]
    small = cv2.resize(person, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    opinion = cv2.resize(alpha, small.shape[::-1], interpolation=cv2.INTER_AREA)
    unit = height / 2
    near = cv2.GaussianBlur(cv2.dilate(small, disc(0.05 * unit)), (0, 0), 0.02 * unit)
    inside = cv2.GaussianBlur(cv2.erode(small, disc(0.09 * unit)), (0, 0), 0.02 * unit)
    agreed = np.clip((cv2.GaussianBlur(opinion, (0, 0), 0.08 * unit) - 0.4) / 0.2, 0, 1)
    fill = np.clip((inside - 0.5) / 0.4, 0, 1) * agreed
    keep = np.clip((near - 0.1) / 0.3, 0, 1)
    fill, keep = (cv2.resize(field, size, interpolation=cv2.INTER_LINEAR) for field in (fill, keep))
    guarded: Array = np.maximum(alpha, fill) * keep
    return guarded


def _piece_with_face(alpha: Array, face: Face, bust: Region, scale: float) -> Array:
    """1 on the piece that holds the face and a soft rim around it, 0 elsewhere."""
    _, labels = cv2.connectedComponents((alpha > 0.5).astype(np.uint8))
    x, y, width, height = (np.array(face.box) - [bust.left, bust.top, 0, 0]) * scale
    inner = labels[int(max(y, 0)) : int(y + height), int(max(x, 0)) : int(x + width)]
    counts = np.bincount(inner.ravel())
    counts[0] = 0
    if not counts.any():
        return np.ones_like(alpha)
    piece = (labels == counts.argmax()).astype(np.float32)
    return cv2.GaussianBlur(cv2.dilate(piece, disc(0.07 * height)), (0, 0), 0.01 * height)


def _head_extent(body: Array, face: Face, bust: Region, scale: float) -> Region:
    """The patch's rectangle around head and hair, from the crown to below the chin, with a margin."""
    x, y = (np.array(face.centre) - [bust.left, bust.top]) * scale
    height, width = body.shape
    size = face.height * scale
    chin = int(min(height, y + 0.62 * size))
    reach = int(1.25 * size)
    left, right = max(0, int(x) - reach), min(width, int(x) + reach)
    inside = body[:chin, left:right] > 0.5
    columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
    if not rows.size:
        return Region(left, 0, right, chin)
    # Only hair may widen the box, not shoulders beside a bowed head; but at least a face's width is kept.
    low, high = left + columns[0], left + columns[-1]
    margin = _HEAD_MARGIN * max(high - low, chin - rows[0])
    return Region(
        max(0, int(min(low, x - 0.6 * size) - margin)),
        max(0, int(rows[0] - margin)),
        min(width, int(max(high, x + 0.6 * size) + margin)),
        min(height, int(chin + 0.35 * size)),
    )


def _region_around(pixels: Array, x: float, y: float, width: float, height: float) -> Region:
    rows, columns = pixels.shape[:2]
    return Region(
        max(0, int(x - width / 2)),
        max(0, int(y - height / 2)),
        min(columns, int(np.ceil(x + width / 2))),
        min(rows, int(np.ceil(y + height / 2))),
    )


def _soft_window(region: Region, size: tuple[int, int], soft: float) -> Array:
    """1 inside the region, falling to 0 towards its sides, except where they are the picture's own."""
    width, height = region.right - region.left, region.bottom - region.top
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    horizontal = np.minimum(
        across / soft if region.left > 0 else 1.0, across[::-1] / soft if region.right < size[0] else 1.0
    )
    vertical = np.minimum(down / soft if region.top > 0 else 1.0, down[::-1] / soft if region.bottom < size[1] else 1.0)
    return np.minimum(
        np.clip(np.broadcast_to(vertical, height), 0, 1)[:, None],
        np.clip(np.broadcast_to(horizontal, width), 0, 1)[None, :],
    ).astype(np.float32)


def _run_u2net(patch: Array) -> Array:
    """U-2-Net's opinion of a (h, w, 3) uint8 patch: (h, w) float32, 0…1."""
    small = cv2.resize(patch, (_U2NET_PX, _U2NET_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    batch = (small / max(float(small.max()), 1.0) - _IMAGENET_MEAN) / _IMAGENET_STD
    opinion = models.run("u2netp", batch.transpose(2, 0, 1)[None])[0][0, 0]
    return np.clip(cv2.resize(opinion, patch.shape[1::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def _run_selfie_segmentation(patch: Array) -> Array:
    small = cv2.resize(patch, (_SELFIE_PX, _SELFIE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask: Array = models.run("selfie_segmentation", small[None])[0][0, :, :, 0]
    return mask
