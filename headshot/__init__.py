"""Professional headshots from one ordinary photo: one request, several backends, the same files.

from . import shoot
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
from .comparison import comparing
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
    """One photo, one look, several seeds: the headshots, in the seeds' order.

    Blocks until all are done, also where an event loop runs already (a notebook). A None seed becomes a random number.
    What a photo's analysis costs is paid once: another call with the same photo renders at once.
    face: which of `headshot.imaging.face.find`'s faces, counted from 0; None for the first, the clearest.
    inside, outside: x and y, in the photo's pixels, of points that belong to the person and that do not; the studio's
    cut-out takes them as certain, and its outline follows the colours around them.
    Raises PhotoError, RequestError, a BackendError, or Stopped after `progress.stop()`; every message is a sentence for
    a person, and `headshots` of the error holds what had landed.
    """
    request = HeadshotRequest.model_validate(
        {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "num_inference_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
        }
    )
    requests = comparing.plan(request, seeds)
    chain = choose(_backends(), backend)
    clean = Photo.of(photo)
    if inside or outside:
        clean = clean.marked(inside, outside)
    landed: list[Headshot] = []

    async def run() -> None:
        async with aclosing(comparing.compare(chain, clean, requests, progress, face=face)) as headshots:
            async for headshot in headshots:
                landed.append(headshot)

    try:
        with start_blocking_portal() as portal:
            portal.call(run)
    except HeadshotError as error:
        error.headshots = tuple(landed)
        raise
    by_request: dict[HeadshotRequest, list[Headshot]] = {}
    for headshot in landed:
        by_request.setdefault(headshot.request, []).append(headshot)
    return [by_request[request].pop(0) for request in requests]  # a seed may be asked for twice


def draft(
    photo: str | os.PathLike[str] | bytes | Image.Image | Photo,
    prompt: str = _DEFAULTS.prompt,
    negative_prompt: str = _DEFAULTS.negative_prompt,
    guidance_scale: float = _DEFAULTS.guidance_scale,
    seeds: Sequence[int | None] = (None,),
    progress: Progress | None = None,
    face: int | None = None,
) -> list[Image.Image]:
    """What `shoot` would make on the studio, small and at once: a 320×400 RGB picture a seed, in the seeds' order.

    Without sharpening, grain and likeness, and as strong as the look is asked for until `shoot` has found that it must
    be milder. The arguments are those of `shoot`.
    Raises PhotoError, RequestError, or Stopped after `progress.stop()`.
    """
    request = HeadshotRequest(prompt=prompt, negative_prompt=negative_prompt, guidance_scale=guidance_scale)
    studio = cast("Studio", _backends()[STUDIO])
    return studio.draft(Photo.of(photo), comparing.plan(request, seeds), progress, face=face)


@cache
def _backends() -> Mapping[str, Backend]:
    """One set a process, so that a backend's memory of photos outlives a call; settings are read at the first."""
    from .registry import create_backends  # OpenCV and onnxruntime: not for whoever only imports the package

    return create_backends(Settings())
