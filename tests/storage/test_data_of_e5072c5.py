"""A data folder of an older version opens unchanged: see `data_of_e5072c5/NOTICE`."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from keeping import ANN, BEN, PHOTO

from headshot.metadata import content_id_of, read
from headshot.metadata.certificate import serial
from headshot.metadata.credentials import check_credentials
from headshot.metadata.signing import C2paSigner
from headshot.storage import JobState, Store, hash_token, key_fingerprint
from headshot.storage.history_import import import_history

OLD = Path(__file__).with_name("data_of_e5072c5")
SERIAL = 551278353300673636195547742320011057929777902239
VOTE = "4YSJEXW8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(OLD / "data.zip") as packed:
        packed.extractall(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder) as store:
        yield store


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (folder / "pictures").rglob("*") if path.is_file()}


def test_its_jobs_are_there_in_their_states(store: Store) -> None:
    failed, unknown, pending, processing, done = store.jobs(ANN)
    assert [job.state for job in (failed, unknown, pending, processing, done)] == [
        JobState.FAILED,
        JobState.UNKNOWN,
        JobState.PENDING,
        JobState.PROCESSING,
        JobState.DONE,
    ]
    assert failed.sentence == "The service declined it."
    assert (processing.remote_id, processing.eta_seconds) == ("remote-1", 4.0)
    assert (done.filename, done.polls, done.facts) == ("from-modelslab.png", 1, {"seconds": 2.0, "likeness": 0.7})
    assert done.request.prompt == "navy backdrop" and done.request.seed == 0
    assert done.picture is not None and read(done.picture.read_bytes()).seed == 9
    assert done.key_fingerprint == key_fingerprint("key", store.salt)
    assert [event.what for event in store.timeline(ANN, done.id)] == ["added", "sent", "processing", "webhook", "done"]


def test_recovering_it_loses_no_job_and_no_picture(folder: Path, store: Store) -> None:
    before = files(folder)
    found = store.recover()
    assert (len(found.unknown), len(found.never_sent), len(found.to_poll)) == (0, 1, 1)
    assert files(folder) == before and len(before) == 3


def test_its_history_is_there(store: Store) -> None:
    [comparison] = store.history.page(ANN)
    assert (comparison.kind, comparison.name, comparison.group, comparison.group_name) == (
        "comparison",
        "For the board",
        "team-1",
        "The board",
    )
    assert (comparison.backend, comparison.photo_sha256, comparison.ended) == ("studio", PHOTO, True)
    assert [request.seed for request in comparison.requests] == [1, 2, 3]
    assert comparison.failures == {2: "It was stopped."}
    assert comparison.begun.date() == datetime(2026, 3, 1, tzinfo=UTC).date()
    first, second = comparison.headshots
    assert (first.favourite, second.favourite) == (True, False)
    for shot in (first, second):
        png = shot.picture.read_bytes()
        assert read(png).request == shot.request
        assert content_id_of(png) == shot.facts["mark"]
        found = store.history.by_content_id(ANN, content_id_of(png))
        assert found is not None and found.id == shot.id
        assert str(store.history.thumbnail(ANN, shot.id)[8:12], "ascii") == "WEBP"  # type: ignore[index]
    assert store.history.page(ANN, search="NAVY")[0].id == comparison.id


def test_its_vote_is_open_and_has_its_ballots(store: Store) -> None:
    [comparison] = store.history.page(ANN)
    first, second = (shot.id for shot in comparison.headshots)
    [vote] = store.history.votes(ANN)
    assert (vote.code, vote.title, vote.shots, vote.open) == (VOTE, "Which one?", (first, second), True)
    assert [(ballot.voter, ballot.left, ballot.right, ballot.outcome) for ballot in store.history.ballots(VOTE)] == [
        (BEN, first, second, "left"),
        (hash_token("cy's token"), second, first, "tie"),
    ]
    assert store.history.cast(VOTE, BEN, first, second, "right")


def test_its_saved_settings_are_there(store: Store) -> None:
    [saved] = store.history.saved_settings(ANN)
    assert (saved.name, saved.settings) == (
        "Board",
        {"prompt": "navy backdrop", "guidance_scale": 7.5, "backend": "studio"},
    )


def test_its_certificate_is_kept_and_knows_its_headshots(folder: Path, store: Store) -> None:
    before = (folder / "seal.pem").read_bytes()
    signer = C2paSigner.self_signed(folder)
    assert serial(signer.chain.encode()) == SERIAL
    assert (folder / "seal.pem").read_bytes() == before
    for shot in store.history.page(ANN)[0].headshots:
        assert check_credentials(shot.picture.read_bytes(), "png", signer.chain).state == "ours"


def test_its_exported_history_is_imported(store: Store) -> None:
    with (OLD / "history.zip").open("rb") as archive:
        imported = import_history(store.history, BEN, archive)
    assert (imported.comparisons, imported.headshots, imported.saved_settings) == (1, 2, 1)
    [theirs], [ours] = store.history.page(BEN), store.history.page(ANN)
    assert [shot.picture for shot in theirs.headshots] == [shot.picture for shot in ours.headshots]
