"""A thin client of ModelsLab's head shot endpoints: no paid job is lost, and none is sent twice.

    async with HeadShotClient(key) as client:
        reply = await client.result(await client.submit(HeadshotRequest(), face_image(photo)))
        picture = await client.download(reply.output[0])

A request may be billed as soon as it was sent, and the service knows no idempotency key. So a request is repeated only
where nothing can have been accepted: no connection came about, or the service turned it away for its rate. Everything
else that is no clear answer is `OutcomeUnknown`. Asking for a job and downloading its picture are free, and repeated.
"""

import asyncio
import logging
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal, Protocol, Self
from urllib.parse import quote, urlsplit

import httpx
import stamina
from anyio.from_thread import start_blocking_portal
from PIL import Image

from headshot.backend_names import MODELSLAB
from headshot.errors import NotConfigured, OutcomeUnknown, Refused, RequestError, Unavailable
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest

from . import safe_url
from .account import JobSlots, Key, KeyFilter, SecretBody
from .bodies import enterprise_body, face_image, v6_body
from .output import MAX_OUTPUT_BYTES, is_cut_short, picture_in
from .polling import PollingPolicy, poll_until_done
from .replies import ASK_AGAIN, JobFailed, JobNotFound, JobResponse, RateLimited, outcome_unknown, parse, unknown_result

BASE_URL = "https://modelslab.com"
TIMEOUT_SECONDS = 90.0  # for one exchange: the service may hold a submission until its picture is done
CONNECT_SECONDS = 5.0  # what other clients of such services wait; whoever takes longer is down
GIVE_UP_AFTER_SECONDS = 600.0  # the longest queue of one account, 15, at 30 s a picture, and some more
MAX_REPLY_BYTES = 16 * 2**20  # the photo echoed in `meta` and a picture inline are 4 MB each

_PATHS = {"enterprise": "/api/v1/enterprise/image_editing", "v6": "/api/v6/image_editing"}
_BODIES = {"enterprise": enterprise_body, "v6": v6_body}
_CONNECT_ATTEMPTS = 3
# Twice what the largest account has under way. A thousand jobs that ask at once wait before httpx's pool, not in it:
# it looks through all that wait at every event, and would be busy with nothing else.
_CONNECTIONS = 32
_NO_JOB = "0"  # the number of no job: asking for it tests a key
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

for _name in ("httpx", "httpcore.connection", "httpcore.http11"):  # at DEBUG they log headers, which may echo the key
    logging.getLogger(_name).addFilter(KeyFilter())
logging.getLogger("stamina").addHandler(logging.NullHandler())  # a script without logging is not told of every retry

Api = Literal["enterprise", "v6"]
Resolve = Callable[[str], Awaitable[safe_url.ResolvedUrl]]


class ConnectionFailed(Unavailable):
    """No connection came about, so that nothing was sent."""


class SubmissionObserver(Protocol):
    """Who keeps account of a submission as it happens, so that it is known after a crash what may have been sent."""

    def on_queued(self, before: int) -> None:
        """So many of this account's submissions wait before this one: at first, and whenever that has changed.

        Not called where a place is free at once. What it raises ends the submission, nothing sent.
        """

    async def before_send(self) -> None:
        """Awaited before every POST, once there is a place. What it raises ends the submission, that POST not sent."""

    async def on_rejected(self, error: Unavailable) -> None:
        """Awaited after a POST that cannot have been accepted, also where it is going to be repeated.

        error: Busy or Unreached.
        """


class _NotYet(Unavailable):
    """A download that may work in a moment; the text is a clause."""


@dataclass(frozen=True)
class _Answer:
    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)  # it may echo the key


@dataclass(frozen=True)
class _Fault:
    """Why there is no answer. sent: whether a byte of the request may have left."""

    sent: bool
    reason: str


