"""The routes beside Gradio's: health check, pictures, webhook, voting pages."""

import logging
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from headshot.errors import HeadshotError
from headshot.modelslab import webhook
from headshot.modelslab.jobs import JobService
from headshot.runs.files import THUMBNAIL
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.voting.routes import routes as voting_routes

from . import downloads
from .request_filter import not_found

_log = logging.getLogger(__name__)

_EXPORTS_AT_ONCE = 2  # each keeps a core busy for up to half a second
_MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


def routes_of(sessions: SessionRegistry, recorder: HistoryRecorder, webhook_jobs: JobService | None) -> list[Route]:
    """Return all routes that are ours.

    Args:
        sessions: the open tabs, whose pictures are served.
        recorder: the history, whose pictures are served.
        webhook_jobs: receives the webhook's calls; None if the service is given no address to call.
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
        # Thumbnails come by the dozen and take no time.
        limiter = None if address[-1] == THUMBNAIL else exports
        try:
            made = await anyio.to_thread.run_sync(downloads.make, sessions, recorder, *address, limiter=limiter)
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

    return [
        Route("/healthz", healthz),
        Route("/webhooks/{token}", receive_webhook, methods=["POST"]),
        Route("/headshots/{token}/{slot}/{name}", picture),
        *voting_routes(recorder.run),
    ]


def _inline(name: str, data: bytes) -> Response:
    """A file that a browser shows if it is linked, and saves under the link's name, or else under its address's."""
    return Response(data, media_type=_MEDIA_TYPES[Path(name).suffix], headers={"Content-Disposition": "inline"})
