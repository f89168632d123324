"""SDXL with an IP-Adapter for faces: prompt, negative prompt, guidance and steps as the hosted endpoint names them."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class SdxlFace:
    """Conditioning of a `StableDiffusionXLPipeline` that has an IP-Adapter."""

    supports_guidance = True

    def __init__(self, loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> None:
        """See `encode_conditioning`."""
        pipe = loaded.pipe
        self._pipe, self._face, self._device = pipe, face, loaded.device.name
        self.notes = tuple(_truncation_notes(pipe, {"prompt": prompt, "negative prompt": negative_prompt}))
        self._prompt, self._negative, self._pooled, self._negative_pooled = pipe.encode_prompt(
            prompt, device=self._device, negative_prompt=negative_prompt
        )
        # In the shape for guidance: first the half for "no face", then the face.
        self._faces = pipe.prepare_ip_adapter_image_embeds(face, None, self._device, 1, True)

    def call_arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        """See `Conditioning.call_arguments`."""
        arguments: dict[str, Any] = {
            "prompt_embeds": self._prompt.repeat(count, 1, 1),
            "pooled_prompt_embeds": self._pooled.repeat(count, 1),
        }
        if guidance is None:
            # The call would silently treat both halves as a batch of two faces and make another picture.
            positive = [embeds.chunk(2)[1] for embeds in self._faces]
            return {**arguments, "ip_adapter_image_embeds": positive, "guidance_scale": 1.0}
        return {
            **arguments,
            "ip_adapter_image_embeds": self._faces,
            "guidance_scale": guidance,
            "negative_prompt_embeds": self._negative.repeat(count, 1, 1),
            "negative_pooled_prompt_embeds": self._negative_pooled.repeat(count, 1),
        }

    def reuse_encoded_face(self) -> AbstractContextManager[None]:
        """Does nothing: this call accepts an encoded face as an argument."""
        return nullcontext()

    def to_vae_latents(self, latents: Any) -> Any:
        """The latents as they are: the tiny autoencoder was trained on the loop's own units."""
        return latents

    def face_latents(self) -> Any:
        """See `Conditioning.face_latents`."""
        import torch

        vae, half = self._pipe.vae, self._pipe.vae.dtype
        # This autoencoder overflows in float16, as its config says; the call decodes in float32 for the same reason.
        overflows = half == torch.float16 and vae.config.force_upcast
        if overflows:
            vae.to(torch.float32)
        pixels = self._pipe.image_processor.preprocess(self._face)
        latents = vae.encode(pixels.to(self._device, vae.dtype)).latent_dist.mode()
        if overflows:
            vae.to(half)
        return latents * vae.config.scaling_factor


def _truncation_notes(pipe: Any, texts: dict[str, str]) -> list[Note]:
    token_ids = pipe.tokenizer(list(texts.values()), verbose=False).input_ids
    return [
        Note("not applied", f"this model reads about 75 words of the {name}, and the rest of yours was left out.")
        for name, ids in zip(texts, token_ids, strict=True)
        if len(ids) > pipe.tokenizer.model_max_length
    ]
