"""The two photographs of the repository as pixels, and the same ones in another light."""

import numpy as np
import pytest
from paths import ROOT

from headshot.imaging.photo import Photo

PICTURES = {
    "astronaut": Photo.open(ROOT / "headshot" / "examples" / "astronaut.png").pixels,  # face 114 px high
    "portrait": Photo.open(ROOT / "headshot" / "examples" / "portrait.jpg").pixels,  # face 328 px high
}
both = pytest.mark.parametrize("name", PICTURES)


def stops(pixels: np.ndarray, stops_more: float) -> np.ndarray:
    """Another exposure of the same scene: linear light times 2^stops, clipped, in 8 bit."""
    value = pixels / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) * 2.0**stops_more
    linear = np.clip(linear, 0, 1)
    return (255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) + 0.5).astype("u1")
