"""Run a script with limited memory and time: `python -P limited_child.py MEMORY_BYTES CPU_SECONDS SCRIPT ARGUMENT…`.

`limited_process.py` starts it. The limits are set before the script imports anything. With -P the script cannot import
from its own folder, and nothing of this package is loaded. Windows has no such limits: there only the parent's
time-out holds.
"""

import runpy
import sys


def main() -> None:
    """Set the limits of this process and run the script as its main module."""
    memory_bytes, cpu_seconds = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = sys.argv[3:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
