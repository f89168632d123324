"""A hair-accurate alpha and the person's own colours, from the networks' outline.

The networks know the outline to some pixels; the colours near it, if they differ, know it to the pixel (`colours.py`).
The networks are doubted most where two of their opinions differ, where their edge is wide (hair), and where the
backdrop is calm enough for a strand to show. Elsewhere (an ear, a collar, a sleeve in front of a bookcase) only the
width of their edge is in doubt. Then closed-form matting (Levin et al. 2006),
matrix-free with box filters (He, Sun and Tang 2010), joins neighbouring pixels of like colour.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.studio.morphology import disc

from .colours import Mixture, Palette, posterior

Array = npt.NDArray[Any]

# Lengths are in face heights. By the mean error of alpha on drawn hair before six backdrops, and by eye.
_WIDE = 0.08  # how deep the doubt goes on either side of the networks' edge where they are doubted, …
_NARROW_IN, _NARROW_OUT = 0.035, 0.03  # … and where they are not
_SURE = 0.94  # the networks' alpha from which a pixel is surely person
_EDGE_WIDTHS = 0.05, 0.12  # of the networks' ramp: cloth and skin have up to the first, hair from the second
_CALM = 0.03  # the standard deviation, in 0…1 colours, of a backdrop in front of which single strands show
_FIRM, _FIRM_SLOPE, _FIRM_LEVEL = 0.010, 2.3, 0.58  # how a clean contour is drawn: its sigma, steepness and place
_FRINGE = 2  # pixels, of half the canvas, inside a contour that may still hold the backdrop's colour
_SHEEN = 0.25  # of the way to the backdrop's colour: hair may shine as far, but twice as far is only the backdrop
_INFORMATIVE = 0.012  # the variance of alpha from which colours say too little
_UNCERTAIN = 0.03  # the variance of alpha from which a pixel's is no more than a guess: it may be wrong by a sixth
_FIRM_HAIR = 0.25  # how much of the clean contour above the eyes
_HAIR = 0.5  # the softness of the networks' edge from which it is all hair
_BUSY_TRUST = 0.35  # how far a second opinion counts before a busy backdrop, where the person mask frays


@dataclass(frozen=True)
class _Effort:
    """The work of one number of steps.

    Attributes:
        passes: of the colour posterior, each with the colours that the last one found.
        clusters: of the person and of the backdrop.
        rounds: of closed form.
        slack: how far closed form may leave the posterior.
    """

    passes: int
    clusters: tuple[int, int]
    rounds: int
    slack: float


_EFFORTS = {21: _Effort(1, (5, 6), 4, 500), 31: _Effort(2, (5, 6), 4, 500), 41: _Effort(3, (5, 6), 24, 2000)}


def refine(
    canvas: Array,
    alpha: Array,
    second: Array,
    face_px: float,
    *,
    native: bool,
    steps: int,
    head: tuple[float, float] = (-np.inf, -np.inf),
) -> tuple[Array, Array, Array]:
    """Refine the networks' outline to a hair-accurate alpha, and remove the old backdrop from the person's colours.

    Args:
        canvas: (H, W, 3) float32 RGB 0…1.
        alpha: (H, W) float32 0…1, the networks' opinion.
        second: (H, W) float32 0…1, the opinion that differs most from it.
        face_px: the face's height on the canvas.
        native: whether the canvas shows detail finer than twice its pixel, so that alpha can follow it.
        steps: 21, 31 or 41, the effort.
        head: the rows of eyes and chin: above them the outline is mostly hair, below them cloth; by default all cloth.

    Returns:
        Alpha (H, W) float32 0…1; the foreground (H, W, 3) float32 0…1; and (h, w) bool, at half the size: where neither
        the networks nor the colours separate person and backdrop.
    """
    effort = _EFFORTS[steps]
    half = cv2.resize(canvas, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cloth = np.interp(np.arange(len(half)), [row / 2 for row in head], (_FIRM_HAIR, 1)).astype(np.float32)[:, None]
    band = _UncertainBand(half, alpha, second, face_px / 2, cloth)
    mixture = _colour_posterior(half, band, effort)
    found = _closed_form_in_band(half, band, mixture, effort)
    found = _firm_contour(_connected(_filled(found, band), band), band, mixture)
    uncertain = _with_band_values(np.zeros(found.shape, bool), band, mixture.variance > _UNCERTAIN)
    return *_upscaled(canvas, half, found, band, mixture, native=native), uncertain


class _UncertainBand:
    """The pixels whose alpha is in doubt, and how much, at half the canvas's size.

    Attributes:
        height: the face's, in pixels.
        prior: (h, w) float32, the networks' alpha.
        dissent: (h, w) float32, how much the networks' opinions differ.
        doubt: (h, w) float32, the variance of prior.
        least: (h, w) float32, the least chance that a pixel is on the other side.
        sure_in: (h, w) bool, surely person.
        sure_out: (h, w) bool, surely backdrop.
        calm: (h, w) float32 0…1, how calm the backdrop is.
        loose: (h, w) float32 0…1, how far the networks are doubted.
        firm: (h, w) float32 0…1, how far the outline is no hair.
        inside: (h, w) float32, how far a pixel is a sample of the person's colours.
        outside: (h, w) float32, how far a pixel is a sample of the backdrop's colours.
        rows: (n,), of the doubtful pixels.
        columns: (n,), of the doubtful pixels.
    """

    def __init__(self, half: Array, alpha: Array, second: Array, height: float, cloth: Array) -> None:
        # cloth: (h, 1), 0…1, how far a firm edge in that row is no hair
        self.height = height
        size = half.shape[1::-1]
        prior = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        gap = cv2.resize(second, size, interpolation=cv2.INTER_AREA) - prior
        # Two opinions about one soft edge always differ a little along it: only a difference of some width is dissent.
        dissent = _half_size(gap * gap * 0.5)
        dissent = cv2.morphologyEx(dissent, cv2.MORPH_OPEN, disc(0.015 * height / 2))
        prior_small = _half_size(prior)
        soft = softness(prior_small, height / 2)
        firm = 1 - np.clip(_blur(cv2.dilate(soft, disc(0.04 * height / 2)), 0.03 * height / 2) / _HAIR, 0, 1)
        firm *= _half_size(np.broadcast_to(cloth, prior.shape))
        self.calm = calmness(_half_size(half), prior_small, height / 2)
        dissent = np.minimum(dissent, 0.25) * (_BUSY_TRUST + (1 - _BUSY_TRUST) * np.maximum(self.calm, soft))
        differing = np.clip(_blur(dissent, 0.02 * height) / 0.04, 0, 1)
        # Before a calm backdrop a strand shows far from the networks' edge; a sleeve ends where they say.
        loose = _blur(np.maximum(np.maximum(soft, self.calm) * (1 - firm * firm), differing), 0.02 * height)
        self.calm, self.dissent, self.loose, self.firm = (
            cv2.resize(field, size, interpolation=cv2.INTER_LINEAR) for field in (self.calm, dissent, loose, firm)
        )
        self.prior = np.clip(prior + 0.33 * np.clip(self.dissent / 0.1, 0, 1) * gap, 0, 1)

        debated = self.dissent > 0.03
        to_out = _distance((self.prior > _SURE) & ~debated)
        to_in = _distance((self.prior < 1 - _SURE) & ~(debated & (self.prior > 0.05)))
        wide = self.loose > 0.2
        narrow_in, narrow_out = to_out > _NARROW_IN * height, to_in > _NARROW_OUT * height
        self.sure_in = np.where(wide, to_out > _WIDE * height, narrow_in)
        self.sure_out = np.where(wide, to_in > _WIDE * height, narrow_out)
        # An ear is too thin for a deep margin: with a little weight its colours are known all the same.
        self.inside = np.where(self.sure_in, 1, 0.15 * narrow_in).astype(np.float32)
        self.outside = np.where(self.sure_out, 1, 0.05 * narrow_out).astype(np.float32)
        self.rows, self.columns = np.nonzero(~self.sure_in & ~self.sure_out)

        near, far = (_blur(self.prior, width * height) for width in (0.015, 0.03))
        edge = near * (1 - near)
        edge += self.loose * np.maximum(far * (1 - far) - edge, 0)
        doubt = 0.6 * np.maximum(edge, self.prior * (1 - self.prior))
        squared = self.loose * self.loose
        self.doubt = np.maximum(np.maximum(doubt, self.dissent), 0.02 * squared + 2e-4)
        self.least = 0.03 * squared + 1e-4

    def of(self, field: Array) -> Array:
        """A field's values at the doubtful pixels."""
        chosen: Array = field[self.rows, self.columns]
        return chosen


