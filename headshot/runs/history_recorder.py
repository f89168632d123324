"""What is made on the page, written into the history as it lands, and found again there."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
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
_LOOK_BACK = 24  # comparisons among which one that goes on at ModelsLab is looked for
_log = logging.getLogger(__name__)


class HistoryRecorder:
    """The history of everybody on the page. What takes an owner finds nothing of anybody else's.

    What writes into a job's comparison never fails: the headshots are on the page, and the job's `unkept` says why they
    are not in the history. It takes a moment: call it in a worker thread.
    """

    def __init__(self, ledger: AsyncStore, signer: LazySigner) -> None:
        self._store = ledger
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by owner
        self.signer = signer

    @classmethod
    def of(cls, settings: Settings) -> "HistoryRecorder":
        """Raises SettingsError where the certificate that is named cannot sign."""
        folder, url = settings.data_dir.expanduser(), settings.database_url.get_secret_value()
        return cls(AsyncStore(folder, url or None), LazySigner(settings))

    @property
    def may_have_data(self) -> bool:
        """Whether something may be kept, without a look into the store."""
        return self._store.may_have_data

    async def run(self, act: "Callable[[History], _T]") -> _T:
        """Something with the history. Raises StoreError, and RequestError as the history does."""
        return await self._store.run(lambda store: act(store.history))

    async def serialized(self, owner: str, act: "Callable[[History], _T]") -> _T:
        """As `run`, after whatever came this way from that owner before: a list shows what was changed just now."""
        async with self._turns.setdefault(owner, asyncio.Lock()):
            return await self.run(act)

    def run_sync(self, act: "Callable[[History], _T]") -> _T:
        """As `run`, in a worker thread of the caller's."""
        return self._store.run_sync(lambda store: act(store.history))

    # What comes of a job.

    def begin(self, run: Run) -> None:
        """Write down what is to be made, where it has an owner and was not written down before."""
        if not run.owner or run.history_id or run.history_error:
            return
        asked = run.backends[0].name
        with _told(run):
            run.history_id = self.run_sync(
                lambda history: history.begin(
                    run.owner,
                    run.requests,
                    kind=run.kind,
                    backend=asked,
                    photo_sha256=run.photo_sha256,
                    face=run.face,
                    group=run.group,
                    name=run.name,
                )
            )

    def save(self, run: Run, headshot: Headshot, png: bytes, small: Image.Image, mark: str) -> str:
        """Keep a headshot, and return its id in the history, "" where it is in none.

        small: a reduced picture of it.  mark: as `mark_of`.
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
            "mark": mark,
            **({"parent": run.parent} if run.parent else {}),
            **({"job": headshot.job} if headshot.job else {}),
        }
        with _told(run):
            kept = self.run_sync(
                lambda history: history.land(
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
            if kept is not None:
                run.history_ids[position] = kept
        return run.history_ids.get(position, "")

    def fail(self, run: Run, request: HeadshotRequest, sentence: str) -> None:
        """Write down why that one did not come."""
        if run.history_id:
            with _told(run):
                self.run_sync(lambda history: history.fail(run.history_id, run.requests.index(request), sentence))

    def end(self, run: Run) -> None:
        """Nothing more comes of the job unless its visitor asks."""
        if run.history_id:
            with _told(run):
                self.run_sync(lambda history: history.end(run.history_id))

    # What is found again.

    async def unfinished(self, owner: str) -> "HistoryEntry | None":
        """The visitor's last comparison, where its page went before it had ended; a team's has no photo any more."""
        if not self.may_have_data:
            return None
        latest = await self.run(lambda history: history.latest(owner))
        return None if latest is None or latest.ended or latest.kind == "team" else latest

    async def find_matching(self, run: Run) -> "HistoryEntry | None":
        """The comparison of this job, where an earlier page had written it down."""
        if not run.owner or not self.may_have_data:
            return None
        for one in await self.run(
            lambda history: history.page(run.owner, backend=run.backends[0].name, limit=_LOOK_BACK)
        ):
            if list(one.requests) == run.requests and one.photo_sha256 == run.photo_sha256:
                return one
        return None

    def headshot(self, owner: str, name: str) -> "StoredHeadshot | None":
        """As History.shot, in a worker thread of the caller's."""
        return self.run_sync(lambda history: history.headshot(owner, name)) if self.may_have_data else None

    def thumbnail(self, owner: str, name: str) -> bytes | None:
        """As History.thumbnail, in a worker thread of the caller's."""
        return self.run_sync(lambda history: history.thumbnail(owner, name)) if self.may_have_data else None

    def group(self, owner: str, group: str) -> "tuple[HistoryEntry, ...]":
        """As History.group, in a worker thread of the caller's."""
        return self.run_sync(lambda history: history.group(owner, group)) if self.may_have_data else ()

    async def saved_settings(self, owner: str) -> "tuple[SavedSettings, ...]":
        """As History.looks."""
        return await self.run(lambda history: history.saved_settings(owner)) if self.may_have_data else ()

    # What goes.

    async def expire(self, hours: float) -> None:
        """Delete what everybody's history has held for that long."""
        if self.may_have_data:
            before = datetime.now(UTC) - timedelta(hours=hours)
            await self.run(lambda history: history.expire(before))

    async def close(self) -> None:
        await self._store.close()

    async def forget(self, owner: str) -> None:
        """Delete everything of a visitor."""
        if self.may_have_data:
            await self.run(lambda history: history.forget(owner))


@contextmanager
def _told(run: Run) -> Iterator[None]:
    try:
        yield
    except HeadshotError as error:
        _log.exception("The history could not be written")
        run.history_error = f"These headshots are not in the history, so download what you want to keep. {error}"
