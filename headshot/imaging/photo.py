"""Untrusted bytes in, a clean upright RGB photo out.

Whatever the file was, the result is only pixels: turned upright, in sRGB, without transparency, EXIF, GPS, colour
profile or text. A file may be built to exhaust its reader, so the order of the checks matters: the file's size, its
first bytes, the one decoder for them, the dimensions, and only then the pixels.
"""

import errno
import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from headshot.errors import PhotoError

from .limited_process import run_limited

MAX_FILE_BYTES = 10 * 2**20  # phones write 2 to 8 MB; the page's upload control counts in binary megabytes as well
MAX_PIXELS = 40_000_000  # above the 24 MP of phones and most cameras; 40 MP is 120 MB while it is being decoded
MAX_SIDE_PX = 12_000  # allows a panorama, but not a strip one pixel high and forty million wide
MIN_SIDE_PX = 64  # below this the whole picture is smaller than the smallest face worth rendering
KEEP_SIDE_PX = 4096  # a headshot is about 1,000 px wide: the face still has several pixels for each one it becomes

# A progressive JPEG may repeat its scans thousands of times, and each costs a pass over every pixel. Real ones have
# about ten. This is 40 MP with 25 scans, or 12 MP with 83.
_MAX_SCANNED_PIXELS = 1_000_000_000
_UNDER_ALPHA = (230, 230, 230)  # light grey: dark hair and a white shirt are both visible on it

_READABLE = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"
_MAGIC = {
    b"\xff\xd8\xff": ("JPEG",),
    b"\x89PNG\r\n\x1a\n": ("PNG",),
    b"GIF87a": ("GIF",),
    b"GIF89a": ("GIF",),
    b"BM": ("BMP",),
    b"II*\0": ("TIFF",),
    b"MM\0*": ("TIFF",),
    b"II+\0": ("TIFF",),  # BigTIFF, in both byte orders
    b"MM\0+": ("TIFF",),
}
# The brands of ISO/IEC 23008-12 and of AVIF.
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), ("HEIF",)),
    **dict.fromkeys((b"avif", b"avis"), ("AVIF",)),
}
# EXIF 2.32, tag 0x0112: what must be done to the stored picture to see it upright.
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_HEIF = Path(__file__).with_name("heif.py")
_HEIF_MEMORY_BYTES = 3 * 2**30  # 40 MP take 0.6 GB, and the libraries alone reserve half a gigabyte
_HEIF_CPU_SECONDS = 20  # 12 MP take 1
_HEIF_SECONDS = 30  # longer than the processor time, because the machine may be busy
_HEIF_MODES = ("L", "LA", "RGB", "RGBA", "RGBa", "I;16")


Point = tuple[float, float]
MAX_POINTS = 50  # more than a person clicks


@dataclass(frozen=True)
class Marks:
    """Points by which a user corrects the cut-out of the person.

    Attributes:
        inside: x and y in the photo's pixels, of points that belong to the person.
        outside: The same of points that do not.
    """

    inside: tuple[Point, ...] = ()
    outside: tuple[Point, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.inside or self.outside)


