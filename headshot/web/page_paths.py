"""The addresses that the middleware looks at."""

from pathlib import Path

from starlette.types import Scope

from headshot import ui

FILE = "/gradio_api/file="
HEARTBEAT = "/gradio_api/heartbeat/"
QUEUE_JOIN = "/gradio_api/queue/join"


def path_of(scope: Scope) -> str:
    """Return the request's path within the page, wherever the page is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def is_link(text: str) -> bool:
    """Return whether a file's name is really the address of another server."""
    return text.strip().lower().startswith(("http:", "https:", "//"))


def is_in_cache(path: str) -> bool:
    """Return whether a file is in the folder of uploads and pictures."""
    try:
        return Path(path).resolve().is_relative_to(ui.CACHE)
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False
