"""Names of the files and folders in an exported archive: every system can unpack them."""

import re
import unicodedata

from headshot import file_names

_MAX_NAME_CHARACTERS = 120  # with its folder's it stays within the 260 of a path on Windows
_ENDING = re.compile(r"(?<=[^ .])\.[A-Za-z0-9]{1,5}$")


class ArchivePaths:
    """Gives each path once, also for systems that do not tell capitals apart.

    Args:
        reserved: a path that is in use already.
    """

    def __init__(self, reserved: str) -> None:
        self._paths = file_names.UniqueNames([reserved])

    def unused(self, wanted: str, folder: str = "") -> str:
        """Return the path of a new folder in the archive, or of a new file in `folder`, and reserve it.

        Args:
            wanted: a folder's or a file's name, in any characters.
            folder: "" or the path of a folder in the archive, with its slash at the end.
        """
        stem, ending = _split(portable_name(wanted))
        return self._paths.claim(lambda number: f"{folder}{stem}{'' if number == 1 else f' ({number})'}{ending}")


def portable_name(name: str) -> str:
    """Turn any text into a file name for every system: no folder in it, no device, at most 120 characters."""
    name = "".join("-" if letter in '<>:"/\\|?*' or _is_unseen(letter) else letter for letter in name).strip(" .")
    stem, ending = _split(name)
    return file_names.fit_name(
        stem, ending, prefix="headshot", max_characters=_MAX_NAME_CHARACTERS, trim=lambda text: text.strip(" .")
    )


def _split(name: str) -> tuple[str, str]:
    """Split off the ending with its dot; "" if the text after the last dot does not look like an ending."""
    found = _ENDING.search(name)
    return (name, "") if found is None else (name[: found.start()], found.group())


def _is_unseen(letter: str) -> bool:
    """Whether it is a control, half a character, a change of direction, or a blank that is no space."""
    return unicodedata.category(letter)[0] in "CZ" and letter != " "
