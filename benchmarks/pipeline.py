"""What the local pipeline costs over diffusers' own calls, as ratios within one run, on models with random weights.

    python benchmarks/pipeline.py [RECIPE ...] [--all] [--rounds N]

On an accelerator the models have the shapes and sizes of the real ones, and are created from the configurations below:
nothing is downloaded. Elsewhere they are the tests' tiny ones, on one thread. qwen-edit is measured only with --all or
by its name. Goals are printed beside the figures, which are medians of rounds in which every variant runs once.

"Ours" is the part that runs on the device: face and prompts encoded, four seeds denoised in one batch, four previews a
second, pictures decoded. The safety check and the likeness run afterwards, on the processor, and are in no figure.
"""

import argparse
import importlib.metadata
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import tiny  # noqa: E402, I001 - the folder is not installed; before Hugging Face's: it forbids the network
import diffusers  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402

from headshot.imaging.photo import Photo  # noqa: E402
from headshot.pipeline import hardware, loading  # noqa: E402
from headshot.pipeline.face_crop import face_region  # noqa: E402
from headshot.pipeline.model_specs import BUCKET, Family, MODEL_SPECS, ModelSpec  # noqa: E402
from headshot.pipeline.device_run import BatchEvent, StepEvent, run_comparison  # noqa: E402
from headshot.request import HeadshotRequest  # noqa: E402

ALWAYS = ("flux2-klein", "sdxl-face")
ROUNDS, TINY_ROUNDS = 3, 7  # a round takes a minute or two with the real shapes
GUIDANCE = 4.0  # above 1, so that every step has two passes
REQUESTS = [
    HeadshotRequest(
        prompt="charcoal backdrop, Rembrandt light, navy suit",
        negative_prompt="blurry, plastic skin",
        guidance_scale=GUIDANCE,
        num_inference_steps=21,
        seed=seed,
    )
    for seed in range(BUCKET)
]
PROMPT, NEGATIVE, STEPS = REQUESTS[0].prompt, REQUESTS[0].negative_prompt, REQUESTS[0].num_inference_steps
Ways = Mapping[str, Callable[[], list[Image.Image]]]

# The published config.json of each model, where it differs from its class's defaults.
QWEN3_4B = {
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
}
KLEIN_4B = {
    "num_layers": 5,
    "num_single_layers": 20,
    "num_attention_heads": 24,
    "joint_attention_dim": 3 * 2560,
    "guidance_embeds": False,
}
KLEIN_VAE: dict[str, Any] = {}
CLIP_L = {
    "hidden_size": 768,
    "projection_dim": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}
CLIP_BIG_G = {
    "hidden_size": 1280,
    "projection_dim": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
}
CLIP_VISION_H = {
    "hidden_size": 1280,
    "projection_dim": 1024,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
    "image_size": 224,
    "hidden_act": "gelu",
}
SDXL_UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SDXL_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 1024,
    "scaling_factor": 0.13025,
}
FACE_TOKENS, FACE_LAYERS = 16, 4  # of the IP-Adapter “plus”, as wide as its image encoder
QWEN_IMAGE = {"zero_cond_t": True}
QWEN_VL_7B: dict[str, dict[str, Any]] = {
    "text_config": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        "bos_token_id": None,
        "eos_token_id": None,
    },
    "vision_config": {"depth": 32, "hidden_size": 1280, "num_heads": 16, "out_hidden_size": 3584},
}


def line(what: str, figure: str, goal: str = "-") -> None:
    print(f"{what:<62} {figure:>16}   goal {goal}", flush=True)


def from_disk(family: Family) -> loading.Loaded:
    """The tiny models, loaded by the product's own loader."""
    (processor,) = hardware.devices(cpu=True)
    spec, folder = tiny.tiny_spec(family), tiny.folder(family)
    return loading.load(spec, processor, hardware.Tier.ON_DEVICE, folder=folder, compile=False)


