"""The line before a backend: comparisons that wait for their turn, first come, first served."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from headshot.errors import Unavailable


class BackendQueue:
    """Lets `at_once` comparisons in; up to `at_most` others wait. Lives on one event loop."""

    def __init__(self, backend: str, at_once: int, at_most: int) -> None:
        self._backend = backend
        self._free = at_once
        self._at_most = at_most
        self._waiting: deque[_Waiting] = deque()

    @asynccontextmanager
    async def acquire(self, tell: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait until it is this one's turn, and hold the place.

        tell(before): how many wait before this one, at first and whenever that changes; not called where a place is
        free at once. Raises Unavailable with one sentence where too many wait already.
        """
        await self._enter(tell)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, tell: Callable[[int], None]) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        if len(self._waiting) >= self._at_most:
            raise Unavailable(
                self._backend,
                f"Very many people are here: {len(self._waiting)} comparisons wait. Try again in a minute.",
            )
        mine = _Waiting(tell)
        self._waiting.append(mine)
        tell(len(self._waiting) - 1)
        try:
            await mine.called.wait()
        except BaseException:  # cancelled: given up by its visitor
            if mine in self._waiting:
                self._waiting.remove(mine)
                self._report_positions()
            else:  # called in the same moment: the place goes to the next
                self._leave()
            raise

    def _leave(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        self._waiting.popleft().called.set()
        self._report_positions()

    def _report_positions(self) -> None:
        for before, waiting in enumerate(self._waiting):
            waiting.tell(before)


class _Waiting:
    def __init__(self, tell: Callable[[int], None]) -> None:
        self.tell = tell
        self.called = anyio.Event()
