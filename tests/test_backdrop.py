"""The backdrops: repeatable, coherent over seeds, the same at proof size, and free of what gives a painted picture away."""

from typing import get_args

import cv2
import numpy as np
import pytest

from headshot.studio import backdrop
from headshot.studio.look import Backdrop

ALL = get_args(Backdrop)
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
            # White and black have little room to differ in.
            assert np.abs(frames[one] - frames[other]).mean() > (0.08 if name in ("white", "black") else 0.4)


@pytest.mark.parametrize("name", ALL)
def test_a_proof_is_the_full_picture_reduced(name):
    full = cv2.resize(painted(name, 3, (1024, 1280)), (256, 320), interpolation=cv2.INTER_AREA)
    assert np.abs(lab(full) - lab(painted(name, 3))).mean() < 0.5


@pytest.mark.parametrize("name", ALL)
def test_the_side_of_the_key_is_the_brighter_side(name):
    for seed in range(3):
        left, right = painted(name, seed, key_from=-0.8), painted(name, seed, key_from=0.8)
        assert left[:, :85].mean() > left[:, -85:].mean() * 1.002
        assert right[:, -85:].mean() > right[:, :85].mean() * 1.002
