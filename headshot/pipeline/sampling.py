"""One comparison on one loaded pipeline: face and words encoded once, seeds and guidance values side by side."""

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
from .preview import PREVIEW_SECONDS, CleanLatents, LatentColours, TinyDecoder, small_pictures

if TYPE_CHECKING:
    from .loading import Loaded

OnStep = Callable[[int, int, Sequence[Image.Image | None]], None]


class Conditioning:
    """A photo's face and a prompt, ready to be denoised with any seed, guidance and steps.

    Not for two threads at once: a pipeline holds the state of the one job that it runs.
    notes: what the person should know about how the words were taken.
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
        """face: RGB, the square crop of `crop.face_region`.  bucket: how many are denoised side by side, always.

        preview_seconds: a step that comes sooner after the last previews shows them again.
        """
        import torch

        self._loaded, self._pipe, self._face, self.bucket = loaded, loaded.pipe, face, bucket
        self._asked, self._preview_seconds = (prompt, negative_prompt), preview_seconds
        self._instruction = loaded.recipe.wrapped(prompt)
        with torch.no_grad(), self._usable_afterwards():
            self._conditions = families.encode_conditioning(loaded, face, self._instruction, negative_prompt)
            if loaded.tiny_vae is not None:
                self._preview: Any = TinyDecoder(loaded.tiny_vae, self._pipe.vae_scale_factor)
            else:
                self._preview = LatentColours(self._conditions.face_latents(), face)

    @property
    def notes(self) -> tuple[Note, ...]:
        return self._conditions.notes

    def batches(self, requests: Sequence[HeadshotRequest]) -> list[list[HeadshotRequest]]:
        """The requests in groups that run side by side, at most `bucket` each; a group's headshots land together.

        Steps go apart, for they are another schedule. So does guidance 1: there the prompt alone decides, and half of
        the work falls away; next to a guided headshot it would come out different in its last bits.
        """
        return [[requests[place] for place in places] for places in self._places(requests)]

    def run(self, requests: Sequence[HeadshotRequest], on_step: OnStep) -> list[Image.Image]:
        """The headshots, RGB at the recipe's size, in the order of the requests.

        requests: of this session's prompt and negative prompt, with seeds, and with one number of steps.
        on_step: hears after every step: k of n, and for each request a small preview, None before its group began.
        What it raises ends the run at once and leaves the session fit for the next one.
        Raises Unavailable where the numbers left the range of the device's arithmetic.
        """
        self._check(requests)
        batches = self._places(requests)
        headshots: dict[int, Image.Image] = {}
        previews: list[Image.Image | None] = [None] * len(requests)
        for number, places in enumerate(batches):

            def step(done: int, of: int, seen: Sequence[Image.Image], number: int = number, at: Any = places) -> None:
                for place, preview in zip(at, seen, strict=True):
                    previews[place] = preview
                on_step(number * of + done, len(batches) * of, tuple(previews))

            headshots.update(zip(places, self._denoise([requests[place] for place in places], step), strict=True))
        return [headshots[place] for place in range(len(requests))]

    def recipe_facts(self) -> dict[str, Any]:
        """What repeats these headshots beside their requests, as JSON's types."""
        loaded, recipe = self._loaded, self._loaded.recipe
        return {
            "recipe": recipe.name,
            "model": recipe.parts[0].repo,
            "revision": loaded.revision,
            "prompt as given to the model": self._instruction,
            "size": list(recipe.size),
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
            if (request.prompt, request.negative_prompt) != self._asked:
                raise ValueError("A request with another prompt needs a session of its own.")
            if request.seed is None:
                raise ValueError("A request without a seed cannot be repeated: resolve it first.")

    def _places(self, requests: Sequence[HeadshotRequest]) -> list[list[int]]:
        groups: dict[tuple[int, bool], list[int]] = {}
        for place, request in enumerate(requests):
            groups.setdefault((request.num_inference_steps, self._guided(request)), []).append(place)
        size = self.bucket
        return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]

    def _guided(self, request: HeadshotRequest) -> bool:
        return self._conditions.guidable and request.guidance_scale > 1

    def _denoise(
        self, batch: Sequence[HeadshotRequest], on_step: Callable[[int, int, Sequence[Image.Image]], None]
    ) -> list[Image.Image]:
        """One bucket, filled up with its last request: on a fixed shape a picture depends on nothing beside it."""
        import torch

        pipe, count = self._pipe, len(batch)
        filled = [*batch, *[batch[-1]] * (self.bucket - count)]
        guidance = Guidance([request.guidance_scale for request in filled]) if self._guided(batch[0]) else None
        width, height = self._loaded.recipe.size
        seen: list[Image.Image] = []
        seen_at = 0.0
        with self._own_scheduler() as watched, self._conditions.held(), self._usable_afterwards():

            def step_end(_: Any, index: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
                nonlocal seen, seen_at
                latents, of = tensors["latents"], pipe.num_timesteps  # not the steps asked for: Heun goes twice
                if not seen or time.perf_counter() - seen_at >= self._preview_seconds:
                    clean = watched.clean(latents)[:count]
                    seen = small_pictures(self._conditions.pictured(clean), self._preview)
                    seen_at = time.perf_counter()
                on_step(index + 1, of, seen)
                if index + 1 < of:
                    return {}
                self._check_numbers(latents[:count])
                return {"latents": latents[:count]}  # what only filled the bucket is not worth decoding

            return list(
                pipe(
                    **self._conditions.arguments(len(filled), guidance),
                    num_inference_steps=batch[0].num_inference_steps,
                    width=width,
                    height=height,
                    # On the CPU, so that a seed means the same noise on every device.
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
        """A fresh scheduler for one job, which takes over nothing from one that ended or was stopped."""
        pristine = self._pipe.scheduler
        watched = CleanLatents(copy.deepcopy(pristine))
        self._pipe.scheduler = watched.scheduler
        try:
            yield watched
        finally:
            self._pipe.scheduler = pristine

    @contextmanager
    def _usable_afterwards(self) -> Iterator[None]:
        """Sends offloaded models back whatever ends the work; the pipeline does it only where it gets to its end."""
        try:
            yield
        except BaseException:
            self._pipe.maybe_free_model_hooks()
            raise


class Guidance:
    """One guidance value for each picture of a batch, where diffusers' loops expect a single number.

    They ask whether it is above 1 and multiply by it, and no more. A tensor fails at the first (it has many answers)
    and changes the second's type in bfloat16; this does what a plain number does, row by row and to the bit.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._values = tuple(values)
        self._rows: Any = None

    def __gt__(self, bound: float) -> bool:
        return max(self._values) > bound

    def __le__(self, bound: float) -> bool:
        return not self > bound

    def __mul__(self, difference: Any) -> Any:
        """difference: (B, …), of the conditioned and the unconditioned prediction."""
        import torch

        if self._rows is None or self._rows.device != difference.device:
            shape = (-1, *[1] * (difference.ndim - 1))
            self._rows = torch.tensor(self._values, dtype=torch.float32, device=difference.device).view(shape)
        return (self._rows * difference).to(difference.dtype)
