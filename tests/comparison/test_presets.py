"""Presets that every backend understands, and that tell each other apart at a glance."""

import dataclasses
import re

import pytest

from headshot.comparison.presets import PRESETS, Preset
from headshot.request import HeadshotRequest
from headshot.studio.prompt.reading import read

each = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)


@each
def test_a_presets_values_are_those_that_the_controls_can_show(preset: Preset) -> None:
    request = HeadshotRequest(
        prompt=preset.prompt, negative_prompt=preset.negative_prompt, guidance_scale=preset.guidance_scale
    )
    step = HeadshotRequest.model_json_schema()["properties"]["guidance_scale"]["step"]
    assert request.guidance_scale % step == 0


@each
def test_the_studio_understands_every_word_and_has_no_objection(preset: Preset) -> None:
    notes = read(preset.prompt, preset.negative_prompt).notes
    assert notes
    assert [str(note) for note in notes if note.kind != "applied"] == []


@each
def test_what_a_preset_is_called_is_what_the_studio_makes_of_it(preset: Preset) -> None:
    looks: dict[str, dict[str, object]] = {
        "Corporate": {"backdrop": "light grey", "light": "loop"},
        "Executive": {"backdrop": "charcoal", "light": "Rembrandt", "contrast": "high"},
        "Clean white": {"backdrop": "white", "light": "butterfly", "brightness": "high key"},
        "Navy": {"backdrop": "navy", "light": "loop"},
        "Warm": {"backdrop": "beige", "light": "soft", "tone": "warm"},
        "Classic grey": {"backdrop": "grey", "light": "broad window"},
        "Black & white": {"backdrop": "black", "light": "split", "black_and_white": True, "grain": "film"},
        "Office": {"backdrop": "office", "light": "loop"},
        "Window light": {"backdrop": "window", "light": "broad window"},
        "Garden": {"backdrop": "garden", "light": "soft", "tone": "warm"},
        "Own background": {"backdrop": "own background", "light": "loop"},
    }
    expected = looks[preset.name]
    chosen = dataclasses.asdict(read(preset.prompt, preset.negative_prompt).look)
    assert {name: chosen[name] for name in expected} == expected


@each
def test_a_name_is_short_enough_for_a_chip(preset: Preset) -> None:
    assert 3 <= len(preset.name) <= 14


@each
def test_a_swatch_goes_from_light_to_dark(preset: Preset) -> None:
    light, dark = (_brightness(colour) for colour in preset.swatch)
    assert light > dark + 5


def test_no_two_presets_share_a_name_a_look_or_a_swatch() -> None:
    assert len(PRESETS) == 11
    assert len({preset.name.casefold() for preset in PRESETS}) == 11
    assert len({read(preset.prompt, preset.negative_prompt).look for preset in PRESETS}) == 11
    assert len({preset.swatch for preset in PRESETS}) == 11


def test_the_first_preset_is_what_a_request_is_by_default() -> None:
    request, first = HeadshotRequest(), PRESETS[0]
    assert (first.prompt, first.negative_prompt, first.guidance_scale) == (
        request.prompt,
        request.negative_prompt,
        request.guidance_scale,
    )


def _brightness(colour: str) -> float:
    """Of a CSS colour like #a1b2c3, 0…255."""
    assert re.fullmatch("#[0-9a-f]{6}", colour)
    red, green, blue = bytes.fromhex(colour[1:])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
