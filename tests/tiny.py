"""Tiny models with random weights in the layout of the real ones, for the local pipeline's tests to load from disk.

Each has the real model's classes, latent channels and scale of 8, so sizes, packing and previews are as in the real
one; only width and depth are small. Their tokenizers know single characters, so two prompts differ only if their first
75 characters (SDXL) or first few hundred (klein, Qwen) differ.
"""

import dataclasses
import functools
import json
import os
import string
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import of Hugging Face's packages

from headshot.pipeline.model_specs import MODEL_SPECS, Family, ModelSpec, WeightsRepo

FAMILIES: tuple[Family, ...] = ("flux2-klein", "sdxl-face", "qwen-edit")
SIZE = (64, 80)  # 4:5, in the steps of 16 that all three families allow
REFERENCE_PX = 64


def tiny_spec(family: Family) -> ModelSpec:
    """The real spec with the tiny model's sizes and hardly any memory."""
    real = MODEL_SPECS[family]
    repos = tuple(dataclasses.replace(repo, gigabytes=0.002) for repo in real.repos)
    return dataclasses.replace(
        real,
        repos=repos,
        size=SIZE,
        reference_px=REFERENCE_PX,
        memory_gb=0.02,
        offload_gb=0.01,
        sequential_gb=0.005,
        extra_gb_per_image=0.001,
        quantised=tuple((bits, 0.015) for bits, _ in real.quantised),
    )


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="headshot-tiny-")


@functools.cache
def folder(family: Family) -> Path:
    """The folder with the family's tiny weights, created once for the process and deleted with it. Do not change it."""
    import torch

    torch.set_num_threads(1)  # the models are so small that a second thread would only wait
    root = Path(_temporary_folder().name) / family
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        {"flux2-klein": _klein, "sdxl-face": _sdxl, "qwen-edit": _qwen}[family](root, MODEL_SPECS[family].repos)
    return root


def _klein(root: Path, repos: tuple[WeightsRepo, ...]) -> None:
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = _qwen_tokenizer()
    text_encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=28,  # the prompt's embedding comes from the 9th, 18th and 27th
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=1024,
        )
    )
    transformer = Flux2Transformer2DModel(
        in_channels=128,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * 16,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    _amplify(transformer, "context_embedder", "add_v_proj", "to_out", "to_qkv_mlp_proj", "proj_out")
    vae = AutoencoderKLFlux2(block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4, latent_channels=32)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)
    pipe = Flux2KleinPipeline(scheduler, vae.eval(), text_encoder.eval(), tokenizer, transformer.eval())
    pipe.save_pretrained(root / repos[0].folder)


def _sdxl(root: Path, repos: tuple[WeightsRepo, ...]) -> None:
    from diffusers import (
        AutoencoderKL,
        AutoencoderTiny,
        EulerDiscreteScheduler,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from safetensors.torch import save_file
    from transformers import (
        CLIPTextConfig,
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    base, adapter, tiny_vae = repos
    tokenizer = _clip_tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        projection_dim=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        cross_attention_dim=64,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
    )
    vae = AutoencoderKL(
        block_out_channels=(16, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=0.13025,
    )
    scheduler = EulerDiscreteScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        steps_offset=1,
        timestep_spacing="leading",
    )
    pipe = StableDiffusionXLPipeline(
        vae.eval(),
        CLIPTextModel(text).eval(),
        CLIPTextModelWithProjection(text).eval(),
        tokenizer,
        tokenizer,
        unet.eval(),
        scheduler,
        add_watermarker=False,
    )
    pipe.save_pretrained(root / base.folder, variant="fp16")

    eye = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32,
            projection_dim=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        )
    )
    eye.eval().save_pretrained(root / adapter.folder / "models" / "image_encoder")
    (root / adapter.folder / "sdxl_models").mkdir()
    save_file(_ip_adapter(unet), root / adapter.folder / adapter.files[0])

    small = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    )
    small.eval().save_pretrained(root / tiny_vae.folder)


def _amplify(transformer: Any, *parts: str) -> None:
    """Make some layers stronger, so that a change of the prompt shows in 8 bit despite the random weights."""
    import torch

    with torch.no_grad():
        for name, weight in transformer.named_parameters():
            if name.endswith(".weight") and any(part in name for part in parts):
                weight.mul_(4)


