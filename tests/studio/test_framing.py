"""The frame of a headshot, on rooms whose right frame is known. Numbers in canvas pixels: 1280 by 1600."""

import numpy as np
import pytest

from headshot.studio import framing

HEAD = framing.Head(eyes=(640, 660), left=430, right=850, middle=640, crown=330, chin=990)


def room(
    head: framing.Head = HEAD,
    photo: tuple[int, int, int, int] = (0, 0, 1280, 1600),
    body: int = 1000,
    beside: int = 1280,
) -> framing.FramingLimits:
    """A head over a body as wide as `body`, in a photo that covers left, top, right, bottom of the canvas.

    beside: from this column on somebody else is there.
    """
    person = np.zeros((200, 160), np.float32)
    person[round(head.crown / 8) : round(head.chin / 8), round(head.left / 8) : round(head.right / 8)] = 1
    person[round(head.chin / 8) :, round((640 - body / 2) / 8) : round((640 + body / 2) / 8)] = 1
    inside = np.zeros_like(person)
    left, top, right, bottom = (round(side / 8) for side in photo)
    inside[top:bottom, left:right] = 1
    others = np.zeros_like(person)
    others[:, round(beside / 8) :] = 1
    return framing.framing_limits(person, inside, others, head)


def chosen(space: framing.FramingLimits) -> framing.Frame:
    return framing.choose_frame(space, "classic", 0, 0, 0, 0)


def sides(crop: framing.Frame) -> tuple[float, float, float, float]:
    return crop.left, crop.top, crop.left + framing.WIDTH / crop.scale, crop.top + framing.HEIGHT / crop.scale


def test_with_room_all_around_the_head_fills_half_and_stands_in_the_middle() -> None:
    crop = chosen(room())
    left, top, right, bottom = sides(crop)
    assert crop.share == pytest.approx(0.5, abs=0.02)
    assert (left + right) / 2 == pytest.approx(HEAD.middle, abs=12)
    assert HEAD.crown - top > 0.03 * (bottom - top)


def test_hair_that_the_photo_shows_is_not_cut() -> None:
    """Where a low photo border asks for a tight frame, the frame is raised before it cuts the hair."""
    crop = chosen(room(photo=(0, 0, 1280, 1250)))
    _, top, _, bottom = sides(crop)
    assert crop.cut == 0
    assert bottom <= 1250
    assert top <= HEAD.crown
    assert crop.share <= 0.62


def test_a_crown_that_the_photo_cuts_is_cut_by_the_frame_too() -> None:
    head = framing.Head(**{**HEAD.__dict__, "crown": 300, "crown_is_cut": True})
    crop = chosen(room(head, photo=(0, 340, 1280, 1600)))
    assert crop.cut == 0
    assert sides(crop)[1] >= 340 - 8
    assert crop.share <= 0.62, "cutting the hair is no reason to zoom into the face"


def test_wide_hair_stays_in_at_both_sides() -> None:
    head = framing.Head(**{**HEAD.__dict__, "left": 300, "right": 980})
    left, _, right, _ = sides(chosen(room(head)))
    assert left < 300
    assert right > 980


@pytest.mark.parametrize(("gaze", "more_room"), [(-1.0, "left"), (1.0, "right")])
def test_a_turned_head_has_more_room_where_it_looks(gaze: float, more_room: str) -> None:
    head = framing.Head(**{**HEAD.__dict__, "gaze": gaze})
    left, _, right, _ = sides(chosen(room(head)))
    space = {"left": head.middle - left, "right": right - head.middle}
    other = "right" if more_room == "left" else "left"
    assert space[more_room] > 1.1 * space[other]


def test_the_middle_is_the_heads_and_not_the_eyes() -> None:
    head = framing.Head(**{**HEAD.__dict__, "eyes": (580, 660)})
    left, _, right, _ = sides(chosen(room(head)))
    assert (left + right) / 2 == pytest.approx(head.middle, abs=12)


def test_where_the_photo_cuts_the_crown_the_frame_does_and_the_shoulders_stay_in() -> None:
    head = framing.Head(**{**HEAD.__dict__, "crown": 300, "crown_is_cut": True})
    crop = chosen(room(head, photo=(0, 330, 1280, 1600)))
    assert crop.share < 0.57
    assert sides(crop)[1] > 322


def test_somebody_beside_is_kept_out_where_the_photos_own_background_stays() -> None:
    """Else the frame is the look's: before a painted backdrop nobody is beside."""
    space = room(beside=980)
    crop = framing.choose_frame(space, "classic", 0, 0, 0, 0, own_background=True)
    assert chosen(space) == chosen(room())
    assert sides(crop)[2] < sides(chosen(space))[2] - 30
    assert crop.share < 0.63


@pytest.mark.parametrize("photo", [(200, 0, 1280, 1600), (0, 0, 1080, 1600), (150, 100, 1130, 1300)])
def test_nothing_of_the_person_goes_on_beyond_the_photo(photo: tuple[int, int, int, int]) -> None:
    crop = chosen(room(photo=photo, body=1280))
    assert crop.cut == 0
    left, _, right, bottom = sides(crop)
    assert left >= photo[0] - 8
    assert right <= photo[2] + 8
    assert bottom <= photo[3] + 8


def test_a_photo_that_ends_at_the_face_leaves_no_frame_without_a_cut() -> None:
    assert chosen(room(photo=(520, 560, 760, 980), body=1280)).cut > 0.002


def test_a_photo_that_ends_at_the_chin_leaves_no_chest_and_much_air() -> None:
    crop = chosen(room(photo=(0, 0, 1280, 1000), body=1280))
    assert crop.chest < 0.1
    assert crop.air > 0.2
