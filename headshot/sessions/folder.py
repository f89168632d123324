"""One folder for all that visitors put in and are given: it goes with its server, a killed server's with the next."""

import atexit
import logging
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: there no folder gets its lock, and what a killed server left stays
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
_PREFIX = "headshot-"

_log = logging.getLogger(__name__)
_held: list[IO[str]] = []  # the lock of this process's folder stays open as long as the process lives


def claim() -> Path:
    """A new folder in the system's temporary one, deleted when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    lock = (folder / "new").open("w")
    if fcntl is not None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "new").rename(folder / LOCK)  # never there and not locked, so that nobody takes it for a dead one's
    _held.append(lock)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def delete_abandoned_folders() -> None:
    """Delete the folders of servers that were killed. A process's locks go with it, however it ends."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{LOCK}"):
        with suppress(OSError):  # locked: its server lives; or another user's
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent)
            _log.info("Deleted what a server that was killed had left in %s", lock.parent)
