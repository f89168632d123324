"""What a tab shows, in parts with revisions, so that a browser asks only for what it has not seen."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Part = Mapping[str, Any]
"""One part of what a tab shows, as JSON's types: the status, the notes, one card."""


class Snapshot:
    """The newest state of a tab as its page shows it. The revision grows with every change. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, Part] = {}
        self._revisions: dict[str, int] = {}  # by part, when it last changed
        self._watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.revision = 0

    def update(self, parts: Mapping[str, Part]) -> int:
        """Replace all parts, and wake the watchers if anything differs from before.

        Args:
            parts: by name.

        Returns:
            The revision: a new one if anything differs from before.
        """
        with self._lock:
            changed = {name for name, part in parts.items() if self._parts.get(name) != part}
            if not changed and parts.keys() == self._parts.keys():
                return self.revision
            self.revision += 1
            self._revisions = {name: self._revisions.get(name, 0) for name in parts}
            self._revisions |= dict.fromkeys(changed, self.revision)
            self._parts = dict(parts)
            revision = self.revision
        self.wake()
        return revision

    def since(self, revision: int) -> dict[str, Any]:
        """Return what a browser needs that has seen `revision`, as JSON's types.

        Args:
            revision: the last one that it drew; -1 for none.

        Returns:
            `revision`, now; `names` of all parts there are; `parts`, those that changed since.
        """
        with self._lock:
            return {
                "revision": self.revision,
                "names": list(self._parts),
                "parts": {name: part for name, part in self._parts.items() if self._revisions[name] > revision},
            }

    @property
    def watched(self) -> bool:
        """Whether anybody waits for a change."""
        return bool(self._watchers)

    def wake(self) -> None:
        """Let every watcher look again."""
        with self._lock:
            watchers = list(self._watchers)
        for loop, changed in watchers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(changed.set)

    @contextmanager
    def watch(self) -> Iterator[asyncio.Event]:
        """Yield an event of the running loop that is set whenever something may have changed."""
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._watchers.add(watcher)
        try:
            yield watcher[1]
        finally:
            with self._lock:
                self._watchers.discard(watcher)
