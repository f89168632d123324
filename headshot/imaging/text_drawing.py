"""Words on a picture: the font, what it cannot spell, and lines that end where the room does."""

import io
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

import pymupdf_fonts  # type: ignore[import-untyped]  # ships no types
from PIL import ImageDraw, ImageFont, features

Colour = tuple[int, int, int]

_LONGEST = 1000  # characters; no page is wider, and a pasted book is not measured to its end
_ELLIPSIS = "…"


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    ink: Colour,
    width: int,
    *,
    bold: bool = False,
    centred: bool = False,
) -> None:
    """One line whose letters stand within `width` px of `place`, their top at its height.

    What is too long ends in an ellipsis. centred: in that width.
    """
    line = shortened(text, size, width, bold=bold)
    font = _font(size, bold, _is_shaped(line))
    left = place[0] + (round((width - font.getlength(line)) / 2) if centred else 0)
    draw.text((left, place[1] + round(size * 0.75)), line, ink, font, anchor="ls")


def shortened(text: str, size: int, width: int, *, bold: bool = False) -> str:
    """As much of it on one line as fits, with an ellipsis where something is missing."""
    text = drawable_text(text)
    if length(text, size, bold=bold) <= width:
        return text
    return _joined(text[: _longest_prefix(text, "", _ELLIPSIS, size, width, bold)], "", _ELLIPSIS)


def wrapped(text: str, size: int, width: int, *, lines: int, bold: bool = False) -> list[str]:
    """The text in at most that many lines of `width` px, broken at its blanks, or within a word that alone is wider."""
    left = drawable_text(text)
    broken: list[str] = []
    while left and len(broken) < lines - 1 and length(left, size, bold=bold) > width:
        words = left.split(" ")
        line = " ".join(words[: _longest_prefix(words, " ", "", size, width, bold)])
        line = line or left[: max(1, _longest_prefix(left, "", "", size, width, bold))]
        broken.append(line)
        left = left[len(line) :].lstrip()
    return [*broken, shortened(left, size, width, bold=bold)] if left and lines > 0 else broken


def length(text: str, size: int, *, bold: bool = False) -> int:
    """In px, of a text in letters that the font holds: see `drawable_text`."""
    return int(_font(size, bold, _is_shaped(text)).getlength(text) + 0.999)


def drawable_text(text: str) -> str:
    """On one line, in letters that are drawn: what the font lacks is spelled plainly, or becomes a “?”.

    The font holds Latin, Greek, Cyrillic, Hebrew, Arabic, Thai, Devanagari and Georgian letters. Those that must be
    joined or run from the right need Pillow's raqm, which not every machine has.
    """
    known = unicodedata.normalize("NFC", text[:_LONGEST].encode("utf-8", "replace").decode("utf-8"))
    spelled = "".join(_spelled(letter) for letter in known)
    while "\0\0" in spelled:
        spelled = spelled.replace("\0\0", "\0")
    return " ".join(spelled.replace("\0", "?").split())


def _longest_prefix(pieces: Sequence[str], joint: str, ending: str, size: int, width: int, bold: bool) -> int:
    """How many of the first letters or words fit, with the ending behind them."""
    fits, too_many = 0, len(pieces) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if length(_joined(pieces[:middle], joint, ending), size, bold=bold) <= width:
            fits = middle
        else:
            too_many = middle
    return fits


def _joined(pieces: Sequence[str], joint: str, ending: str) -> str:
    return joint.join(pieces).rstrip() + ending


@lru_cache(maxsize=4096)
def _spelled(letter: str) -> str:
    if letter.isspace():
        return " "
    category = unicodedata.category(letter)
    if category == "Cf" or (category == "Mn" and unicodedata.bidirectional(letter) == "NSM" and not _of_script(letter)):
        return ""  # what turns the direction, joins or stands over a letter without being part of it
    if _is_drawn(letter):
        return letter
    parts = [part for part in unicodedata.normalize("NFKD", letter) if part != letter]
    return "".join(_spelled(part) for part in parts) or "\0"


def _of_script(mark: str) -> bool:
    """Whether it is a vowel or sign of one script, and not an accent that any letter may carry."""
    return not unicodedata.name(mark, "").startswith(("COMBINING", "VARIATION"))


def _is_drawn(letter: str) -> bool:
    """Whether the font has more for this letter than the box that stands for all it lacks."""
    if _is_shaped(letter) and not _can_shape():
        return False
    font = _font(24, False, False)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _is_shaped(text: str) -> bool:
    """Whether its letters must be joined, moved or set from the right: Hebrew, Arabic, and the scripts of India."""
    return any("\u0590" <= letter <= "\u0fff" or "\ufb1d" <= letter <= "\ufefc" for letter in text)


@cache
def _can_shape() -> bool:
    return bool(features.check("raqm") and features.check("fribidi"))


@cache
def _font(size: int, bold: bool, shaped: bool) -> ImageFont.FreeTypeFont:
    """FiraGO (SIL Open Font License 1.1). Latin letters come from the plain layout, which is alike on every machine."""
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(io.BytesIO(_file(bold)), size, layout_engine=engine)


@cache
def _file(bold: bool) -> bytes:
    return bytes(pymupdf_fonts.myfont("figbo" if bold else "figo"))
