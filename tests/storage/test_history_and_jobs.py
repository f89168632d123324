"""The history beside the jobs of the same store, in several threads, and in a process that is killed."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest
from databases import Place
from keeping import ANN, BEN, OTHER, PHOTO, PICTURE, asked, at_once, begin, files_of, look, rows, save_headshot, shot
from paths import ROOT

from headshot.storage import Store, key_fingerprint

# --- beside the jobs


def job(store: Store, picture: bytes = PICTURE, owner: str = ANN) -> None:
    """A paid job whose picture is there."""
    marks = {"key_fingerprint": key_fingerprint("key", store.salt), "photo_sha256": PHOTO}
    added = store.add(owner, "c", 0, asked()[0], api="v6", **marks)
    store.sending(added)
    store.accepted(added, os.urandom(4).hex())
    store.done(added, picture, "a.png")


@pytest.mark.parametrize("end", ["forget", "expire", "recover"])
def test_when_jobs_go_the_pictures_that_the_history_has_stay(place: Place, store: Store, end: str) -> None:
    kept = shot(store.history)
    job(store)
    job(store, OTHER)
    match end:
        case "forget":
            assert store.forget(ANN) == 2
        case "expire":
            assert store.expire(place.clock()) == 2
        case "recover":
            store.recover()
            assert place.files == files_of(PICTURE, OTHER)
            store.forget(ANN)
            store.recover()
    assert place.files == files_of(PICTURE)
    assert kept.picture.read_bytes() == PICTURE


@pytest.mark.parametrize("end", ["forget", "expire", "delete", "delete_shot"])
def test_when_the_history_goes_the_pictures_that_jobs_have_stay(place: Place, store: Store, end: str) -> None:
    kept = shot(store.history)
    shot(store.history, OTHER, BEN)
    job(store)
    match end:
        case "forget":
            assert store.history.forget(ANN) == 1
        case "expire":
            assert store.history.expire(place.clock()) == 2
        case "delete":
            assert store.history.delete(ANN, kept.comparison)
        case "delete_shot":
            assert store.history.delete_headshot(ANN, kept.id)
    assert place.files == files_of(PICTURE, *([OTHER] if end != "expire" else []))
    assert store.jobs(ANN)[0].picture.read_bytes() == PICTURE  # type: ignore[union-attr]
    store.forget(ANN)
    assert place.files == files_of(*([OTHER] if end != "expire" else []))


# --- at once, and killed


def test_what_is_saved_while_all_is_deleted_is_whole_or_gone(place: Place) -> None:
    first, second = place.open(), place.open()
    for _ in range(5):
        comparison = begin(first.history)
        theirs = begin(second.history, BEN)
        results = at_once(
            partial(first.history.forget, ANN),
            partial(save_headshot, second.history, comparison),
            partial(save_headshot, first.history, comparison, 1, OTHER),
            partial(save_headshot, second.history, theirs),
            partial(first.history.fail, comparison, 0, "?"),
            partial(second.history.rename, ANN, comparison, "new"),
            partial(second.recover),
            partial(first.history.expire, place.clock() - timedelta(days=1)),
        )
        assert [result for result in results if isinstance(result, Exception)] == []
        assert place.files == files_of(PICTURE)
        assert look(first.history, theirs, BEN).headshots[0].picture.read_bytes() == PICTURE
        assert rows(place) == {"comparisons": 1, "shots": 1, "thumbnails": 1}
        first.history.forget(BEN)
        assert place.files == set()
    first.close()
    second.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from headshot.request import HeadshotRequest
from headshot.storage import Store

folder, url, owner, point = sys.argv[1:]
armed = False

def stand():
    print("here", flush=True)
    signal.pause()

def before_file(name, arguments):
    if armed and point == "before the picture has its name" and name == "os.rename" and folder in str(arguments[0]):
        stand()

def before_commit(connection):
    if armed and point == "before the commit":
        stand()

sys.addaudithook(before_file)
event.listen(Engine, "commit", before_commit)
signal.alarm(60)
with Store.open(Path(folder), url or None) as store:
    requests = [HeadshotRequest(seed=seed) for seed in range(9)]
    matrix = store.history.begin(
        owner, requests, kind="matrix", backend="studio", photo_sha256=owner, face=None, name="killed"
    )
    for position in range(9):
        if position == 3:
            armed = True
        if position == 5 and point == "between two":
            stand()
        store.history.save_headshot(matrix, position, png=b"PNG %d" % position, filename="a.png", thumbnail=b"RIFF",
                           size=(4, 5), backend="studio", facts={})
"""


@pytest.mark.parametrize(
    ("point", "completed"), [("before the picture has its name", 3), ("before the commit", 3), ("between two", 5)]
)
def test_a_matrix_whose_process_is_killed_has_what_had_completed_and_goes_on(
    place: Place, point: str, completed: int
) -> None:
    command = [sys.executable, "-c", KILLED, place.folder, place.url or "", ANN, point]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    pictures = [b"PNG %d" % position for position in range(9)]
    with place.open() as store:
        matrix = store.history.latest(ANN)
        assert matrix is not None
        assert (matrix.kind, matrix.name, matrix.ended, len(matrix.requests)) == ("matrix", "killed", False, 9)
        assert [kept.picture.read_bytes() for kept in matrix.headshots] == pictures[:completed]
        store.recover()
        assert place.files == files_of(*pictures[:completed])
        for position in range(completed, 9):
            assert save_headshot(store.history, matrix.id, position, pictures[position])
        store.history.end(matrix.id)
        matrix = look(store.history, matrix.id)
        assert [kept.picture.read_bytes() for kept in matrix.headshots] == pictures
        assert matrix.ended
