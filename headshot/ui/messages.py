"""Errors as sentences on the page, and the wrapper that every event handler gets."""

import functools
import html
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import gradio as gr

from headshot.runs.error_messages import message_for

Updates = dict[Any, Any]  # by component
_TOAST_SECONDS = 6  # the sentence stays on the page itself; the toast is for a reader who looks elsewhere


def toast(sentence: str) -> None:
    """Show a warning at the page's edge for a moment. The sentence is plain text."""
    gr.Warning(html.escape(sentence), duration=_TOAST_SECONDS)  # Gradio renders a toast's text as HTML


def note(sentence: str) -> None:
    """Show a confirmation at the page's edge for a moment. The sentence is plain text."""
    gr.Info(html.escape(sentence), duration=_TOAST_SECONDS)


def event_handler(
    handler: Callable[..., AsyncIterator[Updates]] | Callable[..., Coroutine[Any, Any, Updates]],
    *,
    otherwise: Callable[[str, gr.Request], Updates] | None = None,
) -> Callable[..., Any]:
    """Wrap a handler so that its errors become a toast and updates, and never a traceback on the page.

    A HeadshotError is shown with its own sentence; any other error is a bug: BUG on the page, a traceback in the log.

    Args:
        handler: a coroutine function that returns updates, or an async generator function that yields any number of
            them. It gets the values by component, the request, and the event's data if the event has data.
        otherwise: makes the updates after an error, from the sentence (plain text) and the request. Components that it
            leaves out stay as they are; without it all do.

    Returns:
        The function to give to Gradio.
    """

    def _to_update(error: Exception, request: gr.Request) -> Any:
        sentence = message_for(error)
        toast(sentence)
        return gr.skip() if otherwise is None else otherwise(sentence, request)

    if inspect.isasyncgenfunction(handler):

        @functools.wraps(handler)
        async def stream(values: Updates, request: gr.Request, *data: gr.EventData) -> AsyncIterator[Updates]:
            try:
                # Without aclosing a closed tab would end this generator and leave the handler running.
                async with aclosing(handler(values, request, *data)) as updates:
                    async for update in updates:
                        yield update
            except Exception as error:  # noqa: BLE001  logged in message_for()
                yield _to_update(error, request)
            # Gradio sends the last update once more at the end, over anything that another event has shown since.
            yield gr.skip()

        return stream

    @functools.wraps(handler)
    async def once(values: Updates, request: gr.Request, *data: gr.EventData) -> Any:
        try:
            return await handler(values, request, *data)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001  logged in message_for()
            return _to_update(error, request)

    return once
