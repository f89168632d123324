"""Professional headshots from one ordinary photo: one request, several backends, the same files.

from headshot import shoot
for headshot in shoot("me.jpg", prompt="navy backdrop, Rembrandt light", seeds=[1, 2, 3, 4]):
    headshot.image.show()
"""

import os
from collections.abc import Sequence

from anyio.from_thread import start_blocking_portal
from PIL import Image

from .backends import AUTO, choose, registry
from .compare import compare, plan
from .photo import Photo
from .request import Headshot, HeadshotRequest, Note, Progress
from .settings import Settings

__all__ = ["Headshot", "HeadshotRequest", "Note", "Photo", "Progress", "shoot"]
__version__ = "0.1.0"

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
) -> list[Headshot]:
    """One photo, one look, several seeds: the headshots, in the seeds' order.

    Blocks until all are done, also where an event loop runs already (a notebook). A None seed becomes a random number.
    Raises PhotoError, RequestError or a BackendError; every message is a sentence for a person.
    """
    request = HeadshotRequest(
        prompt=prompt,
        negative_prompt=negative_prompt,
        num_inference_steps=num_inference_steps,  # type: ignore[arg-type]  # the model checks it and says what is wrong
        guidance_scale=guidance_scale,
    )
    chosen = choose(registry(Settings()), backend)

    async def run() -> list[Headshot]:
        return [headshot async for headshot in compare(chosen, Photo.of(photo), plan(request, seeds), progress)]

    with start_blocking_portal() as portal:
        return portal.call(run)
