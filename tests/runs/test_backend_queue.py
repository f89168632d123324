"""The line before a backend."""

import asyncio

import pytest

from headshot.errors import Unavailable
from headshot.runs.backend_queue import BackendQueue


def _nobody(before: int) -> None:
    raise AssertionError("there was no need to wait")


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Customer:
    """One comparison: what it was told, and whether it is in."""

    def __init__(self, line: BackendQueue) -> None:
        self.told: list[int] = []
        self.inside = False
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._visit(line))

    async def _visit(self, line: BackendQueue) -> None:
        async with line.acquire(self.told.append):
            self.inside = True
            await self.done.wait()
        self.inside = False


def test_no_more_than_allowed_are_in_and_the_others_come_in_the_order_they_came() -> None:
    async def story() -> None:
        line = BackendQueue("stub", at_once=2, at_most=10)
        people = []
        for _ in range(5):
            people.append(Customer(line))
            await _settle()
        assert [person.inside for person in people] == [True, True, False, False, False]
        assert [person.told for person in people] == [[], [], [0], [1], [2]]
        people[1].done.set()
        await _settle()
        assert [person.inside for person in people] == [True, False, True, False, False]
        assert [person.told for person in people[3:]] == [[1, 0], [2, 1]]
        for person in people:
            person.done.set()
        await asyncio.gather(*(person.task for person in people))

    asyncio.run(story())


def test_a_free_place_is_taken_without_a_word() -> None:
    async def story() -> None:
        line = BackendQueue("stub", at_once=1, at_most=0)
        for _ in range(3):
            async with line.acquire(_nobody):
                pass

    asyncio.run(story())


def test_who_gives_up_leaves_the_line_and_the_others_move_up() -> None:
    async def story() -> None:
        line = BackendQueue("stub", at_once=1, at_most=10)
        first, second, third = [Customer(line) for _ in range(3)]
        await _settle()
        second.task.cancel()
        await _settle()
        assert third.told == [1, 0]
        first.done.set()
        await _settle()
        assert third.inside
        third.done.set()
        await third.task

    asyncio.run(story())


@pytest.mark.parametrize("moments", range(4))
def test_a_place_given_to_one_who_gives_up_in_the_same_moment_goes_to_the_next(moments: int) -> None:
    async def story() -> None:
        line = BackendQueue("stub", at_once=1, at_most=10)
        first, second, third = [Customer(line) for _ in range(3)]
        await _settle()
        first.done.set()
        for _ in range(moments):  # in one of them first has left and called second, who has not heard it yet
            await asyncio.sleep(0)
        second.task.cancel()
        await _settle()
        assert third.inside
        third.done.set()
        await third.task
        async with line.acquire(_nobody):
            pass

    asyncio.run(story())


def test_beyond_its_length_the_line_refuses_with_a_sentence() -> None:
    async def story() -> None:
        line = BackendQueue("stub", at_once=1, at_most=2)
        people = [Customer(line) for _ in range(3)]
        await _settle()
        with pytest.raises(Unavailable, match=r"2 comparisons wait\. Try again in a minute\."):
            async with line.acquire(_nobody):
                pass
        for person in people:
            person.done.set()
        await asyncio.gather(*(person.task for person in people))

    asyncio.run(story())
