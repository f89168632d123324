"""The request bodies of ModelsLab's two head shot endpoints, exactly as they are documented."""

from typing import Any

from headshot.errors import RequestError
from headshot.request import HeadshotRequest

from .key import MASK, Key
from .redaction import redact

_V6_WIDTH, _V6_HEIGHT = 512, 640  # 4:5, the frame of the other backends, within the endpoint's 512 × 768


def enterprise_body(
    key: str | Key,
    request: HeadshotRequest,
    face_image: str,
    *,
    webhook: str | None = None,
    track_id: str | None = None,
) -> dict[str, Any]:
    """Build the body for `v1/enterprise/image_editing/head_shot`.

    Args:
        key: the API key.
        request: the settings of the headshot.
        face_image: from `face_image.face_image`.
        webhook: an https link that the service calls when the job ends.
        track_id: sent back with that call.

    Returns:
        All nine documented fields, because each is marked as required. The key is a SecretStr: `SecretBody` writes it
        as JSON.

    Raises:
        RequestError: if the webhook is not https.
    """
    if webhook is not None and not webhook.lower().startswith("https://"):
        raise RequestError("The webhook must be a link that starts with https://: the service calls no other.")
    return {
        "key": Key.of(key).secret,
        "face_image": face_image,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "num_inference_steps": str(request.num_inference_steps),  # a string in the service's own example
        "guidance_scale": request.guidance_scale,
        "seed": request.seed,
        "webhook": webhook,
        "track_id": track_id,
    }


def v6_body(
    key: str | Key,
    request: HeadshotRequest,
    face_image: str,
    *,
    webhook: str | None = None,
    track_id: str | None = None,
    width: int = _V6_WIDTH,
    height: int = _V6_HEIGHT,
    samples: int = 1,
    s_scale: float | None = None,
) -> dict[str, Any]:
    """Build the body for `v6/image_editing/head_shot`, the endpoint for an ordinary key.

    Args:
        key: as in `enterprise_body`.
        request: as in `enterprise_body`.
        face_image: as in `enterprise_body`.
        webhook: as in `enterprise_body`.
        track_id: as in `enterprise_body`.
        width: 64 to 512 px.
        height: 64 to 768 px.
        samples: 1 or 2 pictures.
        s_scale: 0 to 2, or None for the service's default, about which the sources differ.

    Returns:
        The nine fields of `enterprise_body` and this endpoint's own.

    Raises:
        RequestError: if a value is out of its range.
    """
    if not (64 <= width <= 512 and 64 <= height <= 768 and samples in (1, 2)):
        raise RequestError("This endpoint makes one or two pictures of at most 512 × 768 pixels.")
    if s_scale is not None and not 0 <= s_scale <= 2:
        raise RequestError("s_scale must be a number from 0 to 2.")
    body = enterprise_body(key, request, face_image, webhook=webhook, track_id=track_id)
    body |= {"width": width, "height": height, "samples": samples, "safety_checker": True, "base64": False}
    return body if s_scale is None else body | {"s_scale": s_scale}


BODIES = {"enterprise": enterprise_body, "v6": v6_body}


def redacted_body(
    api: str, request: HeadshotRequest, face_image: str, *, webhook: str | None, track_id: str | None
) -> dict[str, Any]:
    """Build a body to be shown: the key and the webhook's last part are masked, the picture is shortened.

    Args:
        api: "enterprise" or "v6".
        request: as in `enterprise_body`.
        face_image: as in `enterprise_body`.
        webhook: as in `enterprise_body`.
        track_id: as in `enterprise_body`.
    """
    if webhook is not None:
        webhook = f"{webhook.rpartition('/')[0]}/{MASK}"
    shown: dict[str, Any] = redact(BODIES[api](Key(MASK), request, face_image, webhook=webhook, track_id=track_id))
    return shown
