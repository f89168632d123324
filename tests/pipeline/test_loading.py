"""The loader: from disk alone, onto a device, off it again, and one message for each thing that can be wrong."""

import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
import torch
from paths import ROOT
from PIL import Image

from headshot.errors import NotConfigured
from headshot.pipeline import hardware, loading, weights
from headshot.pipeline.hardware import Device, Tier
from headshot.pipeline.sampling import Sampler
from headshot.request import HeadshotRequest

torch.set_num_threads(1)
CPU = Device("cpu", "the processor", "float32", 8.0)
KLEIN, SDXL, QWEN = tiny.FAMILIES
EVERY = pytest.mark.parametrize("family", tiny.FAMILIES)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the pipeline reached for the network")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """klein's weights, to be damaged."""
    folder = tmp_path / "weights"
    shutil.copytree(tiny.folder(KLEIN), folder)
    yield folder


def loaded(family: tiny.Family, folder: Path | None = None) -> loading.Loaded:
    where = folder or tiny.folder(family)
    return loading.load(tiny.tiny_spec(family), CPU, Tier.ON_DEVICE, folder=where, compile=True)


def repo_folder(folder: Path, family: tiny.Family = KLEIN) -> Path:
    return folder / tiny.tiny_spec(family).repos[0].folder


def refused(family: tiny.Family, folder: Path | None) -> str:
    with pytest.raises(NotConfigured) as caught:
        loading.load(tiny.tiny_spec(family), CPU, Tier.ON_DEVICE, folder=folder)
    assert caught.value.backend == "local"
    return str(caught.value)


@EVERY
def test_every_model_loads_and_runs_with_sockets_forbidden(family: tiny.Family, no_network: None) -> None:
    models = loaded(family)
    assert (models.spec.name, models.device, models.tier, models.dtype) == (family, CPU, Tier.ON_DEVICE, "float32")
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    for name in ("torch", "diffusers", "transformers", "accelerate"):
        assert models.versions[name][0].isdigit()
    network = models.pipe.unet if family == SDXL else models.pipe.transformer
    assert next(network.parameters()).dtype == torch.float32
    assert models.pipe.vae.use_slicing
    assert not models.compiled  # nothing is compiled for the processor
    assert (models.tiny_vae is not None) == (family == SDXL)
    face = Image.radial_gradient("L").convert("RGB").resize((models.spec.reference_px,) * 2)
    request = HeadshotRequest(seed=1)
    [picture] = Sampler(models, face, request.prompt, request.negative_prompt).run([request], lambda *_: None)
    assert picture.size == models.spec.size
    models.unload()


@EVERY
def test_the_number_format_is_the_devices(family: tiny.Family) -> None:
    half = Device("cpu", "a processor that knows it", "bfloat16", 8.0)
    models = loading.load(tiny.tiny_spec(family), half, Tier.ON_DEVICE, folder=tiny.folder(family))
    network = models.pipe.unet if family == SDXL else models.pipe.transformer
    assert models.dtype == "bfloat16"
    assert next(network.parameters()).dtype == torch.bfloat16
    models.unload()


def test_a_process_that_loads_goes_offline_before_hugging_face_is_imported_and_even_after() -> None:
    script = (
        "import os, sys; os.environ.pop('HF_HUB_OFFLINE', None)\n"
        "import huggingface_hub.constants as early\n"
        "from headshot.pipeline import loading\n"
        "assert not early.HF_HUB_OFFLINE\n"
        "loading.go_offline()\n"
        "print(os.environ['HF_HUB_OFFLINE'], early.HF_HUB_OFFLINE, 'diffusers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True", "False"]


def test_the_face_crop_is_prepared_alike_with_and_without_torchvision() -> None:
    sdxl, qwen = loaded(SDXL), loaded(QWEN)
    assert type(sdxl.pipe.feature_extractor).__name__ == "CLIPImageProcessorPil"
    assert type(qwen.pipe.processor.image_processor).__name__ == "Qwen2VLImageProcessorPil"
    assert sdxl.pipe.feature_extractor.crop_size["height"] == sdxl.pipe.image_encoder.config.image_size


@EVERY
def test_unloading_frees_the_weights(family: tiny.Family) -> None:
    models = loaded(family)
    network = models.pipe.unet if family == SDXL else models.pipe.transformer
    weight = weakref.ref(next(network.parameters()))
    del network
    models.unload()
    gc.collect()
    assert weight() is None
    assert models.pipe is None
    assert models.tiny_vae is None
    models.unload()


