"""Several axes at once: every seed with every guidance value, number of steps and wording of the prompt, as a grid."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from math import log, prod
from typing import Any, Literal

from headshot.backend_names import LOCAL, STUDIO
from headshot.errors import RequestError
from headshot.request import HeadshotRequest

from .comparing import Axis, expand_axis

Label = tuple[str, ...]  # of a row or column, the group's first: ("31 steps", "Guidance 7.5"); () where one is all

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
    """Search and replace: the first item of `navy, grey, white` is searched for, each further one takes its place.

    The prompt itself comes first. Commas and line ends part the items; one in quotation marks may hold both, or
    nothing: then the words are left out. Capitals count only where the prompt holds the words in both ways.
    Keeps the order and drops repeats. Raises RequestError with one sentence where the first item is not in the prompt,
    where nothing takes its place, for a prompt that grows too long, and for more than `at_most` prompts.
    Source: "Prompt S/R" of A1111's web UI.
    """
    wanted, *replacements = dict.fromkeys(_items(text)) or [""]
    if not wanted:
        raise RequestError(f"Name the words to search for and then what takes their place, {_EXAMPLE}.")
    if wanted not in prompt:
        found = re.search(re.escape(wanted), prompt, re.IGNORECASE)
        if found is None:
            raise RequestError(
                f"“{_short(wanted)}” does not occur in the prompt: the first item is what the others take the place of."
            )
        wanted = found[0]
    if not replacements:
        raise RequestError(f"Nothing takes the place of “{_short(wanted)}”: name it after a comma, {_EXAMPLE}.")
    if len(replacements) >= at_most:
        raise RequestError(f"That is {1 + len(replacements)} prompts; at most {at_most} run at once.")
    prompts = [HeadshotRequest(prompt=prompt.replace(wanted, other)).prompt for other in replacements]
    return list(dict.fromkeys([prompt, *prompts]))


def format_prompts(prompts: Sequence[str]) -> str | None:
    """Write prompts as `parse_prompts` reads them beside the first of them, in few words: `navy, grey, white`.

    No text for a single one. None where one line cannot say it.
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
        if _spells(text, prompts):
            return text
        if (start, stop) == (0, len(first)):
            return None
        # A word more on either side: there are none yet, or they stand in the prompt more than once.
        start = first.rfind(" ", 0, max(start - 1, 0)) + 1
        stop = found if (found := first.find(" ", stop + 1)) >= 0 else len(first)


