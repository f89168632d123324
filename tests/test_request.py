"""The request: bounds declared once, one sentence for any wrong value, and storable by value."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headshot.errors import RequestError, Stopped
from headshot.progress import Progress, Step
from headshot.request import MAX_PROMPT_CHARACTERS, MAX_SEED, HeadshotRequest, Note, random_seed

REQUESTS = st.builds(
    HeadshotRequest,
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    negative_prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    num_inference_steps=st.sampled_from([21, 31, 41]),
    guidance_scale=st.floats(1, 20),
    seed=st.none() | st.integers(0, MAX_SEED),
)
TEXT = (1, 1.5, None, b"grey", ["grey"], {"grey": 1}, True, "x" * (MAX_PROMPT_CHARACTERS + 1), "\ud800")
WRONG: dict[str, tuple[Any, ...]] = {
    "prompt": TEXT,
    "negative_prompt": TEXT,
    "num_inference_steps": (0, -21, 22, 42, 21.5, "21", True, None, [21], math.nan, math.inf, 10**400),
    "guidance_scale": (0, 0.99, 20.01, -7.5, 10**400, math.nan, math.inf, -math.inf, "7.5", "", None, True, [7.5], 1j),
    "seed": (-1, 2**32, 10**400, 1.0, 1.5, math.nan, math.inf, "1", "", "9" * 5000, True, False, [1], b"1", 1j),
}
EACH_WRONG = [pytest.param(name, value, id=f"{name}={value!r:.20}") for name in WRONG for value in WRONG[name]]


def test_the_defaults_and_bounds_are_the_endpoints() -> None:
    fields = HeadshotRequest.model_json_schema()["properties"]
    assert list(fields) == ["prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "seed"]
    assert fields["num_inference_steps"]["enum"] == [21, 31, 41]
    assert (fields["guidance_scale"]["minimum"], fields["guidance_scale"]["maximum"]) == (1, 20)
    assert fields["seed"]["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    default = HeadshotRequest()
    assert (default.num_inference_steps, default.guidance_scale, default.seed) == (21, 7.5, None)


def test_every_field_has_a_title_and_a_description() -> None:
    for name, field in HeadshotRequest.model_fields.items():
        assert field.title and not field.title.endswith("."), name
        assert field.description and field.description.endswith("."), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", ""),
        ("prompt", "x" * MAX_PROMPT_CHARACTERS),
        ("negative_prompt", ""),
        ("guidance_scale", 1),
        ("guidance_scale", 20),
        ("guidance_scale", np.float32(7.5)),
        ("seed", 0),
        ("seed", MAX_SEED),
        ("seed", np.int64(7)),
        ("seed", np.uint32(MAX_SEED)),
    ],
)
def test_the_ends_of_each_range_and_numpys_numbers_are_accepted(name: str, value: Any) -> None:
    request = HeadshotRequest(**{name: value})
    assert getattr(request, name) == value
    assert HeadshotRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(("name", "value"), EACH_WRONG)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_the_control(name: str, value: Any) -> None:
    with pytest.raises(RequestError) as refused:
        HeadshotRequest(**{name: value})
    sentence = str(refused.value)
    assert sentence.startswith(f"{HeadshotRequest.model_fields[name].title} ")
    _is_one_sentence(sentence)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"num_inference_steps": 22}, "Steps must be 21, 31 or 41."),
        ({"guidance_scale": math.nan}, "Guidance must be a number from 1 to 20."),
        ({"seed": -1}, "Seed must be a whole number from 0 to 4294967295 or empty."),
        ({"prompt": None}, "Prompt must be text."),
        ({"negative_prompt": "x" * 2001}, "Negative prompt is too long: keep it within 2,000 characters."),
    ],
)
def test_the_sentence_says_what_would_be_right(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        HeadshotRequest(**wrong)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("name", ["seeds", "api_key", "x" * 500, 1])
def test_an_unknown_setting_is_refused_and_the_known_ones_are_named(name: Any) -> None:
    with pytest.raises(RequestError, match=r"is not a setting of a headshot.*guidance_scale") as refused:
        HeadshotRequest.model_validate({name: "hunter2"})
    _is_one_sentence(str(refused.value))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["grey", None, 5, [1, 2]])
def test_a_value_that_is_not_a_mapping_is_refused_with_a_sentence(value: Any) -> None:
    with pytest.raises(RequestError, match="given by name") as refused:
        HeadshotRequest.model_validate(value)
    _is_one_sentence(str(refused.value))


@given(st.sampled_from(list(WRONG)), st.text(min_size=20, max_size=3000))
def test_a_refusal_never_repeats_what_was_typed(name: str, typed: str) -> None:
    secret = f"sk-{typed}"
    for wrong in ({name: [secret]}, {name: {secret: secret}}, {secret: 1}):
        with pytest.raises(RequestError) as refused:
            HeadshotRequest.model_validate(wrong)
        assert secret[:21] not in str(refused.value)
        assert len(str(refused.value)) < 200


def test_a_request_is_frozen() -> None:
    request = HeadshotRequest(seed=1)
    with pytest.raises(ValidationError, match="frozen"):
        request.seed = 2  # type: ignore[misc]
    assert request.seed == 1


@given(REQUESTS, REQUESTS)
def test_requests_compare_and_hash_by_value(one: HeadshotRequest, other: HeadshotRequest) -> None:
    twin = HeadshotRequest(**one.model_dump())
    assert twin == one and hash(twin) == hash(one)
    assert (one == other) == (one.model_dump() == other.model_dump())
    assert len({one, twin, other}) == (1 if one == other else 2)


@given(REQUESTS)
def test_a_request_comes_back_from_json_as_it_was(request: HeadshotRequest) -> None:
    assert HeadshotRequest.model_validate_json(request.model_dump_json()) == request


def test_random_seeds_use_the_whole_range() -> None:
    seeds = [random_seed() for _ in range(200)]
    assert len(set(seeds)) > 190  # the chance of two equal seeds is about 1 in 200,000
    assert min(seeds) < MAX_SEED // 4 and max(seeds) > MAX_SEED // 4 * 3


def test_progress_calls_its_listener_and_check_raises_after_cancel() -> None:
    steps: list[Step] = []
    progress = Progress(steps.append)
    progress.check()
    progress.report("Lighting", 1, 4)
    assert steps == [Step("Lighting", 1, 4)]
    progress.cancel()
    for _ in range(2):
        with pytest.raises(Stopped):
            progress.check()


def test_a_note_reads_as_kind_and_text() -> None:
    assert str(Note("not applied", "a red hat")) == "Not applied: a red hat"


def _is_one_sentence(text: str) -> None:
    assert text[0].isupper() or text[0] == "“"
    assert text.endswith(".") and "\n" not in text
    for raw in ("Input should", "pydantic", "validation error", "type=", "[", "HeadshotRequest"):
        assert raw not in text
