"""How a prompt chooses a look: matches resolved into one value a field, and notes for the person."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from headshot.request import Note

from . import vocabulary
from .clauses import Match, find_matches
from .style_spec import OWN_BACKGROUND, ParsedPrompt, StyleSpec
from .vocabulary import Term


def read(prompt: str, negative_prompt: str) -> ParsedPrompt:
    """Choose a look by the vocabulary; never raises, and the same text gives the same result.

    Every word of the prompt that is neither a choice nor filler is quoted in a note. Words that the prompt negates
    ("no vignette") count as negative prompt.

    Args:
        prompt: any text.
        negative_prompt: any text.
    """
    asked, ruled_out = find_matches(prompt, negative=False)
    ruled_out += find_matches(negative_prompt, negative=True)[1]
    unsupported = _Unsupported()
    votes = _resolve_conflicts([match for match in asked if not match.reason], unsupported)
    for match in asked:
        if match.reason:
            unsupported.add(match.reason, match.quote)
    for match in ruled_out:
        if match.reason in ("unknown", "bare colour", "lines", "cut out", "add-on"):
            unsupported.add(match.reason, match.quote)
        elif match.reason and match.reason not in vocabulary.NEVER_THERE:
            unsupported.add("removal", match.quote)
    values, kept_out, advice = _rule_out(votes, [match for match in ruled_out if not match.reason], unsupported)
    notes = [Note("applied", text) for text in _applied(votes, values)]
    if kept_out:
        notes.append(Note("applied", f"avoided: {_quoted(kept_out)}"))
    notes += [Note("not applied", text) for text in unsupported.sentences()]
    notes += [Note("advice", text) for text in advice]
    return ParsedPrompt(replace(StyleSpec(), **values), tuple(notes))


@dataclass
class _Unsupported:
    """Quotes by reason, in the order in which they came up."""

    quotes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, quote: str) -> None:
        self.quotes.setdefault(reason, []).append(quote)

    def sentences(self) -> Iterator[str]:
        for reason, quotes in self.quotes.items():
            yield f"{_quoted(quotes)}: {vocabulary.REASONS[reason]}"


@dataclass(frozen=True)
class _FieldVote:
    """The value chosen for a field, and the words that chose it."""

    value: Any
    quote: str


def _quoted(quotes: list[str]) -> str:
    once = {quote.casefold(): quote for quote in reversed(quotes)}
    return ", ".join(f"“{quote}”" for quote in reversed(once.values()))


def _resolve_conflicts(matches: list[Match], unsupported: _Unsupported) -> dict[str, _FieldVote]:
    """One vote a field: first the values stated outright, the first statement winning, then those only implied."""
    votes: dict[str, _FieldVote] = {}

    def vote(values: Mapping[str, Any], quote: str) -> list[bool]:
        """For each value, whether its field has it now; another one may have been decided before."""
        return [votes.setdefault(name, _FieldVote(value, quote)).value == value for name, value in values.items()]

    kept = []
    for match in matches:
        won = vote(match.term.sets, match.quote)
        if not all(won):
            unsupported.add("left out", match.quote)
        if any(won) or not match.term.sets:
            kept.append(match)
    for match in kept:
        term = match.term
        if term.otherwise and not any(vote(term.implies, match.quote)) and not any(vote(term.otherwise, match.quote)):
            unsupported.add("left out", match.quote)
    for match in kept:
        if not match.term.otherwise:
            vote(match.term.implies, match.quote)
    return votes


def _rule_out(
    votes: dict[str, _FieldVote], matches: list[Match], unsupported: _Unsupported
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Apply the negative prompt.

    Returns the look's values, the quotes of matches that changed none of them, and advice on conflicts.
    """
    defaults = {each.name: each.default for each in fields(StyleSpec)}
    allowed: dict[str, tuple[Any, ...]] = {}
    causes: dict[str, list[tuple[tuple[Any, ...], str]]] = {}
    for match in matches:
        contradictory = False
        for name, permitted in _allows(match.term).items():
            left = tuple(value for value in allowed.get(name, permitted) if value in permitted)
            if left:
                allowed[name] = left
                causes.setdefault(name, []).append((permitted, match.quote))
            else:
                contradictory = True
        if contradictory:
            unsupported.add("left out", match.quote)
    values = {name: vote.value for name, vote in votes.items()}
    quotes = [quote for named in causes.values() for _, quote in named]
    reported: set[str] = set()
    advice = []
    for name, left in allowed.items():
        vote = votes.get(name)
        if vote is None:
            values[name] = left[0]
        elif vote.value not in left:
            values[name] = defaults[name] if defaults[name] in left else left[0]
            cause = next(quote for permitted, quote in causes[name] if vote.value not in permitted)
            same = cause.casefold() == vote.quote.casefold()
            advice.append(
                f"“{cause}” is asked for and ruled out: it stays out."
                if same
                else f"“{cause}” is ruled out, and that wins over “{vote.quote}”."
            )
            reported.update(quote.casefold() for permitted, quote in causes[name] if vote.value not in permitted)
        if values[name] != defaults[name]:
            reported.update(quote.casefold() for _, quote in causes[name])
    return values, [quote for quote in quotes if quote.casefold() not in reported], list(dict.fromkeys(advice))


def _allows(term: Term) -> dict[str, tuple[Any, ...]]:
    """The values that remain if this may not appear. `auto` does not: it could choose the side that was ruled out."""
    if term.allows is not None:
        return dict(term.allows)
    if term.reason:  # only the nearest to something the studio does not have, so it is never there by itself
        return {}
    return {
        name: tuple(value for value in vocabulary.ORDER[name] if value not in (banned, "auto"))
        for name, banned in {**term.implies, **term.sets}.items()
    }


def _applied(votes: dict[str, _FieldVote], values: dict[str, Any]) -> Iterator[str]:
    """A few words for each field that the prompts decided."""
    side = values.get("key_side", "auto")
    for each in fields(StyleSpec):
        name, value = each.name, values.get(each.name, each.default)
        stated = name in votes and votes[name].value == value
        if not stated and value == each.default:
            continue
        match name:
            case "light":
                yield f"{value} light" + ("" if side == "auto" else f", key from the {side}")
            case "key_side":
                if "light" not in votes or votes["light"].value != values["light"]:
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
