"""The studio's output steps on what a model made: only on request, and repeatable."""

import numpy as np
import pytest

from headshot.imaging import finishing
from headshot.pipeline.results import OutputSteps

EDGE = np.full((1280, 1024, 3), 110, np.uint8)
EDGE[:, 512:] = 140


def spread(pixels: np.ndarray) -> int:
    return int(pixels.max()) - int(pixels.min())


def test_a_models_picture_keeps_its_pixels_by_default() -> None:
    assert OutputSteps().apply(EDGE, 1, 1.0) is EDGE
    assert OutputSteps().facts == {"sharpened": False, "grain": False}


def test_sharpening_lifts_edges_alone_and_an_enlarged_picture_gets_less() -> None:
    sharp, enlarged = (OutputSteps(sharpen=True).apply(EDGE, 1, by) for by in (1.0, 2.0))
    assert spread(sharp) > spread(enlarged) > spread(EDGE)
    assert np.array_equal(sharp[:, :480], EDGE[:, :480])


def test_grain_follows_from_the_seed() -> None:
    one, again, other = (OutputSteps(grain=True).apply(EDGE, seed, 1.0) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert 0.5 < float(one[:, :480].std()) < 4  # to be felt more than seen
    assert abs(float(one[:, :480].mean()) - 110) < 0.5


@pytest.mark.parametrize(
    "steps", [OutputSteps(sharpen=True), OutputSteps(grain=True), OutputSteps(sharpen=True, grain=True)]
)
def test_the_file_says_what_was_done(steps: OutputSteps) -> None:
    assert steps.facts == {"sharpened": steps.sharpen, "grain": steps.grain}


def test_the_output_steps_round_to_the_nearest_value_and_stay_in_range() -> None:
    picture = np.array([[[-0.2, 0.5, 1.4]]], np.float32)
    finished = finishing.finished(picture, sharpness=0, graininess=0, at=(0, 0))
    assert finished.dtype == np.uint8
    assert finished.tolist() == [[[0, 128, 255]]]