def softness(prior: Array, height: float) -> Array:
    """Return how soft the edges are, (h, w) 0…1: hair has wide ones.

    Source: across a linear ramp, ∫a(1 − a) is a sixth of its width.

    Args:
        prior: (h, w) float32 0…1, an alpha.
        height: the face's, in pixels.
    """
    slope = cv2.morphologyEx(prior, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) / 2
    width = 6 * _blur(prior * (1 - prior), 0.05 * height) / (_blur(slope, 0.05 * height) + 1e-3) / height
    low, high = _EDGE_WIDTHS
    return np.clip((width - low) / (high - low), 0, 1)


def calmness(picture: Array, prior: Array, height: float) -> Array:
    """Return how calm the backdrop is around each pixel, (h, w) 0…1: 0 where its colours vary or none is near.

    Args:
        picture: (h, w, 3) float32 RGB 0…1.
        prior: (h, w) float32 0…1, an alpha.
        height: the face's, in pixels.
    """
    outside = (_distance(prior < 1 - _SURE) > 0.04 * height).astype(np.float32)
    covered = _blur(outside, 0.08 * height)
    weight = np.maximum(covered, 1e-4)
    mean = _blur(picture * outside[..., None], 0.08 * height) / weight[..., None]
    off = picture - mean
    variance = _blur(np.einsum("ijk,ijk->ij", off, off) * outside, 0.08 * height) / weight
    calm: Array = np.clip(2 - np.sqrt(variance) / _CALM, 0, 1) * (covered > 0.01)
    return calm


