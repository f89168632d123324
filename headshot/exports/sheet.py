"""The contact sheet: a comparison on one page, as photographers deliver it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from headshot.imaging.text_drawing import wrapped, write

MAX_PIXELS = 40_000_000  # 120 MB while it is drawn; sixty-four pictures of 4:5 fit at full size
MAX_COLUMNS = 4  # as wide as the text under a picture can still be read on a laptop's screen
CELL_PX = 512  # half a headshot's width: enough to judge an expression, and sixteen print on A4 at 260 dpi

PAPER = (250, 250, 248)
MAT = (242, 242, 239)  # in a cell beside a picture of another shape
EMPTY = (246, 246, 243)  # between the paper and the mat: a cell without a picture
HAIRLINE = (222, 222, 218)  # without it a white backdrop could not be told from the paper
INK = (38, 38, 40)
GREY = (112, 112, 116)  # its contrast with the paper is 4.7 : 1

# In pixels of a sheet whose cells are CELL_PX wide; with smaller cells everything is smaller.
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
    """Draw pictures in a labelled grid, row by row, on one page.

    Args:
        pictures: In any size and mode; each is fitted whole into a cell with the shape that most of them have.
        labels: One or two lines for each picture; a line that is too long ends in an ellipsis. For the letters that
            can be drawn see `text_drawing.drawable_text`.
        title: Above the pictures.
        footer: Below them.
        columns: None chooses at most MAX_COLUMNS, so that the rows are even: 5 as 3 + 2, 9 as 3 + 3 + 3.
        cell_px: Width of a cell; less if the page would be too large.

    Returns:
        RGB, at most MAX_PIXELS.

    Raises:
        ValueError: for no pictures, or if their number is not that of the labels.
    """
    if not pictures or len(labels) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures and {len(labels)} labels make no sheet")
    columns = min(columns or _columns(len(pictures)), len(pictures))
    page = _page_within_limits(
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
            point, size = (left, below), page.px(_LABEL_SIZES[line > 0])
            write(draw, point, text, size, GREY if line else INK, page.cell[0])
            below += page.px(_LABEL_LEADS[line > 0])
    if footer:
        point = (page.margin, page.height - page.margin - page.px(_FOOTER_SIZE))
        write(draw, point, footer, page.px(_FOOTER_SIZE), GREY, inner)
    return sheet


def _columns(count: int) -> int:
    """The number of columns that fills the last row best, with the fewest possible rows."""
    return math.ceil(count / math.ceil(count / MAX_COLUMNS))


def shape(sizes: Sequence[tuple[int, int]]) -> float:
    """The height over width that most pictures have, 0.5 to 2, so that a strip does not stretch all cells.

    Args:
        sizes: Width and height of each picture.
    """
    shapes = Counter(round(height / width, 2) for width, height in sizes)
    return min(2.0, max(0.5, shapes.most_common(1)[0][0]))


@dataclass(frozen=True)
class _Page:
    """The layout in pixels, for cells that are `scale` times CELL_PX wide."""

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


def _page_within_limits(
    cell_px: int, *, columns: int, rows: int, shape: float, lines: int, titled: bool, signed: bool
) -> _Page:
    """The page with cells of that width, or of the largest width that MAX_PIXELS allows."""
    scale = cell_px / CELL_PX
    while True:
        page = _Page(scale, columns, rows, shape, lines, titled, signed)
        pixels = page.width * page.height
        if pixels <= MAX_PIXELS:
            return page
        scale *= min(0.99, math.sqrt(MAX_PIXELS / pixels))


def fit_within(picture: Image.Image, cell: tuple[int, int]) -> Image.Image:
    """The whole picture as RGB, as large as fits into the cell.

    Args:
        picture: In any size and mode.
        cell: Width and height in pixels.
    """
    share = min(cell[0] / picture.width, cell[1] / picture.height)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def placeholder(size: tuple[int, int], reason: str, *, text_px: int) -> Image.Image:
    """A pale box for a missing picture, with the reason in its middle.

    Args:
        size: Width and height in pixels.
        reason: Why there is no picture; "" leaves the box empty.
        text_px: The text's size.
    """
    (width, height), lead = size, round(text_px * _REASON_LEAD)
    box = Image.new("RGB", size, MAT if reason else EMPTY)
    inset = min(text_px, width // 12)
    lines = wrapped(reason, text_px, width - 2 * inset, lines=(height - 2 * inset) // lead)
    top = (height - len(lines) * lead) // 2
    draw = ImageDraw.Draw(box)
    for number, line in enumerate(lines):
        write(draw, (inset, top + number * lead), line, text_px, GREY, width - 2 * inset, centred=True)
    return box
