"""The page as a visitor meets it: a server on loopback, a real browser, real clicks."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from page import Visit, app_running, downloaded, visiting
from paths import ASTRONAUT, ROOT
from PIL import Image
from playwright.sync_api import Browser, expect
from settled import boxes
from stub import StubBackend, file_of

from headshot.comparison.form_values import FormValues
from headshot.errors import Refused
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest
from headshot.ui.headshots.photo import EXAMPLE
from headshot.web import server

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


def test_a_first_visit_reaches_four_headshots_by_clicks_alone(visit: Visit) -> None:
    expect(visit.page.locator(".shot")).to_have_count(4)  # the frames that say what will come
    visit.take_example()
    visit.generate()
    visit.until_done(4)
    for seed, card in zip((1, 2, 3, 4), visit.completed.all(), strict=True):
        expect(card.locator("figcaption")).to_have_text(re.compile(rf"Seed {seed}\s*\d\.\d s · likeness 0\.71"))
    loaded = "[...document.querySelectorAll('.completed img')].every(img => img.complete && img.naturalWidth > 0)"
    visit.page.wait_for_function(loaded)


def test_headshots_land_one_by_one_while_progress_tells_stage_and_count(visit: Visit, backend: StubBackend) -> None:
    backend.hold()
    visit.take_example()
    visit.generate("10-12")
    expect(visit.waiting).to_have_count(3)
    expect(visit.status).to_have_text(re.compile(r"Lighting…\s*0 of 3"))
    backend.let_complete()
    expect(visit.completed).to_have_count(1)
    expect(visit.waiting).to_have_count(2)
    expect(visit.status).to_have_text(re.compile(r"Lighting…\s*1 of 3"))
    expect(visit.page.locator("#status progress")).to_have_attribute("value", "1")
    assert visit.status.get_attribute("aria-live") == "polite"
    backend.let_complete(2)
    visit.until_done(3)
    expect(visit.status).to_have_text(re.compile(r"3 headshots in \d+\.\d s"))


def test_notes_say_once_what_was_and_was_not_applied(visit: Visit) -> None:
    visit.take_example()
    visit.generate("1, 2")
    visit.until_done(2)
    expect(visit.page.locator(".note.applied li")).to_have_text(["light grey backdrop", "soft <b>loop</b> light"])
    expect(visit.page.locator(".note.not-applied li")).to_have_count(1)
    expect(visit.page.locator(".own-notes")).to_have_count(0)


def test_stop_keeps_what_had_completed_and_stops_the_backend(visit: Visit, backend: StubBackend) -> None:
    backend.hold()
    visit.take_example()
    visit.generate()
    backend.let_complete(2)
    expect(visit.completed).to_have_count(2)
    backend.until_asked(3)
    visit.page.locator("#stop").click()
    expect(visit.status).to_have_text("Stopped: 2 of 4")
    assert backend.stopped.wait(30)
    expect(visit.completed).to_have_count(2)
    expect(visit.waiting).to_have_count(0)
    assert len(backend.asked) == 3
    backend.reset()
    visit.generate("7")
    visit.until_done(1)


def test_a_picture_that_comes_after_stop_does_not_disturb_the_next_comparison(
    visit: Visit, backend: StubBackend
) -> None:
    let_land_late = backend.hold(deaf=True)
    visit.take_example()
    visit.generate("1-3")
    backend.let_complete()
    expect(visit.completed).to_have_count(1)
    visit.page.locator("#stop").click()
    expect(visit.status).to_have_text("Stopped: 1 of 3")
    backend.hold()
    visit.generate("7-8")
    expect(visit.waiting).to_have_count(2)
    let_land_late()
    backend.let_complete()
    expect(visit.completed).to_have_text(re.compile("Seed 7"))
    backend.let_complete()
    visit.until_done(2)


def test_enter_in_the_seeds_during_a_comparison_leaves_it_alone(visit: Visit, backend: StubBackend) -> None:
    backend.hold(deaf=True)
    visit.take_example()
    visit.generate("1-2")
    backend.let_complete()
    expect(visit.completed).to_have_count(1)
    visit.field("seeds").fill("9")
    visit.field("seeds").press("Enter")
    expect(visit.page.locator(".toast-wrap")).to_contain_text("A comparison is running")
    expect(visit.page.locator("#stop")).to_be_visible()
    backend.let_complete()
    visit.until_done(2)
    expect(visit.completed).to_have_text([re.compile("Seed 1"), re.compile("Seed 2")])
    visit.field("seeds").press("Enter")
    expect(visit.waiting).to_have_count(1)
    backend.let_complete()
    visit.until_done(1)
    assert [request.seed for request in backend.asked] == [1, 2, 9]


def test_closing_the_tab_stops_the_backend(browser: Browser, site: server.Site, backend: StubBackend) -> None:
    backend.reset()
    backend.hold()
    with visiting(browser, site.address) as visit:
        visit.take_example()
        visit.generate()
        expect(visit.status).to_have_text(re.compile("Lighting"))
    assert backend.stopped.wait(30)
    assert len(backend.asked) == 1


def test_a_download_has_its_real_name_and_the_backends_own_bytes(visit: Visit) -> None:
    visit.take_example()
    visit.generate("42")
    visit.until_done(1)
    with visit.page.expect_download() as downloading:
        visit.page.locator("a.download").click()
    assert downloading.value.suggested_filename == "headshot-stub-seed-42-guidance-7.5-steps-21.png"
    assert downloaded(downloading.value) == file_of(Photo.open(EXAMPLE), HeadshotRequest(seed=42))


def test_a_headshot_opens_large_and_the_keys_walk_through(visit: Visit) -> None:
    visit.take_example()
    visit.generate("1-3")
    visit.until_done(3)
    visit.page.locator("a.frame").first.click()
    viewer = visit.page.locator("dialog.viewer")
    expect(viewer.locator("h2")).to_contain_text("Seed 1")
    visit.page.keyboard.press("ArrowLeft")
    expect(viewer.locator("h2")).to_contain_text("Seed 3")
    download = viewer.get_by_role("link", name="Download")
    expect(download).to_have_attribute("download", "headshot-stub-seed-3-guidance-7.5-steps-21.png")
    visit.page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()


@pytest.mark.parametrize(("width", "height", "columns"), [(1440, 900, 4), (390, 844, 2)])
def test_nothing_overflows_and_the_grid_fits(
    browser: Browser, site: server.Site, backend: StubBackend, width: int, height: int, columns: int
) -> None:
    backend.reset()
    with visiting(browser, site.address, width=width, height=height) as visit:
        assert _overflow(visit) <= 0
        visit.take_example()
        visit.generate("4294967295, 4294967294, 4294967293, 1")
        visit.until_done(4)
        assert _overflow(visit) <= 0
        tops = visit.completed.evaluate_all(
            "cards => cards.map(card => card.getBoundingClientRect().top)"
        )  # it scrolls
        assert tops.count(tops[0]) == columns
        # Generate stands above the settings that few people touch.
        places = "['#generate', '#fine-tuning'].map(place => document.querySelector(place).getBoundingClientRect())"
        generate, tuning = visit.evaluate(f"{places}.map(box => [box.top, box.bottom])")  # at once, for it scrolls
        assert generate[1] <= tuning[0]


def _overflow(visit: Visit) -> float:
    return float(visit.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_on_a_phone_generate_leads_to_the_results(browser: Browser, site: server.Site, backend: StubBackend) -> None:
    backend.reset()
    backend.hold()
    with visiting(browser, site.address, **PHONE) as visit:
        visit.take_example()
        visit.generate()
        backend.let_complete()
        expect(visit.completed).to_have_count(1)
        expect(visit.page.locator("#stop")).to_be_in_viewport(ratio=1)
        backend.let_complete(3)
        visit.until_done(4)
        expect(visit.page.locator("#results")).to_be_in_viewport()
        expect(visit.status).to_be_in_viewport()


def test_light_and_dark_have_one_layout_and_two_looks(browser: Browser, site: server.Site) -> None:
    layouts, grounds = [], []
    for scheme in ("light", "dark"):
        with visiting(browser, site.address, scheme=scheme) as visit:
            visit.take_example()
            visit.evaluate("scrollTo(0, 0)")  # a click scrolls to what it hits, as far as the page has come up by then
            places = ("#header", "#photo", "#check", "#prompt", "#seeds", "#generate", "#fine-tuning", "#shots")
            layouts.append(boxes(*(visit.page.locator(place) for place in places)))
            grounds.append(visit.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert layouts[0] == layouts[1]
    assert grounds[0] != grounds[1]


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [("", "at least one seed"), ("one", "is not a seed"), ("9-3", "backwards"), ("1-900", "at most 8")],
)
def test_bad_seeds_are_answered_with_a_sentence(visit: Visit, seeds: str, sentence: str) -> None:
    visit.take_example()
    visit.generate(seeds)
    expect(visit.status).to_contain_text(sentence)
    assert visit.field("seeds").input_value() == seeds
    expect(visit.page.locator("#generate")).to_be_visible()


def test_the_dice_roll_as_many_seeds_as_there_are(visit: Visit) -> None:
    visit.field("seeds").fill("1-6")
    visit.page.locator("#dice").click()
    expect(visit.field("seeds")).to_have_value(re.compile(r"^\d+(, \d+){5}$"))


def test_the_form_reaches_the_backend(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    visit.field("prompt").fill("black backdrop")
    visit.field("negative-prompt").fill("vignette")
    visit.open_fine_tuning()
    visit.page.locator("#guidance-scale input[type=number]").fill("12.5")
    visit.page.locator("#num-inference-steps input").click()
    visit.page.get_by_role("option", name="41").click()
    visit.generate("3")
    visit.until_done(1)
    assert backend.asked == [
        HeadshotRequest(
            prompt="black backdrop", negative_prompt="vignette", guidance_scale=12.5, num_inference_steps=41, seed=3
        )
    ]


def test_what_completed_before_an_error_stays_and_markup_in_the_error_is_text(
    visit: Visit, backend: StubBackend
) -> None:
    backend.fail(Refused("stub", "This look is <img src=x onerror=alert(1)> declined."), after=2)
    visit.take_example()
    visit.generate()
    expect(visit.status).to_have_text("This look is <img src=x onerror=alert(1)> declined.")
    expect(visit.completed).to_have_count(2)
    expect(visit.page.locator("img[onerror]")).to_have_count(0)
    expect(visit.page.locator("#generate")).to_be_visible()


def test_a_bug_stays_a_traceback_on_the_server(
    visit: Visit, backend: StubBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.fail(ZeroDivisionError("the secret of the bug"), after=1)
    visit.take_example()
    visit.generate()
    expect(visit.status).to_contain_text("Something went wrong on the server")
    expect(visit.completed).to_have_count(1)
    assert "the secret of the bug" not in visit.page.content()
    assert "ZeroDivisionError: the secret of the bug" in caplog.text


def test_two_visitors_never_see_each_others_pictures(browser: Browser, site: server.Site, backend: StubBackend) -> None:
    backend.reset()
    with visiting(browser, site.address) as one, visiting(browser, site.address) as other:
        one.take_example()
        other.put_in(ASTRONAUT)
        expect(other.verdict.locator(".good").first).to_be_visible()
        one.generate("1-2")
        other.generate("1-2")
        one.until_done(2)
        other.until_done(2)
        of_one, of_other = (
            {link.get_attribute("href") for link in visit.page.locator("a.download").all()} for visit in (one, other)
        )
        assert not of_one & of_other
        folders = {address.split("/")[1] for address in of_one | of_other}
        assert len(folders) == 2
        assert all(len(folder) >= 43 for folder in folders)  # 256 bits
        middle = (128, 140)
        assert _pixel(one, middle) != _pixel(other, middle)
        for visit, stranger in ((one, of_other), (other, of_one)):
            seen = visit.page.content() + "\n".join(visit.addresses)
            assert not [address for address in stranger if address in seen]


def _pixel(visit: Visit, at: tuple[int, int]) -> object:
    address = visit.page.locator("a.download").first.get_attribute("href")
    picture = Image.open(io.BytesIO(visit.context.request.get(f"{visit.address}{address}").body()))
    return picture.getpixel(at)


def test_the_browser_keeps_the_form_and_nothing_else_until_the_pictures_are_deleted(visit: Visit) -> None:
    visit.field("prompt").fill("a very private wish")
    visit.take_example()
    visit.generate("1")
    visit.until_done(1)
    everything = """async () => {
      const names = (await indexedDB.databases()).map(database => database.name);
      return JSON.stringify([{...localStorage}, {...sessionStorage}, names, document.cookie]);
    }"""
    kept, *others = json.loads(str(visit.evaluate(everything)))
    [form] = kept.values()
    assert json.loads(form)["prompt"] == "a very private wish"
    assert set(json.loads(form)) <= set(FormValues.model_fields)
    assert others == [{}, [], ""]
    visit.delete_my_pictures()
    visit.page.wait_for_function("localStorage.length === 0")


def test_pictures_are_gone_soon_after_the_tab_is(browser: Browser, site: server.Site, backend: StubBackend) -> None:
    backend.reset()
    with visiting(browser, site.address) as visit:
        visit.take_example()
        visit.generate("1")
        visit.until_done(1)
        address = f"{site.address}{visit.page.locator('a.download').get_attribute('href')}"
        visit.page.wait_for_timeout(2_500)  # longer than the grace: an open tab keeps its pictures
        assert visit.context.request.get(address).status == 200
    with visiting(browser, site.address) as other:
        for _ in range(50):
            answer = other.context.request.get(address)
            if answer.status == 404:
                break
            other.page.wait_for_timeout(200)
        assert answer.status == 404
        assert "no longer available" in answer.text()


def test_the_real_app_makes_four_headshots_by_clicks_alone_and_asks_nobody_outside(
    browser: Browser, tmp_path: Path
) -> None:
    unsigned = {"HEADSHOT_CONTENT_CREDENTIALS": "false"}  # a signature is another one every time
    with app_running(tmp_path, PYTHONPATH=str(ROOT / "tests" / "watched"), **unsigned) as app:
        with visiting(browser, app.address) as visit:
            visit.take_example()
            visit.generate()
            expect(visit.page.locator(".status.done")).to_be_visible(timeout=120_000)
            expect(visit.completed).to_have_count(4)
            expect(visit.page.locator(".facts").first).to_contain_text("likeness 0.")
            with visit.page.expect_download() as downloading:
                visit.page.locator("a.download").nth(1).click()
            data = downloaded(downloading.value)
            visit.page.locator("a.frame").nth(1).click()
            visit.page.get_by_role("tab", name="Python").click()
            snippet = visit.page.get_by_role("tabpanel").locator("pre").inner_text()
        assert downloading.value.suggested_filename == "headshot-studio-seed-2-guidance-7.5-steps-21.png"
        assert Image.open(io.BytesIO(data)).size == (1024, 1280)
    # The details' own Python makes the very same file from the same photo.
    program = tmp_path / "program"
    program.mkdir()
    shutil.copy(EXAMPLE, program / "photo.jpg")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", snippet], cwd=program, env=environment, timeout=120, check=True)
    assert (program / downloading.value.suggested_filename).read_bytes() == data
    log = app.log.read_text()
    assert "Connections are watched." in log
    assert "OUTSIDE" not in log
