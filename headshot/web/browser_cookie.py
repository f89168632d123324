"""The middleware that gives each browser its secret."""

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headshot.cookies import page_cookie

from .page_paths import path_of


class PageCookieMiddleware:
    """Sets the cookie by which a browser's history and jobs are found, with the page itself and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the cookie added, if the request is for the page."""
        if scope["type"] != "http" or scope["method"] != "GET" or path_of(scope).strip("/"):
            await self._app(scope, receive, send)
            return
        cookie = page_cookie(HTTPConnection(scope))

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("Set-Cookie", cookie)
                headers["Cache-Control"] = "private, no-store"  # no proxy may give one visitor's secret to another
            await send(message)

        await self._app(scope, receive, send_with_cookie)
