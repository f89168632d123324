"""Webhooks as the service calls them, and as strangers do, against the page's whole server over HTTP."""

import asyncio
import io
import json
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import httpx
import loopback
import pytest
from gradio_client import Client, handle_file
from loopback import CANARY, LINK, QUICK, REQUEST
from mounted import mounted
from page import free_port
from paths import PORTRAIT
from PIL import Image
from service import Service
from starlette.applications import Starlette
from stub import StubBackend

from headshot.backends import Backend
from headshot.modelslab import webhook
from headshot.modelslab.backend import ModelsLab
from headshot.modelslab.jobs import JobService
from headshot.modelslab.polling import PollingPolicy
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.view.tab_view import TabView
from headshot.settings import Settings
from headshot.storage import JobId, JobState, ModelsLabJob, Store, hash_token, key_fingerprint
from headshot.web import server
from headshot.web.routes import routes_of

OWNER = hash_token("a visitor")
TRACK_ID = "480915772301"
_NEVER = 600.0  # seconds: longer than any test, so that nothing is polled unless a webhook calls
_PATIENT = replace(QUICK, poll=_NEVER, poll_max=_NEVER)
_WITHIN = 20.0  # two cores that other tests may share


@dataclass
class Sent:
    """A job at the service that is not polled."""

    service: Service
    job: JobId
    number: int
    token: str

    @property
    def was_polled(self) -> bool:
        """Whether a response of the service has reported its end."""
        return self.service.jobs[self.number].finished_at is not None

    def call(self, **changes: object) -> dict[str, object]:
        """What the service calls with when it is done, with a link that must not be believed."""
        link = "https://elsewhere.example/forged.png"
        return {"status": "success", "id": self.number, "output": [link], "track_id": TRACK_ID, **changes}


@dataclass
class House:
    """A page's server, and what the server before it has left: jobs that it resumes with its own key."""

    address: str
    service: Service
    store: Store
    left: list[Sent]

    def next(self) -> Sent:
        return self.left.pop()

    def call(self, token: str, **how: object) -> httpx.Response:
        return httpx.post(f"{self.address}webhooks/{token}", trust_env=False, timeout=20, **how)

    def state(self, sent: Sent) -> ModelsLabJob:
        found = self.store.job(OWNER, sent.job)
        assert found is not None
        return found

    def until(self, sent: Sent, state: JobState) -> ModelsLabJob:
        deadline = time.monotonic() + _WITHIN
        while self.state(sent).state is not state:
            assert time.monotonic() < deadline, self.state(sent)
            time.sleep(0.02)
        return self.state(sent)


def _leave(service: Service, store: Store) -> Sent:
    """Write down a job that is at the service, as a server does that is killed then."""

    async def submit() -> str:
        async with loopback.client(service) as client:
            reply = await client.submit(REQUEST, LINK)
        assert reply.id is not None
        return reply.id

    number, token = asyncio.run(submit()), secrets.token_urlsafe(32)
    job = store.add(
        OWNER,
        "comparison",
        0,
        REQUEST,
        api="enterprise",
        key_fingerprint=key_fingerprint(CANARY, store.salt),
        photo_sha256=hash_token("a photo"),
        track_id=TRACK_ID,
        webhook_mark=hash_token(token),
    )
    store.sending(job)
    store.accepted(job, number)
    return Sent(service, job, int(number), token)


@contextmanager
def _launched(settings: Settings, registry: dict[str, Backend]) -> Iterator[str]:
    site = server.start(settings, registry, port=free_port())
    try:
        yield site.address
    finally:
        site.close()


_FORMS = {"launch": _launched, "mount": mounted}


@contextmanager
def _house(
    folder: Path,
    form: str,
    *,
    jobs: int = 0,
    public_url: str = "https://playground.example",
    polling: PollingPolicy = _PATIENT,
) -> Iterator[House]:
    with Service(depth=jobs + 1) as service, Store.open(folder) as store:
        left = [_leave(service, store) for _ in range(jobs)]
        settings = Settings(
            open_browser=False,
            modelslab_key=CANARY,
            modelslab_url=service.base_url,
            modelslab_in_flight=jobs + 1,
            public_url=public_url,
            data_dir=folder,
        )
        backends = [ModelsLab(JobService(settings, polling=polling, resolve=loopback.loopback)), StubBackend()]
        running: AbstractContextManager[str] = _FORMS[form](settings, {backend.name: backend for backend in backends})
        with running as address:
            yield House(address, service, store, left)


@pytest.fixture(scope="module", params=list(_FORMS))
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with _house(tmp_path_factory.mktemp("house"), request.param, jobs=8) as found:
        yield found


def test_a_call_causes_a_poll_at_once_and_its_content_is_not_believed(house: House) -> None:
    sent = house.next()
    assert not sent.was_polled
    answer = house.call(sent.token, json=sent.call())
    assert (answer.status_code, answer.text) == (200, "ok")
    job = house.until(sent, JobState.DONE)
    assert job.picture is not None and job.picture.is_file()
    assert {urlsplit(f"//{host}").hostname for host in house.service.hosts} == {"127.0.0.1"}
    assert "webhook" in [event.what for event in house.store.timeline(OWNER, sent.job)]


