"""The loader: from disk alone, onto a device, off it again, and a sentence for everything that can be wrong."""

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
from headshot.pipeline import hardware, loading
from headshot.pipeline.hardware import Device, Tier
from headshot.pipeline.sampling import Conditioning
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
    return loading.load(tiny.tiny_recipe(family), CPU, Tier.ON_DEVICE, folder=where, compile=True)


def part_of(folder: Path, family: tiny.Family = KLEIN) -> Path:
    return folder / tiny.tiny_recipe(family).parts[0].folder


def refused(family: tiny.Family, folder: Path | None) -> str:
    with pytest.raises(NotConfigured) as caught:
        loading.load(tiny.tiny_recipe(family), CPU, Tier.ON_DEVICE, folder=folder)
    assert caught.value.backend == "local"
    return str(caught.value)


@EVERY
def test_every_recipe_loads_and_runs_with_sockets_forbidden(family: tiny.Family, no_network: None) -> None:
    held = loaded(family)
    assert (held.recipe.name, held.device, held.tier, held.dtype) == (family, CPU, Tier.ON_DEVICE, "float32")
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    for name in ("torch", "diffusers", "transformers", "accelerate"):
        assert held.versions[name][0].isdigit()
    network = held.pipe.unet if family == SDXL else held.pipe.transformer
    assert next(network.parameters()).dtype == torch.float32
    assert held.pipe.vae.use_slicing
    assert not held.compiled  # the processor is never compiled for
    assert (held.tiny_vae is not None) == (family == SDXL)
    face = Image.radial_gradient("L").convert("RGB").resize((held.recipe.reference_px,) * 2)
    asked = HeadshotRequest(seed=1)
    [made] = Conditioning(held, face, asked.prompt, asked.negative_prompt).run([asked], lambda *_: None)
    assert made.size == held.recipe.size
    held.unload()


@EVERY
def test_the_format_of_the_numbers_is_the_device_s(family: tiny.Family) -> None:
    half = Device("cpu", "a processor that knows it", "bfloat16", 8.0)
    held = loading.load(tiny.tiny_recipe(family), half, Tier.ON_DEVICE, folder=tiny.folder(family))
    network = held.pipe.unet if family == SDXL else held.pipe.transformer
    assert held.dtype == "bfloat16"
    assert next(network.parameters()).dtype == torch.bfloat16
    held.unload()


def test_a_process_that_loads_goes_offline_before_hugging_face_is_imported_and_even_after() -> None:
    script = (
        "import os, sys; os.environ.pop('HF_HUB_OFFLINE', None)\n"
        "import huggingface_hub.constants as early\n"
        "from headshot.pipeline import loading\n"
        "assert not early.HF_HUB_OFFLINE\n"
        "loading.offline()\n"
        "print(os.environ['HF_HUB_OFFLINE'], early.HF_HUB_OFFLINE, 'diffusers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True", "False"]


def test_the_face_s_picture_is_prepared_alike_with_and_without_torchvision() -> None:
    sdxl, qwen = loaded(SDXL), loaded(QWEN)
    assert type(sdxl.pipe.feature_extractor).__name__ == "CLIPImageProcessorPil"
    assert type(qwen.pipe.processor.image_processor).__name__ == "Qwen2VLImageProcessorPil"
    assert sdxl.pipe.feature_extractor.crop_size["height"] == sdxl.pipe.image_encoder.config.image_size


@EVERY
def test_unloading_frees_the_weights(family: tiny.Family) -> None:
    held = loaded(family)
    network = held.pipe.unet if family == SDXL else held.pipe.transformer
    weight = weakref.ref(next(network.parameters()))
    del network
    held.unload()
    gc.collect()
    assert weight() is None
    assert held.pipe is None
    assert held.tiny_vae is None
    held.unload()


@pytest.mark.parametrize("cached", [False, True])
def test_the_revision_is_the_commit_that_was_downloaded(
    cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit, part = "a" * 40, tiny.tiny_recipe(KLEIN).parts[0]
    if cached:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        held = tmp_path / "models--black-forest-labs--FLUX.2-klein-base-4B"
        (held / "refs").mkdir(parents=True)
        (held / "refs" / "main").write_text(commit, encoding="ascii")
        shutil.copytree(part_of(tiny.folder(KLEIN)), held / "snapshots" / commit)
    else:
        shutil.copytree(part_of(tiny.folder(KLEIN)), tmp_path / part.folder)
        noted = tmp_path / part.folder / ".cache" / "huggingface" / "download" / "model_index.json.metadata"
        noted.parent.mkdir(parents=True)
        noted.write_text(f"{commit}\netag\n1.0\n", encoding="utf-8")
    held_here = loading.load(tiny.tiny_recipe(KLEIN), CPU, Tier.ON_DEVICE, folder=None if cached else tmp_path)
    assert held_here.revision == f"{part.repo}@{commit}"


def test_weights_of_unknown_origin_are_marked_by_their_contents(copied: Path) -> None:
    first = loaded(KLEIN, copied).revision
    assert first == loaded(KLEIN).revision
    weights = part_of(copied) / "vae" / "diffusion_pytorch_model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert loaded(KLEIN, copied).revision != first


def test_a_folder_may_hold_the_files_directly(copied: Path) -> None:
    held = loaded(KLEIN, part_of(copied))
    assert held.pipe is not None


@EVERY
def test_a_folder_is_recognised_by_what_it_holds(family: tiny.Family, tmp_path: Path) -> None:
    assert loading.recognised(tiny.folder(family)).name == family
    assert loading.recognised(part_of(tiny.folder(family), family)).name == family


def test_a_folder_with_nothing_known_in_it_is_refused_with_the_commands_that_fill_it(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"holds no model .* download flux2-klein --to .* or .*sdxl-face"):
        loading.recognised(tmp_path)
    with pytest.raises(NotConfigured, match="There is no folder"):
        loading.recognised(tmp_path / "nowhere")


def test_missing_weights_are_told_with_their_size_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    recipe = loading.recognised(tiny.folder(KLEIN))
    with pytest.raises(NotConfigured) as caught:
        loading.load(recipe, CPU, Tier.ON_DEVICE)
    assert str(caught.value) == (
        "The weights of FLUX.2 klein base 4B are not on this machine. Run `python -m headshot download flux2-klein` "
        "once, which downloads 16.0 GB; after that no network is needed."
    )
    assert [lack.gigabytes for lack in loading.weights(recipe)] == [16.0]


def test_a_wrong_folder_is_told_and_how_to_fill_it(tmp_path: Path) -> None:
    sentence = refused(KLEIN, tmp_path / "no such place")
    assert "There is no folder" in sentence
    assert "download flux2-klein --to '" in sentence  # quoted for a shell, with the space in its name

    sentence = refused(KLEIN, tmp_path)
    assert f"are not in {tmp_path}" in sentence
    assert f"--to {tmp_path}" in sentence


def test_another_model_s_folder_is_told_by_what_it_is() -> None:
    sentence = refused(KLEIN, part_of(tiny.folder(QWEN), QWEN))
    assert "holds another model (QwenImageEditPlusPipeline), not FLUX.2 klein base 4B" in sentence


def test_the_distilled_klein_is_not_taken_for_the_base_model(copied: Path) -> None:
    index = part_of(copied) / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"is_distilled": True}), encoding="utf-8")
    assert "the distilled model of four steps" in refused(KLEIN, copied)


