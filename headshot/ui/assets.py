"""The page's scripts and fragments of HTML: files beside the Python code; a script's address has their hash."""

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
MEDIA_TYPES = {".js": "text/javascript; charset=utf-8"}


@cache
def files() -> dict[str, bytes]:
    """Return all scripts by their path in this folder, as `headshots/viewer.js`."""
    return {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }


@cache
def version() -> str:
    """Return a hash of all scripts. It is part of their address, so that a browser may keep them for ever."""
    digest = hashlib.sha256()
    for name, content in files().items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def text(*paths: str) -> str:
    """Return the texts of files one after the other.

    Args:
        paths: in this folder, as `headshots/frames.html`.
    """
    return "".join((FOLDER / path).read_text(encoding="utf-8") for path in paths)


def call(function: str, *arguments: str) -> str:
    """Return the `js_on_load` of a component that calls a function of main.js.

    Args:
        function: its name.
        arguments: JavaScript expressions; `element`, `trigger`, `watch` and `props` are the component's.
    """
    module = f'new URL("scripts/{version()}/main.js", document.baseURI)'
    return f"import({module}).then((page) => page.{function}({', '.join(arguments)}));"
