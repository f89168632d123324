"""The viewer: one headshot large, its files and its details."""

from dataclasses import replace

import pytest
from page import downloaded
from playwright.sync_api import Browser, expect
from settled import boxes
from viewing import BLUE, EXCHANGE, ONE, TABS, THREE, TWO, Viewer, plain, viewing

pytestmark = pytest.mark.browser
FILES = {"jpeg": "/a.jpg", "webp": "/a.webp", "clean": "/green.png?clean"}


# One headshot


def test_a_click_opens_the_picture_large_with_its_label_and_facts(viewer: Viewer) -> None:
    viewer.open(TWO)
    expect(viewer.dialog).to_have_accessible_name("Seed 2")
    expect(viewer.dialog.locator(".facts").first).to_have_text("0.5 s · likeness 0.92")
    expect(viewer.dialog.locator(".count")).to_have_text("2 of 3")
    picture = viewer.dialog.get_by_role("img", name="Headshot, Seed 2")
    expect(picture).to_have_js_property("complete", True)
    box, small = boxes(picture, viewer.card(TWO).locator("img"))
    assert box["height"] > 2 * small["height"]
    assert box["width"] / box["height"] == pytest.approx(0.8, abs=0.01)
    expect(viewer.range).to_be_hidden()


def test_a_click_with_ctrl_is_the_browsers(viewer: Viewer) -> None:
    with viewer.page.context.expect_page() as opening:
        viewer.card(ONE).locator("a.frame").click(modifiers=["Control"])
    opening.value.wait_for_url("**/red.png")
    expect(viewer.dialog).to_be_hidden()


def test_buttons_and_arrow_keys_walk_round_through_the_headshots(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.title).to_have_text("Seed 3")
    expect(viewer.dialog.locator(".left img")).to_have_attribute("src", THREE.picture)
    expect(viewer.dialog.locator("p.aloud")).to_have_text("Seed 3, 3 of 3")
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.title).to_have_text("Seed 1")
    viewer.page.keyboard.press("ArrowLeft")
    expect(viewer.title).to_have_text("Seed 3")
    viewer.button("Previous headshot").click()
    expect(viewer.title).to_have_text("Seed 2")
    viewer.button("Next headshot").click()
    expect(viewer.title).to_have_text("Seed 3")


def test_a_single_headshot_has_nowhere_to_walk(viewer: Viewer) -> None:
    viewer.draw(ONE)
    viewer.open(ONE)
    expect(viewer.button("Next headshot")).to_be_hidden()
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.title).to_have_text("Seed 1")


def test_focus_returns_to_where_it_was_also_on_a_renewed_page(viewer: Viewer) -> None:
    link = viewer.card(TWO).locator("a.frame")
    link.focus()
    viewer.page.keyboard.press("Enter")
    expect(viewer.title).to_have_text("Seed 2")
    viewer.page.keyboard.press("ArrowRight")
    viewer.page.keyboard.press("Escape")
    expect(viewer.dialog).to_be_hidden()
    expect(link).to_be_focused()
    viewer.page.keyboard.press("Enter")
    viewer.draw(THREE, ONE, TWO)
    viewer.page.keyboard.press("Escape")
    expect(link).to_be_focused()


def test_closed_opened_and_closed_in_one_moment_it_is_closed_and_the_focus_is_back(viewer: Viewer) -> None:
    viewer.open(ONE)
    viewer.page.evaluate(
        """() => {
            const dialog = document.querySelector("dialog.viewer");
            dialog.close();
            document.querySelector("#shot-b2 a.frame").click();
            dialog.close();
        }"""
    )
    expect(viewer.dialog).to_be_hidden()
    expect(viewer.card(TWO).locator("a.frame")).to_be_focused()


def test_the_close_button_and_the_backdrop_close_but_not_the_end_of_a_drag(viewer: Viewer) -> None:
    viewer.open(ONE)
    viewer.button("Close").click()
    expect(viewer.dialog).to_be_hidden()
    viewer.open(ONE)
    x, y = viewer.at(0.5)
    viewer.page.mouse.move(x, y)
    viewer.page.mouse.down()
    viewer.page.mouse.move(4, 4)
    viewer.page.mouse.up()
    expect(viewer.dialog).to_be_visible()
    viewer.page.mouse.click(4, 4)
    expect(viewer.dialog).to_be_hidden()


def test_the_page_behind_neither_scrolls_nor_moves(viewer: Viewer) -> None:
    before = boxes(viewer.card(ONE))
    viewer.open(ONE)
    for place in (viewer.at(0.5), (4, 4)):
        viewer.page.mouse.move(*place)
        viewer.page.mouse.wheel(0, 400)
        viewer.page.wait_for_timeout(200)
    assert viewer.page.evaluate("scrollY") == 0
    assert boxes(viewer.card(ONE)) == before


