"""From axes to requests: one photo, one look, several seeds."""

import re
from collections.abc import AsyncIterator, Sequence

from .backends import Backend
from .errors import RequestError
from .photo import Photo
from .request import MAX_SEED, Headshot, HeadshotRequest, Progress

_NUMBER_OR_RANGE = re.compile(r"(\d{1,12})(?:\s*[-–—]\s*(\d{1,12}))?")


def parse_seeds(text: str, *, at_most: int) -> list[int]:
    """Read `1, 2, 3`, `10-13` or a mix of both; commas, semicolons, spaces and line ends part the items.

    Keeps the order and drops repeats. Raises RequestError with one sentence for anything else, for a seed outside
    0…2³²−1, for a range that runs backwards, and for more than `at_most` seeds.
    """
    spaced = re.sub(r"\s*([-–—])\s*", r"\1", text.strip())
    items = [item for item in re.split(r"[,;\s]+", spaced) if item]
    if not items:
        raise RequestError("Name at least one seed, for example 1, 2, 3 or 10-13.")
    seeds: dict[int, None] = {}
    for item in items:
        found = _NUMBER_OR_RANGE.fullmatch(item)
        if found is None:
            raise RequestError(f"“{item[:20]}” is not a seed: write numbers like 1, 2, 3 or a range like 10-13.")
        first = int(found[1])
        last = int(found[2]) if found[2] is not None else first
        if last < first:
            raise RequestError(f"The range {item} runs backwards: write {last}-{first}.")
        if last > MAX_SEED:
            raise RequestError(f"A seed is at most {MAX_SEED}: {last} is too large.")
        if last - first >= at_most:
            raise RequestError(f"The range {item} holds {last - first + 1:,} seeds; at most {at_most} run at once.")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    if len(seeds) > at_most:
        raise RequestError(f"That is {len(seeds)} seeds; at most {at_most} run at once.")
    return list(seeds)


def plan(request: HeadshotRequest, seeds: Sequence[int | None]) -> list[HeadshotRequest]:
    """One request a seed, with nothing but the seed changed. A None seed becomes a number here."""
    return [HeadshotRequest(**{**request.model_dump(), "seed": seed}).resolved() for seed in seeds]


def compare(
    backend: Backend,
    photo: Photo,
    requests: Sequence[HeadshotRequest],
    progress: Progress | None = None,
    *,
    face: int | None = None,
) -> AsyncIterator[Headshot]:
    """The comparison's headshots as they land, every seed resolved before anything runs."""
    return backend.shoot(photo, [request.resolved() for request in requests], progress or Progress(), face=face)
