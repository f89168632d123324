"""What the house promises about itself: light to import, and Gradio behind one door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("module", ["headshot", "headshot.comparison.comparing", "headshot.backends"])
def test_importing_the_library_loads_neither_gradio_nor_torch(module: str) -> None:
    script = f"import sys, {module}; print([name for name in ('gradio', 'torch', 'diffusers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_page_and_its_server_import_gradio() -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in [*ROOT.glob("*.py"), *ROOT.glob("headshot/**/*.py"), *ROOT.glob("scripts/**/*.py")]
        if "gradio" in _imported(path)
    }
    assert importers
    assert all(name == "headshot/server.py" or name.startswith("headshot/ui/") for name in importers)


def test_nothing_below_the_page_knows_that_a_screen_exists() -> None:
    server = ("server.py", "guard.py")
    below = [path for path in ROOT.glob("headshot/**/*.py") if "ui" not in path.parts and path.name not in server]
    assert below
    for path in below:
        assert not _imported(path) & {"ui", "server", "headshot.ui", "headshot.web.server"}, path


def _imported(path: Path) -> set[str]:
    """The modules a file names in its imports, each by its first word and, for our own, in full."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {alias.name for alias in node.names if node.level}
    return names | {name.partition(".")[0] for name in names}
