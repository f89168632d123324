"""What is learnt from a photo once, for every headshot made of it."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .. import face as faces
from ..face import Face
from ..warp import scale_of, warp
from . import exposure, matte, redeye, retouch, surface, tone
from .alpha import refine
from .frame import CANVAS_EYES, CANVAS_HEAD, CANVAS_HEIGHT, CANVAS_WIDTH, Room, room
from .light import SourceLight, source
from .look import Look

Array = npt.NDArray[Any]

GRID = 4  # canvas pixels to one of the surface's grid: light is smooth
DRAFT_SCALE = 0.3125  # of the full picture: 320×400, and layers and surface that are whole pixels too
_LEVELLED = 0.5  # of the head's tilt: a portrait keeps some of its sitter's manner
_LEVELLED_AT_MOST = 5.0  # degrees
_PORTRAIT_PX = 512  # twice what the likeness network needs around the face


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything the renderer needs, on a canvas of 1280×1600 around the head. About 30 MB.

    fore: (H, W, 3) float16 sRGB, 0…1, the person's own colours, free of the old backdrop, lifted where dark.
    alpha: (H, W) float16.
    skin_layer, eye_layer: (H, W) float16, to be added for retouch and eye clarity.
    surface: on a quarter of the canvas.  light: the photo's own.  balance: (3,) factors on sRGB values.
    room: what the frame may show.  face_px: the face's height on the canvas.  upscale: canvas to photo pixels.
    enlargement: how many times the face must be enlarged for a headshot.
    portrait, portrait_face: the photo around the face, for likeness.
    mildness: what the likeness guard found for a look at a guidance, as in Session; empty at first.
    """

    fore: Array
    alpha: Array
    skin_layer: Array
    eye_layer: Array
    surface: surface.Surface
    light: SourceLight
    balance: Array
    room: Room
    face_px: float
    upscale: float
    enlargement: float
    portrait: Array
    portrait_face: Face
    mildness: dict[tuple[Look, float], float] = field(default_factory=dict)

    @cached_property
    def small(self) -> "Analysis":
        """The same for drafts, about 2 MB: the layers at DRAFT_SCALE, the surface at half its size.

        Light, room, face_px and all else are as in the full one, in pixels of the full canvas.
        """
        return replace(
            self,
            fore=_smaller(self.fore, DRAFT_SCALE),
            alpha=_smaller(self.alpha, DRAFT_SCALE),
            skin_layer=_smaller(self.skin_layer, DRAFT_SCALE),
            eye_layer=_smaller(self.eye_layer, DRAFT_SCALE),
            surface=self.surface.halved(),
        )

    @cached_property
    def embedding(self) -> Array:
        return faces.embed(self.portrait, self.portrait_face)

    @cached_property
    def grey_embedding(self) -> Array:
        """Of the greyed photo, to compare black and white with: the loss of colour alone would cost .08."""
        grey = cv2.cvtColor(self.portrait, cv2.COLOR_RGB2GRAY)
        return faces.embed(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), self.portrait_face)


