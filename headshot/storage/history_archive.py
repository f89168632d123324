"""A stranger's ZIP, read within limits, whatever it claims about its own sizes.

    2026-03-01 12.00.05 For the board/headshot-studio-seed-7-guidance-7.5-steps-21.png
    …
    history.json        everything else, under a version

The names are for people. Nothing of an archive is ever used as a path on the disk: its files are found by the names in
its `history.json`, and all of it is untrusted, whoever claims to have exported it.
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

from headshot.errors import RequestError
from headshot.imaging.photo import MAX_SIDE_PX

MANIFEST = "history.json"

# Each limit is several times what a history of thousands has, and the most that one request may cost a server.
MAX_BYTES = 8 * 2**30  # of all pictures: 5,000 pictures have 5 to 10 GB
MAX_PICTURE_BYTES = 20 * 2**20  # 1024 × 1280 px have 2 MB, and 4 at most
MAX_MANIFEST_BYTES = 64 * 2**20  # 5,000 headshots have about 8 MB
MAX_DIRECTORY_BYTES = 8 * 2**20  # 40,000 names of 130 characters
_MAX_PIXELS = 16_000_000  # twelve times a headshot's: a picture of one colour may have many in few bytes
_CHUNK_BYTES = 2**20


class HistoryArchive:
    """Reads files of a ZIP by their names. Every limit is checked while reading.

    Args:
        file: seekable.

    Raises:
        RequestError: if it is no ZIP, is damaged, or has too many entries.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._left_bytes = MAX_BYTES + MAX_MANIFEST_BYTES
        with _translate_errors(
            "The file is no archive of a history, or damaged: choose the ZIP that an export has written."
        ):
            # The whole directory is read at once and becomes an object for each name, before anybody could count them.
            self._zip = zipfile.ZipFile(_LimitedFile(file, MAX_DIRECTORY_BYTES))

    def find(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of that name.

        Raises:
            RequestError: if there is none, or it is packed so that its size could not be limited.
        """
        try:
            entry = self._zip.getinfo(name)
        except KeyError as error:
            raise RequestError("The archive lacks some of its pictures: export it once more.") from error
        # bz2 and LZMA give out a whole block at once, however large; and nothing of ours is encrypted.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 0x1:
            raise RequestError("The archive was packed by another program, in a way that is not read here.")
        return entry

    def read(self, name: str, most_bytes: int, what: str) -> bytes:
        """Return a file's bytes.

        Args:
            name: in the archive.
            most_bytes: of this file, unpacked.
            what: names the file in the error's sentence, as its first words.

        Raises:
            RequestError: as `find`, and if the file is damaged or larger than that.
        """
        entry = self.find(name)
        most = min(most_bytes, self._left_bytes)
        pieces, size = [], 0
        with _translate_errors("The archive is damaged: export it once more."), self._zip.open(entry) as file:
            # A piece at a time, and one byte too many at most, whatever the entry claims as its size.
            while size <= most and (piece := file.read(min(_CHUNK_BYTES, most + 1 - size))):
                pieces.append(piece)
                size += len(piece)
        if size > most:
            if most < most_bytes:
                raise RequestError(f"The archive holds more than {MAX_BYTES // 2**30} GB, which is more than is read.")
            raise RequestError(f"{what} has more than {most_bytes // 2**20} MB, which is more than is read.")
        self._left_bytes -= size
        return b"".join(pieces)


class _LimitedFile(io.RawIOBase):
    """A file that refuses to read more than `most_bytes` at once."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._most_bytes + 1 if size < 0 else min(size, self._most_bytes + 1))
        if len(data) > self._most_bytes:
            raise RequestError("The archive has more entries than are read: it is none of a history.")
        return data


def decode_picture(png: bytes) -> Image.Image:
    """Decode a picture of an archive to RGB.

    Raises:
        RequestError: for everything that is no sound PNG of a headshot's size.
    """
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise RequestError("The archive holds a picture that is no PNG, so nothing was taken in: export it once more.")
    translated = _translate_errors(
        "The archive holds a picture that is damaged, so nothing was taken in: export it once more."
    )
    with translated, Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
        if opened.width * opened.height > _MAX_PIXELS or max(opened.size) > MAX_SIDE_PX:
            raise RequestError("The archive holds a picture with far too many pixels, so nothing was taken in.")
        return opened.convert("RGB")


@contextmanager
def _translate_errors(sentence: str) -> Iterator[None]:
    """Turn every error of zipfile and Pillow into RequestError: hostile archives raise a dozen kinds."""
    try:
        yield
    except (RequestError, MemoryError):
        raise
    except Exception as error:
        raise RequestError(sentence) from error
