"""The only reader of the environment. Every field is documented in the README; a test compares the two."""

from typing import Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .request import allowed


class Settings(BaseSettings):
    """Read from `HEADSHOT_*` variables; an empty one counts as not set.

    Raises SettingsError with one sentence that names the variable when a value cannot be used.
    """

    model_config = SettingsConfigDict(
        env_prefix="HEADSHOT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    backend: Annotated[str, Field(description="Backend chosen when the page opens: `auto` or a backend's name.")] = (
        "auto"
    )
    max_headshots: Annotated[int, Field(ge=1, le=16, description="Most headshots in one comparison.")] = 8
    keep_minutes: Annotated[
        int, Field(ge=1, le=1440, description="Minutes after which a visitor's photos and headshots are deleted.")
    ] = 60
    cached_photos: Annotated[
        int, Field(ge=1, le=32, description="Photos whose analysis the studio remembers (about 30 MB each).")
    ] = 3
    queue_size: Annotated[int, Field(ge=1, le=500, description="Comparisons that may wait in line.")] = 40
    open_browser: Annotated[bool, Field(description="Open the page in the default browser at the start.")] = True

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_wrong(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            name = str(error.errors(include_input=False)[0]["loc"][0])
            field = cls.model_json_schema()["properties"].get(name)
            if field is None:  # only code can do this: the environment's other variables are not read
                raise TypeError(f"there is no setting {name!r}") from error
            raise SettingsError(f"{variable(name)} must be {allowed(field)}.") from error


def variable(name: str) -> str:
    """The environment's variable of a field: `HEADSHOT_MAX_HEADSHOTS` of `max_headshots`."""
    return f"{Settings.model_config['env_prefix']}{name}".upper()
