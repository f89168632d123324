"""The client of ModelsLab against a service on loopback that behaves."""

import ast
import asyncio
import base64
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from bad_photos import PORTRAIT
from loopback import CANARY, LINK, QUICK, REQUEST, client, loopback, run, whole
from paths import ROOT
from service import Exchange, Service, busy, closed_port, picture

from headshot.errors import HeadshotError, NotConfigured, OutcomeUnknown, RequestError, Stopped, Unavailable
from headshot.imaging.photo import Photo
from headshot.modelslab import head_shot
from headshot.modelslab.client import ConnectionFailed
from headshot.modelslab.face_image import face_image
from headshot.modelslab.key import Key
from headshot.modelslab.replies import JobFailed, JobNotFound, JobResponse, RateLimited
from headshot.modelslab.safe_url import ResolvedUrl
from headshot.request import HeadshotRequest


def test_a_job_is_sent_waited_for_and_downloaded() -> None:
    async def job() -> tuple[JobResponse, bytes]:
        async with client(service) as found:
            sent = await found.submit(
                REQUEST, face_image(Photo.open(PORTRAIT)), webhook="https://me/hook", track_id="t"
            )
            assert (sent.state, sent.seed, sent.output) == ("waiting", 7, ())
            reply = await found.result(sent)
            return reply, await found.download(reply.output[0])

    with Service() as service:
        reply, data = asyncio.run(job())
    assert (reply.state, reply.id, reply.seed) == ("done", "66752945", 7)
    assert data == service.file
    assert Photo.from_bytes(data).image.size == (96, 120)
    [sent] = [job.body for job in service.jobs.values()]
    assert sent.pop("face_image").startswith("data:image/jpeg;base64,/9j/")
    assert sent == {
        "key": CANARY,
        "prompt": "navy backdrop",
        "negative_prompt": REQUEST.negative_prompt,
        "num_inference_steps": "31",
        "guidance_scale": 7.5,
        "seed": 7,
        "webhook": "https://me/hook",
        "track_id": "t",
    }
    assert (service.posts, service.polls, service.downloads) == (1, 1, 1)
    assert set(service.hosts) == {f"127.0.0.1:{service.port}"}  # and never where `fetch_result` points


def test_an_ordinary_key_uses_the_v6_endpoint_all_the_way() -> None:
    paths: list[str] = []

    async def note(exchange: Exchange) -> None:
        paths.append(exchange.path)
        await service._poll(exchange)

    with Service() as service:
        service.script("poll", note)
        assert run(service, api="v6") == service.file
    assert paths == ["/api/v6/image_editing/fetch/66752945"]
    [job] = service.jobs.values()
    assert (job.body["width"], job.body["height"], job.body["samples"]) == (512, 640, 1)


def test_a_picture_that_comes_at_once_is_not_asked_for() -> None:
    with Service(at_once=True) as service:
        assert run(service) == service.file
    assert (service.posts, service.polls) == (1, 0)


async def not_found(exchange: Exchange) -> None:
    await exchange.answer(200, {"status": "failed", "message": "Request not found", "output": ""})


def test_a_job_that_is_unknown_for_a_moment_is_asked_for_again() -> None:
    with Service() as service:
        service.script("poll", not_found, not_found, None)
        assert run(service) == service.file
    assert (service.posts, service.polls) == (1, 3)


def test_a_job_is_resumed_by_its_number_alone() -> None:
    async def send() -> str:
        async with client(service) as found:
            sent = await found.submit(REQUEST, LINK)
            assert sent.id is not None
            return sent.id

    async def resume(job: str) -> JobResponse:
        async with client(service) as found:
            return await found.result(JobResponse.of_job(job))

    with Service() as service:
        reply = asyncio.run(resume(asyncio.run(send())))
    assert reply.output and service.posts == 1


def test_a_question_for_one_job_raises_what_is_known_of_it() -> None:
    async def ask() -> None:
        async with client(service) as found:
            with pytest.raises(JobNotFound, match="job 17"):
                await found.fetch("17")
            with pytest.raises(RequestError, match="number"):
                await found.fetch("../../../admin")

    with Service() as service:
        asyncio.run(ask())
    assert service.polls == 1


def test_a_key_is_tested_without_a_job() -> None:
    async def bad(exchange: Exchange) -> None:
        await exchange.answer(401, {"status": "error", "message": "Invalid API key"})

    async def odd(exchange: Exchange) -> None:
        await exchange.answer(200, {"status": "paused"})

    async def check() -> None:
        async with client(service) as found:
            await found.check()
            service.script("poll", bad)
            with pytest.raises(NotConfigured, match="does not accept this key"):
                await found.check()
            service.script("poll", odd)
            with pytest.raises(Unavailable, match="not understood"):
                await found.check()

    with Service() as service:
        asyncio.run(check())
    assert service.posts == 0


