"""A team without a browser: who is in it, what a run makes and leaves, its cards and its files."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import numpy as np
import pytest
from PIL import Image
from stub import StubBackend

from headshot.comparison.labels import setting_labels
from headshot.errors import PhotoError
from headshot.exports import team_files
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.runs.team import Person, Team, TeamLook
from headshot.runs.team_photos import lossless_png
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings
from headshot.storage import HistoryEntry, StoredHeadshot, hash_token
from headshot.ui.headshots.photo import EXAMPLE

REQUEST = HeadshotRequest(seed=1)
OWNER = hash_token("ann")


def look(seed: int = 1, backend: str = "stub") -> TeamLook:
    request = HeadshotRequest(seed=seed)
    return TeamLook(request, [StubBackend(name=backend)], setting_labels(request, "Stub"))


def team_of(*file_names: str) -> Team:
    team = Team()
    for file_name in file_names:
        team.add(Person(file_name))
    return team


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (REQUEST, ["Corporate", "guidance 7.5", "21 steps", "seed 1", "Studio"]),
        (HeadshotRequest(prompt="x" * 90), [f"“{'x' * 59}…”", "guidance 7.5", "21 steps", "Studio"]),
        (
            HeadshotRequest(prompt=" ", seed=0, guidance_scale=12),
            ["No prompt", "guidance 12", "21 steps", "seed 0", "Studio"],
        ),
    ],
)
def test_a_look_in_words(request_: HeadshotRequest, words: list[str]) -> None:
    assert setting_labels(request_, "Studio") == words
    assert setting_labels(request_, name="Board")[0] == "Board"


def test_a_photo_comes_back_as_the_very_same_photo(tmp_path: Path) -> None:
    photo = Photo.open(EXAMPLE)
    path = tmp_path / "photo.png"
    path.write_bytes(lossless_png(photo))
    again = Person("a", photo=path, sha256=photo.sha256).open_photo()
    assert np.array_equal(again.pixels, photo.pixels) and not again.pixels.flags.writeable
    assert Photo.from_image(again.image).sha256 == photo.sha256


@pytest.mark.parametrize("photo", [None, Path("gone.png")])
def test_an_expired_photo_must_be_added_again(photo: Path | None) -> None:
    with pytest.raises(PhotoError, match="Add it again"):
        Person("a", photo=photo).open_photo()


@pytest.mark.anyio
async def test_names_follow_the_file_names_and_stay_once_there_is_a_run() -> None:
    team = team_of("../Zoë Müller.jpg", "zoë müller.heic", "con.jpg")
    assert [person.name for person in team.people] == ["Zoë Müller", "zoë müller 2", "photo con"]
    team.people[1].run = Run([REQUEST], None, None, None, [])
    team.remove(team.people[0])
    assert [person.name for person in team.people] == ["zoë müller 2", "photo con"]


@pytest.mark.anyio
async def test_another_look_is_for_everybody_and_the_same_one_for_those_who_lack_it() -> None:
    team = team_of("a.jpg", "b.jpg", "c.jpg")
    team.people[2].refusal = "No face."
    assert team.request_run(look()) == []
    group = team.group
    team.people[0].run = run = Run([REQUEST], None, None, None, [])
    run.headshots = [shot("a")]  # type: ignore[list-item]
    team.stop()
    assert [person.name for person in team.missing(look())] == ["b"]
    assert team.request_run(look()) == [] and team.group == group
    assert [person.name for person in team.missing(look(seed=2))] == ["a", "b"]
    assert team.missing(look(backend="other")) == team.usable
    assert team.request_run(look(seed=2)) == run.headshots and team.group != group
    assert team.headshots == []
    assert team.without_result == {"a": "Not made.", "b": "Not made.", "c": "No face."}


@pytest.mark.anyio
async def test_deleting_or_leaving_stops_the_run(tmp_path: Path) -> None:
    sessions = SessionRegistry(tmp_path, 60)
    for end, lasting in (("delete", True), ("stop", True), ("stop", False)):
        session = sessions.get(f"{end} {lasting}")
        team = session.team
        team.add(Person("a.jpg"))
        team.request_run(look())
        team.current = team.people[0]
        backend = StubBackend()
        backend.survives_disconnect = lasting
        run = team.current.run = Run([REQUEST], None, None, None, [backend])
        run.attempt.current_backend = backend
        if end == "delete":
            session.delete()
            assert session.team is not team and session.team.people == []
        else:
            sessions.stop(f"{end} {lasting}")
        assert run.stopped and not team.running and team.run_version == 2
        assert run.attempt.progress.stopped is (
            end == "delete" or not lasting
        )  # what is paid for goes on without the page


@pytest.mark.anyio
async def test_a_team_whose_page_was_closed_is_not_resumed_on_the_first_tab(tmp_path: Path) -> None:
    recorder = HistoryRecorder.of(Settings(data_dir=tmp_path, content_credentials=False))
    try:
        for kind, found in (("comparison", True), ("team", False)):
            run = Run([REQUEST], None, None, None, [StubBackend()], owner=OWNER, photo_sha256=hash_token("p"))
            run.kind, run.group, run.name = kind, hash_token("g")[:32], "Ann"  # type: ignore[assignment]
            await anyio.to_thread.run_sync(recorder.begin, run)
            assert run.history_id and ((await recorder.latest(OWNER)) is not None) is found
        group = await anyio.to_thread.run_sync(recorder.group, OWNER, hash_token("g")[:32])
        assert [one.name for one in group] == ["Ann", "Ann"]
        assert await anyio.to_thread.run_sync(recorder.group, hash_token("ben"), hash_token("g")[:32]) == ()
        assert await recorder.saved_settings(OWNER) == ()
    finally:
        await recorder.close()


@pytest.mark.anyio
async def test_a_team_of_the_history_has_everybody_once_and_nobodys_photo(tmp_path: Path) -> None:
    runs = [
        one("Ann", why="It was declined."),  # and succeeded on the next try
        one("Ben", why="It was declined."),
        one("Ann", shot("1", tmp_path)),
        one("Ben", why="It was declined again."),
        one("Cy"),
    ]
    sink = SessionRegistry(tmp_path, 60).get("ann")
    team = Team.of(runs, {"stub": StubBackend()}, sink)
    assert [(person.name, person.reason if person.headshot is None else "") for person in team.people] == [
        ("Ann", ""),
        ("Ben", "It was declined again."),
        ("Cy", "Not made."),
    ]
    assert team.without_result == {"Ben": "It was declined again.", "Cy": "Not made."}
    assert (team.group, team.from_history, team.has_unsaved_work, team.running) == ("g", True, False, False)
    assert team.look is not None and team.look.words == setting_labels(REQUEST, "Stub")
    unknown = Team.of(runs, {}, sink).look
    assert unknown is not None and list(unknown.words) == setting_labels(REQUEST)
    assert [shot.id for shot in team.reset_results()] == ["1"] and team.people == [] and not team.from_history


@pytest.mark.anyio
async def test_a_team_whose_headshots_are_deleted_keeps_its_photos(tmp_path: Path) -> None:
    team = team_of("a.jpg", "b.jpg", "c.jpg")
    team.people[0].photo = team.people[1].photo = tmp_path / "photo.png"
    team.people[2].refusal = "No face."
    assert team.has_unsaved_work
    team.request_run(look())
    team.people[0].run = run = Run([REQUEST], None, None, None, [])
    run.headshots = [shot("a")]  # type: ignore[list-item]
    team.people[1].failure = "Declined."
    team.stop()
    assert team.reset_results() == run.headshots and team.headshots == [] and team.group == ""
    assert [(person.name, person.reason) for person in team.people] == [("a", ""), ("b", ""), ("c", "No face.")]


# The files.


@pytest.fixture
def picture(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "picture"
    Image.new("RGB", (256, 320), "teal").save(path, "PNG")
    yield path


def shot(name: str, picture: Path = Path("none"), likeness: float | None = 0.9) -> StoredHeadshot:
    facts = {"seconds": 0.5, "likeness": likeness, "notes": [{"kind": "applied", "text": "grey"}]}
    size, now = (256, 320), datetime.now(UTC)
    return StoredHeadshot(
        name, name, 0, REQUEST, "stub", "headshot.png", size, facts, False, picture, now, hash_token(name), None
    )


def one(name: str, *shots: StoredHeadshot, why: str = "") -> HistoryEntry:
    return HistoryEntry(
        id=name,
        owner=OWNER,
        kind="team",
        group="g",
        group_name="",
        name=name,
        favourite=False,
        backend="stub",
        photo_sha256=hash_token(name),
        face=None,
        requests=(REQUEST,),
        failures={0: why} if why else {},
        ended=True,
        begun=datetime.now(UTC),
        kept_since=datetime.now(UTC),
        headshots=shots,
    )


def rows(group: list[HistoryEntry], absent: dict[str, str]) -> list[tuple[str, str, str]]:
    data = team_files.make(group, team_files.TABLE, absent=absent)
    assert data is not None
    return [(row["photo"], row["file"], row["error"]) for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))]


def test_the_files_list_everyone_once_with_a_headshot_or_a_reason(picture: Path) -> None:
    group = [
        one("Ann", why="It was declined."),  # and succeeded on the next try
        one("Ann", shot("1", picture)),
        one("Ben", why="It was declined."),
        one("Zoë", shot("2", picture), shot("3", picture)),
        one("zoë", shot("4", picture)),  # was given that name by hand
    ]
    assert rows(group, {"Cy": "No face.", "Ben": "Not made.", "Ann": "Not made."}) == [
        ("Ann", "Ann.png", ""),
        ("Zoë", "Zoë.png", ""),
        ("zoë 2", "zoë 2.png", ""),
        ("Ben", "", "It was declined."),
        ("Cy", "", "No face."),
    ]
    packed = team_files.make(group, team_files.ZIP)
    assert packed is not None
    names = zipfile.ZipFile(io.BytesIO(packed)).namelist()
    assert names == sorted(["Ann.png", "Zoë.png", "zoë 2.png", "contact-sheet.png", "headshots.csv"])


def test_where_nobody_has_a_headshot_there_is_no_file(picture: Path) -> None:
    for name in (*team_files.NAMES, "else"):
        assert team_files.make([], name, absent={"Ann": "No face."}) is None
        assert team_files.make([one("Ann", why="Declined.")], name) is None
    assert team_files.make([one("Ann", shot("1", picture))], "else") is None


def test_a_name_that_the_sheet_cannot_write_is_a_number_there_and_whole_in_the_files(picture: Path) -> None:
    group = [one("王小明", shot("1", picture)), one("Ann", shot("2", picture))]
    sheets = [
        team_files.make([replace(group[0], name=name), group[1]], team_files.SHEET) for name in ("王小明", "No. 1")
    ]
    assert sheets[0] == sheets[1]
    assert [file for _, file, _ in rows(group, {})] == ["王小明.png", "Ann.png"]


def test_a_picture_that_has_gone_meanwhile_is_no_file_with_a_hole(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        team_files.make([one("Ann", shot("1", tmp_path / "gone"))], team_files.ZIP)
