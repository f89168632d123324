"""What the photo check says, and what it leaves unsaid."""

import cv2
import numpy as np
import portraits
import pytest
from pictures import PICTURES, both, stops
from PIL import Image

from headshot.errors import PhotoError
from headshot.imaging import face, photo_check
from headshot.imaging.photo import Photo


def codes(pixels, index=None):
    return {advice.code for advice in photo_check.check(pixels, index).advice}


def added(name, changed):
    """The codes that a change of the picture brought: the astronaut is "small" from the start."""
    return codes(changed) - codes(PICTURES[name])


def leaning(pixels, degrees):
    height, width = pixels.shape[:2]
    affine = cv2.getRotationMatrix2D(face.find(pixels)[0].centre, degrees, 1)
    return cv2.warpAffine(pixels, affine, (width, height), borderMode=cv2.BORDER_REFLECT)


def turned(pixels, degrees):
    """The face painted anew with its mesh turned in space, triangle by triangle, the farthest first."""
    points = face.mesh(pixels, face.find(pixels)[0]).astype(np.float64)
    moved = portraits.about_the_vertical(points, degrees)
    plane = cv2.Subdiv2D((0, 0, pixels.shape[1], pixels.shape[0]))
    for x, y in points[:, :2]:
        plane.insert((float(x), float(y)))
    number = {tuple(np.float32(point)): i for i, point in enumerate(points[:, :2])}
    corners = [[number.get((t[k], t[k + 1])) for k in (0, 2, 4)] for t in plane.getTriangleList()]
    out = pixels.copy()
    for triangle in sorted((t for t in corners if None not in t), key=lambda t: -moved[t, 2].mean()):
        to = moved[triangle, :2]
        low, high = np.floor(to.min(0)).astype(int) - 1, np.ceil(to.max(0)).astype(int) + 2
        affine = cv2.getAffineTransform(np.float32(points[triangle, :2]), np.float32(to))
        affine[:, 2] -= low
        size = tuple((high - low).tolist())
        patch = cv2.warpAffine(pixels, affine, size, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(size[::-1], np.uint8)
        cv2.fillConvexPoly(mask, np.round(to - low).astype(np.int32), 1)
        out[low[1] : high[1], low[0] : high[0]][mask > 0] = patch[mask > 0]
    return out


def side_by_side(left, right):
    """Two pictures of one height in one."""
    height = max(left.shape[0], right.shape[0])
    scaled = [cv2.resize(p, None, fx=height / p.shape[0], fy=height / p.shape[0]) for p in (left, right)]
    return np.hstack(scaled)


def test_a_good_portrait_gets_no_advice():
    checked = photo_check.check(PICTURES["portrait"])
    assert checked.usable
    assert checked.advice == ()
    assert checked.chosen is checked.faces[0]


def test_a_face_of_114_pixels_is_called_small_and_stays_usable():
    checked = photo_check.check(PICTURES["astronaut"])
    (advice,) = checked.advice
    assert checked.usable
    assert advice.code == "small"
    assert "4.2 times" in advice.text
    assert "another photo" not in advice.text


def test_a_face_enlarged_more_than_four_and_a_half_times_wants_another_photo():
    tiny = cv2.resize(PICTURES["portrait"], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    (advice,) = photo_check.check(tiny).advice
    assert advice.code == "small"
    assert "another photo" in advice.text


def test_a_face_of_half_the_size_is_still_good():
    half = cv2.resize(PICTURES["portrait"], None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA)
    assert codes(half) == set()


@pytest.mark.parametrize(
    "pixels",
    [
        np.tile(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (480, 1, 3)),
        np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.full((64, 4096, 3), 255, np.uint8),
    ],
    ids=["gradient", "noise", "black", "white strip"],
)
def test_a_picture_without_a_face_says_so(pixels):
    checked = photo_check.check(pixels)
    assert not checked.usable
    assert checked.faces == ()
    assert [advice.code for advice in checked.advice] == ["no face"]
    assert [advice.code for advice in photo_check.check(pixels, index=2).advice] == ["no face"]


def test_two_people_are_counted_and_the_clearest_is_taken():
    pair = side_by_side(PICTURES["portrait"][:600], PICTURES["portrait"][:600, ::-1])
    checked = photo_check.check(pair)
    (advice,) = checked.advice
    assert advice.code == "several faces"
    assert "2 faces" in advice.text
    assert "clearest" in advice.text
    assert "pick another" in advice.text
    assert checked.chosen is checked.faces[0]


def test_a_face_picked_by_hand_is_taken_and_not_remarked_on():
    pair = side_by_side(PICTURES["portrait"][:600], PICTURES["portrait"][:600, ::-1])
    checked = photo_check.check(pair, index=1)
    assert checked.chosen is checked.faces[1]
    assert checked.advice == ()


def test_a_small_face_in_the_background_is_listed_and_not_counted():
    crowd = PICTURES["portrait"].copy()
    crowd[120:376, 650:906] = cv2.resize(PICTURES["astronaut"], (256, 256), interpolation=cv2.INTER_AREA)
    checked = photo_check.check(crowd)
    assert len(checked.faces) == 2
    assert checked.advice == ()


@both
@pytest.mark.parametrize(("share", "is_blurred"), [(0.004, False), (0.006, False), (0.012, True), (0.02, True)])
def test_blur_is_told_from_one_hundredth_of_the_faces_height(name, share, is_blurred):
    pixels = PICTURES[name]
    soft = cv2.GaussianBlur(pixels, (0, 0), share * face.find(pixels)[0].height)
    assert added(name, soft) == ({"blurred"} if is_blurred else set())


@both
@pytest.mark.parametrize("kernel", [(1, 0), (0, 1)], ids=["sideways", "up and down"])
def test_a_shaken_camera_is_told(name, kernel):
    pixels = PICTURES[name]
    length = round(0.06 * face.find(pixels)[0].height)
    size = (length, 1) if kernel == (1, 0) else (1, length)
    assert added(name, cv2.blur(pixels, size)) == {"blurred"}


@both
def test_noise_does_not_hide_blur(name):
    pixels = PICTURES[name]
    soft = cv2.GaussianBlur(pixels, (0, 0), 0.015 * face.find(pixels)[0].height)
    noisy = np.clip(soft + np.random.default_rng(0).normal(0, 6, soft.shape), 0, 255).astype(np.uint8)
    assert "blurred" in codes(noisy)


@both
@pytest.mark.parametrize(
    ("more", "expected"),
    [(-5, {"dark"}), (-4, {"dark"}), (-2, set()), (-1, set()), (0.5, set()), (1.5, {"burnt out"}), (3, {"burnt out"})],
)
def test_exposure_is_judged_by_what_is_lost(name, more, expected):
    assert added(name, stops(PICTURES[name], more)) == expected


@both
def test_dark_skin_in_good_light_is_not_called_dark(name):
    pixels = PICTURES[name]
    points = face.mesh(pixels, face.find(pixels)[0])
    mask = np.zeros(pixels.shape[:2], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(points[:, :2].astype(np.int32)), 1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    # A quarter of the light comes back: skin of 0.35 to 0.5 reflectance becomes 0.09 to 0.13, as the darkest skin has.
    darker = (pixels * (1 - mask) + stops(pixels, -2) * mask).astype(np.uint8)
    assert added(name, darker) == set()


@both
def test_half_a_face_in_black_shadow_is_told(name):
    pixels = PICTURES[name]
    centre = round(face.find(pixels)[0].centre[0])
    split = pixels.copy()
    split[:, centre:] = stops(pixels, -8)[:, centre:]
    assert added(name, split) == {"dark"}
    assert any("black shadow" in advice.text for advice in photo_check.check(split).advice)


CUTS = {
    "hair off": (slice(45, None), slice(None), "top"),
    "through the forehead": (slice(110, None), slice(None), "top"),
    "ear off at the left": (slice(None), slice(365, None), "left"),
    "ear off at the right": (slice(None), slice(0, 615), "right"),
    "at the chin": (slice(0, 427), slice(None), "bottom"),
    "no shoulders": (slice(0, 470), slice(None), "shoulders"),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_head_cut_by_the_frame_is_told(cut):
    rows, columns, word = CUTS[cut]
    (advice,) = photo_check.check(PICTURES["portrait"][rows, columns]).advice
    assert advice.code == "cut"
    assert word in advice.text


@pytest.mark.parametrize(("name", "rows"), [("portrait", 20), ("astronaut", 10)])
def test_a_head_just_inside_the_frame_is_not_called_cut(name, rows):
    assert added(name, PICTURES[name][rows:]) == set()  # the hair begins at row 28 and at row 14


@both
@pytest.mark.parametrize("degrees", [-45, 45])
def test_a_head_turned_to_the_side_is_told(name, degrees):
    assert "turned" in codes(turned(PICTURES[name], degrees))


@both
@pytest.mark.parametrize("degrees", [-15, 15])
def test_a_slightly_turned_head_is_welcome(name, degrees):
    assert "turned" not in codes(turned(PICTURES[name], degrees))


@both
@pytest.mark.parametrize("degrees", [-35, -15, 0, 15, 35])
def test_a_leaning_head_is_measured_and_told(name, degrees):
    pixels = leaning(PICTURES[name], degrees)
    (found,) = face.find(pixels)
    roll = face.roll_degrees(face.mesh(pixels, found))
    upright = face.roll_degrees(face.mesh(PICTURES[name], face.find(PICTURES[name])[0]))
    assert roll == pytest.approx(upright - degrees, abs=5)
    assert added(name, pixels) == ({"tilted"} if abs(degrees) == 35 else set())


def test_every_advice_says_what_and_what_to_do():
    bad = cv2.GaussianBlur(stops(PICTURES["astronaut"], -5), (0, 0), 3)[30:170]
    advice = photo_check.check(bad).advice
    assert {one.code for one in advice} == {"small", "blurred", "dark", "cut"}
    for one in advice:
        assert str(one) == one.text
        assert one.text.endswith(".")
        assert one.text.count(". ") >= 1, "one sentence for what, one for what to do"


@pytest.mark.parametrize("cut", [1, 40, 80, 160])
def test_a_face_half_outside_the_picture_never_fails(cut):
    x, y, width, height = (round(value) for value in face.find(PICTURES["portrait"])[0].box)
    for part in (np.s_[y + cut :], np.s_[: y + height - cut], np.s_[:, x + cut :], np.s_[:, : x + width - cut]):
        checked = photo_check.check(PICTURES["portrait"][part])
        assert checked.advice[0].code in ("cut", "half a face", "no face")


# A photo that lies on its side.


@both
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_photo_on_its_side_says_how_to_turn_it_and_is_good_when_turned(name, degrees):
    photo = Photo.from_image(Image.fromarray(PICTURES[name])).turned(360 - degrees)
    checked = photo_check.check(photo.pixels)
    assert not checked.usable
    assert [advice.code for advice in checked.advice] == ["turned photo"]
    assert checked.turn == degrees
    with pytest.raises(PhotoError, match="stands on its head" if degrees == 180 else "lies on its side"):
        photo_check.face_for_headshot(photo.pixels)
    upright = photo.turned(checked.turn)
    assert np.array_equal(upright.pixels, PICTURES[name])
    assert photo_check.check(upright.pixels).turn == 0


@both
@pytest.mark.parametrize("degrees", [-35, 0, 35])
def test_a_leaning_head_is_no_turned_photo(name, degrees):
    assert photo_check.check(leaning(PICTURES[name], degrees)).turn == 0


# What stands around.


def test_somebody_who_stands_before_the_person_is_told(monkeypatch):
    monkeypatch.setattr(photo_check, "is_hidden", lambda chosen, faces: True)
    assert codes(PICTURES["portrait"]) == {"hidden"}


def test_somebody_close_by_is_told_and_somebody_apart_is_not():
    head = PICTURES["portrait"][:640, 150:750]
    beside = photo_check.check(np.hstack([head, head]), index=0)
    assert [advice.code for advice in beside.advice] == ["close by"]
    apart = np.full((640, 500, 3), PICTURES["portrait"][5, 5], np.uint8)
    assert "close by" not in codes(np.hstack([head, apart, head]), index=0)


def before(backdrop, name, stops_more=0.0):
    """A person before another backdrop, lit by so many stops more."""
    person = portraits.person(name)
    lit = stops(np.clip(person.colour, 0, 255).astype(np.uint8), stops_more).astype(np.float32)
    alpha = person.alpha[..., None]
    return np.clip(lit * alpha + backdrop * (1 - alpha), 0, 255).astype(np.uint8)


@both
@pytest.mark.parametrize(("stops_more", "is_backlit"), [(-2, True), (-1.5, True), (-0.5, False), (0, False)])
def test_light_from_behind_is_told(name, stops_more, is_backlit):
    assert ("backlight" in codes(before(np.float32([240, 244, 248]), name, stops_more))) == is_backlit


@both
def test_dark_skin_before_a_bright_wall_is_not_called_backlit(name):
    """A quarter of the light comes back from the face, and all of it from the clothes."""
    person = portraits.person(name)
    points = face.mesh(portraits.photograph(name), person.face)[:, :2]
    skin = np.zeros(person.alpha.shape, np.float32)
    cv2.fillConvexPoly(skin, cv2.convexHull(points.astype(np.int32)), 1)
    skin = cv2.GaussianBlur(skin, (0, 0), 3)[..., None]
    wall = np.float32([225, 225, 228])
    darker = before(wall, name) * (1 - skin) + before(wall, name, -2) * skin
    assert "backlight" not in codes(darker.astype(np.uint8))


@both
def test_a_dark_face_before_a_dark_wall_has_no_light_from_behind(name):
    assert "backlight" not in codes(before(np.float32([60, 60, 66]), name, -2))


@pytest.mark.parametrize(("name", "part"), [("astronaut", "hair"), ("portrait", "clothes")])
def test_hair_or_clothes_like_the_background_are_told(name, part):
    person = portraits.person(name)
    own = cv2.GaussianBlur(person.colour, (0, 0), 0.08 * person.face.height)  # the person's colours, carried on
    (advice,) = (one for one in photo_check.check(before(own, name)).advice if one.code == "like the background")
    assert f"The {part} and the background" in advice.text


@both
@pytest.mark.parametrize("grey", [40, 128, 245])
def test_a_plain_wall_of_another_colour_is_welcome(name, grey):
    assert "like the background" not in codes(before(np.float32([grey] * 3), name))
