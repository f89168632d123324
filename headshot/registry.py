"""The backends of this server: the only file that imports all three."""

from .backend_names import AUTO
from .backends import Backend
from .errors import SettingsError
from .modelslab.backend import ModelsLab
from .modelslab.jobs import JobService
from .pipeline.backend import Pipeline
from .settings import Settings, variable
from .studio.backend import Studio


def create_backends(settings: Settings) -> dict[str, Backend]:
    """Create all backends.

    Args:
        settings: of the server.

    Returns:
        The backends by name, best first: `auto` uses the first that is ready.

    Raises:
        SettingsError: `settings.backend` names none of them.
    """
    backends: list[Backend] = [
        ModelsLab(JobService(settings)),
        Pipeline(settings),
        Studio(cached_photos=settings.cached_photos),
    ]
    by_name = {backend.name: backend for backend in backends}
    if settings.backend not in (AUTO, *by_name):
        raise SettingsError(f"{variable('backend')} must be {' or '.join([AUTO, *by_name])}.")
    return by_name
