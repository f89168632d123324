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
# The real recipes weigh more than a test machine's disk has, so the command runs with their sizes set to nothing.
RUN = """
import dataclasses, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that tests in the background has it ignored
from headshot.pipeline import model_specs
small = {
    name: dataclasses.replace(recipe, parts=tuple(dataclasses.replace(part, gigabytes=0.002) for part in recipe.parts))
    for name, recipe in model_specs.MODEL_SPECS.items()
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
        for part in tiny.tiny_recipe(family).parts:
            repositories[part.repo] = tiny.folder(family) / part.folder
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
    out, said = process.communicate(timeout=120)
    return process.returncode, out, said


def cached(home: Path, family: tiny.Family = KLEIN) -> Path:
    repo = tiny.tiny_recipe(family).parts[0].repo.replace("/", "--")
    return home / "hub" / f"models--{repo}" / "snapshots" / COMMIT


def until_written(folder: Path, least: int, process: subprocess.Popen[str]) -> None:
    """Wait until what was sent of a file has also been written."""
    while not any(path.stat().st_size > least for path in folder.rglob("*.partial")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def same(ours: Path, theirs: Path) -> bool:
    return ours.read_bytes() == theirs.read_bytes()


def test_the_command_fetches_a_recipe_into_the_cache_and_then_nothing_is_fetched_again(
    here: Hub, tmp_path: Path
) -> None:
    status, out, said = run(here, tmp_path, "download", KLEIN)
    assert (status, "Traceback" in said) == (0, False), said
    assert "Apache-2.0" in out
    assert "HEADSHOT_PIPELINE=flux2-klein" in out
    origin = here.repositories[tiny.tiny_recipe(KLEIN).parts[0].repo]
    assert same(cached(tmp_path) / WEIGHTS, origin / WEIGHTS)
    assert "100%" in said  # the bar

    here.got.clear()
    assert run(here, tmp_path, "download", KLEIN)[0] == 0
    assert here.got == []


def test_a_folder_gets_every_part_in_a_place_of_its_own(here: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "my weights"
    status, out, said = run(here, tmp_path / "home", "download", SDXL, "--to", str(folder))
    assert status == 0, said
    assert str(folder) in out
    for part in tiny.tiny_recipe(SDXL).parts:
        for name in part.files:
            if "*" not in name:
                assert same(folder / part.folder / name, here.repositories[part.repo] / name)


@pytest.mark.parametrize("into_folder", [False, True])
def test_an_interrupted_download_goes_on_where_it_was(here: Hub, tmp_path: Path, into_folder: bool) -> None:
    to = ["--to", str(tmp_path / "weights")] if into_folder else []
    here.stall_after = 100_000
    process = started(here, tmp_path, "download", KLEIN, *to)
    assert here.stalled.wait(60)
    until_written(tmp_path, 50_000, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)  # at once, though the hub is still stalled
    here.stall_after = None
    assert process.returncode == 130, said
    assert "goes on where it was" in said

    here.got.clear()
    status, _, said = run(here, tmp_path, "download", KLEIN, *to)
    assert status == 0, said
    assert here.got[0][1] > 50_000, here.got
    origin = here.repositories[tiny.tiny_recipe(KLEIN).parts[0].repo]
    held = tmp_path / "weights" / tiny.tiny_recipe(KLEIN).parts[0].folder if into_folder else cached(tmp_path)
    assert same(held / WEIGHTS, origin / WEIGHTS)


@pytest.mark.parametrize("into_folder", [False, True])
def test_a_file_that_was_cut_short_is_fetched_anew(here: Hub, tmp_path: Path, into_folder: bool) -> None:
    to = ["--to", str(tmp_path / "weights")] if into_folder else []
    assert run(here, tmp_path, "download", KLEIN, *to)[0] == 0
    held = tmp_path / "weights" / tiny.tiny_recipe(KLEIN).parts[0].folder if into_folder else cached(tmp_path)
    os.truncate(held / WEIGHTS, 5000)
    status, _, said = run(here, tmp_path, "download", KLEIN, *to)
    assert status == 0, said
    origin = here.repositories[tiny.tiny_recipe(KLEIN).parts[0].repo]
    assert same(held / WEIGHTS, origin / WEIGHTS)


def test_an_unknown_recipe_is_answered_with_those_there_are(here: Hub, tmp_path: Path) -> None:
    status, _, said = run(here, tmp_path, "download", "flux-dev")
    assert (status, said.strip()) == (
        2,
        "There is no recipe “flux-dev”: choose flux2-klein, sdxl-face or qwen-edit.",
    )


def test_without_a_network_the_command_says_so_and_that_it_goes_on(here: Hub, tmp_path: Path) -> None:
    status, _, said = run(here, tmp_path, "download", KLEIN, HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 1
    assert "Traceback" not in said
    assert "The hub cannot be reached" in said
    assert "python -m headshot download flux2-klein" in said


def test_half_a_folder_without_a_network_is_not_taken_for_the_whole(here: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    part = tiny.tiny_recipe(KLEIN).parts[0]
    shutil.copytree(here.repositories[part.repo], folder / part.folder)
    (folder / part.folder / WEIGHTS).unlink()
    status, _, said = run(here, tmp_path, "download", KLEIN, "--to", str(folder), HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 1
    assert "The hub cannot be reached" in said


def test_what_arrives_damaged_is_not_kept(here: Hub, tmp_path: Path) -> None:
    here.garbles = True
    status, _, said = run(here, tmp_path, "download", KLEIN)
    assert (status, "is damaged, and was thrown away" in said) == (1, True), said
    here.garbles = False
    status, _, said = run(here, tmp_path, "download", KLEIN)
    assert status == 0, said


def test_what_is_there_already_needs_no_network(here: Hub, tmp_path: Path) -> None:
    folder = tiny.folder(SDXL)
    status, _, said = run(here, tmp_path, "download", SDXL, "--to", str(folder), HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 0, said
    assert here.got == []


def test_a_hub_that_wants_a_login_and_one_in_trouble_each_have_their_sentence(here: Hub, tmp_path: Path) -> None:
    here.status = 403
    status, _, said = run(here, tmp_path, "download", KLEIN)
    assert (status, "status 403" in said, "login" in said) == (1, True, True), said
    here.status = 500
    status, _, said = run(here, tmp_path, "download", KLEIN)
    assert (status, "status 500" in said or "cannot be reached" in said) == (1, True), said


def test_the_environment_that_forbids_the_network_is_named(here: Hub, tmp_path: Path) -> None:
    status, _, said = run(here, tmp_path, "download", KLEIN, HF_HUB_OFFLINE="1")
    assert (status, said.strip()) == (1, "HF_HUB_OFFLINE forbids the download: unset it for this one command.")
    assert here.got == []


def test_a_folder_that_cannot_be_made_is_named(here: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    status, _, said = run(here, tmp_path, "download", KLEIN, "--to", str(tmp_path / "file" / "weights"))
    assert (status, "cannot be made" in said) == (1, True), said
