"""What a stranger may say by calling a webhook: which job to ask the service for, and nothing that is believed."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import NamedTuple

from headshot.errors import RequestError
from headshot.streams import read_limited

from .jobs import JobService
from .replies import JobResponse

MAX_BYTES = 64 * 2**10  # a result's few links are under 2 KB; one that echoes the photo too is heard of by asking
_SECONDS = 10.0  # for the body: the service sends it in one piece, and wants its answer within 30


class Call(NamedTuple):
    remote_id: str
    track_id: str | None


async def receive(job_service: JobService, token: str, body: AsyncIterator[bytes]) -> bool:
    """Pass a call on to the desk. False: it fits no job, or cannot be read, which is the same to who calls.

    Raises StoreError where nobody can say now whether it fits.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            call = read(await read_limited(MAX_BYTES, body))
    except TimeoutError:
        return False
    return call is not None and await job_service.called(token, call.track_id, call.remote_id)


def read(body: bytes) -> Call | None:
    """The job that a call is about, whatever is said of it: done, failed or under way, the service is asked anyway."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    remote_id = _number(said.get("id")) or _number(said.get("request_id"))
    return None if remote_id is None else Call(remote_id, _text(said.get("track_id")))


def _number(value: object) -> str | None:
    """A job's number at the service, which is no number in some of its replies."""
    try:
        return JobResponse.of_job((_text(value) or "").strip()).id
    except RequestError:
        return None


def _text(value: object) -> str | None:
    """The service takes a text and may give back a whole number, or the other way round."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
