"""One paid headshot on its way: sent once, asked for until there is an end, and written down at every step."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio.to_thread

from headshot.backend_names import MODELSLAB
from headshot.errors import HeadshotError, OutcomeUnknown, Refused, Stopped, Unavailable
from headshot.request import Headshot, HeadshotRequest
from headshot.storage.async_store import AsyncStore

from .client import HeadShotClient
from .replies import JobFailed, JobResponse, RateLimited
from .result_image import Subject, headshot_from_bytes, to_record

if TYPE_CHECKING:
    from headshot.storage import JobId, StateNotReached

MSG_CANCELLED_BEFORE_SEND = "Stopped before it was sent, so nothing was billed."
_BUG_BEFORE = "Something went wrong here before this headshot was sent, so nothing was billed."
_BUG = "Something went wrong here after this headshot was sent: it may have been billed. Check again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookTarget:
    """Whom the service calls when a headshot is done, and what it tells them to know it by."""

    url: str = ""
    track_id: str | None = None

    @classmethod
    def for_this_server(cls, public_url: str, token: str) -> "WebhookTarget":
        """This server's own receiver. The track id is of digits, for one of the service's schemas calls it a number,
        and of few enough to come back whole as any kind of one.
        """
        return cls(f"{public_url.rstrip('/')}/webhooks/{token}", str(10**14 + secrets.randbelow(9 * 10**14)))


@dataclass(eq=False)
class JobRunner:
    """A job that is looked after in this process. It keeps the books of its own submission, as client.Books says.

    face_image: what is sent.  subject: whom the likeness is measured to.  reply: of a job that was sent before, which
    needs neither.  changed: called whenever it stands elsewhere.
    """

    job: "JobId"
    owner: str
    comparison: str
    request: HeadshotRequest
    store: AsyncStore = field(repr=False)
    changed: "Callable[[JobRunner], None]" = field(repr=False)
    face_image: str = field(default="", repr=False)
    subject: Subject | None = field(default=None, repr=False)
    hook: WebhookTarget = field(default_factory=WebhookTarget, repr=False)
    reply: JobResponse | None = None

    def __post_init__(self) -> None:
        self.text = "Waiting to be sent" if self.reply is None else "At ModelsLab"
        self.was_sent = self.reply is not None  # a POST has left that was not turned away
        self.webhook_received = asyncio.Event()  # a webhook has called
        self.webhook_job_id = ""  # the number by which it called, while the service has not told one
        self.seconds: float | None = None  # from the POST to the picture, where both were seen
        self.error: HeadshotError | None = None
        self.unsaved_result: Headshot | None = None  # made, and the disk had no room for it
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._sent_at = 0.0

    def start(self, client: HeadShotClient) -> "asyncio.Task[None]":
        return asyncio.create_task(self._run(client))

    def cancel(self, *, whatever: bool = False) -> None:
        """Drop it while nothing has left; `whatever` also gives up what has."""
        self._stopped = True
        if self._task is not None and (whatever or not self.was_sent):
            self._task.cancel()

    async def _run(self, client: HeadShotClient) -> None:
        """From where it stands to its end. Whatever ends it is written down."""
        self._task = asyncio.current_task()  # only now: a task that is cancelled before it runs writes nothing down
        try:
            if self._stopped:
                raise Stopped(MSG_CANCELLED_BEFORE_SEND)
            await self._fetch(client, self.reply or await self._submit(client))
        except asyncio.CancelledError:
            if self.was_sent or not self._stopped:  # the server ends: its next start finds the job as it stands
                raise
            await self._end(Stopped(MSG_CANCELLED_BEFORE_SEND))
        except HeadshotError as error:
            await self._end(error)
        except Exception:  # noqa: BLE001  nobody awaits this task: a bug becomes a state that can be seen
            _log.exception("A job at ModelsLab could not be looked after")
            await self._end(OutcomeUnknown(MODELSLAB, _BUG) if self.was_sent else Unavailable(MODELSLAB, _BUG_BEFORE))

    async def _submit(self, client: HeadShotClient) -> JobResponse:
        try:
            reply = await client.submit(
                self.request, self.face_image, webhook=self.hook.url or None, track_id=self.hook.track_id, books=self
            )
        except OutcomeUnknown:
            if not self.webhook_job_id:
                raise
            reply = JobResponse.of_job(self.webhook_job_id)  # the answer was lost, but a webhook has called meanwhile
        self.face_image = ""  # up to 4 MB, which nobody needs any more
        details = {"reply": reply.raw}
        await self.store.record_best_effort(
            lambda store: store.accepted(self.job, reply.id, reply.eta_seconds, details=details)
        )
        self._now(_expected(reply))
        return reply

    async def _fetch(self, client: HeadShotClient, reply: JobResponse) -> None:
        """What was accepted is paid: only the service's own word says that nothing comes of it."""
        polls: set[asyncio.Task[None]] = set()

        def asking() -> None:
            polls.add(asyncio.create_task(self.store.record_best_effort(lambda store: store.polled(self.job))))

        try:
            reply = await client.result(
                reply, told=self.webhook_received, heard=lambda news: self._now(_expected(news)), asking=asking
            )
            self._now("Downloading")
            data = await client.download(reply.output[0])
            if self._sent_at:
                self.seconds = time.monotonic() - self._sent_at
            seconds = self.seconds or reply.seconds or 0.0
            made_by = {"endpoint": client.endpoint}
            headshot = await anyio.to_thread.run_sync(
                lambda: headshot_from_bytes(
                    data, self.request, reply, self.subject, made_by, seconds=seconds, job=self.job
                )
            )
        except (Refused, JobFailed, OutcomeUnknown):
            raise
        except HeadshotError as error:
            raise OutcomeUnknown(MODELSLAB, f"{error} The headshot may have been billed: check again later.") from error
        finally:
            await asyncio.gather(*polls)
        facts = to_record(headshot) | {"reply": reply.raw}
        try:
            await self.store.run(lambda store: store.done(self.job, headshot.png, headshot.filename, facts))
        except HeadshotError:
            _log.exception("A headshot could not be kept; its visitor gets it all the same")
            self.unsaved_result = headshot

    async def _end(self, error: HeadshotError) -> None:
        """The end without a picture; where it may have been billed, for the time being."""
        self.error = error
        sentence = str(error)
        if isinstance(error, OutcomeUnknown):
            await self.store.record_best_effort(lambda store: store.unknown(self.job, sentence))
        else:
            await self.store.record_best_effort(lambda store: store.failed(self.job, sentence))

    def _now(self, text: str) -> None:
        self.text = text
        self.changed(self)

    # What the client tells of the submission.

    def on_queued(self, before: int) -> None:
        place = f"{before} before it" if before else "it is next"
        self._now(f"Waiting for a free place at ModelsLab: {place}")

    async def before_send(self) -> None:
        if self._stopped:
            raise Stopped(MSG_CANCELLED_BEFORE_SEND)
        await self.store.run(lambda store: store.sending(self.job))
        self.was_sent, self._sent_at = True, time.monotonic()
        self._now("Sent to ModelsLab")

    async def on_rejected(self, error: Unavailable) -> None:
        because: StateNotReached = "rate limited" if isinstance(error, RateLimited) else "not connected"
        await self.store.record_best_effort(lambda store: store.reset_to_pending(self.job, because))
        self.was_sent = False
        self._now("ModelsLab is busy: it is sent as soon as there is room")


def _expected(reply: JobResponse) -> str:
    if reply.eta_seconds is None:
        return "At ModelsLab"
    return f"At ModelsLab, about {max(1, round(reply.eta_seconds))} s"
