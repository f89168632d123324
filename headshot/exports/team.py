"""A team: many people's photos in, one look out, and every file under the name of its photo."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from .sheet import CELL_PX, contact_sheet, fit_within, placeholder
from .zip_bundle import is_safe, zip_bundle

SHEET, TABLE = "contact-sheet.png", "headshots.csv"  # beside the headshots

_ENDING = ".png"
_MAX_CHARACTERS = 80  # of a whole name: a path of 260 on Windows leaves room for the folders
_MAX_BYTES = 200  # below what an archive takes
_PHOTO = re.compile(r"\.(jpe?g|jpe|jfif|png|webp|hei[cf]|avif|tiff?|bmp|gif)$", re.IGNORECASE)
_NAMELESS = "photo"
_REASON_PX = 24
_CELL = (CELL_PX, CELL_PX * 5 // 4)  # a headshot's shape


@dataclass(frozen=True)
class TeamRow:
    """One person of the team. name: of the headshot's file.  told: a second line, below the name.

    picture: or the file that holds it; None where there is none, and then `reason` says why.
    """

    name: str
    picture: Image.Image | Path | None = None
    told: str = ""
    reason: str = ""


def names_of(file_names: Iterable[str]) -> list[str]:
    """A name for the headshot of each photo: `Zoë Müller.jpg` gives `Zoë Müller.png`, a second one `Zoë Müller 2.png`.

    Of any text a name that is safe on every system: no folder, no control character, no name that Windows keeps for
    itself, at most 80 characters, and no two that differ only in capitals. Letters of all scripts stay.
    """
    taken = {SHEET.casefold(), TABLE.casefold()}
    names = []
    for file_name in file_names:
        stem, number = _stem(file_name), 1
        name = _named(stem, "")
        while name.casefold() in taken:
            number += 1
            name = _named(stem, f" {number}")
        taken.add(name.casefold())
        names.append(name)
    return names


def team_zip(files: Mapping[str, bytes], sheet: bytes, table: bytes) -> bytes:
    """The headshots by the names of `names_of`, with their sheet and their table as SHEET and TABLE."""
    return zip_bundle({**files, SHEET: sheet, TABLE: table})


def team_sheet(members: Sequence[TeamRow], *, title: str = "", footer: str = "") -> Image.Image:
    """The team on one page, everybody's name beneath. Who has no headshot stands there with the reason.

    Raises ValueError for a team of nobody.
    """
    labels = [(member.name.removesuffix(_ENDING), member.told) for member in members]
    told = any(second for _, second in labels)
    return contact_sheet(
        [_pictured(member) for member in members],
        [label if told else label[:1] for label in labels],
        title=title,
        footer=footer,
    )


def _pictured(member: TeamRow) -> Image.Image:
    """Small, so that a hundred people fit into memory."""
    if member.picture is None:
        return placeholder(_CELL, member.reason, text_px=_REASON_PX)
    if isinstance(member.picture, Image.Image):
        return fit_within(member.picture, _CELL)
    with Image.open(member.picture) as opened:
        return fit_within(opened, _CELL)


def _stem(file_name: str) -> str:
    """The name without folders and ending, in letters that every system takes; of any length."""
    last = re.split(r"[/\\]", file_name[-1000:])[-1]
    known = unicodedata.normalize("NFC", _PHOTO.sub("", last.strip()))
    safe = "".join(letter if is_safe(f"a{letter}a") else " " for letter in known)
    return _trimmed(unicodedata.normalize("NFC", safe)) or _NAMELESS


def _named(stem: str, number: str) -> str:
    ending = f"{number}{_ENDING}"
    stem = _trimmed(stem[: _MAX_CHARACTERS - len(ending)])
    while len(f"{stem}{ending}".encode()) > _MAX_BYTES:
        stem = _trimmed(stem[:-1])
    name = f"{stem}{ending}"
    return name if is_safe(name) else f"{_NAMELESS} {name}"  # con.png, nul.png


def _trimmed(stem: str) -> str:
    """Beginning with a letter or digit, ending with neither a blank nor a stop, with single blanks within."""
    at = next((at for at, letter in enumerate(stem) if letter.isalnum()), len(stem))
    return " ".join(stem[at:].split()).rstrip(" .-_,&+'’(")
