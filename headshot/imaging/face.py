"""Find faces, fit a mesh to a face, and measure likeness."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from headshot.errors import PhotoError

from . import models
from .warp import scale_factor, warp

_HEADSHOT_FACE_PX = 480  # hairline to chin in the studio's headshot
_DETECT_PX = 640  # YuNet was trained for faces of 10 to 300 px; at this side an ordinary portrait falls inside
_MESH_PX = 192
# Which face comes first. Chosen by eye on 35 photos, a dozen of them of several people: a sharp face that looks at the
# camera beats one in motion that is a quarter larger, and no face wins only because it is in the middle.
_RIVALS = 6
_RIVAL_SHARE = 0.35  # smaller faces belong to people in the background
_SHARP_BLUR_PX = 2.3  # of `blur`: sharp portraits measure 1.7 to 2.3
_TURNED_TESTED = 3  # so many faces are tested in a photo that may lie on its side
_AWAY = 0.2  # factor for a face in which the mesh has no trust
_ASIDE = 0.3  # what a face in the picture's corner loses
_HIDDEN = 0.1  # factor for a person whom somebody hides: a person whom nobody hides comes first, if there is one
# A head that hides chest or shoulder: its distance across and down from the hidden person's face, in heights of that
# face. Smaller heads are far away, and lower scores are false detections.
_BEFORE_ACROSS, _BEFORE_DOWN, _BEFORE_SHARE, _BEFORE_SCORE = 1.1, (0.55, 1.6), 0.55, 0.7
SHARP_PX = (
    160  # face height at which sharpness is compared, because most photos reach it; smaller faces are not enlarged
)
_EMBED_PX = 112
# The five points every ArcFace-style network is aligned to, for a 112 px crop (insightface, `arcface_dst`).
_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
# Outlines in MediaPipe's numbering (face_mesh_connections.py, Apache-2.0), as polygons.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
CHIN = 152
_CHEEKS = (234, 454)  # the outline's points beside the ears, at the picture's left and right
_EYE_CORNERS = (33, 263)  # the outer ones
_FIVE = ((33, 133), (263, 362), (1,), (61,), (291,))  # mesh points whose means are the points of `Face.points`
NO_TRUST = -99.0
_LYING_DEGREES = 55.0  # nobody leans this far, and below 45 degrees a turn by 90 would not help
CLEAR_TRUST = 20.0  # the least that `fit_mesh` gives a face that looks at the camera
SAME_PERSON = 0.363  # OpenCV's published threshold for SFace's cosine

NO_FACE = (
    "No face was found in this photo. Use one in which the whole face is visible, turned to the camera, and well lit."
)


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture's pixels, origin top left.

    Attributes:
        box: x, y, width, height, from hairline to chin.
        points: (5, 2) float32: two eyes, the nose tip, two mouth corners; each pair from the picture's left to right.
        score: The detector's, 0 to 1.
    """

    box: tuple[float, float, float, float]
    points: np.ndarray
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, x and y."""
        x, y, width, height = self.box
        return x + width / 2, y + height / 2

    @property
    def height(self) -> float:
        """Hairline to chin, in pixels."""
        return self.box[3]

    @property
    def enlargement(self) -> float:
        """How many times the studio must enlarge this face for a headshot; below 1 it is reduced."""
        return _HEADSHOT_FACE_PX / self.height

    @property
    def roll_degrees(self) -> float:
        """The tilt of the line between the eyes, positive when the picture's right eye is lower."""
        (left_x, left_y), (right_x, right_y) = self.points[0], self.points[1]
        return float(np.degrees(np.arctan2(right_y - left_y, right_x - left_x)))

    def moved(self, affine: np.ndarray) -> "Face":
        """The same face after a (2, 3) similarity; the box stays upright."""
        scale = float(np.hypot(affine[0, 0], affine[1, 0]))
        x, y = affine[:, :2] @ np.array(self.centre) + affine[:, 2]
        width, height = self.box[2] * scale, self.box[3] * scale
        points = (self.points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
        return Face((x - width / 2, y - height / 2, width, height), points, self.score)


def find(pixels: np.ndarray) -> list[Face]:
    """Find the faces in a picture, the best one for a headshot first.

    The large faces are ordered by size, sharpness, the detector's score, frontality, position and whether somebody
    hides the person (`_worth`); the small ones follow, largest first. Takes about 0.01 s for each large face. The
    picture is reduced to 640 px; if no face is found, a wide border is added, with which a face that fills the whole
    picture is found.

    Args:
        pixels: (H, W, 3) uint8 RGB.
    """
    found = _detect(pixels, border=0.0) or _detect(pixels, border=0.5)
    rivals = [face for face in found if face.height >= _RIVAL_SHARE * max(one.height for one in found)][:_RIVALS]
    if len(rivals) < 2:
        return found
    worth = {id(face): _worth(pixels, face, rivals) * (_HIDDEN if is_hidden(face, found) else 1) for face in rivals}
    return sorted(found, key=lambda face: -worth.get(id(face), 0.0))


def _worth(pixels: np.ndarray, face: Face, rivals: Sequence[Face]) -> float:
    """How suitable a face is among its rivals, above 0, at most 1: a product, so that one serious fault decides."""
    height, width = pixels.shape[:2]
    x, y = face.centre
    aside = float(np.hypot(2 * x / width - 1, 2 * y / height - 1)) / 2**0.5
    size = face.height / max(rival.height for rival in rivals)
    sharpness = min(1.0, _SHARP_BLUR_PX / max(blur(pixels, face), _SHARP_BLUR_PX))
    score = float(np.clip((face.score - 0.5) / 0.45, 0.1, 1.0))  # YuNet gives clear faces 0.9 to 0.95
    frontality = float(np.clip(fit_mesh(pixels, face)[1] / CLEAR_TRUST, _AWAY, 1.0))
    return size * sharpness * score * frontality * (1 - _ASIDE * min(1.0, aside))


def is_hidden(face: Face, faces: Sequence[Face]) -> bool:
    """Whether somebody's head covers the person's chest or shoulder, which cannot be restored.

    Args:
        face: The person's.
        faces: All faces of the photo.
    """

    def hides(other: Face) -> bool:
        across, down = ((there - here) / face.height for there, here in zip(other.centre, face.centre, strict=True))
        low, high = _BEFORE_DOWN
        near = other.height > _BEFORE_SHARE * face.height and other.score >= _BEFORE_SCORE
        return near and abs(across) < _BEFORE_ACROSS and low < down < high

    return any(hides(other) for other in faces if other is not face)


def _detect(pixels: np.ndarray, border: float) -> list[Face]:
    scale = min(1.0, _DETECT_PX / ((1 + 2 * border) * max(pixels.shape[:2])))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    pad = round(border * max(small.shape[:2]))
    if pad:
        small = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(127, 127, 127))
    rows = models.detect_faces(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    faces = []
    for row in rows:
        x, y, width, height = ((row[:4] - [pad, pad, 0, 0]) / scale).tolist()
        faces.append(Face((x, y, width, height), (row[4:14].reshape(5, 2) - pad) / scale, float(row[14])))
    return sorted(faces, key=lambda face: -face.box[2] * face.box[3])


def trust_by_turn(pixels: np.ndarray) -> dict[int, float]:
    """Turn the picture clockwise by 90, 180 and 270 degrees, and measure the trust in its clearest upright face.

    Takes about 0.1 s, 0.2 s without any face.

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        Trusts as from `fit_mesh`, by degrees; turns after which no face is found are left out.
    """
    scale = min(1.0, _DETECT_PX / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    turned = {degrees: np.ascontiguousarray(np.rot90(small, -degrees // 90)) for degrees in (90, 180, 270)}
    trusts: dict[int, float] = {}
    for border in (0.0, 0.5):
        for degrees, picture in turned.items():
            found = _detect(picture, border)[:_TURNED_TESTED]
            if found:
                trusts[degrees] = max(upright_trust(*fit_mesh(picture, face)) for face in found)
        if trusts:
            break
    return trusts


def mesh(pixels: np.ndarray, face: Face) -> np.ndarray:
    """MediaPipe's 468 face points; see `fit_mesh` for the fit and its trust.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: In its pixels.

    Returns:
        (468, 3) float32: x and y in the picture's pixels, z in the same unit, smaller is nearer to the camera.
    """
    return fit_mesh(pixels, face)[0]


def fit_mesh(pixels: np.ndarray, face: Face) -> tuple[np.ndarray, float]:
    """Fit MediaPipe's mesh to a face, and measure the trust that there is a face.

    The network receives MediaPipe's own crop: centred on the face, level with the eyes, 1.5 times the box. YuNet reads
    a head that leans by 28° as 14°, so the fit is repeated if the mesh shows that the crop was not level.

    On about 900 faces of people the trust was 19 and more if the face looks at the camera; −9 to 18 in profiles,
    behind sunglasses and hands, or out of focus; −9 to 14 on 40 animals; at most 10 on faces that lie on their side or
    are upside down.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: In its pixels.

    Returns:
        The points as from `mesh`, and the trust: the network's logit, about −9 to 70.
    """
    roll = face.roll_degrees
    points, trust = _fit_to_crop(pixels, face, roll)
    for _ in range(2):
        last, roll = roll, roll_degrees(points)
        if abs(roll - last) < 5:
            break
        points, trust = _fit_to_crop(pixels, face, roll)
    return points, trust


def upright_trust(points: np.ndarray, trust: float) -> float:
    """The trust in an upright face; `NO_TRUST` if the face lies on its side.

    The crop is level with the eyes, so `fit_mesh` can trust a face that lies on its side as well.

    Args:
        points: As from `fit_mesh`.
        trust: As from `fit_mesh`.
    """
    return trust if abs(roll_degrees(points)) < _LYING_DEGREES else NO_TRUST


def _fit_to_crop(pixels: np.ndarray, face: Face, roll: float) -> tuple[np.ndarray, float]:
    crop, crop_from_picture = level_crop(pixels, face, roll)
    crop_points, trust = models.run("face_landmark_468", crop[None].astype(np.float32) / 255)[:2]
    raw = crop_points.reshape(468, 3)
    picture_from_crop = cv2.invertAffineTransform(crop_from_picture)
    points = np.empty_like(raw)
    points[:, :2] = raw[:, :2] @ picture_from_crop[:, :2].T + picture_from_crop[:, 2]
    points[:, 2] = raw[:, 2] / scale_factor(crop_from_picture)
    return points, float(trust.ravel()[0])


def level_crop(pixels: np.ndarray, face: Face, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """Crop the face level and centred, with its box two thirds of the crop.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: In its pixels.
        roll: The head's tilt in degrees.

    Returns:
        The crop, (192, 192, 3) uint8, in which the picture's border pixels are repeated outside it; and the (2, 3)
        similarity from picture to crop.
    """
    crop_from_picture = _similarity(face.centre, 1.5 * max(face.box[2], face.box[3]), roll, _MESH_PX)
    return warp(pixels, crop_from_picture, (_MESH_PX, _MESH_PX)), crop_from_picture


def roll_degrees(mesh: np.ndarray) -> float:
    """The head's tilt from the eyes' outer corners, right to about 3°; positive if the picture's right eye is lower."""
    left, right = mesh[_EYE_CORNERS[0]], mesh[_EYE_CORNERS[1]]
    return float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))


def blur(pixels: np.ndarray, face: Face) -> float:
    """The width of the face's finest detail, in pixels of a face 160 px high; 0 if too little of a face is visible.

    It is the root of the mean squared first over second derivatives, a length that grows with blur and does not depend
    on contrast. The worse of the two directions counts, so that camera shake in one direction is noticed.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: In its pixels.
    """
    x, y, width, height = face.box
    top, left = max(0, round(y)), max(0, round(x - 0.1 * width))
    region = pixels[top : max(0, round(y + height)), left : max(0, round(x + 1.1 * width))]
    scale = min(1.0, SHARP_PX / height)
    if min(region.shape[:2]) * scale < 24:  # too little of a face is in the picture
        return 0.0
    grey: np.ndarray = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(grey, (0, 0), 0.7)  # below the sensor's noise
    widths = []
    for dx, dy in ((1, 0), (0, 1)):
        first = cv2.Sobel(grey, cv2.CV_32F, dx, dy, scale=1 / 8)
        second = cv2.Sobel(first, cv2.CV_32F, dx, dy, scale=1 / 8)
        inside = slice(4, -4), slice(4, -4)  # without the region's border, which is not detail of the face
        coarse, fine = float(np.mean(first[inside] ** 2)), float(np.mean(second[inside] ** 2))
        widths.append((coarse / fine) ** 0.5 if fine > 0 else 0.0)
    return max(widths)


def embed(pixels: np.ndarray, face: Face) -> np.ndarray:
    """SFace's embedding of a face, for `likeness`.

    The face is aligned by the mesh's eyes, nose tip and mouth corners, by least squares over all five. The detector's
    own points move by several pixels from one rendering of a face to the next, which alone can cost 0.05 of likeness.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: In its pixels.

    Returns:
        (128,) float32 of length 1.
    """
    points = mesh(pixels, face)
    five = np.array([points[list(of), :2].mean(0) for of in _FIVE])
    crop = warp(pixels, _onto_arcface(five), (_EMBED_PX, _EMBED_PX))
    vector: np.ndarray = models.run("sface_int8bq", crop.transpose(2, 0, 1)[None].astype(np.float32))[0][0]
    vector /= np.linalg.norm(vector)
    return vector


def _onto_arcface(five: np.ndarray) -> np.ndarray:
    """The (2, 3) similarity that brings five points nearest to the ArcFace ones (Umeyama 1991, without reflection)."""
    x, y = five[:, 0], five[:, 1]
    one, none = np.ones(5), np.zeros(5)
    system = np.vstack([np.column_stack([x, -y, one, none]), np.column_stack([y, x, none, one])])
    a, b, right, down = np.linalg.lstsq(system, _ARCFACE.T.ravel(), rcond=None)[0]
    return np.array([[a, -b, right], [b, a, down]], np.float32)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of two embeddings, −1 to 1: about 0.65–0.8 for two photos of one person, below 0.4 for strangers."""
    return float(one @ other)


def _similarity(centre: tuple[float, float], side: float, roll_degrees: float, out_px: int) -> np.ndarray:
    affine: np.ndarray = cv2.getRotationMatrix2D(centre, roll_degrees, out_px / side)
    affine[:, 2] += out_px / 2 - np.array(centre)
    return affine


def choose(faces: Sequence[Face], index: int | None = None) -> Face:
    """Choose the face with that index.

    Args:
        faces: In the order of `find`.
        index: From 0; None chooses the first.

    Raises:
        PhotoError: if there is no face, or none with that index.
    """
    if not faces:
        raise PhotoError(NO_FACE)
    if index is None:
        return faces[0]
    if not 0 <= index < len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise PhotoError(f"There is no face number {index + 1}: the photo has {count}, so choose one of those.")
    return faces[index]


def yaw_degrees(points: np.ndarray) -> float:
    """How far the head is turned, from the mesh's depth at the cheeks; 0 if the face looks at the camera."""
    left, right = points[_CHEEKS[0]], points[_CHEEKS[1]]
    across = float(np.hypot(right[0] - left[0], right[1] - left[1]))
    return float(np.degrees(np.arctan2(right[2] - left[2], across)))
