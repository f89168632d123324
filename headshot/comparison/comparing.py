"""From axes to requests: one photo, one look, several seeds, guidance values or steps."""

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import replace
from typing import Literal

from headshot.backends import Backend
from headshot.errors import BackendError, HeadshotError, RequestError, Unavailable
from headshot.imaging.photo import Photo
from headshot.metadata import embed_metadata
from headshot.progress import HeadshotStatus, Progress
from headshot.request import MAX_SEED, Headshot, HeadshotRequest, Note, allowed, random_seed

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
    """Read `1, 2, 3`, `10-13` or a mix of both; commas, semicolons, spaces and line ends part the items.

    Keeps the order and drops repeats. Raises RequestError with one sentence for anything else, for a seed outside
    0…2³²−1, for a range that runs backwards, and for more than `at_most` seeds.
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
    """Read `1, 4, 7.5, 12`, parted like seeds; a point and never a comma stands before the decimals.

    Keeps the order and drops repeats. Raises RequestError with one sentence for anything else, for a guidance outside
    the request's own bounds, and for more than `at_most` of them.
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
    written: list[str] = []
    first = 0
    for end in range(1, len(seeds) + 1):
        if end < len(seeds) and seeds[end] == seeds[end - 1] + 1:
            continue
        run = seeds[first:end]
        written += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(seed) for seed in run]
        first = end
    return ", ".join(written)


def format_guidance_scales(scales: Sequence[float]) -> str:
    """Write guidance values as `parse_guidance_scales` reads them: `4, 7.5, 12`."""
    return ", ".join(repr(float(scale)).removesuffix(".0") for scale in scales)


def resize_seeds(seeds: Sequence[int], count: int) -> list[int]:
    """The first `count` seeds; where there are fewer, those after the last one follow, 0 after the largest.

    Seeds that stand already are passed over. From no seeds it counts up from 1.
    """
    resized = list(seeds[: max(count, 0)])
    taken = set(resized)
    following = resized[-1] if resized else 0
    while len(resized) < count:
        following = 0 if following == MAX_SEED else following + 1
        if following not in taken:
            resized.append(following)
            taken.add(following)
    return resized


def expand_axis(request: HeadshotRequest, field: Axis, values: Iterable[float | None]) -> list[HeadshotRequest]:
    """One request a value of this field, in order, with nothing else changed.

    A None seed becomes a number: one that all share where another field varies, and where the seeds vary one that no
    other request has. Raises RequestError with one sentence where there is no value, or one that the field does not
    take.
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
    [shared] = [request] if field == "seed" else _resolved([request])
    settings = shared.model_dump()
    return _resolved([HeadshotRequest(**{**settings, field: value}) for value in wanted])


def plan(request: HeadshotRequest, seeds: Iterable[int | None]) -> list[HeadshotRequest]:
    """One request a seed: `expand_axis` along the seeds."""
    return expand_axis(request, "seed", seeds)


def varying_fields(requests: Sequence[HeadshotRequest]) -> tuple[str, ...]:
    """The settings in which these requests are not all alike, in the request's own order."""
    return tuple(
        name
        for name in HeadshotRequest.model_fields
        if any(getattr(request, name) != getattr(requests[0], name) for request in requests)
    )


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


async def compare(
    chain: Sequence[Backend],
    photo: Photo,
    requests: Sequence[HeadshotRequest],
    progress: Progress | None = None,
    *,
    face: int | None = None,
    parent: str = "",
    turn: Callable[[Backend], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
) -> AsyncGenerator[Headshot]:
    """The comparison's headshots as they land, each file with its recipe. Missing seeds become numbers first.

    chain: the backend; others behind it take over what it could not make for being Unavailable, and say so on the
    headshot. What one refused, or may have billed, no other one answers.  parent: as `embed_metadata` takes it.
    turn: held while a backend works.
    Raises what the backends raise: once all else has landed, where they know of each headshot what became of it.
    """
    progress = progress or Progress()
    left, reason = _resolved(requests), ""
    complaint: HeadshotError | None = None
    for backend, *behind in (chain[at:] for at in range(len(chain))):
        missed: dict[HeadshotRequest, HeadshotError] = {}

        def stand(at: HeadshotStatus, missed: dict[HeadshotRequest, HeadshotError] = missed) -> None:
            if at.error is not None:
                missed[at.request] = at.error
            progress.report_item(at)

        landed = set()
        try:
            async with (
                turn(backend),
                aclosing(backend.generate(photo, left, progress.with_listener(stand), face=face)) as headshots,
            ):
                async for headshot in headshots:
                    landed.add(headshot.request)
                    yield embed_metadata(
                        _with_fallback_note(headshot, reason), photo_sha256=photo.sha256, parent=parent
                    )
        except BackendError as error:
            open_ones = [(request, missed.get(request, error)) for request in left if request not in landed]
            fallen = [(request, why) for request, why in open_ones if isinstance(why, Unavailable)]
            takes_over = behind[0].title if fallen and behind else ""
            if takes_over:
                complaint = complaint or next((why for _, why in open_ones if not isinstance(why, Unavailable)), None)
            else:
                complaint = complaint or error
                break
            left = [request for request, _ in fallen]
            reason = f"Made by {takes_over}, for {backend.title} was not available: {fallen[0][1]}"
            for request in left:
                progress.report_item(HeadshotStatus(request, "waiting", f"{takes_over} takes over"))
        else:
            break
    if complaint is not None:
        raise complaint


def _with_fallback_note(headshot: Headshot, reason: str) -> Headshot:
    return replace(headshot, notes=(Note("advice", reason), *headshot.notes)) if reason else headshot
