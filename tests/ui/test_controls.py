"""The form's controls: each is what its field says."""

import gradio as gr
import pytest

from headshot.errors import RequestError
from headshot.request import HeadshotRequest
from headshot.ui.headshots import controls

NAMES = ("prompt", "negative_prompt", "guidance_scale", "num_inference_steps")


def test_a_control_is_what_its_field_says() -> None:
    slider = controls.control("guidance_scale")
    assert isinstance(slider, gr.Slider)
    assert (slider.minimum, slider.maximum, slider.step, slider.value) == (1, 20, 0.5, 7.5)
    steps = controls.control("num_inference_steps")
    assert isinstance(steps, gr.Dropdown)
    assert steps.choices == [("21", "21"), ("31", "31"), ("41", "41")]
    assert steps.value == "21"
    prompt = controls.control("prompt")
    assert isinstance(prompt, gr.Textbox)
    assert prompt.max_length == 2_000
    for name in NAMES:
        field = HeadshotRequest.model_fields[name]
        made = controls.control(name)
        assert (made.label, made.info) == (field.title, field.description)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_control_is_given_is_what_it_is_read_as(name: str) -> None:
    for request in (HeadshotRequest(), HeadshotRequest(num_inference_steps=41, guidance_scale=3.25, prompt="")):
        value = getattr(request, name)
        assert controls.read(name, controls.written(name, value)) == value


def test_untouched_controls_spell_the_default_request() -> None:
    made = {name: controls.control(name) for name in NAMES}
    values = {control: control.value for control in made.values()}
    assert controls.request(values, made) == HeadshotRequest()


def test_an_emptied_number_is_answered_with_a_sentence() -> None:
    made = {name: controls.control(name) for name in NAMES}
    values = {control: control.value for control in made.values()} | {made["guidance_scale"]: None}
    with pytest.raises(RequestError, match=r"^Guidance must be a number"):
        controls.request(values, made)
