"""What runs beside the page as long as the server lives: sweeping tabs, expiring history and jobs, warming up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio.to_thread
from gradio.route_utils import CustomCORSMiddleware
from starlette.applications import Starlette

from headshot.backends import Backend
from headshot.errors import HeadshotError
from headshot.imaging import photo_check
from headshot.imaging.photo import Photo
from headshot.modelslab.jobs import JobService
from headshot.pipeline.backend import Pipeline
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings
from headshot.ui.headshots.photo import EXAMPLE

from .log_filters import REDACT_KEYS, REDACT_URLS

_log = logging.getLogger(__name__)

_WARM_UP_AFTER_SECONDS = 3.0  # until the page is drawn in the first browser, which needs both cores for a second
_SWEEP_SECONDS = 5.0  # how often closed tabs are swept; a pass over forty visitors takes under 1 ms
_EXPIRE_SECONDS = 60.0  # what is kept for minutes need not go to the second, and every pass is a write on the disk


def lifespan_of(
    settings: Settings,
    registry: Mapping[str, Backend],
    sessions: SessionRegistry,
    recorder: HistoryRecorder,
    job_service: JobService | None,
) -> Any:
    """Return the ASGI lifespan that starts all background tasks, and stops them before it closes what they use.

    Args:
        settings: of the server.
        registry: the backends by name.
        sessions: the open tabs; closed at the end.
        recorder: the history; closed at the end.
        job_service: runs the paid jobs, if there may be any; closed at the end.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        _remove_cors(app)
        logging.getLogger("uvicorn.access").addFilter(REDACT_URLS)
        logging.getLogger("uvicorn.error").addFilter(REDACT_KEYS)  # it does not propagate to the root's handlers
        tasks = [
            asyncio.create_task(task)
            for task in (_sweep(sessions), _warm_up(registry), _expire_history(recorder, settings))
        ]
        try:
            async with _jobs_running(job_service, settings.keep_minutes * 60):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # one may be using the store in a thread just now
            await recorder.close()
            await anyio.to_thread.run_sync(sessions.close)

    return lifespan


def _remove_cors(app: Starlette) -> None:
    """Remove Gradio's CORS middleware.

    Gradio puts it outside of every middleware it is given, and off localhost it lets every origin in, with credentials.
    RequestFilterMiddleware refuses other origins; this removes the headers that invite them.
    """
    app.user_middleware = [
        entry for entry in app.user_middleware if cast(object, entry.cls) is not CustomCORSMiddleware
    ]
    app.middleware_stack = app.build_middleware_stack()


async def _sweep(sessions: SessionRegistry) -> None:
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, sessions.grace_seconds, sessions.keep_seconds))
        try:
            await anyio.to_thread.run_sync(sessions.sweep)
        except Exception:  # noqa: BLE001  one bad pass must not be the last
            _log.exception("Could not sweep the closed tabs; trying again in a moment")


async def _expire_history(recorder: HistoryRecorder, settings: Settings) -> None:
    """Delete old headshots, also those of the server before; first when nobody waits for the first page any more."""
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        await _logged(recorder.expire(settings), "Could not delete old headshots; trying again in a minute")


@asynccontextmanager
async def _jobs_running(job_service: JobService | None, keep_seconds: float) -> AsyncIterator[None]:
    """Run the job service: it resumes unfinished jobs, and leaves those unfinished at the end to the next server."""
    if job_service is None:
        yield
        return
    task = asyncio.create_task(_maintain_jobs(job_service, keep_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)  # it may be using the store in a thread just now
        await job_service.close()


async def _maintain_jobs(job_service: JobService, keep_seconds: float) -> None:
    """Resume the jobs that the server before left unfinished, then delete expired jobs every minute."""
    if job_service.has_jobs:
        await _logged(job_service.recover(), "Could not resume unfinished jobs; the next start tries again")
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        if job_service.has_jobs:
            await _logged(job_service.expire(keep_seconds), "Could not delete old jobs; trying again in a minute")


async def _logged(operation: Awaitable[None], message: str) -> None:
    """Log a failure instead of raising it: the page goes on."""
    try:
        await operation
    except HeadshotError as error:
        _log.error("%s: %s", message, error)
    except Exception:  # noqa: BLE001  nobody awaits a task's own error
        _log.exception(message)


async def _warm_up(registry: Mapping[str, Backend]) -> None:
    """Load the networks of the photo check and of the local pipeline before the first visitor waits for them."""
    await asyncio.sleep(_WARM_UP_AFTER_SECONDS)
    for backend in registry.values():
        if isinstance(backend, Pipeline):
            backend.warm_up()
    try:
        photo = await anyio.to_thread.run_sync(Photo.open, EXAMPLE)
        await anyio.to_thread.run_sync(photo_check.check, photo.pixels)
    except Exception:  # noqa: BLE001  nobody awaits a task's own error
        _log.exception("Could not warm up the photo check")