def test_a_download_has_its_real_name_and_bytes(viewer: Viewer) -> None:
    viewer.open(THREE)
    with viewer.page.expect_download() as downloading:
        viewer.dialog.get_by_role("link", name="Download").click()
    assert downloading.value.suggested_filename == "headshot-studio-seed-3.png"
    assert downloaded(downloading.value) == plain(BLUE)


def test_every_form_of_the_file_that_there_is_can_be_downloaded(viewer: Viewer) -> None:
    viewer.draw(ONE, replace(TWO, more=FILES))
    viewer.open(ONE)
    expect(viewer.dialog.get_by_role("link", name="Download", exact=True)).to_be_visible()
    expect(viewer.dialog.get_by_role("link")).to_have_count(1)
    viewer.page.keyboard.press("ArrowRight")
    links = viewer.dialog.get_by_role("link")
    expect(links).to_have_text(["Download PNG", "JPEG", "WebP", "Clean copy"])
    names = [link.get_attribute("download") for link in links.all()]
    stem = "headshot-studio-seed-2"
    assert names == [f"{stem}.png", f"{stem}.jpg", f"{stem}.webp", f"{stem}-clean.png"]
    assert [link.get_attribute("href") for link in links.all()] == [TWO.picture, *FILES.values()]
    expect(links.last).to_have_accessible_description("Clean copy: no settings embedded; AI label kept.")


