"""The photo as it is sent."""

import base64
import io

import numpy as np
import pytest
from bad_photos import PORTRAIT
from PIL import Image

from headshot.errors import RequestError
from headshot.imaging.photo import Photo
from headshot.modelslab.face_image import MAX_JPEG_BYTES, MAX_SIDE_PX, face_image


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
