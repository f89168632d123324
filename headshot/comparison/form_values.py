"""What a person has typed and chosen in the form, as text that goes into a link or stays in the browser.

No key, no photo, and nothing that a stranger's link could do harm with: every value is checked when it is read.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from headshot.request import HeadshotRequest

_REQUEST = HeadshotRequest.model_fields
_MAX_CHARS = 20_000  # of a link or of what the browser kept: two prompts of 2,000 characters, percent-encoded
_TYPED = Annotated[str, Field(max_length=500)]


class FormValues(BaseModel):
    """The values of the form, all optional: one that is None is left as it is.

    Attributes:
        prompt, negative_prompt, num_inference_steps, guidance_scale: as in `HeadshotRequest`.
        seeds: as typed, which `parse_seeds` reads.
        keep_seeds: whether the next comparison uses the same seeds.
        compare: what is varied.
        guidance_values: as typed, which `parse_guidance_scales` reads.
        steps_values: the steps to compare.
        prompt_values: as typed, which `parse_prompts` reads.
        backend: its name; whether there is such a backend is for the form to say.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: Annotated[str | None, *_REQUEST["prompt"].metadata] = None
    negative_prompt: Annotated[str | None, *_REQUEST["negative_prompt"].metadata] = None
    num_inference_steps: Literal[21, 31, 41] | None = None
    guidance_scale: Annotated[float | None, *_REQUEST["guidance_scale"].metadata] = None
    seeds: _TYPED | None = None
    keep_seeds: bool | None = None
    compare: Literal["seed", "guidance_scale", "num_inference_steps", "matrix"] | None = None
    guidance_values: _TYPED | None = None
    steps_values: tuple[Literal[21, 31, 41], ...] | None = None
    prompt_values: _TYPED | None = None
    backend: Annotated[str | None, Field(max_length=40)] = None

    @classmethod
    def of_json(cls, text: str) -> "FormValues":
        """Read what the browser kept. What cannot be read is left out.

        Args:
            text: as `model_dump_json` writes it, or anything else.
        """
        try:
            found = json.loads(text[:_MAX_CHARS])
        except (ValueError, RecursionError):
            found = None
        return cls._read(found if isinstance(found, dict) else {})[0]

    @classmethod
    def of_query(cls, query: str) -> tuple["FormValues", list[str]]:
        """Read a link.

        Args:
            query: the part of an address after the question mark.

        Returns:
            The values, and the names of those in the link that cannot be read.
        """
        texts = {name: values[-1] for name, values in parse_qs(query[:_MAX_CHARS], keep_blank_values=True).items()}
        values: dict[str, Any] = {name: text for name, text in texts.items() if name in cls.model_fields}
        for name in ("num_inference_steps", "guidance_scale"):
            if name in values:
                values[name] = _number(values[name])
        if "steps_values" in values:
            values["steps_values"] = [_number(text) for text in values["steps_values"].split(",") if text]
        return cls._read(values)

    @classmethod
    def _read(cls, values: Mapping[str, Any]) -> tuple["FormValues", list[str]]:
        """The values that are valid, and the names of the others."""
        good: dict[str, Any] = {}
        bad = []
        for name, field in cls.model_fields.items():
            if values.get(name) is None:
                continue
            try:
                annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
                good[name] = TypeAdapter(annotation).validate_python(values[name])
            except ValidationError:
                bad.append(name)
        return cls(**good), bad


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
