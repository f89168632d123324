"""What is learnt from a photo once, for every headshot made of it."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from headshot.imaging import face as faces
from headshot.imaging.face import Face
from headshot.imaging.photo import Marks
from headshot.imaging.warp import scale_factor, warp

from . import exposure, face_geometry, red_eye, retouch, tone
from .cutout import matte
from .cutout.alpha import refine
from .cutout.border import within_bars
from .framing import CANVAS_EYES, CANVAS_HEAD, CANVAS_HEIGHT, CANVAS_WIDTH, FramingLimits, Head, framing_limits
from .lighting import SourceLight, source
from .prompt.look import StyleSpec
from .scene.own_background import OwnBackground, own_background
from .trust import Evidence, embrace, likely, trust

Array = npt.NDArray[Any]

GRID = 4  # canvas pixels to one of the surface's grid: light is smooth
DRAFT_SCALE = 0.3125  # of the full picture: 320×400, and layers and surface that are whole pixels too
_LEVELLED = 0.5  # of the head's tilt: a portrait keeps some of its sitter's manner
_LEVELLED_AT_MOST = 5.0  # degrees
_NOSE, _CHEEKS = 1, (234, 454)  # in the mesh's numbering
_AT_THE_BORDER = 0.02  # of the face's height: hair so near to the photo's top is cut by it
_PORTRAIT_PX = 512  # twice what the likeness network needs around the face


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything the renderer needs, on a canvas of 1280×1600 around the head. About 50 MB.

    fore: (H, W, 3) float16 sRGB, 0…1, the person's own colours, free of the old backdrop, lifted where dark.
    alpha: (H, W) float16.
    skin_layer, eye_layer: (H, W) float16, to be added for retouch and eye clarity.
    surface: on a quarter of the canvas.  light: the photo's own.  balance: (3,) factors on sRGB values.
    canvas: (H, W, 3) uint8, the photo itself, lifted likewise.
    opinion: (h, w) float16 on the grid, where the person is or may be.
    guessed: (h, w) float16 on the grid, 0…1, where alpha is a guess.
    beside: (h, w) float16 on the grid, where others are who touch the person and are as near to the camera.
    inside: (h, w) bool on the grid, 1 where the photo has pixels.
    room: what the frame may show.  face_px: the face's height on the canvas.  upscale: canvas to photo pixels.
    enlargement: how many times the face must be enlarged for a headshot.  trust, embrace: see trust.py.
    portrait, portrait_face: the photo around the face, for likeness.
    seen: what the networks said, for another analysis with the person's own corrections.
    mildness: what the likeness guard found for a look at a guidance, as in Session; empty at first.
    full: of a small one, the analysis that it was made from.
    """

    fore: Array
    alpha: Array
    skin_layer: Array
    eye_layer: Array
    canvas: Array
    opinion: Array
    guessed: Array
    beside: Array
    inside: Array
    surface: face_geometry.Surface
    light: SourceLight
    balance: Array
    framing_limits: FramingLimits
    face_px: float
    upscale: float
    enlargement: float
    trust: float
    embrace: float
    portrait: Array
    portrait_face: Face
    seen: matte.Seen
    mildness: dict[tuple[StyleSpec, float], float] = field(default_factory=dict)
    full: "Analysis | None" = None

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
            canvas=cv2.resize(self.canvas, None, fx=DRAFT_SCALE, fy=DRAFT_SCALE, interpolation=cv2.INTER_AREA),
            surface=self.surface.halved(),
            full=self,
        )

    @cached_property
    def own_background(self) -> OwnBackground:
        if self.full is not None:
            return self.full.own_background.smaller(DRAFT_SCALE)
        return own_background(
            self.canvas,
            self.alpha,
            self.opinion,
            self.guessed,
            self.beside,
            self.inside,
            self.face_px,
            self.enlargement,
        )

    @cached_property
    def embedding(self) -> Array:
        return faces.embed(self.portrait, self.portrait_face)

    @cached_property
    def grey_embedding(self) -> Array:
        """Of the greyed photo, to compare black and white with: the loss of colour alone would cost .08."""
        grey = cv2.cvtColor(self.portrait, cv2.COLOR_RGB2GRAY)
        return faces.embed(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), self.portrait_face)


