"""A matrix of headshots on one page: a headshot for each row and column, with the varied settings at the edges."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw

from headshot.imaging.text_drawing import Colour, drawable_text, length, wrapped, write

from .sheet import CELL_PX, GREY, HAIRLINE, INK, MAT, MAX_PIXELS, PAPER, fit_within, placeholder, shape

Position = tuple[int, int]  # (row, column), counted from 0

LONG_SIDE_PX = 6000  # of the cells together: A4 at 500 dpi; browsers and office programs get slow with more
TEXT_PX = 26  # least height of the labels: the sheet can still be read at half its size
_TEXT_SHARE = 1 / 115  # of the long side: 14 px if the whole sheet is shown on a screen 1600 px wide
_UPRIGHT = 1.25  # height over width of the cells if there is no picture: a headshot's own shape

# Of the labels' height.
_LINE = 1.32
_TITLE, _GROUP, _REASON, _FOOTER = 1.5, 1.15, 0.86, 0.8
_MARGIN = 2.2
_HEADINGS = (7, 9, 11, 13, 16, 20)  # widths of the column of row labels; the first in which all labels fit is used
_LABEL_LINES, _TITLE_LINES, _FOOTER_LINES = 4, 2, 4
_WIDEST_WORD = 9  # cells are not made narrower than a word of a column's label, up to this width
_NARROWEST_PAGE = 18  # with a title or a footer

# Of a cell's width.
_GAP, _GROUP_GAP = 0.035, 0.11


def grid_sheet(
    cells: Mapping[Position, Image.Image | Path | None],
    rows: Sequence[Sequence[str]],
    columns: Sequence[Sequence[str]],
    *,
    title: str = "",
    footer: str = "",
    reasons: Mapping[Position, str] | None = None,
    cell_px: int = CELL_PX,
) -> Image.Image:
    """Draw the pictures of a matrix in labelled rows and columns on one page.

    Args:
        cells: The pictures, in any size and mode, or their files, which are opened one after the other. A cell without
            a picture is a pale box with its reason.
        rows: The rows' labels, as `Matrix.rows` has them: one text, or two of which the first is its group's; none if
            the axis needs no label. Labels are wrapped, and end in an ellipsis only if they are far too long.
        columns: The columns' labels, like `rows`.
        title: Above the grid.
        footer: Below it.
        reasons: Why pictures are missing.
        cell_px: Width of a cell; less if the page would be too large. The labels shrink no further than to TEXT_PX.

    Returns:
        RGB, at most MAX_PIXELS.

    Raises:
        ValueError: for an empty grid, and for a position outside it.
        FileNotFoundError: if a picture's file is gone.
    """
    reasons = reasons or {}
    if not rows or not columns:
        raise ValueError("a grid has at least one row and one column")
    if outside := [position for position in {**cells, **reasons} if not _within(position, len(rows), len(columns))]:
        raise ValueError(f"{outside[0]} is not a position in a grid of {len(rows)} × {len(columns)}")
    sizes = [_size(picture) for picture in cells.values() if picture is not None]
    plan = _plan_within_limits(cell_px, shape(sizes) if sizes else _UPRIGHT, rows, columns, title, footer)
    sheet = Image.new("RGB", plan.size, PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_labels(draw, plan)
    for row, top in enumerate(plan.tops):
        for column, left in enumerate(plan.lefts):
            width, height = plan.cell
            draw.rectangle((left - 1, top - 1, left + width, top + height), MAT, HAIRLINE)
            picture = cells.get((row, column))
            if picture is None:
                small = placeholder(plan.cell, reasons.get((row, column), ""), text_px=plan.px(_REASON))
            else:
                small = _reduced(picture, plan.cell)
            sheet.paste(small, (left + (width - small.width) // 2, top + (height - small.height) // 2))
    return sheet


def _within(position: Position, rows: int, columns: int) -> bool:
    return 0 <= position[0] < rows and 0 <= position[1] < columns


def _size(picture: Image.Image | Path) -> tuple[int, int]:
    if isinstance(picture, Image.Image):
        return picture.size
    with Image.open(picture) as opened:
        return opened.size


def _reduced(picture: Image.Image | Path, cell: tuple[int, int]) -> Image.Image:
    if isinstance(picture, Image.Image):
        return fit_within(picture, cell)
    with Image.open(picture) as opened:
        return fit_within(opened, cell)


def _draw_labels(draw: ImageDraw.ImageDraw, plan: "_Plan") -> None:
    """Draw all text and lines outside the cells."""
    margin, text = plan.margin, plan.text
    _write_lines(draw, (margin, margin), plan.title_lines, plan.px(_TITLE), INK, plan.inner, bold=True)
    for (name, number), first in zip(plan.column_groups, plan.firsts(plan.column_groups), strict=True):
        if name:
            left, right = plan.lefts[first], plan.lefts[first + number - 1] + plan.cell[0]
            write(draw, (left, plan.column_groups_top), name, plan.px(_GROUP), INK, right - left, bold=True)
            _rule(draw, left, right, plan.column_labels_top - plan.px(0.4))
    for left, lines in zip(plan.lefts, plan.column_lines, strict=True):
        top = plan.cells_top - plan.above_cells - plan.tall(len(lines))  # the labels end directly above the pictures
        _write_lines(draw, (left, top), lines, text, INK, plan.cell[0])
    for (name, _), first in zip(plan.row_groups, plan.firsts(plan.row_groups), strict=True):
        if name:
            top = plan.tops[first] - plan.row_band
            _rule(draw, margin, plan.width - margin, top)
            write(draw, (margin, top + plan.px(0.55)), name, plan.px(_GROUP), INK, plan.inner, bold=True)
    for top, lines in zip(plan.tops, plan.row_lines, strict=True):
        middle = top + (plan.cell[1] - plan.tall(len(lines))) // 2
        _write_lines(draw, (margin, middle), lines, text, INK, plan.heading)
    foot = plan.height - margin - len(plan.footer_lines) * plan.px(_FOOTER * _LINE)
    _write_lines(draw, (margin, foot), plan.footer_lines, plan.px(_FOOTER), GREY, plan.inner)


def _write_lines(
    draw: ImageDraw.ImageDraw,
    point: tuple[int, int],
    lines: Sequence[str],
    size: int,
    ink: Colour,
    width: int,
    *,
    bold: bool = False,
) -> None:
    for number, line in enumerate(lines):
        line_point = point[0], point[1] + number * round(size * _LINE)
        write(draw, line_point, line, size, ink, width, bold=bold)


def _rule(draw: ImageDraw.ImageDraw, left: int, right: int, top: int) -> None:
    draw.line((left, top, right - 1, top), HAIRLINE, 2)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The layout in pixels, for cells of `width_px` and labels of the height `text`."""

    width_px: int
    text: int
    shape: float
    rows: Sequence[Sequence[str]]
    columns: Sequence[Sequence[str]]
    title: str
    footer: str

    def px(self, share: float) -> int:
        return max(1, round(self.text * share))

    def tall(self, lines: int) -> int:
        return lines * round(self.text * _LINE)

    @property
    def margin(self) -> int:
        return self.px(_MARGIN)

    @property
    def cell(self) -> tuple[int, int]:
        return self.width_px, max(1, round(self.width_px * self.shape))

    @cached_property
    def row_groups(self) -> list[tuple[str, int]]:
        return _groups(self.rows)

    @cached_property
    def column_groups(self) -> list[tuple[str, int]]:
        return _groups(self.columns)

    @staticmethod
    def firsts(groups: Sequence[tuple[str, int]]) -> list[int]:
        """The first row or column of each group."""
        return [sum(number for _, number in groups[:at]) for at in range(len(groups))]

    @cached_property
    def column_lines(self) -> list[list[str]]:
        return [wrapped(_own(label), self.text, self.cell[0], lines=_LABEL_LINES) for label in self.columns]

    @cached_property
    def heading(self) -> int:
        """Width of the row labels; 0 if there are none."""
        words = [drawable_text(_own(label)) for label in self.rows]
        if not any(words):
            return 0
        most = max(1, self.cell[1] // round(self.text * _LINE))
        for share in _HEADINGS:
            width = self.px(share)
            lines = [wrapped(word, self.text, width, lines=most) for word in words]
            if not any(line.endswith("…") for label in lines for line in label):
                return max(length(line, self.text) for label in lines for line in label)
        return self.px(_HEADINGS[-1])

    @cached_property
    def row_lines(self) -> list[list[str]]:
        most = max(1, self.cell[1] // round(self.text * _LINE))
        return [wrapped(_own(label), self.text, self.heading, lines=most) for label in self.rows]

    @cached_property
    def title_lines(self) -> list[str]:
        return wrapped(self.title, self.px(_TITLE), self.inner, lines=_TITLE_LINES, bold=True)

    @cached_property
    def footer_lines(self) -> list[str]:
        return wrapped(self.footer, self.px(_FOOTER), self.inner, lines=_FOOTER_LINES)

    @property
    def row_band(self) -> int:
        """From a row group's rule to its first row."""
        return self.px(0.55 + _GROUP * _LINE + 0.45)

    @cached_property
    def lefts(self) -> list[int]:
        beside = self.heading + self.px(0.9) if self.heading else 0
        return self._begins(self.margin + beside, self.cell[0], self.column_groups, 0)

    @cached_property
    def tops(self) -> list[int]:
        return self._begins(self.cells_top, self.cell[1], self.row_groups, self.row_band)

    def _begins(self, first: int, length_px: int, groups: Sequence[tuple[str, int]], band: int) -> list[int]:
        """The first pixel of each column or row."""
        gap, wide = max(6, round(self.width_px * _GAP)), max(14, round(self.width_px * _GROUP_GAP))
        begins, at = [], first
        for group, (name, number) in enumerate(groups):
            at += (wide - gap if group else 0) + (band if name else 0)
            for _ in range(number):
                begins.append(at)
                at += length_px + gap
        return begins

    @property
    def column_groups_top(self) -> int:
        titled = len(self.title_lines) * round(self.px(_TITLE) * _LINE) + self.px(0.9) if self.title_lines else 0
        return self.margin + titled

    @property
    def column_labels_top(self) -> int:
        named = any(name for name, _ in self.column_groups)
        return self.column_groups_top + (self.px(_GROUP * _LINE + 0.9) if named else 0)

    @property
    def cells_top(self) -> int:
        most = max(len(lines) for lines in self.column_lines)
        return self.column_labels_top + (self.tall(most) + self.above_cells if most else 0)

    @property
    def above_cells(self) -> int:
        """From the columns' labels to the first cell, or to the rule of the first row group."""
        return self.px(0.75 if self.row_groups[0][0] else 0.35)

    @property
    def inner(self) -> int:
        return self.width - 2 * self.margin

    @cached_property
    def width(self) -> int:
        narrowest = self.px(_NARROWEST_PAGE) if self.title or self.footer else 0
        return max(self.lefts[-1] + self.cell[0] + self.margin, narrowest + 2 * self.margin)

    @cached_property
    def height(self) -> int:
        foot = len(self.footer_lines) * self.px(_FOOTER * _LINE) + self.px(1.1) if self.footer_lines else 0
        return self.tops[-1] + self.cell[1] + foot + self.margin

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


def _own(label: Sequence[str]) -> str:
    """The label without that of its group."""
    return label[-1] if label else ""


def _groups(labels: Sequence[Sequence[str]]) -> list[tuple[str, int]]:
    """The groups in order, with the number of rows or columns in each; one without a name if there are none."""
    names = [" · ".join(label[:-1]) for label in labels]
    return [(name, len(list(same))) for name, same in groupby(names)]


def _plan_within_limits(
    cell_px: int,
    shape: float,
    rows: Sequence[Sequence[str]],
    columns: Sequence[Sequence[str]],
    title: str,
    footer: str,
) -> _Plan:
    """The page with cells of that width, or of the largest width that the limits allow.

    The cells shrink until a word of a column's label would no longer fit. From then on the page may be longer than
    LONG_SIDE_PX, and only if it has more than MAX_PIXELS the text shrinks as well.
    """
    width, floor = float(cell_px), float(TEXT_PX)
    while True:
        long_side = max(len(columns), len(rows) * shape) * width * (1 + _GAP)
        text = round(max(floor, min(long_side, LONG_SIDE_PX) * _TEXT_SHARE))
        plan = _Plan(max(1, round(width)), text, shape, rows, columns, title, footer)
        words = [word for label in columns for word in drawable_text(_own(label)).split()]
        widest = min(max((length(word, text) for word in words), default=0), plan.px(_WIDEST_WORD))
        pixels = plan.width * plan.height
        if pixels > MAX_PIXELS and width <= widest:
            floor *= 0.95
            width *= 0.95
        elif pixels > MAX_PIXELS or (long_side > LONG_SIDE_PX and width > widest):
            width *= min(0.98, max(math.sqrt(MAX_PIXELS / pixels), 0.5))
        else:
            return plan
