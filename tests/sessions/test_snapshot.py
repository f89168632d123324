"""What a browser is sent: only what it has not seen, and nothing that is older than what it shows."""

import asyncio
from itertools import permutations
from typing import Any

from headshot.sessions.snapshot import Snapshot


class Browser:
    """Draws as tab_state.js does."""

    def __init__(self) -> None:
        self.revision = -1
        self.parts: dict[str, Any] = {}

    def draw(self, message: dict[str, Any]) -> None:
        if message["revision"] <= self.revision:
            return
        self.revision = message["revision"]
        self.parts = {name: message["parts"].get(name, self.parts.get(name)) for name in message["names"]}


def test_only_a_change_makes_a_revision_and_only_what_changed_is_sent() -> None:
    snapshot = Snapshot()
    first = snapshot.update({"status": {"text": "one"}, "card/0": {"label": "Seed 1"}})
    assert snapshot.update({"status": {"text": "one"}, "card/0": {"label": "Seed 1"}}) == first
    second = snapshot.update({"status": {"text": "two"}, "card/0": {"label": "Seed 1"}})
    assert second > first
    assert snapshot.since(first) == {
        "revision": second,
        "names": ["status", "card/0"],
        "parts": {"status": {"text": "two"}},
    }
    assert set(snapshot.since(-1)["parts"]) == {"status", "card/0"}
    assert snapshot.since(second)["parts"] == {}


def test_a_part_that_goes_is_a_change_and_one_that_comes_again_is_sent_again() -> None:
    snapshot, browser = Snapshot(), Browser()
    for parts in ({"a": {"x": 1}, "b": {"x": 2}}, {"a": {"x": 1}}, {"a": {"x": 1}, "b": {"x": 2}}):
        snapshot.update(parts)
        browser.draw(snapshot.since(browser.revision))
        assert browser.parts == parts


def test_in_whatever_order_the_messages_come_the_browser_ends_with_the_newest_state() -> None:
    states = [{"status": {"n": n}, **({"card": {"n": n // 2}} if n % 3 else {})} for n in range(5)]
    snapshot = Snapshot()
    messages = []
    for state in states:
        snapshot.update(state)
        messages.append(snapshot.since(-1))  # what a new connection is sent
    for order in permutations(messages):
        browser = Browser()
        for message in order:
            browser.draw(message)
        assert browser.parts == states[-1]


def test_a_watcher_is_woken_also_from_another_thread() -> None:
    async def watch() -> None:
        snapshot = Snapshot()
        with snapshot.watch() as changed:
            await asyncio.to_thread(snapshot.wake)
            await asyncio.wait_for(changed.wait(), 10)
        snapshot.wake()  # nobody watches any more

    asyncio.run(watch())
