"""A grid that shows every picture in its row and column, names both legibly, and never outgrows its bounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from headshot.comparison.matrix import Matrix
from headshot.exports.grid import LONG_SIDE_PX, TEXT_PX, grid_sheet
from headshot.exports.sheet import CELL_PX, GREY, HAIRLINE, INK, MAT, MAX_PIXELS, PAPER
from headshot.imaging.text_drawing import length
from headshot.request import HeadshotRequest

Box = tuple[int, int, int, int]


def _colour(row: int, column: int) -> tuple[int, int, int]:
    return 200, 10 * row, 10 * column


def _cells(rows: int, columns: int, size: tuple[int, int] = (64, 80)) -> dict[tuple[int, int], Image.Image]:
    return {(r, c): Image.new("RGB", size, _colour(r, c)) for r in range(rows) for c in range(columns)}


def _grid(rows: int, columns: int, *, cell_px: int = 80, **options: Any) -> Image.Image:
    labels = [(f"Guidance {row}",) for row in range(rows)], [(f"Seed {column}",) for column in range(columns)]
    return grid_sheet(_cells(rows, columns), *labels, cell_px=cell_px, **options)


def _pixels(sheet: Image.Image) -> npt.NDArray[np.int16]:
    return np.asarray(sheet).astype(np.int16)


def _boxes(sheet: Image.Image, rows: int, columns: int) -> Mapping[tuple[int, int], Box]:
    """Where each of `_cells`' pictures lies: left, top, right, bottom."""
    pixels, boxes = _pixels(sheet), {}
    for row in range(rows):
        for column in range(columns):
            down, across = np.nonzero((pixels == _colour(row, column)).all(axis=2))
            boxes[row, column] = (int(across.min()), int(down.min()), int(across.max()) + 1, int(down.max()) + 1)
    return boxes


def _difference(one: Image.Image, other: Image.Image) -> Box:
    assert one.size == other.size
    box = ImageChops.difference(one, other).getbbox()
    assert box is not None
    return box


# ------------------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 4), (1, 16), (16, 1), (6, 6)])
def test_every_picture_stands_whole_where_its_row_and_column_meet(rows: int, columns: int) -> None:
    boxes = _boxes(_grid(rows, columns), rows, columns)
    assert {(right - left, bottom - top) for left, top, right, bottom in boxes.values()} == {(80, 100)}
    lefts = [boxes[0, column][0] for column in range(columns)]
    tops = [boxes[row, 0][1] for row in range(rows)]
    assert lefts == sorted(set(lefts)) and tops == sorted(set(tops))
    assert all(boxes[row, column][:2] == (lefts[column], tops[row]) for row, column in boxes)


def test_pictures_come_from_files_as_from_memory_and_are_opened_one_by_one(tmp_path: Path) -> None:
    pictures = _cells(2, 3, (128, 160))
    files = {}
    for place, picture in pictures.items():
        files[place] = tmp_path / f"{place[0]}-{place[1]}.png"
        picture.save(files[place])
    labels = [("a",), ("b",)], [("x",), ("y",), ("z",)]
    sheet = grid_sheet(files, *labels, cell_px=80)
    assert sheet.tobytes() == grid_sheet(pictures, *labels, cell_px=80).tobytes()
    files[1, 1].unlink()
    with pytest.raises(FileNotFoundError):
        grid_sheet(files, *labels)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_a_picture_of_any_mode_is_taken_and_left_as_it_is(mode: str) -> None:
    picture = Image.new(mode, (64, 80))
    assert grid_sheet({(0, 0): picture}, [()], [("Seed 1",)]).mode == "RGB"
    assert picture.mode == mode and picture.size == (64, 80)


def test_a_cell_without_a_picture_is_pale_and_one_with_a_reason_says_it_in_its_middle() -> None:
    cells: dict[tuple[int, int], Image.Image | None] = {**_cells(1, 3)}
    cells[0, 1] = None
    del cells[0, 2]
    labels = [()], [("Seed 1",), ("Seed 2",), ("Seed 3",)]
    bare = grid_sheet(cells, *labels)
    explained = grid_sheet(cells, *labels, reasons={(0, 2): "The service refused this prompt, for reasons of its own."})
    left, top, right, _ = _boxes(bare, 1, 1)[0, 0]
    pale = _pixels(bare)[top : top + 640, right + 30 : right + 400]
    assert (pale == pale[0, 0]).all() and not (pale[0, 0] == PAPER).all()
    box = _difference(bare, explained)
    said = _pixels(explained)[top : top + 640, left + 2 * (right - left) + 30 :]
    ink = np.nonzero(np.abs(said - MAT).sum(axis=2)[:, :460] > 200)
    assert (ink[0].min() + ink[0].max()) / 2 == pytest.approx(320, abs=20)
    assert (ink[1].min() + ink[1].max()) / 2 == pytest.approx((box[2] - box[0]) / 2 - 30 + 18, abs=30)
    assert np.abs(said.min(axis=(0, 1)) - GREY).max() < 12


