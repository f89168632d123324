"""A matrix holds every combination once, says what is where, and comes in the order of least work."""

from itertools import groupby
from typing import Any

import pytest
from hanging import never_hanging
from hypothesis import given, settings
from hypothesis import strategies as st

from headshot.comparison.axes import varying_fields
from headshot.comparison.matrix import Matrix, distinct_words, format_prompts, parse_prompts
from headshot.errors import RequestError
from headshot.pipeline.cost_model import passes
from headshot.request import MAX_PROMPT_CHARACTERS, MAX_SEED, HeadshotRequest

PROMPT = "professional headshot, navy backdrop, soft loop light"
BASE = HeadshotRequest(prompt=PROMPT, seed=1)
WORDS = ["navy", "grey", "pure white", "teal"]

SEEDS = st.lists(st.integers(0, MAX_SEED), max_size=4)
SCALES = st.lists(st.sampled_from([1.0, 4.0, 7.5, 12.0, 20.0]), max_size=4)
STEPS = st.lists(st.sampled_from([21, 31, 41]), max_size=4)
PROMPTS = st.lists(st.sampled_from([PROMPT.replace("navy", word) for word in WORDS]), max_size=4)
MATRICES = st.builds(Matrix, st.just(BASE), SEEDS, SCALES, STEPS, PROMPTS)


def _matrix(seeds: int = 1, scales: int = 1, steps: int = 1, prompts: int = 1) -> Matrix:
    return Matrix(
        BASE,
        range(1, seeds + 1),
        [1.0 + number for number in range(scales)],
        [21, 31, 41][:steps],
        [PROMPT.replace("navy", word) for word in WORDS[:prompts]],
    )


# --------------------------------------------------------------------------------------------------------------- axes


@given(MATRICES)
def test_every_combination_is_there_once_and_nothing_but_the_axes_differs(matrix: Matrix) -> None:
    requests = matrix.requests()
    axes = (matrix.prompts, matrix.num_inference_steps, matrix.guidance_scales, matrix.seeds)
    assert len(requests) == len(set(requests)) == matrix.size
    assert {(r.prompt, r.num_inference_steps, r.guidance_scale, r.seed) for r in requests} == {
        (prompt, steps, scale, seed) for prompt in axes[0] for steps in axes[1] for scale in axes[2] for seed in axes[3]
    }
    assert {request.negative_prompt for request in requests} == {BASE.negative_prompt}
    names = ("prompt", "num_inference_steps", "guidance_scale", "seed")
    assert set(varying_fields(requests)) == {name for name, values in zip(names, axes, strict=True) if len(values) > 1}


@given(SEEDS, SCALES, STEPS, PROMPTS)
def test_repeats_are_dropped_the_order_is_kept_and_an_axis_without_values_has_the_bases(
    seeds: list[int], scales: list[float], steps: list[int], prompts: list[str]
) -> None:
    matrix = Matrix(BASE, seeds, scales, steps, prompts)
    assert matrix.seeds == tuple(dict.fromkeys(seeds or [1]))
    assert matrix.guidance_scales == tuple(dict.fromkeys(scales or [7.5]))
    assert matrix.num_inference_steps == tuple(dict.fromkeys(steps or [21]))
    assert matrix.prompts == tuple(dict.fromkeys(prompts or [PROMPT]))


def test_the_requests_stand_as_they_are_read_with_the_seeds_innermost() -> None:
    matrix = Matrix(BASE, [3, 1], [4, 7.5], [21, 31], ["b", "a"])
    read = [(r.prompt, r.num_inference_steps, r.guidance_scale, r.seed) for r in matrix.requests()]
    assert read[:5] == [("b", 21, 4, 3), ("b", 21, 4, 1), ("b", 21, 7.5, 3), ("b", 21, 7.5, 1), ("b", 31, 4, 3)]
    assert read[-1] == ("a", 31, 7.5, 1)


