"""Previews: small pictures of a headshot while it is being denoised."""

import functools
from collections.abc import Sequence
from typing import Any

from PIL import Image

PREVIEW_SECONDS = 0.25  # the least time between two: more are not noticed, and the device has other work
PREVIEW_PX = 160  # the longest side: enough to see light, crop and likeness in a card, and 5 KB as a JPEG
_DECODED_PX = 2 * PREVIEW_PX  # of the tiny autoencoder's picture before it is reduced: a sixteenth of the headshot
_RIDGE = 1e-3  # of the latents' own variance: bounds the weights of channels that hardly vary in this photo


def render_previews(latents: Any, decode: Any) -> list[Image.Image]:
    """Turn the latents of a batch into previews.

    Args:
        latents: (B, C, h, w), in the units that the autoencoder decodes.
        decode: a `TinyDecoder` or `LatentColours`.

    Returns:
        B pictures, RGB, the longest side at most `PREVIEW_PX`.
    """
    # In one batch: the step itself has just needed far more memory, and each wait for the device delays the next step.
    colours = (decode(latents).float().nan_to_num().clamp(-1, 1) + 1) * 127.5
    images = [Image.fromarray(each, "RGB") for each in colours.round().byte().movedim(1, -1).cpu().numpy()]
    for image in images:
        image.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.BOX)
    return images


class TinyDecoder:
    """Decodes previews with a tiny autoencoder: sharp, in the right colours, in a few milliseconds each."""

    def __init__(self, tiny_vae: Any, latent_px: int) -> None:
        """Use this autoencoder.

        Args:
            tiny_vae: diffusers' `AutoencoderTiny`.
            latent_px: the side of the square of pixels that one latent stands for.
        """
        self._vae, self._max_side = tiny_vae, max(1, _DECODED_PX // latent_px)

    def __call__(self, latents: Any) -> Any:
        """(B, C, h, w) -> (B, 3, H, W), −1…1."""
        first = next(self._vae.parameters())
        return self._vae.decode(_downsampled(latents.float(), self._max_side).to(first), return_dict=False)[0]


class LatentColours:
    """Converts latents to colours by a matrix, fitted to the face crop, whose latents and pixels are both known.

    Latents are nearly linear in the colours they stand for. A fit to this photo needs no published matrix, suits any
    autoencoder, and covers the skin and light that the previews will show.
    """

    def __init__(self, latents: Any, face: Image.Image) -> None:
        """Fit the matrix by ridge regression with a constant, over h·w samples.

        Args:
            latents: (1, C, h, w), of `face`.
            face: RGB, the face crop.
        """
        import numpy as np
        import torch

        _, _, height, width = latents.shape
        # On the CPU: it is a few thousand rows of at most 33, and not every accelerator has `solve`.
        known = latents[0].flatten(1).T.float().cpu()
        pixels = np.asarray(face.convert("RGB").resize((width, height), Image.Resampling.BOX), np.float32)
        colours = torch.from_numpy(pixels).flatten(0, 1) / 127.5 - 1
        self._latent_mean, self._colour_mean = known.mean(0), colours.mean(0)
        known, colours = known - self._latent_mean, colours - self._colour_mean
        squares = known.T @ known
        ridge = _RIDGE * squares.diagonal().mean().clamp_min(1e-12) * torch.eye(len(squares))
        self._matrix = torch.linalg.solve(squares + ridge, known.T @ colours)

    def __call__(self, latents: Any) -> Any:
        """(B, C, h, w) -> (B, 3, h, w), about −1…1."""
        samples = _downsampled(latents.float(), PREVIEW_PX).movedim(1, -1)
        centred = samples - self._latent_mean.to(samples)
        colours = centred @ self._matrix.to(samples) + self._colour_mean.to(samples)
        return colours.movedim(-1, 1)


def _downsampled(latents: Any, max_side: int) -> Any:
    """(B, C, h, w), area-averaged so that neither h nor w is above `max_side`."""
    import torch

    height, width = latents.shape[-2:]
    scale = max_side / max(height, width)
    if scale >= 1:
        return latents
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return torch.nn.functional.interpolate(latents, size=size, mode="area")


class CleanLatents:
    """Records a scheduler's estimate of the finished picture at each step.

    The denoising loop's own latents look like noise until the end. This keeps x₀: the scheduler's own estimate
    (`pred_original_sample`: Euler, DDIM) or, for flow matching, x − σ·v.
    """

    def __init__(self, scheduler: Any) -> None:
        """Watch every step of this scheduler from now on.

        Args:
            scheduler: one that no other run uses; its `step` is replaced.
        """
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
        """x₀ as of the last step, or `latents` if this scheduler estimates none."""
        if self._clean is None:
            return latents
        if isinstance(self._clean, Sequence):
            sample, velocity, sigma = self._clean
            return sample.float() - sigma * velocity.float()
        return self._clean
