"""Qwen-Image-Edit: an editor whose text encoder sees the photo too, guided by what it calls the true CFG scale."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class QwenEdit:
    """Conditions of a `QwenImageEditPlusPipeline`.

    The call brings every photo to a megapixel for its autoencoder. Here the crop keeps its own size, which saves most
    of those tokens, and the transformer is told that size instead.
    """

    guidable = True
    notes: tuple[Note, ...] = ()

    def __init__(self, loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> None:
        from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus

        pipe = loaded.pipe
        self._pipe, self._face = pipe, face
        self._width, self._height = loaded.recipe.size
        device = loaded.device.name
        width, height = plus.calculate_dimensions(plus.CONDITION_IMAGE_SIZE, face.width / face.height)
        seen = [pipe.image_processor.resize(face, height, width)]  # as the call shows it to the text encoder
        self._prompt, _ = pipe.encode_prompt(prompt, image=seen, device=device)
        self._negative, _ = pipe.encode_prompt(negative_prompt, image=seen, device=device)
        patch = pipe.vae_scale_factor * 2
        width, height = (side // patch * patch for side in face.size)
        pixels = pipe.image_processor.preprocess(face, height, width).unsqueeze(2)
        self._face_latents = pipe._encode_vae_image(pixels.to(device, pipe.vae.dtype), generator=None)
        self._face_shape = (1, height // patch, width // patch)

    def arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        # A batch of prompts is refused here; several pictures of one prompt are not.
        arguments = {"image": self._face, "num_images_per_prompt": count, "true_cfg_scale": 1.0}
        arguments |= _words(self._prompt, "")
        if guidance is not None:
            arguments |= {"true_cfg_scale": guidance} | _words(self._negative, "negative_")
        return arguments

    @contextmanager
    def held(self) -> Iterator[None]:
        def tell_size(_: Any, positional: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            shapes = [[picture, self._face_shape] for picture, *_ in named["img_shapes"]]
            return positional, {**named, "img_shapes": shapes}

        processor = self._pipe.image_processor
        processor.resize = lambda image, *_: image  # over the class's own: what the text encoder would see
        processor.preprocess = lambda *_: self._face_latents[:, :, 0]  # which the call knows by their channels
        hook = self._pipe.transformer.register_forward_pre_hook(tell_size, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
            del processor.resize, processor.preprocess

    def pictured(self, latents: Any) -> Any:
        """Unpacks (B, tokens, C·4): the loop has one token for every 2 × 2 latents."""
        scale = self._pipe.vae_scale_factor
        return self._decodable(self._pipe._unpack_latents(latents, self._height, self._width, scale))

    def face_latents(self) -> Any:
        return self._decodable(self._face_latents)

    def _decodable(self, latents: Any) -> Any:
        """(B, C, 1, h, w) normalised -> (B, C, h, w) as the autoencoder's decoder reads them."""
        config = self._pipe.vae.config
        mean, spread = (latents.new_tensor(of).view(1, -1, 1, 1) for of in (config.latents_mean, config.latents_std))
        return latents[:, :, 0] * spread + mean


def _words(embeds: Any, kind: str) -> dict[str, Any]:
    """The embeddings with a mask that says that no token is padding; without one the call complains at every run."""
    mask = embeds.new_ones(embeds.shape[:2], dtype=int)
    return {f"{kind}prompt_embeds": embeds, f"{kind}prompt_embeds_mask": mask}
