import cv2
import numpy as np
import portraits
import pytest
from paths import ROOT

from headshot.errors import PhotoError
from headshot.imaging import face, photo_check
from headshot.imaging.photo import Photo

PICTURES = {
    "astronaut": Photo.open(ROOT / "headshot" / "examples" / "astronaut.png").pixels,  # face 114 px high
    "portrait": Photo.open(ROOT / "headshot" / "examples" / "portrait.jpg").pixels,  # face 328 px high
}
both = pytest.mark.parametrize("name", PICTURES)


def side_by_side(left, right):
    """Two pictures of one height in one."""
    height = max(left.shape[0], right.shape[0])
    scaled = [cv2.resize(p, None, fx=height / p.shape[0], fy=height / p.shape[0]) for p in (left, right)]
    return np.hstack(scaled)


@both
def test_the_one_face_is_found_with_its_points_in_order(name):
    (found,) = face.find(PICTURES[name])
    eye, other_eye, nose, mouth, other_mouth = found.points
    assert found.score > 0.9
    assert eye[0] < other_eye[0]
    assert mouth[0] < other_mouth[0]
    assert max(eye[1], other_eye[1]) < nose[1] < min(mouth[1], other_mouth[1])


def test_of_two_clear_faces_the_larger_comes_first():
    faces = face.find(side_by_side(PICTURES["astronaut"], PICTURES["portrait"]))
    assert [one.height for one in faces] == sorted((one.height for one in faces), reverse=True)
    assert len(faces) == 2


def beside_a_larger_one(larger):
    """The portrait at the right, and at the left one a quarter larger, changed: that one would be the largest."""
    head = PICTURES["portrait"][:640]
    larger = larger(cv2.resize(head, None, fx=1.25, fy=1.25, interpolation=cv2.INTER_CUBIC))
    above = np.full((len(larger) - len(head), head.shape[1], 3), 90, np.uint8)
    return np.hstack([larger, np.vstack([above, head])])


def moved(pixels):
    return cv2.blur(pixels, (60, 1))  # a seventh of the face


def half_hidden(pixels):
    x, y, width, height = (round(value) for value in face.find(pixels)[0].box)
    hidden = pixels.copy()
    hidden[y + round(0.45 * height) : y + height, x : x + width] = 40
    return hidden


@pytest.mark.parametrize("larger", [moved, half_hidden])
def test_a_clear_face_comes_before_a_larger_one_that_is_moved_or_half_hidden(larger):
    pixels = beside_a_larger_one(larger)
    faces = face.find(pixels)
    assert faces[0].centre[0] > 910 * 1.25, "the clear one stands at the right"
    assert face.choose(faces) is faces[0]
    assert any(other.height > faces[0].height for other in faces[1:])


def test_a_face_in_the_middle_comes_before_an_equal_one_at_the_edge():
    head = PICTURES["portrait"][:600, 130:810]
    faces = face.find(np.hstack([head, head, head]))
    assert len(faces) == 3
    assert 680 < faces[0].centre[0] < 1360


@pytest.mark.parametrize(
    ("x", "y", "size", "hides"),
    [(200, 260, 90, True), (60, 220, 90, False), (250, 110, 90, False), (200, 260, 40, False)],
)
def test_a_head_before_the_chest_hides_it_and_one_beside_or_far_away_does_not(x, y, size, hides):
    points = np.zeros((5, 2), np.float32)
    chosen = face.Face(box=(160, 100, 80, 100), points=points, score=0.9)
    other = face.Face(box=(x - 0.4 * size, y - 0.5 * size, 0.8 * size, size), points=points, score=0.9)
    assert face.is_hidden(chosen, [chosen, other]) is hides


