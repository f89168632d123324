"""Find faces, lay the mesh over one, measure likeness."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import models

_DETECT_PX = 640  # YuNet was trained for faces of 10 to 300 px; at this side an ordinary portrait falls inside
_MESH_PX = 192
_EMBED_PX = 112
# The five points every ArcFace-style network is aligned to, for a 112 px crop (insightface, `arcface_dst`).
_ARCFACE = np.float32(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
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

    The crop is MediaPipe's own: centred on the face, level with the eyes, 1.5 times the box.
    """
    side = 1.5 * max(face.box[2], face.box[3])
    crop_from_picture = _similarity(face.centre, side, face.roll_degrees, _MESH_PX)
    crop = _reduce(pixels, crop_from_picture, _MESH_PX)
    raw = models.run("face_landmark_468", crop[None].astype(np.float32) / 255)[0].reshape(468, 3)
    picture_from_crop = cv2.invertAffineTransform(crop_from_picture)
    points = np.empty_like(raw)
    points[:, :2] = raw[:, :2] @ picture_from_crop[:, :2].T + picture_from_crop[:, 2]
    points[:, 2] = raw[:, 2] * side / _MESH_PX
    return points


def embed(pixels: np.ndarray, face: Face) -> np.ndarray:
    """SFace's embedding, (128,) float32 of length 1."""
    target = _ARCFACE
    crop_from_picture, _ = cv2.estimateAffinePartial2D(face.points, target, method=cv2.LMEDS)
    crop = _reduce(pixels, crop_from_picture, _EMBED_PX)
    vector = models.run("sface_int8bq", crop.transpose(2, 0, 1)[None].astype(np.float32))[0][0]
    return vector / np.linalg.norm(vector)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of two embeddings, −1…1. On SFace two photos of one person score 0.70–0.77, strangers at most 0.29."""
    return float(one @ other)


def _similarity(centre: tuple[float, float], side: float, roll_degrees: float, out_px: int) -> np.ndarray:
    affine = cv2.getRotationMatrix2D(centre, roll_degrees, out_px / side)
    affine[:, 2] += out_px / 2 - np.array(centre)
    return affine


def _reduce(pixels: np.ndarray, affine: np.ndarray, out_px: int) -> np.ndarray:
    """Warp after an area reduction: a bare warp of a large face aliases, which alone costs 0.03 of likeness."""
    scale = float(np.hypot(affine[0, 0], affine[1, 0]))
    if scale < 0.75:
        corners = np.float32([[0, 0], [out_px, 0], [0, out_px], [out_px, out_px]])
        inverse = cv2.invertAffineTransform(affine)
        around = corners @ inverse[:, :2].T + inverse[:, 2]
        low = np.floor(np.clip(around.min(0) - 2, 0, None)).astype(int)
        high = np.ceil(around.max(0) + 2).astype(int)
        region = pixels[low[1] : high[1], low[0] : high[0]]
        if region.size:
            small = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            fx, fy = small.shape[1] / region.shape[1], small.shape[0] / region.shape[0]
            affine = affine.copy()
            affine[:, 2] += affine[:, :2] @ low
            affine[:, 0] /= fx
            affine[:, 1] /= fy
            pixels = small
    return cv2.warpAffine(pixels, affine, (out_px, out_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
