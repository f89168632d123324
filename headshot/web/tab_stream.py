"""The stream of a tab's state: what changed since a revision, at once and for as long as something runs."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.sessions.view.tab_view import TabView

from .request_filter import not_found

_SECONDS_BETWEEN = 0.1  # several headshots report at once: one message tells of them all
_SILENT_SECONDS = 15.0  # then a comment is sent, or a proxy would end the connection


def tab_routes(sessions: SessionRegistry, view: TabView) -> list[Route]:
    """Return the route of the stream.

    Args:
        sessions: the open tabs.
        view: makes the parts.
    """

    async def events(request: Request) -> Response:
        session = sessions.by_token(request.path_params["token"])
        if session is None:
            return not_found()
        seen = request.headers.get("last-event-id") or request.query_params.get("after", "")
        after = int(seen) if seen.isdecimal() else -1
        headers = {"Cache-Control": "private, no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(messages(session, view, after), media_type="text/event-stream", headers=headers)

    return [Route("/tab/{token}/events", events)]


async def messages(session: TabSession, view: TabView, after: int) -> AsyncGenerator[str]:
    """Yield the messages of one stream, as server-sent events; the last one is `idle`.

    Args:
        session: the tab's.
        view: makes the parts.
        after: the revision that the browser draws, -1 for none.
    """
    with session.snapshot.watch() as changed:
        while True:
            changed.clear()
            if view.refresh(session) > after:
                message = session.snapshot.since(after)
                after = message["revision"]
                yield f"id: {after}\ndata: {json.dumps(message, ensure_ascii=False)}\n\n"
            if not session.busy and not changed.is_set():
                yield "event: idle\ndata:\n\n"
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _SILENT_SECONDS)
            if not changed.is_set():
                yield ":\n\n"
            await asyncio.sleep(_SECONDS_BETWEEN)
