"""The request, the headshot and its notes: the types that all backends share."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Annotated, Any, Literal, Self

from PIL import Image
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from .errors import RequestError

MAX_SEED = 2**32 - 1  # the usual range in diffusion: it fits torch's and numpy's seeds and JavaScript's numbers
MAX_PROMPT_CHARACTERS = 2_000  # far beyond the 77 tokens that most text encoders read; keeps out a pasted book


def _whole(value: Any) -> Any:
    """NumPy's whole numbers as Python's, because seeds often come from an array."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


class HeadshotRequest(BaseModel):
    """One headshot to make, in the hosted endpoint's own field names.

    Each field's title, bounds, default and help are declared only here: the page's controls and the documentation are
    built from them. The photo is passed beside the request, so a request is small, hashable, comparable and storable.

    Raises:
        RequestError: a value is wrong; the message is one sentence about the first wrong value.
    """

    # strict: True is not a seed and "21" is not a number. Text that a person types is parsed by its control.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)

    prompt: Annotated[
        str,
        Field(
            title="Prompt",
            description="The look you want: backdrop, light, tone, crop.",
            max_length=MAX_PROMPT_CHARACTERS,
        ),
    ] = "professional headshot, light grey backdrop, soft loop light"
    negative_prompt: Annotated[
        str,
        Field(
            title="Negative prompt",
            description="Things to avoid.",
            max_length=MAX_PROMPT_CHARACTERS,
        ),
    ] = "blurry, oversaturated, plastic skin"
    num_inference_steps: Annotated[
        Literal[21, 31, 41],
        Field(title="Steps", description="Effort: 21 is fast, 31 finer, 41 finest."),
    ] = 21
    guidance_scale: Annotated[
        float,
        Field(
            title="Guidance",
            description="How closely the prompt is followed: 1 stays with the photo, 7.5 is a full look, 20 dramatic.",
            ge=1,
            le=20,
            allow_inf_nan=False,
            json_schema_extra={"step": 0.5},
        ),
    ] = 7.5
    seed: Annotated[
        Annotated[int, Field(ge=0, le=MAX_SEED), BeforeValidator(_whole)] | None,
        Field(
            title="Seed",
            description="The same photo, request and seed give the same picture. Empty: a new one each time.",
        ),
    ] = None

    @model_validator(mode="wrap")
    @classmethod
    def _raise_request_error(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            raise RequestError(_sentence(cls, error)) from error


def random_seed() -> int:
    """A random seed from 0 to `MAX_SEED`."""
    return secrets.randbelow(MAX_SEED + 1)


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """One sentence about the first error, such as “Guidance must be a number from 1 to 20”."""
    fields = model.model_json_schema()["properties"]
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if not name:
        return f"A headshot's settings are given by name: {', '.join(fields)}."
    if name not in fields:
        return f"“{name[:20]}” is not a setting of a headshot; the settings are {', '.join(fields)}."
    title = fields[name]["title"]
    match first["type"]:
        case "string_too_long":
            return f"{title} is too long: keep it within {first['ctx']['max_length']:,} characters."
        case "string_unicode":
            return f"{title} contains a broken character. Type the text instead of pasting it."
    return f"{title} must be {allowed(fields[name])}."


def allowed(field: Mapping[str, Any]) -> str:
    """The values that a field allows, in words that follow “must be”: `a whole number from 1 to 16`.

    Args:
        field: the field's JSON schema. Its extra key `in_words` replaces the generated words.
    """
    kinds = field.get("anyOf", [field])
    if len(kinds) > 1:
        return " or ".join(allowed(kind) for kind in kinds)
    if "in_words" in field:
        return str(field["in_words"])
    if "enum" in field:
        *others, last = (str(choice) for choice in field["enum"])
        return f"{', '.join(others)} or {last}" if others else last
    within = f" from {field['minimum']} to {field['maximum']}" if "minimum" in field else ""
    match field["type"]:
        case "integer":
            return f"a whole number{within}"
        case "number":
            return f"a number{within}"
        case "boolean":
            return "true or false"
        case "null":
            return "empty"
    return "text"


@dataclass(frozen=True)
class Note:
    """One thing the person should know about a headshot.

    Attributes:
        kind: whether a wish was applied or not, or a piece of advice.
        text: a whole sentence or a short phrase.
    """

    kind: Literal["applied", "not applied", "advice"]
    text: str

    def __str__(self) -> str:
        return f"{self.kind.capitalize()}: {self.text}"


@dataclass(frozen=True)
class Headshot:
    """One finished picture.

    Attributes:
        image: RGB.
        png: the file's bytes, which decode to `image`.
        request: what it was made from, with a number as its seed.
        backend: the name of the backend that made it.
        seconds: wall time of this picture alone, without work shared by the whole comparison.
        notes: what the person should know about it.
        likeness: cosine of the face embeddings of photo and headshot, −1…1; None if no face was found in the headshot.
        job: the backend's own job id, or "" if the backend has none.
        face_box: x, y, width and height of that face in the picture's pixels; None if none was found or looked for.
        facts: what is needed to repeat it beside the request (model, device, versions), in JSON types.
        trust: how reliably the person could be cut out of the photo, 0…1. From 0.55 on the cut-out is used; below it
            the photo's own background stays. None from a backend that cuts nothing out.
    """

    image: Image.Image
    png: bytes
    request: HeadshotRequest
    backend: str
    seconds: float
    notes: tuple[Note, ...] = ()
    likeness: float | None = None
    job: str = ""
    face_box: tuple[float, float, float, float] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    trust: float | None = None

    @property
    def filename(self) -> str:
        """The file's name. It holds backend, seed, guidance and steps, so it differs within a comparison of these."""
        request = self.request
        guidance = repr(request.guidance_scale).removesuffix(
            ".0"
        )  # every digit: “%g” would give 7.5 and 7.5000001 the same name
        steps = request.num_inference_steps
        return f"headshot-{self.backend}-seed-{request.seed}-guidance-{guidance}-steps-{steps}.png"
