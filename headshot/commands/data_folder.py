"""Whether the data folder can be written to."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headshot.errors import SettingsError
from headshot.settings import Settings, variable


def check_data_folder(settings: Settings) -> None:
    """Check the folder without making it: a program that never stores anything leaves no folder.

    Raises:
        SettingsError: if the folder, or the nearest parent that exists, cannot be written to.
    """
    advice = f"set {variable('data_dir')} to a folder that can."
    try:
        folder = settings.data_dir.expanduser().absolute()
    except RuntimeError as error:  # no home directory is known, as for a container's user without an account
        raise SettingsError(f"The data folder {settings.data_dir} cannot be written to: {advice}") from error
    # os.access and not a try: the file system may be mounted read-only, and nothing is to be left behind.
    nearest = next((path for path in (folder, *folder.parents) if os.access(path, os.F_OK)), folder)
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise SettingsError(f"The data folder {folder} cannot be written to: {advice}")


@contextmanager
def with_data_folder(settings: Settings) -> Iterator[Settings]:
    """Yield settings whose data folder can be written to: a temporary one if theirs cannot.

    Args:
        settings: as the environment gives them.
    """
    try:
        check_data_folder(settings)
    except SettingsError:
        with tempfile.TemporaryDirectory(prefix="headshot-data-", ignore_cleanup_errors=True) as folder:
            yield settings.model_copy(update={"data_dir": Path(folder)})
    else:
        yield settings
