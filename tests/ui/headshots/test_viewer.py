"""The viewer: one headshot large with its details, and two to four against each other."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from page import downloaded
from playwright.sync_api import Browser, BrowserContext, Locator, Route, expect
from settled import boxes
from viewing import BLUE, GREEN, ONE, PHONE, RED, THREE, TWO, WHITE, Viewer, plain, serving, viewing, visiting, window

pytestmark = pytest.mark.browser
TABS = ("Notes", "Request", "Python", "cURL", "JavaScript")
EXCHANGE = {
    "timeline": [
        ["14:03:07", "Sent", ""],
        ["14:03:07", "Queued", "ModelsLab has given it the number 66752945, and expects it in 13 seconds."],
        ["14:03:20", "Asked", "It is still working."],
        ["14:03:23", "Done", ""],
        ["14:03:24", "Downloaded", "1.2 MB, PNG, 1024 × 1280"],
    ],
    "sent": json.dumps(
        {"key": "•••", "face_image": "data:image/jpeg;base64,/9j/4AAQ…", "prompt": "<b>navy</b>"}, indent=2
    ),
    "reply": json.dumps({"status": "success", "id": 66752945, "output": ["https://pub.example/0-a.png"]}, indent=2),
}
FILES = {"jpeg": "/a.jpg", "webp": "/a.webp", "clean": "/green.png?clean"}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def job_service(browser: Browser) -> Iterator[BrowserContext]:
    with window(browser, permissions=["clipboard-read", "clipboard-write"]) as context:
        yield context


@pytest.fixture
def viewer(job_service: BrowserContext, site: str) -> Iterator[Viewer]:
    with visiting(job_service, site) as viewer:
        yield viewer


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
    viewer.renew(ONE)
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
    viewer.renew(THREE, ONE, TWO)
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
    viewer.renew(ONE, replace(TWO, more=FILES))
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
    expect(links.last).to_have_accessible_description(
        "The clean copy is without the recipe; the mark that says AI made it stays."
    )


def test_the_seed_is_used_and_the_page_has_the_focus_again(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.button("Use this seed").click()
    assert viewer.said() == [["select", {"action": "use_seed", "id": "b2"}]]
    expect(viewer.dialog).to_be_hidden()
    expect(viewer.card(TWO).locator("a.frame")).to_be_focused()


def test_a_headshot_becomes_the_baseline_and_stops_being_it(viewer: Viewer) -> None:
    viewer.open(TWO)
    expect(viewer.dialog.locator("h2 .mark")).to_be_hidden()
    viewer.button("Make it the baseline").click()
    viewer.renew(ONE, replace(TWO, baseline=True), THREE)
    expect(viewer.dialog.locator("h2 .mark")).to_have_text("Baseline")
    again = viewer.button("No longer the baseline")
    expect(again).to_be_focused()
    again.click()
    assert viewer.said() == [
        ["select", {"action": "baseline", "id": "b2"}],
        ["select", {"action": "no_baseline", "id": "b2"}],
    ]


def test_a_headshot_that_is_gone_closes_the_viewer(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.renew(ONE)
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
    viewer.renew(ONE, replace(TWO, more=EXCHANGE))
    viewer.open(TWO)
    viewer.dialog.get_by_role("tab", name="Request").click()
    panel = viewer.dialog.get_by_role("tabpanel")
    expect(panel.locator("pre").first).to_contain_text('"seed": 2')
    expect(panel.locator("h3")).to_have_text(["What happened", "As it was sent", "The reply"])
    expect(panel.locator(".timeline li")).to_have_text(
        [time + what + text for time, what, text in EXCHANGE["timeline"]]
    )
    expect(panel.locator(".timeline p")).to_have_count(3)
    for name, key in (("As it was sent", "sent"), ("The reply", "reply")):
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
    viewer.renew(ONE, replace(TWO, more=EXCHANGE), replace(THREE, more=rest))
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
    viewer.renew(ONE, two)
    viewer.open(two)
    viewer.dialog.get_by_role("tab", name="Request").click()
    for pre in viewer.dialog.locator("#viewer-request pre").all():
        pre.evaluate("part => getSelection().selectAllChildren(part)")
        text = viewer.page.evaluate("String(getSelection())")
        viewer.renew(ONE, two, THREE)
        assert text.startswith("{")
        assert viewer.page.evaluate("String(getSelection())") == text


@pytest.mark.parametrize("width", [360, 390, 760, 1024, 1440])
def test_the_tabs_stand_in_one_row(browser: Browser, site: str, width: int) -> None:
    with viewing(browser, site, viewport={"width": width, "height": 844}, reduced_motion="reduce") as viewer:
        viewer.open(ONE)
        tabs = (viewer.dialog.get_by_role("tab", name=name) for name in TABS)
        panel, *places = boxes(viewer.dialog.locator(".panel"), *tabs)
        assert len({box["y"] for box in places}) == 1
        assert max(box["x"] + box["width"] for box in places) <= panel["x"] + panel["width"] - 16


def test_where_there_is_no_clipboard_the_text_is_selected(browser: Browser, site: str) -> None:
    with viewing(browser, site.replace("127.0.0.1", "0.0.0.0")) as viewer:  # noqa: S104  loopback that is not trusted
        assert viewer.page.evaluate("navigator.clipboard") is None
        viewer.open(TWO)
        viewer.dialog.get_by_role("tab", name="Python").click()
        copy = viewer.dialog.locator("[role=tabpanel]:visible button")
        copy.click()
        expect(copy).to_have_text("Selected: copy it now")
        assert viewer.page.evaluate("String(getSelection())") == "print(2)"


# Picking


def test_one_pick_shows_the_bar_and_compares_with_the_original(viewer: Viewer) -> None:
    expect(viewer.bar).to_be_hidden()
    viewer.pick(TWO)
    expect(viewer.card(TWO).locator(".pick")).to_have_attribute("aria-pressed", "true")
    expect(viewer.bar.locator("p")).to_have_text("Seed 2 picked. Pick up to three more, or")
    expect(viewer.bar.get_by_role("button")).to_have_text(["Compare with the original", "Clear"])
    viewer.bar.get_by_role("button", name="Compare with the original").click()
    expect(viewer.title).to_have_text("Original and Seed 2")
    expect(viewer.bar).to_be_hidden()
    viewer.compared()
    viewer.shows(WHITE, GREEN, line=0.5)
    expect(viewer.dialog.locator(".left img")).to_have_attribute("src", TWO.original)
    viewer.page.keyboard.press("Escape")
    expect(viewer.card(TWO).locator(".pick")).to_be_focused()
    expect(viewer.card(TWO).locator(".pick")).to_have_attribute("aria-pressed", "false")
    expect(viewer.bar).to_be_hidden()


def test_a_pick_is_taken_back_by_a_second_click_or_clear(viewer: Viewer) -> None:
    viewer.pick(ONE, ONE)
    expect(viewer.bar).to_be_hidden()
    viewer.pick(ONE)
    viewer.bar.get_by_role("button", name="Clear").click()
    expect(viewer.bar).to_be_hidden()
    expect(viewer.card(ONE).locator(".pick")).to_be_focused()
    viewer.pick(TWO)
    expect(viewer.bar.locator("p")).to_have_text("Seed 2 picked. Pick up to three more, or")


def test_looking_at_one_between_two_picks_leaves_what_is_picked(viewer: Viewer) -> None:
    viewer.pick(ONE)
    viewer.open(TWO)
    viewer.button("Compare with the original").click()
    viewer.page.keyboard.press("Escape")
    viewer.compare(THREE)
    expect(viewer.title).to_have_text("Seed 1 and Seed 3")


def test_four_are_picked_and_a_fifth_is_refused_with_a_sentence(viewer: Viewer) -> None:
    five = [replace(ONE, id=f"n{number}", label=f"Number {number}") for number in range(5)]
    viewer.renew(*five)
    viewer.pick(*five)
    expect(viewer.card(five[4]).locator(".pick")).to_have_attribute("aria-pressed", "false")
    expect(viewer.bar.locator("p")).to_have_text("Four at most: take one back first")
    viewer.pick(five[0], five[4])
    expect(viewer.bar.locator("p")).to_have_text("4 picked")
    viewer.bar.get_by_role("button", name="Compare").click()
    expect(viewer.title).to_have_text("Number 1, Number 2, Number 3 and Number 4")


def test_headshots_of_different_runs_are_picked_together_and_told_apart(viewer: Viewer) -> None:
    same = replace(THREE, id="d4", label="Seed 1")
    viewer.fill_history(same, replace(TWO, id="e5"))
    viewer.compare(ONE, same)
    expect(viewer.title).to_have_text("Seed 1 and Seed 1, Navy")
    expect(viewer.select("Left picture").locator("option")).to_have_text(
        ["Original", "Seed 1", "Seed 2", "Seed 3", "Seed 1, Navy", "Seed 2, Navy"]
    )
    viewer.shows(RED, BLUE, line=0.5)
    viewer.page.keyboard.press("Escape")
    expect(viewer.card(same).locator(".pick")).to_be_focused()


def test_what_is_picked_in_the_history_stays_when_its_page_is_turned(viewer: Viewer) -> None:
    old = replace(THREE, id="d4")
    viewer.fill_history(old)
    viewer.pick(old)
    viewer.fill_history(replace(TWO, id="e5"))
    expect(viewer.bar.locator("p")).to_have_text("Seed 3 picked. Pick up to three more, or")
    viewer.compare(ONE)
    viewer.shows(BLUE, RED, line=0.5)
    viewer.page.keyboard.press("Escape")
    viewer.fill_history(old)
    expect(viewer.card(old).locator(".pick")).to_have_attribute("aria-pressed", "false")
    viewer.pick(old)
    viewer.page.evaluate("document.querySelector('#history').innerHTML = ''")
    viewer.renew()
    expect(viewer.bar).to_be_hidden()


def test_the_bar_stands_in_the_middle_where_the_form_is_not(browser: Browser, site: str) -> None:
    with viewing(browser, site, viewport={"width": 1440, "height": 900}, reduced_motion="reduce") as viewer:
        middles = []
        for display in ("block", "none"):
            viewer.page.evaluate(f"document.querySelector('#shots').style.display = '{display}'")
            old = replace(THREE, id=display)
            viewer.fill_history(old)
            viewer.pick(old)
            (box,) = boxes(viewer.bar)
            middles.append(round(box["x"] + box["width"] / 2))
        assert middles == [720 + 234, 720]


def test_a_history_that_is_renewed_shows_what_is_picked(viewer: Viewer) -> None:
    old = replace(THREE, id="d4")
    viewer.fill_history(old)
    viewer.pick(old)
    viewer.fill_history(old, replace(TWO, id="e5"))
    expect(viewer.card(old).locator(".pick")).to_have_attribute("aria-pressed", "true")


def test_the_arrows_stay_where_the_shown_headshot_stands(viewer: Viewer) -> None:
    old = replace(THREE, id="d4", label="Old")
    viewer.fill_history(old, replace(TWO, id="e5", label="Older"))
    viewer.open(old)
    expect(viewer.dialog.locator(".count")).to_have_text("1 of 2")
    expect(viewer.button("Use this seed")).to_be_hidden()
    viewer.page.keyboard.press("ArrowLeft")
    expect(viewer.title).to_have_text("Older")
    viewer.page.keyboard.press("Escape")
    expect(viewer.card(old).locator("a.frame")).to_be_focused()
    viewer.open(THREE)
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.title).to_have_text("Seed 1")


def test_two_picks_are_compared_under_the_slider_with_the_older_one_on_the_left(viewer: Viewer) -> None:
    viewer.pick(THREE, ONE)
    expect(viewer.dialog).to_be_hidden()
    expect(viewer.bar.locator("p")).to_have_text("2 picked")
    expect(viewer.bar.get_by_role("button")).to_have_text(["Compare", "Clear"])
    expect(viewer.bar.locator("img")).to_have_count(2)
    viewer.bar.get_by_role("button", name="Compare").click()
    expect(viewer.title).to_have_text("Seed 3 and Seed 1")
    expect(viewer.range).to_be_focused()
    viewer.compared()
    viewer.shows(BLUE, RED, line=0.5)
    expect(viewer.dialog.locator(".left b")).to_have_text("Seed 3")
    expect(viewer.dialog.locator(".right b")).to_have_text("Seed 1")
    viewer.page.keyboard.press("Escape")
    expect(viewer.page.locator(".pick[aria-pressed=true]")).to_have_count(0)
    expect(viewer.card(ONE).locator(".pick")).to_be_focused()


def test_a_pick_is_compared_with_the_baseline_if_it_is_another(viewer: Viewer) -> None:
    viewer.renew(replace(ONE, baseline=True), TWO, THREE)
    against = viewer.bar.get_by_role("button", name="Compare with the baseline")
    viewer.pick(ONE)
    expect(viewer.bar).to_be_visible()
    expect(against).to_be_hidden()
    viewer.pick(ONE, TWO)
    against.click()
    expect(viewer.title).to_have_text("Seed 1 and Seed 2")
    expect(viewer.select("Left picture").locator("option")).to_have_text(
        ["Original", "Seed 1 (baseline)", "Seed 2", "Seed 3"]
    )


def test_picks_survive_a_renewed_page_and_vanish_with_their_card(viewer: Viewer) -> None:
    viewer.renew(ONE, TWO)
    viewer.pick(TWO)
    viewer.renew(ONE, TWO, THREE)
    expect(viewer.card(TWO).locator(".pick")).to_have_attribute("aria-pressed", "true")
    expect(viewer.bar).to_be_visible()
    viewer.pick(THREE)
    expect(viewer.bar.locator("p")).to_have_text("2 picked")
    viewer.renew(ONE, THREE)
    expect(viewer.bar.locator("p")).to_have_text("Seed 3 picked. Pick up to three more, or")
    viewer.renew(ONE)
    expect(viewer.bar).to_be_hidden()


def test_mounted_again_there_is_still_one_viewer(viewer: Viewer) -> None:
    viewer.page.evaluate("element.replaceWith(element.cloneNode(true))")
    viewer.page.evaluate("mount()")
    for part in (viewer.dialog, viewer.bar, viewer.tools, viewer.page.locator(".showcase")):
        expect(part).to_have_count(1)
    viewer.pick(ONE)  # heard twice it would be taken back at once
    expect(viewer.bar.locator("p")).to_have_text("Seed 1 picked. Pick up to three more, or")
    viewer.compare(TWO)
    expect(viewer.title).to_have_text("Seed 1 and Seed 2")


# The slider


def test_the_line_follows_the_mouse(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    viewer.page.mouse.click(*viewer.at(0.2))
    expect(viewer.range).to_have_js_property("value", "20")
    viewer.shows(RED, GREEN, line=0.2)
    viewer.page.mouse.move(*viewer.at(0.2))
    viewer.page.mouse.down()
    viewer.page.mouse.move(*viewer.at(0.5))
    viewer.page.mouse.move(*viewer.at(0.8))
    viewer.page.mouse.up()
    expect(viewer.range).to_have_js_property("value", "80")
    viewer.shows(RED, GREEN, line=0.8)


def test_the_line_reaches_both_edges(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    for share, line in ((-0.2, 0), (1.2, 1)):
        viewer.page.mouse.move(*viewer.at(0.5))
        viewer.page.mouse.down()
        viewer.page.mouse.move(*viewer.at(share))
        viewer.page.mouse.up()
        viewer.shows(RED, GREEN, line=line)
        expect(viewer.dialog).to_be_visible()
        viewer.page.mouse.click(*viewer.at(0.5))


def test_the_line_follows_the_keys_and_says_where_it_is(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    expect(viewer.range).to_have_attribute("aria-valuetext", "50 % Seed 1, 50 % Seed 2")
    for key, value in (
        ("ArrowRight", "50.5"),
        ("ArrowLeft", "50"),
        ("PageUp", "60"),
        ("End", "100"),
        ("PageDown", "90"),
        ("Home", "0"),
        ("Space", "100"),
        ("Space", "0"),
        ("PageUp", "10"),
    ):
        viewer.page.keyboard.press(key)
        expect(viewer.range).to_have_js_property("value", value)
        viewer.shows(RED, GREEN, line=float(value) / 100)
    expect(viewer.range).to_have_attribute("aria-valuetext", "10 % Seed 1, 90 % Seed 2")
    expect(viewer.title).to_have_text("Seed 1 and Seed 2")


@pytest.fixture(scope="module")
def hand(browser: Browser) -> Iterator[BrowserContext]:
    with window(browser, viewport=PHONE, has_touch=True, is_mobile=True) as context:
        yield context


@pytest.fixture
def phone(hand: BrowserContext, site: str) -> Iterator[Viewer]:
    with visiting(hand, site) as viewer:
        yield viewer


def test_the_line_follows_a_finger(phone: Viewer) -> None:
    phone.compare(ONE, TWO)
    phone.swipe(phone.at(0.5), phone.at(0.25))
    expect(phone.range).to_have_js_property("value", "25")
    phone.shows(RED, GREEN, line=0.25)
    x, y = phone.at(0.75)
    phone.page.touchscreen.tap(x, y)
    expect(phone.range).to_have_js_property("value", "75")
    phone.shows(RED, GREEN, line=0.75)


def test_a_finger_that_goes_up_scrolls_and_leaves_the_line(phone: Viewer) -> None:
    phone.renew(ONE, replace(THREE, prompt="a very long wish " * 60))
    phone.compare(ONE, THREE)
    x, y = phone.at(0.7)
    phone.swipe((x, y), (x + 4, y - 200))
    phone.page.wait_for_function("document.querySelector('.viewer').scrollTop > 50")
    expect(phone.range).to_have_js_property("value", "50")


def test_pictures_are_chosen_and_swapped_and_never_compared_with_themselves(viewer: Viewer) -> None:
    viewer.compare(ONE, TWO)
    left, right = viewer.select("Left picture"), viewer.select("Right picture")
    expect(left.locator("option")).to_have_text(["Original", "Seed 1", "Seed 2", "Seed 3"])
    right.select_option("Seed 3")
    expect(viewer.title).to_have_text("Seed 1 and Seed 3")
    viewer.compared()
    viewer.shows(RED, BLUE, line=0.5)
    viewer.button("Swap left and right").click()
    expect(viewer.title).to_have_text("Seed 3 and Seed 1")
    viewer.compared()
    viewer.shows(BLUE, RED, line=0.5)
    right.select_option("Original")
    expect(viewer.title).to_have_text("Seed 3 and Original")
    expect(viewer.dialog.locator(".right img")).to_have_attribute("src", THREE.original)
    left.select_option("Original")
    expect(viewer.title).to_have_text("Original and Seed 3")
    right.select_option("Seed 2")
    expect(viewer.dialog.locator(".left img")).to_have_attribute("src", TWO.original)
    left.select_option("Seed 2")
    expect(viewer.title).to_have_text("Seed 2 and Original")
    assert [viewer.select(f"{side} picture").evaluate("list => list.value") for side in ("Left", "Right")] == [
        "shots/b2",
        "",
    ]


def _table(viewer: Viewer) -> list[list[str]]:
    rows = viewer.dialog.locator(".differences tr").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows[:-1]]


def test_only_what_differs_is_listed_and_the_likeness_and_the_time_of_each(viewer: Viewer) -> None:
    viewer.compare(ONE, THREE)
    assert _table(viewer) == [
        ["", "Seed 1", "Seed 3"],
        ["Guidance", "7.5", "12"],
        ["Seed", "1", "3"],
        ["Likeness", "0.81", "unknown"],
        ["Time", "0.5 s", "0.5 s"],
    ]
    differences = viewer.dialog.locator(".differences")
    expect(differences.locator("h3")).to_have_text(["Prompt", "Negative prompt"])
    expect(differences.locator("dd")).to_have_text(["light grey backdrop", "navy backdrop", "none", "hat"])


def test_two_of_one_request_that_came_from_something_else_are_told_apart(viewer: Viewer) -> None:
    studio = {"backend": "Studio", "photo": "1a2b3c", "face": 1}
    local = {"backend": "Local pipeline", "model": "<b>one</b>@9f8e7d6", "photo": "9f8e7d", "face": 2}
    first, other, alike, unknown = (
        replace(ONE, id=f"o{at}", likeness=None, more={"origin": origin} if origin else {})
        for at, origin in enumerate((studio, local, studio, None))
    )
    other = replace(other, size=(512, 640))
    viewer.renew(first, other, alike, unknown)
    nothing = viewer.dialog.get_by_text("Nothing sets them apart")
    viewer.compare(first, other)
    expect(nothing).to_have_count(0)
    assert _table(viewer)[1:-1] == [
        ["Backend", "Studio", "Local pipeline"],
        ["Photo’s mark", "1a2b3c", "9f8e7d"],
        ["Face", "1", "2"],
        ["Size", "256 × 320", "512 × 640"],
    ]
    viewer.page.keyboard.press("Escape")
    for same in (alike, unknown):  # of what nobody knows nothing is claimed
        viewer.compare(first, same)
        expect(nothing).to_be_visible()
        assert len(_table(viewer)) == 2
        viewer.page.keyboard.press("Escape")
    viewer.compare(first, other, unknown)
    assert _table(viewer)[1] == ["Backend", "Studio", "Local pipeline", "unknown"]
    viewer.page.keyboard.press("Escape")
    another = replace(first, id="m", more={"origin": {**local, "model": "one@1a2b3c4"}})
    viewer.renew(first, other, another)
    viewer.compare(first, other, another)
    assert _table(viewer)[2] == ["Model", "none", "<b>one</b>@9f8e7d6", "one@1a2b3c4"]


def test_in_the_prompts_those_words_are_marked_that_not_all_have(viewer: Viewer) -> None:
    prompts = ("a calm woman, grey wall, soft light", "a calm man,  grey wall,\nhard side light", "a calm man, wall")
    cards = [replace(ONE, id=f"n{at}", seed=at, prompt=prompt) for at, prompt in enumerate(prompts)]
    viewer.renew(*cards)
    viewer.compare(*cards[:2])
    told = viewer.dialog.locator(".differences dd")
    assert [each.locator("mark").all_inner_texts() for each in told.all()] == [["woman", "soft"], ["man", "hard side"]]
    viewer.page.keyboard.press("Escape")
    viewer.compare(*cards)
    marks = [each.locator("mark").all_inner_texts() for each in told.all()]
    assert marks == [["woman", "grey", ", soft light"], ["man", "grey", ",\nhard side light"], ["man"]]
    assert [each.inner_text().split() for each in told.all()] == [prompt.split() for prompt in prompts]


def test_prompts_that_share_no_word_are_left_unmarked(viewer: Viewer) -> None:
    cards = (replace(ONE, prompt="grey, wall"), replace(TWO, prompt="дом, лес"))
    viewer.renew(*cards)
    viewer.compare(*cards)
    expect(viewer.dialog.locator(".differences dd")).to_have_text(["grey, wall", "дом, лес"])
    expect(viewer.dialog.locator(".differences mark")).to_have_count(0)


def test_the_likeness_stands_under_each_and_what_it_means_below(viewer: Viewer) -> None:
    means = "Likeness to your photo. Two photos of one person reach about 0.70–0.77, different people at most 0.29"
    legend = viewer.dialog.locator(".legend")
    viewer.compare(TWO, THREE)
    expect(viewer.pair.locator(".left p")).to_have_text("Seed 2likeness 0.92")
    expect(viewer.pair.locator(".right p")).to_have_text("Seed 3")
    expect(legend).to_have_text(f"{means}.")
    viewer.page.keyboard.press("Escape")
    own = '<p id="calibration" data-own="0.738"></p>'
    viewer.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", own)
    viewer.compare(TWO, THREE)
    expect(legend).to_have_text(f"{means}; your own two photos: 0.74.")


def test_two_of_the_same_request_say_that_nothing_differs(viewer: Viewer) -> None:
    viewer.renew(ONE, replace(ONE, id="again"))
    viewer.compare(ONE, replace(ONE, id="again"))
    expect(viewer.title).to_have_text("Seed 1 (1) and Seed 1 (2)")
    expect(viewer.dialog.locator(".differences")).to_contain_text("both come from the same request")


def test_against_the_original_stands_what_was_applied(viewer: Viewer) -> None:
    viewer.open(TWO)
    viewer.button("Compare with the original").click()
    expect(viewer.range).to_be_focused()
    expect(viewer.dialog.locator(".differences li")).to_have_text(["loop light", "grey backdrop"])
    expect(viewer.dialog.locator(".opens button")).to_have_count(1)


def test_the_better_one_is_opened_from_the_slider_and_kept(viewer: Viewer) -> None:
    viewer.compare(ONE, THREE)
    viewer.button("Open Seed 3").click()
    expect(viewer.title).to_have_text("Seed 3")
    expect(viewer.range).to_be_hidden()
    viewer.button("Make it the baseline").click()
    assert viewer.said() == [["select", {"action": "baseline", "id": "c3"}]]
    viewer.page.keyboard.press("Escape")
    expect(viewer.card(THREE).locator(".pick")).to_be_focused()
    expect(viewer.page.locator(".pick[aria-pressed=true]")).to_have_count(0)


def test_a_page_that_is_renewed_leaves_the_slider_as_it_is(viewer: Viewer) -> None:
    viewer.renew(ONE, TWO)
    viewer.compare(ONE, TWO)
    viewer.page.keyboard.press("End")
    watching = "part => { flashes = 0; new MutationObserver(() => flashes++).observe(part, {attributes: true}); }"
    viewer.dialog.locator(".stage").evaluate(watching)
    viewer.renew(ONE, TWO, THREE)
    expect(viewer.range).to_have_js_property("value", "100")
    expect(viewer.range).to_be_focused()
    expect(viewer.select("Left picture").locator("option")).to_have_count(4)
    assert viewer.page.evaluate("flashes") == 0


def test_nothing_is_shown_before_both_pictures_are_there(viewer: Viewer) -> None:
    held: list[Route] = []
    viewer.page.route("**/white.png*", lambda route: held.append(route))
    viewer.pick(TWO)
    viewer.bar.get_by_role("button", name="Compare with the original").click()
    expect(viewer.dialog.locator(".state")).to_have_text("Loading both pictures…")
    expect(viewer.dialog.locator(".right img")).to_be_hidden()
    held[0].continue_()
    expect(viewer.dialog.locator(".right img")).to_be_visible()
    expect(viewer.dialog.locator(".state")).to_be_hidden()


@pytest.mark.parametrize("compare", [False, True])
def test_a_picture_that_was_deleted_gets_its_sentence_and_the_others_still_show(viewer: Viewer, compare: bool) -> None:
    sentence = "This picture is no longer here: pictures are deleted after a while."
    gone = replace(TWO, picture="/gone.png")
    viewer.renew(ONE, gone, THREE)
    if compare:
        viewer.pick(ONE, gone)
        viewer.bar.get_by_role("button", name="Compare").click()
    else:
        viewer.open(gone)
    expect(viewer.dialog.locator(".state")).to_have_text(sentence)
    expect(viewer.dialog.locator(".pair img").first).to_be_hidden()
    if compare:
        viewer.select("Right picture").select_option("Seed 3")
    else:
        viewer.page.keyboard.press("ArrowRight")
    expect(viewer.dialog.locator(".left img")).to_be_visible()
    expect(viewer.dialog.locator(".state")).to_be_hidden()
    assert all("404" in complaint for complaint in viewer.complaints)
    viewer.complaints.clear()


# All of it


def test_a_hostile_label_stays_text(viewer: Viewer) -> None:
    attack = "<img src=x onerror=alert(1)><b>Seed</b>"
    hostile = replace(TWO, label=attack, prompt=f"{attack}</script>", id="b2")
    viewer.page.on("dialog", lambda alert: viewer.complaints.append(alert.message))
    viewer.renew(ONE, hostile)
    viewer.pick(hostile)
    expect(viewer.bar.locator("p")).to_have_text(f"{attack} picked. Pick up to three more, or")
    viewer.compare(ONE)
    expect(viewer.title).to_have_text(f"{attack} and Seed 1")
    expect(viewer.dialog.locator(".differences dd").first).to_contain_text(attack)
    viewer.button("Swap left and right").click()
    expect(viewer.title).to_have_text(f"Seed 1 and {attack}")
    expect(viewer.dialog.locator(".differences dd").last).to_contain_text(attack)
    viewer.button(f"Open {attack}").click()
    expect(viewer.title).to_have_text(attack)
    viewer.dialog.get_by_role("tab", name="Request").click()
    expect(viewer.dialog.locator("pre:visible")).to_contain_text(attack)
    expect(viewer.page.locator("[onerror]")).to_have_count(0)


def test_on_a_phone_nothing_overflows_and_the_picture_is_seen_whole_at_first(phone: Viewer) -> None:
    long = replace(
        THREE,
        label="Seed 4294967295 · Guidance 12.5",
        prompt="Donaudampfschifffahrt" * 20,
        more={**EXCHANGE, "timeline": [["14:03:07", "Sent", "Donaudampfschifffahrt" * 20]], "reply": "x" * 2000},
    )
    phone.renew(ONE, long)
    phone.pick(ONE)
    assert _overflow(phone) <= 0
    phone.compare(long)
    (box,) = boxes(phone.dialog.locator(".pair"))
    assert box["width"] == PHONE["width"]
    assert box["y"] + box["height"] < PHONE["height"] * 0.8
    assert _overflow(phone) <= 0
    phone.button(f"Open {long.label}").click()
    for name in TABS:
        phone.dialog.get_by_role("tab", name=name).click()
        assert _overflow(phone) <= 0


def _overflow(viewer: Viewer) -> int:
    most: int = viewer.page.evaluate(
        "Math.max(...[document.documentElement, ...document.querySelectorAll('.viewer, .viewer .panel, .picked-bar')]"
        ".map(part => part.scrollWidth - part.clientWidth))"
    )
    return most


def test_what_a_finger_hits_is_large_enough(phone: Viewer) -> None:
    small = (
        "parts => parts.filter(part => part.checkVisibility()).map(part => [part.getBoundingClientRect(), part])"
        ".filter(([box]) => Math.min(box.width, box.height) < 44).map(([, part]) => part.outerHTML)"
    )
    targets = ".pick, .viewer button, .viewer select, .viewer a, .picked-bar button, .grid-tools button"
    phone.renew(ONE, replace(TWO, more=EXCHANGE))
    phone.pick(ONE)
    assert phone.page.locator(targets).evaluate_all(small) == []
    phone.compare(TWO)
    assert phone.page.locator(targets).evaluate_all(small) == []
    phone.button("Open Seed 2").click()
    phone.dialog.get_by_role("tab", name="Request").click()
    assert phone.page.locator(targets).evaluate_all(small) == []


# What the page shows while a comparison runs.
RUNNING = '<p id="status"><i class="running"></i></p><button id="stop">Stop</button>'


def test_the_bar_keeps_off_a_stop_button_that_is_fixed_below(phone: Viewer) -> None:
    phone.pick(ONE)
    (alone,) = boxes(phone.bar)
    phone.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", RUNNING)
    bar, stop = boxes(phone.bar, phone.page.locator("#stop"))
    assert PHONE["height"] - 24 < alone["y"] + alone["height"] <= PHONE["height"]
    assert bar["y"] + bar["height"] < stop["y"]


@pytest.mark.parametrize("width", [390, 800, 1024, 1440])
def test_a_toast_does_not_cover_the_bar(browser: Browser, site: str, width: int) -> None:
    with viewing(browser, site, viewport={"width": width, "height": 800}, reduced_motion="reduce") as viewer:
        toast = f'<div class="toast-wrap" style="position: fixed; right: 16px">Done.</div>{RUNNING}'
        viewer.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", toast)
        viewer.renew(replace(ONE, baseline=True), TWO)
        viewer.pick(TWO)
        bar, toasted = boxes(viewer.bar, viewer.page.locator(".toast-wrap"))
        assert toasted["y"] + toasted["height"] <= bar["y"]


@pytest.mark.parametrize(("wish", "moving"), [("no-preference", 1), ("reduce", 0)])
def test_nothing_moves_for_whoever_asked_for_that(browser: Browser, site: str, wish: str, moving: int) -> None:
    animations = "part => part.getAnimations().length"
    with viewing(browser, site, reduced_motion=wish) as viewer:
        viewer.page.add_style_tag(content="*, ::before { animation-play-state: paused !important; }")
        viewer.pick(ONE)
        assert viewer.bar.evaluate(animations) == moving
        viewer.card(TWO).locator("a.frame").click()
        assert viewer.dialog.evaluate(animations) == moving


def test_the_whole_job_is_done_with_keys_alone(viewer: Viewer) -> None:
    def tab_to(reached: Callable[[], Locator]) -> None:
        for _ in range(40):
            viewer.page.keyboard.press("Tab")
            if reached().evaluate("part => part === document.activeElement"):
                return
        pytest.fail("Tab never reached it")

    tab_to(lambda: viewer.card(ONE).locator(".pick"))
    viewer.page.keyboard.press("Space")
    tab_to(lambda: viewer.card(THREE).locator(".pick"))
    viewer.page.keyboard.press("Enter")
    tab_to(lambda: viewer.bar.get_by_role("button", name="Compare"))
    viewer.page.keyboard.press("Enter")
    expect(viewer.range).to_be_focused()
    viewer.page.keyboard.press("Home")
    tab_to(lambda: viewer.button("Open Seed 3"))
    viewer.page.keyboard.press("Enter")
    tab_to(lambda: viewer.button("Use this seed"))
    viewer.page.keyboard.press("Enter")
    assert viewer.said() == [["select", {"action": "use_seed", "id": "c3"}]]
    expect(viewer.card(THREE).locator(".pick")).to_be_focused()