def _ip_adapter(unet: Any) -> dict[str, Any]:
    """The tensors of an IP-Adapter “plus”, under the names of the published files."""
    import torch

    inner, heads_px, tokens, layers = 32, 64, 4, 4  # diffusers assumes heads of width 64 and a depth of 4
    image_width, prompt_width = 32, unet.config.cross_attention_dim

    def linear(rows: int, columns: int) -> Any:
        return torch.randn(rows, columns) / columns**0.5

    tensors = {
        "latents": torch.randn(1, tokens, inner) / inner**0.5,
        "proj_in.weight": linear(inner, image_width),
        "proj_in.bias": torch.zeros(inner),
        "proj_out.weight": linear(prompt_width, inner),
        "proj_out.bias": torch.zeros(prompt_width),
        "norm_out.weight": torch.ones(prompt_width),
        "norm_out.bias": torch.zeros(prompt_width),
    }
    for layer in range(layers):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            tensors[f"layers.{layer}.{norm}.weight"] = torch.ones(inner)
            tensors[f"layers.{layer}.{norm}.bias"] = torch.zeros(inner)
        tensors[f"layers.{layer}.0.to_q.weight"] = linear(heads_px, inner)
        tensors[f"layers.{layer}.0.to_kv.weight"] = linear(2 * heads_px, inner)
        tensors[f"layers.{layer}.0.to_out.weight"] = linear(inner, heads_px)
        tensors[f"layers.{layer}.1.1.weight"] = linear(4 * inner, inner)
        tensors[f"layers.{layer}.1.3.weight"] = linear(inner, 4 * inner)
    named = {f"image_proj.{name}": tensor for name, tensor in tensors.items()}

    crossing = [name for name in unet.attn_processors if "attn2" in name]
    for number, name in enumerate(crossing):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for way in ("k", "v"):
            named[f"ip_adapter.{2 * number + 1}.to_{way}_ip.weight"] = linear(attention.to_k.out_features, prompt_width)
    return named


def _qwen(root: Path, repos: tuple[WeightsRepo, ...]) -> None:
    from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    whole = root / repos[0].folder
    tokenizer = _qwen_tokenizer()
    known = tokenizer.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "bos_token_id": None,
            "eos_token_id": None,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [1],
        },
        image_token_id=known("<|image_pad|>"),
        video_token_id=known("<|video_pad|>"),
        vision_start_token_id=known("<|vision_start|>"),
        vision_end_token_id=known("<|vision_end|>"),
    )
    Qwen2_5_VLForConditionalGeneration(config).eval().save_pretrained(whole / "text_encoder")
    transformer = QwenImageTransformer2DModel(
        in_channels=64,
        out_channels=16,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(4, 6, 6),
    )
    _amplify(transformer, "txt_in", "add_v_proj", "to_out", "proj_out")
    transformer.eval().save_pretrained(whole / "transformer")
    AutoencoderKLQwenImage(base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1).eval().save_pretrained(whole / "vae")
    FlowMatchEulerDiscreteScheduler(
        shift=1.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, shift_terminal=0.02, max_image_seq_len=8192
    ).save_pretrained(whole / "scheduler")
    tokenizer.save_pretrained(whole / "tokenizer")
    tokenizer.save_pretrained(whole / "processor")
    Qwen2VLImageProcessorPil().save_pretrained(whole / "processor")
    # Not by the pipeline's own save: its processor cannot be made without torchvision, which the pipeline needs not.
    classes = {
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "processor": ["transformers", "Qwen2VLProcessor"],
        "transformer": ["diffusers", "QwenImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLQwenImage"],
    }
    index = {"_class_name": "QwenImageEditPlusPipeline", "_diffusers_version": "0.42.1", **classes}
    (whole / "model_index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")


_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _qwen_tokenizer() -> Any:
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2TokenizerFast

    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    marks += ["<|image_pad|>", "<|video_pad|>"]
    vocabulary = {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}
    vocabulary |= {mark: len(vocabulary) + number for number, mark in enumerate(marks)}
    tokenizer = Qwen2TokenizerFast(vocab=vocabulary, merges=[], extra_special_tokens=marks[1:])
    tokenizer.chat_template = _CHAT
    return tokenizer


def _clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = [letter for letter in string.printable if not letter.isspace()]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
