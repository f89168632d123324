"""Who owns which part of a picture with several people in it, and what a body keeps where a network misses it."""

from functools import cache

import cv2
import numpy as np
import portraits
import pytest
from paths import ROOT
from PIL import Image

from headshot import Photo, shoot
from headshot.errors import PhotoError
from headshot.imaging import face
from headshot.imaging.face import Face
from headshot.studio import analysis, cutout_trust, render
from headshot.studio.cutout import matte, people
from headshot.studio.prompt.style_spec import StyleSpec

CHEEK_BY_CHEEK = 0.17
EXAMPLE = ROOT / "headshot" / "examples" / "astronaut.png"


@cache
def side_by_side(apart: float = 0.28) -> tuple[np.ndarray, list[Face]]:
    """The astronaut and, over a shoulder of hers, the portrait. apart: of the width, from face to face."""
    people = [("astronaut", 190, 0.5 - apart / 2, False), ("portrait", 210, 0.5 + apart / 2, False)]
    picture = portraits._photo(portraits._placed(portraits.scene(1000, 1200, seed=4), people))  # type: ignore[arg-type]
    return picture, sorted(face.find(picture), key=lambda someone: someone.centre[0])


def outline(chosen: int) -> tuple[matte.Outline, np.ndarray]:
    """The outline of one of the two, and its alpha on the whole picture."""
    picture, people = side_by_side()
    seen = matte.person_outline(matte.run_networks(picture, people[chosen], [people[1 - chosen]]), people[chosen])
    whole = np.zeros(picture.shape[:2], np.float32)
    region = seen.region.crop(whole)
    region[:] = cv2.resize(seen.alpha, region.shape[::-1])
    return seen, whole


def below(someone: Face, faces: float, half_width: float) -> tuple[slice, slice]:
    """A patch of so many face heights below the face's middle."""
    x, y = someone.centre
    height = someone.height
    rows = slice(round(y + (faces - 0.1) * height), round(y + (faces + 0.1) * height))
    return rows, slice(round(x - half_width * height), round(x + half_width * height))


@pytest.mark.parametrize("chosen", [0, 1])
def test_neck_and_chest_stay_beside_a_neighbour(chosen: int) -> None:
    _, alpha = outline(chosen)
    _, people = side_by_side()
    assert (alpha[below(people[chosen], 0.75, 0.15)] > 0.9).mean() > 0.95
    assert (alpha[below(people[chosen], 1.3, 0.3)] > 0.9).mean() > 0.95


@pytest.mark.parametrize("chosen", [0, 1])
def test_no_pixel_of_the_neighbours_face_is_kept(chosen: int) -> None:
    _, alpha = outline(chosen)
    _, people = side_by_side()
    x, y, width, height = (round(value) for value in people[1 - chosen].box)
    assert alpha[y : y + height, x + width // 4 : x + 3 * width // 4].max() < 0.05


def test_a_sleeve_is_told_from_a_neighbours_by_its_colour_whatever_folds_it_has() -> None:
    size, face_px = (400, 500), 100.0
    picture = np.full((*size, 3), (150, 170, 190), np.uint8)
    picture[180:, 20:300] = (190, 160, 120)  # the chosen one's coat, with a dark fold …
    picture[180:, 215:219] = (60, 40, 30)
    picture[180:, 300:480] = (40, 60, 120)  # … beside somebody's in blue
    somebody = np.zeros(size, np.float32)
    somebody[180:, 20:480] = 1
    people_at = ((160, 150), (390, 150))
    for x, y in people_at:
        cv2.ellipse(picture, (x, y - 14), (42, 62), 0, 0, 360, (200, 150, 130), -1)
        cv2.ellipse(somebody, (x, y - 14), (42, 62), 0, 0, 360, 1.0, -1)
    chosen, other = (
        Face(box=(x - 40, y - 50, 80, face_px), points=np.zeros((5, 2), np.float32), score=0.9) for x, y in people_at
    )
    shared = people.divide(picture, somebody, somebody, chosen, [other], (0, 0), 1.0)
    assert shared.own[230:380, 40:290].min() > 0.95
    assert shared.own[230:380, 310:470].max() < 0.05
    assert shared.others[230:380, 310:470].min() > 0.95
    assert shared.contact[230:380, 290:310].any()


def test_hair_that_a_thin_line_joins_to_somebody_behind_stays() -> None:
    """The person behind is as dark as the chosen one's hair, and both meet in a line along the crown."""
    size, face_px = (400, 500), 100.0
    dark, wall = (60, 45, 40), (190, 195, 200)
    picture = np.full((*size, 3), wall, np.uint8)
    somebody = np.zeros(size, np.float32)
    people_at = ((180, 240), (330, 130))
    for field, hair in ((picture, dark), (somebody, 1.0)):
        cv2.ellipse(field, (170, 215), (80, 90), 0, 0, 360, hair, -1)
        cv2.rectangle(field, (280, 60), (480, 400), hair, -1)
        cv2.line(field, (170, 128), (300, 128), hair, 4)
    somebody[300:, 100:480] = 1
    for x, y in people_at:
        cv2.ellipse(picture, (x, y + 5), (60, 75), 0, 0, 360, (200, 150, 130), -1)
    picture[300:, 100:280] = (190, 160, 120)
    chosen, other = (
        Face(box=(x - 40, y - 50, 80, face_px), points=np.zeros((5, 2), np.float32), score=0.9) for x, y in people_at
    )
    own = people.divide(picture, somebody, somebody, chosen, [other], (0, 0), 1.0).own
    assert own[150:280, 100:120].min() > 0.9
    assert own[100:280, 420:470].max() < 0.1


def test_people_who_touch_leave_no_trust_and_the_photos_own_background_stays() -> None:
    picture, people = side_by_side(CHEEK_BY_CHEEK)
    found = analysis.analyse(picture, people[1], [people[0]], steps=21)
    assert found.trust < cutout_trust.TRUSTED
    shared = render.prepare_look(found, StyleSpec(backdrop="white"), 7.5)
    assert shared.background is not None


def test_a_small_doubtful_face_beside_the_head_is_somebody_and_on_the_chest_a_mirage() -> None:
    size, face_px = (400, 500), 100.0
    picture = np.full((*size, 3), (150, 170, 190), np.uint8)
    points = np.zeros((5, 2), np.float32)
    chosen = Face(box=(210, 100, 80, face_px), points=points, score=0.9)

    def cut(x: float, y: float, height: float, score: float) -> bool:
        other = Face(box=(x - 0.4 * height, y - 0.5 * height, 0.8 * height, height), points=points, score=score)
        own = people.divide(picture, np.ones(size, np.float32), np.ones(size, np.float32), chosen, [other], (0, 0), 1.0)
        return bool(own.own[round(y), round(x)] < 0.5)

    assert cut(310, 160, 15, 0.66)
    assert not cut(250, 300, 15, 0.66)
    assert not cut(330, 160, 60, 0.66)
    assert cut(330, 160, 60, 0.9)


def test_a_person_behind_somebody_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "is_hidden", lambda face, faces: True)
    with pytest.raises(PhotoError, match="stands in front of this person"):
        shoot(Image.fromarray(side_by_side()[0]), seeds=[1], backend="studio")


