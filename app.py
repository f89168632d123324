"""The start file of a Space, of the container and of `python app.py`: the same as `headshot page`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  an older Python would end in a traceback at the next import
    sys.exit(f"Headshot Playground needs Python 3.11 or newer; this is {sys.version_info[0]}.{sys.version_info[1]}.")

from headshot.commands.page import run_page


def main() -> None:
    """Serve the page, then exit with its status."""
    sys.exit(run_page())


if __name__ == "__main__":
    main()
