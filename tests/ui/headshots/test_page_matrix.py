"""The matrix on the page: asked about first, laid out as a table, each cell on its own, and never lost."""

import csv
import io
import os
import signal
import time
from pathlib import Path

import pytest
from page import Visit, app_running, serving, visiting
from PIL import Image
from playwright.sync_api import Browser, expect
from stub import StubBackend

from headshot.cookies import PAGE_COOKIE
from headshot.errors import Unavailable
from headshot.web import server

pytestmark = pytest.mark.browser


def _ask_for(visit: Visit, *, seeds: str = "1-3", scales: str = "4, 7.5", wordings: str = "") -> None:
    visit.page.locator("#varied").get_by_label("Matrix").check()
    expect(visit.page.locator("#wordings")).to_be_visible()
    for name, text in (("scales", scales), ("wordings", wordings), ("seeds", seeds)):
        visit.field(name).fill(text)


def _make(visit: Visit) -> None:
    visit.generate()
    visit.page.locator("#yes").click()


def _begin(visit: Visit) -> None:
    visit.take_example()
    _ask_for(visit)
    _make(visit)


def test_a_matrix_is_asked_about_before_anything_is_made(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    _ask_for(visit, wordings="grey, navy")
    visit.generate()
    expect(visit.page.locator("#question")).to_contain_text("Generate 12 headshots (3 seeds × 2 guidance × 2 prompts)?")
    expect(visit.page.locator("#question")).to_contain_text("about 6 s")
    assert backend.asked == []
    visit.page.locator("#no").click()
    expect(visit.page.locator("#question")).to_have_count(0)
    visit.generate()
    expect(visit.page.locator("#question")).to_be_visible()
    visit.field("seeds").fill("1")  # another matrix than the one that was asked about
    expect(visit.page.locator("#question")).to_have_count(0)
    assert backend.asked == []


def test_what_is_confirmed_is_what_was_asked_about(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    _ask_for(visit)
    visit.generate()
    expect(visit.page.locator("#question")).to_contain_text("6 headshots (3 seeds × 2 guidance)")
    with visit.slow_call("1-4"):  # the question does not know of it yet
        visit.field("seeds").fill("1-4")
        visit.page.locator("#yes").click()
    expect(visit.page.locator("#question")).to_contain_text("8 headshots (4 seeds × 2 guidance)")
    assert backend.asked == []
    visit.page.locator("#yes").click()
    visit.until_done(8)
    expect(visit.page.locator("#question")).to_have_count(0)


def test_every_cell_stands_in_its_row_and_column_and_comes_as_files(visit: Visit) -> None:
    visit.take_example()
    _ask_for(visit, wordings="grey, navy")
    _make(visit)
    visit.until_done(12)
    table = visit.page.locator(".matrix table")
    assert table.locator("thead th").all_inner_texts() == ["Seed 1", "Seed 2", "Seed 3"]
    rows = [text.split("\n") for text in table.locator("tbody th").all_inner_texts()]
    assert rows == [[word, f"Guidance {scale}"] for word in ("grey", "navy") for scale in ("4", "7.5")]
    last = table.locator("tbody tr").last.locator("td").last
    expect(last.locator("a.frame")).to_have_attribute("aria-label", "Open the headshot: navy · Guidance 7.5 · Seed 3")
    files = {
        name: visit.context.request.get(f"{visit.address}{link.get_attribute('href')}").body()
        for link in visit.page.locator("nav.files a").all()
        if (name := link.get_attribute("download"))
    }
    assert Image.open(io.BytesIO(files["contact-sheet.png"])).width > 800
    assert files["headshots.pdf"].startswith(b"%PDF")
    lines = list(csv.DictReader(io.StringIO(files["headshots.csv"].decode("utf-8-sig"))))
    assert {(line["seed"], line["guidance"], "navy" in line["prompt"]) for line in lines} == {
        (seed, guidance, navy) for seed in ("1", "2", "3") for guidance in ("4", "7.5") for navy in (True, False)
    }
    assert len({line["file"] for line in lines}) == 12


def test_a_matrix_that_is_too_large_is_refused_with_its_sum(visit: Visit) -> None:
    visit.take_example()
    _ask_for(visit, seeds="1-8", scales="1, 2, 3, 4, 5, 6, 7, 8")
    expect(visit.page.locator("#plan")).to_contain_text("8 × 8 = 64 headshots; at most 48")
    visit.generate()
    expect(visit.status).to_contain_text("at most 48")


def test_a_cell_that_failed_says_why_and_is_made_alone(visit: Visit, backend: StubBackend) -> None:
    backend.fail(Unavailable(backend.name, "The lamp is broken."), after=2)
    _begin(visit)
    expect(visit.page.locator(".status.error")).to_contain_text("The lamp is broken.")
    expect(visit.completed).to_have_count(2)
    expect(visit.page.locator(".missing")).to_have_count(4)
    expect(visit.page.locator(".missing").first).to_contain_text("The lamp is broken.")
    backend.fail(None)
    backend.asked.clear()
    visit.page.get_by_role("button", name="Try again").last.click()
    expect(visit.completed).to_have_count(3)
    assert [(asked.seed, asked.guidance_scale) for asked in backend.asked] == [(3, 7.5)]
    visit.page.get_by_role("button", name="Generate the remaining 3").click()
    visit.until_done(6)
    assert len(backend.asked) == 4


def test_stop_keeps_what_is_there_and_the_rest_can_be_made_later(visit: Visit, backend: StubBackend) -> None:
    let_complete = backend.hold()
    _begin(visit)
    for completed in (1, 2):
        let_complete()
        expect(visit.completed).to_have_count(completed)
    visit.page.locator("#stop").click()
    expect(visit.status).to_contain_text("Stopped: 2 of 6")
    expect(visit.page.locator(".missing")).to_have_count(4)
    backend.reset()
    visit.page.get_by_role("button", name="Generate the remaining 4").click()
    visit.until_done(6)


def test_of_two_cells_that_are_asked_for_at_once_one_is_made(visit: Visit, backend: StubBackend) -> None:
    backend.fail(Unavailable(backend.name, "The lamp is broken."), after=2)
    _begin(visit)
    expect(visit.page.locator(".missing")).to_have_count(4)
    backend.fail(None)
    backend.asked.clear()
    let_complete = backend.hold()  # the first is not done before the second is asked for
    cells = "document.querySelectorAll('#shots .missing [data-act=make]')"
    visit.evaluate(f"[...{cells}].slice(0, 2).forEach((button) => button.click())")
    expect(visit.page.get_by_text("A comparison is running").first).to_be_visible()
    let_complete()
    expect(visit.completed).to_have_count(3)
    expect(visit.waiting).to_have_count(0)
    assert len(backend.asked) == 1


def test_a_headshot_becomes_the_baseline_while_the_missing_are_made(visit: Visit, backend: StubBackend) -> None:
    let_complete = backend.hold()
    _begin(visit)
    let_complete()
    expect(visit.completed).to_have_count(1)
    visit.page.locator("#stop").click()
    visit.page.get_by_role("button", name="Generate the remaining 5").click()
    expect(visit.waiting).to_have_count(5)
    visit.page.locator("a.frame").first.click()
    visit.page.locator("dialog").get_by_role("button", name="Pin as baseline").click()
    expect(visit.page.locator(".shot.baseline")).to_have_count(1)
    visit.page.keyboard.press("Escape")
    visit.page.locator("#stop").click()
    expect(visit.status).to_contain_text("Stopped: 1 of 6")
    backend.reset()
    visit.page.get_by_role("button", name="Generate the remaining 5").click()
    visit.until_done(6)


def test_a_page_that_is_loaded_again_goes_on_where_it_was_left(browser: Browser, backend: StubBackend) -> None:
    backend.reset()
    let_complete = backend.hold()
    # With a grace that outlasts a slow machine: the photo is handed over by the tab that was left.
    with serving({backend.name: backend}) as site, visiting(browser, site.address) as visit:
        _begin(visit)
        let_complete()
        expect(visit.completed).to_have_count(1)
        visit.page.goto("about:blank")
        assert backend.stopped.wait(30)
        visit.complaints.clear()  # of the connection that the page let go of
        backend.reset()
        visit.page.goto(visit.address)
        visit.until_done(6)
        assert len(backend.asked) == 5  # and not the one that had completed
        visit.inspect("a matrix that was found again", "#results")


def test_a_matrix_outlives_a_server_that_is_killed(browser: Browser, tmp_path: Path) -> None:
    with (
        app_running(tmp_path, HEADSHOT_CONTENT_CREDENTIALS="false") as first,
        visiting(browser, first.address) as visit,
    ):
        _begin(visit)
        expect(visit.completed.nth(1)).to_be_visible(timeout=60_000)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(10)
        visit.page.goto("about:blank")
        cookies = visit.context.cookies()
        visit.page.wait_for_timeout(500)
        visit.complaints.clear()  # of the connection that broke, whichever side was quicker to notice
    with (
        app_running(tmp_path, HEADSHOT_CONTENT_CREDENTIALS="false") as second,
        visiting(browser, second.address) as visit,
    ):
        secret = next(cookie["value"] for cookie in cookies if cookie["name"] == PAGE_COOKIE)
        visit.context.add_cookies([{"name": PAGE_COOKIE, "value": secret, "url": second.address}])
        visit.again()
        expect(visit.status).to_contain_text("From your history")
        before = visit.completed.count()
        assert 2 <= before <= 6
        if before < 6:
            visit.page.get_by_role("button", name="Generate the remaining").click()
            expect(visit.status).to_contain_text("Add that photo again")
            assert visit.completed.count() == before
            visit.take_example()
            visit.page.get_by_role("button", name="Generate the remaining").click()
        expect(visit.completed).to_have_count(6, timeout=60_000)  # the studio makes them


def test_two_visitors_never_see_each_others_history(browser: Browser, site: server.Site, backend: StubBackend) -> None:
    backend.reset()
    let_complete = backend.hold()
    with visiting(browser, site.address) as mine, visiting(browser, site.address) as theirs:
        _begin(mine)
        let_complete()
        expect(mine.completed).to_have_count(1)
        theirs.again()
        time.sleep(0.5)
        expect(theirs.completed).to_have_count(0)
        backend.reset()
        mine.until_done(6)
