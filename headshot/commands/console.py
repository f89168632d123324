"""Lines, sentences and JSON for the person or the program that called."""

import json
import re
import sys
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def write_line(text: str) -> None:
    """Print one line on standard output at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_error(sentence: str) -> None:
    """Print one sentence on standard error."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def write_json(value: Any) -> None:
    """Print one JSON value in ASCII, which every console and pipe can carry."""
    write_line(json.dumps(value, indent=2))


def printable(text: str) -> str:
    """Return the text without characters that would control a terminal: pictures come from strangers."""
    return _CONTROL.sub("\ufffd", text)
