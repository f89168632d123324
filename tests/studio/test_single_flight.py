"""The studio's memory of slow results."""

import threading

import pytest

from headshot.studio.single_flight import SingleFlightLru


def test_a_result_is_made_once_and_the_oldest_goes_first() -> None:
    memory = SingleFlightLru[str, int](2)
    made: list[str] = []

    def make(key: str) -> int:
        return memory.get(key, lambda: made.append(key) or len(made))

    assert [make("a"), make("b"), make("a")] == [1, 2, 1]
    make("c")  # b was asked for longest ago
    assert ("a" in memory, "b" in memory, "c" in memory) == (True, False, True)
    assert made == ["a", "b", "c"]


def test_threads_that_ask_at_once_wait_for_one_making() -> None:
    memory = SingleFlightLru[str, int](2)
    making, go = threading.Event(), threading.Event()
    made, got = [], []

    def make() -> int:
        making.set()
        go.wait(10)
        made.append(1)
        return 7

    threads = [threading.Thread(target=lambda: got.append(memory.get("a", make))) for _ in range(5)]
    for thread in threads:
        thread.start()
    making.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert (made, got) == ([1], [7] * 5)


def test_after_a_failure_the_one_who_waited_makes_it() -> None:
    memory = SingleFlightLru[str, int](2)
    making, fail = threading.Event(), threading.Event()

    def failing() -> int:
        making.set()
        fail.wait(10)
        raise ValueError("stopped")

    def first() -> None:
        with pytest.raises(ValueError, match="stopped"):
            memory.get("a", failing)

    got: list[int] = []
    one = threading.Thread(target=first)
    one.start()
    making.wait(10)
    other = threading.Thread(target=lambda: got.append(memory.get("a", lambda: 3)))
    other.start()
    fail.set()
    one.join(10)
    other.join(10)
    assert got == [3]


def test_what_is_dropped_while_it_is_made_is_not_remembered() -> None:
    memory = SingleFlightLru[str, int](2)

    def make() -> int:
        memory.drop(lambda key: key == "a")
        return 1

    assert memory.get("a", make) == 1
    assert "a" not in memory
    memory.get("b", lambda: 2)
    memory.drop(lambda key: key == "b")
    assert "b" not in memory
