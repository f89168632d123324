"""Waiting for a job that is under way elsewhere: when to ask, how often, and when to give up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headshot.backend_names import MODELSLAB
from headshot.errors import OutcomeUnknown, Unavailable

from .replies import ASK_AGAIN, JobFailed, JobNotFound, JobResponse


@dataclass(frozen=True)
class PollingPolicy:
    """How long is waited for what, in seconds. The defaults suit the service; tests are quicker."""

    first_poll_max: float = 60.0  # of the eta that the service names
    after_eta: float = 0.01  # so that a job that keeps its word is not asked for an instant too early
    poll: float = 2.0  # the service names none; its own tools use 2 to 10
    poll_growth: float = 1.5
    poll_max: float = 10.0
    poll_min: float = 0.5  # however often a webhook calls
    missing_grace: float = (
        20.0  # a job may be unknown for a moment after it was sent, and done before its link is named
    )
    download: float = 60.0  # a link answers 404 for some seconds
    retry_after_max: float = 60.0  # longer waits are the person's to decide
    busy: float = 90.0  # how long a full queue is waited for: a place is free after the next picture
    backoff: float = 0.5  # before the first repetition, then doubled, as openai's and anthropic's clients do
    backoff_max: float = 8.0


async def poll_until_done(
    reply: JobResponse,
    ask: Callable[[JobResponse], Awaitable[JobResponse]],
    waits: PollingPolicy,
    give_up_after_seconds: float,
    *,
    told: asyncio.Event | None = None,
    heard: Callable[[JobResponse], None] | None = None,
    asking: Callable[[], None] | None = None,
) -> JobResponse:
    """Ask for a job until there is output: after its eta first, then at growing intervals, which chance varies.

    told: set from outside it is a hint to ask at once; it is cleared then.  heard: gets every answer.
    asking: called before every question, also one that is never answered.
    What `ask` raises passes, but for Unavailable, which is asked again; Failed passes too.
    Raises Unknown when the time is up, or when the job stays missing or without output for the grace time.
    """
    now = asyncio.get_running_loop().time
    started = asked = now()
    deadline = started + give_up_after_seconds
    pause = waits.poll if reply.eta_seconds is None else min(reply.eta_seconds, waits.first_poll_max) + waits.after_eta
    interval = waits.poll
    doubted: float | None = None  # since when it is missing, or done without output
    while True:
        await _sleep(min(pause, max(0.0, deadline - now())), told)
        await asyncio.sleep(asked + min(waits.poll_min, pause) - now())
        asked = now()
        pause = interval * random.uniform(0.85, 1.15)  # noqa: S311  so that many jobs do not ask in step
        interval = min(interval * waits.poll_growth, waits.poll_max)
        if asking is not None:
            asking()
        try:
            reply = await ask(reply)
        except JobFailed:
            raise
        except Unavailable as error:
            last, strange = str(error).removesuffix(ASK_AGAIN).removesuffix(".") + ".", isinstance(error, JobNotFound)
            if error.retry_after is not None:
                pause = min(max(error.retry_after, waits.poll_min), waits.retry_after_max)
        else:
            if heard is not None:
                heard(reply)
            if reply.output:
                return reply
            strange = reply.state == "done"
            last = "It says that the job is done, but sends no picture." if strange else "It is still working."
        if not strange:
            doubted = None
        elif doubted is None:
            doubted = asked
        if now() >= deadline or (doubted is not None and now() - doubted >= waits.missing_grace):
            raise OutcomeUnknown(
                MODELSLAB,
                f"ModelsLab gave no picture for job {reply.id} within {_spoken(now() - started)}. {last} "
                "It may have been billed: ask for the job again later.",
            )


async def _sleep(seconds: float, told: asyncio.Event | None) -> None:
    if told is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await told.wait()
    except TimeoutError:
        return
    told.clear()


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{max(1, round(seconds))} s"
