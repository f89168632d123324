"""What is there again after a reload, in a second tab, and from a link."""

import json

from page import Visit, free_port, serving, visiting
from playwright.sync_api import Browser, expect
from stub import StubBackend

from headshot.web import server


def _fill(visit: Visit) -> None:
    visit.field("prompt").fill("a navy backdrop & soft light")
    visit.page.locator("#varied").get_by_label("Guidance").check()
    visit.field("scales").fill("2, 9")
    visit.field("seeds").fill("11, 12")
    kept = "Object.values(localStorage).some(text => text.includes('\"seeds\":\"11, 12\"') && text.includes('2, 9'))"
    visit.page.wait_for_function(kept)


def _expect_filled(visit: Visit) -> None:
    expect(visit.field("prompt")).to_have_value("a navy backdrop & soft light")
    expect(visit.page.locator("#varied input:checked")).to_have_value("guidance_scale")
    expect(visit.field("scales")).to_have_value("2, 9")
    expect(visit.field("seeds")).to_have_value("11, 12")
    expect(visit.page.locator("#plan")).to_contain_text("2 headshots")


def test_a_reload_brings_back_the_form_the_photo_and_the_comparison(browser: Browser, backend: StubBackend) -> None:
    backend.reset()
    with serving({backend.name: backend}) as site, visiting(browser, site.address) as visit:
        visit.take_example()
        _fill(visit)
        visit.generate()
        visit.until_done(2)
        visit.again()
        _expect_filled(visit)
        expect(visit.completed).to_have_count(2)
        expect(visit.status).to_have_text("From your history: 2 of 2 headshots")
        expect(visit.verdict).to_contain_text("One face found")
        visit.generate("13")
        expect(visit.status).to_contain_text("2 headshots in")
        expect(visit.completed.locator("b")).to_have_text(["Guidance 2", "Guidance 9"])
        assert {request.seed for request in backend.asked} == {11, 13}


def test_a_link_opens_the_form_with_the_same_settings_for_somebody_else(
    visit: Visit, browser: Browser, site: server.Site
) -> None:
    _fill(visit)
    visit.page.get_by_role("button", name="Copy link to these settings").click()
    expect(visit.page.locator("#copy-link")).to_have_text("Link copied")
    link = str(visit.evaluate("navigator.clipboard.readText()"))
    with visiting(browser, site.address) as other:
        other.again(link.removeprefix(site.address))
        _expect_filled(other)
        assert other.page.url == site.address
        other.field("seeds").fill("5")
        other.page.wait_for_function('Object.values(localStorage).some(text => text.includes(\'"seeds":"5"\'))')
        other.again()  # what was changed since counts, and not the link
        expect(other.field("seeds")).to_have_value("5")
        expect(other.field("prompt")).to_have_value("a navy backdrop & soft light")


def test_a_link_that_cannot_be_used_in_part_says_so_and_fills_in_the_rest(visit: Visit) -> None:
    visit.again("?guidance_scale=99&seeds=7&prompt=%3Cb%3Enavy%3C%2Fb%3E")
    expect(visit.page.locator(".toast-wrap")).to_contain_text("guidance scale")
    expect(visit.field("seeds")).to_have_value("7")
    expect(visit.field("prompt")).to_have_value("<b>navy</b>")


def test_what_the_browser_kept_of_another_time_or_of_nobody_does_no_harm(visit: Visit) -> None:
    for kept in ("{", "[]", json.dumps({"seeds": 7, "prompt": ["x"], "backend": "gone", "guidance_scale": "x"})):
        visit.page.evaluate("kept => localStorage.setItem(`headshot form ${location.pathname}`, kept)", kept)
        visit.again()
        expect(visit.page.locator("#generate")).to_be_visible()
        expect(visit.field("seeds")).to_have_value("1-4")


def test_a_restarted_server_has_everything_but_the_photo(browser: Browser, backend: StubBackend) -> None:
    backend.reset()
    port = free_port()
    with serving({backend.name: backend}, port=port) as first, visiting(browser, first.address) as visit:
        visit.take_example()
        _fill(visit)
        visit.generate()
        visit.until_done(2)
        visit.page.goto("about:blank")
        first.close()
        with serving({backend.name: backend}, port=port):
            visit.again()
            _expect_filled(visit)
            expect(visit.completed).to_have_count(2)
            expect(visit.page.locator("#photo img")).to_have_count(0)
