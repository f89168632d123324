"""How far a cut-out is trusted: on evidence that is made up, and on portraits whose outline is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from headshot.studio import cutout_trust
from headshot.studio.framing import Head

FACE_PX = 80.0
HEAD = Head(eyes=(160, 165), left=110, right=210, middle=160, crown=85, chin=215)


def silhouette() -> np.ndarray:
    person = np.zeros((400, 320), np.float32)
    cv2.ellipse(person, (160, 150), (52, 66), 0, 0, 360, 1.0, -1)
    cv2.ellipse(person, (160, 330), (130, 120), 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(person, (0, 0), 1)


def evidence() -> cutout_trust.Evidence:
    """A grey person before a blue wall, on whom everybody agrees."""
    person = silhouette()
    picture = np.where(person[..., None] > 0.5, np.uint8([120, 110, 100]), np.uint8([60, 90, 200]))
    return cutout_trust.Evidence(
        picture=picture.astype(np.uint8),
        in_photo=np.ones(person.shape, bool),
        alpha=person,
        uncertain=np.zeros_like(person),
        salient=person,
        person=person,
        contact=np.zeros_like(person),
        head=HEAD,
        face_px=FACE_PX,
        enlargement=1.0,
    )


def test_where_everything_agrees_the_trust_is_whole() -> None:
    assert cutout_trust.trust_score(evidence()) == 1.0


def test_a_long_border_with_somebody_else_leaves_no_trust() -> None:
    contact = np.zeros((400, 320), np.float32)
    contact[90:300, 212] = 1
    assert cutout_trust.trust_score(replace(evidence(), contact=contact)) < cutout_trust.TRUSTED


def test_a_body_that_the_person_mask_sees_and_the_cut_out_lacks_costs_the_trust() -> None:
    floating = evidence().alpha.copy()
    floating[230:] = 0
    assert cutout_trust.trust_score(replace(evidence(), alpha=floating)) < cutout_trust.TRUSTED


def test_hair_whose_strands_are_guesses_costs_the_trust() -> None:
    uncertain = np.zeros((400, 320), np.float32)
    uncertain[84:86, 110:210] = 1
    assert cutout_trust.trust_score(replace(evidence(), uncertain=uncertain)) == 1.0
    uncertain[84:90, 100:220] = 1
    assert cutout_trust.trust_score(replace(evidence(), uncertain=uncertain)) < cutout_trust.TRUSTED


def test_a_piece_of_the_wall_that_sticks_to_the_head_costs_the_trust() -> None:
    wall = np.array([60, 90, 200], np.uint8)
    kept, picture = evidence().alpha.copy(), evidence().picture.copy()
    kept[110:150, 206:222] = 1
    picture[110:150, 206:222] = wall
    seen = replace(evidence(), alpha=kept, salient=kept, person=kept, picture=picture)
    assert cutout_trust.trust_score(seen) < cutout_trust.TRUSTED
    picture[110:150, 206:222] = picture[150, 160]  # a bun, of the person's own colour
    assert cutout_trust.trust_score(replace(seen, picture=picture)) == 1.0


def test_hair_through_which_the_wall_shines_costs_the_trust_and_dense_hair_does_not() -> None:
    wall, own = np.array([60, 90, 200]), evidence().picture[150, 160]
    picture = evidence().picture.copy()
    strands = np.zeros((400, 320), bool)
    strands[90:190, 196:209] = silhouette()[90:190, 196:209] > 0.9
    picture[strands] = own
    assert cutout_trust.trust_score(replace(evidence(), picture=picture)) == 1.0
    picture[strands] = (0.3 * own + 0.7 * wall).astype(np.uint8)
    assert cutout_trust.trust_score(replace(evidence(), picture=picture)) < cutout_trust.TRUSTED


def test_soft_hair_before_a_busy_background_costs_the_trust_and_before_a_calm_one_nothing() -> None:
    soft = cv2.GaussianBlur(silhouette(), (0, 0), 4)
    before_a_wall = replace(evidence(), salient=soft)
    assert cutout_trust.trust_score(before_a_wall) == 1.0
    checks = np.indices((400, 320)).sum(axis=0) // 6 % 2 == 0
    picture = before_a_wall.picture.copy()
    picture[checks & (silhouette() < 0.5)] = (220, 210, 60)
    assert cutout_trust.trust_score(replace(before_a_wall, picture=picture)) < cutout_trust.TRUSTED


def test_networks_that_contradict_each_other_about_the_hair_cost_the_trust() -> None:
    bald = evidence().salient.copy()
    bald[:140] = 0
    assert cutout_trust.trust_score(replace(evidence(), salient=bald)) < cutout_trust.TRUSTED


def test_hair_and_clothes_in_the_backgrounds_colour_cost_the_trust() -> None:
    same = np.full((400, 320, 3), (30, 28, 26), np.uint8)
    assert cutout_trust.trust_score(replace(evidence(), picture=same)) < cutout_trust.TRUSTED


def test_a_body_that_is_half_transparent_costs_the_trust() -> None:
    haze = evidence().alpha.copy()
    haze[240:285, 100:220] = 0.5
    assert cutout_trust.trust_score(replace(evidence(), alpha=haze)) < cutout_trust.TRUSTED


@pytest.mark.parametrize("width", [1, 2, 3])
def test_an_edge_that_is_soft_by_a_few_pixels_costs_nothing(width: int) -> None:
    soft = cv2.GaussianBlur(evidence().alpha, (0, 0), width / 2)
    assert cutout_trust.trust_score(replace(evidence(), alpha=soft)) > 0.95


def test_what_the_headshot_does_not_show_does_not_count() -> None:
    far_away = evidence().person.copy()
    far_away[:40] = 1
    assert cutout_trust.trust_score(replace(evidence(), person=far_away)) == 1.0


def test_a_tiny_face_cannot_be_cut_out_and_a_small_one_can() -> None:
    assert cutout_trust.trust_score(replace(evidence(), enlargement=3.0)) == 1.0
    assert cutout_trust.trust_score(replace(evidence(), enlargement=5.0)) < cutout_trust.TRUSTED


def test_a_hand_that_the_person_mask_sees_is_likely_and_a_chair_that_u_2_net_sees_is_not() -> None:
    hand, chair = silhouette(), silhouette()
    hand[230:260, 20:60] = chair[230:260, 260:310] = 1
    found = cutout_trust.likely_person(
        replace(evidence(), person=hand, salient=chair), silhouette(), np.zeros_like(hand)
    )
    assert found[235:255, 25:55].min() > 0.95
    assert found[235:255, 292:305].max() < 0.05


def test_at_the_head_what_the_networks_are_sure_of_is_likely_and_loose_hair_is_the_cut_outs() -> None:
    sunglasses, loose = silhouette(), silhouette()
    sunglasses[70:86, 140:180] = 1
    loose[100:160, 212:230] = 0.6
    nobody = np.zeros_like(loose)
    assert cutout_trust.likely_person(evidence(), sunglasses, nobody)[72:84, 145:175].min() > 0.95
    assert cutout_trust.likely_person(evidence(), loose, nobody)[105:155, 218:228].max() < 0.2


def test_between_two_people_what_the_person_mask_does_not_see_is_not_likely() -> None:
    grass = np.s_[300:330, 45:70]
    others, mask = np.zeros((400, 320), np.float32), silhouette()
    others[280:400, :30] = 1
    mask[grass] = 0
    seen = replace(evidence(), person=mask)
    assert cutout_trust.likely_person(seen, silhouette(), others)[grass].max() < 0.05
    assert cutout_trust.likely_person(seen, silhouette(), 0 * others)[grass].min() > 0.95
