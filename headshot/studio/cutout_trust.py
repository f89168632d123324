"""How far a cut-out can be trusted: one number from the networks, the colours and the people nearby.

Each doubt is measured where a headshot shows it, in face heights or square face heights, and lowers the trust from 1
towards 0 between two bounds. The bounds were set on 35 ordinary photos whose cut-outs were judged by eye at full size:
all that were broken lie below `TRUSTED`, nearly all that were good lie above.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .cutout.alpha import calmness
from .framing import Head
from .morphology import disc

Array = npt.NDArray[Any]

TRUSTED = 0.6  # from here on the cut-out is used; below it the photo's own background stays
_ABOVE, _BELOW, _BESIDE = 0.12, 0.55, 0.85  # the part that a headshot shows, in heads from crown, chin and middle
_ALIKE_LAB = 8.0  # a difference in CIELAB that a network, and an eye, can overlook along an edge
# Where each doubt begins to count, and where nothing is left of the trust.
_BORDER_PIXEL = 0.3  # of a pixel
_TOUCHING = 0.5, 1.5  # face heights of border with somebody else
_HEAD_DISAGREEMENT = 0.12, 0.32  # square face heights on which the networks contradict each other, at the head …
_DISAGREEMENT = 0.15, 0.50  # … and in all
_UNDECIDED = 0.085, 0.12  # square face heights of half-transparent person, other than a thin edge
_UNCERTAIN = 0.04, 0.125  # square face heights along the edge where neither networks nor colours tell
_ENLARGEMENT = 3.8, 5.8  # times that the face is enlarged: an edge of so few pixels cannot be redrawn
_INDISTINCT = 0.25, 0.55  # the part of the edge where person and background have the same colours
_REMNANTS = 0.005, 0.018  # square face heights at the head that were kept and have the background's colours
_SHINING_THROUGH = 0.05, 0.10  # square face heights of hair through which the background shows
_CONTRADICTED = 0.055, 0.17  # square face heights on which the cut-out is not what the person mask sees
_SURE_HEAD, _SURE_BODY = (0.4, 0.8), (0.3, 0.7)  # of the networks' opinions: less is loose hair, or somebody behind
_EDGE_REACH, _NEAR_OTHERS = 0.03, 0.6  # in face heights
_SAME_LAB, _FOREIGN_LAB = 10.0, 30.0  # in CIELAB: what is the background's colour, and what is not the person's
_CONTRAST_LAB, _PART_OF_THE_WAY = (
    25.0,
    0.45,
)  # in CIELAB, between the two; the part of the way from person to background
_SOFT_EDGE, _CALM = (0.058, 0.088), 0.8  # square face heights of soft edge before a background less calm than this


@dataclass(frozen=True, eq=False)
class Evidence:
    """The measurements behind a trust score, on a grid that covers the canvas.

    Attributes:
        picture: (h, w, 3) uint8 RGB, the photo.
        in_photo: (h, w) bool, where the photo has pixels.
        alpha: (h, w) float32 0…1, the cut-out.
        uncertain: (h, w) float32 0…1, how far alpha is a guess.
        salient: (h, w) float32 0…1, the chosen person as U-2-Net sees them.
        person: (h, w) float32 0…1, the chosen person as the person mask sees them.
        contact: (h, w) float32, 1 along the border with somebody else.
        head: in pixels of the grid.
        face_px: the face's height in pixels of the grid.
        enlargement: how many times the face must be enlarged for a headshot.
    """

    picture: Array
    in_photo: Array
    alpha: Array
    uncertain: Array
    salient: Array
    person: Array
    contact: Array
    head: Head
    face_px: float
    enlargement: float


def trust_score(evidence: Evidence) -> float:
    """Return how far the cut-out can be trusted.

    Returns:
        0…1. From `TRUSTED` on a demanding eye accepts the cut-out on any backdrop; towards 0 body, hair or somebody
        else's parts are wrong.
    """
    shown, at_head = _headshot_masks(evidence)
    area = evidence.face_px**2
    apart = np.abs(evidence.salient - evidence.person) > 0.5
    undecided = (evidence.alpha > 0.15) & (evidence.alpha < 0.85)
    contradicted = np.abs(evidence.alpha - evidence.person) > 0.35
    kept, shining = _remnants(evidence)

    def size(mask: Array, width: float) -> float:
        """Square face heights of what is at least that many face heights wide."""
        return float(
            cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(width * evidence.face_px)).sum() / area
        )

    doubts = (
        (float(((evidence.contact > _BORDER_PIXEL) & shown).sum() / evidence.face_px), _TOUCHING),
        (size(apart & at_head, 0.03), _HEAD_DISAGREEMENT),
        (size(apart & shown, 0.03), _DISAGREEMENT),
        (size(undecided & shown, 0.02), _UNDECIDED),
        (size(contradicted & shown, 0.02), _CONTRADICTED),
        (_indistinct(evidence, shown), _INDISTINCT),
        (float((kept & at_head).sum() / area), _REMNANTS),
        (float((shining & at_head).sum() / area), _SHINING_THROUGH),
        (float((evidence.uncertain * shown).sum() / area), _UNCERTAIN),
        (float((_soft_edge_before_busy(evidence) & at_head).sum() / area), _SOFT_EDGE),
        (evidence.enlargement, _ENLARGEMENT),
    )
    left = [1 - float(np.clip((doubt - low) / (high - low), 0, 1)) for doubt, (low, high) in doubts]
    return float(np.prod(left))


def contact_length(evidence: Evidence) -> float:
    """Return the length of the border with somebody else above the chin, in face heights."""
    _, at_head = _headshot_masks(evidence)
    return float(((evidence.contact > _BORDER_PIXEL) & at_head).sum() / evidence.face_px)


def likely_person(evidence: Evidence, opinion: Array, others: Array) -> Array:
    """Return the person as the networks see them, where the cut-out may be wrong, (h, w) float32 0…1.

    At the head it is all that the networks together are sure of. Of the body it is the person mask, which is right
    about sleeves and hands that U-2-Net mistakes for furniture. It is nowhere less than the cut-out except near other
    people: there the person mask separates the person from the gap between the two.

    Args:
        evidence: of the analysed photo.
        opinion: (h, w) float32, 0…1, the networks' alpha.
        others: (h, w) float32, 0…1, people who touch the person.
    """
    sure_head, sure_body = (
        field * np.clip((field - low) / (high - low), 0, 1)
        for field, (low, high) in ((opinion, _SURE_HEAD), (evidence.person, _SURE_BODY))
    )
    found: Array = np.maximum(evidence.alpha, sure_head)
    body = np.s_[max(0, round(evidence.head.chin)) :]
    to_others = cv2.distanceTransform((others <= 0.3).astype(np.uint8), cv2.DIST_L2, 5) / evidence.face_px
    least = np.where(to_others < _NEAR_OTHERS, 0, evidence.alpha) if others.any() else evidence.alpha
    found[body] = np.maximum(least, sure_body)[body]
    _, pieces = cv2.connectedComponents((found > 0.5).astype(np.uint8))
    x, y = (round(place) for place in evidence.head.eyes)
    own = cv2.dilate((pieces == pieces[y, x]).astype(np.uint8), disc(_EDGE_REACH * evidence.face_px))
    return np.where(own > 0, found, least)


def _headshot_masks(evidence: Evidence) -> tuple[Array, Array]:
    """Two (h, w) bool masks: the part of the photo that a headshot shows, and of that the rows above the chin."""
    rows, columns = evidence.alpha.shape
    y, x = np.ogrid[:rows, :columns]
    head = evidence.head
    shown = (
        (y >= head.crown - _ABOVE * head.height)
        & (y < head.chin + _BELOW * head.height)
        & (np.abs(x - head.middle) < _BESIDE * head.height)
        & evidence.in_photo
    )
    return shown, shown & (y < head.chin)


def _indistinct(evidence: Evidence, shown: Array) -> float:
    """The part of the outline along which the colours just inside and just outside are the same."""
    lab = _to_lab(evidence.picture)
    body = (evidence.alpha > 0.5).astype(np.uint8)
    inwards, outwards = (cv2.distanceTransform(mask, cv2.DIST_L2, 3) / evidence.face_px for mask in (body, 1 - body))

    def near(distance: Array) -> tuple[Array, Array]:
        weight = ((distance > 0.02) & (distance < 0.09) & evidence.in_photo).astype(np.float32)
        mean, covered = _local_mean(lab, weight, 0.06 * evidence.face_px)
        return mean, covered > 0.02

    (within, known_within), (without, known_without) = near(inwards), near(outwards)
    edge = cv2.morphologyEx(body, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    edge &= shown & known_within & known_without
    alike = np.linalg.norm(within - without, axis=2) < _ALIKE_LAB
    return float((alike & edge).sum() / max(int(edge.sum()), 1))


def _remnants(evidence: Evidence) -> tuple[Array, Array]:
    """Two (h, w) bool masks of background that the cut-out kept near its edge, by colour; never on the face itself.

    Pixels of the first have the background's colour and not the person's. Pixels of the second, nearer to the edge, are
    almost half way from the person's colour to the background's, as hair is if the background shines through it.
    """
    size = evidence.alpha.shape[1] // 2, evidence.alpha.shape[0] // 2
    picture, alpha = (
        cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in (evidence.picture, evidence.alpha)
    )
    inside = cv2.resize(evidence.in_photo.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    unit, head, lab = evidence.face_px / 2, evidence.head.scaled(0.5), _to_lab(picture)
    outside = cv2.erode(((alpha < 0.03) & inside).astype(np.float32), np.ones((3, 3), np.uint8))
    within = cv2.erode(((alpha > 0.97) & inside).astype(np.float32), disc(0.04 * unit))

    (background, known), (person, _) = _local_mean(lab, outside, 0.15 * unit), _local_mean(lab, within, 0.12 * unit)
    from_background, from_person = (np.linalg.norm(lab - mean, axis=2) for mean in (background, person))
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.ogrid[: lab.shape[0], : lab.shape[1]]
    across, down = (x - head.eyes[0]) / (0.42 * unit), (y - head.eyes[1] - 0.12 * unit) / (0.62 * unit)
    beside_the_face = (known > 0.02) & (across**2 + down**2 > 1)
    kept = beside_the_face & (alpha > 0.6) & (depth < 0.35 * unit)
    kept &= (from_background < _SAME_LAB) & (from_person > _FOREIGN_LAB)
    apart = background - person
    contrast = np.linalg.norm(apart, axis=2)
    part_of_the_way = np.einsum("ijk,ijk->ij", lab - person, apart) / np.maximum(contrast**2, 1)
    shining = beside_the_face & (alpha > 0.5) & (depth < 0.2 * unit) & (contrast > _CONTRAST_LAB)
    shining &= part_of_the_way > _PART_OF_THE_WAY

    def enlarged(mask: Array) -> Array:
        found = cv2.resize(mask.astype(np.uint8), evidence.alpha.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return np.asarray(found)

    return enlarged(kept), enlarged(shining)


def _soft_edge_before_busy(evidence: Evidence) -> Array:
    """(h, w) bool: where the networks' edge is as soft as hair before a background that is not calm."""
    size = evidence.alpha.shape[1] // 2, evidence.alpha.shape[0] // 2
    picture, salient = (
        cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in (evidence.picture, evidence.salient)
    )
    busy = calmness(picture.astype(np.float32) / 255, salient, evidence.face_px / 2) < _CALM
    busy = cv2.resize(busy.astype(np.uint8), evidence.alpha.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return busy & (evidence.salient > 0.1) & (evidence.salient < 0.9)


def _local_mean(lab: Array, weight: Array, sigma: float) -> tuple[Array, Array]:
    """The weighted mean colour around each pixel, (h, w, 3), and the mean weight there, (h, w)."""
    covered = cv2.GaussianBlur(weight, (0, 0), sigma)
    return cv2.GaussianBlur(lab * weight[..., None], (0, 0), sigma) / np.maximum(covered, 1e-4)[..., None], covered


def _to_lab(picture: Array) -> Array:
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
