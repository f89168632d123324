"""Runs one paid job: submits it once, polls it until it ends, and stores every step."""

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
    from headshot.storage import JobId, NotAcceptedReason

MSG_CANCELLED_BEFORE_SEND = "Stopped before it was sent, so nothing was billed."
_MSG_BUG_BEFORE_SEND = "Something went wrong here before this headshot was sent, so nothing was billed."
_MSG_BUG_AFTER_SEND = "Something went wrong here after this headshot was sent: it may have been billed. Check again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookTarget:
    """Where the service calls when a job ends, and what it sends back to identify the job.

    Attributes:
        url: an https link; "" for no call.
        track_id: sent back with the call.
    """

    url: str = ""
    track_id: str | None = None

    @classmethod
    def for_this_server(cls, public_url: str, token: str) -> "WebhookTarget":
        """Return this server's own webhook with a random track id.

        The track id has digits only, because one of the service's schemas calls it a number, and few enough of them
        for every type of number.

        Args:
            public_url: this server's own address.
            token: the secret last part of the webhook's path.
        """
        return cls(f"{public_url.rstrip('/')}/webhooks/{token}", str(10**14 + secrets.randbelow(9 * 10**14)))


@dataclass(eq=False)
class JobRunner:
    """Runs one job to completion; implements SubmissionObserver for its own POST.

    Attributes:
        job: the job's id in the store.
        owner: the hash of its visitor's token.
        comparison: the name of its comparison.
        request: the settings of the headshot.
        store: where each step is recorded.
        on_change: called with this runner when its status changes.
        face_image: the value to send; "" for a job that was sent before.
        subject: the person that likeness is measured against; None for a job that was sent before.
        webhook: where the service calls when the job ends.
        reply: the last response about a job that was sent before.
        text: the status, for a person.
        was_sent: whether a POST has left that was not rejected.
        webhook_received: set by a webhook's call; wakes the polling.
        webhook_job_id: the service's job id from that call, for the case that the POST's response is lost.
        seconds: from the POST to the picture, if this runner saw both.
        error: why the job ended without a picture.
        unsaved_result: the headshot, if the disk had no room for it.
    """

    job: "JobId"
    owner: str
    comparison: str
    request: HeadshotRequest
    store: AsyncStore = field(repr=False)
    on_change: "Callable[[JobRunner], None]" = field(repr=False)
    face_image: str = field(default="", repr=False)
    subject: Subject | None = field(default=None, repr=False)
    webhook: WebhookTarget = field(default_factory=WebhookTarget, repr=False)
    reply: JobResponse | None = None

    def __post_init__(self) -> None:
        self.text = "Waiting to be sent" if self.reply is None else "At ModelsLab"
        self.was_sent = self.reply is not None
        self.webhook_received = asyncio.Event()
        self.webhook_job_id = ""
        self.seconds: float | None = None
        self.error: HeadshotError | None = None
        self.unsaved_result: Headshot | None = None
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._sent_at = 0.0

    def start(self, client: HeadShotClient) -> "asyncio.Task[None]":
        """Start the task that runs the job. It ends without an exception, unless the server shuts down."""
        return asyncio.create_task(self._run(client))

    def cancel(self, *, force: bool = False) -> None:
        """Cancel the job if nothing was sent.

        Args:
            force: stop waiting for it even if it was sent.
        """
        self._stopped = True
        if self._task is not None and (force or not self.was_sent):
            self._task.cancel()

    async def _run(self, client: HeadShotClient) -> None:
        # Set here and not in start(): if the task were cancelled before its first step, `_end` would never run.
        self._task = asyncio.current_task()
        try:
            if self._stopped:
                raise Stopped(MSG_CANCELLED_BEFORE_SEND)
            await self._fetch(client, self.reply or await self._submit(client))
        except asyncio.CancelledError:
            if self.was_sent or not self._stopped:  # the server shuts down: its next start resumes the job
                raise
            await self._end(Stopped(MSG_CANCELLED_BEFORE_SEND))
        except HeadshotError as error:
            await self._end(error)
        except Exception:  # noqa: BLE001  nobody awaits this task: a bug becomes a state that can be seen
            _log.exception("Unhandled error in ModelsLab job")
            await self._end(
                OutcomeUnknown(MODELSLAB, _MSG_BUG_AFTER_SEND)
                if self.was_sent
                else Unavailable(MODELSLAB, _MSG_BUG_BEFORE_SEND)
            )

    async def _submit(self, client: HeadShotClient) -> JobResponse:
        try:
            reply = await client.submit(
                self.request,
                self.face_image,
                webhook=self.webhook.url or None,
                track_id=self.webhook.track_id,
                observer=self,
            )
        except OutcomeUnknown:
            if not self.webhook_job_id:
                raise
            reply = JobResponse.of_job(self.webhook_job_id)  # the response was lost, but the webhook named the job
        self.face_image = ""  # up to 4 MB, not needed any more
        details = {"reply": reply.raw}
        await self.store.record_best_effort(
            lambda store: store.accepted(self.job, reply.id, reply.eta_seconds, details=details)
        )
        self._set_text(_status_text(reply))
        return reply

    async def _fetch(self, client: HeadShotClient, reply: JobResponse) -> None:
        """Waits for the picture and stores it. An accepted job is paid: only the service's own reply ends it as failed.

        Raises OutcomeUnknown for every other error.
        """
        polls: set[asyncio.Task[None]] = set()

        def before_poll() -> None:
            polls.add(asyncio.create_task(self.store.record_best_effort(lambda store: store.polled(self.job))))

        def on_response(response: JobResponse) -> None:
            self._set_text(_status_text(response))

        try:
            reply = await client.result(
                reply, wake=self.webhook_received, on_response=on_response, before_poll=before_poll
            )
            self._set_text("Downloading")
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
            _log.exception("Could not save a headshot; it is shown to its visitor all the same")
            self.unsaved_result = headshot

    async def _end(self, error: HeadshotError) -> None:
        """Records an end without a picture. An OutcomeUnknown may still be followed by one."""
        self.error = error
        sentence = str(error)
        if isinstance(error, OutcomeUnknown):
            await self.store.record_best_effort(lambda store: store.unknown(self.job, sentence))
        else:
            await self.store.record_best_effort(lambda store: store.failed(self.job, sentence))

    def _set_text(self, text: str) -> None:
        self.text = text
        self.on_change(self)

    def on_queued(self, before: int) -> None:
        """See SubmissionObserver."""
        place = f"{before} before it" if before else "it is next"
        self._set_text(f"Waiting for a free place at ModelsLab: {place}")

    async def before_send(self) -> None:
        """See SubmissionObserver."""
        if self._stopped:
            raise Stopped(MSG_CANCELLED_BEFORE_SEND)
        await self.store.run(lambda store: store.sending(self.job))
        self.was_sent, self._sent_at = True, time.monotonic()
        self._set_text("Sent to ModelsLab")

    async def on_rejected(self, error: Unavailable) -> None:
        """See SubmissionObserver."""
        because: NotAcceptedReason = "rate limited" if isinstance(error, RateLimited) else "not connected"
        await self.store.record_best_effort(lambda store: store.reset_to_pending(self.job, because))
        self.was_sent = False
        self._set_text("ModelsLab is busy: waiting to send it again")


def _status_text(reply: JobResponse) -> str:
    if reply.eta_seconds is None:
        return "At ModelsLab"
    return f"At ModelsLab, about {max(1, round(reply.eta_seconds))} s"
