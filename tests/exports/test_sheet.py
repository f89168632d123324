"""A contact sheet that shows every picture whole, tells them apart, and never outgrows its bounds."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from headshot.exports.sheet import CELL_PX, HAIRLINE, INK, MAT, MAX_COLUMNS, MAX_PIXELS, PAPER, contact_sheet

RED, BLUE = (200, 30, 30), (20, 40, 210)


def _picture(colour: tuple[int, int, int] = RED, size: tuple[int, int] = (64, 80)) -> Image.Image:
    return Image.new("RGB", size, colour)


def _sheet(count: int, *, lines: int = 1, cell_px: int = 80, **settings: Any) -> Image.Image:
    """Pictures whose blue counts them."""
    pictures = [_picture((200, 30, 3 * number)) for number in range(count)]
    return contact_sheet(pictures, [["Seed", "likeness"][:lines]] * count, cell_px=cell_px, **settings)


def _pixels(sheet: Image.Image) -> npt.NDArray[np.int16]:
    return np.asarray(sheet).astype(np.int16)


def _boxes(sheet: Image.Image, count: int) -> list[tuple[int, int, int, int]]:
    """Where each of `_sheet`'s pictures lies: left, top, right, bottom."""
    pixels = _pixels(sheet)
    boxes = []
    for number in range(count):
        rows, columns = np.nonzero((pixels == (200, 30, 3 * number)).all(axis=2))
        boxes.append((int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1))
        assert len(rows) == (boxes[-1][2] - boxes[-1][0]) * (boxes[-1][3] - boxes[-1][1])
    return boxes


def _per_row(sheet: Image.Image, count: int) -> list[int]:
    tops = [top for _, top, _, _ in _boxes(sheet, count)]
    assert tops == sorted(tops)
    return [tops.count(top) for top in dict.fromkeys(tops)]


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (1, [1]),
        (2, [2]),
        (3, [3]),
        (4, [4]),
        (5, [3, 2]),
        (6, [3, 3]),
        (7, [4, 3]),
        (8, [4, 4]),
        (9, [3, 3, 3]),
        (10, [4, 4, 2]),
        (11, [4, 4, 3]),
        (12, [4, 4, 4]),
        (16, [4, 4, 4, 4]),
        (64, [4] * 16),
    ],
)
def test_the_rows_come_out_as_even_as_four_columns_allow(count: int, rows: list[int]) -> None:
    assert _per_row(_sheet(count), count) == rows


def test_a_given_number_of_columns_is_kept_as_far_as_there_are_pictures() -> None:
    assert _per_row(_sheet(6, columns=2), 6) == [2, 2, 2]
    assert _per_row(_sheet(5, columns=5), 5) == [5]
    assert _sheet(2, columns=9).size == _sheet(2, columns=2).size


@given(st.integers(1, 20), st.integers(0, 2), st.booleans(), st.booleans(), st.none() | st.integers(1, 7))
@settings(deadline=None, max_examples=40)
def test_cells_are_equal_aligned_apart_and_within_the_margins(
    count: int, lines: int, titled: bool, signed: bool, columns: int | None
) -> None:
    sheet = _sheet(count, lines=lines, title="Navy" * titled, footer="studio" * signed, columns=columns)
    boxes = _boxes(sheet, count)
    assert {(right - left, bottom - top) for left, top, right, bottom in boxes} == {(80, 100)}
    margin = min(left for left, *_ in boxes)
    assert margin >= 8
    assert max(right for _, _, right, _ in boxes) == sheet.width - margin
    assert min(top for _, top, _, _ in boxes) >= margin
    assert max(bottom for *_, bottom in boxes) <= sheet.height - margin
    lefts = sorted({left for left, *_ in boxes})
    assert len(lefts) == min(count, columns or math.ceil(count / math.ceil(count / MAX_COLUMNS)))
    assert all(right - left >= 80 + 4 for left, right in pairwise(lefts))


