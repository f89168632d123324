"""The photo's own background, out of focus: on pictures in which every pixel's part is known."""

import cv2
import numpy as np
import pytest

from headshot.studio.scene.own_background import OwnBackground, blur_own_background, graded_background

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
    alpha: np.ndarray,
    *,
    likely: np.ndarray | None = None,
    uncertain: np.ndarray = NOBODY,
    others: np.ndarray = NOBODY,
    inside: np.ndarray = NOBODY + 1,
    enlargement: float = 1.0,
) -> OwnBackground:
    likely = alpha if likely is None else likely
    return blur_own_background(picture, alpha, likely, uncertain, others, inside, FACE_PX, enlargement)


@pytest.fixture(scope="module")
def own() -> OwnBackground:
    return blurred(photo(), person())


def composed(own: OwnBackground, picture: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) float, 0…255: the picture as it comes out, without a look."""
    behind = 255 * cv2.resize(own.blurred.astype(np.float32), SIZE[::-1]) ** (1 / 2.2)
    shown = own.person.astype(np.float32)[..., None]
    return (photo() if picture is None else picture) * shown + behind * (1 - shown)


def contrast(picture: np.ndarray, rows: slice, columns: slice) -> float:
    return float(picture[rows, columns].std(axis=1).mean())


def away() -> np.ndarray:
    return cv2.distanceTransform((person() < 0.5).astype(np.uint8), cv2.DIST_L2, 5) / FACE_PX


ROWS = slice(600, 680)  # the person ends at column 880 there


def test_the_person_is_the_photo_itself(own: OwnBackground) -> None:
    change = np.abs(composed(own) - photo()).max(axis=2)
    assert change[cv2.erode(person(), np.ones((9, 9), np.uint8)) > 0.5].max() < 3


def test_behind_a_sure_outline_nothing_of_the_background_stays_sharp(own: OwnBackground) -> None:
    assert contrast(photo(), ROWS, slice(884, 948)) > 80
    assert contrast(composed(own), ROWS, slice(884, 948)) < 12


def test_what_the_cut_out_has_lost_stays_and_the_blur_grows_from_there() -> None:
    """The networks see a hand beside the person, of which the colours say nothing."""
    hand = np.zeros(SIZE, np.float32)
    hand[560:720, 860:1000] = 1
    picture = photo()
    picture[hand > 0.5] = RED
    found = composed(blurred(picture, person(), likely=np.maximum(person(), hand)), picture)
    assert np.abs(found - picture)[580:700, 880:985].mean() < 2
    beside, farther, far = (contrast(found, ROWS, slice(left, left + 48)) for left in (1004, 1050, 1180))
    assert beside > 2 * max(farther, far)


def test_where_the_outline_is_a_guess_the_blur_grows_more_slowly(own: OwnBackground) -> None:
    uncertain = np.zeros(SIZE, np.float32)
    uncertain[600:680, 872:888] = 1
    found = composed(blurred(photo(), person(), uncertain=uncertain))
    at_edge = slice(884, 900)
    assert contrast(found, ROWS, at_edge) > 2 * contrast(composed(own), ROWS, at_edge)
    assert contrast(found, ROWS, slice(1180, 1240)) < 12
    elsewhere = np.abs(found - composed(own))[:400].max()
    assert elsewhere < 2


def test_around_a_small_face_the_blur_grows_more_slowly(own: OwnBackground) -> None:
    small = composed(blurred(photo(), person(), enlargement=5.0))
    at_edge, far = slice(884, 900), slice(1180, 1240)
    assert contrast(small, ROWS, at_edge) > 2 * contrast(composed(own), ROWS, at_edge)
    assert contrast(small, ROWS, far) < 12


def test_ticks_at_the_outline_of_a_small_face_go_and_strands_of_a_large_one_stay() -> None:
    tick = person()
    tick[636:644, 876:900] = 1
    assert blurred(photo(), tick, enlargement=5.0).person[638:642, 888:896].max() < 0.2
    assert blurred(photo(), tick).person[638:642, 888:896].min() > 0.9


def test_nothing_of_the_person_is_in_the_blur(own: OwnBackground) -> None:
    far = cv2.resize(away(), (640, 800)) > 0.05
    red, green, _ = (own.blurred.astype(np.float32)[far]).T
    assert np.abs(red - green).max() < 0.02


def test_beyond_the_photos_border_the_background_goes_on_without_a_step() -> None:
    inside = np.zeros(SIZE, np.float32)
    inside[:, 200:1080] = 1
    cut = photo()
    cut[:, :200] = cut[:, 1080:] = 0
    picture = composed(blurred(cut, person(), inside=inside))
    across = cv2.blur(picture, (1, 301))[300, :, 1]
    assert np.abs(np.diff(across))[150:260].max() < 12
    assert across[:190].min() > 60, "nothing of the black beyond the border comes in"


def test_a_background_that_is_blurred_in_part_ends_in_no_line_at_the_photos_border() -> None:
    body, inside = person(), np.zeros(SIZE, np.float32)
    body[780:, :] = 1
    inside[200:] = 1
    own = blurred(photo(), body, inside=inside)
    assert 0.3 < own.blur_amount < 0.5
    rows = composed(own)[150:260, 40:200, 1]
    assert np.abs(np.diff(rows.mean(axis=1))).max() < 3
    assert np.abs(np.diff(rows.std(axis=1))).max() < 3


def test_the_looks_tone_grows_with_the_distance(own: OwnBackground) -> None:
    plain = own.blurred.astype(np.float32)
    dark = graded_background(own, np.float32([0.02, 0.02, 0.02]), 1.0)
    distance = cv2.resize(away(), (640, 800))
    edge, far = (distance > 0) & (distance < 0.06), distance > 0.6
    at_edge, at_far = (float(dark[where].mean() / plain[where].mean()) for where in (edge, far))
    assert at_far < 0.65
    assert 1 - at_edge < 0.6 * (1 - at_far), "a strong change at the person's edge would draw it"


def test_a_look_without_a_paper_changes_brightness_only(own: OwnBackground) -> None:
    assert np.allclose(graded_background(own, None, 1.0), own.blurred.astype(np.float32))


def test_people_who_touch_the_person_are_left_out_and_the_background_goes_on() -> None:
    other = np.zeros(SIZE, np.float32)
    cv2.circle(other, (990, 560), 120, 1.0, -1)
    picture = photo()
    picture[(other > 0.5) & (person() < 0.5)] = (20, 200, 20)
    found = composed(blurred(picture, person(), others=other * (1 - person())), picture)[500:620, 900:1100]
    assert np.abs(found - found.mean(axis=2, keepdims=True)).max() < 8, "nothing of their green"
    assert contrast(found, slice(0, 120), slice(0, 200)) < 12
    assert 100 < found.mean() < 200, "between the stripes' dark and bright"


def test_beside_somebody_else_the_outline_is_the_networks() -> None:
    """Between two heads of hair the colours tell nothing, and leave teeth."""
    other, tooth = np.zeros(SIZE, np.float32), person()
    other[300:1600, 900:1280] = 1
    tooth[600:612, 870:890] = 1
    assert blurred(photo(), tooth, likely=person(), others=other).person[603:609, 882:888].max() < 0.3
    assert blurred(photo(), tooth, likely=person()).person[603:609, 882:888].min() > 0.9


def test_a_gap_in_the_outline_shows_the_photo_itself_and_a_wide_one_the_blur() -> None:
    narrow, wide = person(), person()
    narrow[600:606, 780:900] = 0
    wide[560:720, 780:900] = 0
    assert blurred(photo(), narrow).person[602:604, 800:860].min() > 0.9
    assert blurred(photo(), wide).person[620:660, 830:860].max() < 0.1


def test_a_scrap_of_somebody_else_goes_with_them_and_an_arm_stays() -> None:
    other, scrap, arm = (np.zeros(SIZE, np.float32) for _ in range(3))
    other[300:1600, 1010:1280] = 1
    scrap[700:740, 860:1010] = 1
    arm[900:1040, 900:1010] = 1
    alpha = np.maximum(np.maximum(person(), scrap), arm)
    shown = blurred(photo(), alpha, others=other).person
    assert shown[715:725, 930:1000].max() < 0.1
    assert shown[930:1010, 920:990].min() > 0.9
    assert blurred(photo(), alpha).person[715:725, 930:1000].min() > 0.9, "with nobody there it is the person's"


def test_what_only_a_thin_bridge_joins_to_the_person_goes_with_somebody_else() -> None:
    """Two bare shoulders that meet at the photo's lower border; below it the last row repeats."""
    other, shoulder, inside = (np.zeros(SIZE, np.float32) for _ in range(3))
    other[300:1600, :200] = 1
    shoulder[1080:, 200:280] = 1
    shoulder[1180:, 280:340] = 1
    inside[:1200] = 1
    shown = blurred(photo(), np.maximum(person(), shoulder), others=other, inside=inside).person
    assert shown[1090:1170, 210:270].max() < 0.1
    assert shown[1000:1170, 380:900].min() > 0.9


def test_a_photo_that_is_nearly_all_person_stays_as_it_is_up_to_its_border() -> None:
    """Where hair reaches every border, what little lies behind it may be hair as well."""
    mask, inside = np.ones(SIZE, np.float32), np.ones(SIZE, np.float32)
    mask[:300, :200] = 0
    inside[:, :32] = 0
    picture = photo()
    found = composed(blurred(picture, mask, inside=inside), picture)
    for columns in (slice(40, 72), slice(80, 180)):
        here = slice(40, 260), columns
        assert contrast(found, *here) > 0.9 * contrast(picture, *here)


def test_at_the_lowest_guidance_the_background_keeps_its_own_tone(own: OwnBackground) -> None:
    assert np.allclose(
        graded_background(own, np.float32([0.02, 0.02, 0.02]), 0.6, amount=0), own.blurred.astype(np.float32)
    )
