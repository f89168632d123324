"""The contact sheet: a comparison on one page, as a photographer hands it over."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import cast

from PIL import Image, ImageDraw, ImageFont

MAX_PIXELS = 40_000_000  # 120 MB while it is drawn; sixty-four pictures of 4:5 stay below at the full size
MAX_COLUMNS = 4  # as wide as the text under a picture can still be read on a laptop's screen
CELL_PX = 512  # half a headshot's width: enough to judge an expression, and sixteen print on A4 at 260 dpi

PAPER = (250, 250, 248)
MAT = (242, 242, 239)  # where a picture leaves its cell open
HAIRLINE = (222, 222, 218)  # a white backdrop would run into the paper without it
INK = (38, 38, 40)
GREY = (112, 112, 116)  # 4.7 : 1 on the paper

# In pixels of a sheet whose cells are CELL_PX wide; a sheet of smaller cells is smaller in everything.
_MARGIN, _GAP = 60, 28
_ABOVE_LABELS, _BELOW_LABELS = 14, 30
_LABEL_SIZES, _LABEL_LEADS = (25, 20), (35, 29)  # of the first line and of the others
_TITLE_SIZE, _TITLE_LEAD = 42, 84
_FOOTER_SIZE, _FOOTER_LEAD = 18, 26


def contact_sheet(
    pictures: Sequence[Image.Image],
    labels: Sequence[Sequence[str]],
    *,
    title: str = "",
    footer: str = "",
    columns: int | None = None,
    cell_px: int = CELL_PX,
) -> Image.Image:
    """Pictures in a labelled grid, row by row, on one RGB page of at most MAX_PIXELS.

    pictures: any size and mode; each is fitted whole into a cell with the shape that most of them have.
    labels: one or two lines a picture; what is too long ends in an ellipsis.
    columns: None chooses at most MAX_COLUMNS, so that the rows come out even: 5 as 3 + 2, 9 as 3 + 3 + 3.
    cell_px: width of a cell, less where the page would be too large.
    The font is Pillow's own, which holds plain Latin letters: accents are left off, and other scripts become a “?”.
    Raises ValueError where there is no picture, or not a label for each.
    """
    if not pictures or len(labels) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures and {len(labels)} labels make no sheet")
    columns = min(columns or _columns(len(pictures)), len(pictures))
    page = _fitted(
        cell_px,
        columns=columns,
        rows=math.ceil(len(pictures) / columns),
        shape=_shape(pictures),
        lines=max(len(lines) for lines in labels),
        titled=bool(title),
        signed=bool(footer),
    )
    sheet = Image.new("RGB", page.size, PAPER)
    draw = ImageDraw.Draw(sheet)
    inner = page.width - 2 * page.margin
    if title:
        _write(draw, (page.margin, page.margin), title, page.px(_TITLE_SIZE), INK, inner)
    for number, (picture, lines) in enumerate(zip(pictures, labels, strict=True)):
        left, top = page.corner(number)
        draw.rectangle((left - 1, top - 1, left + page.cell[0], top + page.cell[1]), MAT, HAIRLINE)
        small = _contained(picture, page.cell)
        sheet.paste(small, (left + (page.cell[0] - small.width) // 2, top + (page.cell[1] - small.height) // 2))
        below = top + page.cell[1] + page.px(_ABOVE_LABELS)
        for line, text in enumerate(lines):
            place, size = (left, below), page.px(_LABEL_SIZES[line > 0])
            _write(draw, place, text, size, GREY if line else INK, page.cell[0])
            below += page.px(_LABEL_LEADS[line > 0])
    if footer:
        place = (page.margin, page.height - page.margin - page.px(_FOOTER_SIZE))
        _write(draw, place, footer, page.px(_FOOTER_SIZE), GREY, inner)
    return sheet


def _columns(count: int) -> int:
    """As many as keep the last row as full as the fewest rows allow."""
    return math.ceil(count / math.ceil(count / MAX_COLUMNS))


def _shape(pictures: Sequence[Image.Image]) -> float:
    """Height over width that most pictures have; a strip is not let to stretch the cells of all."""
    shapes = Counter(round(picture.height / picture.width, 2) for picture in pictures)
    return min(2.0, max(0.5, shapes.most_common(1)[0][0]))


@dataclass(frozen=True)
class _Page:
    """Where everything stands, in pixels."""

    scale: float
    columns: int
    rows: int
    shape: float
    lines: int
    titled: bool
    signed: bool

    def px(self, length: int) -> int:
        return max(1, round(length * self.scale))

    @property
    def margin(self) -> int:
        return self.px(_MARGIN)

    @property
    def cell(self) -> tuple[int, int]:
        width = self.px(CELL_PX)
        return width, max(1, round(width * self.shape))

    @property
    def row(self) -> int:
        """From the top of a row's pictures to the end of its labels."""
        if not self.lines:
            return self.cell[1]
        lines = self.px(_LABEL_LEADS[0]) + (self.lines - 1) * self.px(_LABEL_LEADS[1])
        return self.cell[1] + self.px(_ABOVE_LABELS) + lines

    @property
    def between(self) -> int:
        """From the end of one row to the top of the next."""
        return self.px(_BELOW_LABELS if self.lines else _GAP)

    @property
    def head(self) -> int:
        return self.margin + (self.px(_TITLE_LEAD) if self.titled else 0)

    @property
    def width(self) -> int:
        return 2 * self.margin + self.columns * (self.cell[0] + self.px(_GAP)) - self.px(_GAP)

    @property
    def height(self) -> int:
        foot = self.between + self.px(_FOOTER_LEAD) if self.signed else 0
        return self.head + self.rows * (self.row + self.between) - self.between + foot + self.margin

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    def corner(self, number: int) -> tuple[int, int]:
        row, column = divmod(number, self.columns)
        left = self.margin + column * (self.cell[0] + self.px(_GAP))
        return left, self.head + row * (self.row + self.between)