def test_every_picture_is_shown_whole_whatever_its_shape_and_in_its_own_proportions() -> None:
    sizes = [(64, 80), (64, 80), (100, 100), (300, 60), (20, 900), (1, 1), (2000, 2500)]
    pictures = [_framed(size) for size in sizes]
    sheet = contact_sheet(pictures, [[]] * len(sizes), columns=len(sizes), cell_px=256)
    pixels = _pixels(sheet)
    page, cell = pixels.shape[1], 256
    gap = (page - 2 * _margin(pixels) - len(sizes) * cell) / (len(sizes) - 1)
    for number, size in enumerate(sizes):
        left = round(_margin(pixels) + number * (cell + gap))
        column = pixels[:, left : left + cell]
        inside = (np.abs(column - MAT).sum(axis=2) > 60) & (np.abs(column - PAPER).sum(axis=2) > 60)
        inside &= np.abs(column - HAIRLINE).sum(axis=2) > 60
        rows, columns = np.nonzero(inside)
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        assert width == cell or height == cell * 5 // 4
        assert width / height == pytest.approx(size[0] / size[1], rel=0.12)
        if min(size) > 8:  # its blue frame is there on all sides
            found = column[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            for edge in (found[0], found[-1], found[:, 0], found[:, -1]):
                assert np.abs(edge - BLUE).max() < 100  # a thin one is blurred by the reduction


def _framed(size: tuple[int, int]) -> Image.Image:
    """Red with a blue frame."""
    picture = Image.new("RGB", size, BLUE)
    frame = max(2, min(size) // 12)
    if min(size) > 3 * frame:
        picture.paste(RED, (frame, frame, size[0] - frame, size[1] - frame))
    return picture


def _margin(pixels: npt.NDArray[np.int16]) -> int:
    """The hairline of the first cell stands just outside it."""
    return int(np.nonzero((pixels == HAIRLINE).all(axis=2).any(axis=0))[0][0]) + 1


def test_the_cells_have_the_shape_that_most_pictures_have() -> None:
    pictures = [_picture(BLUE, (100, 100)), *[_picture((200, 30, 3 * n), (128, 160)) for n in range(3)]]
    sheet = contact_sheet(pictures, [[]] * 4, cell_px=80)
    assert np.count_nonzero((_pixels(sheet) == (*RED[:2], 3)).all(axis=2)) == 80 * 100
    assert np.count_nonzero((_pixels(sheet) == BLUE).all(axis=2)) == 80 * 80


def test_a_white_headshot_does_not_run_into_the_paper() -> None:
    pixels = _pixels(contact_sheet([_picture((255, 255, 255))], [["White"]], cell_px=80))
    rows, columns = np.nonzero((pixels == (255, 255, 255)).all(axis=2))
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    around = [pixels[top - 1, left : right + 1], pixels[bottom + 1, left : right + 1]]
    around += [pixels[top : bottom + 1, left - 1], pixels[top : bottom + 1, right + 1]]
    assert all((edge == HAIRLINE).all() for edge in around)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA", "I;16"])
def test_a_picture_of_any_mode_is_taken_and_left_as_it_is(mode: str) -> None:
    picture = Image.new(mode, (64, 80))
    before = picture.copy()
    sheet = contact_sheet([picture], [["One"]])
    assert sheet.mode == "RGB"
    assert picture.mode == mode and picture.tobytes() == before.tobytes()


# -------------------------------------------------------------------------------------------------------------- text


def _difference(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int]:
    assert one.size == other.size
    box = ImageChops.difference(one, other).getbbox()
    assert box is not None
    return box


def test_a_label_stands_below_its_own_picture_and_no_wider() -> None:
    pictures = [_picture((200, 30, 3 * number), (640, 800)) for number in range(3)]
    plain = contact_sheet(pictures, [["a"], ["a"], ["a"]])
    long = contact_sheet(pictures, [["a"], ["Seed 2 with more words than there is room for below a picture"], ["a"]])
    left, top, right, bottom = _difference(plain, long)
    cell = _boxes(plain, 3)[1]
    assert cell[0] - 2 <= left and right <= cell[2] + 2
    assert cell[3] + 8 < top and bottom < cell[3] + 60
    assert right > cell[2] - 40  # and it uses the room it has


def test_the_first_line_is_ink_the_second_is_quieter_and_both_are_large_enough_to_read() -> None:
    bare = contact_sheet([_picture(size=(640, 800))], [["", ""]])
    first = contact_sheet([_picture(size=(640, 800))], [["Hxg", ""]])
    second = contact_sheet([_picture(size=(640, 800))], [["", "Hxg"]])
    (_, top, _, bottom), (_, top_2, _, bottom_2) = _difference(bare, first), _difference(bare, second)
    assert bottom <= top_2
    assert bottom - top >= 22 and bottom_2 - top_2 >= 18  # from the top of H to the bottom of g
    darkest = [_pixels(sheet)[bottom - top :][-120:].min(axis=(0, 1)) for sheet in (first, second)]
    assert (darkest[0] <= np.array(INK) + 4).all()
    assert (darkest[1] > darkest[0] + 30).all()
    assert _contrast(tuple(darkest[1]), PAPER) >= 4.5


def _contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """WCAG 2's contrast ratio of two sRGB colours."""
    light = []
    for colour in (one, other):
        linear = [v / 12.92 if (v := c / 255) <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for c in colour]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("place", ["title", "footer", "label"])
def test_text_that_is_too_long_ends_in_an_ellipsis_within_the_margins(place: str) -> None:
    def draw(text: str) -> Image.Image:
        label = text if place == "label" else "one"
        words: dict[str, Any] = {place: text} if place != "label" else {}
        return contact_sheet([_picture()] * 2, [[label], ["two"]], **words)

    long, longer = draw("wwww iiii " * 60), draw("wwww iiii " * 60 + "and more")
    assert long.tobytes() == longer.tobytes()
    box = _difference(draw("w"), long)
    assert box[2] <= long.width - 60
    # Three dots: the last letters drawn reach no higher than a stop.
    ink = np.abs(_pixels(long) - _pixels(draw(" "))).sum(axis=2) > 60
    rows, columns = np.nonzero(ink)
    dots = rows[columns > columns.max() - 12]
    assert np.ptp(dots) < 0.35 * np.ptp(rows)


def test_title_and_footer_take_room_only_where_there_are_some() -> None:
    bare, titled, signed = _sheet(4), _sheet(4, title="Navy"), _sheet(4, footer="studio")
    assert bare.height < signed.height and bare.height < titled.height
    assert bare.width == titled.width == signed.width
    shift = _boxes(titled, 4)[0][1] - _boxes(bare, 4)[0][1]
    assert shift == titled.height - bare.height
    assert _boxes(signed, 4) == _boxes(bare, 4)


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("two\n lines\tand  blanks ", "two lines and blanks"),
        ("写真 prompt", "? prompt"),
        ("left\u202eright\u200b", "leftright"),
        ("fullwidth １２", "fullwidth 12"),
    ],
)
def test_what_the_font_lacks_is_spelled_plainly(written: str, drawn: str) -> None:
    assert contact_sheet([_picture()], [[written]]).tobytes() == contact_sheet([_picture()], [[drawn]]).tobytes()


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_can_be_written_and_none_leaves_the_margins(text: str) -> None:
    sheet = contact_sheet([_picture()] * 2, [[text, text]] * 2, title=text or "-", footer=text or "-", cell_px=128)
    pixels = _pixels(sheet)
    margin = _margin(pixels) - 2
    for edge in (pixels[:, :margin], pixels[:, -margin:], pixels[: margin - 2], pixels[2 - margin :]):
        assert (edge == PAPER).all()


