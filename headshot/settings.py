"""The only reader of the environment. Every field is documented in the README; a test compares the two."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `HEADSHOT_*` variables. Unknown values are refused at the start with the field's name."""

    model_config = SettingsConfigDict(env_prefix="HEADSHOT_", frozen=True, hide_input_in_errors=True)

    backend: Annotated[str, Field(description="Backend chosen when the page opens: `auto` or a backend's name.")] = (
        "auto"
    )
    max_seeds: Annotated[int, Field(ge=1, le=16, description="Most headshots in one comparison.")] = 8
    keep_minutes: Annotated[
        int, Field(ge=1, le=1440, description="Minutes after which a visitor's photos and headshots are deleted.")
    ] = 60
    cached_photos: Annotated[
        int, Field(ge=1, le=32, description="Photos whose analysis the studio remembers (about 60 MB each).")
    ] = 3
    queue_size: Annotated[int, Field(ge=1, le=500, description="Comparisons that may wait in line.")] = 40
    open_browser: Annotated[bool, Field(description="Open the page in the default browser at the start.")] = True
