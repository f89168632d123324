"""Find faces, lay the mesh over one, measure likeness, and say before a run what a photo will cost the result."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from . import models
from .errors import PhotoError
from .warp import warp

_DETECT_PX = 640  # YuNet was trained for faces of 10 to 300 px; at this side an ordinary portrait falls inside
_MESH_PX = 192
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
SAME_PERSON = 0.363  # OpenCV's published threshold for SFace's cosine


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture's pixels, origin top left.

    box: x, y, width, height from hairline to chin.
    points: (5, 2) float32: the eye, the eye, the nose tip, the mouth corner, the mouth corner, each pair from the
    picture's left to its right.  score: 0…1.
    """

    box: tuple[float, float, float, float]
    points: np.ndarray
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        x, y, width, height = self.box
        return x + width / 2, y + height / 2

    @property
    def height(self) -> float:
        return self.box[3]

    @property
    def enlargement(self) -> float:
        """How many times the studio must enlarge this face for a headshot; under 1 it is reduced."""
        return _HEADSHOT_FACE_PX / self.height

    @property
    def roll_degrees(self) -> float:
        """The tilt of the line between the eyes, positive when the picture's right eye is lower."""
        (left_x, left_y), (right_x, right_y) = self.points[0], self.points[1]
        return float(np.degrees(np.arctan2(right_y - left_y, right_x - left_x)))

    def moved(self, affine: np.ndarray) -> "Face":
        """The same face after a (2, 3) similarity; the box keeps upright."""
        scale = float(np.hypot(affine[0, 0], affine[1, 0]))
        x, y = affine[:, :2] @ np.array(self.centre) + affine[:, 2]
        width, height = self.box[2] * scale, self.box[3] * scale
        points = (self.points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
        return Face((x - width / 2, y - height / 2, width, height), points, self.score)


def find(pixels: np.ndarray) -> list[Face]:
    """The faces in a (H, W, 3) uint8 RGB picture, largest first.

    Looks at the picture reduced to 640 px; where nothing shows, also with a wide border, which is what finds a face
    that fills the whole frame.
    """
    return _detect(pixels, border=0.0) or _detect(pixels, border=0.5)


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


def mesh(pixels: np.ndarray, face: Face) -> np.ndarray:
    """MediaPipe's 468 points: (468, 3) float32, x and y in the picture's pixels, z in the same unit, smaller is nearer.

    The crop is MediaPipe's own: centred on the face, level with the eyes, 1.5 times the box. YuNet reads a head that
    leans by 28° as 14°, so the mesh is laid again where it shows that its crop was not level.
    """
    roll = face.roll_degrees
    points = _lay_mesh(pixels, face, roll)
    for _ in range(2):
        last, roll = roll, roll_degrees(points)
        if abs(roll - last) < 5:
            break
        points = _lay_mesh(pixels, face, roll)
    return points


def _lay_mesh(pixels: np.ndarray, face: Face, roll: float) -> np.ndarray:
    side = 1.5 * max(face.box[2], face.box[3])
    crop_from_picture = _similarity(face.centre, side, roll, _MESH_PX)
    crop = warp(pixels, crop_from_picture, (_MESH_PX, _MESH_PX))
    raw = models.run("face_landmark_468", crop[None].astype(np.float32) / 255)[0].reshape(468, 3)
    picture_from_crop = cv2.invertAffineTransform(crop_from_picture)
    points = np.empty_like(raw)
    points[:, :2] = raw[:, :2] @ picture_from_crop[:, :2].T + picture_from_crop[:, 2]
    points[:, 2] = raw[:, 2] * side / _MESH_PX
    return points


def roll_degrees(mesh: np.ndarray) -> float:
    """The head's tilt by the eyes' outer corners, right to about 3°; positive when the picture's right eye is lower."""
    left, right = mesh[_EYE_CORNERS[0]], mesh[_EYE_CORNERS[1]]
    return float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))


