"""Limits on what is read of a stranger's file, and the errors for files that exceed them."""

import json
import math
import re
from typing import Any

from headshot.errors import PhotoError, RequestError

MAX_TEXT_BYTES = 2 * 2**20  # of one text: a large ComfyUI graph with its workflow has 0.3 MB
MAX_ALL_BYTES = 6 * 2**20  # of all texts together
MAX_PARTS = 1_000  # chunks or segments beside the pixels'; cameras and editors write about twenty
MAX_NUMBER_CHARS = 40  # the largest seed anybody uses has twenty digits

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def damaged_error(kind: str, how: str) -> PhotoError:
    """Return the error for a damaged file.

    Args:
        kind: as "PNG".
        how: continues the sentence "The PNG file …".
    """
    return PhotoError(f"The {kind} file {how}, so that what it says cannot be read: fetch it again from its source.")


def limit_error(what: str) -> PhotoError:
    """Return the error for a file that exceeds a limit.

    Args:
        what: continues the sentence "The file holds …".
    """
    return PhotoError(f"The file holds {what}, more than any headshot’s recipe has, and is not read any further.")


def printable(text: str) -> str:
    """Replace control characters and halves of characters (lone surrogates), which UTF-8 cannot hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def parse_json(text: str, what: str, *, strict: bool = True) -> Any:
    """Parse a stranger's JSON; all numbers in the result are finite and of a sane length.

    Args:
        text: untrusted.
        what: names it in the error's sentence.
        strict: False reads NaN and infinity, which JSON does not have but ComfyUI writes, as None.

    Raises:
        RequestError: if it exceeds a limit.
        ValueError: if it is no JSON.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise RequestError(f"The file’s {what} is too long to be read: no headshot’s recipe is so large.")

    def integer(number: str) -> int:
        if len(number) > MAX_NUMBER_CHARS:
            raise RequestError(f"The file’s {what} holds a number of {len(number):,} digits, which is no setting.")
        return int(number)

    def finite(number: str) -> float | None:
        value = float(number) if len(number) <= 400 else math.nan
        if not math.isfinite(value):
            if not strict:
                return None
            raise RequestError(f"The file’s {what} holds {number[:20]} where a number must be.")
        return value

    try:
        return json.loads(text, parse_int=integer, parse_float=finite, parse_constant=finite)
    except RecursionError as error:
        raise RequestError(f"The file’s {what} is nested too deep to be read.") from error
