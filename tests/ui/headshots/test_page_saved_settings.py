"""A visitor's own looks: saved under a name, taken up again, and seen by nobody else."""

import pytest
from page import Visit, visiting
from playwright.sync_api import Browser, expect

from headshot.web import server

pytestmark = pytest.mark.browser


def _save(visit: Visit, name: str) -> None:
    save = visit.page.locator("#look-save")
    if not save.is_visible():
        visit.page.get_by_role("button", name="Save this look").click()
    visit.field("look-name").fill(name)
    save.click()


def test_a_look_is_saved_taken_up_again_after_a_reload_and_deleted(visit: Visit) -> None:
    visit.field("prompt").fill("teal backdrop, hard light")
    visit.field("negative-prompt").fill("smile")
    _save(visit, "Teal <b>")
    chip = visit.page.locator("#looks").get_by_label("Teal <b>")
    expect(chip).to_be_checked()
    visit.page.locator("#presets").get_by_label("Navy").check()
    expect(visit.field("prompt")).not_to_have_value("teal backdrop, hard light")
    visit.again()
    expect(chip).not_to_be_checked()
    chip.check()
    expect(visit.field("prompt")).to_have_value("teal backdrop, hard light")
    expect(visit.field("negative-prompt")).to_have_value("smile")
    expect(visit.page.locator("#presets").get_by_label("Navy")).not_to_be_checked()
    visit.page.get_by_role("button", name="Save this look").click()
    visit.inspect("the looks", "#form")
    visit.page.locator("#look-remove").click()
    expect(visit.page.locator("#looks")).to_have_count(0)


def test_a_look_of_the_same_name_takes_the_place_of_the_former(visit: Visit) -> None:
    for prompt in ("one", "two"):
        visit.field("prompt").fill(prompt)
        _save(visit, "Mine")
        expect(visit.page.get_by_text("Look “Mine” saved.").last).to_be_visible()
    expect(visit.page.locator("#looks label")).to_have_count(1)
    visit.field("prompt").fill("three")
    visit.page.locator("#presets").get_by_label("Navy").check()
    visit.again()
    visit.page.locator("#looks").get_by_label("Mine").check()
    expect(visit.field("prompt")).to_have_value("two")


def test_of_looks_that_are_taken_up_one_after_the_other_the_last_is_in_the_form(visit: Visit) -> None:
    for prompt in ("one", "two"):
        visit.field("prompt").fill(prompt)
        _save(visit, f"Look {prompt}")
        expect(visit.page.locator("#looks").get_by_label(f"Look {prompt}")).to_be_checked()
    with visit.slow_call("Look one"):
        for prompt in ("one", "two"):
            visit.page.locator("#looks").get_by_label(f"Look {prompt}").check()
    expect(visit.field("look-name")).to_have_value("Look two")
    expect(visit.field("prompt")).to_have_value("two")


def test_a_look_without_a_name_is_asked_for_one(visit: Visit) -> None:
    _save(visit, "  ")
    expect(visit.page.get_by_text("Give the look a name first.")).to_be_visible()
    expect(visit.page.locator("#looks")).to_have_count(0)


def test_another_visitor_has_looks_of_their_own(browser: Browser, site: server.Site, visit: Visit) -> None:
    _save(visit, "Nobody else's")
    expect(visit.page.locator("#looks label")).to_have_count(1)
    with visiting(browser, site.address) as other:
        other.page.wait_for_timeout(500)
        expect(other.page.locator("#looks")).to_have_count(0)
