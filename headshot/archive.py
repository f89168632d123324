"""Several files as one: a ZIP."""

import io
import re
import zipfile
from collections.abc import Mapping

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,150}[A-Za-z0-9]")  # a plain name on every system, and no folder
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows keeps these for devices


def archive(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files by their names. The same files give the same bytes, in whatever order they come.

    Stored, for pictures do not get smaller. Raises ValueError for a name that could leave the folder into which
    someone unpacks, or that some system would refuse, and for two that differ only in capitals.
    """
    for name in files:
        if _SAFE.fullmatch(name) is None or _RESERVED.fullmatch(name) is not None:
            raise ValueError(f"{name!r} is not a safe name for a file")
    if len({name.casefold() for name in files}) < len(files):
        raise ValueError("two names differ only in capitals, and would be one file on some systems")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # dated 1980, ZIP's beginning: a clock would make every archive another one
            entry.create_system = 3  # Unix, also when written on Windows, so that the mode counts
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, files[name])
    return written.getvalue()
