"""The Team tab: many photos in, everyone in one look out, and nobody else sees them."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import bad_photos
import pytest
from page import Visit, uploads, visiting
from paths import ASTRONAUT, PORTRAIT
from PIL import Image
from playwright.sync_api import Browser, Locator, expect
from stub import STAGES, StubBackend

from headshot.cookies import PAGE_COOKIE, owner_of
from headshot.errors import Refused, Unavailable
from headshot.imaging.photo import Photo
from headshot.settings import Settings
from headshot.storage import Store
from headshot.web import server

pytestmark = pytest.mark.browser


@pytest.fixture
def team(visit: Visit, backend: StubBackend) -> Iterator[Visit]:
    visit.page.get_by_role("tab", name="Team").click()
    expect(visit.page.locator("#team-words b")).to_be_visible()
    yield visit
    backend.survives_disconnect = False


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    two = [folder / "Zoë Müller.jpg", folder / "王小明.png"]
    for path, photo in zip(two, (PORTRAIT, ASTRONAUT), strict=True):
        path.write_bytes(photo.read_bytes())
    return two


def add_photos(visit: Visit, photos: list[Path], count: int = 0) -> None:
    visit.page.locator("#team-files input[type=file]").set_input_files(photos)
    expect(people(visit)).to_have_count(count or len(photos))
    expect(status(visit)).to_contain_text("ready")


def people(visit: Visit) -> Locator:
    return visit.page.locator("#team .person, #team .completed")


def completed(visit: Visit) -> Locator:
    return visit.page.locator("#team .shot.completed")


def status(visit: Visit) -> Locator:
    return visit.page.locator("#team-status")


def make(visit: Visit) -> None:
    visit.page.locator("#team-make").click()


def done(visit: Visit, count: int) -> None:
    expect(status(visit).locator(".done")).to_be_visible()
    expect(completed(visit)).to_have_count(count)


def address(visit: Visit, name: str) -> str:
    return visit.address + str(visit.page.locator(f"#team .files a[download='{name}']").get_attribute("href"))


def test_everyone_gets_a_headshot_under_their_name_and_a_refused_photo_delays_nobody(
    team: Visit, backend: StubBackend, photos: list[Path], tmp_path: Path
) -> None:
    expect(team.page.locator("#team-words")).to_have_text("Corporate · guidance 7.5 · 21 steps · seed 1 · Stub")
    no_face, broken = bad_photos.landscape(tmp_path), bad_photos.truncated(tmp_path)
    add_photos(team, [photos[0], no_face, photos[1], broken], 4)
    assert uploads() == []  # those that were refused, too
    expect(status(team)).to_have_text("2 photos ready; 2 photos can’t be used, see their cards.")
    expect(team.page.locator("#team-plan")).to_have_text("2 headshots, about 1 s")
    make(team)
    done(team, 2)
    assert [card.evaluate("card => card.shot.label") for card in completed(team).all()] == [
        "Zoë Müller",
        "王小明",
    ]
    expect(team.page.locator("#team .refused .why").first).to_contain_text("No face was found")
    assert len({request.model_dump_json() for request in backend.asked}) == 1 and backend.asked[0].seed == 1
    assert set(backend.forgotten) == {Photo.open(photo).sha256 for photo in photos}
    team.inspect("the team", "#team-page")
    with team.page.expect_download() as saved:
        completed(team).last.locator(".download").click()
    assert saved.value.suggested_filename == "王小明.png"

    packed = zipfile.ZipFile(io.BytesIO(team.context.request.get(address(team, "team.zip")).body()))
    assert {"Zoë Müller.png", "王小明.png"} < set(packed.namelist()) and len(packed.namelist()) == 4
    assert Image.open(io.BytesIO(packed.read("王小明.png"))).text["parameters"]  # type: ignore[attr-defined]
    sheet = Image.open(io.BytesIO(team.context.request.get(address(team, "team.png")).body()))
    assert sheet.width > 1000
    assert team.context.request.get(address(team, "team.pdf")).body().startswith(b"%PDF")
    rows = list(
        csv.DictReader(io.StringIO(team.context.request.get(address(team, "team.csv")).body().decode("utf-8-sig")))
    )
    assert [(row["photo"], row["file"], bool(row["error"])) for row in rows] == [
        ("Zoë Müller", "Zoë Müller.png", False),
        ("王小明", "王小明.png", False),
        (no_face.stem, "", True),
        (broken.stem, "", True),
    ]


def test_photos_are_removed_as_quickly_as_somebody_clicks(team: Visit, photos: list[Path]) -> None:
    add_photos(team, photos)
    with team.slow_call('"event_data":{"id"'):
        people(team).first.locator(".remove").click()
        people(team).last.locator(".remove").click()
        expect(people(team)).to_have_count(1)
    expect(people(team)).to_have_count(0)


def test_stop_keeps_what_is_there_and_the_rest_is_made_later_in_the_same_look(
    team: Visit, backend: StubBackend, photos: list[Path]
) -> None:
    add_photos(team, photos)
    backend.hold()
    make(team)
    expect(status(team).locator(".stage")).to_have_text("1 of 2: Zoë Müller")
    backend.let_complete()
    expect(completed(team)).to_have_count(1)
    expect(status(team).locator(".stage")).to_have_text("2 of 2: 王小明")
    first = completed(team).get_attribute("id")
    backend.until_asked(2)
    team.page.locator("#team-stop").click()
    expect(status(team)).to_have_text("Stopped: 1 of 2")
    assert backend.stopped.wait(30)
    expect(team.page.locator("#team-plan")).to_have_text("1 headshot, about 1 s; the others have one in this look")
    before = address(team, "team.zip")
    backend.reset()
    make(team)
    done(team, 2)
    assert completed(team).first.get_attribute("id") == first
    assert len(backend.asked) == 1
    assert address(team, "team.zip") == before
    make(team)
    expect(status(team)).to_contain_text("Everyone has a headshot in this look")


def test_a_saved_look_is_for_everybody_whatever_the_form_says(
    team: Visit, backend: StubBackend, photos: list[Path]
) -> None:
    cookie = next(each["value"] for each in team.context.cookies() if each["name"] == PAGE_COOKIE)
    look = {
        "prompt": "navy",
        "negative_prompt": "",
        "num_inference_steps": 41,
        "guidance_scale": 3.0,
        "backend": "stub",
    }
    with Store.open(Settings().data_dir) as store:
        store.history.save_look(owner_of({PAGE_COOKIE: str(cookie)}), "Board <b>2026</b>", look)
    team.page.get_by_role("tab", name="Headshots").click()
    team.field("seeds").fill("77, 78")
    team.page.get_by_role("tab", name="Team").click()
    add_photos(team, photos)
    team.page.locator("#team-look input").click()
    team.page.get_by_role("option", name="Board <b>2026</b>").click()
    expect(team.page.locator("#team-words")).to_have_text("Board <b>2026</b> · guidance 3 · 41 steps · seed 77 · Stub")
    make(team)
    done(team, 2)
    assert {(each.prompt, each.num_inference_steps, each.guidance_scale, each.seed) for each in backend.asked} == {
        ("navy", 41, 3.0, 77)
    }


def test_a_paid_run_asks_first(team: Visit, backend: StubBackend, photos: list[Path]) -> None:
    backend.survives_disconnect = True
    add_photos(team, photos)
    make(team)
    expect(team.page.locator("#team-question")).to_contain_text("Generate 2 paid headshots with Stub?")
    assert backend.asked == []
    team.page.locator("#team-no").click()
    expect(team.page.locator("#team-confirm")).to_be_hidden()
    make(team)
    team.page.locator("#team-yes").click()
    done(team, 2)


def test_a_refusal_concerns_one_person_and_an_unavailable_backend_ends_the_run(
    team: Visit, backend: StubBackend, photos: list[Path]
) -> None:
    add_photos(team, photos)
    backend.fail(Refused("stub", "This photo was declined."))
    make(team)
    expect(team.page.locator("#team .why")).to_have_text(["This photo was declined."] * 2)
    backend.fail(Unavailable("stub", "The backend is away."))
    make(team)
    expect(status(team)).to_have_text("The backend is away.")
    assert len(backend.asked) == 3  # the second person's was not tried again
    backend.reset()
    make(team)
    done(team, 2)


def test_another_visitor_sees_none_of_it_and_delete_empties_it(
    browser: Browser, site: server.Site, team: Visit, backend: StubBackend, photos: list[Path]
) -> None:
    add_photos(team, photos)
    backend.hold()
    make(team)
    backend.let_complete()
    expect(completed(team)).to_have_count(1)
    backend.until_asked(2)
    ours = address(team, "team.zip")
    group = ours.split("/")[-2]
    with visiting(browser, site.address) as other:
        other.page.get_by_role("tab", name="Team").click()
        expect(other.page.locator("#team-words b")).to_be_visible()
        expect(people(other)).to_have_count(0)
        add_photos(other, photos[:1])
        theirs = str(people(other).locator("img").get_attribute("src")).split("/")[1]
        assert other.context.request.get(f"{other.address}headshots/{theirs}/{group}/team.zip").status == 404
    assert team.context.request.get(ours).status == 200
    picture = team.address + str(completed(team).locator("a.frame").get_attribute("href"))
    backend.stopped.clear()
    team.page.get_by_role("tab", name="Headshots").click()
    team.delete_my_pictures()
    expect(team.status).to_have_text("Your photo and headshots were deleted.")
    assert backend.stopped.wait(30)
    team.page.get_by_role("tab", name="Team").click()
    expect(people(team)).to_have_count(0)
    for gone in (ours, picture):
        assert team.context.request.get(gone).status == 404


def test_a_closed_page_stops_the_run(team: Visit, backend: StubBackend, photos: list[Path]) -> None:
    add_photos(team, photos)
    backend.hold()
    make(team)
    expect(status(team).locator(".count")).to_have_text(STAGES[-1])  # it is at work
    team.page.goto("about:blank")
    assert backend.stopped.wait(30)
    team.page.wait_for_timeout(300)
    assert len(backend.asked) == 1
    team.complaints.clear()  # the page that was left, of the connection that it lost


def test_somebody_is_removed_and_a_new_team_begins_with_nobody(team: Visit, photos: list[Path], tmp_path: Path) -> None:
    namesake = tmp_path / "zoë müller.png"
    namesake.write_bytes(ASTRONAUT.read_bytes())
    add_photos(team, [*photos, namesake])
    expect(team.page.locator("#team .label b")).to_have_text(["Zoë Müller", "王小明", "zoë müller 2"])
    face = team.address + unquote(str(people(team).first.locator("img").get_attribute("src")))
    assert team.context.request.get(face).status == 200
    team.page.get_by_role("button", name="Remove Zoë Müller", exact=True).click()
    expect(team.page.locator("#team .label b")).to_have_text(["王小明", "zoë müller"])
    assert team.context.request.get(face).status == 404
    team.page.locator("#team-over").click()
    expect(people(team)).to_have_count(0)
    make(team)
    expect(status(team)).to_have_text("Add your team’s photos first.")


def test_a_photo_too_large_or_one_too_many_is_left_out_and_the_others_are_accepted(team: Visit) -> None:
    made = """([bytes, count]) => {
      const passed = new DataTransfer();
      passed.items.add(new File([new Uint8Array(bytes)], "Large.jpg", {type: "image/jpeg"}));
      for (let n = 1; n < count; n++) passed.items.add(new File(["no picture " + n], `Person ${n}.HEIC`));
      return passed;
    }"""
    dropped = team.page.evaluate_handle(made, [10 * 2**20 + 1, 49])
    team.page.locator("#team-files button").dispatch_event("drop", {"dataTransfer": dropped})
    sentence = "A team has at most 48 people. 1 person was left out."
    expect(status(team)).to_have_text(sentence)
    expect(people(team)).to_have_count(48)
    expect(people(team).first).to_contain_text("Large")
    expect(people(team).first).to_contain_text("This file is larger than 10 MB. Export a smaller one.")
    expect(people(team).last).to_contain_text("Person 47")
    assert uploads() == []
    make(team)
    expect(status(team)).to_have_text("None of these photos can be used; see their cards.")
