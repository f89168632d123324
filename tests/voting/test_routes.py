"""People vote by a code: each on their own pairs, on nothing else, and without a hint at what they look at."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import anyio.to_thread
import httpx
import pytest
from keeping import ANN, asked, begin
from mounted import served
from page import Visit
from PIL import Image, PngImagePlugin
from playwright.sync_api import Browser, Locator, Page, expect
from settled import boxes
from starlette.applications import Starlette

from headshot.cookies import VOTE_COOKIE
from headshot.storage import Ballot, History, Store, StoredHeadshot, StoreError
from headshot.voting import routes
from headshot.voting.ranking import fit
from headshot.voting.routes import NO_VOTE

_T = TypeVar("_T")
_BLOB = re.compile("^blob:")
COLOURS = [(170, 40, 40), (30, 60, 180), (230, 190, 60), (40, 130, 80)]
TELLING = ("4711", "navy blazer", "parameters", "seed", "studio", "headshot-studio")  # what only the owner may know


@dataclass
class VoteServer:
    """A server with the voting pages alone, and their history."""

    history: History
    address: str = ""
    down: bool = False
    clock: float = 0.0

    async def run(self, function: Callable[[Any], _T]) -> _T:
        def done() -> _T:
            if self.down:
                raise StoreError("The record cannot be read just now. Try again in a minute.")
            return function(self.history)

        return await anyio.to_thread.run_sync(done)

    def open(self, count: int = 3, title: str = "For the board") -> str:
        comparison = begin(self.history, requests=asked(*["navy blazer"] * count))
        shots = [self._save_headshot(comparison, number) for number in range(count)]
        return self.history.open_vote(ANN, comparison, shots, title)

    def _save_headshot(self, comparison: str, number: int) -> str:
        shot = self.history.save_headshot(
            comparison,
            number,
            png=_png(number),
            filename=f"headshot-studio-seed-{4711 + number}.png",
            thumbnail=b"RIFF",
            size=(1600, 2000),
            backend="studio",
            facts={"seconds": 0.5},
        )
        assert shot is not None
        return shot

    def shots(self, code: str) -> tuple[str, ...]:
        vote = self.history.vote(code)
        assert vote is not None
        return vote.shots

    def stored(self, code: str) -> list[StoredHeadshot]:
        found = [self.history.shot_of_vote(code, shot) for shot in self.shots(code)]
        return [stored for stored in found if stored is not None]

    def ballots(self, code: str) -> tuple[Ballot, ...]:
        return self.history.ballots(code)

    def close(self, code: str) -> None:
        assert self.history.close_vote(ANN, code)


@cache
def _png(number: int) -> bytes:
    """A headshot's file: with its metadata, and larger than what voters are shown."""
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("parameters", f"navy blazer\nSteps: 31, CFG scale: 7, Seed: {4711 + number}")
    file = io.BytesIO()
    picture = Image.new("RGB", (1600, 2000), COLOURS[number % len(COLOURS)])
    picture.save(file, "PNG", pnginfo=metadata, dpi=(300, 300))
    return file.getvalue()


def _app(server: VoteServer) -> Starlette:
    """The voting pages as in the whole server, without its middleware."""
    return Starlette(routes=routes.routes(server.run, clock=lambda: server.clock))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VoteServer]:
    store = Store.open(tmp_path_factory.mktemp("voting"))
    server = VoteServer(store.history)
    try:
        with served(_app(server)) as server.address:
            yield server
    finally:
        store.close()


@pytest.fixture
def server(running: VoteServer) -> Iterator[VoteServer]:
    running.down = False
    running.clock += 1_000  # whatever was guessed before is forgotten
    yield running


class Guest:
    """A voter without a browser."""

    def __init__(self, address: str, code: str) -> None:
        self.code = code
        self.http = httpx.Client(base_url=address, timeout=20)
        self.page = self.http.get(f"/vote/{code}")

    def pair(self) -> dict[str, Any]:
        answer = self.http.get(f"/vote/{self.code}/pair")
        assert answer.status_code == 200, answer.text
        state: dict[str, Any] = answer.json()
        return state

    def cast(self, pair: object, choice: object) -> httpx.Response:
        return self.http.post(f"/vote/{self.code}", json={"pair": pair, "choice": choice})

    def picture(self, address: str) -> httpx.Response:
        return self.http.get(f"/vote/{self.code}/{address}")

    def colour(self, address: str) -> int:
        """Which of COLOURS a picture is."""
        pixel = Image.open(io.BytesIO(self.picture(address).content)).getpixel((9, 9))
        assert isinstance(pixel, tuple)
        apart = [sum(abs(a - b) for a, b in zip(pixel, colour, strict=True)) for colour in COLOURS]
        assert min(apart) < 12
        return apart.index(min(apart))

    @property
    def voter_hash(self) -> str:
        return sha256(self.http.cookies[VOTE_COOKIE].encode()).hexdigest()


