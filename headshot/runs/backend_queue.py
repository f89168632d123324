"""The queue before a backend: comparisons wait for a free slot, first come, first served."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from headshot.errors import Unavailable


class BackendQueue:
    """Limits how many comparisons a backend runs at once and how many wait. Lives on one event loop."""

    def __init__(self, backend: str, max_concurrent: int, max_waiting: int) -> None:
        self._backend = backend
        self._free = max_concurrent
        self._max_waiting = max_waiting
        self._waiting: deque[_Waiting] = deque()

    @asynccontextmanager
    async def acquire(self, on_position: Callable[[int], None]) -> AsyncIterator[None]:
        """Wait for a free slot and hold it.

        Args:
            on_position: called with the number of comparisons that wait before this one, at first and whenever it
                changes; not called if a slot is free at once.

        Raises:
            Unavailable: if too many wait already.
        """
        await self._enter(on_position)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, on_position: Callable[[int], None]) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        if len(self._waiting) >= self._max_waiting:
            raise Unavailable(
                self._backend,
                f"The server is busy: {len(self._waiting)} comparisons are waiting. Try again in a minute.",
            )
        mine = _Waiting(on_position)
        self._waiting.append(mine)
        on_position(len(self._waiting) - 1)
        try:
            await mine.admitted.wait()
        except BaseException:  # cancelled by its visitor
            if mine in self._waiting:
                self._waiting.remove(mine)
                self._report_positions()
            else:  # admitted in the same moment: the slot goes to the next
                self._leave()
            raise

    def _leave(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        self._waiting.popleft().admitted.set()
        self._report_positions()

    def _report_positions(self) -> None:
        for position, waiting in enumerate(self._waiting):
            waiting.on_position(position)


class _Waiting:
    def __init__(self, on_position: Callable[[int], None]) -> None:
        self.on_position = on_position
        self.admitted = anyio.Event()
