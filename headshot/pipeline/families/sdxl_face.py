"""SDXL with an IP-Adapter for faces: prompt, negative prompt, guidance and steps as the hosted endpoint names them."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class SdxlFace:
    """Conditions of a `StableDiffusionXLPipeline` that has an IP-Adapter."""

    guidable = True

    def __init__(self, loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> None:
        pipe = loaded.pipe
        self._pipe, self._face, self._device = pipe, face, loaded.device.name
        self.notes = tuple(_cut_off(pipe, {"prompt": prompt, "negative prompt": negative_prompt}))
        self._prompt, self._negative, self._pooled, self._negative_pooled = pipe.encode_prompt(
            prompt, device=self._device, negative_prompt=negative_prompt
        )
        # Shaped for guidance: the half for "no face" first, then the face.
        self._faces = pipe.prepare_ip_adapter_image_embeds(face, None, self._device, 1, True)

    def arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "prompt_embeds": self._prompt.repeat(count, 1, 1),
            "pooled_prompt_embeds": self._pooled.repeat(count, 1),
        }
        if guidance is None:
            # Both halves would be taken for a batch of two faces, and another picture made of them in silence.
            positive = [embeds.chunk(2)[1] for embeds in self._faces]
            return {**arguments, "ip_adapter_image_embeds": positive, "guidance_scale": 1.0}
        return {
            **arguments,
            "ip_adapter_image_embeds": self._faces,
            "guidance_scale": guidance,
            "negative_prompt_embeds": self._negative.repeat(count, 1, 1),
            "negative_pooled_prompt_embeds": self._negative_pooled.repeat(count, 1),
        }

    def held(self) -> AbstractContextManager[None]:
        """Nothing to hold: this call takes an encoded face as it is."""
        return nullcontext()

    def pictured(self, latents: Any) -> Any:
        return latents  # the tiny autoencoder was trained on the loop's own units

    def face_latents(self) -> Any:
        import torch

        vae, half = self._pipe.vae, self._pipe.vae.dtype
        # This autoencoder overflows in float16 and says so; the call decodes in float32 for the same reason.
        overflows = half == torch.float16 and vae.config.force_upcast
        if overflows:
            vae.to(torch.float32)
        pixels = self._pipe.image_processor.preprocess(self._face)
        seen = vae.encode(pixels.to(self._device, vae.dtype)).latent_dist.mode()
        if overflows:
            vae.to(half)
        return seen * vae.config.scaling_factor


def _cut_off(pipe: Any, texts: dict[str, str]) -> list[Note]:
    tokens = pipe.tokenizer(list(texts.values()), verbose=False).input_ids
    return [
        Note("not applied", f"this model reads about 75 words of the {name}, and the rest of yours was left out.")
        for name, read in zip(texts, tokens, strict=True)
        if len(read) > pipe.tokenizer.model_max_length
    ]
