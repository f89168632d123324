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
from headshot.request import Headshot, HeadshotRequest, Progress
from headshot.runs.backend_queue import Line
from headshot.runs.execution import run
from headshot.runs.history_recorder import Keeper
from headshot.runs.run import Job
from headshot.runs.saved_headshot import Shot
from headshot.sessions.session import Visitor, Visitors
from headshot.settings import Settings
from headshot.ui.headshots.photo import EXAMPLE

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def photo() -> Photo:
    return Photo.open(EXAMPLE)


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Keeper]:
    keeper = Keeper.of(Settings(data_dir=tmp_path, content_credentials=False))
    yield keeper
    await keeper.close()


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitors(tmp_path / "visitors", 60).of("a tab")


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


async def _news(job: Job, photo: Photo, visitor: Visitor, keeper: Keeper) -> list[object]:
    """What the run told, and the error that ended it."""
    told: list[object] = []
    try:
        async with aclosing(run(job, photo, {"stub": Line("stub", 2, 2)}, visitor, keeper)) as news:
            async for item in news:
                told.append(item)
    except HeadshotError as error:
        told.append(error)
    return told


@pytest.mark.parametrize("late", [None, Unavailable("stub", "It went away.")], ids=["lands", "fails"])
async def test_what_comes_of_a_stopped_run_later_does_not_disturb_the_next(
    photo: Photo, visitor: Visitor, keeper: Keeper, late: Exception | None
) -> None:
    backend = Heedless()
    chosen = photo_check.check(photo.pixels).chosen
    job = visitor.job = Job([HeadshotRequest(seed=1)], photo, chosen, None, [backend], owner=ANN)
    with anyio.fail_after(20):
        first = asyncio.create_task(_news(job, photo, visitor, keeper))
        let_the_first_on = await backend.ways.get()
        job.stop()
        job.reopen()
        job.photo = photo
        second = asyncio.create_task(_news(job, photo, visitor, keeper))
        let_the_second_on = await backend.ways.get()
        let_the_first_on.set_result(late)
        assert [type(item) for item in await first] == [Stopped]
        await anyio.sleep(0.1)  # what comes of it comes now
        assert not second.done()
        assert job.alive and job.photo is photo and not job.failures
        unfinished = await keeper.unfinished(ANN)
        assert unfinished is not None and unfinished.id == job.kept  # a page that is loaded now goes on with it
        let_the_second_on.set_result(None)
        assert [item.request.seed for item in await second if isinstance(item, Shot)] == [1]
    assert await keeper.unfinished(ANN) is None
