"""The store for the event loop: opened on first use, and used in worker threads."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from headshot.errors import HeadshotError

if TYPE_CHECKING:  # SQLAlchemy takes half a second to load; a visitor without a key should not wait for it
    from . import Store

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class AsyncStore:
    """A store that any number of event loops may use.

    Args:
        folder: as for `Store.open`.
        url: as for `Store.open`.
    """

    def __init__(self, folder: Path, url: str | None) -> None:
        self._folder = folder
        self._url = url
        self._store: Store | None = None
        self._opening = threading.Lock()

    @property
    def may_have_data(self) -> bool:
        """Whether anything may have been saved before; if not, a server need not open its store."""
        empty = self._folder.is_dir() and not any(self._folder.iterdir())
        return self._url is not None or (self._folder.exists() and not empty)

    async def run(self, act: "Callable[[Store], _T]") -> _T:
        """Call `act` with the store, in a worker thread, and return its result.

        Raises:
            StoreError: if the database or the disk fails.
            SettingsError: if the store cannot be opened with its settings.
        """
        return await anyio.to_thread.run_sync(lambda: self.run_sync(act))

    def run_sync(self, act: "Callable[[Store], _T]") -> _T:
        """Like `run`, in the calling thread, which must be a worker thread."""
        return act(self._opened())

    async def record_best_effort(self, act: "Callable[[Store], object]") -> None:
        """Like `run`, but errors are logged and not raised, because the paid job must continue."""
        try:
            await self.run(act)
        except HeadshotError:
            _log.exception("Could not save job event")

    async def close(self) -> None:
        """Close the store if it is open."""
        with self._opening:
            store, self._store = self._store, None
        if store is not None:
            await anyio.to_thread.run_sync(store.close)

    def _opened(self) -> "Store":
        with self._opening:
            if self._store is None:
                from . import Store

                self._store = Store.open(self._folder, self._url)
            return self._store