def of_real_shape(spec: ModelSpec, device: hardware.Device) -> loading.Loaded:
    """A model of the real shape with random weights, all on the device, not compiled.

    Tokenizers, scheduler and processors are those of the tiny models, which read single characters. That makes no
    difference to klein and SDXL, which pad every prompt to its full length, but gives Qwen some hundred tokens more.
    """
    dtype, threads = hardware.dtype_for(spec, device), torch.get_num_threads()
    small = from_disk(spec.family).pipe
    torch.set_num_threads(threads)  # the tiny models' loader has set it to 1
    makers = {"flux2-klein": klein_models, "sdxl-face": sdxl_models, "qwen-edit": qwen_models}
    usual = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device.name):
            torch.manual_seed(0)
            models = {name: network.eval() for name, network in makers[spec.family](small).items()}
    finally:
        torch.set_default_dtype(usual)
    tiny_vae = models.pop("tiny_vae", None)
    components = {name: part for name, part in small.components.items() if part is not None} | models
    if spec.family == "sdxl-face":
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        components |= {"feature_extractor": CLIPImageProcessorPil(), "add_watermarker": False}
    pipe = type(small)(**components)
    if spec.family == "sdxl-face":
        pipe.load_ip_adapter(ip_adapter(pipe.unet), subfolder="", weight_name="", image_encoder_folder=None)
        pipe.set_ip_adapter_scale(loading._FACE_STRENGTH)
    pipe.to(device.name, getattr(torch, dtype))
    pipe.set_progress_bar_config(disable=True)
    pipe.vae.enable_slicing()
    tier = hardware.Tier.ON_DEVICE
    return loading.Loaded(pipe, spec, device, tier, dtype, "random weights", loading._versions(tier), tiny_vae=tiny_vae)


def klein_models(small: Any) -> dict[str, Any]:
    from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return {
        "transformer": Flux2Transformer2DModel(**KLEIN_4B),
        "vae": AutoencoderKLFlux2(**KLEIN_VAE),
        "text_encoder": Qwen3ForCausalLM(Qwen3Config(**QWEN3_4B)),
    }


def sdxl_models(small: Any) -> dict[str, Any]:
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    known = small.tokenizer
    marks = {"bos_token_id": known.bos_token_id, "eos_token_id": known.eos_token_id, "pad_token_id": known.pad_token_id}
    return {
        "unet": UNet2DConditionModel(**SDXL_UNET),
        "vae": AutoencoderKL(**SDXL_VAE),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_L, **marks)),
        "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_BIG_G, **marks)),
        "image_encoder": CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP_VISION_H)),
        "tiny_vae": AutoencoderTiny(),
    }


def ip_adapter(unet: Any) -> dict[str, dict[str, Any]]:
    """The tensors of a “plus” adapter for this U-Net, under the names of the published file; random."""
    inner, prompt_width = CLIP_VISION_H["hidden_size"], unet.config.cross_attention_dim
    assert isinstance(inner, int)

    def linear(rows: int, columns: int) -> Any:
        return torch.randn(rows, columns) / columns**0.5

    def norm(name: str, width: int) -> dict[str, Any]:
        return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}

    face = {"latents": torch.randn(1, FACE_TOKENS, inner) / inner**0.5}
    face |= {"proj_in.weight": linear(inner, inner), "proj_in.bias": torch.zeros(inner)}
    face |= {
        "proj_out.weight": linear(prompt_width, inner),
        "proj_out.bias": torch.zeros(prompt_width),
        **norm("norm_out", prompt_width),
    }
    for layer in (f"layers.{number}" for number in range(FACE_LAYERS)):
        for name in ("0.norm1", "0.norm2", "1.0"):
            face |= norm(f"{layer}.{name}", inner)
        for name, rows, columns in (
            ("0.to_q", inner, inner),
            ("0.to_kv", 2 * inner, inner),
            ("0.to_out", inner, inner),
            ("1.1", 4 * inner, inner),
            ("1.3", inner, 4 * inner),
        ):
            face[f"{layer}.{name}.weight"] = linear(rows, columns)
    crossing = [name for name in unet.attn_processors if "attn2" in name]
    words = {}
    for number, name in enumerate(crossing):
        rows = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
        words |= {f"{2 * number + 1}.to_{way}_ip.weight": linear(rows, prompt_width) for way in ("k", "v")}
    return {"image_proj": face, "ip_adapter": words}


def qwen_models(small: Any) -> dict[str, Any]:
    from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    known = small.tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        **QWEN_VL_7B,
        image_token_id=known("<|image_pad|>"),
        video_token_id=known("<|video_pad|>"),
        vision_start_token_id=known("<|vision_start|>"),
        vision_end_token_id=known("<|vision_end|>"),
    )
    return {
        "transformer": QwenImageTransformer2DModel(**QWEN_IMAGE),
        "vae": AutoencoderKLQwenImage(),
        "text_encoder": Qwen2_5_VLForConditionalGeneration(config),
    }


