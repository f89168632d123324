"""Which weights are on this machine, whether they are whole, and which commit they are. Light: reads headers, no torch.

Weights are looked for in Hugging Face's cache, or in a folder of one's own: each part in a sub-folder by its
repository's name, as `python -m headshot download … --to FOLDER` lays them out, or all directly in the folder.
"""

import fnmatch
import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headshot.backend_names import LOCAL
from headshot.errors import NotConfigured

from .model_specs import MODEL_SPECS, Family, ModelSpec, WeightsRepo

_INDEX = "model_index.json"
CLASSES: dict[Family, str] = {  # diffusers' own names
    "flux2-klein": "Flux2KleinPipeline",
    "sdxl-face": "StableDiffusionXLPipeline",
    "qwen-edit": "QwenImageEditPlusPipeline",
}
_GB = 10**9  # downloads are counted as the hub counts them
_HEADER_BYTES = 8  # a safetensors file starts with its header's length, little-endian
_HEADER_MOST = 100 * 2**20  # the format's own bound; a longer one is not such a file


@dataclass(frozen=True)
class MissingWeights:
    """A part that is absent or damaged.

    gigabytes: about what is still to be fetched.  reason: what is wrong, as words that follow “because”.
    broken: the damaged files, which a new download replaces.
    """

    part: WeightsRepo
    gigabytes: float
    reason: str
    broken: tuple[Path, ...] = ()


def weights(recipe: ModelSpec, folder: Path | None = None) -> list[MissingWeights]:
    """What this recipe lacks in the folder, or in the cache without one; empty when all is there and whole.

    Raises NotConfigured where the folder is not one, or holds another model's weights.
    """
    if folder is not None:
        _check_folder(recipe, folder)
    missing = []
    for part in recipe.parts:
        root = root_of(part, folder)
        faults = [] if root is None else list(_faults(part, root))
        if root is not None and not faults:
            continue
        # The previews only get coarser without an optional part; a damaged one is left out in the same way.
        if part.optional:
            continue
        reason = "they are not there" if root is None or not _present(part, root) else faults[0].words
        there = 0 if root is None else sum(path.stat().st_size for path in _present(part, root))
        broken = tuple(fault.file for fault in faults if fault.file is not None)
        missing.append(MissingWeights(part, max(part.gigabytes - there / _GB, 0.0), reason, broken))
    return missing


def what_to_do(recipe: ModelSpec, missing: list[MissingWeights], folder: Path | None = None) -> str:
    """The sentence for a person: what is missing of how much, and the command that fetches it."""
    command = recipe.command + (f" --to {shlex.quote(str(folder))}" if folder else "")
    if all(lack.reason == "they are not there" for lack in missing) and len(missing) == _needed(recipe):
        where = f"in {folder}" if folder else "on this machine"
        return (
            f"The weights of {recipe.title} are not {where}. Run `{command}` once, which downloads "
            f"{size_in_words(sum(lack.gigabytes for lack in missing))}; after that no network is needed."
        )
    reasons = "; ".join(f"{lack.part.repo}: {lack.reason}" for lack in missing)
    return (
        f"The weights of {recipe.title} are incomplete ({reasons}). Run `{command}` again: it fetches what is missing, "
        f"about {size_in_words(sum(lack.gigabytes for lack in missing))}."
    )


def recognised(folder: Path) -> ModelSpec:
    """The recipe whose weights a folder holds. Raises NotConfigured where it holds none of them."""
    if not folder.is_dir():
        raise NotConfigured(LOCAL, f"There is no folder {folder}: HEADSHOT_PIPELINE must name a recipe or a folder.")
    for recipe in MODEL_SPECS.values():
        if any(_class_in(root) == CLASSES[recipe.family] for root in (folder / recipe.parts[0].folder, folder)):
            return recipe
    known = " or ".join(f"`{recipe.command} --to {shlex.quote(str(folder))}`" for recipe in MODEL_SPECS.values())
    raise NotConfigured(
        LOCAL, f"The folder {folder} holds no model that the local pipeline knows. Fill it with {known}."
    )


def root_of(part: WeightsRepo, folder: Path | None) -> Path | None:
    """The folder that holds a part's files, or None where nothing of it is there."""
    if folder is None:
        return _cached(part)
    own = folder / part.folder
    if own.is_dir():
        return own
    # Directly in the folder only what names itself: a lone `config.json` could be anybody's.
    return folder if not part.optional and _present(part, folder) else None


def revision(part: WeightsRepo, root: Path) -> str:
    """The commit that the files of a part are of; for a folder that does not know it, a mark of its contents."""
    if root.parent.name == "snapshots":
        return root.name
    for noted in sorted(root.glob(".cache/huggingface/download/**/*.metadata")):
        return noted.read_text(encoding="utf-8").partition("\n")[0].strip()
    marks = hashlib.sha256()
    for path in sorted(_present(part, root)):
        marks.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            marks.update(file.read(2**20))  # a weights' header, with every tensor's name, shape and place, and more
    return f"contents {marks.hexdigest()[:16]}"