# Outputs.


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("link", ["{base}/out/{number}.png", "{base}/out/{number}.base64"])
def test_an_output_is_a_picture_by_its_bytes_whatever_its_name_and_type(kind: str, link: str) -> None:
    with Service(file=picture(kind), link=link) as service:
        assert run(service) == service.file


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_an_output_may_be_the_picture_itself(prefix: str) -> None:
    with Service(link=prefix + base64.b64encode(picture()).decode()) as service:
        assert run(service) == picture()
    assert service.downloads == 0


def test_a_link_that_is_not_readable_yet_is_tried_until_it_is() -> None:
    with Service(readable_after=0.2) as service:
        assert run(service) == service.file
    assert service.downloads > 2


def test_a_links_host_is_dialled_at_the_address_that_was_checked() -> None:
    with Service(link="http://pub-x.r2.test:1/out/{number}.png?sig=a%2Fb") as service:

        async def pinned(url: str) -> ResolvedUrl:
            assert url.startswith("http://pub-x.r2.test:1/")
            return ResolvedUrl(
                url.replace(":1/", f":{service.port}/"), "http", "pub-x.r2.test", service.port, "127.0.0.1"
            )

        assert run(service, resolve=pinned) == service.file
    assert service.hosts[-1] == f"pub-x.r2.test:{service.port}"


def test_a_host_never_answers_over_a_connection_that_another_hosts_certificate_opened() -> None:
    async def hand_over(exchange: Exchange) -> None:
        await exchange.answer(200, picture())

    async def download() -> None:
        async with client("http://127.0.0.1:1") as found:
            for host in ("a.test", "b.test", "b.test"):
                await found.download(f"http://{host}:{store.port}/out/1.png")

    with Service() as store:
        store.script("download", hand_over)
        asyncio.run(download())
    assert (store.downloads, store.connections) == (3, 3)


def test_a_secure_links_certificate_is_requested_by_name_not_by_address() -> None:
    hello = b""

    def listen() -> None:
        nonlocal hello
        caller, _ = server.accept()
        server.close()  # a second attempt is refused
        with caller:
            hello = caller.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server, Service(link="https://pub-x.r2.test/a.png") as service:
        port = server.getsockname()[1]
        listener = threading.Thread(target=listen)
        listener.start()

        async def pinned(_: str) -> ResolvedUrl:
            return ResolvedUrl(f"https://pub-x.r2.test:{port}/a.png", "https", "pub-x.r2.test", port, "127.0.0.1")

        with pytest.raises(OutcomeUnknown, match="made the headshot, but"):
            run(service, resolve=pinned, polling=replace(QUICK, download=0.01))
        listener.join(5)
    assert b"pub-x.r2.test" in hello


@pytest.mark.parametrize(
    "link",
    [
        *("http://pub-x.r2.dev/a.png", "https://127.0.0.1/a.png", "https://169.254.169.254/latest/meta-data"),
        *("file:///etc/passwd", "https://localhost/a.png", "https://[::1]/a.png", "https://user:pw@example.com/a.png"),
        *("https://example.com:8080/a.png", "gopher://example.com/", "https://0x7f000001/"),
    ],
)
def test_a_link_to_anywhere_but_the_public_internet_is_not_followed(link: str) -> None:
    with Service(link=link) as service, pytest.raises(OutcomeUnknown, match="is not followed"):
        run(service, resolve=None)
    assert service.downloads == 0


# What is sent, and how often.


def test_no_more_jobs_are_under_way_than_the_account_allows_whoever_sends_them() -> None:
    async def everybody() -> list[bytes]:
        async with client(service, max_in_flight=4) as one, client(service, max_in_flight=4) as other:
            jobs = [whole(one if seed % 2 else other, HeadshotRequest(seed=seed)) for seed in range(20)]
            return await asyncio.gather(*jobs)

    with Service(depth=5, job_seconds=0.05) as service:
        assert asyncio.run(everybody()) == [service.file] * 20
    assert (service.posts, service.turned_away, service.most_at_once) == (20, 0, 4)


def test_a_full_queue_is_waited_for_and_each_job_is_sent_once() -> None:
    async def everybody() -> list[bytes]:
        async with client(service, max_in_flight=9) as found:
            return await asyncio.gather(*(whole(found, HeadshotRequest(seed=seed)) for seed in range(9)))

    with Service(depth=2, busy_status=200) as service:
        assert asyncio.run(everybody()) == [service.file] * 9
    assert service.posts == 9 and service.turned_away > 0 and service.most_at_once == 2


