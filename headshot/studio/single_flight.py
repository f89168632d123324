"""The last few results of something slow, made once however many threads ask."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlightLru(Generic[Key, Value]):
    """Keeps the `most` results that were asked for last. Safe to use from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._making: dict[Key, Future[Value | None]] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._values

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The result for `key`. A thread that asks while another makes it waits, and makes it itself if that fails."""
        while True:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
                others = self._making.get(key)
                if others is None:
                    own = self._making[key] = Future()
            if others is None:
                return self._make(key, make, own)
            value = others.result()
            if value is not None:
                return value

    def first(self, which: Callable[[Key], bool]) -> Value | None:
        """A result that is there already for one of these keys, the one asked for last; None where there is none."""
        with self._lock:
            return next((value for key, value in reversed(self._values.items()) if which(key)), None)

    def drop(self, which: Callable[[Key], bool]) -> None:
        """Forget the results of these keys, and those in the making: who waits for one gets it, and nobody after."""
        with self._lock:
            for known in (self._values, self._making):
                for key in [key for key in known if which(key)]:
                    del known[key]

    def _make(self, key: Key, make: Callable[[], Value], own: "Future[Value | None]") -> Value:
        made: Value | None = None
        try:
            made = make()
        finally:  # also after an error: who waits must not wait for ever
            with self._lock:
                if self._making.get(key) is own:  # else it was dropped meanwhile
                    del self._making[key]
                    if made is not None:
                        self._values[key] = made
                        while len(self._values) > self._most:
                            self._values.popitem(last=False)
            own.set_result(made)
        return made
