"""Duration estimates learn from each run."""

import pytest

from headshot.durations import DurationEstimator


def test_the_first_measurement_replaces_the_guess_and_later_ones_move_it() -> None:
    estimator = DurationEstimator(5.0)
    assert estimator.seconds == 5.0
    estimator.record(1.0)
    assert estimator.seconds == 1.0
    for _ in range(10):
        estimator.record(2.0)
    assert estimator.seconds == pytest.approx(2.0, abs=0.01)


def test_work_that_fails_is_not_recorded() -> None:
    estimator = DurationEstimator(5.0)
    with pytest.raises(ZeroDivisionError), estimator.measured():
        raise ZeroDivisionError
    assert estimator.seconds == 5.0
    with estimator.measured():
        pass
    assert estimator.seconds < 1
