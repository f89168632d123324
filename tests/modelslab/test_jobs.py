"""The job service with ModelsLab on loopback: nothing paid is lost, and nothing is sent twice without a request."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import CANARY, QUICK, everything_loggable, listening, loopback, traces
from paths import ROOT
from PIL import Image
from service import Exchange, Job, Service, closed_port

from headshot.comparison.axes import plan
from headshot.errors import HeadshotError, NotConfigured, OutcomeUnknown, Refused, RequestError, Stopped, Unavailable
from headshot.imaging.photo import Photo
from headshot.modelslab.backend import ModelsLab
from headshot.modelslab.job_runner import MSG_CANCELLED_BEFORE_SEND, WebhookTarget
from headshot.modelslab.jobs import MSG_EXPIRED, JobService
from headshot.modelslab.key import Key
from headshot.modelslab.result_image import Subject
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings
from headshot.storage import JobState, Store, StoreError, hash_token

OWNER, OTHER = hash_token("ann's token"), hash_token("ben's token")
KEY, VISITORS_KEY = Key(CANARY), Key("another0key0that0a0visitor0has0entered")
PUBLIC = "https://headshots.example"
PHOTO = Photo.from_image(Image.radial_gradient("L").convert("RGB"))

pytestmark = pytest.mark.anyio


@pytest.fixture
def service() -> Iterator[Service]:
    """Its jobs end when the test says so, and it is polled often."""
    with Service(job_seconds=1000, eta=0.02) as service:
        yield service


def job_service_of(service: Service, folder: Path, *, key: str = CANARY, in_flight: int = 5, **more: Any) -> JobService:
    """more: settings, also ones that no environment could give."""
    settings = Settings(
        modelslab_key=key, modelslab_url=service.base_url, modelslab_in_flight=in_flight, data_dir=folder
    )
    return JobService(settings.model_copy(update=more), polling=QUICK, resolve=loopback)


@asynccontextmanager
async def opened(service: Service, folder: Path, **options: Any) -> AsyncIterator[JobService]:
    job_service = job_service_of(service, folder, **options)
    try:
        yield job_service
    finally:
        await job_service.close()


async def begun(
    job_service: JobService, *seeds: int, owner: str = OWNER, key: Key = KEY, webhook: WebhookTarget | None = None
) -> str:
    return await job_service.submit(owner, key, requests(*seeds), Subject(PHOTO), webhook=webhook)


def requests(*seeds: int) -> list[HeadshotRequest]:
    return plan(HeadshotRequest(prompt="navy backdrop"), seeds)


class Listener:
    """Watches a comparison. `completed`: seeds, in the order they were yielded. `error`: how the watching ended."""

    def __init__(self, job_service: JobService, comparison: str, owner: str = OWNER) -> None:
        self.progress = Progress(item_listener=self.hear)
        self.headshots: list[Headshot] = []
        self.statuses: dict[int | None, list[HeadshotStatus]] = {}
        self.error: HeadshotError | None = None
        self.task = asyncio.create_task(self._follow(job_service, comparison, owner))

    def hear(self, status: HeadshotStatus) -> None:
        self.statuses.setdefault(status.request.seed, []).append(status)

    async def _follow(self, job_service: JobService, comparison: str, owner: str) -> None:
        try:
            async with aclosing(job_service.watch(owner, comparison, self.progress)) as headshots:
                async for headshot in headshots:
                    self.headshots.append(headshot)
        except HeadshotError as error:
            self.error = error

    @property
    def completed(self) -> list[int | None]:
        return [headshot.request.seed for headshot in self.headshots]

    def last(self, seed: int) -> HeadshotStatus:
        return self.statuses[seed][-1]

    async def end(self) -> "Listener":
        async with asyncio.timeout(30):
            await self.task
        return self


async def followed(job_service: JobService, comparison: str, owner: str = OWNER) -> Listener:
    return await Listener(job_service, comparison, owner).end()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  what is waited for happens in other threads
            await asyncio.sleep(0.01)


def seeds_of(service: Service) -> set[int]:
    """The seeds of the jobs that the service has accepted."""
    return {job.body["seed"] for job in service.jobs.values()}


def finish(service: Service, *seeds: int) -> None:
    """End these jobs now; without seeds all of them, and all later ones at once."""
    if not seeds:
        service.job_seconds = 0
    for job in list(service.jobs.values()):
        if not seeds or job.body["seed"] in seeds:
            job.done_at = 0


async def states(job_service: JobService, comparison: str, owner: str = OWNER) -> list[JobState]:
    return [job.state for job in await job_service.comparison(owner, comparison)]


# What the service may do to a submission.


async def reset(exchange: Exchange) -> None:
    """The client cannot know whether it was accepted."""
    await exchange.body()
    exchange.reset()


async def hang(exchange: Exchange) -> None:
    await exchange.body()
    await asyncio.sleep(60)


async def decline(exchange: Exchange) -> None:
    await exchange.answer(200, {"status": "error", "message": "The prompt is not allowed."})


def taken_and_lost(service: Service, *, until: Callable[[], bool] = lambda: True) -> Callable[..., Awaitable[None]]:
    """A job is accepted and done, and its response is lost as soon as `until` is true."""

    async def respond(exchange: Exchange) -> None:
        job = Job(next(service._numbers), await exchange.values(), done_at=0)
        service.jobs[job.number] = job
        while not until():  # noqa: ASYNC110  it is the test's thread that makes it true
            await asyncio.sleep(0.01)
        exchange.reset()

    return respond


# --- sending and following


async def test_headshots_are_yielded_as_they_are_done(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1, 2, 3)
        listener = Listener(job_service, comparison)
        await until(lambda: seeds_of(service) == {1, 2, 3})
        finish(service, 3)
        await until(lambda: listener.completed == [3])
        assert not listener.task.done()
        finish(service, 1)
        await until(lambda: listener.completed == [3, 1])
        finish(service)
        await listener.end()
        assert (listener.completed, listener.error) == ([3, 1, 2], None)
        for headshot in listener.headshots:
            assert np.array_equal(headshot.image, Photo.from_bytes(service.file).pixels)
            assert headshot.backend == "modelslab" and headshot.seconds > 0
        assert service.posts == 3
        assert await states(job_service, comparison) == [JobState.DONE] * 3


async def test_every_step_of_a_job_is_stored(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 7)
        await until(lambda: service.polls >= 2)
        finish(service)
        await followed(job_service, comparison)
        [job] = await job_service.comparison(OWNER)
        job, events = await job_service.record(OWNER, job.id)
        assert [event.what for event in events] == ["added", "sent", "processing", "done"]
        assert job.remote_id == str(next(iter(service.jobs)))
        assert job.polls == service.polls >= 2  # the second may be answered after the end
        assert job.facts["sent"]["seed"] == 7 and job.facts["sent"]["key"] == "•••"
        assert job.facts["reply"]["status"] == "success"
        assert job.photo_sha256 == PHOTO.sha256
        assert job_service.durations.known and job_service.durations.seconds == pytest.approx(job.facts["seconds"])


async def test_jobs_above_the_accounts_limit_wait_here_and_report_their_position(
    service: Service, tmp_path: Path
) -> None:
    service.depth = 2
    async with opened(service, tmp_path, in_flight=2) as job_service:
        comparison = await begun(job_service, 1, 2, 3, 4, 5)
        listener = Listener(job_service, comparison)
        await until(lambda: len(service.jobs) == 2 and len(listener.statuses) == 5)
        waiting = {1, 2, 3, 4, 5} - seeds_of(service)
        place = "Waiting for a free place at ModelsLab: {}"
        await until(
            lambda: (
                {listener.last(seed).text for seed in waiting}
                == {place.format(where) for where in ("it is next", "1 before it", "2 before it")}
            )
        )
        assert {listener.last(seed).kind for seed in waiting} == {"waiting"}
        await until(lambda: {listener.last(seed).kind for seed in seeds_of(service)} == {"under way"})
        assert service.posts == 2
        finish(service)
        await listener.end()
        assert (set(listener.completed), listener.error) == ({1, 2, 3, 4, 5}, None)
        assert (service.posts, service.turned_away, service.most_at_once) == (5, 0, 2)


async def test_a_full_queue_is_waited_for_and_counts_as_not_sent(service: Service, tmp_path: Path) -> None:
    service.depth = 0
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1)
        listener = Listener(job_service, comparison)
        await until(lambda: service.turned_away >= 2)
        assert {"waiting", "under way"} >= {status.kind for status in listener.statuses[1]}
        assert any("is busy" in status.text for status in listener.statuses[1])
        service.depth = 1
        finish(service)
        await listener.end()
        assert (listener.completed, service.posts) == ([1], 1)


async def test_a_comparison_can_be_watched_twice_at_once_and_again_when_it_is_over(
    service: Service, tmp_path: Path
) -> None:
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1, 2)
        first, second = Listener(job_service, comparison), Listener(job_service, comparison)
        await until(lambda: len(service.jobs) == 2)
        finish(service)
        await first.end()
        await second.end()
        third = await followed(job_service, comparison)
        assert set(first.completed) == set(second.completed) == {1, 2}
        assert third.completed == [1, 2]
        pngs = {headshot.request.seed: headshot.png for headshot in first.headshots}
        assert all(headshot.png == pngs[headshot.request.seed] for headshot in third.headshots)
        assert service.posts == 2


async def test_a_refused_headshot_is_reported_at_once_and_raised_after_the_others_are_done(
    service: Service, tmp_path: Path
) -> None:
    service.script("submit", decline, None)
    async with opened(service, tmp_path, in_flight=1) as job_service:
        listener = Listener(job_service, await begun(job_service, 1, 2))
        finish(service)
        await listener.end()
        assert listener.completed == [2]
        assert isinstance(listener.error, Refused)
        assert listener.last(1).kind == "failed"
        assert listener.last(1).error is listener.error
        assert "The prompt is not allowed" in listener.last(1).text


async def test_a_service_that_cannot_be_reached_is_unavailable_for_each_headshot(tmp_path: Path) -> None:
    with closed_port() as port:
        async with opened(Service(port=port), tmp_path) as job_service:
            listener = await followed(job_service, await begun(job_service, 1, 2))
    assert isinstance(listener.error, Unavailable)
    for seed in (1, 2):
        assert [status.kind for status in listener.statuses[seed] if status.error] == ["failed"]
        assert isinstance(listener.last(seed).error, Unavailable)


async def test_if_nothing_can_be_stored_nothing_is_sent(service: Service, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    async with opened(service, tmp_path / "data") as job_service:
        with pytest.raises(StoreError):
            await begun(job_service, 1)
    assert service.posts == 0


async def test_a_job_service_that_never_had_a_job_leaves_no_folder(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path / "data") as job_service:
        assert not job_service.has_jobs
        await job_service.test(KEY)
        assert not (tmp_path / "data").exists()
        await begun(job_service, 1)
        assert job_service.has_jobs


async def test_a_key_is_tested_without_spending(service: Service, tmp_path: Path) -> None:
    async def strange(exchange: Exchange) -> None:
        await exchange.answer(401, {"status": "error", "message": "Invalid API Key"})

    async with opened(service, tmp_path) as job_service:
        await job_service.test(KEY)
        service.script("poll", strange)
        with pytest.raises(NotConfigured, match="does not accept this key"):
            await job_service.test(KEY)
    assert (service.posts, service.polls) == (0, 2)


# --- stopping


async def test_stop_drops_what_was_not_sent_and_what_was_goes_on(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, in_flight=2) as job_service:
        view = ModelsLab(job_service).for_user(OWNER, KEY)
        progress = Progress()

        async def shoot() -> None:
            async with aclosing(view.generate(PHOTO, requests(1, 2, 3, 4), progress)) as headshots:
                async for _ in headshots:
                    pass

        shooting = asyncio.create_task(shoot())
        await until(lambda: len(service.jobs) == 2)
        progress.cancel()
        with pytest.raises(Stopped):
            await shooting
        sent = seeds_of(service)
        jobs = await job_service.comparison(OWNER)
        finish(service)
        listener = await followed(job_service, jobs[0].comparison)
        assert set(listener.completed) == sent
        assert isinstance(listener.error, Stopped)
        assert {listener.last(seed).text for seed in {1, 2, 3, 4} - sent} == {MSG_CANCELLED_BEFORE_SEND}
        assert service.posts == 2


async def test_a_stop_before_anything_has_left_sends_nothing(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as job_service:
        for ticks in range(6):  # wherever the tasks stand on their way to the first one's first step
            comparison = await begun(job_service, 1, 2)
            for _ in range(ticks):
                await asyncio.sleep(0)
            job_service.cancel(comparison)
            listener = await followed(job_service, comparison)
            assert isinstance(listener.error, Stopped)
            assert await states(job_service, comparison) == [JobState.FAILED] * 2
    assert service.posts == 0


async def test_a_stop_while_the_queue_is_full_sends_no_more(service: Service, tmp_path: Path) -> None:
    service.depth = 0
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1)
        listener = Listener(job_service, comparison)
        await until(lambda: service.turned_away >= 1)
        job_service.cancel(comparison)
        await listener.end()
        tried = service.turned_away
        service.depth = 5
        await asyncio.sleep(0.2)
        assert isinstance(listener.error, Stopped)
        assert (service.posts, service.turned_away) == (0, tried)


async def test_closing_the_page_stops_nothing(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, in_flight=2) as job_service:
        view = ModelsLab(job_service).for_user(OWNER, KEY)
        headshots = view.generate(PHOTO, requests(1, 2, 3), Progress())
        first = asyncio.ensure_future(anext(headshots))
        await until(lambda: len(service.jobs) == 2)
        finish(service, *seeds_of(service))
        await first
        await headshots.aclose()
        finish(service)
        jobs = await job_service.comparison(OWNER)
        listener = await followed(job_service, jobs[0].comparison)
        assert (set(listener.completed), listener.error, service.posts) == ({1, 2, 3}, None, 3)


# --- unknown


async def test_a_lost_answer_is_unknown_and_never_sent_again(service: Service, tmp_path: Path) -> None:
    service.script("submit", None, reset, None)
    finish(service)
    async with opened(service, tmp_path, in_flight=1) as job_service:
        comparison = await begun(job_service, 1, 2, 3)
        listener = await followed(job_service, comparison)
        assert listener.completed == [1, 3]
        assert isinstance(listener.error, OutcomeUnknown)
        assert listener.last(2).kind == "unknown"
        assert listener.last(2).error is listener.error
        assert "may have been billed" in str(listener.error)
        again = await followed(job_service, comparison)  # and as often as anybody looks
        assert again.completed == [1, 3] and again.last(2).kind == "unknown"
        assert await states(job_service, comparison) == [JobState.DONE, JobState.UNKNOWN, JobState.DONE]
        assert service.posts == 3


async def given_up(job_service: JobService, **more: Any) -> str:
    """A comparison whose only job is UNKNOWN, and has an id at the service. Returns the job."""
    listener = await followed(job_service, await begun(job_service, 1, **more))
    assert isinstance(listener.error, OutcomeUnknown)
    return listener.last(1).job


async def test_a_late_picture_arrives_when_it_is_checked_again(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, modelslab_give_up_seconds=0.2) as job_service:
        job = await given_up(job_service)
    finish(service)
    async with opened(service, tmp_path) as job_service:  # which does not give up so soon
        await job_service.check_again(OWNER, job, KEY)
        [found] = await job_service.comparison(OWNER)
        listener = await followed(job_service, found.comparison)
        assert (listener.completed, listener.error) == ([1], None)
        assert [headshot.job for headshot in listener.headshots] == [job]
        await job_service.check_again(OWNER, job, KEY)  # now it is done, and stays so
        assert (await job_service.record(OWNER, job))[0].state is JobState.DONE
        assert service.posts == 1


async def test_checking_again_twice_at_once_asks_with_one_task(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, modelslab_give_up_seconds=0.2) as job_service:
        job = await given_up(job_service)
    finish(service)
    async with opened(service, tmp_path) as job_service:  # which does not give up so soon
        await asyncio.gather(*(job_service.check_again(OWNER, job, KEY) for _ in range(30)))
        [found] = await job_service.comparison(OWNER)
        await followed(job_service, found.comparison)
        assert (service.downloads, service.posts) == (1, 1)


async def test_a_check_that_another_one_has_overtaken_downloads_nothing_again(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(service, tmp_path, modelslab_give_up_seconds=0.2) as job_service:
        job = await given_up(job_service)
    finish(service)
    async with opened(service, tmp_path) as job_service:
        do, read, held = job_service._store.run, asyncio.Event(), asyncio.Event()

        async def hold_the_first(act: Callable[[Store], Any]) -> Any:
            found = await do(act)
            if not read.is_set():
                read.set()
                await held.wait()
            return found

        monkeypatch.setattr(job_service._store, "run", hold_the_first)
        overtaken = asyncio.create_task(job_service.check_again(OWNER, job, KEY))
        await read.wait()
        await job_service.check_again(OWNER, job, KEY)
        [found] = await job_service.comparison(OWNER)
        assert (await followed(job_service, found.comparison)).completed == [1]
        held.set()
        await overtaken
        assert (await followed(job_service, found.comparison)).completed == [1]
        assert (service.downloads, service.posts) == (1, 1)


async def test_only_the_owner_can_check_again_and_with_the_same_key(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, modelslab_give_up_seconds=0.2) as job_service:
        job = await given_up(job_service)
        polls = service.polls
        with pytest.raises(NotConfigured) as another_key:
            await job_service.check_again(OWNER, job, VISITORS_KEY)
        assert str(another_key.value) == "This headshot was sent with another key: enter that one, then check again."
        with pytest.raises(RequestError) as not_theirs:
            await job_service.check_again(OTHER, job, KEY)
        with pytest.raises(RequestError) as no_such_job:
            await job_service.check_again(OWNER, "0" * 32, KEY)
        assert str(not_theirs.value) == str(no_such_job.value) == MSG_EXPIRED
        assert service.polls == polls
        assert (await job_service.record(OWNER, job))[0].state is JobState.UNKNOWN


async def test_a_job_without_an_id_cannot_be_checked(service: Service, tmp_path: Path) -> None:
    service.script("submit", reset)
    async with opened(service, tmp_path) as job_service:
        job = await given_up(job_service)
        with pytest.raises(OutcomeUnknown) as numberless:
            await job_service.check_again(OWNER, job, KEY)
    assert str(numberless.value) == (
        "ModelsLab never gave this headshot a job number, so it cannot be checked: look at modelslab.com."
    )
    assert (service.posts, service.polls) == (1, 0)


async def test_sending_again_is_another_post_whose_headshot_takes_the_cards_place(
    service: Service, tmp_path: Path
) -> None:
    service.script("submit", None, reset, None)
    finish(service)
    async with opened(service, tmp_path, in_flight=1) as job_service:
        comparison = await begun(job_service, 1, 2, 3)
        lost = (await followed(job_service, comparison)).last(2).job
        with pytest.raises(RequestError, match="was made from another photo: choose that one again"):
            await job_service.send_again(OWNER, lost, KEY, Subject(Photo.from_image(Image.new("RGB", (90, 90)))))
        with pytest.raises(RequestError) as not_theirs:
            await job_service.send_again(OTHER, lost, KEY, Subject(PHOTO))
        assert str(not_theirs.value) == MSG_EXPIRED
        assert service.posts == 3
        await job_service.send_again(OWNER, lost, KEY, Subject(PHOTO))
        listener = await followed(job_service, comparison)
        assert (sorted(listener.completed), listener.error) == ([1, 2, 3], None)
        jobs = await job_service.comparison(OWNER, comparison)
        assert [(job.position, job.state) for job in jobs] == [(at, JobState.DONE) for at in range(3)]
        assert jobs[1].id != lost and jobs[1].request.seed == 2
        assert (await job_service.record(OWNER, lost))[0].state is JobState.UNKNOWN
        assert service.posts == 4


async def test_send_again_pressed_twice_is_charged_once_more(service: Service, tmp_path: Path) -> None:
    service.script("submit", reset, None)
    async with opened(service, tmp_path) as job_service:
        lost = await given_up(job_service)
        await asyncio.gather(*(job_service.send_again(OWNER, lost, KEY, Subject(PHOTO)) for _ in range(30)))
        await job_service.send_again(OWNER, lost, KEY, Subject(PHOTO))
        finish(service)
        [found] = await job_service.comparison(OWNER)
        await until(lambda: service.jobs)
        finish(service)
        assert (await followed(job_service, found.comparison)).completed == [1]
        await job_service.send_again(OWNER, lost, KEY, Subject(PHOTO))  # nor once the other one has completed
        await job_service.send_again(OWNER, found.id, KEY, Subject(PHOTO))
        await asyncio.sleep(0.1)
        assert service.posts == 2


async def test_a_declined_job_can_be_sent_again(service: Service, tmp_path: Path) -> None:
    service.script("submit", decline, None, forever=False)
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1)
        assert isinstance((await followed(job_service, comparison)).error, Refused)
        [declined] = await job_service.comparison(OWNER)
        await job_service.send_again(OWNER, declined.id, KEY, Subject(PHOTO))
        await until(lambda: service.jobs)
        finish(service)
        assert (await followed(job_service, comparison)).completed == [1]


# --- a server that ends, and the next one


def cancelled(service: Service, folder: Path) -> None:
    """The event loop ends around the job service, which nobody closes."""

    async def first() -> None:
        job_service = job_service_of(service, folder, in_flight=2)
        await begun(job_service, 1, 2, 3, 4)
        await until(lambda: service.posts == 2 and len(service.jobs) == 1)
        await asyncio.sleep(0.1)

    asyncio.run(first())


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from service import Service
from test_jobs import begun, job_service_of

async def main():
    port, folder = sys.argv[1:]
    jobs = job_service_of(Service(port=int(port)), Path(folder), in_flight=2)
    await begun(jobs, 1, 2, 3, 4)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def killed(service: Service, folder: Path) -> None:
    """Signal 9 to a process while its jobs are in flight."""
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("", "tests", "tests/modelslab"))
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(service.port), str(folder)], env=os.environ | {"PYTHONPATH": paths}
    ) as program:
        end = time.monotonic() + 60
        while not (service.posts == 2 and service.polls >= 2):
            assert program.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        program.send_signal(signal.SIGKILL)
    assert program.returncode == -signal.SIGKILL


@pytest.mark.parametrize("end", [cancelled, killed])
def test_after_a_servers_end_the_next_one_fetches_what_was_taken_and_sends_nothing(
    end: Callable[[Service, Path], None], service: Service, tmp_path: Path
) -> None:
    service.script("submit", None, hang)
    end(service, tmp_path)
    assert service.posts == 2
    [taken] = seeds_of(service)

    async def second() -> None:
        async with opened(service, tmp_path, in_flight=2) as job_service:
            assert job_service.has_jobs
            await job_service.recover()
            jobs = await job_service.comparison(OWNER)
            listener = Listener(job_service, jobs[0].comparison)
            polls = service.polls
            await until(lambda: service.polls >= polls + 2)  # it is under way again
            finish(service)
            await listener.end()
            assert listener.completed == [taken]
            assert isinstance(listener.error, OutcomeUnknown)
            kinds = {seed: listener.last(seed).kind for seed in {1, 2, 3, 4} - {taken}}
            assert sorted(kinds.values()) == ["never sent", "never sent", "unknown"]
            [lost] = [seed for seed, kind in kinds.items() if kind == "unknown"]
            assert "may have been made and billed" in listener.last(lost).text
            assert all("nothing was billed" in listener.last(seed).text for seed in kinds if seed != lost)
            assert service.posts == 2
            await job_service.recover()  # which a second start finds as it is
            assert (await followed(job_service, jobs[0].comparison)).completed == [taken]
            assert service.posts == 2
            stranded = next(listener.last(seed).job for seed in kinds if seed != lost)
            service.script("submit", None)
            await job_service.send_again(OWNER, stranded, KEY, Subject(PHOTO))
            assert len((await followed(job_service, jobs[0].comparison)).completed) == 2
            assert service.posts == 3

    asyncio.run(second())


async def test_a_job_submitted_during_recovery_is_not_taken_for_one_of_the_last_server(
    service: Service, tmp_path: Path
) -> None:
    finish(service)
    async with opened(service, tmp_path) as job_service:
        await followed(job_service, await begun(job_service, 1))
    async with opened(service, tmp_path) as job_service:
        recovering = asyncio.create_task(job_service.recover())
        await asyncio.sleep(0)
        listener = await followed(job_service, await begun(job_service, 2))
        await recovering
        assert (listener.completed, listener.error) == ([2], None)


async def test_a_visitors_comparisons_are_found_again_the_latest_first(service: Service, tmp_path: Path) -> None:
    finish(service)
    async with opened(service, tmp_path) as job_service:
        names = [await begun(job_service, 1, 2), await begun(job_service, 3)]
        for name in names:
            await followed(job_service, name)
        found = await job_service.comparisons(OWNER)
        assert [[job.request.seed for job in jobs] for jobs in found] == [[3], [1, 2]]
        assert [jobs[0].comparison for jobs in found] == names[::-1]
        assert await job_service.comparison(OWNER) == found[0]
        assert await job_service.comparisons(OTHER) == []


async def test_a_visitors_job_waits_for_the_visitors_key(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1, key=VISITORS_KEY)
        await until(lambda: service.polls >= 1)
    finish(service)
    polls = service.polls
    async with opened(service, tmp_path) as job_service:
        await job_service.recover()
        await job_service.resume(OWNER, KEY)
        await job_service.resume(OTHER, VISITORS_KEY)
        listener = await followed(job_service, comparison)
        assert listener.completed == [] and isinstance(listener.error, OutcomeUnknown)
        assert listener.last(1).kind == "unknown"
        assert service.polls == polls
        await job_service.resume(OWNER, VISITORS_KEY)
        listener = await followed(job_service, comparison)
        assert (listener.completed, listener.error) == ([1], None)
        assert service.posts == 1


async def test_closing_the_job_service_leaves_running_jobs_for_the_next_one(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, in_flight=1) as job_service:
        comparison = await begun(job_service, 1, 2)
        await until(lambda: service.polls >= 1)
    with Store.open(tmp_path) as store:
        assert [job.state for job in store.comparison(OWNER, comparison)] == [JobState.PROCESSING, JobState.PENDING]


# --- whose it is, and how long


async def test_another_visitor_finds_nothing(service: Service, tmp_path: Path) -> None:
    finish(service)
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1)
        await followed(job_service, comparison)
        [job] = await job_service.comparison(OWNER)
        assert await job_service.comparison(OTHER) == await job_service.comparison(OTHER, comparison) == ()
        stranger = await followed(job_service, comparison, OTHER)
        assert (stranger.completed, stranger.statuses, stranger.error) == ([], {}, None)
        with pytest.raises(RequestError) as gone:
            await job_service.record(OTHER, job.id)
        assert str(gone.value) == MSG_EXPIRED
        await job_service.forget(OTHER)
        assert (await followed(job_service, comparison)).completed == [1]


async def test_forgetting_deletes_rows_and_files_and_cancels_running_jobs(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, in_flight=2) as job_service:
        theirs = await begun(job_service, 9, owner=OTHER, key=VISITORS_KEY)
        mine = await begun(job_service, 1, 2, 3)
        listener = Listener(job_service, mine)
        await until(lambda: len(service.jobs) == 3)
        finish(service, *seeds_of(service) - {9, 2})
        await until(lambda: len(service.jobs) == 4 and files(tmp_path))
        posts, ended = service.posts, reported_ends(service)
        await job_service.forget(OWNER)
        await listener.end()
        assert not files(tmp_path)
        assert await job_service.comparison(OWNER) == ()
        finish(service)
        assert (await followed(job_service, theirs, OTHER)).completed == [9]
        assert reported_ends(service) - ended == {9}  # nobody asked for the others
        assert service.posts == posts
        assert len(files(tmp_path)) == 1


def reported_ends(service: Service) -> set[int]:
    """The seeds of the jobs whose end was reported to the client."""
    return {job.body["seed"] for job in service.jobs.values() if job.finished_at is not None}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("pictures/**/*") if path.is_file()]


async def test_old_jobs_expire_and_running_ones_stay(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as job_service:
        done, running = await begun(job_service, 1), await begun(job_service, 2)
        await until(lambda: len(service.jobs) == 2)
        finish(service, 1)
        await followed(job_service, done)
        await job_service.expire(3600)
        assert await states(job_service, done) == [JobState.DONE]
        await job_service.expire(0)
        assert await job_service.comparison(OWNER, done) == () and not files(tmp_path)
        finish(service)
        assert (await followed(job_service, running)).completed == [2]


async def test_a_picture_that_was_deleted_meanwhile_is_explained_in_a_sentence(
    service: Service, tmp_path: Path
) -> None:
    finish(service)
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1)
        await followed(job_service, comparison)
        for path in files(tmp_path):
            path.unlink()
        assert str((await followed(job_service, comparison)).error) == MSG_EXPIRED


async def test_a_full_disk_does_not_cost_the_visitor_the_headshot(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as job_service:
        comparison = await begun(job_service, 1)
        await until(lambda: service.jobs)
        [folder] = (tmp_path / "pictures").iterdir()
        shutil.rmtree(folder)
        folder.write_text("nothing can be kept in a file")
        finish(service)
        with listening() as log:
            listener = await followed(job_service, comparison)
        assert (listener.completed, listener.error) == ([1], None)
        assert "Could not save a headshot" in log.getvalue()
        [headshot] = listener.headshots
        assert np.array_equal(headshot.image, Photo.from_bytes(service.file).pixels)
        assert (await followed(job_service, comparison)).headshots == [headshot]
        job = headshot.job
    folder.unlink()
    async with opened(
        service, tmp_path
    ) as job_service:  # it was paid: the next server fetches it, where there is room again
        await job_service.recover()
        assert [shot.job for shot in (await followed(job_service, comparison)).headshots] == [job]
        assert service.posts == 1


# --- webhooks


@asynccontextmanager
async def hooked(service: Service, folder: Path, **more: Any) -> AsyncIterator[tuple[JobService, str]]:
    """A job service that ModelsLab can call, and a comparison that would be asked for only in a minute."""
    service.eta = 50
    async with opened(service, folder, public_url=PUBLIC, **more) as job_service:
        comparison = await begun(job_service, 1)
        await until(lambda: service.jobs)
        yield job_service, comparison


def call(service: Service) -> tuple[str, str, str]:
    """What the service would call with for its only job: token, track id, number."""
    [job] = service.jobs.values()
    address, _, token = job.body["webhook"].rpartition("/")
    assert address == f"{PUBLIC}/webhooks"
    assert len(token) >= 43 and re.fullmatch(r"[\w-]+", token)
    return token, job.body["track_id"], str(job.number)


async def test_a_webhook_shortens_the_wait_and_its_duplicate_does_nothing(service: Service, tmp_path: Path) -> None:
    async with hooked(service, tmp_path) as (job_service, comparison):
        listener = Listener(job_service, comparison)
        await until(lambda: 1 in listener.statuses and "about 50 s" in listener.last(1).text)
        finish(service)
        assert service.polls == 0
        assert await job_service.on_webhook(*call(service))
        await listener.end()
        assert listener.completed == [1]
        job, events = await job_service.record(OWNER, listener.headshots[0].job)
        assert [event.what for event in events] == ["added", "sent", "processing", "webhook", "done"]
        asked = service.polls, service.downloads
        assert await job_service.on_webhook(*call(service))
        assert await job_service.record(OWNER, job.id) == (job, events)
        assert (service.polls, service.downloads) == asked == (1, 1)


@pytest.mark.parametrize("wrong", ["token", "track id", "number"])
async def test_a_forged_call_changes_nothing(wrong: str, service: Service, tmp_path: Path) -> None:
    async with hooked(service, tmp_path) as (job_service, _):
        [job] = await job_service.comparison(OWNER)
        await until(lambda: "about 50 s" in job_service.status(job).text)
        before = await job_service.record(OWNER, job.id)
        finish(service)
        right = dict(zip(("token", "track id", "number"), call(service), strict=True))
        token, track_id, number = (right | {wrong: right[wrong][:-1] + "x"}).values()
        assert not await job_service.on_webhook(token, track_id, number)
        assert await job_service.record(OWNER, job.id) == before
        await asyncio.sleep(0.1)
        assert service.polls == 0


async def test_a_call_without_its_track_id_is_no_call(service: Service, tmp_path: Path) -> None:
    async with hooked(service, tmp_path) as (job_service, _):
        token, _, number = call(service)
        assert not await job_service.on_webhook(token, None, number)


async def test_a_webhook_names_a_job_whose_response_was_lost(service: Service, tmp_path: Path) -> None:
    service.script("submit", taken_and_lost(service))
    async with hooked(service, tmp_path) as (job_service, comparison):
        assert (await followed(job_service, comparison)).last(1).kind == "unknown"
        assert await job_service.on_webhook(*call(service))
        listener = await followed(job_service, comparison)
        assert (listener.completed, listener.error, service.posts) == ([1], None, 1)


@pytest.mark.parametrize("number", ["", "../1", "1?key=", "1" * 65])
async def test_a_call_with_an_invalid_id_changes_nothing(number: str, service: Service, tmp_path: Path) -> None:
    service.script("submit", taken_and_lost(service))
    async with hooked(service, tmp_path) as (job_service, comparison):
        job = (await followed(job_service, comparison)).last(1).job
        before = await job_service.record(OWNER, job)
        token, track_id, _ = call(service)
        assert not await job_service.on_webhook(token, track_id, number)
        assert await job_service.record(OWNER, job) == before


async def test_a_webhook_that_comes_before_the_response_is_used_if_that_is_lost(
    service: Service, tmp_path: Path
) -> None:
    called: list[bool] = []
    service.script("submit", taken_and_lost(service, until=lambda: bool(called)))
    async with hooked(service, tmp_path) as (job_service, comparison):
        called.append(await job_service.on_webhook(*call(service)))
        listener = await followed(job_service, comparison)
        assert (listener.completed, listener.error, called, service.posts) == ([1], None, [True], 1)


async def test_a_webhook_for_a_visitors_job_is_kept_until_the_key_is_there(service: Service, tmp_path: Path) -> None:
    service.script("submit", taken_and_lost(service))
    async with opened(service, tmp_path, key="", public_url=PUBLIC) as job_service:
        comparison = await begun(job_service, 1)
        assert (await followed(job_service, comparison)).last(1).kind == "unknown"
        assert await job_service.on_webhook(*call(service))
        assert service.polls == 0
        await job_service.resume(OWNER, KEY)
        assert (await followed(job_service, comparison)).completed == [1]
        assert service.posts == 1


async def test_a_receiver_of_the_visitors_own_takes_the_place_of_ours(service: Service, tmp_path: Path) -> None:
    finish(service)
    async with opened(service, tmp_path, public_url=PUBLIC) as job_service:
        own = WebhookTarget("https://example.com/secret-part", "mine")
        await followed(job_service, await begun(job_service, 1, webhook=own))
        [job] = await job_service.comparison(OWNER)
        [sent] = [job.body for job in service.jobs.values()]
        assert (sent["webhook"], sent["track_id"]) == (own.url, "mine")
        assert "secret-part" not in json.dumps(dict(job.facts))


# --- the key


async def test_the_key_is_nowhere_to_be_found_afterwards(service: Service, tmp_path: Path) -> None:
    """After success, refusal, a lost answer, a webhook, giving up and failures: in logs, files, words and reprs."""
    seen: list[object] = []
    errors: list[BaseException] = []
    everything: dict[Path, bytes] = {}

    async def flows() -> None:
        job_service = job_service_of(service, tmp_path, public_url=PUBLIC, modelslab_give_up_seconds=0.5, in_flight=1)
        view = ModelsLab(job_service).for_user(OWNER, KEY)
        service.script("submit", None, decline, reset, taken_and_lost(service), None, forever=True)
        comparison = await begun(job_service, 1, 2, 3, 4, 5)
        listener = Listener(job_service, comparison)
        await until(lambda: 1 in seeds_of(service))
        finish(service, 1)
        await until(lambda: 5 in seeds_of(service) and "about" in listener.last(5).text)
        for runner in job_service._runners.of_comparison(comparison):
            seen.extend((runner, vars(runner)))
        seen.extend(
            (
                job_service,
                vars(job_service),
                view,
                vars(view),
                view.readiness(),
                vars(job_service._store),
                vars(job_service._runners),
            )
        )
        await listener.end()
        lost = next(job for job in service.jobs.values() if job.body["seed"] == 4)
        token = lost.body["webhook"].rpartition("/")[2]
        assert await job_service.on_webhook(token, lost.body["track_id"], str(lost.number))
        again = await followed(job_service, comparison)
        assert set(again.completed) == {1, 4}
        assert {listener.last(seed).kind for seed in (3, 4, 5)} == {"unknown"}
        with pytest.raises(NotConfigured) as other_key:
            await job_service.check_again(OWNER, again.last(5).job, Key(CANARY + "x"))
        with pytest.raises(OutcomeUnknown) as no_number:
            await job_service.check_again(OWNER, again.last(3).job, KEY)
        errors.extend((other_key.value, no_number.value))
        for one in (listener, again):
            assert one.error is not None
            errors.append(one.error)
            seen.extend((one.headshots, one.statuses))
            reported = [status for statuses in one.statuses.values() for status in statuses]
            errors.extend(status.error for status in reported if status.error is not None)
        for job in await job_service.comparison(OWNER):
            seen.append(await job_service.record(OWNER, job.id))
        everything.update(contents(tmp_path))
        assert any(path.name.endswith("-wal") for path in everything)
        await job_service.close()

    with listening() as log:
        await flows()
        with closed_port() as port:
            async with opened(Service(port=port), tmp_path) as job_service:
                unreached = await followed(job_service, await begun(job_service, 1))
                assert unreached.error is not None
                errors.append(unreached.error)
        (tmp_path / "elsewhere").write_text("")
        async with opened(service, tmp_path / "elsewhere") as job_service:
            with pytest.raises(StoreError) as nowhere:
                await begun(job_service, 1)
            errors.append(nowhere.value)
    assert traces(log.getvalue()) == []
    assert traces(repr(seen)) == []
    assert traces("\n".join(map(everything_loggable, errors))) == []
    assert any(path in everything for path in files(tmp_path))
    for path, data in [*everything.items(), *contents(tmp_path).items()]:
        assert traces(data.decode("latin-1")) == [], path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
