"""A PNG's chunks: writes and reads the text chunks, copies all others (PNG specification, third edition)."""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from .limits import MAX_PARTS, MAX_TEXT_BYTES, damaged_error, limit_error

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = "XML:com.adobe.xmp"
_HEADER_END = len(SIGNATURE) + 25  # the IHDR chunk: length, name, 13 bytes, checksum
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_MAX_KEYWORD_BYTES = 79  # 11.3.3.1
# The look of a picture depends on these alone; all other chunks are metadata.
_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"pHYs"}


def with_texts(png: bytes, texts: dict[str, str]) -> bytes:
    """Return the same file with these texts as iTXt chunks after its header.

    Args:
        png: the file's bytes.
        texts: by their keywords.

    Raises:
        TypeError: if it is no PNG.
    """
    if not png.startswith(SIGNATURE):
        raise TypeError("that file is no PNG")
    whole = memoryview(png)  # megabytes, which slices of it do not copy
    chunks = (_itxt_chunk(keyword, text) for keyword, text in texts.items())
    return b"".join((whole[:_HEADER_END], *chunks, whole[_HEADER_END:]))


def with_text_replaced(png: bytes, keyword: str, text: str) -> bytes:
    """Return the same file with that text after its header, in the place of all texts of that keyword."""
    whole, kept, at = memoryview(png), [], _HEADER_END
    for chunk in _chunks(png):
        if chunk.name in _TEXTS and _parse_text(chunk.name, chunk.content(png))[0] == keyword:
            kept.append(whole[at : chunk.start])
            at = chunk.end
    return b"".join((whole[:_HEADER_END], _itxt_chunk(keyword, text), *kept, whole[at:]))


def pixels_only(png: bytes) -> bytes:
    """Return the same picture, bit for bit, without any metadata."""
    whole = memoryview(png)
    return b"".join((SIGNATURE, *(whole[part.start : part.end] for part in _chunks(png) if part.name in _PIXELS)))


class _Chunk(NamedTuple):
    """One chunk's place in the file, from its length to its checksum."""

    name: bytes
    start: int
    end: int

    def content(self, png: bytes) -> bytes:
        return png[self.start + 8 : self.end - 4]


def _chunks(png: bytes) -> Iterator[_Chunk]:
    """Iterate up to the end chunk. Raises PhotoError if the file is damaged or cut short."""
    whole, at, count = memoryview(png), len(SIGNATURE), 0
    while True:
        if at + 12 > len(png):
            raise damaged_error("PNG", "is cut short")
        length, name = struct.unpack_from(">I4s", png, at)
        end = at + 12 + length
        if end > len(png):
            raise damaged_error("PNG", "is cut short")
        if name not in (b"IDAT", b"fdAT"):  # pixels come in thousands of chunks, and nothing here reads them
            count += 1
            if count > MAX_PARTS:
                raise limit_error(f"more than {MAX_PARTS:,} chunks")
            if zlib.crc32(whole[at + 4 : end - 4]) != int.from_bytes(whole[end - 4 : end], "big"):
                raise damaged_error("PNG", "has a wrong checksum")
        yield _Chunk(name, at, end)
        if name == b"IEND":
            return
        at = end


def texts(png: bytes) -> Iterator[tuple[str, str]]:
    """Iterate over keyword and text of each text chunk.

    Raises:
        PhotoError: if the file is damaged, or a text unpacks to more than the limit.
    """
    for chunk in _chunks(png):
        if chunk.name in _TEXTS:
            yield _parse_text(chunk.name, chunk.content(png))


def exif(png: bytes) -> bytes:
    """Return the EXIF block; b"" for none."""
    return next((chunk.content(png) for chunk in _chunks(png) if chunk.name == b"eXIf"), b"")


def has_credentials(png: bytes) -> bool:
    """Whether there is a C2PA manifest, valid or not (C2PA specification, A.3)."""
    return any(chunk.name == b"caBX" for chunk in _chunks(png))


def _itxt_chunk(keyword: str, text: str) -> bytes:
    """Return an iTXt chunk: keyword, not compressed, no language, UTF-8."""
    named = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(named) - 4) + named + struct.pack(">I", zlib.crc32(named))


def _parse_text(name: bytes, data: bytes) -> tuple[str, str]:
    keyword, separator, rest = data.partition(b"\0")
    if not separator or len(keyword) > _MAX_KEYWORD_BYTES:
        raise damaged_error("PNG", "has a text without a name")
    if name == b"tEXt":
        return keyword.decode("latin-1"), _within_limit(rest).decode("latin-1")
    if name == b"zTXt":
        return keyword.decode("latin-1"), _unpacked(rest[1:]).decode("latin-1")
    packed, rest = rest[:1], rest[2:]
    _language, _, rest = rest.partition(b"\0")
    _translated, _, rest = rest.partition(b"\0")
    text = _unpacked(rest) if packed == b"\1" else _within_limit(rest)
    return keyword.decode("latin-1"), text.decode("utf-8", "replace")


def _within_limit(text: bytes) -> bytes:
    if len(text) > MAX_TEXT_BYTES:
        raise limit_error(f"a text of {len(text) / 2**20:.1f} MB")
    return text


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, MAX_TEXT_BYTES + 1)
    except zlib.error as error:
        raise damaged_error("PNG", "has a text that cannot be unpacked") from error
    if len(text) > MAX_TEXT_BYTES:
        raise limit_error(f"a text that unpacks to more than {MAX_TEXT_BYTES / 2**20:g} MB")
    return text
