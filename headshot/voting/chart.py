"""A vote's result as files: a table for spreadsheets and a chart."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Literal

from PIL import Image, ImageDraw

from headshot.exports.comparison_csv import safe_text
from headshot.exports.sheet import GREY, HAIRLINE, INK, MAT, PAPER
from headshot.imaging.text_drawing import Colour, length, shortened, write

from .ranking import Rank

_COLUMNS = (
    *("place_from", "place_to", "headshot", "preferred_percent", "low_percent", "high_percent"),
    *("won", "lost", "tied", "strength"),
)


def ranking_csv(ranks: Sequence[Rank], names: Mapping[str, str]) -> bytes:
    """Write the ranking as CSV: RFC 4180, UTF-8 with a byte order mark, as `comparison_csv` does.

    The columns `low_percent` and `high_percent` are the 95 % interval of `preferred_percent`.

    Args:
        ranks: The strongest picture first.
        names: The pictures' names by their ids.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for rank in ranks:
        name = safe_text(names[rank.shot])
        shares = (round(share * 100, 1) for share in (rank.share, rank.share_low, rank.share_high))
        writer.writerow(
            (rank.best, rank.worst, name, *shares, rank.wins, rank.losses, rank.ties, round(rank.strength, 3)),
        )
    return file.getvalue().encode("utf-8-sig", "replace")


_PINE = (20, 100, 89)  # the page's accent; its contrast with the paper is 6.6 : 1
_BAR = (196, 216, 211)  # a pale tint of it
_GRID = (233, 233, 229)

_WIDTH, _MARGIN = 1600, 64
_THUMBNAIL = (112, 140)  # 4:5, as the headshots are; a face is still recognized at this size
_ROW, _TITLE, _HEADS, _FOOT = 172, 84, 54, 64
_RANK_X, _THUMBNAIL_X, _NAME_X, _AXIS_X = _MARGIN, 176, 320, 840
_AXIS = 540
_FINE = 4  # bars and dots are drawn this much larger and then reduced, because Pillow draws them without antialiasing


def ranking_chart(
    ranks: Sequence[Rank],
    thumbnails: Mapping[str, Image.Image],
    names: Mapping[str, str],
    title: str = "",
    *,
    footer: str = "",
) -> Image.Image:
    """Draw the ranking on one page: a row for each picture with its rank, its ballots, its share and its interval.

    Args:
        ranks: The strongest picture first.
        thumbnails: The pictures by their ids, in any size and mode; the box of a missing one stays empty.
        names: The name of every picture, by its id.
        title: Above the rows; "" leaves it out.
        footer: Below the rows, on the right.

    Returns:
        RGB.
    """
    head = _MARGIN + (_TITLE if title else 0)
    height = head + _HEADS + len(ranks) * _ROW + _FOOT + _MARGIN
    page = Image.new("RGB", (_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(page)
    if title:
        _draw_text(draw, (_MARGIN, _MARGIN), title, 42, INK, _WIDTH - 2 * _MARGIN)
    top = head + _HEADS
    _draw_text(draw, (_RANK_X, head + 20), "Place", 18, GREY, 104)
    _draw_text(draw, (_AXIS_X - 6, head - 16), "Preferred to the average headshot", 22, GREY, _AXIS)
    for percent in (0, 50, 100):
        x = _AXIS_X + _AXIS * percent // 100
        draw.line((x, top, x, top + len(ranks) * _ROW), HAIRLINE if percent == 50 else _GRID, 2)
        _draw_text(draw, (x, head + 20), f"{percent} %", 18, GREY, _AXIS, anchor="middle")
    for number, rank in enumerate(ranks):
        _draw_row(page, draw, top + number * _ROW, rank, thumbnails.get(rank.shot), names[rank.shot])
    draw.line((_MARGIN, top + len(ranks) * _ROW, _WIDTH - _MARGIN, top + len(ranks) * _ROW), HAIRLINE, 1)
    legend = "Dot: the estimate. Bar: its 95 % interval; where two bars overlap, the votes do not decide."
    below = top + len(ranks) * _ROW + 36
    _draw_text(draw, (_MARGIN, below), legend, 20, GREY, 1000)
    _draw_text(draw, (_WIDTH - _MARGIN, below), footer, 20, GREY, 440, anchor="right")
    return page


def _draw_row(
    page: Image.Image, draw: ImageDraw.ImageDraw, top: int, rank: Rank, thumbnail: Image.Image | None, name: str
) -> None:
    middle = top + _ROW // 2
    draw.line((_MARGIN, top, _WIDTH - _MARGIN, top), HAIRLINE, 1)
    is_decided = rank.best == rank.worst
    _draw_text(draw, (_RANK_X, middle), rank.rank_range, 44 if is_decided else 32, INK if is_decided else GREY, 104)
    left, above = _THUMBNAIL_X, middle - _THUMBNAIL[1] // 2
    draw.rectangle((left - 1, above - 1, left + _THUMBNAIL[0], above + _THUMBNAIL[1]), MAT, HAIRLINE)
    if thumbnail is not None:
        small = thumbnail.convert("RGB")
        small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS, reducing_gap=3.0)
        corner = left + (_THUMBNAIL[0] - small.width) // 2, above + (_THUMBNAIL[1] - small.height) // 2
        page.paste(small, corner)
    _draw_text(draw, (_NAME_X, middle - 18), name, 26, INK, _AXIS_X - _NAME_X - 40)
    counts = [f"{rank.wins} won", f"{rank.losses} lost", *([f"{rank.ties} tied"] if rank.ties else [])]
    _draw_text(draw, (_NAME_X, middle + 22), " · ".join(counts), 21, GREY, _AXIS_X - _NAME_X - 40)
    _draw_interval(page, middle, rank)
    _draw_text(draw, (_WIDTH - _MARGIN, middle), f"{rank.share * 100:.0f} %", 32, INK, 120, anchor="right")


def _draw_interval(page: Image.Image, middle: int, rank: Rank) -> None:
    thickness, radius, pad = 12, 12, 13
    size = (_AXIS + 2 * pad, 2 * radius + 4)
    fine = Image.new("RGBA", (size[0] * _FINE, size[1] * _FINE), (*PAPER, 0))
    draw = ImageDraw.Draw(fine)
    centre = size[1] * _FINE / 2

    def x(share: float) -> float:
        return (pad + _AXIS * share) * _FINE

    half = thickness / 2 * _FINE
    bar = (x(rank.share_low) - half, centre - half, x(rank.share_high) + half, centre + half)
    draw.rounded_rectangle(bar, half, (*_BAR, 255))
    dot = radius * _FINE
    draw.ellipse((x(rank.share) - dot, centre - dot, x(rank.share) + dot, centre + dot), (*_PINE, 255))
    small = fine.resize(size, Image.Resampling.BOX)
    page.paste(small, (_AXIS_X - pad, middle - size[1] // 2), small)


def _draw_text(
    draw: ImageDraw.ImageDraw,
    point: tuple[int, int],
    text: str,
    size: int,
    ink: Colour,
    width: int,
    *,
    bold: bool = False,
    anchor: Literal["left", "middle", "right"] = "left",
) -> None:
    """Draw one line of text. `point` is the end or middle that `anchor` names, at half the height of a capital."""
    drawn = length(shortened(text, size, width, bold=bold), size, bold=bold)
    left = point[0] - {"left": 0, "middle": drawn // 2, "right": drawn}[anchor]
    # `write` places the letters' top, which is 0.75 of the size above the baseline; capitals are 0.69 high.
    write(draw, (left, point[1] - round(size * 0.405)), text, size, ink, drawn + 1, bold=bold)
