"""Axes: text of seeds and guidance values to numbers, and numbers to requests that differ in one setting."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from headshot.errors import RequestError
from headshot.request import MAX_SEED, HeadshotRequest, allowed, random_seed

Axis = Literal["seed", "guidance_scale", "num_inference_steps"]

_DASH = "[-\u2010-\u2015\u2212]"  # phones and word processors turn a hyphen into one of the others
_NUMBER_OR_RANGE = re.compile(rf"(\d{{1,12}})(?:{_DASH}(\d{{1,12}}))?")
_DECIMAL = re.compile(rf"{_DASH}?\d{{1,12}}(?:\.\d{{0,20}})?")  # with a sign, so that -3 is answered as a number
_IN_WORDS: dict[Axis, tuple[str, str, str]] = {
    "seed": ("seed", "seeds", "[1, 2, 3, 4]"),
    "guidance_scale": ("guidance value", "guidance values", "[4, 7.5, 12]"),
    "num_inference_steps": ("number of steps", "numbers of steps", "[21, 31, 41]"),
}


def parse_seeds(text: str, *, at_most: int) -> list[int]:
    """Read `1, 2, 3`, `10-13` or a mix of both. Keeps the order and drops repeats.

    Args:
        text: items separated by commas, semicolons, spaces or line ends.
        at_most: how many seeds are allowed.

    Raises:
        RequestError: for any other text, a seed outside 0…2³²−1, a range that runs backwards, and too many seeds.
    """
    spaced = re.sub(r"\s+", " ", text)  # first, or a long run of blanks would cost its length squared
    items = _items(re.sub(rf" ?({_DASH}) ?", r"\1", spaced))
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
    _check_count(len(seeds), at_most, "seed")
    return list(seeds)


def parse_guidance_scales(text: str, *, at_most: int) -> list[float]:
    """Read `1, 4, 7.5, 12`. Keeps the order and drops repeats.

    Args:
        text: items separated like seeds; the decimals follow a point, never a comma.
        at_most: how many values are allowed.

    Raises:
        RequestError: for any other text, a guidance outside the request's own limits, and too many values.
    """
    items = _items(text)
    if not items:
        raise RequestError("Name at least one guidance value, for example 4, 7.5, 12.")
    field = HeadshotRequest.model_json_schema()["properties"]["guidance_scale"]
    scales: dict[float, None] = {}
    for item in items:
        if _DECIMAL.fullmatch(item) is None:
            raise RequestError(f"“{item[:20]}” is not a guidance value: write numbers like 4, 7.5, 12.")
        scale = float(re.sub(f"^{_DASH}", "-", item))
        if not field["minimum"] <= scale <= field["maximum"]:
            raise RequestError(f"{field['title']} must be {allowed(field)}, which {item} is not.")
        scales[scale] = None
    _check_count(len(scales), at_most, "guidance_scale")
    return list(scales)


def _items(text: str) -> list[str]:
    return [item for item in re.split(r"[,;\s]+", text) if item]


def _check_count(count: int, at_most: int, field: Axis) -> None:
    if count > at_most:
        raise RequestError(f"That is {count} {_IN_WORDS[field][1]}; at most {at_most} run at once.")


def format_seeds(seeds: Sequence[int]) -> str:
    """Write seeds as `parse_seeds` reads them, three or more in a row as a range: `1-4, 9`. No seeds give no text."""
    parts: list[str] = []
    first = 0
    for end in range(1, len(seeds) + 1):
        if end < len(seeds) and seeds[end] == seeds[end - 1] + 1:
            continue
        run = seeds[first:end]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(seed) for seed in run]
        first = end
    return ", ".join(parts)


def format_guidance_scales(scales: Sequence[float]) -> str:
    """Write guidance values as `parse_guidance_scales` reads them: `4, 7.5, 12`."""
    return ", ".join(repr(float(scale)).removesuffix(".0") for scale in scales)


def resize_seeds(seeds: Sequence[int], count: int) -> list[int]:
    """Return the first `count` seeds; if there are fewer, add the numbers after the last one, and 0 after the largest.

    Seeds that are in the list already are skipped. An empty list is filled from 1.
    """
    resized = list(seeds[: max(count, 0)])
    used = set(resized)
    following = resized[-1] if resized else 0
    while len(resized) < count:
        following = 0 if following == MAX_SEED else following + 1
        if following not in used:
            resized.append(following)
            used.add(following)
    return resized


def expand_axis(request: HeadshotRequest, field: Axis, values: Iterable[float | None]) -> list[HeadshotRequest]:
    """Return one request for each value of a field, in order, with nothing else changed.

    A missing seed is drawn: one that all requests share if another field varies, and different ones if the seeds vary.

    Args:
        request: the settings that all share.
        field: the one to vary.
        values: at least one; None only for a seed.

    Raises:
        RequestError: if there is no value, or one that the field does not allow.
    """
    if field not in _IN_WORDS:
        raise RequestError(f"“{str(field)[:20]}” cannot be varied: choose {', '.join(_IN_WORDS)}.")
    one, many, example = _IN_WORDS[field]
    try:
        wanted = list(values)
    except TypeError as error:
        raise RequestError(f"Give the {many} as a list, for example {example}.") from error
    if not wanted:
        raise RequestError(f"Name at least one {one}, for example {example}.")
    [shared] = [request] if field == "seed" else resolve_seeds([request])
    settings = shared.model_dump()
    return resolve_seeds([HeadshotRequest(**{**settings, field: value}) for value in wanted])


def plan(request: HeadshotRequest, seeds: Iterable[int | None]) -> list[HeadshotRequest]:
    """Return one request for each seed, like `expand_axis`."""
    return expand_axis(request, "seed", seeds)


def varying_fields(requests: Sequence[HeadshotRequest]) -> tuple[str, ...]:
    """Return the fields whose values differ between these requests, in the request's own order."""
    return tuple(
        name
        for name in HeadshotRequest.model_fields
        if any(getattr(request, name) != getattr(requests[0], name) for request in requests)
    )


def resolve_seeds(requests: Sequence[HeadshotRequest]) -> list[HeadshotRequest]:
    """Draw each missing seed, different from all others: a headshot must always be repeatable."""
    used = {request.seed for request in requests}
    resolved = []
    for request in requests:
        seed = request.seed
        while seed is None:
            seed = random_seed()
            if seed in used:
                seed = None
        used.add(seed)
        resolved.append(request if request.seed is not None else request.model_copy(update={"seed": seed}))
    return resolved