def _alike(texts: Sequence[str]) -> int:
    """How many letters all of these begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))


def _item(words: str) -> str:
    plain = words and words == words.strip() and not re.search(r"[,\n]", words) and words[0] not in _MARKS
    return words if plain else '"{}"'.format(words.replace('"', '""'))


def _spells(text: str, prompts: Sequence[str]) -> bool:
    """Whether that is one line, and read as these prompts."""
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
    """Every combination of these values; what no axis names is the base's own.

    An axis without values has the base's one. Repeats are dropped and the order is kept. A seed that is nowhere named
    is drawn once, for all. Raises RequestError for a value that a request does not take.
    """

    base: HeadshotRequest
    seeds: Sequence[int] = ()
    guidance_scales: Sequence[float] = ()
    num_inference_steps: Sequence[int] = ()
    prompts: Sequence[str] = ()

    def __post_init__(self) -> None:
        prompts = [HeadshotRequest(prompt=prompt).prompt for prompt in self.prompts] or [self.base.prompt]
        axes: dict[str, Iterable[Any]] = {
            "seeds": self._varied("seed", self.seeds),
            "guidance_scales": self._varied("guidance_scale", self.guidance_scales),
            "num_inference_steps": self._varied("num_inference_steps", self.num_inference_steps),
            "prompts": prompts,
        }
        for name, values in axes.items():
            object.__setattr__(self, name, tuple(dict.fromkeys(values)))

    def _varied(self, field: Axis, values: Sequence[float]) -> list[Any]:
        own = getattr(self.base, field)
        return [getattr(one, field) for one in expand_axis(self.base, field, values or [own])]

    @classmethod
    def spanned(cls, requests: Sequence[HeadshotRequest]) -> "Matrix | None":
        """The matrix whose requests these are, in any order; None where they are not every combination, once each."""
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
        return prod(len(values) for values in self._values.values())

    @property
    def counted(self) -> str:
        """How many headshots these are, and why: `4 × 3 × 2 = 24 headshots`. The seeds count first."""
        factors = [str(len(self._values[field])) for field in reversed(_FIELDS) if len(self._values[field]) > 1]
        sum_of = f"{' × '.join(factors)} = " if len(factors) > 1 else ""
        return f"{sum_of}{self.size:,} headshot{'s' if self.size > 1 else ''}"

    def check(self, *, at_most: int) -> None:
        """Raises RequestError with one sentence where these are more headshots than that."""
        if self.size > at_most:
            raise RequestError(f"That is {self.counted}; at most {at_most} run at once, so take fewer of some.")

    def requests(self) -> list[HeadshotRequest]:
        """Every one once, as a person reads them: by prompt, then steps, then guidance, the seeds innermost."""
        return [self._request(values) for values in self._combined(_FIELDS)]

    def ordered_for(self, backend: str) -> list[HeadshotRequest]:
        """The same requests in the order of least work for the backend of that name; for any other, as they are.

        studio: an analysis serves all of one effort, and a session all seeds of one prompt and guidance.
        local: the words are encoded once for each stretch of a prompt, and a stretch of equal steps fills whole
        buckets; headshots of guidance 1, whose buckets are their own, come together at its end.
        """
        if backend not in (STUDIO, LOCAL):
            return self.requests()
        apart = backend == LOCAL
        order = self._combined(("num_inference_steps", "prompt", "guidance_scale", "seed"))
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
        """What the rows are called, from the top."""
        return self._labels(self._layout[0])

    def columns(self) -> tuple[Label, ...]:
        """What the columns are called, from the left. Seeds go across, or else the longest axis that is no prompt."""
        return self._labels(self._layout[1])

    def cells(self) -> dict[tuple[int, int], HeadshotRequest]:
        """The request at each (row, column), row by row."""
        down, across = self._layout
        return {
            (row, column): self._request({**of_row, **of_column})
            for row, of_row in enumerate(self._combined(down))
            for column, of_column in enumerate(self._combined(across))
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

    def _combined(self, fields: Sequence[_Field]) -> list[_Values]:
        """Every combination of these axes' values, the last axis fastest."""
        return [dict(zip(fields, values, strict=True)) for values in product(*(self._values[f] for f in fields))]

    @property
    def _layout(self) -> tuple[tuple[_Field, ...], tuple[_Field, ...]]:
        """The axes that go down and those that go across, at most two each, the outer one first.

        Prompts go down wherever something else can go across, for words need more width than a picture has.
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
        return min((layout for layout in layouts if len(layout[0]) <= 2), key=self._crookedness)

    def _crookedness(self, layout: tuple[Sequence[_Field], Sequence[_Field]]) -> float:
        rows, columns = (prod(len(self._values[field]) for field in fields) for fields in layout)
        return abs(log(columns / rows / _GRID_SHAPE))

    def _labels(self, fields: Sequence[_Field]) -> tuple[Label, ...]:
        words = {field: self._told(field) for field in fields}
        return tuple(product(*(words[field] for field in fields)))

    def _told(self, field: _Field) -> list[str]:
        if field == "prompt":
            return told_apart(self.prompts)
        return [_WORDS[field].format(value) for value in self._values[field]]


def told_apart(prompts: Sequence[str]) -> list[str]:
    """The words of each prompt that set it apart from the others; whole prompts where no words do.

    `navy` and `grey` for “navy backdrop, soft light” and “grey backdrop, soft light”.
    """
    words = [prompt.split() for prompt in prompts]
    first = _shared(words)
    last = _shared([line[first:][::-1] for line in words])
    apart = [" ".join(line[first : len(line) - last]).strip(_PAUSES) or "(left out)" for line in words]
    return apart if len(set(apart)) == len(prompts) > 1 else list(prompts)


def _shared(lines: Iterable[Sequence[str]]) -> int:
    """How many words all of these begin with."""
    count = 0
    for words in zip(*lines, strict=False):
        if len({word.strip(_PAUSES) for word in words}) > 1:
            break
        count += 1
    return count
