"""What a backend is: the protocol, its readiness, and the choice of one by name."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .backend_names import AUTO
from .errors import NotConfigured, RequestError
from .imaging.photo import Photo
from .progress import Progress
from .request import Headshot, HeadshotRequest


@dataclass(frozen=True)
class Readiness:
    """`sentence` says what the backend is or, when it is not ready, why not and what to do."""

    ready: bool
    sentence: str


class Backend(Protocol):
    """One way of making headshots. The unit of work is the comparison: one photo and the whole list of requests."""

    name: str
    title: str  # the name as people read it
    survives_disconnect: bool  # what it began goes on when nobody listens any more; only `progress.stop()` ends it

    @property
    def help(self) -> str:
        """Markdown: what each parameter of the request means to this backend."""
        ...

    @property
    def max_concurrent(self) -> int:
        """Comparisons that run side by side; more would only slow each other down, and wait in line."""
        ...

    def readiness(self) -> Readiness: ...

    def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """Yield each headshot as it lands. Every request's seed is a number.

        face: which of `face.find(photo)` to take, None for the first.
        Raises PhotoError where the photo holds no usable face, Stopped after `progress.stop()`, else a BackendError.
        """
        ...

    def estimate(
        self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
    ) -> float | None:
        """About how many seconds this comparison takes once its turn has come; None while nothing is known of it.

        photo: None stands for one that was never seen. Quick enough for the event loop.
        """
        ...

    def drop_cache(self, photo: Photo) -> None:
        """Drop whatever is remembered of this photo. Safe to call from any thread, and for a photo never seen."""
        ...


def choose(backends: Mapping[str, Backend], name: str = AUTO) -> list[Backend]:
    """The backend of that name alone; for `auto` all that are ready, best first, for each may take over.

    Raises RequestError or NotConfigured.
    """
    if name == AUTO:
        ready = [backend for backend in backends.values() if backend.readiness().ready]
        if not ready:
            reasons = " ".join(backend.readiness().sentence for backend in backends.values())
            raise NotConfigured(AUTO, f"No backend is ready. {reasons}")
        return ready
    if name not in list(backends):  # a list compares, where a dict would want a hash of whatever was given
        known = " or ".join([AUTO, *backends])
        raise RequestError(f"There is no backend called “{str(name)[:20]}”: choose {known}.")
    readiness = backends[name].readiness()
    if not readiness.ready:
        raise NotConfigured(name, readiness.sentence)
    return [backends[name]]
