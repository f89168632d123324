"""The toolbar above the headshots, sorting them, and the fullscreen on a black screen."""

from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from settled import boxes
from viewing import BLUE, GREEN, ONE, PHONE, RED, THREE, TWO, WHITE, Viewer, viewing

pytestmark = pytest.mark.browser
REFUSED = "void (Element.prototype.requestFullscreen = () => Promise.reject(new TypeError('not here')))"


def _button(viewer: Viewer, name: str) -> Locator:
    return viewer.tools.get_by_role("button", name=name, exact=True)


# Sorting


def _order(viewer: Viewer) -> list[str]:
    names: list[str] = viewer.page.locator("#shots .shot").evaluate_all("all => all.map(each => each.id)")
    return names


def test_sorted_the_likest_stands_first_and_the_keys_follow(viewer: Viewer) -> None:
    button = _button(viewer, "Sort by likeness")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert _order(viewer) == ["shot-b2", "shot-a1", "shot-c3"]
    viewer.card(TWO).locator("a.frame").focus()
    for _ in (".pick", ".download", "a.frame of the next"):
        viewer.page.keyboard.press("Tab")
    expect(viewer.card(ONE).locator("a.frame")).to_be_focused()
    viewer.open(TWO)
    expect(viewer.dialog.locator(".count")).to_have_text("1 of 3")
    viewer.page.keyboard.press("Escape")
    button.click()
    assert _order(viewer) == ["shot-a1", "shot-b2", "shot-c3"]


def test_what_is_done_later_is_sorted_in_and_the_focus_stays_on_its_card(viewer: Viewer) -> None:
    _button(viewer, "Sort by likeness").click()
    late = replace(THREE, id="d4", label="Seed 4", likeness=0.85)
    viewer.card(ONE).locator(".pick").focus()
    viewer.draw(ONE, TWO, THREE, late)
    assert _order(viewer) == ["shot-b2", "shot-d4", "shot-a1", "shot-c3"]
    expect(viewer.card(ONE).locator(".pick")).to_be_focused()


def test_there_is_nothing_to_sort_where_fewer_than_two_have_a_likeness(viewer: Viewer) -> None:
    viewer.draw(ONE, THREE)
    expect(_button(viewer, "Sort by likeness")).to_be_hidden()
    expect(_button(viewer, "Full screen")).to_be_visible()
    viewer.draw()
    expect(viewer.tools).to_be_hidden()
    viewer.draw(ONE, TWO, matrix=True)
    expect(_button(viewer, "Sort by likeness")).to_be_hidden()
    expect(_button(viewer, "Full screen")).to_be_visible()


# The fullscreen