def analyse(
    pixels: Array,
    face: Face,
    others: list[Face],
    *,
    steps: int,
    marks: Marks = matte.NO_MARKS,
    seen: matte.Seen | None = None,
) -> Analysis:
    """Learn from a photo what every headshot of it needs.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: the chosen one.
        others: the photo's other faces, whose bodies are left out.
        steps: the effort, as in HeadshotRequest.
        marks: what the person has said of the cut-out.
        seen: of an earlier analysis of the same photo and face, which spares the networks.
    """
    border = within_bars(pixels)
    pixels, face, *others = border.of(pixels), *(border.seen_from(someone) for someone in (face, *others))
    mesh = faces.mesh(pixels, face)
    looked = seen or matte.see(pixels, face, others)
    outline = matte.outline(looked, face, border.seen_from_points(marks))
    middle = _middle(mesh, outline)
    canvas_from_photo = _canvas(face, mesh, outline.crown, middle)
    scale = scale_factor(canvas_from_photo)
    size = CANVAS_WIDTH, CANVAS_HEIGHT
    face_px = face.height * scale
    on_canvas = _mapped(mesh, canvas_from_photo, scale)

    canvas = retouch.enlarge(pixels, canvas_from_photo, size)
    red_eye.clear(canvas, on_canvas)
    oval = face_geometry.oval((size[1], size[0]), on_canvas, face_px)
    opinion, second = (
        np.maximum(outline.on_canvas(field, canvas_from_photo, size), oval) for field in (outline.alpha, outline.second)
    )
    rows = float(on_canvas[list(faces.EYES[0] + faces.EYES[1]), 1].mean()), float(on_canvas[faces.CHIN, 1])
    alpha, fore, guessed = refine(canvas, opinion, second, face_px, native=scale < 1.6, steps=steps, head=rows)
    grid = size[0] // GRID, size[1] // GRID
    beside = outline.on_canvas(outline.beside, canvas_from_photo, size)
    beside = cv2.resize(beside, grid, interpolation=cv2.INTER_AREA)
    scene = canvas[::GRID, ::GRID].copy()
    seen_by_networks = cv2.resize(opinion, grid, interpolation=cv2.INTER_AREA)
    del opinion, second

    small = cv2.resize(fore, None, fx=1 / GRID, fy=1 / GRID, interpolation=cv2.INTER_AREA)
    small_alpha = cv2.resize(alpha, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    grid_mesh = (on_canvas / GRID).astype(np.float32)
    shape = face_geometry.surface(small, small_alpha, grid_mesh, face_px / GRID)
    lift = exposure.lift(small, scene, small_alpha, shape.skin, grid_mesh)
    if lift.needed:
        small, fore = lift.applied(small), lift.applied(fore)
        calm = exposure.calm(small, small_alpha, shape.skin, grid_mesh, face_px / GRID)
        fore = np.clip(fore * cv2.resize(calm, size, interpolation=cv2.INTER_LINEAR), 0, 1)
    shown = cv2.convertScaleAbs(lift.applied(canvas), alpha=255)
    del canvas
    full_skin = cv2.resize(shape.skin, size, interpolation=cv2.INTER_LINEAR)
    eyes = face_geometry.eyes(alpha.shape, on_canvas, face_px)
    inside = cv2.warpAffine(np.ones(pixels.shape[:2], np.uint8), canvas_from_photo, size).astype(np.float32)
    reduced = size[0] // 8, size[1] // 8
    head = _head(face, on_canvas, canvas_from_photo, outline, middle)
    known = cv2.resize(inside, grid, interpolation=cv2.INTER_AREA) > 0.98
    thumb = cv2.cvtColor(cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    portrait, portrait_face = _portrait(pixels, face)
    evidence = _evidence(
        outline, canvas_from_photo, scene, known, small_alpha, guessed, head, face_px, face.enlargement
    )
    alone = likely(evidence, seen_by_networks, beside) * (1 - beside)
    return Analysis(
        fore=fore.astype(np.float16),
        alpha=alpha.astype(np.float16),
        skin_layer=retouch.skin_layer(fore, full_skin, face_px).astype(np.float16),
        canvas=shown,
        opinion=alone.astype(np.float16),
        guessed=evidence.guessed.astype(np.float16),
        beside=beside.astype(np.float16),
        inside=known,
        eye_layer=(retouch.eye_layer(fore, eyes, face_px) / max(1.0, scale) ** 0.5).astype(np.float16),
        surface=shape,
        light=source(small, shape, grid_mesh),
        balance=tone.balance(small, small_alpha, shape.skin, float(np.percentile(thumb, 98)) / 255),
        framing_limits=framing_limits(
            cv2.resize(alone, reduced, interpolation=cv2.INTER_AREA),
            cv2.resize(inside, reduced, interpolation=cv2.INTER_AREA),
            cv2.resize(beside, reduced, interpolation=cv2.INTER_AREA),
            head,
        ),
        face_px=face_px,
        upscale=scale,
        enlargement=face.enlargement,
        trust=trust(evidence),
        embrace=embrace(evidence),
        portrait=portrait,
        seen=looked,
        portrait_face=portrait_face,
    )


def _smaller(layer: Array, scale: float) -> Array:
    single = cv2.resize(layer.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return single.astype(np.float16)


def _evidence(
    outline: matte.Outline,
    canvas_from_photo: Array,
    picture: Array,
    inside: Array,
    alpha: Array,
    guessed: Array,
    head: Head,
    face_px: float,
    enlargement: float,
) -> Evidence:
    """What the trust is measured on.

    picture, inside, alpha: on the grid.  guessed: on half the canvas.  head, face_px: on the canvas.
    """
    size = CANVAS_WIDTH, CANVAS_HEIGHT
    salient, person, contact = (
        cv2.resize(outline.on_canvas(field, canvas_from_photo, size), alpha.shape[::-1], interpolation=cv2.INTER_AREA)
        for field in (outline.salient, outline.person, outline.contact)
    )
    return Evidence(
        picture=cv2.convertScaleAbs(picture, alpha=255),
        inside=inside,
        alpha=alpha,
        guessed=cv2.resize(guessed.astype(np.float32), alpha.shape[::-1], interpolation=cv2.INTER_AREA),
        salient=salient,
        person=person,
        contact=contact,
        head=head.scaled(1 / GRID),
        face_px=face_px / GRID,
        enlargement=enlargement,
    )


def _portrait(pixels: Array, face: Face) -> tuple[Array, Face]:
    """The face with half a face around it, at most 512 px, and the face in it: likeness needs no more of the photo."""
    # By whole pixels: half a pixel of interpolation would cost a small face .01 of likeness.
    left, top = (int(middle - face.height) for middle in face.centre)
    scale = min(1.0, _PORTRAIT_PX / (2 * face.height))
    affine = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
    side = round(2 * face.height * scale)
    return warp(pixels, affine, (side, side)), face.moved(affine)


def _middle(mesh: Array, seen: matte.Outline) -> float:
    """The photo's x of the head's middle: between face and hair, for hair to one side is no reason to move the face."""
    oval = mesh[list(faces.OVAL), 0]
    low, high = float(oval.min()), float(oval.max())
    face, width = (low + high) / 2, high - low
    hair = sum(np.clip(seen.sides, face - 0.9 * width, face + 0.9 * width)) / 2
    return float((face + hair) / 2)


def _canvas(face: Face, mesh: Array, crown: float, middle: float) -> Array:
    """(2, 3) canvas from photo: the head's height fixed, its middle in the middle, the eyes on their line, levelled."""
    eyes = face.points[:2].mean(axis=0)
    head = max(float(mesh[faces.CHIN, 1]) - crown, 1.1 * face.height)
    tilt = float(np.clip(_LEVELLED * faces.roll_degrees(mesh), -_LEVELLED_AT_MOST, _LEVELLED_AT_MOST))
    affine = cv2.getRotationMatrix2D((middle, float(eyes[1])), tilt, CANVAS_HEAD / head)
    affine[:, 2] += np.array([CANVAS_WIDTH / 2, CANVAS_EYES * CANVAS_HEIGHT]) - (middle, eyes[1])
    return affine.astype(np.float32)


def _head(face: Face, mesh: Array, canvas_from_photo: Array, seen: matte.Outline, middle: float) -> Head:
    """mesh: on the canvas."""

    def there(x: float, y: float) -> tuple[float, float]:
        across, down = canvas_from_photo[:, :2] @ [x, y] + canvas_from_photo[:, 2]
        return float(across), float(down)

    eyes = face.points[:2].mean(axis=0)
    # Of a head that looks at the camera the nose stands between the cheeks; at 45 degrees it stands over one of them.
    left, right = mesh[list(_CHEEKS), 0]
    gaze = (2 * mesh[_NOSE, 0] - left - right) / max(right - left, 1.0)
    chin = float(mesh[faces.CHIN, 1])
    crown = min(there(face.centre[0], seen.crown)[1], chin - 1.1 * face.height * scale_factor(canvas_from_photo))
    return Head(
        eyes=there(*eyes),
        left=there(seen.sides[0], eyes[1])[0],
        right=there(seen.sides[1], eyes[1])[0],
        middle=there(middle, eyes[1])[0],
        crown=crown,
        chin=chin,
        gaze=float(np.clip(gaze, -1, 1)),
        crown_is_cut=seen.crown < _AT_THE_BORDER * face.height,
    )


def _mapped(mesh: Array, affine: Array, scale: float) -> Array:
    points = np.empty_like(mesh)
    points[:, :2] = mesh[:, :2] @ affine[:, :2].T + affine[:, 2]
    points[:, 2] = mesh[:, 2] * scale
    return points
