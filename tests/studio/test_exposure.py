"""Dark and backlit faces are lifted within their own range; dark skin in good light is left alone."""

from functools import cache

import cv2
import numpy as np
import portraits
import pytest

from headshot.imaging import face
from headshot.studio import analysis, exposure, framing, render
from headshot.studio.face_geometry import CHEEKS
from headshot.studio.prompt.style_spec import StyleSpec

_WHITE_WALL = np.float32([236, 240, 244])
_SKY = np.float32([166, 174, 184])
_DARK_WALL = np.float32([52, 48, 46])


@cache
def _analysed(kind: str) -> analysis.Analysis:
    pixels = _photo(kind)
    return analysis.analyse(pixels, face.find(pixels)[0], [], steps=21)


@cache
def _photo(kind: str) -> np.ndarray:
    """A portrait, "darker_skin", or one of them as "NAME backlit", "NAME rim" (backlit, with the sun on the outline),
    "NAME white wall", "NAME dark room" or "NAME grey".
    """
    name, _, how = kind.partition(" ")
    pixels = portraits.darker_skin() if name == "darker_skin" else portraits.photograph(name)  # type: ignore[arg-type]
    if how == "grey":
        return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if not how:
        return pixels
    someone = portraits.person("astronaut" if name == "astronaut" else "portrait")
    colour = pixels.astype(np.float32) if name == "darker_skin" else someone.colour
    wall = {"dark room": _DARK_WALL, "rim": _SKY}.get(how, _WHITE_WALL)
    stops = {"backlit": 1.6, "rim": 1.6, "white wall": 0.0, "dark room": 1.8}[how]
    alpha = someone.alpha[..., None]
    made = colour * 2 ** (-stops / 2.2) * alpha + wall * (1 - alpha)
    if how == "rim":
        body = (someone.alpha > 0.5).astype(np.uint8)
        sunny = body - cv2.erode(body, np.ones((1, 29), np.uint8), borderValue=1)  # 15 px: 1/22 of the face
        sunny = cv2.GaussianBlur(sunny.astype(np.float32), (0, 0), 2)[..., None] * alpha
        made += (np.float32([255, 252, 240]) - made) * sunny
    if how == "dark room":  # with a lamp in it: that something is bright must not keep the face dark
        cv2.circle(made, (60, 60), 55, (255, 250, 235), -1)
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


@cache
def _headshot(kind: str) -> np.ndarray:
    return render.render_frame(render.prepare_look(_analysed(kind), StyleSpec(), 7.5), render.SeedJitter())[0]


def _cheeks(pixels: np.ndarray) -> np.ndarray:
    """The median Lab of both cheeks."""
    mesh = face.mesh(pixels, face.find(pixels)[0])
    mask = np.zeros(pixels.shape[:2], np.uint8)
    for cheek in CHEEKS:
        cv2.fillPoly(mask, [cv2.convexHull(mesh[list(cheek), :2].astype(np.int32))], 1)
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    middle: np.ndarray = np.median(lab[mask > 0], axis=0)
    return middle


def _hue(lab: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(lab[2], lab[1])))


@pytest.mark.parametrize("kind", ["portrait backlit", "astronaut backlit", "portrait dark room"])
def test_a_dark_or_backlit_face_is_lifted_by_half_a_stop_to_a_stop_and_keeps_its_hue(kind: str) -> None:
    photo, headshot = _cheeks(_photo(kind)), _cheeks(_headshot(kind))
    stops = 3 * np.log2((headshot[0] + 16) / (photo[0] + 16))
    assert 0.4 <= stops <= 1.2
    assert abs(_hue(headshot) - _hue(photo)) < 5


@pytest.mark.parametrize("kind", ["portrait", "darker_skin", "darker_skin white wall", "portrait white wall"])
def test_a_well_lit_face_of_any_complexion_is_not_lifted_whatever_is_behind_it(kind: str) -> None:
    photo, headshot = _cheeks(_photo(kind)), _cheeks(_headshot(kind))
    assert abs(headshot[0] - photo[0]) < 4
    assert abs(_hue(headshot) - _hue(photo)) < 4


def test_a_lift_burns_nothing_out_and_no_two_tones_change_places() -> None:
    greys = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], 3, axis=2)
    for lift in (exposure.Lift(1.2), exposure.Lift(1.44, 0.1)):
        lifted = lift.apply(greys)[0, :, 0]
        assert lifted.max() <= 1
        assert np.diff(lifted).min() >= 0


def test_a_lift_makes_a_strong_colour_brighter_and_no_more_glaring() -> None:
    shirt = np.full((4, 4, 3), (0.45, 0.58, 0.22), np.float32)
    lifted = exposure.Lift(gain=1.4).apply(shirt)
    (before, a, b), (after, lifted_a, lifted_b) = (
        cv2.cvtColor(cloth, cv2.COLOR_RGB2LAB)[0, 0] for cloth in (shirt, lifted)
    )
    assert after > before + 10
    assert np.hypot(lifted_a, lifted_b) < 1.12 * np.hypot(a, b)
    assert np.arctan2(lifted_b, lifted_a) == pytest.approx(np.arctan2(b, a), abs=0.07), "its hue stays"


def test_a_rim_of_burnt_out_daylight_along_jaw_and_ears_is_calmed_and_gets_the_skins_hue() -> None:
    studied = _analysed("portrait rim")
    skin = studied.surface.skin
    person = cv2.resize(studied.foreground.astype(np.float32), skin.shape[::-1], interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(studied.alpha.astype(np.float32), skin.shape[::-1], interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(person, cv2.COLOR_RGB2LAB)
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    height = studied.face_px / analysis.GRID
    jaw = np.zeros(alpha.shape, bool)
    eyes = int(framing.CANVAS_EYES * alpha.shape[0])
    jaw[eyes + int(0.2 * height) : eyes + int(0.45 * height)] = True  # below the ears' middle, above the chin
    rim = lab[jaw & (alpha > 0.95) & (depth < 0.03 * height)]
    face_bright = np.percentile(lab[..., 0][skin > 0.6], 90)
    assert np.median(rim[:, 0]) < face_bright + 22  # the lifted rim would lie 36 above it
    assert np.median(rim[:, 1]) > 1  # pink, not the white of the sun


def test_a_black_and_white_photo_stays_black_and_white() -> None:
    middle = _cheeks(_headshot("portrait grey"))
    assert np.hypot(middle[1], middle[2]) < 1
