"""The local pipeline's three recipes: whose models, which licence, how much memory, what a request's words mean there.

Light: nothing here knows torch. No weights under a non-commercial licence, and none that need InsightFace's models.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Family = Literal["flux2-klein", "sdxl-face", "qwen-edit"]
BUCKET = 4  # headshots denoised side by side, always in this shape: a picture then does not depend on its neighbours


@dataclass(frozen=True)
class WeightsRepo:
    """One repository of weights.

    files: patterns of what is fetched of it; a name without a wildcard must be there for the part to be whole.
    gigabytes: what a download of these files weighs, in 10^9 bytes.
    optional: the pipeline runs without it, only with coarser previews.
    """

    repo: str
    files: tuple[str, ...]
    gigabytes: float
    licence: str
    revision: str = "main"  # the commit that it stood for is read from the cache and written into every file
    optional: bool = False

    @property
    def folder(self) -> str:
        """The part's own folder inside a folder that holds several: `FLUX.2-klein-base-4B`."""
        return self.repo.rpartition("/")[2]


@dataclass(frozen=True)
class ModelSpec:
    """How one family of models makes a headshot.

    The memory figures are in GiB and hold for one picture at `size`; each further one of a bucket costs
    `extra_gb_per_image`. They are reckoned from the weights' sizes at 16 bit and published peaks, not measured here.
    memory_gb: all weights on the device.  offload_gb: only the largest of them at a time.
    sequential_gb: layer by layer.  quantised: (bits, GiB) with the large weights rounded, best first.
    size: width, height of the picture the model makes, 4:5.  reference_px: the side of the square face crop it sees.
    variant: the files' own word for 16 bit, where a repository holds both.
    """

    name: str
    title: str
    family: Family
    parts: tuple[WeightsRepo, ...]
    memory_gb: float
    offload_gb: float
    sequential_gb: float
    extra_gb_per_image: float
    size: tuple[int, int]
    reference_px: int
    help: str
    quantised: tuple[tuple[int, float], ...] = ()
    variant: str | None = None
    instruction: str = "{}"

    def wrapped(self, prompt: str) -> str:
        """What the model is told: an editor gets an order to change the photo, the others the prompt as it is."""
        return self.instruction.replace("{}", prompt)

    @property
    def gigabytes(self) -> float:
        """What a whole download weighs, optional parts included, in 10^9 bytes."""
        return sum(part.gigabytes for part in self.parts)

    @property
    def command(self) -> str:
        return f"python -m headshot download {self.name}"


# Said before the prompt to both editors: without it they paint another person in the described clothes.
_SAME_PERSON = "Professional headshot of the same person, facial features unchanged: {}"
_NUMBERS = (
    "A seed or a guidance value found with another backend gives another picture here: compare within one backend."
)
_PIPELINE_FILES = ("model_index.json", "scheduler/*", "tokenizer/*", "text_encoder/*", "transformer/*", "vae/*")

