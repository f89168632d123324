"""Every error the project raises on purpose. `str(error)` is a sentence for the person at the screen.

HeadshotError
├── PhotoError          the photo cannot be used: unreadable, too large, no face
├── RequestError        a setting is out of range or cannot be understood
├── SettingsError       the environment holds a value that the server cannot start with
├── Stopped             the person pressed Stop
└── BackendError        carries the backend's name
    ├── NotConfigured   a key, a package or weights are missing: says which, and how to get them
    ├── Refused         understood and declined: never retried, never handed to another backend
    ├── Unavailable     network, rate limit, server fault: another backend may take over
    └── Unknown         sent, and no answer came: may have been billed, never sent again unasked
"""


class HeadshotError(Exception):
    """The root of the tree: whatever is not one of these is a bug and stays a traceback.

    headshots: what had landed by then, where nobody else had received it.
    """

    headshots: tuple[object, ...] = ()


class PhotoError(HeadshotError):
    """The photo cannot be used; the sentence says why and what to do."""


class RequestError(HeadshotError):
    """A setting is out of range or cannot be understood."""


class SettingsError(HeadshotError):
    """A variable of the environment holds a value that cannot be used; the sentence names the variable."""


class Stopped(HeadshotError):
    """The person pressed Stop."""


class BackendError(HeadshotError):
    def __init__(self, backend: str, sentence: str) -> None:
        super().__init__(sentence)
        self.backend = backend


class NotConfigured(BackendError):
    """A key, a package or weights are missing."""


class Refused(BackendError):
    """Understood and declined: never retried, never handed to another backend."""


class Unavailable(BackendError):
    """A passing fault; `retry_after` is in seconds where the backend named a time."""

    def __init__(self, backend: str, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(backend, sentence)
        self.retry_after = retry_after


class OutcomeUnknown(BackendError):
    """Sent, and no answer came: it may have been billed, so it is never sent again unasked."""
