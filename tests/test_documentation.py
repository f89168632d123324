"""The README and the documentation tell the truth about what is there, and their code runs."""

import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from page import serving
from paths import PORTRAIT, ROOT
from service import Service

from headshot.registry import create_backends
from headshot.settings import Settings
from headshot.web import server

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.+?)```", page.read_text(encoding="utf-8"), re.S), start=1)
]
ADDRESS = "http://127.0.0.1:7860/"  # of the running page, in the samples


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_and_picture_is_there(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_links_to_every_page_of_the_documentation() -> None:
    readme = README.read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


def test_the_readme_is_a_page() -> None:
    readme = README.read_text(encoding="utf-8")
    assert len(readme.split()) <= 1_200
    assert len(readme.splitlines()) <= 200


def test_every_file_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w.]+/)*[\w]+\.(?:py|toml)|[\w/]+/)`", text)
    assert len(named) > 20
    assert [name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "headshot"))] == []


def test_every_package_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "headshot").glob("*/__init__.py")}
    assert {name for name in packages if f"`{name}/`" not in text} == set()


def test_the_front_matter_names_the_sdk_that_the_requirements_allow() -> None:
    front = README.read_text(encoding="utf-8").split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    major, minor = re.search(r"sdk_version: (\d+)\.(\d+)\.\d+", front).groups()  # type: ignore[union-attr]
    assert f"gradio>={major}.{minor},<{int(major) + 1}" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert len(re.search(r"short_description: (.+)", front)[1]) <= 60  # type: ignore[index]  # what a Space shows


# The code, as it stands, from a folder in which there is nothing but a photo.


@pytest.fixture(scope="module")
def running() -> Iterator[server.Site]:
    with serving(create_backends(Settings())) as site:
        yield site


@pytest.fixture
def service() -> Iterator[Service]:
    """Its pictures come within the answer: a link to this machine is one that the client does not follow."""
    with Service(at_once=True) as service:
        service.link = f"data:image/jpeg;base64,{b64encode(PORTRAIT.read_bytes()).decode()}"
        yield service


@pytest.mark.parametrize("code", PYTHON)
def test_the_samples_run_from_an_empty_folder(
    code: str, service: Service, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if ADDRESS in code:
        code = code.replace(ADDRESS, request.getfixturevalue("running").address)
    folder = tmp_path / "empty"
    folder.mkdir()
    shutil.copy(PORTRAIT, folder / "me.jpg")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADSHOT_")} | {
        "PYTHONPATH": str(ROOT),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HEADSHOT_DATA_DIR": str(tmp_path / "data"),
    }
    if "modelslab" in code:
        environment |= {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "hosted_samples")]),
            "HEADSHOT_MODELSLAB_URL": service.base_url,
            "HEADSHOT_MODELSLAB_KEY": "k" * 40,
        }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readmes_commands_run_from_an_empty_folder(tmp_path: Path) -> None:
    [block] = re.findall(r"```sh\n(headshot .+?)```", README.read_text(encoding="utf-8"), re.S)
    commands = [line for line in block.splitlines() if line != "headshot page"]  # which serves until it is stopped
    assert len(commands) == len(block.splitlines()) - 1 > 1
    folder, programs = tmp_path / "empty", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    shutil.copy(PORTRAIT, folder / "me.jpg")
    program = programs / "headshot"  # as an installation writes it
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m headshot "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)],
        cwd=folder,
        env=os.environ
        | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HEADSHOT_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((folder / "headshots").glob("*.png"))) == 4
    assert "navy blue backdrop" in done.stdout
