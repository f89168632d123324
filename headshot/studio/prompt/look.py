"""What a look is, and how a prompt chooses one. The words themselves stand in vocabulary.py."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from headshot.request import Note

from . import vocabulary
from .vocabulary import Item, Term, Token

Painted = Literal["white", "light grey", "grey", "charcoal", "black", "navy", "beige", "office", "window", "garden"]
Backdrop = Painted | Literal["own background"]
OWN_BACKGROUND: Backdrop = "own background"  # the photo's, out of focus
Pattern = Literal["loop", "Rembrandt", "butterfly", "split", "broad window", "soft"]


@dataclass(frozen=True)
class StyleSpec:
    """What the photographer decides before the first frame; the seed varies within it."""

    backdrop: Backdrop = "light grey"
    light: Pattern = "loop"
    key_side: Literal["auto", "left", "right"] = "auto"  # auto keeps the side of the photo's own light
    tone: Literal["natural", "warm", "cool"] = "natural"
    black_and_white: bool = False
    contrast: Literal["low", "normal", "high"] = "normal"
    brightness: Literal["low key", "normal", "high key"] = "normal"
    crop: Literal["close", "classic", "wide"] = "classic"
    retouch: Literal["none", "gentle", "polished"] = "gentle"
    rim: Literal["none", "subtle", "strong"] = "subtle"
    vignette: Literal["none", "subtle", "strong"] = "subtle"
    grain: Literal["none", "fine", "film"] = "fine"


SUMMARY = """\
- **Prompt** and **negative prompt** choose backdrop, light, tone, contrast, crop, retouch, vignette and grain from a
  documented vocabulary. The studio works on your photo: clothes, hair, expression and pose stay, and whatever it
  cannot do is listed with the result.
- **Guidance** is how far the look departs from the photo: at 1 it is cut out, framed and corrected only, 7.5 is a full
  studio look, 20 is dramatic.
- **Steps** are effort: 21 is fast, 31 finer, 41 finest. The difference shows around the hair.
- **Seed** picks another frame of the same session.
"""


@dataclass(frozen=True)
class ParsedPrompt:
    """A prompt understood: the look, and what the person should know about it, each reason once."""

    look: StyleSpec
    notes: tuple[Note, ...]


def read(prompt: str, negative_prompt: str) -> ParsedPrompt:
    """Choose a look by the vocabulary. Takes any text, never raises, and the same text gives the same reading.

    Whatever the prompt holds that is neither a choice nor filler stands in a note, in the person's own words. What the
    prompt negates ("no vignette") counts as negative prompt.
    """
    asked, ruled_out = _findings(prompt, negative=False)
    ruled_out += _findings(negative_prompt, negative=True)[1]
    declined = _Unsupported()
    wants = _choose([finding for finding in asked if not finding.reason], declined)
    for finding in asked:
        if finding.reason:
            declined.add(finding.reason, finding.quote)
    for finding in ruled_out:
        if finding.reason in ("unknown", "bare colour", "lines", "cut out", "add-on"):
            declined.add(finding.reason, finding.quote)
        elif finding.reason and finding.reason not in vocabulary.NEVER_THERE:
            declined.add("removal", finding.quote)
    values, kept_out, advice = _rule_out(wants, [finding for finding in ruled_out if not finding.reason], declined)
    notes = [Note("applied", text) for text in _applied(wants, values)]
    if kept_out:
        notes.append(Note("applied", f"kept out: {_quoted(kept_out)}"))
    notes += [Note("not applied", text) for text in declined.sentences()]
    notes += [Note("advice", text) for text in advice]
    return ParsedPrompt(replace(StyleSpec(), **values), tuple(notes))


# ------------------------------------------------------------------------------------------------ text to findings


@dataclass(frozen=True)
class _Match:
    """A choice (`reason` empty) or something the studio declines, with the person's own words."""

    term: Term
    reason: str
    quote: str


@dataclass(frozen=True)
class _MatchSpan:
    """A finding still counted in words of its part, first and last."""

    term: Term
    reason: str
    first: int
    last: int


_ADD_ON = re.compile(r"<(?:lora|lyco|hypernet|embedding):([^<>:\s]{1,80})[^<>]*>", re.IGNORECASE)
_SWITCH = re.compile(r"(?<!\S)--(?!no\b)[a-z]+(?:\s+[\d.:]+)?(?!\S)", re.IGNORECASE)  # "--ar 4:5"


