"""The README tells the truth about what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_link_and_picture_of_the_readme_is_there() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(targets) > 5
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_file_the_readme_lists_is_there_and_every_module_is_listed() -> None:
    listing = README[README.index("## Files") :].split("```")[1]
    named = [name for line in listing.split("\n") if line for name in re.split(r"\s{2,}", line.strip())[0].split(", ")]
    parts = [ROOT / "headshot" / part for part in ("pipeline", "studio", "ui")]
    places = [ROOT, *parts]
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
    modules = [*(ROOT / "headshot").glob("*.py")]
    modules += [path for part in parts for path in part.glob("*.py") if path.stem != "__init__"]
    assert {path.name for path in modules} - {Path(name).name for name in named} == set()


def test_the_front_matter_names_the_sdk_that_the_requirements_allow() -> None:
    front = README.split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    major, minor = re.search(r"sdk_version: (\d+)\.(\d+)\.\d+", front).groups()  # type: ignore[union-attr]
    assert f"gradio>={major}.{minor},<{int(major) + 1}" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert len(re.search(r"short_description: (.+)", front)[1]) <= 60  # type: ignore[index]  # what a Space shows
