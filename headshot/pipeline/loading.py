"""Loads models from disk onto a device, never from the network, and frees them again."""

import gc
import importlib.metadata
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headshot.backend_names import LOCAL
from headshot.errors import NotConfigured

from .hardware import Device, Tier, dtype_for, is_out_of_memory
from .model_specs import ModelSpec
from .weights import CLASSES, download_advice, missing_weights, repo_root, revision

_log = logging.getLogger(__name__)
PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub")
_FACE_STRENGTH = 0.7  # weight of the face against the prompt, 0…1; the adapter's published range is 0.6 to 0.8
# Raised by the loaders for a damaged or foreign file; their own errors are ValueError, OSError and RuntimeError.
_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)


@dataclass
class Loaded:
    """A model's networks on a device. For one task at a time, because diffusers' pipeline keeps state in itself.

    Attributes:
        pipe: diffusers' pipeline, None after `unload`.
        spec: the model.
        device: where it is.
        tier: how its weights are held.
        dtype: the number format that it computes in, by torch's name.
        revision: the commits of all its repositories, “repository@commit”.
        versions: of every package that influences a picture.
        tiny_vae: the small autoencoder that decodes previews, None if there is none.
        compiled: whether the model is compiled.
    """

    pipe: Any
    spec: ModelSpec
    device: Device
    tier: Tier
    dtype: str
    revision: str
    versions: Mapping[str, str]
    tiny_vae: Any = None
    compiled: bool = False

    def unload(self) -> None:
        """Drop the models and give their memory back to the device. A second call does nothing."""
        if self.pipe is not None and self.tier in (Tier.MODEL_OFFLOAD, Tier.SEQUENTIAL_OFFLOAD):
            self.pipe.remove_all_hooks()  # the hooks keep references to the weights in the host's memory
        self.pipe = None
        self.tiny_vae = None
        _free_memory()


def missing_packages() -> list[str]:
    """The packages of requirements-gpu.txt that are not installed. Imports none of them."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def go_offline() -> None:
    """Forbid Hugging Face's packages any use of the network, even if they are imported already."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")  # Gradio imports it
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def load(
    spec: ModelSpec,
    device: Device,
    tier: Tier,
    *,
    folder: Path | None = None,
    compile: bool = True,  # noqa: A002  torch's own word for it
) -> Loaded:
    """Read a model's weights from disk and put them on a device.

    An allocator's error is raised as it is, with nothing left on the device; `hardware.is_out_of_memory` recognises it.

    Args:
        spec: the model.
        device: where to put it.
        tier: how to hold the weights.
        folder: the folder with the weights, None for Hugging Face's cache.
        compile: compile the repeated blocks if device, tier and compiler allow it; the first run then takes about a
            minute longer.

    Raises:
        NotConfigured: a package or weights are missing, wrong or damaged.
    """
    packages = missing_packages()
    if packages:
        names = " and ".join([", ".join(packages[:-1]), packages[-1]] if packages[1:] else packages)
        raise NotConfigured(
            LOCAL, f"The local pipeline lacks {names}: install it with `pip install -r requirements-gpu.txt`."
        )
    missing = missing_weights(spec, folder)
    if missing:
        raise NotConfigured(LOCAL, download_advice(spec, missing, folder))
    go_offline()
    _check_packages(spec)
    try:
        return _load(spec, device, tier, folder, compiling=compile)
    except _UNREADABLE as error:
        _free_memory()
        if is_out_of_memory(error):
            raise
        if tier.bits is not None:
            raise NotConfigured(
                LOCAL,
                f"{spec.title} cannot be held at {tier.bits} bit on {device.title} ({type(error).__name__}): bring "
                "bitsandbytes up to date, or choose a smaller recipe.",
            ) from error
        where = f"in {folder}" if folder else "in the cache"
        raise NotConfigured(
            LOCAL,
            f"The weights of {spec.title} {where} cannot be read ({type(error).__name__}): they are damaged or of "
            f"another version. Delete them and run `{spec.command}` again.",
        ) from error
    except MemoryError:
        _free_memory()
        raise


def _check_packages(spec: ModelSpec) -> None:
    """Import the model's class before any weights are read, so that the error names the right cause."""
    try:
        import diffusers

        getattr(diffusers, CLASSES[spec.family])
    except (ImportError, AttributeError, RuntimeError) as error:  # diffusers wraps errors of its modules
        raise NotConfigured(
            LOCAL,
            f"The installed packages do not suit the local pipeline ({type(error).__name__} on loading "
            f"{CLASSES[spec.family]}): bring them up to date with `pip install -U -r requirements-gpu.txt`.",
        ) from error


def _load(spec: ModelSpec, device: Device, tier: Tier, folder: Path | None, *, compiling: bool) -> Loaded:
    import torch

    roots = [repo_root(repo, folder) for repo in spec.repos]
    dtype = dtype_for(spec, device)
    options: dict[str, Any] = {"dtype": getattr(torch, dtype), "local_files_only": True}
    loaders = {"flux2-klein": _flux2_klein, "sdxl-face": _sdxl_face, "qwen-edit": _qwen_edit}
    # Quantised weights go straight to the current card, so it must be this one.
    with torch.cuda.device(device.name) if device.kind == "cuda" else nullcontext(), _without_progress_bars():
        pipe = loaders[spec.family](roots, _quantised(options, tier))
    pipe.set_progress_bar_config(disable=True)  # progress goes to the page
    pipe.vae.enable_slicing()  # decodes one by one: bit for bit the same as a single decode, at a fraction of the peak
    _move_to_device(pipe, device, tier)
    compiled = compiling and tier is Tier.ON_DEVICE and _can_compile(device)
    if compiled:
        _compile(pipe)
    present = [(repo, root) for repo, root in zip(spec.repos, roots, strict=True) if root is not None]
    return Loaded(
        pipe=pipe,
        spec=spec,
        device=device,
        tier=tier,
        dtype=dtype,
        revision=", ".join(f"{repo.name}@{revision(repo, root)}" for repo, root in present),
        versions=_versions(tier),
        tiny_vae=_tiny_vae(spec, roots, device, options["dtype"]),
        compiled=compiled,
    )


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Hide the packages' progress bars, which would go to the server's terminal."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    shown = [each for each in (diffusers_logging, transformers_logging) if each.is_progress_bar_enabled()]
    for each in shown:
        each.disable_progress_bar()
    try:
        yield
    finally:
        for each in shown:
            each.enable_progress_bar()


