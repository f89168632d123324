"""Which backends are chosen, and the messages for a person if a backend is not ready or unknown."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from stub import StubBackend

from headshot.backend_names import AUTO
from headshot.backends import Readiness, choose
from headshot.errors import NotConfigured, RequestError, SettingsError
from headshot.imaging.photo import Photo
from headshot.progress import Progress
from headshot.registry import create_backends
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings


class KeylessBackend(StubBackend):
    """A backend that lacks its key."""

    def __init__(self, name: str = "hosted") -> None:
        super().__init__(name=name)

    def readiness(self) -> Readiness:
        return Readiness(False, f"The {self.name} backend has no key: set one.")

    def drop_cache(self, photo: Photo) -> None:
        pass

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncIterator[Headshot]:
        raise AssertionError("a backend that is not ready was called")
        yield


def test_the_registry_holds_the_three_backends_and_only_the_studio_is_ready_by_default() -> None:
    backends = create_backends(Settings())
    assert list(backends) == ["modelslab", "local", "studio"]
    for name, backend in backends.items():
        readiness = backend.readiness()
        assert backend.name == name
        assert readiness.ready == (name == "studio")
        assert readiness.sentence[0].isupper() and readiness.sentence.endswith(".")
        assert backend.help.strip()
        assert backend.max_concurrent >= 1
    assert {backend.title: backend.survives_disconnect for backend in backends.values()} == {
        "ModelsLab": True,
        "Local pipeline": False,
        "Studio": False,
    }


def test_the_servers_key_makes_modelslab_ready_and_first(tmp_path: Path) -> None:
    backends = create_backends(Settings(modelslab_key=SecretStr("a0key"), data_dir=tmp_path / "data"))
    assert choose(backends) == [backends["modelslab"], backends["studio"]]
    assert not (tmp_path / "data").exists()  # created only when there is something to store


def test_an_unknown_backend_in_the_settings_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError) as refused:
        create_backends(Settings(backend="hosted"))
    assert str(refused.value) == "HEADSHOT_BACKEND must be auto or modelslab or local or studio."


def test_auto_chooses_all_ready_backends_best_first() -> None:
    first, second, third = KeylessBackend(), StubBackend(name="second"), StubBackend(name="third")
    backends = {backend.name: backend for backend in (first, second, third)}
    assert choose(backends, AUTO) == [second, third]
    assert choose(backends) == [second, third]


def test_a_name_chooses_that_backend_and_no_fallback() -> None:
    backends = {name: StubBackend(name=name) for name in ("one", "two")}
    assert choose(backends, "one") == [backends["one"]]


def test_the_error_for_a_backend_that_is_not_ready_is_its_own_sentence() -> None:
    with pytest.raises(NotConfigured) as refused:
        choose({"hosted": KeylessBackend(), "stub": StubBackend()}, "hosted")
    assert str(refused.value) == "The hosted backend has no key: set one."
    assert refused.value.backend == "hosted"


def test_auto_with_nothing_ready_gives_every_reason() -> None:
    with pytest.raises(NotConfigured) as refused:
        choose({name: KeylessBackend(name) for name in ("one", "two")})
    assert str(refused.value) == (
        "No backend is ready. The one backend has no key: set one. The two backend has no key: set one."
    )


@pytest.mark.parametrize("name", ["Studio", "", "x" * 500, None, 3, ["studio"], {}])
def test_the_error_for_an_unknown_backend_lists_the_known_ones(name: Any) -> None:
    with pytest.raises(RequestError, match=r"There is no backend called “.{0,20}”: choose auto or one or two\.$"):
        choose({"one": StubBackend(name="one"), "two": StubBackend(name="two")}, name)
