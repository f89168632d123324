"""The photo's own background, out of focus: on pictures in which every pixel's part is known."""

import cv2
import numpy as np
import pytest

from headshot.studio.own_background import OwnBackground, own_background, toned

FACE_PX = 400.0
SIZE = 1600, 1280
NOBODY = np.zeros(SIZE, np.float32)
RED, STRIPES = (200, 30, 30), ((40, 40, 40), (220, 220, 220))


def person() -> np.ndarray:
    mask = np.zeros(SIZE, np.float32)
    cv2.ellipse(mask, (640, 640), (240, 320), 0, 0, 360, 1.0, -1)
    mask[900:, 340:940] = 1
    return mask


def photo() -> np.ndarray:
    """A red person before stripes of 16 px."""
    x = np.arange(SIZE[1])
    stripes = np.where((x // 16 % 2 == 0)[:, None], np.uint8(STRIPES[0]), np.uint8(STRIPES[1]))
    picture = np.broadcast_to(stripes, (*SIZE, 3)).copy()
    picture[person() > 0.5] = RED
    return picture.astype(np.uint8)


def blurred(
    picture: np.ndarray,
    mask: np.ndarray,
    *,
    clear: float = 0.0,
    beside: np.ndarray = NOBODY,
    inside: np.ndarray = NOBODY + 1,
) -> OwnBackground:
    return own_background(picture, mask, NOBODY + clear, beside, inside, FACE_PX)


@pytest.fixture(scope="module")
def own() -> OwnBackground:
    return blurred(photo(), person())


def composed(own: OwnBackground) -> np.ndarray:
    """(H, W, 3) float, 0…255: the picture as it comes out, without a look."""
    behind = 255 * cv2.resize(own.behind.astype(np.float32), SIZE[::-1]) ** (1 / 2.2)
    near = own.near.astype(np.float32)[..., None]
    return photo() * near + behind * (1 - near)


def contrast(picture: np.ndarray, rows: slice, columns: slice) -> float:
    return float(picture[rows, columns].std(axis=1).mean())


def away(own: OwnBackground) -> np.ndarray:
    return cv2.distanceTransform((person() < 0.5).astype(np.uint8), cv2.DIST_L2, 5) / FACE_PX


def test_person_and_edge_are_the_photo_itself(own: OwnBackground) -> None:
    change = np.abs(composed(own) - photo()).max(axis=2)
    edge = (away(own) > 0) & (away(own) < 0.01)
    assert change[cv2.erode(person(), np.ones((9, 9), np.uint8)) > 0.5].max() < 3
    assert change[edge].mean() < 15


def test_the_blur_grows_with_the_distance_from_the_person(own: OwnBackground) -> None:
    picture = composed(own)
    rows = slice(600, 680)
    beside, farther, far = (contrast(picture, rows, slice(left, left + 64)) for left in (884, 940, 1180))
    assert beside > 2 * max(farther, far)
    assert far < 12, "stripes far away melt"


def test_nothing_of_the_person_is_in_the_blur(own: OwnBackground) -> None:
    far = cv2.resize(away(own), (640, 800)) > 0.05
    red, green, _ = (own.behind.astype(np.float32)[far]).T
    assert np.abs(red - green).max() < 0.02


def test_a_wrong_outline_cannot_be_seen() -> None:
    """Twelve pixels of hair that the outline misses are still there, only softer towards their end."""
    shaved = cv2.erode(person(), np.ones((25, 25), np.uint8))
    picture = composed(blurred(photo(), shaved))
    edge = (away(None) == 0) & (cv2.erode(person(), np.ones((25, 25), np.uint8)) < 0.5)  # type: ignore[arg-type]
    lost = np.abs(picture - photo())[edge & (shaved < 0.5)].mean()
    assert lost < 26, "an eighth of what there is between the person and the stripes"


def test_beyond_the_photos_border_the_background_goes_on_without_a_step() -> None:
    inside = np.zeros(SIZE, np.float32)
    inside[:, 200:1080] = 1
    cut = photo()
    cut[:, :200] = cut[:, 1080:] = 0
    picture = composed(blurred(cut, person(), inside=inside))
    across = cv2.blur(picture, (1, 301))[300, :, 1]
    assert np.abs(np.diff(across))[150:260].max() < 12
    assert across[:190].min() > 60, "nothing of the black beyond the border comes in"


def test_the_looks_tone_grows_with_the_distance(own: OwnBackground) -> None:
    plain = own.behind.astype(np.float32)
    dark = toned(own, np.float32([0.02, 0.02, 0.02]), 1.0)
    distance = cv2.resize(away(own), (640, 800))
    edge, far = (distance > 0) & (distance < 0.06), distance > 0.6
    at_edge, at_far = (float(dark[where].mean() / plain[where].mean()) for where in (edge, far))
    assert at_far < 0.65
    assert 1 - at_edge < 0.6 * (1 - at_far), "a strong change at the person's edge would draw it"


def test_a_look_without_a_paper_changes_brightness_only(own: OwnBackground) -> None:
    assert np.allclose(toned(own, None, 1.0), own.behind.astype(np.float32))


def test_along_an_edge_that_is_clear_nothing_of_the_background_stays_sharp(own: OwnBackground) -> None:
    rows, beside = slice(600, 680), slice(884, 916)
    sharp, soft = (contrast(composed(each), rows, beside) for each in (own, blurred(photo(), person(), clear=1.0)))
    assert soft < 0.6 * sharp


def test_people_beside_are_evenly_a_little_out_of_focus() -> None:
    other = np.zeros(SIZE, np.float32)
    cv2.circle(other, (1010, 560), 120, 1.0, -1)
    alone, beside = (composed(blurred(photo(), person(), beside=who)) for who in (NOBODY, other))
    close, farther = ((slice(540, 580), slice(left, left + 48)) for left in (908, 1040))
    assert contrast(beside, *farther) > 1.5 * contrast(alone, *farther), "a colleague is not melted"
    assert contrast(beside, *close) == pytest.approx(contrast(beside, *farther), rel=0.35), "nor half sharp"


def test_at_the_lowest_guidance_the_background_keeps_its_own_tone(own: OwnBackground) -> None:
    assert np.allclose(toned(own, np.float32([0.02, 0.02, 0.02]), 0.6, amount=0), own.behind.astype(np.float32))
