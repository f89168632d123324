"""How long things take on this machine, learnt while they are done."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_SHARE = 0.4  # of the latest time in the estimate: three runs after the machine got busy, the estimate knows


def spoken_duration(seconds: float) -> str:
    """As a person would say it: 5 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


class DurationEstimator:
    """The seconds that one kind of work takes: a running mean, `first_guess` until it was done once.

    Safe to use from any thread.
    """

    def __init__(self, first_guess: float) -> None:
        self._seconds = first_guess
        self._known = False
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return self._seconds

    @property
    def known(self) -> bool:
        """Whether it was ever done."""
        return self._known

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Learn from the work done within; one that fails or is stopped teaches nothing."""
        started = time.perf_counter()
        yield
        self.record(time.perf_counter() - started)

    def record(self, seconds: float) -> None:
        """Learn from one time that was measured elsewhere."""
        with self._lock:
            share = _NEW_SHARE if self._known else 1.0
            self._seconds += share * (seconds - self._seconds)
            self._known = True
