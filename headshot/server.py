"""The server around the page: what it lets in, what it lets out, and when it forgets."""

import asyncio
import json
import logging
import re
import secrets
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
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import face, ui, webhook
from .account import MASK, KeyFilter
from .backends import Backend
from .desk import Desk
from .errors import HeadshotError
from .modelslab import ModelsLab
from .photo import MAX_FILE_BYTES, Photo
from .pipeline import Pipeline
from .settings import Settings
from .ui import exports, folder
from .ui.photo import EXAMPLE
from .ui.theme import STYLESHEETS, swatches, theme
from .ui.visitors import COOKIE, COOKIE_SECONDS, Visitors

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger(__name__)

_WARM_UP_AFTER_SECONDS = 3.0  # until the page stands in the first browser, which needs both cores for a second
_SWEEP_SECONDS = 5.0  # the tabs that closed are looked for this often; a pass over forty visitors takes under 1 ms
_EXPIRE_SECONDS = 60.0  # what is kept for minutes need not go to the second, and every pass is a write on the disk
_QUICK_CALLS = 40  # at once, beside the comparisons: Gradio's own number for a whole app
_MAX_CALLS = 1_000  # that wait in Gradio's queue, all of them programs'; comparisons wait in lines of their own
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
_FOLDERS = ("/assets/", "/static/", "/svelte/", "/headshots/", "/gradio_api/heartbeat/", "/gradio_api/file=")
_CALLS = "/gradio_api/queue/join"
_FILE = "/gradio_api/file="
_HEARTBEAT = "/gradio_api/heartbeat/"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # as `secrets.token_urlsafe(32)` makes it
_WEBHOOK = re.compile(rf"/webhooks/{_SECRET.pattern}")
_SECRETS_IN_ADDRESSES = re.compile(r"(/webhooks/|/headshots/|/heartbeat/|/file=|session_hash=)[^\s?&]+")

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
_EXPORTS_AT_ONCE = 2  # each keeps a core busy for up to half a second
_PRIVATE = "private, no-store"
_MEDIA_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".zip": "application/zip"}


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
    """A running server. `visitors` are the people on it."""

    address: str
    visitors: Visitors
    _page: gr.Blocks

    def wait(self) -> None:
        """Return when the server ends."""
        self._page.block_thread()

    def close(self) -> None:
        self._page.close(verbose=False)
        self.visitors.close()


def start(
    settings: Settings, registry: Mapping[str, Backend], *, port: int | None = None, visitors: Visitors | None = None
) -> Site:
    """Serve the page in a thread.

    Address and port follow GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, as in every Gradio app, where `port` is None.
    """
    visitors = visitors or _visitors(settings, registry)
    page = _page(settings, registry, visitors)
    _, address, _ = page.launch(
        **_options(settings, registry, visitors),
        server_port=port,
        max_threads=page.max_threads,
        prevent_thread_lock=True,
        inbrowser=settings.open_browser,
        share=False,
        num_workers=0,
        quiet=True,
    )
    _log.info("The playground is at %s", address)
    return Site(address, visitors, page)


def mount(
    app: "FastAPI",
    settings: Settings,
    registry: Mapping[str, Backend],
    *,
    path: str = "/",
    visitors: Visitors | None = None,
) -> None:
    """Put the page into an app of your own, whose lifespan has to run: it is there once that has started.

    path: where it lies in that app. What holds strangers off stands before the page only, not before the app.
    Every open page holds a connection: a server that waits for these when it ends needs a limit to that, as Uvicorn's
    `timeout_graceful_shutdown`.
    """
    visitors = visitors or _visitors(settings, registry)
    options = _options(settings, registry, visitors)
    gr.mount_gradio_app(app, _page(settings, registry, visitors), path, **options)


def _visitors(settings: Settings, registry: Mapping[str, Backend]) -> Visitors:
    folder.clear_the_dead()
    root = Path(tempfile.mkdtemp(prefix="visitors-", dir=ui.CACHE))
    return Visitors(root, settings.keep_minutes * 60, backends=registry.values())


