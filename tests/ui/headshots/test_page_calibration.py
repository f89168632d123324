"""A second real photo tells what likeness means for this very person."""

import re
from pathlib import Path

import pytest
from page import Visit, files_in
from paths import ASTRONAUT
from PIL import Image
from playwright.sync_api import expect

from headshot import ui

pytestmark = pytest.mark.browser


def _add(visit: Visit, photo: Path) -> None:
    visit.page.locator("#calibrate input[type=file]").set_input_files(photo)


def _with_a_headshot(visit: Visit) -> None:
    expect(visit.page.locator("#calibrate")).to_be_hidden()
    visit.take_example()
    visit.generate("1")
    visit.until_done(1)
    expect(visit.page.locator("#calibrate")).to_be_visible()


def test_the_photos_own_likeness_is_said_and_the_second_photo_is_not_kept(visit: Visit) -> None:
    _with_a_headshot(visit)
    _add(visit, ASTRONAUT)
    line = visit.page.locator("#calibration[data-own]")
    expect(line).to_contain_text("That is low: is it the same person?")
    assert re.fullmatch(r"-?0\.\d{3}", line.get_attribute("data-own") or "")
    assert not [path for path in files_in(ui.CACHE) if path.name.startswith("astronaut")]


def test_a_second_photo_without_a_face_is_refused_with_a_sentence(visit: Visit, tmp_path: Path) -> None:
    Image.new("RGB", (400, 400), (120, 140, 160)).save(tmp_path / "wall.png")
    _with_a_headshot(visit)
    _add(visit, tmp_path / "wall.png")
    expect(visit.page.get_by_text("No face was found in the second photo")).to_be_visible()
    expect(visit.page.locator("#calibration")).to_have_count(0)
    expect(visit.completed).to_have_count(1)
