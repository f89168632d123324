"""The part of the photo that the models see: a square with head and shoulders, whatever the photo's shape."""

import cv2
import numpy as np
from PIL import Image

from headshot.imaging import face

from .model_specs import Family, ModelSpec

# The square's side in heights of the face's box, hairline to chin. The editors need hair, neck and shoulders to keep
# them; the IP-Adapter was trained on tight face crops and looks at 224 pixels, of which it should waste none.
_FACES_HIGH: dict[Family, float] = {"flux2-klein": 2.6, "qwen-edit": 2.6, "sdxl-face": 1.7}
_SHARE_ABOVE = 0.45  # of the square's height beyond the face: hair needs less room than shoulders
_TIGHTEST = 1.5  # in face heights: a smaller photo is extended up to this, but not beyond its longer side
_BLUR = 1 / 16  # of the side: the sigma of the extended edge, whose stripes a model would copy as a pattern


def face_region(pixels: np.ndarray, spec: ModelSpec, index: int | None = None) -> Image.Image:
    """Cut one face with hair and shoulders out of the photo, RGB, a square of `spec.reference_px`.

    At the photo's edge the square is moved. If the photo is still too small, its edge is extended and blurred.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        spec: the model that will see the crop.
        index: which face, counted from 0; None for the first.

    Raises:
        PhotoError: there is no such face.
    """
    found = face.choose(face.find(pixels), index)
    height, width = pixels.shape[:2]
    wanted = _FACES_HIGH[spec.family] * found.height
    photo = max(min(height, width), min(max(height, width), _TIGHTEST * found.height))
    side = round(min(wanted, photo))
    centre_x, _ = found.centre
    left = round(centre_x - side / 2)
    top = round(found.box[1] - _SHARE_ABOVE * (side - found.height))
    left, top = (_inside(start, side, limit) for start, limit in ((left, width), (top, height)))
    square = _cut(pixels, left, top, side)
    px = spec.reference_px
    return Image.fromarray(square).resize((px, px), Image.Resampling.LANCZOS)


def _inside(start: int, side: int, limit: int) -> int:
    """`start` moved so that the square stays within the photo or, if it is larger, covers it."""
    low, high = sorted((0, limit - side))
    return min(max(start, low), high)


def _cut(pixels: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """(side, side, 3); beyond the photo its own edge is extended and blurred, so that no line shows."""
    height, width = pixels.shape[:2]
    before = max(0, -top), max(0, -left)
    after = max(0, top + side - height), max(0, left + side - width)
    inside = pixels[max(0, top) : top + side, max(0, left) : left + side]
    if not any((*before, *after)):
        return inside
    edges = before[0], after[0], before[1], after[1]
    filled = cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(filled, (0, 0), _BLUR * side)
    soft[before[0] : side - after[0], before[1] : side - after[1]] = inside
    return soft
