"""Which part of a picture belongs to the chosen person, where several people are in it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..face import Face
from .kernel import disc

Array = npt.NDArray[Any]

# The parts of a person that are certain, in face heights from the face's middle (anthropometric means: a head with hair
# is 1.4 face boxes high, shoulders are about 2 wide); deliberately smaller than anybody's.
_HEAD_HALF_WIDTH, _HEAD_HALF_HEIGHT, _HEAD_ABOVE = 0.42, 0.62, 0.14
_NECK_HALF_WIDTH = 0.24
_CHEST_BELOW, _CHEST_HALF_WIDTH = 0.95, 0.42
_HAIR_HALF_WIDTH, _HAIR_HALF_HEIGHT = 0.95, 1.05  # the largest hair
_BODY_REACH = 3.5  # how far down another person's body is certain, where the chosen one does not stand before it
_BESIDE = 1.6  # from face to face, across: nearer than this the chosen one's shoulder may hide the other's body
_LARGER, _WIDER = 1.25, 2.2  # from what is certain of a head and a body to what they can be
_SHOULDER_REACH = 1.25  # how far from the middle a shoulder can be
_SHOULDERS_BELOW = 0.6  # where the chosen one's shoulders begin
_LEAST_SCORE = 0.7  # the detector's, of a face that may cut the chosen person's outline: mirages have less
_FAR = 0.55  # of the chosen face's height: a smaller one is far behind, and the networks tell the two apart
_BOTH_SURE = 0.85  # of both networks, that a pixel is of the person before those far behind


@dataclass(frozen=True, eq=False)
class Share:
    """own: (h, w) float32, 1 on the chosen person's side, 0 on others', soft between.

    contact: (h, w) bool, pixels along the line between the chosen person and others.
    beside, behind: (h, w) float32, 1 on the heads and bodies that others can have, outside the chosen person's head and
    chest: of those who are as near to the camera, and of those far behind.  heads: of all of them.
    """

    own: Array
    contact: Array
    beside: Array
    behind: Array
    heads: Array


def share(patch: Array, sure: Array, face: Face, others: list[Face], corner: tuple[int, int], scale: float) -> Share:
    """Divide a picture among its people by a watershed from what is certain of each.

    The chosen person stands in front: their neck and chest are drawn over the bodies of the others, never over another
    one's head.

    Args:
        patch: (h, w, 3) uint8 RGB.
        sure: (h, w) float32, 0…1, how far all networks agree on a person there.
        face: the chosen one, in the photo's pixels.
        others: the photo's other faces, of any size.
        corner: the photo's x and y of the patch's first pixel.
        scale: patch pixels to photo pixels.
    """
    crowd = [other for other in others if other.score >= _LEAST_SCORE]
    if not crowd:
        nobody = np.zeros(patch.shape[:2], np.float32)
        return Share(nobody + 1, nobody > 0, nobody, nobody, nobody)
    marks: Array = np.zeros(patch.shape[:2], np.int32)
    figures = [_Figure.of(someone, corner, scale) for someone in crowd]
    chosen = _Figure.of(face, corner, scale)
    for figure in figures:
        figure.draw_body(marks, 2, _reach(figure, chosen))
    if all(figure.size < _FAR * chosen.size for figure in figures):
        marks[_around(sure > _BOTH_SURE, chosen)] = 1
    chosen.draw_body(marks, 1, marks.shape[0])
    for figure in figures:
        figure.draw_head(marks, 2)
    chosen.draw_head(marks, 1)
    cv2.watershed(cv2.bilateralFilter(patch, 5, 30, 5), marks)
    own = (marks <= 1).astype(np.uint8)  # -1 is the line between two people
    contact = (cv2.dilate(own, disc(1)) > 0) & (cv2.erode(own, disc(1)) == 0)
    return Share(
        own=cv2.GaussianBlur(own.astype(np.float32), (0, 0), 0.008 * chosen.size),
        contact=contact,
        beside=_others(patch.shape, chosen, [figure for figure in figures if figure.size >= _FAR * chosen.size]),
        behind=_others(patch.shape, chosen, [figure for figure in figures if figure.size < _FAR * chosen.size]),
        heads=_others(patch.shape, chosen, figures, bodies=False),
    )


def _others(shape: tuple[int, ...], chosen: "_Figure", figures: list["_Figure"], *, bodies: bool = True) -> Array:
    marks: Array = np.zeros(shape[:2], np.int32)
    for figure in figures if bodies else ():
        figure.draw_body(marks, 1, figure.y + _BODY_REACH * figure.size, wider=_WIDER)
    chosen.draw_body(marks, 0, shape[0], wider=_WIDER)
    for figure in figures:
        figure.draw_head(marks, 1, larger=_LARGER)
    chosen.draw_head(marks, 0, larger=_LARGER)
    return cv2.GaussianBlur(marks.astype(np.float32), (0, 0), 0.02 * chosen.size)


def within_reach(shape: tuple[int, ...], face: Face, corner: tuple[int, int], scale: float) -> Array:
    """1 where a head with hair, or the body below it, can be; soft at the border. (h, w) float32."""
    figure = _Figure.of(face, corner, scale)
    zone = np.zeros(shape[:2], np.float32)
    axes = round(_HAIR_HALF_WIDTH * figure.size), round(_HAIR_HALF_HEIGHT * figure.size)
    cv2.ellipse(zone, (round(figure.x), round(figure.y - _HEAD_ABOVE * figure.size)), axes, 0, 0, 360, 1.0, -1)
    zone[max(0, round(figure.y + 0.5 * figure.size)) :] = 1
    return cv2.GaussianBlur(zone, (0, 0), 0.03 * figure.size)


def below_the_chin(shape: tuple[int, ...], face: Face, corner: tuple[int, int], scale: float) -> Array:
    """1 where the chosen person's shoulders and chest can be; soft at the border. (h, w) float32."""
    figure = _Figure.of(face, corner, scale)
    rows, columns = np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32)
    down = np.clip((rows - figure.y - _SHOULDERS_BELOW * figure.size) / (0.1 * figure.size), 0, 1)
    across = np.clip((_SHOULDER_REACH * figure.size - np.abs(columns - figure.x)) / (0.1 * figure.size), 0, 1)
    return down[:, None] * across[None, :]


