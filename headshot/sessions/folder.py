"""One temporary folder for all files of this server's visitors. It goes when the server ends.

The folder of a server that was killed is deleted by the next one.
"""

import atexit
import logging
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: folders get no lock there, and what a killed server left stays
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
_PREFIX = "headshot-"

_log = logging.getLogger(__name__)
_held: list[IO[str]] = []  # the lock of this process's folder stays open as long as the process lives


def claim() -> Path:
    """Make a new folder in the system's temporary one, deleted when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    lock = (folder / "new").open("w")
    if fcntl is not None:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Renamed after locking: the file `lock` never exists unlocked, so that no other server deletes this folder.
        (folder / "new").rename(folder / LOCK)
    _held.append(lock)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def delete_abandoned_folders() -> None:
    """Delete the folders of servers that were killed. A process's locks go with it, however it ends."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{LOCK}"):
        with suppress(OSError):  # it is locked, so its server lives; or it belongs to another user
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent)
            _log.info("Deleted %s, left behind by a server that was killed", lock.parent)
