"""Where the person is in the photo, as far as two small networks know it.

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
from headshot.studio.kernel import disc

from . import people
from .correction import corrected

Array = npt.NDArray[Any]

NO_MARKS = Marks()
_U2NET_PX = 320
_SELFIE_PX = 256
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
# The square that holds all a headshot shows, and how far its centre lies below the face's: in face heights, by eye.
_BUST_SIDE, _BUST_BELOW = 3.2, 0.28
_FACE_PX = 200  # the networks resolve at most 145 pixels a face; more than this would only hold interpolation
_INSIDE = 0.05  # of the face's height: how far from its own edge the person mask is right, on sixteen photos
_HEAD_MARGIN = 0.16  # of the head's extent, on each side: enough backdrop for the network to see an outline


@dataclass(frozen=True)
class Region:
    """A rectangle of the photo in whole pixels: left and top inside, right and bottom just outside."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: Array) -> Array:
        return picture[self.top : self.bottom, self.left : self.right]

    def seen_from_points(self, marks: Marks) -> Marks:
        """Points of the photo, in the rectangle's own pixels."""
        both = (tuple((x - self.left, y - self.top) for x, y in each) for each in (marks.inside, marks.outside))
        return Marks(*both)

    def seen_from(self, face: Face) -> Face:
        """A face of the photo, in the rectangle's own pixels."""
        return face.moved(np.array([[1, 0, -self.left], [0, 1, -self.top]], np.float32))


@dataclass(frozen=True, eq=False)
class Outline:
    """What the networks see, on the bust's region of the photo.

    alpha: (h, w) float32, 0…1, the opinion to begin with.  second: (h, w) float32, 0…1, the one that differs most
    from it.  scale: the region's pixels to the photo's, at most 1.  crown: the photo's y of the highest hair.
    sides: the photo's x of the leftmost and rightmost hair above the mouth.
    salient, person: (h, w) float32, 0…1, what U-2-Net and the person mask see of the chosen person by themselves.
    contact: (h, w) float32, 1 along the line between the chosen person and others.
    beside: (h, w) float32, where those are who touch the chosen person and are as near to the camera.
    """

    region: Region
    scale: float
    alpha: Array
    second: Array
    crown: float
    sides: tuple[float, float]
    salient: Array
    person: Array
    contact: Array
    beside: Array

    def on_canvas(self, field: Array, canvas_from_photo: Array, size: tuple[int, int]) -> Array:
        """One of the fields on a canvas of `size` (width, height); beyond the photo's border the last row repeats."""
        affine = canvas_from_photo.copy()
        affine[:, 2] += affine[:, :2] @ [self.region.left, self.region.top]
        affine[:, :2] /= self.scale
        return warp(field, affine, size)


@dataclass(frozen=True, eq=False)
class Seen:
    """What the networks say of a photo, before it is weighed, on the bust's region: all that takes long.

    patch: (h, w, 3) uint8 RGB.  whole, closer, person: (h, w) float32, 0…1: U-2-Net's two opinions and the person mask.
    shared: who else is there.  head: the rectangle around it.
    """

    region: Region
    scale: float
    patch: Array
    whole: Array
    closer: Array
    person: Array
    shared: people.Share
    head: Region

    def on_patch(self, points: Sequence[Point]) -> list[Point]:
        """Points of the photo, on the patch."""
        return [((x - self.region.left) * self.scale, (y - self.region.top) * self.scale) for x, y in points]


def see(pixels: Array, face: Face, others: list[Face]) -> Seen:
    """Run the networks on the bust, then U-2-Net again on the head that was found there.

    pixels: (H, W, 3) uint8 RGB.  others: the photo's other faces, whose bodies are left out.
    """
    x, y = face.centre
    bust = _region(pixels, x, y + _BUST_BELOW * face.height, _BUST_SIDE * face.height, _BUST_SIDE * face.height)
    scale = min(1.0, _FACE_PX / face.height)
    patch = cv2.resize(bust.of(pixels), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = patch.shape[1::-1]
    whole = _salient(patch)
    person = cv2.resize(_person(patch), size, interpolation=cv2.INTER_LINEAR)
    height = face.height * scale
    shared = people.share(patch, whole, person, face, others, (bust.left, bust.top), scale)
    body = _joined_to_face(np.maximum(whole, person) * shared.own, face, bust, scale)
    head = _head_extent(body, face, bust, scale)
    weight = _window(head, size, 0.1 * height)
    closer = whole.copy()
    head.of(closer)[:] += (_salient(head.of(patch)) - head.of(whole)) * weight

    return Seen(bust, scale, patch, whole, closer, person, shared, head)


def outline(seen: Seen, face: Face, marks: Marks = NO_MARKS) -> Outline:
    """Weigh what the networks say.

    marks: points that the person has named, in the photo's pixels.
    """
    bust, scale, head, own = seen.region, seen.scale, seen.head, seen.shared.own
    whole, closer, person, shared = seen.whole, seen.closer, seen.person, seen.shared
    height = face.height * scale
    alpha = _guarded(_median(whole, closer, person), person, height)
    contact = shared.contact
    filled = np.maximum(alpha, _well_inside(person, height))
    second = _most_opposed(alpha, whole, closer, person, height)
    second += (filled - alpha) * (filled - second)  # what the person mask has filled is not in question
    if contact.any():  # somebody far behind may be joined to the hair
        own = own * people.within_reach(alpha.shape, face, (bust.left, bust.top), scale)
    own = own * _joined_to_face(filled * own, face, bust, scale)
    alpha, second = filled * own, second * own
    salient, person = np.maximum(whole, closer) * shared.own, person * shared.own
    if marks:
        inside, outside = seen.on_patch(marks.inside), seen.on_patch(marks.outside)
        alpha, named = corrected(seen.patch, alpha, inside, outside, height)
        second, salient, person = (np.where(named, alpha, field) for field in (second, salient, person))
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
        second=second,
        crown=bust.top + top / scale,
        sides=(left, right),
        salient=salient,
        person=person,
        contact=contact.astype(np.float32),
        beside=shared.beside,
    )


