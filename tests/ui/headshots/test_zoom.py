"""Zoom and pan in the viewer: locked together, within bounds, and on the faces."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, BrowserContext, expect
from viewing import BLUE, GREEN, PHONE, PICTURES, RED, Card, Viewer, plain, png, serving, viewing, visiting, window

pytestmark = pytest.mark.browser
# A face is a square of one colour: in the one picture high on the left, in the larger one low on the right.
FACES = {"small": (256, 320, 64, 48, 60, 80), "large": (512, 640, 260, 330, 90, 120)}


def _with_face(name: str, colour: tuple[int, int, int]) -> bytes:
    width, height, x, y, w, h = FACES[name]
    picture = Image.new("RGB", (width, height), (128, 128, 128))
    picture.paste(colour, (x, y, x + w, y + h))
    return png(picture)


def _card(name: str, seed: int) -> Card:
    width, height, x, y, w, h = FACES[name]
    address = f"/{name}.png"
    return Card(name, seed, f"Seed {seed}", address, address, face=(x, y, w, h), size=(width, height))


SMALL, LARGE = _card("small", 1), _card("large", 2)
STRIPES = Card("stripes", 3, "Seed 3", "/stripes.png", "/white.png")
FLAT = Card("flat", 4, "Seed 4", "/green.png", "/white.png")


def _stripes() -> bytes:
    """Columns of one pixel, red and blue in turn."""
    picture = Image.new("RGB", (256, 320), RED)
    for x in range(1, 256, 2):
        picture.paste(BLUE, (x, 0, x + 1, 320))
    return png(picture)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    own = {"/small.png": _with_face("small", RED), "/large.png": _with_face("large", BLUE), "/stripes.png": _stripes()}
    with serving((SMALL, LARGE, STRIPES, FLAT), {**PICTURES, **own, "/a.png": plain(GREEN)}) as address:
        yield address


@pytest.fixture(scope="module")
def desktop(browser: Browser) -> Iterator[BrowserContext]:
    with window(browser, reduced_motion="reduce") as context:
        yield context


@pytest.fixture
def viewer(desktop: BrowserContext, site: str) -> Iterator[Viewer]:
    with visiting(desktop, site) as viewer:
        yield viewer


def _percent(viewer: Viewer) -> int:
    return int(viewer.dialog.locator(".percent").inner_text().removesuffix(" %"))


def _rectangles(viewer: Viewer) -> list[dict[str, float]]:
    """Of each picture on the stage: where it lies in its cell, in shares of the cell."""
    script = """sides => sides.filter(side => side.checkVisibility()).map(side => {
      const [cell, box] = [side, side.querySelector("img")].map(part => part.getBoundingClientRect());
      const share = (value, from, whole) => (value - from) / whole;
      return {left: share(box.left, cell.left, cell.width), right: share(box.right, cell.left, cell.width),
              top: share(box.top, cell.top, cell.height), bottom: share(box.bottom, cell.top, cell.height)};
    })"""
    found: list[dict[str, float]] = viewer.dialog.locator(".side").evaluate_all(script)
    return found


def _covered(viewer: Viewer) -> bool:
    """Whether every picture fills its cell to every edge."""
    near = 0.006  # a pixel of the screen
    return all(
        max(each["left"], each["top"]) <= near and min(each["right"], each["bottom"]) >= 1 - near
        for each in _rectangles(viewer)
    )


def _locked(viewer: Viewer) -> bool:
    first, *others = _rectangles(viewer)
    return bool(others) and all(each == pytest.approx(first, abs=0.006) for each in others)


@pytest.mark.parametrize("view", ["Slider", "Side by side", "Flip"])
def test_in_every_view_wheel_keys_and_buttons_move_both_pictures_together(viewer: Viewer, view: str) -> None:
    viewer.compare(STRIPES, FLAT)
    viewer.button(view).click()
    fit = _percent(viewer)
    viewer.page.mouse.move(*viewer.at(0.3, 0.3))
    viewer.page.mouse.wheel(0, -300)
    expect(viewer.pair).to_contain_class("zoomed")
    wheeled = _percent(viewer)
    assert wheeled > fit
    assert _locked(viewer) and _covered(viewer)
    viewer.button("Zoom in").click()
    assert _percent(viewer) > wheeled
    viewer.page.keyboard.press("-")
    assert _percent(viewer) == wheeled
    before = _rectangles(viewer)
    viewer.page.keyboard.press("ArrowRight")
    viewer.page.keyboard.press("ArrowDown")
    after = _rectangles(viewer)
    assert after[0]["left"] < before[0]["left"] and after[0]["top"] < before[0]["top"]
    assert _locked(viewer) and _covered(viewer)
    viewer.page.keyboard.press("0")
    assert _percent(viewer) == fit
    expect(viewer.button("Fit")).to_have_attribute("aria-disabled", "true")
    expect(viewer.button("Zoom out")).to_have_attribute("aria-disabled", "true")


def test_all_four_are_moved_together_and_stay_in_their_cells(viewer: Viewer) -> None:
    four = [replace(FLAT, id=f"n{number}", seed=number, label=f"Seed {number}") for number in range(4)]
    viewer.draw(*four)
    viewer.compare(*four)
    expect(viewer.dialog.locator(".views")).to_be_hidden()
    viewer.page.keyboard.press("+")
    for start, end in (((0.2, 0.2), (0.45, 0.45)), ((0.8, 0.8), (0.1, 0.1)), ((0.6, 0.2), (0.99, 0.99))):
        viewer.page.mouse.move(*viewer.at(*start))
        viewer.page.mouse.down()
        viewer.page.mouse.move(*viewer.at(*end), steps=4)
        viewer.page.mouse.up()
        assert len(_rectangles(viewer)) == 4
        assert _locked(viewer) and _covered(viewer)


def test_what_is_under_the_pointer_stays_there(viewer: Viewer) -> None:
    viewer.open(SMALL)
    viewer.compared()
    x, y, w, h = SMALL.face or (0, 0, 0, 0)
    corner = (x + w) / SMALL.size[0], (y + h) / SMALL.size[1]  # between red and grey
    viewer.page.mouse.move(*viewer.at(*corner))
    for _ in range(4):
        viewer.page.mouse.wheel(0, -150)
    expect(viewer.pair).to_contain_class("zoomed")
    viewer.page.wait_for_function("parseInt(document.querySelector('.percent').textContent) > 500")
    shot = viewer.seen(viewer.pair)
    at = round(shot.width * corner[0]), round(shot.height * corner[1])
    assert shot.getpixel((at[0] - 8, at[1] - 8)) == RED
    assert shot.getpixel((at[0] + 8, at[1] + 8)) == (128, 128, 128)


def test_a_double_click_zooms_to_where_it_is_and_back_and_leaves_the_line(viewer: Viewer) -> None:
    viewer.compare(STRIPES, FLAT)
    fit = _percent(viewer)
    viewer.page.mouse.dblclick(*viewer.at(0.2))
    expect(viewer.pair).to_contain_class("zoomed")
    expect(viewer.range).to_have_js_property("value", "50")
    viewer.page.mouse.dblclick(*viewer.at(0.2))
    expect(viewer.pair).not_to_contain_class("zoomed")
    assert _percent(viewer) == fit


def test_while_zoomed_the_handle_moves_the_line_and_a_drag_elsewhere_the_pictures(viewer: Viewer) -> None:
    viewer.compare(STRIPES, FLAT)
    viewer.button("Zoom in").click()
    before = _rectangles(viewer)

    def drag(start: tuple[float, float], end: tuple[float, float]) -> None:
        viewer.page.mouse.move(*viewer.at(*start))
        viewer.page.mouse.down()
        viewer.page.mouse.move(*viewer.at(*end), steps=5)
        viewer.page.mouse.up()

    drag((0.3, 0.3), (0.35, 0.3))
    moved = _rectangles(viewer)
    assert moved[0]["left"] > before[0]["left"]
    expect(viewer.range).to_have_js_property("value", "50")
    drag((0.5, 0.3), (0.45, 0.3))  # on the line, but not on its handle
    assert _rectangles(viewer)[0]["left"] < moved[0]["left"]
    expect(viewer.range).to_have_js_property("value", "50")
    rest = _rectangles(viewer)
    drag((0.5, 0.5), (0.8, 0.5))
    assert _rectangles(viewer) == rest
    assert float(viewer.range.input_value()) == pytest.approx(80, abs=1)
    viewer.range.focus()
    viewer.page.keyboard.press("ArrowLeft")
    assert float(viewer.range.input_value()) < 80
    assert _rectangles(viewer) == rest


@pytest.mark.parametrize("view", ["Side by side", "Flip"])
def test_zoom_to_face_brings_the_faces_to_the_same_place_and_size(viewer: Viewer, view: str) -> None:
    viewer.compare(SMALL, LARGE)
    viewer.button(view).click()
    viewer.button("Zoom to face").click()
    expect(viewer.button("Zoom to face")).to_have_attribute("aria-pressed", "true")
    boxes = []
    for number, colour in enumerate((RED, BLUE)):
        if view == "Flip" and number:
            viewer.button("Flip").click()
        cell = viewer.dialog.locator(".side").nth(number)
        viewer.page.mouse.move(1, 1)
        shot = viewer.seen(cell)
        others = ImageChops.difference(shot, Image.new("RGB", shot.size, colour)).convert("L")
        box = others.point(lambda value: 255 if value < 8 else 0).getbbox()
        assert box
        boxes.append(box)
        if view == "Side by side":
            assert abs((box[1] + box[3]) / 2 / shot.height - 0.5) < 0.03
            assert abs((box[3] - box[1]) / shot.height - 0.62) < 0.02
    assert boxes[0] == pytest.approx(boxes[1], abs=2)
    viewer.button("Zoom to face").click()
    expect(viewer.button("Fit")).to_have_attribute("aria-disabled", "true")


def test_where_one_has_no_face_there_is_none_to_zoom_to(viewer: Viewer) -> None:
    viewer.compare(SMALL, FLAT)
    expect(viewer.button("Zoom to face")).to_be_hidden()
    viewer.select("Right picture").select_option("Original")
    expect(viewer.button("Zoom to face")).to_be_visible()  # the photo lies in its headshot's frame


def test_at_100_percent_every_pixel_of_the_picture_is_one_of_the_screen(viewer: Viewer) -> None:
    viewer.page.set_viewport_size({"width": 800, "height": 420})  # where the whole picture is smaller
    viewer.open(STRIPES)
    viewer.compared()
    assert _percent(viewer) < 100
    while _percent(viewer) < 100:
        viewer.page.keyboard.press("+")
    assert _percent(viewer) == 100
    shot = viewer.seen(viewer.pair)
    columns = {shot.getpixel((x, 60)) for x in range(4, shot.width - 4)}
    assert columns == {RED, BLUE}
    for _ in range(3):
        viewer.page.keyboard.press("+")
    large = viewer.seen(viewer.pair)
    row = [large.getpixel((x, 60)) for x in range(8, large.width - 8)]
    assert sum(pixel in (RED, BLUE) for pixel in row) > 0.9 * len(row)


def test_the_arrows_walk_again_once_the_whole_picture_is_seen_and_the_zoom_is_kept_by_the_next(viewer: Viewer) -> None:
    viewer.open(STRIPES)
    viewer.page.keyboard.press("+")
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.title).to_have_text("Seed 3")
    zoomed = _percent(viewer)
    viewer.button("Next headshot").click()
    expect(viewer.title).to_have_text("Seed 4")
    assert _percent(viewer) == zoomed
    viewer.page.keyboard.press("0")
    viewer.page.keyboard.press("ArrowLeft")
    expect(viewer.title).to_have_text("Seed 3")
    viewer.page.keyboard.press("+")
    viewer.page.keyboard.press("Escape")
    viewer.open(STRIPES)
    expect(viewer.button("Fit")).to_have_attribute("aria-disabled", "true")


def test_the_browsers_own_zoom_keys_stay_the_browsers(viewer: Viewer) -> None:
    viewer.compare(STRIPES, FLAT)
    fit = _percent(viewer)
    viewer.page.keyboard.press("Control++")
    assert _percent(viewer) == fit


def test_two_fingers_zoom_and_the_line_stays(browser: Browser, site: str) -> None:
    options: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    with viewing(browser, site, **options) as phone:
        phone.compare(STRIPES, FLAT)
        fit = _percent(phone)
        phone.touch([[phone.at(0.4), phone.at(0.6)], [phone.at(0.2), phone.at(0.8)]])
        expect(phone.pair).to_contain_class("zoomed")
        assert _percent(phone) > 2 * fit
        assert _locked(phone) and _covered(phone)
        expect(phone.range).to_have_js_property("value", "50")
        before = _rectangles(phone)
        phone.swipe(phone.at(0.2, 0.3), phone.at(0.4, 0.3))
        assert _rectangles(phone)[0]["left"] > before[0]["left"]
        expect(phone.range).to_have_js_property("value", "50")
        x, y = phone.at(0.2, 0.3)
        for _ in range(2):
            phone.page.touchscreen.tap(x, y)
        expect(phone.button("Fit")).to_have_attribute("aria-disabled", "true")


def test_flip_shows_the_other_under_the_pointer_and_by_space(viewer: Viewer) -> None:
    viewer.compare(STRIPES, FLAT)
    viewer.button("Flip").click()
    shown = viewer.dialog.locator(".side.front b")
    expect(shown).to_have_text("Seed 3")
    viewer.page.mouse.move(*viewer.at(0.5))
    expect(shown).to_have_text("Seed 4")
    viewer.page.mouse.move(2, 2)
    expect(shown).to_have_text("Seed 3")
    viewer.page.keyboard.press("Space")  # on the button, which flips too
    expect(shown).to_have_text("Seed 4")
    viewer.page.mouse.move(*viewer.at(0.5))
    expect(shown).to_have_text("Seed 3")
    viewer.dialog.locator("h2").focus()
    viewer.page.keyboard.press("Space")
    expect(shown).to_have_text("Seed 4")
    expect(viewer.dialog.locator("p.aloud")).to_have_text("Seed 4")


def test_held_by_a_finger_the_other_is_seen(browser: Browser, site: str) -> None:
    with viewing(browser, site, viewport=PHONE, has_touch=True, is_mobile=True) as phone:
        phone.compare(STRIPES, FLAT)
        phone.button("Flip").tap()
        finger = phone.page.context.new_cdp_session(phone.page)
        x, y = phone.at(0.5)
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        expect(phone.dialog.locator(".side.front b")).to_have_text("Seed 4")
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(phone.dialog.locator(".side.front b")).to_have_text("Seed 3")
