"""Decode one HEIC photo: `python -P heif.py MAX_PIXELS MAX_SIDE < photo.heic > pixels`.

A program of its own, run by `photo.py` for each such file: the decoder is C++ that a single changed byte can make
crash (libheif 1.23.0 through pi-heif 1.4.0 does so on an item type that is not UTF-8), and a crash here ends this
process and not the one that serves everybody. Memory and time are bounded for the same reason.

Writes one line of JSON, `{"mode", "size", "icc"}`, then `icc` bytes of colour profile, then the pixels. Beyond either
limit it writes the line alone, before anything is decoded.
"""

import io
import json
import sys

import pi_heif  # type: ignore[import-untyped]  # ships no types
from PIL import Image

MEMORY_BYTES = 3 * 2**30  # 40 MP take 0.6 GB; address space is counted, and libraries alone reserve half a gigabyte
CPU_SECONDS = 20  # 12 MP take 1


def main() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    max_pixels, max_side_px = (int(argument) for argument in sys.argv[1:3])
    # Two threads for the two cores the studio is made for; thumbnails and depth maps would be parsed for nothing.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=2)
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit would hide the size, which the caller puts into its sentence
    with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=("HEIF",)) as image:
        size = image.size
        pixels = b""
        if size[0] * size[1] <= max_pixels and max(size) <= max_side_px:
            pixels = image.tobytes()  # libheif has turned the picture upright
            size = image.size
        icc = image.info.get("icc_profile") or b""
        head = json.dumps({"mode": image.mode, "size": size, "icc": len(icc)})
        sys.stdout.buffer.write(head.encode() + b"\n" + icc + pixels)


if __name__ == "__main__":
    main()
