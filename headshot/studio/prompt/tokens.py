"""Text as words: tokens with spelling, capitals, articles and punctuation levelled out."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

ARTICLES = frozenset({"a", "an", "the"})  # never part of a phrase: "lit from the left" is "lit from left"
_SPELLING = {
    "gray": "grey",
    "grayscale": "greyscale",
    "grays": "grey",
    "greys": "grey",
    "color": "colour",
    "colors": "colours",
    "colored": "coloured",
    "colorful": "colourful",
    "multicolored": "multicoloured",
    "center": "centre",
    "centered": "centred",
    "glamor": "glamour",
    "glamorous": "glamour",
    "analog": "analogue",
    "mustache": "moustache",
    "armor": "armour",
    "theater": "theatre",
    "watercolor": "watercolour",
    "cozy": "cosy",
    "grayish": "grey",
    "greyish": "grey",
    "n": "and",
}
_SEPARATORS = frozenset(",;.!?\n\r|•·—–…，、。；！？")  # and " - "
_TOKEN = re.compile(r"[wd][wdm]*(?:'[wd][wdm]*|(?<=d)\.d+)*|&|,| - ")  # over the shape, one letter a character


@dataclass(frozen=True)
class Token:
    """A word of a text; a comma stands for every kind of break.

    Attributes:
        word: the word as the tables spell it.
        start: index of its first character in the text.
        end: index after its last character.
    """

    word: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the words and breaks of any text, without weights (“:1.3”), brackets, emoji and other marks."""
    shape = "".join(
        "." if character == "." and text[index + 1 : index + 2].isdigit() else _shape(character)
        for index, character in enumerate(text)
    )
    for found in _TOKEN.finditer(shape):
        start, end = found.span()
        written = text[start:end]
        match found[0]:
            case "," | " - ":
                yield Token(",", start, end)
            case "&":
                yield Token("and", start, end)
            case _ if written == "BREAK":  # the separator of popular front ends
                yield Token(",", start, end)
            case digits if set(digits) <= {"d", "."} and text[start - 1 : start] == ":":
                continue  # a weight, or the second half of a ratio
            case _:
                yield Token(_normalised(written), start, end)


def phrase(written: str) -> tuple[str, ...]:
    """Return a phrase as the tables hold it: normalised words, without articles unless it is nothing else."""
    words = tuple(token.word for token in tokens(written) if token.word != ",")
    return tuple(word for word in words if word not in ARTICLES) or words


def split(words: str) -> list[str]:
    """Return the phrases of a comma-separated list, as written."""
    return [written.strip() for written in words.split(",") if written.strip()]


@lru_cache(4096)  # more characters than a prompt has
def _shape(character: str) -> str:
    """The kind of a character: w letter, d digit, m mark, a comma for a break, a blank for all that is passed over."""
    if character in _SEPARATORS:
        return ","
    if character in "'’‘":
        return "'"
    if character in "&-":
        return character
    category = unicodedata.category(character)
    if category[0] == "L":
        return "w"
    return "d" if category[0] == "N" else "m" if category[0] == "M" else " "


def _normalised(written: str) -> str:
    word = unicodedata.normalize("NFKC", written).casefold().replace("’", "'").replace("‘", "'")
    word = word.removesuffix("'s")
    return _SPELLING.get(word, word)
