"""Makes a comparison's headshots, on one backend or on several that take over from each other."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import replace

from headshot.backends import Backend
from headshot.errors import BackendError, HeadshotError, Unavailable
from headshot.imaging.photo import Photo
from headshot.metadata import embed_metadata
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest, Note

from .axes import resolve_seeds


async def compare(
    backends: Sequence[Backend],
    photo: Photo,
    requests: Sequence[HeadshotRequest],
    progress: Progress | None = None,
    *,
    face: int | None = None,
    parent: str = "",
    slot: Callable[[Backend], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
) -> AsyncGenerator[Headshot]:
    """Make the headshots of a comparison, and yield each as it is done, with metadata in its file.

    Missing seeds are drawn first. A request for which one backend was Unavailable goes to the next one, and its
    headshot says so in a note. Refused or possibly billed requests are never retried on the next backend.

    Args:
        backends: the chosen one, then its fallbacks.
        photo: one for all requests.
        requests: of the comparison.
        progress: receives the status of each headshot.
        face: index of the face in the photo; None for the first.
        parent: as for `embed_metadata`.
        slot: returns a context in which a backend may work, for example one place in its queue.

    Yields:
        One headshot for each request that worked, in the order in which they are done.

    Raises:
        BackendError: the first error of a backend. If the backend reported an error for each headshot, all other
            headshots are yielded first.
    """
    progress = progress or Progress()
    left, fallback_note = resolve_seeds(requests), ""
    first_error: HeadshotError | None = None
    for index, backend in enumerate(backends):
        fallbacks = backends[index + 1 :]
        errors: dict[HeadshotRequest, HeadshotError] = {}

        def record_status(status: HeadshotStatus, errors: dict[HeadshotRequest, HeadshotError] = errors) -> None:
            if status.error is not None:
                errors[status.request] = status.error
            progress.report_item(status)

        done = set()
        try:
            async with (
                slot(backend),
                aclosing(backend.generate(photo, left, progress.with_listener(record_status), face=face)) as headshots,
            ):
                async for headshot in headshots:
                    done.add(headshot.request)
                    yield embed_metadata(
                        _with_fallback_note(headshot, fallback_note), photo_sha256=photo.sha256, parent=parent
                    )
        except BackendError as error:
            failed = [(request, errors.get(request, error)) for request in left if request not in done]
            retryable = [(request, why) for request, why in failed if isinstance(why, Unavailable)]
            if not retryable or not fallbacks:
                first_error = first_error or error
                break
            first_error = first_error or next((why for _, why in failed if not isinstance(why, Unavailable)), None)
            left = [request for request, _ in retryable]
            title = fallbacks[0].title
            fallback_note = f"Made by {title}, for {backend.title} was not available: {retryable[0][1]}"
            for request in left:
                progress.report_item(HeadshotStatus(request, "waiting", f"{title} takes over"))
        else:
            break
    if first_error is not None:
        raise first_error


def _with_fallback_note(headshot: Headshot, note: str) -> Headshot:
    return replace(headshot, notes=(Note("advice", note), *headshot.notes)) if note else headshot
