"""The vocabulary: every phrase in it, its documentation, and prompts of any words at all."""

import time
from dataclasses import fields, replace
from typing import get_args

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from paths import ROOT

from headshot.request import MAX_PROMPT_CHARACTERS, HeadshotRequest
from headshot.studio.backend import Studio
from headshot.studio.prompt import tokens, vocabulary
from headshot.studio.prompt.document import document
from headshot.studio.prompt.reading import read
from headshot.studio.prompt.style_spec import ParsedPrompt, StyleSpec
from headshot.studio.prompt.tokens import split

DOCUMENT = ROOT / "docs" / "vocabulary.md"


def said(reading: ParsedPrompt, kind: str) -> str:
    return "\n".join(note.text for note in reading.notes if note.kind == kind)


# ---------------------------------------------------------------------------------------------- by table

CHOICES = [
    (phrase, {field: value})
    for field, values in vocabulary.CHOICES.items()
    for value, words in values.items()
    for phrase in split(words)
]
PAPERS = [(phrase, {"backdrop": paper}) for paper, words in vocabulary.PAPERS.items() for phrase in split(words)]
STYLE_PHRASES = [
    (phrase, {**entry.implies, **entry.sets}) for entry in vocabulary.STYLE_PHRASES for phrase in split(entry.words)
]
BESIDE_BACKDROP = [
    (f"{phrase} background", {"backdrop": paper})
    for paper, words in vocabulary.BACKDROP_ADJECTIVES.items()
    for phrase in split(words)
]
REFUSED = [(phrase, reason) for reason, words in vocabulary.REFUSED.items() for phrase in split(words)]
FILLER = [
    phrase
    for words in [*vocabulary.FILLER.values(), vocabulary.PICTURE_WORDS, vocabulary.PERSON_WORDS]
    for phrase in split(words)
]


def test_every_phrase_alone_sets_exactly_its_fields() -> None:
    wrong = []
    for phrase, expected in [*CHOICES, *PAPERS, *STYLE_PHRASES, *BESIDE_BACKDROP]:
        reading = read(phrase, "")
        if reading.look != replace(StyleSpec(), **expected) or {note.kind for note in reading.notes} != {"applied"}:
            wrong.append((phrase, reading))
    assert wrong == []


@pytest.mark.parametrize("pattern", ["{} background", "a {} wall", "backdrop: {}", "man on {}", "{} suit, {} paper"])
def test_every_paper_colour_is_a_backdrop_where_it_goes_with_one(pattern: str) -> None:
    looks = {phrase: read(pattern.format(phrase, phrase), "").look for phrase, _ in PAPERS}
    assert looks == {phrase: replace(StyleSpec(), **expected) for phrase, expected in PAPERS}


@pytest.mark.parametrize("thing", ["suit", "hair", "glasses", "car"])
def test_no_paper_colour_is_a_backdrop_beside_a_thing(thing: str) -> None:
    wrong = []
    for phrase, _ in PAPERS:
        reading = read(f"{phrase} {thing}", "")
        if reading.look != StyleSpec() or f"“{phrase} {thing}”" not in said(reading, "not applied"):
            wrong.append((phrase, reading))
    assert wrong == []


def test_every_refused_phrase_is_quoted_with_its_reason() -> None:
    sentences = {phrase: said(read(phrase, ""), "not applied") for phrase, _ in REFUSED}
    assert sentences == {phrase: f"“{phrase}”: {vocabulary.REASONS[reason]}" for phrase, reason in REFUSED}


def test_spaces_and_commas_around_a_refused_phrase_change_nothing() -> None:
    assert [phrase for phrase, _ in REFUSED if read(phrase, "") != read(f"  {phrase} ,", "")] == []


def test_filler_alone_changes_and_says_nothing() -> None:
    assert [phrase for phrase in FILLER if read(phrase, "") != ParsedPrompt(StyleSpec(), ())] == []


@pytest.mark.parametrize("rule", vocabulary.NEGATIVE_RULES, ids=lambda rule: rule.means)
def test_every_negative_phrase_leaves_only_what_its_rule_allows(rule: vocabulary.NegativeRule) -> None:
    for phrase in split(rule.words):
        for field, allowed in rule.allows.items():
            assert getattr(read("", phrase).look, field) == allowed[0], phrase
            for value, words in vocabulary.CHOICES.get(field, {}).items():
                asked = getattr(read(split(words)[0], phrase).look, field)
                assert asked in allowed, (value, phrase)
                assert value not in allowed or asked == value, (value, phrase)


