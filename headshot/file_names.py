"""File names that every system accepts, made and checked in one place."""

import unicodedata
from collections.abc import Callable, Iterable

from pathvalidate import Platform, ValidationError, is_valid_filename, validate_filename
from pathvalidate.error import ErrorReason

MAX_CHARACTERS, MAX_BYTES = 150, 240  # file systems accept 255 of either; what unpacks a file may add something

_PUNCTUATION = " ._-'’,&+()"  # accepted by every system within a name


def is_safe_letter(letter: str) -> bool:
    """Whether the character may be in a file name: a letter, digit or mark of any script, or common punctuation."""
    return letter in _PUNCTUATION or unicodedata.category(letter)[0] in "LNM"


def is_safe(name: str) -> bool:
    """Whether the name is one plain file name on every system: no folder, device, hidden file or option.

    It has only safe letters, is in the Unicode form NFC (macOS treats other forms as the same name), and is at most
    MAX_CHARACTERS and MAX_BYTES long.
    """
    return (
        "" < name == unicodedata.normalize("NFC", name)
        and len(name) <= MAX_CHARACTERS
        and all(map(is_safe_letter, name))
        and name[0].isalnum()
        and name[-1] not in " .-_"
        and is_valid_filename(name, platform=Platform.UNIVERSAL, max_len=MAX_BYTES, fs_encoding="utf-8")
    )


def is_reserved(name: str) -> bool:
    """Whether Windows keeps the name for a device, as it does with `con`, `NUL.txt` and `com1.tar.gz`."""
    try:
        validate_filename(name, platform=Platform.UNIVERSAL, fs_encoding="utf-8")
    except ValidationError as error:
        return error.reason is ErrorReason.RESERVED_NAME
    return False


def fit_name(
    stem: str, ending: str, *, prefix: str, max_characters: int, max_bytes: int = MAX_BYTES, trim: Callable[[str], str]
) -> str:
    """Join stem and ending, with the stem cut to the limits, and a prefix if the name is reserved or the stem empty.

    Args:
        stem: Without characters that a system refuses.
        ending: With its dot, or ""; it is never cut.
        prefix: A word that makes a name of an empty or reserved one.
        max_characters: Of the name without the prefix.
        max_bytes: The same in UTF-8.
        trim: Removes what may not be at either end of a stem.
    """
    stem = trim(stem[: max_characters - len(ending)])
    while len(f"{stem}{ending}".encode()) > max_bytes:
        stem = trim(stem[:-1])
    name = f"{stem}{ending}"
    return f"{prefix} {name}".strip() if not stem or is_reserved(name) else name


class UniqueNames:
    """Gives out each name once, and treats names that differ only in capitals as the same.

    Args:
        taken: Names that are never given out.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def claim(self, candidate: Callable[[int], str]) -> str:
        """Return the first of `candidate(1)`, `candidate(2)`, … that was not given out before."""
        number = 1
        while (name := candidate(number)).casefold() in self._taken:
            number += 1
        self._taken.add(name.casefold())
        return name
