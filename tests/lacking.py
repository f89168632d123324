"""What a test needs and the machine lacks."""

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip the test. Where the tests decide about a change it fails, for there a skip is a hole that nobody sees."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
