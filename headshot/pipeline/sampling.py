"""Denoises the pictures of one face and prompt: encoded once, then seeds and guidance values in batches."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.backend_names import LOCAL
from headshot.errors import Unavailable
from headshot.request import HeadshotRequest, Note

from . import families
from .model_specs import BUCKET
from .preview import PREVIEW_SECONDS, CleanLatents, LatentColours, TinyDecoder, render_previews

if TYPE_CHECKING:
    from .loading import Loaded

OnStep = Callable[[int, int, Sequence[Image.Image | None]], None]


class Sampler:
    """Makes pictures of one face and prompt, with any seeds, guidance values and steps.

    Not thread-safe: a loaded pipeline keeps the state of the one run that it executes.
    """

    def __init__(
        self,
        loaded: "Loaded",
        face: Image.Image,
        prompt: str,
        negative_prompt: str,
        *,
        bucket: int = BUCKET,
        preview_seconds: float = PREVIEW_SECONDS,
    ) -> None:
        """Encode face and prompt.

        Args:
            loaded: the models.
            face: RGB, the square crop of `face_crop.face_region`.
            prompt: the person's.
            negative_prompt: the person's.
            bucket: how many pictures a batch always has.
            preview_seconds: a step sooner than this after the last previews repeats them.
        """
        import torch

        self._loaded, self._pipe, self._face, self.bucket = loaded, loaded.pipe, face, bucket
        self._prompts, self._preview_seconds = (prompt, negative_prompt), preview_seconds
        self._model_prompt = loaded.spec.model_prompt(prompt)
        with torch.no_grad(), self._usable_afterwards():
            self._conditioning = families.encode_conditioning(loaded, face, self._model_prompt, negative_prompt)
            if loaded.tiny_vae is not None:
                self._decode_preview: Any = TinyDecoder(loaded.tiny_vae, self._pipe.vae_scale_factor)
            else:
                self._decode_preview = LatentColours(self._conditioning.face_latents(), face)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the person should know about how the model reads the prompts."""
        return self._conditioning.notes

    def batches(self, requests: Sequence[HeadshotRequest]) -> list[list[HeadshotRequest]]:
        """The requests in groups of at most `bucket` that are denoised together.

        Different steps are different schedules, so they are never in one group. Neither are guidance 1 and higher
        values: guidance 1 uses the prompt alone, with half the work; in a guided batch its last bits would differ.
        """
        return [[requests[index] for index in indices] for indices in self._group_indices(requests)]

    def run(self, requests: Sequence[HeadshotRequest], on_step: OnStep) -> list[Image.Image]:
        """Make the pictures of these requests.

        Args:
            requests: of this sampler's prompts, with seeds, and with the same number of steps.
            on_step: called after every step with the number of steps done, of all steps, and for each request a small
                preview, None before its batch began. If it raises, the run ends at once and the error is raised;
                the sampler can be used again.

        Returns:
            RGB at the model's size, in the order of the requests.

        Raises:
            Unavailable: the numbers left the range of the device's arithmetic.
            ValueError: the requests differ in steps, have other prompts or lack a seed.
        """
        self._check(requests)
        groups = self._group_indices(requests)
        pictures: dict[int, Image.Image] = {}
        previews: list[Image.Image | None] = [None] * len(requests)
        for number, indices in enumerate(groups):

            def batch_step(
                done: int, steps: int, shown: Sequence[Image.Image], number: int = number, indices: Any = indices
            ) -> None:
                for index, preview in zip(indices, shown, strict=True):
                    previews[index] = preview
                on_step(number * steps + done, len(groups) * steps, tuple(previews))

            batch = [requests[index] for index in indices]
            pictures.update(zip(indices, self._denoise(batch, batch_step), strict=True))
        return [pictures[index] for index in range(len(requests))]

    def facts(self) -> dict[str, Any]:
        """What is needed to repeat these pictures beside their requests, in JSON types."""
        loaded, spec = self._loaded, self._loaded.spec
        return {
            "recipe": spec.name,
            "model": spec.repos[0].name,
            "revision": loaded.revision,
            "prompt as given to the model": self._model_prompt,
            "size": list(spec.size),
            "face crop": list(self._face.size),
            "bucket": self.bucket,
            "scheduler": type(self._pipe.scheduler).__name__,
            "dtype": loaded.dtype,
            "device": loaded.device.title,
            "tier": str(loaded.tier),
            "compiled": loaded.compiled,
            "versions": dict(loaded.versions),
        }

    def _check(self, requests: Sequence[HeadshotRequest]) -> None:
        if len({request.num_inference_steps for request in requests}) > 1:
            raise ValueError("One run has one number of steps: see batches().")
        for request in requests:
            if (request.prompt, request.negative_prompt) != self._prompts:
                raise ValueError("A request with another prompt needs a sampler of its own.")
            if request.seed is None:
                raise ValueError("A request without a seed cannot be repeated: resolve it first.")

    def _group_indices(self, requests: Sequence[HeadshotRequest]) -> list[list[int]]:
        groups: dict[tuple[int, bool], list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault((request.num_inference_steps, self._is_guided(request)), []).append(index)
        size = self.bucket
        return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]

    def _is_guided(self, request: HeadshotRequest) -> bool:
        return self._conditioning.supports_guidance and request.guidance_scale > 1

    def _denoise(
        self, batch: Sequence[HeadshotRequest], on_step: Callable[[int, int, Sequence[Image.Image]], None]
    ) -> list[Image.Image]:
        """Denoise one batch, filled up with its last request: at a fixed size a picture depends on no neighbour."""
        import torch

        pipe, count = self._pipe, len(batch)
        filled = [*batch, *[batch[-1]] * (self.bucket - count)]
        guidance = Guidance([request.guidance_scale for request in filled]) if self._is_guided(batch[0]) else None
        width, height = self._loaded.spec.size
        previews: list[Image.Image] = []
        previewed_at = 0.0
        with self._own_scheduler() as tracker, self._conditioning.reuse_encoded_face(), self._usable_afterwards():

            def step_end(_: Any, index: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
                nonlocal previews, previewed_at
                latents, steps = (
                    tensors["latents"],
                    pipe.num_timesteps,
                )  # not the request's: Heun evaluates twice a step
                if not previews or time.perf_counter() - previewed_at >= self._preview_seconds:
                    clean = tracker.clean(latents)[:count]
                    previews = render_previews(self._conditioning.to_vae_latents(clean), self._decode_preview)
                    previewed_at = time.perf_counter()
                on_step(index + 1, steps, previews)
                if index + 1 < steps:
                    return {}
                self._check_numbers(latents[:count])
                return {"latents": latents[:count]}  # the fillers are not decoded

            return list(
                pipe(
                    **self._conditioning.call_arguments(len(filled), guidance),
                    num_inference_steps=batch[0].num_inference_steps,
                    width=width,
                    height=height,
                    # On the CPU, so that a seed gives the same noise on every device.
                    generator=[torch.Generator("cpu").manual_seed(request.seed) for request in filled],
                    callback_on_step_end=step_end,
                ).images
            )

    def _check_numbers(self, latents: Any) -> None:
        if not bool(latents.isfinite().all()):
            raise Unavailable(
                LOCAL,
                f"The model's numbers left the range of {self._loaded.dtype} on {self._loaded.device.title}, and there "
                "is no picture to show. Try a lower guidance, or another recipe.",
            )

    @contextmanager
    def _own_scheduler(self) -> Iterator[CleanLatents]:
        """A fresh scheduler for one run, without state of an earlier run that ended or was stopped."""
        pristine = self._pipe.scheduler
        tracker = CleanLatents(copy.deepcopy(pristine))
        self._pipe.scheduler = tracker.scheduler
        try:
            yield tracker
        finally:
            self._pipe.scheduler = pristine

    @contextmanager
    def _usable_afterwards(self) -> Iterator[None]:
        """Move offloaded models back after an error or Stop; the pipeline itself does it only when it completes."""
        try:
            yield
        except BaseException:
            self._pipe.maybe_free_model_hooks()
            raise


class Guidance:
    """One guidance value for each picture of a batch, for diffusers' loops, which expect a single number.

    They only compare it with 1 and multiply by it. A tensor fails at the comparison (it has no single truth value) and
    changes the product's type in bfloat16; this does row by row, bit for bit, what a plain number does.
    """

    def __init__(self, values: Sequence[float]) -> None:
        """Use these values, one for each row of the batch."""
        self._values = tuple(values)
        self._rows: Any = None

    def __gt__(self, bound: float) -> bool:
        return max(self._values) > bound

    def __le__(self, bound: float) -> bool:
        return not self > bound

    def __mul__(self, difference: Any) -> Any:
        """Scale the difference of the conditioned and the unconditioned prediction.

        Args:
            difference: (B, …).

        Returns:
            (B, …), of the same type.
        """
        import torch

        if self._rows is None or self._rows.device != difference.device:
            shape = (-1, *[1] * (difference.ndim - 1))
            self._rows = torch.tensor(self._values, dtype=torch.float32, device=difference.device).view(shape)
        return (self._rows * difference).to(difference.dtype)
