"""Decode one HEIC photo: `heif.py MAX_PIXELS MAX_SIDE < photo.heic > pixels`, run by `limited_process.run_limited`.

It runs in a process of its own because a single changed byte can make the C++ decoder crash (libheif 1.23.0 through
pi-heif 1.4.0 does so on an item type that is not UTF-8).

Writes one line of JSON, `{"mode", "size", "icc"}`, then `icc` bytes of colour profile, then the pixels. If the picture
exceeds a limit it writes only the line, and decodes nothing.
"""

import io
import json
import sys

import pi_heif  # type: ignore[import-untyped]  # ships no types
from PIL import Image


def main() -> None:
    """Decode the photo from standard input to standard output."""
    max_pixels, max_side_px = (int(argument) for argument in sys.argv[1:3])
    # Two threads, because the studio is made for two cores. Thumbnails and depth maps are not needed.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=2)
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit would hide the size, which the parent's error message needs
    with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=("HEIF",)) as image:
        size = image.size
        pixels = b""
        if size[0] * size[1] <= max_pixels and max(size) <= max_side_px:
            pixels = image.tobytes()  # libheif has turned the picture upright
            size = image.size
        icc = image.info.get("icc_profile") or b""
        header = json.dumps({"mode": image.mode, "size": size, "icc": len(icc)})
        sys.stdout.buffer.write(header.encode() + b"\n" + icc + pixels)


if __name__ == "__main__":
    main()
