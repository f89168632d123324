"""Two requests side by side: which fields differ, and how."""

from typing import Any

from ..request import HeadshotRequest


def differences(mine: HeadshotRequest, theirs: HeadshotRequest) -> list[tuple[str, str, str]]:
    """The title of each field that differs, with both values as text, in the order of the form."""
    return [
        (str(field.title), _shown(name, getattr(mine, name)), _shown(name, getattr(theirs, name)))
        for name, field in HeadshotRequest.model_fields.items()
        if getattr(mine, name) != getattr(theirs, name)
    ]


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "a new one each time"
    if value == "":
        return "empty"
    return f"{value:g}" if isinstance(value, float) else str(value)
