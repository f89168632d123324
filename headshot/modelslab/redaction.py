"""Makes JSON safe to show: without keys, without pictures, and of a size that a person can read."""

import math
import re
from typing import Any

from pydantic import SecretStr

from .key import MASK, Key

_MAX_DEPTH = 12  # the service's replies have four
_MAX_ENTRIES = 60  # per level; its longest, `meta`, has about thirty
_MAX_CHARS = 4_000  # of one text; the longest prompt has 2,000
_SCAN_CHARS = 20_000  # the patterns are slow on long texts that nearly match
_KEY_CHARS = 1_000  # the longest form in which the longest key may be written
_DATA_URI = re.compile(r"(data:[\w.+/-]{0,60};base64,)([A-Za-z0-9+/=_-]{24})[A-Za-z0-9+/=_\s-]*")
_LONG_BASE64 = re.compile(r"([A-Za-z0-9+/=_-]{24})[A-Za-z0-9+/=_-]{180,}")
_SECRET_NAMES = ("key", "api_key", "apikey")


def redact(value: Any, key: Key | None = None) -> Any:
    """Return a copy for the screen: keys masked, data URIs and long base64 shortened, at any depth. Never raises.

    Args:
        value: anything that JSON can hold, however deep or long.
        key: a key to mask wherever it occurs, beside the fields that are named like one.

    Returns:
        A value that JSON can write.
    """
    return _redacted(value, key, 0)


def _redacted(value: Any, key: Key | None, depth: int) -> Any:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, str):
        return _text(value, key)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < 10**30 else "… (a very long number)"
    if not isinstance(value, dict | list | tuple):
        return f"… ({type(value).__name__})"
    if depth == _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        shown = {
            _text(str(name), key): MASK
            if str(name).lower() in _SECRET_NAMES and isinstance(entry, str)
            else _redacted(entry, key, depth + 1)
            for name, entry in list(value.items())[:_MAX_ENTRIES]
        }
        if len(value) > _MAX_ENTRIES:
            shown["…"] = f"{len(value) - _MAX_ENTRIES} more"
        return shown
    entries = [_redacted(entry, key, depth + 1) for entry in value[:_MAX_ENTRIES]]
    return entries if len(value) <= _MAX_ENTRIES else [*entries, f"… ({len(value) - _MAX_ENTRIES} more)"]


def _text(text: str, key: Key | None) -> str:
    size = f"… ({max(1, len(text) // 1024):,} KB)"
    cut = len(text) > _SCAN_CHARS
    if key is not None:
        text = key.scrub(text[: _SCAN_CHARS + _KEY_CHARS])  # before it is cut: half a key is a secret too
    text = text[:_SCAN_CHARS]
    text = _LONG_BASE64.sub(rf"\1{size}", _DATA_URI.sub(rf"\1\2{size}", text))
    if len(text) > _MAX_CHARS:
        return text[:_MAX_CHARS] + size
    return text if not cut or text.endswith(size) else text + size
