"""A ModelsLab API key that does not show itself in logs, reprs or pickles, and the request body that carries it."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import quote
from weakref import WeakSet

from pydantic import SecretStr

MASK = "•••"

_KEY_SHAPE = re.compile(r"[!-~]{1,200}")  # visible ASCII; the service's keys are 60 letters and digits
_MIN_BASE64_CHARS = 8  # the base64 remainder of a shorter key would be found in every picture
_MIN_PREFIX_CHARS = 6  # a shorter prefix of a key is no secret, and often in a text by chance


class Key:
    """An API key that repr, str, format, vars and pickle do not give away.

    Attributes:
        secret: the key for a request's body; it is masked wherever it is printed.
    """

    __slots__ = ("__weakref__", "_forms", "_text", "secret")

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._forms = _written_forms(self._text)
        self.secret = SecretStr(self._text)
        with _LIVE_KEYS_LOCK:
            _LIVE_KEYS.add(self)

    @classmethod
    def of(cls, key: "str | Key") -> "Key":
        """Return `key` as a Key."""
        return key if isinstance(key, Key) else cls(key)

    @property
    def problem(self) -> str | None:
        """Why this text cannot be a key, as a sentence, or None. Only the service knows whether a key is valid."""
        if not self._text:
            return "There is no ModelsLab key: make one at modelslab.com and enter it."
        if not _KEY_SHAPE.fullmatch(self._text):
            return "The ModelsLab key holds a space or a character that no key has: copy it again from modelslab.com."
        return None

    def reveal(self) -> str:
        """Return the key as plain text."""
        return self._text

    def scrub(self, text: str) -> str:
        """Return the text with the key masked: plain, as JSON, as part of a link, or inside base64."""
        for form in self._forms:
            text = text.replace(form, MASK)
        for length in range(len(self._text) - 1, _MIN_PREFIX_CHARS - 1, -1):  # a text that was cut within the key
            if text.endswith(self._text[:length]):
                return text[:-length] + MASK
        return text

    def fingerprint(self, base_url: str) -> str:
        """Return a hash that identifies the key at one address, to look things up by."""
        return hashlib.sha256(f"{base_url}\n{self._text}".encode("utf-8", "surrogatepass")).hexdigest()

    def __repr__(self) -> str:
        return f"Key({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: what is pickled ends in files and queues")


class SecretBody:
    """A request body that holds a key. Its repr shows nothing, for tracebacks that print local variables."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def json(self) -> bytes:
        """Return the body as JSON, with the key in plain text."""
        return json.dumps(self._values, allow_nan=False, separators=(",", ":"), default=_reveal).encode()


_LIVE_KEYS: WeakSet[Key] = WeakSet()
_LIVE_KEYS_LOCK = threading.Lock()


def live_keys() -> list[Key]:
    """Return every Key object that exists in this process. Thread-safe."""
    with _LIVE_KEYS_LOCK:
        return list(_LIVE_KEYS)


def _reveal(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _written_forms(text: str) -> tuple[str, ...]:
    """All the ways in which a text may be written, longest first."""
    in_json = json.dumps(text)[1:-1]
    forms = {text, in_json, in_json.replace("/", "\\/"), *_in_links(text)}
    if len(text) >= _MIN_BASE64_CHARS:
        for shift in range(3):  # base64 turns 3 bytes into 4 characters, so the key's offset changes what it becomes
            encoded = base64.b64encode(bytes(shift) + text.encode("utf-8", "surrogatepass")).decode()
            end = len(encoded.rstrip("=")) - (encoded[-1] == "=")  # the last one also depends on what follows
            middle = encoded[(0, 2, 3)[shift] : end]
            forms |= {middle, middle.translate(str.maketrans("+/", "-_"))}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def _in_links(text: str) -> tuple[str, str]:
    return quote(text, safe="", errors="replace"), quote(text, errors="replace")
