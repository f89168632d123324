"""From the model's picture to a headshot: checked, resized to the size of all headshots, measured, and with notes."""

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
_PREVIEW_QUALITY = 80  # a preview is 160 px and is shown for one step


@dataclass(frozen=True)
class OutputSteps:
    """Which of the studio's output steps a model's picture gets.

    Neither by default, because a model draws grain and sharp edges itself.

    Attributes:
        sharpen: whether to sharpen it.
        grain: whether to add fine grain.
    """

    sharpen: bool = False
    grain: bool = False

    @property
    def facts(self) -> Mapping[str, bool]:
        """The steps as they are written into the headshot's file."""
        return {"sharpened": self.sharpen, "grain": self.grain}

    def apply(self, pixels: np.ndarray, seed: int, enlargement: float) -> np.ndarray:
        """Sharpen the picture and add grain, as far as chosen.

        Args:
            pixels: (h, w, 3) uint8 RGB.
            seed: the headshot's, which chooses the position on the grain sheet.
            enlargement: how many times larger the picture is than the model made it. An enlarged picture has no
                detail to gain, so it is sharpened less.

        Returns:
            (h, w, 3) uint8 RGB; `pixels` itself if no step is chosen.
        """
        if not (self.sharpen or self.grain):
            return pixels
        return finishing.finished(
            pixels.astype(np.float32) / 255,
            sharpness=finishing.SHARPNESS / max(enlargement, 1.0) if self.sharpen else 0.0,
            graininess=finishing.GRAIN["fine"] if self.grain else 0.0,
            at=finishing.grain_place(seed),
        )


def headshot_from_picture(
    picture: Image.Image,
    request: HeadshotRequest,
    batch: "BatchEvent",
    embedding: np.ndarray,
    output_steps: OutputSteps,
) -> Headshot:
    """Turn one picture of a batch into a finished headshot.

    Args:
        picture: RGB, as the model made it.
        request: what it was made from.
        batch: the event that brought the picture.
        embedding: of the photo's face, as `face.embed` returns it.
        output_steps: to be applied to it.

    Raises:
        Refused: the picture failed the safety check and must be withheld.
    """
    safety.check(picture, LOCAL)
    enlargement = _SIZE[0] / picture.width
    if enlargement > 1:
        picture = picture.resize(_SIZE, Image.Resampling.LANCZOS)
    pixels = output_steps.apply(np.asarray(picture.convert("RGB")), request.seed or 0, enlargement)
    found = face.find(pixels)
    notes = (Note("applied", f"Made by {batch.made_by}."), *batch.notes)
    if request.guidance_scale <= 1 and request.negative_prompt:
        notes += (Note("not applied", "the negative prompt counts only at a guidance above 1."),)
    if not found:
        notes += (Note("advice", "No face was found in this headshot, so its likeness could not be measured."),)
    return Headshot(
        image=Image.fromarray(pixels),
        png=fast_png(pixels),
        request=request,
        backend=LOCAL,
        seconds=batch.seconds,
        notes=notes,
        likeness=face.likeness(embedding, face.embed(pixels, found[0])) if found else None,
        face_box=found[0].box if found else None,
        facts={**batch.facts, **output_steps.facts},
    )


def publish_previews(event: "StepEvent", progress: Progress) -> None:
    """Report each headshot of the bucket as under way, with its preview.

    A preview that fails the safety check is left out.
    """
    for request, preview in zip(event.requests, event.previews, strict=True):
        shown = b""
        if preview is not None and safety.score(preview) < safety.UNSAFE:
            shown = jpeg(preview, _PREVIEW_QUALITY)
        if progress.stopped:  # after Stop the page shows its final status already
            return
        progress.report_item(HeadshotStatus(request, "under way", f"Step {event.step} of {event.steps}", preview=shown))
