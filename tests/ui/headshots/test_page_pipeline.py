"""The local pipeline on the page: tiny models of random weights, loaded by the product's own loader, in a browser."""

import io
import json
import re
from collections.abc import Iterator

import pytest
import tiny
from opening import Gate, opened
from page import Visit, serving, visiting
from PIL import Image
from playwright.sync_api import Browser, expect

from headshot.pipeline.backend import Pipeline
from headshot.pipeline.loading import Loaded
from headshot.settings import Settings
from headshot.web import server

pytestmark = pytest.mark.browser
LOADED_WITHIN_MS = 60_000  # torch and diffusers are imported first
STEP = 2  # passes: with the prompt, and with what to avoid


@pytest.fixture(scope="module")
def the_gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def site(the_gate: Gate) -> Iterator[server.Site]:
    def through_the_gate(loaded: Loaded) -> None:
        loaded.pipe.transformer.register_forward_pre_hook(the_gate.before)

    settings = Settings(pipeline=str(tiny.folder("flux2-klein")), pipeline_device="cpu", pipeline_compile=False)
    backend = Pipeline(settings, spec=tiny.tiny_spec("flux2-klein"))
    with (
        pytest.MonkeyPatch.context() as patch,
        opened(patch, through_the_gate),
        serving({"local": backend}) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def window(browser: Browser, site: server.Site) -> Iterator[Visit]:
    with visiting(browser, site.address) as window:
        yield window


@pytest.fixture
def visit(window: Visit) -> Visit:
    window.become_somebody_else()
    window.again()
    return window


@pytest.fixture
def gate(the_gate: Gate) -> Iterator[Gate]:
    yield the_gate
    the_gate.open()


def test_four_seeds_show_what_they_are_becoming_and_land_with_all_that_repeats_them(visit: Visit, gate: Gate) -> None:
    gate.hold(after=STEP)
    visit.take_example()
    visit.generate("1-4")
    preview = visit.page.locator(".shot.waiting img.preview").first
    expect(preview).to_be_visible(timeout=LOADED_WITHIN_MS)
    assert preview.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    expect(visit.page.locator(".shot.waiting").first).to_contain_text(" of 21")
    gate.open()
    visit.until_done(4)
    expect(visit.page.locator(".shot .label b")).to_have_text([f"Seed {seed}" for seed in range(1, 5)])
    href = str(visit.page.locator("a.download").first.get_attribute("href"))
    file = visit.context.request.get(visit.address + href).body()
    with Image.open(io.BytesIO(file)) as image:
        assert image.size == (1024, 1280)
        metadata = json.loads(image.text["headshot"])  # type: ignore[attr-defined]
    assert metadata["request"]["seed"] == 1
    assert metadata["made_by"]["bucket"] == 4
    assert metadata["made_by"]["device"] == "the processor"


def test_stop_ends_it_between_two_steps_and_the_next_comparison_runs(visit: Visit, gate: Gate) -> None:
    before = gate.passes
    gate.hold(after=STEP)
    visit.take_example()
    visit.generate("5-8")
    expect(visit.page.locator(".shot.waiting img.preview").first).to_be_visible(timeout=LOADED_WITHIN_MS)
    visit.page.locator("#stop").click()
    expect(visit.page.locator(".status.stopped")).to_have_text(re.compile("^Stopped: 0 of 4"))
    expect(visit.waiting).to_have_count(0)
    gate.open()
    visit.generate("9")
    visit.until_done(1)
    assert gate.passes - before == STEP + STEP + 21 * STEP  # the step that was under way is taken to its end
