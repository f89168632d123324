"""A key that shows itself nowhere, and places that are shared by everybody who uses it."""

import asyncio
import base64
import copy
import io
import json
import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headshot.errors import Stopped
from headshot.modelslab.account import MASK, JobSlots, Key, KeyFilter

TEXT = "cAnArY0k3y/0f+N0b0dy=59chars"


def test_a_key_is_in_nothing_that_prints_it() -> None:
    key = Key(TEXT)
    body = {"key": key.reveal()}
    for shown in (repr(key), str(key), f"{key}", f"{key!r}", repr(body), str(body), f"{key.reveal()}", repr([key])):
        assert TEXT not in shown
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)


def test_a_key_is_whole_in_a_request_s_json() -> None:
    assert json.loads(json.dumps({"key": Key(f" {TEXT}\n").reveal()})) == {"key": TEXT}


@pytest.mark.parametrize("text", ["", "  ", "two words", "“quoted”", "key\x00", "k" * 201, "\ud800"])
def test_what_cannot_be_a_key_is_told_in_a_sentence(text: str) -> None:
    problem = Key(text).problem
    assert problem is not None and "modelslab.com" in problem
    assert Key(TEXT).problem is None


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_key_is_scrubbed_from_all_its_writings(before: bytes, after: bytes) -> None:
    key = Key(TEXT)
    whole = before + TEXT.encode() + after
    for encoded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        left = key.scrub(encoded.decode())
        assert MASK in left
        for part in left.split(MASK):  # what is left decodes to a few of the key's letters at most
            assert len(part) <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 8
    for text in (TEXT, quote(TEXT), quote(TEXT, safe=""), TEXT.replace("/", "\\/"), json.dumps(TEXT)):
        assert TEXT[:20] not in key.scrub(f"a{text}b") and "59chars" not in key.scrub(f"a{text}b")


def test_what_was_cut_within_the_key_shows_no_part_of_it() -> None:
    key = Key(TEXT)
    for length in range(6, len(TEXT)):
        assert key.scrub(f"the key is {TEXT[:length]}") == f"the key is {MASK}"
    assert key.scrub("the key is cAnAr") == "the key is cAnAr"


def test_logs_are_written_without_the_key() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    key = Key(TEXT)
    handler.addFilter(KeyFilter())
    logger = logging.getLogger("test_account")
    logger.addHandler(handler)
    try:
        logger.warning("sent %s to %s", {"key": TEXT}, quote(TEXT))
        try:
            raise ValueError(f"no such key: {TEXT}")
        except ValueError:
            logger.exception("it broke")
    finally:
        logger.removeHandler(handler)
    assert key.problem is None
    assert "it broke" in written.getvalue() and "no such key: •••" in written.getvalue()
    assert TEXT not in written.getvalue() and quote(TEXT) not in written.getvalue()


def test_no_more_places_are_taken_than_there_are_and_the_line_keeps_its_order() -> None:
    async def run() -> None:
        places, order, most = JobSlots(), [], 0

        async def job(number: int) -> None:
            nonlocal most
            place = await places.acquire(3, 60)
            order.append(number)
            most = max(most, places.in_use)
            await asyncio.sleep(0.002)
            places.release(place)
            places.release(place)

        await asyncio.gather(*(job(number) for number in range(40)))
        assert order == list(range(40))
        assert (most, places.in_use) == (3, 0)

    asyncio.run(run())


def test_event_loops_in_several_threads_share_the_places() -> None:
    places, lock, under_way, most = JobSlots(), threading.Lock(), 0, 0

    async def jobs() -> None:
        nonlocal under_way, most
        for _ in range(20):
            place = await places.acquire(2, 60)
            with lock:
                under_way += 1
                most = max(most, under_way)
            await asyncio.sleep(0.001)
            with lock:
                under_way -= 1
            places.release(place)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(asyncio.run, jobs()) for _ in range(5)]:
            done.result(timeout=20)
    assert (most, under_way, places.in_use) == (2, 0, 0)


def test_who_gives_up_in_line_holds_up_nobody() -> None:
    async def run() -> None:
        places = JobSlots()
        first = await places.acquire(1, 60)
        second, third = (asyncio.create_task(places.acquire(1, 60)) for _ in range(2))
        await asyncio.sleep(0.01)
        second.cancel()
        places.release(first)
        places.release(await asyncio.wait_for(third, 5))
        assert second.cancelled() and places.in_use == 0

    asyncio.run(run())


