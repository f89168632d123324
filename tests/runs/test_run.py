"""A comparison's attempts without a page: late results of a stopped one do not reach the next one."""

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
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
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
    """Ignores Stop.

    Attributes:
        ways: for each comparison, a future that lets its headshots come, or the error to raise instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ways: asyncio.Queue[asyncio.Future[Exception | None]] = asyncio.Queue()

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        way: asyncio.Future[Exception | None] = asyncio.Future()
        self.ways.put_nowait(way)
        error = await asyncio.shield(way)
        if error is not None:
            raise error
        for request in requests:
            yield made(photo, request)


async def _events(run: Run, photo: Photo, session: TabSession, recorder: HistoryRecorder) -> list[object]:
    """The run's events, and the error that ended it."""
    events: list[object] = []
    try:
        async with aclosing(execute(run, photo, {"stub": BackendQueue("stub", 2, 2)}, session, recorder)) as items:
            async for item in items:
                events.append(item)
    except HeadshotError as error:
        events.append(error)
    return events


@pytest.mark.parametrize("late", [None, Unavailable("stub", "It went away.")], ids=["succeeds", "fails"])
async def test_late_results_of_a_stopped_attempt_do_not_disturb_the_next(
    photo: Photo, session: TabSession, recorder: HistoryRecorder, late: Exception | None
) -> None:
    backend = Heedless()
    chosen = photo_check.check(photo.pixels).chosen
    run = session.run = Run([HeadshotRequest(seed=1)], photo, chosen, None, [backend], owner=ANN)
    with anyio.fail_after(20):
        first = asyncio.create_task(_events(run, photo, session, recorder))
        let_the_first_on = await backend.ways.get()
        run.stop()
        run.reopen()
        run.photo = photo
        second = asyncio.create_task(_events(run, photo, session, recorder))
        let_the_second_on = await backend.ways.get()
        let_the_first_on.set_result(late)
        assert [type(item) for item in await first] == [Stopped]
        await anyio.sleep(0.1)  # its late result comes now
        assert not second.done()
        assert run.alive and run.photo is photo and not run.failures
        unfinished = await recorder.latest(ANN)
        assert (
            unfinished is not None and unfinished.id == run.history_id and not unfinished.ended
        )  # a page that is loaded now goes on with it
        let_the_second_on.set_result(None)
        assert [item.request.seed for item in await second if isinstance(item, SavedHeadshot)] == [1]
    ended = await recorder.latest(ANN)
    assert ended is not None and ended.ended
