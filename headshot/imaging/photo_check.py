"""Say before a run what a photo will cost the headshot."""

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
    is_hidden,
    lay,
    roll_degrees,
    turns,
    upright_trust,
    yaw_degrees,
)
from .refusals import refusal
from .surroundings import Surroundings, close_by, look_around

# The photo check. Its bounds were set on the two portraits in this project and twenty others, sharp, of all skins.
SOFT_ENLARGEMENT = 3.0  # from here on skin texture is invented rather than shown
POOR_ENLARGEMENT = 4.5  # from here on the eyes are soft too
_CROWD_SHARE = 0.5  # a face less than half as high as the chosen one stands in the background …
_CROWD_SCORE = 0.75  # … and so does one the detector doubts: true faces score 0.83 and more, mirages 0.63 to 0.69
_BLUR_PX = 2.5  # sharp portraits measure 1.7 to 2.3; blurred by a sigma of 1/100 of the face's height 2.6, by 1/50 4
_BLACK, _BLACK_SHARE = 12, 0.25  # of 255; a black beard in good light leaves 0.05 of the face below
# Of 255, the skin's bright end (95th percentile): dark skin in good light has 149; 3 stops too little 74 to 84.
_DIM = 85
_WHITE, _WHITE_SHARE = 250, 0.08  # of 255; the palest well lit skin has 0.03
_TURNED_DEGREES = 25.0  # the mesh reads 24 to 28 where a head is turned by 35, and the far eye begins to hide
_TILTED_DEGREES = 25.0  # from here on levelling the head turns the shoulders visibly
_HAIR_SHARE = 0.7  # no ordinary hair rises further above the face's box, in face heights: seen 0.2 to 0.45
_PERSON_PX = 256
_HIDDEN_TRUST = 3.0  # of `face.lay`: a profile, or a face behind dark glasses and a hand
# A photo that lies on its side. On 35 photos turned in every way, the trust in an upright face was 23 and more, but for
# a profile; at most 10 in what was found on a lying or standing head.
_UPRIGHT_TRUST = 15.0
_CLEARER = 10.0
_ASKED = 3  # of several faces, so many are asked whether the photo is upright
# Light from behind, of 255: the bright ends (95th percentiles) of skin and person are 128 and 137 where the light of a
# room comes from behind, and the background has 1.46 times as much as the skin. Of 34 other photos none has both.
_BACKLIT, _BACKLIT_RATIO = 149, 1.4
# Of the outline: 0.45 and 0.21 where dark hair meets a dark background, 0.08 at most elsewhere; 0.29 where a pale shirt
# meets a pale wall, 0.21 at most elsewhere.
_HAIR_ALIKE, _CLOTHES_ALIKE = 0.18, 0.28
HIDDEN = (
    "Somebody else stands before this person and hides a part of the body. Choose another face, or use a photo with "
    "nobody in front."
)
_TURN = {
    90: "The photo lies on its side. Turn it by 90° clockwise first.",
    180: "The photo stands on its head. Turn it by 180° first.",
    270: "The photo lies on its side. Turn it by 90° counterclockwise first.",
}


@dataclass(frozen=True, eq=False)
class PhotoCheck:
    """faces: all that were found, in `face.find`'s order.  chosen: the one that a run would take.  advice: worst first.

    turn: degrees clockwise, 90, 180 or 270, by which the photo must be turned first; 0 where it is upright.
    """

    faces: tuple[Face, ...]
    chosen: Face | None
    advice: tuple[Advice, ...]
    turn: int = 0

    @property
    def usable(self) -> bool:
        """Whether a headshot can be made at all."""
        return self.chosen is not None

    def taken(self) -> Face:
        """The chosen face. Raises PhotoError, with what the advice says, where no headshot can be made."""
        if self.chosen is None:
            raise PhotoError(" ".join(advice.text for advice in self.advice))
        return self.chosen


@dataclass(frozen=True, eq=False)
class _Seen:
    """A photo's faces and one of them. mesh: None where there is no face.  refusal: why it cannot be used."""

    faces: tuple[Face, ...]
    face: Face | None
    mesh: np.ndarray | None
    trust: float
    refusal: Advice | None
    turn: int = 0


def check(pixels: np.ndarray, index: int | None = None) -> PhotoCheck:
    """Say what will hurt the headshot before it is made, or why none can be made.

    pixels: (H, W, 3) uint8 RGB.  index: which of `face.find`'s faces, None for the first.
    Raises PhotoError where there are faces but none of that index. About 0.1 s, 0.4 s where no face shows upright.
    """
    seen = _see(pixels, index)
    if seen.refusal is not None or seen.face is None or seen.mesh is None:
        return PhotoCheck(seen.faces, None, () if seen.refusal is None else (seen.refusal,), seen.turn)
    advice = _advice(pixels, seen.faces, seen.face, seen.mesh, seen.trust, chosen_by_hand=index is not None)
    return PhotoCheck(seen.faces, seen.face, tuple(advice))


