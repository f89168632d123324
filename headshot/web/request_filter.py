"""What stands before every route of the page: which address is answered, to whom, and what is said about it."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headshot import ui
from headshot.cookies import page_cookie
from headshot.modelslab.account import MASK, KeyFilter
from headshot.sessions.session import SessionRegistry

_MAX_CALL_BYTES = 256 * 2**10  # a form's call with two prompts of 2,000 characters is under 20 KB

# What the page itself asks for, and nothing else; `gradio_client` needs no more. Left out on purpose: deep links, which
# save a visitor's inputs where anyone with the link reads them; /call and /api, which pass by the queue; /proxy;
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
    "/gradio_api/queue/join",
    "/gradio_api/reset",
    "/gradio_api/startup-events",
    "/gradio_api/theme.css",
    "/gradio_api/upload",
    "/gradio_api/upload_progress",
}
_FOLDERS = ("/assets/", "/static/", "/svelte/", "/headshots/", "/vote/", "/gradio_api/heartbeat/", "/gradio_api/file=")
_QUEUE_JOIN = "/gradio_api/queue/join"
_FILE = "/gradio_api/file="
_HEARTBEAT = "/gradio_api/heartbeat/"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # as `secrets.token_urlsafe(32)` makes it
_WEBHOOK = re.compile(rf"/webhooks/{_SECRET.pattern}")
_SECRETS_IN_ADDRESSES = re.compile(
    r"(/webhooks/|/headshots/|/vote/|/heartbeat/|/file=|session_hash=|[?&]code=)[^\s?&]+"
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    # Gradio's page runs inline scripts and compiles templates. The rest holds it to this server: no picture can be
    # fetched from or sent to another one. A Space is shown in a frame of huggingface.co.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self' data: blob:; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self' https://huggingface.co https://*.huggingface.co https://*.hf.space"
    ),
}
_PRIVATE = "private, no-store"


def not_found() -> Response:
    """Whatever a stranger has guessed: it looks the same."""
    return PlainTextResponse("There is nothing here.", 404)


class RequestFilterMiddleware:
    """Stands before every route of the page, Gradio's own included."""

    def __init__(self, app: ASGIApp, sessions: SessionRegistry) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        send = _with_headers(send, path)
        headers = Headers(scope=scope)
        # Gradio answers a Range with the request's own headers, cookies among them. No picture needs a range.
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        if not _is_allowed_route(scope["method"], path):
            await not_found()(scope, receive, send)
        elif not _is_same_origin(scope["method"], headers):
            await PlainTextResponse("This server answers its own page only.", 403)(scope, receive, send)
        elif path.startswith(_FILE) and _is_link(path.removeprefix(_FILE)):
            await PlainTextResponse("Links are not followed.", 403)(scope, receive, send)
        elif path.startswith(_FILE) and _within_the_cache(path.removeprefix(_FILE)):
            await self._file(anyio.Path(path.removeprefix(_FILE)), scope, receive, send)
        elif path.startswith(_HEARTBEAT):
            with self._sessions.connected(path.removeprefix(_HEARTBEAT)):
                await self._app(scope, receive, send)
        elif path.rstrip("/") == _QUEUE_JOIN:
            await self._call(scope, receive, send)
        elif path.strip("/") == "" and scope["method"] == "GET":
            await self._app(scope, receive, _with_cookie(send, scope))
        else:
            await self._app(scope, receive, send)

    async def _file(self, path: anyio.Path, scope: Scope, receive: Receive, send: Send) -> None:
        """An upload or a preview. It may be deleted while the page asks for it: then there is nothing, and no error."""
        held: list[Message] = []  # the answer's start, until there is something to send
        sent = False

        async def gone() -> bool:
            return not sent and not await path.is_file()

        async def sending(message: Message) -> None:
            nonlocal sent
            held.append(message)
            if message["type"] == "http.response.start":
                return
            if held[0].get("status", 200) >= 400 and await gone():  # Gradio noticed
                raise FileNotFoundError(path)
            sent = True
            for waiting in held:
                await send(waiting)
            held.clear()

        try:
            await self._app(scope, receive, sending)
        except (OSError, RuntimeError):  # the first where the file is opened, the second where its size is read
            if not await gone():
                raise
            await Response(status_code=204)(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A handler's call. Gradio would fetch any link that stands in it as a file."""
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
            refusal = _refused_file(json.loads(body))
        except (ValueError, RecursionError):
            await JSONResponse({"detail": "The form cannot be read."}, 400)(scope, receive, send)
            return
        if refusal:
            await JSONResponse({"detail": refusal}, 403)(scope, receive, send)
            return
        delivered = False

        async def again() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


def _is_allowed_route(method: str, path: str) -> bool:
    if (path.rstrip("/") or "/") in _PATHS or path.startswith(_FOLDERS):
        return True
    return method == "POST" and _WEBHOOK.fullmatch(path) is not None


def _is_same_origin(method: str, headers: Headers) -> bool:
    """Whether the page itself asks, or a person who opens an address. Another site's script may not."""
    site = headers.get("sec-fetch-site")  # browsers set it on https and on localhost, and scripts cannot
    if site is not None:
        opened = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        return site in ("same-origin", "none") or opened
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _is_link(text: str) -> bool:
    return text.strip().lower().startswith(("http:", "https:", "//"))


def _within_the_cache(path: str) -> bool:
    try:
        return Path(path).resolve().is_relative_to(ui.CACHE)
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def _may_be_named(path: str) -> bool:
    """Uploads, and the previews that the page was given. Gradio ends in a traceback at a file outside of its cache. It
    deletes what a call named once that has aged, where the cache's own lock must stay; at a folder it gives up
    deleting for good.
    """
    try:
        found = Path(path).resolve()
        return found.is_relative_to(ui.CACHE) and found.parent != ui.CACHE and not found.is_dir()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def _refused_file(value: Any) -> str:
    """Why a call may not name a file that it names, if so. Its url is the page's own address of it: nobody reads it."""
    match value:
        case {"path": str(path)} if _is_link(path):
            return "Links are not followed."
        case {"path": str(path)} if not _may_be_named(path):
            return "Only a file that was uploaded can be named."
        case dict():
            return _refused_file(list(value.values()))
        case list():
            return next((refusal for refusal in map(_refused_file, value) if refusal), "")
    return ""


def _with_headers(send: Send, path: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():  # the voters' page has stricter ones
                headers.setdefault(name, value)
            if path.startswith((_FILE, "/headshots/")):
                headers["Cache-Control"] = _PRIVATE
        await send(message)

    return sending


def _with_cookie(send: Send, scope: Scope) -> Send:
    """The page with its cookie, by which what this browser made is found again."""
    cookie = page_cookie(HTTPConnection(scope))

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.append("Set-Cookie", cookie)
            headers["Cache-Control"] = _PRIVATE
        await send(message)

    return sending


class _Masked(logging.Filter):
    """Takes the secrets in addresses out of an access log: a server that the page is mounted in may keep one."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SECRETS_IN_ADDRESSES.sub(rf"\1{MASK}", part) if isinstance(part, str) else part for part in record.args
            )
        return True


REDACT_URLS, REDACT_KEYS = _Masked(), KeyFilter()  # one of each, however often a server starts
