"""Transform a picture by a similarity without aliasing."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_REDUCE_BELOW = 0.75  # a warp reads two pixels each way; below this scale it would skip some and cause moiré


def scale_factor(affine: Array) -> float:
    """The scale of a (2, 3) similarity, in target pixels for each source pixel."""
    return float(np.hypot(affine[0, 0], affine[1, 0]))


def source_region(picture: Array, affine: Array, size: tuple[int, int], margin: float) -> tuple[Array, Array]:
    """Crop the picture to the part that the target shows.

    Args:
        picture: (H, W, …).
        affine: (2, 3) similarity from the picture to the target.
        size: The target's width and height.
        margin: Source pixels kept around the part.

    Returns:
        The part, and the affine from it to the target; the whole picture if the target is outside it.
    """
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], [size[0], size[1]]], np.float32)
    back = cv2.invertAffineTransform(affine)
    around = corners @ back[:, :2].T + back[:, 2]
    left, top = np.floor(np.clip(around.min(0) - margin, 0, None)).astype(int).tolist()
    right, bottom = np.ceil(around.max(0) + margin).astype(int).tolist()
    region = picture[top : max(bottom, 0), left : max(right, 0)]
    if not region.size:
        return picture, affine
    moved = affine.copy()
    moved[:, 2] += moved[:, :2] @ [left, top]
    return region, moved


def downsampled(picture: Array, affine: Array) -> tuple[Array, Array]:
    """Reduce the picture to the target's scale by area averages, if the target is clearly smaller.

    Args:
        picture: (H, W, …).
        affine: (2, 3) similarity from the picture to the target.

    Returns:
        The reduced or unchanged picture, and the affine from it to the target.
    """
    scale = scale_factor(affine)
    if scale >= _REDUCE_BELOW:
        return picture, affine
    smaller = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    moved = affine.copy()
    moved[:, 0] *= picture.shape[1] / smaller.shape[1]
    moved[:, 1] *= picture.shape[0] / smaller.shape[0]
    return smaller, moved


def warp(picture: Array, affine: Array, size: tuple[int, int], interpolation: int = cv2.INTER_LINEAR) -> Array:
    """Transform the picture; its border pixels are repeated outside it.

    Args:
        picture: (H, W, …).
        affine: (2, 3) similarity from the picture to the target.
        size: The target's width and height.
        interpolation: OpenCV's flag.

    Returns:
        (height, width, …).
    """
    source, moved = downsampled(*source_region(picture, affine, size, margin=4))
    return cv2.warpAffine(source, moved, size, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
