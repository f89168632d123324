"""The routes beside Gradio's: health check, pictures, webhook, voting pages."""

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from headshot.errors import HeadshotError
from headshot.exports.snippets import Api
from headshot.modelslab import webhook
from headshot.modelslab.jobs import JobService
from headshot.runs.files import DETAILS, THUMBNAIL
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.view.tab_view import TabView
from headshot.ui import assets
from headshot.voting.routes import routes as voting_routes

from . import downloads
from .request_filter import not_found
from .tab_stream import tab_routes

_log = logging.getLogger(__name__)

_EXPORTS_AT_ONCE = 2  # each keeps a core busy for up to half a second
_FOR_EVER = "public, max-age=31536000, immutable"
_MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


def routes_of(
    sessions: SessionRegistry,
    recorder: HistoryRecorder,
    view: TabView,
    webhook_jobs: JobService | None,
    *,
    api: Api = "enterprise",
) -> list[Route]:
    """Return all routes that are ours.

    Args:
        sessions: the open tabs, whose pictures are served.
        recorder: the history, whose pictures are served.
        view: makes what the open tabs show.
        webhook_jobs: receives the webhook's calls; None if the service is given no address to call.
        api: which of ModelsLab's endpoints the code of a headshot calls.
    """
    exports = anyio.CapacityLimiter(_EXPORTS_AT_ONCE)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def picture(request: Request) -> Response:
        address = [request.path_params[part] for part in ("token", "slot", "name")]
        path = sessions.picture(*address)
        if path is not None and path.suffix == ".zip":  # a whole history, which may be larger than the memory
            return FileResponse(path, content_disposition_type="inline")
        if path is not None:
            # All bytes at once: a picture that is deleted while it is sent would break off in the middle.
            with suppress(FileNotFoundError):
                return _inline(path.name, await anyio.to_thread.run_sync(path.read_bytes))
        # These come by the dozen and take no time.
        limiter = None if address[-1] in (THUMBNAIL, DETAILS) else exports
        try:
            made = await anyio.to_thread.run_sync(
                partial(downloads.make, sessions, recorder, *address, api=api), limiter=limiter
            )
        except HeadshotError as error:
            return PlainTextResponse(str(error), 503)
        if made is not None:
            return _inline(address[-1], made)
        return PlainTextResponse("This picture is no longer available. Pictures are deleted after a while.", 404)

    async def receive_webhook(request: Request) -> Response:
        if webhook_jobs is None:
            return not_found()
        try:
            known = await webhook.receive(webhook_jobs, request.path_params["token"], request.stream())
        except ClientDisconnect:
            return not_found()
        except HeadshotError:
            _log.exception("Could not look up the job of a webhook call; the job is polled all the same")
            return PlainTextResponse("Try again in a moment.", 503)
        return PlainTextResponse("ok") if known else not_found()

    async def script(request: Request) -> Response:
        content = assets.files().get(request.path_params["path"])
        if content is None or request.path_params["version"] != assets.version():
            return not_found()
        media_type = assets.MEDIA_TYPES[Path(request.path_params["path"]).suffix]
        return Response(content, media_type=media_type, headers={"Cache-Control": _FOR_EVER})

    return [
        Route("/healthz", healthz),
        Route("/scripts/{version}/{path:path}", script),
        *tab_routes(sessions, view),
        Route("/webhooks/{token}", receive_webhook, methods=["POST"]),
        Route("/headshots/{token}/{slot}/{name}", picture),
        *voting_routes(recorder.run),
    ]


def _inline(name: str, data: bytes) -> Response:
    """A file that a browser shows if it is linked, and saves under the link's name, or else under its address's."""
    return Response(data, media_type=_MEDIA_TYPES[Path(name).suffix], headers={"Content-Disposition": "inline"})