def _around(sure: Array, chosen: "_Figure") -> Array:
    """The piece that the chosen face is in."""
    _, labels = cv2.connectedComponents(sure.astype(np.uint8))
    height, width = sure.shape
    number = labels[min(max(round(chosen.y), 0), height - 1), min(max(round(chosen.x), 0), width - 1)]
    found: Array = (labels == number) & sure
    return found


def _reach(figure: "_Figure", chosen: "_Figure") -> float:
    """The row down to which another person's body is certain."""
    if abs(figure.x - chosen.x) > _BESIDE * chosen.size:
        return figure.y + _BODY_REACH * figure.size
    return min(figure.y + _CHEST_BELOW * figure.size, chosen.y + _SHOULDERS_BELOW * chosen.size)


@dataclass(frozen=True)
class _Figure:
    """A person on the patch. x, y: the face's middle.  size: the face's height."""

    x: float
    y: float
    size: float

    @classmethod
    def of(cls, face: Face, corner: tuple[int, int], scale: float) -> "_Figure":
        x, y = face.centre
        return cls((x - corner[0]) * scale, (y - corner[1]) * scale, face.height * scale)

    def draw_head(self, marks: Array, number: int, larger: float = 1.0) -> None:
        middle = round(self.x), round(self.y - _HEAD_ABOVE * self.size)
        axes = round(larger * _HEAD_HALF_WIDTH * self.size), round(larger * _HEAD_HALF_HEIGHT * self.size)
        cv2.ellipse(marks, middle, axes, 0, 0, 360, number, -1)

    def draw_body(self, marks: Array, number: int, bottom: float, wider: float = 1.0) -> None:
        neck, chest = wider * _NECK_HALF_WIDTH * self.size, wider * _CHEST_HALF_WIDTH * self.size
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
