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
    └── OutcomeUnknown  sent, and no answer came: may have been billed, never sent again without asking
"""


class HeadshotError(Exception):
    """The root of the tree. Any other exception is a bug and keeps its traceback.

    Attributes:
        headshots: results finished before the error that were not yet delivered to the caller.
    """

    headshots: tuple[object, ...] = ()


class PhotoError(HeadshotError):
    """The photo cannot be used; the sentence says why and what to do."""


class RequestError(HeadshotError):
    """A setting is out of range or cannot be understood."""


class SettingsError(HeadshotError):
    """An environment variable holds a value that cannot be used; the sentence names the variable."""


class Stopped(HeadshotError):
    """The person pressed Stop."""


class BackendError(HeadshotError):
    """A backend could not make a headshot."""

    def __init__(self, backend: str, sentence: str) -> None:
        """Describe the failure.

        Args:
            backend: the backend's name.
            sentence: the message for the person.
        """
        super().__init__(sentence)
        self.backend = backend


class NotConfigured(BackendError):
    """A key, a package or weights are missing; the sentence says which, and how to get them."""


class Refused(BackendError):
    """Understood and declined: never retried, never handed to another backend."""


class Unavailable(BackendError):
    """A temporary failure: another backend may take over."""

    def __init__(self, backend: str, sentence: str, *, retry_after: float | None = None) -> None:
        """Describe the failure.

        Args:
            backend: the backend's name.
            sentence: the message for the person.
            retry_after: after how many seconds to try again, None if the backend did not say.
        """
        super().__init__(backend, sentence)
        self.retry_after = retry_after


class OutcomeUnknown(BackendError):
    """Sent, and no answer came: it may have been billed, so it is never sent again without asking."""
