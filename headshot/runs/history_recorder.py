"""Saves runs in the history as their headshots are finished, and finds them there."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from PIL import Image

from headshot.errors import HeadshotError
from headshot.imaging.thumbnail import thumbnail_of
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings
from headshot.storage.async_store import AsyncStore

from .run import Run
from .signing import LazySigner

if TYPE_CHECKING:
    from headshot.storage import History, HistoryEntry, SavedSettings, StoredHeadshot


_T = TypeVar("_T")
_LOOK_BACK = 24  # latest comparisons that `find_matching` looks through
_log = logging.getLogger(__name__)


class HistoryRecorder:
    """The history of all visitors. A method that takes an owner finds nothing of another owner's.

    `begin`, `save`, `fail` and `end` never raise: the headshots are on the page already, and the run's `history_error`
    says why they are not in the history. They block: call them in a worker thread.
    """

    def __init__(self, store: AsyncStore, signer: LazySigner) -> None:
        self._store = store
        self._owner_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.signer = signer

    @classmethod
    def of(cls, settings: Settings) -> "HistoryRecorder":
        """Return the history that the settings name.

        Raises:
            SettingsError: if the certificate that they name cannot sign.
        """
        folder, url = settings.data_dir.expanduser(), settings.database_url.get_secret_value()
        return cls(AsyncStore(folder, url or None), LazySigner(settings))

    @property
    def may_have_data(self) -> bool:
        """Whether the history may hold something; does not open the store."""
        return self._store.may_have_data

    async def run(self, operation: "Callable[[History], _T]") -> _T:
        """Run a history operation in a worker thread and return its result.

        Args:
            operation: called with the history.

        Raises:
            StoreError: if the store fails.
            RequestError: if the history refuses.
        """
        return await self._store.run(lambda store: operation(store.history))

    async def serialized(self, owner: str, operation: "Callable[[History], _T]") -> _T:
        """Like `run`, but one at a time for each owner, so that a read sees that owner's earlier writes.

        Args:
            owner: whose operations are ordered.
            operation: called with the history.
        """
        async with self._owner_locks.setdefault(owner, asyncio.Lock()):
            return await self.run(operation)

    def run_sync(self, operation: "Callable[[History], _T]") -> _T:
        """Like `run`, for callers that are in a worker thread already."""
        return self._store.run_sync(lambda store: operation(store.history))

    # Saving a run.

    def begin(self, run: Run) -> None:
        """Save the run's requests, if the run has an owner and was not saved before."""
        if not run.owner or run.history_id or run.history_error:
            return
        backend = run.backends[0].name
        with _record_error(run):
            run.history_id = self.run_sync(
                lambda history: history.begin(
                    run.owner,
                    run.requests,
                    kind=run.kind,
                    backend=backend,
                    photo_sha256=run.photo_sha256,
                    face=run.face,
                    group=run.group,
                    name=run.name,
                )
            )

    def save(self, run: Run, headshot: Headshot, png: bytes, small: Image.Image, content_id: str) -> str:
        """Save a headshot.

        Args:
            run: the run that it belongs to.
            headshot: with its pixels.
            png: its file.
            small: a reduced picture of it.
            content_id: as `content_id_of` returns it.

        Returns:
            Its id in the history, "" if it could not be saved.
        """
        position = run.requests.index(headshot.request)
        if not run.history_id or position in run.history_ids:
            return run.history_ids.get(position, "")
        facts: dict[str, Any] = {
            "seconds": headshot.seconds,
            "likeness": headshot.likeness,
            "trust": headshot.trust,
            "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
            "made_by": dict(headshot.facts),
            "face": None if headshot.face_box is None else [round(value, 1) for value in headshot.face_box],
            "mark": content_id,
            **({"parent": run.parent} if run.parent else {}),
            **({"job": headshot.job} if headshot.job else {}),
        }
        with _record_error(run):
            history_id = self.run_sync(
                lambda history: history.save_headshot(
                    run.history_id,
                    position,
                    png=png,
                    filename=headshot.filename,
                    thumbnail=thumbnail_of(small),
                    size=headshot.image.size,
                    backend=headshot.backend,
                    facts=facts,
                )
            )
            if history_id is not None:
                run.history_ids[position] = history_id
        return run.history_ids.get(position, "")

    def fail(self, run: Run, request: HeadshotRequest, sentence: str) -> None:
        """Save why that request failed."""
        if run.history_id:
            with _record_error(run):
                self.run_sync(lambda history: history.fail(run.history_id, run.requests.index(request), sentence))

    def end(self, run: Run) -> None:
        """Save that the run has ended: nothing more comes unless the visitor asks for it."""
        if run.history_id:
            with _record_error(run):
                self.run_sync(lambda history: history.end(run.history_id))

    # Reading.

    async def latest(self, owner: str) -> "HistoryEntry | None":
        """Return the owner's last comparison; None for a team, whose photos went with the page."""
        if not self.may_have_data:
            return None
        latest = await self.run(lambda history: history.latest(owner))
        return None if latest is None or latest.kind == "team" else latest

    async def find_matching(self, run: Run) -> "HistoryEntry | None":
        """Return the comparison that an earlier page saved for this run, if any: same requests and same photo."""
        if not run.owner or not self.may_have_data:
            return None
        for entry in await self.run(
            lambda history: history.page(run.owner, backend=run.backends[0].name, limit=_LOOK_BACK)
        ):
            if list(entry.requests) == run.requests and entry.photo_sha256 == run.photo_sha256:
                return entry
        return None

    def headshot(self, owner: str, name: str) -> "StoredHeadshot | None":
        """Return a headshot by its id; see `History.headshot`. Blocks."""
        return self.run_sync(lambda history: history.headshot(owner, name)) if self.may_have_data else None

    def thumbnail(self, owner: str, name: str) -> bytes | None:
        """Return a headshot's thumbnail; see `History.thumbnail`. Blocks."""
        return self.run_sync(lambda history: history.thumbnail(owner, name)) if self.may_have_data else None

    def group(self, owner: str, group: str) -> "tuple[HistoryEntry, ...]":
        """Return a team's comparisons; see `History.group`. Blocks."""
        return self.run_sync(lambda history: history.group(owner, group)) if self.may_have_data else ()

    async def saved_settings(self, owner: str) -> "tuple[SavedSettings, ...]":
        """Return the owner's saved looks; see `History.saved_settings`."""
        return await self.run(lambda history: history.saved_settings(owner)) if self.may_have_data else ()

    # Deleting.

    async def expire(self, settings: Settings) -> None:
        """Delete what is older than the settings allow, of all owners."""
        if self.may_have_data:
            before, starred_before = (datetime.now(UTC) - settings.history_time(starred=each) for each in (False, True))
            await self.run(lambda history: history.expire(before, starred_before=starred_before))

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def forget(self, owner: str) -> None:
        """Delete everything of one owner."""
        if self.may_have_data:
            await self.run(lambda history: history.forget(owner))


@contextmanager
def _record_error(run: Run) -> Iterator[None]:
    try:
        yield
    except HeadshotError as error:
        _log.exception("Could not write to the history")
        run.history_error = f"These headshots are not in the history. Download what you want to keep. {error}"
