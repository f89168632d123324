"""The colours of person and backdrop near each pixel, and the alpha that they make likely.

Each side's colours are a few clusters, and each cluster has its own share, mean and variance in every place. A pixel is
pure backdrop, pure person, or a mixture of one cluster of each; the networks' alpha weighs the three. As in Bayesian
matting (Chuang et al. 2001), but summed over all pairs in closed form instead of climbing to the best one: where the
backdrop is busy or like the person, the many explanations cancel out and the networks' alpha stays.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_NOISE = np.float32(0.016**2)  # variance of sensor and JPEG in 0…1 colours, measured on flat walls
_MIXED = 0.5  # the share of mixed pixels in the doubtful band, and …
_STRANGE = 0.01  # … of pixels whose colour neither side knows: they keep the networks' alpha
_FARTHER, _EVERYWHERE = 0.1, 0.002  # weight of colours three times as far away, and of those anywhere
_SAMPLES, _ROUNDS = 2000, 8  # of k-means: more changes no error by a thousandth
_CHUNK = 2048  # pixels at once: all pairs of clusters then fit the second-level cache


@dataclass(frozen=True, eq=False)
class LocalClusters:
    """One side's k clusters at n pixels.

    Attributes:
        share: (k, n), sums to 1 over the clusters.
        mean: (3, k, n), colours.
        variance: (k, n), per channel.
    """

    share: Array
    mean: Array
    variance: Array

    def part(self, chunk: slice) -> "LocalClusters":
        """Return the clusters at some of the pixels."""
        return LocalClusters(self.share[:, chunk], self.mean[:, :, chunk], self.variance[:, chunk])


@dataclass(frozen=True, eq=False)
class Mixture:
    """The mixture at n pixels, all float32.

    Attributes:
        alpha: (n,), the person's share.
        variance: (n,), of alpha.
        foreground: (n, 3), the person's colours.
        background: (n, 3), the backdrop's colours.
    """

    alpha: Array
    variance: Array
    foreground: Array
    background: Array


class Palette:
    """One side's clusters of colour, and where they are in the picture.

    Args:
        picture: (h, w, 3) float32 RGB.
        sure: (h, w) float32, how far each pixel is a sample of this side.
        count: of clusters.
        radius: in pixels, within which colours count most.
    """

    def __init__(self, picture: Array, sure: Array, count: int, radius: float) -> None:
        sample = picture[sure > 0.04]
        if len(sample) < 4 * count:  # a face that fills the frame has no backdrop
            sample = picture.reshape(-1, 3)
        nearest = _nearest(picture.reshape(-1, 3), _centres(sample, count)).reshape(sure.shape)
        squared = np.einsum("ijk,ijk->ij", picture, picture)
        moments = cv2.merge([sure, *cv2.split(picture * sure[..., None]), squared * sure])
        self._maps = []
        for number in range(count):
            own = cv2.resize(
                moments * (nearest == number)[..., None], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
            )
            near = cv2.GaussianBlur(own, (0, 0), radius / 2)
            far = cv2.resize(own, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
            far = cv2.resize(cv2.GaussianBlur(far, (0, 0), 3 * radius / 8), own.shape[1::-1])
            total = near + _FARTHER * far + _EVERYWHERE * own.reshape(-1, 5).mean(axis=0)
            self._maps.append(cv2.resize(total, sure.shape[::-1], interpolation=cv2.INTER_LINEAR))

    def clusters_at(self, rows: Array, columns: Array) -> LocalClusters:
        """Return the clusters at pixels of a picture twice as large as the palette's own."""
        height, width = self._maps[0].shape[:2]
        index = np.minimum(rows // 2, height - 1) * width + np.minimum(columns // 2, width - 1)
        fields = np.stack([field.reshape(-1, 5)[index].T for field in self._maps], axis=1)  # (5, k, n)
        weight = np.maximum(fields[0], 1e-9)
        mean = fields[1:4] / weight
        variance = np.maximum(fields[4] / weight - (mean * mean).sum(axis=0), 0) / 3
        return LocalClusters(weight / weight.sum(axis=0), mean, variance)


def posterior(
    pixels: Array, prior: Array, doubt: Array, belief: Array, fore: LocalClusters, back: LocalClusters
) -> Mixture:
    """Return the expected alpha of n pixels and the colours of their two sides.

    Args:
        pixels: (n, 3).
        prior: (n,), the mean of a mixed pixel's alpha.
        doubt: (n,), its variance.
        belief: (n,), the chance that a pixel that is not mixed is the person.
        fore: the person's clusters at the pixels.
        back: the backdrop's clusters at the pixels.
    """
    count = len(pixels)
    found = Mixture(*(np.empty((count, *tail), np.float32) for tail in ((), (), (3,), (3,))))
    colours = np.ascontiguousarray(pixels.T)
    for start in range(0, count, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        results = _explanations(
            colours[:, chunk], prior[chunk], doubt[chunk], belief[chunk], fore.part(chunk), back.part(chunk)
        )
        for field, result in zip(
            (found.alpha, found.variance, found.foreground, found.background), results, strict=True
        ):
            field[chunk] = result
    return found


def _explanations(
    colour: Array, prior: Array, doubt: Array, belief: Array, fore: LocalClusters, back: LocalClusters
) -> tuple[Array, Array, Array, Array]:
    """Weigh all explanations of a chunk. Logarithms of densities leave out their common factor, (2π)^-1.5."""
    above = colour[:, None] - back.mean  # (3, kb, n)
    above_squared = np.einsum("ckn,ckn->kn", above, above)
    line = fore.mean[:, :, None] - back.mean[:, None]  # (3, kf, kb, n)
    length = np.einsum("cfbn,cfbn->fbn", line, line) + np.float32(1e-4)
    along = np.einsum("cfbn,cbn->fbn", line, above)
    place = np.clip(along / length, 0, 1)
    away = above_squared - 2 * place * along + place * place * length
    rest = 1 - place
    spread = place * place * fore.variance[:, None] + rest * rest * back.variance + _NOISE
    place_variance = spread / length
    both = place_variance + doubt
    off = place - prior
    mixed = np.log(_MIXED * fore.share + 1e-6)[:, None] + np.log(back.share + 1e-6)
    mixed -= 0.5 * (away / spread + off * off / both + np.log(spread * spread * both * length))

    beside = colour[:, None] - fore.mean
    spread_fore, spread_back = fore.variance + _NOISE, back.variance + _NOISE
    pure_fore = np.log((1 - _MIXED) * belief * fore.share + 1e-9) - 1.5 * np.log(spread_fore)
    pure_fore -= 0.5 * np.einsum("ckn,ckn->kn", beside, beside) / spread_fore
    pure_back = np.log((1 - _MIXED) * (1 - belief) * back.share + 1e-9) - 1.5 * np.log(spread_back)
    pure_back -= 0.5 * above_squared / spread_back

    top = np.maximum(mixed.max(axis=(0, 1)), np.maximum(pure_fore.max(axis=0), pure_back.max(axis=0)))
    top = np.maximum(top, np.float32(np.log(_STRANGE)))
    for weights in (mixed, pure_fore, pure_back):
        weights -= top
        np.exp(weights, out=weights)
    strange = np.exp(np.float32(np.log(_STRANGE)) - top)
    person = pure_fore.sum(axis=0)
    total = mixed.sum(axis=(0, 1)) + strange + person + pure_back.sum(axis=0)
    mean = (place * doubt + prior * place_variance) / both
    squares = mean * mean + place_variance * doubt / both
    alpha = (np.einsum("fbn,fbn->n", mixed, mean) + strange * prior + person) / total
    second = (np.einsum("fbn,fbn->n", mixed, squares) + strange * (prior * prior + doubt) + person) / total

    # A pixel that one side alone explains still needs the other's colour: the one most common there.
    of_fore = mixed.sum(axis=1) + pure_fore + 1e-4 * total * fore.share
    of_back = mixed.sum(axis=0) + pure_back + 1e-4 * total * back.share
    fore_colour = np.einsum("kn,ckn->nc", of_fore / of_fore.sum(axis=0), fore.mean)
    back_colour = np.einsum("kn,ckn->nc", of_back / of_back.sum(axis=0), back.mean)
    return alpha, np.maximum(second - alpha * alpha, 0), fore_colour, back_colour


def _centres(sample: Array, count: int) -> Array:
    """k-means, started by k-means++ (Arthur and Vassilvitskii 2007); the same sample always gives the same centres."""
    random = np.random.default_rng(0)
    sample = sample[random.permutation(len(sample))[:_SAMPLES]]
    centres = sample[:1]
    for _ in range(count - 1):
        distance = ((sample[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
        chosen = np.searchsorted(np.cumsum(distance), random.random() * distance.sum())
        centres = np.vstack([centres, sample[min(int(chosen), len(sample) - 1)]])
    for _ in range(_ROUNDS):
        nearest = _nearest(sample, centres)
        members = np.maximum(np.bincount(nearest, minlength=count), 1)[:, None]
        sums = np.stack([np.bincount(nearest, sample[:, c], minlength=count) for c in range(3)], axis=1)
        moved = (sums / members).astype(np.float32)
        centres = np.where(np.bincount(nearest, minlength=count)[:, None] > 0, moved, centres)
    return centres


def _nearest(colours: Array, centres: Array) -> Array:
    best: Array = ((centres * centres).sum(axis=1) - 2 * colours @ centres.T).argmin(axis=1)
    return best
