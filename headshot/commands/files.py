"""The folder that headshots are written into, and a file's name that overwrites nothing."""

import os
import tempfile
from itertools import count
from pathlib import Path

from headshot.errors import HeadshotError

_MAX_STEM_BYTES = 120  # of the photo's name; with the settings and a number it stays below 255, most systems' limit


class FileError(HeadshotError):
    """A file or folder cannot be written; the sentence says why."""


def open_folder(folder: Path) -> None:
    """Make the folder if it does not exist, and check before the first headshot is made that it can be written to.

    Raises:
        FileError: if it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise FileError(f"The folder “{folder}” cannot be written to ({error.strerror}): name another.") from error


def write_headshot(folder: Path, photo: Path, name: str, data: bytes) -> Path:
    """Write a headshot under its photo's name and its own, with a number where that name is taken.

    Args:
        folder: an existing folder.
        photo: the photo's path, of which the name without its ending is used.
        name: the headshot's own file name.
        data: the file's content.

    Returns:
        The path that was written.

    Raises:
        FileError: if it cannot be written, for example because the disk is full; nothing is left of it then.
    """
    own = Path(f"{os.fsdecode(os.fsencode(photo.stem)[:_MAX_STEM_BYTES].rstrip())}-{name}")
    for number in count(1):
        path = folder / (own.name if number == 1 else f"{own.stem}-{number}{own.suffix}")
        try:
            with path.open("xb") as file:  # x: a file of that name is never overwritten, also not in a race
                try:
                    file.write(data)
                    file.flush()
                except OSError:
                    path.unlink(missing_ok=True)
                    raise
        except FileExistsError:
            continue
        except OSError as error:
            raise FileError(f"“{path}” cannot be written ({error.strerror}).") from error
        return path
    raise AssertionError("count() does not end")
