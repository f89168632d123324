"""A table that every spreadsheet reads as it was meant, and none runs as a program."""

import csv
import io
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headshot.exports.comparison_csv import CsvRow, comparison_csv
from headshot.request import MAX_SEED, HeadshotRequest, Note

REQUEST = HeadshotRequest(prompt="navy, “soft”", negative_prompt="hat", guidance_scale=7.5, seed=MAX_SEED)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
LINES = st.builds(
    CsvRow,
    st.builds(
        HeadshotRequest,
        prompt=TEXT,
        negative_prompt=TEXT,
        guidance_scale=st.floats(1, 20),
        num_inference_steps=st.sampled_from([21, 31, 41]),
        seed=st.none() | st.integers(0, MAX_SEED),
    ),
    file=TEXT,
    backend=TEXT,
    seconds=st.none() | st.floats(0, 1e6),
    likeness=st.none() | st.floats(-1, 1),
    notes=st.lists(st.builds(Note, st.sampled_from(["applied", "not applied", "advice"]), TEXT), max_size=3),
    error=TEXT,
)


def _read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_a_headshot_is_one_line_with_everything_that_is_told_of_it() -> None:
    notes = [Note("applied", "navy"), Note("not applied", "hat; scarf")]
    [line] = _read(comparison_csv([CsvRow(REQUEST, "a.png", "studio", 0.51249, 0.93, notes)]))
    assert line == {
        "file": "a.png",
        "backend": "studio",
        "prompt": "navy, “soft”",
        "negative_prompt": "hat",
        "steps": "21",
        "guidance": "7.5",
        "seed": "4294967295",
        "seconds": "0.512",
        "likeness": "0.93",
        "notes": "Applied: navy; Not applied: hat; scarf",
        "error": "",
    }


def test_what_did_not_come_has_its_reason_and_no_numbers_of_its_own() -> None:
    [line] = _read(comparison_csv([CsvRow(REQUEST, error="The service refused, twice.")]))
    assert line["error"] == "The service refused, twice."
    assert (line["file"], line["seconds"], line["likeness"]) == ("", "", "")


def test_the_photos_have_a_column_where_there_are_several() -> None:
    assert comparison_csv([CsvRow(REQUEST)]).startswith(b"\xef\xbb\xbffile,backend,")
    lines = _read(comparison_csv([CsvRow(REQUEST, photo="Zoë.jpg"), CsvRow(REQUEST)]))
    assert list(lines[0])[:2] == ["photo", "file"]
    assert [line["photo"] for line in lines] == ["Zoë.jpg", ""]


@given(st.lists(LINES, max_size=4))
def test_every_line_is_read_back_and_ends_as_the_standard_says(lines: list[CsvRow]) -> None:
    data = comparison_csv(lines)
    assert data.startswith(b"\xef\xbb\xbf") and data.endswith(b"\r\n")
    read = _read(data)
    assert len(read) == len(lines)
    for line, row in zip(lines, read, strict=True):
        assert None not in row and None not in row.values()
        assert int(row["steps"]) == line.request.num_inference_steps
        assert float(row["guidance"]) == line.request.guidance_scale
        assert row["seed"] == ("" if line.request.seed is None else str(line.request.seed))
        assert row["likeness"] == "" or math.isclose(float(row["likeness"]), line.likeness or 0, abs_tol=1e-4)
        for name, words in (("prompt", line.request.prompt), ("file", line.file), ("error", line.error)):
            visible = "".join(" " if (ord(c) < 32 and c not in "\t\n\r") or c == "\x7f" else c for c in words)
            assert row[name] in (visible, f"'{visible}")


@given(LINES)
def test_no_text_begins_as_a_formula_would(line: CsvRow) -> None:
    [row] = _read(comparison_csv([line]))
    for name in ("file", "backend", "prompt", "negative_prompt", "notes", "error"):
        assert row[name].lstrip()[:1] not in tuple("=+-@＝＋－＠")
        assert row[name][:1] not in tuple("\t\r\n")


@pytest.mark.parametrize("start", [*"=+-@\t\r\n＝＋－＠", " =", "\u00a0+"])
def test_a_formula_becomes_a_text(start: str) -> None:
    prompt = f"{start}HYPERLINK(1)"
    [row] = _read(comparison_csv([CsvRow(REQUEST.model_copy(update={"prompt": prompt}))]))
    assert row["prompt"] == f"'{prompt}"


def test_numbers_stay_numbers_also_below_zero() -> None:
    [row] = _read(comparison_csv([CsvRow(REQUEST, likeness=-0.12345, seconds=1234567.0)]))
    assert (row["likeness"], row["seconds"]) == ("-0.1235", "1234567.0")


@pytest.mark.parametrize("words", ["half\ud800", "bell\x07", "nul\0"])
def test_what_no_file_can_hold_is_left_out(words: Any) -> None:
    [row] = _read(comparison_csv([CsvRow(REQUEST, error=words)]))
    assert row["error"].startswith(words[:3]) and words not in row["error"]


def test_a_table_of_nothing_still_names_its_columns() -> None:
    assert comparison_csv([]).count(b"\r\n") == 1
