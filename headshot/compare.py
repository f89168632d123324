"""From axes to requests: one photo, one look, several seeds."""

import re
from collections.abc import AsyncGenerator, Sequence

from .backends import Backend
from .errors import RequestError
from .photo import Photo
from .request import MAX_SEED, Headshot, HeadshotRequest, Progress, random_seed

_DASH = "[-\u2010-\u2015\u2212]"  # phones and word processors turn a hyphen into one of the others
_NUMBER_OR_RANGE = re.compile(rf"(\d{{1,12}})(?:{_DASH}(\d{{1,12}}))?")


def parse_seeds(text: str, *, at_most: int) -> list[int]:
    """Read `1, 2, 3`, `10-13` or a mix of both; commas, semicolons, spaces and line ends part the items.

    Keeps the order and drops repeats. Raises RequestError with one sentence for anything else, for a seed outside
    0…2³²−1, for a range that runs backwards, and for more than `at_most` seeds.
    """
    spaced = re.sub(r"\s+", " ", text)  # first, or a long run of blanks would cost its length squared
    spaced = re.sub(rf" ?({_DASH}) ?", r"\1", spaced)
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
    """One request a seed, with nothing but the seed changed. A None seed becomes a number that no other one has.

    Raises RequestError with one sentence where there is no seed, or something that is none.
    """
    try:
        wanted = list(seeds)
    except TypeError as error:
        raise RequestError("Give the seeds as a list, for example [1, 2, 3, 4].") from error
    if not wanted:
        raise RequestError("Name at least one seed, for example [1, 2, 3, 4].")
    settings = request.model_dump()
    return _resolved([HeadshotRequest(**{**settings, "seed": seed}) for seed in wanted])


def _resolved(requests: Sequence[HeadshotRequest]) -> list[HeadshotRequest]:
    """Every missing seed becomes a number that no other request has: a headshot that cannot be repeated is a defect."""
    taken = {request.seed for request in requests}
    resolved = []
    for request in requests:
        seed = request.seed
        while seed is None:
            seed = random_seed()
            if seed in taken:
                seed = None
        taken.add(seed)
        resolved.append(request if request.seed is not None else request.model_copy(update={"seed": seed}))
    return resolved


def compare(
    backend: Backend,
    photo: Photo,
    requests: Sequence[HeadshotRequest],
    progress: Progress | None = None,
    *,
    face: int | None = None,
) -> AsyncGenerator[Headshot]:
    """The comparison's headshots as they land. Missing seeds become numbers before anything runs."""
    return backend.shoot(photo, _resolved(requests), progress or Progress(), face=face)