def test_who_waits_is_told_how_many_are_before_it_at_first_and_at_every_change() -> None:
    async def run() -> None:
        places, told = JobSlots(), [[], [], [], []]  # type: tuple[Places, list[list[int]]]
        first = await places.take(1, 60, tell=told[0].append)
        line = [asyncio.create_task(places.take(1, 60, tell=told[number].append)) for number in (1, 2, 3)]
        await asyncio.sleep(0.01)
        assert told == [[], [0], [1], [2]]
        places.free(first)
        place = await asyncio.wait_for(line[0], 5)
        await asyncio.sleep(0.01)
        assert told == [[], [0], [1, 0], [2, 1]]
        line[1].cancel()
        await asyncio.sleep(0.01)
        assert told == [[], [0], [1, 0], [2, 1, 0]]
        places.free(place)
        await asyncio.wait_for(line[2], 5)
        assert told == [[], [0], [1, 0], [2, 1, 0]]

    asyncio.run(run())


def test_who_waits_is_told_on_its_own_loop_whichever_thread_gives_the_place_back() -> None:
    places = JobSlots()
    told: list[tuple[str, int, bool]] = []
    changed = threading.Condition()

    def wait_until(count: int) -> None:
        with changed:
            assert changed.wait_for(lambda: len(told) >= count, 10)

    async def wait(name: str) -> None:
        thread = threading.get_ident()

        def tell(before: int) -> None:
            with changed:
                told.append((name, before, threading.get_ident() == thread))
                changed.notify_all()

        place = await asyncio.wait_for(places.acquire(1, 60, tell=tell), 10)
        await asyncio.to_thread(wait_until, 3)  # before the next one has it
        places.release(place)

    places.bind("1", 60)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(asyncio.run, wait("one"))
        wait_until(1)
        other = pool.submit(asyncio.run, wait("other"))
        wait_until(2)
        places.release("1")
        one.result(timeout=20)
        other.result(timeout=20)
    assert told == [("one", 0, True), ("other", 1, True), ("other", 0, True)]


def test_what_is_raised_by_whom_the_place_is_told_ends_the_waiting_and_holds_up_nobody() -> None:
    def tell(_: int) -> None:
        raise Stopped("The person pressed Stop.")

    async def run() -> None:
        places = JobSlots()
        first = await places.acquire(1, 60)
        with pytest.raises(Stopped):
            await places.acquire(1, 60, tell=tell)
        places.release(first)
        await asyncio.wait_for(places.acquire(1, 60), 5)

    asyncio.run(run())


def test_a_loop_that_died_in_line_holds_up_nobody() -> None:
    places = JobSlots()

    async def wait_in_vain() -> None:
        task = asyncio.create_task(places.acquire(1, 60))
        await asyncio.sleep(0.01)
        LEFT.append(task)

    async def take() -> None:
        places.release(await asyncio.wait_for(places.acquire(1, 60), 5))

    places.bind("1", 60)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(wait_in_vain())
    loop.close()  # without cancelling what runs in it
    places.release("1")
    asyncio.run(take())
    LEFT.clear()


LEFT: list[object] = []


def test_a_place_that_nobody_gives_back_is_free_when_its_time_is_up() -> None:
    async def run() -> None:
        places = JobSlots()
        await places.acquire(1, 0.05)
        await asyncio.wait_for(places.acquire(1, 60), 5)

    asyncio.run(run())


def test_a_job_that_is_under_way_already_counts_above_the_limit() -> None:
    async def run() -> None:
        places = JobSlots()
        for job in "123":
            places.bind(job, 60)
        waiting = asyncio.create_task(places.acquire(2, 60))
        for job in "12":
            await asyncio.sleep(0.01)
            assert not waiting.done()
            places.release(job)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_a_job_takes_over_its_ticket_s_place_and_keeps_it_once() -> None:
    async def run() -> None:
        places = JobSlots()
        ticket = await places.acquire(5, 60)
        places.bind("66752945", 60, ticket)
        places.bind("66752945", 60)
        assert places.in_use == 1
        places.release(ticket)
        assert places.in_use == 1
        places.release("66752945")
        assert places.in_use == 0

    asyncio.run(run())


def test_the_places_of_one_account_are_the_same_for_everybody() -> None:
    account = Key(TEXT).fingerprint("https://modelslab.com")
    held = JobSlots.of(account)
    assert JobSlots.of(account) is held
    assert JobSlots.of(Key(TEXT).fingerprint("https://elsewhere")) is not held
    assert TEXT not in account
