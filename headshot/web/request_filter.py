"""The middleware that decides which requests reach the page at all."""

import re

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .page_paths import FILE, HEARTBEAT, QUEUE_JOIN, is_link, path_of

# What the page itself asks for, and nothing else; `gradio_client` needs no more. Left out on purpose: deep links, which
# save a visitor's inputs where anyone with the link reads them; /call and /api, which bypass the queue; /proxy;
# /monitoring; run history; recordings.
_PATHS = {
    "/",
    "/config",
    "/favicon.ico",
    "/healthz",
    "/manifest.json",
    "/robots.txt",
    "/theme.css",
    "/vote",
    "/gradio_api/app_id",
    "/gradio_api/cancel",
    "/gradio_api/info",
    "/gradio_api/queue/data",
    QUEUE_JOIN,
    "/gradio_api/reset",
    "/gradio_api/startup-events",
    "/gradio_api/theme.css",
    "/gradio_api/upload",
    "/gradio_api/upload_progress",
}
_FOLDERS = ("/assets/", "/static/", "/svelte/", "/scripts/", "/tab/", "/headshots/", "/vote/", HEARTBEAT, FILE)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # as `secrets.token_urlsafe(32)` makes it
_WEBHOOK = re.compile(rf"/webhooks/{_SECRET.pattern}")


def not_found() -> Response:
    """Return the one 404 for every unknown or forbidden path, so that probing reveals nothing."""
    return PlainTextResponse("There is nothing here.", 404)


class RequestFilterMiddleware:
    """Refuses unknown routes, other sites' scripts, and links in the place of files. Covers Gradio's own routes too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on an allowed request, and answer any other."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        headers = Headers(scope=scope)
        # Gradio answers a Range with the request's own headers, cookies among them. No picture needs a range.
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        if not _is_allowed_route(scope["method"], path):
            await not_found()(scope, receive, send)
        elif not _is_same_origin(scope["method"], headers):
            await PlainTextResponse("This server answers its own page only.", 403)(scope, receive, send)
        elif path.startswith(FILE) and is_link(path.removeprefix(FILE)):
            await PlainTextResponse("Links are not followed.", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_allowed_route(method: str, path: str) -> bool:
    if (path.rstrip("/") or "/") in _PATHS or path.startswith(_FOLDERS):
        return True
    return method == "POST" and _WEBHOOK.fullmatch(path) is not None


def _is_same_origin(method: str, headers: Headers) -> bool:
    """Whether the page itself sends the request, or a person who opens an address. Another site's script may not."""
    site = headers.get("sec-fetch-site")  # browsers set it on https and on localhost, and scripts cannot
    if site is not None:
        opened = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        return site in ("same-origin", "none") or opened
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")
