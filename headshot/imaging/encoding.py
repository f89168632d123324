"""Pictures as JPEG and PNG files, with the settings that each use needs."""

import io

import cv2
import numpy as np
from PIL import Image

_FAST_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)


def fast_png(pixels: np.ndarray) -> bytes:
    """Encode a headshot as PNG, fast rather than small, so that encoding never takes most of the time.

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        The bytes of a PNG file; the same pixels give the same bytes.
    """
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _FAST_PNG)[1].tobytes()


def png(image: Image.Image, *, compress_level: int = 6) -> bytes:
    """Encode a picture as PNG.

    Args:
        image: In any mode that PNG has.
        compress_level: zlib's, 0 (none, fast) to 9 (small, slow).

    Returns:
        The bytes of a PNG file.
    """
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=compress_level)
    return data.getvalue()


def jpeg(image: Image.Image, quality: int, *, full_colour: bool = False) -> bytes:
    """Encode a picture as JPEG.

    Args:
        image: L or RGB.
        quality: Pillow's, 1 to 95.
        full_colour: Keep every pixel's own colour (4:4:4) instead of one for four pixels (4:2:0).

    Returns:
        The bytes of a JPEG file.
    """
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, subsampling=0 if full_colour else -1)
    return data.getvalue()
