"""The form without a browser: what it is filled with asks for the same headshots again."""

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stub import StubBackend

from headshot.comparison.axes import expand_axis
from headshot.comparison.matrix import Matrix, parse_prompts
from headshot.request import MAX_SEED, HeadshotRequest
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings
from headshot.ui.headshots.form import Form

BASE = HeadshotRequest(prompt="grey suit, grey wall", negative_prompt="blurry", seed=1)
SEEDS = st.lists(st.integers(0, 9) | st.integers(0, MAX_SEED), min_size=1, max_size=8, unique=True)
SCALES = st.lists(st.floats(1, 20), min_size=1, max_size=4, unique=True)
STEPS = st.lists(st.sampled_from([21, 31, 41]), min_size=1, unique=True).map(sorted)
WORDS = st.sampled_from(
    ["", "grey, navy", 'suit, "jumper, of wool", ""', "GREY SUIT, none", "l, wl", "wall, wall paper"]
)
COMPARISONS = st.one_of(
    st.builds(expand_axis, st.just(BASE), st.just("seed"), SEEDS),
    st.builds(expand_axis, st.just(BASE), st.just("guidance_scale"), SCALES),
    st.builds(expand_axis, st.just(BASE), st.just("num_inference_steps"), STEPS),
    st.builds(
        lambda words, *axes: Matrix(
            BASE, *axes, prompts=parse_prompts(BASE.prompt, words, at_most=8) if words else ()
        ).requests(),
        WORDS,
        SEEDS.filter(lambda seeds: len(seeds) <= 3),
        SCALES,
        STEPS,
    ),
)


@pytest.fixture(scope="module")
def form() -> Form:
    backend, folder = StubBackend(), Path(tempfile.mkdtemp())
    settings = Settings(max_headshots=8, max_matrix=3 * 4 * 3 * 3)
    with gr.Blocks(analytics_enabled=False):
        form = Form(settings, {"stub": backend}, SessionRegistry(folder, 60, backends=[backend]))
        form.look()
        form.axis()
        form.fine_tuning()
    return form


def _spelled(form: Form, *updates: dict[Any, Any] | None) -> list[HeadshotRequest]:
    """What the form asks for after those updates, one after the other."""
    values = {field: field.value for field in form.fields}
    for update in updates:
        assert update is not None and set(update) <= form.restorable
        values |= {field: value for field, value in update.items() if field in form.fields}
    return form.requests(values)


@given(before=COMPARISONS, comparison=COMPARISONS)
@settings(deadline=None, max_examples=150)
def test_a_whole_comparison_that_is_filled_in_asks_for_the_same_requests(
    form: Form, before: list[HeadshotRequest], comparison: list[HeadshotRequest]
) -> None:
    assert _spelled(form, form.repeated(before), form.repeated(comparison)) == comparison


def test_what_no_axis_spells_is_not_filled_in(form: Form) -> None:
    assert form.repeated([BASE, BASE.model_copy(update={"negative_prompt": "cartoon"})]) is None
    assert form.repeated([BASE.model_copy(update={"prompt": f"{mark}, {mark}"}) for mark in "“”"]) is None


def test_a_comparison_along_the_seeds_leaves_the_other_axes_as_they_are(form: Form) -> None:
    assert not {form.scales, form.step_counts, form.wordings} & set(form.repeated([BASE]) or ())