def _colour_posterior(half: Array, band: _UncertainBand, effort: _Effort) -> Mixture:
    """The colour posterior of the doubtful pixels; every further pass takes its colours and beliefs from the last."""
    small = _half_size(half)
    near = (_half_size(_blur(((band.doubt > 2e-3) & ~band.sure_in).astype(np.float32), 0.1 * band.height)) > 0.01) * 1.0
    inside, outside = (_half_size(side) * near.astype(np.float32) for side in (band.inside, band.outside))
    pixels, prior, doubt, least = (band.of(field) for field in (half, band.prior, band.doubt, band.least))
    belief = prior
    smooth = None
    for number in range(effort.passes):
        fore, back = (
            Palette(small, side, count, 0.05 * band.height / 2)
            for side, count in zip((inside, outside), effort.clusters, strict=True)
        )
        local = fore.clusters_at(band.rows, band.columns), back.clusters_at(band.rows, band.columns)
        # A hole in the person is worse than a hair too many: half the chance.
        mixture = posterior(pixels, prior, doubt, np.clip(belief, least, 1 - 0.5 * least), *local)
        if number + 1 < effort.passes:
            smooth = smooth or guided_filter(half, 3, 1e-3)
            agreed = np.clip(smooth(_with_band_values(band.sure_in.astype(np.float32), band, mixture.alpha)), 0, 1)
            belief = 0.5 * (prior + band.of(agreed))
            few = _half_size(agreed)
            inside, outside = (np.clip(10 * side - 9, 0, 1) * near.astype(np.float32) for side in (few, 1 - few))
    return mixture


def _closed_form_in_band(half: Array, band: _UncertainBand, mixture: Mixture, effort: _Effort) -> Array:
    """Closed form over the posterior, each pixel held to it by its variance; in the box around the doubtful ones."""
    found = _with_band_values(band.sure_in.astype(np.float32), band, mixture.alpha)
    if not band.rows.size:
        return found
    box = np.s_[
        max(int(band.rows.min()) - 4, 0) : int(band.rows.max()) + 5,
        max(int(band.columns.min()) - 4, 0) : int(band.columns.max()) + 5,
    ]
    variance = _with_band_values(np.full_like(found, 1e-4), band, mixture.variance + 1e-3)
    found[box] = closed_form(half[box], found[box], 1 / (effort.slack * variance[box]), effort.rounds)
    return found


