"""Photos of which no headshot can be made are refused with one sentence; ordinary ones never are."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pictures import PICTURES, both, stops

from headshot.errors import PhotoError
from headshot.imaging import face, photo_check, refusals


def refused(pixels):
    """The code of the one advice, where the check and a run refuse alike."""
    checked = photo_check.check(pixels)
    assert not checked.usable
    (advice,) = checked.advice
    for run in (checked.require_face, lambda: photo_check.face_for_headshot(pixels)):
        with pytest.raises(PhotoError) as error:
            run()
        assert str(error.value) == advice.text
    return advice.code


def used(pixels):
    faces, chosen = photo_check.face_for_headshot(pixels)
    assert chosen is faces[0]
    return photo_check.check(pixels).usable


def drawn(name, by_pen=False):
    """The person as a drawing in flat colours, or by pen on white paper."""
    pixels = PICTURES[name]
    found = face.find(pixels)[0]
    points = np.round(face.mesh(pixels, found)[:, :2]).astype(np.int32)
    high = found.height
    line = max(2, round(0.015 * high))
    canvas = np.full_like(pixels, 255)

    def area(outline, colour):
        polygon = [points[list(outline)]]
        if by_pen:
            cv2.polylines(canvas, polygon, True, (20, 20, 20), line, cv2.LINE_AA)
        else:
            cv2.fillPoly(canvas, polygon, colour, cv2.LINE_AA)

    x, y = points[list(face.OVAL)].mean(0)
    hair = (round(x), round(y - 0.12 * high)), (round(0.5 * high), round(0.68 * high)), 0, 0, 360, (70, 44, 30)
    cv2.ellipse(canvas, *hair, -1, cv2.LINE_AA)
    cv2.fillPoly(canvas, [points[list(face.OVAL)]], (255, 255, 255))
    area(face.OVAL, (240, 195, 165))
    for eye in face.EYES:
        area(eye, (250, 250, 250))
        x, y = points[list(eye)].mean(0)
        cv2.circle(canvas, (round(x), round(y)), round(0.035 * high), (50, 35, 25), -1, cv2.LINE_AA)
    for brow in face.BROWS:
        cv2.fillPoly(canvas, [points[list(brow)]], (60, 44, 30), cv2.LINE_AA)
    area(face.LIPS, (190, 80, 80))
    nose = [points[[168, 6, 197, 195, 5, 4]], points[[98, 97, 2, 326, 327]]]
    cv2.polylines(canvas, nose, False, (120, 90, 80), line, cv2.LINE_AA)
    return cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) if by_pen else canvas


@both
@pytest.mark.parametrize("by_pen", [False, True], ids=["flat colours", "pen"])
def test_a_drawing_is_refused(name, by_pen):
    assert refused(drawn(name, by_pen)) == "drawing"


@both
@pytest.mark.parametrize(
    "worse",
    [
        lambda pixels: stops(pixels, 3),
        lambda pixels: stops(pixels, -5),
        lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 4),
        lambda pixels: cv2.bilateralFilter(pixels, 15, 60, 9),
        lambda pixels: cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
        lambda pixels: cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 12])[1], 1),
        lambda pixels: cv2.merge([*cv2.split((pixels * 0.7).astype(np.uint8))[:2], pixels[..., 2]]),
    ],
    ids=["burnt out", "dark", "blurred", "smoothed", "grey", "compressed", "blue light"],
)
def test_a_bad_photo_of_a_person_is_never_refused(name, worse):
    assert used(worse(PICTURES[name]))


# Height, score, trust, yaw and skin of animals and people as they were measured.
ANIMALS = {
    "white tiger": (263, 0.77, -7.0, 8.0, (62, 0, -2)),
    "tiger": (363, 0.84, -2.0, 14.0, (63, 3, 6)),
    "lion": (431, 0.80, -5.0, 8.0, (60, 11, 28)),
    "tabby": (426, 0.81, -7.0, -14.0, (61, 2, 10)),
    "dog": (178, 0.88, 9.0, 0.0, (66, 1, 18)),
}
PEOPLE = {
    "profile": (226, 0.90, 1.9, -40.0, (57, 11, 13)),
    "in motion": (492, 0.88, -2.3, 19.0, (36, 22, 31)),
    "dark glasses": (79, 0.87, -6.0, 17.0, (47, 27, 31)),
    "tongue out": (103, 0.82, 7.0, 26.0, (57, 18, 21)),
    "mirrored glasses": (62, 0.87, 11.0, -5.0, (44, 6, 3)),
    "hood in haze": (100, 0.93, 29.0, 1.0, (37, 8, -1)),
    "black and white": (158, 0.87, 5.0, 12.0, None),
    "small": (47, 0.81, -9.0, 1.0, (46, 4, 20)),
}


@pytest.mark.parametrize("values", ANIMALS.values(), ids=ANIMALS)
def test_an_animals_face_is_told(values):
    assert refusals.looks_animal(*values)


@pytest.mark.parametrize("values", PEOPLE.values(), ids=PEOPLE)
def test_a_person_is_never_taken_for_an_animal(values):
    assert not refusals.looks_animal(*values)


def test_an_animal_is_answered_with_a_sentence(monkeypatch):
    monkeypatch.setattr(refusals, "looks_animal", lambda *values: True)
    assert refused(PICTURES["portrait"]) == "animal"


def test_a_profile_is_refused_unless_the_mesh_can_be_laid_on_it():
    pixels = PICTURES["portrait"]
    found = face.find(pixels)[0]
    mesh, trust = face.fit_mesh(pixels, found)
    points = found.points.copy()
    points[1] = points[0] + (0.15 * found.height, 0)
    from_the_side = replace(found, points=points)
    assert refusals.refusal(pixels, from_the_side, mesh, trust) is None
    refused = refusals.refusal(pixels, from_the_side, mesh, -0.2)
    assert refused is not None
    assert refused.code == "profile"


@pytest.mark.parametrize("part", ["left", "right", "top", "bottom"])
def test_a_face_cut_in_half_is_refused(part):
    pixels = PICTURES["portrait"]
    x, y, width, height = (round(value) for value in face.find(pixels)[0].box)
    middle = x + width // 2, y + height // 2
    half = {
        "left": pixels[:, : middle[0]],
        "right": pixels[:, middle[0] :],
        "top": pixels[: middle[1] + height // 8],
        "bottom": pixels[middle[1] :],
    }[part]
    assert refused(np.ascontiguousarray(half)) in ("half a face", "no face")


@both
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_forehead_cut_off_is_not_half_a_face(name, share):
    pixels = PICTURES[name]
    _, y, _, height = face.find(pixels)[0].box
    assert used(pixels[round(y + share * height) :])


def shrunk(height):
    """The portrait with a face of that height, in the middle of a grey picture."""
    pixels = PICTURES["portrait"]
    scale = height / face.find(pixels)[0].height
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, 100, 100, 100, 100, cv2.BORDER_REPLICATE)


def test_a_face_of_thirty_pixels_is_refused_and_one_of_sixty_is_advised_against():
    assert refused(shrunk(30)) == "too small"
    checked = photo_check.check(shrunk(60))
    assert checked.usable
    assert checked.advice[0].code == "small"
    assert "another photo" in checked.advice[0].text


@pytest.mark.parametrize(
    "make", [lambda: drawn("portrait"), lambda: np.zeros((64, 4096, 3), np.uint8), lambda: shrunk(30)]
)
def test_a_refusal_takes_less_than_two_seconds_on_forty_megapixels(make):
    pixels = make()
    scale = 4096 / max(pixels.shape[:2])  # no photo is kept larger
    large = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    photo_check.check(PICTURES["portrait"])  # the networks are loaded
    started = time.perf_counter()
    photo_check.check(large)
    assert time.perf_counter() - started < 2


def test_of_two_faces_the_other_can_be_taken_where_the_first_is_a_drawing():
    pixels = np.hstack([drawn("portrait"), PICTURES["portrait"]])
    codes = {index: photo_check.check(pixels, index) for index in (0, 1)}
    assert sorted(checked.usable for checked in codes.values()) == [False, True]
    (drawing,) = (checked for checked in codes.values() if not checked.usable)
    assert len(drawing.faces) == 2, "the faces stay to choose from"
