"""The middleware that tells the session registry which tabs are open."""

from starlette.types import ASGIApp, Receive, Scope, Send

from headshot.sessions.registry import SessionRegistry

from .page_paths import HEARTBEAT, path_of


class HeartbeatMiddleware:
    """Counts a tab as connected as long as Gradio's heartbeat request for it is open."""

    def __init__(self, app: ASGIApp, sessions: SessionRegistry) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request; a heartbeat holds its tab's connection meanwhile."""
        if scope["type"] == "http" and path_of(scope).startswith(HEARTBEAT):
            with self._sessions.connected(path_of(scope).removeprefix(HEARTBEAT)):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
