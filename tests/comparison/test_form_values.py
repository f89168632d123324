"""The form's values in a link and in the browser: what is valid comes back, and nothing else."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headshot.comparison.form_values import FormValues

ALL = FormValues(
    prompt="a navy backdrop, “soft” & <b>broad</b>",
    negative_prompt="",
    num_inference_steps=31,
    guidance_scale=4.5,
    seeds="1-4, 9",
    keep_seeds=False,
    compare="matrix",
    guidance_values="1, 4",
    steps_values=(21, 41),
    prompt_values="navy, grey",
    backend="studio",
)


def as_link(values: FormValues) -> str:
    fields = {name: value for name, value in values.model_dump().items() if value is not None}
    return urlencode(
        {name: ",".join(map(str, value)) if isinstance(value, tuple) else value for name, value in fields.items()}
    )


def test_a_link_brings_every_value_back() -> None:
    assert FormValues.of_query(as_link(ALL)) == (ALL, [])


def test_the_browser_brings_every_value_back() -> None:
    assert FormValues.of_json(ALL.model_dump_json()) == ALL


@pytest.mark.parametrize(
    ("query", "bad"),
    [
        ("guidance_scale=21", "guidance_scale"),
        ("guidance_scale=much", "guidance_scale"),
        ("guidance_scale=nan", "guidance_scale"),
        ("num_inference_steps=22", "num_inference_steps"),
        ("steps_values=21,x", "steps_values"),
        ("compare=everything", "compare"),
        (f"prompt={'p' * 2_001}", "prompt"),
        (f"seeds={'1,' * 300}", "seeds"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_and_the_others_are_read(query: str, bad: str) -> None:
    values, found = FormValues.of_query(f"{query}&backend=studio")
    assert found == [bad]
    assert values == FormValues(backend="studio")


def test_what_is_no_value_of_the_form_is_passed_over() -> None:
    assert FormValues.of_query("__theme=dark&key=secret&photo=/etc/passwd") == (FormValues(), [])


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)).map(str))
def test_whatever_the_browser_kept_is_read_or_left_out(text: str) -> None:
    FormValues.of_json(text)
    FormValues.of_query(text)
