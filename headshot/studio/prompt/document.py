"""The vocabulary in writing: the text of docs/vocabulary.md."""

from collections.abc import Mapping
from typing import Any

from . import vocabulary

_NAMES = {
    "light": "Light",
    "key_side": "Side of the key light",
    "tone": "Tone",
    "black_and_white": "Black and white",
    "contrast": "Contrast",
    "brightness": "Brightness",
    "crop": "Crop",
    "retouch": "Retouch",
    "rim": "Rim light",
    "vignette": "Vignette",
    "grain": "Grain",
}

_INTRODUCTION = """\
# The studio's vocabulary

The studio reads `prompt` and `negative_prompt` by the words below. What it understands is listed with every headshot as
*applied*; what it cannot do, and every word that is not here, is listed as *not applied*, in your own words.

This page is written by `headshot.studio.prompt.document.document()`; a test compares the two.

- Capitals, hyphens, underscores, plurals, articles, British or American spelling, brackets, weights such as
  `(soft:1.3)`, emoji, bare numbers, sizes such as `85mm` and switches such as `--ar 4:5` make no difference. A new
  line, a full stop and `BREAK` are commas.
- The longest phrase wins. An adjective belongs to the noun after it: *warm smile* is about the smile, *navy suit* about
  the suit.
- Where two choices contradict each other the first one stands, and the other is listed as left out. A single choice
  (*Rembrandt*) always wins over a mood (*corporate*).
- “No vignette”, “without grain”, “not black and white” in the prompt count as negative prompt, as far as the next comma
  or preposition. Where prompt and negative prompt contradict each other, the negative prompt wins and the result says
  so.
"""


def document() -> str:
    """Return the whole text of docs/vocabulary.md."""
    backdrops = {paper: [words] for paper, words in vocabulary.PAPERS.items()}
    backdrops["navy"].append(f"as the nearest: {vocabulary.BLUES}")
    for value, words in vocabulary.CHOICES["backdrop"].items():
        backdrops[value] = [words]
    lines = [
        _INTRODUCTION,
        "## Backdrop",
        "",
        "Scenes are procedural and out of focus. A paper colour counts beside a backdrop word "
        f"({vocabulary.BACKDROP_WORDS}, {vocabulary.STUDIO_WORDS}), after *on*, *against*, *before* or *in front of*, "
        "or when it stands alone between commas.",
        "",
        *_rows("Backdrop", {value: "; ".join(words) for value, words in backdrops.items()}),
        "",
        "Only beside a backdrop word:",
        "",
        *_rows("Backdrop", vocabulary.BACKDROP_ADJECTIVES),
        "",
        f"Without a meaning there: {vocabulary.BACKDROP_FILLER}.",
        "",
        f"There is no backdrop or light in: {vocabulary.OTHER_COLOURS}.",
    ]
    for name, title in _NAMES.items():
        choices = {_value(value): words for value, words in vocabulary.CHOICES[name].items()}
        lines += ["", f"## {title}", "", *_rows(title, choices)]
    lines += [
        "",
        f"Words for light that choose nothing by themselves: {vocabulary.LIGHT_WORDS}.",
        "",
        f"As the nearest the studio has, with a note: {vocabulary.FULL_LENGTH} (wide crop); "
        f"{vocabulary.SEPIA} (black and white).",
        "",
        "## Moods and combinations",
        "",
        "| Words | Chooses | Suggests, unless stated | Otherwise |",
        "| --- | --- | --- | --- |",
    ]
    for entry in vocabulary.STYLE_PHRASES:
        lines.append(
            f"| {entry.words} | {_in_words(entry.sets)} | {_in_words(entry.implies)} | {_in_words(entry.otherwise)} |"
        )
    lines += [
        "",
        "Adjectives that belong to a thing named right after them, where the studio cannot change it: "
        f"{vocabulary.WEAK}.",
        "",
        "## What the studio cannot do",
        "",
    ]
    for reason, words in vocabulary.REFUSED.items():
        lines += [f"**{reason.capitalize()}**: {vocabulary.REASONS[reason]} {words}.", ""]
    lines += [
        f"After these, whatever follows in the phrase belongs to them: {vocabulary.CLAUSE_STARTERS}.",
        "",
        "## Negative prompt",
        "",
        "Each choice above, named in the negative prompt, is avoided. Besides, or instead:",
        "",
        "| Words | Means |",
        "| --- | --- |",
    ]
    lines += [f"| {rule.words} | {rule.means} |" for rule in vocabulary.NEGATIVE_RULES]
    lines += [
        "",
        f"**Stay in the picture**, with a note: {vocabulary.LINES}. So do clothes, hair, glasses, a smile: nothing is "
        "taken off a person.",
        "",
        "**Never there anyway**, so passed over: other people, other scenery, art styles, coloured light, writing, and "
        f"{vocabulary.BOILERPLATE}.",
        "",
        "## Passed over",
        "",
        f"**Pictures**: {vocabulary.PICTURE_WORDS}.",
        "",
        f"**The person**: {vocabulary.PERSON_WORDS}.",
        "",
    ]
    for group, words in vocabulary.FILLER.items():
        lines += [f"**{group.capitalize()}**: {words}.", ""]
    lines += [
        f"**Links**, which end a phrase: {'; '.join(vocabulary.LINKS.values())}; {vocabulary.ANDS}.",
        "",
        f"**Negations**: {vocabulary.NOTS}.",
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(
        "black and white" if value is True else f"{_NAMES.get(name, name).lower()}: {value}"
        for name, value in values.items()
    )


def _rows(title: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {title} | Words |", "| --- | --- |", *(f"| {value} | {words} |" for value, words in rows.items())]
