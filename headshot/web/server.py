"""The server around the page: what it lets in, what it lets out, and when it forgets."""

import asyncio
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread
import gradio as gr
from gradio.route_utils import CustomCORSMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from headshot import ui
from headshot.backends import Backend
from headshot.errors import HeadshotError
from headshot.imaging import photo_check
from headshot.imaging.photo import MAX_FILE_BYTES, Photo
from headshot.modelslab import webhook
from headshot.modelslab.backend import ModelsLab
from headshot.modelslab.jobs import JobService
from headshot.pipeline.backend import Pipeline
from headshot.runs.files import THUMBNAIL
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions import folder
from headshot.sessions.session import SessionRegistry
from headshot.settings import Settings
from headshot.ui.headshots.photo import EXAMPLE
from headshot.ui.theme import STYLESHEETS, swatches, theme
from headshot.voting import routes

from . import downloads
from .request_filter import REDACT_KEYS, REDACT_URLS, RequestFilterMiddleware, not_found

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger(__name__)

_WARM_UP_AFTER_SECONDS = 3.0  # until the page stands in the first browser, which needs both cores for a second
_SWEEP_SECONDS = 5.0  # the tabs that closed are looked for this often; a pass over forty visitors takes under 1 ms
_EXPIRE_SECONDS = 60.0  # what is kept for minutes need not go to the second, and every pass is a write on the disk
_QUICK_CALLS = 40  # at once, beside the comparisons: Gradio's own number for a whole app
_MAX_CALLS = 1_000  # that wait in Gradio's queue, all of them programs'; comparisons wait in lines of their own
_EXPORTS_AT_ONCE = 2  # each keeps a core busy for up to half a second
_MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


