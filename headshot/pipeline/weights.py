"""Which weights are on this machine, whether they are complete, and which commit they are of.

Reads only file headers and never imports torch. Weights are in Hugging Face's cache or in a folder of the person's
choice: there each repository has a sub-folder of its name, as `python -m headshot download … --to FOLDER` creates it,
or all files are directly in the folder.
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
_GB = 10**9  # as the hub counts sizes
_LENGTH_BYTES = 8  # a safetensors file starts with its header's length, little-endian
_MAX_HEADER_BYTES = 100 * 2**20  # the format's own limit
_NOT_THERE = "they are not there"


@dataclass(frozen=True)
class MissingWeights:
    """A repository of weights that is absent, incomplete or damaged.

    Attributes:
        repo: the repository.
        gigabytes: about how much is still to be fetched, in 10^9 bytes.
        reason: what is wrong, in words that follow “because”.
        broken: the damaged files, which a new download replaces.
    """

    repo: WeightsRepo
    gigabytes: float
    reason: str
    broken: tuple[Path, ...] = ()


def missing_weights(spec: ModelSpec, folder: Path | None = None) -> list[MissingWeights]:
    """The repositories of this model that are not complete on this machine; empty if all are.

    Optional repositories are never listed.

    Args:
        spec: the model.
        folder: where to look, None for Hugging Face's cache.

    Raises:
        NotConfigured: the folder does not exist, or holds another model's weights.
    """
    if folder is not None:
        _check_folder(spec, folder)
    missing = []
    for repo in spec.repos:
        root = repo_root(repo, folder)
        faults = [] if root is None else list(_faults(repo, root))
        if root is not None and not faults:
            continue
        # Without an optional repository, or with a damaged one, the previews only get coarser.
        if repo.optional:
            continue
        present = [] if root is None else _files_present(repo, root)
        reason = faults[0].words if present else _NOT_THERE
        present_bytes = sum(path.stat().st_size for path in present)
        broken = tuple(fault.file for fault in faults if fault.file is not None)
        missing.append(MissingWeights(repo, max(repo.gigabytes - present_bytes / _GB, 0.0), reason, broken))
    return missing


def download_advice(spec: ModelSpec, missing: list[MissingWeights], folder: Path | None = None) -> str:
    """A sentence for the person: what is missing, how large it is, and the command that fetches it.

    Args:
        spec: the model.
        missing: what `missing_weights` returned for it; not empty.
        folder: where it was looked for, None for Hugging Face's cache.
    """
    command = spec.command + (f" --to {shlex.quote(str(folder))}" if folder else "")
    if all(each.reason == _NOT_THERE for each in missing) and len(missing) == _required_count(spec):
        where = f"in {folder}" if folder else "on this machine"
        return (
            f"The weights of {spec.title} are not {where}. Run `{command}` once, which downloads "
            f"{size_in_words(sum(each.gigabytes for each in missing))}; after that no network is needed."
        )
    reasons = "; ".join(f"{each.repo.name}: {each.reason}" for each in missing)
    return (
        f"The weights of {spec.title} are incomplete ({reasons}). Run `{command}` again: it fetches what is missing, "
        f"about {size_in_words(sum(each.gigabytes for each in missing))}."
    )


def spec_in_folder(folder: Path) -> ModelSpec:
    """The model whose weights a folder holds.

    Raises:
        NotConfigured: the folder does not exist, or holds no known model.
    """
    if not folder.is_dir():
        raise NotConfigured(LOCAL, f"There is no folder {folder}: HEADSHOT_PIPELINE must name a recipe or a folder.")
    for spec in MODEL_SPECS.values():
        if any(_pipeline_class(root) == CLASSES[spec.family] for root in (folder / spec.repos[0].folder, folder)):
            return spec
    known = " or ".join(f"`{spec.command} --to {shlex.quote(str(folder))}`" for spec in MODEL_SPECS.values())
    raise NotConfigured(
        LOCAL, f"The folder {folder} holds no model that the local pipeline knows. Fill it with {known}."
    )


def repo_root(repo: WeightsRepo, folder: Path | None) -> Path | None:
    """The folder that holds a repository's files.

    Args:
        repo: the repository.
        folder: where to look, None for Hugging Face's cache.

    Returns:
        None if none of its files is there. The folder may be incomplete.
    """
    if folder is None:
        return _cached(repo)
    own = folder / repo.folder
    if own.is_dir():
        return own
    # Directly in the folder, an optional repository is not recognised: its `config.json` could be of any model.
    return folder if not repo.optional and _files_present(repo, folder) else None


def revision(repo: WeightsRepo, root: Path) -> str:
    """The commit of a repository's files, or a hash of their contents if the commit is not known.

    Args:
        repo: the repository.
        root: the folder of its files, as `repo_root` returns it.
    """
    if root.parent.name == "snapshots":
        return root.name
    for metadata in sorted(root.glob(".cache/huggingface/download/**/*.metadata")):
        return metadata.read_text(encoding="utf-8").partition("\n")[0].strip()
    digest = hashlib.sha256()
    for path in sorted(_files_present(repo, root)):
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(2**20))  # the header, with every tensor's name, shape and offset, and some weights
    return f"contents {digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class _Fault:
    words: str
    file: Path | None = None


def _faults(repo: WeightsRepo, root: Path) -> Iterator[_Fault]:
    for pattern in repo.files:
        if "*" not in pattern and not (root / pattern).is_file():
            yield _Fault(f"{pattern} is not there")
    if _INDEX in repo.files and (root / _INDEX).is_file():
        yield from _component_faults(root)
    for path in _files_present(repo, root):
        if path.suffix == ".safetensors":
            yield from _safetensors_faults(path, root)


def _component_faults(root: Path) -> Iterator[_Fault]:
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
        indexes = list(folder.glob("*.safetensors.index*.json"))
        for shards in indexes:
            files = set(json.loads(shards.read_text(encoding="utf-8"))["weight_map"].values())
            for file in sorted(files):
                if not (folder / file).is_file():
                    yield _Fault(f"{name}/{file} is not there")
        # Only networks have a `config.json`; tokenizers, processors and schedulers have other names for theirs.
        if (folder / "config.json").is_file() and not indexes and not list(folder.glob("*.safetensors")):
            yield _Fault(f"the weights of {name} are not there")


def _safetensors_faults(path: Path, root: Path) -> Iterator[_Fault]:
    """Compares the file's size with the end of the last tensor, which its header gives."""
    name, size = path.relative_to(root).as_posix(), path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        try:
            header = json.loads(file.read(length)) if 0 < length <= min(size, _MAX_HEADER_BYTES) else {}
        except ValueError:
            header = {}
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    if not ends:
        yield _Fault(f"{name} is damaged", path)
    elif size < (whole := _LENGTH_BYTES + length + max(ends)):
        yield _Fault(f"{name} is cut short, {size_in_words(size / _GB)} of {size_in_words(whole / _GB)}", path)


