"""Estimates learn."""

import pytest

from headshot.durations import DurationEstimator


def test_the_first_time_replaces_the_guess_and_later_ones_move_it() -> None:
    pace = DurationEstimator(5.0)
    assert pace.seconds == 5.0
    pace.record(1.0)
    assert pace.seconds == 1.0
    for _ in range(10):
        pace.record(2.0)
    assert pace.seconds == pytest.approx(2.0, abs=0.01)


def test_work_that_fails_teaches_nothing() -> None:
    pace = DurationEstimator(5.0)
    with pytest.raises(ZeroDivisionError), pace.measured():
        raise ZeroDivisionError
    assert pace.seconds == 5.0
    with pace.measured():
        pass
    assert pace.seconds < 1
