"""Run a script of this project in a process of its own, with limited memory and time.

It is meant for decoders in machine code that read strangers' files: a crash ends that process and not the server.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_CHILD = Path(__file__).with_name("limited_child.py")


def run_limited(
    script: Path, arguments: Sequence[str], data: bytes, *, memory_bytes: int, cpu_seconds: int, seconds: float
) -> bytes:
    """Run a Python script with `data` as its standard input and return its standard output.

    Args:
        script: Imports nothing of this package; see `limited_child.py`.
        arguments: Its command line.
        data: Its standard input.
        memory_bytes: Limit on its address space, of which libraries alone reserve half a gigabyte.
        cpu_seconds: Limit on processor time.
        seconds: Limit on elapsed time.

    Raises:
        OSError: if the script fails, crashes or exceeds a limit.
    """
    command = [sys.executable, "-P", str(_CHILD), str(memory_bytes), str(cpu_seconds), str(script), *arguments]
    try:
        child = subprocess.run(command, input=data, capture_output=True, timeout=seconds)  # noqa: S603 - our own files
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{script.name} took more than {seconds:g} s") from error
    if child.returncode:
        last_line = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise OSError(f"{script.name} ended with {child.returncode}: {''.join(last_line)}")
    return child.stdout
