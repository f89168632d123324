"""How prompts are read, by example."""

from dataclasses import fields

import pytest

from headshot.request import HeadshotRequest
from headshot.studio.prompt import vocabulary
from headshot.studio.prompt.reading import read
from headshot.studio.prompt.style_spec import ParsedPrompt, StyleSpec


def changed(prompt: str, negative_prompt: str = "") -> dict[str, object]:
    """The fields a reading moved away from the defaults."""
    look = read(prompt, negative_prompt).look
    return {
        each.name: getattr(look, each.name) for each in fields(StyleSpec) if getattr(look, each.name) != each.default
    }


def said(reading: ParsedPrompt, kind: str) -> str:
    return "\n".join(note.text for note in reading.notes if note.kind == kind)


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
