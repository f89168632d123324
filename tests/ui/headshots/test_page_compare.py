"""Comparing on the page: looks, one thing varied, the baseline, the slider, the files, and deletion."""

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import portraits
import pytest
from page import Visit, downloaded, files_in, serving, visiting
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Locator, Route, expect
from settled import boxes
from stub import SIZE, StubBackend

from headshot import ui
from headshot.comparison.presets import PRESETS
from headshot.imaging.photo import Photo
from headshot.metadata import read
from headshot.sessions import folder
from headshot.settings import Settings
from headshot.storage import Store
from headshot.web import server

pytestmark = pytest.mark.browser


def _viewer(visit: Visit) -> Locator:
    return visit.page.locator("dialog.viewer")


def _labels(visit: Visit) -> list[str]:
    return visit.page.locator(".shot figcaption b").all_inner_texts()


def _file(visit: Visit, shot: int = 0) -> bytes:
    """The file behind a card."""
    address = visit.page.locator("a.frame").nth(shot).evaluate("link => link.href")
    return visit.page.request.get(address).body()


def _chip(visit: Visit, name: str) -> Locator:
    return visit.page.locator("#presets").get_by_label(name, exact=True)


def _vary(visit: Visit, what: str) -> None:
    visit.page.locator("#varied").get_by_label(what).check()


@pytest.mark.parametrize("preset", [PRESETS[1], PRESETS[7]], ids=lambda preset: preset.name)
def test_a_look_fills_the_fields_and_is_what_is_asked_for(visit: Visit, backend: StubBackend, preset) -> None:  # type: ignore[no-untyped-def]
    visit.take_example()
    _chip(visit, preset.name).check()
    expect(visit.field("prompt")).to_have_value(preset.prompt)
    expect(visit.field("negative-prompt")).to_have_value(preset.negative_prompt)
    visit.generate("7")
    visit.until_done(1)
    [asked] = backend.asked
    assert (asked.prompt, asked.negative_prompt) == (preset.prompt, preset.negative_prompt)
    assert asked.guidance_scale == preset.guidance_scale


def test_a_look_that_was_changed_is_no_longer_marked(visit: Visit) -> None:
    expect(_chip(visit, PRESETS[0].name)).to_be_checked()
    visit.field("prompt").press_sequentially(", smiling")
    expect(_chip(visit, PRESETS[0].name)).not_to_be_checked()


def test_of_looks_that_are_chosen_one_after_the_other_the_last_is_in_the_form(visit: Visit) -> None:
    with visit.slow_call(PRESETS[1].name):
        _chip(visit, PRESETS[1].name).check()
        _chip(visit, PRESETS[2].name).check()
    expect(visit.field("prompt")).to_have_value(PRESETS[2].prompt)
    expect(_chip(visit, PRESETS[2].name)).to_be_checked()


