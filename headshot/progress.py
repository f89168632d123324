"""Carries news out of a running comparison, and Stop into it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import HeadshotError, Stopped
from .request import HeadshotRequest


@dataclass(frozen=True)
class Step:
    """The state of a whole comparison.

    Attributes:
        stage: a phrase for the person: “Step 5 of 21”.
        done: number of finished headshots.
        total: number of all headshots.
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class HeadshotStatus:
    """Status of one unfinished headshot, reported by backends that support it.

    Attributes:
        request: the headshot's.
        kind: "waiting": not sent yet. "under way": sent, and may be billed. "failed": it will not arrive. "never sent":
            it could be sent, but no process will do it. "unknown": sent, may have been billed, and the outcome is not
            known.
        text: a phrase or sentence for the person.
        job: the backend's own job id, or "" if the backend has none.
        error: the error of a failed or unknown one.
        preview: a small JPEG of the unfinished picture, b"" if there is none.
    """

    request: HeadshotRequest
    kind: Literal["waiting", "under way", "never sent", "failed", "unknown"]
    text: str
    job: str = ""
    error: HeadshotError | None = None
    preview: bytes = b""


class Progress:
    """One comparison's progress and its Stop signal. Thread-safe; listeners are called in the reporting thread."""

    def __init__(
        self,
        listener: Callable[[Step], None] | None = None,
        item_listener: Callable[[HeadshotStatus], None] | None = None,
    ) -> None:
        """Start unstopped.

        Args:
            listener: receives the comparison's steps.
            item_listener: receives the status of single headshots.
        """
        self._listener = listener
        self._item_listener = item_listener
        self._stop = threading.Event()

    def report(self, stage: str, done: int, total: int) -> None:
        """Report the state of the comparison; the arguments are those of `Step`."""
        if self._listener is not None:
            self._listener(Step(stage, done, total))

    def report_item(self, status: HeadshotStatus) -> None:
        """Report the status of one headshot."""
        if self._item_listener is not None:
            self._item_listener(status)

    def cancel(self) -> None:
        """Stop the comparison: from now on `check` raises."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise Stopped if `cancel` was called. Backends call this wherever they can stop."""
        if self.stopped:
            raise Stopped("Stopped. Finished headshots are kept.")

    def with_listener(self, item_listener: Callable[[HeadshotStatus], None]) -> "Progress":
        """A progress with the same listener and the same Stop, but another listener for single headshots."""
        other = Progress(self._listener, item_listener)
        other._stop = self._stop
        return other
