"""The models that the local pipeline can run: their weights, licences, memory needs, and how they read a request.

People know a model spec as a “recipe”. Nothing here imports torch. No weights under a non-commercial licence are
listed, and none that need InsightFace's models.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Family = Literal["flux2-klein", "sdxl-face", "qwen-edit"]
BUCKET = 4  # headshots denoised in one batch, always of this size: a picture then does not depend on its neighbours


@dataclass(frozen=True)
class WeightsRepo:
    """One repository of weights at Hugging Face.

    Attributes:
        name: owner and name, as in `h94/IP-Adapter`.
        files: patterns of the files to fetch; one without a wildcard must exist for the repository to be whole.
        gigabytes: size of a download of these files, in 10^9 bytes.
        licence: the licence's name.
        revision: the branch to fetch. The commit behind it is read from the cache and written into every headshot.
        optional: whether the pipeline runs without it, only with coarser previews.
    """

    name: str
    files: tuple[str, ...]
    gigabytes: float
    licence: str
    revision: str = "main"
    optional: bool = False

    @property
    def folder(self) -> str:
        """The name of its sub-folder in a folder of several repositories: `FLUX.2-klein-base-4B`."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class ModelSpec:
    """One model and how the pipeline runs it.

    The memory figures are in GiB, for one picture at `size`. They are calculated from the weights' sizes at 16 bit and
    from published peaks, not measured here.

    Attributes:
        name: as settings and files have it.
        title: as people read it.
        family: which code of `families` runs it.
        repos: where its weights are; the first holds the model itself.
        memory_gb: memory needed with all weights on the device.
        offload_gb: memory needed with only the largest of its networks on the device at a time.
        sequential_gb: memory needed with one layer on the device at a time.
        extra_gb_per_image: memory for each further picture of a bucket.
        size: width and height of the picture that the model makes, 4:5, in pixels.
        reference_px: side of the square face crop that the model sees, in pixels.
        help: Markdown; what each parameter of a request means to this model.
        quantised: (bits, GiB) with the large weights rounded to so many bits, best first.
        variant: the repository's name for its 16-bit files, if it also has others.
        prompt_template: text sent to the model, with `{}` for the person's prompt.
    """

    name: str
    title: str
    family: Family
    repos: tuple[WeightsRepo, ...]
    memory_gb: float
    offload_gb: float
    sequential_gb: float
    extra_gb_per_image: float
    size: tuple[int, int]
    reference_px: int
    help: str
    quantised: tuple[tuple[int, float], ...] = ()
    variant: str | None = None
    prompt_template: str = "{}"

    def model_prompt(self, prompt: str) -> str:
        """The text sent to the model: for an editor an instruction to change the photo, else the prompt itself."""
        return self.prompt_template.replace("{}", prompt)

    @property
    def gigabytes(self) -> float:
        """Size of a complete download, optional repositories included, in 10^9 bytes."""
        return sum(repo.gigabytes for repo in self.repos)

    @property
    def command(self) -> str:
        """The shell command that fetches the weights into Hugging Face's cache."""
        return f"python -m headshot download {self.name}"


# Both editors need this before the prompt: without it they paint another person in the described clothes.
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
    repos=(WeightsRepo("black-forest-labs/FLUX.2-klein-base-4B", _PIPELINE_FILES, 16.0, "Apache-2.0"),),
    memory_gb=17.0,
    offload_gb=9.0,
    sequential_gb=3.5,
    extra_gb_per_image=0.6,
    size=(896, 1120),  # about the one megapixel it was trained at, in steps of 16
    reference_px=768,
    prompt_template=_SAME_PERSON,
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
    repos=(
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
    repos=(WeightsRepo("Qwen/Qwen-Image-Edit-2511", (*_PIPELINE_FILES, "processor/*"), 57.7, "Apache-2.0"),),
    memory_gb=57.0,
    offload_gb=42.0,
    sequential_gb=5.0,
    extra_gb_per_image=0.8,
    quantised=((8, 32.0), (4, 18.5)),
    size=(896, 1120),
    reference_px=768,
    prompt_template=_SAME_PERSON,
    help=(
        "**Prompt**: an order to change the photo; “the same person, facial features unchanged” is said before it. "
        "**Negative prompt**: steers away from what it names, at guidance above 1. "
        "**Guidance**: the model's “true CFG scale”; about 4 suits it. **Steps**: as given. " + _NUMBERS
    ),
)

# Best first: klein needs a tenth of Qwen's work, its likeness is good enough, and it fits on most people's cards.
MODEL_SPECS: Mapping[str, ModelSpec] = MappingProxyType(
    {spec.name: spec for spec in (FLUX2_KLEIN, SDXL_FACE, QWEN_EDIT)}
)


def best_fitting(free_gb: float, among: Iterable[ModelSpec] = ()) -> ModelSpec:
    """The best model for this much free memory, or the smallest if none fits.

    A model fits if it runs at a usable speed, so sequential offload does not count.

    Args:
        free_gb: free memory of the device, in GiB.
        among: the candidates, best first (for example the models whose weights are present). Empty: all but Qwen, whose
            58 GB nobody should have to download unasked: a card that holds it runs klein too, whole and far faster.
    """
    candidates = list(among) or [FLUX2_KLEIN, SDXL_FACE]
    for spec in candidates:
        if minimum_gb(spec) <= free_gb:
            return spec
    return min(candidates, key=minimum_gb)


def minimum_gb(spec: ModelSpec) -> float:
    """Memory for a full bucket in the smallest tier of usable speed (not sequential offload), in GiB."""
    smallest = min(spec.offload_gb, *(gb for _, gb in spec.quantised), spec.memory_gb)
    return smallest + (BUCKET - 1) * spec.extra_gb_per_image
