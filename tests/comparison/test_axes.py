"""Seeds and guidance values as people write them, and requests that differ in one setting."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hanging import never_hanging
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headshot.comparison.axes import (
    Axis,
    expand_axis,
    format_seeds,
    parse_guidance_scales,
    parse_seeds,
    plan,
    resize_seeds,
    varying_fields,
)
from headshot.errors import (
    RequestError,
)
from headshot.request import MAX_SEED, Headshot, HeadshotRequest

DASHES = "-‐‑‒–—―−"
SEEDS = st.integers(0, MAX_SEED)
BLANKS = st.sampled_from(["", " ", "  ", "\t"])
RANGES = st.tuples(st.integers(0, MAX_SEED - 20), st.integers(0, 20)).map(lambda found: (found[0], sum(found)))
GUIDANCE = st.floats(1, 20)
STEPS = st.sampled_from([21, 31, 41])
AXES: list[tuple[Axis, Any]] = [("seed", SEEDS), ("guidance_scale", GUIDANCE), ("num_inference_steps", STEPS)]
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
    with never_hanging():
        try:
            assert parse_seeds(text, at_most=8) == [1]
        except RequestError as error:
            assert len(str(error)) < 120


@given(st.lists(SEEDS, unique=True, max_size=60) | st.lists(st.integers(0, 30), unique=True))
def test_seeds_that_are_written_are_read_back_as_they_were(seeds: list[int]) -> None:
    written = format_seeds(seeds)
    assert (parse_seeds(written, at_most=60) if seeds else []) == seeds
    assert len(written) <= len(", ".join(map(str, seeds)))


@pytest.mark.parametrize(
    ("seeds", "written"),
    [
        ([], ""),
        ([7], "7"),
        ([1, 2], "1, 2"),
        ([1, 2, 3], "1-3"),
        ([1, 2, 5], "1, 2, 5"),
        ([9, 1, 2, 3, 4, 2, 1, MAX_SEED], "9, 1-4, 2, 1, 4294967295"),
    ],
)
def test_three_seeds_in_a_row_are_written_as_a_range(seeds: list[int], written: str) -> None:
    assert format_seeds(seeds) == written


@given(st.lists(SEEDS | st.integers(MAX_SEED - 9, MAX_SEED) | st.integers(0, 9), max_size=12), st.integers(0, 40))
def test_resized_seeds_keep_what_fits_and_go_on_with_new_ones(seeds: list[int], count: int) -> None:
    resized = resize_seeds(seeds, count)
    kept = min(count, len(seeds))
    assert len(resized) == count
    assert resized[:kept] == seeds[:kept]
    assert len(set(resized[kept:]) - set(seeds)) == count - kept
    assert all(0 <= seed <= MAX_SEED for seed in resized)


@pytest.mark.parametrize(
    ("seeds", "count", "resized"),
    [
        ([], 3, [1, 2, 3]),
        ([10], 3, [10, 11, 12]),
        ([1, 2, 3], 2, [1, 2]),
        ([7, 5, 6, 4], 5, [7, 5, 6, 4, 8]),
        ([0, MAX_SEED - 1], 4, [0, MAX_SEED - 1, MAX_SEED, 1]),
        ([1, 2], -1, []),
    ],
)
def test_more_seeds_follow_the_last_one_pass_over_those_taken_and_begin_anew_after_the_largest(
    seeds: list[int], count: int, resized: list[int]
) -> None:
    assert resize_seeds(seeds, count) == resized


@given(st.data(), st.lists(GUIDANCE | st.integers(2, 40).map(lambda half: half / 2), min_size=1, max_size=20))
def test_guidance_values_are_read_back_in_their_order_without_repeats(data: st.DataObject, values: list[float]) -> None:
    written = "".join(f"{data.draw(PARTS)}{value!r}" for value in values)
    assert parse_guidance_scales(written, at_most=20) == list(dict.fromkeys(values))


@given(st.text() | st.text("0123456789 ,;-–.−\n+naife", max_size=60), st.integers(1, 50))
def test_any_text_gives_guidance_values_that_a_request_takes_or_a_sentence(text: str, at_most: int) -> None:
    try:
        values = parse_guidance_scales(text, at_most=at_most)
    except RequestError as error:
        assert str(error).endswith(".") and "\n" not in str(error) and len(str(error)) < 120
    else:
        assert 1 <= len(set(values)) == len(values) <= at_most
        assert [one.guidance_scale for one in expand_axis(HeadshotRequest(), "guidance_scale", values)] == values


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Name at least one guidance value, for example 4, 7.5, 12."),
        (" ,; \n", "Name at least one guidance value, for example 4, 7.5, 12."),
        ("low", "“low” is not a guidance value: write numbers like 4, 7.5, 12."),
        ("4-8", "“4-8” is not a guidance value: write numbers like 4, 7.5, 12."),
        ("nan", "“nan” is not a guidance value: write numbers like 4, 7.5, 12."),
        ("inf", "“inf” is not a guidance value: write numbers like 4, 7.5, 12."),
        ("1e1", "“1e1” is not a guidance value: write numbers like 4, 7.5, 12."),
        ("x" * 90, f"“{'x' * 20}” is not a guidance value: write numbers like 4, 7.5, 12."),
        ("7.5, 0.99", "Guidance must be a number from 1 to 20, which 0.99 is not."),
        ("20.001", "Guidance must be a number from 1 to 20, which 20.001 is not."),
        ("−3", "Guidance must be a number from 1 to 20, which −3 is not."),
        ("1 2 3 4 5", "That is 5 guidance values; at most 4 run at once."),
    ],
)
def test_guidance_that_cannot_be_used_is_answered_with_the_right_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_guidance_scales(text, at_most=4)
    assert str(refused.value) == sentence


def test_the_ends_of_the_guidance_are_taken_and_repeats_do_not_count() -> None:
    assert parse_guidance_scales("1; 20\n7.5 7.50, 7. 1.0", at_most=4) == [1, 20, 7.5, 7]


@pytest.mark.parametrize("text", ["1" * 200_000, "-" * 200_000, " ." * 100_000, "1." * 100_000, "1 " * 100_000])
def test_a_book_pasted_as_guidance_takes_no_longer_than_reading_it(text: str) -> None:
    with never_hanging():
        try:
            assert parse_guidance_scales(text, at_most=8) == [1]
        except RequestError as error:
            assert len(str(error)) < 120


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
    monkeypatch.setattr("headshot.comparison.axes.random_seed", lambda: next(drawn))
    planned = plan(HeadshotRequest(), [1, None, 2, None])
    assert [request.seed for request in planned] == [1, 7, 2, 8]


@given(st.data(), st.sampled_from(AXES), SEEDS | st.none())
def test_varying_a_field_changes_nothing_else(
    data: st.DataObject, axis: tuple[Axis, st.SearchStrategy[Any]], seed: int | None
) -> None:
    field, of_field = axis
    values = data.draw(st.lists(of_field, min_size=1, max_size=12))
    request = HeadshotRequest(prompt="teal", guidance_scale=3.5, num_inference_steps=31, seed=seed)
    varied = expand_axis(request, field, values)
    assert [getattr(one, field) for one in varied] == values
    assert set(varying_fields(varied)) <= {field}
    kept = {"seed": seed} if seed is not None or field == "seed" else {"seed": varied[0].seed}
    restored = {**kept, field: getattr(request, field)}
    assert {one.model_copy(update=restored) for one in varied} == {request.model_copy(update=kept)}
    assert None not in {one.seed for one in varied}


def test_a_seed_that_nobody_chose_is_drawn_once_for_all_guidance_values(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([11, 12, 13])
    monkeypatch.setattr("headshot.comparison.axes.random_seed", lambda: next(drawn))
    varied = expand_axis(HeadshotRequest(), "guidance_scale", [4, 7.5, 12])
    assert [(one.seed, one.guidance_scale) for one in varied] == [(11, 4), (11, 7.5), (11, 12)]


def test_each_varied_seed_that_nobody_chose_is_drawn_by_itself() -> None:
    assert len({one.seed for one in expand_axis(HeadshotRequest(seed=3), "seed", [None] * 5)}) == 5


@pytest.mark.parametrize(
    ("field", "values", "sentence"),
    [
        ("guidance_scale", [], "Name at least one guidance value, for example [4, 7.5, 12]."),
        ("guidance_scale", 7.5, "Give the guidance values as a list, for example [4, 7.5, 12]."),
        ("guidance_scale", [7.5, 21], "Guidance must be a number from 1 to 20."),
        ("num_inference_steps", [], "Name at least one number of steps, for example [21, 31, 41]."),
        ("num_inference_steps", [21, 22], "Steps must be 21, 31 or 41."),
        ("prompt", ["navy"], "“prompt” cannot be varied: choose seed, guidance_scale, num_inference_steps."),
    ],
)
def test_what_cannot_be_varied_gets_a_sentence(field: Any, values: Any, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        expand_axis(HeadshotRequest(), field, values)
    assert str(refused.value) == sentence


def test_what_differs_is_named_in_the_requests_own_order() -> None:
    request = HeadshotRequest(seed=1)
    others = [request.model_copy(update={"seed": 2}), request.model_copy(update={"prompt": "navy"})]
    assert varying_fields([]) == varying_fields([request]) == varying_fields([request, request]) == ()
    assert varying_fields([request, *others]) == ("prompt", "seed")


@given(st.data(), st.sampled_from(AXES))
def test_no_two_headshots_of_a_comparison_share_a_file_name(
    data: st.DataObject, axis: tuple[Axis, st.SearchStrategy[Any]]
) -> None:
    field, of_field = axis
    values = data.draw(st.lists(of_field, min_size=1, max_size=3, unique=True))
    picture = Image.new("RGB", (4, 5))
    shots = [Headshot(picture, b"", one, "studio", 0.5) for one in expand_axis(HeadshotRequest(seed=1), field, values)]
    names = [shot.filename for shot in shots]
    assert len(set(names)) == len(names)
    assert all(len(name) < 120 and name.isascii() and not set(name) & set('/\\:*?"<>| ') for name in names)


def test_a_file_name_tells_seed_guidance_and_steps_without_needless_digits() -> None:
    for guidance, written in ((12, "12"), (7.5, "7.5"), (7.25, "7.25")):
        request = HeadshotRequest(seed=2, guidance_scale=guidance, num_inference_steps=31)
        shot = Headshot(Image.new("RGB", (4, 5)), b"", request, "studio", 0.5)
        assert shot.filename == f"headshot-studio-seed-2-guidance-{written}-steps-31.png"


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
