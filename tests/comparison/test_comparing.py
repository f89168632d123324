"""A comparison on one backend, and on several that take over from each other."""

import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from PIL import Image
from stub import StubBackend, made

from headshot.backends import Backend
from headshot.comparison.axes import (
    plan,
)
from headshot.comparison.comparing import compare
from headshot.errors import (
    BackendError,
    HeadshotError,
    NotConfigured,
    OutcomeUnknown,
    PhotoError,
    Refused,
    RequestError,
    Stopped,
    Unavailable,
)
from headshot.imaging.photo import Photo
from headshot.metadata import embed_metadata
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest, Note


def test_a_backend_gets_the_whole_list_with_every_seed_resolved() -> None:
    backend = StubBackend()
    photo = Photo.from_image(Image.new("RGB", (160, 200), "grey"))
    requests = [HeadshotRequest(seed=3), HeadshotRequest(), HeadshotRequest(seed=1)]

    async def run() -> list[int | None]:
        return [headshot.request.seed async for headshot in compare([backend], photo, requests, face=1)]

    seeds = anyio.run(run)
    assert [request.seed for request in backend.asked] == seeds
    assert (seeds[0], seeds[2]) == (3, 1) and seeds[1] is not None
    assert backend.faces == [1]


# --- one backend takes over from another

PHOTO = Photo.from_image(Image.new("RGB", (160, 200), "grey"))
AWAY = "The first backend cannot be reached."


class Choosy(StubBackend):
    """A backend that reports the status of each headshot, and raises its first error at the end."""

    def __init__(self, name: str, **outcomes: HeadshotError) -> None:
        super().__init__(name=name)
        self.outcomes = {int(seed.removeprefix("seed_")): error for seed, error in outcomes.items()}

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        for request in requests:
            self.asked.append(request)
            error = self.outcomes.get(request.seed or 0)
            if error is not None:
                progress.report_item(HeadshotStatus(request, "failed", str(error), error=error))
            else:
                yield made(photo, request, self.name)
        errors = [self.outcomes[request.seed] for request in requests if request.seed in self.outcomes]
        if errors:
            raise errors[0]


class Outcome:
    """What a comparison came to."""

    def __init__(self, backends: Sequence[StubBackend], *seeds: int, **options: Any) -> None:
        self.completed: list[Headshot] = []
        self.statuses: list[HeadshotStatus] = []
        self.error: Exception | None = None
        anyio.run(self._run, backends, seeds, options)

    async def _run(self, backends: Sequence[StubBackend], seeds: Sequence[int], options: dict[str, Any]) -> None:
        progress = Progress(item_listener=self.statuses.append)
        try:
            async for headshot in compare(backends, PHOTO, plan(HeadshotRequest(), seeds), progress, **options):
                self.completed.append(headshot)
        except HeadshotError as error:
            self.error = error

    @property
    def makers(self) -> list[tuple[int | None, str]]:
        return [(headshot.request.seed, headshot.backend) for headshot in self.completed]


def asked(backend: StubBackend) -> list[int | None]:
    return [request.seed for request in backend.asked]


def failing(error: HeadshotError, *, after: int = 0) -> StubBackend:
    """Named first."""
    backend = StubBackend(name="first")
    backend.fail(error, after=after)
    return backend


def away() -> Unavailable:
    return Unavailable("first", AWAY)


def test_the_next_backend_makes_what_the_first_is_unavailable_for_and_says_so() -> None:
    second = StubBackend(name="second")
    found = Outcome([failing(away()), second], 1, 2)
    assert (found.makers, found.error) == ([(1, "second"), (2, "second")], None)
    for headshot in found.completed:
        assert headshot.notes[0] == Note("advice", f"Made by Second, for First was not available: {AWAY}")
        assert headshot.notes[1:] == made(PHOTO, headshot.request).notes
        states = [(one.kind, one.text) for one in found.statuses if one.request == headshot.request]
        assert states == [("waiting", "Second takes over")]