def test_a_queue_that_stays_full_ends_in_a_sentence_with_the_time_to_wait() -> None:
    async def full(exchange: Exchange) -> None:
        await exchange.answer(429, {"status": "error", "message": busy(5), "retry_after": 40})

    with Service() as service:
        service.script("submit", full)
        with pytest.raises(RateLimited, match=r"5 headshots of this key at once: try again in 40 seconds\.") as caught:
            run(service, polling=replace(QUICK, busy=0.3, retry_after_max=0.05))
    assert caught.value.retry_after == 40
    assert service.posts > 1  # turned away each time


@pytest.mark.parametrize(("asked", "kept"), [(0.2, 0.2), (3000, 0.3), (0, 0.1)])
def test_the_time_that_the_service_asks_for_is_kept_within_bounds(asked: float, kept: float) -> None:
    async def full(exchange: Exchange) -> None:
        times.append(time.monotonic())
        await exchange.answer(200, {"status": "error", "message": busy(5), "retry_after": asked})

    times: list[float] = []
    with Service() as service:
        service.script("submit", full, full, None)
        run(service, polling=replace(QUICK, backoff=0.1, retry_after_max=0.3))
    assert kept <= times[1] - times[0] < 60


def test_a_service_that_is_back_in_a_moment_is_sent_the_job_once() -> None:
    async def job(port: int) -> bytes:
        async def return_later() -> Service:
            await asyncio.sleep(0.1)
            return await asyncio.to_thread(Service(port=port).__enter__)

        async with client(f"http://127.0.0.1:{port}", polling=replace(QUICK, backoff=0.4)) as found:
            back = asyncio.create_task(return_later())
            data = await whole(found)
            service = await back
            service.__exit__()
            assert service.posts == 1
            return data

    with closed_port() as port:
        pass
    assert asyncio.run(job(port)) == picture()


def test_a_job_that_ends_in_any_way_frees_its_slot() -> None:
    async def failed(exchange: Exchange) -> None:
        await exchange.answer(200, {"status": "failed", "message": "Failed, Try Again", "output": ""})

    async def jobs() -> None:
        async with client(service, max_in_flight=1) as found:
            for _ in range(2):
                service.script("poll", failed)
                with pytest.raises(JobFailed, match="could not make this headshot"):
                    await found.result(await found.submit(REQUEST, LINK))
                service.script("submit", failed, forever=False)
                with pytest.raises(JobFailed):
                    await found.submit(REQUEST, LINK)
                waiting = asyncio.create_task(found.result(await found.submit(REQUEST, LINK)))
                await asyncio.sleep(0.01)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                sent = await found.submit(REQUEST, LINK)
                assert sent.id is not None
                with pytest.raises(JobFailed):
                    await found.fetch(sent.id)
            await found.submit(REQUEST, LINK)  # nobody waits for this one
        async with client(service, max_in_flight=1) as found:
            service.script("poll", None)
            await whole(found)

    with Service(depth=50) as service:
        asyncio.run(asyncio.wait_for(jobs(), 30))


# Observers.


class Recorder:
    """Records each callback of a submission, and how many posts there were by then."""

    def __init__(self, service: Service, stops: Exception | None = None) -> None:
        self.service, self.stops = service, stops
        self.calls: list[tuple[object, int]] = []

    @property
    def words(self) -> list[object]:
        return [word for word, _ in self.calls]

    def on_queued(self, before: int) -> None:
        self._record(before)

    async def before_send(self) -> None:
        await asyncio.sleep(0)
        self._record("before_send")
        if self.stops is not None:
            raise self.stops

    async def on_rejected(self, error: Unavailable) -> None:
        await asyncio.sleep(0)
        self._record(type(error))

    def _record(self, word: object) -> None:
        self.calls.append((word, self.service.posts))


def test_an_observer_is_called_before_a_request_is_sent() -> None:
    async def send() -> None:
        async with client(service) as found:
            await found.submit(REQUEST, LINK, observer=observer)

    with Service() as service:
        observer = Recorder(service)
        asyncio.run(send())
    assert (observer.calls, service.posts) == ([("before_send", 0)], 1)


def test_an_observer_is_called_each_time_a_full_queue_rejects_a_request() -> None:
    async def full(exchange: Exchange) -> None:
        await exchange.answer(429, {"status": "error", "message": busy(5)})

    async def send() -> None:
        async with client(service) as found:
            await found.submit(REQUEST, LINK, observer=observer)

    with Service() as service:
        service.script("submit", full, full, None)
        observer = Recorder(service)
        asyncio.run(send())
    assert observer.calls == [
        ("before_send", 0),
        (RateLimited, 1),
        ("before_send", 1),
        (RateLimited, 2),
        ("before_send", 2),
    ]
    assert service.posts == 3


