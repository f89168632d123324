"""The backdrops: repeatable, coherent over seeds, the same at proof size, without what gives a painting away."""

from typing import get_args

import cv2
import numpy as np
import pytest

from headshot.studio.prompt.style_spec import Painted
from headshot.studio.scene import backdrop, places

ALL = get_args(Painted)
SCENES = ("office", "window", "garden")
PAPERS = tuple(name for name in ALL if name not in SCENES)


def painted(name, seed=1, size=(256, 320), key_from=-0.6, drama=1.0):
    return backdrop.paint(
        name, width=size[0], height=size[1], rng=np.random.default_rng(seed), key_from=key_from, drama=drama
    )


def lab(linear):
    return cv2.cvtColor(linear, cv2.COLOR_LRGB2Lab)


def eight_bit(linear):
    return np.round(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("drama", [0.0, 1.0, 2.0])
def test_every_backdrop_is_linear_light_in_range_and_in_single_precision(name, drama):
    picture = painted(name, drama=drama)
    assert picture.shape == (320, 256, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_paints_the_same_bytes(name):
    assert painted(name, 5).tobytes() == painted(name, 5).tobytes()


@pytest.mark.parametrize("name", ALL)
def test_the_generator_leaves_in_the_same_state_at_every_size(name):
    after = []
    for size in ((64, 80), (200, 250)):
        rng = np.random.default_rng(2)
        backdrop.paint(name, width=size[0], height=size[1], rng=rng, key_from=0.3, drama=1.0)
        after.append(rng.integers(2**62))
    assert after[0] == after[1]


@pytest.mark.parametrize("name", ALL)
def test_seeds_differ_yet_stay_frames_of_one_session(name):
    frames = [cv2.GaussianBlur(lab(painted(name, seed)), (0, 0), 2) for seed in range(4)]
    means = np.array([frame.mean((0, 1)) for frame in frames])
    for one in range(4):
        for other in range(one):
            assert np.abs(means[one] - means[other]).max() < 7
            assert np.abs(frames[one] - frames[other]).mean() > (
                0.03 if name == "white" else 0.1
            )  # white has no room to vary in


@pytest.mark.parametrize("name", SCENES)
def test_seeds_move_the_camera_within_one_place(name):
    """The picture moves by some percent of its width: seen at once, yet the same room."""
    first, *others = (cv2.GaussianBlur(lab(painted(name, seed))[..., 0], (0, 0), 3) for seed in range(4))
    for other in others:
        assert np.abs(first - other).mean() > 1.5
        assert (
            np.corrcoef(cv2.GaussianBlur(first, (0, 0), 24).ravel(), cv2.GaussianBlur(other, (0, 0), 24).ravel())[0, 1]
            > 0.6
        )


@pytest.mark.parametrize("name", ALL)
def test_a_proof_is_the_full_picture_reduced(name):
    full = cv2.resize(painted(name, 3, (1024, 1280)), (256, 320), interpolation=cv2.INTER_AREA)
    assert np.abs(lab(full) - lab(painted(name, 3))).mean() < 0.5


@pytest.mark.parametrize("name", SCENES)
def test_a_place_that_was_seen_before_is_developed_as_if_it_had_not_been(name):
    painted(name, 6, drama=0.5)
    again = painted(name, 6, key_from=0.6, drama=1.5)
    places._film_image.cache_clear()
    assert painted(name, 6, key_from=0.6, drama=1.5).tobytes() == again.tobytes()


@pytest.mark.parametrize("name", ALL)
def test_the_side_of_the_key_is_the_brighter_side(name):
    for seed in range(3):
        left, right = painted(name, seed, key_from=-0.8), painted(name, seed, key_from=0.8)
        assert left[:, :85].mean() > left[:, -85:].mean() * 1.002
        assert right[:, -85:].mean() > right[:, :85].mean() * 1.002


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_with_the_key_on_the_other_side_is_its_mirror_image(name):
    left, right = painted(name, 4, key_from=-0.5), painted(name, 4, key_from=0.5)
    assert np.abs(lab(left) - lab(right[:, ::-1])).mean() < 0.6  # all but the tooth


@pytest.mark.parametrize(
    ("name", "lightness", "a", "b"),
    [
        ("white", (96, 100), (-1, 1), (-1, 1.5)),
        ("light grey", (68, 84), (-1.5, 1.5), (-3, 1.5)),
        ("grey", (44, 60), (-1.5, 1.5), (-3, 1.5)),
        ("charcoal", (20, 36), (-1.5, 1.5), (-3.5, 1.5)),
        ("black", (3, 11), (-1.5, 1.5), (-2.5, 1.5)),
        ("navy", (12, 28), (-2, 5), (-22, -12)),
        ("beige", (64, 80), (0.5, 5), (8, 16)),
    ],
)
def test_a_paper_has_the_colour_of_its_name(name, lightness, a, b):
    for seed in range(3):
        middle = np.median(lab(painted(name, seed)).reshape(-1, 3), axis=0)
        for value, (low, high) in zip(middle, (lightness, a, b), strict=True):
            assert low <= value <= high, (name, middle)


def test_white_paper_stays_nearly_white_to_its_corners():
    for seed in range(3):
        assert cv2.GaussianBlur(lab(painted("white", seed, key_from=1.0))[..., 0], (0, 0), 3).min() > 94


@pytest.mark.parametrize("name", PAPERS)
def test_drama_deepens_the_falloff(name):
    def falloff(drama):
        light = cv2.GaussianBlur(lab(painted(name, 1, drama=drama))[..., 0], (0, 0), 4)
        return np.quantile(light, 0.98) - np.quantile(light, 0.02)

    assert falloff(0.0) < falloff(1.0) < falloff(2.0)


@pytest.mark.parametrize("name", PAPERS)
def test_a_smooth_paper_does_not_band_in_eight_bits(name):
    """No run of one value longer than chance allows: without tooth the plateaus are 20 to 80 px wide."""
    picture = eight_bit(painted(name, 2, (1024, 1280)))[..., 1]
    for row in picture[::64]:
        starts = np.flatnonzero(np.diff(row, prepend=-1, append=-1))
        assert np.diff(starts).max() <= 20


@pytest.mark.parametrize("name", PAPERS)
def test_paper_shows_no_lattice(name):
    """Less than a level of any one frequency remains once the slow light is taken away: nothing looks woven."""
    picture = eight_bit(painted(name, 2, (512, 512)))[..., 1].astype(np.float32)
    fine = (picture - cv2.GaussianBlur(picture, (0, 0), 6))[32:-32, 32:-32]
    spectrum = np.abs(np.fft.fft2(fine * np.outer(np.hanning(448), np.hanning(448)))) / (448 * 448 / 4) * 2
    assert spectrum.max() < 0.1


@pytest.mark.parametrize("name", SCENES)
def test_nothing_in_a_scene_is_in_focus(name):
    for seed in range(3):
        smooth = cv2.GaussianBlur(eight_bit(painted(name, seed, (1024, 1280))).astype(np.float32), (0, 0), 1.5)
        steepest = max(np.abs(np.diff(smooth, axis=axis)).max() for axis in (0, 1))
        assert steepest < 13, steepest  # levels a pixel: an edge in focus, 0 to 255, has 67 after this smoothing


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_stays_calm_beside_the_head(name):
    """Where the contour of the head runs, no light is close to paper white and the detail is soft."""
    for seed in range(4):
        light = lab(painted(name, seed))[60:200, 60:196, 0]
        assert np.quantile(light, 0.98) < 96
