"""The settings: documented, bounded, and the only reader of the environment."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

import headshot
from headshot.errors import HeadshotError, SettingsError
from headshot.settings import Settings, variable

PACKAGE = Path(headshot.__file__).parent
PAGE = PACKAGE.parent / "docs" / "SETTINGS.md"
AN_ADDRESS = "an address that starts with https://"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_the_documentation_lists_every_setting_with_its_default_and_no_other() -> None:
    rows = re.findall(r"^\| *`(HEADSHOT_\w+)` *\| *([^|]*?) *\|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: default.strip("`") for name, default in rows}
    assert documented == {variable(name): _written(field.default) for name, field in Settings.model_fields.items()}
    assert len(rows) == len(documented), "a setting is in the table twice"


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description and field.description.endswith("."), name


def test_without_variables_the_defaults_hold() -> None:
    assert Settings().model_dump() == {name: field.default for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HEADSHOT_BACKEND", "studio", "studio"),
        ("HEADSHOT_MAX_HEADSHOTS", "16", 16),
        ("HEADSHOT_KEEP_MINUTES", "1", 1),
        ("HEADSHOT_CACHED_PHOTOS", " 2 ", 2),
        ("HEADSHOT_QUEUE_SIZE", "500", 500),
        ("HEADSHOT_OPEN_BROWSER", "false", False),
        ("HEADSHOT_OPEN_BROWSER", "0", False),
        ("HEADSHOT_MODELSLAB_URL", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("HEADSHOT_PUBLIC_URL", "https://a.example/playground", "https://a.example/playground"),
        ("HEADSHOT_DATA_DIR", "/data", Path("/data")),
        ("HEADSHOT_MAX_HEADSHOTS", "", 8),  # a container passes an unset variable as an empty one
    ],
)
def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any) -> None:
    monkeypatch.setenv(name, text)
    field = name.removeprefix("HEADSHOT_").lower()
    assert Settings().model_dump() == {**Settings.model_construct().model_dump(), field: value}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("HEADSHOT_MAX_HEADSHOTS", "many", "HEADSHOT_MAX_HEADSHOTS must be a whole number from 1 to 16."),
        ("HEADSHOT_MAX_HEADSHOTS", "0", "HEADSHOT_MAX_HEADSHOTS must be a whole number from 1 to 16."),
        ("HEADSHOT_MAX_HEADSHOTS", "17", "HEADSHOT_MAX_HEADSHOTS must be a whole number from 1 to 16."),
        ("HEADSHOT_KEEP_MINUTES", "1.5", "HEADSHOT_KEEP_MINUTES must be a whole number from 1 to 1440."),
        ("HEADSHOT_KEEP_MINUTES", "nan", "HEADSHOT_KEEP_MINUTES must be a whole number from 1 to 1440."),
        ("HEADSHOT_CACHED_PHOTOS", "-1", "HEADSHOT_CACHED_PHOTOS must be a whole number from 1 to 32."),
        ("HEADSHOT_QUEUE_SIZE", "9" * 400, "HEADSHOT_QUEUE_SIZE must be a whole number from 1 to 500."),
        ("HEADSHOT_OPEN_BROWSER", "maybe", "HEADSHOT_OPEN_BROWSER must be true or false."),
        ("HEADSHOT_MODELSLAB_API", "v7", "HEADSHOT_MODELSLAB_API must be enterprise or v6."),
        ("HEADSHOT_MODELSLAB_URL", "http://a.example", f"HEADSHOT_MODELSLAB_URL must be {AN_ADDRESS}."),
        ("HEADSHOT_MODELSLAB_URL", "https://user@a.example", f"HEADSHOT_MODELSLAB_URL must be {AN_ADDRESS}."),
        ("HEADSHOT_PUBLIC_URL", "http://localhost:7860", f"HEADSHOT_PUBLIC_URL must be {AN_ADDRESS}, or empty."),
        ("HEADSHOT_PUBLIC_URL", "https://a.example/?b", f"HEADSHOT_PUBLIC_URL must be {AN_ADDRESS}, or empty."),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as refused:
        Settings()
    assert str(refused.value) == sentence
    assert isinstance(refused.value, HeadshotError)


def test_unknown_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSHOT_SERVICE_HOST", "10.0.0.1")  # Kubernetes sets this beside a service called headshot
    monkeypatch.setenv("MAX_HEADSHOTS", "2")
    assert Settings().max_headshots == 8


def test_a_setting_that_does_not_exist_is_a_mistake_in_code() -> None:
    with pytest.raises(TypeError, match="no setting 'max_seed'"):
        Settings(max_seed=3)  # type: ignore[call-arg]


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_headshots = 2  # type: ignore[misc]


def test_settings_is_the_only_reader_of_the_environment() -> None:
    reads = [
        f"{path.relative_to(PACKAGE)}:{line}" for path in sorted(PACKAGE.rglob("*.py")) for line in _reads_of(path)
    ]
    assert reads == []


def _reads_of(path: Path) -> list[int]:
    """Lines that read the environment. Assignments to `os.environ[...]`, which configure a library, do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    written = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
    }
    names = {"environ", "environb", "getenv", "getenvb"}
    read = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in names and id(node) not in written
    ]
    imported = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {name.name for name in node.names}
    ]
    return read + imported


def _written(default: Any) -> str:
    """A default as it would be written in a shell."""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)


def test_settings_show_neither_key_nor_the_databases_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSHOT_MODELSLAB_KEY", "a-key-of-somebody")
    monkeypatch.setenv("HEADSHOT_DATABASE_URL", "postgresql://me:a-password@db/jobs")
    settings = Settings()
    assert settings.modelslab_key.get_secret_value() == "a-key-of-somebody"
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "a-key" not in shown
        assert "a-password" not in shown
