"""The photo check: whether a headshot can be made from a photo, and which of its faults will hurt the headshot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from headshot.errors import PhotoError

from . import models
from .advice import Advice
from .face import (
    CLEAR_TRUST,
    EYES,
    LIPS,
    NO_FACE,
    NO_TRUST,
    OVAL,
    SHARP_PX,
    Face,
    blur,
    choose,
    find,
    fit_mesh,
    is_hidden,
    roll_degrees,
    trust_by_turn,
    upright_trust,
    yaw_degrees,
)
from .refusals import refusal
from .surroundings import Surroundings, has_neighbour, surroundings_of

# The bounds were chosen on the two portraits in this project and twenty others, sharp and of all skin tones.
SOFT_ENLARGEMENT = 3.0  # from here on skin texture is invented
POOR_ENLARGEMENT = 4.5  # from here on the eyes are soft too
_CROWD_SHARE = 0.5  # a face less than half as high as the chosen one belongs to somebody in the background …
_CROWD_SCORE = 0.75  # … or, below this score, is a false detection: real faces score 0.83 and more, others 0.63 to 0.69
_BLUR_PX = 2.5  # sharp portraits measure 1.7 to 2.3; blurred by a sigma of 1/100 of the face's height 2.6, by 1/50 4
_BLACK, _BLACK_SHARE = 12, 0.25  # of 255; with a black beard in good light 0.05 of the face is darker
# Of 255, the skin's bright end (95th percentile): dark skin in good light has 149; underexposed by 3 stops, 74 to 84.
_DIM = 85
_WHITE, _WHITE_SHARE = 250, 0.08  # of 255; in the palest well lit skin 0.03 are brighter
_TURNED_DEGREES = 25.0  # the mesh reads 24 to 28 where a head is turned by 35, and the far eye begins to hide
_TILTED_DEGREES = 25.0  # from here on levelling the head turns the shoulders visibly
_HAIR_SHARE = 0.7  # no ordinary hair rises further above the face's box, in face heights: seen 0.2 to 0.45
_PERSON_PX = 256
_HIDDEN_TRUST = 3.0  # of `face.fit_mesh`; below it are profiles, and faces behind dark glasses and a hand
# A photo that lies on its side. On 35 photos in all four orientations the trust in an upright face was 23 and more,
# except for a profile; it was at most 10 in faces found on heads that lie on their side or are upside down.
_UPRIGHT_TRUST = 15.0
_CLEARER = 10.0
_UPRIGHT_TESTED = 3  # so many of several faces are tested for whether the photo is upright
# Light from behind, of 255: in a photo with a room's light from behind, the bright ends (95th percentiles) of skin and
# person are 128 and 137, and the background is 1.46 times as bright as the skin. None of 34 other photos has both.
_BACKLIT, _BACKLIT_RATIO = 149, 1.4
# Shares of the outline: 0.45 and 0.21 for dark hair on a dark background, at most 0.08 elsewhere; 0.29 for a pale shirt
# on a pale wall, at most 0.21 elsewhere.
_HAIR_ALIKE, _CLOTHES_ALIKE = 0.18, 0.28
HIDDEN = (
    "Somebody stands in front of this person and hides part of the body. Choose another face, or use a photo with "
    "nobody in front."
)
_TURN = {
    90: "The photo lies on its side. Turn it by 90° clockwise first.",
    180: "The photo stands on its head. Turn it by 180° first.",
    270: "The photo lies on its side. Turn it by 90° counterclockwise first.",
}


@dataclass(frozen=True, eq=False)
class PhotoCheck:
    """The result of the photo check.

    Attributes:
        faces: All faces, in the order of `face.find`.
        chosen: The face for the headshot; None if no headshot can be made.
        advice: What will hurt the headshot, or why none can be made; the worst first.
        turn: Degrees clockwise, 90, 180 or 270, by which the photo must be turned first; 0 if it is upright.
    """

    faces: tuple[Face, ...]
    chosen: Face | None
    advice: tuple[Advice, ...]
    turn: int = 0

    @property
    def usable(self) -> bool:
        """Whether a headshot can be made at all."""
        return self.chosen is not None

    def require_face(self) -> Face:
        """Return the chosen face.

        Raises:
            PhotoError: with the advice, if no headshot can be made.
        """
        if self.chosen is None:
            raise PhotoError(" ".join(advice.text for advice in self.advice))
        return self.chosen


@dataclass(frozen=True, eq=False)
class _Detection:
    """A photo's faces and one of them, with its mesh; both are None without a face. refusal: why it cannot be used."""

    faces: tuple[Face, ...]
    face: Face | None
    mesh: np.ndarray | None
    trust: float
    refusal: Advice | None
    turn: int = 0


