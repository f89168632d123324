"""`python -m headshot` does the same as `headshot`: see `headshot.commands`."""

import sys
from collections.abc import Sequence

from headshot.commands.parser import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None for those of this process.

    Returns:
        The exit status: 0, 1 if it could not be done, 2 for wrong usage, 130 after Ctrl-C.
    """
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
