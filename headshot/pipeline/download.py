"""Fetch a recipe's weights ahead, so that the pipeline itself never needs a network. What was begun is gone on with.

The hub's own library throws away what it has of a file when it is interrupted, of eight files at once. So the large
ones are fetched here, one after another, each from where it was; the library finds them in place and does the rest.
"""

import errno
import hashlib
import importlib
import importlib.util
import shlex
import shutil
from pathlib import Path
from typing import Any

from headshot.backend_names import LOCAL
from headshot.errors import BackendError, NotConfigured, RequestError, Unavailable

from .model_specs import MODEL_SPECS, ModelSpec, WeightsRepo
from .weights import MissingWeights, cache_of, root_of, size_in_words, wanted, weights, what_to_do

_PARTIAL = ".partial"
_SPARE_GB = 0.5  # left free on the disk: a system without room behaves in ways that no sentence explains


def spec_named(name: str) -> ModelSpec:
    """Raises RequestError, which names those there are."""
    try:
        return MODEL_SPECS[name]
    except KeyError as error:
        *others, last = MODEL_SPECS
        raise RequestError(f"There is no recipe “{name[:40]}”: choose {', '.join(others)} or {last}.") from error


def download(recipe: ModelSpec, to: Path | None = None) -> None:
    """Fetch what is missing into Hugging Face's cache, or into a folder; shows progress on the standard error.

    Damaged files are replaced. Raises NotConfigured where the package is missing, the folder cannot be used or the
    disk is too small, Unavailable where the network fails: begun again, it goes on where it was.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise NotConfigured(
            LOCAL, "The package huggingface_hub is missing: install it with `pip install -r requirements-gpu.txt`."
        )
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise NotConfigured(LOCAL, "HF_HUB_OFFLINE forbids the download: unset it for this one command.")
    if to is not None:
        _make(to)
    missing = weights(recipe, to)
    target = to or Path(constants.HF_HUB_CACHE)
    _check_room(missing, target)
    for lack in missing:
        for broken in lack.broken:
            broken.resolve().unlink(missing_ok=True)  # in the cache a file is a link to where its bytes are
            broken.unlink(missing_ok=True)
    lacking = [lack.part for lack in missing]
    for part in recipe.parts:
        if part in lacking or (part.optional and root_of(part, to) is None):
            _fetch(recipe, part, to)
    # The hub's library takes what lies there for good where the network fails, so its word is not enough.
    still = weights(recipe, to)
    if still:
        raise Unavailable(LOCAL, f"The download did not finish. {what_to_do(recipe, still, to)}")


def _fetch(recipe: ModelSpec, part: WeightsRepo, to: Path | None) -> None:
    from huggingface_hub import snapshot_download

    folder = None if to is None else root_of(part, to) or to / part.folder
    faults: tuple[type[Exception], ...] = (OSError, *_faults_of_the_network())
    try:
        _fetch_large(part, folder)
        snapshot_download(part.repo, revision=part.revision, allow_patterns=list(part.files), local_dir=folder)
    except faults as error:
        if part.optional and not _disk_full(error):
            return  # the previews only get coarser
        raise _in_words(error, recipe, part, to) from error


def _fetch_large(part: WeightsRepo, folder: Path | None) -> None:
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    hub = HfApi()
    commit = hub.repo_info(part.repo, revision=part.revision).sha
    for entry in hub.list_repo_tree(part.repo, recursive=True, revision=commit):
        large = getattr(entry, "lfs", None)  # the others are folders, and small files that the library fetches
        if large is None or not wanted(part, entry.path):
            continue
        whole, partial = _places(part, folder, commit, entry.path, large.sha256)
        if whole.exists():
            continue
        for place in (whole, partial):
            place.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("ab") as file:
            http_get(
                hf_hub_url(part.repo, entry.path, revision=commit),
                file,
                resume_size=file.tell(),
                headers=build_hf_headers(),
                expected_size=entry.size,
                displayed_filename=entry.path,
            )
        with partial.open("rb") as file:
            arrived = hashlib.file_digest(file, "sha256").hexdigest()
        if arrived != large.sha256:  # two halves of different files, or a bad disk
            partial.unlink()
            raise OSError(errno.EIO, "what arrived is not what the hub holds", entry.path)
        partial.replace(whole)


def _places(part: WeightsRepo, folder: Path | None, commit: str, name: str, digest: str) -> tuple[Path, Path]:
    """Where a large file belongs, and where it grows until it is whole."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import are_symlinks_supported

    if folder is not None:
        return folder / name, folder / ".cache" / "headshot" / f"{digest}{_PARTIAL}"
    held = cache_of(part)
    bytes_themselves = held / "blobs" / digest
    linked = are_symlinks_supported(constants.HF_HUB_CACHE)  # not on every Windows; the library then keeps no blobs
    return bytes_themselves if linked else held / "snapshots" / commit / name, held / "blobs" / f"{digest}{_PARTIAL}"


def _in_words(error: BaseException, recipe: ModelSpec, part: WeightsRepo, to: Path | None) -> BackendError:
    again = f"Run `{command(recipe, to)}` again: it goes on where it was."
    if _disk_full(error):
        return NotConfigured(LOCAL, f"The disk is full. Make room, or name another disk's folder with --to. {again}")
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return Unavailable(LOCAL, f"What arrived of {error.filename} is damaged, and was thrown away. {again}")
    if isinstance(error, PermissionError):
        return NotConfigured(LOCAL, f"Nothing may be written to {error.filename}: name another folder with --to.")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403, 404):
        return NotConfigured(
            LOCAL,
            f"The hub does not give out {part.repo} (status {status}): see on its page there whether it asks for an "
            "agreement or a login (`hf auth login`).",
        )
    if status is not None:
        return Unavailable(LOCAL, f"The hub has trouble of its own (status {status}). {again}")
    return Unavailable(LOCAL, f"The hub cannot be reached ({type(error).__name__}): check the network. {again}")


def command(recipe: ModelSpec, to: Path | None) -> str:
    return recipe.command + (f" --to {shlex.quote(str(to))}" if to else "")


def _disk_full(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _faults_of_the_network() -> tuple[type[Exception], ...]:
    """The root of what the hub's HTTP library raises: a newer hub has another library than an older one."""
    for name in ("httpx2", "httpx"):
        if importlib.util.find_spec(name) is not None:
            module: Any = importlib.import_module(name)
            return (module.HTTPError,)
    return ()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotConfigured(LOCAL, f"The folder {folder} cannot be made ({error.strerror}): name another.") from error


def _check_room(missing: list[MissingWeights], target: Path) -> None:
    standing = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(standing).free
    begun = sum(path.stat().st_size for path in target.rglob(f"*{_PARTIAL}")) if target.is_dir() else 0
    needed = sum(lack.gigabytes for lack in missing) * 10**9 - begun
    if missing and needed + _SPARE_GB * 10**9 > free:
        raise NotConfigured(
            LOCAL,
            f"The download needs {size_in_words(needed / 10**9)}, and {size_in_words(free / 10**9)} are free on the "
            f"disk of {target}: make room, or name another disk's folder with --to.",
        )
