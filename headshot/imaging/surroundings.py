"""The surroundings of a person in a photo: neighbours, a bright background, a background in the person's colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import models
from .face import CHIN, CLEAR_TRUST, OVAL, Face, fit_mesh

_MASK_PX = 256  # the side that MediaPipe's network has
_REACH = 1.9, 1.0, 2.6  # face heights beside, above and below: little more than a headshot shows
_FACE_PX = 70.0  # the face height, in the mask's pixels, for which the widths below are given

# Along the person's outline, the colours inside and outside are averaged over a twentieth of the face.
_INSIDE, _OUTSIDE = (2.0, 8.0), (2.5, 9.0)  # distances from the outline, which the network draws softly
_ALONG = 5.0  # sigma
_ALIKE = 8.0  # CIELAB's distance: a matte begins to lose strands and edges, by eye on 35 photos
_LEAST_OUTLINE = 40  # pixels; a shorter outline is no evidence
_HAIR_REACH = 0.06, 0.6  # face heights away from the face; further out are other people, or raised arms

_BODY = 1.2  # half a body's width in face heights, the arms left out
_HEAD_ABOVE = 0.5  # face heights
_NEIGHBOUR_SHARE = 0.5  # of the face height: a person nearly as near is a neighbour, however turned …
_DISTANT_SHARE = 0.18  # … and a person further behind only if sharp enough for the mesh to trust
_NEIGHBOUR_SCORE = 0.75
_DISTANT_TESTED = 4  # at most so many of them, 10 ms each


@dataclass(frozen=True)
class Surroundings:
    """Measurements around one face; each is None if there is too little to measure.

    Attributes:
        hair_alike: The share of the hair's outline, 0 to 1, along which the background has its colour.
        clothes_alike: The same of the clothes.
        background_level: The median brightness of the background beside the head, 0 to 255.
        person_level: The bright end (95th percentile) of the person with the clothes, 0 to 255.
    """

    hair_alike: float | None
    clothes_alike: float | None
    background_level: float | None
    person_level: float | None


def surroundings_of(pixels: np.ndarray, face: Face, mesh: np.ndarray) -> Surroundings:
    """Measure a person's surroundings. Takes about 15 ms.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: The person's, in its pixels.
        mesh: As from `face.mesh`.
    """
    height, width = pixels.shape[:2]
    centre, top = face.centre[0], face.box[1]
    beside, above, below = (reach * face.height for reach in _REACH)
    left, right = max(0, round(centre - beside)), min(width, round(centre + beside))
    first, last = max(0, round(top - above)), min(height, round(top + below))
    patch = pixels[first:last, left:right]
    if min(patch.shape[:2]) < 8:
        return Surroundings(None, None, None, None)
    small = cv2.resize(patch, (_MASK_PX, _MASK_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    person = models.run("selfie_segmentation", small[None])[0][0, :, :, 0] > 0.5
    scale = np.array([_MASK_PX / patch.shape[1], _MASK_PX / patch.shape[0]])
    points = (mesh[:, :2] - [left, first]) * scale
    face_px = face.height * float(np.sqrt(scale[0] * scale[1]))
    inside = cv2.distanceTransform(person.astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, 3)

    unit = face_px / _FACE_PX
    outline, distance = _colour_distance(small, inside, outside, unit)
    rows, columns = np.mgrid[:_MASK_PX, :_MASK_PX]
    chin = points[CHIN, 1]
    oval = np.zeros(person.shape, np.uint8)
    cv2.fillPoly(oval, [np.round(points[list(OVAL)]).astype(np.int32)], 1)
    off_face = cv2.distanceTransform(1 - oval, cv2.DIST_L2, 3)
    near = (off_face > _HAIR_REACH[0] * face_px) & (off_face < _HAIR_REACH[1] * face_px)
    face_rows = face.height * scale[1]
    framed = (rows > 2) & (rows < _MASK_PX - 3) & (columns > 2) & (columns < _MASK_PX - 3)
    hair = outline & framed & near & (rows < chin - 0.1 * face_rows)
    clothes = outline & framed & (rows > chin + 0.25 * face_rows)
    beside_head = (outside > 3 * unit) & (rows < chin)
    grey = 255 * cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    body = inside > 3 * unit
    return Surroundings(
        _share_alike(distance[hair]),
        _share_alike(distance[clothes]),
        float(np.median(grey[beside_head])) if beside_head.sum() > _MASK_PX else None,
        float(np.percentile(grey[body], 95)) if body.sum() > _MASK_PX else None,
    )


def _colour_distance(
    small: np.ndarray, inside: np.ndarray, outside: np.ndarray, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """The outline as a mask, and for each pixel the CIELAB distance between the colours on the outline's two sides."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    sides, enough = [], inside > 0
    for distance, (near, far) in ((inside, _INSIDE), (outside, _OUTSIDE)):
        band = ((distance > near * unit) & (distance < far * unit)).astype(np.float32)
        weight = cv2.GaussianBlur(band, (0, 0), _ALONG * unit)
        enough &= weight > 0.05
        sides.append(
            cv2.GaussianBlur(lab * band[..., None], (0, 0), _ALONG * unit) / np.maximum(weight, 1e-3)[..., None]
        )
    return enough & (inside <= 1.5), np.linalg.norm(sides[0] - sides[1], axis=2)


def _share_alike(distances: np.ndarray) -> float | None:
    return float(np.mean(distances < _ALIKE)) if distances.size >= _LEAST_OUTLINE else None


def has_neighbour(pixels: np.ndarray, face: Face, faces: Sequence[Face]) -> bool:
    """Whether somebody else's head or body touches that of this person.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: The person's, in its pixels.
        faces: All faces of the photo.
    """
    tested = 0
    for other in faces:
        share = other.height / face.height
        if other is face or other.score < _NEIGHBOUR_SCORE or share < _DISTANT_SHARE or not _touching(face, other):
            continue
        if share >= _NEIGHBOUR_SHARE:
            return True
        tested += 1
        if tested <= _DISTANT_TESTED and fit_mesh(pixels, other)[1] >= CLEAR_TRUST:
            return True
    return False


def _touching(face: Face, other: Face) -> bool:
    """Whether the columns that both bodies fill overlap beside or behind the area of the headshot."""
    x, other_x = face.centre[0], other.centre[0]
    top = other.box[1] - _HEAD_ABOVE * other.height
    bottom = face.box[1] + _REACH[2] * face.height
    return abs(x - other_x) < _BODY * (face.height + other.height) and top < bottom
