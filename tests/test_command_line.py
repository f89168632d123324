"""The command line, as a person and as a program call it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
from paths import PORTRAIT, ROOT
from stub import StubBackend

from headshot import registry
from headshot.__main__ import main
from headshot.commands import page, parser
from headshot.commands.data_folder import check_data_folder, with_data_folder
from headshot.commands.files import write_headshot
from headshot.commands.looks import look_name
from headshot.comparison.presets import PRESETS
from headshot.errors import SettingsError
from headshot.imaging.photo import Photo
from headshot.metadata import read
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings, variable

COMMANDS = ("page", "shoot", "check", "looks", "download")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(Settings.model_fields) - {"data_dir"}:
        monkeypatch.delenv(variable(name), raising=False)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> StubBackend:
    """The only backend that there is."""
    backend = StubBackend()
    monkeypatch.setattr(registry, "create_backends", lambda settings: {backend.name: backend})
    return backend


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def is_one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert status == 0
    assert f"Example: headshot {command}" in out


def test_help_loads_neither_gradio_nor_networks() -> None:
    script = (
        "import sys; from headshot.__main__ import main; main(['shoot', '--help']);"
        "print([name for name in ('gradio', 'torch', 'cv2', 'onnxruntime', 'sqlalchemy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_looks_lists_every_preset_with_its_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "looks")
    assert status == 0
    assert all(preset.prompt in out and look_name(preset.name) in out for preset in PRESETS)
    status, out, _ = run(capsys, "looks", "--json")
    assert [look["title"] for look in json.loads(out)] == [preset.name for preset in PRESETS]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["nonsense"], 2, "No such command"),
        (["shoot"], 2, "Missing argument 'PHOTO'"),
        (["shoot", PORTRAIT, "--look", "purple"], 2, "There is no look “purple”: choose corporate,"),
        (["shoot", PORTRAIT, "--seeds", "4294967296"], 2, "A seed is at most 4294967295"),
        (["shoot", PORTRAIT, "--seeds", "1-99"], 2, "at most 8 run at once"),
        (["shoot", PORTRAIT, "--steps", "22"], 2, "Steps must be 21, 31 or 41."),
        (["shoot", PORTRAIT, "--guidance", "much"], 2, "Invalid value for '--guidance'"),
        (["shoot", PORTRAIT, "--guidance", "21"], 2, "Guidance must be a number from 1 to 20."),
        (["shoot", PORTRAIT, "--face", "0"], 2, "Invalid value for '--face'"),
        (["shoot", PORTRAIT, "--out", ROOT / "LICENSE"], 1, "cannot be written to"),
        (["shoot", PORTRAIT, "--backend", "cloud"], 2, "There is no backend called “cloud”"),
        (["shoot", PORTRAIT, "--backend", "modelslab"], 1, "ModelsLab needs a key: set HEADSHOT_MODELSLAB_KEY."),
        (["shoot", "no-such.jpg", "--backend", "studio"], 1, "There is no file “no-such.jpg”"),
        (["check", "no-such.png"], 1, "There is no file “no-such.png”"),
        (["check", ROOT], 1, "cannot be read (Is a directory)"),
        (["check", ROOT / "LICENSE"], 1, "Only PNG, JPEG and WebP files"),
        (["download", "flux-dev"], 2, "flux-dev"),
    ],
)
def test_bad_input_is_answered_with_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[object], status: int, sentence: str
) -> None:
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (status, "")
    assert sentence in err
    assert is_one_sentence(err)


def test_the_studio_writes_files_that_check_reads_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(
        capsys, "shoot", PORTRAIT, "--look", "Clean-WHITE", "--seeds", "1", "--out", tmp_path, "--backend", "studio"
    )
    assert (status, err) == (0, "")
    [name] = out.splitlines()
    assert Path(name) == tmp_path / "portrait-headshot-studio-seed-1-guidance-7.5-steps-21.png"
    status, out, _ = run(capsys, "check", "--json", name)
    [report] = json.loads(out)
    assert status == 0
    assert report["tool"].startswith("Headshot Playground")
    assert "pure white backdrop" in report["prompt"]
    assert (report["seed"], report["num_inference_steps"], report["guidance_scale"]) == (1, 21, 7.5)
    assert (report["ai"], report["signature"]["state"]) == (False, "ours")
    status, out, _ = run(capsys, "check", name)
    assert status == 0
    assert "pure white backdrop" in out


def test_what_is_typed_takes_the_place_of_the_looks_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, stub: StubBackend
) -> None:
    look = ["--look", "black-and-white", "--prompt", "navy backdrop", "--seeds", "7", "--steps", "31"]
    status, out, _ = run(capsys, "shoot", PORTRAIT, *look, "--out", tmp_path, "--json")
    assert status == 0
    [result] = json.loads(out)
    own = next(preset for preset in PRESETS if preset.name == "Black & white")
    assert result["request"] == {
        "prompt": "navy backdrop",
        "negative_prompt": own.negative_prompt,
        "guidance_scale": own.guidance_scale,
        "num_inference_steps": 31,
        "seed": 7,
    }
    assert set(result) == {"photo", "file", "backend", "request", "seconds", "likeness", "trust", "notes"}
    request = read(Path(result["file"]).read_bytes()).request
    assert request is not None
    assert request.seed == 7


def test_a_bad_photo_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, stub: StubBackend
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture", encoding="utf-8")
    status, out, err = run(capsys, "shoot", bad, PORTRAIT, "--seeds", "1,2", "--out", tmp_path)
    assert status == 1
    assert len(out.splitlines()) == 2
    assert err.startswith(f"{bad}: ")
    assert is_one_sentence(err)


def test_no_file_is_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path, stub: StubBackend) -> None:
    names = [run(capsys, "shoot", PORTRAIT, "--seeds", "1", "--out", tmp_path)[1].strip() for _ in range(3)]
    assert len(set(names)) == 3
    assert [Path(name).stem[-2:] for name in names[1:]] == ["-2", "-3"]


def test_a_photos_name_may_be_as_long_as_a_file_systems_names(tmp_path: Path) -> None:
    path = write_headshot(tmp_path, Path("ü" * 120 + ".jpg"), "headshot.png", b"data")
    assert path.read_bytes() == b"data"
    assert path.name.startswith("ü" * 30)


class Interrupted(StubBackend):
    """Ctrl-C is pressed when the first headshot is there."""

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        async for headshot in super().generate(photo, requests, progress, face=face):
            yield headshot
            os.kill(os.getpid(), signal.SIGINT)
            progress.check()


def test_ctrl_c_still_prints_the_json_of_what_is_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Interrupted()
    monkeypatch.setattr(registry, "create_backends", lambda settings: {backend.name: backend})
    before = signal.getsignal(signal.SIGINT)
    status, out, err = run(capsys, "shoot", PORTRAIT, PORTRAIT, "--seeds", "1-3", "--out", tmp_path, "--json")
    assert status == 130
    assert [Path(result["file"]).exists() for result in json.loads(out)] == [True]
    assert err == "Stopped: 1 of 6 headshots are done.\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_stops_the_studio_between_two_pictures_and_keeps_those_that_are_done(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "headshot", "shoot", PORTRAIT, "--backend", "studio", "--seeds", "1-8"]
    with subprocess.Popen(
        [*command, "--out", tmp_path], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130
    names = [Path(line) for line in (first + out).splitlines()]
    assert 1 <= len(names) < 8
    assert sorted(names) == sorted(tmp_path.iterdir())
    assert all(read(name.read_bytes()).request for name in names)
    assert err == f"Stopped: {len(names)} of 8 headshots are done.\n"


def test_a_reader_that_ends_early_causes_no_traceback() -> None:
    command = f"'{sys.executable}' -m headshot looks --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[\n", "")
    assert done.returncode in (0, 1)  # 0 where everything was written before head ended


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*arguments: Any, **options: Any) -> None:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(parser, "app", lacking)
    status, _, err = run(capsys, "shoot", PORTRAIT)
    assert (status, "The package cv2 is missing" in err, is_one_sentence(err)) == (1, True, True)


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which nothing can be made, not even by root: its parent is a file."""
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("HEADSHOT_DATA_DIR", str(tmp_path / "file" / "data"))
    return tmp_path / "file" / "data"


