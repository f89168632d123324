"""All middleware of the page, in its order."""

from starlette.middleware import Middleware

from headshot.sessions.registry import SessionRegistry

from .browser_cookie import PageCookieMiddleware
from .heartbeat import HeartbeatMiddleware
from .queue_calls import QueueCallsMiddleware
from .request_filter import RequestFilterMiddleware
from .response_headers import ResponseHeadersMiddleware
from .vanished_files import VanishedFilesMiddleware


def middleware_of(sessions: SessionRegistry) -> list[Middleware]:
    """Return the page's middleware, the outermost first.

    Args:
        sessions: learn which tabs are connected.
    """
    return [
        Middleware(ResponseHeadersMiddleware),  # outermost: a refusal has the headers too
        Middleware(RequestFilterMiddleware),
        Middleware(VanishedFilesMiddleware),
        Middleware(HeartbeatMiddleware, sessions=sessions),
        Middleware(QueueCallsMiddleware),
        Middleware(PageCookieMiddleware),
    ]