@pytest.fixture
def guest(server: VoteServer) -> Guest:
    return Guest(server.address, server.open())


# --- what it says


def test_nothing_that_a_voter_receives_tells_what_a_picture_is(server: VoteServer, guest: Guest) -> None:
    state = guest.pair()
    assert set(state) == {"pair", "left", "right", "done", "of"}
    assert (state["done"], state["of"]) == (0, 3)
    answers = [
        guest.page,
        guest.http.get(f"/vote/{guest.code}/pair"),
        *map(guest.picture, (state["left"], state["right"])),
    ]
    secrets_of_the_owner = [*TELLING, *(stored.id for stored in server.stored(guest.code)), ANN]
    for answer in answers:
        assert answer.status_code == 200
        received = answer.content + repr(answer.headers.raw).encode()
        assert [word for word in secrets_of_the_owner if word.encode() in received] == []
        assert answer.headers["cache-control"] == "private, no-store"
    for answer in answers[2:]:
        picture = Image.open(io.BytesIO(answer.content))
        assert answer.headers["content-type"] == "image/jpeg"
        assert picture.size == (1024, 1280)
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert picture.info["jfif_density"] == (1, 1)


def test_the_answer_is_stored_with_the_sides_as_shown_under_the_hash_of_the_voter(
    server: VoteServer, guest: Guest
) -> None:
    state = guest.pair()
    left, right = guest.colour(state["left"]), guest.colour(state["right"])
    answer = guest.cast(state["pair"], "right")
    assert answer.status_code == 200
    assert answer.json()["done"] == 1
    shots = server.shots(guest.code)
    (ballot,) = server.ballots(guest.code)
    assert (ballot.voter, ballot.left, ballot.right, ballot.outcome) == (
        guest.voter_hash,
        shots[left],
        shots[right],
        "right",
    )
    assert guest.http.cookies[VOTE_COOKIE] not in repr(ballot)


def test_a_voter_is_asked_about_each_pair_once_and_can_take_an_answer_back(server: VoteServer, guest: Guest) -> None:
    state, seen = guest.pair(), []
    while state["pair"] is not None:
        seen.append(frozenset((guest.colour(state["left"]), guest.colour(state["right"]))))
        state = guest.cast(last := state["pair"], "left").json()
    assert state == {"pair": None, "done": 3, "of": 3} == guest.pair()
    assert set(seen) == {frozenset(pair) for pair in ((0, 1), (0, 2), (1, 2))}
    assert guest.cast(last, "tie").json()["done"] == 3
    assert [ballot.outcome for ballot in server.ballots(guest.code)].count("tie") == 1
    ranks = fit(server.shots(guest.code), server.ballots(guest.code))
    assert sum(one.ties for one in ranks) == 2


def test_a_second_voter_has_addresses_and_pairs_of_their_own(server: VoteServer, guest: Guest) -> None:
    other = Guest(server.address, guest.code)
    first, second = guest.pair(), other.pair()
    assert not {first["pair"], first["left"], first["right"]} & {second["pair"], second["left"], second["right"]}
    guest.cast(first["pair"], "left")
    assert other.pair()["done"] == 0
    assert other.picture(first["left"]).status_code == 404
    assert other.cast(first["pair"], "left").status_code == 409
    assert {ballot.voter for ballot in server.ballots(guest.code)} == {guest.voter_hash}
    assert other.cast(other.pair()["pair"], "tie").status_code == 200
    assert {ballot.voter for ballot in server.ballots(guest.code)} == {guest.voter_hash, other.voter_hash}


# --- what it does not take