@given(st.text(max_size=400), st.integers(10, 200))
@settings(deadline=None, max_examples=40)
def test_no_reason_leaves_its_cell(reason: str, cell_px: int) -> None:
    labels = [("a",), ("b",)], [("x",), ("y",)]
    bare = grid_sheet({}, *labels, cell_px=cell_px)
    explained = grid_sheet({}, *labels, cell_px=cell_px, reasons={(1, 1): reason})
    found = ImageChops.difference(bare, explained).getbbox()
    if found is not None:
        rows, columns = np.nonzero((_pixels(bare) == HAIRLINE).all(axis=2))
        assert found[2] <= columns.max() + 1 and found[3] <= rows.max() + 1
        assert found[0] >= columns.max() - cell_px - 1 and found[1] >= rows.max() - round(1.25 * cell_px) - 2


# -------------------------------------------------------------------------------------------------------------- labels


def _labelled(rows: Sequence[Sequence[str]], columns: Sequence[Sequence[str]]) -> Image.Image:
    return grid_sheet(_cells(len(rows), len(columns)), rows, columns, cell_px=160)


def test_a_column_is_named_above_its_first_picture_and_a_row_beside_its_own() -> None:
    rows, columns = [("Guidance 1000",), ("Guidance 2",), ("Guidance 3",)], [("Seed 1",), ("Seed 2",), ("Seed 3",)]
    sheet = _labelled(rows, columns)
    boxes = _boxes(sheet, 3, 3)
    left, top, right, bottom = _difference(sheet, _labelled(rows, [("Seed 1",), ("Seed 4",), ("Seed 3",)]))
    assert boxes[0, 1][0] <= left and right <= boxes[0, 1][2] and bottom < boxes[0, 1][1] < bottom + 40
    left, top, right, bottom = _difference(sheet, _labelled([rows[0], ("Guidance 4",), rows[2]], columns))
    assert right < boxes[1, 0][0]
    assert (top + bottom) / 2 == pytest.approx((boxes[1, 0][1] + boxes[1, 0][3]) / 2, abs=8)


def test_an_axis_without_labels_takes_no_room() -> None:
    assert _labelled([()], [("Seed 1",)]).width < _labelled([("Guidance 7.5",)], [("Seed 1",)]).width
    assert _labelled([("a",)], [()]).height < _labelled([("a",)], [("Seed 1",)]).height


def test_groups_stand_apart_each_under_its_own_name() -> None:
    rows = [("navy", "Guidance 4"), ("navy", "Guidance 8"), ("grey", "Guidance 4"), ("grey", "Guidance 8")]
    columns = [("21 steps", "Seed 1"), ("21 steps", "Seed 2"), ("31 steps", "Seed 1"), ("31 steps", "Seed 2")]
    sheet = _labelled(rows, columns)
    boxes = _boxes(sheet, 4, 4)
    gaps = [boxes[0, at + 1][0] - boxes[0, at][2] for at in range(3)]
    assert gaps[0] == gaps[2] < gaps[1] / 1.5
    bands = [boxes[at + 1, 0][1] - boxes[at, 0][3] for at in range(3)]
    assert bands[0] == bands[2] < bands[1] - TEXT_PX
    renamed = [(name.replace("31", "41"), own) for name, own in columns]
    box = _difference(sheet, _labelled(rows, renamed))
    assert boxes[0, 2][0] - 1 <= box[0] and box[3] < boxes[0, 0][1]
    renamed = [(name.replace("grey", "gray"), own) for name, own in rows]
    box = _difference(sheet, _labelled(renamed, columns))
    assert boxes[1, 0][3] < box[1] and box[3] < boxes[2, 0][1]


def test_a_long_prompt_is_wrapped_and_whole_beside_its_row() -> None:
    prompt = "professional headshot, a quiet office behind a window in the late afternoon, soft loop light, film grain"
    pictures, columns = _cells(1, 2), [("Seed 1",), ("Seed 2",)]
    sheets = [grid_sheet(pictures, [(words,)], columns) for words in (prompt, prompt.replace("grain", "groin"))]
    assert ImageChops.difference(*sheets).getbbox() is not None  # its last word is there
    assert sheets[0].width < 2 * CELL_PX + 20 * TEXT_PX


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (6, 16), (16, 1), (1, 40), (8, 8)])
def test_a_label_can_be_read_at_half_size_and_on_a_screen_that_shows_the_whole_sheet(rows: int, columns: int) -> None:
    sheet, other = (
        grid_sheet(_cells(rows, columns, (8, 10)), [()] * rows, [(f"{word} {n}",) for n in range(columns)])
        for word in ("Seed", "Sded")
    )
    _, top, _, bottom = _difference(sheet, other)
    tall = (bottom - top) / 0.75  # a d's height is about three quarters of the font's size
    assert tall >= 0.9 * TEXT_PX * 0.98
    assert tall * min(1, 1600 / max(sheet.size)) >= (9 if rows > 1 and columns < 40 else 4)


