"""Compares requests: which fields differ, and how."""

from collections.abc import Collection, Sequence
from typing import Any

from headshot.request import HeadshotRequest

_MOST_SHOWN = 6  # values of one field; a matrix has dozens of seeds


def differences(
    mine: HeadshotRequest | Sequence[HeadshotRequest],
    theirs: HeadshotRequest,
    *,
    among: Collection[str] = tuple(HeadshotRequest.model_fields),
) -> list[tuple[str, str, str]]:
    """Return the title of each field that differs, with both values as text, in the order of the form.

    Args:
        mine: one request, or those of a comparison, whose values are joined.
        theirs: the request to compare with.
        among: the fields to compare.
    """
    requests = [mine] if isinstance(mine, HeadshotRequest) else mine
    found = []
    for name, field in HeadshotRequest.model_fields.items():
        if name not in among:
            continue
        values = list(dict.fromkeys(getattr(request, name) for request in requests))
        if values != [getattr(theirs, name)]:
            more = ", …" if len(values) > _MOST_SHOWN else ""
            quoted = (
                "“{}”" if len(values) > 1 and isinstance(values[0], str) else "{}"
            )  # prompts have commas of their own
            shown = ", ".join(quoted.format(_shown(value)) for value in values[:_MOST_SHOWN]) + more
            found.append((str(field.title), shown, _shown(getattr(theirs, name))))
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "a new one each time"
    if value == "":
        return "empty"
    return f"{value:g}" if isinstance(value, float) else str(value)
