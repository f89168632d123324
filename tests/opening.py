"""What a test does to the local pipeline's models right after they were loaded, and a gate between their steps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headshot.pipeline import loading
from headshot.pipeline.loading import Loaded


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch, change: Callable[[Loaded], None]) -> Iterator[list[Loaded]]:
    """Lets `change` have each pipeline right after it was loaded; gives those that were."""
    seen: list[Loaded] = []
    real = loading.load

    def load(*positional: Any, **named: Any) -> Loaded:
        loaded = real(*positional, **named)
        seen.append(loaded)
        change(loaded)
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr("headshot.pipeline.device_worker.load", load)
        yield seen


class Gate:
    """A model's passes go through it; while it is held, no more of them than were allowed.

    passes: how many have begun.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._allowed: threading.Semaphore | None = None

    def hold(self, *, after: int) -> None:
        self._allowed = threading.Semaphore(after)

    def open(self) -> None:
        held, self._allowed = self._allowed, None
        if held is not None:
            held.release(1_000)  # whatever waits there

    def before(self, *_: object) -> None:
        """To be hooked before each pass."""
        allowed = self._allowed
        if allowed is not None and not allowed.acquire(timeout=120):
            raise TimeoutError("nobody opened the gate")
        self.passes += 1