class Fullscreen:
    def __init__(self, viewer: Viewer) -> None:
        self.page: Page = viewer.page
        self.viewer = viewer
        self.dialog = viewer.page.locator("dialog.fullscreen")
        self.room = self.dialog.locator(".room")
        self.picture = self.room.locator(".one img")
        self.name = self.room.locator(".name")
        self.spoken = self.dialog.locator(".aloud")
        _button(viewer, "Full screen").click()

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def colour(self) -> Any:
        shot = self.viewer.seen(self.room)
        return shot.getpixel((shot.width // 2, shot.height // 2))


@pytest.fixture
def show(viewer: Viewer) -> Fullscreen:
    return Fullscreen(viewer)


def test_it_fills_the_screen_with_one_picture_and_escape_ends_it(show: Fullscreen) -> None:
    show.page.wait_for_function("document.fullscreenElement?.matches('.room')")
    expect(show.room).to_be_focused()
    expect(show.picture).to_have_attribute("src", ONE.picture)
    (box,), window = boxes(show.picture), show.page.evaluate("[innerWidth, innerHeight]")
    assert [box["width"], box["height"]] == window
    assert show.colour() == RED
    assert show.viewer.seen(show.room).getpixel((40, 200)) == (0, 0, 0)
    expect(show.name).to_have_text("Seed 1")
    expect(show.spoken).to_have_text("Seed 1, 1 of 3")
    show.page.evaluate("document.exitFullscreen()")  # what the browser does on Escape
    expect(show.dialog).to_be_hidden()
    expect(_button(show.viewer, "Full screen")).to_be_focused()


def test_where_the_whole_screen_is_refused_the_whole_window_does(viewer: Viewer) -> None:
    viewer.page.evaluate(REFUSED)
    show = Fullscreen(viewer)
    expect(show.picture).to_have_attribute("src", ONE.picture)
    size = viewer.page.viewport_size
    assert size
    assert boxes(show.room) == [{"x": 0, "y": 0, **size}]
    show.press("Escape")
    expect(show.dialog).to_be_hidden()
    expect(_button(viewer, "Full screen")).to_be_focused()
    show = Fullscreen(viewer)
    show.page.mouse.move(50, 50)
    show.dialog.get_by_role("button", name="Close full screen").click()
    expect(show.dialog).to_be_hidden()


def test_ended_begun_and_ended_in_one_moment_it_is_over_and_the_focus_is_back(viewer: Viewer) -> None:
    viewer.page.evaluate(REFUSED)
    show = Fullscreen(viewer)
    expect(show.dialog).to_be_visible()
    begin = _button(viewer, "Full screen").element_handle()
    viewer.page.evaluate(
        """(begin) => {
            const dialog = document.querySelector("dialog.fullscreen");
            dialog.close();
            begin.click();
            dialog.close();
        }""",
        begin,
    )
    expect(show.dialog).to_be_hidden()
    expect(_button(viewer, "Full screen")).to_be_focused()


def test_keys_go_from_one_to_the_next_and_round(show: Fullscreen) -> None:
    seen = []
    for key in ("ArrowRight", "Space", "ArrowRight", "ArrowLeft", "Home", "End", "Enter"):
        show.press(key)
        seen.append(show.name.inner_text())
    assert seen == ["Seed 2", "Seed 3", "Seed 1", "Seed 3", "Seed 1", "Seed 3", "Seed 1"]
    expect(show.spoken).to_have_text("Seed 1, 1 of 3")
    expect(show.picture).to_have_attribute("src", ONE.picture)


def test_o_shows_the_original_until_it_is_pressed_again_or_for_as_long_as_it_is_held(show: Fullscreen) -> None:
    show.press("o")
    expect(show.picture).to_have_attribute("src", ONE.original)
    expect(show.name).to_have_text("Original")
    assert show.colour() == WHITE
    show.press("o")
    expect(show.picture).to_have_attribute("src", ONE.picture)
    show.page.keyboard.down("o")
    expect(show.picture).to_have_attribute("src", ONE.original)
    show.page.wait_for_timeout(450)
    show.page.keyboard.up("o")
    expect(show.picture).to_have_attribute("src", ONE.picture)
    show.press("o")
    show.press("ArrowRight")
    expect(show.picture).to_have_attribute("src", TWO.picture)


def test_without_an_original_that_is_said_and_the_headshot_stays(viewer: Viewer) -> None:
    viewer.draw(replace(ONE, original=""))
    show = Fullscreen(viewer)
    show.press("o")
    expect(show.spoken).to_have_text("Seed 1, 1 of 1, no original available")
    expect(show.picture).to_have_attribute("src", ONE.picture)


def test_g_shows_all_and_one_of_them_is_chosen_by_key_or_by_hand(show: Fullscreen) -> None:
    show.press("g")
    cells = show.room.locator(".all button")
    expect(cells).to_have_text(["Seed 1", "Seed 2", "Seed 3"])
    expect(show.spoken).to_have_text("All 3")
    places = boxes(*cells.all())
    assert all(box["y"] >= 0 and box["x"] >= 0 for box in places)
    assert len({box["y"] for box in places}) == 1
    expect(cells.first).to_be_focused()
    show.press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    show.press("Enter")
    expect(show.picture).to_have_attribute("src", TWO.picture)
    expect(show.room).to_be_focused()
    show.press("g")
    cells.nth(2).click()
    expect(show.picture).to_have_attribute("src", THREE.picture)
    assert show.colour() == BLUE


def test_without_labels_nobody_is_told_which_one_it_is(show: Fullscreen) -> None:
    show.press("l")
    expect(show.name).to_be_hidden()
    expect(show.spoken).to_have_text("Headshot, 1 of 3")
    expect(show.picture).to_have_attribute("alt", "Headshot 1 of 3")
    show.press("g")
    expect(show.room.locator(".all span").first).to_be_hidden()
    expect(show.room.locator(".all button").first).to_have_accessible_name("Headshot 1 of 3")
    show.press("g")
    show.press("l")
    expect(show.name).to_have_text("Seed 1")
    expect(show.picture).to_have_attribute("alt", "Headshot, Seed 1")


def test_the_hint_goes_after_three_seconds_and_the_cursor_after_two(browser: Browser, viewer_site: str) -> None:
    with viewing(browser, viewer_site) as viewer:  # of its own, for its clock stands still
        viewer.page.clock.install(time=1000)
        viewer.page.clock.pause_at(1_000_000)
        show = Fullscreen(viewer)
        hint, leave = show.room.locator(".keys"), show.dialog.locator(".leave")
        show.page.mouse.move(300, 300)
        viewer.page.clock.run_for(1900)
        expect(show.room).not_to_contain_class("idle")
        viewer.page.clock.run_for(200)
        expect(show.room).to_contain_class("idle")
        expect(show.room).to_have_css("cursor", "none")
        expect(leave).to_have_css("opacity", "0")
        expect(hint).to_have_css("opacity", "1")
        viewer.page.clock.run_for(1000)
        expect(hint).to_have_css("opacity", "0")
        show.page.mouse.move(320, 300)
        expect(show.room).not_to_contain_class("idle")
        expect(leave).to_have_css("opacity", "1")


def test_the_neighbours_are_there_before_they_are_asked_for(viewer: Viewer) -> None:
    large = [f"/blue.png?{number}" for number in range(6)]
    viewer.draw(*[replace(ONE, id=f"n{at}", original="", more={"picture": large[at]}) for at in range(6)])
    asked: list[str] = []
    viewer.page.on("request", lambda request: asked.append(request.url))
    show = Fullscreen(viewer)
    expect(show.picture).to_have_attribute("src", large[0])
    viewer.page.wait_for_function("performance.getEntriesByName(new URL('/blue.png?5', location)).length")
    assert sorted(url[-1] for url in asked) == ["0", "1", "5"]
    show.press("ArrowRight")
    expect(show.picture).to_have_attribute("src", large[1])
    viewer.page.wait_for_function("performance.getEntriesByName(new URL('/blue.png?2', location)).length")
    assert sorted(url[-1] for url in asked) == ["0", "1", "2", "5"]


def test_a_click_goes_on_and_a_mouse_that_is_held_sees_the_original(show: Fullscreen) -> None:
    show.page.mouse.click(500, 300)
    expect(show.picture).to_have_attribute("src", TWO.picture)
    show.page.mouse.down()
    expect(show.picture).to_have_attribute("src", TWO.original)
    show.page.mouse.up()
    expect(show.picture).to_have_attribute("src", TWO.picture)


def test_a_finger_swipes_taps_and_leaves_downwards(phone: Viewer) -> None:
    show = Fullscreen(phone)
    show.page.touchscreen.tap(200, 400)
    expect(show.picture).to_have_attribute("src", TWO.picture)
    phone.swipe((300, 400), (120, 410))
    expect(show.picture).to_have_attribute("src", THREE.picture)
    phone.swipe((100, 400), (280, 410))
    expect(show.picture).to_have_attribute("src", TWO.picture)
    phone.swipe((200, 300), (210, 500))
    expect(show.dialog).to_be_hidden()


def test_it_follows_what_is_done_and_what_is_deleted(show: Fullscreen) -> None:
    show.press("ArrowRight")
    show.viewer.draw(ONE, TWO, THREE, replace(THREE, id="d4"))
    expect(show.spoken).to_have_text("Seed 2, 2 of 4")
    show.viewer.draw(THREE)
    expect(show.name).to_have_text("Seed 3")
    show.viewer.draw()
    expect(show.dialog).to_be_hidden()


def test_a_picture_that_was_deleted_gets_its_sentence(viewer: Viewer) -> None:
    viewer.draw(replace(ONE, picture="/gone.png"), TWO)
    show = Fullscreen(viewer)
    expect(show.room.locator(".one")).to_have_text(
        "This picture is no longer here: pictures are deleted after a while."
    )
    show.press("ArrowRight")
    assert show.picture.get_attribute("src") == TWO.picture
    assert show.colour() == GREEN
    assert all("404" in complaint for complaint in viewer.complaints)
    viewer.complaints.clear()


def test_a_run_of_the_history_is_shown_by_its_own_button(viewer: Viewer) -> None:
    viewer.fill_history(replace(THREE, id="d4", label="Old"), replace(TWO, id="e5"))
    viewer.page.get_by_role("button", name="Full screen: Navy").click()
    expect(viewer.page.locator(".fullscreen .aloud")).to_have_text("Old, 1 of 2")


# Nobody is left out


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, PHONE])
def test_axe_finds_nothing_serious_in_any_state(
    browser: Browser, viewer_site: str, scheme: str, size: dict[str, int]
) -> None:
    with viewing(browser, viewer_site, viewport=size, reduced_motion="reduce") as viewer:
        viewer.page.evaluate("scheme => document.documentElement.className = scheme", scheme)
        four = [replace(ONE, id=f"n{at}", seed=at, label=f"Seed {at}", prompt=f"a wall {at}") for at in range(4)]
        face = (96.0, 80.0, 64.0, 80.0)
        four = [replace(card, face=face, likeness=0.7 + at / 50) for at, card in enumerate(four)]
        viewer.draw(*four)
        _button(viewer, "Sort by likeness").click()
        viewer.pick(*four)
        assert viewer.serious() == []
        viewer.compare()
        viewer.button("Zoom to face").click()
        assert viewer.serious() == []
        for view in ("Slider", "Side by side", "Flip"):
            viewer.page.keyboard.press("Escape")
            viewer.compare(*four[:2])
            viewer.button(view).click()
            viewer.button("Zoom in").click()
            assert viewer.serious() == [], view
        viewer.page.keyboard.press("Escape")
        viewer.open(four[0])
        assert viewer.serious() == []
        viewer.page.keyboard.press("Escape")
        show = Fullscreen(viewer)
        expect(show.picture).to_be_visible()
        assert viewer.serious() == []
        show.press("g")
        assert viewer.serious() == []
        overflow = "document.documentElement.scrollWidth - innerWidth"
        assert viewer.page.evaluate(overflow) <= 0


@pytest.mark.parametrize(("wish", "fades"), [("no-preference", "0.5s"), ("reduce", "0s")])
def test_nothing_fades_for_whoever_asked_for_that(browser: Browser, viewer_site: str, wish: Any, fades: str) -> None:
    with viewing(browser, viewer_site, reduced_motion=wish) as viewer:
        show = Fullscreen(viewer)
        expect(show.room.locator(".keys")).to_have_css("transition-duration", fades)