@pytest.mark.parametrize("cached", [False, True])
def test_the_revision_is_the_commit_that_was_downloaded(
    cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit, repo = "a" * 40, tiny.tiny_spec(KLEIN).repos[0]
    if cached:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        models = tmp_path / "models--black-forest-labs--FLUX.2-klein-base-4B"
        (models / "refs").mkdir(parents=True)
        (models / "refs" / "main").write_text(commit, encoding="ascii")
        shutil.copytree(repo_folder(tiny.folder(KLEIN)), models / "snapshots" / commit)
    else:
        shutil.copytree(repo_folder(tiny.folder(KLEIN)), tmp_path / repo.folder)
        noted = tmp_path / repo.folder / ".cache" / "huggingface" / "download" / "model_index.json.metadata"
        noted.parent.mkdir(parents=True)
        noted.write_text(f"{commit}\netag\n1.0\n", encoding="utf-8")
    models = loading.load(tiny.tiny_spec(KLEIN), CPU, Tier.ON_DEVICE, folder=None if cached else tmp_path)
    assert models.revision == f"{repo.name}@{commit}"


def test_the_revision_of_weights_of_unknown_origin_is_a_hash_of_their_contents(copied: Path) -> None:
    first = loaded(KLEIN, copied).revision
    assert first == loaded(KLEIN).revision
    file = repo_folder(copied) / "vae" / "diffusion_pytorch_model.safetensors"
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    assert loaded(KLEIN, copied).revision != first


def test_a_folder_may_hold_the_files_directly(copied: Path) -> None:
    models = loaded(KLEIN, repo_folder(copied))
    assert models.pipe is not None


@EVERY
def test_a_folder_is_recognised_by_what_it_holds(family: tiny.Family, tmp_path: Path) -> None:
    assert weights.spec_in_folder(tiny.folder(family)).name == family
    assert weights.spec_in_folder(repo_folder(tiny.folder(family), family)).name == family


def test_the_error_for_a_folder_without_known_weights_has_the_commands_that_fill_it(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"holds no model .* download flux2-klein --to .* or .*sdxl-face"):
        weights.spec_in_folder(tmp_path)
    with pytest.raises(NotConfigured, match="There is no folder"):
        weights.spec_in_folder(tmp_path / "nowhere")


def test_the_error_for_missing_weights_has_their_size_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    spec = weights.spec_in_folder(tiny.folder(KLEIN))
    with pytest.raises(NotConfigured) as caught:
        loading.load(spec, CPU, Tier.ON_DEVICE)
    assert str(caught.value) == (
        "The weights of FLUX.2 klein base 4B are not on this machine. Run `python -m headshot download flux2-klein` "
        "once, which downloads 16.0 GB; after that no network is needed."
    )
    assert [each.gigabytes for each in weights.missing_weights(spec)] == [16.0]


def test_the_error_for_a_wrong_folder_has_the_command_that_fills_it(tmp_path: Path) -> None:
    sentence = refused(KLEIN, tmp_path / "no such place")
    assert "There is no folder" in sentence
    assert "download flux2-klein --to '" in sentence  # quoted for a shell, with the space in its name

    sentence = refused(KLEIN, tmp_path)
    assert f"are not in {tmp_path}" in sentence
    assert f"--to {tmp_path}" in sentence


def test_the_error_for_another_models_folder_names_that_model() -> None:
    sentence = refused(KLEIN, repo_folder(tiny.folder(QWEN), QWEN))
    assert "holds another model (QwenImageEditPlusPipeline), not FLUX.2 klein base 4B" in sentence


def test_the_distilled_klein_is_not_taken_for_the_base_model(copied: Path) -> None:
    index = repo_folder(copied) / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"is_distilled": True}), encoding="utf-8")
    assert "the distilled model of four steps" in refused(KLEIN, copied)


def test_truncated_weights_are_reported_before_anything_is_loaded(copied: Path) -> None:
    file = repo_folder(copied) / "transformer" / "diffusion_pytorch_model.safetensors"
    os.truncate(file, file.stat().st_size - 1)
    sentence = refused(KLEIN, copied)
    assert "are incomplete" in sentence
    assert "transformer/diffusion_pytorch_model.safetensors is cut short" in sentence
    assert "Run `python -m headshot download flux2-klein --to" in sentence
    assert weights.missing_weights(tiny.tiny_spec(KLEIN), copied)[0].broken == (file,)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100, b"\x10" + bytes(7) + b"not json at all!"])
