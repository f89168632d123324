"""The page for everybody: by keyboard alone, for screen readers, on a phone, and after a reload."""

import itertools

import pytest
from page import Visit, visiting
from playwright.sync_api import Browser, expect
from settled import boxes
from stub import StubBackend

from headshot.comparison.presets import PRESETS
from headshot.web import server

pytestmark = pytest.mark.browser
_MOST_TABS = 60  # between two controls of the form, far more than there are


def _tab_to(visit: Visit, selector: str) -> None:
    """Press Tab until the focus stands on that control, as somebody without a mouse does."""
    for _ in range(_MOST_TABS):
        visit.page.keyboard.press("Tab")
        if visit.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    pytest.fail(f"the keyboard does not reach {selector}")


def test_the_whole_job_is_done_by_keyboard_alone(visit: Visit, backend: StubBackend) -> None:
    press = visit.page.keyboard.press
    _tab_to(visit, "#example")
    press("Enter")
    expect(visit.page.locator(".verdict .good").first).to_be_visible()
    _tab_to(visit, "#presets input")
    press("ArrowRight")
    expect(visit.page.locator("#presets").get_by_label("Executive")).to_be_checked()
    expect(visit.field("prompt")).to_have_value(PRESETS[1].prompt)  # before it is typed into
    _tab_to(visit, "#prompt textarea")
    visit.page.keyboard.type(", by keyboard")
    _tab_to(visit, "#varied input")
    press("ArrowRight")
    _tab_to(visit, "#scales input, #scales textarea")
    press("Control+A")
    visit.page.keyboard.type("2, 9")
    _tab_to(visit, "#generate")
    press("Enter")
    visit.until_done(2)
    assert [request.guidance_scale for request in backend.asked] == [2, 9]
    assert backend.asked[0].prompt.endswith(", by keyboard")
    for _ in range(2):
        _tab_to(visit, ".pick")
        press("Enter")
    _tab_to(visit, ".picked-bar [data-do=compare]")
    press("Enter")
    slider = visit.page.locator("dialog.viewer").get_by_role("slider")
    expect(slider).to_be_enabled()
    expect(slider).to_be_focused()
    press("End")
    expect(slider).to_have_value("100")
    press("Escape")
    expect(visit.page.locator("dialog.viewer")).to_be_hidden()
    _tab_to(visit, "a.download")
    with visit.page.expect_download() as downloading:
        press("Enter")
    assert downloading.value.suggested_filename.startswith("headshot-stub-seed-1-guidance-")
    _tab_to(visit, "#delete")
    press("Enter")
    expect(visit.page.locator("#delete-question")).to_contain_text("Delete 1 photo and 2 headshots?")
    expect(visit.page.locator("#delete-no")).to_be_focused()
    press("Shift+Tab")
    press("Enter")
    expect(visit.completed).to_have_count(0)
    expect(visit.page.locator("#delete")).to_be_focused()


@pytest.mark.parametrize(("width", "height", "scheme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_axe_finds_nothing_serious_and_nothing_overflows(
    browser: Browser, site: server.Site, backend: StubBackend, width: int, height: int, scheme: str
) -> None:
    backend.reset()
    with visiting(browser, site.address, width=width, height=height, scheme=scheme) as visit:
        visit.inspect("the empty page")
        visit.take_example()
        visit.open_fine_tuning()
        visit.page.locator("#varied").get_by_label("Guidance").check()
        expect(visit.page.locator("#scales")).to_be_visible()
        visit.generate()
        visit.until_done(4)
        visit.inspect("a comparison")
        visit.page.locator(".pick").first.click()
        expect(visit.page.locator(".picked-bar")).to_be_visible()
        visit.inspect("one headshot picked")
        visit.page.locator(".pick").nth(1).click()
        visit.page.locator(".picked-bar").get_by_role("button", name="Compare", exact=True).click()
        expect(visit.page.locator("dialog.viewer").get_by_role("slider")).to_be_enabled()
        visit.inspect("the slider")
        visit.page.keyboard.press("Escape")
        visit.page.locator("a.frame").first.click()
        visit.page.get_by_role("tab", name="Python").click()
        visit.inspect("the details")
        visit.page.get_by_role("button", name="Pin as baseline").click()
        visit.page.keyboard.press("Escape")
        expect(visit.page.locator(".badge")).to_be_visible()
        visit.inspect("the baseline")


@pytest.mark.parametrize("width", [360, 390, 1024, 1440])
def test_no_control_of_the_seeds_lies_over_another(browser: Browser, site: server.Site, width: int) -> None:
    with visiting(browser, site.address, width=width) as visit:
        controls = boxes(*(visit.page.locator(part) for part in ("#count", "#dice", "#locked")))
        for one, other in itertools.combinations(controls, 2):
            beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            below = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
            assert beside or below


def test_a_reload_brings_the_pictures_back_under_new_addresses_and_the_old_ones_go(
    visit: Visit, site: server.Site
) -> None:
    visit.take_example()
    visit.generate("1")
    visit.until_done(1)
    address = visit.address + str(visit.page.locator("a.download").get_attribute("href"))
    visit.again()
    expect(visit.completed).to_have_count(1)
    assert visit.address + str(visit.page.locator("a.download").get_attribute("href")) != address
    for _ in range(50):
        if visit.context.request.get(address).status == 404:
            break
        visit.page.wait_for_timeout(200)
    assert visit.context.request.get(address).status == 404