def sitter(pixels: np.ndarray, index: int | None = None) -> tuple[list[Face], Face]:
    """All faces in `face.find`'s order, and the one that a run takes; what hurts the headshot is left unsaid.

    pixels, index: as in `check`.  Raises PhotoError where no headshot can be made, or there is no face of that index.
    """
    seen = _see(pixels, index)
    if seen.refusal is not None or seen.face is None:
        raise PhotoError(NO_FACE if seen.refusal is None else seen.refusal.text)
    return list(seen.faces), seen.face


def _see(pixels: np.ndarray, index: int | None) -> _Seen:
    faces = tuple(find(pixels))
    face = choose(faces, index) if faces else None
    mesh, trust = lay(pixels, face) if face is not None else (None, NO_TRUST)
    upright = NO_TRUST if mesh is None else upright_trust(mesh, trust)
    if upright < _UPRIGHT_TRUST and not any(
        upright_trust(*lay(pixels, other)) >= _UPRIGHT_TRUST for other in faces[:_ASKED] if other is not face
    ):
        turn = _turn(pixels, upright)
        if turn:
            return _Seen((), None, None, trust, Advice("turned photo", _TURN[turn]), turn)
    if face is None or mesh is None:
        return _Seen((), None, None, trust, Advice("no face", NO_FACE))
    return _Seen(faces, face, mesh, trust, refusal(pixels, face, mesh, trust))


def _turn(pixels: np.ndarray, trust: float) -> int:
    """Degrees clockwise to an upright face, 0 where turning shows none. trust: in the upright face found before."""
    trusts = turns(pixels)
    best = max(trusts, key=lambda degrees: trusts[degrees], default=0)
    return best if best and trusts[best] >= max(CLEAR_TRUST, trust + _CLEARER) else 0


def _advice(
    pixels: np.ndarray, faces: Sequence[Face], face: Face, points: np.ndarray, trust: float, *, chosen_by_hand: bool
) -> Iterator[Advice]:
    rivals = sum(other.height >= _CROWD_SHARE * face.height and other.score >= _CROWD_SCORE for other in faces)
    if rivals > 1 and not chosen_by_hand:
        yield Advice(
            "several faces",
            f"There are {rivals} faces in this photo. The clearest one was taken; you can pick another.",
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
            "The face is out of focus or moved, and no setting brings the detail back. "
            "Use a sharper photo, or wipe the lens and hold still.",
        )
    around = look_around(pixels, face, points)
    exposure = list(_exposure(_skin(pixels, points), around))
    yield from exposure
    yield from _framing(pixels, face, points)
    if abs(yaw_degrees(points)) > _TURNED_DEGREES:
        yield Advice(
            "turned",
            "The head is turned far to the side, where new light and a likeness are hard to get right. "
            "Use a photo that looks more towards the camera.",
        )
    elif trust < _HIDDEN_TRUST:
        yield Advice(
            "turned",
            "The face is turned away or partly covered, so new light and a likeness are hard to get right. "
            "Use a photo in which the whole face looks at the camera.",
        )
    roll = abs(roll_degrees(points))
    if roll > _TILTED_DEGREES:
        yield Advice(
            "tilted",
            f"The head leans about {roll:.0f}° to one side. Use a straighter photo, or rotate this one first.",
        )
    if is_hidden(face, faces):
        yield Advice("hidden", HIDDEN)
    elif close_by(pixels, face, faces):  # whose outline the mask shows cannot be told then
        yield Advice(
            "close by",
            "Somebody else is close by, and parts of them can stay in the headshot. "
            "Use a photo of one person, or one in which nobody stands beside or behind.",
        )
    elif not exposure:  # in black or white everything has one colour
        yield from _background(around)


def _background(around: Surroundings) -> Iterator[Advice]:
    """Where the outline cannot be seen. At most one advice."""
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
            "in places. Use a photo before a lighter or darker background.",
        )


def _skin(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Luma of the skin that is in the picture: (n,) uint8, from the mesh's outline without eyes and mouth."""
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
    """luma: of the skin.

    Judged by what is lost at both ends, never by the mean: dark skin in good light is not a dark photo.
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
            f"About {black_share:.0%} of the face lies in black shadow without any detail. "
            "Use a photo with softer light, or with light from the front.",
        )
    elif _light_from_behind(bright_end, around):
        yield Advice(
            "backlight",
            "The light seems to come from behind: the face is dark before a bright background, and may stay dull. "
            "Use a photo with the window or the sun in front of the person.",
        )
    if np.mean(luma >= _WHITE) > _WHITE_SHARE:
        yield Advice(
            "burnt out",
            "Parts of the face are burnt out to white, and their skin cannot be brought back. "
            "Use a photo without flash or direct sun, or with less exposure.",
        )


def _light_from_behind(bright_end: float, around: Surroundings) -> bool:
    """Dark skin alone is no sign: the whole person must be dark, a white collar included, and the background bright.

    bright_end: of the skin, 0…255.
    """
    if around.behind is None or around.person is None:
        return False
    return max(bright_end, around.person) < _BACKLIT and around.behind > _BACKLIT_RATIO * bright_end


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