def test_the_error_names_a_file_that_is_not_weights(copied: Path, content: bytes) -> None:
    (repo_folder(copied) / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(content)
    assert "vae/diffusion_pytorch_model.safetensors is damaged" in refused(KLEIN, copied)


def test_the_error_names_a_missing_shard_or_component(copied: Path) -> None:
    index = repo_folder(copied) / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    shards = {"a": "diffusion_pytorch_model.safetensors", "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}
    index.write_text(json.dumps({"weight_map": shards}), encoding="utf-8")
    assert "transformer/diffusion_pytorch_model-00002-of-00002.safetensors is not there" in refused(KLEIN, copied)
    index.unlink()
    shutil.rmtree(repo_folder(copied) / "scheduler")
    assert "scheduler is not there" in refused(KLEIN, copied)


def test_weights_that_do_not_match_their_config_give_a_readable_error(copied: Path) -> None:
    config = repo_folder(copied) / "transformer" / "config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"joint_attention_dim": 96}), encoding="utf-8"
    )
    sentence = refused(KLEIN, copied)
    assert "cannot be read" in sentence
    assert "Delete them and run `python -m headshot download flux2-klein` again" in sentence


def test_a_missing_face_adapter_is_reported_if_only_the_base_model_is_there(tmp_path: Path) -> None:
    spec = tiny.tiny_spec(SDXL)
    shutil.copytree(repo_folder(tiny.folder(SDXL), SDXL), tmp_path / spec.repos[0].folder)
    (missing,) = weights.missing_weights(spec, tmp_path)
    assert missing.repo.name == "h94/IP-Adapter"
    assert "h94/IP-Adapter: they are not there" in refused(SDXL, tmp_path)


@pytest.mark.parametrize("damaged", [False, True])
def test_without_the_preview_decoder_a_model_still_loads(tmp_path: Path, damaged: bool) -> None:
    spec = tiny.tiny_spec(SDXL)
    shutil.copytree(tiny.folder(SDXL), tmp_path, dirs_exist_ok=True)
    decoder = tmp_path / spec.repos[2].folder
    if damaged:
        os.truncate(decoder / "diffusion_pytorch_model.safetensors", 1000)
    else:
        shutil.rmtree(decoder)
    assert weights.missing_weights(spec, tmp_path) == []
    assert loaded(SDXL, tmp_path).tiny_vae is None


@pytest.mark.parametrize("name", ["torch", "diffusers", "accelerate"])
def test_the_error_for_a_missing_package_has_the_command(name: str) -> None:
    script = (
        "import importlib.abc, sys\n"
        "class Blocked(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, fullname, path=None, target=None):\n"
        f"        if fullname.partition('.')[0] == {name!r}: raise ModuleNotFoundError(fullname, name=fullname)\n"
        "import importlib.util\n"
        "true = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda n, package=None: None if n == {name!r} else true(n, package)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from headshot.errors import NotConfigured\n"
        "from headshot.pipeline import hardware, loading\n"
        "from headshot.pipeline.model_specs import FLUX2_KLEIN\n"
        "try: loading.load(FLUX2_KLEIN, hardware.Device('cpu', '', 'float32', 1), hardware.Tier.ON_DEVICE)\n"
        "except NotConfigured as error: print(error)\n"
        "print(hardware.devices() if " + repr(name) + " == 'torch' else [])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"The local pipeline lacks {name}: install it with `pip install -r requirements-gpu.txt`.",
        "[]",
    ]


def test_packages_of_an_unsuitable_version_give_a_readable_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    monkeypatch.delattr(diffusers, "Flux2KleinPipeline", raising=False)
    monkeypatch.setitem(diffusers._class_to_module, "Flux2KleinPipeline", "pipelines.not_yet")
    sentence = refused(KLEIN, tiny.folder(KLEIN))
    assert "pip install -U -r requirements-gpu.txt" in sentence


def test_an_out_of_memory_error_is_raised_as_it_is_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    kept: list[weakref.ref[object]] = []

    def refuse(pipe: object, *_: object) -> None:
        kept.append(weakref.ref(pipe))
        torch.empty(2**50)  # a real allocator's error

    monkeypatch.setattr(diffusers.Flux2KleinPipeline, "to", refuse)
    with pytest.raises(RuntimeError) as caught:
        loaded(KLEIN)
    assert hardware.is_out_of_memory(caught.value)
    del caught
    gc.collect()
    assert kept[0]() is None