def ours(loaded: loading.Loaded, face: Image.Image) -> list[Image.Image]:
    pictures: list[Image.Image] = []

    def on_event(event: StepEvent | BatchEvent) -> None:
        if isinstance(event, BatchEvent):
            pictures.extend(event.pictures)

    run_comparison(loaded, face, REQUESTS, on_event)
    return pictures


@torch.no_grad()
def bare(loaded: loading.Loaded, face: Image.Image, seeds: Sequence[int]) -> list[Image.Image]:
    """diffusers' own call for these seeds as in its documentation, including the encoding of prompts and face."""
    pipe, spec, count = loaded.pipe, loaded.spec, len(seeds)
    width, height = spec.size
    named: dict[str, Any] = {
        "width": width,
        "height": height,
        "num_inference_steps": STEPS,
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
    }
    prompt = spec.model_prompt(PROMPT)
    match spec.family:
        case "flux2-klein":  # whose call accepts a negative prompt only as embeddings
            words = pipe.encode_prompt(prompt, device=loaded.device.name)[0].repeat(count, 1, 1)
            others = pipe.encode_prompt(NEGATIVE, device=loaded.device.name)[0].repeat(count, 1, 1)
            named |= {"image": face, "prompt_embeds": words, "negative_prompt_embeds": others}
            named |= {"guidance_scale": GUIDANCE}
        case "sdxl-face":
            named |= {"ip_adapter_image": face, "prompt": prompt, "negative_prompt": NEGATIVE}
            named |= {"guidance_scale": GUIDANCE, "num_images_per_prompt": count}
        case "qwen-edit":
            named |= {"image": face, "prompt": prompt, "negative_prompt": NEGATIVE}
            named |= {"true_cfg_scale": GUIDANCE, "num_images_per_prompt": count}
    with as_large_as(face):
        return list(pipe(**named).images)


@contextmanager
def as_large_as(face: Image.Image) -> Iterator[None]:
    """Keep Qwen's call from enlarging the crop to a megapixel: ours does not, and both must do the same work."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus

    usual, plus.VAE_IMAGE_SIZE = plus.VAE_IMAGE_SIZE, face.width * face.height
    try:
        yield
    finally:
        plus.VAE_IMAGE_SIZE = usual


def timed(make: Callable[[], list[Image.Image]], device: hardware.Device) -> float:
    """Seconds until the pictures are in the host's memory, when no device work is left.

    On the processor these are CPU seconds: on one thread that is the time on an idle machine, and this one may be busy.
    """
    clock = time.process_time if device.kind == "cpu" else time.perf_counter
    started = clock()
    assert make()
    return clock() - started


def rounds_of(ways: Ways, rounds: int, device: hardware.Device) -> dict[str, list[float]]:
    """Seconds of every variant in every round; each round starts with another one. One warm-up run is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for make in ways.values():
        make()
    for number in range(rounds):
        first = number % len(ways)
        names = list(ways)
        for name in names[first:] + names[:first]:
            seconds[name].append(timed(ways[name], device))
    return seconds


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    each = sorted(one / other for one, other in zip(above, below, strict=True))
    return f"{statistics.median(each):.3f} x ({each[0]:.2f}–{each[-1]:.2f})"


def peak_mib(device: hardware.Device, make: Callable[[], object]) -> float | None:
    """Peak memory: of torch's allocator on a device, of the whole process on the processor; None if unknown."""
    if device.kind in ("cuda", "xpu"):
        module = getattr(torch, device.kind)
        module.reset_peak_memory_stats(device.name)
        make()
        return float(module.max_memory_allocated(device.name)) / 2**20
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if device.kind != "cpu" or not reset.exists():
        return None
    reset.write_text("5", encoding="ascii")  # resets VmHWM; proc(5)
    make()
    return int(status.read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) / 1024


def memory_line(what: str, mib: float | None) -> None:
    line(what, "not known" if mib is None else f"{mib:,.0f} MiB")


def overhead_lines(kind: str, seconds: Mapping[str, list[float]]) -> None:
    fours, bares = seconds["ours"], seconds["bare"]
    line(f"four seeds, ours / the bare call{kind}", ratio(fours, bares), "at most 1.03 x")
    more = statistics.median(one - other for one, other in zip(fours, bares, strict=True)) / STEPS
    line("  the difference, a step of four pictures", f"{more * 1000:.2f} ms")
    line(f"seconds a picture, ours{kind}", f"{statistics.median(fours) / BUCKET:.3f} s")


