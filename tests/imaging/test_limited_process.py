"""A script in a process of its own can neither outgrow its limits nor harm the process that runs it."""

import sys
from pathlib import Path

import pytest

from headshot.imaging.limited_process import run_limited

LIMITS = {"memory_bytes": 2**30, "cpu_seconds": 5, "seconds": 20}


def _script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text)
    return path


def test_a_script_gets_its_arguments_and_data_and_returns_its_output(tmp_path: Path) -> None:
    script = _script(tmp_path, "import sys; print(sys.argv[1:], sys.stdin.read(), 'headshot' in sys.modules, end='')")
    assert run_limited(script, ["a", "b c"], b"data", **LIMITS) == b"['a', 'b c'] data False"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_script_that_needs_too_much_memory_fails(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="MemoryError"):
        run_limited(_script(tmp_path, "bytearray(2**31)"), [], b"", **LIMITS)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_a_script_that_uses_too_much_processor_time_is_ended(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"script\.py ended with -"):
        run_limited(_script(tmp_path, "while True: pass"), [], b"", **LIMITS | {"cpu_seconds": 1})


def test_a_script_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="more than 1 s"):
        run_limited(_script(tmp_path, "import time; time.sleep(60)"), [], b"", **LIMITS | {"seconds": 1})


@pytest.mark.parametrize("does", ["import os; os.abort()", "raise SystemExit(3)"])
def test_a_script_that_crashes_or_fails_raises_an_error(does: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="ended with"):
        run_limited(_script(tmp_path, does), [], b"", **LIMITS)
