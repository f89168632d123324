"""Controls for the request's fields. Title, bounds, default and help are declared only in `request.py`."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from headshot.request import HeadshotRequest

_SCHEMA = HeadshotRequest.model_json_schema()["properties"]
_LINES = {"prompt": 2}


def control(name: str) -> gr.components.Component:
    """The control for one field of the request: a choice, a slider or a text box, depending on the field's type."""
    field = _SCHEMA[name]
    about: dict[str, Any] = {
        "value": field["default"],
        "label": field["title"],
        "info": field["description"],
        "elem_id": name.replace("_", "-"),
    }
    if "enum" in field:
        # Strings, because Gradio tells clients that choices are strings and then refuses numbers.
        about["value"] = str(field["default"])
        return gr.Dropdown(choices=choices(name), filterable=False, **about)
    if field["type"] == "number":
        step = field.get("step", 0.1)
        return gr.Slider(minimum=field["minimum"], maximum=field["maximum"], step=step, **about)
    if field["type"] == "string":
        return gr.Textbox(
            lines=_LINES.get(name, 1), max_lines=8, max_length=field["maxLength"], html_attributes=_plain(), **about
        )
    raise TypeError(f"there is no control for the type of “{name}”")


def request(values: Mapping[Any, Any], controls: Mapping[str, gr.components.Component]) -> HeadshotRequest:
    """The request that the controls describe.

    Args:
        values: by control.
        controls: by the request's field.

    Raises:
        RequestError: with one sentence, if a value is wrong.
    """
    return HeadshotRequest(**{name: read(name, values[control]) for name, control in controls.items()})


def choices(name: str) -> list[str]:
    """The choices of a field, as its control shows them."""
    return [str(choice) for choice in _SCHEMA[name]["enum"]]


def read(name: str, value: Any) -> Any:
    """A control's value as the field's type. A value that is no choice is returned as it is: the request refuses it."""
    field = _SCHEMA[name]
    if "enum" in field:
        return next((choice for choice in field["enum"] if str(choice) == value), value)
    return value


def written(name: str, value: Any) -> Any:
    """A field's value as its control shows it: the opposite of `read`."""
    return str(value) if "enum" in _SCHEMA[name] else value


def _plain() -> gr.InputHTMLAttributes:
    return gr.InputHTMLAttributes(spellcheck=True, autocomplete="off")