def test_a_second_identical_call_succeeds_and_changes_nothing(house: House) -> None:
    sent = house.next()
    assert house.call(sent.token, json=sent.call()).status_code == 200
    house.until(sent, JobState.DONE)
    timeline, downloads = house.store.timeline(OWNER, sent.job), house.service.downloads
    assert house.call(sent.token, json=sent.call()).status_code == 200
    assert house.call(sent.token, json=sent.call(status="failed", message="no longer true")).status_code == 200
    assert house.store.timeline(OWNER, sent.job) == timeline
    assert house.service.downloads == downloads


def test_a_call_about_a_running_job_succeeds_and_ends_nothing(house: House) -> None:
    sent = house.next()
    house.service.jobs[sent.number].done_at = time.monotonic() + _NEVER
    before = house.service.polls
    assert house.call(sent.token, json=sent.call(status="processing", output="")).status_code == 200
    deadline = time.monotonic() + _WITHIN
    while house.service.polls == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert house.state(sent).state is JobState.PROCESSING
    house.service.jobs[sent.number].done_at = time.monotonic()
    assert house.call(sent.token, json=sent.call()).status_code == 200
    house.until(sent, JobState.DONE)


def test_a_false_call_about_a_failure_loses_no_picture(house: House) -> None:
    sent = house.next()
    assert house.call(sent.token, json=sent.call(status="failed", message="Failed, Try Again")).status_code == 200
    house.until(sent, JobState.DONE)


def test_ids_may_be_numbers_or_texts(house: House) -> None:
    sent = house.next()
    call = sent.call(id="", request_id=f" {sent.number} ", track_id=int(TRACK_ID), links=[], meta={"seed": 1})
    assert house.call(sent.token, json=call).status_code == 200
    house.until(sent, JobState.DONE)


def test_a_call_that_fits_no_job_gets_the_usual_404_and_causes_no_poll(house: House) -> None:
    sent = house.next()
    other = house.left[0]
    call = sent.call()
    padding = " " * webhook.MAX_BYTES
    wrong = httpx.get(f"{house.address}nothing-was-ever-here", trust_env=False)
    headers = {name: value for name, value in wrong.headers.items() if name != "date"}
    forged: dict[str, tuple[str, dict[str, object]]] = {
        "a token that was never made": (secrets.token_urlsafe(32), {"json": call}),
        "another job's token": (other.token, {"json": call}),
        "a token cut short": (sent.token[:-1], {"json": call}),
        "a token and more": (sent.token + "a", {"json": call}),
        "another track id": (sent.token, {"json": sent.call(track_id="1")}),
        "no track id": (sent.token, {"json": sent.call(track_id=None)}),
        "a track id that is a list": (sent.token, {"json": sent.call(track_id=[TRACK_ID])}),
        "half a character as track id": (sent.token, {"content": json.dumps(sent.call(track_id="\ud800"))}),
        "another job's number": (sent.token, {"json": sent.call(id=other.number)}),
        "a number that leads elsewhere": (sent.token, {"json": sent.call(id="../../v6/fetch/1")}),
        "no number": (sent.token, {"json": sent.call(id=None)}),
        "true as a number": (sent.token, {"json": sent.call(id=True)}),
        "a list": (sent.token, {"json": [call]}),
        "a text": (sent.token, {"json": "success"}),
        "a form": (sent.token, {"data": {key: str(value) for key, value in call.items()}}),
        "no JSON": (sent.token, {"content": b"{"}),
        "no text": (sent.token, {"content": b"\xff\xfe\x00"}),
        "nothing": (sent.token, {}),
        "a deep nest": (sent.token, {"content": b"[" * 60_000}),
        "an endless number": (sent.token, {"content": b'{"id": %s}' % (b"1" * 60_000)}),
        "a byte too many": (sent.token, {"content": (json.dumps(call) + padding)[: webhook.MAX_BYTES + 1]}),
    }
    for what, (token, how) in forged.items():
        answer = house.call(token, **how)
        assert (answer.status_code, answer.text) == (wrong.status_code, wrong.text), what
        assert {name: value for name, value in answer.headers.items() if name != "date"} == headers, what
    for method in ("GET", "PUT", "DELETE"):
        answer = httpx.request(method, f"{house.address}webhooks/{sent.token}", trust_env=False)
        assert (answer.status_code, answer.text) == (wrong.status_code, wrong.text)
    time.sleep(0.3)  # ten times what a call needs until it is asked for
    assert not sent.was_polled
    assert not other.was_polled
    # All of that was told from a true call by what it said alone; and a true one may be as long as is allowed.
    longest = (json.dumps(call) + padding)[: webhook.MAX_BYTES]
    assert house.call(sent.token, content=longest).status_code == 200
    house.until(sent, JobState.DONE)


