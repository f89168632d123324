"""The clauses of a prompt: which of their words choose something, and which the studio must decline."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from . import vocabulary
from .matching import Item, match
from .tokens import ARTICLES, Token, tokens
from .vocabulary import Term

_ADD_ON = re.compile(r"<(?:lora|lyco|hypernet|embedding):([^<>:\s]{1,80})[^<>]*>", re.IGNORECASE)
_SWITCH = re.compile(r"(?<!\S)--(?!no\b)[a-z]+(?:\s+[\d.:]+)?(?!\S)", re.IGNORECASE)  # "--ar 4:5"
_ADJECTIVES = frozenset({"filler", "number", "and", "unknown", "colour"})


@dataclass(frozen=True)
class Match:
    """Words of a prompt that choose something, or that the studio declines.

    Attributes:
        term: their meaning.
        reason: a key of vocabulary.REASONS, or "" if the words choose something.
        quote: the words as the person wrote them.
    """

    term: Term
    reason: str
    quote: str


def find_matches(text: str, *, negative: bool) -> tuple[list[Match], list[Match]]:
    """Find all that a text asks for and all that it rules out.

    Args:
        text: a prompt or negative prompt.
        negative: whether it is the negative prompt.

    Returns:
        The matches that are asked for, and those that are ruled out, both in the text's order.
    """
    matches: tuple[list[Match], list[Match]] = ([], [])
    for name in _ADD_ON.findall(text):
        matches[negative].append(Match(Term("refused"), "add-on", name))
    text = _SWITCH.sub(",", _ADD_ON.sub(",", text))
    for words in _clauses(text):
        clause = _Clause(text, words, negative=negative)
        matches[negative].extend(clause.matches)
        matches[True].extend(clause.ruled_out)
    return matches


def _clauses(text: str) -> Iterator[list[Token]]:
    clause: list[Token] = []
    for token in tokens(text):
        if token.word != ",":
            clause.append(token)
        elif clause:
            yield clause
            clause = []
    if clause:
        yield clause


@dataclass(frozen=True)
class _MatchSpan:
    """A match whose words are still counted: the first and the last of its clause, both included."""

    term: Term
    reason: str
    first: int
    last: int


class _Clause:
    """The words between two commas. Prepositions cut it into chunks; in a chunk, adjectives belong to the next noun."""

    def __init__(self, text: str, words: Sequence[Token], *, negative: bool) -> None:
        self.ruled_out: list[Match] = []
        self._text = text
        self._tokens = words
        self._negative = negative
        self._positions = [index for index, token in enumerate(words) if token.word not in ARTICLES]
        known = [words[index].word for index in self._positions]
        items = match(known, vocabulary.NEGATIVE if negative else vocabulary.POSITIVE)
        self._only_a_colour = all(
            item.term.role in ("colour", "filler", "number", "and", "picture word") for item in items
        )
        self._spans: list[_MatchSpan] = []
        self._can_grow = False  # whether the last span is a refusal that the next words may extend
        bias = ""
        for link, chunk in self._chunks(items):
            bias = self._read_chunk(chunk, bias or link.bias)
        self.matches = [Match(span.term, span.reason, self._quote(span.first, span.last)) for span in self._spans]

    def _chunks(self, items: list[Item]) -> Iterator[tuple[Term, list[Item]]]:
        """Chunks, each with the preposition before it; negated words are read apart, as negative prompt."""
        link, chunk, negated = Term("link"), list[Item](), list[Item]()
        negating = False
        for item in items:
            if item.term.role == "not":
                negating = True
            elif item.term.role != "link":
                (negated if negating else chunk).append(item)
                continue
            elif negating and not negated:
                continue  # "not in a suit"
            else:
                negating = False
            yield link, chunk
            self._read_negated(negated)
            link, chunk, negated = item.term, [], []
        yield link, chunk
        self._read_negated(negated)

    def _read_negated(self, items: list[Item]) -> None:
        if items:
            words = self._tokens[self._positions[items[0].first] : self._positions[items[-1].last] + 1]
            self.ruled_out += _Clause(self._text, words, negative=True).matches

    def _read_chunk(self, chunk: list[Item], bias: str) -> str:
        """Read one chunk. Returns the next one's bias: after a bare “background of”, a colour is a backdrop."""
        before: list[Item] = []  # adjectives that wait for their noun
        head: Item | None = None  # the noun before them
        bare = False
        for index, item in enumerate(chunk):
            if _awaits_noun(item, before, chunk[index + 1 :]):
                before.append(item)
                continue
            bare = False
            match item.term.role:
                case "refused":
                    self._refuse([*before, item], item.term.reason)
                case "backdrop word" | "studio word":
                    bare = not self._backdrop(before, item) and item.term.role == "backdrop word"
                case "light word":
                    self._lighting(before, item)
                case "person word":
                    self._adjectives(before, item, colours="person")
                case _:
                    self._adjectives(before, head, bias=bias)
                    if item.term.role == "look":
                        self._apply(item)
            before, head = [], item
        if bare and head is not None and any(_describes_backdrop(item) for item in before):
            self._backdrop(before, head)
            return ""
        self._adjectives(before, head, bias=bias)
        if bare and head is not None and self._negative and len(chunk) == 1:
            self._decline_between("cut out", head, head)
        return "backdrop" if bare else ""

    def _backdrop(self, before: list[Item], head: Item) -> bool:
        """Read words beside “background”. Returns whether they say something about it."""
        colours = [item for item in before if item.term.role == "colour"]
        adjectives = [
            item for item in before if _backdrop_colour(item) is not None and head.term.role == "backdrop word"
        ]
        distinct = [item for item in adjectives if item.words[0] not in vocabulary.PLAIN]
        for item in colours:
            self._apply(item, until=head)
        if not colours:
            for item in (distinct or adjectives)[:1]:
                self._apply(replace(item, term=vocabulary.BESIDE_BACKDROP[item.words]), until=head)
        for item in before:
            if item in adjectives:
                if colours and item in distinct:
                    self._decline_between("backdrop", item, head)
            elif head.term.role == "backdrop word" and item.words in vocabulary.BESIDE_BACKDROP:
                continue
            elif item.term.role == "unknown" and head.term.role == "backdrop word":
                self._refuse([item], "backdrop")
            elif item.term.role != "colour":
                self._adjectives([item], None)
        return bool(adjectives) or any(item.term.role in ("colour", "refused") for item in before)

    def _lighting(self, before: list[Item], head: Item) -> None:
        joined = any(item.term.role == "and" for item in before)  # "navy and soft light" has no navy light
        for item in before:
            if item.term.role == "colour" and not joined:
                self._decline_between("colours", item, head)
            else:
                self._adjectives([item], None)

    def _adjectives(self, before: list[Item], head: Item | None, *, bias: str = "", colours: str = "") -> None:
        """Read adjectives that no refused noun followed. `colours`: the reason to decline a colour, if it is clear."""
        after = head.term if head is not None and head.term.role == "refused" else None
        for item in before:
            role = item.term.role
            belongs = role in ("unknown", "colour") or (after is not None and role == "look" and after.starts_clause)
            if self._can_grow and after is not None and belongs:
                self._spans[-1] = replace(self._spans[-1], last=item.last)
            elif role == "unknown":
                self._refuse([item], "backdrop" if bias == "backdrop" else "unknown")
            elif role == "look":
                self._apply(item)
            elif role == "refused":
                self._refuse([item], item.term.reason)
            elif role == "colour":
                if colours and head is not None:
                    self._decline_between(colours, item, head)
                elif self._only_a_colour or bias == "backdrop":
                    self._apply(item)
                else:
                    self._refuse([item], "clothes" if bias == "clothes" else "bare colour")

    def _apply(self, item: Item, *, until: Item | None = None) -> None:
        first, last = item.first, max(item.last, until.last if until else 0)
        if item.term.sets or item.term.implies or item.term.allows:
            self._spans.append(_MatchSpan(item.term, "", first, last))
        if item.term.reason:
            self._spans.append(_MatchSpan(item.term, item.term.reason, first, last))
        self._can_grow = False

    def _refuse(self, items: list[Item], reason: str) -> None:
        """Decline these words as one phrase, together with the one right before if that had the same reason."""
        before = self._spans[-1] if self._can_grow else None
        if before is not None and before.reason == reason and before.last == items[0].first - 1:
            self._spans[-1] = replace(before, last=items[-1].last)
            return
        while len(items) > 1 and (items[0].term.role == "and" or items[0].words in vocabulary.SMALL_WORDS):
            items = items[1:]
        self._spans.append(_MatchSpan(items[-1].term, reason, items[0].first, items[-1].last))
        self._can_grow = True

    def _decline_between(self, reason: str, one: Item, other: Item) -> None:
        """Decline everything between two items, whichever comes first."""
        self._spans.append(_MatchSpan(one.term, reason, min(one.first, other.first), max(one.last, other.last)))
        self._can_grow = False

    def _quote(self, first: int, last: int) -> str:
        """The person's words, without the brackets and weights between them."""
        quote, end = "", None
        for token in self._tokens[self._positions[first] : self._positions[last] + 1]:
            if end is not None:
                between = self._text[end : token.start]
                quote += between if between in ("", "-", "'", "/") else " "
            quote += self._text[token.start : token.end]
            end = token.end
        return quote


def _awaits_noun(item: Item, before: list[Item], rest: list[Item]) -> bool:
    """Whether an item is an adjective of a noun still to come."""
    role = item.term.role
    if role in _ADJECTIVES or (role == "look" and item.term.weak):
        return True
    if role == "light word" and item.words == ("light",) and rest:  # "light background", "light beard"
        following = rest[0].term.role
        return following == "backdrop word" or (following == "refused" and not before)
    noun = next((each.term for each in rest if each.term.role not in _ADJECTIVES and not each.term.weak), Term("link"))
    if role == "refused" and item.term.weak:  # "short red hair" is about the hair
        return noun.role in ("refused", "backdrop word")
    return item.words == ("black", "and", "white") and noun.reason == "clothes"  # "black and white striped shirt"


def _backdrop_colour(item: Item) -> Term | None:
    """The paper that a word names beside a backdrop word."""
    term = vocabulary.BESIDE_BACKDROP.get(item.words)
    return term if term is not None and term.role == "colour" else None


def _describes_backdrop(item: Item) -> bool:
    return item.term.role in ("colour", "unknown") or _backdrop_colour(item) is not None
