"""The middleware that checks the calls of the page's handlers."""

import json
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headshot import ui

from .page_paths import QUEUE_JOIN, is_link, path_of

_MAX_CALL_BYTES = 256 * 2**10  # a form's call with two prompts of 2,000 characters is under 20 KB


class QueueCallsMiddleware:
    """Refuses calls that are too large or name a file that was not uploaded. Gradio would fetch any link in them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a call that names uploads only, and answer any other."""
        if scope["type"] != "http" or path_of(scope).rstrip("/") != QUEUE_JOIN:
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _MAX_CALL_BYTES:
                await JSONResponse({"detail": "The form is too large."}, 413)(scope, receive, send)
                return
        try:
            refusal = _refusal(json.loads(body))
        except (ValueError, RecursionError):
            await JSONResponse({"detail": "The form cannot be read."}, 400)(scope, receive, send)
            return
        if refusal:
            await JSONResponse({"detail": refusal}, 403)(scope, receive, send)
            return
        delivered = False

        async def receive_again() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_again, send)


def _refusal(value: Any) -> str:
    """Why a call may not name a file that it names, or "". A file's `url` is not checked: nobody reads it."""
    match value:
        case {"path": str(path)} if is_link(path):
            return "Links are not followed."
        case {"path": str(path)} if not _may_be_named(path):
            return "Only a file that was uploaded can be named."
        case dict():
            return _refusal(list(value.values()))
        case list():
            return next((refusal for refusal in map(_refusal, value) if refusal), "")
    return ""


def _may_be_named(path: str) -> bool:
    """Whether it is an upload, or a preview that the page was given.

    Gradio ends in a traceback at a file outside of its cache. It deletes what a call named once that has aged, but the
    cache's own lock must stay; at a folder it gives up deleting for good.
    """
    try:
        found = Path(path).resolve()
        return found.is_relative_to(ui.CACHE) and found.parent != ui.CACHE and not found.is_dir()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False
