"""Limits how many jobs of one ModelsLab account run at the same time."""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from weakref import WeakValueDictionary


class JobSlots:
    """The job slots of one account, shared by all clients, event loops and threads of this process.

    First come, first served. A slot is held under a ticket until the POST returns a job id, then under that id. Slots
    that are never released expire, because a program may submit a job and never ask for its result.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expires_at: dict[str, float] = {}  # by ticket or job id, on the monotonic clock
        self._queue: deque[_Waiter] = deque()
        self._tickets = itertools.count(1)

    @classmethod
    def of(cls, account: str) -> "JobSlots":
        """Return the slots of an account: the same object for every caller, as long as one of them holds it.

        Args:
            account: a fingerprint of its key.
        """
        with _REGISTRY_LOCK:
            found = _REGISTRY.get(account)
            if found is None:
                found = _REGISTRY[account] = cls()
            return found

    @property
    def in_use(self) -> int:
        """How many slots are held now."""
        with self._lock:
            self._expire()
            return len(self._expires_at)

    async def acquire(self, limit: int, seconds: float, *, on_queued: Callable[[int], None] | None = None) -> str:
        """Wait until fewer than `limit` slots are held, then hold one.

        Args:
            limit: the most slots of this account that may be held at once.
            seconds: after which the slot expires.
            on_queued: called with the number of callers before this one, at first and at every change; not called if
                a slot is free at once. It runs on the caller's event loop, and an exception from it ends the wait.

        Returns:
            The ticket that holds the slot.
        """
        waiter, reported = _Waiter(counts=on_queued is not None), -1
        with self._lock:
            waiter.before = len(self._queue)
            self._queue.append(waiter)
        try:
            while True:
                with self._lock:
                    self._expire()
                    waiter.wake.clear()
                    first = self._queue[0] is waiter
                    if first and len(self._expires_at) < limit:
                        ticket = f"#{next(self._tickets)}"  # no job id has this sign
                        self._expires_at[ticket] = time.monotonic() + seconds
                        return ticket
                    pause, before = self._seconds_to_next_expiry() if first else None, waiter.before
                if on_queued is not None and before != reported:
                    reported = before
                    on_queued(before)
                await _wait(waiter.wake, pause)
        finally:
            with self._lock:
                if waiter in self._queue:
                    self._queue.remove(waiter)
                self._wake_next()

    def bind(self, job: str, seconds: float, ticket: str = "") -> None:
        """Hold a slot under a job id, even if that exceeds the limit: the job runs already.

        Args:
            job: the service's id of the job. If it holds a slot, that slot is extended.
            seconds: after which the slot expires.
            ticket: the ticket whose slot becomes the job's, if there is one.
        """
        with self._lock:
            self._expires_at.pop(ticket, None)
            self._expires_at[job] = time.monotonic() + seconds

    def release(self, name: str) -> None:
        """Free the slot held under a ticket or job id; does nothing if there is none."""
        with self._lock:
            self._expires_at.pop(name, None)
            self._wake_next()

    def _expire(self) -> None:
        now = time.monotonic()
        self._expires_at = {name: at for name, at in self._expires_at.items() if at > now}

    def _seconds_to_next_expiry(self) -> float | None:
        at = min(self._expires_at.values(), default=None)
        return None if at is None else max(0.0, at - time.monotonic())

    def _wake_next(self) -> None:
        """Wake the first waiter, and those that count the waiters before them if that number has changed."""
        before = 0
        for waiter in tuple(self._queue):
            changed, waiter.before = waiter.before != before, before
            if before == 0 or (waiter.counts and changed):
                try:
                    waiter.loop.call_soon_threadsafe(waiter.wake.set)
                except RuntimeError:  # its event loop was closed while it waited
                    self._queue.remove(waiter)
                    continue
            before += 1


class _Waiter:
    """One call of `acquire` in the queue. `counts`: whether it reports how many are before it."""

    __slots__ = ("before", "counts", "loop", "wake")

    def __init__(self, *, counts: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.wake = asyncio.Event()
        self.counts = counts
        self.before = 0


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


_REGISTRY: WeakValueDictionary[str, JobSlots] = WeakValueDictionary()
_REGISTRY_LOCK = threading.Lock()
