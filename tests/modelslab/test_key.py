"""A key is not shown by anything that prints it, and is found in every form it may be written in."""

import base64
import copy
import json
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headshot.modelslab.key import MASK, Key, SecretBody

TEXT = "cAnArY0k3y/0f+N0b0dy=59chars"


def test_a_key_is_in_nothing_that_prints_it() -> None:
    key = Key(TEXT)
    body = {"key": key.secret}
    for shown in (repr(key), str(key), f"{key}", f"{key!r}", repr(body), str(body), f"{key.secret}", repr([key])):
        assert TEXT not in shown
    assert TEXT not in repr(SecretBody(body))
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)


def test_a_key_is_whole_in_a_requests_json() -> None:
    body = SecretBody({"key": Key(f" {TEXT}\n").secret, "seed": None})
    assert json.loads(body.json()) == {"key": TEXT, "seed": None}
    with pytest.raises(TypeError, match="a set cannot be written"):
        SecretBody({"key": set()}).json()


@pytest.mark.parametrize("text", ["", "  ", "two words", "“quoted”", "key\x00", "k" * 201, "\ud800"])
def test_a_text_that_cannot_be_a_key_is_explained_in_a_sentence(text: str) -> None:
    problem = Key(text).problem
    assert problem is not None and "modelslab.com" in problem
    assert Key(TEXT).problem is None


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_key_is_scrubbed_in_every_form_it_may_be_written_in(before: bytes, after: bytes) -> None:
    key = Key(TEXT)
    whole = before + TEXT.encode() + after
    for encoded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        left = key.scrub(encoded.decode())
        assert MASK in left
        for part in left.split(MASK):  # what is left decodes to a few of the key's letters at most
            assert len(part) <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 8
    for text in (TEXT, quote(TEXT), quote(TEXT, safe=""), TEXT.replace("/", "\\/"), json.dumps(TEXT)):
        assert TEXT[:20] not in key.scrub(f"a{text}b") and "59chars" not in key.scrub(f"a{text}b")


def test_a_text_that_was_cut_within_the_key_shows_no_part_of_it() -> None:
    key = Key(TEXT)
    for length in range(6, len(TEXT)):
        assert key.scrub(f"the key is {TEXT[:length]}") == f"the key is {MASK}"
    assert key.scrub("the key is cAnAr") == "the key is cAnAr"


def test_a_fingerprint_depends_on_key_and_address_and_shows_no_key() -> None:
    fingerprint = Key(TEXT).fingerprint("https://modelslab.com")
    assert fingerprint == Key(TEXT).fingerprint("https://modelslab.com")
    assert fingerprint != Key(TEXT).fingerprint("https://elsewhere")
    assert fingerprint != Key(TEXT + "x").fingerprint("https://modelslab.com")
    assert TEXT not in fingerprint