def test_whatever_can_be_asked_for_can_be_ruled_out() -> None:
    still_there = []
    for phrase, expected in [*CHOICES, *PAPERS]:
        (field, value), *_ = expected.items()
        negative = vocabulary.NEGATIVE[tokens.phrase(phrase)]
        if negative.role == "filler":  # "blurred" and the like are never there
            continue
        if negative.allows is None and getattr(read("", phrase).look, field) == value:
            still_there.append(phrase)
    assert still_there == []


def test_no_phrase_stands_in_two_tables() -> None:
    lists = [
        *(entry.words for entry in vocabulary.STYLE_PHRASES),
        *(words for values in vocabulary.CHOICES.values() for words in values.values()),
        *vocabulary.PAPERS.values(),
        *vocabulary.REFUSED.values(),
        *vocabulary.LINKS.values(),
        *vocabulary.FILLER.values(),
        vocabulary.FULL_LENGTH,
        vocabulary.SEPIA,
        vocabulary.BLUES,
        vocabulary.OTHER_COLOURS,
        vocabulary.ANDS,
        vocabulary.NOTS,
        vocabulary.BACKDROP_WORDS,
        vocabulary.STUDIO_WORDS,
        vocabulary.LIGHT_WORDS,
        vocabulary.PERSON_WORDS,
        vocabulary.PICTURE_WORDS,
    ]
    phrases = [tokens.phrase(written) for words in lists for written in split(words)]
    assert sorted(phrases) == sorted(set(phrases))


def possible(annotation: object) -> list[object]:
    """The values of a Literal, or of a union of them."""
    inner = get_args(annotation)
    return [value for each in inner for value in (possible(each) if get_args(each) else [each])]


def test_the_order_of_values_holds_every_value_a_look_can_have() -> None:
    hints = StyleSpec.__dataclass_fields__
    assert list(vocabulary.ORDER) == list(hints)
    for name, values in vocabulary.ORDER.items():
        annotation = hints[name].type
        assert annotation is bool or set(possible(annotation)) == set(values), name
        assert name == "key_side" or values[0] == hints[name].default


def test_the_documentation_is_the_tables() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "docs/vocabulary.md is behind the tables: write headshot.studio.prompt.document.document() to it"
    )


def test_every_synonym_is_documented() -> None:
    words = [phrase for rule in vocabulary.NEGATIVE_RULES for phrase in split(rule.words)]
    words += [phrase for phrase, *_ in [*CHOICES, *PAPERS, *STYLE_PHRASES, *REFUSED]] + FILLER
    documented = DOCUMENT.read_text(encoding="utf-8")
    assert [phrase for phrase in words if phrase not in documented] == []


def test_the_studios_help_explains_every_parameter() -> None:
    for field in ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "seed"):
        assert f"**{HeadshotRequest.model_fields[field].title}**".lower() in Studio.help.lower()


@pytest.mark.parametrize(
    ("table", "wrong", "message"),
    [
        ("PAPERS", {"mauve": "mauve"}, "chooses backdrop: 'mauve'"),
        ("CHOICES", {"colour": {"loud": "loud"}}, "chooses colour: 'loud'"),
        ("REFUSED", {"magic": "levitating"}, "no reason for refusing 'magic'"),
    ],
)
def test_a_word_that_chooses_what_no_look_has_is_an_error(
    table: str, wrong: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, table, wrong)
    with pytest.raises(ValueError, match=message):
        vocabulary.check()


# ---------------------------------------------------------------------------------------------- for any text

ANYTHING = st.text(max_size=MAX_PROMPT_CHARACTERS)
WORDS = [phrase for phrase, *_ in [*CHOICES, *PAPERS, *STYLE_PHRASES, *REFUSED]] + FILLER
WORDS += split(f"{vocabulary.BACKDROP_WORDS}, {vocabulary.LIGHT_WORDS}, {vocabulary.NOTS}")
WORDS += [word for words in vocabulary.LINKS.values() for word in split(words)]
SOUP = st.lists(st.sampled_from([*WORDS, ",", "(", ")", ":1.3", "BREAK", "and", "zorblax"]), max_size=40).map(" ".join)
NONSENSE = st.text("qxzjkv", min_size=5, max_size=9)


