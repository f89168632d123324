"""A WebP's chunks (RFC 9649): EXIF, XMP, and whether a manifest is there."""

from collections.abc import Iterator

from .limits import MAX_PARTS, damaged_error, limit_error


def exif(webp: bytes) -> bytes:
    """Return the EXIF block; b"" for none."""
    return _first(webp, b"EXIF").removeprefix(b"Exif\0\0")  # which some programs copy from a JPEG


def xmp(webp: bytes) -> bytes:
    """Return the XMP packet; b"" for none."""
    return _first(webp, b"XMP ")


def has_credentials(webp: bytes) -> bool:
    """Whether there is a C2PA manifest, valid or not (C2PA specification, A.3)."""
    return any(name == b"C2PA" for name, _ in _chunks(webp))


def _first(webp: bytes, wanted: bytes) -> bytes:
    return next((data for name, data in _chunks(webp) if name == wanted), b"")


def _chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, end = 12, 8 + int.from_bytes(webp[4:8], "little")
    if end > len(webp):
        raise damaged_error("WebP", "is cut short")
    for _ in range(MAX_PARTS):
        if at + 8 > end:
            return
        length = int.from_bytes(webp[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise damaged_error("WebP", "is damaged or cut short")
        yield webp[at : at + 4], webp[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise limit_error(f"more than {MAX_PARTS:,} chunks")
