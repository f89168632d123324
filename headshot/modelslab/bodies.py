"""What is sent to ModelsLab: the bodies of its two head shot endpoints, strictly as they are documented."""

import base64
import re
from typing import Any

from PIL import Image

from headshot.errors import RequestError
from headshot.imaging.encoding import jpeg
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest

from .account import MASK, Key
from .redaction import redact

_V6_WIDTH, _V6_HEIGHT = 512, 640  # 4:5, the frame of the other backends, within the endpoint's 512 × 768

MAX_SIDE_PX = 2048  # of the photo as sent: the service's pictures are about 1,000 px, and the face a part of the photo
# As base64 this is half of 8 MB, the default limit for a request to PHP, whose framework's words its errors speak.
MAX_JPEG_BYTES = 3 * 2**20
_QUALITIES = (95, 90, 85, 75, 60)  # 95 of a photo of 2048 px is about 1 MB: only noise ever needs the next
_LINK = re.compile(r"https?://[^\s/]", re.IGNORECASE)


def face_image(photo: Photo | str) -> str:
    """A link as it is, or a photo as a JPEG data URI, the form that the service's other endpoints name.

    The JPEG has at most 2048 px a side and 3 MB, at the best quality that fits, with full colour resolution: skin has
    its detail in colour too. Takes about 0.1 s for a photo: call it in a worker thread, once a comparison.
    Raises RequestError for text that is neither a link nor a data URI.
    """
    if isinstance(photo, str):
        if not (_LINK.match(photo) or photo.startswith("data:image/")):
            raise RequestError("The photo's link must start with https:// or http://.")
        return photo
    image = photo.image
    scale = MAX_SIDE_PX / max(image.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return f"data:image/jpeg;base64,{base64.b64encode(_jpeg(image)).decode()}"


def _jpeg(image: Image.Image) -> bytes:
    for quality in _QUALITIES:
        data = jpeg(image, quality, full_colour=True)
        if len(data) <= MAX_JPEG_BYTES:
            break
    return data


def enterprise_body(
    key: str | Key,
    request: HeadshotRequest,
    face_image: str,
    *,
    webhook: str | None = None,
    track_id: str | None = None,
) -> dict[str, Any]:
    """The nine fields of `v1/enterprise/image_editing/head_shot`, all of them always: each is marked as required.

    The key is whole in it and hides from repr and str. Raises RequestError for a webhook that is not https.
    """
    if webhook is not None and not webhook.lower().startswith("https://"):
        raise RequestError("The webhook must be a link that starts with https://: the service calls no other.")
    return {
        "key": Key.of(key).reveal(),
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
    """The fields of `v6/image_editing/head_shot`, for an ordinary key: the nine, and its own.

    width: up to 512.  height: up to 768.  samples: 1 or 2.
    s_scale: 0 to 2; the sources differ about its default, so that None leaves it to the service.
    Raises RequestError.
    """
    if not (64 <= width <= 512 and 64 <= height <= 768 and samples in (1, 2)):
        raise RequestError("This endpoint makes one or two pictures of at most 512 × 768 pixels.")
    if s_scale is not None and not 0 <= s_scale <= 2:
        raise RequestError("s_scale must be a number from 0 to 2.")
    body = enterprise_body(key, request, face_image, webhook=webhook, track_id=track_id)
    body |= {"width": width, "height": height, "samples": samples, "safety_checker": True, "base64": False}
    return body if s_scale is None else body | {"s_scale": s_scale}


BODIES = {"enterprise": enterprise_body, "v6": v6_body}


def shown_body(
    api: str, request: HeadshotRequest, face_image: str, *, webhook: str | None, track_id: str | None
) -> dict[str, Any]:
    """The same body to be looked at: without the key, and with the picture and the webhook's last part shortened."""
    if webhook is not None:
        webhook = f"{webhook.rpartition('/')[0]}/{MASK}"
    shown: dict[str, Any] = redact(BODIES[api](Key(MASK), request, face_image, webhook=webhook, track_id=track_id))
    return shown
