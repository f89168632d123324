"""The stream of a tab's state, as a browser reads it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from shots import new_run, run_of, saved
from starlette.applications import Starlette
from starlette.testclient import TestClient

from headshot.comparison.axes import plan
from headshot.progress import Step
from headshot.request import HeadshotRequest
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.sessions.view.tab_view import TabView
from headshot.web.tab_stream import messages, tab_routes

VIEW = TabView({})


@pytest.fixture
def sessions(tmp_path: Path) -> SessionRegistry:
    return SessionRegistry(tmp_path, keep_seconds=100)


@pytest.fixture
def client(sessions: SessionRegistry) -> TestClient:
    return TestClient(Starlette(routes=tab_routes(sessions, VIEW)))


def parsed(text: str) -> list[tuple[str, Any]]:
    """Each message: the event's name, and its data."""
    found = []
    for block in filter(None, text.split("\n\n")):
        fields = dict(line.split(":", 1) for line in block.split("\n"))
        data = fields["data"].strip()
        found.append((fields.get("event", "message").strip(), json.loads(data) if data else None))
    return found


def test_a_tab_at_rest_is_sent_whole_once_and_the_stream_ends(sessions: SessionRegistry, client: TestClient) -> None:
    session = sessions.get("tab")
    session.run = run_of(saved(1), of=1)
    session.run.attempt.ended = True
    answer = client.get(f"/tab/{session.token}/events?after=-1")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "private, no-store"
    [(_, state), (last, _)] = parsed(answer.text)
    assert {"status", "results", "notes", "card/0"} <= set(state["parts"])
    assert last == "idle"
    again = client.get(f"/tab/{session.token}/events?after={state['revision']}")
    assert parsed(again.text) == [("idle", None)]
    resumed = client.get(f"/tab/{session.token}/events?after=-1", headers={"Last-Event-ID": str(state["revision"])})
    assert parsed(resumed.text) == [("idle", None)]


def test_nobody_reads_a_tab_whose_token_they_do_not_know(sessions: SessionRegistry, client: TestClient) -> None:
    sessions.get("tab")
    assert client.get(f"/tab/{'x' * 43}/events").status_code == 404


def test_while_something_runs_each_change_is_sent_and_only_what_changed(sessions: SessionRegistry) -> None:
    async def read() -> None:
        session = sessions.get("tab")
        session.begin(new_run(plan(HeadshotRequest(), [1, 2])))
        stream = messages(session, VIEW, -1)
        assert session.run is not None
        await until(stream, lambda state: state["parts"]["status"]["text"] == "Starting…")
        session.run.attempt.stage = Step("Lighting…", 0, 2)
        session.changed()
        state = await until(stream, lambda state: state["parts"]["status"]["text"] == "Lighting…")
        assert set(state["parts"]) == {"status"}
        session.run.headshots.append(saved(1))
        session.changed()
        state = await until(stream, lambda state: "card/0" in state["parts"])
        assert "card/1" not in state["parts"]
        assert len(json.dumps(state)) < 5_000
        session.run.stop()
        session.changed()
        assert [event async for text in stream for event, _ in parsed(text)][-1] == "idle"

    asyncio.run(read())


async def until(stream: AsyncIterator[str], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async for text in stream:
        [(_, state)] = parsed(text)
        if holds(state):
            return dict(state)
    raise AssertionError("The stream has ended")


def test_a_stream_that_is_closed_is_watched_for_no_longer(sessions: SessionRegistry) -> None:
    async def close() -> None:
        session: TabSession = sessions.get("tab")
        session.begin(new_run(plan(HeadshotRequest(), [1])))
        stream = messages(session, VIEW, -1)
        await anext(stream)
        await stream.aclose()
        assert not session.snapshot.watched

    asyncio.run(close())
