"""The server's settings. Nothing else reads the environment; a test compares the fields with the README's table."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError
from .request import allowed

_HTTPS = r"https://[^\s/@]+(?:/[^\s?#@]*)?"


class Settings(BaseSettings):
    """The settings, read from `HEADSHOT_*` environment variables; an empty variable counts as not set.

    Each field's description is its documentation.

    Raises:
        SettingsError: a value cannot be used; the message is one sentence that names the variable.
    """

    model_config = SettingsConfigDict(
        env_prefix="HEADSHOT_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    backend: Annotated[str, Field(description="Backend chosen when the page opens: `auto` or a backend's name.")] = (
        "auto"
    )
    max_headshots: Annotated[int, Field(ge=1, le=16, description="Most headshots in one comparison.")] = 8
    max_matrix: Annotated[int, Field(ge=1, le=256, description="Most headshots in one matrix.")] = 48
    keep_minutes: Annotated[
        int, Field(ge=1, le=1440, description="Minutes after which a visitor's photo is deleted.")
    ] = 60
    history_hours: Annotated[
        int, Field(ge=1, le=8760, description="Hours after which a headshot in the history is deleted.")
    ] = 24
    starred_days: Annotated[
        int, Field(ge=1, le=3650, description="Days after which it is deleted if it, or its comparison, has a star.")
    ] = 30
    cached_photos: Annotated[
        int, Field(ge=1, le=32, description="Photos whose analysis the studio remembers (about 50 MB each).")
    ] = 3
    queue_size: Annotated[int, Field(ge=1, le=500, description="Comparisons that may wait in line.")] = 40
    open_browser: Annotated[bool, Field(description="Open the page in the default browser at the start.")] = True
    modelslab_key: Annotated[
        SecretStr, Field(description="The server's own ModelsLab key: whoever opens the page spends its credits.")
    ] = SecretStr("")
    modelslab_api: Annotated[
        Literal["enterprise", "v6"], Field(description="Which of ModelsLab's two APIs the keys are for.")
    ] = "enterprise"
    modelslab_url: Annotated[
        str,
        Field(
            description="Where ModelsLab is; the keys are sent there and nowhere else.",
            pattern=rf"^(?:{_HTTPS}|http://(?:127\.0\.0\.1|localhost)(?::\d+)?/?)$",
            json_schema_extra={"in_words": "an address that starts with https://"},
        ),
    ] = "https://modelslab.com"
    modelslab_in_flight: Annotated[
        int,
        Field(ge=1, le=100, description="Headshots of one key under way at once: 5, 10 or 15, by the account's plan."),
    ] = 5
    modelslab_give_up_seconds: Annotated[
        int,
        Field(ge=10, le=3600, description="Seconds after which a headshot that ModelsLab never finishes is given up."),
    ] = 600
    pipeline: Annotated[
        str,
        Field(description="Recipe of the local pipeline, or a folder with its weights; empty: by the memory found."),
    ] = ""
    pipeline_device: Annotated[
        str,
        Field(description="Where the local pipeline runs: `auto` for every accelerator, `cuda:1`, `mps`, or `cpu`."),
    ] = "auto"
    pipeline_compile: Annotated[
        bool, Field(description="Compile the local pipeline's model where device and compiler are there.")
    ] = True
    pipeline_sharpen: Annotated[
        bool, Field(description="Sharpen what the local pipeline makes, as the studio sharpens its own.")
    ] = False
    pipeline_grain: Annotated[
        bool, Field(description="Put the studio's fine grain on what the local pipeline makes.")
    ] = False
    pipeline_idle_minutes: Annotated[
        int, Field(ge=1, le=1440, description="Minutes without work after which the local pipeline frees its memory.")
    ] = 10
    public_url: Annotated[
        str,
        Field(
            description="Where the internet reaches this server: ModelsLab then calls as soon as a headshot is done.",
            pattern=rf"^(?:{_HTTPS})?$",
            json_schema_extra={"in_words": "an address that starts with https://, or empty"},
        ),
    ] = ""
    public_demo: Annotated[
        bool, Field(description="Strangers use this server: nobody may name a webhook of their own.")
    ] = False
    data_dir: Annotated[
        Path, Field(description="Folder for the history, for what ModelsLab makes, and for the signing certificate.")
    ] = Path("~/.headshot-playground")
    database_url: Annotated[
        SecretStr, Field(description="Database of all that, `postgresql://…`; empty: SQLite in that folder.")
    ] = SecretStr("")

    content_credentials: Annotated[
        bool, Field(description="Sign every headshot's file with Content Credentials (C2PA).")
    ] = True
    c2pa_certificate: Annotated[
        Path | None,
        Field(
            description="Certificate chain to sign with, PEM; empty: one that this server makes for itself.",
            json_schema_extra={"in_words": "a path, or empty"},
        ),
    ] = None
    c2pa_key: Annotated[
        Path | None,
        Field(
            description="That certificate's private key, PEM.",
            json_schema_extra={"in_words": "a path, or empty"},
        ),
    ] = None

    def history_time(self, *, starred: bool) -> timedelta:
        """Return how long the history keeps a comparison.

        Args:
            starred: whether it, or one of its headshots, has a star. Never shorter than without one.
        """
        hours = timedelta(hours=self.history_hours)
        return max(hours, timedelta(days=self.starred_days)) if starred else hours

    @model_validator(mode="wrap")
    @classmethod
    def _raise_settings_error(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            name = str(error.errors(include_input=False)[0]["loc"][0])
            field = cls.model_json_schema()["properties"].get(name)
            if field is None:  # a mistake in code: unknown environment variables are ignored
                raise TypeError(f"there is no setting {name!r}") from error
            raise SettingsError(f"{variable(name)} must be {allowed(field)}.") from error


def variable(name: str) -> str:
    """The environment variable of a field: `HEADSHOT_MAX_HEADSHOTS` for `max_headshots`."""
    return f"{Settings.model_config['env_prefix']}{name}".upper()
