"""The store as the event loop sees it: opened when it is first needed, and worked on in threads."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from headshot.errors import HeadshotError

if TYPE_CHECKING:  # SQLAlchemy takes half a second to load, for which a visitor without a key should not wait
    from . import Store

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class AsyncStore:
    """folder, url: as Store.open takes them. Used from any number of event loops."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self._folder = folder
        self._url = url
        self._store: Store | None = None
        self._opening = threading.Lock()

    @property
    def may_have_data(self) -> bool:
        """Whether something may have been written down before: a server that never did need not open its store."""
        empty = self._folder.is_dir() and not any(self._folder.iterdir())
        return self._url is not None or (self._folder.exists() and not empty)

    async def run(self, act: "Callable[[Store], _T]") -> _T:
        """Something with the store. Raises StoreError, and SettingsError where it cannot be opened as it is set."""
        return await anyio.to_thread.run_sync(lambda: self.run_sync(act))

    def run_sync(self, act: "Callable[[Store], _T]") -> _T:
        """As `run`, in a worker thread of the caller's."""
        return act(self._opened())

    async def record_best_effort(self, act: "Callable[[Store], object]") -> None:
        """Write down what has happened already. Where that fails the job goes on all the same: it is paid."""
        try:
            await self.run(act)
        except HeadshotError:
            _log.exception("What happened to a job could not be written down")

    async def close(self) -> None:
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
