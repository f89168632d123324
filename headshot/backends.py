"""The contract of a backend: the protocol, its readiness, and the choice of a backend by name."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .backend_names import AUTO
from .errors import HeadshotError, NotConfigured, RequestError
from .imaging.photo import Photo
from .progress import Progress
from .request import Headshot, HeadshotRequest


@dataclass(frozen=True)
class Readiness:
    """Whether a backend can make headshots now.

    Attributes:
        ready: whether it can.
        sentence: if ready, what the backend is; if not, why not and what to do.
    """

    ready: bool
    sentence: str


class Backend(Protocol):
    """One way of making headshots.

    The unit of work is a comparison: one photo and the whole list of requests. So a backend can share work between
    them: analyse the photo once, denoise a batch, keep several HTTP requests in flight.

    `generate` runs on the caller's event loop and must not block it: computing belongs in threads or processes.

    Attributes:
        name: as requests, files and settings have it; one of `backend_names`.
        title: the name as people read it.
        survives_disconnect: True if work continues after the client disconnects; then only `progress.cancel()` ends it.
            False if closing the iterator of `generate` ends it.
    """

    name: str
    title: str
    survives_disconnect: bool

    @property
    def help(self) -> str:
        """Markdown: what each parameter of the request means to this backend."""
        ...

    @property
    def max_concurrent(self) -> int:
        """Number of comparisons that run at the same time; further ones wait in a queue. At least 1."""
        ...

    def readiness(self) -> Readiness:
        """Whether the backend can make headshots now, and why not. Raises no `HeadshotError`.

        The first call may take seconds, so it does not belong on the event loop.
        """
        ...

    def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """Make the headshots of one comparison and yield each as soon as it is finished.

        The order is the backend's; `Headshot.request` says which one it is.

        Args:
            photo: the person's photo.
            requests: what to make. Every seed is a number.
            progress: receives the comparison's steps and the status of single headshots, and carries Stop.
            face: index in `imaging.face.find(photo.pixels)` of the face to use, None for the first.

        Yields:
            Finished headshots. They stay valid if an error is raised afterwards.

        Raises:
            PhotoError: the photo has no usable face.
            Stopped: `progress.cancel()` was called.
            BackendError: any other failure. See `errors` for its subclasses and which of them may fall back to another
                backend.
        """
        ...

    def estimate(
        self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
    ) -> float | None:
        """Estimate how long a comparison takes, without the time in the queue.

        Fast enough to be called on the event loop.

        Args:
            photo: the person's photo; None stands for one of which nothing is cached.
            requests: the comparison.
            face: as for `generate`.

        Returns:
            Seconds, or None if nothing is known yet.
        """
        ...

    def drop_cache(self, photo: Photo) -> None:
        """Delete everything that is cached for this photo. Thread-safe; does nothing for a photo never seen.

        Args:
            photo: a photo that was deleted or replaced.
        """
        ...


def choose(backends: Mapping[str, Backend], name: str = AUTO) -> list[Backend]:
    """Select the backends for a comparison.

    Args:
        backends: all backends by name, best first.
        name: a backend's name, or `auto`.

    Returns:
        For a name, that backend alone. For `auto`, all ready backends, best first: each is the fallback of the one
        before.

    Raises:
        RequestError: there is no backend of this name.
        NotConfigured: the backend is not ready or, for `auto`, none is.
    """
    if name == AUTO:
        ready = [backend for backend in backends.values() if backend.readiness().ready]
        if not ready:
            reasons = " ".join(backend.readiness().sentence for backend in backends.values())
            raise NotConfigured(AUTO, f"No backend is ready. {reasons}")
        return ready
    if name not in list(backends):  # not `in backends`: `name` comes from outside and may not be hashable
        known = " or ".join([AUTO, *backends])
        raise RequestError(f"There is no backend called “{str(name)[:20]}”: choose {known}.")
    readiness = backends[name].readiness()
    if not readiness.ready:
        raise NotConfigured(name, readiness.sentence)
    return [backends[name]]


def readiness_sentence(registry: Mapping[str, Backend], name: str) -> str:
    """Return the sentence of the chosen backend's readiness, or of the one that Automatic would choose.

    Args:
        registry: the backends by name, best first.
        name: a backend's name, or `auto`.
    """
    try:
        return choose(registry, name)[0].readiness().sentence
    except HeadshotError as error:
        return str(error)
