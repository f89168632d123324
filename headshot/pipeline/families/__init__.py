"""For each family of models: encode face and prompts once, then denoise in batches with diffusers' own call."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class Conditioning(Protocol):
    """Face, prompt and negative prompt, encoded once for one loaded pipeline.

    Attributes:
        supports_guidance: whether guidance and the negative prompt have any effect; in a distilled model they have
            none.
        notes: what the person should know about how the model reads the prompts.
    """

    supports_guidance: bool
    notes: tuple[Note, ...]

    def call_arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        """The arguments of the pipeline's call, except size, steps and generators.

        Args:
            count: number of pictures.
            guidance: a number above 1 or a `Guidance`; None switches guidance off, which halves the work.
        """

    def reuse_encoded_face(self) -> AbstractContextManager[None]:
        """A context in which the pipeline's call uses the encoded face instead of encoding it again."""

    def to_vae_latents(self, latents: Any) -> Any:
        """Convert latents of the call's loop to (B, C, h, w) in the units that the autoencoder decodes."""

    def face_latents(self) -> Any:
        """The face crop's own latents, (1, C, h, w), in the units of `to_vae_latents`."""


def encode_conditioning(loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> Conditioning:
    """Encode face and prompts with the pipeline's encoders.

    Args:
        loaded: the models.
        face: RGB, square.
        prompt: as sent to the model (`ModelSpec.model_prompt`).
        negative_prompt: the person's.
    """
    match loaded.spec.family:
        case "flux2-klein":
            from .flux2_klein import Klein

            return Klein(loaded, face, prompt, negative_prompt)
        case "sdxl-face":
            from .sdxl_face import SdxlFace

            return SdxlFace(loaded, face, prompt, negative_prompt)
        case "qwen-edit":
            from .qwen_edit import QwenEdit

            return QwenEdit(loaded, face, prompt, negative_prompt)
