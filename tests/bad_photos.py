"""Files that people really choose, and some that nobody should."""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
PORTRAIT = ROOT / "headshot" / "examples" / "portrait.jpg"


def svg(folder: Path) -> Path:
    return _file(folder, "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')


def bomb(folder: Path) -> Path:
    """A PNG of 21 KB that unpacks to 178 megapixels."""
    side = 13_350
    row = b"\0" + bytes((side + 7) // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = b"".join(_chunk(kind, data) for kind, data in ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")))
    return _file(folder, "bomb.png", b"\x89PNG\r\n\x1a\n" + chunks)


def truncated(folder: Path) -> Path:
    return _file(folder, "half.jpg", PORTRAIT.read_bytes()[:100_000])


def text(folder: Path) -> Path:
    return _file(folder, "notes.jpg", b"Dear diary, today I renamed a text file.\n" * 40)


def pdf(folder: Path) -> Path:
    return _file(folder, "portrait.pdf", b"%PDF-1.7\n%\xe2\xe3\n")


def iphone(folder: Path) -> Path:
    """The beginning of a HEIC file under the name a phone gives it, for which browsers know no type."""
    return _file(folder, "IMG_1234.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(99))


def animation(folder: Path) -> Path:
    """Two frames of plain colour: read as its first frame, on which there is no face."""
    frames = [Image.new("P", (300, 300), shade) for shade in (3, 9)]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    return _file(folder, "moving.gif", data.getvalue())


def landscape(folder: Path) -> Path:
    image = Image.linear_gradient("L").resize((800, 600)).convert("RGB")
    data = io.BytesIO()
    image.save(data, "JPEG")
    return _file(folder, "hills.jpg", data.getvalue())


def five_people(folder: Path) -> Path:
    """The portrait's head and shoulders, five times, the second the largest."""
    head = Image.open(PORTRAIT).crop((180, 0, 760, 640))
    image = Image.new("RGB", (1800, 640), "grey")
    for place, width in enumerate((320, 480, 330, 310, 325)):
        small = head.resize((width, round(width * head.height / head.width)))
        image.paste(small, (sum((320, 480, 330, 310, 325)[:place]), 20))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=92)
    return _file(folder, "team.jpg", data.getvalue())


def on_its_side(folder: Path) -> Path:
    """The portrait as a scanner leaves it: without a note of how to hold it."""
    data = io.BytesIO()
    Image.open(PORTRAIT).transpose(Image.Transpose.ROTATE_90).save(data, "JPEG", quality=92)
    return _file(folder, "scan.jpg", data.getvalue())


def with_gps(folder: Path) -> Path:
    """The portrait with the place where it was taken."""
    image = Image.open(PORTRAIT)
    exif = image.getexif()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    data = io.BytesIO()
    image.save(data, "JPEG", exif=exif)
    return _file(folder, "holiday.jpg", data.getvalue())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
