"""Pictures as files named by what is in them: the same picture lies there once, whoever it belongs to."""

import os
import secrets
from collections.abc import Collection, Iterator
from hashlib import sha256
from pathlib import Path

_UNFINISHED = "unfinished-"


class Pictures:
    """The pictures of the database with this name, in the store's folder. All three folders may be missing.

    Who writes or deletes holds the database's lock meanwhile (`database.lock`). A file is there whole or not at all,
    and stays through a power cut once `keep` has returned.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.root = folder / "pictures" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for own in (self.root.parent, self.root):  # `parents=True` alone would let others look into the outer one
            own.mkdir(mode=0o700, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the picture with that SHA-256 lies. 256 folders keep each small."""
        return self.root / digest[:2] / digest

    def keep(self, data: bytes, digest: str) -> None:
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
        # Also where the file was there: who wrote it may have been killed before this.
        _sync(path.parent)
        _sync(self.root)

    def drop(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def sweep(self, wanted: Collection[str]) -> None:
        """Delete every other file, those that were never finished included."""
        for path in self._files():
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        yield from self.root.glob(f"{_UNFINISHED}*")
        yield from self.root.glob("??/*")


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    """A new name in a folder stays through a power cut only after this. Windows opens no folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
