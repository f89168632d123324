"""FLUX.2 klein: an editor that reads the photo as further tokens beside those of the picture that it makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class Klein:
    """Conditioning of a `Flux2KleinPipeline`."""

    def __init__(self, loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> None:
        """See `encode_conditioning`."""
        pipe = loaded.pipe
        self._pipe, self._face = pipe, face
        self._width, self._height = loaded.spec.size
        # The distilled models accept a guidance value and ignore it.
        self.supports_guidance = not pipe.config.is_distilled
        self.notes: tuple[Note, ...] = ()
        if not self.supports_guidance:
            text = "this FLUX.2 klein is distilled: it knows neither guidance nor a negative prompt."
            self.notes = (Note("not applied", text),)
        device = loaded.device.name
        self._prompt, _ = pipe.encode_prompt(prompt, device=device)
        # The call has no parameter for a negative prompt's text and would silently use "": pass its embeddings.
        self._negative: Any = pipe.encode_prompt(negative_prompt, device=device)[0] if self.supports_guidance else None
        patch = pipe.vae_scale_factor * 2
        width, height = (side // patch * patch for side in face.size)  # as the call crops it
        pixels = pipe.image_processor.preprocess(face, height=height, width=width, resize_mode="crop")
        self._face_latents = pipe._encode_vae_image(pixels.to(device, pipe.vae.dtype), generator=None)

    def call_arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        """See `Conditioning.call_arguments`."""
        arguments = {"image": self._face, "prompt_embeds": self._prompt.repeat(count, 1, 1), "guidance_scale": 1.0}
        if guidance is not None:
            negative = self._negative.repeat(count, 1, 1)
            arguments |= {"negative_prompt_embeds": negative, "guidance_scale": guidance}
        return arguments

    @contextmanager
    def reuse_encoded_face(self) -> Iterator[None]:
        """See `Conditioning.reuse_encoded_face`."""
        self._pipe._encode_vae_image = lambda image, generator: self._face_latents  # shadows the class's method
        try:
            yield
        finally:
            del self._pipe._encode_vae_image

    def to_vae_latents(self, latents: Any) -> Any:
        """See `Conditioning.to_vae_latents`. Unpacks (B, tokens, C·4): the loop has one token for 2 × 2 latents."""
        patch = self._pipe.vae_scale_factor * 2
        rows, columns = self._height // patch, self._width // patch
        return self._unpatched(latents.transpose(1, 2).unflatten(2, (rows, columns)))

    def face_latents(self) -> Any:
        """See `Conditioning.face_latents`."""
        return self._unpatched(self._face_latents)

    def _unpatched(self, latents: Any) -> Any:
        """(B, C·4, h/2, w/2), normalised, to (B, C, h, w) as the autoencoder decodes them."""
        vae = self._pipe.vae
        mean = vae.bn.running_mean.view(1, -1, 1, 1).to(latents)
        variance = vae.bn.running_var.view(1, -1, 1, 1).to(latents)
        return self._pipe._unpatchify_latents(latents * (variance + vae.config.batch_norm_eps) ** 0.5 + mean)
