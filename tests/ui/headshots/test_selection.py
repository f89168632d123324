"""Picking headshots to compare, and the bar with the next steps."""

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect
from settled import boxes
from viewing import BLUE, GREEN, ONE, RED, THREE, TWO, WHITE, Viewer, viewing

pytestmark = pytest.mark.browser


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
    viewer.draw(*five)
    viewer.pick(*five)
    expect(viewer.card(five[4]).locator(".pick")).to_have_attribute("aria-pressed", "false")
    expect(viewer.bar.locator("p")).to_have_text("Four at most: remove one first")
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
    viewer.draw()
    expect(viewer.bar).to_be_hidden()


def test_the_bar_stands_in_the_middle_where_the_form_is_not(browser: Browser, viewer_site: str) -> None:
    with viewing(browser, viewer_site, viewport={"width": 1440, "height": 900}, reduced_motion="reduce") as viewer:
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
    viewer.draw(replace(ONE, baseline=True), TWO, THREE)
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
    viewer.draw(ONE, TWO)
    viewer.pick(TWO)
    viewer.draw(ONE, TWO, THREE)
    expect(viewer.card(TWO).locator(".pick")).to_have_attribute("aria-pressed", "true")
    expect(viewer.bar).to_be_visible()
    viewer.pick(THREE)
    expect(viewer.bar.locator("p")).to_have_text("2 picked")
    viewer.draw(ONE, THREE)
    expect(viewer.bar.locator("p")).to_have_text("Seed 3 picked. Pick up to three more, or")
    viewer.draw(ONE)
    expect(viewer.bar).to_be_hidden()


def test_mounted_again_there_is_still_one_viewer(viewer: Viewer) -> None:
    viewer.page.evaluate(
        """() => {
          const shots = document.querySelector("#shots");
          shots.replaceWith(Object.assign(document.createElement("div"), { id: "shots" }));
          mount();
        }"""
    )
    for part in (viewer.dialog, viewer.bar, viewer.tools, viewer.page.locator(".fullscreen")):
        expect(part).to_have_count(1)
    viewer.pick(ONE)  # heard twice it would be taken back at once
    expect(viewer.bar.locator("p")).to_have_text("Seed 1 picked. Pick up to three more, or")
    viewer.compare(TWO)
    expect(viewer.title).to_have_text("Seed 1 and Seed 2")


def test_a_long_entry_of_the_history_is_folded_and_an_empty_one_says_so(viewer: Viewer) -> None:
    strip = viewer.page.locator("#history .strip")
    viewer.fill_history(*[replace(ONE, id=f"n{number}") for number in range(12)])
    expect(strip.get_by_role("button", name="Show all 12")).to_be_visible()
    viewer.fill_history(*[replace(ONE, id=f"n{number}") for number in range(9)])  # a button would take as much room
    expect(strip.locator(".folded")).to_have_count(0)
    viewer.fill_history()
    expect(strip).to_have_text("No headshots.")


def test_nothing_that_a_visitor_wrote_becomes_markup(viewer: Viewer) -> None:
    nasty = "\"><img src=x onerror=alert(1)>'"
    viewer.fill_history(replace(ONE, id="h1", label=nasty, prompt=nasty), title=nasty)
    expect(viewer.page.locator("#history .name")).to_have_text(nasty)
    viewer.draw(replace(ONE, label=nasty, prompt=nasty), TWO)
    expect(viewer.page.locator("#shot-a1 b")).to_have_text(nasty)
    viewer.open(ONE)
    expect(viewer.title).to_have_text(nasty)
    expect(viewer.page.locator("img[onerror]")).to_have_count(0)
