"""Hard side light is softened, and the key stands on the right side of a turned head."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import portraits
import pytest

from headshot.imaging import face
from headshot.studio import analysis, lighting, render
from headshot.studio.prompt.style_spec import StyleSpec

_CHEEKS = ((50, 117, 123, 147, 187, 205), (280, 346, 352, 376, 411, 425))  # the picture's left one, its right one


@cache
def _lit_from_the_side() -> analysis.Analysis:
    pixels = portraits.harsh_side_light()
    return analysis.analyse(pixels, face.find(pixels)[0], [], steps=21)


def _stops_between_the_cheeks(pixels: np.ndarray) -> float:
    mesh = face.mesh(pixels, face.find(pixels)[0])
    linear = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) / 255.0) ** 2.2
    means = []
    for cheek in _CHEEKS:
        mask = np.zeros(linear.shape, np.uint8)
        cv2.fillPoly(mask, [mesh[list(cheek), :2].astype(np.int32)], 1)
        means.append(float(linear[mask > 0].mean()))
    return float(np.log2(means[0] / means[1]))


@pytest.mark.parametrize(("pattern", "softer_by"), [("soft", 1.1), ("loop", -0.05)])  # a twentieth is not seen
def test_soft_light_takes_a_stop_off_hard_side_light_and_loop_light_does_not_harden_it(
    pattern: lighting.Pattern, softer_by: float
) -> None:
    hard = _stops_between_the_cheeks(portraits.harsh_side_light())
    cut_out = replace(_lit_from_the_side(), trust=1.0)  # whatever is left of it on the dark side
    shared = render.prepare_look(cut_out, StyleSpec(light=pattern), 7.5)
    assert shared.side == -1  # where the photo's light comes from
    assert _stops_between_the_cheeks(render.render_frame(shared, render.SeedJitter())[0]) < hard - softer_by


def test_a_softened_face_keeps_its_mean_exposure() -> None:
    studied = _lit_from_the_side()
    weight = studied.surface.skin * studied.surface.face
    gain = lighting.relight(studied.surface, studied.light, lighting.SETUPS["soft"], -1.0, 1.0, studied.face_px / 4)
    assert float((gain * weight).sum() / weight.sum()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("turn", [-35.0, 35.0])
def test_the_key_stands_where_a_turned_head_looks_to_unless_the_photos_light_plainly_comes_from_elsewhere(
    turn: float,
) -> None:
    looks = np.sign(turn)
    assert lighting.SourceLight(0.0, -0.3, turn).side == looks
    assert lighting.SourceLight(-0.15 * looks, -0.3, turn).side == looks
    assert lighting.SourceLight(0.6 * looks, -0.3, turn).side == looks
    assert lighting.SourceLight(-0.6 * looks, -0.3, turn).side == -looks


def test_the_turn_is_read_off_the_mesh_and_a_head_that_looks_ahead_has_the_photos_side() -> None:
    studied = _lit_from_the_side()
    pixels = portraits.harsh_side_light()
    mesh = face.mesh(pixels, face.find(pixels)[0])
    dark = np.full((*studied.surface.skin.shape, 3), 0.4, np.float32)
    for degrees in (-40, 0, 40):
        angle = np.radians(degrees)
        turned = (mesh - mesh.mean(axis=0)) @ np.array(
            [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]], np.float32
        )
        own = lighting.estimate_source(dark, studied.surface, turned)
        assert own.turn == pytest.approx(degrees, abs=10)
        assert own.side == np.sign(degrees)  # an evenly lit face: nothing but the turn decides
    assert studied.light.side == -1
