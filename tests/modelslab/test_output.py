"""Which bytes are a picture, and which pictures were replaced."""

import base64

import numpy as np
import pytest
from bad_photos import PORTRAIT
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from service import picture

from headshot.modelslab.output import detect_placeholder, is_cut_short, picture_in

PNG = picture()
KINDS = ("PNG", "JPEG", "WEBP", "AVIF")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_found_plain_in_base64_and_in_a_data_uri(kind: str) -> None:
    data = picture(kind)
    text = base64.b64encode(data)
    wrapped = base64.encodebytes(data)
    assert picture_in(data) == data
    for form in (
        text,
        text.rstrip(b"="),
        wrapped,
        b' "' + text + b'"\n',
        b"data:image/png;base64," + text,
        b"DATA:application/octet-stream;base64," + wrapped,
        base64.urlsafe_b64encode(data),
    ):
        assert picture_in(form) == data


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b"   ",
            b"<html></html>",
            b'{"status":"processing"}',
            b"%PDF-1.7",
            b"\0" * 50,
            b"data:image/png;base64,",
        ),
        *(b"https://a/b.png", base64.b64encode(b"not a picture at all"), base64.b64encode(base64.b64encode(PNG))),
        *(b"<svg xmlns='x'/>", b"A" * 30_000_000),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_picture_is_none(data: bytes) -> None:
    assert picture_in(data) is None


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_file_that_is_still_being_written_is_noticed(kind: str) -> None:
    data = picture(kind)
    assert not is_cut_short(data)
    assert not is_cut_short(data + b"a note behind the end")
    assert is_cut_short(data[: len(data) * 2 // 3])


def portrait(size: int = 640) -> Image.Image:
    return ImageOps.contain(Image.open(PORTRAIT).convert("RGB"), (size, size))


def grain(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, 3, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("replaced", "word"),
    [
        (Image.new("RGB", (512, 640)), "black"),
        (grain(Image.new("RGB", (512, 640), (4, 4, 6))), "black"),
        (Image.new("RGB", (512, 640), "white"), "blank"),
        (grain(Image.new("RGB", (512, 640), (120, 130, 128))), "blank"),
        (portrait().filter(ImageFilter.GaussianBlur(16)), "blurred"),
        (portrait(1600).filter(ImageFilter.GaussianBlur(60)), "blurred"),
        (grain(portrait().filter(ImageFilter.GaussianBlur(30))), "blurred"),
        (portrait(16).resize((512, 640), Image.Resampling.BICUBIC), "blurred"),
        (Image.new("RGB", (1, 1)), "black"),
    ],
)
def test_a_picture_that_a_safety_filter_replaced_gets_a_note(replaced: Image.Image, word: str) -> None:
    note = detect_placeholder(np.asarray(replaced))
    assert note is not None and word in note and "safety filter" in note


@pytest.mark.parametrize(
    "kept",
    [
        portrait(),
        portrait(200),
        portrait(2000),
        portrait().filter(ImageFilter.GaussianBlur(4)),  # a soft lens
        ImageEnhance.Brightness(portrait()).enhance(0.3),  # a low key
        ImageEnhance.Contrast(portrait()).enhance(0.35),
        ImageOps.grayscale(portrait()).convert("RGB"),
    ],
)
def test_a_portrait_gets_none_however_soft_dark_or_pale(kept: Image.Image) -> None:
    assert detect_placeholder(np.asarray(kept)) is None
