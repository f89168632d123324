"""A team's files: many people's photos, one look, and every file under the name of its photo."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from headshot.file_names import UniqueNames, fit_name, is_safe_letter

from .sheet import CELL_PX, contact_sheet, fit_within, placeholder
from .zip_bundle import zip_bundle

SHEET, TABLE = "contact-sheet.png", "headshots.csv"  # beside the headshots in the ZIP

_ENDING = ".png"
_MAX_CHARACTERS = 80  # of a whole name: leaves room for the folders in a path, which Windows limits to 260
_MAX_BYTES = 200  # below the limit of an archive's names
_PHOTO_ENDING = re.compile(r"\.(jpe?g|jpe|jfif|png|webp|hei[cf]|avif|tiff?|bmp|gif)$", re.IGNORECASE)
_NAMELESS = "photo"
_REASON_PX = 24
_CELL = (CELL_PX, CELL_PX * 5 // 4)  # a headshot's shape


@dataclass(frozen=True)
class TeamRow:
    """One person of the team.

    Attributes:
        name: The headshot's file name; without its ending it is the label on the sheet.
        picture: The headshot, or the file that holds it; None if there is none.
        caption: A second line below the name.
        reason: Why there is no headshot.
    """

    name: str
    picture: Image.Image | Path | None = None
    caption: str = ""
    reason: str = ""


def headshot_names(photo_names: Iterable[str]) -> list[str]:
    """Name each headshot after its photo: `Zoë Müller.jpg` gives `Zoë Müller.png`, a second one `Zoë Müller 2.png`.

    Args:
        photo_names: The photos' file names; any text.

    Returns:
        Names that are safe on every system: no folder, no control character, no name that Windows reserves, at most
        80 characters, and no two that differ only in capitals. Letters of all scripts are kept.
    """
    names = UniqueNames((SHEET, TABLE))
    return [names.claim(partial(_numbered, _stem(name))) for name in photo_names]


def team_zip(files: Mapping[str, bytes], sheet: bytes, table: bytes) -> bytes:
    """Pack a team's files into one ZIP.

    Args:
        files: The headshots' files, by the names from `headshot_names`.
        sheet: The contact sheet, which is named SHEET.
        table: The CSV table, which is named TABLE.
    """
    return zip_bundle({**files, SHEET: sheet, TABLE: table})


def team_sheet(rows: Sequence[TeamRow], *, title: str = "", footer: str = "") -> Image.Image:
    """Draw the team on one page, with the name below each headshot and the reason in place of a missing one.

    Args:
        rows: In the order in which they are drawn.
        title: Above the headshots.
        footer: Below them.

    Raises:
        ValueError: for no rows.
        FileNotFoundError: if a picture's file is gone.
    """
    labels = [(row.name.removesuffix(_ENDING), row.caption) for row in rows]
    with_captions = any(caption for _, caption in labels)
    return contact_sheet(
        [_picture_of(row) for row in rows],
        [label if with_captions else label[:1] for label in labels],
        title=title,
        footer=footer,
    )


def _picture_of(row: TeamRow) -> Image.Image:
    """Reduced to a cell, so that a hundred people fit into memory."""
    if row.picture is None:
        return placeholder(_CELL, row.reason, text_px=_REASON_PX)
    if isinstance(row.picture, Image.Image):
        return fit_within(row.picture, _CELL)
    with Image.open(row.picture) as opened:
        return fit_within(opened, _CELL)


def _stem(photo_name: str) -> str:
    """The name without folders and ending, in letters that every system accepts; of any length."""
    last = re.split(r"[/\\]", photo_name[-1000:])[-1]
    stem = unicodedata.normalize("NFC", _PHOTO_ENDING.sub("", last.strip()))
    safe = "".join(letter if is_safe_letter(letter) else " " for letter in stem)
    return _trimmed(unicodedata.normalize("NFC", safe)) or _NAMELESS


def _numbered(stem: str, number: int) -> str:
    ending = _ENDING if number == 1 else f" {number}{_ENDING}"
    return fit_name(stem, ending, prefix=_NAMELESS, max_characters=_MAX_CHARACTERS, max_bytes=_MAX_BYTES, trim=_trimmed)


def _trimmed(stem: str) -> str:
    """Starting with a letter or digit, ending with neither a blank nor a full stop, with single blanks inside."""
    start = next((index for index, letter in enumerate(stem) if letter.isalnum()), len(stem))
    return " ".join(stem[start:].split()).rstrip(" .-_,&+'’(")
