"""What is sent, field by field."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from bad_photos import PORTRAIT
from PIL import Image

from headshot.errors import RequestError
from headshot.imaging.photo import Photo
from headshot.modelslab.bodies import MAX_JPEG_BYTES, MAX_SIDE_PX, enterprise_body, face_image, v6_body
from headshot.request import HeadshotRequest

REQUEST = HeadshotRequest(prompt="navy", negative_prompt="hat", num_inference_steps=31, guidance_scale=7.5, seed=3)
NINE = {
    "key": "k",
    "face_image": "https://a/b.jpg",
    "prompt": "navy",
    "negative_prompt": "hat",
    "num_inference_steps": "31",
    "guidance_scale": 7.5,
    "seed": 3,
    "webhook": None,
    "track_id": None,
}


def sent(body: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(body)))


def test_the_enterprise_body_has_exactly_the_nine_fields() -> None:
    assert sent(enterprise_body("k", REQUEST, "https://a/b.jpg")) == NINE
    full = enterprise_body("k", REQUEST, "https://a/b.jpg", webhook="https://me/hook", track_id="t")
    assert sent(full) == {**NINE, "webhook": "https://me/hook", "track_id": "t"}


def test_a_seed_that_is_left_to_the_service_is_sent_as_null() -> None:
    body = sent(enterprise_body("k", REQUEST.model_copy(update={"seed": None}), "https://a/b.jpg"))
    assert body["seed"] is None and len(body) == 9


def test_the_v6_body_has_its_own_fields_beside_the_nine() -> None:
    own = {"width": 512, "height": 640, "samples": 1, "safety_checker": True, "base64": False}
    assert sent(v6_body("k", REQUEST, "https://a/b.jpg")) == {**NINE, **own}
    assert v6_body("k", REQUEST, "https://a/b.jpg", s_scale=1.5)["s_scale"] == 1.5


@pytest.mark.parametrize("wrong", [{"width": 1024}, {"height": 769}, {"samples": 3}, {"samples": 0}, {"s_scale": 7.5}])
def test_what_the_v6_endpoint_would_refuse_is_not_sent(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        v6_body("k", REQUEST, "https://a/b.jpg", **wrong)


@pytest.mark.parametrize("webhook", ["http://me/hook", "ftp://me", "me", ""])
def test_a_webhook_that_is_not_https_is_refused(webhook: str) -> None:
    with pytest.raises(RequestError, match="https://"):
        enterprise_body("k", REQUEST, "https://a/b.jpg", webhook=webhook)


def decoded(uri: str) -> tuple[Image.Image, int]:
    prefix, _, data = uri.partition(",")
    assert prefix == "data:image/jpeg;base64"
    jpeg = base64.b64decode(data, validate=True)
    return Image.open(io.BytesIO(jpeg)), len(jpeg)


def test_a_photo_is_sent_as_a_jpeg_that_looks_like_it() -> None:
    photo = Photo.open(PORTRAIT)
    image, size = decoded(face_image(photo))
    assert image.size == photo.image.size and size < 1_000_000
    assert np.abs(np.asarray(image).astype(int) - photo.pixels).mean() < 2


def test_a_large_photo_is_made_smaller_and_even_noise_stays_below_the_limit() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (2600, 3000, 3), np.uint8)
    image, size = decoded(face_image(Photo.from_image(Image.fromarray(noise))))
    assert max(image.size) == MAX_SIDE_PX and image.size == (2048, 1775)
    assert size <= MAX_JPEG_BYTES


@pytest.mark.parametrize("link", ["https://a.b/c.jpg?x=1", "http://a.b/c.jpg", "data:image/png;base64,AAAA"])
def test_a_link_is_sent_as_it_is(link: str) -> None:
    assert face_image(link) == link


@pytest.mark.parametrize("text", ["", "me.jpg", "file:///etc/passwd", "iVBORw0KGgo", "https://"])
def test_text_that_is_no_link_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="https://"):
        face_image(text)
