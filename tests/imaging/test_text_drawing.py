"""Words on a picture: every name is spelled as its owner spells it, as far as the font goes, and stays in its room."""

import unicodedata
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from headshot.imaging import text_drawing
from headshot.imaging.text_drawing import drawable_text, length, shortened, wrapped, write

WORDS = "professional headshot, navy backdrop, soft loop light"
NAMES = st.text(st.characters(codec="utf-8"), max_size=200)


@pytest.mark.parametrize(
    "name",
    [
        *("Zoë Müller", "Łódź – Straße", "Nguyễn Thị Thảo", "İlker Çağ", "Žofie Dvořáková", "Søren Ærø", "Ørjan Þór"),
        *("Юлия Щёголева", "Ελένη Παπαδοπούλου", "ნინო", "สมชาย", "½ ™ … “x” × 4 → 5 €"),
    ],
)
def test_letters_that_the_font_holds_stay_as_they_are(name: str) -> None:
    assert drawable_text(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("Zoe\u0308", "Zoë"),
        ("写真 prompt", "? prompt"),
        ("写真", "?"),
        ("👍🏽", "?"),
        ("fullwidth １２", "fullwidth 12"),
        ("x\u0301\u0336", "x"),
        ("two\n lines\tand  blanks ", "two lines and blanks"),
        ("left\u202eright\u200b\ufeff", "leftright"),
        ("half\ud800", "half?"),
        ("bell\x07", "bell?"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_what_the_font_lacks_is_spelled_plainly(written: str, drawn: str) -> None:
    assert drawable_text(written) == drawn


@pytest.mark.parametrize("name", ["שלום", "مريم", "नमस्ते"])
def test_letters_that_must_be_joined_are_drawn_joined_or_not_at_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_drawing, "_can_shape", lambda: False)
    text_drawing._spelled.cache_clear()
    assert drawable_text(name) == "?"
    monkeypatch.undo()
    text_drawing._spelled.cache_clear()
    if text_drawing._can_shape():
        assert drawable_text(name) == name
        assert length("مريم", 40) < sum(length(letter, 40) for letter in "مريم")


@given(NAMES, st.integers(8, 60), st.integers(1, 600), st.booleans())
@settings(deadline=None, max_examples=80)
def test_any_text_fits_its_room_on_one_line_or_on_several(text: str, size: int, width: int, bold: bool) -> None:
    one = shortened(text, size, width, bold=bold)
    lines = wrapped(text, size, width, lines=3, bold=bold)
    assert len(lines) <= 3 and all(lines)
    room = max(
        width, length("…", size, bold=bold), *(length(letter, size, bold=bold) for letter in drawable_text(text) + "…")
    )
    assert all(length(line, size, bold=bold) <= room for line in [one, *lines])
    if not any(line.endswith("…") for line in lines):
        assert "".join(lines).replace(" ", "") == drawable_text(text).replace(" ", "")


def test_lines_are_broken_at_blanks_and_as_full_as_they_can_be() -> None:
    lines = wrapped(WORDS, 26, 320, lines=9)
    assert " ".join(lines) == WORDS
    for line, following in pairwise(lines):
        assert length(f"{line} {following.split()[0]}", 26) > 320


def test_a_word_wider_than_its_room_is_broken_and_what_is_left_over_ends_in_an_ellipsis() -> None:
    assert (
        "".join(wrapped("Donaudampfschifffahrtsgesellschaft", 26, 200, lines=9)) == "Donaudampfschifffahrtsgesellschaft"
    )
    lines = wrapped(WORDS, 26, 200, lines=2)
    assert len(lines) == 2 and lines[1].endswith("…")
    assert wrapped(WORDS, 26, 200, lines=0) == wrapped("", 26, 200, lines=3) == []


def _drawn(text: str, **options: Any) -> np.ndarray:
    """Where something was drawn, on a page of 400 × 100 whose line begins at (50, 20) and is 300 wide."""
    page = Image.new("RGB", (400, 100), "white")
    write(ImageDraw.Draw(page), (50, 20), text, 40, (0, 0, 0), 300, **options)
    return np.asarray(page.convert("L")) < 128


@pytest.mark.parametrize("text", ["Hxg", "Ägypten", WORDS, "W" * 50, "Юлия"])
@pytest.mark.parametrize("bold", [True, False])
def test_a_line_stands_where_it_was_put(text: str, bold: bool) -> None:
    rows, columns = np.nonzero(_drawn(text, bold=bold))
    assert 50 <= columns.min() <= 56 and columns.max() <= 350
    assert 12 <= rows.min() <= 26 and rows.max() <= 20 + 40


def test_bold_is_blacker_and_centred_is_in_the_middle() -> None:
    plain_ink, bold_ink, centred = _drawn("Seed 2"), _drawn("Seed 2", bold=True), _drawn("Seed 2", centred=True)
    assert bold_ink.sum() > 1.2 * plain_ink.sum()
    columns = np.nonzero(centred)[1]
    assert (columns.min() + columns.max()) / 2 == pytest.approx(200, abs=4)
