"""Several axes at once: every seed with every guidance value, number of steps and prompt, as a grid."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from math import log, prod
from typing import Any, Literal

from headshot.backend_names import LOCAL, STUDIO
from headshot.errors import RequestError
from headshot.request import HeadshotRequest

from .axes import Axis, expand_axis

Label = tuple[str, ...]  # of a row or column, the group's first: ("31 steps", "Guidance 7.5"); () if there is only one

_Field = Literal["prompt", "num_inference_steps", "guidance_scale", "seed"]
_Values = Mapping[_Field, Any]
_FIELDS: tuple[_Field, ...] = ("prompt", "num_inference_steps", "guidance_scale", "seed")  # the outermost first
_WORDS: dict[_Field, str] = {
    "prompt": "{}",
    "num_inference_steps": "{} steps",
    "guidance_scale": "Guidance {:g}",
    "seed": "Seed {}",
}
_GRID_SHAPE = 1.25  # columns over rows: of upright pictures that makes a square page

_PAUSES = " ,;."
_MARKS = '"“”„‟'  # phones turn the plain one into one of the others
_ITEM = re.compile(rf'\s*(?:[{_MARKS}]((?:[^{_MARKS}]|"")*)[{_MARKS}]|([^,\n]*))\s*(?:[,\n]|$)')
_EXAMPLE = "for example navy, grey, white"


def parse_prompts(prompt: str, text: str, *, at_most: int) -> list[str]:
    """Search and replace: the first item of `navy, grey, white` is searched for, each further one replaces it.

    Capitals count only if the prompt has the words in both ways. Keeps the order and drops repeats.
    Source: "Prompt S/R" of A1111's web UI.

    Args:
        prompt: the one to search.
        text: items separated by commas or line ends. An item in quotation marks may have both, or be empty: then the
            words are removed.
        at_most: how many prompts are allowed.

    Returns:
        The prompt itself, then one for each replacement.

    Raises:
        RequestError: if the first item is not in the prompt, there is no replacement, a prompt becomes too long, or
            there are too many.
    """
    wanted, *replacements = dict.fromkeys(_items(text)) or [""]
    if not wanted:
        raise RequestError(f"Enter the term to find and then its replacements, {_EXAMPLE}.")
    if wanted not in prompt:
        found = re.search(re.escape(wanted), prompt, re.IGNORECASE)
        if found is None:
            raise RequestError(f"“{_short(wanted)}” isn't in the prompt. The first term must be.")
        wanted = found[0]
    if not replacements:
        raise RequestError(f"“{_short(wanted)}” has no replacement. Add one after a comma, {_EXAMPLE}.")
    if len(replacements) >= at_most:
        raise RequestError(f"That is {1 + len(replacements)} prompts; at most {at_most} run at once.")
    prompts = [HeadshotRequest(prompt=prompt.replace(wanted, other)).prompt for other in replacements]
    return list(dict.fromkeys([prompt, *prompts]))


def format_prompts(prompts: Sequence[str]) -> str | None:
    """Write the text from which `parse_prompts` makes these prompts out of the first one: `navy, grey, white`.

    Returns:
        "" for a single prompt. None if one line of text cannot do it.
    """
    first = prompts[0]
    if len(prompts) == 1:
        return ""
    start = _alike(prompts)
    stop = len(first) - _alike([prompt[start:][::-1] for prompt in prompts])
    while start and first[start - 1].isalnum():
        start -= 1
    while stop < len(first) and first[stop].isalnum():
        stop += 1
    while True:
        behind = len(first) - stop
        text = ", ".join(_item(prompt[start : len(prompt) - behind]) for prompt in prompts)
        if _is_parsed_as(text, prompts):
            return text
        if (start, stop) == (0, len(first)):
            return None
        # Add a word on either side: there are none yet, or the prompt has them more than once.
        start = first.rfind(" ", 0, max(start - 1, 0)) + 1
        stop = found if (found := first.find(" ", stop + 1)) >= 0 else len(first)


def _alike(texts: Sequence[str]) -> int:
    """Count the letters that all of these begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))


def _item(words: str) -> str:
    plain = words and words == words.strip() and not re.search(r"[,\n]", words) and words[0] not in _MARKS
    return words if plain else '"{}"'.format(words.replace('"', '""'))


