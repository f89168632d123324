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
from headshot.storage.async_store import Ledger

from .run import Job
from .signing import Signer

if TYPE_CHECKING:
    from headshot.storage import Comparison, History, Kept, Look


_T = TypeVar("_T")
_LOOK_BACK = 24  # comparisons among which one that goes on at ModelsLab is looked for
_log = logging.getLogger(__name__)


class Keeper:
    """The history of everybody on the page. What takes an owner finds nothing of anybody else's.

    What writes into a job's comparison never fails: the headshots are on the page, and the job's `unkept` says why they
    are not in the history. It takes a moment: call it in a worker thread.
    """

    def __init__(self, ledger: Ledger, signer: Signer) -> None:
        self._ledger = ledger
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by owner
        self.signer = signer

    @classmethod
    def of(cls, settings: Settings) -> "Keeper":
        """Raises SettingsError where the certificate that is named cannot sign."""
        folder, url = settings.data_dir.expanduser(), settings.database_url.get_secret_value()
        return cls(Ledger(folder, url or None), Signer(settings))

    @property
    def has_entries(self) -> bool:
        """Whether something may be kept, without a look into the store."""
        return self._ledger.has_entries

    async def do(self, act: "Callable[[History], _T]") -> _T:
        """Something with the history. Raises StoreError, and RequestError as the history does."""
        return await self._ledger.do(lambda store: act(store.history))

    async def in_turn(self, owner: str, act: "Callable[[History], _T]") -> _T:
        """As `do`, after whatever came this way from that owner before: a list shows what was changed just now."""
        async with self._turns.setdefault(owner, asyncio.Lock()):
            return await self.do(act)

    def now(self, act: "Callable[[History], _T]") -> _T:
        """As `do`, in a worker thread of the caller's."""
        return self._ledger.at_once(lambda store: act(store.history))

    # What comes of a job.

    def begin(self, job: Job) -> None:
        """Write down what is to be made, where it has an owner and was not written down before."""
        if not job.owner or job.kept or job.unkept:
            return
        asked = job.chain[0].name
        with _told(job):
            job.kept = self.now(
                lambda history: history.begin(
                    job.owner,
                    job.requests,
                    kind=job.kind,
                    backend=asked,
                    photo_sha256=job.photo_sha256,
                    face=job.face,
                    group=job.group,
                    name=job.name,
                )
            )

    def land(self, job: Job, headshot: Headshot, png: bytes, small: Image.Image, mark: str) -> str:
        """Keep a headshot, and return its id in the history, "" where it is in none.

        small: a reduced picture of it.  mark: as `mark_of`.
        """
        position = job.requests.index(headshot.request)
        if not job.kept or position in job.kept_shots:
            return job.kept_shots.get(position, "")
        facts: dict[str, Any] = {
            "seconds": headshot.seconds,
            "likeness": headshot.likeness,
            "trust": headshot.trust,
            "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
            "made_by": dict(headshot.facts),
            "face": None if headshot.face_box is None else [round(value, 1) for value in headshot.face_box],
            "mark": mark,
            **({"parent": job.parent} if job.parent else {}),
            **({"job": headshot.job} if headshot.job else {}),
        }
        with _told(job):
            kept = self.now(
                lambda history: history.land(
                    job.kept,
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
                job.kept_shots[position] = kept
        return job.kept_shots.get(position, "")

    def fail(self, job: Job, request: HeadshotRequest, sentence: str) -> None:
        """Write down why that one did not come."""
        if job.kept:
            with _told(job):
                self.now(lambda history: history.fail(job.kept, job.requests.index(request), sentence))

    def end(self, job: Job) -> None:
        """Nothing more comes of the job unless its visitor asks."""
        if job.kept:
            with _told(job):
                self.now(lambda history: history.end(job.kept))

    # What is found again.

    async def unfinished(self, owner: str) -> "Comparison | None":
        """The visitor's last comparison, where its page went before it had ended; a team's has no photo any more."""
        if not self.has_entries:
            return None
        latest = await self.do(lambda history: history.latest(owner))
        return None if latest is None or latest.ended or latest.kind == "team" else latest

    async def alike(self, job: Job) -> "Comparison | None":
        """The comparison of this job, where an earlier page had written it down."""
        if not job.owner or not self.has_entries:
            return None
        for one in await self.do(lambda history: history.page(job.owner, backend=job.chain[0].name, limit=_LOOK_BACK)):
            if list(one.requests) == job.requests and one.photo_sha256 == job.photo_sha256:
                return one
        return None

    def shot(self, owner: str, name: str) -> "Kept | None":
        """As History.shot, in a worker thread of the caller's."""
        return self.now(lambda history: history.shot(owner, name)) if self.has_entries else None

    def thumbnail(self, owner: str, name: str) -> bytes | None:
        """As History.thumbnail, in a worker thread of the caller's."""
        return self.now(lambda history: history.thumbnail(owner, name)) if self.has_entries else None

    def group(self, owner: str, group: str) -> "tuple[Comparison, ...]":
        """As History.group, in a worker thread of the caller's."""
        return self.now(lambda history: history.group(owner, group)) if self.has_entries else ()

    async def looks(self, owner: str) -> "tuple[Look, ...]":
        """As History.looks."""
        return await self.do(lambda history: history.looks(owner)) if self.has_entries else ()

    # What goes.

    async def expire(self, hours: float) -> None:
        """Delete what everybody's history has held for that long."""
        if self.has_entries:
            before = datetime.now(UTC) - timedelta(hours=hours)
            await self.do(lambda history: history.expire(before))

    async def close(self) -> None:
        await self._ledger.close()

    async def forget(self, owner: str) -> None:
        """Delete everything of a visitor."""
        if self.has_entries:
            await self.do(lambda history: history.forget(owner))


@contextmanager
def _told(job: Job) -> Iterator[None]:
    try:
        yield
    except HeadshotError as error:
        _log.exception("The history could not be written")
        job.unkept = f"These headshots are not in the history, so download what you want to keep. {error}"
