"""Whatever breaks on the way to ModelsLab: one sentence, at most one job that may be billed, and no trace of the key.

Each fault happens while a job is submitted, asked for, and downloaded. Where the network itself fails, the question and
the download come from a client of their own, as after a restart. All that answers echoes the key where it can.
"""

import asyncio
import gzip
import json
import socket
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pytest
from loopback import CANARY, LINK, QUICK, client, everything_loggable, listening, loopback, traces
from service import At, Exchange, Fault, Service, closed_port, deaf_port, picture

from headshot.errors import BackendError, NotConfigured, OutcomeUnknown, Refused, Unavailable
from headshot.modelslab.client import ConnectionFailed
from headshot.modelslab.replies import JobFailed, RateLimited
from headshot.modelslab.safe_url import ResolvedUrl
from headshot.request import HeadshotRequest

REQUEST = HeadshotRequest(seed=7)
TIMES: tuple[At, ...] = ("submit", "poll", "download")
# For what goes on until patience ends; all else may take its time on a busy machine.
SHORT = replace(QUICK, missing_grace=0.1, download=0.12, retry_after_max=0.04, busy=0.1)
TIMEOUT, GIVE_UP = 0.25, 0.2
ECHO = {"X-Echo": CANARY, "Set-Cookie": f"key={CANARY}"}
BOMB = gzip.compress(bytes(60_000_000), 1)


def answers(status: int, content: object, headers: dict[str, str] | None = None) -> Fault:
    async def fault(exchange: Exchange) -> None:
        body = {**content, "meta": {"key": CANARY}, "echo": CANARY} if isinstance(content, dict) else content
        await exchange.answer(status, body, {**ECHO, **(headers or {})})

    return fault


def turns_away(status: int, **more: object) -> Fault:
    async def fault(exchange: Exchange) -> None:
        if exchange.path.endswith("/head_shot"):
            exchange.service.posts -= 1
            exchange.service.turned_away += 1
        await exchange.answer(
            status, {"status": "error", "message": "Rate limit exceeded", "key": CANARY, **more}, ECHO
        )

    return fault


async def reset_before_the_body(exchange: Exchange) -> None:
    exchange.reset()


async def reset_after_the_body(exchange: Exchange) -> None:
    await exchange.body()
    exchange.reset()


async def silence(exchange: Exchange) -> None:
    await exchange.body()
    await asyncio.sleep(2 * TIMEOUT)
    exchange.ended = True


async def drip(exchange: Exchange) -> None:
    await exchange.body()
    with suppress(ConnectionError):
        await exchange.raw(b"HTTP/1.1 200 OK\r\n", {"Content-Length": "1000"}, b'{"status": "')
        for _ in range(40):
            await asyncio.sleep(TIMEOUT / 10)
            exchange.writer.write(b" ")
            await exchange.writer.drain()
    exchange.ended = True