class HeadShotClient:
    """One account at one of the service's two endpoints; used with `async with`, from one event loop.

    api: "enterprise", or "v6" for an ordinary key.  timeout: seconds for one exchange.
    max_in_flight: jobs of this key that are under way at once, over all clients of this process: 5, 10 or 15,
    by the account's plan.  give_up_after_seconds: for one job, from the call of `result`.
    resolve: judges a link before it is followed; tests put in their own to reach loopback.
    Raises NotConfigured for a key that cannot be one, ValueError for a base_url that is not https.
    """

    def __init__(
        self,
        key: str | Key,
        *,
        base_url: str = BASE_URL,
        api: Api = "enterprise",
        timeout: float = TIMEOUT_SECONDS,
        max_in_flight: int = 5,
        give_up_after_seconds: float = GIVE_UP_AFTER_SECONDS,
        waits: PollingPolicy | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        key = Key.of(key)
        if key.problem:
            raise NotConfigured(MODELSLAB, key.problem)
        parts = urlsplit(base_url)
        if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
            raise ValueError("base_url must start with https://, for the key is sent there")
        if max_in_flight < 1:
            raise ValueError("max_in_flight must be at least 1")
        self._key = key
        self._base = base_url.rstrip("/") + _PATHS[api]
        self._body = _BODIES[api]
        self._timeout, self._limit, self._give_up_after = timeout, max_in_flight, give_up_after_seconds
        self._waits = waits or PollingPolicy()
        self._resolve = resolve or partial(safe_url.resolve, https_only=True)
        self._places = JobSlots.of(key.fingerprint(f"{parts.scheme}://{parts.netloc}"))
        self._mine: set[str] = set()  # jobs whose places this client keeps
        self._connections = asyncio.Semaphore(_CONNECTIONS)
        self._http = httpx.AsyncClient(
            verify=_trusted(),
            trust_env=False,  # no proxy sees the key because of a variable that somebody set
            follow_redirects=False,
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            # Its own decoders have no limit: a bomb would be unpacked whole.
            headers={"User-Agent": "headshot-playground", "Accept-Encoding": "identity"},
        )

    @property
    def endpoint(self) -> str:
        """The address that a headshot is asked of."""
        return f"{self._base}/head_shot"

    def __repr__(self) -> str:
        return f"HeadShotClient({self._base})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        while self._mine:
            self._release(next(iter(self._mine)))
        await self._http.aclose()

    async def submit(
        self,
        request: HeadshotRequest,
        face_image: str,
        *,
        webhook: str | None = None,
        track_id: str | None = None,
        books: SubmissionObserver | None = None,
    ) -> JobResponse:
        """Send one job, once a place is free for it. The place is kept until the job's end is heard of.

        face_image: from `bodies.face_image`.  webhook: an https link that the service calls at the end.
        books: told of each step before it is taken; what they raise ends the call, and the place is given back.
        Raises RequestError, NotConfigured, Refused, Unavailable where nothing was accepted, and Unknown where something
        may have been. A cancelled call may have been sent: treat it as OutcomeUnknown.
        """
        body = SecretBody(self._body(self._key, request, face_image, webhook=webhook, track_id=track_id))
        tell = None if books is None else books.on_queued
        ticket = await self._places.acquire(self._limit, self._give_up_after + self._waits.busy, tell=tell)
        try:
            reply = await self._submitted(body, books)
            if reply.state == "waiting" and reply.id is not None:
                self._keep(reply.id, ticket)
            return reply
        finally:
            self._places.release(ticket)

    async def fetch(self, job: str) -> JobResponse:
        """Ask once for a job by its number.

        Raises what `parse` raises for a question, and Unavailable where the service cannot be reached.
        """
        return await self._asked(JobResponse.of_job(job))

    async def check(self) -> None:
        """Test the key at no cost, by asking for a job that does not exist.

        Raises NotConfigured for a bad one, and Unavailable where the service cannot tell.
        """
        try:
            await self._asked(JobResponse.of_job(_NO_JOB))
        except (JobNotFound, JobFailed, Refused):
            return  # whatever it says of the job, it let the key in
        except OutcomeUnknown as error:
            raise Unavailable(
                MODELSLAB, "ModelsLab's answer about the key is not understood: try again later."
            ) from error

    async def result(
        self,
        reply: JobResponse,
        *,
        told: asyncio.Event | None = None,
        heard: Callable[[JobResponse], None] | None = None,
        asking: Callable[[], None] | None = None,
    ) -> JobResponse:
        """Wait until the job is done: first for its eta, then asking at growing intervals.

        told: set it when a webhook has called, which is a hint to ask at once; it is cleared then.
        heard: gets every answer.  asking: called before every question, also one that is never answered.
        Raises Refused or Failed for a job that ended without a picture, NotConfigured, and Unknown when the time is up:
        the job's number is in the sentence, and `JobResponse.of_job` with this method resumes it.
        """
        if reply.state == "done" and reply.output:
            return reply
        if reply.id is None:
            raise RequestError("This reply names no job that could be waited for.")
        self._keep(reply.id)  # also one that was sent before a restart
        try:
            return await poll_until_done(
                reply, self._asked, self._waits, self._give_up_after, told=told, heard=heard, asking=asking
            )
        finally:
            self._release(reply.id)

    async def download(self, output: str) -> bytes:
        """The picture file behind one entry of `JobResponse.output`: a link, or a picture inline.

        A link is retried until it can be read. At most 10 MB; PNG, JPEG, WebP or AVIF by its first bytes, not decoded.
        Raises Unknown where there is no such picture: the job itself is done and paid.
        """
        try:
            if "://" not in output[:12]:
                return _whole(picture_in(output.encode("ascii", errors="replace")))
            async for attempt in self._again(_NotYet, timeout=self._waits.download):
                with attempt:
                    return await self._downloaded(output)
        except _NotYet as error:
            raise unknown_result(str(error)) from error
        raise AssertionError("stamina returns or raises")

    # Submitting.

    async def _submitted(self, body: SecretBody, books: SubmissionObserver | None) -> JobResponse:
        """Waits for a full queue, and tries thrice for a connection."""
        async for busy in self._again(RateLimited, timeout=self._waits.busy):
            with busy:
                async for unreached in self._again(ConnectionFailed, attempts=_CONNECT_ATTEMPTS):
                    with unreached:
                        return await self._posted(body) if books is None else await self._booked(body, books)
        raise AssertionError("stamina returns or raises")

    async def _booked(self, body: SecretBody, books: SubmissionObserver) -> JobResponse:
        await books.before_send()
        try:
            return await self._posted(body)
        except (RateLimited, ConnectionFailed) as error:
            await books.on_rejected(error)
            raise

    async def _posted(self, body: SecretBody) -> JobResponse:
        answer = await self._exchange("POST", f"{self._base}/head_shot", body)
        if isinstance(answer, _Answer):
            return parse(answer.status_code, answer.headers, answer.body, key=self._key)
        if answer.sent:
            raise outcome_unknown(f"ModelsLab was sent the request, but {answer.reason}")
        raise ConnectionFailed(MODELSLAB, f"ModelsLab cannot be reached: {answer.reason}. Try again in a moment.")

    def _again(
        self, kind: type[Unavailable], *, attempts: int | None = None, timeout: float | None = None
    ) -> AsyncIterator[stamina.Attempt]:
        """Attempts as long as errors of that kind come, after as many seconds as they name."""

        def pause(error: Exception) -> bool | float:
            if not isinstance(error, kind):
                return False
            if error.retry_after is None:
                return True
            return min(max(error.retry_after, self._waits.backoff), self._waits.retry_after_max)

        return stamina.retry_context(
            on=pause,
            attempts=attempts,
            timeout=timeout,
            wait_initial=self._waits.backoff,
            wait_max=self._waits.backoff_max,
            wait_jitter=self._waits.backoff / 4,
        ).__aiter__()

    # Asking.

    async def _asked(self, sent: JobResponse) -> JobResponse:
        answer = await self._exchange(
            "POST", f"{self._base}/fetch/{quote(sent.id or '', safe='')}", SecretBody({"key": self._key.reveal()})
        )
        if isinstance(answer, _Fault):
            raise Unavailable(
                MODELSLAB, f"ModelsLab cannot be asked about job {sent.id}, for {answer.reason}{ASK_AGAIN}"
            )
        try:
            reply = parse(answer.status_code, answer.headers, answer.body, sent=sent, key=self._key)
        except (Refused, JobFailed):
            self._release(sent.id)
            raise
        if reply.state == "done":
            self._release(sent.id)
        return reply

    def _keep(self, job: str, ticket: str = "") -> None:
        self._places.bind(job, self._give_up_after, ticket)
        self._mine.add(job)

    def _release(self, job: str | None) -> None:
        self._places.release(job or "")
        self._mine.discard(job or "")

    # Downloading.

    async def _downloaded(self, url: str) -> bytes:
        try:
            target = await self._resolve(url)
        except RequestError as error:
            raise unknown_result(f"its link is not followed: {error}") from error
        except Unavailable as error:
            raise _NotYet(MODELSLAB, f"its link cannot be opened: {error}") from error
        address = httpx.URL(target.url)
        answer = await self._exchange(
            "GET",
            address.copy_with(host=target.address),  # the one that was judged, whatever the name says by now
            max_bytes=MAX_OUTPUT_BYTES,
            # One connection each: the next host at this address must show its own certificate.
            headers={"Host": address.netloc.decode(), "Connection": "close"},
            extensions={"sni_hostname": target.host},
        )
        if isinstance(answer, _Fault):
            if answer.reason == _TOO_LARGE:
                raise unknown_result(_TOO_LARGE)
            raise _NotYet(MODELSLAB, answer.reason)
        if 300 <= answer.status_code < 400:
            raise unknown_result(f"its link leads on to another address (HTTP {answer.status_code})")
        if answer.status_code != 200:
            raise _NotYet(MODELSLAB, f"its link answers HTTP {answer.status_code}")
        if not answer.body:
            raise _NotYet(MODELSLAB, "its file is empty")
        return _whole(picture_in(answer.body))

    # One exchange.

    async def _exchange(
        self,
        method: Literal["GET", "POST"],
        url: str | httpx.URL,
        body: SecretBody | None = None,
        *,
        max_bytes: int = MAX_REPLY_BYTES,
        headers: Mapping[str, str] | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> _Answer | _Fault:
        """Send and read, under limits of time and size. A fault is returned, not raised.

        httpx's exceptions hold the request with its body, and their tracebacks the bytes on their way: none leaves
        here, not as a cause and not as a context.
        """
        sent = False

        async def trace(event: str, _: object) -> None:
            nonlocal sent
            sent = sent or event.startswith("http11.send_request")

        try:
            async with (
                self._connections,
                asyncio.timeout(self._timeout),
                self._http.stream(
                    method,
                    url,
                    content=None if body is None else body.json(),
                    headers={**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})},
                    extensions={**(extensions or {}), "trace": trace},
                ) as response,
            ):
                content = await _read(response, max_bytes)
                if content is None:
                    return _Fault(sent, _TOO_LARGE)
                retry_after = {"retry-after": response.headers.get("retry-after", "")}
                return _Answer(response.status_code, retry_after, content)
        except Exception as error:  # noqa: BLE001  whatever broke, its frames hold the body: only words go on
            return _Fault(sent, _reason(error, sent))
        except BaseException as stopped:  # noqa: BLE001  cancelled: passes, without the frames that held the body
            stopped.__context__ = None
            raise stopped.with_traceback(None)  # noqa: B904