def test_a_body_without_a_length_is_dropped_as_soon_as_it_is_too_large(house: House) -> None:
    sent = house.left[0]
    address = urlsplit(house.address)
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=20) as caller:
        head = f"POST /webhooks/{sent.token} HTTP/1.1\r\nHost: {address.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
        caller.sendall(head.encode() + 3 * chunk)  # and no end of it
        assert caller.recv(4096).startswith(b"HTTP/1.1 404")
    assert not sent.was_polled


def test_a_body_in_chunks_is_read(house: House) -> None:
    sent = house.next()
    body = json.dumps(sent.call()).encode()
    assert house.call(sent.token, content=iter([body[:20], body[20:]])).status_code == 200
    house.until(sent, JobState.DONE)


def test_a_browser_that_was_sent_here_by_another_site_is_refused(house: House) -> None:
    sent = house.left[0]
    answer = house.call(sent.token, json=sent.call(), headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert not sent.was_polled


def test_a_caller_that_disconnects_early_is_no_error(house: House) -> None:
    sent = house.left[0]
    address = urlsplit(house.address)
    with loopback.listening() as log:
        with socket.create_connection((address.hostname, address.port), timeout=20) as caller:
            head = f"POST /webhooks/{sent.token} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 1000\r\n\r\n{{"
            caller.sendall(head.encode())
        assert httpx.get(f"{house.address}healthz", trust_env=False).text == "ok"
        time.sleep(0.1)
    assert "Traceback" not in log.getvalue()


def test_the_token_is_in_no_log_not_even_in_an_access_log(house: House) -> None:
    sent = house.next()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.access", "uvicorn.error")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with loopback.listening() as log:
            for call in (sent.call(id=1), sent.call()):  # by urllib, which logs nothing itself
                with suppress(HTTPError):
                    request = f"{house.address}webhooks/{sent.token}"
                    urlopen(request, json.dumps(call).encode(), timeout=20).close()  # noqa: S310  our own server
            house.until(sent, JobState.DONE)
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    said = log.getvalue() + written.getvalue()
    assert sent.token not in said
    assert loopback.traces(said) == []
    if logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO):
        assert '"POST /webhooks/••• HTTP/1.1" 200' in said


def test_a_comparison_that_is_not_polled_is_done_as_soon_as_the_service_calls_the_webhook(
    tmp_path: Path,
) -> None:
    polling = replace(_PATIENT, first_poll_max=_NEVER)
    with _house(tmp_path / "data", "launch", polling=polling) as house:
        house.service.eta = _NEVER  # so that the first poll, too, is far away
        client = Client(house.address, verbose=False, download_files=tmp_path, analytics_enabled=False)
        try:
            waiting = client.submit(handle_file(PORTRAIT), seeds="1", backend="modelslab", api_name="/generate")
            deadline = time.monotonic() + _WITHIN
            while not house.service.jobs:
                assert time.monotonic() < deadline and not waiting.done(), waiting.status()
                time.sleep(0.02)
            (job,) = house.service.jobs.values()
            public, _, token = job.body["webhook"].rpartition("/webhooks/")
            assert public == "https://playground.example"
            call = {"status": "success", "id": job.number, "output": [], "track_id": job.body["track_id"]}
            assert house.call(token, json=call | {"track_id": "another"}).status_code == 404
            time.sleep(0.2)
            assert house.service.polls == 0
            assert house.call(token, json=call).status_code == 200
            (file,) = waiting.result(timeout=_WITHIN)
        finally:
            client.close()
        assert Image.open(file).size == Image.open(io.BytesIO(house.service.file)).size


def test_a_call_that_cannot_be_looked_up_gets_a_503(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "data").write_text("where a folder should be")
    token = secrets.token_urlsafe(32)
    settings = Settings(data_dir=tmp_path / "data")
    job_service = JobService(settings)
    app = Starlette(
        routes=routes_of(
            SessionRegistry(tmp_path / "visitors", 60), HistoryRecorder.of(settings), TabView({}), job_service
        )
    )

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post(f"/webhooks/{token}", json={"status": "success", "id": 1, "track_id": TRACK_ID})

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(call()).status_code == 503
    assert "Could not look up" in caplog.text
    assert token not in caplog.text


def test_without_a_public_url_there_is_no_webhook_route(tmp_path: Path) -> None:
    with _house(tmp_path, "launch", jobs=1, public_url="") as house:
        sent = house.next()
        answer = house.call(sent.token, json=sent.call())
        assert (answer.status_code, answer.text) == (404, "There is nothing here.")
        time.sleep(0.1)
        assert not sent.was_polled


def test_a_body_that_arrives_too_slowly_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_BODY_SECONDS", 0.05)

    async def drips() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async def called() -> bool:
        return await webhook.receive(JobService(Settings(data_dir=tmp_path / "data")), "token", drips())

    assert asyncio.run(called()) is False
