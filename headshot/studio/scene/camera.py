"""The camera of a painted place: its position, and how a fast lens blurs the things at one depth."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

PLACE_PX = 400  # width at which sets are drawn; the smallest disc is 8 px of radius there, so nothing finer exists
MARGIN_PX = 28  # px around the frame: a light just outside still throws its disc into the picture
FOCAL = 2.7  # frame widths: the view of a 50 mm lens at head-and-shoulders distance
SUBJECT_DISTANCE = 1.35  # m from the camera to the person, who is in focus
DISC_RADIUS = 0.042  # radius, in frame widths, of the disc for infinitely far things, f/1.8 at that focal length
_EYE = 1.5  # m: the camera stands at the height of the eyes …
_HORIZON = 0.40  # … which the crop puts at this share of the frame's height


@dataclass(frozen=True)
class Camera:
    """The camera's position for one frame; all differences are small.

    Attributes:
        aspect: height over width of the frame.
        x: metres to the right.
        y: metres up.
        z: metres forward.
        yaw: radians to the right.
        sun: -1 behind a thin cloud … 1 full.
    """

    aspect: float
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    sun: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas with its margin."""
        return PLACE_PX + 2 * MARGIN_PX, round(PLACE_PX * self.aspect) + 2 * MARGIN_PX

    def project(self, points: Array) -> Array:
        """Return (…, 2) float32 pixels of points in front of the camera, (…, 3) metres: x right, y up, z forward."""
        x, y, z = points[..., 0] - self.x, points[..., 1] - _EYE - self.y, points[..., 2] - self.z
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        across, depth = x * cos - z * sin, np.maximum(x * sin + z * cos, 0.3)
        scale = FOCAL * PLACE_PX / depth
        return np.stack(
            [MARGIN_PX + PLACE_PX / 2 + across * scale, MARGIN_PX + _HORIZON * self.aspect * PLACE_PX - y * scale], -1
        ).astype(np.float32)


class Layer:
    """Everything at about one depth, as premultiplied RGBA in linear HDR.

    Args:
        camera: of the frame.
        depth: metres from the camera.
    """

    def __init__(self, camera: Camera, depth: float) -> None:
        width, height = camera.size
        self.camera = camera
        self.depth = depth
        self.canvas: Array = np.zeros((height, width, 4), np.float32)

    def polygons(self, points: Array, colours: Array) -> None:
        """Paint convex polygons in their order.

        Args:
            points: (n, k, 3), in metres.
            colours: (n, 3), linear HDR.
        """
        pixels = np.round(np.clip(self.camera.project(points), -4000, 4000) * 16).astype(np.int32)
        canvas = self.canvas
        # Half of a garden is beside the frame, and most of a polygon's cost is the call.
        limit = np.array([canvas.shape[1] + 1, canvas.shape[0] + 1], np.int32) * 16
        inside = ((pixels.max(1) >= -16) & (pixels.min(1) <= limit)).all(1)
        for corners, (red, green, blue) in zip(pixels[inside], colours[inside].tolist(), strict=True):
            cv2.fillConvexPoly(canvas, corners, (red, green, blue, 1.0), lineType=cv2.LINE_8, shift=4)

    def lay_over(self, picture: Array, shrink: int = 1) -> None:
        """Put this layer, blurred for its depth, in front of a picture, in place.

        Args:
            picture: (h, w, 3) float32.
            shrink: how many of the layer's pixels in width and height make one of the picture's.
        """
        canvas = self.canvas
        if shrink > 1:
            canvas = np.asarray(cv2.resize(canvas, picture.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)
        radius = DISC_RADIUS * PLACE_PX * (1 - SUBJECT_DISTANCE / self.depth) / shrink
        reach = math.ceil(radius) + 2
        left, top, wide, high = cv2.boundingRect((canvas[..., 3] > 0).astype(np.uint8))
        here = (slice(max(0, top - reach), top + high + reach), slice(max(0, left - reach), left + wide + reach))
        seen = cv2.filter2D(canvas[here], -1, _disc(radius), borderType=cv2.BORDER_REPLICATE)
        bare = 1 - cv2.extractChannel(seen, 3)
        behind = cv2.multiply(picture[here], cv2.merge([bare, bare, bare]))
        picture[here] = cv2.add(behind, cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB))


def _disc(radius: float) -> Array:
    """A disc with smooth edge, a little brighter towards its rim, as a real lens wide open draws it; sums to 1."""
    half = math.ceil(radius + 1)
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    distance = np.hypot(x, y)
    disc = np.clip(radius + 0.5 - distance, 0, 1) * (0.85 + 0.3 * (distance / radius) ** 2)
    return np.asarray(disc / disc.sum(), np.float32)