def analyse(pixels: Array, face: Face, others: list[Face], *, steps: int) -> Analysis:
    """pixels: (H, W, 3) uint8 RGB.  others: the photo's other faces, whose bodies are left out.  steps: the effort."""
    mesh = faces.mesh(pixels, face)
    seen = matte.outline(pixels, face, others)
    canvas_from_photo = _canvas(face, mesh, seen.crown)
    scale = scale_of(canvas_from_photo)
    size = CANVAS_WIDTH, CANVAS_HEIGHT
    face_px = face.height * scale
    on_canvas = _mapped(mesh, canvas_from_photo, scale)

    canvas = retouch.enlarge(pixels, canvas_from_photo, size)
    oval = surface.oval((size[1], size[0]), on_canvas, face_px)
    opinion, second = (np.maximum(seen_there, oval) for seen_there in seen.on_canvas(canvas_from_photo, size))
    alpha, fore = refine(canvas, opinion, second, face_px, native=scale < 1.6, steps=steps)
    scene = canvas[::GRID, ::GRID].copy()
    del canvas, opinion, second
    redeye.clear(fore, on_canvas)

    small = cv2.resize(fore, None, fx=1 / GRID, fy=1 / GRID, interpolation=cv2.INTER_AREA)
    small_alpha = cv2.resize(alpha, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    grid_mesh = (on_canvas / GRID).astype(np.float32)
    shape = surface.surface(small, small_alpha, grid_mesh, face_px / GRID)
    lift = exposure.lift(small, scene, small_alpha, shape.skin, grid_mesh)
    if lift.needed:
        small, fore = lift.applied(small), lift.applied(fore)
        calm = exposure.calm(small, small_alpha, shape.skin, grid_mesh, face_px / GRID)
        fore = np.clip(fore * cv2.resize(calm, size, interpolation=cv2.INTER_LINEAR), 0, 1)
    full_skin = cv2.resize(shape.skin, size, interpolation=cv2.INTER_LINEAR)
    eyes = surface.eyes(alpha.shape, on_canvas, face_px)
    inside = cv2.warpAffine(np.ones(pixels.shape[:2], np.uint8), canvas_from_photo, size).astype(np.float32)
    reduced = size[0] // 8, size[1] // 8
    level_eyes = canvas_from_photo[:, :2] @ face.points[:2].mean(axis=0) + canvas_from_photo[:, 2]
    crown = canvas_from_photo[:, :2] @ [face.centre[0], seen.crown] + canvas_from_photo[:, 2]
    thumb = cv2.cvtColor(cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    portrait, portrait_face = _portrait(pixels, face)
    return Analysis(
        fore=fore.astype(np.float16),
        alpha=alpha.astype(np.float16),
        skin_layer=retouch.skin_layer(fore, full_skin, face_px).astype(np.float16),
        eye_layer=(retouch.eye_layer(fore, eyes, face_px) / max(1.0, scale) ** 0.5).astype(np.float16),
        surface=shape,
        light=source(small, shape, grid_mesh),
        balance=tone.balance(small, small_alpha, shape.skin, float(np.percentile(thumb, 98)) / 255),
        room=room(
            cv2.resize(alpha, reduced, interpolation=cv2.INTER_AREA),
            cv2.resize(inside, reduced, interpolation=cv2.INTER_AREA),
            (float(level_eyes[0]), float(level_eyes[1])),
            float(crown[1]),
            float(on_canvas[faces.CHIN, 1]),
        ),
        face_px=face_px,
        upscale=scale,
        enlargement=face.enlargement,
        portrait=portrait,
        portrait_face=portrait_face,
    )


def _smaller(layer: Array, scale: float) -> Array:
    single = cv2.resize(layer.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return single.astype(np.float16)


def _portrait(pixels: Array, face: Face) -> tuple[Array, Face]:
    """The face with half a face around it, at most 512 px, and the face in it: likeness needs no more of the photo."""
    # By whole pixels: half a pixel of interpolation would cost a small face .01 of likeness.
    left, top = (int(middle - face.height) for middle in face.centre)
    scale = min(1.0, _PORTRAIT_PX / (2 * face.height))
    affine = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
    side = round(2 * face.height * scale)
    return warp(pixels, affine, (side, side)), face.moved(affine)


def _canvas(face: Face, mesh: Array, crown: float) -> Array:
    """(2, 3) canvas from photo: the head's height fixed, the eyes in the middle on their line, the tilt levelled."""
    eyes = face.points[:2].mean(axis=0)
    head = max(float(mesh[faces.CHIN, 1]) - crown, 1.1 * face.height)
    tilt = float(np.clip(_LEVELLED * faces.roll_degrees(mesh), -_LEVELLED_AT_MOST, _LEVELLED_AT_MOST))
    affine = cv2.getRotationMatrix2D((float(eyes[0]), float(eyes[1])), tilt, CANVAS_HEAD / head)
    affine[:, 2] += np.array([CANVAS_WIDTH / 2, CANVAS_EYES * CANVAS_HEIGHT]) - eyes
    return affine.astype(np.float32)


def _mapped(mesh: Array, affine: Array, scale: float) -> Array:
    points = np.empty_like(mesh)
    points[:, :2] = mesh[:, :2] @ affine[:, :2].T + affine[:, 2]
    points[:, 2] = mesh[:, 2] * scale
    return points