def closed_form(picture: Array, alpha: Array, pull: Array, rounds: int) -> Array:
    """Return the f that minimises f·Lf + Σ pull (f − alpha)², L being Levin's matting Laplacian over 3×3 windows.

    L is divided by the windows' nine pixels, and applied with box filters instead of being built; its regularisation is
    1e-4, a variance of 0…1 colours. Solved by conjugate gradients, starting at alpha.

    Args:
        picture: (h, w, 3) float32 RGB 0…1.
        alpha: (h, w) float32 0…1.
        pull: (h, w) float32, how strongly each pixel is held to its alpha.
        rounds: of conjugate gradients.

    Returns:
        (h, w) float32, 0…1.
    """
    smooth = guided_filter(picture, 1, 1e-4)
    solution = alpha.copy()
    residual = smooth(solution) - solution
    direction = residual.copy()
    power = float(np.vdot(residual, residual))
    for _ in range(rounds):
        if power < 1e-6:
            break
        image = direction - smooth(direction) + pull * direction
        step = power / float(np.vdot(direction, image))
        solution += step * direction
        residual -= step * image
        last, power = power, float(np.vdot(residual, residual))
        direction *= power / last
        direction += residual
    return np.clip(solution, 0, 1)


def guided_filter(guide: Array, radius: int, epsilon: float) -> Callable[[Array], Array]:
    """Return a guided filter with a colour guide (He, Sun and Tang 2013), a function of (h, w) fields.

    With radius 1, `field − filtered` is the matting Laplacian applied to the field, over nine (the same authors, 2010,
    equation 14).

    Args:
        guide: (h, w, 3) float32 RGB 0…1.
        radius: of the windows, in pixels.
        epsilon: the regularisation, a variance of 0…1 colours.
    """
    side = (2 * radius + 1,) * 2

    def box(values: Array) -> Array:
        return cv2.blur(values, side, borderType=cv2.BORDER_REFLECT)

    planes = cv2.split(guide)
    mean = [box(plane) for plane in planes]
    rr, rg, rb, gg, gb, bb = (
        box(planes[i] * planes[j]) - mean[i] * mean[j] + np.float32(epsilon if i == j else 0)
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    )
    first = [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg]
    rest = [rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg]
    # Rounding alone can bring a flat patch's determinant below what epsilon leaves of it.
    determinant = np.maximum(rr * first[0] + rg * first[1] + rb * first[2], np.float32(epsilon**3))
    a, b, c, d, e, f = (minor / determinant for minor in [*first, *rest])  # the inverse covariance, upper half

    def apply(field: Array) -> Array:
        middle = box(field)
        x, y, z = (box(plane * field) - centre * middle for plane, centre in zip(planes, mean, strict=True))
        slopes = a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z
        for slope, centre in zip(slopes, mean, strict=True):
            middle -= slope * centre
        filtered = box(middle)
        for slope, plane in zip(slopes, planes, strict=True):
            filtered += box(slope) * plane
        return filtered

    return apply


def _filled(found: Array, band: _UncertainBand) -> Array:
    """Close holes that the networks do not see; in front of a calm backdrop they are gaps between strands, and stay."""
    _, labels = cv2.connectedComponents((found < 0.6).astype(np.uint8), connectivity=4)
    against = 1 - band.prior + 4 * band.dissent + band.calm
    pieces = labels.ravel()
    shares = np.bincount(pieces, weights=against.ravel()) / np.maximum(np.bincount(pieces), 1)
    holes = shares < 0.03
    holes[0] = False
    mask = cv2.dilate(holes[labels].astype(np.float32), disc(1.5))
    return np.maximum(found, _blur(mask, 0.8))


def _connected(found: Array, band: _UncertainBand) -> Array:
    """Remove pieces apart from the body: more than a step from cloth and skin, or than a strand from hair."""
    _, labels = cv2.connectedComponents(((found > 0.35) & (band.prior > 0.5)).astype(np.uint8))
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    away = _distance(labels != counts.argmax())
    reach = (0.012 + (_WIDE - 0.012) * np.clip(1.5 * band.loose**2, 0, 1)) * band.height
    kept: Array = found * np.clip((reach - away) / (0.01 * band.height) + 0.5, 0, 1)
    return kept