def compiled_lines(loaded: loading.Loaded, ways: Ways, eager: Mapping[str, list[float]], rounds: int) -> None:
    if not loading._can_compile(loaded.device):
        print("Compiled: left out; it needs a CUDA, ROCm or Intel card, triton and a C compiler.")
        return
    loading._compile(loaded.pipe)
    line("the first comparison, which compiles", f"{timed(ways['ours'], loaded.device):.1f} s")
    seconds = rounds_of({name: ways[name] for name in ("ours", "bare")}, rounds, loaded.device)
    overhead_lines(", compiled", seconds)
    line("ours, compile off / on", ratio(eager["ours"], seconds["ours"]))
    line("four separate calls / ours compiled", ratio(eager["separate"], seconds["ours"]))


def measure(spec: ModelSpec, device: hardware.Device, rounds: int) -> None:
    is_tiny = device.kind == "cpu"
    loaded = from_disk(spec.family) if is_tiny else of_real_shape(spec, device)
    face = face_region(Photo.open(ROOT / "headshot" / "examples" / "portrait.jpg").pixels, loaded.spec)
    width, height = loaded.spec.size
    shape = "TINY models" if is_tiny else "real shapes"
    print(f"\n{spec.name}: {shape}, random weights, {loaded.dtype}, {width} x {height}, {STEPS} steps, guided")

    seeds = [request.seed or 0 for request in REQUESTS]
    ways: Ways = {
        "ours": lambda: ours(loaded, face),
        "bare": lambda: bare(loaded, face, seeds),
        "separate": lambda: [bare(loaded, face, [seed])[0] for seed in seeds],
    }
    apart = [
        float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())
        for one, other in zip(ways["ours"](), ways["bare"](), strict=True)
    ]
    line("the same pictures: most that one differs, mean of 0…255", f"{max(apart):.3f}")
    seconds = rounds_of(ways, rounds, device)
    overhead_lines("", seconds)
    goal = "none on the processor" if is_tiny else "at least 1.5 x"
    line("four separate calls / four seeds as one comparison", ratio(seconds["separate"], seconds["ours"]), goal)
    memory_line("peak memory, ours", peak_mib(device, ways["ours"]))
    memory_line("peak memory, the bare call of four", peak_mib(device, ways["bare"]))
    if not is_tiny:
        compiled_lines(loaded, ways, seconds, rounds)
    loaded.unload()


def main() -> None:
    parser = argparse.ArgumentParser(description="What the local pipeline costs over diffusers' own calls.")
    parser.add_argument("recipe", nargs="*", help=f"{', '.join(MODEL_SPECS)}; without one: {' and '.join(ALWAYS)}")
    parser.add_argument("--all", action="store_true", help="qwen-edit too")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}, with tiny models {TINY_ROUNDS}")
    arguments = parser.parse_args()
    if unknown := set(arguments.recipe) - set(MODEL_SPECS):
        parser.error(f"no such recipe: {', '.join(sorted(unknown))}")
    names = arguments.recipe or (MODEL_SPECS if arguments.all else ALWAYS)

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    found = hardware.devices()
    device = found[0] if found else hardware.devices(cpu=True)[0]
    if not found:
        torch.set_num_threads(1)  # the models are so small that a second thread would only wait
    rounds = arguments.rounds or (ROUNDS if found else TINY_ROUNDS)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "diffusers", "transformers")}
    print(f"Device: {device.title} ({device.name}), {device.total_gb:.0f} GiB, {platform.machine()}")
    print(f"Versions: {', '.join(f'{name} {known}' for name, known in versions.items())}, ", end="")
    print(f"Python {platform.python_version()}; CUDA {torch.version.cuda}, HIP {torch.version.hip}")
    print("Models: of the real shapes" if found else "Models: TINY, because no accelerator was found; one thread")
    clock = "wall seconds" if found else "CPU seconds"
    print(f"Medians of {rounds} rounds, {clock}; in brackets the least and the most")
    for name in names:
        spec = MODEL_SPECS[name]
        needed = hardware.needed_gb(spec, device, hardware.Tier.ON_DEVICE)
        if found and needed is not None and needed > (free := device.free_gb()):
            print(f"\n{name}: left out, it needs {needed:.1f} GiB and {free:.1f} are free.")
            continue
        measure(spec, device, rounds)


if __name__ == "__main__":
    main()
