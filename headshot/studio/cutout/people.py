"""A picture divided among the people in it: which part belongs to the chosen person."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging.face import Face
from headshot.studio.morphology import disc

Array = npt.NDArray[Any]

# The parts of a person that are certain, in face heights from the face's middle (anthropometric means: a head with hair
# is 1.4 face boxes high, shoulders are about 2 wide); deliberately smaller than anybody's.
_HEAD_HALF_WIDTH, _HEAD_HALF_HEIGHT, _HEAD_ABOVE = 0.42, 0.62, 0.14
_NECK_HALF_WIDTH = 0.24
_CHEST_BELOW, _CHEST_HALF_WIDTH = 0.95, 0.42
_HAIR_HALF_WIDTH, _HAIR_HALF_HEIGHT = 0.95, 1.05  # the largest hair
_BODY_REACH = 3.5  # how far down another person's body is certain, unless the chosen one stands in front of it
_BESIDE = 1.6  # from face to face, across: nearer than this the chosen one's shoulder may hide the other's body
_BELOW = 0.1  # where the chosen one's neck and shoulders can begin to hide the other's body
_SHOULDERS = (0.3, 0.6), (0.75, 0.95)  # their slope: from the neck to where they fall
_LEAST_SCORE = 0.7  # the detector's, of a face that may cut the chosen person's outline: false ones have less
_SMALL, _SMALL_SCORE, _NEAR_HEAD = 0.35, 0.6, 0.45  # beside the head a small one may have less: it cuts little
_FAR = 0.55  # of the chosen face's height: a smaller one is far behind, and the networks tell the two apart
_TOUCHING = 0.03  # so far on both sides of the border between two people who touch there is person
_MAX_NOBODY = 0.1  # of both networks, below which a pixel is nobody
_ROUNDS, _SCRAP = 3, 0.04  # of the colours' cut; pieces smaller than the second are no part of anybody
_BRIDGE = 0.04  # half the width of a bridge too thin to join parts of a body
_SMOOTH = 0.03  # of the border between two people: colours leave steps in it
_BOTH_SURE = 0.85  # of both networks, that a pixel belongs to the person and not to people far behind


@dataclass(frozen=True, eq=False)
class Division:
    """The chosen person's part of a picture, and the others'.

    Attributes:
        own: (h, w) float32, 1 on the chosen person's side, 0 on the others', soft between.
        contact: (h, w) bool, pixels along the line between the chosen person and others, if both sides are people.
        others: (h, w) float32, 1 on people who touch the chosen person and are as near to the camera.
    """

    own: Array
    contact: Array
    others: Array


def divide(
    patch: Array,
    salient: Array,
    person: Array,
    face: Face,
    others: list[Face],
    corner: tuple[int, int],
    scale: float,
) -> Division:
    """Divide a picture among its people: by a watershed from their certain parts, and by colours where they touch.

    The chosen person is assumed to stand in front: their neck and chest are drawn over the bodies of the others, never
    over another head.

    Args:
        patch: (h, w, 3) uint8 RGB.
        salient: (h, w) float32 0…1, U-2-Net's opinion.
        person: (h, w) float32 0…1, the person mask.
        face: the chosen one, in the photo's pixels.
        others: the photo's other faces, of any size.
        corner: the photo's x and y of the patch's first pixel.
        scale: patch pixels to photo pixels.
    """
    nobody = np.zeros(patch.shape[:2], np.float32)
    crowd = [other for other in others if _counts_as_person(other, face)]
    if not crowd:
        return Division(nobody + 1, nobody > 0, nobody)
    figures = [_Figure.of(someone, corner, scale) for someone in crowd]
    chosen = _Figure.of(face, corner, scale)
    far_behind = all(figure.size < _FAR * chosen.size for figure in figures)
    certain = _certain_labels(patch.shape, figures, chosen)
    marks = certain.copy()
    if far_behind:
        marks[(certain == 0) & _piece_with_face(np.minimum(salient, person) > _BOTH_SURE, chosen)] = 1
    cv2.watershed(cv2.bilateralFilter(patch, 5, 30, 5), marks)
    own = marks <= 1  # -1 is the line between two people
    crowded = cv2.erode((person > 0.5).astype(np.uint8), disc(_TOUCHING * chosen.size)) > 0
    if not (_boundary(own) & crowded).any():
        return Division(_soft(own, chosen), nobody > 0, nobody)
    theirs = _other_people(patch, own, np.maximum(salient, person), certain, chosen)
    own = ~theirs
    return Division(
        own=_soft(own, chosen),
        contact=_boundary(own) & crowded,
        others=nobody if far_behind else _soft(theirs, chosen),
    )


def _counts_as_person(other: Face, face: Face) -> bool:
    across, down = (
        (other_at - chosen_at) / face.height for other_at, chosen_at in zip(other.centre, face.centre, strict=True)
    )
    beside_the_head = abs(across) > _NEAR_HEAD and down < 0.5 and other.height < _SMALL * face.height
    return other.score >= (_SMALL_SCORE if beside_the_head else _LEAST_SCORE)


def _certain_labels(shape: tuple[int, ...], figures: list["_Figure"], chosen: "_Figure") -> Array:
    """(h, w) int32: 1 on parts that are surely the chosen person's, 2 on surely somebody else's, 0 elsewhere."""
    marks: Array = np.zeros(shape[:2], np.int32)
    for figure in figures:
        if abs(figure.x - chosen.x) > _BESIDE * chosen.size:
            figure.draw_body(marks, 2, figure.y + _BODY_REACH * figure.size)
        else:
            figure.draw_neck(marks, 2, min(figure.y + _CHEST_BELOW * figure.size, chosen.y + _BELOW * chosen.size))
    chosen.draw_body(marks, 1, marks.shape[0])
    nearest = np.full(shape[:2], 1.0, np.float32)
    for number, figure in [(2, figure) for figure in figures] + [(1, chosen)]:
        away = figure.from_head(shape)
        marks[away < nearest] = number
        np.minimum(nearest, away, out=nearest)
    return marks


def _other_people(patch: Array, own: Array, people: Array, certain: Array, chosen: "_Figure") -> Array:
    """(h, w) bool: the others, by the colours of each side (Rother, Kolmogorov and Blake 2004), on half the patch.

    A watershed follows the nearest edge, even a fold; colour separates one person's sleeve from another's.
    """
    labels: Array = np.where(own & (people > 0.5), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[people < _MAX_NOBODY] = cv2.GC_BGD
    labels[certain == 2], labels[certain == 1] = cv2.GC_BGD, cv2.GC_FGD
    size = patch.shape[1] // 2, patch.shape[0] // 2
    small = cv2.resize(cv2.GaussianBlur(patch, (0, 0), 1.5), size, interpolation=cv2.INTER_AREA)
    labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    cv2.setRNGSeed(0)  # its clusters start at random: the same photo must give the same outline
    cv2.grabCut(small, labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    kept: Array = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    round_off = disc(_SCRAP * chosen.size / 2)
    kept = cv2.morphologyEx(cv2.morphologyEx(kept, cv2.MORPH_OPEN, round_off), cv2.MORPH_CLOSE, round_off)
    smooth = cv2.GaussianBlur(kept.astype(np.float32), (0, 0), _SMOOTH * chosen.size / 2)
    kept = cv2.resize(smooth, patch.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    # Colours confuse hair and wall, so a piece counts as another person only if it holds a certain part of one. A thin
    # bridge along the chosen person's hair is no part of anybody else.
    rest = ((~kept & (people > 0.5)) | (certain == 2)).astype(np.uint8)
    solid = cv2.morphologyEx(rest, cv2.MORPH_OPEN, disc(_BRIDGE * chosen.size))
    _, pieces = cv2.connectedComponents(solid)
    numbers = np.unique(pieces[certain == 2])
    whole = cv2.dilate(np.isin(pieces, numbers[numbers > 0]).astype(np.uint8), disc(_BRIDGE * chosen.size)) > 0
    theirs: Array = whole & (rest > 0) & ~chosen.shoulders(patch.shape)
    return theirs | (certain == 2)


def _boundary(own: Array) -> Array:
    side = own.astype(np.uint8)
    line: Array = (cv2.dilate(side, disc(1)) > 0) & (cv2.erode(side, disc(1)) == 0)
    return line


def _soft(mask: Array, chosen: "_Figure") -> Array:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.008 * chosen.size)


def within_reach(shape: tuple[int, ...], face: Face, corner: tuple[int, int], scale: float) -> Array:
    """Return where a person's head, hair and body can be at all, (h, w) float32: 1 there, with a soft border.

    Args:
        shape: of the patch.
        face: in the photo's pixels.
        corner: the photo's x and y of the patch's first pixel.
        scale: patch pixels to photo pixels.
    """
    figure = _Figure.of(face, corner, scale)
    zone = np.zeros(shape[:2], np.float32)
    axes = round(_HAIR_HALF_WIDTH * figure.size), round(_HAIR_HALF_HEIGHT * figure.size)
    cv2.ellipse(zone, (round(figure.x), round(figure.y - _HEAD_ABOVE * figure.size)), axes, 0, 0, 360, 1.0, -1)
    zone[max(0, round(figure.y + 0.5 * figure.size)) :] = 1
    return cv2.GaussianBlur(zone, (0, 0), 0.03 * figure.size)


def _piece_with_face(sure: Array, chosen: "_Figure") -> Array:
    """The connected piece that holds the middle of the chosen face."""
    _, labels = cv2.connectedComponents(sure.astype(np.uint8))
    height, width = sure.shape
    number = labels[min(max(round(chosen.y), 0), height - 1), min(max(round(chosen.x), 0), width - 1)]
    found: Array = (labels == number) & sure
    return found


@dataclass(frozen=True)
class _Figure:
    """A person on the patch: the middle of their face, and its height (`size`)."""

    x: float
    y: float
    size: float

    @classmethod
    def of(cls, face: Face, corner: tuple[int, int], scale: float) -> "_Figure":
        x, y = face.centre
        return cls((x - corner[0]) * scale, (y - corner[1]) * scale, face.height * scale)

    def from_head(self, shape: tuple[int, ...]) -> Array:
        """(h, w) float32: 0 in the head's middle, 1 along the border of its certain part."""
        y, x = np.ogrid[: shape[0], : shape[1]]
        across = (x - self.x) / (_HEAD_HALF_WIDTH * self.size)
        down = (y - self.y + _HEAD_ABOVE * self.size) / (_HEAD_HALF_HEIGHT * self.size)
        return np.sqrt(across**2 + down**2).astype(np.float32)

    def shoulders(self, shape: tuple[int, ...]) -> Array:
        """(h, w) bool: everything below the chin, as wide as anybody's shoulders."""
        mask = np.zeros(shape[:2], np.uint8)
        half = [(across * self.size, self.y + down * self.size) for across, down in _SHOULDERS]
        half.append((half[-1][0], float(shape[0])))
        corners = [(self.x + across, row) for across, row in half] + [
            (self.x - across, row) for across, row in half[::-1]
        ]
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
        return mask > 0

    def draw_neck(self, marks: Array, number: int, bottom: float) -> None:
        half = _NECK_HALF_WIDTH * self.size
        left, right = round(self.x - half), round(self.x + half)
        cv2.rectangle(marks, (left, round(self.y)), (right, round(max(bottom, self.y))), number, -1)

    def draw_body(self, marks: Array, number: int, bottom: float) -> None:
        neck, chest = _NECK_HALF_WIDTH * self.size, _CHEST_HALF_WIDTH * self.size
        shoulders = self.y + _CHEST_BELOW * self.size
        corners = [
            (self.x - neck, self.y),
            (self.x + neck, self.y),
            (self.x + chest, shoulders),
            (self.x + chest, max(bottom, shoulders)),
            (self.x - chest, max(bottom, shoulders)),
            (self.x - chest, shoulders),
        ]
        cv2.fillPoly(marks, [np.round(corners).astype(np.int32)], number)