def test_guidance_varies_with_the_first_seed_and_each_headshot_is_labelled(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    _vary(visit, "Guidance")
    visit.field("scales").fill("2, 7.5 20")
    visit.generate("5-8")
    visit.until_done(3)
    assert [(request.seed, request.guidance_scale) for request in backend.asked] == [(5, 2), (5, 7.5), (5, 20)]
    assert _labels(visit) == ["Guidance 2", "Guidance 7.5", "Guidance 20"]
    names = visit.page.locator("a.download").evaluate_all("links => links.map(link => link.download)")
    assert len(set(names)) == 3


def test_steps_vary_with_the_first_seed_and_each_headshot_is_labelled(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    _vary(visit, "Steps")
    visit.page.locator("#steps-to-compare").get_by_label("31").uncheck()
    visit.generate("5-8")
    visit.until_done(2)
    assert [(request.seed, request.num_inference_steps) for request in backend.asked] == [(5, 21), (5, 41)]
    assert _labels(visit) == ["21 steps", "41 steps"]


def test_count_and_time_are_told_before_the_run(visit: Visit) -> None:
    plan = visit.page.locator("#plan")
    expect(plan).to_have_text("4 headshots, about 2 s")
    visit.field("seeds").fill("1-8")
    expect(plan).to_have_text("8 headshots, about 4 s")
    _vary(visit, "Guidance")
    visit.field("scales").fill("1, 5, 9")
    expect(plan).to_have_text("3 headshots, about 2 s")
    _vary(visit, "Steps")
    expect(plan).to_have_text("3 headshots, about 2 s")


@pytest.mark.parametrize(
    ("what", "field", "text", "sentence"),
    [
        ("Seeds", "seeds", "1-900", "at most 8"),
        ("Guidance", "scales", "1, 2, 3, 4, 5, 6, 7, 8, 9", "at most 8"),
        ("Guidance", "scales", "0.5", "from 1 to 20"),
        ("Guidance", "scales", "much", "much"),
        ("Guidance", "scales", "", "at least one"),
    ],
)
def test_a_comparison_that_cannot_be_read_is_answered_before_and_after_generate(
    visit: Visit, backend: StubBackend, what: str, field: str, text: str, sentence: str
) -> None:
    visit.take_example()
    _vary(visit, what)
    visit.field(field).fill(text)
    expect(visit.page.locator("#plan .wrong")).to_contain_text(sentence)
    visit.generate()
    expect(visit.page.locator(".status.error")).to_contain_text(sentence)
    assert visit.field(field).input_value() == text
    assert backend.asked == []


def test_no_steps_to_compare_is_answered_with_a_sentence(visit: Visit) -> None:
    visit.take_example()
    _vary(visit, "Steps")
    for steps in ("21", "31", "41"):
        visit.page.locator("#steps-to-compare").get_by_label(steps).uncheck()
    visit.generate()
    expect(visit.page.locator(".status.error")).to_contain_text("at least one number of steps")


def test_the_count_cuts_and_carries_on_the_seeds_and_follows_them(visit: Visit) -> None:
    count = visit.page.locator("#count input")
    for chosen, seeds in (("6", "1-6"), ("2", "1, 2")):
        count.click()
        visit.page.get_by_role("option", name=chosen).click()
        expect(visit.field("seeds")).to_have_value(seeds)
    visit.field("seeds").fill("10-12")
    expect(count).to_have_value("3")


def test_what_is_typed_after_a_count_was_chosen_stays(visit: Visit) -> None:
    twins: list[Route] = []  # a dropdown reports each choice twice

    def hold_the_second(route: Route) -> None:
        twins.extend([route] * ('"6"]' in str(route.request.post_data)))
        if len(twins) < 2 or route is not twins[1]:
            route.continue_()

    visit.page.route("**/queue/join*", hold_the_second)
    visit.page.locator("#count input").click()
    visit.page.get_by_role("option", name="6").click()
    expect(visit.field("seeds")).to_have_value("1-6")
    visit.field("seeds").fill("10-12")
    with visit.page.expect_response(lambda answer: answer.request == twins[1].request):
        twins[1].continue_()
    _chip(visit, "Navy").check()
    expect(visit.field("prompt")).to_have_value(re.compile("navy"))  # what came before is answered
    expect(visit.field("seeds")).to_have_value("10-12")


def test_locked_seeds_stay_and_unlocked_ones_are_new_each_time(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    visit.generate("1-3")
    visit.until_done(3)
    visit.page.locator("#locked input").uncheck()
    visit.generate()
    expect(visit.field("seeds")).not_to_have_value("1-3")
    visit.until_done(3)
    fresh = [request.seed for request in backend.asked[3:]]
    assert len(set(fresh)) == 3
    assert not set(fresh) & {1, 2, 3}
    expect(visit.field("seeds")).to_have_value(", ".join(str(seed) for seed in fresh))
    visit.page.locator("#locked input").check()
    visit.generate()
    expect(visit.page.locator(".status.done")).to_have_count(0)
    visit.until_done(3)
    assert [request.seed for request in backend.asked[6:]] == fresh


def test_the_seed_of_a_headshot_goes_back_into_the_field_and_what_follows_names_it(
    visit: Visit, backend: StubBackend
) -> None:
    visit.take_example()
    visit.generate("11-13")
    visit.until_done(3)
    visit.page.locator("#locked input").uncheck()
    taken = read(_file(visit, 1))
    visit.page.locator("a.frame").nth(1).click()
    _viewer(visit).get_by_role("button", name="Use this seed").click()
    expect(visit.field("seeds")).to_have_value("12")
    expect(visit.page.locator("#locked input")).to_be_checked()  # else Generate would roll another one
    expect(_viewer(visit)).to_be_hidden()
    expect(visit.page.locator(".toast-wrap")).to_contain_text("Seed 12")
    visit.generate()
    visit.until_done(1)
    assert backend.asked[-1].seed == 12
    # What is made from then on names the headshot whose seed it was, until settings come from another picture …
    following = read(data := _file(visit))
    assert following.parent == taken.content_id != following.content_id
    assert (taken.request, taken.parent) == (following.request, "")
    visit.page.get_by_role("tab", name="Check a file").click()
    file = {"name": "picture.png", "mimeType": "image/png", "buffer": data}
    visit.page.locator("#check-file input[type=file]").set_input_files(files=[file])  # type: ignore[list-item]
    expect(visit.page.locator("#report .after")).to_have_text(
        re.compile(
            rf"Based on the picture with content ID {taken.content_id[:8]}… \(in your history: "
            rf"seed 12 of “{PRESETS[0].name}”, made \d+ s ago\)\."
        )
    )
    expect(visit.page.locator("#report dl")).to_contain_text([f"{following.content_id[:8]}…"])
    visit.page.get_by_role("button", name="Restore all").click()
    visit.generate("14")
    expect(visit.completed.locator("b")).to_have_text(["Seed 14"])
    assert read(_file(visit)).parent == following.content_id
    # … or a look is chosen.
    _chip(visit, PRESETS[1].name).check()
    expect(visit.field("prompt")).to_have_value(PRESETS[1].prompt)
    visit.generate("13")
    expect(visit.completed.locator("b")).to_have_text(["Seed 13"])
    assert read(_file(visit)).parent == ""


def test_a_baseline_stays_beside_what_follows_until_it_is_let_go(visit: Visit) -> None:
    visit.take_example()
    visit.generate("1, 2")
    visit.until_done(2)
    visit.page.locator("a.frame").nth(1).click()
    _viewer(visit).get_by_role("button", name="Pin as baseline").click()
    expect(visit.page.locator(".shot.baseline")).to_have_count(1)
    visit.page.keyboard.press("Escape")
    visit.generate("7-9")
    expect(visit.page.locator(".status.done")).to_be_visible()
    expect(visit.completed).to_have_count(4)
    assert _labels(visit) == ["Seed 2", "Seed 7", "Seed 8", "Seed 9"]
    expect(visit.completed.first.locator(".badge")).to_have_text("Baseline")
    visit.completed.first.locator("a.frame").click()
    _viewer(visit).get_by_role("button", name="Unpin").click()
    visit.page.keyboard.press("Escape")
    expect(visit.completed).to_have_count(3)


def test_two_picked_headshots_lie_under_a_slider_that_the_mouse_drags(visit: Visit) -> None:
    visit.take_example()
    visit.generate("1, 2")
    visit.until_done(2)
    for pick in visit.page.locator(".pick").all():
        pick.click()
    visit.page.locator(".picked-bar").get_by_role("button", name="Compare", exact=True).click()
    viewer = _viewer(visit)
    expect(viewer.locator("h2")).to_contain_text("Seed 1 and Seed 2")
    slider = viewer.get_by_role("slider")
    expect(slider).to_be_enabled()
    (box,) = boxes(slider)
    middle = box["y"] + box["height"] / 2
    visit.page.mouse.move(box["x"] + box["width"] / 2, middle)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=5)
    visit.page.mouse.up()
    assert float(slider.input_value()) == pytest.approx(90, abs=4)


def test_a_headshot_is_compared_with_the_photo_laid_over_its_frame(visit: Visit) -> None:
    visit.take_example()
    visit.generate("1")
    visit.until_done(1)
    visit.page.locator(".pick").click()
    visit.page.locator(".picked-bar").get_by_role("button", name="Compare with the original").click()
    viewer = _viewer(visit)
    expect(viewer.locator("h2")).to_contain_text("Original and Seed 1")
    left = viewer.locator(".side.left img")
    expect(left).to_have_attribute("src", re.compile("original.jpg"))
    visit.page.wait_for_function("document.querySelector('.viewer .left img').naturalWidth > 0")
    size = left.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert tuple(size) == SIZE
    slider = viewer.get_by_role("slider")
    expect(slider).to_be_enabled()
    slider.press("End")
    expect(slider).to_have_value("100")


def test_the_contact_sheet_and_the_zip_hold_the_comparison(visit: Visit) -> None:
    visit.take_example()
    visit.generate("1-3")
    visit.until_done(3)
    with visit.page.expect_download() as downloading:
        visit.page.get_by_role("link", name="Contact sheet").click()
    assert downloading.value.suggested_filename == "contact-sheet.png"
    sheet_file = downloaded(downloading.value)
    sheet = Image.open(io.BytesIO(sheet_file))
    assert sheet.format == "PNG"
    assert sheet.width > 3 * SIZE[0]
    with visit.page.expect_download() as downloading:
        visit.page.get_by_role("link", name="ZIP").click()
    assert downloading.value.suggested_filename == "headshots.zip"
    with zipfile.ZipFile(io.BytesIO(downloaded(downloading.value))) as files:
        assert files.testzip() is None
        pictures = [f"headshot-stub-seed-{seed}-guidance-7.5-steps-21.png" for seed in (1, 2, 3)]
        assert sorted(files.namelist()) == sorted([*pictures, "contact-sheet.png", "headshots.csv", "headshots.json"])
        listed = json.loads(files.read("headshots.json"))
        assert [shot["request"]["seed"] for shot in listed] == [1, 2, 3]
        assert listed[0]["notes"][1] == {"kind": "applied", "text": "soft <b>loop</b> light"}
        for shot, link in zip(listed, visit.page.locator("a.download").all(), strict=True):
            address = visit.address + str(link.get_attribute("href"))
            assert files.read(shot["file"]) == visit.context.request.get(address).body()
        assert files.read("contact-sheet.png") == sheet_file


def test_the_details_are_the_exact_request(visit: Visit, backend: StubBackend) -> None:
    visit.take_example()
    visit.field("prompt").fill("navy backdrop, \"quoted\" & <b>bold</b> 'light'")
    visit.generate("42")
    visit.until_done(1)
    visit.page.locator("a.frame").click()
    viewer = _viewer(visit)
    viewer.get_by_role("tab", name="Request").click()
    listed = json.loads(viewer.get_by_role("tabpanel").locator("pre").inner_text())
    assert listed == backend.asked[0].model_dump()
    viewer.get_by_role("tab", name="cURL").click()
    curl = viewer.get_by_role("tabpanel").locator("pre").inner_text()
    assert "image_editing/head_shot" in curl
    assert "MODELSLAB_API_KEY" in curl


def test_delete_my_pictures_leaves_nothing_on_the_page_in_memory_or_on_the_disk(
    visit: Visit, site: server.Site, backend: StubBackend, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.png"  # no visitor before had it, so that only this one can make the backend forget it
    ImageOps.mirror(Image.fromarray(portraits.photograph("portrait"))).save(mine)
    visit.put_in(mine)
    expect(visit.verdict.locator(".good").first).to_be_visible()
    visit.generate("1, 2")
    visit.until_done(2)
    visit.page.locator("a.frame").first.click()
    _viewer(visit).get_by_role("button", name="Pin as baseline").click()
    visit.page.keyboard.press("Escape")
    address = visit.address + str(visit.page.locator("a.download").first.get_attribute("href"))
    sheet = visit.address + str(visit.page.get_by_role("link", name="Contact sheet").get_attribute("href"))
    assert visit.context.request.get(address).status == 200
    visit.page.locator("#delete").click()
    visit.page.locator("#delete-no").click()
    expect(visit.page.locator("#delete")).to_be_focused()
    expect(visit.completed).to_have_count(2)
    visit.delete_my_pictures()
    expect(visit.status).to_have_text("Your photo and headshots were deleted.")
    expect(visit.completed).to_have_count(0)
    expect(visit.page.locator("#example")).to_be_visible()
    expect(visit.page.locator("#photo img")).to_have_count(0)
    assert visit.context.request.get(address).status == 404
    assert visit.context.request.get(sheet).status == 404
    assert backend.forgotten.count(Photo.open(mine).sha256) == 1
    assert [path for path in files_in(ui.CACHE) if path.name != folder.LOCK] == []
    visit.generate()
    expect(visit.page.locator(".status.error")).to_contain_text("Add a photo first")
    visit.take_example()
    visit.generate("3")
    visit.until_done(1)


def test_a_double_click_on_stop_stops_once_and_for_all(visit: Visit, backend: StubBackend) -> None:
    backend.hold()
    visit.take_example()
    visit.generate("1-6")
    backend.let_complete()
    expect(visit.completed).to_have_count(1)
    visit.page.locator("#stop").dblclick()
    expect(visit.status).to_have_text("Stopped: 1 of 6")
    visit.page.wait_for_timeout(500)
    expect(visit.status).to_have_text("Stopped: 1 of 6")
    expect(visit.waiting).to_have_count(0)


def test_sheet_and_zip_of_what_has_completed_can_be_had_while_more_is_made(visit: Visit, backend: StubBackend) -> None:
    backend.hold()
    visit.take_example()
    visit.generate("1-8")
    backend.let_complete()
    expect(visit.completed).to_have_count(1)
    links = [visit.page.get_by_role("link", name=name).get_attribute("href") for name in ("Contact sheet", "ZIP")]
    for _ in range(7):
        backend.let_complete()
        answers = [visit.context.request.get(f"{visit.address}{link}") for link in links]
        assert [answer.status for answer in answers] == [200, 200]
        with zipfile.ZipFile(io.BytesIO(answers[1].body())) as files:
            listed = [shot["file"] for shot in json.loads(files.read("headshots.json"))]
            assert sorted([*listed, "contact-sheet.png", "headshots.csv", "headshots.json"]) == sorted(files.namelist())
    visit.until_done(8)


def test_delete_my_pictures_stops_what_runs(visit: Visit, backend: StubBackend) -> None:
    backend.hold()
    visit.take_example()
    visit.generate()
    backend.let_complete(2)
    expect(visit.completed).to_have_count(2)
    backend.until_asked(3)
    visit.delete_my_pictures()
    expect(visit.status).to_have_text("Your photo and headshots were deleted.")
    assert backend.stopped.wait(30)
    expect(visit.completed).to_have_count(0)
    expect(visit.page.locator("#generate")).to_be_visible()


def test_after_their_time_pictures_are_gone_and_the_page_says_so(browser: Browser, backend: StubBackend) -> None:
    backend.reset()
    with serving({backend.name: backend}, keep_seconds=4) as site, visiting(browser, site.address) as visit:
        visit.take_example()
        visit.generate("1")
        visit.until_done(1)
        address = visit.address + str(visit.page.locator("a.download").get_attribute("href"))
        for _ in range(100):
            with Store.open(Settings().data_dir) as store:  # as the server does it every minute
                store.history.expire(datetime.now(UTC))
            if visit.context.request.get(address).status == 404:
                break
            visit.page.wait_for_timeout(200)
        visit.page.locator("a.frame").click()
        expect(_viewer(visit)).to_contain_text("no longer here")
        visit.page.keyboard.press("Escape")
        for _ in range(100):
            visit.generate()
            expect(visit.page.locator(".status.error, .status.done")).to_be_visible()
            if visit.page.locator(".status.error").count():
                break
            visit.page.wait_for_timeout(200)
        expect(visit.page.locator(".status.error")).to_contain_text("Your photo was deleted after")
        assert all("404" in said for said in visit.complaints)
        visit.complaints.clear()


def test_who_comes_when_all_places_are_taken_sees_how_many_are_before(
    browser: Browser, site: server.Site, backend: StubBackend
) -> None:
    backend.reset()
    backend.hold()
    with (
        visiting(browser, site.address) as first,
        visiting(browser, site.address) as second,
        visiting(browser, site.address) as third,
    ):
        for visit in (first, second):
            visit.take_example()
            visit.generate("1")
            expect(visit.status).to_contain_text("Lighting…")
        third.take_example()
        third.generate("1")
        expect(third.status).to_contain_text("you are next")
        third.page.locator("#stop").click()
        expect(third.status).to_have_text("Stopped: 0 of 1")
        third.generate("1")
        expect(third.status).to_contain_text("you are next")
        backend.let_complete(3)
        for visit in (first, second, third):
            visit.until_done(1)


def test_another_visitor_cannot_make_files_of_somebodys_comparison(
    visit: Visit, browser: Browser, site: server.Site
) -> None:
    visit.take_example()
    visit.generate("1")
    visit.until_done(1)
    own = str(visit.page.get_by_role("link", name="ZIP").get_attribute("href"))
    with visiting(browser, site.address) as other:
        other.take_example()
        other.generate("1")
        other.until_done(1)
        others = str(other.page.get_by_role("link", name="ZIP").get_attribute("href"))
        _, name, _, _ = others.split("/")
        _, _, job, file = own.split("/")
        assert other.context.request.get(f"{other.address}headshots/{name}/{job}/{file}").status == 404
    assert io.BytesIO(visit.context.request.get(visit.address + own).body()).read(2) == b"PK"
