"""What is asked for, what comes out, and what is said on the way: the words all backends share."""

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

MAX_SEED = 2**32 - 1  # the diffusion world's range: a torch or numpy seed fits, and so does JavaScript's number
MAX_PROMPT_CHARACTERS = 2_000  # far beyond the 77 tokens most text encoders read; keeps a pasted book out


def _whole(value: Any) -> Any:
    """NumPy's whole numbers as Python's, for seeds often come out of an array."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


class HeadshotRequest(BaseModel):
    """One headshot to make, in the hosted endpoint's own field names.

    Each field's title, bounds, default and help stand here and nowhere else: the page's controls and the
    documentation are built from them. The photo travels beside the request, so that a request is small,
    hashable, comparable and storable. Raises RequestError with one sentence when a value is wrong.
    """

    # strict: True is not a seed and "21" is not a number. What a person types is read where it is typed.
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
            description="What must not appear.",
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
    def _say_what_is_wrong(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            raise RequestError(_sentence(cls, error)) from error


def random_seed() -> int:
    """A seed nobody chose, in 0…2³²−1."""
    return secrets.randbelow(MAX_SEED + 1)


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """The first complaint in words: "Guidance must be a number from 1 to 20." """
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
            return f"{title} holds a broken character: type the text again instead of pasting it."
    return f"{title} must be {allowed(fields[name])}."


def allowed(field: Mapping[str, Any]) -> str:
    """What a field's JSON schema allows, in words that follow "must be": `a whole number from 1 to 16`."""
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
    """One thing the person should know about a headshot. `text` is a whole sentence or a short phrase."""

    kind: Literal["applied", "not applied", "advice"]
    text: str

    def __str__(self) -> str:
        return f"{self.kind.capitalize()}: {self.text}"


@dataclass(frozen=True)
class Headshot:
    """One finished picture.

    image: RGB.  png: the file's bytes, which `image` decodes to.  request: with its seed resolved.
    seconds: wall time of this picture alone, in which work shared by the whole comparison is not counted.
    likeness: cosine of the face embeddings of photo and headshot, −1…1, None where no face was found again.
    face_box: x, y, width, height of that face in the picture's pixels, None as well where nobody has looked for it.
    job: names it in the books of a backend that keeps some, else "".
    facts: what it takes to repeat it beside the request (model, device, versions), as JSON's types.
    trust: how far the person could be cut out of the photo, 0…1; from .55 on the cut-out is used, below it the photo's
    own background stays. None from a backend that cuts nothing out.
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
        """Tells what was asked for, and is another one for every other seed, guidance or steps of a comparison."""
        asked = self.request
        guidance = repr(asked.guidance_scale).removesuffix(".0")  # every digit: "%g" would join 7.5 and 7.5000001
        return f"headshot-{self.backend}-seed-{asked.seed}-guidance-{guidance}-steps-{asked.num_inference_steps}.png"
