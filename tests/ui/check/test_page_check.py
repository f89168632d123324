"""The tab that checks a file: what it reports of any picture, and what it restores into the form."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bad_photos
import gradio as gr
import pytest
from page import Visit, free_port, uploads, visiting
from playwright.sync_api import Browser, Route, expect
from stub import StubBackend, made

from headshot import ui
from headshot.imaging.photo import Photo
from headshot.metadata import content_id_of, convert, embed_metadata, stripped_copy
from headshot.metadata.png import with_texts
from headshot.metadata.signing import C2paSigner
from headshot.request import HeadshotRequest
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings
from headshot.ui.check.tab import CheckPart
from headshot.ui.headshots.form import Form
from headshot.ui.headshots.photo import EXAMPLE, PhotoPart
from headshot.ui.theme import STYLESHEETS, swatches, theme
from headshot.web.middleware import middleware_of

pytestmark = pytest.mark.browser

REQUEST = HeadshotRequest(
    prompt="navy backdrop <b>bold</b><img src=x onerror=alert(1)>",
    negative_prompt="hat",
    num_inference_steps=31,
    guidance_scale=12,
    seed=77,
)


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> C2paSigner:
    return C2paSigner.self_signed(tmp_path_factory.mktemp("seal"))


@pytest.fixture(scope="module")
def address(seal: C2paSigner) -> Iterator[str]:
    """The tab beside the form, and nothing else of the page."""
    backend = StubBackend()
    settings = Settings(open_browser=False)
    sessions = SessionRegistry(Path(tempfile.mkdtemp(prefix="visitors-", dir=ui.CACHE)), 3600, 20, backends=[backend])
    with gr.Blocks(analytics_enabled=False) as page:
        form = Form(settings, {backend.name: backend}, sessions)
        with gr.Tabs() as tabs:
            with gr.Tab("Headshots", id="headshots"), gr.Column(elem_id="form"):
                photo = PhotoPart(sessions, ui.CACHE)
                form.look()
                form.axis()
                form.estimate()
                gr.Button("Generate", elem_id="generate")
                form.fine_tuning()
            with gr.Tab("Check a file", id="check") as tab:
                check = CheckPart(sessions, HistoryRecorder.of(settings), ui.CACHE, chain=lambda: seal.chain)
                check.build()
        form.wire(photo, gr.HTML())
        check.wire(form, tab=tab, tabs=tabs, home="headshots")
    css = "\n".join([*(sheet.read_text() for sheet in STYLESHEETS), swatches()])
    _, address, _ = page.launch(
        prevent_thread_lock=True,
        quiet=True,
        server_port=free_port(),
        theme=theme(),
        css=css,
        footer_links=[],
        app_kwargs={"middleware": middleware_of(sessions)},
    )
    yield address
    page.close(verbose=False)
    sessions.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, address: str) -> Iterator[Visit]:
    with visiting(browser, address) as visit:
        yield visit


@pytest.fixture
def visit(shared: Visit) -> Visit:
    shared.again()
    shared.page.get_by_role("tab", name="Check a file").click()
    return shared


def ours(request: HeadshotRequest = REQUEST, photo: Path = EXAMPLE, parent: str = "") -> bytes:
    opened = Photo.open(photo)
    return embed_metadata(made(opened, request, "studio"), photo_sha256=opened.sha256, parent=parent).png


def drop(visit: Visit, data: bytes, name: str = "picture.png") -> None:
    file = {"name": name, "mimeType": "image/png", "buffer": data}
    visit.page.locator("#check-file input[type=file]").set_input_files(files=[file])  # type: ignore[list-item]


def test_a_headshot_of_ours_tells_everything_and_stays_nowhere(visit: Visit, seal: C2paSigner) -> None:
    drop(visit, seal.sign(ours(), "png"))
    report = visit.page.locator("#report")
    expect(report.locator("h2")).to_have_text("Headshot Playground 0.1.0")
    expect(report.locator(".seal.good")).to_contain_text("this server’s certificate, and not changed since")
    expect(report.locator("blockquote").first).to_have_text(REQUEST.prompt)  # as text, whatever it looks like
    assert report.locator("blockquote b, blockquote img").count() == 0
    for words in ("77", "31", "12", "made by the studio", "Composite", "our own record, parameters, XMP"):
        expect(report).to_contain_text(words)
    report.locator("summary", has_text="Notes").click()
    expect(report).to_contain_text("soft <b>loop</b> light")
    expect(visit.page.locator("#checked-picture img")).to_have_js_property("naturalWidth", 256)
    assert uploads() == []
    visit.inspect("the tab with a report", "#check-page")


def test_each_way_to_restore_takes_that_and_nothing_else(visit: Visit) -> None:
    drop(visit, ours())
    against = visit.page.locator("#against")
    rows = against.locator("tbody tr")
    expect(rows).to_have_count(5)
    assert [row.inner_text().split("\t") for row in rows.all()][1:] == [
        ["Negative prompt", "blurry, oversaturated, plastic skin", "hat"],
        ["Steps", "21", "31"],
        ["Guidance", "7.5", "12"],
        ["Seed", "1, 2, 3, 4", "77"],
    ]
    visit.page.get_by_role("button", name="Seed only").click()
    expect(visit.field("seeds")).to_have_value("77")
    expect(visit.page.locator("#generate")).to_be_visible()  # the form is shown
    expect(visit.field("negative-prompt")).to_have_value(HeadshotRequest().negative_prompt)
    visit.field("seeds").fill("5, 6")
    visit.page.get_by_role("tab", name="Check a file").click()
    expect(rows.last).to_contain_text("5, 6")  # the form as it is now
    visit.page.get_by_role("button", name="All but the seed").click()
    expect(visit.field("prompt")).to_have_value(REQUEST.prompt)
    expect(visit.field("negative-prompt")).to_have_value("hat")
    expect(visit.field("seeds")).to_have_value("5, 6")
    visit.page.get_by_role("tab", name="Check a file").click()
    expect(rows).to_have_count(1)
    visit.page.get_by_role("button", name="Restore all").click()
    expect(visit.field("seeds")).to_have_value("77")
    visit.page.get_by_role("tab", name="Check a file").click()
    expect(against).to_contain_text("No difference.")


def test_it_says_whether_the_photo_is_the_one(visit: Visit, tmp_path: Path) -> None:
    drop(visit, ours())
    against, home = visit.page.locator("#against"), visit.page.get_by_role("tab", name="Headshots")
    expect(against).to_contain_text("from a photo that is not loaded")
    home.click()
    visit.take_example()
    visit.page.get_by_role("tab", name="Check a file").click()
    expect(against.locator(".seal.good")).to_have_text("Made from this photo.")
    drop(visit, ours(photo=bad_photos.landscape(tmp_path)))
    expect(against).to_contain_text("Made from another photo. Choose that photo to get the same picture.")


def test_two_pictures_are_matched_by_the_content_id_that_both_show(visit: Visit) -> None:
    report = visit.page.locator("#report")
    before = ours()
    drop(visit, before)
    shown = f"{content_id_of(before)[:8]}…"
    expect(
        report.locator("dl > div", has=report.page.get_by_text("Content ID", exact=True)).locator("dd")
    ).to_have_text(shown)
    expect(report.locator(".after")).to_have_count(0)
    drop(visit, convert(ours(parent=content_id_of(before)), "webp"), "after.webp")
    expect(report.locator(".after")).to_have_text(f"Based on the picture with content ID {shown}.")
    visit.inspect("a picture that was made after another", "#check-page")


def test_a_changed_and_an_unsigned_file_are_told_apart(visit: Visit, seal: C2paSigner) -> None:
    seal_words = visit.page.locator("#report .seal")
    changed = bytearray(seal.sign(convert(ours(), "jpeg"), "jpeg"))
    changed[-50] ^= 1
    drop(visit, bytes(changed), "picture.jpg")
    expect(seal_words).to_contain_text("Changed after")
    drop(visit, ours())
    expect(seal_words).to_contain_text("No Content Credentials")


def test_a_file_that_cannot_be_read_is_answered_with_a_sentence_and_the_next_one_is_read(visit: Visit) -> None:
    report = visit.page.locator("#report")
    drop(visit, ours())
    expect(visit.page.locator("#restore")).to_be_visible()
    for data, name, words in (
        (ours()[:-40], "cut.png", "cut short"),
        (b"Dear diary, today I dropped a text file.", "notes.txt", "Only PNG, JPEG and WebP"),
        (with_texts(ours(), {"XML:com.adobe.xmp": "<!DOCTYPE x><x/>"}), "bomb.png", "declares a document type"),
        (with_texts(stripped_copy(ours(), "png"), {"headshot": "[" * 99_999}), "deep.png", "nested too deep"),
    ):
        drop(visit, data, name)
        expect(report.locator(".refused")).to_contain_text(words)
        expect(visit.page.locator("#restore")).to_be_hidden()
        expect(visit.page.locator("#checked-picture img")).to_have_count(0)
    drop(visit, stripped_copy(ours(), "webp"), "clean.webp")
    expect(report.locator("h2")).to_have_text("Headshot Playground")
    expect(report).to_contain_text("Composite")
    expect(visit.page.locator("#restore")).to_be_hidden()
    assert uploads() == []


def test_what_the_file_does_not_tell_cannot_be_restored(visit: Visit) -> None:
    drop(visit, with_texts(stripped_copy(ours(), "png"), {"parameters": "a hat\nSteps: 30, CFG scale: 7, Seed: -1"}))
    expect(visit.page.get_by_role("button", name="Seed only")).to_be_disabled()
    expect(visit.page.get_by_role("button", name="Restore all")).to_be_enabled()
    expect(visit.page.locator("#report .remark")).to_contain_text("30 steps become 31")
    expect(visit.page.locator("#against tbody")).not_to_contain_text("Seed")


def test_only_an_upload_can_be_named(visit: Visit, address: str) -> None:
    """Whoever writes the page's calls by hand reads no file of the server's, nor deletes one."""
    foreign = Path(tempfile.mkdtemp(dir=ui.CACHE, prefix="visitors-")) / "corner" / "headshot.png"
    foreign.parent.mkdir()
    foreign.write_bytes(ours())

    def name_it(route: Route) -> None:
        route.continue_(post_data=_naming(route.request.post_data or "", foreign))

    visit.page.route("**/queue/join*", name_it)
    try:
        drop(visit, ours())
        expect(visit.page.locator("#report .refused")).to_contain_text("The upload failed")
        assert foreign.exists()
    finally:
        visit.page.unroute("**/queue/join*")


def _naming(body: str, path: Path) -> str:
    """The page's call with another file's path in it."""
    call = json.loads(body)
    for value in call["data"]:
        if isinstance(value, dict) and "path" in value:
            value["path"] = str(path)
    return json.dumps(call)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_everybody_can_use_it(browser: Browser, address: str, seal: C2paSigner, width: int, scheme: str) -> None:
    with visiting(browser, address, width=width, scheme=scheme) as visit:
        visit.page.get_by_role("tab", name="Check a file").click()
        visit.inspect("the empty tab", "#check-page")
        drop(visit, seal.sign(ours(HeadshotRequest(prompt="word" * 400, seed=1)), "png"))
        expect(visit.page.locator("#against table")).to_be_visible()
        visit.inspect("a report", "#check-page")
