"""The devices that the local pipeline can run on, their free memory, and the tiers in which a model fits into it.

All memory is in GiB. Only `devices`, `select_devices` and `Device.free_gb` import torch.
"""

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from headshot.backend_names import LOCAL
from headshot.errors import NotConfigured, SettingsError

from .model_specs import BUCKET, MODEL_SPECS, ModelSpec, minimum_gb

_GIB = 2**30
_OFFLOADING = ("cuda", "xpu")  # devices with memory of their own; elsewhere offloading frees nothing
_QUANTISER = "bitsandbytes"
_CGROUP = Path("/sys/fs/cgroup")  # version 2, as in every current container; psutil sees the whole machine's memory


class Tier(StrEnum):
    """How the weights are held in memory, best first. The value is the text for the screen.

    8 and 4 bit come before sequential offload, which is exact but moves every weight to the device at every step.
    """

    ON_DEVICE = "all on the device"
    MODEL_OFFLOAD = "one model at a time on the device"
    EIGHT_BIT = "weights at 8 bit"
    FOUR_BIT = "weights at 4 bit"
    SEQUENTIAL_OFFLOAD = "one layer at a time on the device"

    @property
    def bits(self) -> int | None:
        """Bits of a quantised weight, None for a tier that does not quantise."""
        return {Tier.EIGHT_BIT: 8, Tier.FOUR_BIT: 4}.get(self)


@dataclass(frozen=True)
class Device:
    """A device that models can run on.

    Attributes:
        name: torch's: “cuda:0” (for ROCm too), “mps”, “xpu:0” or “cpu”.
        title: as people read it.
        dtype: the best number format that it computes in natively, by torch's name.
        total_gb: all its memory, in GiB.
    """

    name: str
    title: str
    dtype: str
    total_gb: float

    @property
    def kind(self) -> str:
        """The name without the number: “cuda”."""
        return self.name.partition(":")[0]

    def free_gb(self) -> float:
        """Memory that models could use now, in GiB, including torch's unused reserve."""
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
    """The accelerators of this machine, the one with the most free memory first.

    Args:
        cpu: return the processor instead.

    Returns:
        Empty if there is none, or if torch is not installed (`loading.missing_packages` names it).

    Raises:
        NotConfigured: torch is installed but cannot be loaded.
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
        native = torch.backends.mps.is_macos_or_newer(14, 0)  # Metal has bfloat16 since then
        dtype = "bfloat16" if native else "float16"
        found.append(Device("mps", "Apple GPU", dtype, torch.mps.recommended_max_memory() / _GIB))
    return sorted(found, key=lambda device: -device.free_gb())


def select_devices(setting: str) -> list[Device]:
    """The devices that the setting `pipeline_device` selects.

    Args:
        setting: `auto` for every accelerator, `cpu`, or a device by its name or kind.

    Raises:
        NotConfigured: there is no accelerator.
        SettingsError: the named device is not among those found.
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


def dtype_for(spec: ModelSpec, device: Device) -> str:
    """The number format that a model runs in, by torch's name.

    It is the device's, except that only SDXL stays within float16's range.
    """
    if device.dtype != "float16" or spec.family == "sdxl-face":
        return device.dtype
    return "bfloat16" if device.kind == "cuda" else "float32"  # CUDA emulates bfloat16 on older cards, Metal does not


def needed_gb(spec: ModelSpec, device: Device, tier: Tier) -> float | None:
    """Memory that a full bucket needs on the device, in GiB; None if model or device does not support the tier."""
    width_factor = 2 if dtype_for(spec, device) == "float32" else 1
    extra = (BUCKET - 1) * spec.extra_gb_per_image * width_factor
    if tier is Tier.ON_DEVICE:
        return spec.memory_gb * width_factor + extra
    if device.kind not in _OFFLOADING:
        return None
    if tier.bits is not None:
        known = dict(spec.quantised)
        available = tier.bits in known and importlib.util.find_spec(_QUANTISER) is not None
        return known[tier.bits] + extra if available else None
    single = spec.offload_gb if tier is Tier.MODEL_OFFLOAD else spec.sequential_gb
    return single * width_factor + extra


def fitting_tiers(spec: ModelSpec, device: Device, *, free_gb: float | None = None) -> list[Tier]:
    """The tiers that fit into the free memory, best first; empty if none does.

    Offloaded weights are kept in the host's memory, so those tiers need room there too.

    Args:
        spec: the model.
        device: where it shall run.
        free_gb: free memory in GiB; None: measure it.
    """
    free = device.free_gb() if free_gb is None else free_gb
    fit = []
    for tier in Tier:
        needed = needed_gb(spec, device, tier)
        if needed is None or needed > free:
            continue
        offloads = tier in (Tier.MODEL_OFFLOAD, Tier.SEQUENTIAL_OFFLOAD)
        if offloads and spec.memory_gb > _host_free_gb():
            continue
        fit.append(tier)
    return fit


def memory_shortage(spec: ModelSpec, device: Device) -> str:
    """A sentence for a model of which no tier fits: how much memory it needs, how much is free, and what to do."""
    needs = [needed for tier in Tier if (needed := needed_gb(spec, device, tier)) is not None]
    free = device.free_gb()
    sentence = (
        f"{spec.title} needs at least {min(needs):.1f} GB of memory on {device.title}, "
        f"and {free:.1f} of {device.total_gb:.1f} GB are free."
    )
    if min(needs) <= free:
        sentence = (
            f"{spec.title} fits on {device.title} only with its weights kept in the computer's own memory, which "
            f"wants {spec.memory_gb:.0f} GB, and {_host_free_gb():.1f} GB are free."
        )
    smaller = [other for other in MODEL_SPECS.values() if minimum_gb(other) < minimum_gb(spec)]
    advice = "Close what else uses it"
    if smaller:
        advice += f", or choose a smaller recipe: HEADSHOT_PIPELINE={min(smaller, key=minimum_gb).name}"
    return f"{sentence} {advice}."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the device's or the host's memory ran out.

    torch raises several kinds, some of which only the text identifies.
    """
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
            f"PyTorch is installed and cannot be loaded ({type(error).__name__}): reinstall it with "
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


def _container_limit() -> int | None:
    """The container's memory limit in bytes, None if there is none."""
    try:
        text = _CGROUP.joinpath("memory.max").read_text(encoding="ascii").strip()
    except OSError:  # another system, or no container
        return None
    return None if text == "max" else int(text)