def test_a_photo_that_ends_at_the_chin_is_refused_in_a_sentence() -> None:
    picture, people = side_by_side()
    x, y, width, height = (round(value) for value in people[1].box)
    at_the_chin = picture[: y + round(1.12 * height), x - 2 * width : x + 3 * width]
    above = np.repeat(at_the_chin[:1], height, axis=0)
    with pytest.raises(PhotoError, match="photo ends so close"):
        shoot(Image.fromarray(np.vstack([above, at_the_chin])), seeds=[1], backend="studio")


def test_a_person_who_is_embraced_is_refused_in_a_sentence_and_who_names_what_is_theirs_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture, _ = side_by_side(CHEEK_BY_CHEEK)
    photo = Photo.of(Image.fromarray(picture))
    monkeypatch.setattr("headshot.studio.backend._MAX_CONTACT_LENGTH", 0.2)
    with pytest.raises(PhotoError, match="Somebody else holds or covers"):
        shoot(photo, seeds=[1], backend="studio")
    x, y = face.find(picture)[0].centre
    assert shoot(photo.marked(inside=[(x, y)]), seeds=[1], backend="studio")


@pytest.mark.parametrize("steps", [21, 31, 41])
def test_one_person_alone_is_trusted_and_so_is_the_example(steps: int) -> None:
    for pixels in (portraits.photograph("portrait"), Photo.open(EXAMPLE).pixels):
        found = face.find(pixels)
        assert analysis.analyse(pixels, found[0], found[1:], steps=steps).trust > cutout_trust.TRUSTED


def test_a_body_that_one_network_misses_is_kept_where_the_person_mask_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = portraits.photograph("portrait")
    chosen = face.find(pixels)[0]
    asked = matte._run_u2net

    def blind_below_the_chin(patch: np.ndarray) -> np.ndarray:
        opinion = asked(patch)
        opinion[round(0.6 * len(opinion)) :] = 0
        return opinion

    monkeypatch.setattr(matte, "_run_u2net", blind_below_the_chin)
    seen = matte.person_outline(matte.run_networks(pixels, chosen, []), chosen)
    rows, columns = (
        slice(round((part.start - start) * seen.scale), round((part.stop - start) * seen.scale))
        for part, start in zip(below(chosen, 1.5, 0.3), (seen.region.top, seen.region.left), strict=True)
    )
    assert seen.alpha[rows, columns].mean() > 0.9


def test_a_headshot_carries_its_trust_and_says_why_the_background_stayed() -> None:
    (headshot,) = shoot(Image.fromarray(side_by_side(CHEEK_BY_CHEEK)[0]), seeds=[1], backend="studio")
    assert headshot.trust is not None
    assert headshot.trust < cutout_trust.TRUSTED
    assert any("own background stays" in note.text for note in headshot.notes)
    said = {note.text: note.kind for note in headshot.notes}
    assert said["“light grey backdrop”: the photo's own background stays."] == "not applied"
    assert said["loop light"] == "applied"
    assert "light grey backdrop" not in said
