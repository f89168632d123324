"""Polls a job until it is done: when, how often, and when to give up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headshot.backend_names import MODELSLAB
from headshot.errors import OutcomeUnknown, Unavailable

from .replies import ASK_AGAIN, JobFailed, JobNotFound, JobResponse


@dataclass(frozen=True)
class PollingPolicy:
    """Polling intervals and time-outs in seconds. The defaults suit the service; tests pass shorter ones.

    Attributes:
        first_poll_max: the longest wait before the first poll, whatever eta the service names.
        after_eta: added to the eta, so that a job that is done on time is not polled an instant too early.
        poll: the first interval. The service names none; its own tools use 2 to 10.
        poll_growth: factor from one interval to the next.
        poll_max: the longest interval.
        poll_min: the shortest interval, however often a webhook calls.
        missing_grace: how long a job may be missing after it was sent, or done without a link.
        download: how long a link is retried: it answers 404 for some seconds.
        retry_after_max: the longest pause that the service may ask for; longer ones are the person's to decide.
        busy: how long a full queue is waited for: a slot is free after the next picture.
        backoff: before the first repetition, then doubled, as in the clients of openai and anthropic.
        backoff_max: the longest pause before a repetition.
    """

    first_poll_max: float = 60.0
    after_eta: float = 0.01
    poll: float = 2.0
    poll_growth: float = 1.5
    poll_max: float = 10.0
    poll_min: float = 0.5
    missing_grace: float = 20.0
    download: float = 60.0
    retry_after_max: float = 60.0
    busy: float = 90.0
    backoff: float = 0.5
    backoff_max: float = 8.0


async def poll_until_done(
    reply: JobResponse,
    poll: Callable[[JobResponse], Awaitable[JobResponse]],
    policy: PollingPolicy,
    give_up_after_seconds: float,
    *,
    wake: asyncio.Event | None = None,
    on_response: Callable[[JobResponse], None] | None = None,
    before_poll: Callable[[], None] | None = None,
) -> JobResponse:
    """Poll a job until there is output: first after its eta, then at growing intervals with a random part.

    Args:
        reply: the last response about the job.
        poll: asks the service once. Its Unavailable errors are retried, except JobFailed; all others are passed on.
        policy: intervals and time-outs.
        give_up_after_seconds: from this call.
        wake: set by the webhook to poll immediately; cleared here.
        on_response: called with every response.
        before_poll: called before every poll, also one that gets no response.

    Returns:
        The response with the output.

    Raises:
        OutcomeUnknown: when the time is up, or when the job stays missing or without output for `missing_grace`.
    """
    now = asyncio.get_running_loop().time
    started = polled = now()
    deadline = started + give_up_after_seconds
    pause = policy.poll
    if reply.eta_seconds is not None:
        pause = min(reply.eta_seconds, policy.first_poll_max) + policy.after_eta
    interval = policy.poll
    inconsistent_since: float | None = None  # missing, or done without output
    while True:
        await _sleep(min(pause, max(0.0, deadline - now())), wake)
        await asyncio.sleep(polled + min(policy.poll_min, pause) - now())
        polled = now()
        pause = interval * random.uniform(0.85, 1.15)  # noqa: S311  so that many jobs do not poll in step
        interval = min(interval * policy.poll_growth, policy.poll_max)
        if before_poll is not None:
            before_poll()
        try:
            reply = await poll(reply)
        except JobFailed:
            raise
        except Unavailable as error:
            inconsistent = isinstance(error, JobNotFound)
            last = str(error).removesuffix(ASK_AGAIN).removesuffix(".") + "."
            if error.retry_after is not None:
                pause = min(max(error.retry_after, policy.poll_min), policy.retry_after_max)
        else:
            if on_response is not None:
                on_response(reply)
            if reply.output:
                return reply
            inconsistent = reply.state == "done"
            last = "It says that the job is done, but sends no picture." if inconsistent else "It is still working."
        if not inconsistent:
            inconsistent_since = None
        elif inconsistent_since is None:
            inconsistent_since = polled
        inconsistent_too_long = inconsistent_since is not None and now() - inconsistent_since >= policy.missing_grace
        if inconsistent_too_long or now() >= deadline:
            raise OutcomeUnknown(
                MODELSLAB,
                f"ModelsLab gave no picture for job {reply.id} within {_duration(now() - started)}. {last} "
                "It may have been billed: ask for the job again later.",
            )


async def _sleep(seconds: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
    wake.clear()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{max(1, round(seconds))} s"
