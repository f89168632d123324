"""The analysis of a photo: everything that is computed once and used by all its headshots."""

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
from .cutout.black_bars import region_inside_bars
from .cutout_trust import Evidence, contact_length, likely_person, trust_score
from .framing import CANVAS_EYES, CANVAS_HEAD, CANVAS_HEIGHT, CANVAS_WIDTH, FramingLimits, Head, framing_limits
from .lighting import SourceLight, estimate_source
from .prompt.style_spec import StyleSpec
from .scene.own_background import OwnBackground, blur_own_background

Array = npt.NDArray[Any]

GRID = 4  # canvas pixels to one of the surface's grid: light is smooth
DRAFT_SCALE = 0.3125  # of the full picture: 320×400, and layers and surface that are whole pixels too
_LEVEL_SHARE = 0.5  # of the head's tilt: a portrait keeps some of the person's manner
_MAX_LEVEL_DEGREES = 5.0  # more is meant, not an accident
_NOSE, _CHEEKS = 1, (234, 454)  # in the mesh's numbering
_CUT_CROWN_MARGIN = 0.02  # of the face's height: hair so near to the photo's top is cut by it
_PORTRAIT_PX = 512  # twice what the likeness network needs around the face


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that the renderer needs, on a canvas of 1280×1600 around the head. About 50 MB.

    Attributes:
        foreground: (H, W, 3) float16 sRGB 0…1, the person's own colours without the old backdrop's, lifted if dark.
        alpha: (H, W) float16 0…1, the cut-out.
        skin_layer: (H, W) float16, to be added for retouch.
        eye_layer: (H, W) float16, to be added for eye clarity.
        canvas: (H, W, 3) uint8 RGB, the photo itself, lifted likewise.
        likely_person: (h, w) float16 on the grid, where the person is or may be.
        uncertain: (h, w) float16 0…1 on the grid, where alpha is a guess.
        others: (h, w) float16 on the grid, people who touch the person and are as near to the camera.
        in_photo: (h, w) bool on the grid, where the photo has pixels.
        surface: the person's shape, on a quarter of the canvas.
        light: the photo's own.
        balance: (3,) factors on sRGB values.
        framing_limits: the parts of the canvas that a frame must avoid.
        face_px: the face's height on the canvas.
        upscale: canvas to photo pixels.
        enlargement: how many times the face must be enlarged for a headshot.
        trust: of the cut-out, as in trust.trust_score.
        contact_length: as in trust.contact_length.
        portrait: the photo around the face, for likeness.
        portrait_face: the face in it.
        network_outputs: for another analysis, with the person's own corrections.
        likeness_factors: found by the likeness test for a look at a guidance, as in LookSetup; empty at first.
        full: the analysis from which a small one was made.
    """

    foreground: Array
    alpha: Array
    skin_layer: Array
    eye_layer: Array
    canvas: Array
    likely_person: Array
    uncertain: Array
    others: Array
    in_photo: Array
    surface: face_geometry.Surface
    light: SourceLight
    balance: Array
    framing_limits: FramingLimits
    face_px: float
    upscale: float
    enlargement: float
    trust: float
    contact_length: float
    portrait: Array
    portrait_face: Face
    network_outputs: matte.NetworkOutputs
    likeness_factors: dict[tuple[StyleSpec, float], float] = field(default_factory=dict)
    full: "Analysis | None" = None

    @cached_property
    def small(self) -> "Analysis":
        """The same for drafts, about 2 MB: the layers at DRAFT_SCALE, the surface at half its size.

        All other fields are those of the full one, in pixels of the full canvas.
        """
        return replace(
            self,
            foreground=_smaller(self.foreground, DRAFT_SCALE),
            alpha=_smaller(self.alpha, DRAFT_SCALE),
            skin_layer=_smaller(self.skin_layer, DRAFT_SCALE),
            eye_layer=_smaller(self.eye_layer, DRAFT_SCALE),
            canvas=cv2.resize(self.canvas, None, fx=DRAFT_SCALE, fy=DRAFT_SCALE, interpolation=cv2.INTER_AREA),
            surface=self.surface.halved(),
            full=self,
        )

    @cached_property
    def own_background(self) -> OwnBackground:
        """The photo's own background, out of focus."""
        if self.full is not None:
            return self.full.own_background.smaller(DRAFT_SCALE)
        return blur_own_background(
            self.canvas,
            self.alpha,
            self.likely_person,
            self.uncertain,
            self.others,
            self.in_photo,
            self.face_px,
            self.enlargement,
        )

    @cached_property
    def embedding(self) -> Array:
        """Of the photo's face, for likeness."""
        return faces.embed(self.portrait, self.portrait_face)

    @cached_property
    def grey_embedding(self) -> Array:
        """Of the photo in grey, for black-and-white looks: the loss of colour alone would cost .08 of likeness."""
        grey = cv2.cvtColor(self.portrait, cv2.COLOR_RGB2GRAY)
        return faces.embed(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), self.portrait_face)


