"""A thin client of ModelsLab's head shot endpoints: no paid job is lost, and none is sent twice.

    async with HeadShotClient(key) as client:
        reply = await client.result(await client.submit(HeadshotRequest(), face_image(photo)))
        picture = await client.download(reply.output[0])

A request may be billed as soon as it was sent, and the service knows no idempotency key. So a request is repeated only
if it cannot have been accepted: no connection was made, or the service turned it away for its rate. Every other reply
that is not clear is `OutcomeUnknown`. Polling a job and downloading its picture are free, and are repeated.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Literal, Protocol, Self
from urllib.parse import quote, urlsplit

import stamina
from anyio.from_thread import start_blocking_portal
from PIL import Image

from headshot.backend_names import MODELSLAB
from headshot.errors import NotConfigured, OutcomeUnknown, Refused, RequestError, Unavailable
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest

from .bodies import BODIES
from .face_image import face_image
from .job_slots import JobSlots
from .key import Key, SecretBody
from .output import MAX_OUTPUT_BYTES, is_cut_short, picture_in
from .polling import PollingPolicy, poll_until_done
from .replies import ASK_AGAIN, JobFailed, JobNotFound, JobResponse, RateLimited, outcome_unknown, parse, unknown_result
from .safe_url import ResolvedUrl
from .safe_url import resolve as resolve_url
from .transport import TOO_LARGE, HttpFault, Transport

BASE_URL = "https://modelslab.com"
TIMEOUT_SECONDS = 90.0  # for one exchange: the service may hold a submission until its picture is done
GIVE_UP_AFTER_SECONDS = 600.0  # the longest queue of one account, 15, at 30 s a picture, and some more

_PATHS = {"enterprise": "/api/v1/enterprise/image_editing", "v6": "/api/v6/image_editing"}
_CONNECT_ATTEMPTS = 3  # a connection that fails three times in a row will not be made within seconds
_NO_JOB = "0"  # an id that no job has: asking for it tests a key
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

logging.getLogger("stamina").addHandler(logging.NullHandler())  # a script without logging does not print every retry

Api = Literal["enterprise", "v6"]
Resolve = Callable[[str], Awaitable[ResolvedUrl]]


class ConnectionFailed(Unavailable):
    """No connection was made, so nothing was sent."""


class SubmissionObserver(Protocol):
    """Callbacks around each POST.

    The implementation persists them, so after a crash it is known which requests may have reached the service.
    """

    def on_queued(self, before: int) -> None:
        """Called while the submission waits for a slot: at first, and at every change of `before`.

        Not called if a slot is free at once. An exception from it ends the submission; nothing is sent.

        Args:
            before: how many submissions of this account are served before this one.
        """

    async def before_send(self) -> None:
        """Awaited before every POST, when there is a slot. An exception from it ends the submission before the POST."""

    async def on_rejected(self, error: Unavailable) -> None:
        """Awaited after a POST that cannot have been accepted, also if it is going to be repeated.

        Args:
            error: a RateLimited or ConnectionFailed.
        """


class _NotYet(Unavailable):
    """A download that may work in a moment; the text is a clause."""


class HeadShotClient:
    """One account at one of the service's two endpoints; used with `async with`, from one event loop."""

    def __init__(
        self,
        key: str | Key,
        *,
        base_url: str = BASE_URL,
        api: Api = "enterprise",
        timeout: float = TIMEOUT_SECONDS,
        max_in_flight: int = 5,
        give_up_after_seconds: float = GIVE_UP_AFTER_SECONDS,
        polling: PollingPolicy | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """Open no connection yet.

        Args:
            key: the API key.
            base_url: scheme and host; https, or http to this machine.
            api: "enterprise", or "v6" for an ordinary key.
            timeout: seconds for one exchange.
            max_in_flight: jobs of this key that run at once, over all clients of this process: 5, 10 or 15, depending
                on the account's plan.
            give_up_after_seconds: for one job, from the call of `result`.
            polling: intervals and time-outs.
            resolve: checks a link before it is opened; tests pass their own to reach loopback.

        Raises:
            NotConfigured: if the key cannot be one.
            ValueError: if base_url is not https, or max_in_flight is less than 1.
        """
        key = Key.of(key)
        if key.problem:
            raise NotConfigured(MODELSLAB, key.problem)
        parts = urlsplit(base_url)
        if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
            raise ValueError("base_url must start with https://, because the key is sent there")
        if max_in_flight < 1:
            raise ValueError("max_in_flight must be at least 1")
        self._key = key
        self._base = base_url.rstrip("/") + _PATHS[api]
        self._build_body = BODIES[api]
        self._limit, self._give_up_after = max_in_flight, give_up_after_seconds
        self._polling = polling or PollingPolicy()
        self._resolve = resolve or partial(resolve_url, https_only=True)
        self._slots = JobSlots.of(key.fingerprint(f"{parts.scheme}://{parts.netloc}"))
        self._own_jobs: set[str] = set()  # ids whose slots this client holds
        self._transport = Transport(timeout)

    @property
    def endpoint(self) -> str:
        """The URL that jobs are submitted to."""
        return f"{self._base}/head_shot"

    def __repr__(self) -> str:
        return f"HeadShotClient({self._base})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Free the slots of this client's jobs and close its connections. The jobs themselves go on."""
        while self._own_jobs:
            self._release_slot(next(iter(self._own_jobs)))
        await self._transport.aclose()

    async def submit(
        self,
        request: HeadshotRequest,
        face_image: str,
        *,
        webhook: str | None = None,
        track_id: str | None = None,
        observer: SubmissionObserver | None = None,
    ) -> JobResponse:
        """Send one job as soon as there is a slot for it. The slot is held until the job's end is known.

        A cancelled call may have been sent: treat it as OutcomeUnknown.

        Args:
            request: the settings of the headshot.
            face_image: from `face_image.face_image`.
            webhook: an https link that the service calls when the job ends.
            track_id: sent back with that call.
            observer: called before and after each POST. An exception from it ends the call and frees the slot.

        Raises:
            RequestError: if the webhook is not https. Nothing was accepted, as with the next three.
            NotConfigured: if the service does not accept the key.
            Refused: if the service declines the request.
            Unavailable: if the service cannot be reached, or its queue stays full.
            OutcomeUnknown: if the request may have been accepted.
        """
        body = SecretBody(self._build_body(self._key, request, face_image, webhook=webhook, track_id=track_id))
        on_queued = None if observer is None else observer.on_queued
        seconds = self._give_up_after + self._polling.busy
        ticket = await self._slots.acquire(self._limit, seconds, on_queued=on_queued)
        try:
            reply = await self._submit_with_retries(body, observer)
            if reply.state == "waiting" and reply.id is not None:
                self._hold_slot(reply.id, ticket)
            return reply
        finally:
            self._slots.release(ticket)

    async def fetch(self, job: str) -> JobResponse:
        """Ask once for a job by its id.

        Raises:
            BackendError: as `parse` raises it for a poll; Unavailable also if the service cannot be reached.
        """
        return await self._poll(JobResponse.of_job(job))

    async def check(self) -> None:
        """Test the key at no cost, by asking for a job that does not exist.

        Raises:
            NotConfigured: if the service does not accept the key.
            Unavailable: if the service cannot be reached or understood.
        """
        try:
            await self._poll(JobResponse.of_job(_NO_JOB))
        except (JobNotFound, JobFailed, Refused):
            return  # whatever the reply says about the job, the key was accepted
        except OutcomeUnknown as error:
            raise Unavailable(
                MODELSLAB, "ModelsLab's answer about the key is not understood: try again later."
            ) from error

    async def result(
        self,
        reply: JobResponse,
        *,
        wake: asyncio.Event | None = None,
        on_response: Callable[[JobResponse], None] | None = None,
        before_poll: Callable[[], None] | None = None,
    ) -> JobResponse:
        """Wait until the job is done: first for its eta, then polling at growing intervals.

        Args:
            reply: from `submit`, or from `JobResponse.of_job` to resume a job by its id.
            wake: set by the webhook to poll immediately; cleared here.
            on_response: called with every response.
            before_poll: called before every poll, also one that gets no response.

        Raises:
            RequestError: if `reply` has neither output nor a job id.
            Refused: if the job ended without a picture and will again.
            JobFailed: if the job ended without a picture.
            NotConfigured: if the service does not accept the key.
            OutcomeUnknown: when the time is up. The sentence names the job's id.
        """
        if reply.state == "done" and reply.output:
            return reply
        if reply.id is None:
            raise RequestError("This reply has no job id, so there is nothing to wait for.")
        self._hold_slot(reply.id)  # also for a job that was sent before a restart
        try:
            return await poll_until_done(
                reply,
                self._poll,
                self._polling,
                self._give_up_after,
                wake=wake,
                on_response=on_response,
                before_poll=before_poll,
            )
        finally:
            self._release_slot(reply.id)

    async def download(self, output: str) -> bytes:
        """Return the picture file of one entry of `JobResponse.output`; a link is retried until it can be read.

        Args:
            output: a link, or a picture as base64 or data URI.

        Returns:
            At most 10 MB; PNG, JPEG, WebP or AVIF, judged by its first bytes, not decoded.

        Raises:
            OutcomeUnknown: if there is no such picture: the job itself is done and paid.
        """
        try:
            if "://" not in output[:12]:
                return _complete(picture_in(output.encode("ascii", errors="replace")))
            async for attempt in self._retries(_NotYet, timeout=self._polling.download):
                with attempt:
                    return await self._download_once(output)
        except _NotYet as error:
            raise unknown_result(str(error)) from error
        raise AssertionError("stamina returns or raises")

    async def _submit_with_retries(self, body: SecretBody, observer: SubmissionObserver | None) -> JobResponse:
        """Repeats the POST while the queue is full, and if no connection is made."""
        async for while_busy in self._retries(RateLimited, timeout=self._polling.busy):
            with while_busy:
                async for while_unconnected in self._retries(ConnectionFailed, attempts=_CONNECT_ATTEMPTS):
                    with while_unconnected:
                        return await self._submit_once(body, observer)
        raise AssertionError("stamina returns or raises")

    async def _submit_once(self, body: SecretBody, observer: SubmissionObserver | None) -> JobResponse:
        if observer is None:
            return await self._post(body)
        await observer.before_send()
        try:
            return await self._post(body)
        except (RateLimited, ConnectionFailed) as error:
            await observer.on_rejected(error)
            raise

    async def _post(self, body: SecretBody) -> JobResponse:
        response = await self._transport.post(self.endpoint, body)
        if not isinstance(response, HttpFault):
            return parse(response.status_code, response.headers, response.body, key=self._key)
        if response.sent:
            raise outcome_unknown(f"ModelsLab was sent the request, but {response.reason}")
        raise ConnectionFailed(MODELSLAB, f"ModelsLab cannot be reached: {response.reason}. Try again in a moment.")

    def _retries(
        self, kind: type[Unavailable], *, attempts: int | None = None, timeout: float | None = None
    ) -> AsyncIterator[stamina.Attempt]:
        """Attempts while errors of that kind are raised, with the pause that the error names."""

        def pause(error: Exception) -> bool | float:
            if not isinstance(error, kind):
                return False
            if error.retry_after is None:
                return True
            return min(max(error.retry_after, self._polling.backoff), self._polling.retry_after_max)

        return stamina.retry_context(
            on=pause,
            attempts=attempts,
            timeout=timeout,
            wait_initial=self._polling.backoff,
            wait_max=self._polling.backoff_max,
            wait_jitter=self._polling.backoff / 4,
        ).__aiter__()

    async def _poll(self, job: JobResponse) -> JobResponse:
        body = SecretBody({"key": self._key.secret})
        response = await self._transport.post(f"{self._base}/fetch/{quote(job.id or '', safe='')}", body)
        if isinstance(response, HttpFault):
            raise Unavailable(
                MODELSLAB, f"ModelsLab cannot be asked about job {job.id} because {response.reason}{ASK_AGAIN}"
            )
        try:
            reply = parse(response.status_code, response.headers, response.body, sent=job, key=self._key)
        except (Refused, JobFailed):
            self._release_slot(job.id)
            raise
        if reply.state == "done":
            self._release_slot(job.id)
        return reply

    def _hold_slot(self, job: str, ticket: str = "") -> None:
        self._slots.bind(job, self._give_up_after, ticket)
        self._own_jobs.add(job)

    def _release_slot(self, job: str | None) -> None:
        self._slots.release(job or "")
        self._own_jobs.discard(job or "")

    async def _download_once(self, url: str) -> bytes:
        try:
            target = await self._resolve(url)
        except RequestError as error:
            raise unknown_result(f"its link is not followed: {error}") from error
        except Unavailable as error:
            raise _NotYet(MODELSLAB, f"its link cannot be opened: {error}") from error
        response = await self._transport.get(target, MAX_OUTPUT_BYTES)
        if isinstance(response, HttpFault):
            if response.reason == TOO_LARGE:
                raise unknown_result(TOO_LARGE)
            raise _NotYet(MODELSLAB, response.reason)
        if 300 <= response.status_code < 400:
            raise unknown_result(f"its link redirects to another address (HTTP {response.status_code})")
        if response.status_code != 200:
            raise _NotYet(MODELSLAB, f"its link answers HTTP {response.status_code}")
        if not response.body:
            raise _NotYet(MODELSLAB, "its file is empty")
        return _complete(picture_in(response.body))


def _complete(picture: bytes | None) -> bytes:
    if picture is None:
        raise unknown_result("what it sent is not a picture")
    if is_cut_short(picture):
        raise _NotYet(MODELSLAB, "its file is cut short")
    return picture


def head_shot(
    key: str | Key,
    photo: "str | os.PathLike[str] | bytes | Image.Image | Photo",
    request: HeadshotRequest | None = None,
    **options: Any,
) -> bytes:
    """Make one headshot, for scripts: send, wait, download. Also works where an event loop already runs (a notebook).

    Args:
        key: the API key.
        photo: a path, bytes, a picture, a Photo, or an https link that the service opens itself.
        request: the settings; by default those of HeadshotRequest.
        **options: as HeadShotClient takes them.

    Returns:
        The bytes of the picture file.

    Raises:
        PhotoError: if the photo cannot be read.
        RequestError: if a setting is out of range.
        BackendError: if no picture was made. Like all of these, its message is a sentence for a person.
    """
    key = Key.of(key)
    sent = face_image(photo if isinstance(photo, str) and photo.startswith("https://") else Photo.of(photo))

    async def run() -> bytes:
        async with HeadShotClient(key, **options) as client:
            reply = await client.result(await client.submit(request or HeadshotRequest(), sent))
            return await client.download(reply.output[0])

    with start_blocking_portal() as portal:
        return portal.call(run)