def _page(settings: Settings, registry: Mapping[str, Backend], visitors: Visitors) -> gr.Blocks:
    page = ui.build(settings, registry, visitors)
    # A comparison that waits in its line holds one of these places, and what is clicked meanwhile needs one too.
    page.max_threads = _QUICK_CALLS + sum(backend.at_once + settings.queue_size for backend in registry.values())
    page.queue(max_size=_MAX_CALLS, api_open=False)
    return page


def _options(settings: Settings, registry: Mapping[str, Backend], visitors: Visitors) -> dict[str, Any]:
    """What Gradio is told wherever the page runs."""
    desk = _desk(registry)
    return {
        "theme": theme(),
        "css": swatches(),
        "css_paths": STYLESHEETS,
        "app_kwargs": {
            "middleware": [Middleware(Guard, visitors=visitors)],
            "routes": _routes(visitors, desk if settings.public_url else None),
            "lifespan": _lifespan(visitors, registry, desk, settings.keep_minutes * 60),
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


def _desk(registry: Mapping[str, Backend]) -> Desk | None:
    """Where the paid jobs are looked after, if there may be any."""
    return next((backend.desk for backend in registry.values() if isinstance(backend, ModelsLab)), None)


def _routes(visitors: Visitors, called: Desk | None) -> list[Route]:
    """called: the desk that webhooks call, None where the service is told of none."""
    at_once = anyio.CapacityLimiter(_EXPORTS_AT_ONCE)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def picture(request: Request) -> Response:
        address = [request.path_params[part] for part in ("visitor", "corner", "name")]
        path = visitors.picture(*address)
        if path is not None:
            # The bytes at once: a picture that is deleted while it is sent would break off in the middle.
            with suppress(FileNotFoundError):
                return _inline(path.name, await anyio.to_thread.run_sync(path.read_bytes))
        made = await anyio.to_thread.run_sync(exports.make, visitors, *address, limiter=at_once)
        if made is not None:
            return _inline(address[-1], made)
        return PlainTextResponse("This picture is no longer here: pictures are deleted after a while.", 404)

    async def hook(request: Request) -> Response:
        if called is None:
            return _nothing()
        try:
            fits = await webhook.heard(called, request.path_params["token"], request.stream())
        except ClientDisconnect:
            return _nothing()
        except HeadshotError:
            _log.exception("A webhook's call could not be looked up; its job is asked for all the same")
            return PlainTextResponse("Try again in a moment.", 503)
        return PlainTextResponse("ok") if fits else _nothing()

    return [
        Route("/healthz", healthz),
        Route("/webhooks/{token}", hook, methods=["POST"]),
        Route("/headshots/{visitor}/{corner}/{name}", picture),
    ]


def _nothing() -> Response:
    """Whatever a stranger has guessed: it looks the same."""
    return PlainTextResponse("There is nothing here.", 404)


def _inline(name: str, data: bytes) -> Response:
    """A file that a browser shows where it is linked, and saves under its name."""
    return Response(
        data, media_type=_MEDIA_TYPES[Path(name).suffix], headers={"Content-Disposition": f'inline; filename="{name}"'}
    )


def _lifespan(visitors: Visitors, registry: Mapping[str, Backend], desk: Desk | None, keep_seconds: float) -> Any:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # Gradio puts its own CORS outside of every middleware it is given, and off localhost that one lets every
        # origin in, with credentials. Guard refuses other origins; here the headers that invite them go too.
        app.user_middleware = [
            entry for entry in app.user_middleware if cast(object, entry.cls) is not CustomCORSMiddleware
        ]
        app.middleware_stack = app.build_middleware_stack()
        logging.getLogger("uvicorn.access").addFilter(_MASKED)
        logging.getLogger("uvicorn.error").addFilter(_KEYLESS)  # its handlers are its own
        tasks = [asyncio.create_task(_sweep(visitors)), asyncio.create_task(_warm_up(registry))]
        try:
            async with _looked_after(desk, keep_seconds):
                yield
        finally:
            for task in tasks:
                task.cancel()
            await anyio.to_thread.run_sync(visitors.close)

    return lifespan


async def _sweep(visitors: Visitors) -> None:
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, visitors.grace_seconds, visitors.keep_seconds))
        try:
            await anyio.to_thread.run_sync(visitors.sweep)
        except Exception:  # noqa: BLE001  one bad pass must not be the last
            _log.exception("A pass over the visitors failed; the next comes all the same")