def embed(pixels: np.ndarray, face: Face) -> np.ndarray:
    """SFace's embedding, (128,) float32 of length 1.

    Aligned by the mesh's eyes, nose tip and mouth corners, least squares over all five: the detector's own points
    move by several pixels from one rendering of a face to the next, which alone can cost .05 of likeness.
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
    """The cosine of two embeddings, −1…1: about 0.65–0.8 for two photos of one person, under 0.4 for strangers."""
    return float(one @ other)


def _similarity(centre: tuple[float, float], side: float, roll_degrees: float, out_px: int) -> np.ndarray:
    affine: np.ndarray = cv2.getRotationMatrix2D(centre, roll_degrees, out_px / side)
    affine[:, 2] += out_px / 2 - np.array(centre)
    return affine


# The photo check. Its bounds were set on the two portraits in this project and twenty others, sharp, of all skins.
_HEADSHOT_FACE_PX = 480  # hairline to chin in the studio's headshot
SOFT_ENLARGEMENT = 3.0  # from here on skin texture is invented rather than shown
POOR_ENLARGEMENT = 4.5  # from here on the eyes are soft too
_CROWD_SHARE = 0.5  # a face less than half as high as the largest stands in the background …
_CROWD_SCORE = 0.75  # … and so does one the detector doubts: true faces score 0.83 and more, mirages 0.63 to 0.69
_SHARP_PX = 160  # sharpness is compared at this face height, which most photos reach; smaller faces as they are
_BLUR_PX = 2.5  # sharp portraits measure 1.7 to 2.3; blurred by a sigma of 1/100 of the face's height 2.6, by 1/50 4
_BLACK, _BLACK_SHARE = 12, 0.25  # of 255; a black beard in good light leaves 0.05 of the face below
_DIM = (
    85  # of 255, the skin's bright end (95th percentile): dark skin in good light has 149; 3 stops too little 74 to 84
)
_WHITE, _WHITE_SHARE = 250, 0.08  # of 255; the palest well lit skin has 0.03
_TURNED_DEGREES = 25.0  # the mesh reads 24 to 28 where a head is turned by 35, and the far eye begins to hide
_TILTED_DEGREES = 25.0  # from here on levelling the head turns the shoulders visibly
_HAIR_SHARE = 0.7  # no ordinary hair rises further above the face's box, in face heights: seen 0.2 to 0.45
_PERSON_PX = 256

_CHEEKS = (234, 454)  # the outline's points beside the ears, at the picture's left and right
_EYE_CORNERS = (33, 263)  # the outer ones
_FIVE = ((33, 133), (263, 362), (1,), (61,), (291,))  # what `Face.points` holds, each as the mean of these

Code = Literal["no face", "several faces", "small", "blurred", "dark", "burnt out", "cut", "turned", "tilted"]


@dataclass(frozen=True)
class Advice:
    """One thing that will hurt the result. `text`: what it is, what it does, and what to do, in whole sentences."""

    code: Code
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class PhotoCheck:
    """faces: all that were found, largest first.  chosen: the one that a run would take.  advice: worst first."""

    faces: tuple[Face, ...]
    chosen: Face | None
    advice: tuple[Advice, ...]

    @property
    def usable(self) -> bool:
        """Whether a headshot can be made at all."""
        return self.chosen is not None


def choose(faces: Sequence[Face], index: int | None = None) -> Face:
    """The face to take, None for the largest. Raises PhotoError where there is none, or none of that index."""
    if not faces:
        raise PhotoError(_NO_FACE)
    if index is None:
        return faces[0]
    if not 0 <= index < len(faces):
        count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise PhotoError(f"There is no face number {index + 1}: the photo has {count}, so choose one of those.")
    return faces[index]


def check(pixels: np.ndarray, index: int | None = None) -> PhotoCheck:
    """Say what will hurt the headshot before it is made. Advice only: a photo with a face can always be used.

    pixels: (H, W, 3) uint8 RGB.  index: which of `find`'s faces, None for the largest.
    Raises PhotoError where there are faces but none of that index. About 0.1 s.
    """
    faces = tuple(find(pixels))
    if not faces:
        return PhotoCheck((), None, (Advice("no face", _NO_FACE),))
    face = choose(faces, index)
    return PhotoCheck(faces, face, tuple(_advice(pixels, faces, face, chosen_by_hand=index is not None)))


_NO_FACE = (
    "No face was found in this photo. Use one in which the whole face is visible, turned to the camera, and well lit."
)


def _advice(pixels: np.ndarray, faces: Sequence[Face], face: Face, *, chosen_by_hand: bool) -> Iterator[Advice]:
    points = mesh(pixels, face)
    rivals = sum(other.height >= _CROWD_SHARE * faces[0].height and other.score >= _CROWD_SCORE for other in faces)
    if rivals > 1 and not chosen_by_hand:
        yield Advice(
            "several faces", f"There are {rivals} faces in this photo. The largest was taken; you can pick another."
        )
    enlargement = face.enlargement
    if enlargement > POOR_ENLARGEMENT:
        yield Advice(
            "small",
            f"The face is only {face.height:.0f} pixels high and must be enlarged {enlargement:.1f} times: "
            "the headshot will be soft all over. Use another photo, closer or in full resolution.",
        )
    elif enlargement > SOFT_ENLARGEMENT:
        yield Advice(
            "small",
            f"The face is {face.height:.0f} pixels high and must be enlarged {enlargement:.1f} times: "
            "fine detail will be soft. A closer photo, or the original in full resolution, gives a crisper headshot.",
        )
    if _blur(pixels, face) > _BLUR_PX:
        yield Advice(
            "blurred",
            "The face is out of focus or moved, and no setting brings the detail back. "
            "Use a sharper photo, or wipe the lens and hold still.",
        )
    yield from _exposure(_skin(pixels, points))
    yield from _framing(pixels, face, points)
    if abs(_yaw_degrees(points)) > _TURNED_DEGREES:
        yield Advice(
            "turned",
            "The head is turned far to the side, where new light and a likeness are hard to get right. "
            "Use a photo that looks more towards the camera.",
        )
    roll = abs(roll_degrees(points))
    if roll > _TILTED_DEGREES:
        yield Advice(
            "tilted",
            f"The head leans about {roll:.0f}° to one side. Use a straighter photo, or rotate this one first.",
        )


def _blur(pixels: np.ndarray, face: Face) -> float:
    """The width of the face's finest detail, in pixels of a face 160 px high; 0 where there is nothing to measure.

    The root of mean squared first over second derivatives is a length, grows with blur, and does not know contrast.
    The worse of the two directions counts, so that a shake of the camera in one of them is seen.
    """
    x, y, width, height = face.box
    top, left = max(0, round(y)), max(0, round(x - 0.1 * width))
    region = pixels[top : max(0, round(y + height)), left : max(0, round(x + 1.1 * width))]
    scale = min(1.0, _SHARP_PX / height)
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
        inside = slice(4, -4), slice(4, -4)  # the region's border is no detail
        coarse, fine = float(np.mean(first[inside] ** 2)), float(np.mean(second[inside] ** 2))
        widths.append((coarse / fine) ** 0.5 if fine > 0 else 0.0)
    return max(widths)


def _skin(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Luma of the skin that is in the picture: (n,) uint8, from the mesh's outline without eyes and mouth."""
    flat = points[:, :2]
    low = np.maximum(np.floor(flat.min(0)), 0).astype(int)
    high = np.maximum(np.ceil(flat.max(0)), 0).astype(int) + 1
    region = pixels[low[1] : high[1], low[0] : high[0]]
    if region.size == 0:
        return np.empty(0, np.uint8)
    scale = min(1.0, 2 * _SHARP_PX / max(region.shape[:2]))
    if scale < 1:
        region = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mask = np.zeros(region.shape[:2], np.uint8)
    for outline, value in ((OVAL, 1), *((outline, 0) for outline in (*EYES, LIPS))):
        cv2.fillPoly(mask, [np.round((flat[list(outline)] - low) * scale).astype(np.int32)], value)
    luma: np.ndarray = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY)[mask > 0]
    return luma


