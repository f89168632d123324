"""The one place where an error becomes a sentence on the page."""

import functools
import html
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import gradio as gr

from ..errors import HeadshotError

Updates = dict[Any, Any]  # by component, as Gradio wants them
BUG = "Something went wrong here, and it is not your doing. Try again; if it stays, tell whoever runs this page."
_TOAST_SECONDS = 6  # the sentence stays on the page itself; the toast is for an eye that is elsewhere

_log = logging.getLogger(__name__)


def toast(sentence: str) -> None:
    """Say a sentence at the page's edge for a moment."""
    gr.Warning(html.escape(sentence), duration=_TOAST_SECONDS)  # Gradio renders a toast's text as HTML


def spoken(
    handler: Callable[..., AsyncIterator[Updates]] | Callable[..., Coroutine[Any, Any, Updates]],
    *,
    otherwise: Callable[[str, gr.Request], Updates],
) -> Callable[..., Any]:
    """A handler, or async generator of updates, that cannot end in a traceback on the page.

    A HeadshotError is said as it is; anything else is a bug, which stays a traceback in the server's log and becomes
    BUG on the page. `otherwise(sentence, request)` gives the updates that put the page right again; what it leaves
    out stays as it was, so the form keeps its contents and the page its pictures. The sentence it gets is plain text.
    """

    def say(error: Exception, request: gr.Request) -> Updates:
        if isinstance(error, HeadshotError):
            sentence = str(error)
        else:
            _log.error("A handler of the page failed", exc_info=error)
            sentence = BUG
        toast(sentence)
        return otherwise(sentence, request)

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def stream(values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
            try:
                # Without aclosing a closed tab would end this generator and leave the handler running.
                async with aclosing(handler(values, request)) as updates:
                    async for update in updates:
                        yield update
            except Exception as error:  # noqa: BLE001  logged in say()
                yield say(error, request)

        return stream

    @functools.wraps(handler)
    async def once(values: Updates, request: gr.Request) -> Updates:
        try:
            updates: Updates = await handler(values, request)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001  logged in say()
            return say(error, request)
        return updates

    return once
