"""The made portraits are what they say, or what is measured on them means nothing."""

import cv2
import numpy as np
import portraits
import pytest

from headshot.imaging import face

_CHEEKS = [50, 280]  # the mesh's middle of the picture's left and right cheek


def _cheeks(photo: np.ndarray) -> list[np.ndarray]:
    """The (n, 3) uint8 pixels of the left and of the right cheek."""
    points = face.mesh(photo, face.find(photo)[0])[_CHEEKS, :2].astype(int)
    return [photo[y - 12 : y + 12, x - 12 : x + 12].reshape(-1, 3) for x, y in points]


@pytest.mark.parametrize(
    ("make", "faces"),
    [
        (portraits.busy_background, 1),
        (portraits.harsh_side_light, 1),
        (portraits.glasses, 1),
        (portraits.small_face, 1),
        (portraits.darker_skin, 1),
        (portraits.lighter_skin, 1),
        (portraits.two_people, 2),
        (portraits.five_faces, 5),
        (portraits.no_face, 0),
        (lambda: portraits.tilted(15), 1),
        (lambda: portraits.long_hair()[0], 1),
    ],
    ids=["busy", "side", "glasses", "small", "darker", "lighter", "two", "five", "none", "tilted", "hair"],
)
def test_every_made_portrait_is_an_rgb_photo_with_as_many_faces_as_it_says(make, faces):
    photo = make()
    assert photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3
    assert len(face.find(photo)) == faces


def test_the_hairs_alpha_is_the_one_that_a_black_and_a_white_backdrop_give_back():
    """Smith and Blinn's triangulation: two known backdrops leave one alpha. Rounding to 8 bits costs 1/255."""
    shape = (1024, 1024, 3)
    on_black, alpha, hair = portraits.long_hair(np.zeros(shape))
    on_white, _, _ = portraits.long_hair(np.full(shape, 255.0))
    measured = 1 - (on_white.astype(float) - on_black).mean(2) / 255
    assert np.abs(measured - alpha).max() <= 1.01 / 255
    assert (np.abs(alpha[hair] - 0.5) < 0.45).mean() > 0.1, "hair without soft pixels would test nothing"


def test_the_busy_backdrop_is_mixed_in_with_the_alpha_that_is_given_out():
    photo, someone = portraits.busy_background(), portraits.person("portrait")
    empty = someone.alpha == 0
    assert 0.3 < empty.mean() < 0.7
    assert np.abs(photo[empty] - portraits.scene(*someone.alpha.shape)[empty]).max() <= 0.51
    inside = cv2.erode((someone.alpha == 1).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.array_equal(photo[inside], portraits.photograph("portrait")[inside])


@pytest.mark.parametrize(("make", "lightness"), [(portraits.darker_skin, 38), (portraits.lighter_skin, 80)])
def test_the_cheeks_have_the_lightness_that_is_stated(make, lightness):
    cheeks = np.concatenate(_cheeks(make())).astype(np.float32)[None] / 255
    assert np.median(cv2.cvtColor(cheeks, cv2.COLOR_RGB2LAB)[..., 0]) == pytest.approx(lightness, abs=4)


def test_the_side_light_leaves_one_cheek_stops_below_the_other():
    left, right = (np.log2(((cheek / 255.0) ** 2.2).mean()) for cheek in _cheeks(portraits.harsh_side_light()))
    plain_left, plain_right = (np.log2(((c / 255.0) ** 2.2).mean()) for c in _cheeks(portraits.photograph("portrait")))
    assert abs(plain_left - plain_right) < 1
    assert 3 < left - right < 4.5


def test_the_small_face_is_seventy_pixels_high():
    assert face.find(portraits.small_face())[0].height == pytest.approx(70, abs=5)


def test_a_portrait_made_again_from_nothing_is_the_same_to_the_bit():
    first = portraits.long_hair()[0]
    portraits.person.cache_clear()
    portraits._hair_layers.cache_clear()
    assert np.array_equal(first, portraits.long_hair()[0])


@pytest.mark.parametrize("degrees", [-25, -10, 15, 25])
def test_a_portrait_leans_by_the_degrees_asked_for(degrees):
    """By the mesh's eye corners; the detector's five points are off by up to 11° here."""
    photo = portraits.tilted(degrees)
    across = np.subtract(*face.mesh(photo, face.find(photo)[0])[[263, 33], :2])
    assert np.degrees(np.arctan2(-across[1], across[0])) == pytest.approx(degrees, abs=3)