def serve(settings: Settings, registry: Mapping[str, Backend]) -> None:
    """Serve the page until Ctrl-C, or a container's SIGTERM; what visitors left is deleted either way."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        site = start(settings, registry)
        try:
            site.wait()
        finally:
            site.close()
    except KeyboardInterrupt:
        _log.info("Ended before it had started")


@dataclass(frozen=True)
class Site:
    """A running server. `sessions` are the people on it."""

    address: str
    sessions: SessionRegistry
    _page: gr.Blocks

    def wait(self) -> None:
        """Return when the server ends."""
        self._page.block_thread()

    def close(self) -> None:
        self._page.close(verbose=False)
        self.sessions.close()


def start(
    settings: Settings,
    registry: Mapping[str, Backend],
    *,
    port: int | None = None,
    sessions: SessionRegistry | None = None,
) -> Site:
    """Serve the page in a thread.

    Address and port follow GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, as in every Gradio app, where `port` is None.
    """
    sessions = sessions or _sessions(settings, registry)
    recorder = HistoryRecorder.of(settings)
    page = _page(settings, registry, sessions, recorder)
    _, address, _ = page.launch(
        **_options(settings, registry, sessions, recorder),
        server_port=port,
        max_threads=page.max_threads,
        prevent_thread_lock=True,
        inbrowser=settings.open_browser,
        share=False,
        num_workers=0,
        quiet=True,
        _frontend=False,  # or a page that takes three seconds, on a busy machine, would count as unreachable
    )
    _log.info("The playground is at %s", address)
    return Site(address, sessions, page)


def mount(
    app: "FastAPI",
    settings: Settings,
    registry: Mapping[str, Backend],
    *,
    path: str = "/",
    sessions: SessionRegistry | None = None,
) -> None:
    """Put the page into an app of your own, whose lifespan has to run: it is there once that has started.

    path: where it lies in that app. What holds strangers off stands before the page only, not before the app.
    Every open page holds a connection: a server that waits for these when it ends needs a limit to that, as Uvicorn's
    `timeout_graceful_shutdown`.
    """
    sessions = sessions or _sessions(settings, registry)
    recorder = HistoryRecorder.of(settings)
    options = _options(settings, registry, sessions, recorder)
    gr.mount_gradio_app(app, _page(settings, registry, sessions, recorder), path, **options)


def _sessions(settings: Settings, registry: Mapping[str, Backend]) -> SessionRegistry:
    folder.delete_abandoned_folders()
    root = Path(tempfile.mkdtemp(prefix="visitors-", dir=ui.CACHE))
    return SessionRegistry(root, settings.keep_minutes * 60, backends=registry.values())


def _page(
    settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry, recorder: HistoryRecorder
) -> gr.Blocks:
    page = ui.build(settings, registry, sessions, recorder)
    # A comparison that waits in its line holds one of these places, and what is clicked meanwhile needs one too.
    page.max_threads = _QUICK_CALLS + sum(backend.max_concurrent + settings.queue_size for backend in registry.values())
    page.queue(max_size=_MAX_CALLS, api_open=False)
    return page


def _options(
    settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry, recorder: HistoryRecorder
) -> dict[str, Any]:
    """What Gradio is told wherever the page runs."""
    job_service = _job_service(registry)
    return {
        "theme": theme(),
        "css": swatches(),
        "css_paths": STYLESHEETS,
        "app_kwargs": {
            "middleware": [Middleware(RequestFilterMiddleware, sessions=sessions)],
            "routes": _routes(sessions, recorder, job_service if settings.public_url else None),
            "lifespan": _lifespan(settings, registry, sessions, recorder, job_service),
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        "max_file_size": MAX_FILE_BYTES,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "show_error": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
    }


def _job_service(registry: Mapping[str, Backend]) -> JobService | None:
    """Where the paid jobs are looked after, if there may be any."""
    return next((backend.jobs for backend in registry.values() if isinstance(backend, ModelsLab)), None)


def _routes(sessions: SessionRegistry, recorder: HistoryRecorder, called: JobService | None) -> list[Route]:
    """called: the desk that webhooks call, None where the service is told of none."""
    at_once = anyio.CapacityLimiter(_EXPORTS_AT_ONCE)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def picture(request: Request) -> Response:
        address = [request.path_params[part] for part in ("visitor", "corner", "name")]
        path = sessions.picture(*address)
        if path is not None and path.suffix == ".zip":  # a whole history, which may be larger than the memory
            return FileResponse(path, content_disposition_type="inline")
        if path is not None:
            # The bytes at once: a picture that is deleted while it is sent would break off in the middle.
            with suppress(FileNotFoundError):
                return _inline(path.name, await anyio.to_thread.run_sync(path.read_bytes))
        # Thumbnails come by the dozen and take no time.
        own_line = None if address[-1] == THUMBNAIL else at_once
        try:
            made = await anyio.to_thread.run_sync(downloads.make, sessions, recorder, *address, limiter=own_line)
        except HeadshotError as error:
            return PlainTextResponse(str(error), 503)
        if made is not None:
            return _inline(address[-1], made)
        return PlainTextResponse("This picture is no longer here: pictures are deleted after a while.", 404)

    async def hook(request: Request) -> Response:
        if called is None:
            return not_found()
        try:
            fits = await webhook.receive(called, request.path_params["token"], request.stream())
        except ClientDisconnect:
            return not_found()
        except HeadshotError:
            _log.exception("A webhook's call could not be looked up; its job is asked for all the same")
            return PlainTextResponse("Try again in a moment.", 503)
        return PlainTextResponse("ok") if fits else not_found()

    return [
        Route("/healthz", healthz),
        Route("/webhooks/{token}", hook, methods=["POST"]),
        Route("/headshots/{visitor}/{corner}/{name}", picture),
        *routes.routes(recorder.run),
    ]


def _inline(name: str, data: bytes) -> Response:
    """A file that a browser shows where it is linked, and saves under the link's name, or else under its address's."""
    return Response(data, media_type=_MEDIA_TYPES[Path(name).suffix], headers={"Content-Disposition": "inline"})


def _lifespan(
    settings: Settings,
    registry: Mapping[str, Backend],
    sessions: SessionRegistry,
    recorder: HistoryRecorder,
    job_service: JobService | None,
) -> Any:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # Gradio puts its own CORS outside of every middleware it is given, and off localhost that one lets every
        # origin in, with credentials. Guard refuses other origins; here the headers that invite them go too.
        app.user_middleware = [
            entry for entry in app.user_middleware if cast(object, entry.cls) is not CustomCORSMiddleware
        ]
        app.middleware_stack = app.build_middleware_stack()
        logging.getLogger("uvicorn.access").addFilter(REDACT_URLS)
        logging.getLogger("uvicorn.error").addFilter(REDACT_KEYS)  # its handlers are its own
        tasks = [
            asyncio.create_task(chore)
            for chore in (_sweep(sessions), _warm_up(registry), _expire(recorder, settings.history_hours))
        ]
        try:
            async with _looked_after(job_service, settings.keep_minutes * 60):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # one may have the store open in a thread just now
            await recorder.close()
            await anyio.to_thread.run_sync(sessions.close)

    return lifespan


async def _sweep(sessions: SessionRegistry) -> None:
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, sessions.grace_seconds, sessions.keep_seconds))
        try:
            await anyio.to_thread.run_sync(sessions.sweep)
        except Exception:  # noqa: BLE001  one bad pass must not be the last
            _log.exception("A pass over the visitors failed; the next comes all the same")


async def _expire(recorder: HistoryRecorder, hours: float) -> None:
    """Also what the server before has left, once nobody waits for the first page."""
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        await _tried(recorder.expire(hours), "Old headshots could not be deleted; it is tried again in a minute")


@asynccontextmanager
async def _looked_after(job_service: JobService | None, keep_seconds: float) -> AsyncIterator[None]:
    """The desk's life: it goes on with what was left, and leaves to the next what is not done at the end."""
    if job_service is None:
        yield
        return
    task = asyncio.create_task(_look_after(job_service, keep_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)  # it may have the store open in a thread just now
        await job_service.close()


async def _look_after(job_service: JobService, keep_seconds: float) -> None:
    """Go on with what the server before has left, then delete what has been kept for its time."""
    if job_service.has_jobs:
        await _tried(job_service.recover(), "The jobs that were under way are not looked after before the next start")
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        if job_service.has_jobs:
            await _tried(
                job_service.expire(keep_seconds), "Old jobs could not be deleted; it is tried again in a minute"
            )


async def _tried(deed: Awaitable[None], otherwise: str) -> None:
    """Whatever happens to it, the page goes on."""
    try:
        await deed
    except HeadshotError as error:
        _log.error("%s: %s", otherwise, error)
    except Exception:  # noqa: BLE001  a task's own error would be heard by nobody
        _log.exception(otherwise)


async def _warm_up(registry: Mapping[str, Backend]) -> None:
    """Load the networks of the photo check, and the local pipeline's, before the first visitor waits for them."""
    await asyncio.sleep(_WARM_UP_AFTER_SECONDS)
    for backend in registry.values():
        if isinstance(backend, Pipeline):
            backend.warm_up()
    try:
        photo = await anyio.to_thread.run_sync(Photo.open, EXAMPLE)
        await anyio.to_thread.run_sync(photo_check.check, photo.pixels)
    except Exception:  # noqa: BLE001  a task's own error would be heard by nobody
        _log.exception("The check of photos could not be warmed up")
