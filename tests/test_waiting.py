"""When a job is asked for, and who may hurry that."""

import asyncio
import time
from itertools import pairwise

import pytest
from loopback import LINK, REQUEST, client, run
from service import Service

from headshot.replies import Reply
from headshot.waiting import Waits, wait_for


def test_nobody_asks_before_the_eta() -> None:
    with Service(job_seconds=0.3) as service:
        started = time.monotonic()
        run(service)
        assert time.monotonic() - started > 0.3
    assert service.polls == 1


def test_the_waits_grow_from_the_eta_to_the_longest_and_vary() -> None:
    async def asking() -> list[float]:
        times: list[float] = []
        waits = Waits(after_eta=0, poll=0.02, poll_growth=2, poll_max=0.08, poll_min=0, grace=1)

        async def ask(reply: Reply) -> Reply:
            times.append(time.monotonic())
            return Reply("done", "1", ("https://a/b",)) if len(times) == 7 else reply

        started = time.monotonic()
        await wait_for(Reply("waiting", "1", eta_seconds=0.1), ask, waits, 5)
        times.insert(0, started)
        return [later - sooner for sooner, later in pairwise(times)]

    gaps = asyncio.run(asking())
    for gap, wanted in zip(gaps, [0.1, 0.02, 0.04, 0.08, 0.08, 0.08, 0.08], strict=True):
        assert wanted * 0.84 <= gap <= wanted * 1.16 + 0.05
    assert len({round(gap, 5) for gap in gaps[3:]}) == 4


@pytest.mark.parametrize(("eta", "waited"), [(3600.0, 0.2), (0.05, 0.05), (None, 0.1)])
def test_the_first_wait_is_the_eta_up_to_a_bound(eta: float | None, waited: float) -> None:
    async def asking() -> float:
        started = time.monotonic()

        async def ask(_: Reply) -> Reply:
            return Reply("done", "1", ("https://a/b",))

        waits = Waits(first_poll_max=0.2, after_eta=0, poll=0.1, poll_min=0)
        await wait_for(Reply("waiting", "1", eta_seconds=eta), ask, waits, 5)
        return time.monotonic() - started

    assert waited <= asyncio.run(asking()) < waited + 0.1


def test_a_webhook_s_hint_is_followed_at_once_but_confirmed() -> None:
    slow = Waits(poll=30, poll_min=0.01)
    with Service(job_seconds=0.2, eta=50) as service:
        started = time.monotonic()

        async def slowly() -> None:
            async with client(service, waits=slow, give_up_after_seconds=20) as found:
                hint = asyncio.Event()
                for seconds in (0.1, 0.3):  # the first is too early, as a forged call would be
                    asyncio.get_running_loop().call_later(seconds, hint.set)
                reply = await found.result(await found.submit(REQUEST, LINK), told=hint)
                assert reply.output and not hint.is_set()

        asyncio.run(slowly())
        assert 0.3 <= time.monotonic() - started < 1
    assert service.polls == 2


def test_a_flood_of_hints_is_not_a_flood_of_questions() -> None:
    async def job() -> None:
        async with client(service, waits=Waits(poll=5, poll_min=0.1), give_up_after_seconds=20) as found:
            hint = asyncio.Event()
            flood = asyncio.create_task(_flood(hint))
            await found.result(await found.submit(REQUEST, LINK), told=hint)
            flood.cancel()

    with Service(job_seconds=0.35, eta=50) as service:
        asyncio.run(job())
    assert 3 <= service.polls <= 6


async def _flood(hint: asyncio.Event) -> None:
    while True:
        hint.set()
        await asyncio.sleep(0.001)


def test_every_answer_is_heard() -> None:
    heard: list[Reply] = []

    async def job() -> None:
        async with client(service) as found:
            await found.result(await found.submit(REQUEST, LINK), heard=heard.append)

    with Service(job_seconds=0.15, eta=0) as service:
        asyncio.run(job())
    assert [reply.state for reply in heard] == ["waiting"] * (service.polls - 1) + ["done"]
    assert service.polls > 2