def test_a_seed_that_nobody_chose_is_drawn_once_for_all() -> None:
    matrix = Matrix(HeadshotRequest(), guidance_scales=[4, 7.5], num_inference_steps=[21, 31])
    seeds = {request.seed for request in matrix.requests()}
    assert len(seeds) == 1 and None not in seeds
    assert seeds == {request.seed for request in matrix.cells().values()}


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ({"seeds": [2**32]}, "Seed must be a whole number"),
        ({"guidance_scales": [4, 21]}, "Guidance must be a number from 1 to 20."),
        ({"num_inference_steps": [22]}, "Steps must be 21, 31 or 41."),
        ({"prompts": ["x" * (MAX_PROMPT_CHARACTERS + 1)]}, "Prompt is too long"),
    ],
)
def test_a_value_that_a_request_does_not_take_gets_its_sentence(axes: Any, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        Matrix(BASE, **axes)


@pytest.mark.parametrize(
    ("matrix", "counted"),
    [
        (_matrix(), "1 headshot"),
        (_matrix(4), "4 headshots"),
        (_matrix(4, 3, 2), "4 × 3 × 2 = 24 headshots"),
        (_matrix(4, 1, 2, 3), "4 × 2 × 3 = 24 headshots"),
        (_matrix(40, 19, 3, 4), "40 × 19 × 3 × 4 = 9,120 headshots"),
    ],
)
def test_the_count_is_told_with_its_factors(matrix: Matrix, counted: str) -> None:
    assert matrix.counted == counted
    assert matrix.size == len(matrix.requests())


def test_more_than_the_bound_is_refused_with_the_sum() -> None:
    _matrix(4, 2, 2).check(at_most=16)
    with pytest.raises(RequestError) as refused:
        _matrix(4, 3, 2).check(at_most=16)
    assert str(refused.value) == ("That is 4 × 3 × 2 = 24 headshots; at most 16 run at once, so take fewer of some.")


def test_a_matrix_far_beyond_the_bound_is_refused_before_any_request_is_made() -> None:
    class Unmade(Matrix):
        def requests(self) -> list[HeadshotRequest]:
            raise AssertionError("all of its requests were made")

    with pytest.raises(RequestError, match="500 × 19"):
        Unmade(BASE, range(500), [1.0 + number for number in range(19)]).check(at_most=64)


# -------------------------------------------------------------------------------------------------------------- order


@given(MATRICES, st.sampled_from(["studio", "local", "modelslab", "stub"]))
def test_an_order_holds_every_request_once(matrix: Matrix, backend: str) -> None:
    ordered = matrix.ordered_for(backend)
    assert len(ordered) == matrix.size
    assert set(ordered) == set(matrix.requests())


@given(MATRICES)
def test_the_studio_analyses_once_for_each_effort_and_prepares_once_for_each_look(matrix: Matrix) -> None:
    ordered = matrix.ordered_for("studio")
    step_counts = [steps for steps, _ in groupby(request.num_inference_steps for request in ordered)]
    assert step_counts == list(matrix.num_inference_steps)
    sessions = [key for key, _ in groupby((r.prompt, r.guidance_scale, r.num_inference_steps) for r in ordered)]
    assert len(sessions) == len(set(sessions))


@given(MATRICES)
def test_the_pipelines_buckets_are_as_full_as_they_can_be_even_where_the_order_is_cut_into_them(
    matrix: Matrix,
) -> None:
    ordered = matrix.ordered_for("local")
    assert [steps for steps, _ in groupby(r.num_inference_steps for r in ordered)] == list(matrix.num_inference_steps)
    stretches = [
        list(stretch)
        for _, stretch in groupby(ordered, lambda r: (r.num_inference_steps, r.prompt, r.guidance_scale > 1))
    ]
    assert sum(passes(stretch) for stretch in stretches) == passes(ordered)


def test_a_hosted_service_gets_them_as_they_are_read() -> None:
    matrix = _matrix(2, 2, 2, 2)
    assert matrix.ordered_for("modelslab") == matrix.requests()
    assert matrix.ordered_for("studio") != matrix.requests()


# -------------------------------------------------------------------------------------------------------------- cells


@given(MATRICES)
def test_every_cell_is_one_request_and_every_request_has_one_cell(matrix: Matrix) -> None:
    cells = matrix.cells()
    rows, columns = matrix.rows(), matrix.columns()
    assert list(cells) == [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    assert set(cells.values()) == set(matrix.requests()) and len(set(cells.values())) == len(cells)


@given(MATRICES)
def test_the_labels_of_a_cell_tell_what_its_request_has_of_its_own(matrix: Matrix) -> None:
    rows, columns = matrix.rows(), matrix.columns()
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)
    for (row, column), request in matrix.cells().items():
        settings = set(rows[row] + columns[column])
        expected = {
            "seed": f"Seed {request.seed}",
            "guidance_scale": f"Guidance {request.guidance_scale:g}",
            "num_inference_steps": f"{request.num_inference_steps} steps",
            "prompt": request.prompt.removeprefix("professional headshot, ").removesuffix(" backdrop, soft loop light"),
        }
        varied = varying_fields(list(matrix.cells().values())) or ("seed",)
        assert settings == {expected[field] for field in varied}


@pytest.mark.parametrize(
    ("matrix", "rows", "columns"),
    [
        (_matrix(), [()], [("Seed 1",)]),
        (_matrix(3), [()], [("Seed 1",), ("Seed 2",), ("Seed 3",)]),
        (_matrix(prompts=2), [()], [("navy",), ("grey",)]),
        (_matrix(1, 3, 2), [("21 steps",), ("31 steps",)], [("Guidance 1",), ("Guidance 2",), ("Guidance 3",)]),
        (_matrix(1, 1, 2, 3), [("navy",), ("grey",), ("pure white",)], [("21 steps",), ("31 steps",)]),
        (_matrix(2, 3), [(f"Guidance {n}",) for n in (1, 2, 3)], [("Seed 1",), ("Seed 2",)]),
        (
            _matrix(4, 2, 2),
            [("21 steps", "Guidance 1"), ("21 steps", "Guidance 2")] + [("31 steps", f"Guidance {n}") for n in (1, 2)],
            [(f"Seed {n}",) for n in (1, 2, 3, 4)],
        ),
        (
            _matrix(2, 4, 3),  # twelve rows of two would be a strip
            [(f"Guidance {n}",) for n in (1, 2, 3, 4)],
            [(f"{steps} steps", f"Seed {n}") for steps in (21, 31, 41) for n in (1, 2)],
        ),
        (
            _matrix(2, 2, 2, 2),
            [(word, f"Guidance {n}") for word in ("navy", "grey") for n in (1, 2)],
            [(f"{steps} steps", f"Seed {n}") for steps in (21, 31) for n in (1, 2)],
        ),
    ],
)
def test_the_seeds_or_the_longest_axis_go_across_and_further_axes_are_groups(
    matrix: Matrix, rows: Any, columns: Any
) -> None:
    assert (list(matrix.rows()), list(matrix.columns())) == (rows, columns)


@given(MATRICES)
def test_a_matrix_is_found_again_from_its_requests_in_any_order(matrix: Matrix) -> None:
    found = Matrix.spanned(matrix.requests())
    assert found is not None
    assert found.requests() == matrix.requests() and found.cells() == matrix.cells()
    mixed = Matrix.spanned(matrix.ordered_for("local")[::-1])
    assert mixed is not None and set(mixed.requests()) == set(matrix.requests())


def test_what_is_not_every_combination_once_is_no_matrix() -> None:
    requests = _matrix(2, 2).requests()
    other = requests[0].model_copy(update={"negative_prompt": "hat"})
    assert Matrix.spanned([]) is None
    assert Matrix.spanned(requests[:3]) is None
    assert Matrix.spanned([*requests, requests[0]]) is None
    assert Matrix.spanned([*requests[:3], other]) is None
    assert Matrix.spanned([HeadshotRequest()]) is None


# ------------------------------------------------------------------------------------------------------------ prompts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("navy, grey, white", ["navy", "grey", "white"]),
        ("navy,grey\nwhite\n", ["navy", "grey", "white"]),
        ("  navy  ,  pure  white ,, ", ["navy", "pure  white"]),
        ('navy, "grey, with grain"', ["navy", "grey, with grain"]),
        ("“navy”, „grey“, ‟teal”", ["navy", "grey", "teal"]),
        ('navy, "the ""new"" grey"', ["navy", 'the "new" grey']),
        ('navy, ""', ["navy", ""]),
        ("Navy, grey", ["navy", "grey"]),
        ("navy, navy, grey, grey", ["navy", "grey"]),
        ("navy, rock'n'roll's", ["navy", "rock'n'roll's"]),
    ],
)
def test_the_first_item_stays_and_each_further_one_takes_its_place(text: str, words: list[str]) -> None:
    assert parse_prompts(PROMPT, text, at_most=8) == [PROMPT.replace("navy", word) for word in words]