def test_only_what_the_first_could_not_make_is_handed_on() -> None:
    first, second = Choosy("first", seed_2=away(), seed_4=away()), StubBackend(name="second")
    found = Outcome([first, second], 1, 2, 3, 4)
    assert found.makers == [(1, "first"), (3, "first"), (2, "second"), (4, "second")]
    assert found.error is None
    assert asked(second) == [2, 4]
    assert [bool(shot.notes[0].text.startswith("Made by Second")) for shot in found.completed] == [
        False,
        False,
        True,
        True,
    ]


def test_what_had_completed_before_the_first_went_away_stays() -> None:
    second = StubBackend(name="second")
    found = Outcome([failing(away(), after=2), second], 1, 2, 3)
    assert found.makers == [(1, "first"), (2, "first"), (3, "second")]
    assert asked(second) == [3]


@pytest.mark.parametrize("kind", [Refused, OutcomeUnknown, NotConfigured])
@pytest.mark.parametrize("tells", [True, False])
def test_what_was_refused_or_may_be_billed_no_other_backend_makes(kind: type[BackendError], tells: bool) -> None:
    error = kind("first", "The first backend has spoken.")
    first = Choosy("first", seed_1=error, seed_2=error) if tells else failing(error)
    second = StubBackend(name="second")
    found = Outcome([first, second], 1, 2)
    assert (found.makers, found.error, asked(second)) == ([], error, [])


def test_the_error_comes_last_and_is_of_what_nobody_made() -> None:
    refused, unknown = Refused("first", "The prompt is not allowed."), OutcomeUnknown("first", "No answer came.")
    first = Choosy("first", seed_1=away(), seed_2=refused, seed_4=unknown)
    second = StubBackend(name="second")
    found = Outcome([first, second], 1, 2, 3, 4)
    assert found.makers == [(3, "first"), (1, "second")]
    assert asked(second) == [1]
    assert found.error is refused


def test_the_reason_on_a_headshot_is_why_the_first_did_not_make_that_one() -> None:
    first = Choosy("first", seed_1=Refused("first", "The prompt is not allowed."), seed_2=away())
    found = Outcome([first, StubBackend(name="second")], 1, 2)
    [headshot] = found.completed
    assert headshot.notes[0].text == f"Made by Second, for First was not available: {AWAY}"


@pytest.mark.parametrize("error", [PhotoError("No face was found."), Stopped("Stopped."), RequestError("Too many.")])
def test_what_no_backend_can_help_with_ends_it_at_once(error: HeadshotError) -> None:
    second = StubBackend(name="second")
    found = Outcome([failing(error, after=1), second], 1, 2)
    assert (found.makers, found.error, asked(second)) == ([(1, "first")], error, [])


def test_where_the_last_one_is_unavailable_too_its_error_is_raised() -> None:
    last = Unavailable("third", "The third is away, too.")
    backends = [failing(away()), Choosy("second", seed_2=Unavailable("second", "Busy.")), Choosy("third", seed_2=last)]
    found = Outcome(backends, 1, 2)
    assert (found.makers, found.error) == ([(1, "second")], last)
    assert found.completed[0].notes[0].text == f"Made by Second, for First was not available: {AWAY}"


def test_a_slot_is_held_while_a_backend_works_and_released_before_the_next() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def slot(backend: Backend) -> AsyncIterator[None]:
        events.append(f"{backend.name} begins")
        try:
            yield
        finally:
            events.append(f"{backend.name} ends after {len(found_by)}")

    first, second = Choosy("first", seed_2=away()), StubBackend(name="second")
    found_by: list[str] = []

    async def run() -> None:
        async for headshot in compare([first, second], PHOTO, plan(HeadshotRequest(), [1, 2]), slot=slot):
            found_by.append(headshot.backend)

    anyio.run(run)
    assert events == ["first begins", "first ends after 1", "second begins", "second ends after 2"]


def test_every_headshot_carries_the_recipe_of_whoever_made_it_the_photos_hash_and_the_parent() -> None:
    found = Outcome([Choosy("first", seed_2=away()), StubBackend(name="second")], 1, 2, parent="1a" * 32)
    for headshot in found.completed:
        assert Image.open(io.BytesIO(headshot.png)).info != {}
        bare = replace(headshot, png=made(PHOTO, headshot.request).png)
        assert headshot.png == embed_metadata(bare, photo_sha256=PHOTO.sha256, parent="1a" * 32).png
