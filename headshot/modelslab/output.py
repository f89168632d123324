"""Finds the picture file in the service's output, and detects pictures that its safety filter replaced."""

import base64
import binascii

import numpy as np

from headshot.imaging.photo import MAX_FILE_BYTES

MAX_OUTPUT_BYTES = MAX_FILE_BYTES * 4 // 3 + 1024  # the photo loader's limit, as base64 with a prefix

_END_BYTES = 65_536  # the end mark is searched in the last ones: some programs append notes to a file
_SMALL_PX = 128  # the long side at which a picture is judged: a blurred picture is blurred at any size
# 8-bit levels. A dark portrait has a lit face, far above 24; paper white alone varies by less than 2.
_BLACK_LEVEL = 24.0
_BLANK_SPREAD = 3.0
# The 99.8th percentile of the second difference of grey, in levels, at 128 px. Portraits and studio headshots measure
# 180 to 310, because their eyes are sharp; after a Gaussian blur of a fortieth of the width, at most 7.
_BLURRED_DETAIL = 10.0


def picture_in(data: bytes) -> bytes | None:
    """Return the picture file that these bytes are, or contain as base64 or data URI; None for anything else.

    The file's first bytes decide, because content types and file names are sometimes wrong.

    Args:
        data: as it was downloaded.
    """
    if _is_picture(data):
        return data
    text = data.strip().strip(b"\"'")
    if text[:5].lower() == b"data:":
        text = text.partition(b",")[2]
    if not text or len(text) > MAX_OUTPUT_BYTES * 2 or text[:1] in (b"<", b"{"):
        return None
    text = b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        decoded = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
    return decoded if _is_picture(decoded) else None


def _is_picture(data: bytes) -> bool:
    return (
        data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or data[4:12] == b"ftypavif"
    )


def is_cut_short(picture: bytes) -> bool:
    """Return whether a PNG, JPEG or WebP file lacks its end, as it does while it is still being written."""
    if picture.startswith(b"\x89PNG"):
        return b"IEND" not in picture[-_END_BYTES:]
    if picture.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in picture[-_END_BYTES:]
    if picture.startswith(b"RIFF"):
        return len(picture) < 8 + int.from_bytes(picture[4:8], "little")
    return False


def detect_placeholder(picture: np.ndarray) -> str | None:
    """Detect a picture that is black, blank, or more blurred than any portrait.

    Safety filters replace a picture in these ways and still report success.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        A sentence for the person, or None.

    Source: limits chosen by eye on portraits and studio headshots, and on the same ones blackened and blurred.
    """
    grey = _small(picture.mean(axis=2, dtype=np.float32))
    if np.percentile(grey, 99) < _BLACK_LEVEL:
        return _REPLACED.format("black")
    if grey.std() < _BLANK_SPREAD:
        return _REPLACED.format("blank")
    across = np.abs(grey[:, 2:] - 2 * grey[:, 1:-1] + grey[:, :-2])
    down = np.abs(grey[2:] - 2 * grey[1:-1] + grey[:-2])
    if max(np.percentile(across, 99.8), np.percentile(down, 99.8)) < _BLURRED_DETAIL:
        return _REPLACED.format("fully blurred")
    return None


_REPLACED = "The picture is {}: the service's safety filter probably replaced it. Another photo or prompt may pass."


def _small(grey: np.ndarray) -> np.ndarray:
    """Means over whole blocks, so that the long side has 128 to 255 pixels; a smaller picture stays as it is."""
    block = max(1, max(grey.shape) // _SMALL_PX)
    height, width = (max(1, side // block) for side in grey.shape)
    blocks = grey[: height * block, : width * block]
    small: np.ndarray = blocks.reshape(height, blocks.shape[0] // height, width, blocks.shape[1] // width).mean(
        axis=(1, 3)
    )
    return small