def _is_parsed_as(text: str, prompts: Sequence[str]) -> bool:
    """Whether the text is one line, and `parse_prompts` reads these prompts from it."""
    try:
        return text.splitlines() == [text] and parse_prompts(prompts[0], text, at_most=len(prompts)) == list(prompts)
    except RequestError:
        return False


def _items(text: str) -> list[str]:
    items, at = [], 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if found is None or (found[1] is None and found[2][:1] in tuple(_MARKS)):
            raise RequestError(
                "A quotation mark must open and close a whole item, for example navy, “grey, with grain”."
            )
        at = found.end()
        if found[1] is not None:
            items.append(found[1].replace('""', '"'))
        elif found[2].strip():
            items.append(found[2].strip())
    return items


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 30 else f"{line[:29]}…"


@dataclass(frozen=True)
class Matrix:
    """Every combination of these values, over the settings of a base.

    Repeats are dropped and the order is kept. A missing seed is drawn once, for all.

    Attributes:
        base: has the settings that no axis names. An axis without values gets the base's one.
        seeds: an axis.
        guidance_scales: an axis.
        num_inference_steps: an axis.
        prompts: an axis.

    Raises:
        RequestError: for a value that a request does not allow.
    """

    base: HeadshotRequest
    seeds: Sequence[int] = ()
    guidance_scales: Sequence[float] = ()
    num_inference_steps: Sequence[int] = ()
    prompts: Sequence[str] = ()

    def __post_init__(self) -> None:
        prompts = [HeadshotRequest(prompt=prompt).prompt for prompt in self.prompts] or [self.base.prompt]
        axes: dict[str, Iterable[Any]] = {
            "seeds": self._axis_values("seed", self.seeds),
            "guidance_scales": self._axis_values("guidance_scale", self.guidance_scales),
            "num_inference_steps": self._axis_values("num_inference_steps", self.num_inference_steps),
            "prompts": prompts,
        }
        for name, values in axes.items():
            object.__setattr__(self, name, tuple(dict.fromkeys(values)))

    def _axis_values(self, field: Axis, values: Sequence[float]) -> list[Any]:
        own = getattr(self.base, field)
        return [getattr(one, field) for one in expand_axis(self.base, field, values or [own])]

    @classmethod
    def spanned(cls, requests: Sequence[HeadshotRequest]) -> "Matrix | None":
        """Return the matrix with these requests, in any order; None if they are not every combination, once each."""
        if not requests:
            return None
        matrix = cls(
            requests[0],
            [request.seed for request in requests if request.seed is not None],
            [request.guidance_scale for request in requests],
            [request.num_inference_steps for request in requests],
            [request.prompt for request in requests],
        )
        whole = len(requests) == matrix.size and set(requests) == set(matrix.requests())
        return matrix if whole else None

    @property
    def size(self) -> int:
        """The number of headshots."""
        return prod(len(values) for values in self._values.values())

    @property
    def counted(self) -> str:
        """The number of headshots with its factors, the seeds first: `4 × 3 × 2 = 24 headshots`."""
        factors = [str(len(self._values[field])) for field in reversed(_FIELDS) if len(self._values[field]) > 1]
        sum_of = f"{' × '.join(factors)} = " if len(factors) > 1 else ""
        return f"{sum_of}{self.size:,} headshot{'s' if self.size > 1 else ''}"

    def check(self, *, at_most: int) -> None:
        """Check the number of headshots.

        Raises:
            RequestError: if there are more than that.
        """
        if self.size > at_most:
            raise RequestError(f"That is {self.counted}; at most {at_most} run at once, so take fewer of some.")

    def requests(self) -> list[HeadshotRequest]:
        """Return all requests in reading order: by prompt, then steps, then guidance, the seeds innermost."""
        return [self._request(values) for values in self._combinations(_FIELDS)]

    def ordered_for(self, backend: str) -> list[HeadshotRequest]:
        """Return the same requests in the order of least work for a backend; for an unknown one, as `requests` does.

        The studio analyses the photo once for each number of steps, and prepares once for all seeds of one prompt and
        guidance. The local pipeline encodes a prompt once for each run of requests that have it, and a run of equal
        steps fills whole batches; headshots of guidance 1, which have batches of their own, come last in it.

        Args:
            backend: its name.
        """
        if backend not in (STUDIO, LOCAL):
            return self.requests()
        apart = backend == LOCAL
        order = self._combinations(("num_inference_steps", "prompt", "guidance_scale", "seed"))
        steps, prompts = self.num_inference_steps, self.prompts
        return [
            self._request(values)
            for values in sorted(
                order,  # sorted keeps the rest of the order
                key=lambda values: (
                    steps.index(values["num_inference_steps"]),
                    prompts.index(values["prompt"]),
                    apart and values["guidance_scale"] == 1,
                ),
            )
        ]

    def rows(self) -> tuple[Label, ...]:
        """Return the labels of the rows, from the top."""
        return self._labels(self._layout[0])

    def columns(self) -> tuple[Label, ...]:
        """Return the labels of the columns, from the left: seeds, or else the longest axis that is not the prompts."""
        return self._labels(self._layout[1])

    def cells(self) -> dict[tuple[int, int], HeadshotRequest]:
        """Return the request at each (row, column), row by row."""
        down, across = self._layout
        return {
            (row, column): self._request({**of_row, **of_column})
            for row, of_row in enumerate(self._combinations(down))
            for column, of_column in enumerate(self._combinations(across))
        }

    @property
    def _values(self) -> Mapping[_Field, Sequence[Any]]:
        return {
            "prompt": self.prompts,
            "num_inference_steps": self.num_inference_steps,
            "guidance_scale": self.guidance_scales,
            "seed": self.seeds,
        }

    def _request(self, values: _Values) -> HeadshotRequest:
        settings: dict[str, Any] = {field: values.get(field, given[0]) for field, given in self._values.items()}
        return self.base.model_copy(update=settings)

    def _combinations(self, fields: Sequence[_Field]) -> list[_Values]:
        """Return every combination of these axes' values, the last axis fastest."""
        return [dict(zip(fields, values, strict=True)) for values in product(*(self._values[f] for f in fields))]

    @property
    def _layout(self) -> tuple[tuple[_Field, ...], tuple[_Field, ...]]:
        """The axes of the rows and those of the columns, at most two each, the outer one first.

        Prompts go in the rows if another axis can go in the columns: their words need more width than a picture has.
        """
        varied = [field for field in _FIELDS if len(self._values[field]) > 1] or ["seed"]
        if len(varied) == 1:
            return (), (varied[0],)
        across: _Field = "seed"
        if across not in varied:
            across = max([f for f in varied if f != "prompt"][::-1], key=lambda field: len(self._values[field]))
        others = tuple(field for field in varied if field != across)
        layouts: list[tuple[tuple[_Field, ...], tuple[_Field, ...]]] = [(others, (across,))]
        if len(others) > 1:
            for group in others:
                if group != "prompt":
                    layouts.append((tuple(field for field in others if field != group), (group, across)))
        return min((layout for layout in layouts if len(layout[0]) <= 2), key=self._distance_from_square_page)

    def _distance_from_square_page(self, layout: tuple[Sequence[_Field], Sequence[_Field]]) -> float:
        rows, columns = (prod(len(self._values[field]) for field in fields) for fields in layout)
        return abs(log(columns / rows / _GRID_SHAPE))

    def _labels(self, fields: Sequence[_Field]) -> tuple[Label, ...]:
        words = {field: self._words_of(field) for field in fields}
        return tuple(product(*(words[field] for field in fields)))

    def _words_of(self, field: _Field) -> list[str]:
        if field == "prompt":
            return distinct_words(self.prompts)
        return [_WORDS[field].format(value) for value in self._values[field]]


def distinct_words(prompts: Sequence[str]) -> list[str]:
    """Return the words in which each prompt differs from the others; whole prompts if there are none.

    `navy` and `grey` for “navy backdrop, soft light” and “grey backdrop, soft light”.
    """
    words = [prompt.split() for prompt in prompts]
    first = _shared(words)
    last = _shared([line[first:][::-1] for line in words])
    apart = [" ".join(line[first : len(line) - last]).strip(_PAUSES) or "(left out)" for line in words]
    return apart if len(set(apart)) == len(prompts) > 1 else list(prompts)


def _shared(lines: Iterable[Sequence[str]]) -> int:
    """Count the words that all of these begin with."""
    count = 0
    for words in zip(*lines, strict=False):
        if len({word.strip(_PAUSES) for word in words}) > 1:
            break
        count += 1
    return count