def test_only_a_pair_that_was_shown_can_be_voted_on(server: VoteServer, guest: Guest) -> None:
    shots = server.shots(guest.code)
    state = guest.pair()
    elsewhere = Guest(server.address, server.open())
    for pair in ("", "x" * 22, f"{shots[0]} {shots[1]}", state["left"], elsewhere.pair()["pair"], "ü"):
        assert guest.cast(pair, "left").status_code == 409
    for body in (
        {"pair": state["pair"], "choice": "both"},
        {"pair": state["pair"]},
        {"pair": [state["pair"]], "choice": "left"},
        {"left": shots[0], "right": shots[1], "choice": "left"},
        ["left"],
    ):
        assert guest.http.post(f"/vote/{guest.code}", json=body).status_code == 400
    for raw in (b"", b"{", b"[" * 1000, b"\xff", b'{"pair": "' + b"x" * 2000 + b'", "choice": "left"}'):
        assert guest.http.post(f"/vote/{guest.code}", content=raw).status_code == 400
    half_a_letter = b'{"pair": "\\ud800", "choice": "left"}'
    assert guest.http.post(f"/vote/{guest.code}", content=half_a_letter).status_code == 409
    assert server.ballots(guest.code) == ()


def test_a_voter_sees_no_picture_outside_of_the_vote(server: VoteServer, guest: Guest) -> None:
    other = Guest(server.address, server.open())
    outside = other.pair()["left"]
    stored = server.stored(other.code)[0]
    for address in (outside, f"picture/{stored.id}", f"picture/{server.shots(guest.code)[0]}", "picture/..%2f..%2fx"):
        assert guest.picture(address).status_code == 404
    assert Guest(server.address, other.code).picture(outside).status_code == 404
    assert other.picture(outside).status_code == 200


def test_without_the_cookie_there_is_nothing_but_the_page(server: VoteServer, guest: Guest) -> None:
    state = guest.pair()
    for path in ("/pair", f"/{state['left']}"):
        assert httpx.get(f"{server.address}/vote/{guest.code}{path}").status_code == 403
    cast = httpx.post(f"{server.address}/vote/{guest.code}", json={"pair": state["pair"], "choice": "left"})
    assert cast.status_code == 403


@pytest.mark.parametrize("code", ["ABCDEFGH", "short", "ABCDEFGH" * 3, "%3Cscript%3E"])
def test_codes_of_no_vote_and_of_one_that_ended_are_answered_alike(server: VoteServer, code: str) -> None:
    ended = server.open()
    server.close(ended)
    pages = [httpx.get(f"{server.address}/vote/{each}", follow_redirects=True) for each in (ended, code)]
    assert [page.status_code for page in pages] == [404, 404]
    assert pages[0].text == pages[1].text
    assert NO_VOTE in pages[0].text
    assert "set-cookie" not in pages[0].headers


