"""Photos from which no headshot can be made: half a face, a profile, far too small a face, a drawing, an animal.

An ordinary photo must never be refused, so every bound keeps a distance from all ordinary faces. They were measured on
about 1,000 faces at least 40 px high in pictures from public repositories, 38 of them of animals and some 60 drawn,
painted or rendered. 32 of the 38 animals are refused. Not recognised are a painting, a shaded comic, a rendered film
character, an ape with bare skin, an animal that either network is sure is a person, and an animal in black and white.
"""

import cv2
import numpy as np

from .advice import Advice
from .face import BROWS, EYES, LIPS, OVAL, Face, level_crop, roll_degrees, yaw_degrees

Colour = tuple[float, float, float]  # CIELAB: L 0…100, a and b about −128…127

_LEAST_PX = 40  # hairline to chin, 12 times smaller than in a headshot: too small for eyes and likeness
_LEAST_INSIDE = 0.7  # of the mesh's outline; a forehead or a cheek may be missing, but not an eye

# Drawings. The share of the skin without any change of brightness, at a face 128 px high: 0.145 and 0.07 on two photos
# that were smoothed and overexposed, at most 0.06 on others; 0.20 to 0.33 on drawings in flat colours. On manga with
# soft shades it is 0.04 to 0.08 and both networks are unsure; photos on which they are unsure have at most 0.02.
_FLAT, _FLAT_IF_UNSURE = 0.19, 0.035
_FLAT_STEP = 0.15  # of 255, a pixel
_SHADED = 60, 253  # of 255: darker or brighter skin has lost its shades in photos as well
_PAPER, _PAPER_SHARE = 251, 0.4  # share of plain white skin in a picture without colour: 0.49 to 0.91 in pen drawings
_GREY = 2.5  # of CIELAB's a and b: a picture in black and white

# Below these values of trust and score both networks are unsure: of 35 of 38 animals, and of people who turn away, wear
# dark glasses or are out of focus.
_DOUBT, _DOUBT_SCORE = 10.0, 0.9
_ASIDE_DEGREES = 25.0  # nearly all people on whom both are unsure are turned further
_ANIMAL_LEAST_PX = 60  # a smaller face shows too little
# CIELAB's a and b: people's skin has an a of 6 to 31 and a b of at most 2.0 times that; fur is grey, white or yellow.
_LEAST_RED, _YELLOW_TO_RED = 5.0, 2.2

_NOTHING_TRUST, _NOTHING_SCORE = 0.0, 0.77  # backs of heads, ears, hands; a profile's score is 0.78 and more
# A face seen from the side: its eyes nearly coincide, and the mesh is unsure. The four of 155 photos that are plain
# profiles have at most 0.16 face heights between the eyes and a trust of at most −0.2; of another face that is as
# narrow the mesh is sure (19).
_PROFILE_EYES, _PROFILE_TRUST = 0.17, 2.0


def refusal(pixels: np.ndarray, face: Face, mesh: np.ndarray, trust: float) -> Advice | None:
    """Decide whether a headshot can be made of this face. Takes about 3 ms.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        face: In its pixels.
        mesh: As from `face.fit_mesh`.
        trust: As from `face.fit_mesh`.

    Returns:
        Why no headshot can be made; None if one can be tried.
    """
    if _inside(pixels, face, mesh) < _LEAST_INSIDE:
        return Advice(
            "half a face",
            "The photo's edge cuts this face in half, and the missing half cannot be invented. "
            "Use a photo that shows the whole head.",
        )
    if face.height < _LEAST_PX:
        return Advice(
            "too small",
            f"The face is too small: only {face.height:.0f} pixels from hairline to chin, and at least {_LEAST_PX} are "
            "needed, better 160. Use a closer photo, or the original in full resolution.",
        )
    flat, lab = _skin(pixels, face, mesh)
    unsure = trust < _DOUBT and face.score < _DOUBT_SCORE
    if flat > (_FLAT_IF_UNSURE if unsure else _FLAT):
        return Advice("drawing", "This looks like a drawing, and a headshot needs a photo. Use a photo of the person.")
    if looks_animal(face.height, face.score, trust, yaw_degrees(mesh), lab):
        return Advice(
            "animal",
            "This does not look like a person's face; perhaps it is an animal's. "
            "Use a photo of a person who looks at the camera.",
        )
    if trust < _NOTHING_TRUST and face.score < _NOTHING_SCORE:
        return Advice(
            "unclear",
            "No face is clearly visible: it is turned away, covered, or not a face at all. "
            "Use a photo in which the person looks at the camera.",
        )
    left, right = face.points[:2]
    if trust < _PROFILE_TRUST and float(np.hypot(*(left - right))) < _PROFILE_EYES * face.height:
        return Advice(
            "profile",
            "This face is seen from the side, and its other half cannot be invented. "
            "Use a photo in which the person looks at the camera, or a little past it.",
        )
    return None


