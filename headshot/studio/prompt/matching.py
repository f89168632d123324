"""Known phrases in a clause: a longest-first look-up of words in the vocabulary's tables."""

import re
from dataclasses import dataclass

from .vocabulary import NEGATIVE, Table, Term

_LONGEST = max(len(words) for words in NEGATIVE)
_WORDS = {word for words in NEGATIVE for word in words}
_MEASURE = re.compile(r"\d[\d.]*(?:mm|k|p|px|mp|bit|fps|st|nd|rd|th)?")
_UNKNOWN, _NUMBER = Term("unknown"), Term("number")


@dataclass(frozen=True)
class Item:
    """Words of a clause that mean something together.

    Attributes:
        term: their meaning.
        first: index of the first word.
        last: index of the last word, included.
        words: the words as the table spells them.
    """

    term: Term
    first: int
    last: int
    words: tuple[str, ...]


def match(words: list[str], table: Table) -> list[Item]:
    """Find the phrases of a clause: the longest first, a colour before its equals, then from the left.

    Args:
        words: the clause's words, without articles.
        table: the phrases to look for.

    Returns:
        Items that together cover every word once, in the words' order.
    """
    singular = [_singular(word) for word in words]
    taken: list[Item | None] = [None] * len(singular)
    for length in range(min(_LONGEST, len(singular)), 0, -1):
        found = []
        for first in range(len(singular) - length + 1):
            # As written first, so that "glasses" is not read as the plural of "glass".
            for candidate in (tuple(words[first : first + length]), tuple(singular[first : first + length])):
                term = table.get(candidate)
                if term is not None:
                    found.append((term.role != "colour", first, term, candidate))
                    break
        for _, first, term, candidate in sorted(found, key=lambda each: each[:2]):
            last = first + length - 1
            if all(item is None for item in taken[first : last + 1]):
                taken[first : last + 1] = [Item(term, first, last, candidate)] * length
    items = []
    for index, item in enumerate(taken):
        if item is None:
            term = _NUMBER if _MEASURE.fullmatch(words[index]) else _UNKNOWN
            items.append(Item(term, index, index, (words[index],)))
        elif item.first == index:
            items.append(item)
    return items


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return word
    endings = (word[:-3] + "y" if word.endswith("ies") else word, word[:-1], word[:-2] if word.endswith("es") else word)
    return next((singular for singular in endings if singular in _WORDS), word)
