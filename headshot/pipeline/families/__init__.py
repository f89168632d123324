"""How each family of models is told a face and a prompt once, and then denoised in batches by diffusers' own call."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from headshot.request import Note

if TYPE_CHECKING:
    from headshot.pipeline.loading import Loaded


class Conditions(Protocol):
    """Face, prompt and negative prompt, encoded once for one loaded pipeline.

    guidable: whether guidance and the negative prompt count at all; a distilled model knows neither.
    notes: what the person should know about how the words were taken.
    """

    guidable: bool
    notes: tuple[Note, ...]

    def arguments(self, count: int, guidance: Any) -> dict[str, Any]:
        """What the pipeline's call is given for `count` headshots, beside size, steps and generators.

        guidance: one number or `Guidance` above 1, or None: then it is switched off and costs nothing.
        """

    def held(self) -> AbstractContextManager[None]:
        """While it lasts, the pipeline's call takes the encoded face instead of encoding it again."""

    def pictured(self, latents: Any) -> Any:
        """Latents as the call's loop has them -> (B, C, h, w) as the tiny autoencoder reads them."""

    def face_latents(self) -> Any:
        """The face crop's own latents, (1, C, h, w), in the units of `pictured`."""


def encode_conditioning(loaded: "Loaded", face: Image.Image, prompt: str, negative_prompt: str) -> Conditions:
    """Reads face and words with the pipeline's encoders. face: RGB, square.  prompt: as the model is to get it."""
    match loaded.recipe.family:
        case "flux2-klein":
            from .flux2_klein import Klein

            return Klein(loaded, face, prompt, negative_prompt)
        case "sdxl-face":
            from .sdxl_face import SdxlFace

            return SdxlFace(loaded, face, prompt, negative_prompt)
        case "qwen-edit":
            from .qwen_edit import QwenEdit

            return QwenEdit(loaded, face, prompt, negative_prompt)
