"""Several files as one: a ZIP."""

import io
import re
import unicodedata
import zipfile
from collections.abc import Mapping

_PUNCTUATION = " ._-'’,&+()"  # what every system takes within a name
_MAX_NAME_CHARACTERS, _MAX_NAME_BYTES = 150, 240  # file systems take 255, and what unpacks may add something
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows keeps these for devices


def zip_bundle(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files by their names. The same files give the same bytes, in whatever order they come.

    Stored, for pictures do not get smaller. Raises ValueError for a name that could leave the folder into which
    someone unpacks, or that some system would refuse, and for two that differ only in capitals.
    """
    for name in files:
        if not is_safe(name):
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


def is_safe(name: str) -> bool:
    """Whether it is a plain name on every system, and no folder: letters of any script, digits and some marks."""
    return (
        "" < name == unicodedata.normalize("NFC", name)  # macOS takes the other forms for the same name
        and len(name) <= _MAX_NAME_CHARACTERS
        and len(name.encode("utf-8", "replace")) <= _MAX_NAME_BYTES
        and name[0].isalnum()
        and name[-1] not in " .-_"
        and all(letter in _PUNCTUATION or unicodedata.category(letter)[0] in "LNM" for letter in name)
        and _RESERVED.fullmatch(name) is None
    )
