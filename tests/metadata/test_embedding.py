"""Every file tells how it was made, to this project and to others."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import headshot
from headshot.metadata import embed_metadata, read, with_duration
from headshot.request import Headshot, HeadshotRequest, Note
from headshot.ui.headshots.photo import EXAMPLE

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def _headshot(**request: object) -> Headshot:
    image = Image.fromarray(np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3))
    data = io.BytesIO()
    image.save(data, "PNG")
    asked = HeadshotRequest.model_validate({"seed": 7, **request})
    return Headshot(image, data.getvalue(), asked, "stub", 1.5, (Note("applied", "navy backdrop"),), 0.9)


@given(TEXTS, TEXTS)
def test_a_file_gives_back_its_request_whatever_the_prompt_says(prompt: str, negative_prompt: str) -> None:
    made = _headshot(prompt=prompt, negative_prompt=negative_prompt, guidance_scale=12.5)
    opened = Image.open(io.BytesIO(embed_metadata(made).png))
    metadata = json.loads(opened.text["headshot"])  # type: ignore[attr-defined]
    assert HeadshotRequest(**metadata["request"]) == made.request
    assert (metadata["version"], metadata["backend"]) == (2, "stub")
    assert metadata["notes"] == [{"kind": "applied", "text": "navy backdrop"}]
    assert opened.convert("RGB").tobytes() == made.image.tobytes()


def test_other_tools_read_the_parameters() -> None:
    made = embed_metadata(_headshot(prompt="navy backdrop", negative_prompt="blurry", num_inference_steps=31))
    assert Image.open(io.BytesIO(made.png)).text["parameters"] == (  # type: ignore[attr-defined]
        "navy backdrop\nNegative prompt: blurry\nSteps: 31, CFG scale: 7.5, Seed: 7, Size: 4x5, Model: stub"
    )


def test_the_same_headshot_gives_the_same_bytes_and_the_clock_leaves_no_trace() -> None:
    made = _headshot()
    assert (
        embed_metadata(made).png
        == embed_metadata(made).png
        == embed_metadata(replace(made, seconds=99.0, likeness=0.1)).png
    )


def test_how_long_it_took_is_added_where_it_is_asked_for() -> None:
    plain = embed_metadata(_headshot(prompt="navy")).png
    metadata = read(with_duration(with_duration(plain, 9.9), 1.23456))
    assert (metadata.seconds, read(plain).seconds) == (1.235, None)
    assert metadata == replace(read(plain), seconds=1.235)
    assert with_duration(_headshot().png, 1.0) == _headshot().png
    Image.open(io.BytesIO(with_duration(plain, 1.0))).verify()


def test_a_backend_that_gives_no_png_is_a_bug() -> None:
    made = _headshot()
    with pytest.raises(TypeError, match="no PNG"):
        embed_metadata(Headshot(made.image, b"\xff\xd8 a JPEG", made.request, "stub", 1.0))


def test_what_shoot_returns_carries_its_recipe() -> None:
    [made] = headshot.shoot(EXAMPLE, prompt="navy backdrop", seeds=[3])
    Image.open(io.BytesIO(made.png)).verify()  # every chunk's checksum
    opened = Image.open(io.BytesIO(made.png))
    assert json.loads(opened.text["headshot"])["request"]["seed"] == 3  # type: ignore[attr-defined]