@asynccontextmanager
async def _looked_after(desk: Desk | None, keep_seconds: float) -> AsyncIterator[None]:
    """The desk's life: it goes on with what was left, and leaves to the next what is not done at the end."""
    if desk is None:
        yield
        return
    task = asyncio.create_task(_look_after(desk, keep_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)  # it may have the store open in a thread just now
        await desk.close()


async def _look_after(desk: Desk, keep_seconds: float) -> None:
    """Go on with what the server before has left, then delete what has been kept for its time."""
    if desk.has_jobs:
        await _tried(desk.recover(), "The jobs that were under way are not looked after before the next start")
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        if desk.has_jobs:
            await _tried(desk.expire(keep_seconds), "Old jobs could not be deleted; it is tried again in a minute")


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
        await anyio.to_thread.run_sync(face.check, photo.pixels)
    except Exception:  # noqa: BLE001  a task's own error would be heard by nobody
        _log.exception("The check of photos could not be warmed up")


class Guard:
    """Stands before every route of the page, Gradio's own included."""

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self._app = app
        self._visitors = visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        send = _with_headers(send, path)
        headers = Headers(scope=scope)
        # Gradio answers a Range with the request's own headers, cookies among them. No picture needs a range.
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
        if not _known(scope["method"], path):
            await _nothing()(scope, receive, send)
        elif not _from_here(scope["method"], headers):
            await PlainTextResponse("This server answers its own page only.", 403)(scope, receive, send)
        elif path.startswith(_FILE) and _is_link(path.removeprefix(_FILE)):
            await PlainTextResponse("Links are not followed.", 403)(scope, receive, send)
        elif path.startswith(_FILE) and _within_the_cache(path.removeprefix(_FILE)):
            await self._file(anyio.Path(path.removeprefix(_FILE)), scope, receive, send)
        elif path.startswith(_HEARTBEAT):
            with self._visitors.present(path.removeprefix(_HEARTBEAT)):
                await self._app(scope, receive, send)
        elif path.rstrip("/") == _CALLS:
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


def _known(method: str, path: str) -> bool:
    if (path.rstrip("/") or "/") in _PATHS or path.startswith(_FOLDERS):
        return True
    return method == "POST" and _WEBHOOK.fullmatch(path) is not None


def _from_here(method: str, headers: Headers) -> bool:
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
            headers.update(_HEADERS)
            if path.startswith((_FILE, "/headshots/")):
                headers["Cache-Control"] = _PRIVATE
        await send(message)

    return sending


def _with_cookie(send: Send, scope: Scope) -> Send:
    """The page with the browser's secret, its own for longer or a new one, by which the visitor's jobs are found again.

    A Space is shown in a frame of huggingface.co, where a browser keeps only what is Secure and Partitioned.
    """
    caller = HTTPConnection(scope)
    own = caller.cookies.get(COOKIE, "")
    secret = own if _SECRET.fullmatch(own) else secrets.token_urlsafe(32)
    # Uvicorn believes this header of a proxy on this machine only. Whoever lies in it loses a cookie, and no more.
    forwarded = caller.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    encrypted = "https" in (scope["scheme"], forwarded)
    shown = "SameSite=None; Secure; Partitioned" if encrypted else "SameSite=Lax"
    cookie = f"{COOKIE}={secret}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; {shown}"

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


_MASKED, _KEYLESS = _Masked(), KeyFilter()  # one of each, however often a server starts
