"""The part of the photo that the models see: head and shoulders in a square, whatever the photo's shape."""

import cv2
import numpy as np
from PIL import Image

from headshot.imaging import face

from .model_specs import Family, ModelSpec

# The square's side in heights of the face's box, hairline to chin. The editors need hair, neck and shoulders to keep
# them; the IP-Adapter was trained on tight face crops and looks at 224 pixels, of which it should waste none.
_FACES_HIGH: dict[Family, float] = {"flux2-klein": 2.6, "qwen-edit": 2.6, "sdxl-face": 1.7}
_ABOVE = 0.45  # of what the square has beyond the face: hair rises less than shoulders fall
_TIGHTEST = 1.5  # in the same unit: a smaller photo is filled up to this, as far as its longer side goes
_SOFT = 1 / 16  # of the side, the sigma of what is filled in: stripes of the photo's edge would be copied as a pattern


def face_region(pixels: np.ndarray, recipe: ModelSpec, index: int | None = None) -> Image.Image:
    """The face that `index` names (None: the first) with what belongs to it, RGB, `recipe.reference_px` square.

    pixels: (H, W, 3) uint8 RGB. The square is moved rather than filled up where the photo ends; where the photo is
    too small even so, its edge is carried on, out of focus. Raises PhotoError where there is no such face.
    """
    found = face.choose(face.find(pixels), index)
    height, width = pixels.shape[:2]
    wanted = _FACES_HIGH[recipe.family] * found.height
    photo = max(min(height, width), min(max(height, width), _TIGHTEST * found.height))
    side = round(min(wanted, photo))
    centre_x, _ = found.centre
    left = round(centre_x - side / 2)
    top = round(found.box[1] - _ABOVE * (side - found.height))
    left, top = (_inside(start, side, limit) for start, limit in ((left, width), (top, height)))
    square = _cut(pixels, left, top, side)
    px = recipe.reference_px
    return Image.fromarray(square).resize((px, px), Image.Resampling.LANCZOS)


def _inside(start: int, side: int, limit: int) -> int:
    """Moved so that the square keeps within the photo, or, where it is larger, so that it covers it."""
    low, high = sorted((0, limit - side))
    return min(max(start, low), high)


def _cut(pixels: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """(side, side, 3); what lies beyond the photo is its own edge carried on and blurred, so that no line is seen."""
    height, width = pixels.shape[:2]
    before = max(0, -top), max(0, -left)
    after = max(0, top + side - height), max(0, left + side - width)
    inside = pixels[max(0, top) : top + side, max(0, left) : left + side]
    if not any((*before, *after)):
        return inside
    edges = before[0], after[0], before[1], after[1]
    filled = cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(filled, (0, 0), _SOFT * side)
    soft[before[0] : side - after[0], before[1] : side - after[1]] = inside
    return soft
