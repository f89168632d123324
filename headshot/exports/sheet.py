"""The contact sheet: a comparison on one page, as a photographer hands it over."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from headshot.imaging.text_drawing import wrapped, write

MAX_PIXELS = 40_000_000  # 120 MB while it is drawn; sixty-four pictures of 4:5 stay below at the full size
MAX_COLUMNS = 4  # as wide as the text under a picture can still be read on a laptop's screen
CELL_PX = 512  # half a headshot's width: enough to judge an expression, and sixteen print on A4 at 260 dpi

PAPER = (250, 250, 248)
MAT = (242, 242, 239)  # where a picture leaves its cell open
BARE = (246, 246, 243)  # between the paper and the mat: where nothing has come yet
HAIRLINE = (222, 222, 218)  # a white backdrop would run into the paper without it
INK = (38, 38, 40)
GREY = (112, 112, 116)  # 4.7 : 1 on the paper

# In pixels of a sheet whose cells are CELL_PX wide; a sheet of smaller cells is smaller in everything.
_MARGIN, _GAP = 60, 28
_ABOVE_LABELS, _BELOW_LABELS = 14, 30
_LABEL_SIZES, _LABEL_LEADS = (25, 20), (35, 29)  # of the first line and of the others
_TITLE_SIZE, _TITLE_LEAD = 42, 84
_FOOTER_SIZE, _FOOTER_LEAD = 18, 26
_REASON_LEAD = 1.32  # of the size


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
    For what letters can be written see `lettering.plain`.
    Raises ValueError where there is no picture, or not a label for each.
    """
    if not pictures or len(labels) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures and {len(labels)} labels make no sheet")
    columns = min(columns or _columns(len(pictures)), len(pictures))
    page = _fitted(
        cell_px,
        columns=columns,
        rows=math.ceil(len(pictures) / columns),
        shape=shape([picture.size for picture in pictures]),
        lines=max(len(lines) for lines in labels),
        titled=bool(title),
        signed=bool(footer),
    )
    sheet = Image.new("RGB", page.size, PAPER)
    draw = ImageDraw.Draw(sheet)
    inner = page.width - 2 * page.margin
    if title:
        write(draw, (page.margin, page.margin), title, page.px(_TITLE_SIZE), INK, inner, bold=True)
    for number, (picture, lines) in enumerate(zip(pictures, labels, strict=True)):
        left, top = page.corner(number)
        draw.rectangle((left - 1, top - 1, left + page.cell[0], top + page.cell[1]), MAT, HAIRLINE)
        small = fit_within(picture, page.cell)
        sheet.paste(small, (left + (page.cell[0] - small.width) // 2, top + (page.cell[1] - small.height) // 2))
        below = top + page.cell[1] + page.px(_ABOVE_LABELS)
        for line, text in enumerate(lines):
            place, size = (left, below), page.px(_LABEL_SIZES[line > 0])
            write(draw, place, text, size, GREY if line else INK, page.cell[0])
            below += page.px(_LABEL_LEADS[line > 0])
    if footer:
        place = (page.margin, page.height - page.margin - page.px(_FOOTER_SIZE))
        write(draw, place, footer, page.px(_FOOTER_SIZE), GREY, inner)
    return sheet


def _columns(count: int) -> int:
    """As many as keep the last row as full as the fewest rows allow."""
    return math.ceil(count / math.ceil(count / MAX_COLUMNS))


def shape(sizes: Sequence[tuple[int, int]]) -> float:
    """Height over width that most pictures have; a strip is not let to stretch the cells of all."""
    shapes = Counter(round(height / width, 2) for width, height in sizes)
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


def fit_within(picture: Image.Image, cell: tuple[int, int]) -> Image.Image:
    """The whole picture, as large as the cell takes it."""
    share = min(cell[0] / picture.width, cell[1] / picture.height)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def placeholder(size: tuple[int, int], reason: str, *, text_px: int) -> Image.Image:
    """What stands in the place of a picture: pale, with the reason why there is none in its middle, if there is one."""
    (width, height), lead = size, round(text_px * _REASON_LEAD)
    place = Image.new("RGB", size, MAT if reason else BARE)
    inset = min(text_px, width // 12)
    lines = wrapped(reason, text_px, width - 2 * inset, lines=(height - 2 * inset) // lead)
    top = (height - len(lines) * lead) // 2
    draw = ImageDraw.Draw(place)
    for number, line in enumerate(lines):
        write(draw, (inset, top + number * lead), line, text_px, GREY, width - 2 * inset, centred=True)
    return place
