"""What the local pipeline can run on, how much memory is free there, and which ways of holding a recipe fit into it.

All memory is in GiB. Only `devices`, `chosen` and `Device.free_gb` import torch.
"""

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from headshot.backend_names import LOCAL
from headshot.errors import NotConfigured, SettingsError

from .model_specs import BUCKET, MODEL_SPECS, ModelSpec, least_gb

_GIB = 2**30
_OFFLOADING = ("cuda", "xpu")  # where the device's memory is its own; elsewhere offloading would move nothing
_QUANTISER = "bitsandbytes"


class Tier(StrEnum):
    """How the weights are held; the value is the words for the screen. Best first.

    8 and 4 bit come before sequential offload, which is exact but sends every weight over the bus at every step.
    """

    ON_DEVICE = "all on the device"
    MODEL_OFFLOAD = "one model at a time on the device"
    EIGHT_BIT = "weights at 8 bit"
    FOUR_BIT = "weights at 4 bit"
    SEQUENTIAL_OFFLOAD = "one layer at a time on the device"

    @property
    def bits(self) -> int | None:
        return {Tier.EIGHT_BIT: 8, Tier.FOUR_BIT: 4}.get(self)


@dataclass(frozen=True)
class Device:
    """name: torch's, “cuda:0” (ROCm's too), “mps”, “xpu:0”, “cpu”.  dtype: the best it computes natively."""

    name: str
    title: str
    dtype: str
    total_gb: float

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    def free_gb(self) -> float:
        """What a load could take now, counting what torch holds in reserve without using it."""
        torch = _torch()
        if self.kind == "cpu":
            return _host_free_gb()
        if self.kind == "mps":
            ours = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
            return float(min(ours / _GIB, _host_free_gb()))
        module = getattr(torch, self.kind)
        free, _ = module.mem_get_info(self.name)
        reserve = module.memory_reserved(self.name) - module.memory_allocated(self.name)
        return float(free + reserve) / _GIB


def devices(cpu: bool = False) -> list[Device]:
    """The accelerators of this machine, the one with most free memory first; with `cpu`, the processor alone.

    Empty where there is none, and where torch is not installed (`loading.absent_packages` names it).
    Raises NotConfigured where torch is there and cannot be loaded.
    """
    if importlib.util.find_spec("torch") is None:
        return []
    torch = _torch()
    if cpu:
        return [Device("cpu", "the processor", "float32", _host_total_gb())]
    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        with torch.cuda.device(index):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = "bfloat16" if native else "float16"
        found.append(Device(f"cuda:{index}", properties.name, dtype, properties.total_memory / _GIB))
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        for index in range(torch.xpu.device_count()):
            properties = torch.xpu.get_device_properties(index)
            found.append(Device(f"xpu:{index}", properties.name, "bfloat16", properties.total_memory / _GIB))
    if torch.backends.mps.is_available():
        native = torch.backends.mps.is_macos_or_newer(14, 0)  # Metal knows bfloat16 since then
        dtype = "bfloat16" if native else "float16"
        found.append(Device("mps", "Apple GPU", dtype, torch.mps.recommended_max_memory() / _GIB))
    return sorted(found, key=lambda device: -device.free_gb())


def chosen(setting: str) -> list[Device]:
    """The devices that HEADSHOT_PIPELINE_DEVICE asks for: `auto` every accelerator, `cpu`, or one by its name.

    Raises NotConfigured where there is none, SettingsError where the named one is not among those found.
    """
    if setting == "cpu":
        return devices(cpu=True)
    found = devices()
    if not found:
        raise NotConfigured(
            LOCAL,
            "No accelerator was found: the local pipeline wants a GPU (CUDA, ROCm, Apple or Intel) and a PyTorch that "
            "knows it. HEADSHOT_PIPELINE_DEVICE=cpu runs it on the processor, where one headshot takes many minutes.",
        )
    if setting == "auto":
        return found
    named = [device for device in found if setting in (device.name, device.kind)]
    if not named:
        known = ", ".join(["auto", *(device.name for device in found), "cpu"])
        raise SettingsError(f"HEADSHOT_PIPELINE_DEVICE names “{setting[:20]}”, which is not here: choose {known}.")
    return named


