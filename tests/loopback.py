"""A client of ModelsLab that talks to a service on loopback, polls fast, and has a key whose every trace is found."""

import asyncio
import base64
import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from service import Service

from headshot.modelslab.client import HeadShotClient
from headshot.modelslab.polling import PollingPolicy
from headshot.modelslab.safe_url import ResolvedUrl
from headshot.request import HeadshotRequest

CANARY = "cAnArY0k3y0fN0b0dy59characters"
LINK = "https://example.com/me.jpg"
REQUEST = HeadshotRequest(prompt="navy backdrop", num_inference_steps=31, seed=7)
# Short pauses and long time-outs, so that a machine that is busy with other tests only makes these slower.
QUICK = PollingPolicy(
    after_eta=0.01, poll=0.02, poll_max=0.06, poll_min=0.01, backoff=0.02, backoff_max=0.06, retry_after_max=0.1
)


async def loopback(url: str) -> ResolvedUrl:
    """Resolves every host to this machine."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    return ResolvedUrl(url, parts.scheme, parts.hostname, parts.port or 80, "127.0.0.1")


def client(service: Service | str, **options: Any) -> HeadShotClient:
    """A client of a service, or of the service at an address."""
    base_url = service if isinstance(service, str) else service.base_url
    given = {"timeout": 20, "give_up_after_seconds": 60, "polling": QUICK, "resolve": loopback, **options}
    return HeadShotClient(CANARY, base_url=base_url, **given)


async def whole(found: HeadShotClient, request: HeadshotRequest = REQUEST) -> bytes:
    reply = await found.result(await found.submit(request, LINK))
    return await found.download(reply.output[0])


def run(service: Service, **options: Any) -> bytes:
    async def job() -> bytes:
        async with client(service, **options) as found:
            return await whole(found)

    return asyncio.run(job())


def traces(text: str) -> list[str]:
    """The forms of the key that occur in a text."""
    forms = [
        CANARY,
        CANARY[:12],
        quote(CANARY),
        *(base64.b64encode(bytes(shift) + CANARY.encode()).decode()[4:-4] for shift in range(3)),
    ]
    return [form for form in forms if form in text]


def everything_loggable(error: BaseException) -> str:
    """Everything that a careless handler could log about an error: its whole chain, with all locals of all frames."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    lines: list[str] = []
    while left:
        one = left.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        left += [one.__cause__, one.__context__]
        lines += [str(one), repr(one), repr(one.args), repr(vars(one)), *getattr(one, "__notes__", ())]
        # `compact=False` follows the contexts that `from None` hides, too.
        lines += traceback.TracebackException.from_exception(one, capture_locals=True, compact=False).format()
        for frame, _ in traceback.walk_tb(one.__traceback__):
            lines += [repr(value) for value in frame.f_locals.values()]
    return "\n".join(lines)


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """All log lines of all loggers at any level."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
