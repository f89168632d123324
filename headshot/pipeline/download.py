"""Downloads a model's weights, so that the pipeline itself never needs a network. Resumes an interrupted download.

The hub's own library fetches eight files at once and, when interrupted, discards what it has of each. So the large
files are fetched here, one after another, each resumed where it stopped; the library finds them and fetches the rest.
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
from .weights import (
    MissingWeights,
    cache_folder,
    download_advice,
    is_wanted_file,
    missing_weights,
    repo_root,
    size_in_words,
)

_PARTIAL = ".partial"
_SPARE_GB = 0.5  # left free on the disk: a system with a full disk fails in ways that no message explains


def spec_named(name: str) -> ModelSpec:
    """The model of this name.

    Raises:
        RequestError: there is none; the message lists the known names.
    """
    try:
        return MODEL_SPECS[name]
    except KeyError as error:
        *others, last = MODEL_SPECS
        raise RequestError(f"There is no recipe “{name[:40]}”: choose {', '.join(others)} or {last}.") from error


def download(spec: ModelSpec, to: Path | None = None) -> None:
    """Fetch the missing weights of a model. Shows progress on the standard error.

    Complete files are kept, damaged ones replaced. After a failure a second call resumes.

    Args:
        spec: the model.
        to: a folder, created if needed; None for Hugging Face's cache.

    Raises:
        NotConfigured: a package is missing, the folder cannot be used, the hub refuses access, or the disk is too
            small.
        Unavailable: the network or the hub failed.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise NotConfigured(
            LOCAL, "The package huggingface_hub is missing: install it with `pip install -r requirements-gpu.txt`."
        )
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise NotConfigured(LOCAL, "HF_HUB_OFFLINE forbids the download: unset it for this one command.")
    if to is not None:
        _create_folder(to)
    missing = missing_weights(spec, to)
    target = to or Path(constants.HF_HUB_CACHE)
    _check_disk_space(missing, target)
    for each in missing:
        for broken in each.broken:
            broken.resolve().unlink(missing_ok=True)  # in the cache a file is a link to its content
            broken.unlink(missing_ok=True)
    incomplete = [each.repo for each in missing]
    for repo in spec.repos:
        if repo in incomplete or (repo.optional and repo_root(repo, to) is None):
            _fetch(spec, repo, to)
    # Without a network the hub's library reports success if only some files are present, so check again.
    still_missing = missing_weights(spec, to)
    if still_missing:
        raise Unavailable(LOCAL, f"The download did not finish. {download_advice(spec, still_missing, to)}")


def _fetch(spec: ModelSpec, repo: WeightsRepo, to: Path | None) -> None:
    from huggingface_hub import snapshot_download

    folder = None if to is None else repo_root(repo, to) or to / repo.folder
    failures: tuple[type[Exception], ...] = (OSError, *_network_errors())
    try:
        _fetch_large(repo, folder)
        snapshot_download(repo.name, revision=repo.revision, allow_patterns=list(repo.files), local_dir=folder)
    except failures as error:
        if repo.optional and not _disk_full(error):
            return  # the previews only get coarser
        raise _error_for(error, spec, repo, to) from error


def _fetch_large(repo: WeightsRepo, folder: Path | None) -> None:
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    hub = HfApi()
    commit = hub.repo_info(repo.name, revision=repo.revision).sha
    for entry in hub.list_repo_tree(repo.name, recursive=True, revision=commit):
        large = getattr(entry, "lfs", None)  # None for folders, and for small files, which the library fetches
        if large is None or not is_wanted_file(repo, entry.path):
            continue
        whole, partial = _target_paths(repo, folder, commit, entry.path, large.sha256)
        if whole.exists():
            continue
        for path in (whole, partial):
            path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("ab") as file:
            http_get(
                hf_hub_url(repo.name, entry.path, revision=commit),
                file,
                resume_size=file.tell(),
                headers=build_hf_headers(),
                expected_size=entry.size,
                displayed_filename=entry.path,
            )
        with partial.open("rb") as file:
            received = hashlib.file_digest(file, "sha256").hexdigest()
        if received != large.sha256:  # halves of two versions of the file, or a bad disk
            partial.unlink()
            raise OSError(errno.EIO, "what arrived is not what the hub holds", entry.path)
        partial.replace(whole)


def _target_paths(repo: WeightsRepo, folder: Path | None, commit: str, name: str, digest: str) -> tuple[Path, Path]:
    """The final path of a large file, and the path of its partial download."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import are_symlinks_supported

    if folder is not None:
        return folder / name, folder / ".cache" / "headshot" / f"{digest}{_PARTIAL}"
    cache = cache_folder(repo)
    blob = cache / "blobs" / digest
    has_blobs = are_symlinks_supported(constants.HF_HUB_CACHE)  # not on every Windows; the library then keeps no blobs
    return blob if has_blobs else cache / "snapshots" / commit / name, cache / "blobs" / f"{digest}{_PARTIAL}"


def _error_for(error: BaseException, spec: ModelSpec, repo: WeightsRepo, to: Path | None) -> BackendError:
    again = f"Run `{command(spec, to)}` again: it goes on where it was."
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
            f"The hub does not give out {repo.name} (status {status}): see on its page there whether it asks for an "
            "agreement or a login (`hf auth login`).",
        )
    if status is not None:
        return Unavailable(LOCAL, f"The hub has trouble of its own (status {status}). {again}")
    return Unavailable(LOCAL, f"The hub cannot be reached ({type(error).__name__}): check the network. {again}")


def command(spec: ModelSpec, to: Path | None) -> str:
    """The shell command that repeats this download.

    Args:
        spec: the model.
        to: the folder, None for Hugging Face's cache.
    """
    return spec.command + (f" --to {shlex.quote(str(to))}" if to else "")


def _disk_full(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _network_errors() -> tuple[type[Exception], ...]:
    """The base error of the hub's HTTP library, which depends on the hub's version."""
    for name in ("httpx2", "httpx"):
        if importlib.util.find_spec(name) is not None:
            module: Any = importlib.import_module(name)
            return (module.HTTPError,)
    return ()


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotConfigured(LOCAL, f"The folder {folder} cannot be made ({error.strerror}): name another.") from error


def _check_disk_space(missing: list[MissingWeights], target: Path) -> None:
    existing = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    downloaded = sum(path.stat().st_size for path in target.rglob(f"*{_PARTIAL}")) if target.is_dir() else 0
    needed = sum(each.gigabytes for each in missing) * 10**9 - downloaded
    if missing and needed + _SPARE_GB * 10**9 > free:
        raise NotConfigured(
            LOCAL,
            f"The download needs {size_in_words(needed / 10**9)}, and {size_in_words(free / 10**9)} are free on the "
            f"disk of {target}: make room, or name another disk's folder with --to.",
        )
