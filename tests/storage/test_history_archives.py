"""A whole history as one archive, and back."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from archiving import CY, contents, every, exported, fill, png, repacked, save_headshot
from databases import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keeping import ANN, BEN, PHOTO, asked, begin
from PIL import Image

from headshot.imaging.thumbnail import thumbnail_of
from headshot.request import HeadshotRequest
from headshot.storage import (
    History,
    Store,
    StoreError,
    history_import,
    history_manifest,
)
from headshot.storage.history_export import export_history
from headshot.storage.history_import import import_history


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "here", clock=Clock()) as store:
        yield store


@pytest.fixture
def history(store: Store) -> History:
    return store.history


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "there", clock=Clock()) as store:
        yield store


# --- there and back


def test_a_history_is_the_same_elsewhere(history: History, elsewhere: Store) -> None:
    fill(history)
    fill(history, CY)
    there = elsewhere.history
    done = import_history(there, BEN, exported(history))
    assert (done.comparisons, done.headshots, done.skipped, done.saved_settings) == (3, 4, 0, 1)
    assert contents(every(there, BEN), there) == contents(every(history, ANN), history)
    assert [(look.name, look.settings) for look in there.saved_settings(BEN)] == [
        (look.name, look.settings) for look in history.saved_settings(ANN)
    ]
    ids = {shot.id for comparison in every(history, ANN) for shot in comparison.headshots}
    assert ids.isdisjoint(shot.id for comparison in every(there, BEN) for shot in comparison.headshots)
    assert there.votes(BEN) == ()
    assert every(there, ANN) == []


def test_importing_twice_does_not_duplicate(history: History, elsewhere: Store) -> None:
    fill(history)
    archive = exported(history)
    progress: list[tuple[int, int]] = []
    first = import_history(elsewhere.history, BEN, archive, lambda done, total: progress.append((done, total)))
    before = every(elsewhere.history, BEN)
    assert progress == [(done, first.headshots) for done in range(1, first.headshots + 1)]
    again = import_history(elsewhere.history, BEN, archive, lambda done, total: progress.append((done, total)))
    assert progress[first.headshots :] == progress[: first.headshots]  # what is skipped counts
    assert (again.comparisons, again.headshots, again.skipped, again.saved_settings) == (0, 0, first.headshots, 0)
    assert every(elsewhere.history, BEN) == before
    own = import_history(history, ANN, archive)
    assert (own.comparisons, own.headshots, own.skipped) == (0, 0, 4)


def test_an_import_that_was_cut_off_is_completed_by_the_next(history: History, elsewhere: Store) -> None:
    fill(history)
    archive = exported(history)
    there = elsewhere.history
    import_history(there, BEN, archive)
    matrix = every(there, BEN)[-1]
    there.delete_headshot(BEN, matrix.headshots[0].id)
    there.delete(BEN, every(there, BEN)[1].id)
    done = import_history(there, BEN, archive)
    assert (done.comparisons, done.headshots, done.skipped) == (1, 2, 2)
    assert len(every(there, BEN)) == 3
    assert sorted(shot.position for shot in every(there, BEN)[-1].headshots) == [0, 0, 2]


_REQUESTS = st.builds(
    HeadshotRequest,
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    num_inference_steps=st.sampled_from([21, 31, 41]),
    guidance_scale=st.floats(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
_FACTS = st.fixed_dictionaries(
    {"seconds": st.floats(0, 1e6), "likeness": st.none() | st.floats(-1, 1)},
    optional={
        "notes": st.lists(st.fixed_dictionaries({"kind": st.just("advice"), "text": st.text(max_size=20)}), max_size=2),
        "made_by": st.dictionaries(
            st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=3
        ),
        "face": st.none() | st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
    },
)
_SHOTS = st.tuples(st.integers(0, 2), st.integers(0, 3), st.text(max_size=30), _FACTS, st.booleans())
_RUNS = st.tuples(
    st.lists(_REQUESTS, min_size=3, max_size=3),
    st.sampled_from(["comparison", "matrix", "team"]),
    st.text(max_size=20),
    st.none() | st.integers(0, 9),
    st.lists(_SHOTS, max_size=3),
    st.booleans(),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_RUNS, max_size=3))
def test_whatever_the_history_holds_comes_back(history: History, elsewhere: Store, runs: list[Any]) -> None:
    there = elsewhere.history
    history.forget(ANN)
    there.forget(BEN)
    for requests, kind, name, face, shots, ended in runs:
        comparison = history.begin(
            ANN,
            requests,
            kind=kind,
            backend="studio",
            photo_sha256=PHOTO,
            face=face,
            name=name,
            group=name,
            group_name=name[::-1],
        )
        for position, number, filename, facts, loved in shots:
            shot = save_headshot(history, comparison, position, png(number), filename=filename, facts=facts)
            history.favourite(ANN, shot, loved)
        history.fail(comparison, 1, name)
        if ended:
            history.end(comparison)
    archive = exported(history)
    done = import_history(there, BEN, archive)
    assert done.comparisons == len(runs)
    assert contents(every(there, BEN), there) == contents(every(history, ANN), history)
    again = import_history(there, BEN, archive)
    assert (again.comparisons, again.headshots, again.skipped) == (0, 0, done.headshots)


def test_an_archive_from_before_teams_had_names_comes_in(history: History, elsewhere: Store) -> None:
    fill(history)
    earlier = repacked(
        exported(history), lambda manifest, _: [run.pop("group_name") for run in manifest["comparisons"]]
    )
    assert import_history(elsewhere.history, BEN, earlier).comparisons == 3
    assert {run.group_name for run in every(elsewhere.history, BEN)} == {""}


def test_an_archive_is_read_by_others_and_its_names_lead_nowhere(history: History) -> None:
    fill(history)
    with zipfile.ZipFile(exported(history)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert names[-1] == "history.json"
        assert {info.compress_type for info in packed.infolist() if info.filename.endswith(".png")} == {
            zipfile.ZIP_STORED
        }
        listed = json.loads(packed.read("history.json"))
    assert (listed["format"], listed["version"]) == (history_manifest.FORMAT, history_manifest.VERSION)
    assert [PurePosixPath(name).parts[1:] for name in names[:-1]] == [
        ("-..-etc-passwd.png",),
        ("seed-0.png",),
        ("seed-0 (2).png",),
        ("seed-2.png",),
    ]
    assert len({PurePosixPath(name).parts[0] for name in names[:-1]}) == 2
    assert all(name.startswith("2026-03-01 12.0") and "A-B- é" in name for name in names[:-1])
    (vote,) = listed["votes"]
    assert vote["ballots"][0]["voter"] == 1
    assert CY not in json.dumps(listed)
    assert ANN not in json.dumps(listed)


def test_an_export_goes_where_nobody_can_seek_and_takes_one_picture_at_a_time(history: History) -> None:
    comparison = begin(history)
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    large = io.BytesIO()
    Image.fromarray(noise).save(large, "PNG", compress_level=0)
    save_headshot(history, comparison, 0, large.getvalue())

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.pieces: list[bytes] = []

        def writable(self) -> bool:
            return True

        def write(self, piece: Any) -> int:
            self.pieces.append(bytes(piece))
            return len(piece)

    pipe = Pipe()
    export_history(history, ANN, pipe)  # type: ignore[arg-type]
    assert max(map(len, pipe.pieces)) <= 2**20
    assert import_history(history, BEN, io.BytesIO(b"".join(pipe.pieces))).headshots == 1


def test_what_is_deleted_meanwhile_is_left_out(history: History) -> None:
    fill(history)
    gone = every(history, ANN)[-1].headshots[0]
    gone.picture.unlink()
    archive = exported(history)
    assert import_history(history, BEN, archive).headshots == 3


def test_an_import_that_fails_in_the_middle_leaves_what_was_there_before(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(history)
    archive = exported(history)
    import_history(history, BEN, archive)
    matrix = every(history, BEN)[-1]
    for gone in matrix.headshots[:2]:
        history.delete_headshot(BEN, gone.id)
    history.delete(BEN, every(history, BEN)[0].id)
    before = every(history, BEN)
    there_for_a_moment = []

    def full_at_the_second(image: Image.Image) -> bytes:
        there_for_a_moment.append(sum(len(comparison.headshots) for comparison in every(history, BEN)))
        if len(there_for_a_moment) == 2:
            raise StoreError("The disk is full.")
        return thumbnail_of(image)

    monkeypatch.setattr(history_import, "thumbnail_of", full_at_the_second)
    with pytest.raises(StoreError):
        import_history(history, BEN, archive)
    assert there_for_a_moment == [2, 3]
    assert every(history, BEN) == before


def test_a_date_before_zip_began_does_not_stop_an_export(history: History) -> None:
    history.begin(
        ANN,
        asked(),
        kind="comparison",
        backend="studio",
        photo_sha256=PHOTO,
        face=None,
        begun=datetime(2001, 1, 1, tzinfo=UTC),
    )
    comparison = every(history, ANN)[0].id
    save_headshot(history, comparison, 0, png(1), made=datetime(1979, 1, 1, tzinfo=UTC))
    assert len(zipfile.ZipFile(exported(history)).namelist()) == 2
    assert every(history, ANN)[0].kept_since - every(history, ANN)[0].begun > timedelta(days=365)