async def truncated(exchange: Exchange) -> None:
    whole = (
        picture() if exchange.method == "GET" else b'{"status":"success","key":"%s","output":[""]}' % CANARY.encode()
    )
    await exchange.answer(200, whole[: len(whole) * 3 // 4])


def wrong_length(by: int) -> Fault:
    async def fault(exchange: Exchange) -> None:
        await exchange.body()
        data = picture() if exchange.method == "GET" else json.dumps({"status": "failed", "key": CANARY}).encode()
        await exchange.raw(b"HTTP/1.1 200 OK\r\n", {"Content-Length": str(len(data) + by)}, data)
        exchange.ended = True

    return fault


async def huge(exchange: Exchange) -> None:
    await exchange.body()
    with suppress(ConnectionError):
        await exchange.raw(b"HTTP/1.1 200 OK\r\n", {"Connection": "close"}, b'{"status":"')
        for _ in range(100):
            exchange.writer.write(b" " * 2**20)
            await exchange.writer.drain()
    exchange.ended = True


async def endless(exchange: Exchange) -> None:
    await exchange.answer(200, {"status": "processing", "message": "Try Again", "output": "", "key": CANARY})


async def done_without_output(exchange: Exchange) -> None:
    job = {} if exchange.path.endswith("head_shot") else {"id": int(exchange.path.rpartition("/")[2].partition(".")[0])}
    await exchange.answer(200, {"status": "success", "output": [], "meta": {"key": CANARY}, **job})


HTML = f"<!doctype html><title>Just a moment</title>{CANARY}".encode()
AWAY = {"Location": f"http://127.0.0.1:1/?key={CANARY}"}


def complaint(message: str, name: str = "message") -> dict[str, object]:
    return {"status": "error", name: message}


class Ends(NamedTuple):
    kind: type[BackendError]
    words: str


def ends(
    submit: tuple[type[BackendError], str],
    poll: tuple[type[BackendError], str],
    download: tuple[type[BackendError], str],
) -> dict[At, Ends]:
    return {"submit": Ends(*submit), "poll": Ends(*poll), "download": Ends(*download)}


def lost(words: str, poll: str = "", download: str = "") -> dict[At, Ends]:
    """What leaves it open whether the job was accepted."""
    return ends((OutcomeUnknown, words), (OutcomeUnknown, poll or words), (OutcomeUnknown, download or poll or words))


def unreached(words: str) -> dict[At, Ends]:
    return ends((ConnectionFailed, words), (OutcomeUnknown, words), (OutcomeUnknown, words))


def clear(kind: type[BackendError], words: str, download: str) -> dict[At, Ends]:
    return ends((kind, words), (kind, words), (OutcomeUnknown, download))


NO_PICTURE = "what it sent is not a picture"
ADDRESSES: dict[str, dict[At, Ends]] = {
    "DNS failure": unreached("not found"),
    "connection refused": unreached("refuses the connection"),
    "connect timeout": unreached("does not answer"),
    "TLS error": unreached("no secure connection"),
}
FAULTS: dict[str, tuple[Fault, dict[At, Ends]]] = {
    "reset before the body": (reset_before_the_body, lost("the connection broke")),
    "reset after the body": (reset_after_the_body, lost("the connection broke")),
    "read timeout": (silence, lost("did not answer in time")),
    "slow drip": (drip, lost("did not answer in time")),
    "truncated JSON": (truncated, lost("cannot be read", download="cut short")),
    "Content-Length too large": (wrong_length(50), lost("the connection broke")),
    "Content-Length too small": (wrong_length(-9), lost("cannot be read", download="cut short")),
    "200 with error": (answers(200, complaint("Prohibited")), clear(Refused, "Prohibited", NO_PICTURE)),
    "200 with HTML": (answers(200, HTML), lost("cannot be read", download=NO_PICTURE)),
    "empty 200": (answers(200, b""), lost("cannot be read", download="its file is empty")),
    "messege": (answers(200, complaint("Invalid API key", "messege")), clear(NotConfigured, "this key", NO_PICTURE)),
    "400": (answers(400, complaint("Unable to fetch image from provided URL")), clear(Refused, "photo's link", "400")),
    "401": (answers(401, complaint(f"Invalid Api Key {CANARY}")), clear(NotConfigured, "copy it again", "401")),
    "402": (answers(402, complaint("Insufficient credits.")), clear(Refused, "no credits left", "HTTP 402")),
    "403": (answers(403, HTML), clear(Refused, "another plan", "HTTP 403")),
    "429": (
        turns_away(429),
        ends((RateLimited, "in a moment"), (OutcomeUnknown, "in a moment"), (OutcomeUnknown, "HTTP 429")),
    ),
    "429 as 200 with retry_after": (
        turns_away(200, retry_after=0.01),
        ends((RateLimited, "in 1 seconds"), (OutcomeUnknown, "in 1 seconds"), (OutcomeUnknown, NO_PICTURE)),
    ),
    "huge retry_after": (
        turns_away(429, retry_after=1e300),
        ends((RateLimited, "in a moment"), (OutcomeUnknown, "in a moment"), (OutcomeUnknown, "HTTP 429")),
    ),
    "long retry_after": (
        turns_away(429, retry_after=3000),
        ends((RateLimited, "in 3000 seconds"), (OutcomeUnknown, "in 3000 seconds"), (OutcomeUnknown, "HTTP 429")),
    ),
    "negative retry_after": (
        turns_away(429, retry_after=-7),
        ends((RateLimited, "in a moment"), (OutcomeUnknown, "in a moment"), (OutcomeUnknown, "HTTP 429")),
    ),
    "500": (answers(500, complaint("Internal server error. Please try again.")), lost("fault", download="HTTP 500")),
    "502": (answers(502, HTML), lost("HTTP 502")),
    "503": (answers(503, complaint("Service temporarily unavailable.")), lost("unavailable", download="HTTP 503")),
    "504": (answers(504, b""), lost("HTTP 504")),
    "redirect 302": (answers(302, b"", AWAY), lost("to another address")),
    "redirect 307": (answers(307, HTML, AWAY), lost("to another address")),
    "gzip bomb": (answers(200, BOMB, {"Content-Encoding": "gzip"}), lost("larger than anything")),
    "gzip bomb in a bomb": (
        answers(200, gzip.compress(BOMB), {"Content-Encoding": "gzip, gzip"}),
        lost("cannot be unpacked"),
    ),
    "100 MB body": (huge, lost("larger than anything")),
    "endless processing": (endless, lost("without giving it a job number", "still working", NO_PICTURE)),
    "success with empty output": (done_without_output, lost("sent no picture", "sends no picture", NO_PICTURE)),
    "expired link": (
        answers(404, HTML),
        ends((Refused, "the other API"), (OutcomeUnknown, "does not know job"), (OutcomeUnknown, "HTTP 404")),
    ),
    "not an image": (answers(200, b"%PDF-1.7\n" + CANARY.encode()), lost("cannot be read", download=NO_PICTURE)),
    "failed": (
        answers(200, {"status": "failed", "message": "Failed, Try Again", "output": ""}),
        clear(JobFailed, "could not make", NO_PICTURE),
    ),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with Service(job_seconds=0.01) as service:
        yield service


@pytest.fixture
def service(running: Service) -> Service:
    running.posts = running.turned_away = running.polls = running.downloads = 0
    running.faults.clear()
    running.jobs.clear()
    running.link = "{base}/out/{number}.png"
    return running


async def resolve(url: str) -> ResolvedUrl:
    if ".invalid" in url:
        raise Unavailable("link", "The host “nowhere.invalid” was not found: check the link, or try again later.")
    return await loopback(url)


async def travel(service: Service, at: At, bad: Service | str = "", seconds: float = 20) -> bytes:
    """A whole job, each part by a client of its own, of which the one at fault has little patience.

    bad: the address at fault, if it is not the service's.
    """

    def of(part: At) -> Any:
        if part != at:
            return client(service, resolve=resolve)
        short: dict[str, Any] = {"polling": SHORT, "give_up_after_seconds": GIVE_UP, "timeout": seconds}
        return client(bad or service, resolve=resolve, **short)

    async with of("submit") as found:
        reply = await found.submit(REQUEST, LINK)
    async with of("poll") as found:
        reply = await found.result(reply)
    async with of("download") as found:
        picture: bytes = await found.download(reply.output[0])
        return picture


def suffered(journey: Callable[[], Coroutine[Any, Any, object]]) -> BackendError:
    """The error that ends a journey. No writing of the key is in it, in its chain and frames, or in any log."""
    caught: BackendError | None = None
    with listening() as log:
        try:
            asyncio.run(journey())
        except BackendError as error:
            caught = error
    assert caught is not None, "nothing was raised"
    assert traces(everything_loggable(caught)) == []
    assert traces(log.getvalue()) == []
    assert caught.backend == "modelslab"
    assert str(caught)[0].isupper() and str(caught).endswith(".") and len(str(caught)) < 500
    return caught


@pytest.mark.parametrize("at", TIMES)
@pytest.mark.parametrize("name", FAULTS)
def test_whatever_the_service_does_ends_in_one_sentence_and_one_job_at_most(
    service: Service, name: str, at: At
) -> None:
    fault, outcomes = FAULTS[name]

    service.script(at, fault)
    error = suffered(partial(travel, service, at, seconds=TIMEOUT if fault in (silence, drip) else 20))
    wanted = outcomes[at]
    assert (type(error), wanted.words in str(error)) == (wanted.kind, True), str(error)
    assert service.posts == (0 if at == "submit" and isinstance(error, RateLimited) else 1)
    assert (service.turned_away > 0) == isinstance(error, RateLimited)
    assert ("billed" in str(error)) == isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize("at", TIMES)
@pytest.mark.parametrize("name", ADDRESSES)
def test_whatever_the_network_does_ends_in_one_sentence_and_one_job_at_most(
    service: Service, name: str, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", partial(_looked_up, socket.getaddrinfo))

    with ExitStack() as stack:
        bad = _address(name, service, stack)
        if at == "download":
            service.link = bad + "/out/{number}.png"
        error = suffered(partial(travel, service, at, bad, seconds=TIMEOUT if "timeout" in name else 20))
    wanted = ADDRESSES[name][at]
    assert (type(error), wanted.words in str(error)) == (wanted.kind, True), str(error)
    assert service.posts == (at != "submit")


def _address(name: str, service: Service, stack: ExitStack) -> str:
    if name == "DNS failure":
        return "https://nowhere.invalid"
    if name == "TLS error":
        return f"https://127.0.0.1:{service.port}"  # where plain HTTP is spoken
    return f"http://127.0.0.1:{stack.enter_context(closed_port() if 'refused' in name else deaf_port())}"


def _looked_up(real: Callable[..., object], host: object, *more: object, **options: object) -> object:
    if "invalid" in str(host):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return real(host, *more, **options)


@pytest.mark.parametrize("at", TIMES[1:])
@pytest.mark.parametrize(
    "name",
    [
        *("reset before the body", "reset after the body", "truncated JSON", "Content-Length too large", "empty 200"),
        *("429", "long retry_after", "500", "502", "503", "504", "expired link"),
    ],
)
def test_a_fault_that_passes_costs_a_poll_or_a_download_only_time(service: Service, name: str, at: At) -> None:
    service.script(at, FAULTS[name][0], forever=False)
    assert asyncio.run(travel(service, "submit")) == service.file
    assert service.posts == 1
    assert {"poll": service.polls, "download": service.downloads}[at] == 2


def test_a_bomb_is_never_unpacked_whole(service: Service) -> None:
    service.script("download", FAULTS["gzip bomb"][0])
    tracemalloc.start()
    suffered(partial(travel, service, "download"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 45_000_000