def test_a_label_is_dark_on_the_paper() -> None:
    bare, named = _labelled([()], [("W",)]), _labelled([()], [("M",)])
    box = _difference(bare, named)
    assert np.abs(_pixels(named.crop(box)).min(axis=(0, 1)) - INK).max() < 12


def test_title_and_footer_take_room_only_where_there_are_some_and_are_wrapped() -> None:
    bare, titled, signed = _grid(2, 4), _grid(2, 4, title="Navy"), _grid(2, 4, footer="studio")
    assert bare.height < titled.height and bare.height < signed.height
    assert bare.width == titled.width == signed.width
    long = _grid(2, 4, footer="professional headshot, navy backdrop, soft loop light, " * 2)
    assert long.width == bare.width and long.height > signed.height
    assert _boxes(signed, 2, 4) == _boxes(bare, 2, 4)


# -------------------------------------------------------------------------------------------------------------- bounds


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([(64, 80), (10, 1000), (1000, 10)]),
    st.text(max_size=80),
    st.booleans(),
)
@settings(deadline=None, max_examples=12)
def test_no_grid_is_larger_than_forty_megapixels_and_nothing_leaves_its_margins(
    rows: int, columns: int, size: tuple[int, int], text: str, grouped: bool
) -> None:
    labels = [
        [((f"{text} {at // 3}", f"{text} {at}") if grouped else (f"{text} {at}",)) for at in range(count)]
        for count in (rows, columns)
    ]
    sheet = grid_sheet({(0, 0): Image.new("RGB", size)}, *labels, title=text, footer=text)
    assert sheet.width * sheet.height <= MAX_PIXELS
    pixels = np.asarray(sheet)
    for edge in (pixels[:20], pixels[-20:], pixels[:, :20], pixels[:, -20:]):
        assert (edge == PAPER).all()


def test_a_thousand_rows_still_make_one_page() -> None:
    sheet = grid_sheet({}, [(f"Guidance {at}",) for at in range(1000)], [(f"Seed {at}",) for at in range(50)])
    assert sheet.width * sheet.height <= MAX_PIXELS


def test_small_grids_have_the_full_size_and_large_ones_smaller_cells_rather_than_smaller_words() -> None:
    box = _boxes(_grid(3, 4, cell_px=CELL_PX), 1, 1)[0, 0]
    assert box[2] - box[0] == CELL_PX
    large = _grid(6, 16, cell_px=CELL_PX)
    box = _boxes(large, 1, 1)[0, 0]
    assert 250 < box[2] - box[0] < CELL_PX
    assert LONG_SIDE_PX * 0.95 < large.width < LONG_SIDE_PX * 1.15


def test_a_cell_is_never_narrower_than_a_word_above_it() -> None:
    seeds = [4294967000 + at for at in range(60)]
    sheet = grid_sheet(_cells(1, 60, (8, 10)), [()], [(f"Seed {seed}",) for seed in seeds])
    boxes = _boxes(sheet, 1, 2)
    assert boxes[0, 0][2] - boxes[0, 0][0] >= length("4294967000", TEXT_PX)


def test_the_same_matrix_gives_the_same_sheet() -> None:
    matrix = Matrix(HeadshotRequest(seed=1), [1, 2], [4, 7.5], [21, 31])
    pictures = _cells(len(matrix.rows()), len(matrix.columns()))
    sheets = [grid_sheet(pictures, matrix.rows(), matrix.columns(), title="Navy") for _ in range(2)]
    assert sheets[0].tobytes() == sheets[1].tobytes()


def test_an_empty_grid_and_a_place_outside_are_refused() -> None:
    for rows, columns in (([], [("a",)]), ([("a",)], [])):
        with pytest.raises(ValueError, match="at least one row"):
            grid_sheet({}, rows, columns)
    for place in ((1, 0), (0, 1), (-1, 0)):
        with pytest.raises(ValueError, match="not a position"):
            grid_sheet({place: None}, [("a",)], [("b",)])
        with pytest.raises(ValueError, match="not a position"):
            grid_sheet({}, [("a",)], [("b",)], reasons={place: "No."})