def test_an_observer_is_called_when_no_connection_is_made() -> None:
    async def send(port: int) -> None:
        async with client(f"http://127.0.0.1:{port}") as found:
            with pytest.raises(ConnectionFailed, match="refuses the connection"):
                await found.submit(REQUEST, LINK, observer=observer)

    observer = Recorder(Service())
    with closed_port() as port:
        asyncio.run(send(port))
    assert observer.words == ["before_send", ConnectionFailed] * 3


def test_a_request_that_may_have_been_accepted_is_not_reported_as_rejected() -> None:
    async def vanish(exchange: Exchange) -> None:
        await exchange.body()
        exchange.reset()

    async def failed(exchange: Exchange) -> None:
        await exchange.answer(200, {"status": "failed", "message": "Failed, Try Again", "output": ""})

    async def send() -> None:
        async with client(service) as found:
            for fault, error in ((vanish, OutcomeUnknown), (failed, JobFailed)):
                service.script("submit", fault)
                with pytest.raises(error):
                    await found.submit(REQUEST, LINK, observer=observer)

    with Service() as service:
        observer = Recorder(service)
        asyncio.run(send())
    assert observer.words == ["before_send", "before_send"]


def test_an_observer_may_stop_a_submission_before_it_is_sent() -> None:
    async def send() -> None:
        async with client(service, max_in_flight=1) as found:
            with pytest.raises(Stopped):
                await found.submit(REQUEST, LINK, observer=Recorder(service, Stopped("The person pressed Stop.")))
            assert service.posts == 0
            await asyncio.wait_for(found.submit(REQUEST, LINK), 10)  # the slot is free again

    with Service() as service:
        asyncio.run(send())
    assert service.posts == 1


def test_an_observer_may_stop_a_submission_between_two_attempts() -> None:
    async def full(exchange: Exchange) -> None:
        await exchange.answer(429, {"status": "error", "message": busy(5)})

    class Impatient(Recorder):
        async def on_rejected(self, error: Unavailable) -> None:
            raise HeadshotError("The database is closed.") from error

    async def send() -> None:
        async with client(service, max_in_flight=1) as found:
            with pytest.raises(HeadshotError, match="database"):
                await found.submit(REQUEST, LINK, observer=Impatient(service))
            await asyncio.wait_for(found.submit(REQUEST, LINK), 10)

    with Service() as service:
        service.script("submit", full, None)
        asyncio.run(send())
    assert service.posts == 2


def test_an_observer_learns_how_many_submissions_are_before_its_own() -> None:
    async def everybody() -> None:
        async def job(observer: Recorder) -> None:
            await found.result(await found.submit(REQUEST, LINK, observer=observer))

        async with client(service, max_in_flight=1) as found:
            await asyncio.gather(*(job(observer) for observer in observers))

    with Service() as service:
        observers = [Recorder(service) for _ in range(4)]
        asyncio.run(everybody())
    assert [observer.words for observer in observers] == [
        ["before_send"],
        [0, "before_send"],
        [1, 0, "before_send"],
        [2, 1, 0, "before_send"],
    ]


def test_every_poll_of_a_job_is_counted() -> None:
    async def job() -> None:
        async with client(service) as found:
            await found.result(
                await found.submit(REQUEST, LINK),
                on_response=responses.append,
                before_poll=lambda: polls.append(service.polls),
            )

    responses: list[JobResponse] = []
    polls: list[int] = []
    with Service() as service:
        service.script("poll", not_found, not_found, None)
        asyncio.run(job())
    assert polls == [0, 1, 2] and [reply.state for reply in responses] == ["done"]


# Scripts.


def test_a_script_makes_a_headshot_in_one_call_also_where_a_loop_runs() -> None:
    async def in_a_notebook() -> bytes:
        return head_shot(CANARY, PORTRAIT, REQUEST, **options)

    with Service() as service:
        options: dict[str, Any] = {"base_url": service.base_url, "resolve": loopback, "polling": QUICK}
        assert head_shot(Key(CANARY), LINK, **options) == service.file
        assert asyncio.run(in_a_notebook()) == service.file
    links = [job.body["face_image"] for job in service.jobs.values()]
    assert links[0] == LINK and links[1].startswith("data:image/jpeg;base64,")


def test_the_sdk_loads_neither_the_database_nor_gradio_nor_torch() -> None:
    script = (
        "import sys, headshot.modelslab as sdk; sdk.HeadShotClient, sdk.head_shot; "
        "print([name for name in ('sqlalchemy', 'gradio', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["key", "key_filter", "transport", "jobs", "backend", "webhook"])
def test_each_module_can_be_imported_first(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import headshot.modelslab.{module}"], cwd=ROOT, check=True)


def test_only_the_transport_imports_httpx() -> None:
    importers = set()
    for path in ROOT.glob("headshot/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if any(name.split(".")[0] in ("httpx", "httpcore") for name in names):
                importers.add(path.name)
    assert importers == {"transport.py"}
