"""What a handler's error becomes on the page and in the log."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
import pytest

from headshot.errors import PhotoError
from headshot.runs.error_messages import BUG
from headshot.ui import messages


@pytest.fixture
def toasts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the toasts, which outside a running page have nowhere to go."""
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda message, **_: said.append(message))
    return said


def test_an_expected_error_is_said_with_its_markup_escaped(toasts: list[str]) -> None:
    async def handler(values: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        raise PhotoError("<b>Bold</b> & bad")

    spoken = messages.event_handler(handler, otherwise=lambda sentence, _: {"status": sentence})
    assert asyncio.run(spoken({}, gr.Request())) == {"status": "<b>Bold</b> & bad"}
    assert toasts == ["&lt;b&gt;Bold&lt;/b&gt; &amp; bad"]


def test_a_bug_is_logged_and_its_text_kept_from_the_page(toasts: list[str], caplog: pytest.LogCaptureFixture) -> None:
    async def handler(values: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        yield {"shots": 1}
        raise KeyError("a secret")

    async def run() -> list[dict[str, Any]]:
        spoken = messages.event_handler(handler, otherwise=lambda sentence, _: {"status": sentence})
        return [update async for update in spoken({}, gr.Request())]

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(run()) == [{"shots": 1}, {"status": BUG}, gr.skip()]
    assert "a secret" not in toasts[0]
    assert "KeyError: 'a secret'" in caplog.text


@pytest.mark.parametrize("details", [[], [{"line": "Testing…"}, {"line": "The key works."}]])
def test_the_last_update_of_a_generator_which_gradio_repeats_changes_nothing(details: list[dict[str, Any]]) -> None:
    async def handler(values: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        for update in details:
            yield update

    async def run() -> list[Any]:
        return [update async for update in messages.event_handler(handler)({}, gr.Request())]

    assert asyncio.run(run()) == [*details, gr.skip()]


def test_closing_a_spoken_generator_closes_the_handler_within(toasts: list[str]) -> None:
    ended: list[bool] = []

    async def handler(values: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield {}
        finally:
            ended.append(True)

    async def run() -> None:
        updates = messages.event_handler(handler, otherwise=lambda *_: {})({}, gr.Request())
        await anext(updates)
        await updates.aclose()
        assert ended == [True]

    asyncio.run(run())
    assert toasts == []