def test_truncated_weights_are_named_before_anything_is_loaded(copied: Path) -> None:
    file = part_of(copied) / "transformer" / "diffusion_pytorch_model.safetensors"
    os.truncate(file, file.stat().st_size - 1)
    sentence = refused(KLEIN, copied)
    assert "are incomplete" in sentence
    assert "transformer/diffusion_pytorch_model.safetensors is cut short" in sentence
    assert "Run `python -m headshot download flux2-klein --to" in sentence
    assert loading.weights(tiny.tiny_recipe(KLEIN), copied)[0].broken == (file,)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100, b"\x10" + bytes(7) + b"not json at all!"])
def test_a_file_that_is_no_weights_at_all_is_named(copied: Path, content: bytes) -> None:
    (part_of(copied) / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(content)
    assert "vae/diffusion_pytorch_model.safetensors is damaged" in refused(KLEIN, copied)


def test_a_missing_shard_or_component_is_named(copied: Path) -> None:
    index = part_of(copied) / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    shards = {"a": "diffusion_pytorch_model.safetensors", "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}
    index.write_text(json.dumps({"weight_map": shards}), encoding="utf-8")
    assert "transformer/diffusion_pytorch_model-00002-of-00002.safetensors is not there" in refused(KLEIN, copied)
    index.unlink()
    shutil.rmtree(part_of(copied) / "scheduler")
    assert "scheduler is not there" in refused(KLEIN, copied)


def test_weights_that_do_not_fit_their_own_description_are_told_in_words(copied: Path) -> None:
    config = part_of(copied) / "transformer" / "config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"joint_attention_dim": 96}), encoding="utf-8"
    )
    sentence = refused(KLEIN, copied)
    assert "cannot be read" in sentence
    assert "Delete them and run `python -m headshot download flux2-klein` anew" in sentence


def test_the_face_adapter_is_missed_where_only_the_base_is_there(tmp_path: Path) -> None:
    recipe = tiny.tiny_recipe(SDXL)
    shutil.copytree(part_of(tiny.folder(SDXL), SDXL), tmp_path / recipe.parts[0].folder)
    (lack,) = loading.weights(recipe, tmp_path)
    assert lack.part.repo == "h94/IP-Adapter"
    assert "h94/IP-Adapter: they are not there" in refused(SDXL, tmp_path)


@pytest.mark.parametrize("damaged", [False, True])
def test_without_the_previews_own_decoder_a_recipe_still_loads(tmp_path: Path, damaged: bool) -> None:
    recipe = tiny.tiny_recipe(SDXL)
    shutil.copytree(tiny.folder(SDXL), tmp_path, dirs_exist_ok=True)
    decoder = tmp_path / recipe.parts[2].folder
    if damaged:
        os.truncate(decoder / "diffusion_pytorch_model.safetensors", 1000)
    else:
        shutil.rmtree(decoder)
    assert loading.weights(recipe, tmp_path) == []
    assert loaded(SDXL, tmp_path).tiny_vae is None


@pytest.mark.parametrize("name", ["torch", "diffusers", "accelerate"])
def test_a_missing_package_is_named_with_the_command(name: str) -> None:
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


def test_packages_of_an_unsuitable_age_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    monkeypatch.delattr(diffusers, "Flux2KleinPipeline", raising=False)
    monkeypatch.setitem(diffusers._class_to_module, "Flux2KleinPipeline", "pipelines.not_yet")
    sentence = refused(KLEIN, tiny.folder(KLEIN))
    assert "pip install -U -r requirements-gpu.txt" in sentence


def test_a_refusal_of_memory_passes_through_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import diffusers

    kept: list[weakref.ref[object]] = []

    def refuse(pipe: object, *_: object) -> None:
        kept.append(weakref.ref(pipe))
        torch.empty(2**50)  # the allocator itself says no

    monkeypatch.setattr(diffusers.Flux2KleinPipeline, "to", refuse)
    with pytest.raises(RuntimeError) as caught:
        loaded(KLEIN)
    assert hardware.out_of_memory(caught.value)
    del caught
    gc.collect()
    assert kept[0]() is None