def _findings(text: str, *, negative: bool) -> tuple[list[_Match], list[_Match]]:
    """What is asked for, and what is ruled out."""
    found: tuple[list[_Match], list[_Match]] = ([], [])
    for name in _ADD_ON.findall(text):
        found[negative].append(_Match(Term("refused"), "add-on", name))
    text = _SWITCH.sub(",", _ADD_ON.sub(",", text))
    for part in _parts(text):
        reader = _Clause(text, part, negative=negative)
        found[negative].extend(reader.findings)
        found[True].extend(reader.ruled_out)
    return found


def _parts(text: str) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in vocabulary.tokens(text):
        if token.word != ",":
            part.append(token)
        elif part:
            yield part
            part = []
    if part:
        yield part


class _Clause:
    """One comma's worth of prompt. Prepositions cut it into chunks; in a chunk, adjectives belong to the next noun."""

    def __init__(self, text: str, tokens: Sequence[Token], *, negative: bool) -> None:
        self.ruled_out: list[_Match] = []
        self._text = text
        self._tokens = tokens
        self._negative = negative
        self._at = [at for at, token in enumerate(tokens) if token.word not in vocabulary.ARTICLES]
        words = [tokens[at].word for at in self._at]
        items = vocabulary.match(words, vocabulary.NEGATIVE if negative else vocabulary.POSITIVE)
        self._alone = all(item.term.role in ("colour", "filler", "number", "and", "picture word") for item in items)
        self._spans: list[_MatchSpan] = []
        self._open = False  # whether the last span is a refusal that may still grow
        lean = ""
        for link, chunk in self._chunks(items):
            lean = self._chunk(chunk, lean or link.lean)
        self.findings = [_Match(span.term, span.reason, self._quote(span.first, span.last)) for span in self._spans]

    def _chunks(self, items: list[Item]) -> Iterator[tuple[Term, list[Item]]]:
        """Chunks, each with the preposition before it; what is negated is read apart, as negative prompt."""
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
            self._rule_out(negated)
            link, chunk, negated = item.term, [], []
        yield link, chunk
        self._rule_out(negated)

    def _rule_out(self, items: list[Item]) -> None:
        if items:
            part = self._tokens[self._at[items[0].first] : self._at[items[-1].last] + 1]
            self.ruled_out += _Clause(self._text, part, negative=True).findings

    def _chunk(self, chunk: list[Item], lean: str) -> str:
        """Read one chunk. Returns what the next may lean on: after a bare “background of”, a colour is a backdrop."""
        before: list[Item] = []  # adjectives waiting for their noun
        head: Item | None = None  # the noun before them
        bare = False
        for at, item in enumerate(chunk):
            if _waits(item, before, chunk[at + 1 :]):
                before.append(item)
                continue
            bare = False
            match item.term.role:
                case "refused":
                    self._refuse([*before, item], item.term.reason)
                case "backdrop word" | "studio word":
                    bare = not self._behind(before, item) and item.term.role == "backdrop word"
                case "light word":
                    self._lit(before, item)
                case "person word":
                    self._settle(before, item, colours="person")
                case _:
                    self._settle(before, head, lean=lean)
                    if item.term.role == "look":
                        self._apply(item)
            before, head = [], item
        if bare and head is not None and any(_says_something(item) for item in before):
            self._behind(before, head)
            return ""
        self._settle(before, head, lean=lean)
        if bare and head is not None and self._negative and len(chunk) == 1:
            self._decline("cut out", head, head)
        return "backdrop" if bare else ""

    def _behind(self, before: list[Item], head: Item) -> bool:
        """Words beside “background”. True where they say something about it."""
        colours = [item for item in before if item.term.role == "colour"]
        hints = [item for item in before if _hint(item) is not None and head.term.role == "backdrop word"]
        telling = [item for item in hints if item.words[0] not in vocabulary.PLAIN]
        for item in colours:
            self._apply(item, until=head)
        if not colours:
            for item in (telling or hints)[:1]:
                self._apply(replace(item, term=vocabulary.BEHIND_TABLE[item.words]), until=head)
        for item in before:
            if item in hints:
                if colours and item in telling:
                    self._decline("backdrop", item, head)
            elif head.term.role == "backdrop word" and item.words in vocabulary.BEHIND_TABLE:
                continue
            elif item.term.role == "unknown" and head.term.role == "backdrop word":
                self._refuse([item], "backdrop")
            elif item.term.role != "colour":
                self._settle([item], None)
        return bool(hints) or any(item.term.role in ("colour", "refused") for item in before)

    def _lit(self, before: list[Item], head: Item) -> None:
        joined = any(item.term.role == "and" for item in before)  # "navy and soft light" has no navy light
        for item in before:
            if item.term.role == "colour" and not joined:
                self._decline("colours", item, head)
            else:
                self._settle([item], None)

    def _settle(self, before: list[Item], head: Item | None, *, lean: str = "", colours: str = "") -> None:
        """Adjectives that no refused noun followed. `colours`: why a colour is declined, where that is clear."""
        after = head.term if head is not None and head.term.role == "refused" else None
        for item in before:
            role = item.term.role
            if self._open and after is not None and (role in ("unknown", "colour") or (role == "look" and after.opens)):
                self._spans[-1] = replace(self._spans[-1], last=item.last)
            elif role == "unknown":
                self._refuse([item], "backdrop" if lean == "backdrop" else "unknown")
            elif role == "look":
                self._apply(item)
            elif role == "refused":
                self._refuse([item], item.term.reason)
            elif role == "colour":
                if colours and head is not None:
                    self._decline(colours, item, head)
                elif self._alone or lean == "backdrop":
                    self._apply(item)
                else:
                    self._refuse([item], "clothes" if lean == "clothes" else "bare colour")

    def _apply(self, item: Item, *, until: Item | None = None) -> None:
        first, last = item.first, max(item.last, until.last if until else 0)
        if item.term.sets or item.term.implies or item.term.allows:
            self._spans.append(_MatchSpan(item.term, "", first, last))
        if item.term.reason:
            self._spans.append(_MatchSpan(item.term, item.term.reason, first, last))
        self._open = False

    def _refuse(self, items: list[Item], reason: str) -> None:
        """Decline these words as one phrase, together with the one right before if that had the same reason."""
        before = self._spans[-1] if self._open else None
        if before is not None and before.reason == reason and before.last == items[0].first - 1:
            self._spans[-1] = replace(before, last=items[-1].last)
            return
        while len(items) > 1 and (items[0].term.role == "and" or items[0].words in vocabulary.SMALL_WORDS):
            items = items[1:]
        self._spans.append(_MatchSpan(items[-1].term, reason, items[0].first, items[-1].last))
        self._open = True

    def _decline(self, reason: str, one: Item, other: Item) -> None:
        """Decline everything between two items, whichever comes first."""
        self._spans.append(_MatchSpan(one.term, reason, min(one.first, other.first), max(one.last, other.last)))
        self._open = False

    def _quote(self, first: int, last: int) -> str:
        """The person's words, without the brackets and weights between them."""
        quote, end = "", None
        for token in self._tokens[self._at[first] : self._at[last] + 1]:
            if end is not None:
                between = self._text[end : token.start]
                quote += between if between in ("", "-", "'", "/") else " "
            quote += self._text[token.start : token.end]
            end = token.end
        return quote


