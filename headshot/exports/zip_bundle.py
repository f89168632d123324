"""Several files as one ZIP."""

import io
import zipfile
from collections.abc import Mapping

from headshot.file_names import is_safe


def zip_bundle(files: Mapping[str, bytes]) -> bytes:
    """Pack the files into a ZIP; the same files give the same bytes, in whatever order they come.

    The files are stored without compression, because pictures do not get smaller.

    Args:
        files: Their contents by their names.

    Raises:
        ValueError: for a name that could leave the folder into which somebody unpacks or that some system refuses, and
            for two names that differ only in capitals.
    """
    for name in files:
        if not is_safe(name):
            raise ValueError(f"{name!r} is not a safe name for a file")
    if len({name.casefold() for name in files}) < len(files):
        raise ValueError("two names differ only in capitals, and would be one file on some systems")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # dated 1980, ZIP's first year, so that the clock does not change the bytes
            entry.create_system = 3  # Unix, also when written on Windows, so that the mode counts
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return data.getvalue()