def _fitted(cell_px: int, *, columns: int, rows: int, shape: float, lines: int, titled: bool, signed: bool) -> _Page:
    """The page with cells of that width, or with the widest that MAX_PIXELS allows."""
    scale = cell_px / CELL_PX
    while True:
        page = _Page(scale, columns, rows, shape, lines, titled, signed)
        pixels = page.width * page.height
        if pixels <= MAX_PIXELS:
            return page
        scale *= min(0.99, math.sqrt(MAX_PIXELS / pixels))


def _contained(picture: Image.Image, cell: tuple[int, int]) -> Image.Image:
    """The whole picture, as large as the cell takes it."""
    share = min(cell[0] / picture.width, cell[1] / picture.height)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


# ------------------------------------------------------------------------------------------------------------- text


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, ink: tuple[int, int, int], width: int
) -> None:
    """One line whose letters begin at `place`, their top at its height, and end within `width`."""
    font = _font(size)
    draw.text((place[0], place[1] + round(size * 0.75)), _shortened(text, font, width), ink, font, anchor="ls")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))  # always this kind where a size is given
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)  # raqm is not on every machine: one sheet for all


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """As much of it as fits, with an ellipsis where something is missing."""
    text = _plain(text)
    if font.getlength(text) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if font.getlength(f"{text[:middle].rstrip()}…") <= width:
            fits = middle
        else:
            too_long = middle
    return f"{text[:fits].rstrip()}…"


_SPELLED = {  # what Unicode does not take apart by itself, as it does é, ﬁ and ²
    **{ord(letter): plain for letter, plain in zip("–—−×øØłŁđĐı", "---xoOlLdDi", strict=True)},
    **{ord(letter): plain for letter, plain in {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}.items()},
}


def _plain(text: str) -> str:
    """In letters that the font holds, on one line, and no longer than any page is wide."""
    apart = unicodedata.normalize("NFKD", text[:1000].translate(_SPELLED))
    letters = "".join(
        letter if _is_drawn(letter) else "\0" for letter in apart if unicodedata.category(letter) not in ("Mn", "Cf")
    )
    return " ".join(re.sub("\0+", "?", letters).split()).replace(" · ", "  ·  ")  # the font's own space is narrow


@lru_cache(maxsize=4096)
def _is_drawn(letter: str) -> bool:
    """Whether the font has more for this letter than the box that stands for all it lacks."""
    font = _font(_LABEL_SIZES[0])
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