@given(ANYTHING | SOUP, ANYTHING | SOUP)
@settings(max_examples=300, deadline=None)
def test_any_two_texts_give_a_reading_and_always_the_same(prompt: str, negative_prompt: str) -> None:
    reading = read(prompt, negative_prompt)
    assert reading == read(prompt, negative_prompt)
    for each in fields(StyleSpec):
        assert getattr(reading.look, each.name) in vocabulary.ORDER[each.name]
    reasons = [note.text.rpartition("”: ")[2] for note in reading.notes if note.kind == "not applied"]
    assert len(reasons) == len(set(reasons))


@given(SOUP, SOUP)
@settings(max_examples=100, deadline=None)
def test_capitals_and_spacing_make_no_difference(prompt: str, negative_prompt: str) -> None:
    assume("BREAK" not in prompt + negative_prompt)
    expected = read(prompt, negative_prompt)
    spaced = read(prompt.upper().replace(" ", "   "), negative_prompt.title().replace(",", " ,\t"))
    assert spaced.look == expected.look
    assert [note.text.casefold() for note in spaced.notes] == [note.text.casefold() for note in expected.notes]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_the_order_of_choices_that_agree_makes_no_difference(data: st.DataObject) -> None:
    by_field: dict[str, list[str]] = {}
    for phrase, expected in [*CHOICES, *PAPERS]:
        by_field.setdefault(next(iter(expected)), []).append(phrase)
    chosen = data.draw(st.sets(st.sampled_from(sorted(by_field)), min_size=2))
    parts = [data.draw(st.sampled_from(by_field[field])) for field in sorted(chosen)]
    shuffled = data.draw(st.permutations(parts))
    assert read(", ".join(parts), "") == read(", ".join(shuffled), "")
    assert all(note.kind == "applied" for note in read(", ".join(parts), "").notes)


@given(st.lists(st.tuples(st.sampled_from([*CHOICES, *PAPERS, *REFUSED]), NONSENSE), min_size=1, max_size=12))
@example([(("in colour", {"black_and_white": False}), "jjjjj"), (("b&w", {"black_and_white": True}), "jjjjj")])
@settings(max_examples=150, deadline=None)
def test_every_part_of_a_prompt_is_answered(pairs: list[tuple[tuple[str, object], str]]) -> None:
    prompt = ", ".join(f"{phrase}, {nonsense}" for (phrase, _), nonsense in pairs)
    reading = read(prompt, "")
    declined = said(reading, "not applied").casefold()
    for (phrase, meaning), nonsense in pairs:
        assert f"“{nonsense}”" in declined
        if isinstance(meaning, str):
            assert f"“{phrase}”".casefold() in declined
        else:
            ((field, value),) = meaning.items()
            assert getattr(reading.look, field) == value or f"“{phrase}”".casefold() in declined


@given(st.lists(st.tuples(st.sampled_from(WORDS), NONSENSE, st.sampled_from([" ", ", ", " with ", " and "]))))
@settings(max_examples=200, deadline=None)
def test_no_unknown_word_is_dropped_in_the_thick_of_a_sentence(triples: list[tuple[str, str, str]]) -> None:
    negations = split(vocabulary.NOTS)  # what is ruled out and never there needs no answer
    triples = [triple for triple in triples if triple[0] not in negations]
    reading = read("".join(f"{phrase} {nonsense}{joint}" for phrase, nonsense, joint in triples), "")
    declined = said(reading, "not applied")
    for _, nonsense, _ in triples:
        assert nonsense in declined


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000,
        "<lora:" * 333,
        "a " * 1000,
        "navy " * 400,
        "not " * 500,
        "suit," * 400,
        "--a " * 500,
        "soft light " * 181,
        "1.1" * 666,
        "-'" * 1000,
        "ﷺ" * 2000,
        "e\u0301" * 1000,
        "\ud800" * 2000,
        "zq zx " * 333,
        "young " * 333,
        "black and white " * 125,
    ],
)
def test_the_time_to_read_grows_with_the_text_and_not_with_its_square(text: str) -> None:
    text = text[:MAX_PROMPT_CHARACTERS]

    def best(share: str) -> float:
        seconds = []
        for _ in range(7):
            began = time.thread_time()  # what others do on this machine meanwhile does not count
            read(share, share)
            seconds.append(time.thread_time() - began)
        return min(seconds)

    assert best(text) < 12 * best(text[: len(text) // 5])  # five times where it is linear, twenty-five where it is not