def check(pixels: np.ndarray, index: int | None = None) -> PhotoCheck:
    """Check a photo before a headshot is made from it.

    Takes about 0.1 s, 0.4 s if there is no upright face.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        index: Which face, in the order of `face.find`; None chooses the first.

    Raises:
        PhotoError: if there are faces, but none with that index.
    """
    found = _detect(pixels, index)
    if found.refusal is not None or found.face is None or found.mesh is None:
        return PhotoCheck(found.faces, None, () if found.refusal is None else (found.refusal,), found.turn)
    advice = _advice(pixels, found.faces, found.face, found.mesh, found.trust, chosen_by_hand=index is not None)
    return PhotoCheck(found.faces, found.face, tuple(advice))


def face_for_headshot(pixels: np.ndarray, index: int | None = None) -> tuple[list[Face], Face]:
    """Find the face that a headshot is made of, as `check` does, but without its advice.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        index: Which face, in the order of `face.find`; None chooses the first.

    Returns:
        All faces in the order of `face.find`, and the chosen one.

    Raises:
        PhotoError: if no headshot can be made, or there is no face with that index.
    """
    found = _detect(pixels, index)
    if found.refusal is not None or found.face is None:
        raise PhotoError(NO_FACE if found.refusal is None else found.refusal.text)
    return list(found.faces), found.face


def _detect(pixels: np.ndarray, index: int | None) -> _Detection:
    faces = tuple(find(pixels))
    face = choose(faces, index) if faces else None
    mesh, trust = fit_mesh(pixels, face) if face is not None else (None, NO_TRUST)
    upright = NO_TRUST if mesh is None else upright_trust(mesh, trust)
    if upright < _UPRIGHT_TRUST and not any(
        upright_trust(*fit_mesh(pixels, other)) >= _UPRIGHT_TRUST
        for other in faces[:_UPRIGHT_TESTED]
        if other is not face
    ):
        turn = _turn_to_upright(pixels, upright)
        if turn:
            return _Detection((), None, None, trust, Advice("turned photo", _TURN[turn]), turn)
    if face is None or mesh is None:
        return _Detection((), None, None, trust, Advice("no face", NO_FACE))
    return _Detection(faces, face, mesh, trust, refusal(pixels, face, mesh, trust))


def _turn_to_upright(pixels: np.ndarray, trust: float) -> int:
    """Degrees clockwise to an upright face; 0 if no turn gives a clearer one than `trust`, that of the photo now."""
    trusts = trust_by_turn(pixels)
    best = max(trusts, key=lambda degrees: trusts[degrees], default=0)
    return best if best and trusts[best] >= max(CLEAR_TRUST, trust + _CLEARER) else 0