def looks_animal(height: float, score: float, trust: float, yaw: float, lab: Colour | None) -> bool:
    """Whether a face is probably an animal's: it looks at the camera, neither network is sure, its hue is not skin's.

    Args:
        height: Hairline to chin, in pixels.
        score: The detector's, 0 to 1.
        trust: As from `face.fit_mesh`.
        yaw: In degrees.
        lab: The skin's median in CIELAB; None in a picture without colour.
    """
    if lab is None:
        return False
    _, a, b = lab
    return (
        height >= _ANIMAL_LEAST_PX
        and score < _DOUBT_SCORE
        and trust < _DOUBT
        and abs(yaw) < _ASIDE_DEGREES
        and (a < _LEAST_RED or b > _YELLOW_TO_RED * a)
    )


def _inside(pixels: np.ndarray, face: Face, mesh: np.ndarray) -> float:
    """The share of the face's outline inside the picture, 0 to 1; 0 if an eye or the mouth's middle is outside."""
    height, width = pixels.shape[:2]
    middles = np.vstack([face.points[:2], face.points[3:5].mean(0, keepdims=True)])
    if (middles < 0).any() or (middles > (width - 1, height - 1)).any():
        return 0.0
    outline = mesh[list(OVAL), :2].astype(np.float32)
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    shared, _ = cv2.intersectConvexConvex(cv2.convexHull(outline), frame)
    return float(shared / max(cv2.contourArea(cv2.convexHull(outline)), 1e-6))


def _skin(pixels: np.ndarray, face: Face, mesh: np.ndarray) -> tuple[float, Colour | None]:
    """The share of the skin without shades, 0 to 1, and its median in CIELAB, None in a picture without colour."""
    crop, crop_from_picture = level_crop(pixels, face, roll_degrees(mesh))
    flat = np.round(mesh[:, :2] @ crop_from_picture[:, :2].T + crop_from_picture[:, 2]).astype(np.int32)
    oval = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillPoly(oval, [flat[list(OVAL)]], 1)
    mask = cv2.erode(oval, np.ones((7, 7), np.uint8))
    for outline in (*EYES, *BROWS, LIPS):
        cv2.fillPoly(mask, [flat[list(outline)]], 0)
    skin = mask > 0
    if not skin.any():
        return 0.0, None
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colour: Colour | None = None
    if float(np.percentile(np.linalg.norm(lab[..., 1:], axis=2), 90)) >= _GREY:
        lightness, a, b = np.median(lab[skin], axis=0).tolist()
        colour = lightness, a, b
    elif float(np.mean(grey[skin] >= _PAPER)) > _PAPER_SHARE:
        return 1.0, None
    shaded = skin & (grey >= _SHADED[0]) & (grey <= _SHADED[1])
    if shaded.sum() < skin.sum() / 4:
        return 0.0, colour
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    step = np.hypot(*(cv2.Sobel(soft, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1))))
    return float(np.mean(step[shaded] < _FLAT_STEP)), colour
