"""Model specs, devices and tiers: what is declared, and what is chosen for the memory found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from paths import ROOT

from headshot.errors import NotConfigured, SettingsError
from headshot.pipeline import hardware
from headshot.pipeline.hardware import Device, Tier
from headshot.pipeline.model_specs import FLUX2_KLEIN, MODEL_SPECS, QWEN_EDIT, SDXL_FACE, ModelSpec, best_fitting

CARD = Device("cuda:0", "a card", "bfloat16", 24.0)
OLD_CARD = Device("cuda:0", "an old card", "float16", 8.0)
APPLE = Device("mps", "Apple GPU", "bfloat16", 24.0)
CPU = Device("cpu", "the processor", "float32", 64.0)
FREE_LICENCES = {"Apache-2.0", "MIT", "CreativeML Open RAIL++-M"}


@pytest.mark.parametrize("module", ["model_specs", "hardware", "weights", "loading", "download"])
def test_the_light_modules_import_nothing_heavy(module: str) -> None:
    heavy = ("torch", "diffusers", "transformers", "accelerate", "gradio")
    script = f"import sys, headshot.pipeline.{module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("spec", MODEL_SPECS.values(), ids=list(MODEL_SPECS))
def test_every_spec_is_complete(spec: ModelSpec) -> None:
    width, height = spec.size
    assert width * 5 == height * 4
    assert width % 16 == height % 16 == spec.reference_px % 16 == 0
    assert 512 <= spec.reference_px <= 768
    assert spec.memory_gb > spec.offload_gb > spec.sequential_gb
    assert {repo.licence for repo in spec.repos} <= FREE_LICENCES
    assert not any(word in repo.name.lower() for repo in spec.repos for word in ("insightface", "faceid", "dev", "9b"))
    for word in ("Prompt", "egative prompt", "Guidance", "Steps", "another picture here"):
        assert word in spec.help
    assert "a navy suit" in spec.model_prompt("a navy suit")


def test_an_editors_prompt_asks_to_keep_the_face_and_braces_in_a_prompt_are_only_braces() -> None:
    assert FLUX2_KLEIN.model_prompt("{} {x}").startswith("Professional headshot of the same person")
    assert FLUX2_KLEIN.model_prompt("{} {x}").endswith(": {} {x}")
    assert SDXL_FACE.model_prompt("{} {x}") == "{} {x}"


@pytest.mark.parametrize(
    ("free_gb", "spec"), [(80, FLUX2_KLEIN), (24, FLUX2_KLEIN), (11.3, FLUX2_KLEIN), (7.6, SDXL_FACE), (2, SDXL_FACE)]
)
def test_the_free_memory_chooses_the_model(free_gb: float, spec: ModelSpec) -> None:
    assert best_fitting(free_gb) is spec


def test_the_best_fitting_of_the_models_with_weights_is_chosen() -> None:
    assert best_fitting(24, [QWEN_EDIT]) is QWEN_EDIT
    assert best_fitting(12, [QWEN_EDIT, SDXL_FACE]) is SDXL_FACE
    assert best_fitting(1, [QWEN_EDIT, SDXL_FACE]) is SDXL_FACE


def test_the_tiers_of_each_class_of_card_are_those_that_fit_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_host_free_gb", lambda: 64.0)
    quantiser = hardware.importlib.util.find_spec
    monkeypatch.setattr(
        hardware.importlib.util, "find_spec", lambda name: True if name == "bitsandbytes" else quantiser(name)
    )
    offloads = [Tier.MODEL_OFFLOAD, Tier.SEQUENTIAL_OFFLOAD]
    assert hardware.fitting_tiers(FLUX2_KLEIN, CARD, free_gb=23.5) == [Tier.ON_DEVICE, *offloads]
    assert hardware.fitting_tiers(FLUX2_KLEIN, CARD, free_gb=11.3) == offloads
    assert hardware.fitting_tiers(FLUX2_KLEIN, CARD, free_gb=6) == [Tier.SEQUENTIAL_OFFLOAD]
    assert hardware.fitting_tiers(FLUX2_KLEIN, CARD, free_gb=2) == []
    assert hardware.fitting_tiers(SDXL_FACE, CARD, free_gb=7.6) == offloads
    assert hardware.fitting_tiers(QWEN_EDIT, CARD, free_gb=23.5) == [Tier.FOUR_BIT, Tier.SEQUENTIAL_OFFLOAD]
    assert hardware.fitting_tiers(QWEN_EDIT, CARD, free_gb=79) == list(Tier)


def test_a_tier_that_the_machine_does_not_support_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_host_free_gb", lambda: 8.0)  # offloaded weights would not fit there
    monkeypatch.setattr(hardware.importlib.util, "find_spec", lambda name: None)
    assert hardware.fitting_tiers(FLUX2_KLEIN, CARD, free_gb=23.5) == [Tier.ON_DEVICE]
    assert hardware.fitting_tiers(QWEN_EDIT, CARD, free_gb=23.5) == []  # the quantiser is missing too
    assert hardware.fitting_tiers(FLUX2_KLEIN, APPLE, free_gb=19) == [Tier.ON_DEVICE]
    assert hardware.fitting_tiers(FLUX2_KLEIN, APPLE, free_gb=12) == []
    assert hardware.fitting_tiers(FLUX2_KLEIN, CPU, free_gb=30) == []  # twice as wide there
    assert hardware.fitting_tiers(FLUX2_KLEIN, CPU, free_gb=40) == [Tier.ON_DEVICE]


def test_the_message_for_too_little_memory_has_both_figures_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "free_gb", lambda _: 3.0)
    sentence = hardware.memory_shortage(FLUX2_KLEIN, CARD)
    assert "needs at least 5.3 GB of memory on a card" in sentence
    assert "3.0 of 24.0 GB are free" in sentence
    assert "HEADSHOT_PIPELINE=sdxl-face" in sentence
    assert "smaller recipe" not in hardware.memory_shortage(SDXL_FACE, CARD)

    monkeypatch.setattr(Device, "free_gb", lambda _: 11.0)
    monkeypatch.setattr(hardware, "_host_free_gb", lambda: 8.0)
    assert "the computer's own memory, which wants 17 GB, and 8.0 GB are free" in hardware.memory_shortage(
        FLUX2_KLEIN, CARD
    )


def test_only_sdxl_runs_in_float16_because_the_others_leave_its_range() -> None:
    assert hardware.dtype_for(SDXL_FACE, OLD_CARD) == "float16"
    assert hardware.dtype_for(FLUX2_KLEIN, OLD_CARD) == "bfloat16"
    assert hardware.dtype_for(FLUX2_KLEIN, Device("mps", "", "float16", 8)) == "float32"
    assert hardware.dtype_for(FLUX2_KLEIN, CPU) == "float32"


def test_without_an_accelerator_the_error_names_the_processor_and_its_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardware, "devices", lambda cpu=False: [CPU] if cpu else [])
    assert hardware.select_devices("cpu") == [CPU]
    for setting in ("auto", "cuda:0"):
        with pytest.raises(
            NotConfigured, match=r"No accelerator was found.*HEADSHOT_PIPELINE_DEVICE=cpu.*many minutes"
        ):
            hardware.select_devices(setting)


def test_a_device_is_chosen_by_its_name_and_the_error_for_a_wrong_name_lists_the_right_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second = Device("cuda:1", "another card", "bfloat16", 24.0)
    monkeypatch.setattr(hardware, "devices", lambda cpu=False: [CARD, second])
    assert hardware.select_devices("auto") == [CARD, second]
    assert hardware.select_devices("cuda") == [CARD, second]
    assert hardware.select_devices("cuda:1") == [second]
    with pytest.raises(SettingsError, match=r"“cuda:7”.*choose auto, cuda:0, cuda:1, cpu\.$"):
        hardware.select_devices("cuda:7")


def test_the_processor_is_offered_only_on_request() -> None:
    assert all(device.kind != "cpu" for device in hardware.devices())
    (processor,) = hardware.devices(cpu=True)
    assert (processor.name, processor.dtype) == ("cpu", "float32")
    assert 0 < processor.free_gb() <= processor.total_gb


def test_a_containers_limit_counts_and_not_the_whole_machines_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(f"{2**30}\n", encoding="ascii")
    (tmp_path / "memory.current").write_text(f"{2**28}\n", encoding="ascii")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    (processor,) = hardware.devices(cpu=True)
    assert (processor.total_gb, processor.free_gb()) == (1.0, 0.75)


def test_an_out_of_memory_error_is_recognised_however_it_is_spelt() -> None:
    import torch

    torch.set_num_threads(1)
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)  # the processor's allocator, for real
    assert hardware.is_out_of_memory(caught.value)
    assert hardware.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert hardware.is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not hardware.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not hardware.is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_tiny_models_have_the_classes_and_channels_of_the_real_ones(family: tiny.Family) -> None:
    root = tiny.folder(family) / MODEL_SPECS[family].repos[0].folder
    name = "unet" if family == "sdxl-face" else "transformer"
    config = json.loads((root / name / "config.json").read_text(encoding="utf-8"))
    assert config["in_channels"] == {"flux2-klein": 128, "sdxl-face": 4, "qwen-edit": 64}[family]
    assert tiny.tiny_spec(family).size == (64, 80)
