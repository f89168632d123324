"""Load a recipe's models from disk onto a device, never from the network, and free them again."""

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

from .hardware import Device, Tier, dtype_for, out_of_memory
from .model_specs import ModelSpec
from .weights import CLASSES, MissingWeights, recognised, revision, root_of, weights, what_to_do

__all__ = ["Loaded", "MissingWeights", "absent_packages", "load", "offline", "recognised", "weights", "what_to_do"]

_log = logging.getLogger(__name__)
PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub")
_FACE_STRENGTH = 0.7  # of the face against the prompt, 0…1; 0.6 to 0.8 is the adapter's published range
# What a damaged or foreign file raises in the loaders: their own errors are ValueError, OSError and RuntimeError.
_UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)


@dataclass
class Loaded:
    """A recipe's models on a device. One job at a time: the pipe keeps its state in itself.

    pipe: diffusers' pipeline, None after `unload`.  tiny_vae: decodes previews, None where there is none.
    revision: the commits of all parts, “repository@commit”.  versions: of every package that shapes a picture.
    """

    pipe: Any
    recipe: ModelSpec
    device: Device
    tier: Tier
    dtype: str
    revision: str
    versions: Mapping[str, str]
    tiny_vae: Any = None
    compiled: bool = False

    def unload(self) -> None:
        """Let go of the models and give their memory back to the device. Harmless a second time."""
        if self.pipe is not None and self.tier in (Tier.MODEL_OFFLOAD, Tier.SEQUENTIAL_OFFLOAD):
            self.pipe.remove_all_hooks()  # they hold the weights in the host's memory
        self.pipe = None
        self.tiny_vae = None
        _release()


def absent_packages() -> list[str]:
    """The packages of requirements-gpu.txt that are not installed; looks without importing any."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def offline() -> None:
    """Switch off every way to the network that Hugging Face's packages have, whether or not one is imported already."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")  # the page's own packages may have brought it in
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def load(
    recipe: ModelSpec,
    device: Device,
    tier: Tier,
    *,
    folder: Path | None = None,
    compile: bool = True,  # noqa: A002  torch's own word for it
) -> Loaded:
    """Read the weights from the folder, or from Hugging Face's cache, and place them as the tier says.

    compile: compile the repeated blocks where device, tier and compiler allow; the first run then takes a minute more.
    Raises NotConfigured with a sentence where a package or weights are missing, wrong or damaged; lets an allocator's
    fault pass (`hardware.out_of_memory` knows it), with nothing left on the device.
    """
    absent = absent_packages()
    if absent:
        names = " and ".join([", ".join(absent[:-1]), absent[-1]] if absent[1:] else absent)
        raise NotConfigured(
            LOCAL, f"The local pipeline lacks {names}: install it with `pip install -r requirements-gpu.txt`."
        )
    missing = weights(recipe, folder)
    if missing:
        raise NotConfigured(LOCAL, what_to_do(recipe, missing, folder))
    offline()
    _check_packages(recipe)
    try:
        return _load(recipe, device, tier, folder, compiling=compile)
    except _UNREADABLE as error:
        _release()
        if out_of_memory(error):
            raise
        if tier.bits is not None:
            raise NotConfigured(
                LOCAL,
                f"{recipe.title} cannot be held at {tier.bits} bit on {device.title} ({type(error).__name__}): bring "
                "bitsandbytes up to date, or choose a smaller recipe.",
            ) from error
        where = f"in {folder}" if folder else "in the cache"
        raise NotConfigured(
            LOCAL,
            f"The weights of {recipe.title} {where} cannot be read ({type(error).__name__}): they are damaged or of "
            f"another version. Delete them and run `{recipe.command}` anew.",
        ) from error
    except MemoryError:
        _release()
        raise


def _check_packages(recipe: ModelSpec) -> None:
    """Import what the recipe needs apart from reading any weights, so that neither is blamed for the other."""
    try:
        import diffusers

        getattr(diffusers, CLASSES[recipe.family])
    except (ImportError, AttributeError, RuntimeError) as error:  # diffusers wraps what its parts raise
        raise NotConfigured(
            LOCAL,
            f"The installed packages do not suit the local pipeline ({type(error).__name__} on loading "
            f"{CLASSES[recipe.family]}): bring them up to date with `pip install -U -r requirements-gpu.txt`.",
        ) from error


