"""A ZIP that is the same for the same files and unpacks safely everywhere."""

import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headshot.exports.zip_bundle import zip_bundle

NAMES = st.from_regex(r"(headshot|Zoë|Юля|写真)-[a-z0-9.-]{1,40}\.png", fullmatch=True)
FILES = st.dictionaries(NAMES, st.binary(max_size=300), max_size=8)


@given(FILES)
def test_every_file_comes_out_as_it_went_in(files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bundle(files))) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == files
        assert {entry.compress_type for entry in packed.infolist()} <= {zipfile.ZIP_STORED}


@given(FILES)
def test_the_order_in_which_files_come_makes_no_difference(files: dict[str, bytes]) -> None:
    assert zip_bundle(files) == zip_bundle(dict(reversed(files.items())))


def test_the_clock_makes_no_difference() -> None:
    first = zip_bundle({"a.png": b"1"})
    time.sleep(2.1)  # ZIP counts in steps of two seconds
    assert zip_bundle({"a.png": b"1"}) == first


def test_the_files_can_be_read_once_unpacked(tmp_path: Path) -> None:
    (tmp_path / "shots.zip").write_bytes(zip_bundle({"one.png": b"1", "two words.png": b"22"}))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", "shots.zip", "out"], cwd=tmp_path, check=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "one.png": b"1",
        "two words.png": b"22",
    }
    with zipfile.ZipFile(tmp_path / "shots.zip") as packed:
        assert {entry.external_attr >> 16 for entry in packed.infolist()} == {0o644}


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../up.png", "/root.png", "a/b.png", "a\\b.png", "c:d.png", ".hidden", "end.", "end "),
        *("nul.png", "COM1", "line\nend.png", "zero\0.png", "x" * 200, "what?.png", "\u202egnp.exe", "-rf"),
        *("é" * 130, "Zoe\u0308.png", "\u0301a.png", "star*.png", "half\ud800.png", "a\u200bb.png"),
    ],
)
def test_a_name_that_is_not_safe_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a safe name"):
        zip_bundle({name: b"1"})


@pytest.mark.parametrize(
    "name", ["Zoë Müller.png", "O’Brien (2).png", "नमस्ते.png", "a", "写真.png", "Anna & Ben, 1+1.csv"]
)
def test_a_persons_name_is_safe_in_any_script(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bundle({name: b"1"}))) as packed:
        assert packed.namelist() == [name]


def test_names_that_some_systems_take_for_one_are_refused() -> None:
    with pytest.raises(ValueError, match="capitals"):
        zip_bundle({"a.png": b"1", "A.png": b"2"})
