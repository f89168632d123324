"""A PDF that holds every sheet on a page of its own, fits into a mail, and tells nothing but its title."""

import io
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headshot.exports.pdf import as_pdf


def _noise(width: int, height: int) -> Image.Image:
    """What JPEG saves least on."""
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _pages(data: bytes) -> list[tuple[float, float]]:
    """Width and height of each page, in points of 1/72 inch."""
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", data)
    assert len(boxes) == len(re.findall(rb"/Type /Page\b", data))
    return [(float(width), float(height)) for width, height in boxes]


def _pictures(data: bytes) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(found)) for found in re.findall(rb"stream\r?\n(\xff\xd8.*?\xff\xd9)\r?\nends", data, re.S)
    ]


def test_every_sheet_is_a_page_in_its_own_proportions_and_the_largest_is_as_long_as_a4() -> None:
    sheets = [Image.new("RGB", (1200, 800), "navy"), Image.new("L", (600, 900), 200)]
    data = as_pdf(sheets, title="Two sheets")
    assert data.startswith(b"%PDF-1.") and data.rstrip().endswith(b"%%EOF")
    (width, height), (width_2, height_2) = _pages(data)
    assert width == pytest.approx(842, abs=0.1)
    assert height / width == pytest.approx(8 / 12, rel=0.01) and height_2 / width_2 == pytest.approx(1.5, rel=0.01)
    assert [picture.size for picture in _pictures(data)] == [(1200, 800), (600, 900)]
    assert np.asarray(_pictures(data)[0]).mean(axis=(0, 1)) == pytest.approx((0, 0, 128), abs=3)


def test_the_title_is_ours_in_any_script_and_nothing_says_when_or_who() -> None:
    data = as_pdf([Image.new("RGB", (60, 80))], title="Zoë (写真)")
    title = re.search(rb"/Title \((\xfe\xff.*?)\)\n", data, re.S)
    assert title is not None
    assert title[1].replace(b"\\(", b"(").replace(b"\\)", b")").decode("utf-16") == "Zoë (写真)"
    for word in (b"Date", b"Author", b"Producer", b"Creator", b"/home", b"/tmp"):
        assert word not in data


def test_the_clock_makes_no_difference() -> None:
    first = as_pdf([_noise(60, 80)], title="One")
    time.sleep(1.1)
    assert as_pdf([_noise(60, 80)], title="One") == first


@pytest.mark.parametrize(("max_bytes", "smaller"), [(3_000_000, False), (300_000, True), (20_000, True)])
def test_a_file_never_outgrows_its_bound_and_its_pages_stay_as_long(max_bytes: int, smaller: bool) -> None:
    data = as_pdf([_noise(900, 1200), _noise(1200, 900)], title="Noise", max_bytes=max_bytes)
    assert max_bytes / 4 < len(data) <= max_bytes
    assert [max(page) for page in _pages(data)] == pytest.approx([842, 842], abs=0.1)
    assert (_pictures(data)[0].size != (900, 1200)) == smaller


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.sampled_from(["RGB", "L", "RGBA", "P", "1", "CMYK"]))
@settings(deadline=None, max_examples=30)
def test_a_sheet_of_any_size_and_mode_is_taken_and_left_as_it_is(size: tuple[int, int], mode: str) -> None:
    sheet = Image.new(mode, size)
    assert len(_pages(as_pdf([sheet], title="Any"))) == 1
    assert (sheet.mode, sheet.size) == (mode, size)


def test_a_bound_that_no_file_can_keep_ends_all_the_same() -> None:
    assert _pictures(as_pdf([_noise(40, 50)], title="Small", max_bytes=10))[0].size == (1, 1)


def test_a_pdf_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one page"):
        as_pdf([], title="Nothing")