def _exposure(luma: np.ndarray) -> Iterator[Advice]:
    """Judged by what is lost at both ends, never by the mean: dark skin in good light is not a dark photo."""
    if luma.size == 0:
        return
    black_share = float(np.mean(luma <= _BLACK))
    if np.percentile(luma, 95) < _DIM:
        yield Advice(
            "dark",
            "The face is too dark: brightening it will show noise instead of skin. "
            "Use a photo taken facing a window or a lamp.",
        )
    elif black_share > _BLACK_SHARE:
        yield Advice(
            "dark",
            f"About {black_share:.0%} of the face lies in black shadow without any detail. "
            "Use a photo with softer light, or with light from the front.",
        )
    if np.mean(luma >= _WHITE) > _WHITE_SHARE:
        yield Advice(
            "burnt out",
            "Parts of the face are burnt out to white, and their skin cannot be brought back. "
            "Use a photo without flash or direct sun, or with less exposure.",
        )


def _framing(pixels: np.ndarray, face: Face, points: np.ndarray) -> Iterator[Advice]:
    """Head cut by the picture's edge, or no shoulders below it. At most one advice."""
    height, width = pixels.shape[:2]
    _, top, _, face_height = face.box
    chin = max(top + face_height, float(points[:, 1].max()))
    left, right = float(points[:, 0].min()), float(points[:, 0].max())
    cut = [
        side
        for side, is_cut in (
            ("top", _top_is_cut(pixels, face)),
            ("left", left < 0.05 * face_height),  # the mesh ends before the ear
            ("right", right > width - 0.05 * face_height),
            ("bottom", chin > height - 0.02 * face_height),
        )
        if is_cut
    ]
    if cut:
        yield Advice(
            "cut",
            f"The head is cut off at the {' and '.join(cut)} of the photo, "
            "and the headshot cannot show what is missing. Use a photo with some space around the head.",
        )
    elif chin > height - 0.25 * face_height:
        yield Advice(
            "cut",
            "The photo ends right below the chin, so the headshot has no shoulders to show. "
            "Use a photo that reaches down to the chest.",
        )


