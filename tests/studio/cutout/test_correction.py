"""Points that a person names: the outline follows them along the colours."""

from functools import cache

import cv2
import numpy as np
import portraits
import pytest

from headshot import shoot
from headshot.errors import PhotoError
from headshot.imaging import face
from headshot.imaging.photo import Marks, Photo
from headshot.studio import analysis
from headshot.studio.cutout.correction import correct_outline

FACE_PX = 200.0
SKIN, HAIR, WALL = (205, 160, 135), (70, 45, 30), (120, 150, 190)


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face with hair that falls to one side before a wall: the picture, the face alone, face and hair."""
    random = np.random.default_rng(3)
    shape = 640, 640
    head, hair = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    cv2.ellipse(head, (300, 300), (75, 105), 0, 0, 360, 1, -1)
    cv2.ellipse(hair, (330, 260), (105, 120), 0, 0, 360, 1, -1)
    cv2.ellipse(hair, (410, 350), (35, 110), -15, 0, 360, 1, -1)
    picture = np.where(hair[..., None] > 0, np.float32(HAIR), np.float32(WALL))
    picture = np.where(head[..., None] > 0, np.float32(SKIN), picture)
    picture = np.clip(picture + random.normal(0, 5, (*shape, 1)), 0, 255).astype(np.uint8)
    return picture, head.astype(np.float32), np.maximum(head, hair).astype(np.float32)


def test_a_point_on_lost_hair_brings_the_hair_back_and_not_a_disc() -> None:
    picture, without_hair, true = drawn()
    alpha, named = correct_outline(picture, without_hair, [(425, 330)], [], FACE_PX)
    y, x = np.mgrid[:640, :640]
    within_reach = np.hypot(x - 425, y - 330) < 0.85 * FACE_PX
    lost = (true > 0.5) & (without_hair < 0.5) & within_reach
    assert (alpha[lost] > 0.5).mean() > 0.95
    assert named[lost].mean() > 0.95
    assert (alpha[true < 0.5] > 0.5).mean() < 0.01


def test_a_point_on_what_is_not_the_person_takes_that_out() -> None:
    picture, _, true = drawn()
    cv2.rectangle(picture, (150, 420), (230, 560), (190, 30, 40), -1)  # a red chair
    taken_in = true.copy()
    taken_in[420:561, 150:231] = 1
    alpha, _ = correct_outline(picture, taken_in, [], [(190, 500)], FACE_PX)
    assert alpha[430:550, 160:220].max() < 0.1
    assert (alpha[true > 0.5] > 0.5).mean() > 0.99


def test_points_far_from_what_is_wrong_change_nothing_else() -> None:
    picture, without_hair, _ = drawn()
    alpha, named = correct_outline(picture, without_hair, [(300, 300)], [(40, 40)], FACE_PX)
    assert np.abs(alpha - without_hair)[~named].max() == 0
    assert (np.abs(alpha - without_hair) > 0.5).mean() < 0.002


def test_the_same_points_give_the_same_outline() -> None:
    picture, without_hair, _ = drawn()
    one, other = (correct_outline(picture, without_hair, [(425, 330)], [(60, 300)], FACE_PX)[0] for _ in range(2))
    assert np.array_equal(one, other)


@cache
def analysed() -> analysis.Analysis:
    pixels = portraits.photograph("portrait")
    found = face.find(pixels)
    return analysis.analyse(pixels, found[0], found[1:], steps=21)


def test_a_named_point_is_certain_in_the_finished_cut_out_and_the_networks_are_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = portraits.photograph("portrait")
    found = face.find(pixels)
    first = analysed()
    head = first.framing_limits.head
    where = head.middle, head.chin + 0.25 * head.height  # the chest, on the canvas
    point = _on_photo(where)
    monkeypatch.setattr(analysis.matte, "_run_u2net", None)
    second = analysis.analyse(
        pixels, found[0], found[1:], steps=21, marks=Marks(outside=(point,)), outputs=first.network_outputs
    )
    column, row = round(where[0]), round(where[1])
    assert first.alpha[row, column] > 0.95
    assert second.alpha[row, column] < 0.1


def _on_photo(point: tuple[float, float]) -> tuple[float, float]:
    pixels = portraits.photograph("portrait")
    chosen = face.find(pixels)[0]
    mesh = face.mesh(pixels, chosen)
    outline = analysis.matte.person_outline(analysed().network_outputs, chosen)
    back = cv2.invertAffineTransform(
        analysis._canvas_from_photo(chosen, mesh, outline.crown, analysis._head_middle(mesh, outline))
    )
    x, y = back[:, :2] @ point + back[:, 2]
    return float(x), float(y)


def test_a_point_beside_the_photo_is_refused_with_one_sentence() -> None:
    photo = Photo.of(portraits_file())
    with pytest.raises(PhotoError, match=r"The point \(9000, 5\) lies outside the photo"):
        photo.marked(inside=[(9000, 5)])


def test_more_points_than_clicks_are_refused() -> None:
    with pytest.raises(PhotoError, match="at most 50"):
        Photo.of(portraits_file()).marked(inside=[(5, 5)] * 51)


def test_shoot_takes_the_points_and_the_headshot_tells_them() -> None:
    (headshot,) = shoot(portraits_file(), seeds=[1], backend="studio", outside=[(3, 3)])
    assert headshot.facts == {"outside": [[3.0, 3.0]]}


def portraits_file() -> str:
    return str(portraits._ROOT / "headshot/examples/portrait.jpg")
