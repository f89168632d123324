"""Lets a test change the local pipeline's models right after loading, and hold them between two passes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headshot.pipeline import loading
from headshot.pipeline.loading import Loaded


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch, change: Callable[[Loaded], None]) -> Iterator[list[Loaded]]:
    """Call `change` with each pipeline right after it was loaded.

    Yields:
        All pipelines loaded so far.
    """
    loads: list[Loaded] = []
    real = loading.load

    def load(*positional: Any, **named: Any) -> Loaded:
        loaded = real(*positional, **named)
        loads.append(loaded)
        change(loaded)
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr("headshot.pipeline.device_worker.load", load)
        yield loads


class Gate:
    """Holds a model before its next pass.

    Attributes:
        passes: number of passes that have begun.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._allowed: threading.Semaphore | None = None

    def hold(self, *, after: int) -> None:
        """Let `after` more passes through, and hold the next one."""
        self._allowed = threading.Semaphore(after)

    def open(self) -> None:
        """Let all passes through."""
        allowed, self._allowed = self._allowed, None
        if allowed is not None:
            allowed.release(1_000)  # more than can wait

    def before(self, *_: object) -> None:
        """A forward pre-hook: register it with the model."""
        allowed = self._allowed
        if allowed is not None and not allowed.acquire(timeout=120):
            raise TimeoutError("nobody opened the gate")
        self.passes += 1
