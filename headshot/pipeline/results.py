"""From the model's picture to a headshot: checked, at the size all headshots have, measured, and with its notes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from headshot.backend_names import LOCAL
from headshot.imaging import face, finishing, safety
from headshot.imaging.encoding import fast_png, jpeg
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest, Note

if TYPE_CHECKING:
    from .device_run import BatchEvent, StepEvent

_SIZE = (1024, 1280)  # of every headshot, whichever backend made it
_PREVIEW_QUALITY = 80  # a preview is 160 px and lives for one step


@dataclass(frozen=True)
class OutputSteps:
    """Which of the studio's output steps a model's picture gets: none unasked, for a model draws grain and edges."""

    sharpen: bool = False
    grain: bool = False

    @property
    def facts(self) -> Mapping[str, bool]:
        return {"sharpened": self.sharpen, "grain": self.grain}

    def applied(self, pixels: np.ndarray, seed: int, enlargement: float) -> np.ndarray:
        """(h, w, 3) uint8 RGB -> the same. seed: tells the frame's place on the grain sheet.

        enlargement: of the model's picture, for an enlarged one has no detail to gain and gets less sharpening.
        """
        if not (self.sharpen or self.grain):
            return pixels
        return finishing.finished(
            pixels.astype(np.float32) / 255,
            sharpness=finishing.SHARPNESS / max(enlargement, 1.0) if self.sharpen else 0.0,
            graininess=finishing.GRAIN["fine"] if self.grain else 0.0,
            at=finishing.grain_place(seed),
        )


def finished(
    picture: Image.Image, request: HeadshotRequest, made: "BatchEvent", embedding: np.ndarray, finish: OutputSteps
) -> Headshot:
    """embedding: the photo's, as `face.embed` gives it. Raises Refused where the picture must be withheld."""
    safety.check(picture, LOCAL)
    enlargement = _SIZE[0] / picture.width
    if enlargement > 1:
        picture = picture.resize(_SIZE, Image.Resampling.LANCZOS)
    pixels = finish.applied(np.asarray(picture.convert("RGB")), request.seed or 0, enlargement)
    found = face.find(pixels)
    notes = (Note("applied", f"Made by {made.by}."), *made.notes)
    if request.guidance_scale <= 1 and request.negative_prompt:
        notes += (Note("not applied", "the negative prompt counts only at a guidance above 1."),)
    if not found:
        notes += (Note("advice", "No face was found in this headshot, so its likeness could not be measured."),)
    return Headshot(
        image=Image.fromarray(pixels),
        png=fast_png(pixels),
        request=request,
        backend=LOCAL,
        seconds=made.seconds,
        notes=notes,
        likeness=face.likeness(embedding, face.embed(pixels, found[0])) if found else None,
        face_box=found[0].box if found else None,
        facts={**made.facts, **finish.facts},
    )


def publish_previews(news: "StepEvent", progress: Progress) -> None:
    """Tell where each headshot stands, with a preview; without one where even that would have to be withheld."""
    for request, preview in zip(news.requests, news.previews, strict=True):
        seen = b""
        if preview is not None and safety.score(preview) < safety.UNSAFE:
            seen = jpeg(preview, _PREVIEW_QUALITY)
        if progress.stopped:  # who pressed Stop has been answered
            return
        progress.report_item(HeadshotStatus(request, "under way", f"Step {news.step} of {news.steps}", preview=seen))
