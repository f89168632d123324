"""Seeds as people write them, and the plan that changes nothing but the seed."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from stub import StubBackend

from headshot.compare import compare, parse_seeds, plan
from headshot.errors import RequestError
from headshot.photo import Photo
from headshot.request import MAX_SEED, HeadshotRequest

DASHES = "-‐‑‒–—―−"
SEEDS = st.integers(0, MAX_SEED)
BLANKS = st.sampled_from(["", " ", "  ", "\t"])
RANGES = st.tuples(st.integers(0, MAX_SEED - 20), st.integers(0, 20)).map(lambda found: (found[0], sum(found)))
PARTS = st.sampled_from([",", ", ", ";", " ; ", " ", "\n", "\r\n", ",,", ", ,", "\u00a0"])


@given(st.data(), st.lists(SEEDS.map(lambda seed: (seed, seed)) | RANGES, min_size=1, max_size=12))
def test_whatever_is_written_is_read_back_in_its_order_without_repeats(
    data: st.DataObject, items: list[tuple[int, int]]
) -> None:
    written = ""
    for first, last in items:
        written += data.draw(PARTS) if written else data.draw(BLANKS)
        written += str(first)
        if first != last or data.draw(st.booleans()):
            written += data.draw(BLANKS) + data.draw(st.sampled_from(DASHES)) + data.draw(BLANKS) + str(last)
    expected = list(dict.fromkeys(seed for first, last in items for seed in range(first, last + 1)))
    assert parse_seeds(written + data.draw(BLANKS), at_most=300) == expected


@given(st.text() | st.text("0123456789 ,;-–—−\n.e+x", max_size=60), st.integers(1, 50))
def test_any_text_gives_seeds_within_bounds_or_a_sentence(text: str, at_most: int) -> None:
    try:
        seeds = parse_seeds(text, at_most=at_most)
    except RequestError as error:
        assert str(error).endswith(".") and "\n" not in str(error) and len(str(error)) < 120
    else:
        assert 1 <= len(seeds) <= at_most
        assert len(set(seeds)) == len(seeds)
        assert all(0 <= seed <= MAX_SEED for seed in seeds)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Name at least one seed, for example 1, 2, 3 or 10-13."),
        (" ,; \n", "Name at least one seed, for example 1, 2, 3 or 10-13."),
        ("one", "“one” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ("-5", "“-5” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ("1.5", "“1.5” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ("1-2-3", "“1-2-3” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ("x" * 90, f"“{'x' * 20}” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ("9-3", "The range 9-3 runs backwards: write 3-9."),
        ("4294967296", "A seed is at most 4294967295: 4294967296 is too large."),
        ("1-9", "The range 1-9 holds 9 seeds; at most 8 run at once."),
        ("1-8, 9", "That is 9 seeds; at most 8 run at once."),
    ],
)
def test_what_cannot_be_read_is_answered_with_the_right_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_seeds(text, at_most=8)
    assert str(refused.value) == sentence


def test_repeats_do_not_count_towards_the_most() -> None:
    assert parse_seeds("1-4 1-4 4, 3, 2, 1", at_most=4) == [1, 2, 3, 4]


def test_the_first_and_last_seed_can_be_named() -> None:
    assert parse_seeds(f"0 - 1, {MAX_SEED - 1}–{MAX_SEED}", at_most=4) == [0, 1, MAX_SEED - 1, MAX_SEED]


def test_a_range_of_all_seeds_is_refused_before_any_is_made() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match="4,294,967,296 seeds"):
            parse_seeds("0-4294967295", at_most=16)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text", ["1" + " " * 200_000 + "1", "1" * 200_000, "-" * 200_000, " -" * 100_000, "1 " * 100_000]
)
def test_a_pasted_book_takes_no_longer_than_reading_it(text: str) -> None:
    started = time.process_time()
    try:
        assert parse_seeds(text, at_most=8) == [1]
    except RequestError as error:
        assert len(str(error)) < 120
    assert time.process_time() - started < 2


@given(st.lists(SEEDS | st.none(), min_size=1, max_size=40), st.floats(1, 20), st.sampled_from([21, 31, 41]))
def test_a_plan_changes_only_the_seed(seeds: list[int | None], guidance: float, steps: Any) -> None:
    request = HeadshotRequest(prompt="teal", guidance_scale=guidance, num_inference_steps=steps, seed=5)
    planned = plan(request, seeds)
    assert len(planned) == len(seeds)
    for seed, one in zip(seeds, planned, strict=True):
        assert one.seed is not None and (seed is None or one.seed == seed)
        assert one.model_copy(update={"seed": 5}) == request


def test_missing_seeds_become_numbers_that_no_other_seed_has(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([1, 7, 7, 2, 8])  # a generator that repeats itself and the given seeds
    monkeypatch.setattr("headshot.compare.random_seed", lambda: next(drawn))
    planned = plan(HeadshotRequest(), [1, None, 2, None])
    assert [request.seed for request in planned] == [1, 7, 2, 8]


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        ([], "Name at least one seed"),
        (iter(()), "Name at least one seed"),
        (5, "Give the seeds as a list"),
        (None, "Give the seeds as a list"),
        ("12", "Seed must be a whole number"),
        ([1, True], "Seed must be a whole number"),
        ([1, 2**32], "Seed must be a whole number"),
    ],
)
def test_seeds_that_are_none_get_a_sentence(seeds: Any, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        plan(HeadshotRequest(), seeds)


@pytest.mark.parametrize("kind", [tuple, iter, lambda seeds: range(seeds[0], seeds[-1] + 1)])
def test_any_iterable_of_seeds_will_do(kind: Callable[[list[int]], Any]) -> None:
    assert [request.seed for request in plan(HeadshotRequest(), kind([1, 2, 3]))] == [1, 2, 3]


def test_a_backend_gets_the_whole_list_with_every_seed_resolved() -> None:
    backend = StubBackend()
    photo = Photo.from_image(Image.new("RGB", (160, 200), "grey"))
    requests = [HeadshotRequest(seed=3), HeadshotRequest(), HeadshotRequest(seed=1)]

    async def run() -> list[int | None]:
        return [headshot.request.seed async for headshot in compare(backend, photo, requests, face=1)]

    seeds = anyio.run(run)
    assert [request.seed for request in backend.asked] == seeds
    assert (seeds[0], seeds[2]) == (3, 1) and seeds[1] is not None
    assert backend.faces == [1]
