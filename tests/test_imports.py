"""Importing the library is quick; scripts/check proves with import-linter which package may import which."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "module",
    ["headshot", "headshot.comparison.comparing", "headshot.backends", "headshot.modelslab.client"],
)
def test_importing_the_library_loads_neither_gradio_nor_torch(module: str) -> None:
    script = f"import sys, {module}; print([name for name in ('gradio', 'torch', 'diffusers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
