"""The middleware for files that are deleted while the page asks for them."""

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .page_paths import FILE, is_in_cache, path_of


class VanishedFilesMiddleware:
    """Answers 204 for an upload or a preview that was deleted meanwhile, where Gradio would end in an error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the file, or with nothing if it has vanished."""
        if scope["type"] != "http" or not path_of(scope).startswith(FILE):
            await self._app(scope, receive, send)
            return
        name = path_of(scope).removeprefix(FILE)
        if not is_in_cache(name):
            await self._app(scope, receive, send)
            return
        path = anyio.Path(name)
        held: list[Message] = []  # the response's start, until there is a body to send
        sent = False

        async def gone() -> bool:
            return not sent and not await path.is_file()

        async def send_when_certain(message: Message) -> None:
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
            await self._app(scope, receive, send_when_certain)
        except (OSError, RuntimeError):  # the first when the file is opened, the second when its size is read
            if not await gone():
                raise
            await Response(status_code=204)(scope, receive, send)
