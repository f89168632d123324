"""How long things take on this machine, learnt from each run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_SHARE = 0.4  # weight of the latest time: three runs after the machine has become busy, the estimate follows


def spoken_duration(seconds: float) -> str:
    """A duration as a person would say it: 5 s, 3 min, 2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


class DurationEstimator:
    """Estimates the seconds that one kind of work takes, as an exponential moving average. Thread-safe."""

    def __init__(self, first_guess: float) -> None:
        """Start without any measurement.

        Args:
            first_guess: the estimate until the first measurement, in seconds. The first measurement replaces it.
        """
        self._seconds = first_guess
        self._known = False
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """The estimate."""
        return self._seconds

    @property
    def known(self) -> bool:
        """Whether the estimate rests on at least one measurement."""
        return self._known

    @contextmanager
    def measured(self) -> Iterator[None]:
        """A context whose duration is recorded. Nothing is recorded if it raises."""
        started = time.perf_counter()
        yield
        self.record(time.perf_counter() - started)

    def record(self, seconds: float) -> None:
        """Update the estimate with one measured duration, in seconds."""
        with self._lock:
            share = _NEW_SHARE if self._known else 1.0
            self._seconds += share * (seconds - self._seconds)
            self._known = True