def analyse(
    pixels: Array,
    face: Face,
    others: list[Face],
    *,
    steps: int,
    marks: Marks = matte.NO_MARKS,
    outputs: matte.NetworkOutputs | None = None,
) -> Analysis:
    """Analyse a photo for all its headshots.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: the chosen one.
        others: the photo's other faces, whose bodies are left out.
        steps: the effort, as in HeadshotRequest.
        marks: points with which the person has corrected the cut-out.
        outputs: of an earlier analysis of the same photo and face; with them the networks do not run again.
    """
    bars = region_inside_bars(pixels)
    pixels, face, *others = bars.crop(pixels), *(bars.face_inside(someone) for someone in (face, *others))
    mesh = faces.mesh(pixels, face)
    outputs = outputs or matte.run_networks(pixels, face, others)
    outline = matte.person_outline(outputs, face, bars.marks_inside(marks))
    middle = _head_middle(mesh, outline)
    canvas_from_photo = _canvas_from_photo(face, mesh, outline.crown, middle)
    scale = scale_factor(canvas_from_photo)
    size = CANVAS_WIDTH, CANVAS_HEIGHT
    face_px = face.height * scale
    on_canvas = _mesh_on_canvas(mesh, canvas_from_photo, scale)

    canvas = retouch.enlarge(pixels, canvas_from_photo, size)
    red_eye.darken_pupils(canvas, on_canvas)
    oval = face_geometry.oval_mask((size[1], size[0]), on_canvas, face_px)
    network_alpha, dissent = (
        np.maximum(outline.on_canvas(field, canvas_from_photo, size), oval)
        for field in (outline.alpha, outline.dissent)
    )
    rows = float(on_canvas[list(faces.EYES[0] + faces.EYES[1]), 1].mean()), float(on_canvas[faces.CHIN, 1])
    alpha, fore, uncertain = refine(canvas, network_alpha, dissent, face_px, native=scale < 1.6, steps=steps, head=rows)
    grid = size[0] // GRID, size[1] // GRID
    touching = outline.on_canvas(outline.others, canvas_from_photo, size)
    touching = cv2.resize(touching, grid, interpolation=cv2.INTER_AREA)
    scene = canvas[::GRID, ::GRID].copy()
    small_network_alpha = cv2.resize(network_alpha, grid, interpolation=cv2.INTER_AREA)
    del network_alpha, dissent

    small = cv2.resize(fore, None, fx=1 / GRID, fy=1 / GRID, interpolation=cv2.INTER_AREA)
    small_alpha = cv2.resize(alpha, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    grid_mesh = (on_canvas / GRID).astype(np.float32)
    shape = face_geometry.build_surface(small, small_alpha, grid_mesh, face_px / GRID)
    lift = exposure.needed_lift(small, scene, small_alpha, shape.skin, grid_mesh)
    if lift.needed:
        small, fore = lift.apply(small), lift.apply(fore)
        calm = exposure.rim_factors(small, small_alpha, shape.skin, grid_mesh, face_px / GRID)
        fore = np.clip(fore * cv2.resize(calm, size, interpolation=cv2.INTER_LINEAR), 0, 1)
    shown = cv2.convertScaleAbs(lift.apply(canvas), alpha=255)
    del canvas
    full_skin = cv2.resize(shape.skin, size, interpolation=cv2.INTER_LINEAR)
    eyes = face_geometry.eye_mask(alpha.shape, on_canvas, face_px)
    inside = cv2.warpAffine(np.ones(pixels.shape[:2], np.uint8), canvas_from_photo, size).astype(np.float32)
    reduced = size[0] // 8, size[1] // 8
    head = _head(face, on_canvas, canvas_from_photo, outline, middle)
    known = cv2.resize(inside, grid, interpolation=cv2.INTER_AREA) > 0.98
    thumb = cv2.cvtColor(cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    portrait, portrait_face = _likeness_reference(pixels, face)
    evidence = _evidence(
        outline, canvas_from_photo, scene, known, small_alpha, uncertain, head, face_px, face.enlargement
    )
    alone = likely_person(evidence, small_network_alpha, touching) * (1 - touching)
    return Analysis(
        foreground=fore.astype(np.float16),
        alpha=alpha.astype(np.float16),
        skin_layer=retouch.skin_layer(fore, full_skin, face_px).astype(np.float16),
        canvas=shown,
        likely_person=alone.astype(np.float16),
        uncertain=evidence.uncertain.astype(np.float16),
        others=touching.astype(np.float16),
        in_photo=known,
        eye_layer=(retouch.eye_layer(fore, eyes, face_px) / max(1.0, scale) ** 0.5).astype(np.float16),
        surface=shape,
        light=estimate_source(small, shape, grid_mesh),
        balance=tone.colour_balance(small, small_alpha, shape.skin, float(np.percentile(thumb, 98)) / 255),
        framing_limits=framing_limits(
            cv2.resize(alone, reduced, interpolation=cv2.INTER_AREA),
            cv2.resize(inside, reduced, interpolation=cv2.INTER_AREA),
            cv2.resize(touching, reduced, interpolation=cv2.INTER_AREA),
            head,
        ),
        face_px=face_px,
        upscale=scale,
        enlargement=face.enlargement,
        trust=trust_score(evidence),
        contact_length=contact_length(evidence),
        portrait=portrait,
        network_outputs=outputs,
        portrait_face=portrait_face,
    )


def _smaller(layer: Array, scale: float) -> Array:
    single = cv2.resize(layer.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return single.astype(np.float16)


def _evidence(
    outline: matte.Outline,
    canvas_from_photo: Array,
    picture: Array,
    in_photo: Array,
    alpha: Array,
    uncertain: Array,
    head: Head,
    face_px: float,
    enlargement: float,
) -> Evidence:
    """Bring the measurements behind a trust score onto the grid.

    `picture`, `in_photo` and `alpha` are on the grid, `uncertain` is on half the canvas, `head` and `face_px` are on
    the canvas.
    """
    size = CANVAS_WIDTH, CANVAS_HEIGHT
    salient, person, contact = (
        cv2.resize(outline.on_canvas(field, canvas_from_photo, size), alpha.shape[::-1], interpolation=cv2.INTER_AREA)
        for field in (outline.salient, outline.person, outline.contact)
    )
    return Evidence(
        picture=cv2.convertScaleAbs(picture, alpha=255),
        in_photo=in_photo,
        alpha=alpha,
        uncertain=cv2.resize(uncertain.astype(np.float32), alpha.shape[::-1], interpolation=cv2.INTER_AREA),
        salient=salient,
        person=person,
        contact=contact,
        head=head.scaled(1 / GRID),
        face_px=face_px / GRID,
        enlargement=enlargement,
    )


def _likeness_reference(pixels: Array, face: Face) -> tuple[Array, Face]:
    """The face with half a face around it, at most 512 px, and the face in it: likeness needs no more of the photo."""
    # By whole pixels: half a pixel of interpolation would cost a small face .01 of likeness.
    left, top = (int(middle - face.height) for middle in face.centre)
    scale = min(1.0, _PORTRAIT_PX / (2 * face.height))
    affine = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
    side = round(2 * face.height * scale)
    return warp(pixels, affine, (side, side)), face.moved(affine)


def _head_middle(mesh: Array, outline: matte.Outline) -> float:
    """The photo's x of the head's middle: between face and hair, because hair on one side must not move the face."""
    oval = mesh[list(faces.OVAL), 0]
    low, high = float(oval.min()), float(oval.max())
    face, width = (low + high) / 2, high - low
    hair = sum(np.clip(outline.sides, face - 0.9 * width, face + 0.9 * width)) / 2
    return float((face + hair) / 2)


def _canvas_from_photo(face: Face, mesh: Array, crown: float, middle: float) -> Array:
    """(2, 3) canvas from photo: the head's height fixed, its middle in the middle, the eyes on their line, levelled."""
    eyes = face.points[:2].mean(axis=0)
    head = max(float(mesh[faces.CHIN, 1]) - crown, 1.1 * face.height)
    tilt = float(np.clip(_LEVEL_SHARE * faces.roll_degrees(mesh), -_MAX_LEVEL_DEGREES, _MAX_LEVEL_DEGREES))
    affine = cv2.getRotationMatrix2D((middle, float(eyes[1])), tilt, CANVAS_HEAD / head)
    affine[:, 2] += np.array([CANVAS_WIDTH / 2, CANVAS_EYES * CANVAS_HEIGHT]) - (middle, eyes[1])
    return affine.astype(np.float32)


def _head(face: Face, mesh: Array, canvas_from_photo: Array, outline: matte.Outline, middle: float) -> Head:
    """The head on the canvas, where `mesh` is, too."""

    def on_canvas(x: float, y: float) -> tuple[float, float]:
        across, down = canvas_from_photo[:, :2] @ [x, y] + canvas_from_photo[:, 2]
        return float(across), float(down)

    eyes = face.points[:2].mean(axis=0)
    # If a head looks at the camera, the nose is between the cheeks; at 45 degrees it is over one of them.
    left, right = mesh[list(_CHEEKS), 0]
    gaze = (2 * mesh[_NOSE, 0] - left - right) / max(right - left, 1.0)
    chin = float(mesh[faces.CHIN, 1])
    crown = min(on_canvas(face.centre[0], outline.crown)[1], chin - 1.1 * face.height * scale_factor(canvas_from_photo))
    return Head(
        eyes=on_canvas(*eyes),
        left=on_canvas(outline.sides[0], eyes[1])[0],
        right=on_canvas(outline.sides[1], eyes[1])[0],
        middle=on_canvas(middle, eyes[1])[0],
        crown=crown,
        chin=chin,
        gaze=float(np.clip(gaze, -1, 1)),
        crown_is_cut=outline.crown < _CUT_CROWN_MARGIN * face.height,
    )


def _mesh_on_canvas(mesh: Array, affine: Array, scale: float) -> Array:
    points = np.empty_like(mesh)
    points[:, :2] = mesh[:, :2] @ affine[:, :2].T + affine[:, 2]
    points[:, 2] = mesh[:, 2] * scale
    return points
