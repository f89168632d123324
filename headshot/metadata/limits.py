"""How much of a stranger's file is read, and the sentences for what lies beyond."""

import json
import math
import re
from typing import Any

from headshot.errors import PhotoError, RequestError

MAX_TEXT_BYTES = 2 * 2**20  # of one text: a large ComfyUI graph with its workflow has 0.3 MB
MAX_ALL_BYTES = 6 * 2**20  # of all texts together
MAX_PARTS = 1_000  # chunks or segments beside the pixels'; cameras and editors write about twenty
MAX_NUMBER_CHARS = 40  # the largest seed anybody uses has twenty digits

_BROKEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def damaged(kind: str, how: str) -> PhotoError:
    return PhotoError(f"The {kind} file {how}, so that what it tells cannot be read: fetch it again from its source.")


def too_much(what: str) -> PhotoError:
    return PhotoError(f"The file holds {what}, more than any headshot’s recipe has, and is not read any further.")


def plain(text: str) -> str:
    """The text without what no screen shows and no UTF-8 holds: control characters and halves of characters."""
    return _BROKEN.sub("\ufffd", text)


def from_json(text: str, what: str, *, strict: bool = True) -> Any:
    """What a stranger's JSON says, in Python's types, all numbers finite and of a sane length.

    strict: False reads NaN and infinity, which JSON has not and ComfyUI writes, as None.
    Raises RequestError with one sentence that names `what`; text that is no JSON at all raises ValueError.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise RequestError(f"The file’s {what} is too long to be read: no headshot’s recipe is so large.")

    def whole(number: str) -> int:
        if len(number) > MAX_NUMBER_CHARS:
            raise RequestError(f"The file’s {what} holds a number of {len(number):,} digits, which is no setting.")
        return int(number)

    def broken(number: str) -> float | None:
        value = float(number) if len(number) <= 400 else math.nan
        if not math.isfinite(value):
            if not strict:
                return None
            raise RequestError(f"The file’s {what} holds {number[:20]} where a number must be.")
        return value

    try:
        return json.loads(text, parse_int=whole, parse_float=broken, parse_constant=broken)
    except RecursionError as error:
        raise RequestError(f"The file’s {what} is nested too deep to be read.") from error