def _advice(
    pixels: np.ndarray, faces: Sequence[Face], face: Face, points: np.ndarray, trust: float, *, chosen_by_hand: bool
) -> Iterator[Advice]:
    rivals = sum(other.height >= _CROWD_SHARE * face.height and other.score >= _CROWD_SCORE for other in faces)
    if rivals > 1 and not chosen_by_hand:
        yield Advice(
            "several faces",
            f"There are {rivals} faces in this photo. The clearest one was chosen; you can pick another.",
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
    if blur(pixels, face) > _BLUR_PX:
        yield Advice(
            "blurred",
            "The face is out of focus or blurred by movement, and no setting restores the detail. "
            "Use a sharper photo, or wipe the lens and hold still.",
        )
    around = surroundings_of(pixels, face, points)
    exposure = list(_exposure(_skin(pixels, points), around))
    yield from exposure
    yield from _framing(pixels, face, points)
    if abs(yaw_degrees(points)) > _TURNED_DEGREES:
        yield Advice(
            "turned",
            "The head is turned far to the side, which makes new light and a good likeness difficult. "
            "Use a photo in which the person looks more towards the camera.",
        )
    elif trust < _HIDDEN_TRUST:
        yield Advice(
            "turned",
            "The face is turned away or partly covered, which makes new light and a good likeness difficult. "
            "Use a photo that shows the whole face, turned to the camera.",
        )
    roll = abs(roll_degrees(points))
    if roll > _TILTED_DEGREES:
        yield Advice(
            "tilted",
            f"The head leans about {roll:.0f}° to one side. Use a straighter photo, or rotate this one first.",
        )
    if is_hidden(face, faces):
        yield Advice("hidden", HIDDEN)
    elif has_neighbour(pixels, face, faces):  # the mask does not separate people, so the outline cannot be judged
        yield Advice(
            "close by",
            "Somebody else is close by, and parts of them can stay in the headshot. "
            "Use a photo of one person, or one with nobody beside or behind the person.",
        )
    elif not exposure:  # where the photo is black or white, everything has the same colour
        yield from _background(around)


def _background(around: Surroundings) -> Iterator[Advice]:
    """Whether hair or clothes look like the background. At most one advice."""
    alike = [
        part
        for part, share, bound in (
            ("hair", around.hair_alike, _HAIR_ALIKE),
            ("clothes", around.clothes_alike, _CLOTHES_ALIKE),
        )
        if share is not None and share >= bound
    ]
    if alike:
        yield Advice(
            "like the background",
            f"The {' and the '.join(alike)} and the background have nearly the same colour, so the outline may be lost "
            "in places. Use a photo with a lighter or darker background.",
        )


def _skin(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Luma of the visible skin, (n,) uint8: inside the mesh's outline, without eyes and mouth."""
    flat = points[:, :2]
    low = np.maximum(np.floor(flat.min(0)), 0).astype(int)
    high = np.maximum(np.ceil(flat.max(0)), 0).astype(int) + 1
    region = pixels[low[1] : high[1], low[0] : high[0]]
    if region.size == 0:
        return np.empty(0, np.uint8)
    scale = min(1.0, 2 * SHARP_PX / max(region.shape[:2]))
    if scale < 1:
        region = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mask = np.zeros(region.shape[:2], np.uint8)
    for outline, value in ((OVAL, 1), *((outline, 0) for outline in (*EYES, LIPS))):
        cv2.fillPoly(mask, [np.round((flat[list(outline)] - low) * scale).astype(np.int32)], value)
    luma: np.ndarray = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY)[mask > 0]
    return luma


def _exposure(luma: np.ndarray, around: Surroundings) -> Iterator[Advice]:
    """Whether the skin, whose luma is given, is too dark or too bright.

    It is judged by the detail lost at both ends and not by the mean, because dark skin in good light is not a dark
    photo.
    """
    if luma.size == 0:
        return
    bright_end = float(np.percentile(luma, 95))
    black_share = float(np.mean(luma <= _BLACK))
    if bright_end < _DIM:
        yield Advice(
            "dark",
            "The face is too dark: brightening it will show noise instead of skin. "
            "Use a photo taken facing a window or a lamp.",
        )
    elif black_share > _BLACK_SHARE:
        yield Advice(
            "dark",
            f"About {black_share:.0%} of the face is in black shadow without any detail. "
            "Use a photo with softer light, or with light from the front.",
        )
    elif _light_from_behind(bright_end, around):
        yield Advice(
            "backlight",
            "The light seems to come from behind: the face is dark in front of a bright background, and may stay dull. "
            "Use a photo with the window or the sun in front of the person.",
        )
    if np.mean(luma >= _WHITE) > _WHITE_SHARE:
        yield Advice(
            "burnt out",
            "Parts of the face are burnt out to white, and their skin cannot be brought back. "
            "Use a photo without flash or direct sun, or with less exposure.",
        )


def _light_from_behind(bright_end: float, around: Surroundings) -> bool:
    """Whether the whole person is dark, even a white collar, and the background bright; dark skin alone is no sign.

    `bright_end` is that of the skin, 0 to 255.
    """
    if around.background_level is None or around.person_level is None:
        return False
    return max(bright_end, around.person_level) < _BACKLIT and around.background_level > _BACKLIT_RATIO * bright_end


def _framing(pixels: np.ndarray, face: Face, points: np.ndarray) -> Iterator[Advice]:
    """Whether the picture's edge cuts the head or the shoulders. At most one advice."""
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

    Hair rises 0.2 to 0.45 face heights above the box, so the box alone does not answer this. If the box is near the
    edge, MediaPipe's person mask shows whether the picture's first rows above the face belong to the person.
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
