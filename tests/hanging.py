"""A guard against what takes the square of a text's length: for 200,000 letters minutes, where others take a moment."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_HANGS_SECONDS = 30  # a hundred times what the slowest of them takes


@contextmanager
def never_hanging() -> Iterator[None]:
    """By this thread's own time on the processor, of which nothing else on the machine takes any."""
    started = time.thread_time()
    yield
    assert time.thread_time() - started < _HANGS_SECONDS
