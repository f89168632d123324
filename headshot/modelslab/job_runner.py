"""One paid headshot on its way: sent once, asked for until there is an end, and written down at every step."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio.to_thread

from headshot.errors import HeadshotError, Refused, Stopped, Unavailable, Unknown
from headshot.request import Headshot, HeadshotRequest
from headshot.storage.async_store import Ledger

from .client import HeadShotClient
from .replies import BACKEND, Busy, Failed, Reply
from .result_image import Sitter, developed, kept

if TYPE_CHECKING:
    from headshot.storage import JobId, Untaken

DROPPED = "Stopped before it was sent, so nothing was billed."
_BUG_BEFORE = "Something went wrong here before this headshot was sent, so nothing was billed."
_BUG = "Something went wrong here after this headshot was sent: it may have been billed. Check again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hook:
    """Whom the service calls when a headshot is done, and what it tells them to know it by."""

    url: str = ""
    track_id: str | None = None

    @classmethod
    def here(cls, public_url: str, token: str) -> "Hook":
        """This server's own receiver. The track id is of digits, for one of the service's schemas calls it a number,
        and of few enough to come back whole as any kind of one.
        """
        return cls(f"{public_url.rstrip('/')}/webhooks/{token}", str(10**14 + secrets.randbelow(9 * 10**14)))


@dataclass(eq=False)
class Trip:
    """A job that is looked after in this process. It keeps the books of its own submission, as client.Books says.

    face_image: what is sent.  sitter: whom the likeness is measured to.  reply: of a job that was sent before, which
    needs neither.  changed: called whenever it stands elsewhere.
    """

    job: "JobId"
    owner: str
    comparison: str
    request: HeadshotRequest
    ledger: Ledger = field(repr=False)
    changed: "Callable[[Trip], None]" = field(repr=False)
    face_image: str = field(default="", repr=False)
    sitter: Sitter | None = field(default=None, repr=False)
    hook: Hook = field(default_factory=Hook, repr=False)
    reply: Reply | None = None

    def __post_init__(self) -> None:
        self.text = "Waiting to be sent" if self.reply is None else "At ModelsLab"
        self.at_service = self.reply is not None  # a POST has left that was not turned away
        self.told = asyncio.Event()  # a webhook has called
        self.named = ""  # the number by which it called, while the service has not told one
        self.seconds: float | None = None  # from the POST to the picture, where both were seen
        self.error: HeadshotError | None = None
        self.unkept: Headshot | None = None  # made, and the disk had no room for it
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._sent_at = 0.0

    def start(self, client: HeadShotClient) -> "asyncio.Task[None]":
        return asyncio.create_task(self._travel(client))

    def stop(self, *, whatever: bool = False) -> None:
        """Drop it while nothing has left; `whatever` also gives up what has."""
        self._stopped = True
        if self._task is not None and (whatever or not self.at_service):
            self._task.cancel()

    async def _travel(self, client: HeadShotClient) -> None:
        """From where it stands to its end. Whatever ends it is written down."""
        self._task = asyncio.current_task()  # only now: a task that is cancelled before it runs writes nothing down
        try:
            if self._stopped:
                raise Stopped(DROPPED)
            await self._fetch(client, self.reply or await self._submit(client))
        except asyncio.CancelledError:
            if self.at_service or not self._stopped:  # the server ends: its next start finds the job as it stands
                raise
            await self._end(Stopped(DROPPED))
        except HeadshotError as error:
            await self._end(error)
        except Exception:  # noqa: BLE001  nobody awaits this task: a bug becomes a state that can be seen
            _log.exception("A job at ModelsLab could not be looked after")
            await self._end(Unknown(BACKEND, _BUG) if self.at_service else Unavailable(BACKEND, _BUG_BEFORE))

    async def _submit(self, client: HeadShotClient) -> Reply:
        try:
            reply = await client.submit(
                self.request, self.face_image, webhook=self.hook.url or None, track_id=self.hook.track_id, books=self
            )
        except Unknown:
            if not self.named:
                raise
            reply = Reply.of_job(self.named)  # the answer was lost, but a webhook has called meanwhile
        self.face_image = ""  # up to 4 MB, which nobody needs any more
        details = {"reply": reply.raw}
        await self.ledger.note(lambda store: store.accepted(self.job, reply.id, reply.eta_seconds, details=details))
        self._now(_expected(reply))
        return reply

    async def _fetch(self, client: HeadShotClient, reply: Reply) -> None:
        """What was accepted is paid: only the service's own word says that nothing comes of it."""
        polls: set[asyncio.Task[None]] = set()

        def asking() -> None:
            polls.add(asyncio.create_task(self.ledger.note(lambda store: store.polled(self.job))))

        try:
            reply = await client.result(
                reply, told=self.told, heard=lambda news: self._now(_expected(news)), asking=asking
            )
            self._now("Downloading")
            data = await client.download(reply.output[0])
            if self._sent_at:
                self.seconds = time.monotonic() - self._sent_at
            seconds = self.seconds or reply.seconds or 0.0
            made_by = {"endpoint": client.endpoint}
            headshot = await anyio.to_thread.run_sync(
                lambda: developed(data, self.request, reply, self.sitter, made_by, seconds=seconds, job=self.job)
            )
        except (Refused, Failed, Unknown):
            raise
        except HeadshotError as error:
            raise Unknown(BACKEND, f"{error} The headshot may have been billed: check again later.") from error
        finally:
            await asyncio.gather(*polls)
        facts = kept(headshot) | {"reply": reply.raw}
        try:
            await self.ledger.do(lambda store: store.done(self.job, headshot.png, headshot.filename, facts))
        except HeadshotError:
            _log.exception("A headshot could not be kept; its visitor gets it all the same")
            self.unkept = headshot

    async def _end(self, error: HeadshotError) -> None:
        """The end without a picture; where it may have been billed, for the time being."""
        self.error = error
        sentence = str(error)
        if isinstance(error, Unknown):
            await self.ledger.note(lambda store: store.unknown(self.job, sentence))
        else:
            await self.ledger.note(lambda store: store.failed(self.job, sentence))

    def _now(self, text: str) -> None:
        self.text = text
        self.changed(self)

    # What the client tells of the submission.

    def waiting(self, before: int) -> None:
        place = f"{before} before it" if before else "it is next"
        self._now(f"Waiting for a free place at ModelsLab: {place}")

    async def sending(self) -> None:
        if self._stopped:
            raise Stopped(DROPPED)
        await self.ledger.do(lambda store: store.sending(self.job))
        self.at_service, self._sent_at = True, time.monotonic()
        self._now("Sent to ModelsLab")

    async def untaken(self, error: Unavailable) -> None:
        because: Untaken = "rate limited" if isinstance(error, Busy) else "not connected"
        await self.ledger.note(lambda store: store.withdrawn(self.job, because))
        self.at_service = False
        self._now("ModelsLab is busy: it is sent as soon as there is room")


def _expected(reply: Reply) -> str:
    if reply.eta_seconds is None:
        return "At ModelsLab"
    return f"At ModelsLab, about {max(1, round(reply.eta_seconds))} s"