_ADJECTIVES = frozenset({"filler", "number", "and", "unknown", "colour"})


def _waits(item: Item, before: list[Item], rest: list[Item]) -> bool:
    """Whether an item is an adjective to a noun still to come."""
    role = item.term.role
    if role in _ADJECTIVES or (role == "look" and item.term.loose):
        return True
    if role == "light word" and item.words == ("light",) and rest:  # "light background", "light beard"
        following = rest[0].term.role
        return following == "backdrop word" or (following == "refused" and not before)
    noun = next((each.term for each in rest if each.term.role not in _ADJECTIVES and not each.term.loose), Term("link"))
    if role == "refused" and item.term.loose:  # "short red hair" is about the hair
        return noun.role in ("refused", "backdrop word")
    return item.words == ("black", "and", "white") and noun.reason == "clothes"  # "black and white striped shirt"


def _hint(item: Item) -> Term | None:
    term = vocabulary.BEHIND_TABLE.get(item.words)
    return term if term is not None and term.role == "colour" else None


def _says_something(item: Item) -> bool:
    return item.term.role in ("colour", "unknown") or _hint(item) is not None


# ------------------------------------------------------------------------------------------------ findings to a look


@dataclass
class _Unsupported:
    """Quotes by reason, in the order they came up."""

    quotes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, quote: str) -> None:
        self.quotes.setdefault(reason, []).append(quote)

    def sentences(self) -> Iterator[str]:
        for reason, quotes in self.quotes.items():
            yield f"{_quoted(quotes)}: {vocabulary.REASONS[reason]}"