def test_when_a_vote_ends_its_pictures_and_pairs_end_with_it(server: VoteServer, guest: Guest) -> None:
    state = guest.pair()
    server.close(guest.code)
    answers = [
        guest.http.get(f"/vote/{guest.code}/pair"),
        guest.picture(state["left"]),
        guest.cast(state["pair"], "left"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert all(answer.json() == {"detail": NO_VOTE} for answer in answers)
    assert server.ballots(guest.code) == ()


def test_a_picture_that_was_deleted_is_asked_about_no_more(server: VoteServer, guest: Guest) -> None:
    state = guest.pair()
    left = server.shots(guest.code)[guest.colour(state["left"])]
    assert server.history.delete_headshot(ANN, left)
    assert guest.picture(state["left"]).status_code == 404
    assert guest.cast(state["pair"], "left").status_code == 409
    assert guest.pair()["of"] == 1


def test_after_a_restart_the_same_voter_goes_on(server: VoteServer, guest: Guest) -> None:
    guest.cast(guest.pair()["pair"], "left")
    old = guest.pair()
    with served(_app(server)) as restarted:
        again = Guest(restarted, guest.code)
        again.http.cookies = guest.http.cookies
        assert again.cast(old["pair"], "left").status_code == 409
        assert again.pair()["done"] == 1
        assert again.cast(again.pair()["pair"], "left").status_code == 200


def test_wrong_codes_are_tried_slowly_and_nobody_inside_is_held_up(server: VoteServer, guest: Guest) -> None:
    newcomer = server.open()

    def tried(code: str) -> int:
        return httpx.get(f"{server.address}/vote/{code}").status_code

    assert tried("ABCDEFGH") == 404
    assert [tried(f"ABCDEF{number}") for number in range(10, 59)] == [404] * 49
    assert tried("ABCDEFGJ") == 429
    assert tried(newcomer) == 429  # else the answer would tell a right guess from a wrong one
    assert guest.pair()["pair"]
    server.clock += 1
    assert [tried("ABCDEFGH") for _ in range(6)] == [404] * 5 + [429]
    server.clock += 1
    assert [tried(newcomer) for _ in range(9)] == [200] * 9  # right ones cost nothing


def test_a_database_that_is_gone_is_said_in_a_sentence(server: VoteServer, guest: Guest) -> None:
    state = guest.pair()
    server.down = True
    page = guest.http.get(f"/vote/{guest.code}")
    answers = [
        guest.http.get(f"/vote/{guest.code}/pair"),
        guest.cast(state["pair"], "left"),
        guest.picture(state["left"]),
    ]
    assert [answer.status_code for answer in (page, *answers)] == [503] * 4
    assert "Try again in a minute" in page.text
    assert all("Try again in a minute" in answer.json()["detail"] for answer in answers)


# --- the page


def test_the_voters_cookie_is_theirs_alone_and_stays(server: VoteServer, guest: Guest) -> None:
    made = guest.page.headers["set-cookie"]
    secret = guest.http.cookies[VOTE_COOKIE]
    assert len(secret) == 43
    assert {"HttpOnly", "SameSite=Lax", "Path=/vote"} <= set(made.split("; "))
    assert "Secure" not in made
    encrypted = guest.http.get(f"/vote/{guest.code}", headers={"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert encrypted.startswith(f"{VOTE_COOKIE}={secret};")
    assert encrypted.endswith("; Secure")
    forged = httpx.get(f"{server.address}/vote/{guest.code}", headers={"Cookie": f"{VOTE_COOKIE}=me"})
    assert forged.cookies[VOTE_COOKIE] not in ("me", secret)


def test_a_code_opens_the_vote_however_it_was_typed(server: VoteServer) -> None:
    code = server.open()
    grouped = f" {code[:4].lower()}-{code[4:]} "
    for address in (f"/vote?code={grouped}", f"/vote/{grouped.strip()}", f"/vote/{code}"):
        answer = httpx.get(server.address + address, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, f"/vote/{code}")
    nothing = httpx.get(f"{server.address}/vote?code=nothing")
    assert (nothing.status_code, NO_VOTE in nothing.text) == (404, True)


def test_a_title_is_words_and_no_markup(server: VoteServer) -> None:
    page = Guest(server.address, server.open(title="<b onclick=x>$me & 'you'")).page
    assert "<b onclick" not in page.text
    assert "&lt;b onclick=x&gt;$me &amp; &#x27;you&#x27;" in page.text


def test_the_assets_are_two_files_and_no_way_out_of_their_folder(server: VoteServer) -> None:
    for name, kind in (("vote.css", "text/css"), ("vote.js", "text/javascript")):
        answer = httpx.get(f"{server.address}/vote/assets/{name}")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    for name in ("vote.html", "..%2fpage.css", "../page.css", ""):
        assert httpx.get(f"{server.address}/vote/assets/{name}").status_code in (307, 403, 404)


# --- in a browser


class Voter(Visit):
    """Somebody with a browser who has opened a vote."""

    def _wait_for_the_form(self) -> None:
        self.page.locator("#voting:visible, #thanks:visible, #trouble:visible, form:visible").first.wait_for()

    def _note(self, url: str) -> None:
        self.addresses.append(url)
        if urlsplit(url).scheme != "blob" and urlsplit(url)[:2] != urlsplit(self.address)[:2]:
            self.complaints.append(f"a request went out to {url}")

    @property
    def count(self) -> Locator:
        return self.page.locator("#count")

    def at(self, text: str) -> None:
        """A pair is there, and can be answered."""
        expect(self.count).to_have_text(text)
        expect(self.page.locator("#left")).to_be_enabled()


@contextmanager
def _voting(
    browser: Browser, address: str, *, phone: bool = False, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Voter]:
    context = browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1440, "height": 900},
        has_touch=phone,
        color_scheme=scheme,
    )
    try:
        voter = Voter(context, address)
        yield voter
        assert voter.complaints == []
    finally:
        context.close()


def _outcomes(server: VoteServer, code: str) -> list[str]:
    return sorted(ballot.outcome for ballot in server.ballots(code))


@pytest.mark.browser
def test_a_vote_is_cast_with_the_keys_and_its_last_answer_undone(browser: Browser, server: VoteServer) -> None:
    code = server.open(title="Which one for the board page?")
    with _voting(browser, f"{server.address}/vote") as voter:
        voter.inspect("the form for a code")
        voter.page.get_by_label("code").fill(code.lower())
        voter.page.keyboard.press("Enter")
        press = voter.page.keyboard.press
        voter.at("Pair 1 of 3")
        expect(voter.page.locator("h1")).to_have_text("Which one for the board page?")
        voter.inspect("a pair")
        left, right = boxes(*(voter.page.locator(f"#{side}") for side in ("left", "right")))
        assert left["x"] + left["width"] < right["x"]
        assert max(box["y"] + box["height"] for box in (left, right)) < 900 - 100
        press("1")
        voter.at("Pair 2 of 3")
        press("Space")
        voter.at("Pair 3 of 3")
        assert _outcomes(server, code) == ["left", "tie"]
        press("Backspace")
        voter.at("Pair 2 of 3")
        expect(voter.page.locator("#tie")).to_have_class("chosen")
        press("2")
        voter.at("Pair 3 of 3")
        assert _outcomes(server, code) == ["left", "right"]
        press("2")
        expect(voter.page.get_by_role("heading", name="Thank you")).to_be_focused()
        expect(voter.count).to_have_text("3 of 3 pairs")
        expect(voter.page.locator("#summary")).to_contain_text("all 3 pairs")
        voter.inspect("the end")
        assert _outcomes(server, code) == ["left", "right", "right"]
        voter.page.reload()
        expect(voter.page.get_by_role("heading", name="Thank you")).to_be_visible()


@pytest.mark.browser
def test_a_vote_is_cast_by_touch_and_ended_early(browser: Browser, server: VoteServer) -> None:
    code = server.open(4)
    with _voting(browser, f"{server.address}/vote/{code}", phone=True, scheme="dark") as voter:
        voter.at("Pair 1 of 6")
        voter.inspect("a pair on a phone")
        left, right, tie = boxes(*(voter.page.locator(f"#{name}") for name in ("left", "right", "tie")))
        assert (left["y"], left["width"]) == (right["y"], right["width"])
        assert left["width"] > 170
        assert tie["height"] >= 48
        expect(voter.page.locator("kbd").first).to_be_hidden()
        voter.page.locator("#right").tap()
        voter.at("Pair 2 of 6")
        voter.page.locator("#stop").tap()
        expect(voter.page.locator("#summary")).to_contain_text("one pair of 6")
        voter.inspect("an early end on a phone")
        voter.page.locator("#resume").tap()
        voter.at("Pair 2 of 6")
        voter.page.locator("#tie").tap()
        voter.at("Pair 3 of 6")
        assert _outcomes(server, code) == ["right", "tie"]


@pytest.mark.browser
def test_two_browsers_vote_side_by_side_and_a_double_click_answers_once(browser: Browser, server: VoteServer) -> None:
    code = server.open()
    address = f"{server.address}/vote/{code}"
    with _voting(browser, address) as first, _voting(browser, address) as second:
        first.at("Pair 1 of 3")
        first.page.locator("#left").dblclick()
        first.at("Pair 2 of 3")
        second.at("Pair 1 of 3")
        second.page.locator("#right").focus()
        second.page.keyboard.press("Space")  # on a button it presses that button, as everywhere
        second.at("Pair 2 of 3")
        assert _outcomes(server, code) == ["left", "right"]
        assert len({ballot.voter for ballot in server.ballots(code)}) == 2
        seen = [_picture_addresses(each.page, each.addresses) for each in (first, second)]
        assert all(seen)
        assert not seen[0] & seen[1]
        assert all(len(each) == 3 for each in seen)  # each picture is fetched once


def _picture_addresses(page: Page, addresses: list[str]) -> set[str]:
    expect(page.locator("#left img")).to_have_attribute("src", value=_BLOB)
    fetched = [address for address in addresses if "/picture/" in address]
    assert len(fetched) == len(set(fetched))
    return set(fetched)


@pytest.mark.browser
def test_a_line_that_breaks_and_a_vote_that_ends_are_said(browser: Browser, server: VoteServer) -> None:
    code = server.open()
    with _voting(browser, f"{server.address}/vote/{code}") as voter:
        voter.at("Pair 1 of 3")
        voter.context.set_offline(True)
        voter.page.keyboard.press("1")
        expect(voter.page.get_by_role("alert")).to_contain_text("does not answer")
        voter.context.set_offline(False)
        voter.page.get_by_role("button", name="Try again").click()
        voter.at("Pair 1 of 3")
        voter.page.keyboard.press("1")
        voter.at("Pair 2 of 3")
        server.close(code)
        voter.page.keyboard.press("2")
        expect(voter.page.get_by_role("alert")).to_have_text(NO_VOTE)
        expect(voter.page.get_by_role("button", name="Try again")).to_be_hidden()
        assert _outcomes(server, code) == ["left"]
        assert len(voter.complaints) == 2  # the browser's own, on the line and on the 404
        voter.complaints.clear()