def test_every_place_where_the_words_stand_is_replaced_and_capitals_count_where_they_tell_apart() -> None:
    assert parse_prompts("red scarf, red tie", "red, blue", at_most=2)[1] == "blue scarf, blue tie"
    assert parse_prompts("Red scarf, red tie", "red, blue", at_most=2)[1] == "Red scarf, blue tie"
    assert parse_prompts("Red scarf", "red, blue", at_most=2)[1] == "blue scarf"
    assert parse_prompts("a.c abc", "a.c, x", at_most=2)[1] == "x abc"
    assert parse_prompts("plain", r"plain, \1 \g<0>", at_most=2)[1] == r"\1 \g<0>"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Enter the term to find and then its replacements, for example navy, grey, white."),
        (" ,\n, ", "Enter the term to find and then its replacements, for example navy, grey, white."),
        ('"", grey', "Enter the term to find and then its replacements, for example navy, grey, white."),
        ("navy", "“navy” has no replacement. Add one after a comma, for example navy, grey, white."),
        (
            "teal, grey",
            "“teal” isn't in the prompt. The first term must be.",
        ),
        ("navy, 1, 2, 3, 4", "That is 5 prompts; at most 4 run at once."),
        (
            'navy, "grey',
            "A quotation mark must open and close a whole item, for example navy, “grey, with grain”.",
        ),
        (
            'navy, "grey" blue',
            "A quotation mark must open and close a whole item, for example navy, “grey, with grain”.",
        ),
        ("navy, " + "x" * MAX_PROMPT_CHARACTERS, "Prompt is too long: keep it within 2,000 characters."),
    ],
)
def test_what_cannot_be_replaced_is_answered_with_the_right_sentence(text: str, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_prompts(PROMPT, text, at_most=4)
    assert str(refused.value) == sentence


@given(st.text(max_size=80), st.text() | st.text('navy, "“”\n\t', max_size=60), st.integers(1, 6))
@settings(deadline=None)
def test_any_text_gives_prompts_that_a_request_takes_or_a_sentence(prompt: str, text: str, at_most: int) -> None:
    try:
        prompts = parse_prompts(prompt, text, at_most=at_most)
    except RequestError as error:
        assert str(error).endswith(".") and "\n" not in str(error).replace(text, "") and len(str(error)) < 140
    else:
        assert prompts[0] == prompt
        assert 1 <= len(set(prompts)) == len(prompts) <= at_most
        assert Matrix(BASE, prompts=prompts).prompts == tuple(prompts)


@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 200_000 + "b",
        '"' * 200_000,
        "".join(f"{number}," for number in range(30_000)),
        "\n" * 200_000,
        '"a,' * 60_000,
        " \t" * 100_000,
    ],
)
def test_a_pasted_book_takes_no_longer_than_reading_it(text: str) -> None:
    with never_hanging(), pytest.raises(RequestError) as refused:
        parse_prompts("a" * MAX_PROMPT_CHARACTERS, text, at_most=8)
    assert len(str(refused.value)) < 140