def _top_is_cut(pixels: np.ndarray, face: Face) -> bool:
    """Whether the head, with its hair, leaves the picture at the top.

    Hair rises 0.2 to 0.45 face heights above the box, so the box alone cannot tell: where it is near, MediaPipe's
    person mask is asked whether the picture's first rows above the face are person.
    """
    x, top, width, face_height = face.box
    if top < 0.08 * face_height:  # even a shaved skull rises further than this
        return True
    if top > _HAIR_SHARE * face_height:
        return False
    centre = x + width / 2
    left, right = max(0, round(centre - 1.5 * face_height)), round(centre + 1.5 * face_height)
    patch = pixels[: round(top + 2.3 * face_height), left:right]
    small = cv2.resize(patch, (_PERSON_PX, _PERSON_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    person = models.run("selfie_segmentation", small[None])[0][0, :, :, 0]
    first, last = (np.clip(np.array([x, x + width]) - left, 0, patch.shape[1]) * _PERSON_PX / patch.shape[1]).astype(
        int
    )
    above = person[:2, first : last + 1]
    return bool(above.mean() > 0.5)


def _yaw_degrees(points: np.ndarray) -> float:
    """How far the head is turned, from the mesh's depth at the cheeks; 0 looks at the camera."""
    left, right = points[_CHEEKS[0]], points[_CHEEKS[1]]
    across = float(np.hypot(right[0] - left[0], right[1] - left[1]))
    return float(np.degrees(np.arctan2(right[2] - left[2], across)))
