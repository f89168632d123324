"""Cut the person out: a hair-accurate alpha and clean foreground colours.

Two small networks say roughly where the person is; local colour statistics say exactly. Sources:
- U-2-Net (Qin et al. 2020) for the edges, MediaPipe's selfie segmentation as a guard against furniture, holes
  and neighbours.
- Near the outline, the networks' alpha is the prior and the pixel's place on the line between the local foreground
  and background colours is the measurement (as in sampling-based matting, Gastal and Oliveira 2010); both are
  weighed by their variances, so that a busy background is left to the networks.
- At the finest effort, closed-form matting (Levin et al. 2006) over that, solved matrix-free with box filters
  (He, Sun and Tang 2010).
- Foreground colours by blur fusion (Forte and Pitié 2021), twice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .. import models
from ..face import Face

Array = np.ndarray

_U2NET_PX = 320
_SELFIE_PX = 256
_IMAGENET_MEAN = np.float32([0.485, 0.456, 0.406])
_IMAGENET_STD = np.float32([0.229, 0.224, 0.225])
# The square that holds all a headshot shows, and how far its centre lies below the face's: in face heights, by eye.
_BUST_SIDE, _BUST_BELOW = 3.2, 0.28
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


@dataclass(frozen=True, eq=False)
class Outline:
    """What the networks see, on the bust's region of the photo.

    alpha, person: (h, w) float32, 0…1, reduced: `scale` is region pixels to photo pixels, at most 1.
    crown: the photo's y of the highest hair.
    """

    region: Region
    scale: float
    alpha: Array
    person: Array
    crown: float

    def on_canvas(self, canvas_from_photo: Array, size: tuple[int, int]) -> tuple[Array, Array]:
        """alpha and person on a canvas of `size` (width, height); beyond the photo's border the last row repeats."""
        affine = canvas_from_photo.copy()
        affine[:, 2] += affine[:, :2] @ [self.region.left, self.region.top]
        affine[:, :2] /= self.scale
        both = np.dstack([self.alpha, self.person])
        warped = cv2.warpAffine(both, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.clip(warped[..., 0], 0, 1), np.clip(warped[..., 1], 0, 1)


def outline(pixels: Array, face: Face, others: list[Face], *, steps: int) -> Outline:
    """Run the networks on the bust, then finer on the head that was found there.

    steps: 21 runs each once; from 31 on the head is also seen in the mirror and both opinions averaged, which evens
    out what the network guesses at.
    """
    x, y = face.centre
    bust = _region(pixels, x, y + _BUST_BELOW * face.height, _BUST_SIDE * face.height, _BUST_SIDE * face.height)
    # The head is resolved at about 145 network pixels a face height; more canvas would only hold interpolation.
    scale = min(1.0, 300 / face.height)
    patch = cv2.resize(bust.of(pixels), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = patch.shape[1::-1]
    alpha = _salient(patch, size)
    person = cv2.resize(_person(patch), size, interpolation=cv2.INTER_LINEAR)
    height = face.height * scale
    own = _not_the_neighbours(patch, face, others, bust, scale)
    body = _joined_to_face(np.maximum(alpha, person) * own, face, bust, scale)
    head = _head_extent(body, face, bust, scale)

    patch_head = head.of(patch)
    finer = _salient(patch_head, patch_head.shape[1::-1])
    if steps > 21:
        mirrored = _salient(np.ascontiguousarray(patch_head[:, ::-1]), patch_head.shape[1::-1])
        finer = (finer + mirrored[:, ::-1]) / 2
    weight = _window(head, size, 0.1 * height)
    head.of(alpha)[:] += (finer - head.of(alpha)) * weight

    alpha = _guarded(alpha, person, height) * own
    alpha *= _joined_to_face(alpha, face, bust, scale)
    rows = np.flatnonzero(alpha[:, head.left : head.right].max(axis=1) > 0.5)
    crown = bust.top + (rows[0] if rows.size else 0) / scale
    return Outline(bust, scale, alpha, person, float(crown))


def refine(canvas: Array, alpha: Array, face_px: float, *, native: bool, steps: int) -> tuple[Array, Array]:
    """From the networks' alpha to a hair-accurate one, and the foreground's colours.

    canvas: (H, W, 3) float32 RGB, 0…1.  alpha: (H, W) float32, the networks' opinion.  face_px: the face's height on
    the canvas.  native: the canvas shows detail finer than half its size, so the last pass runs at full size.
    Returns alpha (H, W) float32 and foreground (H, W, 3) float32, both 0…1.
    """
    half = cv2.resize(canvas, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    prior = cv2.resize(alpha, half.shape[1::-1], interpolation=cv2.INTER_AREA)
    height = face_px / 2
    surely_in = np.clip((cv2.erode(prior, _disc(0.05 * height)) - 0.9) / 0.09, 0, 1)
    surely_out = np.clip((0.06 - cv2.dilate(prior, _disc(0.08 * height))) / 0.05, 0, 1)
    prior = _without_haze(half, prior, height)
    colours = _LocalColours(half, surely_in, surely_out, 0.06 * height)
    gate = colours.trust(height)
    spread = cv2.GaussianBlur(prior, (0, 0), 0.025 * height)
    doubt = np.maximum(spread * (1 - spread), prior * (1 - prior)) * 0.6 * gate + 1e-5
    found = colours.posterior(half, prior, doubt)
    found = np.where(surely_in > 0.99, 1, np.where(surely_out > 0.99, 0, found)).astype(np.float32)
    if steps >= 41:
        found = _closed_form(half, found, doubt, gate)
    slope = 2.0 - 0.86 * gate
    fore, back = _blur_fusion(half, _steepened(found, slope), height)

    size = canvas.shape[1::-1]
    result = cv2.resize(found, size, interpolation=cv2.INTER_CUBIC)
    if native:
        rows, columns = np.nonzero(cv2.resize(doubt, size, interpolation=cv2.INTER_LINEAR) > 0.02)
        sharp = colours.enlarged(size, rows, columns).posterior(
            canvas[rows, columns],
            result[rows, columns],
            cv2.resize(doubt, size, interpolation=cv2.INTER_LINEAR)[rows, columns],
        )
        result[rows, columns] = sharp
    result = _steepened(result, cv2.resize(slope, size, interpolation=cv2.INTER_LINEAR))
    return result, _foreground(canvas, result, cv2.resize(fore, size), cv2.resize(back, size))


class _LocalColours:
    """Mean and spread of the sure foreground and background around each pixel.

    fore, back: (..., 3).  fore_spread: variance of the foreground's place on the line, back_variance in squared colour.
    """

    def __init__(self, picture: Array, surely_in: Array, surely_out: Array, radius: float) -> None:
        self.fore = _mean_around(picture, surely_in, radius)
        self.back = _mean_around(picture, surely_out, radius)
        off = picture - self.back
        self.back_variance = _mean_around((off * off).sum(2), surely_out, radius)
        self.line = self.fore - self.back
        self.line_squared = (self.line * self.line).sum(2) + 1e-5
        short = 1 - (off * self.line).sum(2) / self.line_squared
        self.fore_spread = _mean_around(np.minimum(short * short, 1), surely_in, radius)

    def trust(self, height: float) -> Array:
        """(H, W) 0…1: how far colour can tell person from backdrop here; 0 on a busy or equally coloured backdrop."""
        calm = np.clip(1.6 - np.sqrt(self.back_variance) / 0.025, 0, 1)
        apart = np.clip(np.sqrt(self.line_squared) / 0.18 - 0.7, 0, 1)
        return cv2.GaussianBlur(cv2.erode(calm * apart, _disc(0.05 * height)), (0, 0), 0.04 * height)

    def posterior(self, picture: Array, prior: Array, doubt: Array) -> Array:
        """The mean of two Gaussians: the networks' alpha with variance `doubt`, and the place on the colour line."""
        place = np.clip(((picture - self.back) * self.line).sum(-1) / self.line_squared, 0, 1)
        variance = 2 * self.back_variance / self.line_squared * (1 - place) ** 2 + 0.5 * self.fore_spread * place**2
        variance += 0.003
        return (place / variance + prior / doubt) / (1 / variance + 1 / doubt)

    def enlarged(self, size: tuple[int, int], rows: Array, columns: Array) -> "_LocalColours":
        """The same statistics at single pixels of a picture of `size`."""
        chosen = object.__new__(_LocalColours)
        for name, field in vars(self).items():
            setattr(chosen, name, cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)[rows, columns])
        return chosen


def _mean_around(values: Array, weight: Array, radius: float) -> Array:
    """The weighted mean near each pixel: over the smallest of three neighbourhoods that holds enough weight."""
    stacked = values if values.ndim == 3 else values[..., None]
    total = np.zeros_like(stacked)
    taken = np.zeros(weight.shape, np.float32)
    for octave in range(3):
        sigma = radius * 2**octave / 3
        reduce = min(1.0, 2.7 / sigma)
        products = cv2.resize(
            np.dstack([stacked * weight[..., None], weight]), None, fx=reduce, fy=reduce, interpolation=cv2.INTER_AREA
        )
        products = cv2.GaussianBlur(products, (0, 0), sigma * reduce)
        products = cv2.resize(products, weight.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        here = products[..., -1]
        share = (1 - taken) * np.clip(here / 0.1, 0, 1)
        total += products[..., :-1] * (share / np.maximum(here, 1e-5))[..., None]
        taken += share
    total /= np.maximum(taken, 1e-4)[..., None]
    return total if values.ndim == 3 else total[..., 0]


def _without_haze(picture: Array, alpha: Array, height: float) -> Array:
    """Lower the small network's half-transparent rim to where the picture itself has an edge; never raise it."""
    band = np.nonzero((alpha > 0.02) & (alpha < 0.98))
    if band[0].size == 0:
        return alpha
    smooth = _guided(picture, max(2, round(0.045 * height)), 2e-5)
    lowered = alpha
    for _ in range(2):
        lowered = np.minimum(lowered, 0.25 * lowered + 0.75 * np.clip(smooth(lowered), 0, 1))
    return lowered


def _closed_form(picture: Array, alpha: Array, doubt: Array, gate: Array) -> Array:
    """Levin's matting Laplacian with the alpha so far as a soft constraint, in the box around the doubtful band.

    The Laplacian is applied with box filters, never built; conjugate gradients, 24 rounds, from the alpha so far.
    Where the backdrop is busy the result is left out: there the colour-line model does not hold.
    """
    rows, columns = np.nonzero((doubt > 0.02) & (gate > 0.3))
    if rows.size < 50:
        return alpha
    box = np.s_[max(rows.min() - 4, 0) : rows.max() + 5, max(columns.min() - 4, 0) : columns.max() + 5]
    guide, start, band = picture[box], alpha[box], doubt[box]
    smooth = _guided(guide, 1, 1e-6)
    pull = 0.02 / np.maximum(band, 1e-3)

    def operator(field: Array) -> Array:
        return field - smooth(field) + pull * field

    solution = start.copy()
    residual = pull * start - operator(solution)
    direction = residual.copy()
    power = float((residual * residual).sum())
    for _ in range(24):
        if power < 1e-6:
            break
        image = operator(direction)
        step = power / float((direction * image).sum())
        solution += step * direction
        residual -= step * image
        last, power = power, float((residual * residual).sum())
        direction = residual + (power / last) * direction
    reach = cv2.dilate(start, _disc(3))
    solution = np.clip(solution, 0, np.minimum(1, reach))
    weight = np.clip(gate[box] * np.clip(band / 0.02, 0, 1), 0, 1)
    result = alpha.copy()
    result[box] += (solution - start) * weight
    return result


def _guided(guide: Array, radius: int, epsilon: float) -> Callable[[Array], Array]:
    """The guided filter with a colour guide (He, Sun and Tang 2013); `epsilon` is a variance of 0…1 colours.

    With the smallest radius, `field − filtered` is the matting Laplacian applied to the field (the same authors, 2010,
    equation 14), which is how it serves the closed form.
    """
    side = (2 * radius + 1,) * 2

    def box(values: Array) -> Array:
        return cv2.blur(values, side, borderType=cv2.BORDER_REFLECT)

    mean = box(guide)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    moments = box(np.dstack([guide[..., i] * guide[..., j] for i, j in pairs]))
    rr, rg, rb, gg, gb, bb = (
        moments[..., k] - mean[..., i] * mean[..., j] + (epsilon if i == j else 0) for k, (i, j) in enumerate(pairs)
    )
    first = [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg]
    rest = [rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg]
    determinant = rr * first[0] + rg * first[1] + rb * first[2]
    a, b, c, d, e, f = (minor / determinant for minor in [*first, *rest])  # the inverse covariance, upper half

    def apply(field: Array) -> Array:
        averages = box(np.dstack([guide * field[..., None], field]))
        middle = averages[..., 3]
        x, y, z = (averages[..., k] - mean[..., k] * middle for k in range(3))
        slope = np.dstack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z])
        offset = middle - (slope * mean).sum(2)
        smooth = box(np.dstack([slope, offset]))
        filtered: Array = (smooth[..., :3] * guide).sum(2) + smooth[..., 3]
        return filtered

    return apply


def _blur_fusion(picture: Array, alpha: Array, height: float) -> tuple[Array, Array]:
    fore = back = picture
    alpha3 = alpha[..., None]
    for radius in (0.36 * height, 0.03 * height):  # the paper's 90 and 6 pixels, for its faces
        side = (max(3, int(radius) | 1),) * 2
        covered = cv2.blur(alpha, side)[..., None]
        mean_fore = cv2.blur(fore * alpha3, side) / (covered + 1e-4)
        mean_back = cv2.blur(back * (1 - alpha3), side) / (1 - covered + 1e-4)
        fore = np.clip(mean_fore + alpha3 * (picture - alpha3 * mean_fore - (1 - alpha3) * mean_back), 0, 1)
        back = mean_back
    return fore, back


def _foreground(canvas: Array, alpha: Array, fore: Array, back: Array) -> Array:
    """The estimated colours in the band, the canvas's own where it is all person."""
    result = canvas.copy()
    rows, columns = np.nonzero(alpha < 0.995)
    a = alpha[rows, columns][:, None]
    f, b = fore[rows, columns], back[rows, columns]
    result[rows, columns] = np.clip(f + a * (canvas[rows, columns] - a * f - (1 - a) * b), 0, 1)
    return result


def _steepened(alpha: Array, slope: Array) -> Array:
    """The faint ends of the alpha are the networks' haze, not hair: cut off, and the more so the busier the backdrop."""
    return np.clip((alpha - 0.5) * slope + 0.5, 0, 1)


def _guarded(alpha: Array, person: Array, height: float) -> Array:
    """Drop what is far from any person, fill what is well inside one."""
    near = cv2.GaussianBlur(cv2.dilate(person, _disc(0.05 * height)), (0, 0), 0.02 * height)
    inside = cv2.GaussianBlur(cv2.erode(person, _disc(0.09 * height)), (0, 0), 0.02 * height)
    agreed = np.clip((cv2.GaussianBlur(alpha, (0, 0), 0.15 * height) - 0.4) / 0.2, 0, 1)
    filled = np.maximum(alpha, np.clip((inside - 0.5) / 0.4, 0, 1) * agreed)
    return filled * np.clip((near - 0.1) / 0.3, 0, 1)


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
    return cv2.GaussianBlur(cv2.dilate(piece, _disc(0.07 * height)), (0, 0), 0.01 * height)


def _not_the_neighbours(patch: Array, face: Face, others: list[Face], bust: Region, scale: float) -> Array:
    """0 on other people, 1 elsewhere: a watershed from each person's face and the column below it."""
    # Smaller faces stand far behind: their bodies are not joined to this one, and a false find must not cut it.
    crowd = [face, *(other for other in others if other.height > 0.55 * face.height and other.score > 0.75)]
    if len(crowd) == 1:
        return np.ones(patch.shape[:2], np.float32)
    marks = np.zeros(patch.shape[:2], np.int32)
    for number, someone in enumerate(crowd, start=1):
        x, y = ((np.array(someone.centre) - [bust.left, bust.top]) * scale).astype(int).tolist()
        half_width, half_height = int(someone.box[2] * scale * 0.42), int(someone.height * scale * 0.5)
        cv2.ellipse(marks, (x, y), (half_width, half_height), 0, 0, 360, number, -1)
        chest_half = int(half_width * 0.8)
        cv2.rectangle(marks, (x - chest_half, y + half_height), (x + chest_half, patch.shape[0]), number, -1)
    smooth = cv2.bilateralFilter(patch, 5, 30, 5)
    cv2.watershed(smooth, marks)
    own = (marks <= 1).astype(np.uint8)  # -1 is the line between two people
    return cv2.GaussianBlur(own.astype(np.float32), (0, 0), 0.008 * face.height * scale)


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


def _disc(radius: float) -> Array:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _salient(patch: Array, size: tuple[int, int]) -> Array:
    small = cv2.resize(patch, (_U2NET_PX, _U2NET_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    batch = (small / max(float(small.max()), 1.0) - _IMAGENET_MEAN) / _IMAGENET_STD
    opinion = models.run("u2netp", batch.transpose(2, 0, 1)[None])[0][0, 0]
    return np.clip(cv2.resize(opinion, size, interpolation=cv2.INTER_CUBIC), 0, 1)


def _person(patch: Array) -> Array:
    small = cv2.resize(patch, (_SELFIE_PX, _SELFIE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return models.run("selfie_segmentation", small[None])[0][0, :, :, 0]
