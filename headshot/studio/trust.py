"""How far a cut-out can be trusted: a number from what the networks, the colours and the neighbours say of it.

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
from .kernel import disc

Array = npt.NDArray[Any]

TRUSTED = 0.6  # from here on the cut-out is used; below it the photo's own background stays
_ABOVE, _BELOW, _BESIDE = 0.12, 0.55, 0.85  # the part that a headshot shows, in heads from crown, chin and middle
_ALIKE = 8.0  # a difference in CIELAB that a network, and an eye, can overlook along an edge
# Where each doubt begins to count, and where nothing is left of the trust.
_A_BORDER = 0.3  # of a pixel
_TOUCHING = 0.5, 1.5  # face heights of border with somebody else
_HEAD_DISAGREEMENT = 0.12, 0.32  # square face heights on which the networks contradict each other, at the head …
_DISAGREEMENT = 0.15, 0.50  # … and in all
_UNDECIDED = 0.085, 0.12  # square face heights of half-transparent person, other than a thin edge
_GUESSED = 0.04, 0.125  # square face heights along the edge where neither networks nor colours tell
_ENLARGED = 3.8, 5.8  # times that the face is enlarged: an edge of so few pixels cannot be drawn anew
_INDISTINCT = 0.25, 0.55  # the part of the edge where person and background have the same colours
_REMNANTS = 0.005, 0.018  # square face heights at the head that were kept and have the background's colours
_SHINING_THROUGH = 0.05, 0.10  # square face heights of hair through which the background shows
_CONTRADICTED = 0.055, 0.17  # square face heights on which the cut-out is not what the person mask sees
_SURE_HEAD, _SURE_BODY = (0.4, 0.8), (0.3, 0.7)  # of the networks' opinions: less is loose hair, or somebody behind
_A_SOFT_EDGE, _NEAR_OTHERS = 0.03, 0.6  # in face heights
_THE_SAME, _FOREIGN = 10.0, 30.0  # in CIELAB: what is the background's colour, and what is not the person's
_TOLD_APART, _HALF_WAY = 25.0, 0.45  # in CIELAB, between the two; and the part of the way from person to background
_VEILED, _CALM = (0.058, 0.088), 0.8  # square face heights of soft edge before what is less calm than this


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the trust is measured on, on a grid that covers the canvas.

    picture: (h, w, 3) uint8 RGB, the photo.  inside: (h, w) bool, where it has pixels.
    alpha: (h, w) float32, the cut-out.  guessed: (h, w) float32, 0…1, how much of it is a guess.
    salient, person: (h, w) float32, what U-2-Net and the person mask see of the chosen person.
    contact: (h, w) float32, 1 along the border with somebody else.
    head: in pixels of the grid.  face_px: the face's height in pixels of the grid.
    enlargement: how many times the face must be enlarged for a headshot.
    """

    picture: Array
    inside: Array
    alpha: Array
    guessed: Array
    salient: Array
    person: Array
    contact: Array
    head: Head
    face_px: float
    enlargement: float


def trust(seen: Evidence) -> float:
    """How far the cut-out can be trusted.

    Returns:
        0…1. From `TRUSTED` on a demanding eye accepts the cut-out on any backdrop; towards 0 body, hair or somebody
        else's parts are wrong.
    """
    shown, at_head = _shown(seen)
    area = seen.face_px**2
    apart = np.abs(seen.salient - seen.person) > 0.5
    undecided = (seen.alpha > 0.15) & (seen.alpha < 0.85)
    contradicted = np.abs(seen.alpha - seen.person) > 0.35
    kept, shining = _remnants(seen)

    def size(mask: Array, width: float) -> float:
        """Square face heights of what is at least that many face heights wide."""
        return float(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(width * seen.face_px)).sum() / area)

    doubts = (
        (float(((seen.contact > _A_BORDER) & shown).sum() / seen.face_px), _TOUCHING),
        (size(apart & at_head, 0.03), _HEAD_DISAGREEMENT),
        (size(apart & shown, 0.03), _DISAGREEMENT),
        (size(undecided & shown, 0.02), _UNDECIDED),
        (size(contradicted & shown, 0.02), _CONTRADICTED),
        (_indistinct(seen, shown), _INDISTINCT),
        (float((kept & at_head).sum() / area), _REMNANTS),
        (float((shining & at_head).sum() / area), _SHINING_THROUGH),
        (float((seen.guessed * shown).sum() / area), _GUESSED),
        (float((_veiled(seen) & at_head).sum() / area), _VEILED),
        (seen.enlargement, _ENLARGED),
    )
    left = [1 - float(np.clip((doubt - low) / (high - low), 0, 1)) for doubt, (low, high) in doubts]
    return float(np.prod(left))


def embrace(seen: Evidence) -> float:
    """How much somebody else touches the person above the chin: the length of their common border in face heights."""
    _, at_head = _shown(seen)
    return float(((seen.contact > _A_BORDER) & at_head).sum() / seen.face_px)