def dtype_for(recipe: ModelSpec, device: Device) -> str:
    """The number format a recipe runs in: the device's, save that only SDXL stays within float16's range."""
    if device.dtype != "float16" or recipe.family == "sdxl-face":
        return device.dtype
    return "bfloat16" if device.kind == "cuda" else "float32"  # CUDA emulates it on older cards, Metal does not


def needed_gb(recipe: ModelSpec, device: Device, tier: Tier) -> float | None:
    """What a full bucket needs on the device, None where this recipe or device has no such tier."""
    wide = 2 if dtype_for(recipe, device) == "float32" else 1
    extra = (BUCKET - 1) * recipe.extra_gb_per_image * wide
    if tier is Tier.ON_DEVICE:
        return recipe.memory_gb * wide + extra
    if device.kind not in _OFFLOADING:
        return None
    if tier.bits is not None:
        known = dict(recipe.quantised)
        there = tier.bits in known and importlib.util.find_spec(_QUANTISER) is not None
        return known[tier.bits] + extra if there else None
    alone = recipe.offload_gb if tier is Tier.MODEL_OFFLOAD else recipe.sequential_gb
    return alone * wide + extra


def tiers(recipe: ModelSpec, device: Device, *, free_gb: float | None = None) -> list[Tier]:
    """The tiers that fit, best first, from the memory that is free now; empty where none does.

    free_gb: what to reckon with instead, for example after a fault has shown less.
    Offloaded weights wait in the host's memory, so those tiers also want room there.
    """
    free = device.free_gb() if free_gb is None else free_gb
    fit = []
    for tier in Tier:
        needed = needed_gb(recipe, device, tier)
        if needed is None or needed > free:
            continue
        offloads = tier in (Tier.MODEL_OFFLOAD, Tier.SEQUENTIAL_OFFLOAD)
        if offloads and recipe.memory_gb > _host_free_gb():
            continue
        fit.append(tier)
    return fit


def too_little(recipe: ModelSpec, device: Device) -> str:
    """The sentence for a recipe of which no tier fits: how much it needs, how much is there, and what to do."""
    needs = [needed for tier in Tier if (needed := needed_gb(recipe, device, tier)) is not None]
    free = device.free_gb()
    sentence = (
        f"{recipe.title} needs at least {min(needs):.1f} GB of memory on {device.title}, "
        f"and {free:.1f} of {device.total_gb:.1f} GB are free."
    )
    if min(needs) <= free:
        sentence = (
            f"{recipe.title} fits on {device.title} only with its weights kept in the computer's own memory, which "
            f"wants {recipe.memory_gb:.0f} GB, and {_host_free_gb():.1f} GB are free."
        )
    smaller = [other for other in MODEL_SPECS.values() if least_gb(other) < least_gb(recipe)]
    advice = "Close what else uses it"
    if smaller:
        advice += f", or choose a smaller recipe: HEADSHOT_PIPELINE={min(smaller, key=least_gb).name}"
    return f"{sentence} {advice}."


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocator said no, the device's or the host's; torch raises several kinds, some known only by text."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _torch() -> Any:
    try:
        import torch
    except (ImportError, OSError) as error:
        raise NotConfigured(
            LOCAL,
            f"PyTorch is installed and cannot be loaded ({type(error).__name__}): install it anew with "
            "`pip install --force-reinstall -r requirements-gpu.txt`.",
        ) from error
    return torch


def _memory() -> Any:
    import psutil  # type: ignore[import-untyped]  # it comes with accelerate

    return psutil.virtual_memory()


def _host_total_gb() -> float:
    total = int(_memory().total)
    limit = _container_limit()
    return (total if limit is None else min(total, limit)) / _GIB


def _host_free_gb() -> float:
    free = int(_memory().available)
    limit = _container_limit()
    if limit is not None:
        free = min(free, limit - int(_CGROUP.joinpath("memory.current").read_text(encoding="ascii")))
    return max(free, 0) / _GIB


_CGROUP = Path("/sys/fs/cgroup")  # version 2, as in every current container; psutil sees the whole machine's memory


def _container_limit() -> int | None:
    """The bytes this container may use, None where nothing limits it."""
    try:
        text = _CGROUP.joinpath("memory.max").read_text(encoding="ascii").strip()
    except OSError:  # no such file: another system, or no container
        return None
    return None if text == "max" else int(text)
