"""Small pictures of what a headshot is becoming, step by step."""

import functools
from collections.abc import Sequence
from typing import Any

from PIL import Image

PREVIEW_SECONDS = 0.25  # from one to the next at least: nobody sees more, and the device has something else to do
PREVIEW_PX = 160  # the longest side: enough to tell light, crop and likeness in a card, and 5 KB as a JPEG
_DECODED_PX = 2 * PREVIEW_PX  # what the tiny autoencoder paints before it is reduced: a sixteenth of the whole picture
_RIDGE = 1e-3  # of the latents' own variance: keeps channels that this photo does not stir from running wild


def small_pictures(latents: Any, decode: Any) -> list[Image.Image]:
    """latents: (B, C, h, w).  decode: `TinyDecoder` or `LatentColours`.  RGB, the longest side at most PREVIEW_PX."""
    # At once: a step's own passes have just needed far more memory, and each wait for the device costs a step's start.
    seen = (decode(latents).float().nan_to_num().clamp(-1, 1) + 1) * 127.5
    images = [Image.fromarray(colours, "RGB") for colours in seen.round().byte().movedim(1, -1).cpu().numpy()]
    for image in images:
        image.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.BOX)
    return images


class TinyDecoder:
    """The tiny autoencoder, if there is one: sharp, in the right colours, a few milliseconds each."""

    def __init__(self, tiny_vae: Any, latent_px: int) -> None:
        """latent_px: the side of the square of picture that one latent stands for."""
        self._vae, self._side = tiny_vae, max(1, _DECODED_PX // latent_px)

    def __call__(self, latents: Any) -> Any:
        """(B, C, h, w) -> (B, 3, H, W), −1…1."""
        first = next(self._vae.parameters())
        return self._vae.decode(_within(latents.float(), self._side).to(first), return_dict=False)[0]


class LatentColours:
    """A matrix from latents to colours, fitted to the face crop: both its latents and its pixels are at hand.

    Latents are nearly linear in the colours they stand for. A fit to this very photo needs no published numbers, is
    right for any autoencoder, and knows the skin and the light that the previews will show.
    """

    def __init__(self, latents: Any, face: Image.Image) -> None:
        """latents: (1, C, h, w) of the RGB `face`. Ridge regression with a constant, over h·w places."""
        import numpy as np
        import torch

        _, _, height, width = latents.shape
        # In float32 on the CPU: a few thousand rows of at most 33, and not every accelerator can solve.
        known = latents[0].flatten(1).T.float().cpu()
        pixels = np.asarray(face.convert("RGB").resize((width, height), Image.Resampling.BOX), np.float32)
        colours = torch.from_numpy(pixels).flatten(0, 1) / 127.5 - 1
        self._centre, self._shade = known.mean(0), colours.mean(0)
        known, colours = known - self._centre, colours - self._shade
        squares = known.T @ known
        ridge = _RIDGE * squares.diagonal().mean().clamp_min(1e-12) * torch.eye(len(squares))
        self._matrix = torch.linalg.solve(squares + ridge, known.T @ colours)

    def __call__(self, latents: Any) -> Any:
        """(B, C, h, w) -> (B, 3, h, w), about −1…1."""
        tokens = _within(latents.float(), PREVIEW_PX).movedim(1, -1)
        colours = (tokens - self._centre.to(tokens)) @ self._matrix.to(tokens) + self._shade.to(tokens)
        return colours.movedim(-1, 1)


def _within(latents: Any, side: int) -> Any:
    """(B, C, h, w), area-averaged until neither h nor w is above `side`."""
    import torch

    height, width = latents.shape[-2:]
    scale = side / max(height, width)
    if scale >= 1:
        return latents
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return torch.nn.functional.interpolate(latents, size=size, mode="area")


class CleanLatents:
    """A scheduler that remembers what each step took the finished picture to be.

    The loop hands out noisy latents, which look like noise until the end. This keeps x₀: the scheduler's own
    (`pred_original_sample`: Euler, DDIM) or, for flow matching, x − σ·v.
    """

    def __init__(self, scheduler: Any) -> None:
        """scheduler: one that belongs to this job alone; its `step` is watched from now on."""
        self.scheduler = scheduler
        self._clean: Any = None
        step = scheduler.step
        flows = type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler"

        @functools.wraps(step)  # the pipelines read its signature
        def watched(model_output: Any, timestep: Any, sample: Any, *others: Any, **named: Any) -> Any:
            result = step(model_output, timestep, sample, *others, **named)
            if flows:
                self._clean = sample, model_output, scheduler.sigmas[scheduler.step_index - 1]
            else:
                self._clean = result[1] if isinstance(result, tuple) and len(result) > 1 else None
            return result

        scheduler.step = watched

    def clean(self, latents: Any) -> Any:
        """x₀ as of the last step; `latents` where this scheduler tells none."""
        if self._clean is None:
            return latents
        if isinstance(self._clean, Sequence):
            sample, velocity, sigma = self._clean
            return sample.float() - sigma * velocity.float()
        return self._clean
