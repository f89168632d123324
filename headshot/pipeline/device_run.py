"""One comparison on one device: its sessions and buckets, and what is told on the way."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import HeadshotRequest, Note

from .sampling import Conditioning

if TYPE_CHECKING:
    from .loading import Loaded


@dataclass(frozen=True)
class StepEvent:
    """One more step is done, `step` of `steps`. previews: small pictures of what each request is becoming."""

    requests: tuple[HeadshotRequest, ...]
    step: int
    steps: int
    previews: tuple[Image.Image | None, ...]


@dataclass(frozen=True)
class BatchEvent:
    """A bucket is done. seconds: a picture's share of it.  by: what made it, in words.

    facts: what it takes to repeat it, as JSON's types.
    """

    requests: tuple[HeadshotRequest, ...]
    pictures: tuple[Image.Image, ...]
    seconds: float
    by: str
    facts: Mapping[str, Any]
    notes: tuple[Note, ...]


def run_comparison(
    loaded: "Loaded",
    face: Image.Image,
    requests: Sequence[HeadshotRequest],
    tell: Callable[[StepEvent | BatchEvent], None],
) -> None:
    """Make the headshots bucket by bucket. What `tell` raises ends the work between two steps, and is raised.

    face: the square crop that the recipe sees. It and the words are encoded once, however many seeds, guidance values
    and steps there are.
    """
    by_words: dict[tuple[str, str], list[HeadshotRequest]] = {}
    for request in requests:
        by_words.setdefault((request.prompt, request.negative_prompt), []).append(request)
    for words, alike in by_words.items():
        session = Conditioning(loaded, face, *words)
        for bucket in session.batches(alike):
            _decode(loaded, session, tuple(bucket), tell)


def _decode(
    loaded: "Loaded",
    session: Conditioning,
    bucket: tuple[HeadshotRequest, ...],
    tell: Callable[[StepEvent | BatchEvent], None],
) -> None:
    def on_step(step: int, steps: int, previews: Sequence[Image.Image | None]) -> None:
        tell(StepEvent(bucket, step, steps, tuple(previews)))

    started = time.perf_counter()
    pictures = session.run(bucket, on_step)
    seconds = (time.perf_counter() - started) / len(bucket)
    by = f"{loaded.recipe.title} on {loaded.device.title}, {loaded.tier}"
    tell(BatchEvent(bucket, tuple(pictures), seconds, by, session.recipe_facts(), session.notes))
