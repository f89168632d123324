"""The queue before a backend."""

import asyncio

import pytest

from headshot.errors import Unavailable
from headshot.runs.backend_queue import BackendQueue


def _no_wait(position: int) -> None:
    raise AssertionError("there was no need to wait")


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Customer:
    """One comparison: the positions it was given, and whether it is in."""

    def __init__(self, queue: BackendQueue) -> None:
        self.positions: list[int] = []
        self.inside = False
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._visit(queue))

    async def _visit(self, queue: BackendQueue) -> None:
        async with queue.acquire(self.positions.append):
            self.inside = True
            await self.done.wait()
        self.inside = False


def test_no_more_than_allowed_run_and_the_others_follow_in_their_order() -> None:
    async def story() -> None:
        queue = BackendQueue("stub", max_concurrent=2, max_waiting=10)
        people = []
        for _ in range(5):
            people.append(Customer(queue))
            await _settle()
        assert [person.inside for person in people] == [True, True, False, False, False]
        assert [person.positions for person in people] == [[], [], [0], [1], [2]]
        people[1].done.set()
        await _settle()
        assert [person.inside for person in people] == [True, False, True, False, False]
        assert [person.positions for person in people[3:]] == [[1, 0], [2, 1]]
        for person in people:
            person.done.set()
        await asyncio.gather(*(person.task for person in people))

    asyncio.run(story())


def test_a_free_slot_reports_no_position() -> None:
    async def story() -> None:
        queue = BackendQueue("stub", max_concurrent=1, max_waiting=0)
        for _ in range(3):
            async with queue.acquire(_no_wait):
                pass

    asyncio.run(story())


def test_a_cancelled_one_leaves_the_queue_and_the_others_move_up() -> None:
    async def story() -> None:
        queue = BackendQueue("stub", max_concurrent=1, max_waiting=10)
        first, second, third = [Customer(queue) for _ in range(3)]
        await _settle()
        second.task.cancel()
        await _settle()
        assert third.positions == [1, 0]
        first.done.set()
        await _settle()
        assert third.inside
        third.done.set()
        await third.task

    asyncio.run(story())


@pytest.mark.parametrize("moments", range(4))
def test_a_slot_given_to_one_cancelled_in_the_same_moment_goes_to_the_next(moments: int) -> None:
    async def story() -> None:
        queue = BackendQueue("stub", max_concurrent=1, max_waiting=10)
        first, second, third = [Customer(queue) for _ in range(3)]
        await _settle()
        first.done.set()
        for _ in range(moments):  # in one of them first has left and admitted second, which has not run yet
            await asyncio.sleep(0)
        second.task.cancel()
        await _settle()
        assert third.inside
        third.done.set()
        await third.task
        async with queue.acquire(_no_wait):
            pass

    asyncio.run(story())


def test_a_full_queue_refuses_with_a_sentence() -> None:
    async def story() -> None:
        queue = BackendQueue("stub", max_concurrent=1, max_waiting=2)
        people = [Customer(queue) for _ in range(3)]
        await _settle()
        with pytest.raises(Unavailable, match=r"2 comparisons are waiting\. Try again in a minute\."):
            async with queue.acquire(_no_wait):
                pass
        for person in people:
            person.done.set()
        await asyncio.gather(*(person.task for person in people))

    asyncio.run(story())
