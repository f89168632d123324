"""The blind vote as its owner sees it: begun, shared, ranked, exported and closed."""

import csv
import io
import os
import zipfile
from pathlib import Path

import pytest
from page import Visit, visiting
from PIL import Image
from playwright.sync_api import Browser, expect

from headshot.storage import Store, hash_token
from headshot.web import server

pytestmark = pytest.mark.browser


def _begin(visit: Visit) -> str:
    visit.take_example()
    visit.generate("1-3")
    visit.until_done(3)
    visit.page.get_by_role("button", name="Blind vote").click()
    visit.page.get_by_role("button", name="Start a blind vote").click()
    section = visit.page.locator("#votes .vote")
    expect(section).to_contain_text("0 votes by 0 people")
    return str(section.get_attribute("data-code"))


def _cast(code: str) -> None:
    """Twelve voters, who all like the second seed best."""
    with Store.open(Path(os.environ["HEADSHOT_DATA_DIR"])) as store:
        vote = store.history.vote(code)
        assert vote is not None
        first, second, third = vote.shots
        for voter in map(hash_token, "abcdefghijkl"):
            assert store.history.cast(code, voter, second, first, "left")
            assert store.history.cast(code, voter, third, second, "right")
            assert store.history.cast(code, voter, first, third, "tie")


def test_a_vote_becomes_a_ranking_with_its_uncertainty_and_goes_with_the_files(visit: Visit) -> None:
    code = _begin(visit)
    _cast(code)
    visit.page.get_by_role("button", name="Refresh").click()
    expect(visit.page.locator("#votes .count")).to_have_text("36 votes by 12 people")
    rows = visit.page.locator("#votes tbody tr")
    expect(rows.first).to_contain_text("Seed 2")
    assert rows.locator(".place").all_inner_texts() == ["1", "2–3", "2–3"]
    visit.page.wait_for_function("[...document.querySelectorAll('#votes img')].every(image => image.naturalWidth > 0)")
    visit.inspect("a vote", "#vote-part")
    links = visit.page.locator("#votes nav a")
    files = {
        str(link.get_attribute("download")): visit.context.request.get(
            f"{visit.address}{link.get_attribute('href')}"
        ).body()
        for link in links.all()
    }
    ranked = list(csv.DictReader(io.StringIO(files["ranking.csv"].decode("utf-8-sig"))))
    assert "Seed 2" in ranked[0].values()
    assert Image.open(io.BytesIO(files["ranking.png"])).width > 600
    archive = str(visit.page.locator("a.file.zip").get_attribute("href"))
    with zipfile.ZipFile(io.BytesIO(visit.context.request.get(f"{visit.address}{archive}").body())) as packed:
        assert packed.read("ranking.csv") == files["ranking.csv"]
        assert "ranking.png" in packed.namelist()


def test_the_link_lets_somebody_vote_until_the_vote_is_closed(
    browser: Browser, site: server.Site, visit: Visit
) -> None:
    code = _begin(visit)
    link = visit.page.locator("#votes .share a")
    assert link.get_attribute("href") == f"vote/{code}"
    voter = browser.new_context()
    page = voter.new_page()
    page.goto(f"{site.address}vote/{code}")
    expect(page.locator("#left")).to_be_enabled()
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("1")
    visit.page.get_by_role("button", name="Refresh").click()
    expect(visit.page.locator("#votes .count")).to_have_text("1 vote by 1 person")
    visit.page.get_by_role("button", name="Close vote").click()
    expect(visit.page.locator("#votes")).to_contain_text("This vote is closed.")
    assert page.goto(f"{site.address}vote/{code}").status == 404  # type: ignore[union-attr]
    voter.close()


def test_nobody_else_sees_or_closes_a_vote(browser: Browser, site: server.Site, visit: Visit) -> None:
    code = _begin(visit)
    _cast(code)
    visit.page.get_by_role("button", name="Refresh").click()
    table = str(visit.page.locator("#votes nav a").first.get_attribute("href"))
    with visiting(browser, site.address) as other:
        other.take_example()
        other.generate("1")
        other.until_done(1)
        mine, theirs = (str(one.completed.locator("a.frame").first.get_attribute("href")) for one in (visit, other))
        forged = table.replace(mine.split("/")[1], theirs.split("/")[1])
        assert other.context.request.get(f"{site.address}{forged}").status == 404
        other.page.get_by_role("button", name="Blind vote").click()
        other.page.get_by_role("button", name="Start a blind vote").click()
        expect(other.page.get_by_text("Generate at least two headshots first")).to_be_visible()
        assert code not in other.page.content()
