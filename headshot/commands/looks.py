"""`headshot looks`: the presets, and one of them by its name."""

import re

from headshot.comparison.presets import PRESETS, Preset
from headshot.errors import RequestError

from .console import write_json, write_line


def look_name(text: str) -> str:
    """Return a preset's name as it is typed on a command line: `black-and-white` for “Black & white”."""
    return re.sub("[^a-z0-9]+", "-", text.casefold().replace("&", " and ")).strip("-")


def find_look(name: str) -> Preset:
    """Return the preset of that name; case, spaces and hyphens do not matter.

    Raises:
        RequestError: if there is none; the sentence names those that there are.
    """
    looks = {look_name(preset.name): preset for preset in PRESETS}
    try:
        return looks[look_name(name)]
    except KeyError as error:
        *others, last = looks
        raise RequestError(f"There is no look “{name[:40]}”: choose {', '.join(others)} or {last}.") from error


def show_looks(*, as_json: bool) -> int:
    """Print every preset with its prompts.

    Returns:
        The exit status, 0.
    """
    if as_json:
        write_json(
            [
                {
                    "look": look_name(preset.name),
                    "title": preset.name,
                    "prompt": preset.prompt,
                    "negative_prompt": preset.negative_prompt,
                    "guidance_scale": preset.guidance_scale,
                }
                for preset in PRESETS
            ]
        )
        return 0
    for preset in PRESETS:
        write_line(look_name(preset.name))
        write_line(f"    prompt:           {preset.prompt}")
        write_line(f"    negative prompt:  {preset.negative_prompt}")
        write_line(f"    guidance:         {preset.guidance_scale:g}")
    return 0
