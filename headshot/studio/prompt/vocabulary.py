"""The studio's vocabulary: which phrases choose the look, which it must decline, and which mean nothing to it.

The words are data, in vocabulary.toml and negative_prompt.toml. This module reads the two files, checks them and builds
the tables that `matching.match` looks phrases up in.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from .tokens import phrase, split

Role = Literal[
    "look",  # chooses something
    "colour",  # a backdrop, but only beside a backdrop word or alone: "navy suit" is about the suit
    "refused",  # the studio cannot; `reason` says why
    "backdrop word",
    "studio word",  # a weak backdrop word: "black studio", but also "warm studio light"
    "light word",
    "person word",
    "picture word",  # ends what was said before it: in "moody portrait smiling" it is the portrait that is moody
    "link",  # a preposition: the words after it belong to something else
    "and",
    "not",
    "number",
    "filler",
    "unknown",
]
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Term:
    """The meaning of one phrase.

    Attributes:
        role: what kind of word it is.
        sets: fields of the look that it states outright.
        implies: fields that give way to anything stated outright.
        otherwise: meant instead if the prompt states another value for an implied field.
        allows: in the negative prompt, the values that remain for a field, the best first; empty if satisfied anyway.
        reason: a key of REASONS, or "".
        weak: an adjective, which belongs to the refused thing after it ("warm smile").
        starts_clause: the words after it are what it is about, known or not: "wearing a zorblax".
        bias: of a link, the field that a bare colour after it sets: "on white" a backdrop, "in white" clothes.
    """

    role: Role
    sets: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    implies: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    otherwise: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    allows: Mapping[str, tuple[Any, ...]] | None = None
    reason: str = ""
    weak: bool = False
    starts_clause: bool = False
    bias: str = ""


@dataclass(frozen=True)
class StylePhrase:
    """Phrases that choose several fields at once.

    Attributes:
        words: the phrases, separated by commas.
        sets: as in Term, like the two others.
        implies: everything else that the prompt states outright wins over these.
        otherwise: meant instead.
    """

    words: str
    sets: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    implies: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    otherwise: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class NegativeRule:
    """Phrases of the negative prompt, and the values that they leave.

    Attributes:
        words: the phrases, separated by commas.
        allows: the values that remain, field by field, the best first.
        means: the rule in words, for the documentation.
    """

    words: str
    allows: Mapping[str, tuple[Any, ...]]
    means: str


# ------------------------------------------------------------------------------------------------ the data


def _read(name: str) -> dict[str, Any]:
    """The tables of a TOML file beside this module; lists of phrases come on one line, and arrays as tuples."""
    return _plain(tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8")))


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return tuple(_plain(inner) for inner in value)
        case str():
            return " ".join(value.split())
        case _:
            return value


_WORDS, _NEGATIVE = _read("vocabulary.toml"), _read("negative_prompt.toml")

ORDER: dict[str, tuple[Any, ...]] = _WORDS["order"]
PAPERS: dict[str, str] = _WORDS["papers"]
BACKDROP_ADJECTIVES: dict[str, str] = _WORDS["backdrop_adjectives"]
PLAIN = frozenset(split(_WORDS["beside_backdrop_words"]["plain"]))
BACKDROP_FILLER: str = _WORDS["beside_backdrop_words"]["filler"]
# A TOML key is always text: the two keys of a yes-or-no field are made the values that they stand for.
CHOICES: dict[str, dict[Any, str]] = {
    name: {{"true": True, "false": False}.get(value, value): words for value, words in values.items()}
    for name, values in _WORDS["choices"].items()
}
STYLE_PHRASES = tuple(StylePhrase(**entry) for entry in _WORDS["style_phrases"])
BLUES: str = _WORDS["nearest"]["blue"]
SEPIA: str = _WORDS["nearest"]["sepia"]
FULL_LENGTH: str = _WORDS["nearest"]["full_length"]
REASONS: dict[str, str] = _WORDS["reasons"]
REFUSED: dict[str, str] = _WORDS["refused"]
OTHER_COLOURS: str = _WORDS["refusals"]["colours"]
WEAK: str = _WORDS["refusals"]["weak"]
CLAUSE_STARTERS: str = _WORDS["refusals"]["clause_starters"]
NEVER_THERE = frozenset(split(_WORDS["refusals"]["never_there"]))
BACKDROP_WORDS: str = _WORDS["nouns"]["backdrop"]
STUDIO_WORDS: str = _WORDS["nouns"]["studio"]
LIGHT_WORDS: str = _WORDS["nouns"]["light"]
PERSON_WORDS: str = _WORDS["nouns"]["person"]
PICTURE_WORDS: str = _WORDS["nouns"]["picture"]
FILLER: dict[str, str] = _WORDS["filler"]
SMALL_WORDS = frozenset(phrase(written) for written in split(FILLER["small words"]))
LINKS: dict[str, str] = {"" if bias == "none" else bias: words for bias, words in _WORDS["links"].items()}
ANDS: str = _WORDS["joints"]["and"]
NOTS: str = _WORDS["joints"]["not"]
NEGATIVE_RULES = tuple(NegativeRule(**entry) for entry in _NEGATIVE["rules"])
LINES: str = _NEGATIVE["passed_over"]["lines"]
BOILERPLATE: str = _NEGATIVE["passed_over"]["boilerplate"]


def check() -> None:
    """Raise ValueError if the files name a field, a value or a reason that does not exist."""
    values = [("backdrop", paper) for paper in (*PAPERS, *BACKDROP_ADJECTIVES)]
    values += [(name, value) for name, choices in CHOICES.items() for value in choices]
    for entry in STYLE_PHRASES:
        values += [*entry.sets.items(), *entry.implies.items(), *entry.otherwise.items()]
    values += [(name, value) for rule in NEGATIVE_RULES for name, left in rule.allows.items() for value in left]
    for name, value in values:
        if value not in ORDER.get(name, ()):
            raise ValueError(f"the studio's vocabulary chooses {name}: {value!r}, which a look does not have")
    for reason in (*REFUSED, *NEVER_THERE):
        if reason not in REASONS:
            raise ValueError(f"the studio's vocabulary gives no reason for refusing {reason!r}")


check()

# ------------------------------------------------------------------------------------------------ the tables

Table = dict[tuple[str, ...], Term]


def _add(table: Table, words: str, term: Term) -> None:
    # The first table to claim a phrase keeps it: the look before refusals before filler.
    for written in split(words):
        table.setdefault(phrase(written), term)


def _prompt_table() -> Table:
    weak = {phrase(written) for written in split(WEAK)}
    table: Table = {}
    for entry in STYLE_PHRASES:
        for written in split(entry.words):
            term = Term("look", entry.sets, entry.implies, entry.otherwise, weak=phrase(written) in weak)
            _add(table, written, term)
    for name, values in CHOICES.items():
        for value, words in values.items():
            for written in split(words):
                _add(table, written, Term("look", {name: value}, weak=phrase(written) in weak))
    _add(table, FULL_LENGTH, Term("look", {"crop": "wide"}, reason="full length"))
    _add(table, SEPIA, Term("look", {"black_and_white": True}, reason="tint"))
    for paper, words in PAPERS.items():
        _add(table, words, Term("colour", {"backdrop": paper}))
    _add(table, BLUES, Term("colour", {"backdrop": "navy"}, reason="blue"))
    _add(table, OTHER_COLOURS, Term("colour", reason="backdrop"))
    starters = {phrase(written) for written in split(CLAUSE_STARTERS)}
    for reason, words in REFUSED.items():
        for written in split(words):
            key = phrase(written)
            _add(table, written, Term("refused", reason=reason, weak=key in weak, starts_clause=key in starters))
    for bias, words in LINKS.items():
        _add(table, words, Term("link", bias=bias))
    _add(table, ANDS, Term("and"))
    _add(table, NOTS, Term("not"))
    _add(table, BACKDROP_WORDS, Term("backdrop word"))
    _add(table, STUDIO_WORDS, Term("studio word"))
    _add(table, LIGHT_WORDS, Term("light word"))
    _add(table, PERSON_WORDS, Term("person word"))
    _add(table, PICTURE_WORDS, Term("picture word"))
    for words in FILLER.values():
        _add(table, words, Term("filler"))
    return table


def _negative_table() -> Table:
    table: Table = {}
    for rule in NEGATIVE_RULES:
        _add(table, rule.words, Term("look", allows=rule.allows))
    _add(table, LINES, Term("refused", reason="lines"))
    _add(table, BOILERPLATE, Term("filler"))
    _add(table, NOTS, Term("filler"))  # "no text" in the negative prompt means the same as "text"
    return table


def _backdrop_table() -> Table:
    table: Table = {}
    for paper, words in BACKDROP_ADJECTIVES.items():
        _add(table, words, Term("colour", {"backdrop": paper}))
    _add(table, BACKDROP_FILLER, Term("filler"))
    return table


POSITIVE = _prompt_table()  # phrases of the prompt
NEGATIVE = POSITIVE | _negative_table()  # phrases of the negative prompt
BESIDE_BACKDROP = _backdrop_table()  # phrases directly beside a backdrop word