def _firm_contour(found: Array, band: _UncertainBand, mixture: Mixture) -> Array:
    """One clean contour where the networks' edge is sharp (cloth, skin, an ear), and strands where it is wide.

    Colours separate a strand of hair from a wall, but along a sleeve they only leave notches and specks.
    """
    rounded = np.clip(_FIRM_SLOPE * (_blur(found, _FIRM * band.height) - _FIRM_LEVEL) + 0.5, 0, 1)
    steep = np.clip(
        _FIRM_SLOPE * (found - 0.5) + 0.5, 0, 1
    )  # grey cloth is not half-transparent black in front of a white wall
    unsure = _blur(_with_band_values(np.zeros_like(found), band, mixture.variance), _FIRM * band.height)
    informative = np.clip(1.15 - unsure / _INFORMATIVE, 0, 1)  # where colours differ as much as hair and a clear sky
    return found + band.firm * (rounded + informative * (steep - rounded) - found)


def _upscaled(
    canvas: Array, half: Array, found: Array, band: _UncertainBand, mixture: Mixture, *, native: bool
) -> tuple[Array, Array]:
    """Enlarge alpha and foreground to the canvas's size; only pixels that are partly backdrop change."""
    size = canvas.shape[1::-1]
    alpha = np.clip(cv2.resize(found, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    # Beyond the band both fields hold the picture itself, so that smoothing pulls the rim to its inner colours.
    fore, back = (
        cv2.blur(_with_band_values(half, band, side), (3, 3)) for side in (mixture.foreground, mixture.background)
    )
    result = canvas.copy()
    # Near the rim, colours continue where alpha is 0, too: the renderer's resampling reads across it.
    rim = cv2.dilate((found > 0.01).astype(np.uint8), disc(2)) > 0
    edge = np.where(band.firm > 0.5, cv2.erode(found, disc(_FRINGE)), found) < 0.995
    marked = cv2.resize((rim & edge).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    rows, columns = np.nonzero(marked)
    pixels, a = canvas[rows, columns], alpha[rows, columns]
    f, b = (_sampled_half_size(field, rows, columns) for field in (fore, back))
    if native:
        line = f - b
        finer = np.einsum("nc,nc->n", pixels - _sampled_half_size(half, rows, columns), line)
        finer /= np.einsum("nc,nc->n", line, line) + 0.02
        a = np.clip(a + finer * np.minimum(6 * a * (1 - a), 1), 0, 1)
    a = np.clip(1.08 * (a - 0.5) + 0.5, 0, 1)  # the faint ends are uncertainty, not hair
    alpha[rows, columns] = a
    a = a[:, None]
    detail, line = pixels - a * f - (1 - a) * b, b - f
    # A colour nearer to the backdrop than alpha says is no detail of the person: on another backdrop it is a fringe.
    nearer = np.einsum("nc,nc->n", detail, line) / (np.einsum("nc,nc->n", line, line) + 0.02)
    firm = band.firm[rows // 2, columns // 2] ** 2  # hair has its own sheen
    nearer *= np.maximum(firm, np.clip((nearer - _SHEEN) / _SHEEN, 0, 1))
    detail -= np.maximum(nearer, 0)[:, None] * line
    result[rows, columns] = np.clip(f + a * detail, 0, 1)
    return alpha, result


def _sampled_half_size(field: Array, rows: Array, columns: Array) -> Array:
    """A half-sized (h, w, 3) field at n pixels of the full size, interpolated linearly."""
    count, wide = len(rows), 256
    tall = max(1, -(-count // wide))  # OpenCV refuses an empty map
    places = np.zeros((2, tall * wide), np.float32)
    places[0, :count], places[1, :count] = columns / 2 - 0.25, rows / 2 - 0.25
    x, y = places.reshape(2, tall, wide)
    found = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, 3)[:count]


def _with_band_values(field: Array, band: _UncertainBand, values: Array) -> Array:
    changed = field.copy()
    changed[band.rows, band.columns] = values
    return changed


def _half_size(field: Array) -> Array:
    return cv2.resize(field, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _blur(field: Array, sigma: float) -> Array:
    return cv2.GaussianBlur(field, (0, 0), max(sigma, 0.3))


def _distance(mask: Array) -> Array:
    """From each pixel to the nearest one outside the mask."""
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
