"""The photo over the headshot: known similarities to a pixel, studio headshots by their eyes, nose and mouth."""

import cv2
import numpy as np
import pytest
from paths import ROOT

import headshot
from headshot.errors import PhotoError
from headshot.exports import overlay
from headshot.imaging import face
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.imaging.warp import warp

PHOTOS = {
    "astronaut": Photo.open(ROOT / "headshot" / "examples" / "astronaut.png"),  # the face is 114 px high
    "portrait": Photo.open(ROOT / "headshot" / "examples" / "portrait.jpg"),  # 328 px
}
PIXELS = {name: photo.pixels for name, photo in PHOTOS.items()}
SIZE = (1024, 1280)
MIDDLE = np.array([512.0, 520.0])
both = pytest.mark.parametrize("name", PHOTOS)


@pytest.fixture(scope="module")
def shots() -> dict[str, np.ndarray]:
    """A studio headshot of each photo, under hard light from one side."""
    return {
        name: np.asarray(headshot.shoot(photo, "navy backdrop, Rembrandt light", seeds=[3], backend="studio")[0].image)
        for name, photo in PHOTOS.items()
    }


def the_face(pixels: np.ndarray) -> Face:
    return face.find(pixels)[0]


def onto_frame(found: Face, face_px: float, degrees: float) -> np.ndarray:
    """The (2, 3) similarity that stands a face of that height, turned by that much, in the middle of the frame."""
    affine = cv2.getRotationMatrix2D(found.centre, degrees, face_px / found.height)
    affine[:, 2] += MIDDLE - found.centre
    return affine


def relit(pixels: np.ndarray) -> np.ndarray:
    """The picture under another light: from one side, harder, and bluish."""
    fall = np.linspace(1.25, 0.35, pixels.shape[1])[None, :, None]
    value = (pixels / 255.0) ** 1.3 * fall * [0.85, 0.95, 1.15]
    return np.clip(255 * value, 0, 255).astype(np.uint8)


