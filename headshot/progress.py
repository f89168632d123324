"""News out of a running comparison, and Stop into it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import HeadshotError, Stopped
from .request import HeadshotRequest


@dataclass(frozen=True)
class Step:
    """Where a comparison stands: `stage` is a phrase for the person, `done` of `total` headshots have landed."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class HeadshotStatus:
    """Where one headshot of a comparison stands that has not landed, at a backend that tells.

    kind: "waiting": nothing was sent yet.  "under way": sent, and it may be billed.  "failed": it will not come.
    "never sent": it could be, and nobody does.  "unknown": sent, perhaps billed, and nobody knows what became of it.
    text: a phrase or sentence for the person.  job: as in Headshot.  error: what a failed or unknown one ended with.
    preview: a small JPEG of what it is becoming, b"" where nobody can see that.
    """

    request: HeadshotRequest
    kind: Literal["waiting", "under way", "never sent", "failed", "unknown"]
    text: str
    job: str = ""
    error: HeadshotError | None = None
    preview: bytes = b""


class Progress:
    """Carries news out of a running comparison, and Stop into it. Safe to use from any thread.

    listener: hears of the comparison's steps.  standings: hears where single headshots stand.
    """

    def __init__(
        self,
        listener: Callable[[Step], None] | None = None,
        standings: Callable[[HeadshotStatus], None] | None = None,
    ) -> None:
        self._listener = listener
        self._standings = standings
        self._stop = threading.Event()

    def report(self, stage: str, done: int, total: int) -> None:
        if self._listener is not None:
            self._listener(Step(stage, done, total))

    def report_item(self, standing: HeadshotStatus) -> None:
        if self._standings is not None:
            self._standings(standing)

    def cancel(self) -> None:
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raises Stopped once Stop was pressed: backends call it wherever they can leave off."""
        if self.stopped:
            raise Stopped("Stopped. The headshots that had landed are kept.")

    def with_listener(self, standings: Callable[[HeadshotStatus], None]) -> "Progress":
        """The same news and the same Stop, with somebody else to hear where single headshots stand."""
        other = Progress(self._listener, standings)
        other._stop = self._stop
        return other