def _median(whole: Array, closer: Array, person: Array) -> Array:
    """The middle one: a jacket that one network overlooks stays, a passer-by that one of them takes in goes.

    The person mask sees people in any crowd: where neither of the others says person, it cannot move their mean up.
    """
    low, high = np.minimum(whole, closer), np.maximum(whole, closer)
    mean, middle = (low + high) / 2, np.clip(person, low, high)
    heard = np.where(middle > mean, np.clip((high - 0.4) / 0.2, 0, 1), 1)
    return np.asarray(mean + (middle - mean) * heard, np.float32)


def _most_opposed(alpha: Array, whole: Array, closer: Array, person: Array, height: float) -> Array:
    """The opinion that differs most from alpha; one of U-2-Net's that the person mask speaks against counts by half.

    The mask itself is coarse and sees people in any crowd: it adds to the person only where alpha half does.
    """
    near = cv2.dilate(alpha, disc(0.015 * height))
    capped = np.minimum(person, np.clip(2.5 * near - 0.6, 0, 1))
    apart = np.where(np.abs(whole - alpha) > np.abs(closer - alpha), whole, closer) - alpha
    apart *= np.where(np.abs(person - alpha) < 0.25, 0.5, 1)
    opposed: Array = np.where(np.abs(apart) > np.abs(capped - alpha), alpha + apart, capped)
    return np.clip(opposed, 0, 1).astype(np.float32)


def _well_inside(person: Array, height: float) -> Array:
    """1 well inside the person mask, whose one vote U-2-Net's two would overrule where they miss a shirt or hair."""
    small = cv2.resize(person, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    unit = height / 2
    inside = cv2.GaussianBlur(cv2.erode(small, disc(_INSIDE * unit)), (0, 0), 0.02 * unit)
    fill: Array = np.clip((inside - 0.5) / 0.4, 0, 1)
    return cv2.resize(fill, person.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _guarded(alpha: Array, person: Array, height: float) -> Array:
    """Drop what is far from any person, fill what is well inside one."""
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


def _joined_to_face(alpha: Array, face: Face, bust: Region, scale: float) -> Array:
    """1 on the piece that holds the face and a soft rim around it, 0 on everything apart from it."""
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
    # Shoulders that reach up beside a bowed head would widen the box for nothing: at least a face's width is kept.
    low, high = left + columns[0], left + columns[-1]
    margin = _HEAD_MARGIN * max(high - low, chin - rows[0])
    return Region(
        max(0, int(min(low, x - 0.6 * size) - margin)),
        max(0, int(rows[0] - margin)),
        min(width, int(max(high, x + 0.6 * size) + margin)),
        min(height, int(chin + 0.35 * size)),
    )


def _region(pixels: Array, x: float, y: float, width: float, height: float) -> Region:
    rows, columns = pixels.shape[:2]
    return Region(
        max(0, int(x - width / 2)),
        max(0, int(y - height / 2)),
        min(columns, int(np.ceil(x + width / 2))),
        min(rows, int(np.ceil(y + height / 2))),
    )


def _window(region: Region, size: tuple[int, int], soft: float) -> Array:
    """1 inside the region, falling to 0 towards those of its sides that are not the picture's own."""
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


def _salient(patch: Array) -> Array:
    """U-2-Net's opinion of a (h, w, 3) uint8 patch: (h, w) float32, 0…1."""
    small = cv2.resize(patch, (_U2NET_PX, _U2NET_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    batch = (small / max(float(small.max()), 1.0) - _IMAGENET_MEAN) / _IMAGENET_STD
    opinion = models.run("u2netp", batch.transpose(2, 0, 1)[None])[0][0, 0]
    return np.clip(cv2.resize(opinion, patch.shape[1::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def _person(patch: Array) -> Array:
    small = cv2.resize(patch, (_SELFIE_PX, _SELFIE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask: Array = models.run("selfie_segmentation", small[None])[0][0, :, :, 0]
    return mask
