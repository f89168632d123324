"""The one place where an error becomes a sentence on the page."""

import functools
import html
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import gradio as gr

from headshot.errors import HeadshotError

Updates = dict[Any, Any]  # by component, as Gradio wants them
BUG = "Something went wrong here, and it is not your doing. Try again; if it stays, tell whoever runs this page."
_TOAST_SECONDS = 6  # the sentence stays on the page itself; the toast is for an eye that is elsewhere

_log = logging.getLogger(__name__)


def toast(sentence: str) -> None:
    """Say a sentence at the page's edge for a moment."""
    gr.Warning(html.escape(sentence), duration=_TOAST_SECONDS)  # Gradio renders a toast's text as HTML


def note(sentence: str) -> None:
    """Confirm something at the page's edge for a moment."""
    gr.Info(html.escape(sentence), duration=_TOAST_SECONDS)


def message_for(error: Exception) -> str:
    """What a person is told of this error, as plain text. A bug is BUG to them, and a traceback in the log."""
    if isinstance(error, HeadshotError):
        return str(error)
    _log.error("A handler failed", exc_info=error)
    return BUG


def event_handler(
    handler: Callable[..., AsyncIterator[Updates]] | Callable[..., Coroutine[Any, Any, Updates]],
    *,
    otherwise: Callable[[str, gr.Request], Updates] | None = None,
) -> Callable[..., Any]:
    """A handler, or async generator of updates, that cannot end in a traceback on the page.

    A HeadshotError is said as it is; anything else is a bug, which stays a traceback in the server's log and becomes
    BUG on the page. `otherwise(sentence, request)` gives the updates that put the page right again; what it leaves
    out, and without it everything, stays as it was, so the form keeps its contents and the page its pictures. The
    sentence it gets is plain text. A handler of an event with data receives the data as a third argument. A generator
    may end without any update.
    """

    def say(error: Exception, request: gr.Request) -> Any:
        words = message_for(error)
        toast(words)
        return gr.skip() if otherwise is None else otherwise(words, request)

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def stream(values: Updates, request: gr.Request, *data: gr.EventData) -> AsyncIterator[Updates]:
            try:
                # Without aclosing a closed tab would end this generator and leave the handler running.
                async with aclosing(handler(values, request, *data)) as updates:
                    async for update in updates:
                        yield update
            except Exception as error:  # noqa: BLE001  logged in say()
                yield say(error, request)
            # Gradio sends the last update once more at the end, over whatever another event has shown since then.
            yield gr.skip()

        return stream

    @functools.wraps(handler)
    async def once(values: Updates, request: gr.Request, *data: gr.EventData) -> Any:
        try:
            return await handler(values, request, *data)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001  logged in say()
            return say(error, request)

    return once
