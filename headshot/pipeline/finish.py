"""From the model's picture to a headshot: checked, at the size all headshots have, measured, and with its notes."""

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .. import face, safety
from ..request import Headshot, HeadshotRequest, Note, Progress, Standing
from ..studio import encode
from .hardware import NAME

if TYPE_CHECKING:
    from .work import Made, Stepped

_SIZE = (1024, 1280)  # of every headshot, whichever backend made it
_PREVIEW_QUALITY = 80  # a preview is 160 px and lives for one step


def finished(picture: Image.Image, request: HeadshotRequest, made: "Made", embedding: np.ndarray) -> Headshot:
    """embedding: the photo's, as `face.embed` gives it. Raises Refused where the picture must be withheld."""
    safety.check(picture, NAME)
    if picture.width < _SIZE[0]:
        picture = picture.resize(_SIZE, Image.Resampling.LANCZOS)
    pixels = np.asarray(picture.convert("RGB"))
    found = face.find(pixels)
    notes = (Note("applied", f"Made by {made.by}."), *made.notes)
    if request.guidance_scale <= 1 and request.negative_prompt:
        notes += (Note("not applied", "the negative prompt counts only at a guidance above 1."),)
    if not found:
        notes += (Note("advice", "No face was found in this headshot, so its likeness could not be measured."),)
    return Headshot(
        image=Image.fromarray(pixels),
        png=encode(pixels),
        request=request,
        backend=NAME,
        seconds=made.seconds,
        notes=notes,
        likeness=face.likeness(embedding, face.embed(pixels, found[0])) if found else None,
        facts=made.facts,
    )


def show(news: "Stepped", progress: Progress) -> None:
    """Tell where each headshot stands, with a preview; without one where even that would have to be withheld."""
    for request, preview in zip(news.requests, news.previews, strict=True):
        seen = b""
        if preview is not None and safety.score(preview) < safety.UNSAFE:
            data = io.BytesIO()
            preview.save(data, "JPEG", quality=_PREVIEW_QUALITY)
            seen = data.getvalue()
        if progress.stopped:  # who pressed Stop has been answered
            return
        progress.stand(Standing(request, "under way", f"Step {news.step} of {news.steps}", preview=seen))