def test_who_stands_before_somebody_comes_first():
    pixels = PICTURES["portrait"].copy()
    behind = face.find(pixels)[0]
    x, y, width, height = (round(value) for value in behind.box)
    head = pixels[y - height // 4 : y + height, x - width // 8 : x + width + width // 8]
    head = cv2.resize(head, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    top, left = y + height + height // 10, x + width // 8
    pixels[top : top + len(head), left : left + head.shape[1]] = head
    before, hidden = face.find(pixels)
    assert before.height < hidden.height
    assert hidden.centre == pytest.approx(behind.centre, abs=10)


@both
def test_the_mesh_trusts_a_face_that_looks_at_the_camera_and_none_that_stands_on_its_head(name):
    pixels = PICTURES[name]
    assert face.fit_mesh(pixels, face.find(pixels)[0])[1] > 2 * face.CLEAR_TRUST
    upside_down = np.ascontiguousarray(pixels[::-1])
    assert all(face.fit_mesh(upside_down, found)[1] < face.CLEAR_TRUST / 2 for found in face.find(upside_down))


def test_a_face_that_fills_the_frame_is_found():
    (found,) = face.find(PICTURES["portrait"])
    x, y, width, height = (round(value) for value in found.box)
    (close,) = face.find(PICTURES["portrait"][y : y + height, x : x + width])
    assert close.height == pytest.approx(height, rel=0.15)


@both
def test_the_mesh_lies_on_the_five_points(name):
    (found,) = face.find(PICTURES[name])
    points = face.mesh(PICTURES[name], found)
    assert points.shape == (468, 3)
    eye = points[[33, 133], :2].mean(0)
    assert np.linalg.norm(eye - found.points[0]) < 0.06 * found.height
    assert points[1, 2] < points[[234, 454], 2].mean(), "the nose is nearer than the cheeks"


@both
def test_a_turn_to_upright_is_trusted_and_no_other(name):
    on_its_side = np.ascontiguousarray(np.rot90(PICTURES[name]))
    trusts = face.trust_by_turn(on_its_side)
    assert trusts[90] > 2 * face.CLEAR_TRUST
    assert all(trust < face.CLEAR_TRUST / 2 for degrees, trust in trusts.items() if degrees != 90)


def test_a_mesh_that_lies_on_its_side_is_not_trusted_as_upright():
    points = face.mesh(PICTURES["portrait"], face.find(PICTURES["portrait"])[0])
    lying = points[:, [1, 0, 2]]
    assert face.upright_trust(points, 40.0) == 40.0
    assert face.upright_trust(lying, 40.0) == face.NO_TRUST


@both
def test_a_mirrored_half_size_copy_is_the_same_person(name):
    pixels = PICTURES[name]
    copy = np.ascontiguousarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[:, ::-1])
    one, other = (face.embed(p, face.find(p)[0]) for p in (pixels, copy))
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert face.likeness(one, one) == pytest.approx(1, abs=1e-5)
    assert face.likeness(one, other) > 0.7


def test_two_people_are_not_the_same_person():
    one, other = (face.embed(pixels, face.find(pixels)[0]) for pixels in PICTURES.values())
    assert face.likeness(one, other) < face.SAME_PERSON


@both
@pytest.mark.parametrize("degrees", [-40, -10, 0, 25, 40])
def test_the_angle_of_a_turned_mesh_is_measured(name, degrees):
    points = face.mesh(PICTURES[name], face.find(PICTURES[name])[0])
    start = face.yaw_degrees(points)
    assert face.yaw_degrees(portraits.about_the_vertical(points, degrees)) == pytest.approx(start - degrees, abs=0.5)


def test_choose_takes_the_first_or_the_one_asked_for():
    faces = face.find(side_by_side(PICTURES["astronaut"], PICTURES["portrait"]))
    assert face.choose(faces, None) is faces[0]
    assert face.choose(faces, 1) is faces[1]


@pytest.mark.parametrize("index", [-1, 1, 7])
def test_choose_refuses_an_index_that_is_not_there(index):
    faces = face.find(PICTURES["portrait"])
    with pytest.raises(PhotoError, match=f"no face number {index + 1}: the photo has 1 face"):
        face.choose(faces, index)
    with pytest.raises(PhotoError, match="choose one of those"):
        photo_check.check(PICTURES["portrait"], index)


def test_choose_refuses_a_photo_without_a_face():
    with pytest.raises(PhotoError, match=r"No face was found.*Use one"):
        face.choose([], None)
