"""A comparison's runs without a page: what a stopped one still brings is not the next one's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
from keeping import ANN
from stub import StubBackend, made

from headshot.errors import HeadshotError, Stopped, Unavailable
from headshot.imaging import photo_check
from headshot.imaging.photo import Photo
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.execution import execute
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.settings import Settings
from headshot.ui.headshots.photo import EXAMPLE

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def photo() -> Photo:
    return Photo.open(EXAMPLE)


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[HistoryRecorder]:
    recorder = HistoryRecorder.of(Settings(data_dir=tmp_path, content_credentials=False))
    yield recorder
    await recorder.close()


@pytest.fixture
def session(tmp_path: Path) -> TabSession:
    return SessionRegistry(tmp_path / "visitors", 60).get("a tab")


class Heedless(StubBackend):
    """Never hears of Stop. ways: for each comparison, what lets its headshots come, or the error that comes instead."""

    def __init__(self) -> None:
        super().__init__()
        self.ways: asyncio.Queue[asyncio.Future[Exception | None]] = asyncio.Queue()

    async def shoot(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        way: asyncio.Future[Exception | None] = asyncio.Future()
        self.ways.put_nowait(way)
        error = await asyncio.shield(way)
        if error is not None:
            raise error
        for request in requests:
            yield made(photo, request)


async def _news(job: Run, photo: Photo, session: TabSession, recorder: HistoryRecorder) -> list[object]:
    """What the run told, and the error that ended it."""
    told: list[object] = []
    try:
        async with aclosing(execute(job, photo, {"stub": BackendQueue("stub", 2, 2)}, session, recorder)) as news:
            async for item in news:
                told.append(item)
    except HeadshotError as error:
        told.append(error)
    return told


@pytest.mark.parametrize("late", [None, Unavailable("stub", "It went away.")], ids=["lands", "fails"])
async def test_what_comes_of_a_stopped_run_later_does_not_disturb_the_next(
    photo: Photo, session: TabSession, recorder: HistoryRecorder, late: Exception | None
) -> None:
    backend = Heedless()
    chosen = photo_check.check(photo.pixels).chosen
    job = session.run = Run([HeadshotRequest(seed=1)], photo, chosen, None, [backend], owner=ANN)
    with anyio.fail_after(20):
        first = asyncio.create_task(_news(job, photo, session, recorder))
        let_the_first_on = await backend.ways.get()
        job.stop()
        job.reopen()
        job.photo = photo
        second = asyncio.create_task(_news(job, photo, session, recorder))
        let_the_second_on = await backend.ways.get()
        let_the_first_on.set_result(late)
        assert [type(item) for item in await first] == [Stopped]
        await anyio.sleep(0.1)  # what comes of it comes now
        assert not second.done()
        assert job.alive and job.photo is photo and not job.failures
        unfinished = await recorder.unfinished(ANN)
        assert unfinished is not None and unfinished.id == job.history_id  # a page that is loaded now goes on with it
        let_the_second_on.set_result(None)
        assert [item.request.seed for item in await second if isinstance(item, SavedHeadshot)] == [1]
    assert await recorder.unfinished(ANN) is None