def test_the_seed_is_used_and_the_page_has_the_focus_again(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.button("Use this seed").click()
    assert viewer.said() == [["select", {"action": "use_seed", "id": "b2"}]]
    expect(viewer.dialog).to_be_hidden()
    expect(viewer.card(TWO).locator("a.frame")).to_be_focused()


def test_a_headshot_becomes_the_baseline_and_stops_being_it(viewer: Viewer) -> None:
    viewer.open(TWO)
    expect(viewer.dialog.locator("h2 .mark")).to_be_hidden()
    viewer.button("Pin as baseline").click()
    viewer.draw(ONE, replace(TWO, baseline=True), THREE)
    expect(viewer.dialog.locator("h2 .mark")).to_have_text("Baseline")
    again = viewer.button("Unpin")
    expect(again).to_be_focused()
    again.click()
    assert viewer.said() == [
        ["select", {"action": "baseline", "id": "b2"}],
        ["select", {"action": "no_baseline", "id": "b2"}],
    ]


def test_a_headshot_that_is_gone_closes_the_viewer(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.draw(ONE)
    expect(viewer.dialog).to_be_hidden()


# Details


def test_notes_are_grouped_and_followed_by_the_timings(viewer: Viewer) -> None:
    viewer.open(ONE)
    notes = viewer.dialog.get_by_role("tabpanel", name="Notes")
    expect(notes.locator("h3")).to_have_text(["Not applied", "Good to know", "Applied", "Time"])
    expect(notes.locator("li")).to_have_text(["glasses", "The face is small.", "loop light", "grey backdrop"])
    expect(notes.locator("dl")).to_have_text("This headshot0.5 s")


def test_tabs_are_walked_with_the_keys_and_the_headshot_stays(viewer: Viewer) -> None:
    viewer.open(ONE)
    tab = {name: viewer.dialog.get_by_role("tab", name=name) for name in TABS}
    tab["Notes"].focus()
    for key, name in (
        ("ArrowRight", "Request"),
        ("End", "JavaScript"),
        ("ArrowRight", "Notes"),
        ("ArrowLeft", "JavaScript"),
        ("ArrowLeft", "cURL"),
        ("Home", "Notes"),
        ("ArrowRight", "Request"),
    ):
        viewer.page.keyboard.press(key)
        expect(tab[name]).to_be_focused()
        expect(tab[name]).to_have_attribute("aria-selected", "true")
        expect(viewer.dialog.locator("[role=tab][aria-selected=true]")).to_have_count(1)
        expect(viewer.dialog.get_by_role("tabpanel")).to_have_count(1)
        expect(viewer.dialog.get_by_role("tabpanel", name=name)).to_be_visible()
    expect(viewer.title).to_have_text("Seed 1")
    viewer.page.keyboard.press("Tab")
    expect(viewer.button("Copy")).to_be_focused()
    viewer.page.keyboard.press("Tab")
    expect(viewer.dialog.locator("#viewer-request pre")).to_be_focused()
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.dialog.locator("#viewer-request pre")).to_contain_text('"seed": 2')


@pytest.mark.parametrize(
    ("name", "text"), [("Python", "print(2)"), ("cURL", "curl -d seed=2"), ("JavaScript", "fetch(2)")]
)
def test_copy_copies_what_is_shown_and_says_so(viewer: Viewer, name: str, text: str) -> None:
    viewer.open(TWO)
    viewer.dialog.get_by_role("tab", name=name).click()
    expect(viewer.dialog.locator("pre:visible")).to_have_text(text)
    copy = viewer.dialog.locator("[role=tabpanel]:visible button")
    copy.click()
    expect(copy).to_have_text("Copied")
    expect(viewer.dialog.locator("p.aloud")).to_have_text("Copied")
    assert viewer.page.evaluate("navigator.clipboard.readText()") == text
    expect(copy).to_have_text("Copy")


def test_what_passed_between_us_and_a_service_stands_under_the_request(viewer: Viewer) -> None:
    viewer.draw(ONE, replace(TWO, more=EXCHANGE))
    viewer.open(TWO)
    viewer.dialog.get_by_role("tab", name="Request").click()
    panel = viewer.dialog.get_by_role("tabpanel")
    expect(panel.locator("pre").first).to_contain_text('"seed": 2')
    expect(panel.locator("h3")).to_have_text(["Timeline", "Request sent", "Response"])
    expect(panel.locator(".timeline li")).to_have_text(
        [time + what + text for time, what, text in EXCHANGE["timeline"]]
    )
    expect(panel.locator(".timeline p")).to_have_count(3)
    for name, key in (("Request sent", "sent"), ("Response", "reply")):
        part = panel.locator("section").filter(has=viewer.page.get_by_role("heading", name=name))
        expect(panel.get_by_role("region", name=name)).to_have_text(EXCHANGE[key])
        copy = part.get_by_role("button")
        expect(copy).to_have_accessible_description(name)
        copy.click()
        expect(copy).to_have_text("Copied")
        assert viewer.page.evaluate("navigator.clipboard.readText()") == EXCHANGE[key]
    expect(panel.locator("pre b")).to_have_count(0)


@pytest.mark.parametrize("part", ["timeline", "sent", "reply"])
def test_of_a_part_that_is_not_known_no_trace_is_left(viewer: Viewer, part: str) -> None:
    rest = {name: value for name, value in EXCHANGE.items() if name != part}
    viewer.draw(ONE, replace(TWO, more=EXCHANGE), replace(THREE, more=rest))
    viewer.open(TWO)
    viewer.dialog.get_by_role("tab", name="Request").click()
    sections = viewer.dialog.locator("#viewer-request section")
    expect(sections).to_have_count(3)
    viewer.button("Next headshot").click()
    expect(viewer.title).to_have_text("Seed 3")
    expect(sections).to_have_count(2)
    viewer.button("Next headshot").click()
    expect(viewer.title).to_have_text("Seed 1")
    expect(sections).to_have_count(0)
    expect(viewer.dialog.locator("#viewer-request pre")).to_have_count(1)


def test_a_text_that_is_being_selected_outlives_a_renewed_page(viewer: Viewer) -> None:
    two = replace(TWO, more=EXCHANGE)
    viewer.draw(ONE, two)
    viewer.open(two)
    viewer.dialog.get_by_role("tab", name="Request").click()
    for pre in viewer.dialog.locator("#viewer-request pre").all():
        pre.evaluate("part => getSelection().selectAllChildren(part)")
        text = viewer.page.evaluate("String(getSelection())")
        viewer.draw(ONE, two, THREE)
        assert text.startswith("{")
        assert viewer.page.evaluate("String(getSelection())") == text


@pytest.mark.parametrize("width", [360, 390, 760, 1024, 1440])
def test_the_tabs_stand_in_one_row(browser: Browser, viewer_site: str, width: int) -> None:
    with viewing(browser, viewer_site, viewport={"width": width, "height": 844}, reduced_motion="reduce") as viewer:
        viewer.open(ONE)
        tabs = (viewer.dialog.get_by_role("tab", name=name) for name in TABS)
        panel, *places = boxes(viewer.dialog.locator(".panel"), *tabs)
        assert len({box["y"] for box in places}) == 1
        assert max(box["x"] + box["width"] for box in places) <= panel["x"] + panel["width"] - 16


def test_where_there_is_no_clipboard_the_text_is_selected(browser: Browser, viewer_site: str) -> None:
    with viewing(browser, viewer_site.replace("127.0.0.1", "0.0.0.0")) as viewer:  # noqa: S104  loopback that is not trusted
        assert viewer.page.evaluate("navigator.clipboard") is None
        viewer.open(TWO)
        viewer.dialog.get_by_role("tab", name="Python").click()
        copy = viewer.dialog.locator("[role=tabpanel]:visible button")
        copy.click()
        expect(copy).to_have_text("Selected: copy it now")
        assert viewer.page.evaluate("String(getSelection())") == "print(2)"