def _load(recipe: ModelSpec, device: Device, tier: Tier, folder: Path | None, *, compiling: bool) -> Loaded:
    import torch

    roots = [root_of(part, folder) for part in recipe.parts]
    dtype = dtype_for(recipe, device)
    wanted: dict[str, Any] = {"dtype": getattr(torch, dtype), "local_files_only": True}
    makers = {"flux2-klein": _flux2_klein, "sdxl-face": _sdxl_face, "qwen-edit": _qwen_edit}
    # What is rounded goes straight to the current card, whichever of several that is.
    with torch.cuda.device(device.name) if device.kind == "cuda" else nullcontext(), _without_bars():
        pipe = makers[recipe.family](roots, _quantised(wanted, tier))
    pipe.set_progress_bar_config(disable=True)  # progress goes to the page
    pipe.vae.enable_slicing()  # decodes one by one: to the bit what a single decode gives, at a fraction of the peak
    _place(pipe, device, tier)
    compiled = compiling and tier is Tier.ON_DEVICE and _can_compile(device)
    if compiled:
        _compile(pipe)
    held = [(part, root) for part, root in zip(recipe.parts, roots, strict=True) if root is not None]
    return Loaded(
        pipe=pipe,
        recipe=recipe,
        device=device,
        tier=tier,
        dtype=dtype,
        revision=", ".join(f"{part.repo}@{revision(part, root)}" for part, root in held),
        versions=_versions(tier),
        tiny_vae=_tiny_vae(recipe, roots, device, wanted["dtype"]),
        compiled=compiled,
    )


@contextmanager
def _without_bars() -> Iterator[None]:
    """The packages' progress bars go to a terminal that nobody watches; a program that wants its own keeps them."""
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


def _flux2_klein(roots: list[Path | None], wanted: dict[str, Any]) -> Any:
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline.from_pretrained(roots[0], **wanted)


def _sdxl_face(roots: list[Path | None], wanted: dict[str, Any]) -> Any:
    from diffusers import StableDiffusionXLPipeline
    from transformers import CLIPVisionModelWithProjection

    # By its full name: the plain one is another resampling where torchvision happens to be installed.
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    base, adapter = roots[0], roots[1]
    assert adapter is not None  # `weights` found it  # noqa: S101
    eye = CLIPVisionModelWithProjection.from_pretrained(adapter / "models" / "image_encoder", **wanted)
    side = eye.config.image_size
    pipe = StableDiffusionXLPipeline.from_pretrained(
        base,
        **wanted,
        variant="fp16",
        image_encoder=eye,
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


def _qwen_edit(roots: list[Path | None], wanted: dict[str, Any]) -> Any:
    from diffusers import QwenImageEditPlusPipeline
    from transformers import Qwen2TokenizerFast, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    class PicturesOnly(Qwen2VLProcessor):  # type: ignore[misc]
        """The processor without its part for films, which wants torchvision and never has one to see."""

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
    return QwenImageEditPlusPipeline.from_pretrained(root, **wanted, processor=processor)


def _quantised(wanted: dict[str, Any], tier: Tier) -> dict[str, Any]:
    if tier.bits is None:
        return wanted
    from diffusers import PipelineQuantizationConfig

    options = (
        {"load_in_8bit": True}
        if tier.bits == 8
        else {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",  # made for weights spread like a bell, as trained ones are (QLoRA, section 3)
            "bnb_4bit_compute_dtype": wanted["dtype"],
        }
    )
    return wanted | {
        "quantization_config": PipelineQuantizationConfig(
            quant_backend=f"bitsandbytes_{tier.bits}bit",
            quant_kwargs=options,
            components_to_quantize=["transformer", "text_encoder"],
        )
    }


def _place(pipe: Any, device: Device, tier: Tier) -> None:
    if tier is Tier.MODEL_OFFLOAD:
        pipe.enable_model_cpu_offload(device=device.name)
    elif tier is Tier.SEQUENTIAL_OFFLOAD:
        pipe.enable_sequential_cpu_offload(device=device.name)
    else:
        pipe.to(device.name)


def _can_compile(device: Device) -> bool:
    """torch.compile writes Triton kernels, and Triton builds their launchers with a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    return device.kind in ("cuda", "xpu") and importlib.util.find_spec("triton") is not None and compiler is not None


def _compile(pipe: Any) -> None:
    import torch

    torch._dynamo.config.suppress_errors = True  # a compiler that fails costs the speed, not the headshot
    (pipe.unet if hasattr(pipe, "unet") else pipe.transformer).compile_repeated_blocks()


def _tiny_vae(recipe: ModelSpec, roots: list[Path | None], device: Device, dtype: Any) -> Any:
    for part, root in zip(recipe.parts, roots, strict=True):
        if not part.optional or root is None:
            continue
        import torch
        from diffusers import AutoencoderTiny

        try:
            decoder = AutoencoderTiny.from_pretrained(root, dtype=dtype, local_files_only=True)
            return decoder.to(device.name, memory_format=torch.channels_last)  # convolutions are a fourth quicker so
        except _UNREADABLE as error:
            if out_of_memory(error):
                raise
            _log.warning("the previews' own decoder in %s cannot be read (%s): they get coarser", root, error)
    return None


def _versions(tier: Tier) -> dict[str, str]:
    import torch

    names = ("torch", "diffusers", "transformers", "accelerate", *(("bitsandbytes",) if tier.bits else ()))
    known = {name: importlib.metadata.version(name) for name in names}
    if torch.version.cuda or torch.version.hip:
        known["cuda" if torch.version.cuda else "rocm"] = torch.version.cuda or torch.version.hip
    return known


def _release() -> None:
    """Collect what a pipeline left behind, whose parts refer to each other, and hand the caches back."""
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