def leaning(pixels: np.ndarray, degrees: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    affine = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(pixels, affine, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def parts(mesh: np.ndarray) -> list[np.ndarray]:
    """The middles of the eyes, of the nose and of the mouth."""
    flat = mesh[:, :2]
    return [flat[list(face.EYES[0])].mean(0), flat[list(face.EYES[1])].mean(0), flat[1], flat[list(face.LIPS)].mean(0)]


def shifts(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far eyes, nose and mouth are apart in two pictures, in face widths, by phase correlation of their edges."""
    found = the_face(other)
    half = round(0.16 * found.box[2])
    window = cv2.createHanningWindow((2 * half, 2 * half), cv2.CV_32F)
    edges = [
        cv2.Laplacian(cv2.GaussianBlur(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), (0, 0), 3), cv2.CV_32F)
        for p in (one, other)
    ]
    apart = []
    for x, y in parts(face.mesh(other, found)):
        patch = np.s_[round(y) - half : round(y) + half, round(x) - half : round(x) + half]
        (dx, dy), _ = cv2.phaseCorrelate(edges[0][patch], edges[1][patch], window)
        apart.append(np.hypot(dx, dy))
    return np.array(apart) / found.box[2]


def mesh_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far eyes, nose and mouth are apart by the meshes of two pictures, in face widths."""
    found = the_face(other)
    between = np.array(parts(face.mesh(one, found))) - np.array(parts(face.mesh(other, found)))
    return np.linalg.norm(between, axis=1) / found.box[2]


def difference(one: np.ndarray, other: np.ndarray, found: Face) -> float:
    """Mean absolute difference inside a face's box, 0…255."""
    x, y, width, height = (round(value) for value in found.box)
    inside = np.s_[y : y + height, x : x + width]
    return float(np.abs(one[inside].astype(int) - other[inside]).mean())


# Face on face.


@both
@pytest.mark.parametrize(("face_px", "degrees"), [(480, 0), (330, -8), (620, 15), (200, 5)])
def test_the_photo_lies_where_a_known_similarity_put_it_whatever_the_light(
    name: str, face_px: float, degrees: float
) -> None:
    photo = PIXELS[name]
    found = the_face(photo)
    known = onto_frame(found, face_px, degrees)
    expected = warp(photo, known, SIZE, cv2.INTER_CUBIC)
    laid = overlay.overlay(photo, found, relit(expected))
    assert difference(laid, expected, found.moved(known)) < 2
    assert shifts(laid, expected).max() < 0.007
    aside = warp(photo, known + np.float64([[0, 0, 0.01 * face_px], [0, 0, 0]]), SIZE, cv2.INTER_CUBIC)
    assert shifts(aside, expected).min() > 0.008, "a shift of a hundredth would be seen"


@both
def test_a_studio_headshot_and_the_photo_have_eyes_nose_and_mouth_in_one_place(
    name: str, shots: dict[str, np.ndarray]
) -> None:
    photo, shot = PIXELS[name], shots[name]
    laid = overlay.overlay(photo, the_face(photo), shot)
    assert shifts(laid, shot).max() < 0.007
    assert mesh_apart(laid, shot).max() < 0.02  # the mesh itself moves by a hundredth from one light to another
    assert np.linalg.norm(the_face(laid).points - the_face(shot).points, axis=1).mean() < 0.015 * the_face(shot).box[2]


@both
@pytest.mark.parametrize("degrees", [-20, 20])
def test_a_photo_that_leans_by_20_degrees_is_levelled(name: str, degrees: float, shots: dict[str, np.ndarray]) -> None:
    photo = leaning(PIXELS[name], degrees)
    laid = overlay.overlay(photo, the_face(photo), shots[name])
    assert shifts(laid, shots[name]).max() < 0.007


@both
def test_a_mirrored_photo_still_lines_up(name: str, shots: dict[str, np.ndarray]) -> None:
    photo = np.ascontiguousarray(PIXELS[name][:, ::-1])
    laid = overlay.overlay(photo, the_face(photo), shots[name])
    assert mesh_apart(laid, shots[name]).max() < 0.025  # no face is its own mirror image


@both
def test_a_mirrored_photo_lines_up_to_a_pixel_with_a_mirrored_headshot(name: str, shots: dict[str, np.ndarray]) -> None:
    photo, shot = (np.ascontiguousarray(pixels[:, ::-1]) for pixels in (PIXELS[name], shots[name]))
    assert shifts(overlay.overlay(photo, the_face(photo), shot), shot).max() < 0.007


@both
def test_another_mouth_does_not_move_the_eyes(name: str, shots: dict[str, np.ndarray]) -> None:
    shot = shots[name]
    found = the_face(shot)
    rows, columns = np.mgrid[: shot.shape[0], : shot.shape[1]].astype(np.float32)
    nose, mouth = found.points[2, 1], found.points[3:, 1].mean()
    fall = np.clip((rows - nose) / (mouth - nose), 0, 1)
    dropped = cv2.remap(shot, columns, rows - 0.06 * np.float32(found.height) * fall, cv2.INTER_LINEAR)
    laid = overlay.overlay(PIXELS[name], the_face(PIXELS[name]), dropped)
    assert shifts(laid, shot)[:2].max() < 0.01


def test_of_several_faces_in_a_headshot_the_persons_own_is_taken() -> None:
    photo, stranger = PIXELS["portrait"], PIXELS["astronaut"]
    found = the_face(photo)
    left = warp(stranger, onto_frame(the_face(stranger), 420, 0), SIZE)[:, 212:812]
    right = warp(photo, onto_frame(found, 300, 0), SIZE, cv2.INTER_CUBIC)[:, 312:712]
    pair = np.ascontiguousarray(np.hstack([left, right]))
    assert len(face.find(pair)) == 2
    laid = overlay.overlay(photo, found, pair)
    own = onto_frame(found, 300, 0) + np.float64([[0, 0, 600 - 312], [0, 0, 0]])
    assert difference(laid, pair, found.moved(own)) < 1.5


@both
def test_the_overlay_has_the_headshots_size_and_is_the_same_each_time(name: str, shots: dict[str, np.ndarray]) -> None:
    photo, shot = PIXELS[name], shots[name]
    before = photo.copy()
    one, other = (overlay.overlay(photo, the_face(photo), shot) for _ in range(2))
    assert one.shape == shot.shape
    assert one.dtype == np.uint8
    assert np.array_equal(one, other)
    assert np.array_equal(photo, before)


def test_a_headshot_without_a_face_is_refused_with_a_sentence() -> None:
    photo = PIXELS["portrait"]
    with pytest.raises(PhotoError, match=r"^No face was found in this headshot.*\.$"):
        overlay.overlay(photo, the_face(photo), np.full((1280, 1024, 3), 90, np.uint8))


# Where the photo ends.


def chroma(pixels: np.ndarray) -> float:
    return float((pixels.max(-1).astype(int) - pixels.min(-1)).mean())


def test_inside_the_photo_every_pixel_is_the_photos() -> None:
    photo = PIXELS["portrait"]
    known = onto_frame(the_face(photo), 900, 0)
    expected = warp(photo, known, SIZE, cv2.INTER_CUBIC)
    laid = overlay.overlay(photo, the_face(photo), expected)
    assert np.abs(laid.astype(int) - expected).mean() < 1


@both
def test_beyond_the_photo_its_colours_go_on_calm_and_muted(name: str) -> None:
    photo = PIXELS[name]
    found = the_face(photo)
    x, y, width, height = (round(value) for value in found.box)
    tight = np.ascontiguousarray(
        photo[max(0, y - height // 3) : y + height + height // 3, x - width // 3 : x + width + width // 3]
    )
    moved = the_face(tight)
    shot = warp(tight, onto_frame(moved, 300, 6), SIZE)
    laid = overlay.overlay(tight, moved, shot)
    covered = warp(np.ones(tight.shape[:2], np.float32), np.eye(2, 3), tight.shape[1::-1])
    covered = cv2.warpAffine(covered, onto_frame(moved, 300, 6), SIZE)
    beyond = cv2.dilate(covered, np.ones((9, 9))) == 0
    assert beyond.mean() > 0.4
    steps = np.abs(np.diff(laid.astype(int), axis=0)).max(-1)
    assert steps[beyond[1:] & beyond[:-1]].max() <= 3, "no streak and no edge"
    assert chroma(laid[beyond]) < 0.6 * chroma(tight)
    assert 20 < laid[beyond].mean() < tight.mean()


@pytest.mark.parametrize("level", [0, 64, 255])
def test_the_edge_of_a_plain_photo_is_seen_on_its_mount(level: int) -> None:
    laid = overlay.fitted(np.full((500, 800, 3), level, np.uint8), (400, 500))
    inside, outside = int(laid[130, 200, 1]), int(laid[123, 200, 1])
    assert inside == level
    assert abs(inside - outside) >= 10


# The photo whole.


@pytest.mark.parametrize(("height", "width"), [(300, 600), (600, 300), (2000, 1600), (64, 80)])
def test_a_fitted_photo_is_whole_and_in_the_middle(height: int, width: int) -> None:
    rows, columns = np.mgrid[:height, :width]
    photo = np.dstack([255 * rows // height, 255 * columns // width, np.full((height, width), 200)]).astype(np.uint8)
    laid = overlay.fitted(photo, (400, 500))
    assert laid.shape == (500, 400, 3)
    assert laid.dtype == np.uint8
    scale = min(400 / width, 500 / height)
    ys, xs = np.nonzero(laid[..., 2] > 190)
    assert ys.max() - ys.min() + 1 == pytest.approx(scale * height, abs=2)
    assert xs.max() - xs.min() + 1 == pytest.approx(scale * width, abs=2)
    assert ys.max() + ys.min() == pytest.approx(499, abs=2)
    assert xs.max() + xs.min() == pytest.approx(399, abs=2)
    assert laid[ys.min() + 2, 200, 0] < 12
    assert laid[ys.max() - 2, 200, 0] > 243


def test_a_photo_of_the_frames_size_is_fitted_unchanged() -> None:
    photo = PIXELS["astronaut"]
    assert np.array_equal(overlay.fitted(photo, (512, 512)), photo)


def test_a_fine_pattern_becomes_grey_when_the_photo_is_reduced() -> None:
    stripes = np.zeros((1600, 2048, 3), np.uint8)
    stripes[:, ::2] = 255
    laid = overlay.fitted(stripes, (205, 256))
    inside = laid[128 - 70 : 128 + 70, 10:-10].astype(int)
    assert np.abs(inside - 128).max() < 20


# The same face again.


def boxed(*box: float) -> Face:
    x, y, width, height = box
    return Face((x, y, width, height), np.zeros((5, 2), np.float32), 0.9)


def test_the_face_that_overlaps_most_is_the_same() -> None:
    faces = [boxed(0, 0, 300, 400), boxed(110, 95, 100, 130), boxed(95, 105, 100, 130)]
    assert overlay.same_face(faces, (112, 96, 100, 130)) is faces[1]


@pytest.mark.parametrize("box", [(400, 0, 100, 100), (100, 0, 100, 100), (85, 0, 100, 100), (0, 0, 1000, 1000)])
def test_a_neighbour_is_not_the_same_face(box: tuple[float, float, float, float]) -> None:
    assert overlay.same_face([boxed(0, 0, 100, 100)], box) is None


def test_among_no_faces_none_is_the_same() -> None:
    assert overlay.same_face([], (0, 0, 10, 10)) is None


@both
@pytest.mark.parametrize("scale", [0.9, 0.6])
def test_a_face_is_known_again_in_a_reduced_jpeg(name: str, scale: float) -> None:
    photo = PIXELS[name]
    pair = np.ascontiguousarray(np.hstack([photo, photo[:, ::-1]]))
    small = cv2.resize(pair, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    copy = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    faces = face.find(copy)
    assert len(faces) == 2
    for chosen in face.find(pair):
        x, y, width, height = (scale * value for value in chosen.box)
        again = overlay.same_face(faces, (x, y, width, height))
        assert again is not None
        assert np.linalg.norm(np.array(again.centre) / scale - chosen.centre) < 0.1 * chosen.height
