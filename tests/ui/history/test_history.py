"""The History tab without a browser: what an entry says, and which entries make a page."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from keeping import ANN, BEN, PICTURE, begin, save_headshot

from headshot.comparison.matrix import Matrix
from headshot.comparison.presets import PRESETS
from headshot.request import HeadshotRequest
from headshot.runs.execution import run_from_history
from headshot.runs.history_queries import ListState, page_of
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.settings import Settings
from headshot.storage import History, HistoryEntry, Store, Usage
from headshot.ui.history import timeline
from headshot.ui.history.tab import PAGE

NASTY = "\"><img src=x onerror=alert(1)>'"
BACKENDS = {"studio": "Studio", "modelslab": "ModelsLab"}


class ReadOnlySink:
    """A file sink that nothing is written into."""

    def write(self, name: str, data: bytes, run: object = None) -> Path:
        raise AssertionError("the history's files stay where they are")

    def address(self, slot: str, name: str) -> str:
        return f"headshots/mine/{slot}/{name}"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    store = Store.open(tmp_path)
    yield store.history
    store.close()


def _entry(*runs: HistoryEntry) -> dict[str, Any]:
    return timeline.entry_card(runs, ReadOnlySink(), BACKENDS, settings=Settings())


def _run(history: History, *requests: HeadshotRequest, done: int | None = None, **more: str) -> HistoryEntry:
    name = begin(history, requests=requests, **more)
    for position in range(len(requests) if done is None else done):
        save_headshot(history, name, position, png=PICTURE + str(position).encode())
    found = history.comparison(ANN, name)
    assert found is not None
    return found


def test_each_headshot_of_a_matrix_is_called_by_its_row_and_its_column(history: History) -> None:
    wordings = ["grey backdrop", "navy backdrop"]
    matrix = Matrix(HeadshotRequest(prompt=wordings[0]), [1, 2], [4, 7.5], prompts=wordings)
    names = [card["label"] for card in _entry(_run(history, *matrix.requests()))["cards"]]
    assert len(set(names)) == len(names) == 8
    assert names[0] == "grey · Guidance 4 · Seed 1"


def test_an_entry_is_titled_by_its_name_its_preset_or_the_beginning_of_its_prompt(history: History) -> None:
    look = PRESETS[3]
    request = HeadshotRequest(prompt=look.prompt, negative_prompt=look.negative_prompt, seed=1)
    assert timeline.title(_run(history, request)) == look.name
    assert timeline.title(_run(history, request, name="For the board")) == "For the board"
    long = timeline.settings_title(HeadshotRequest(prompt="a tall person, " * 20))
    assert long.startswith("A tall person, a tall")
    assert len(long) <= 65
    assert long.endswith("…")
    assert timeline.settings_title(HeadshotRequest(prompt=" \n ")) == "No prompt"


@pytest.mark.parametrize(
    ("requests", "kind", "said"),
    [
        ([HeadshotRequest(seed=1), HeadshotRequest(seed=2)], "comparison", "Seeds"),
        ([HeadshotRequest(seed=1, guidance_scale=scale) for scale in (2, 9)], "comparison", "Guidance"),
        ([HeadshotRequest(seed=1, num_inference_steps=steps) for steps in (21, 41)], "comparison", "Steps"),
        ([HeadshotRequest(seed=1)], "comparison", "1 headshot"),
        ([HeadshotRequest(seed=1), HeadshotRequest(seed=2)], "matrix", "Matrix"),
        ([HeadshotRequest(seed=1)], "team", "Team of 1"),
    ],
)
def test_an_entry_says_what_was_compared(
    history: History, requests: list[HeadshotRequest], kind: str, said: str
) -> None:
    assert timeline.kind([_run(history, *requests, kind=kind)]) == said


def test_a_comparison_that_is_found_again_still_names_its_parent(history: History) -> None:
    name = begin(history)
    save_headshot(history, name, 0, parent="ab" * 32, mark="cd" * 32)
    bare = begin(history)
    save_headshot(history, bare, 0, png=PICTURE + b"1")
    runs = [history.comparison(ANN, each) for each in (name, bare)]

    async def again() -> list[Run]:
        return [run_from_history(run, [], None, ReadOnlySink()) for run in runs if run is not None]

    found = [(run.parent, [shot.content_id for shot in run.headshots]) for run in asyncio.run(again())]
    assert found == [("ab" * 32, ["cd" * 32]), ("", [""])]


def test_an_entry_says_how_many_came_why_the_others_did_not_and_who_made_them(history: History) -> None:
    requests = [HeadshotRequest(seed=seed) for seed in (1, 2, 3)]
    whole = _entry(_run(history, *requests))
    assert (whole["count"], whole["about"], whole["why"]) == ("3\N{NO-BREAK SPACE}headshots", ["Seeds", "Studio"], "")
    name = begin(history, requests=requests, backend="modelslab")
    save_headshot(history, name, 0)
    history.fail(name, 1, "The service <declined> it.")
    broken = history.comparison(ANN, name)
    assert broken is not None
    entry = _entry(broken)
    assert entry["count"] == "1\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}3"
    assert entry["why"] == "The service <declined> it."
    assert entry["about"][1] == "ModelsLab, then Studio"
    assert "interrupted" in _entry(_run(history, *requests, done=1))["why"]


def test_an_entry_says_when_it_is_deleted(history: History) -> None:
    run = _run(history, HeadshotRequest(seed=1))
    long_ago = replace(run, begun=run.begun - timedelta(days=30))  # it was brought along, and is kept as long as others
    until = (run.kept_since + timedelta(hours=24)).isoformat()
    assert _entry(long_ago)["until"] == until
    assert _entry(long_ago)["begun"] == long_ago.begun.isoformat()


def test_a_teams_entry_names_its_people_and_leads_to_each(history: History) -> None:
    runs = [_run(history, HeadshotRequest(seed=1), kind="team", group="g", name=name) for name in ("Ann", NASTY, "Li")]
    entry = _entry(*runs)
    assert entry["key"] == "g"
    assert entry["about"][0] == "Team of 3"
    assert [(card["label"], card["open"]) for card in entry["cards"]] == [
        (name, run.id) for name, run in zip(("Ann", NASTY, "Li"), runs, strict=True)
    ]
    alone = _entry(_run(history, HeadshotRequest(seed=1)))
    assert alone["cards"][0]["open"] == ""  # it is opened by its own button


def test_a_headshot_gives_the_viewer_its_origin(history: History) -> None:
    made_by = {"model": "somebody/a-model", "revision": f"somebody/a-model@{'1a2b3c4d' * 5}, one/lora@main"}
    name = begin(history, backend="local", face=2)
    save_headshot(history, name, backend="local", made_by=made_by)
    found = history.comparison(ANN, name)
    assert found is not None
    assert _entry(found)["cards"][0]["origin"] == {
        "backend": "Local pipeline",
        "model": "somebody/a-model@1a2b3c4, one/lora@main",
        "photo": found.photo_sha256[:6],
        "face": 3,
    }


def test_the_storage_line_counts_in_words() -> None:
    assert timeline.usage_line(Usage(12, 48, 71_400_000), Settings()) == (
        "12 comparisons, 48 headshots, 71 MB. Each is deleted 24 hours after it was made; with a star, 30 days after."
    )
    assert timeline.usage_line(Usage(1, 1, 900), Settings(history_hours=1, starred_days=1)) == (
        "1 comparison, 1 headshot, 0.1 MB. It is deleted 1 hour after it was made; with a star, 1 day after."
    )
    assert "1,234 headshots, 2.5 GB" in timeline.usage_line(Usage(300, 1234, 2_500_000_000), Settings())
    assert timeline.usage_line(Usage(0, 0, 0), Settings()) == ""


def test_what_an_import_added_is_said_in_words() -> None:
    assert timeline.imported(2, 5, 0, 1) == "Imported 2 comparisons, 5 headshots, 1 look."
    assert timeline.imported(1, 1, 1, 0) == "Imported 1 comparison, 1 headshot. 1 headshot was already here."
    assert timeline.imported(0, 0, 4, 0) == "4 headshots were already here."
    assert timeline.imported(0, 0, 0, 0) == "The archive is empty."


def _turned(history: History, owner: str, limit: int) -> list[tuple[str, ...]]:
    """Page after page, the names of the runs in each entry."""
    shown, more, entries = ListState(), True, []
    while more:
        found, more, shown = page_of(history, owner, shown, limit)
        entries += [tuple(run.name for run in runs) for runs in found]
    return entries


@pytest.mark.parametrize("limit", [1, 2, 3, PAGE])
def test_page_after_page_shows_everything_once_and_a_team_as_one(history: History, limit: int) -> None:
    start = datetime.now(UTC)
    for at, (name, group) in enumerate(
        [("one", ""), ("Ann", "g"), ("Ben", "g"), ("two", ""), ("Cem", "g"), ("three", "")]
    ):
        history.begin(
            ANN,
            [HeadshotRequest(seed=1)],
            kind="team" if group else "comparison",
            backend="studio",
            photo_sha256="0" * 64,
            face=None,
            group=group,
            name=name,
            begun=start + timedelta(seconds=at),
        )
    assert _turned(history, ANN, limit) == [("three",), ("Ann", "Ben", "Cem"), ("two",), ("one",)]
    assert _turned(history, BEN, limit) == []


def test_the_next_page_goes_on_where_it_was_after_a_deletion(history: History) -> None:
    names = [begin(history, name=str(number)) for number in range(4)]
    first, more, shown = page_of(history, ANN, ListState(), 2)
    assert more
    assert [run.id for [run] in first] == names[:1:-1]
    history.delete(ANN, names[2])  # the one that the next page counts from
    rest, more, shown = page_of(history, ANN, shown, 2)
    assert [run.id for [run] in rest] == names[1::-1]
    assert not more
    assert shown.count == 4


@pytest.mark.anyio
async def test_a_list_read_after_a_change_shows_it_however_long_the_change_takes(tmp_path: Path) -> None:
    recorder = HistoryRecorder.of(Settings(data_dir=tmp_path, content_credentials=False))
    others_list_is_read = threading.Event()
    done: list[str] = []

    def change(history: History) -> None:
        assert others_list_is_read.wait(20)
        done.append("Ann's star")

    async with anyio.create_task_group() as asked:
        asked.start_soon(recorder.serialized, ANN, change)
        await anyio.lowlevel.checkpoint()
        asked.start_soon(recorder.serialized, ANN, lambda history: done.append("Ann's list"))
        await recorder.serialized(BEN, lambda history: done.append("Ben's list"))
        others_list_is_read.set()
    assert done == ["Ben's list", "Ann's star", "Ann's list"]
    await recorder.close()
