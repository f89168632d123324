"""How prompts are read: by example, by table, and for any text at all."""

import time
from dataclasses import fields, replace
from typing import get_args

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from paths import ROOT

from headshot.request import MAX_PROMPT_CHARACTERS, HeadshotRequest
from headshot.studio.prompt import vocabulary
from headshot.studio.prompt.look import SUMMARY, ParsedPrompt, StyleSpec, read

DOCUMENT = ROOT / "docs" / "vocabulary.md"


def changed(prompt: str, negative_prompt: str = "") -> dict[str, object]:
    """The fields a reading moved away from the defaults."""
    look = read(prompt, negative_prompt).look
    return {
        each.name: getattr(look, each.name) for each in fields(StyleSpec) if getattr(look, each.name) != each.default
    }


def said(reading: ParsedPrompt, kind: str) -> str:
    return "\n".join(note.text for note in reading.notes if note.kind == kind)


# ---------------------------------------------------------------------------------------------- by example


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", {}),
        ("professional headshot of a person, high quality, 8k, dslr, 85mm, f/1.8, masterpiece, LinkedIn", {}),
        ("navy suit on a light grey background", {}),
        ("red hair, white shirt, black turtleneck, white background", {"backdrop": "white"}),
        ("grey beard", {}),
        ("a man in black against a charcoal wall", {"backdrop": "charcoal"}),
        ("isolated on white", {"backdrop": "white"}),
        ("in a garden", {"backdrop": "garden"}),
        ("garden behind", {"backdrop": "garden"}),
        ("soft window light", {"light": "broad window", "contrast": "low"}),
        ("by a window", {"backdrop": "window", "light": "broad window"}),
        ("window backdrop, split light", {"backdrop": "window", "light": "split"}),
        ("window light from the left", {"light": "broad window", "key_side": "left"}),
        ("modern office background, bokeh", {"backdrop": "office"}),
        ("in an office", {"backdrop": "office"}),
        ("blue background", {"backdrop": "navy"}),
        ("background: navy", {"backdrop": "navy"}),
        ("background in dark blue", {"backdrop": "navy"}),
        ("make the background white", {"backdrop": "white"}),
        ("a dark moody background", {"backdrop": "charcoal"}),
        ("plain dark background", {"backdrop": "charcoal"}),
        ("warm light background", {"backdrop": "beige"}),
        ("grey gradient backdrop, white brick wall", {"backdrop": "grey"}),
        ("soft, warm, natural", {"light": "soft", "tone": "warm"}),
        ("soft light grey background", {}),
        ("black woman, white man", {}),
        ("soft loop light", {"contrast": "low"}),
        ("Rembrandt lighting from the left", {"light": "Rembrandt", "key_side": "left"}),
        ("key light on the right", {"key_side": "right"}),
        ("dramatic", {"light": "Rembrandt", "contrast": "high", "brightness": "low key"}),
        ("dramatic butterfly light", {"light": "butterfly", "contrast": "high", "brightness": "low key"}),
        ("moody portrait smiling", {"light": "Rembrandt", "contrast": "high", "brightness": "low key"}),
        ("warm smile, bright eyes, tight dress, dark hair, light beard, classic suit", {}),
        ("corporate, navy backdrop", {"backdrop": "navy"}),
        ("noir", {"black_and_white": True, "light": "split", "contrast": "high", "brightness": "low key"}),
        ("B&W, Kodak Portra 400", {"black_and_white": True, "grain": "film"}),
        ("black and white striped shirt", {}),
        ("black and white portrait of a man", {"black_and_white": True}),
        ("GREYSCALE; grayscale\nblack_and_white", {"black_and_white": True}),
        (
            "(soft light:1.3), ((navy background)), [x], <lora:foo:0.8>, BREAK low-key 📷😀",
            {"light": "soft", "backdrop": "navy", "brightness": "low key"},
        ),
        ("no vignette or grain, not black and white", {"vignette": "none", "grain": "none"}),
        ("without grain with a navy wall", {"grain": "none", "backdrop": "navy"}),
        ("--ar 4:5 grey wall --no vignette", {"vignette": "none", "backdrop": "grey"}),
        ("full body shot", {"crop": "wide"}),
        ("no retouching", {"retouch": "none"}),
    ],
)
def test_a_prompt_chooses_what_a_photographer_would_read_in_it(prompt: str, expected: dict[str, object]) -> None:
    assert changed(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "quote", "reason"),
    [
        ("navy suit on grey", "“navy suit”", "clothes"),
        ("wearing a zorblax", "“wearing a zorblax”", "clothes"),
        ("a woman in navy", "“navy”", "clothes"),
        ("short red hair", "“short red hair”", "hair"),
        ("light make-up", "“light make-up”", "make-up"),
        ("a subtle smile", "“subtle smile”", "expression"),
        ("white gradient backdrop", "“gradient”", "backdrop"),
        ("in front of the eiffel tower", "“eiffel tower”", "backdrop"),
        ("warm, friendly smile", "“friendly smile”", "expression"),
        ("looking at the camera", "“looking at the camera”", "pose"),
        ("24-year-old man", "“24-year-old”", "person"),
        ("black woman", "“black woman”", "person"),
        ("sunglasses", "“sunglasses”", "accessories"),
        ("at the beach", "“beach”", "backdrop"),
        ("red background", "“red background”", "backdrop"),
        ("teal", "“teal”", "backdrop"),
        ("warm navy background", "“warm navy background”", "backdrop"),
        ("a cyberpunk background", "“cyberpunk”", "backdrop"),
        ("holding a red phone", "“holding a red phone”", "props"),
        ("with 2 dogs", "“2 dogs”", "props"),
        ("two people", "“two people”", "people"),
        ("anime style oil painting", "“anime style oil painting”", "style"),
        ("3D render", "“3D render”", "style"),
        ("low-angle shot", "“low-angle”", "angle"),
        ("green light", "“green light”", "colours"),
        ("full body", "“full body”", "full length"),
        ("blue backdrop", "“blue backdrop”", "blue"),
        ("headshot with navy and soft light", "“navy”", "bare colour"),
        ("no background", "“background”", "cut out"),
        ("<lora:foo:0.8>", "“foo”", "add-on"),
        ("no glasses", "“glasses”", "removal"),
        ("((CyberPunk:1.2)), zorblax", "“CyberPunk”, “zorblax”", "unknown"),
        ("navy backdrop, white background", "“white background”", "left out"),
        ("赛博朋克，navy backdrop", "“赛博朋克”", "unknown"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_persons_own_words(prompt: str, quote: str, reason: str) -> None:
    assert f"{quote}: {vocabulary.REASONS[reason]}" in said(read(prompt, ""), "not applied").splitlines()


@pytest.mark.parametrize(
    ("prompt", "negative_prompt", "expected"),
    [
        ("", "harsh shadows", {"contrast": "low"}),
        ("dramatic", "harsh shadows", {"light": "Rembrandt", "brightness": "low key"}),
        ("", "busy background", {}),
        ("office background", "busy background", {"backdrop": "office"}),
        ("polished", "plastic skin", {}),
        ("unretouched", "plastic skin", {"retouch": "none"}),
        ("", "blemishes", {"retouch": "polished"}),
        ("", "blemishes, plastic skin", {}),
        ("black background", "black background", {}),
        ("dark background", "dark background", {}),
        ("", "light grey background, vignette, noise", {"backdrop": "grey", "vignette": "none", "grain": "none"}),
        ("", "color", {"black_and_white": True}),
        ("black and white", "black and white", {}),
        ("lit from the left", "light from the left", {"key_side": "right"}),
        ("", "no vignette", {"vignette": "none"}),  # a negation in the negative prompt means the same thing
        ("close-up", "close-up", {}),
        ("full body", "full body", {}),
        ("warm", "yellow tint", {}),
        ("", "smiling, cartoon, beach", {}),
    ],
)
def test_the_negative_prompt_keeps_things_out(prompt: str, negative_prompt: str, expected: dict[str, object]) -> None:
    assert changed(prompt, negative_prompt) == expected


def test_the_usual_negative_boilerplate_needs_no_note() -> None:
    boilerplate = (
        "(worst quality, low quality:1.4), blurry, lowres, watermark, text, extra fingers, deformed, bad anatomy, "
        "cartoon, painting, cgi, cropped head, oversaturated, busy background, easynegative"
    )
    assert read("", boilerplate) == ParsedPrompt(StyleSpec(), ())


def test_what_is_part_of_the_person_is_not_taken_away() -> None:
    notes = said(read("", "glasses, beard, smile, hat, wrinkles"), "not applied")
    assert notes.splitlines() == [
        f"“glasses”, “beard”, “smile”, “hat”: {vocabulary.REASONS['removal']}",
        f"“wrinkles”: {vocabulary.REASONS['lines']}",
    ]


@pytest.mark.parametrize(
    ("prompt", "negative_prompt", "advice"),
    [
        ("black wall", "black wall", "“black wall” is asked for and ruled out: it stays out."),
        ("dramatic", "harsh shadows", "“harsh shadows” is ruled out, and that wins over “dramatic”."),
        ("film grain, no grain", "", "“grain” is ruled out, and that wins over “film grain”."),
    ],
)
def test_a_conflict_ends_in_advice(prompt: str, negative_prompt: str, advice: str) -> None:
    assert said(read(prompt, negative_prompt), "advice") == advice


def test_applied_notes_say_in_few_words_what_was_understood() -> None:
    reading = read("navy backdrop, Rembrandt light from the left, b&w, close crop, unretouched, rim light", "grain")
    assert said(reading, "applied").splitlines() == [
        "navy backdrop",
        "Rembrandt light, key from the left",
        "black and white",
        "close crop",
        "no retouch",
        "strong rim light",
        "no grain",
    ]


def test_nothing_is_said_of_defaults_that_nobody_asked_for() -> None:
    assert read("a professional headshot", "").notes == ()


def test_the_forms_own_defaults_are_understood_whole() -> None:
    form = HeadshotRequest()
    reading = read(form.prompt, form.negative_prompt)
    assert reading.look == StyleSpec(backdrop="light grey", light="loop", contrast="low")
    assert {note.kind for note in reading.notes} == {"applied"}


def test_each_reason_is_given_once() -> None:
    notes = said(read("suit, zorblax, smile, tie, blorg", "quux, hat, frobnicate"), "not applied").splitlines()
    assert notes == [
        f"“suit”, “tie”: {vocabulary.REASONS['clothes']}",
        f"“zorblax”, “blorg”, “quux”, “frobnicate”: {vocabulary.REASONS['unknown']}",
        f"“smile”: {vocabulary.REASONS['expression']}",
        f"“hat”: {vocabulary.REASONS['removal']}",
    ]


# ---------------------------------------------------------------------------------------------- by table

CHOICES = [
    (phrase, {field: value})
    for field, values in vocabulary.CHOICES.items()
    for value, words in values.items()
    for phrase in vocabulary.split(words)
]
PAPERS = [
    (phrase, {"backdrop": paper}) for paper, words in vocabulary.PAPERS.items() for phrase in vocabulary.split(words)
]
MOODS = [
    (phrase, {**mood.implies, **mood.sets}) for mood in vocabulary.MOODS for phrase in vocabulary.split(mood.words)
]
BEHIND = [
    (f"{phrase} background", {"backdrop": paper})
    for paper, words in vocabulary.BEHIND.items()
    for phrase in vocabulary.split(words)
]
REFUSED = [(phrase, reason) for reason, words in vocabulary.REFUSED.items() for phrase in vocabulary.split(words)]
FILLER = [
    phrase
    for words in [*vocabulary.FILLER.values(), vocabulary.PICTURE_WORDS, vocabulary.PERSON_WORDS]
    for phrase in vocabulary.split(words)
]


def test_every_phrase_alone_sets_exactly_its_fields() -> None:
    wrong = []
    for phrase, expected in [*CHOICES, *PAPERS, *MOODS, *BEHIND]:
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


@pytest.mark.parametrize("rule", vocabulary.RULES, ids=lambda rule: rule.means)
def test_every_negative_phrase_leaves_only_what_its_rule_allows(rule: vocabulary.NegativeRule) -> None:
    for phrase in vocabulary.split(rule.words):
        for field, allowed in rule.allows.items():
            assert getattr(read("", phrase).look, field) == allowed[0], phrase
            for value, words in vocabulary.CHOICES.get(field, {}).items():
                asked = getattr(read(vocabulary.split(words)[0], phrase).look, field)
                assert asked in allowed, (value, phrase)
                assert value not in allowed or asked == value, (value, phrase)


def test_whatever_can_be_asked_for_can_be_ruled_out() -> None:
    still_there = []
    for phrase, expected in [*CHOICES, *PAPERS]:
        (field, value), *_ = expected.items()
        negative = vocabulary.NEGATIVE[vocabulary.phrase(phrase)]
        if negative.role == "filler":  # "blurred" and the like are never there
            continue
        if negative.allows is None and getattr(read("", phrase).look, field) == value:
            still_there.append(phrase)
    assert still_there == []


def test_no_phrase_stands_in_two_tables() -> None:
    lists = [
        *(mood.words for mood in vocabulary.MOODS),
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
    phrases = [vocabulary.phrase(written) for words in lists for written in vocabulary.split(words)]
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
    assert DOCUMENT.read_text(encoding="utf-8") == vocabulary.document(), (
        "docs/vocabulary.md is behind the tables: write headshot.studio.prompt.vocabulary.document() to it"
    )


def test_every_synonym_is_documented() -> None:
    words = [phrase for rule in vocabulary.RULES for phrase in vocabulary.split(rule.words)]
    words += [phrase for phrase, *_ in [*CHOICES, *PAPERS, *MOODS, *REFUSED]] + FILLER
    documented = DOCUMENT.read_text(encoding="utf-8")
    assert [phrase for phrase in words if phrase not in documented] == []


def test_the_summary_speaks_of_every_parameter() -> None:
    for field in ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "seed"):
        assert f"**{HeadshotRequest.model_fields[field].title}**".lower() in SUMMARY.lower()


# ---------------------------------------------------------------------------------------------- for any text

ANYTHING = st.text(max_size=MAX_PROMPT_CHARACTERS)
WORDS = [phrase for phrase, *_ in [*CHOICES, *PAPERS, *MOODS, *REFUSED]] + FILLER
WORDS += vocabulary.split(f"{vocabulary.BACKDROP_WORDS}, {vocabulary.LIGHT_WORDS}, {vocabulary.NOTS}")
WORDS += [word for words in vocabulary.LINKS.values() for word in vocabulary.split(words)]
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
    negations = vocabulary.split(vocabulary.NOTS)  # what is ruled out and never there needs no answer
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
