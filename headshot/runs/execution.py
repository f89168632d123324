"""Runs a comparison: waits in the backend's queue, saves each headshot as a file and in the history."""

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
    """Run it when its turn comes, and yield its events and its saved headshots as they come.

    Closing this generator detaches from the run.

    Args:
        run: made or reopened just now.
        photo: None for a run that only resumes remote jobs.
        queues: by the backend's name.
        sink: where the files go.
        recorder: saves the run in the history.

    Raises:
        BackendError: as the backends raise it; Unavailable if the queue is full.
        Stopped: after `run.stop()`.
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
                raise Stopped("A newer attempt replaced this one.")
            if isinstance(item, SavedHeadshot):
                run.headshots.append(item)
                run.statuses.pop(item.request, None)
                run.failures.pop(item.request, None)
            elif isinstance(item, HeadshotStatus):
                if not attempt.late or item.request in attempt.late:
                    run.statuses[item.request] = item
            else:
                attempt.stage = item
            yield item
        complete = True
    finally:  # at the end, after Stop, or when the tab closes
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
    """Put every event into the attempt's queue, errors included."""
    started_at = time.perf_counter()
    completed: asyncio.Queue[Headshot | None] = asyncio.Queue()
    wanted = run.missing if run.only is None else [run.only]

    def on_position(ahead: int) -> None:
        position = "you are next" if not ahead else f"{ahead} ahead of you"
        attempt.events.put_nowait(Step(f"In the queue: {position}", 0, len(run.requests)))

    @asynccontextmanager
    async def slot(backend: Backend) -> AsyncIterator[None]:
        nonlocal started_at
        async with queues[backend.name].acquire(on_position):
            if attempt.current_backend is None:
                started_at = time.perf_counter()
            attempt.current_backend = backend
            yield

    try:
        await anyio.to_thread.run_sync(recorder.begin, run)
        if run.remote_id:
            results = _resumed(run, attempt)
        elif photo is not None:
            results = compare(
                run.backends, photo, wanted, attempt.progress, face=run.face, parent=run.parent, slot=slot
            )
        else:
            raise TypeError("without a photo only remote jobs can be resumed")
        # Beside the backend, which makes the next headshot meanwhile.
        saving = asyncio.create_task(_save_all(sink, run, attempt, photo, completed, recorder))
        try:
            # Without aclosing a stopped job would leave the backend's generator open until it is collected.
            async with aclosing(results) as headshots:
                async for headshot in headshots:
                    completed.put_nowait(headshot)
                    if saving.done():  # it failed, and raises below
                        break
        finally:
            completed.put_nowait(None)
            await saving
        if run.attempt is attempt:
            run.seconds = time.perf_counter() - started_at
            await anyio.to_thread.run_sync(recorder.end, run)
        attempt.events.put_nowait(None)
    except Exception as error:  # noqa: BLE001  raised again where the events are read
        if isinstance(error, BackendError) and run.attempt is attempt:
            await anyio.to_thread.run_sync(_record_failures, recorder, run, wanted, error)
        attempt.events.put_nowait(error)


def _record_failures(
    recorder: HistoryRecorder, run: Run, wanted: Sequence[HeadshotRequest], error: BackendError
) -> None:
    """Record why each wanted headshot is missing."""
    for request in set(wanted) & set(run.missing):
        status = run.statuses.get(request)
        if status is not None and status.kind in ("unknown", "under way", "never sent"):
            continue  # it may still come, and its card says so
        run.failures[request] = status.text if status is not None and status.error is not None else str(error)
        recorder.fail(run, request, run.failures[request])
    recorder.end(run)


async def _resumed(run: Run, attempt: Attempt) -> AsyncGenerator[Headshot]:
    """The results of a remote comparison, except for the headshots that the run has already."""
    [backend] = [backend for backend in run.backends if isinstance(backend, ModelsLab)]
    attempt.current_backend = backend
    have = {shot.request for shot in run.headshots}
    async with aclosing(backend.watch(run.remote_id, len(run.requests), attempt.progress)) as headshots:
        async for headshot in headshots:
            if headshot.request not in have:
                yield embed_metadata(headshot, photo_sha256=run.photo_sha256, parent=run.parent)


async def _save_all(
    sink: FileSink,
    run: Run,
    attempt: Attempt,
    photo: Photo | None,
    completed: "asyncio.Queue[Headshot | None]",
    recorder: HistoryRecorder,
) -> None:
    """Save the completed headshots in their order, up to the None; each becomes an event. Raises Stopped after Stop."""
    original = None
    if photo is not None and run.chosen is not None:
        original = await anyio.to_thread.run_sync(save_photo_copy, sink, photo, run.chosen, run)
    while (headshot := await completed.get()) is not None:
        backend = attempt.current_backend
        record = await backend.record(headshot.job) if isinstance(backend, ModelsLab) and headshot.job else None
        if attempt.stopped:
            raise Stopped("This headshot is no longer wanted.")
        shot = await anyio.to_thread.run_sync(save, sink, run, headshot, original, record, recorder)
        attempt.events.put_nowait(shot)


def parent_of(entry: "HistoryEntry") -> str:
    """Return the content id of the picture that a comparison continues from, "" if it has none or no headshot."""
    return next((str(shot.facts.get("parent") or "") for shot in entry.headshots), "")


def run_from_history(
    entry: "HistoryEntry", backends: Sequence[Backend], original: PhotoCopy | None, sink: FileSink
) -> Run:
    """Return a comparison of the history as a run that has ended, with its headshots.

    Args:
        entry: from the history.
        backends: the run's, should it go on.
        original: the photo's copy, None if it is not at hand.
        sink: gives the addresses of the headshots.
    """
    run = Run(
        list(entry.requests),
        None,
        None,
        entry.face,
        backends,
        owner=entry.owner,
        photo_sha256=entry.photo_sha256,
        parent=parent_of(entry),
        kind=entry.kind,
        group=entry.group,
        name=entry.name,
        history_id=entry.id,
        history_ids={shot.position: shot.id for shot in entry.headshots},
        failures={entry.requests[position]: why for position, why in entry.failures.items()},
    )
    latest = {shot.position: shot for shot in entry.headshots}  # one may have been made twice
    run.headshots = [load(sink, shot, original) for shot in latest.values()]
    run.attempt.ended = run.attempt.from_history = True
    return run
