"""Fixtures of the local pipeline's tests."""

from collections.abc import Iterator

import pytest
from paths import ROOT

from headshot.imaging.photo import Photo


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """torch on one thread: the tiny models would only wait for a second one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def photo() -> Photo:
    """A portrait with one face."""
    return Photo.from_bytes((ROOT / "headshot/examples/portrait.jpg").read_bytes())
