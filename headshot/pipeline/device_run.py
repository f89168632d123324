"""Runs one comparison on one device, bucket by bucket, and reports events on the way."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import HeadshotRequest, Note

from .sampling import Sampler

if TYPE_CHECKING:
    from .loading import Loaded


@dataclass(frozen=True)
class StepEvent:
    """One more step of a bucket is done.

    Attributes:
        requests: the bucket's.
        step: how many steps are done.
        steps: how many there are.
        previews: a small picture of each request's headshot so far, None if there is none yet.
    """

    requests: tuple[HeadshotRequest, ...]
    step: int
    steps: int
    previews: tuple[Image.Image | None, ...]


@dataclass(frozen=True)
class BatchEvent:
    """A bucket is done.

    Attributes:
        requests: the bucket's.
        pictures: RGB at the model's own size, in the requests' order.
        seconds: one picture's share of the bucket's time.
        made_by: model, device and tier, as people read them.
        facts: what is needed to repeat the pictures beside the requests, in JSON types.
        notes: what the person should know about all of them.
    """

    requests: tuple[HeadshotRequest, ...]
    pictures: tuple[Image.Image, ...]
    seconds: float
    made_by: str
    facts: Mapping[str, Any]
    notes: tuple[Note, ...]


def run_comparison(
    loaded: "Loaded",
    face: Image.Image,
    requests: Sequence[HeadshotRequest],
    on_event: Callable[[StepEvent | BatchEvent], None],
) -> None:
    """Make the pictures of a comparison, bucket by bucket.

    Face and prompt are encoded once, however many seeds, guidance values and steps there are.

    Args:
        loaded: the models.
        face: RGB, the square crop that the model sees (`face_crop.face_region`).
        requests: with seeds.
        on_event: called after every step and every bucket. If it raises, the work ends there and the error is raised.
    """
    by_prompts: dict[tuple[str, str], list[HeadshotRequest]] = {}
    for request in requests:
        by_prompts.setdefault((request.prompt, request.negative_prompt), []).append(request)
    for prompts, group in by_prompts.items():
        sampler = Sampler(loaded, face, *prompts)
        for bucket in sampler.batches(group):
            _run_bucket(loaded, sampler, tuple(bucket), on_event)


def _run_bucket(
    loaded: "Loaded",
    sampler: Sampler,
    bucket: tuple[HeadshotRequest, ...],
    on_event: Callable[[StepEvent | BatchEvent], None],
) -> None:
    def on_step(step: int, steps: int, previews: Sequence[Image.Image | None]) -> None:
        on_event(StepEvent(bucket, step, steps, tuple(previews)))

    started = time.perf_counter()
    pictures = sampler.run(bucket, on_step)
    seconds = (time.perf_counter() - started) / len(bucket)
    made_by = f"{loaded.spec.title} on {loaded.device.title}, {loaded.tier}"
    on_event(BatchEvent(bucket, tuple(pictures), seconds, made_by, sampler.facts(), sampler.notes))