@dataclass(frozen=True)
class _Fault:
    words: str
    file: Path | None = None


def _faults(part: WeightsRepo, root: Path) -> Iterator[_Fault]:
    for pattern in part.files:
        if "*" not in pattern and not (root / pattern).is_file():
            yield _Fault(f"{pattern} is not there")
    if _INDEX in part.files and (root / _INDEX).is_file():
        yield from _faults_of_components(root)
    for path in _present(part, root):
        if path.suffix == ".safetensors":
            yield from _cut_short(path, root)


def _faults_of_components(root: Path) -> Iterator[_Fault]:
    try:
        index = json.loads((root / _INDEX).read_text(encoding="utf-8"))
    except ValueError:
        yield _Fault(f"{_INDEX} is damaged", root / _INDEX)
        return
    for name, value in index.items():
        if not isinstance(value, list) or value[0] is None:
            continue
        folder = root / name
        if not folder.is_dir():
            yield _Fault(f"{name} is not there")
            continue
        lists = list(folder.glob("*.safetensors.index*.json"))
        for listed in lists:
            files = set(json.loads(listed.read_text(encoding="utf-8"))["weight_map"].values())
            for file in sorted(files):
                if not (folder / file).is_file():
                    yield _Fault(f"{name}/{file} is not there")
        # What has a `config.json` is a network; tokenizers, processors and schedulers name theirs otherwise.
        if (folder / "config.json").is_file() and not lists and not list(folder.glob("*.safetensors")):
            yield _Fault(f"the weights of {name} are not there")


def _cut_short(path: Path, root: Path) -> Iterator[_Fault]:
    """A safetensors file says in its header where its last tensor ends: nothing else need be read."""
    name, size = path.relative_to(root).as_posix(), path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER_BYTES), "little")
        try:
            header = json.loads(file.read(length)) if 0 < length <= min(size, _HEADER_MOST) else {}
        except ValueError:
            header = {}
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    if not ends:
        yield _Fault(f"{name} is damaged", path)
    elif size < _HEADER_BYTES + length + max(ends):
        whole = _HEADER_BYTES + length + max(ends)
        yield _Fault(f"{name} is cut short, {size_in_words(size / _GB)} of {size_in_words(whole / _GB)}", path)


def _present(part: WeightsRepo, root: Path) -> list[Path]:
    """The files under a root that belong to a part."""
    files = [path for path in root.rglob("*") if path.is_file() and ".cache" not in path.relative_to(root).parts]
    return [path for path in files if wanted(part, path.relative_to(root).as_posix())]


def wanted(part: WeightsRepo, name: str) -> bool:
    """Whether a file of the repository, by its path there, is one of the part's."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in part.files)


def cache_of(part: WeightsRepo) -> Path:
    """Where Hugging Face's cache keeps a part, whether or not it has any of it."""
    from huggingface_hub import constants  # the package's lightest corner

    return Path(constants.HF_HUB_CACHE) / f"models--{part.repo.replace('/', '--')}"


def _cached(part: WeightsRepo) -> Path | None:
    held = cache_of(part)
    noted = held / "refs" / part.revision
    commit = noted.read_text(encoding="utf-8").strip() if noted.is_file() else part.revision
    root = held / "snapshots" / commit
    return root if root.is_dir() else None


def _check_folder(recipe: ModelSpec, folder: Path) -> None:
    fill = f"`{recipe.command} --to {shlex.quote(str(folder))}` fills it."
    if not folder.is_dir():
        raise NotConfigured(LOCAL, f"There is no folder {folder} with the weights of {recipe.title}: {fill}")
    root = root_of(recipe.parts[0], folder)
    held = root and _class_in(root)
    if held and held != CLASSES[recipe.family]:
        raise NotConfigured(LOCAL, f"The folder {folder} holds another model ({held}), not {recipe.title}: {fill}")
    if root and held and json.loads((root / _INDEX).read_text(encoding="utf-8")).get("is_distilled"):
        raise NotConfigured(
            LOCAL,
            f"The folder {folder} holds the distilled model of four steps, which knows neither guidance nor a negative "
            f"prompt; {recipe.title} is wanted: {fill}",
        )


def _class_in(root: Path) -> str | None:
    try:
        return str(json.loads((root / _INDEX).read_text(encoding="utf-8")).get("_class_name"))
    except (OSError, ValueError):  # none there, or damaged, which `_faults` says
        return None


def _needed(recipe: ModelSpec) -> int:
    return sum(not part.optional for part in recipe.parts)


def size_in_words(gigabytes: float) -> str:
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{gigabytes * 1000:.2g} MB"
