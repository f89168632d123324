"""Professional headshots from one ordinary photo: one request, several backends, the same files.

Example:
    from headshot import shoot

    for headshot in shoot("me.jpg", prompt="navy backdrop, Rembrandt light", seeds=[1, 2, 3, 4]):
        headshot.image.show()
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import cache
from typing import TYPE_CHECKING, cast

from anyio.from_thread import start_blocking_portal
from PIL import Image

from .backend_names import AUTO, STUDIO
from .backends import Backend, choose
from .comparison import axes, comparing
from .errors import HeadshotError
from .imaging.photo import Photo
from .progress import Progress
from .request import Headshot, HeadshotRequest, Note
from .settings import Settings
from .version import __version__

if TYPE_CHECKING:
    from .studio.backend import Studio

__all__ = ["Headshot", "HeadshotRequest", "Note", "Photo", "Progress", "__version__", "draft", "shoot"]

_DEFAULTS = HeadshotRequest()


def shoot(
    photo: str | os.PathLike[str] | bytes | Image.Image | Photo,
    prompt: str = _DEFAULTS.prompt,
    negative_prompt: str = _DEFAULTS.negative_prompt,
    num_inference_steps: int = _DEFAULTS.num_inference_steps,
    guidance_scale: float = _DEFAULTS.guidance_scale,
    seeds: Sequence[int | None] = (None,),
    backend: str = AUTO,
    progress: Progress | None = None,
    face: int | None = None,
    inside: Sequence[tuple[float, float]] = (),
    outside: Sequence[tuple[float, float]] = (),
) -> list[Headshot]:
    """Make headshots of one photo and one look, one for each seed.

    Blocks until all are done. Works while an event loop is running, as in a notebook. The photo's analysis is cached:
    another call with the same photo starts rendering at once.

    Args:
        photo: a path, a file's bytes, a PIL image or a `Photo`.
        prompt: the look.
        negative_prompt: things to avoid.
        num_inference_steps: effort: 21, 31 or 41.
        guidance_scale: how closely the prompt is followed, 1 to 20.
        seeds: one for each headshot; None for a random one.
        backend: a backend's name, or “auto” for the first that is ready.
        progress: receives the steps, and stops the work by `progress.cancel()`.
        face: index of the face in the list that `headshot.imaging.face.find` returns; None for the first, the clearest.
        inside: points that belong to the person, as x and y in the photo's pixels. The studio's cut-out includes them
            and follows the colours around them.
        outside: points that do not belong to the person, in the same units.

    Returns:
        The headshots, in the seeds' order.

    Raises:
        PhotoError: the photo cannot be used.
        RequestError: a setting is wrong.
        Stopped: `progress.cancel()` was called.
        BackendError: no backend could make them. As for every `HeadshotError`, `str(error)` is a sentence for a person,
            and `error.headshots` holds the headshots that were finished before it.
    """
    request = HeadshotRequest.model_validate(
        {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "num_inference_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
        }
    )
    requests = axes.plan(request, seeds)
    backends = choose(_backends(), backend)
    opened = Photo.of(photo)
    if inside or outside:
        opened = opened.marked(inside, outside)
    finished: list[Headshot] = []

    async def run() -> None:
        async with aclosing(comparing.compare(backends, opened, requests, progress, face=face)) as headshots:
            async for headshot in headshots:
                finished.append(headshot)

    try:
        with start_blocking_portal() as portal:
            portal.call(run)
    except HeadshotError as error:
        error.headshots = tuple(finished)
        raise
    by_request: dict[HeadshotRequest, list[Headshot]] = {}
    for headshot in finished:
        by_request.setdefault(headshot.request, []).append(headshot)
    return [by_request[request].pop(0) for request in requests]  # the same seed may occur twice


def draft(
    photo: str | os.PathLike[str] | bytes | Image.Image | Photo,
    prompt: str = _DEFAULTS.prompt,
    negative_prompt: str = _DEFAULTS.negative_prompt,
    guidance_scale: float = _DEFAULTS.guidance_scale,
    seeds: Sequence[int | None] = (None,),
    progress: Progress | None = None,
    face: int | None = None,
) -> list[Image.Image]:
    """Draw small, quick pictures of the headshots that `shoot` would make on the studio.

    Without sharpening, grain and the check of likeness. The look has its full strength until `shoot` has found, for the
    same photo, that it must be milder.

    Args:
        photo: a path, a file's bytes, a PIL image or a `Photo`.
        prompt: the look.
        negative_prompt: things to avoid.
        guidance_scale: how closely the prompt is followed, 1 to 20.
        seeds: one for each draft; None for a random one.
        progress: stops the work by `progress.cancel()`.
        face: as for `shoot`.

    Returns:
        One RGB picture of 320×400 pixels for each seed, in the seeds' order.

    Raises:
        PhotoError: the photo cannot be used.
        RequestError: a setting is wrong.
        Stopped: `progress.cancel()` was called.
    """
    request = HeadshotRequest(prompt=prompt, negative_prompt=negative_prompt, guidance_scale=guidance_scale)
    studio = cast("Studio", _backends()[STUDIO])
    return studio.draft(Photo.of(photo), axes.plan(request, seeds), progress, face=face)


@cache
def _backends() -> Mapping[str, Backend]:
    """One set for the process, so that cached photos outlive a call. Settings are read at the first call."""
    from .registry import create_backends  # imports OpenCV and onnxruntime, which `import headshot` must not

    return create_backends(Settings())