@dataclass(frozen=True, eq=False)
class Photo:
    """A clean photo.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, upright, read-only, 64 to 4096 px a side (only a strip's short side may be less).
        sha256: Of the pixels and their shape, in hex; the photo's key in caches.
        marks: The user's corrections of the cut-out; backends without a cut-out ignore them.
    """

    pixels: np.ndarray
    sha256: str
    marks: Marks = Marks()

    @cached_property
    def image(self) -> Image.Image:
        """The same pixels for Pillow, without metadata."""
        return Image.fromarray(self.pixels)

    def marked(self, inside: Sequence[Point] = (), outside: Sequence[Point] = ()) -> "Photo":
        """The same photo with points that the cut-out treats as certain.

        Args:
            inside: x and y, in the photo's pixels, of points that belong to the person.
            outside: of points that do not.

        Raises:
            PhotoError: for a point outside the photo, or more than MAX_POINTS points.
        """
        height, width = self.pixels.shape[:2]
        points = [*inside, *outside]
        if len(points) > MAX_POINTS:
            raise PhotoError(f"These are {len(points)} points: at most {MAX_POINTS} correct a cut-out.")
        for x, y in points:
            if not (0 <= x < width and 0 <= y < height):
                raise PhotoError(
                    f"The point ({x:g}, {y:g}) lies outside the photo, which is {width} × {height} pixels: "
                    "choose one inside it."
                )
        both = (tuple((float(x), float(y)) for x, y in each) for each in (inside, outside))
        return replace(self, marks=Marks(*both))

    def turned(self, degrees: int) -> "Photo":
        """The photo turned clockwise.

        Args:
            degrees: 0, 90, 180 or 270.

        Raises:
            ValueError: for any other angle.
        """
        if degrees not in (0, 90, 180, 270):
            raise ValueError(f"a photo is turned by 0, 90, 180 or 270 degrees, not {degrees}")
        return self._from_clean(Image.fromarray(np.ascontiguousarray(np.rot90(self.pixels, -degrees // 90))))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Photo":
        """Read a picture file's content.

        Raises:
            PhotoError: if it cannot be used; the sentence says why and what to do.
        """
        if not data:
            raise PhotoError("The file is empty: choose the photo again, or export it once more.")
        if len(data) > MAX_FILE_BYTES:
            raise _too_large(len(data))
        formats = _formats(data)
        try:
            if formats == ("HEIF",):
                return cls._from_clean(_clean(_decode_heif(data)))
            with Image.open(io.BytesIO(data), formats=formats) as opened:
                _refuse_size(opened.size)
                if opened.format in ("JPEG", "MPO"):
                    _refuse_scans(data, opened.size)
                    opened.draft(None, _kept_size(opened.size))  # the decoder itself can skip to a half or a quarter
                return cls._from_clean(_clean(opened))
        except (PhotoError, MemoryError):
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise PhotoError(_too_many_pixels("The photo has far too many pixels")) from error
        # Pillow's decoders are known to raise OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError,
        # KeyError, struct.error, zlib.error, OverflowError and RuntimeError on hostile files, and releases add some.
        except Exception as error:
            raise PhotoError(_broken(error, formats)) from error

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Photo":
        """Read a picture file.

        Raises:
            PhotoError: if it does not exist, cannot be read, or cannot be used.
        """
        if isinstance(path, str) and path.lower().startswith(("http://", "https://", "data:")):
            raise PhotoError("Links are not followed: save the picture first, then choose the saved file.")
        name = Path(path).name[:80]
        try:
            if Path(path).is_dir():
                raise PhotoError(f"“{name}” is a folder: choose one photo inside it.")
            if Path(path).exists() and not Path(path).is_file():  # a pipe or a device would never end
                raise PhotoError(f"“{name}” is not a file: choose a photo.")
            with Path(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > MAX_FILE_BYTES:
                    raise _too_large(size)
                return cls.from_bytes(file.read(MAX_FILE_BYTES + 1))
        except FileNotFoundError as error:
            raise PhotoError(f"There is no file “{name}”: check its name and folder.") from error
        except PermissionError as error:
            raise PhotoError(f"“{name}” cannot be read: check its permissions.") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = errno.errorcode.get(getattr(error, "errno", None) or 0, "")
            raise PhotoError(f"“{name}” cannot be opened{f' ({reason})' if reason else ''}: check the path.") from error

    @classmethod
    def from_image(cls, image: Image.Image) -> "Photo":
        """Read a Pillow picture, which is not changed.

        Raises:
            PhotoError: if it is too large or too small, or a file behind it is damaged.
        """
        try:
            _refuse_size(image.size)
            return cls._from_clean(_clean(image))
        except (PhotoError, MemoryError):
            raise
        except Exception as error:  # the picture may be an open file that is decoded only now
            raise PhotoError(_broken(error, (image.format or "picture",))) from error

    @classmethod
    def of(cls, photo: "str | os.PathLike[str] | bytes | Image.Image | Photo") -> "Photo":
        """Read a photo from a path, a file's content or a Pillow picture; a Photo is returned unchanged.

        Raises:
            PhotoError: if it cannot be used.
            TypeError: for anything else.
        """
        match photo:
            case Photo():
                return photo
            case Image.Image():
                return cls.from_image(photo)
            case bytes() | bytearray() | memoryview():
                return cls.from_bytes(bytes(photo))
            case str() | os.PathLike():
                return cls.open(photo)
        raise TypeError(f"a photo is a path, bytes, a PIL image or a Photo, not {type(photo).__name__}")

    @classmethod
    def _from_clean(cls, image: Image.Image) -> "Photo":
        pixels = np.array(image)
        pixels.setflags(write=False)
        digest = hashlib.sha256(np.array(pixels.shape, "<u4").tobytes())
        digest.update(pixels.data)
        return cls(pixels, digest.hexdigest())


def _formats(data: bytes) -> tuple[str, ...]:
    """Which decoder, of Pillow's forty, the first bytes call for. Raises PhotoError for an unknown or unusable file."""
    for magic, formats in _MAGIC.items():
        if data.startswith(magic):
            return formats
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _refuse_size(_webp_size(data))  # before Pillow opens the file, which allocates its canvas
        return ("WEBP",)
    if data[4:8] == b"ftyp":
        if data[8:12] in _BRANDS:
            return _BRANDS[data[8:12]]
        if data[8:12] in (b"mif1", b"msf1"):  # any codec may be inside; the list of compatible brands names it
            return ("AVIF",) if b"avi" in data[16 : int.from_bytes(data[:4], "big")] else ("HEIF",)
        raise PhotoError(f"The file looks like a video, not a photo: export one frame of it as {_READABLE}.")
    raise PhotoError(_unreadable_message(data[:4096]))


def _unreadable_message(start: bytes) -> str:
    """Why a file that is none of the readable pictures cannot be read."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text and text.startswith(b"<"):
        return "SVG drawings are not read: export the picture as PNG or JPEG."
    if text.startswith((b"<!doctype html", b"<html")):
        return "The file is a web page, not a picture: save the picture itself from the page."
    if text.startswith(b"%pdf"):
        return "The file is a PDF: export the photo from it as JPEG or PNG."
    if b"\0" not in start and all(byte >= 32 or byte in b"\t\n\r\f" for byte in start):
        return f"The file contains text, not a picture, whatever its name is: choose a photo as {_READABLE}."
    return f"The file is not a picture that can be read here: choose a photo as {_READABLE}."


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP file's first chunk (RFC 9649, section 2)."""
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _refuse_size(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE_PX:
        raise PhotoError(_too_many_pixels(f"The photo is {width:,} × {height:,} pixels"))
    if min(size) < MIN_SIDE_PX:
        raise PhotoError(
            f"The photo is only {width:,} × {height:,} pixels: choose one of at least {MIN_SIDE_PX} × {MIN_SIDE_PX}, "
            "better 1,000 or more."
        )


def _too_large(size: int) -> PhotoError:
    return PhotoError(
        f"The file has {size / 2**20:,.1f} MB, more than the limit of {MAX_FILE_BYTES / 2**20:g} MB: "
        "save the photo as a JPEG, or make it smaller."
    )


def _too_many_pixels(opening: str) -> str:
    return (
        f"{opening}; the limit is {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE_PX:,} a side: "
        "make it smaller and try again."
    )


def _broken(error: Exception, formats: tuple[str, ...]) -> str:
    name = " or ".join(formats)
    if isinstance(error, EOFError) or "truncat" in str(error).lower():
        return f"The {name} file is cut short, as after a broken download: download it again, or choose another photo."
    return f"The {name} file is damaged or of a rare kind: open it elsewhere and save it as a JPEG, then try again."


def _decode_heif(data: bytes) -> Image.Image:
    """Decode HEIC in a process of its own, for the reason given in `heif.py`. Raises OSError if that fails."""
    output = run_limited(
        _HEIF,
        [str(MAX_PIXELS), str(MAX_SIDE_PX)],
        data,
        memory_bytes=_HEIF_MEMORY_BYTES,
        cpu_seconds=_HEIF_CPU_SECONDS,
        seconds=_HEIF_SECONDS,
    )
    line, _, body = output.partition(b"\n")
    header = json.loads(line)
    width, height = header["size"]
    _refuse_size((width, height))
    if header["mode"] not in _HEIF_MODES:
        raise OSError(f"HEIC of an unknown kind, {header['mode']}")
    image = Image.frombytes(header["mode"], (width, height), body[header["icc"] :])
    if header["icc"]:
        image.info["icc_profile"] = body[: header["icc"]]
    return image


def _refuse_scans(data: bytes, size: tuple[int, int]) -> None:
    scans = data.count(
        b"\xff\xda"
    )  # start of scan; compressed data escapes every 0xFF, so only a marker has these bytes
    if scans > 1 and scans * size[0] * size[1] > _MAX_SCANNED_PIXELS:
        raise PhotoError("The JPEG file is built so that it takes very long to read: save it again and try once more.")


def _kept_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, KEEP_SIDE_PX / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _clean(source: Image.Image) -> Image.Image:
    """A new upright RGB picture of a source's first frame, at most 4096 px a side."""
    source.load()
    _refuse_size(source.size)  # some decoders know the true size only now
    orientation = _orientation(source)
    icc = source.info.get("icc_profile")
    image = _eight_bit(source)
    if max(image.size) > KEEP_SIDE_PX:
        # Hamming is as sharp as bicubic for a reduction, and takes half of Lanczos's time: 0.35 s from 39 MP.
        image = image.resize(_kept_size(image.size), Image.Resampling.HAMMING)
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    image = _in_srgb(image.convert(image.mode.removesuffix("A")), icc)
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, _UNDER_ALPHA), alpha)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return image


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 if there is none or the EXIF block cannot be read."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a broken EXIF block (any of a dozen exceptions) must not cost a sound photo
        return 1
    return found if isinstance(found, int) else 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture as L, LA, RGB, RGBA or CMYK, from any of Pillow's modes."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(np.asarray(image)))
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "RGBa":
        image = image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") and "transparency" not in image.info:
        return image
    if image.has_transparency_data:  # a palette's, or PNG's one see-through colour
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled(grey: np.ndarray) -> np.ndarray:
    """Grey of any number type as uint8.

    Files do not say which value is white, so it follows from type and values. For 16 bits it is 65,535; for wider
    integers and floats the first of 1, 255 and 65,535 that is not below the largest value, or else that value.
    """
    values = np.nan_to_num(grey.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if grey.dtype.itemsize == 2:
        low, white = 0.0, 65_535.0
    else:
        low, high = min(0.0, float(values.min())), float(values.max())
        steps = (1.0, 255.0, 65_535.0) if grey.dtype.kind == "f" else (255.0, 65_535.0)
        white = next((step for step in steps if high <= step), high)
    scaled: np.ndarray = np.clip((values - low) * (255.0 / (white - low)) + 0.5, 0, 255).astype(np.uint8)
    return scaled


def _in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An L, RGB or CMYK picture as sRGB. A profile that is broken or meant for another mode is ignored."""
    if icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            space = profile.profile.xcolor_space.strip()
            if space == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            if space == {"L": "GRAY"}.get(image.mode, image.mode):
                to_srgb = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), image.mode, "RGB")
                if image.mode != "RGB" or _changes(to_srgb):
                    return ImageCms.applyTransform(image, to_srgb) or image
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # the picture itself is sound; without its profile only the colours are slightly wrong
    return image.convert("RGB")


def _changes(to_srgb: ImageCms.ImageCmsTransform) -> bool:
    """Whether a profile differs from sRGB by more than rounding, tested on 4,913 colours: this saves 0.4 s at 12 MP."""
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(17, -1, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), to_srgb))
    return bool(np.abs(converted.astype(int) - colours).max() > 3)
