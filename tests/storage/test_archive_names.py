"""Names that every system can unpack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headshot.storage.archive_names import portable_name


@given(st.text(max_size=300))
def test_a_plain_name_is_one_on_every_system_and_stays_itself(name: str) -> None:
    made = portable_name(name)
    assert 0 < len(made) <= 130
    assert made == portable_name(made)
    assert made.isprintable()
    assert not set(made) & set('<>:"/\\|?*')
    assert made == made.strip(" .")
    assert made.partition(".")[0].strip().casefold() not in ("con", "nul", "aux", "com1")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("headshot-studio-seed-7-guidance-7.5-steps-21.png", "headshot-studio-seed-7-guidance-7.5-steps-21.png"),
        ("Zoë Müller.jpeg", "Zoë Müller.jpeg"),
        ("../../x.png", "-..-x.png"),
        ("a\u202egnp.exe", "a-gnp.exe"),
        ("CON.png", "headshot CON.png"),
        (" . ", "headshot"),
        ("n" * 200 + ".png", "n" * 116 + ".png"),
    ],
)
def test_a_plain_name_keeps_what_can_be_kept(name: str, made: str) -> None:
    assert portable_name(name) == made