def _flux2_klein(roots: list[Path | None], options: dict[str, Any]) -> Any:
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline.from_pretrained(roots[0], **options)


def _sdxl_face(roots: list[Path | None], options: dict[str, Any]) -> Any:
    from diffusers import StableDiffusionXLPipeline
    from transformers import CLIPVisionModelWithProjection

    # Imported by its full name: the short name resamples differently if torchvision happens to be installed.
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    base, adapter = roots[0], roots[1]
    assert adapter is not None  # `weights` found it  # noqa: S101
    image_encoder = CLIPVisionModelWithProjection.from_pretrained(adapter / "models" / "image_encoder", **options)
    side = image_encoder.config.image_size
    pipe = StableDiffusionXLPipeline.from_pretrained(
        base,
        **options,
        variant="fp16",
        image_encoder=image_encoder,
        feature_extractor=CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        add_watermarker=False,
    )
    pipe.load_ip_adapter(
        adapter,
        subfolder="sdxl_models",
        weight_name="ip-adapter-plus-face_sdxl_vit-h.safetensors",
        image_encoder_folder=None,
        local_files_only=True,
    )
    pipe.set_ip_adapter_scale(_FACE_STRENGTH)
    return pipe


def _qwen_edit(roots: list[Path | None], options: dict[str, Any]) -> Any:
    from diffusers import QwenImageEditPlusPipeline
    from transformers import Qwen2TokenizerFast, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    class PicturesOnly(Qwen2VLProcessor):  # type: ignore[misc]
        """The processor without its video part, which needs torchvision and is never used here."""

        def check_argument_for_proper_class(self, argument_name: str, argument: object) -> None:
            if argument_name != "video_processor":
                super().check_argument_for_proper_class(argument_name, argument)

    root = roots[0]
    assert root is not None  # `weights` found it  # noqa: S101
    processor = PicturesOnly(
        image_processor=Qwen2VLImageProcessorPil.from_pretrained(root / "processor", local_files_only=True),
        tokenizer=Qwen2TokenizerFast.from_pretrained(root / "tokenizer", local_files_only=True),
        video_processor=None,
    )
    return QwenImageEditPlusPipeline.from_pretrained(root, **options, processor=processor)


def _quantised(options: dict[str, Any], tier: Tier) -> dict[str, Any]:
    if tier.bits is None:
        return options
    from diffusers import PipelineQuantizationConfig

    quantiser_options = (
        {"load_in_8bit": True}
        if tier.bits == 8
        else {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",  # for normally distributed weights, as trained ones are (QLoRA, section 3)
            "bnb_4bit_compute_dtype": options["dtype"],
        }
    )
    return options | {
        "quantization_config": PipelineQuantizationConfig(
            quant_backend=f"bitsandbytes_{tier.bits}bit",
            quant_kwargs=quantiser_options,
            components_to_quantize=["transformer", "text_encoder"],
        )
    }


def _move_to_device(pipe: Any, device: Device, tier: Tier) -> None:
    if tier is Tier.MODEL_OFFLOAD:
        pipe.enable_model_cpu_offload(device=device.name)
    elif tier is Tier.SEQUENTIAL_OFFLOAD:
        pipe.enable_sequential_cpu_offload(device=device.name)
    else:
        pipe.to(device.name)


def _can_compile(device: Device) -> bool:
    """torch.compile generates Triton kernels, and Triton builds their launchers with a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return device.kind in ("cuda", "xpu") and importlib.util.find_spec("triton") is not None and compiler is not None


def _compile(pipe: Any) -> None:
    import torch

    torch._dynamo.config.suppress_errors = True  # if compiling fails the model runs uncompiled
    (pipe.unet if hasattr(pipe, "unet") else pipe.transformer).compile_repeated_blocks()


def _tiny_vae(spec: ModelSpec, roots: list[Path | None], device: Device, dtype: Any) -> Any:
    for repo, root in zip(spec.repos, roots, strict=True):
        if not repo.optional or root is None:
            continue
        import torch
        from diffusers import AutoencoderTiny

        try:
            decoder = AutoencoderTiny.from_pretrained(root, dtype=dtype, local_files_only=True)
            return decoder.to(device.name, memory_format=torch.channels_last)  # a quarter faster
        except _UNREADABLE as error:
            if is_out_of_memory(error):
                raise
            _log.warning("Could not load the preview decoder in %s, previews will be coarser: %s", root, error)
    return None


def _versions(tier: Tier) -> dict[str, str]:
    import torch

    names = ("torch", "diffusers", "transformers", "accelerate", *(("bitsandbytes",) if tier.bits else ()))
    known = {name: importlib.metadata.version(name) for name in names}
    if torch.version.cuda or torch.version.hip:
        known["cuda" if torch.version.cuda else "rocm"] = torch.version.cuda or torch.version.hip
    return known


def _free_memory() -> None:
    """Collect a dropped pipeline, whose parts refer to each other, and empty the devices' caches."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        torch.xpu.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