_TOO_LARGE = "the answer is larger than anything it should send"


async def _read(response: httpx.Response, max_bytes: int) -> bytes | None:
    """The content, unpacked if need be; None for more than `max_bytes`. Raises ValueError where it cannot be read."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise ValueError("an encoding that was not asked for")
    if encoding in ("", "identity") and int(response.headers.get("content-length", 0)) > max_bytes:
        return None
    unpacker = None if encoding in ("", "identity") else zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk if unpacker is None else unpacker.decompress(chunk, max_bytes + 1 - len(content))
        if len(content) > max_bytes:
            return None
    if unpacker is not None and not unpacker.eof:
        raise ValueError("packed content that ends too early")
    return bytes(content)


def _reason(error: Exception, sent: bool) -> str:
    """What broke, as a clause."""
    chain: list[BaseException] = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None and deeper not in chain:
        chain.append(deeper)
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return "its certificate is not trusted"
    if any(isinstance(link, ssl.SSLError) for link in chain):
        return "no secure connection came about"
    if any(isinstance(link, OSError) and type(link).__name__ == "gaierror" for link in chain):
        return "its address was not found"
    match error:
        case httpx.PoolTimeout():
            return "too many connections are open here"
        case httpx.TimeoutException() | TimeoutError():
            return "it did not answer in time" if sent else "it does not answer"
        case httpx.ConnectError():
            return "it refuses the connection"
        case httpx.TransportError():
            return "the connection broke"
        case ValueError() | zlib.error():
            return "its answer cannot be unpacked"
    return f"the connection failed ({type(error).__name__})"


def _whole(picture: bytes | None) -> bytes:
    if picture is None:
        raise unknown_result("what it sent is not a picture")
    if is_cut_short(picture):
        raise _NotYet(MODELSLAB, "its file is cut short")
    return picture


@cache
def _trusted() -> ssl.SSLContext:
    """Loading the authorities takes some 20 ms: once a process."""
    return httpx.create_ssl_context(trust_env=False)


def head_shot(
    key: str | Key,
    photo: "str | os.PathLike[str] | bytes | Image.Image | Photo",
    request: HeadshotRequest | None = None,
    **options: Any,
) -> bytes:
    """One headshot, for scripts: send, wait, download. Returns the picture file's bytes.

    photo: a path, bytes, a picture, a Photo, or a link that the service opens itself.
    options: those of HeadShotClient.  Also works where an event loop runs already (a notebook).
    Raises PhotoError, RequestError or a BackendError; every message is a sentence for a person.
    """
    key = Key.of(key)
    sent = face_image(photo if isinstance(photo, str) and photo.startswith("https://") else Photo.of(photo))

    async def run() -> bytes:
        async with HeadShotClient(key, **options) as client:
            reply = await client.result(await client.submit(request or HeadshotRequest(), sent))
            return await client.download(reply.output[0])

    with start_blocking_portal() as portal:
        return portal.call(run)
