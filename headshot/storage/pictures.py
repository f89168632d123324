"""Picture files named by their SHA-256: the same picture is stored once, however many rows need it."""

import os
import secrets
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path

_UNFINISHED = "unfinished-"


class Pictures:
    """The pictures of one database, in the store's folder. Missing folders are made.

    Callers that write or delete hold the database's lock meanwhile (`database.lock`). A file is there whole or not at
    all, and survives a power cut once `save` has returned.

    Args:
        folder: the store's.
        name: the database's, from its table `store`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.root = folder / "pictures" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for own in (self.root.parent, self.root):  # `parents=True` alone would let others look into the outer one
            own.mkdir(mode=0o700, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return the file of the picture with that SHA-256. 256 folders keep each one small."""
        return self.root / digest[:2] / digest

    def save(self, data: bytes, digest: str) -> None:
        """Write a picture to the disk, unless it is there.

        Args:
            data: the file's bytes.
            digest: their SHA-256, in hex.

        Raises:
            OSError: if the disk fails or is full; no half-written file is left.
        """
        path = self.path(digest)
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            unfinished = self.root / f"{_UNFINISHED}{secrets.token_hex(8)}"
            try:
                with open(unfinished, "xb", opener=_private) as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(path)
            except OSError:  # a full disk must not stay full
                unfinished.unlink(missing_ok=True)
                raise
        # Also if the file was there: the process that wrote it may have been killed before this.
        _sync(path.parent)
        _sync(self.root)

    def delete(self, digest: str) -> None:
        """Delete a picture, if it is there."""
        self.path(digest).unlink(missing_ok=True)

    def delete_all_but(self, digests: Collection[str]) -> None:
        """Delete every other picture, and the files that were never finished."""
        for path in self._files():
            if path.name not in digests:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        yield from self.root.glob(f"{_UNFINISHED}*")
        yield from self.root.glob("??/*")


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    return sha256(data).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    """Make a new name in a folder survive a power cut. Windows opens no folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
