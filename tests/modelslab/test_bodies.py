"""The request bodies, field by field."""

import json
from typing import Any

import pytest

from headshot.errors import RequestError
from headshot.modelslab.bodies import enterprise_body, redacted_body, v6_body
from headshot.modelslab.key import MASK, SecretBody
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
    return dict(json.loads(SecretBody(body).json()))


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
def test_a_value_that_the_v6_endpoint_would_refuse_is_not_sent(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        v6_body("k", REQUEST, "https://a/b.jpg", **wrong)


@pytest.mark.parametrize("webhook", ["http://me/hook", "ftp://me", "me", ""])
def test_a_webhook_that_is_not_https_is_refused(webhook: str) -> None:
    with pytest.raises(RequestError, match="https://"):
        enterprise_body("k", REQUEST, "https://a/b.jpg", webhook=webhook)


@pytest.mark.parametrize("api", ["enterprise", "v6"])
def test_a_body_to_be_shown_has_all_fields_and_neither_key_nor_webhook_secret(api: str) -> None:
    photo = "data:image/jpeg;base64," + "A" * 5000
    shown = redacted_body(api, REQUEST, photo, webhook="https://me/secret", track_id="t")
    full = {"enterprise": enterprise_body, "v6": v6_body}[api](
        "k", REQUEST, photo, webhook="https://me/x", track_id="t"
    )
    assert list(shown) == list(full)
    assert (shown["key"], shown["webhook"], shown["seed"]) == (MASK, f"https://me/{MASK}", 3)
    assert len(shown["face_image"]) < 100
