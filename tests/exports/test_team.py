"""A team's files bear the names of its photos, safely on every system, and its sheet shows everybody."""

import io
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headshot.exports.sheet import HAIRLINE, PAPER
from headshot.exports.team import SHEET, TABLE, TeamRow, headshot_names, team_sheet, team_zip
from headshot.exports.zip_bundle import zip_bundle

NAMES = st.text(max_size=120) | st.sampled_from(
    [
        "anna.jpg",
        "ANNA.png",
        "anna 2.jpg",
        "con.jpg",
        "../../etc/passwd",
        "contact-sheet.png",
        "",
        "…",
        ".jpg",
        "é" * 90,
    ]
)


@pytest.mark.parametrize(
    ("photo", "name"),
    [
        ("Zoë Müller.jpg", "Zoë Müller.png"),
        ("Zoe\u0308.HEIC", "Zoë.png"),
        ("王小明.jpeg", "王小明.png"),
        ("नमस्ते.webp", "नमस्ते.png"),
        ("O’Brien (2).jpg", "O’Brien (2).png"),
        ("Dr. Müller", "Dr. Müller.png"),
        ("anna.smith.jpg", "anna.smith.png"),
        ("anna.jpg.exe", "anna.jpg.exe.png"),
        ("C:\\Users\\me\\Anna.JPG", "Anna.png"),
        ("../../etc/passwd", "passwd.png"),
        ("two\nlines\t.jpg", "two lines.png"),
        ('what?*<>|:".jpg', "what.png"),
        ("\u202egnp.exe", "gnp.exe.png"),
        ("_MG_1234.tif", "MG_1234.png"),
        ("-rf.png", "rf.png"),
        ("👍🏽.png", "photo.png"),
        ("", "photo.png"),
        (".jpg", "photo.png"),
        ("...", "photo.png"),
        ("con.jpg", "photo con.png"),
        ("LPT1.jpg", "photo LPT1.png"),
        ("half\ud800.jpg", "half.png"),
        ("contact-sheet.png", "contact-sheet 2.png"),
        ("x" * 200 + ".jpg", "x" * 76 + ".png"),
    ],
)
def test_a_headshot_is_named_as_its_photo(photo: str, name: str) -> None:
    assert headshot_names([photo]) == [name]


def test_names_that_are_alike_are_numbered_also_where_they_differ_only_in_capitals() -> None:
    photos = ["anna.jpg", "Anna.png", "anna 2.jpg", "b/anna.heic", "x" * 90, "x" * 91]
    assert headshot_names(photos) == [
        *("anna.png", "Anna 2.png", "anna 2 2.png", "anna 3.png"),
        *("x" * 76 + ".png", "x" * 74 + " 2.png"),
    ]


@given(st.lists(NAMES, max_size=12))
def test_whatever_the_photos_are_called_their_headshots_can_be_packed_beside_the_sheet(photos: list[str]) -> None:
    names = headshot_names(photos)
    assert len(names) == len(photos)
    assert all(len(name) <= 80 and name.endswith(".png") for name in names)
    assert all(unicodedata.normalize("NFC", name) == name for name in names)
    with zipfile.ZipFile(io.BytesIO(team_zip(dict.fromkeys(names, b"1"), b"sheet", b"table"))) as packed:
        assert set(packed.namelist()) == {*names, SHEET, TABLE}
        assert packed.read(SHEET) == b"sheet" and packed.read(TABLE) == b"table"


def test_the_letters_of_a_name_of_four_bytes_each_leave_room_on_every_disk() -> None:
    [name] = headshot_names(["𠀀" * 100])
    assert name.startswith("𠀀" * 30) and len(name.encode()) <= 240
    zip_bundle({name: b"1"})


def _rows(count: int) -> list[TeamRow]:
    return [
        TeamRow(f"Person {at}.png", Image.new("RGB", (64, 80), (200, 30, 3 * at)), "likeness 0.9")
        for at in range(count)
    ]


def _boxes(sheet: Image.Image, count: int) -> list[tuple[int, int, int, int]]:
    pixels, boxes = np.asarray(sheet), []
    for at in range(count):
        down, across = np.nonzero((pixels == (200, 30, 3 * at)).all(axis=2))
        boxes.append((int(across.min()), int(down.min()), int(across.max()) + 1, int(down.max()) + 1))
    return boxes


def test_everybody_is_on_the_sheet_in_order_with_the_name_beneath() -> None:
    rows = _rows(6)
    sheet = team_sheet(rows, title="The team", footer="navy backdrop")
    boxes = _boxes(sheet, 6)
    assert [(left, top) for left, top, _, _ in boxes] == sorted(((b[0], b[1]) for b in boxes), key=lambda at: at[::-1])
    renamed = team_sheet(
        [*rows[:4], TeamRow("Zoë.png", rows[4].picture, "likeness 0.9"), rows[5]],
        title="The team",
        footer="navy backdrop",
    )
    changed = np.nonzero((np.asarray(sheet) != np.asarray(renamed)).any(axis=2))
    left, _, right, bottom = boxes[4]
    assert left <= changed[1].min() and changed[1].max() <= right
    assert bottom < changed[0].min() and changed[0].max() < bottom + 60


def test_a_missing_headshot_is_replaced_by_its_reason() -> None:
    rows = [_rows(1)[0], TeamRow("Ben.png", reason="No face was found in this photo."), TeamRow("Zoë.png")]
    pixels = np.asarray(team_sheet(rows))
    lefts = [at for at in range(1, pixels.shape[1]) if (pixels[200, at] == HAIRLINE).all()]
    cells = [pixels[100:600, lefts[at] + 2 : lefts[at + 1] - 1] for at in (0, 2, 4)]
    assert (cells[1].reshape(-1, 3).min(axis=0) < 130).all()  # grey letters on
    assert (np.median(cells[1], axis=(0, 1)) > 238).all() and (np.median(cells[1], axis=(0, 1)) < PAPER).all()
    assert (cells[2] == cells[2][0, 0]).all() and (cells[2][0, 0] > 240).all()


def test_pictures_come_from_files_as_from_memory(tmp_path: Path) -> None:
    rows = _rows(2)
    on_disk = []
    for row in rows:
        path = tmp_path / row.name
        assert isinstance(row.picture, Image.Image)
        row.picture.save(path)
        on_disk.append(TeamRow(row.name, path, row.caption))
    assert team_sheet(on_disk).tobytes() == team_sheet(rows).tobytes()
    (tmp_path / rows[0].name).unlink()
    with pytest.raises(FileNotFoundError):
        team_sheet(on_disk)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
@settings(deadline=None, max_examples=20)
def test_any_name_can_be_written(photos: list[str]) -> None:
    assert team_sheet([TeamRow(name) for name in headshot_names(photos)]).mode == "RGB"


def test_a_team_of_nobody_has_no_sheet() -> None:
    assert headshot_names([]) == []
    with pytest.raises(ValueError, match="make no sheet"):
        team_sheet([])