FLUX2_KLEIN = ModelSpec(
    name="flux2-klein",
    title="FLUX.2 klein base 4B",
    family="flux2-klein",
    # The base model, not the distilled one of four steps, which knows neither guidance nor a negative prompt.
    parts=(WeightsRepo("black-forest-labs/FLUX.2-klein-base-4B", _PIPELINE_FILES, 16.0, "Apache-2.0"),),
    memory_gb=17.0,
    offload_gb=9.0,
    sequential_gb=3.5,
    extra_gb_per_image=0.6,
    size=(896, 1120),  # about the one megapixel it was trained at, in steps of 16
    reference_px=768,
    instruction=_SAME_PERSON,
    help=(
        "**Prompt**: an order to change the photo; “the same person, facial features unchanged” is said before it. "
        "**Negative prompt**: steers away from what it names, at guidance above 1. "
        "**Guidance**: 3 to 5 suits this model; 1 switches it off, above 8 colours burn. "
        "**Steps**: as given; more are finer and take proportionally longer. " + _NUMBERS
    ),
)
SDXL_FACE = ModelSpec(
    name="sdxl-face",
    title="SDXL with the face as a prompt",
    family="sdxl-face",
    parts=(
        WeightsRepo(
            "stabilityai/stable-diffusion-xl-base-1.0",
            (
                "model_index.json",
                "scheduler/*",
                "tokenizer/*",
                "tokenizer_2/*",
                *(f"{name}/config.json" for name in ("text_encoder", "text_encoder_2", "unet", "vae")),
                "text_encoder/model.fp16.safetensors",
                "text_encoder_2/model.fp16.safetensors",
                "unet/diffusion_pytorch_model.fp16.safetensors",
                "vae/diffusion_pytorch_model.fp16.safetensors",
            ),
            6.9,
            "CreativeML Open RAIL++-M",
        ),
        WeightsRepo(
            "h94/IP-Adapter",
            (
                "sdxl_models/ip-adapter-plus-face_sdxl_vit-h.safetensors",
                "models/image_encoder/config.json",
                "models/image_encoder/model.safetensors",
            ),
            3.4,
            "Apache-2.0",
        ),
        WeightsRepo(
            "madebyollin/taesdxl",
            ("config.json", "diffusion_pytorch_model.safetensors"),
            0.01,
            "MIT",
            optional=True,
        ),
    ),
    memory_gb=11.5,
    offload_gb=6.2,
    sequential_gb=2.5,
    extra_gb_per_image=0.4,
    size=(896, 1120),
    reference_px=512,
    variant="fp16",
    help=(
        "**Prompt** and **negative prompt**: taken literally, about 75 words each. "
        "**Guidance**: 5 to 8 suits this model. **Steps**: as given. "
        "The likeness is weaker than with the other recipes. " + _NUMBERS
    ),
)
QWEN_EDIT = ModelSpec(
    name="qwen-edit",
    title="Qwen-Image-Edit 2511",
    family="qwen-edit",
    parts=(WeightsRepo("Qwen/Qwen-Image-Edit-2511", (*_PIPELINE_FILES, "processor/*"), 57.7, "Apache-2.0"),),
    memory_gb=57.0,
    offload_gb=42.0,
    sequential_gb=5.0,
    extra_gb_per_image=0.8,
    quantised=((8, 32.0), (4, 18.5)),
    size=(896, 1120),
    reference_px=768,
    instruction=_SAME_PERSON,
    help=(
        "**Prompt**: an order to change the photo; “the same person, facial features unchanged” is said before it. "
        "**Negative prompt**: steers away from what it names, at guidance above 1. "
        "**Guidance**: the model's “true CFG scale”; about 4 suits it. **Steps**: as given. " + _NUMBERS
    ),
)

# In order of preference: klein is a tenth of Qwen's work at a likeness that serves, and fits where most people are.
MODEL_SPECS: Mapping[str, ModelSpec] = MappingProxyType(
    {recipe.name: recipe for recipe in (FLUX2_KLEIN, SDXL_FACE, QWEN_EDIT)}
)


def fitting(free_gb: float, among: Iterable[ModelSpec] = ()) -> ModelSpec:
    """The best recipe for this much free memory, by the tiers that do not crawl; where nothing fits, the smallest.

    among: what to choose from, best first (for example the recipes whose weights are there); empty: all of them, save
    that nobody is given Qwen's 58 GB unasked, for a card that holds it runs klein as well, whole and far faster.
    """
    candidates = list(among) or [FLUX2_KLEIN, SDXL_FACE]
    for recipe in candidates:
        if least_gb(recipe) <= free_gb:
            return recipe
    return min(candidates, key=least_gb)


def least_gb(recipe: ModelSpec) -> float:
    """The GiB a full bucket needs in the smallest tier that keeps a usable pace, which sequential offload does not."""
    smallest = min(recipe.offload_gb, *(gb for _, gb in recipe.quantised), recipe.memory_gb)
    return smallest + (BUCKET - 1) * recipe.extra_gb_per_image