def test_the_page_says_that_its_data_folder_cannot_be_written_to(
    capsys: pytest.CaptureFixture[str], unwritable: Path
) -> None:
    status, out, err = run(capsys, "page")
    assert (status, out) == (1, "")
    assert err == (f"The data folder {unwritable} cannot be written to: set HEADSHOT_DATA_DIR to a folder that can.\n")


def test_shoot_works_without_a_data_folder(
    capsys: pytest.CaptureFixture[str], unwritable: Path, tmp_path: Path, stub: StubBackend
) -> None:
    status, out, err = run(capsys, "shoot", PORTRAIT, "--seeds", "1", "--out", tmp_path)
    assert (status, len(out.splitlines()), err) == (0, 1, "")
    with with_data_folder(Settings()) as settings:
        instead = settings.data_dir
        check_data_folder(settings)
        assert instead != unwritable
    assert not instead.exists()


def test_checking_the_data_folder_makes_none(tmp_path: Path) -> None:
    check_data_folder(Settings(data_dir=tmp_path / "a" / "b"))
    assert not (tmp_path / "a").exists()


def test_without_a_home_directory_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(SettingsError, match="HEADSHOT_DATA_DIR"):
        check_data_folder(Settings(data_dir=Path("~/.headshot-playground")))


def test_page_passes_its_options_to_the_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[bool, int | None]] = []
    monkeypatch.setattr(page, "_serve", lambda settings, port: served.append((settings.open_browser, port)))
    assert run(capsys, "page", "--port", "8123", "--no-browser") == (0, "", "")
    assert run(capsys, "page") == (0, "", "")
    assert served == [(False, 8123), (True, None)]


def test_a_server_that_cannot_start_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(settings: Settings, port: int | None) -> None:
        raise OSError("Cannot find empty port in range: 8123-8123. You can specify a different port.")

    monkeypatch.setattr(page, "_serve", taken)
    assert run(capsys, "page", "--port", "8123") == (
        1,
        "",
        "The page cannot start: no free port was found (port 8123).\n",
    )


@pytest.mark.parametrize("command", ["page", "shoot"])
def test_a_wrong_setting_in_the_environment_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("HEADSHOT_MAX_HEADSHOTS", "many")
    status, _, err = run(capsys, command, *([PORTRAIT] if command == "shoot" else []))
    assert (status, err) == (1, "HEADSHOT_MAX_HEADSHOTS must be a whole number from 1 to 16.\n")


def test_every_example_of_the_documentation_names_a_command_and_options_that_exist(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # wide enough that no option is broken in two
    text = (ROOT / "docs" / "COMMAND_LINE.md").read_text(encoding="utf-8")
    examples = [line.split() for line in text.splitlines() if line.startswith("    headshot ")]
    assert {example[1] for example in examples} == set(COMMANDS)
    for _, command, *words in examples:
        helped = run(capsys, command, "--help")[1]
        assert all(word in helped for word in words if word.startswith("--")), command
