"""Presets: eleven settings to start from. Each fills the form, where a person can change it."""

from dataclasses import dataclass

from headshot.request import HeadshotRequest


@dataclass(frozen=True)
class Preset:
    """Settings under a name, in words that every backend understands.

    Attributes:
        name: at most 14 characters.
        prompt: for the request.
        negative_prompt: for the request.
        guidance_scale: for the request.
        swatch: two CSS colours that suggest the backdrop, at its lit and its far edge.
    """

    name: str
    prompt: str
    negative_prompt: str
    guidance_scale: float
    swatch: tuple[str, str]


_DEFAULTS = HeadshotRequest()

# The prompts are photographers' English, like the captions that diffusion models were trained on; the studio's
# vocabulary has every word of them. Guidance is 7.5, a full look, and less if a stronger one began to cost
# likeness on two portraits (Executive, Black & white) or the place should stay behind the person. Swatches are
# the means of the brightest and the darkest fifth of the backdrop in the studio's headshots.
PRESETS: tuple[Preset, ...] = (
    Preset(
        "Corporate",
        _DEFAULTS.prompt,
        _DEFAULTS.negative_prompt,
        _DEFAULTS.guidance_scale,
        ("#c8c9cb", "#a1a2a3"),
    ),
    Preset(
        "Executive",
        "professional headshot, charcoal backdrop, Rembrandt light, high contrast",
        "blurry, oversaturated, plastic skin, flat lighting",
        6.5,
        ("#3d3e3f", "#262728"),
    ),
    Preset(
        "Clean white",
        "professional headshot, pure white backdrop, butterfly light, bright high key",
        "blurry, oversaturated, plastic skin, underexposed",
        7.5,
        ("#f9f9f9", "#dfdfdf"),
    ),
    Preset(
        "Navy",
        "professional headshot, navy blue backdrop, loop light",
        "blurry, oversaturated, plastic skin",
        7.5,
        ("#24344c", "#151f30"),
    ),
    Preset(
        "Warm",
        "professional headshot, beige backdrop, soft diffused light, warm tones",
        "blurry, oversaturated, plastic skin, cold",
        7,
        ("#cab498", "#9a8872"),
    ),
    Preset(
        "Classic grey",
        "classic portrait photograph, grey backdrop, broad window light",
        "blurry, oversaturated, plastic skin",
        7.5,
        ("#7e7f80", "#545455"),
    ),
    Preset(
        "Garden",
        "professional headshot in a garden, soft warm light, blurred background",
        "blurry, oversaturated, plastic skin",
        6.5,
        ("#aaae7e", "#4f5137"),
    ),
    Preset(
        "Black & white",
        "black and white portrait photograph, black backdrop, split light, rim light, film grain",
        "blurry, plastic skin, colour",
        5,
        ("#1c1c1c", "#131313"),
    ),
    Preset(
        "Office",
        "professional headshot in a modern office, blurred background, soft loop light",
        "blurry, oversaturated, plastic skin, cluttered background",
        7,
        ("#dcddde", "#756c63"),
    ),
    Preset(
        "Window light",
        "natural portrait photograph beside a window, broad window light",
        "blurry, oversaturated, plastic skin",
        6.5,
        ("#e3e4e4", "#a19e96"),
    ),
    Preset(
        "Own background",
        "professional headshot, own background, blurred, soft loop light",
        "blurry, oversaturated, plastic skin",
        6.5,
        ("#b9c4bd", "#6d7a74"),
    ),
)

_NAMES = {(preset.prompt, preset.negative_prompt): preset.name for preset in PRESETS}


def preset_of(request: HeadshotRequest) -> str:
    """Return the name of the preset with this prompt and negative prompt, "" if there is none."""
    return _NAMES.get((request.prompt, request.negative_prompt), "")