def test_a_book_as_a_label_takes_no_longer_than_a_sentence() -> None:
    assert contact_sheet([_picture()], [["word " * 400_000]]).size == contact_sheet([_picture()], [["word"]]).size


# ------------------------------------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize("shape", [(64, 80), (64, 64), (10, 1000), (1000, 10)])
@pytest.mark.parametrize("count", [1, 17, 64])
def test_no_sheet_is_larger_than_forty_megapixels(count: int, shape: tuple[int, int]) -> None:
    pictures = [_picture(size=shape)] * count
    for columns in (None, 1, count):
        sheet = contact_sheet(pictures, [["Seed", "likeness"]] * count, title="All", footer="studio", columns=columns)
        assert sheet.width * sheet.height <= MAX_PIXELS


def test_sixty_four_headshots_keep_the_full_size_and_more_get_smaller() -> None:
    full = _sheet(64, lines=2, title="All", footer="studio", cell_px=CELL_PX)
    assert full.width == _sheet(4, cell_px=CELL_PX).width >= 4 * CELL_PX
    pictures = [_picture()] * 200
    sheet = contact_sheet(pictures, [["Seed"]] * 200)
    assert MAX_PIXELS * 0.9 < sheet.width * sheet.height <= MAX_PIXELS


def test_the_same_comparison_gives_the_same_sheet() -> None:
    assert _sheet(3, title="Navy").tobytes() == _sheet(3, title="Navy").tobytes()


def test_a_sheet_of_nothing_or_without_a_label_for_each_picture_is_refused() -> None:
    for pictures, labels in (([], []), ([_picture()], []), ([_picture()], [["a"], ["b"]])):
        with pytest.raises(ValueError, match="make no sheet"):
            contact_sheet(pictures, labels)
