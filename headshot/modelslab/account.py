"""A ModelsLab account as this process sees it: a key that shows itself nowhere, and its jobs that are under way."""

import asyncio
import base64
import hashlib
import itertools
import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote
from weakref import WeakSet, WeakValueDictionary

MASK = "•••"

_KEY_SHAPE = re.compile(r"[!-~]{1,200}")  # visible ASCII; the service's keys are 60 letters and digits
_ENCODED_FROM = 8  # characters; what is left of a shorter key in base64 would be found in every picture
_TELLING = 6  # characters of a key's beginning: fewer are no secret, and often chance


class HiddenText(str):
    """A string for a request's body: JSON writes it whole, whoever prints it sees a mask."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK


class Key:
    """An API key that repr, str, format, vars and pickle do not give away. `reveal()` does, for a request's body."""

    __slots__ = ("__weakref__", "_forms", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._forms = _forms(self._text)
        with _HELD_LOCK:
            _HELD.add(self)

    @classmethod
    def of(cls, key: "str | Key") -> "Key":
        return key if isinstance(key, Key) else cls(key)

    @property
    def problem(self) -> str | None:
        """What is wrong with the key's writing, as a sentence, or None. Only the service knows whether it is valid."""
        if not self._text:
            return "There is no ModelsLab key: make one at modelslab.com and enter it."
        if not _KEY_SHAPE.fullmatch(self._text):
            return "The ModelsLab key holds a space or a character that no key has: copy it again from modelslab.com."
        return None

    def reveal(self) -> HiddenText:
        return HiddenText(self._text)

    def scrub(self, text: str) -> str:
        """The text without the key: plain, as JSON, as a part of a link, or inside base64."""
        for form in self._forms:
            text = text.replace(form, MASK)
        for length in range(len(self._text) - 1, _TELLING - 1, -1):  # a text that was cut within the key
            if text.endswith(self._text[:length]):
                return text[:-length] + MASK
        return text

    def fingerprint(self, place: str) -> str:
        """A hash that names the key at one place, for registries."""
        return hashlib.sha256(f"{place}\n{self._text}".encode("utf-8", "surrogatepass")).hexdigest()

    def __repr__(self) -> str:
        return f"Key({MASK})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled: what is pickled ends in files and queues")


class SecretBody:
    """A body with a key on its way, for the frames that a traceback may show."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def json(self) -> bytes:
        return json.dumps(self._values, allow_nan=False, separators=(",", ":")).encode()


class KeyFilter(logging.Filter):
    """Takes every key that this process holds out of what is logged. Add it to handlers: a logger's filter sees only
    what is logged by its very name.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        clean = _scrubbed(said)
        if clean != said:
            record.msg, record.args = clean, None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _scrubbed(record.exc_text)
        return True


_HELD: WeakSet[Key] = WeakSet()
_HELD_LOCK = threading.Lock()


def _scrubbed(text: str) -> str:
    with _HELD_LOCK:
        held = list(_HELD)
    for key in held:
        text = key.scrub(text)
    return text


def _forms(text: str) -> tuple[str, ...]:
    """All the ways in which a text may be written, longest first."""
    in_json = json.dumps(text)[1:-1]
    forms = {text, in_json, in_json.replace("/", "\\/"), *_in_links(text)}
    if len(text) >= _ENCODED_FROM:
        for shift in range(3):  # three bytes become four characters, so that it matters where the key begins
            encoded = base64.b64encode(bytes(shift) + text.encode("utf-8", "surrogatepass")).decode()
            end = len(encoded.rstrip("=")) - (encoded[-1] == "=")  # the last one also depends on what follows
            middle = encoded[(0, 2, 3)[shift] : end]
            forms |= {middle, middle.translate(str.maketrans("+/", "-_"))}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def _in_links(text: str) -> tuple[str, str]:
    return quote(text, safe="", errors="replace"), quote(text, errors="replace")


class JobSlots:
    """The jobs of one account that are under way, over all clients, event loops and threads of this process.

    First come, first served. A place goes by a ticket, then by its job's number. One that nobody gives back is free
    again when its time is up, for a program may submit a job and never ask for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, float] = {}  # until when, on the monotonic clock
        self._line: deque[_Waiting] = deque()
        self._tickets = itertools.count(1)

    @classmethod
    def of(cls, account: str) -> "JobSlots":
        """Everybody's for that account; they live as long as somebody holds them."""
        with _REGISTRY_LOCK:
            found = _REGISTRY.get(account)
            if found is None:
                found = _REGISTRY[account] = cls()
            return found

    @property
    def in_use(self) -> int:
        with self._lock:
            self._expire()
            return len(self._taken)

    async def acquire(self, limit: int, seconds: float, *, tell: Callable[[int], None] | None = None) -> str:
        """Wait until fewer than `limit` are taken, and take one for at most `seconds`. Returns its ticket.

        tell(before): how many wait before this one, at first and whenever that has changed; not called where a place is
        free at once. It is called on this one's own event loop, and what it raises ends the waiting.
        """
        waiting, told = _Waiting(counts=tell is not None), -1
        with self._lock:
            waiting.before = len(self._line)
            self._line.append(waiting)
        try:
            while True:
                with self._lock:
                    self._expire()
                    waiting.called.clear()
                    first = self._line[0] is waiting
                    if first and len(self._taken) < limit:
                        ticket = f"#{next(self._tickets)}"  # no job's number has this sign
                        self._taken[ticket] = time.monotonic() + seconds
                        return ticket
                    pause, before = self._seconds_to_next_expiry() if first else None, waiting.before
                if tell is not None and before != told:
                    told = before
                    tell(before)
                await _within(pause, waiting.called)
        finally:
            with self._lock:
                if waiting in self._line:
                    self._line.remove(waiting)
                self._wake_next()

    def bind(self, job: str, seconds: float, ticket: str = "") -> None:
        """A place for a job that is under way: the ticket's, its own for longer, or one above the limit."""
        with self._lock:
            self._taken.pop(ticket, None)
            self._taken[job] = time.monotonic() + seconds

    def release(self, name: str) -> None:
        """Give back a place by its ticket or job, if it is taken."""
        with self._lock:
            self._taken.pop(name, None)
            self._wake_next()

    def _expire(self) -> None:
        now = time.monotonic()
        self._taken = {name: until for name, until in self._taken.items() if until > now}

    def _seconds_to_next_expiry(self) -> float | None:
        late = min(self._taken.values(), default=None)
        return None if late is None else max(0.0, late - time.monotonic())

    def _wake_next(self) -> None:
        """Have the first in line look again, and whoever counts those before it, where they have changed."""
        before = 0
        for waiting in tuple(self._line):
            changed, waiting.before = waiting.before != before, before
            if before == 0 or (waiting.counts and changed):
                try:
                    waiting.loop.call_soon_threadsafe(waiting.called.set)
                except RuntimeError:  # its event loop was closed under it: it will never come
                    self._line.remove(waiting)
                    continue
            before += 1


class _Waiting:
    """counts: whether it wants to know how many wait before it."""

    __slots__ = ("before", "called", "counts", "loop")

    def __init__(self, *, counts: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.called = asyncio.Event()
        self.counts = counts
        self.before = 0


async def _within(seconds: float | None, event: asyncio.Event) -> bool:
    """Whether the event came in that time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


_REGISTRY: WeakValueDictionary[str, JobSlots] = WeakValueDictionary()
_REGISTRY_LOCK = threading.Lock()
