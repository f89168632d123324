"""Text on a picture: the font, letters that it lacks, and lines that fit a width."""

import io
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

import pymupdf_fonts  # type: ignore[import-untyped]  # ships no types
from PIL import ImageDraw, ImageFont, features

Colour = tuple[int, int, int]

_MAX_CHARACTERS = 1000  # no page is wider, and a pasted book need not be measured to its end
_ELLIPSIS = "…"


def write(
    draw: ImageDraw.ImageDraw,
    point: tuple[int, int],
    text: str,
    size: int,
    ink: Colour,
    width: int,
    *,
    bold: bool = False,
    centred: bool = False,
) -> None:
    """Draw one line of text, shortened with an ellipsis if it is too long.

    Args:
        draw: The picture.
        point: x and y of the line's left end and of the letters' top.
        text: Any text; see `drawable_text`.
        size: The font's, in px.
        ink: RGB.
        width: Of the room for the line, in px.
        bold: Whether the letters are bold.
        centred: Whether the line is centred in its room.
    """
    line = shortened(text, size, width, bold=bold)
    font = _font(size, bold, _is_shaped(line))
    left = point[0] + (round((width - font.getlength(line)) / 2) if centred else 0)
    draw.text((left, point[1] + round(size * 0.75)), line, ink, font, anchor="ls")


def shortened(text: str, size: int, width: int, *, bold: bool = False) -> str:
    """The text on one line, cut with an ellipsis if it is wider than `width`.

    Args:
        text: Any text.
        size: The font's, in px.
        width: In px.
        bold: Whether the letters are bold.
    """
    text = drawable_text(text)
    if length(text, size, bold=bold) <= width:
        return text
    return _joined(text[: _longest_prefix(text, "", _ELLIPSIS, size, width, bold)], "", _ELLIPSIS)


def wrapped(text: str, size: int, width: int, *, lines: int, bold: bool = False) -> list[str]:
    """The text on several lines, broken at blanks, or within a word that alone is wider than a line.

    Args:
        text: Any text.
        size: The font's, in px.
        width: Of a line, in px.
        lines: At most so many; the last one ends in an ellipsis if the text does not fit.
        bold: Whether the letters are bold.
    """
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
    """The width of a text in px.

    Args:
        text: In letters that the font has; see `drawable_text`.
        size: The font's, in px.
        bold: Whether the letters are bold.
    """
    return int(_font(size, bold, _is_shaped(text)).getlength(text) + 0.999)


def drawable_text(text: str) -> str:
    """The text on one line, in letters that the font can draw: others are replaced by plain letters or “?”.

    The font has Latin, Greek, Cyrillic, Hebrew, Arabic, Thai, Devanagari and Georgian letters. Scripts with joined
    letters or from right to left need Pillow's raqm, which not every machine has.
    """
    composed = unicodedata.normalize("NFC", text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8"))
    spelled = "".join(_spelled(letter) for letter in composed)
    while "\0\0" in spelled:
        spelled = spelled.replace("\0\0", "\0")
    return " ".join(spelled.replace("\0", "?").split())


def _longest_prefix(pieces: Sequence[str], joint: str, ending: str, size: int, width: int, bold: bool) -> int:
    """How many of the first letters or words fit, with the ending after them."""
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
        return ""  # marks that change the direction, join letters, or are not part of the letter below
    if _is_drawn(letter):
        return letter
    parts = [part for part in unicodedata.normalize("NFKD", letter) if part != letter]
    return "".join(_spelled(part) for part in parts) or "\0"


def _of_script(mark: str) -> bool:
    """Whether the mark is a vowel or sign of one script, and not an accent for any letter."""
    return not unicodedata.name(mark, "").startswith(("COMBINING", "VARIATION"))


def _is_drawn(letter: str) -> bool:
    """Whether the font has the letter, and not only the box that it draws for all it lacks."""
    if _is_shaped(letter) and not _can_shape():
        return False
    font = _font(24, False, False)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _is_shaped(text: str) -> bool:
    """Whether its letters must be joined, moved or set from right to left: Hebrew, Arabic and the scripts of India."""
    return any("\u0590" <= letter <= "\u0fff" or "\ufb1d" <= letter <= "\ufefc" for letter in text)


@cache
def _can_shape() -> bool:
    return bool(features.check("raqm") and features.check("fribidi"))


@cache
def _font(size: int, bold: bool, shaped: bool) -> ImageFont.FreeTypeFont:
    """FiraGO (SIL Open Font License 1.1). Latin letters use the basic layout, which is the same on every machine."""
    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(io.BytesIO(_file(bold)), size, layout_engine=engine)


@cache
def _file(bold: bool) -> bytes:
    return bytes(pymupdf_fonts.myfont("figbo" if bold else "figo"))
