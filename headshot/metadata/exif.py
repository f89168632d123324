"""Writes and reads the few EXIF entries that say how a picture was made (CIPA DC-008, EXIF 2.32).

`parameters` is written as other tools do it: as the user comment, in UTF-16 after the word UNICODE. Pillow's Image.Exif
would write that entry with the type BYTE, where the standard asks for UNDEFINED, so the block is built here.
"""

import struct

_SOFTWARE, _MAKER_NOTE, _USER_COMMENT = 0x0131, 0x927C, 0x9286
_EXIF_IFD = 0x8769
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_SIZES = {1: 1, _ASCII: 1, 3: 2, _LONG: 4, 5: 8, 6: 1, _UNDEFINED: 1, 8: 2, 9: 4, 10: 8}
_MAX_ENTRIES = 500  # of one directory; cameras write about forty


def encode(comment: str, software: str) -> bytes:
    """Return an EXIF block, without the name that a JPEG's segment has before it."""
    comment_value = b"UNICODE\0" + comment.encode("utf-16-be", "replace")
    software_value = software.encode("ascii", "replace") + b"\0"
    software_value += b"\0" * (len(software_value) % 2)
    first, names = 8, 2 + 2 * 12 + 4  # where the first directory starts, and its length
    second = first + names + len(software_value)
    return (
        struct.pack(">2sHI", b"MM", 42, first)
        + struct.pack(">H", 2)
        + struct.pack(">HHII", _SOFTWARE, _ASCII, len(software) + 1, first + names)
        + struct.pack(">HHII", _EXIF_IFD, _LONG, 1, second)
        + struct.pack(">I", 0)
        + software_value
        + struct.pack(">H", 1)
        + struct.pack(">HHII", _USER_COMMENT, _UNDEFINED, len(comment_value), second + 2 + 12 + 4)
        + struct.pack(">I", 0)
        + comment_value
    )


def texts(block: bytes) -> dict[str, str]:
    """Return the block's texts: "comment", "software", "maker note", and ComfyUI's "prompt" and "workflow" in WebP.

    A broken block has fewer, or none: the other metadata of its file must not be lost with it.
    """
    order = {b"MM": ">", b"II": "<"}.get(block[:2])
    if order is None or len(block) < 8:
        return {}
    entries = _entries(block, order, struct.unpack_from(f"{order}I", block, 4)[0])
    inner = entries.get(_EXIF_IFD, (0, b""))[1]
    if len(inner) == 4:
        entries |= _entries(block, order, struct.unpack(f"{order}I", inner)[0])
    found = {}
    for tag, (kind, value) in entries.items():
        if tag == _USER_COMMENT:
            found["comment"] = _comment(value, order)
        elif tag == _MAKER_NOTE:
            found["maker note"] = _ascii(value)
        elif tag == _SOFTWARE and kind == _ASCII:
            found["software"] = _ascii(value)
        elif kind == _ASCII:
            name, colon, text = _ascii(value).partition(":")
            if colon and name.lower() in ("prompt", "workflow"):  # in Make and Model, of all places
                found[name.lower()] = text
    return {name: text for name, text in found.items() if text}


def _entries(block: bytes, order: str, at: int) -> dict[int, tuple[int, bytes]]:
    """Return type and bytes by tag, for the entries that lie within the block."""
    found: dict[int, tuple[int, bytes]] = {}
    if at + 2 > len(block):
        return found
    count = min(struct.unpack_from(f"{order}H", block, at)[0], _MAX_ENTRIES)
    for place in range(at + 2, min(at + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", block, place)
        size = length * _SIZES.get(kind, 0)
        start = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", block, place + 8)[0]
        if size and start + size <= len(block):
            found[tag] = (kind, block[start : start + size])
    return found


def _ascii(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace").strip()


def _comment(value: bytes, order: str) -> str:
    code, text = value[:8], value[8:]
    if code != b"UNICODE\0":
        # After ASCII and after eight zeros most programs write UTF-8; Fooocus writes no code at all.
        return _ascii(text if code in (b"ASCII\0\0\0", b"\0" * 8) else value)
    # The standard uses the byte order of the block; the library of most tools always writes the high byte first. The
    # zero bytes of Latin letters show which one it is.
    even, odd = text[0::2].count(0), text[1::2].count(0)
    high_byte_first = even > odd if even != odd else order == ">"
    return text.decode("utf-16-be" if high_byte_first else "utf-16-le", "replace").removeprefix("\ufeff").rstrip("\0")
