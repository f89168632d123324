"""A picture that the safety check refuses and that anybody may look at: round forms in the colours of skin."""

import numpy as np
from PIL import Image

_SEED = 18  # of the first 24, the one that the network is surest of: 0.98


def picture(width: int = 256, height: int = 320) -> Image.Image:
    """Seven shaded ellipses. The network scores them 0.98 at any size, and 0.88 after a reduction to 32 × 40."""
    rng = np.random.default_rng(_SEED)
    canvas = np.empty((height, width, 3))
    canvas[:] = (215, 165, 140)
    down, across = np.mgrid[:height, :width]
    y, x = down / height, across / width
    for centre_x, centre_y, wide, high, turn, tone in rng.random((7, 6)):
        c, s = np.cos(turn * np.pi), np.sin(turn * np.pi)
        u = (c * (x - centre_x) + s * (y - centre_y)) / (0.03 + 0.5 * wide)
        v = (c * (y - centre_y) - s * (x - centre_x)) / (0.03 + 0.5 * high)
        inside = 1 - u * u - v * v
        light = 0.55 + 0.45 * np.sqrt(np.clip(inside, 0, 1))
        colour = np.array([255, 190, 160]) * (0.7 + 0.3 * tone) * light[..., None]
        canvas += np.clip(inside * 8, 0, 1)[..., None] * (colour - canvas)
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
