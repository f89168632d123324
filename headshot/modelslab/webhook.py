"""Reads webhook calls. Anybody may send one: it only names a job to poll, and nothing else in it is believed."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import NamedTuple

from headshot.errors import RequestError
from headshot.streams import read_limited

from .jobs import JobService
from .replies import JobResponse

MAX_BYTES = 64 * 2**10  # a result's few links are under 2 KB; the result of a larger call is found by polling
_BODY_SECONDS = 10.0  # the service sends the body in one piece, and wants a response within 30 s


class WebhookCall(NamedTuple):
    """The job that a call names.

    Attributes:
        remote_id: the service's id of the job.
        track_id: what the service was sent as such.
    """

    remote_id: str
    track_id: str | None


async def receive(job_service: JobService, token: str, body: AsyncIterator[bytes]) -> bool:
    """Read a call and poll the job that it names.

    Args:
        job_service: of this server.
        token: the last part of the path that was called.
        body: the request's body.

    Returns:
        False if the call fits no job, or cannot be read: the caller must not see the difference.

    Raises:
        StoreError: if the job could not be looked up.
    """
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            call = read(await read_limited(MAX_BYTES, body))
    except TimeoutError:
        return False
    return call is not None and await job_service.on_webhook(token, call.track_id, call.remote_id)


def read(body: bytes) -> WebhookCall | None:
    """Return the job that a call names, whatever it reports about it: the service is polled anyway.

    Args:
        body: at most MAX_BYTES.
    """
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict):
        return None
    remote_id = _id(call.get("id")) or _id(call.get("request_id"))
    return None if remote_id is None else WebhookCall(remote_id, _text(call.get("track_id")))


def _id(value: object) -> str | None:
    """The service's id of a job: a number, or text in some of its responses."""
    try:
        return JobResponse.of_job((_text(value) or "").strip()).id
    except RequestError:
        return None


def _text(value: object) -> str | None:
    """The service may return a number as text, or a text of digits as a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