@pytest.mark.parametrize(
    ("prompts", "apart"),
    [
        (["navy backdrop, soft", "grey backdrop, soft"], ["navy", "grey"]),
        (["on navy, soft", "on pure white, soft", "on teal, soft"], ["navy", "pure white", "teal"]),
        (["soft light, navy", "soft light"], ["navy", "(left out)"]),
        (["red scarf and red tie", "blue scarf and blue tie"], ["red scarf and red", "blue scarf and blue"]),
        (["a b", "a b."], ["a b", "a b."]),
        (["one prompt"], ["one prompt"]),
        ([], []),
    ],
)
def test_prompts_are_named_by_the_words_that_set_them_apart(prompts: list[str], apart: list[str]) -> None:
    assert distinct_words(prompts) == apart


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("navy, grey, pure white", "navy, grey, pure white"),
        ("professional headshot, passport photo", "professional headshot, passport photo"),
        ('"navy backdrop, soft", ""', '"navy backdrop, soft", ""'),
        ("loop, loop and rim", "light, and rim light"),
        ("dr, d r", "backdrop, backd rop"),
        ("a, A", '"professional headshot, navy backdrop", "professionAl heAdshot, nAvy bAckdrop"'),
    ],
)
def test_prompts_are_written_as_the_words_that_take_each_others_place(text: str, written: str) -> None:
    assert format_prompts(parse_prompts(PROMPT, text, at_most=4)) == written
    assert format_prompts([PROMPT]) == ""


@given(st.text('ab ,"“\n', max_size=20), st.text('ab ,"“\n', max_size=20), st.integers(2, 4))
def test_what_is_written_of_prompts_is_read_as_the_same_prompts(prompt: str, text: str, at_most: int) -> None:
    try:
        prompts = parse_prompts(prompt, text, at_most=at_most)
    except RequestError:
        return
    written = format_prompts(prompts)
    if written:
        assert parse_prompts(prompt, written, at_most=at_most) == prompts
    else:
        assert len(prompts) == 1 or (written is None and set("".join(prompts)) & set("“\n"))