def likely(seen: Evidence, opinion: Array, others: Array) -> Array:
    """(h, w) float32, 0…1: the person as the networks see them, where the cut-out may be wrong.

    At the head what the networks together are sure of; of the body what the person mask is, for it is right about
    sleeves and hands that U-2-Net takes for furniture. Nothing is less than the cut-out, but near other people: there
    the person mask tells the person from what shows between the two.

    Args:
        seen: the evidence.
        opinion: (h, w) float32, 0…1, the networks' alpha.
        others: (h, w) float32, 0…1, people who touch the person.
    """
    sure_head, sure_body = (
        field * np.clip((field - low) / (high - low), 0, 1)
        for field, (low, high) in ((opinion, _SURE_HEAD), (seen.person, _SURE_BODY))
    )
    found: Array = np.maximum(seen.alpha, sure_head)
    body = np.s_[max(0, round(seen.head.chin)) :]
    to_others = cv2.distanceTransform((others <= 0.3).astype(np.uint8), cv2.DIST_L2, 5) / seen.face_px
    least = np.where(to_others < _NEAR_OTHERS, 0, seen.alpha) if others.any() else seen.alpha
    found[body] = np.maximum(least, sure_body)[body]
    _, pieces = cv2.connectedComponents((found > 0.5).astype(np.uint8))
    x, y = (round(place) for place in seen.head.eyes)
    own = cv2.dilate((pieces == pieces[y, x]).astype(np.uint8), disc(_A_SOFT_EDGE * seen.face_px))
    return np.where(own > 0, found, least)


def _shown(seen: Evidence) -> tuple[Array, Array]:
    """Masks of what a headshot shows of the photo, and of the part at the head's height."""
    rows, columns = seen.alpha.shape
    y, x = np.ogrid[:rows, :columns]
    head = seen.head
    shown = (
        (y >= head.crown - _ABOVE * head.height)
        & (y < head.chin + _BELOW * head.height)
        & (np.abs(x - head.middle) < _BESIDE * head.height)
        & seen.inside
    )
    return shown, shown & (y < head.chin)


def _indistinct(seen: Evidence, shown: Array) -> float:
    """The part of the outline along which the colours just inside are those just outside."""
    lab = _lab(seen.picture)
    body = (seen.alpha > 0.5).astype(np.uint8)
    inwards, outwards = (cv2.distanceTransform(mask, cv2.DIST_L2, 3) / seen.face_px for mask in (body, 1 - body))

    def near(distance: Array) -> tuple[Array, Array]:
        weight = ((distance > 0.02) & (distance < 0.09) & seen.inside).astype(np.float32)
        mean, covered = _mean_around(lab, weight, 0.06 * seen.face_px)
        return mean, covered > 0.02

    (within, known_within), (without, known_without) = near(inwards), near(outwards)
    edge = cv2.morphologyEx(body, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    edge &= shown & known_within & known_without
    alike = np.linalg.norm(within - without, axis=2) < _ALIKE
    return float((alike & edge).sum() / max(int(edge.sum()), 1))


def _remnants(seen: Evidence) -> tuple[Array, Array]:
    """Two (h, w) bool: what the cut-out holds of the background near its edge, by its colour; the face itself never is.

    The first is the background's colour and not the person's; the second, nearer to the edge, lies at least half way
    from the one to the other, as hair does through which the background shines.
    """
    size = seen.alpha.shape[1] // 2, seen.alpha.shape[0] // 2
    picture, alpha = (cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in (seen.picture, seen.alpha))
    inside = cv2.resize(seen.inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    unit, head, lab = seen.face_px / 2, seen.head.scaled(0.5), _lab(picture)
    outside = cv2.erode(((alpha < 0.03) & inside).astype(np.float32), np.ones((3, 3), np.uint8))
    within = cv2.erode(((alpha > 0.97) & inside).astype(np.float32), disc(0.04 * unit))

    (background, known), (person, _) = _mean_around(lab, outside, 0.15 * unit), _mean_around(lab, within, 0.12 * unit)
    from_background, from_person = (np.linalg.norm(lab - mean, axis=2) for mean in (background, person))
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.ogrid[: lab.shape[0], : lab.shape[1]]
    across, down = (x - head.eyes[0]) / (0.42 * unit), (y - head.eyes[1] - 0.12 * unit) / (0.62 * unit)
    beside_the_face = (known > 0.02) & (across**2 + down**2 > 1)
    kept = beside_the_face & (alpha > 0.6) & (depth < 0.35 * unit)
    kept &= (from_background < _THE_SAME) & (from_person > _FOREIGN)
    apart = background - person
    contrast = np.linalg.norm(apart, axis=2)
    part_of_the_way = np.einsum("ijk,ijk->ij", lab - person, apart) / np.maximum(contrast**2, 1)
    shining = beside_the_face & (alpha > 0.5) & (depth < 0.2 * unit) & (contrast > _TOLD_APART)
    shining &= part_of_the_way > _HALF_WAY

    def enlarged(mask: Array) -> Array:
        found = cv2.resize(mask.astype(np.uint8), seen.alpha.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return np.asarray(found)

    return enlarged(kept), enlarged(shining)


def _veiled(seen: Evidence) -> Array:
    """(h, w) bool: where the networks' edge is soft, as hair's is, before a background that is not calm."""
    size = seen.alpha.shape[1] // 2, seen.alpha.shape[0] // 2
    picture, salient = (cv2.resize(field, size, interpolation=cv2.INTER_AREA) for field in (seen.picture, seen.salient))
    busy = calmness(picture.astype(np.float32) / 255, salient, seen.face_px / 2) < _CALM
    busy = cv2.resize(busy.astype(np.uint8), seen.alpha.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return busy & (seen.salient > 0.1) & (seen.salient < 0.9)


def _mean_around(lab: Array, weight: Array, sigma: float) -> tuple[Array, Array]:
    """(h, w, 3), the mean colour around each place, of what has weight there, and (h, w), how much of that there is."""
    covered = cv2.GaussianBlur(weight, (0, 0), sigma)
    return cv2.GaussianBlur(lab * weight[..., None], (0, 0), sigma) / np.maximum(covered, 1e-4)[..., None], covered


def _lab(picture: Array) -> Array:
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
