"""A cache of slow results in which each is computed once, however many threads want it at the same time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlightLru(Generic[Key, Value]):
    """A thread-safe cache that keeps the results used most recently.

    Args:
        capacity: how many results are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._in_progress: dict[Key, Future[Value | None]] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._values

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the result for `key`, computed by `make` if it is not kept.

        A thread that comes while another computes the result waits for it, and computes it itself if that fails.

        Args:
            key: identifies the result.
            make: computes it; its errors are raised here and nothing is kept.
        """
        while True:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
                running = self._in_progress.get(key)
                if running is None:
                    future = self._in_progress[key] = Future()
            if running is None:
                return self._make(key, make, future)
            value = running.result()
            if value is not None:
                return value

    def newest(self, matches: Callable[[Key], bool]) -> Value | None:
        """Return the most recently used result whose key matches; None if there is none."""
        with self._lock:
            return next((value for key, value in reversed(self._values.items()) if matches(key)), None)

    def drop(self, matches: Callable[[Key], bool]) -> None:
        """Remove the results whose keys match.

        A result that is being computed is still returned to the threads that wait for it, but it is not kept.
        """
        with self._lock:
            for known in (self._values, self._in_progress):
                for key in [key for key in known if matches(key)]:
                    del known[key]

    def _make(self, key: Key, make: Callable[[], Value], future: "Future[Value | None]") -> Value:
        made: Value | None = None
        try:
            made = make()
        finally:  # also after an error, or the waiting threads would wait for ever
            with self._lock:
                if self._in_progress.get(key) is future:  # otherwise it was dropped meanwhile
                    del self._in_progress[key]
                    if made is not None:
                        self._values[key] = made
                        while len(self._values) > self._capacity:
                            self._values.popitem(last=False)
            future.set_result(made)
        return made