def _quoted(quotes: list[str]) -> str:
    once = {quote.casefold(): quote for quote in reversed(quotes)}
    return ", ".join(f"“{quote}”" for quote in reversed(once.values()))


@dataclass(frozen=True)
class _FieldVote:
    value: Any
    quote: str


def _choose(findings: list[_Match], declined: _Unsupported) -> dict[str, _FieldVote]:
    """Settle each field: first what is stated outright, the first statement winning, then what is only implied."""
    wants: dict[str, _FieldVote] = {}

    def want(values: Mapping[str, Any], quote: str) -> list[bool]:
        """Which of these stand now; the others had been decided before."""
        return [wants.setdefault(name, _FieldVote(value, quote)).value == value for name, value in values.items()]

    kept = []
    for finding in findings:
        stands = want(finding.term.sets, finding.quote)
        if not all(stands):
            declined.add("left out", finding.quote)
        if any(stands) or not finding.term.sets:
            kept.append(finding)
    for finding in kept:
        term = finding.term
        if (
            term.otherwise
            and not any(want(term.implies, finding.quote))
            and not any(want(term.otherwise, finding.quote))
        ):
            declined.add("left out", finding.quote)
    for finding in kept:
        if not finding.term.otherwise:
            want(finding.term.implies, finding.quote)
    return wants


def _rule_out(
    wants: dict[str, _FieldVote], findings: list[_Match], declined: _Unsupported
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The look's values after the negative prompt; what was kept out without changing anything; advice on conflicts."""
    defaults = {each.name: each.default for each in fields(StyleSpec)}
    allowed: dict[str, tuple[Any, ...]] = {}
    causes: dict[str, list[tuple[tuple[Any, ...], str]]] = {}
    for finding in findings:
        contradictory = False
        for name, permitted in _allows(finding.term).items():
            left = tuple(value for value in allowed.get(name, permitted) if value in permitted)
            if left:
                allowed[name] = left
                causes.setdefault(name, []).append((permitted, finding.quote))
            else:
                contradictory = True
        if contradictory:
            declined.add("left out", finding.quote)
    values = {name: want.value for name, want in wants.items()}
    silent = [quote for named in causes.values() for _, quote in named]
    spoken: set[str] = set()
    advice = []
    for name, left in allowed.items():
        want = wants.get(name)
        if want is None:
            values[name] = left[0]
        elif want.value not in left:
            values[name] = defaults[name] if defaults[name] in left else left[0]
            cause = next(quote for permitted, quote in causes[name] if want.value not in permitted)
            same = cause.casefold() == want.quote.casefold()
            advice.append(
                f"“{cause}” is asked for and ruled out: it stays out."
                if same
                else f"“{cause}” is ruled out, and that wins over “{want.quote}”."
            )
            spoken.update(quote.casefold() for permitted, quote in causes[name] if want.value not in permitted)
        if values[name] != defaults[name]:
            spoken.update(quote.casefold() for _, quote in causes[name])
    return values, [quote for quote in silent if quote.casefold() not in spoken], list(dict.fromkeys(advice))


def _allows(term: Term) -> dict[str, tuple[Any, ...]]:
    """What remains when this may not appear. `auto` does not: it could come out on the side that was ruled out."""
    if term.allows is not None:
        return dict(term.allows)
    if term.reason:  # only the nearest to something the studio does not have, so never there by itself
        return {}
    return {
        name: tuple(value for value in vocabulary.ORDER[name] if value not in (banned, "auto"))
        for name, banned in {**term.implies, **term.sets}.items()
    }


def _applied(wants: dict[str, _FieldVote], values: dict[str, Any]) -> Iterator[str]:
    """A few words for each field that someone decided."""
    side = values.get("key_side", "auto")
    for each in fields(StyleSpec):
        name, value = each.name, values.get(each.name, each.default)
        stated = name in wants and wants[name].value == value
        if not stated and value == each.default:
            continue
        match name:
            case "light":
                yield f"{value} light" + ("" if side == "auto" else f", key from the {side}")
            case "key_side":
                if "light" not in wants or wants["light"].value != values["light"]:
                    yield f"key light from the {value}"
            case "black_and_white":
                yield "black and white" if value else "in colour"
            case "backdrop" if value == OWN_BACKGROUND:
                yield "the photo's own background"
            case "rim":
                yield "no rim light" if value == "none" else f"{value} rim light"
            case "brightness":
                yield "normal brightness" if value == "normal" else str(value)
            case _:
                yield f"{'no' if value == 'none' else value} {name}"