def _files_present(repo: WeightsRepo, root: Path) -> list[Path]:
    """The files under a root that belong to the repository."""
    files = [path for path in root.rglob("*") if path.is_file() and ".cache" not in path.relative_to(root).parts]
    return [path for path in files if is_wanted_file(repo, path.relative_to(root).as_posix())]


def is_wanted_file(repo: WeightsRepo, name: str) -> bool:
    """Whether the pipeline needs the file of this path in the repository."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in repo.files)


def cache_folder(repo: WeightsRepo) -> Path:
    """The repository's folder in Hugging Face's cache, which may not exist."""
    from huggingface_hub import constants  # the one module of it that imports quickly

    return Path(constants.HF_HUB_CACHE) / f"models--{repo.name.replace('/', '--')}"


def _cached(repo: WeightsRepo) -> Path | None:
    cache = cache_folder(repo)
    ref = cache / "refs" / repo.revision
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else repo.revision
    root = cache / "snapshots" / commit
    return root if root.is_dir() else None


def _check_folder(spec: ModelSpec, folder: Path) -> None:
    advice = f"`{spec.command} --to {shlex.quote(str(folder))}` fills it."
    if not folder.is_dir():
        raise NotConfigured(LOCAL, f"There is no folder {folder} with the weights of {spec.title}: {advice}")
    root = repo_root(spec.repos[0], folder)
    found = root and _pipeline_class(root)
    if found and found != CLASSES[spec.family]:
        raise NotConfigured(LOCAL, f"The folder {folder} holds another model ({found}), not {spec.title}: {advice}")
    if root and found and json.loads((root / _INDEX).read_text(encoding="utf-8")).get("is_distilled"):
        raise NotConfigured(
            LOCAL,
            f"The folder {folder} holds the distilled model of four steps, which knows neither guidance nor a negative "
            f"prompt; {spec.title} is wanted: {advice}",
        )


def _pipeline_class(root: Path) -> str | None:
    try:
        return str(json.loads((root / _INDEX).read_text(encoding="utf-8")).get("_class_name"))
    except (OSError, ValueError):  # missing, or damaged, which `_faults` reports
        return None


def _required_count(spec: ModelSpec) -> int:
    return sum(not repo.optional for repo in spec.repos)


def size_in_words(gigabytes: float) -> str:
    """A size for people to read: 16.0 GB, 2 MB.

    Args:
        gigabytes: in 10^9 bytes.
    """
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{gigabytes * 1000:.2g} MB"
