"""Runs a comparison: waits for its place, puts down what lands, and writes it into the history."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import anyio.to_thread

from headshot.backends import Backend
from headshot.comparison.comparing import compare
from headshot.errors import BackendError, Stopped
from headshot.imaging.photo import Photo
from headshot.metadata import inscribed
from headshot.modelslab.backend import ModelsLab
from headshot.request import Headshot, HeadshotRequest, Standing, Step

from .backend_queue import Line
from .files import Album, found_again, put_down, put_down_original
from .history_recorder import Keeper
from .run import Attempt, Job
from .saved_headshot import Original, Shot

if TYPE_CHECKING:
    from headshot.storage import Comparison


async def run(
    job: Job, photo: Photo | None, lines: Mapping[str, Line], album: Album, keeper: Keeper
) -> AsyncGenerator[Step | Standing | Shot]:
    """Run the job when its turn comes: its news, and its headshots once they lie in the album, as they come.

    Raises what the backends raise, Unavailable where the line is too long, Stopped after `job.stop()`. Closing this
    generator leaves the job.
    """
    attempt = job.attempt
    attempt.started = True
    task = asyncio.create_task(_produce(job, attempt, photo, lines, album, keeper))
    complete = False
    try:
        while (item := await attempt.news.get()) is not None:
            if isinstance(item, Exception):
                raise item
            if job.attempt is not attempt:
                raise Stopped("Another try took the place of this one.")
            if isinstance(item, Shot):
                job.shots.append(item)
                job.standings.pop(item.request, None)
                job.failures.pop(item.request, None)
            elif isinstance(item, Standing):
                job.standings[item.request] = item
            yield item
        complete = True
    finally:  # the end, Stop, or a closed tab
        if not complete:
            attempt.leave()
        attempt.ended = True
        if job.attempt is attempt:
            job.photo = None
        task.cancel()


async def _produce(
    job: Job, attempt: Attempt, photo: Photo | None, lines: Mapping[str, Line], album: Album, keeper: Keeper
) -> None:
    """Errors are news too."""
    started_at = time.perf_counter()
    landed: asyncio.Queue[Headshot | None] = asyncio.Queue()
    wanted = job.missing if job.alone is None else [job.alone]

    def tell_place(before: int) -> None:
        place = "your turn is next" if not before else f"{before} before yours"
        attempt.news.put_nowait(Step(f"Waiting for a free place: {place}", 0, len(job.requests)))

    @asynccontextmanager
    async def turn(backend: Backend) -> AsyncIterator[None]:
        nonlocal started_at
        async with lines[backend.name].turn(tell_place):
            if attempt.at is None:
                started_at = time.perf_counter()
            attempt.at = backend
            yield

    try:
        await anyio.to_thread.run_sync(keeper.begin, job)
        if job.resumed:
            made = _resumed(job, attempt)
        elif photo is not None:
            made = compare(job.chain, photo, wanted, attempt.progress, face=job.face, parent=job.parent, turn=turn)
        else:
            raise TypeError("without a photo only what was begun before can go on")
        # Beside the backend, which is at the next headshot meanwhile.
        putting_down = asyncio.create_task(_put_down_all(album, job, attempt, photo, landed, keeper))
        try:
            # Without aclosing a stopped job would leave the backend's generator open until it is collected.
            async with aclosing(made) as headshots:
                async for headshot in headshots:
                    landed.put_nowait(headshot)
                    if putting_down.done():  # it failed, and says why below
                        break
        finally:
            landed.put_nowait(None)
            await putting_down
        if job.attempt is attempt:
            job.seconds = time.perf_counter() - started_at
            await anyio.to_thread.run_sync(keeper.end, job)
        attempt.news.put_nowait(None)
    except Exception as error:  # noqa: BLE001  raised again where the news is read
        if isinstance(error, BackendError) and job.attempt is attempt:
            await anyio.to_thread.run_sync(_write_down, keeper, job, wanted, error)
        attempt.news.put_nowait(error)


def _write_down(keeper: Keeper, job: Job, wanted: Sequence[HeadshotRequest], error: BackendError) -> None:
    """Why each of those that were wanted did not come."""
    for request in set(wanted) & set(job.missing):
        told = job.standings.get(request)
        if told is not None and told.kind in ("unknown", "under way", "never sent"):
            continue  # it may still come, and its card says so
        job.failures[request] = told.text if told is not None and told.error is not None else str(error)
        keeper.fail(job, request, job.failures[request])
    keeper.end(job)


async def _resumed(job: Job, attempt: Attempt) -> AsyncGenerator[Headshot]:
    """What lands of a comparison that was begun before, all but what the job has already."""
    [backend] = [backend for backend in job.chain if isinstance(backend, ModelsLab)]
    attempt.at = backend
    have = {shot.request for shot in job.shots}
    async with aclosing(backend.follow(job.resumed, len(job.requests), attempt.progress)) as headshots:
        async for headshot in headshots:
            if headshot.request not in have:
                yield inscribed(headshot, photo_sha256=job.photo_sha256, parent=job.parent)


async def _put_down_all(
    album: Album,
    job: Job,
    attempt: Attempt,
    photo: Photo | None,
    landed: "asyncio.Queue[Headshot | None]",
    keeper: Keeper,
) -> None:
    """What lands becomes news in its order, up to the None. Raises Stopped where it lands after Stop."""
    original = None
    if photo is not None and job.chosen is not None:
        original = await anyio.to_thread.run_sync(put_down_original, album, photo, job.chosen, job)
    while (headshot := await landed.get()) is not None:
        at = attempt.at
        record = await at.record(headshot.job) if isinstance(at, ModelsLab) and headshot.job else None
        if attempt.stopped:
            raise Stopped("This headshot is no longer wanted.")
        shot = await anyio.to_thread.run_sync(put_down, album, job, headshot, original, record, keeper)
        attempt.news.put_nowait(shot)


def parent_of(comparison: "Comparison") -> str:
    """The mark of the picture that a comparison of the history goes on from, "" where none of its headshots tells."""
    return next((str(shot.facts.get("parent") or "") for shot in comparison.shots), "")


def reopened(comparison: "Comparison", chain: Sequence[Backend], original: Original | None, album: Album) -> Job:
    """A comparison of the history as a job that has ended, with what has landed of it.

    original: the photo's copy, None where it is not at hand.
    """
    job = Job(
        list(comparison.requests),
        None,
        None,
        comparison.face,
        chain,
        owner=comparison.owner,
        photo_sha256=comparison.photo_sha256,
        parent=parent_of(comparison),
        kind=comparison.kind,
        group=comparison.group,
        name=comparison.name,
        kept=comparison.id,
        kept_shots={shot.position: shot.id for shot in comparison.shots},
        failures={comparison.requests[position]: why for position, why in comparison.failures.items()},
    )
    latest = {shot.position: shot for shot in comparison.shots}  # where one was made twice
    job.shots = [found_again(album, shot, original) for shot in latest.values()]
    job.attempt.ended = True
    return job
