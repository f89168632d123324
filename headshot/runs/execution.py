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
from headshot.metadata import embed_metadata
from headshot.modelslab.backend import ModelsLab
from headshot.progress import HeadshotStatus, Step
from headshot.request import Headshot, HeadshotRequest

from .backend_queue import BackendQueue
from .files import FileSink, load, save, save_photo_copy
from .history_recorder import HistoryRecorder
from .run import Attempt, Run
from .saved_headshot import PhotoCopy, SavedHeadshot

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry


async def execute(
    run: Run, photo: Photo | None, queues: Mapping[str, BackendQueue], sink: FileSink, recorder: HistoryRecorder
) -> AsyncGenerator[Step | HeadshotStatus | SavedHeadshot]:
    """Run the job when its turn comes: its news, and its headshots once they lie in the album, as they come.

    Raises what the backends raise, Unavailable where the line is too long, Stopped after `run.stop()`. Closing this
    generator leaves the job.
    """
    attempt = run.attempt
    attempt.started = True
    task = asyncio.create_task(_make_headshots(run, attempt, photo, queues, sink, recorder))
    complete = False
    try:
        while (item := await attempt.events.get()) is not None:
            if isinstance(item, Exception):
                raise item
            if run.attempt is not attempt:
                raise Stopped("Another try took the place of this one.")
            if isinstance(item, SavedHeadshot):
                run.headshots.append(item)
                run.statuses.pop(item.request, None)
                run.failures.pop(item.request, None)
            elif isinstance(item, HeadshotStatus):
                run.statuses[item.request] = item
            yield item
        complete = True
    finally:  # the end, Stop, or a closed tab
        if not complete:
            attempt.detach()
        attempt.ended = True
        if run.attempt is attempt:
            run.photo = None
        task.cancel()


async def _make_headshots(
    run: Run,
    attempt: Attempt,
    photo: Photo | None,
    queues: Mapping[str, BackendQueue],
    sink: FileSink,
    recorder: HistoryRecorder,
) -> None:
    """Errors are news too."""
    started_at = time.perf_counter()
    landed: asyncio.Queue[Headshot | None] = asyncio.Queue()
    wanted = run.missing if run.only is None else [run.only]

    def tell_place(before: int) -> None:
        place = "your turn is next" if not before else f"{before} before yours"
        attempt.events.put_nowait(Step(f"Waiting for a free place: {place}", 0, len(run.requests)))

    @asynccontextmanager
    async def turn(backend: Backend) -> AsyncIterator[None]:
        nonlocal started_at
        async with queues[backend.name].acquire(tell_place):
            if attempt.current_backend is None:
                started_at = time.perf_counter()
            attempt.current_backend = backend
            yield

    try:
        await anyio.to_thread.run_sync(recorder.begin, run)
        if run.remote_id:
            made = _resumed(run, attempt)
        elif photo is not None:
            made = compare(run.backends, photo, wanted, attempt.progress, face=run.face, parent=run.parent, turn=turn)
        else:
            raise TypeError("without a photo only what was begun before can go on")
        # Beside the backend, which is at the next headshot meanwhile.
        putting_down = asyncio.create_task(_save_all(sink, run, attempt, photo, landed, recorder))
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
        if run.attempt is attempt:
            run.seconds = time.perf_counter() - started_at
            await anyio.to_thread.run_sync(recorder.end, run)
        attempt.events.put_nowait(None)
    except Exception as error:  # noqa: BLE001  raised again where the news is read
        if isinstance(error, BackendError) and run.attempt is attempt:
            await anyio.to_thread.run_sync(_record_failures, recorder, run, wanted, error)
        attempt.events.put_nowait(error)


def _record_failures(
    recorder: HistoryRecorder, run: Run, wanted: Sequence[HeadshotRequest], error: BackendError
) -> None:
    """Why each of those that were wanted did not come."""
    for request in set(wanted) & set(run.missing):
        told = run.statuses.get(request)
        if told is not None and told.kind in ("unknown", "under way", "never sent"):
            continue  # it may still come, and its card says so
        run.failures[request] = told.text if told is not None and told.error is not None else str(error)
        recorder.fail(run, request, run.failures[request])
    recorder.end(run)


async def _resumed(run: Run, attempt: Attempt) -> AsyncGenerator[Headshot]:
    """What lands of a comparison that was begun before, all but what the job has already."""
    [backend] = [backend for backend in run.backends if isinstance(backend, ModelsLab)]
    attempt.current_backend = backend
    have = {shot.request for shot in run.headshots}
    async with aclosing(backend.follow(run.remote_id, len(run.requests), attempt.progress)) as headshots:
        async for headshot in headshots:
            if headshot.request not in have:
                yield embed_metadata(headshot, photo_sha256=run.photo_sha256, parent=run.parent)


async def _save_all(
    sink: FileSink,
    run: Run,
    attempt: Attempt,
    photo: Photo | None,
    landed: "asyncio.Queue[Headshot | None]",
    recorder: HistoryRecorder,
) -> None:
    """What lands becomes news in its order, up to the None. Raises Stopped where it lands after Stop."""
    original = None
    if photo is not None and run.chosen is not None:
        original = await anyio.to_thread.run_sync(save_photo_copy, sink, photo, run.chosen, run)
    while (headshot := await landed.get()) is not None:
        at = attempt.current_backend
        record = await at.record(headshot.job) if isinstance(at, ModelsLab) and headshot.job else None
        if attempt.stopped:
            raise Stopped("This headshot is no longer wanted.")
        shot = await anyio.to_thread.run_sync(save, sink, run, headshot, original, record, recorder)
        attempt.events.put_nowait(shot)


def parent_of(comparison: "HistoryEntry") -> str:
    """The mark of the picture that a comparison of the history goes on from, "" where none of its headshots tells."""
    return next((str(shot.facts.get("parent") or "") for shot in comparison.headshots), "")


def run_from_history(
    comparison: "HistoryEntry", chain: Sequence[Backend], original: PhotoCopy | None, sink: FileSink
) -> Run:
    """A comparison of the history as a job that has ended, with what has landed of it.

    original: the photo's copy, None where it is not at hand.
    """
    run = Run(
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
        history_id=comparison.id,
        history_ids={shot.position: shot.id for shot in comparison.headshots},
        failures={comparison.requests[position]: why for position, why in comparison.failures.items()},
    )
    latest = {shot.position: shot for shot in comparison.headshots}  # where one was made twice
    run.headshots = [load(sink, shot, original) for shot in latest.values()]
    run.attempt.ended = True
    return run
