"""The package is complete: what pip installs is what the requirements and the source tree say."""

import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser

import pytest
from lacking import lacking
from paths import ROOT

from headshot.version import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(name: str) -> list[str]:
    """The lines of a requirements file, `-r` of another one as the extra that stands for it, comments left out."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    extras = {"-r requirements.txt": "", "-r requirements-gpu.txt": f"{PROJECT['name']}[gpu]"}
    return sorted(filter(None, (extras.get(line, line) for line in lines)))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built once."""
    if importlib.util.find_spec("hatchling") is None:
        lacking("the package hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    built = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("requirements.txt", PROJECT["dependencies"]),
        ("requirements-gpu.txt", PROJECT["optional-dependencies"]["gpu"]),
        ("requirements-dev.txt", PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_the_package_requires_what_the_requirements_file_says(name: str, declared: list[str]) -> None:
    assert sorted(declared) == required(name)


def test_the_build_backend_is_the_one_that_the_tests_build_with() -> None:
    system = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    assert set(system["requires"]) <= set(required("requirements-dev.txt"))


def test_constraints_pin_every_required_package() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normalised(line.partition("==")[0]) for line in constraints if not line.startswith("#")}
    names = [*required("requirements.txt"), *required("requirements-gpu.txt"), *required("requirements-dev.txt")]
    wanted = {normalised(re.split(r"[\[<>=]", name)[0]) for name in names} - {PROJECT["name"]}
    assert wanted - pinned == set()


def normalised(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def test_every_file_of_the_package_is_in_the_wheel_and_no_test(wheel: zipfile.ZipFile) -> None:
    package = ROOT / "headshot"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(wheel.namelist())
    assert files - names == set()
    assert {name.partition("/")[0] for name in names} == {"headshot", f"headshot_playground-{__version__}.dist-info"}


def test_the_wheel_has_version_licence_dependencies_and_command(wheel: zipfile.ZipFile) -> None:
    info = f"headshot_playground-{__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Project-URL") is None
    plain = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {normalised(re.split(r"[\[<>=]", line)[0]) for line in plain} == {
        normalised(re.split(r"[\[<>=]", line)[0]) for line in PROJECT["dependencies"]
    }
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "headshot = headshot.__main__:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_app_py_serves_what_the_page_command_serves() -> None:
    assert "from headshot.commands.page import run_page" in (ROOT / "app.py").read_text(encoding="utf-8")
