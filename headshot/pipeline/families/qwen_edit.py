"""Qwen-Image-Edit: an editor whose text encoder reads the photo too; its guidance is called “true CFG scale”."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class QwenEdit:
    """Conditioning of a `QwenImageEditPlusPipeline`.

    The call enlarges every photo to a megapixel for its autoencoder. Here the crop keeps its own size, which saves most
    of those tokens, and the transformer receives that size instead.
    """

    supports_guidance = True
    notes: tuple[Note, ...] = ()

    def __init__(self, loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> None:
        """See `encode_conditioning`."""
        from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus

        pipe = loaded.pipe
        self._pipe, self._face = pipe, face
        self._width, self._height = loaded.spec.size
        device = loaded.device.name
        width, height = plus.calculate_dimensions(plus.CONDITION_IMAGE_SIZE, face.width / face.height)
        resized = [pipe.image_processor.resize(face, height, width)]  # as the call passes it to the text encoder
        self._prompt, _ = pipe.encode_prompt(prompt, image=resized, device=device)
        self._negative, _ = pipe.encode_prompt(negative_prompt, image=resized, device=device)
        patch = pipe.vae_scale_factor * 2
        width, height = (side // patch * patch for side in face.size)
        pixels = pipe.image_processor.preprocess(face, height, width).unsqueeze(2)
        self._face_latents = pipe._encode_vae_image(pixels.to(device, pipe.vae.dtype), generator=None)
        self._face_shape = (1, height // patch, width // patch)

    def call_arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        """See `Conditioning.call_arguments`."""
        # The call refuses a batch of prompts, but makes several pictures of one prompt.
        arguments = {"image": self._face, "num_images_per_prompt": count, "true_cfg_scale": 1.0}
        arguments |= _embeddings(self._prompt, "")
        if guidance is not None:
            arguments |= {"true_cfg_scale": guidance} | _embeddings(self._negative, "negative_")
        return arguments

    @contextmanager
    def reuse_encoded_face(self) -> Iterator[None]:
        """See `Conditioning.reuse_encoded_face`."""

        def pass_size(_: Any, positional: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            shapes = [[picture, self._face_shape] for picture, *_ in named["img_shapes"]]
            return positional, {**named, "img_shapes": shapes}

        processor = self._pipe.image_processor
        processor.resize = lambda image, *_: image  # shadows the class's method: for the text encoder
        processor.preprocess = lambda *_: self._face_latents[:, :, 0]  # the call recognises latents by their channels
        hook = self._pipe.transformer.register_forward_pre_hook(pass_size, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
            del processor.resize, processor.preprocess

    def to_vae_latents(self, latents: Any) -> Any:
        """See `Conditioning.to_vae_latents`. Unpacks (B, tokens, C·4): the loop has one token for 2 × 2 latents."""
        scale = self._pipe.vae_scale_factor
        return self._decodable(self._pipe._unpack_latents(latents, self._height, self._width, scale))

    def face_latents(self) -> Any:
        """See `Conditioning.face_latents`."""
        return self._decodable(self._face_latents)

    def _decodable(self, latents: Any) -> Any:
        """(B, C, 1, h, w), normalised, to (B, C, h, w) as the autoencoder decodes them."""
        config = self._pipe.vae.config
        mean, deviation = (
            latents.new_tensor(values).view(1, -1, 1, 1) for values in (config.latents_mean, config.latents_std)
        )
        return latents[:, :, 0] * deviation + mean


def _embeddings(embeds: Any, prefix: str) -> dict[str, Any]:
    """The embeddings with a mask that marks no token as padding; without a mask the call logs a warning each time."""
    mask = embeds.new_ones(embeds.shape[:2], dtype=int)
    return {f"{prefix}prompt_embeds": embeds, f"{prefix}prompt_embeds_mask": mask}
