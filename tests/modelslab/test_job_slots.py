"""Slots that are shared by all clients of one account."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from headshot.errors import Stopped
from headshot.modelslab.job_slots import JobSlots


def test_no_more_slots_are_held_than_the_limit_and_the_queue_keeps_its_order() -> None:
    async def run() -> None:
        slots, order, most = JobSlots(), [], 0

        async def job(number: int) -> None:
            nonlocal most
            slot = await slots.acquire(3, 60)
            order.append(number)
            most = max(most, slots.in_use)
            await asyncio.sleep(0.002)
            slots.release(slot)
            slots.release(slot)

        await asyncio.gather(*(job(number) for number in range(40)))
        assert order == list(range(40))
        assert (most, slots.in_use) == (3, 0)

    asyncio.run(run())


def test_event_loops_in_several_threads_share_the_slots() -> None:
    slots, lock, under_way, most = JobSlots(), threading.Lock(), 0, 0

    async def jobs() -> None:
        nonlocal under_way, most
        for _ in range(20):
            slot = await slots.acquire(2, 60)
            with lock:
                under_way += 1
                most = max(most, under_way)
            await asyncio.sleep(0.001)
            with lock:
                under_way -= 1
            slots.release(slot)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(asyncio.run, jobs()) for _ in range(5)]:
            done.result(timeout=20)
    assert (most, under_way, slots.in_use) == (2, 0, 0)


def test_a_waiter_that_is_cancelled_does_not_block_the_next() -> None:
    async def run() -> None:
        slots = JobSlots()
        first = await slots.acquire(1, 60)
        second, third = (asyncio.create_task(slots.acquire(1, 60)) for _ in range(2))
        await asyncio.sleep(0.01)
        second.cancel()
        slots.release(first)
        slots.release(await asyncio.wait_for(third, 5))
        assert second.cancelled() and slots.in_use == 0

    asyncio.run(run())


def test_a_waiter_learns_how_many_are_before_it_at_first_and_at_every_change() -> None:
    async def run() -> None:
        slots, reports = JobSlots(), [[], [], [], []]  # type: tuple[JobSlots, list[list[int]]]
        first = await slots.acquire(1, 60, on_queued=reports[0].append)
        line = [asyncio.create_task(slots.acquire(1, 60, on_queued=reports[number].append)) for number in (1, 2, 3)]
        await asyncio.sleep(0.01)
        assert reports == [[], [0], [1], [2]]
        slots.release(first)
        slot = await asyncio.wait_for(line[0], 5)
        await asyncio.sleep(0.01)
        assert reports == [[], [0], [1, 0], [2, 1]]
        line[1].cancel()
        await asyncio.sleep(0.01)
        assert reports == [[], [0], [1, 0], [2, 1, 0]]
        slots.release(slot)
        await asyncio.wait_for(line[2], 5)
        assert reports == [[], [0], [1, 0], [2, 1, 0]]

    asyncio.run(run())


def test_on_queued_runs_on_the_waiters_loop_whichever_thread_releases_the_slot() -> None:
    slots = JobSlots()
    reports: list[tuple[str, int, bool]] = []
    changed = threading.Condition()

    def wait_until(count: int) -> None:
        with changed:
            assert changed.wait_for(lambda: len(reports) >= count, 10)

    async def wait(name: str) -> None:
        thread = threading.get_ident()

        def on_queued(before: int) -> None:
            with changed:
                reports.append((name, before, threading.get_ident() == thread))
                changed.notify_all()

        slot = await asyncio.wait_for(slots.acquire(1, 60, on_queued=on_queued), 10)
        await asyncio.to_thread(wait_until, 3)  # before the next one has it
        slots.release(slot)

    slots.bind("1", 60)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(asyncio.run, wait("one"))
        wait_until(1)
        other = pool.submit(asyncio.run, wait("other"))
        wait_until(2)
        slots.release("1")
        one.result(timeout=20)
        other.result(timeout=20)
    assert reports == [("one", 0, True), ("other", 1, True), ("other", 0, True)]


def test_an_exception_from_on_queued_ends_the_wait_and_does_not_block_the_next() -> None:
    def on_queued(_: int) -> None:
        raise Stopped("The person pressed Stop.")

    async def run() -> None:
        slots = JobSlots()
        first = await slots.acquire(1, 60)
        with pytest.raises(Stopped):
            await slots.acquire(1, 60, on_queued=on_queued)
        slots.release(first)
        await asyncio.wait_for(slots.acquire(1, 60), 5)

    asyncio.run(run())


def test_a_waiter_whose_loop_was_closed_does_not_block_the_next() -> None:
    slots = JobSlots()

    async def wait_in_vain() -> None:
        task = asyncio.create_task(slots.acquire(1, 60))
        await asyncio.sleep(0.01)
        LEFT.append(task)

    async def take() -> None:
        slots.release(await asyncio.wait_for(slots.acquire(1, 60), 5))

    slots.bind("1", 60)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(wait_in_vain())
    loop.close()  # without cancelling what runs in it
    slots.release("1")
    asyncio.run(take())
    LEFT.clear()


LEFT: list[object] = []


def test_a_slot_that_is_never_released_expires() -> None:
    async def run() -> None:
        slots = JobSlots()
        await slots.acquire(1, 0.05)
        await asyncio.wait_for(slots.acquire(1, 60), 5)

    asyncio.run(run())


def test_a_job_that_runs_already_counts_above_the_limit() -> None:
    async def run() -> None:
        slots = JobSlots()
        for job in "123":
            slots.bind(job, 60)
        waiting = asyncio.create_task(slots.acquire(2, 60))
        for job in "12":
            await asyncio.sleep(0.01)
            assert not waiting.done()
            slots.release(job)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_a_job_takes_over_its_tickets_slot_and_holds_it_once() -> None:
    async def run() -> None:
        slots = JobSlots()
        ticket = await slots.acquire(5, 60)
        slots.bind("66752945", 60, ticket)
        slots.bind("66752945", 60)
        assert slots.in_use == 1
        slots.release(ticket)
        assert slots.in_use == 1
        slots.release("66752945")
        assert slots.in_use == 0

    asyncio.run(run())


def test_the_slots_of_one_account_are_the_same_object_for_every_caller() -> None:
    held = JobSlots.of("an account")
    assert JobSlots.of("an account") is held
    assert JobSlots.of("another account") is not held
