"""A JPEG's segments before its pixels (ITU-T T.81, annex B): EXIF, XMP, comment, and whether a manifest is there."""

from collections.abc import Iterator

from .limits import MAX_PARTS, damaged_error, limit_error

_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"  # XMP specification, part 3, 1.1.3
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_START_OF_SCAN, _END = 0xDA, 0xD9
_APP1, _APP11, _COMMENT = 0xE1, 0xEB, 0xFE


def exif(jpeg: bytes) -> bytes:
    """Return the EXIF block, without the name before it; b"" for none."""
    return next((data[6:] for marker, data in _segments(jpeg) if marker == _APP1 and data.startswith(_EXIF)), b"")


def xmp(jpeg: bytes) -> bytes:
    """Return the XMP packet; b"" for none."""
    return next(
        (data[len(_XMP) :] for marker, data in _segments(jpeg) if marker == _APP1 and data.startswith(_XMP)), b""
    )


def comment(jpeg: bytes) -> bytes:
    """Return the comment; b"" for none."""
    return next((data for marker, data in _segments(jpeg) if marker == _COMMENT), b"")


def has_credentials(jpeg: bytes) -> bool:
    """Whether there is a C2PA manifest, valid or not (C2PA specification, A.3: JUMBF in APP11)."""
    return any(marker == _APP11 and data.startswith(b"JP") for marker, data in _segments(jpeg))


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    for _ in range(MAX_PARTS):
        if jpeg[at : at + 1] != b"\xff" or at + 2 > len(jpeg):
            raise damaged_error("JPEG", "is damaged or cut short")
        marker = jpeg[at + 1]
        if marker in (_START_OF_SCAN, _END):
            return
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # fill bytes may stand before a marker
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(jpeg):
            raise damaged_error("JPEG", "is damaged or cut short")
        yield marker, jpeg[at + 4 : at + 2 + length]
        at += 2 + length
    raise limit_error(f"more than {MAX_PARTS:,} segments")
