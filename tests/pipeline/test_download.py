"""The download of weights, against a hub on loopback, as a person runs it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
from hub import COMMIT, Hub, hub
from paths import ROOT

KLEIN, SDXL = tiny.FAMILIES[:2]
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
# The real models are larger than a test machine's disk, so the command runs with their sizes set to almost nothing.
RUN = """
import dataclasses, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that tests in the background has it ignored
from headshot.pipeline import model_specs
small = {
    name: dataclasses.replace(spec, repos=tuple(dataclasses.replace(repo, gigabytes=0.002) for repo in spec.repos))
    for name, spec in model_specs.MODEL_SPECS.items()
}
from headshot.pipeline import download, weights
from headshot import __main__ as command
from huggingface_hub import constants
download.MODEL_SPECS = small
constants.DOWNLOAD_CHUNK_SIZE = 1000  # the library writes ten megabytes at a time, more than these files have
sys.exit(command.main())
"""


@pytest.fixture
def here() -> Iterator[Hub]:
    repositories = {}
    for family in (KLEIN, SDXL):
        for repo in tiny.tiny_spec(family).repos:
            repositories[repo.name] = tiny.folder(family) / repo.folder
    with hub(repositories) as running:
        yield running


def started(here: Hub, home: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"},
        "HF_ENDPOINT": here.address,
        "HF_HOME": str(home),
        "HF_HUB_ETAG_TIMEOUT": "5",
        "HF_HUB_DOWNLOAD_TIMEOUT": "600",  # a hub that holds back a file is waited for, however busy the machine is
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(here: Hub, home: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    process = started(here, home, *arguments, **environment)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


def cached(home: Path, family: tiny.Family = KLEIN) -> Path:
    repo = tiny.tiny_spec(family).repos[0].name.replace("/", "--")
    return home / "hub" / f"models--{repo}" / "snapshots" / COMMIT


def until_written(folder: Path, least: int, process: subprocess.Popen[str]) -> None:
    """Wait until more than `least` bytes of a file have been written."""
    while not any(path.stat().st_size > least for path in folder.rglob("*.partial")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def same(ours: Path, theirs: Path) -> bool:
    return ours.read_bytes() == theirs.read_bytes()


def test_the_command_downloads_into_the_cache_and_a_second_call_fetches_nothing(here: Hub, tmp_path: Path) -> None:
    status, out, errors = run(here, tmp_path, "download", KLEIN)
    assert (status, "Traceback" in errors) == (0, False), errors
    assert "Apache-2.0" in out
    assert "HEADSHOT_PIPELINE=flux2-klein" in out
    origin = here.repositories[tiny.tiny_spec(KLEIN).repos[0].name]
    assert same(cached(tmp_path) / WEIGHTS, origin / WEIGHTS)
    assert "100%" in errors  # of the progress bar

    here.got.clear()
    assert run(here, tmp_path, "download", KLEIN)[0] == 0
    assert here.got == []


def test_a_folder_gets_a_sub_folder_for_each_repository(here: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "my weights"
    status, out, errors = run(here, tmp_path / "home", "download", SDXL, "--to", str(folder))
    assert status == 0, errors
    assert str(folder) in out
    for repo in tiny.tiny_spec(SDXL).repos:
        for name in repo.files:
            if "*" not in name:
                assert same(folder / repo.folder / name, here.repositories[repo.name] / name)


@pytest.mark.parametrize("into_folder", [False, True])
def test_an_interrupted_download_resumes(here: Hub, tmp_path: Path, into_folder: bool) -> None:
    to = ["--to", str(tmp_path / "weights")] if into_folder else []
    here.stall_after = 100_000
    process = started(here, tmp_path, "download", KLEIN, *to)
    assert here.stalled.wait(60)
    until_written(tmp_path, 50_000, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)  # at once, though the hub is still stalled
    here.stall_after = None
    assert process.returncode == 130, errors
    assert "goes on where it was" in errors

    here.got.clear()
    status, _, errors = run(here, tmp_path, "download", KLEIN, *to)
    assert status == 0, errors
    assert here.got[0][1] > 50_000, here.got
    origin = here.repositories[tiny.tiny_spec(KLEIN).repos[0].name]
    held = tmp_path / "weights" / tiny.tiny_spec(KLEIN).repos[0].folder if into_folder else cached(tmp_path)
    assert same(held / WEIGHTS, origin / WEIGHTS)


@pytest.mark.parametrize("into_folder", [False, True])
def test_a_truncated_file_is_fetched_again(here: Hub, tmp_path: Path, into_folder: bool) -> None:
    to = ["--to", str(tmp_path / "weights")] if into_folder else []
    assert run(here, tmp_path, "download", KLEIN, *to)[0] == 0
    held = tmp_path / "weights" / tiny.tiny_spec(KLEIN).repos[0].folder if into_folder else cached(tmp_path)
    os.truncate(held / WEIGHTS, 5000)
    status, _, errors = run(here, tmp_path, "download", KLEIN, *to)
    assert status == 0, errors
    origin = here.repositories[tiny.tiny_spec(KLEIN).repos[0].name]
    assert same(held / WEIGHTS, origin / WEIGHTS)


def test_the_error_for_an_unknown_model_lists_the_known_ones(here: Hub, tmp_path: Path) -> None:
    status, _, errors = run(here, tmp_path, "download", "flux-dev")
    assert (status, errors.strip()) == (
        2,
        "There is no recipe “flux-dev”: choose flux2-klein, sdxl-face or qwen-edit.",
    )


def test_without_a_network_the_command_says_so_and_how_to_resume(here: Hub, tmp_path: Path) -> None:
    status, _, errors = run(here, tmp_path, "download", KLEIN, HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 1
    assert "Traceback" not in errors
    assert "The hub cannot be reached" in errors
    assert "python -m headshot download flux2-klein" in errors


def test_an_incomplete_folder_without_a_network_is_not_reported_as_complete(here: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    repo = tiny.tiny_spec(KLEIN).repos[0]
    shutil.copytree(here.repositories[repo.name], folder / repo.folder)
    (folder / repo.folder / WEIGHTS).unlink()
    status, _, errors = run(here, tmp_path, "download", KLEIN, "--to", str(folder), HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 1
    assert "The hub cannot be reached" in errors


def test_a_file_that_arrives_damaged_is_not_kept(here: Hub, tmp_path: Path) -> None:
    here.garbles = True
    status, _, errors = run(here, tmp_path, "download", KLEIN)
    assert (status, "is damaged, and was thrown away" in errors) == (1, True), errors
    here.garbles = False
    status, _, errors = run(here, tmp_path, "download", KLEIN)
    assert status == 0, errors


def test_complete_weights_need_no_network(here: Hub, tmp_path: Path) -> None:
    folder = tiny.folder(SDXL)
    status, _, errors = run(here, tmp_path, "download", SDXL, "--to", str(folder), HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 0, errors
    assert here.got == []


def test_a_hub_that_requires_a_login_and_one_that_fails_each_have_their_message(here: Hub, tmp_path: Path) -> None:
    here.status = 403
    status, _, errors = run(here, tmp_path, "download", KLEIN)
    assert (status, "status 403" in errors, "login" in errors) == (1, True, True), errors
    here.status = 500
    status, _, errors = run(here, tmp_path, "download", KLEIN)
    assert (status, "status 500" in errors or "cannot be reached" in errors) == (1, True), errors


def test_the_error_names_the_variable_that_forbids_the_network(here: Hub, tmp_path: Path) -> None:
    status, _, errors = run(here, tmp_path, "download", KLEIN, HF_HUB_OFFLINE="1")
    assert (status, errors.strip()) == (1, "HF_HUB_OFFLINE forbids the download: unset it for this one command.")
    assert here.got == []


def test_the_error_names_a_folder_that_cannot_be_created(here: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    status, _, errors = run(here, tmp_path, "download", KLEIN, "--to", str(tmp_path / "file" / "weights"))
    assert (status, "cannot be made" in errors) == (1, True), errors
