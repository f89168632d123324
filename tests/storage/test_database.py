"""A database that cannot be used, migrations, and the files of SQLite."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import Place, PostgreSQL
from keeping import ANN, PICTURE, at_once
from paidjobs import REQUEST, add, look, send
from paths import ROOT
from sqlalchemy import Engine, inspect, text

from headshot.errors import SettingsError
from headshot.storage import (
    JobId,
    JobState,
    Store,
    StoreError,
    database,
    hash_token,
)
from headshot.storage.schema import Base

# --- trouble


def test_a_database_that_does_not_answer_is_said_in_a_sentence_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://ann:canary@127.0.0.1:{nobody.getsockname()[1]}/jobs"
        with pytest.raises(StoreError, match="does not answer") as caught:
            Store.open(tmp_path, url)
    assert "canary" not in "".join(traceback.format_exception(caught.value)).replace("//ann:canary@", "", 1)


def test_a_database_that_goes_away_is_said_and_one_that_comes_back_is_used(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    name = postgresql.another()
    with Store.open(tmp_path, postgresql.url(name)) as store:
        job = add(store)
        postgresql.do(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgresql.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(StoreError):
            store.sending(job)
        postgresql.do(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert look(store, job).state is JobState.PENDING


def test_a_database_that_another_holds_locked_is_waited_for_and_then_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with Store.open(tmp_path) as store:
        other = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreError):
            add(store)
        assert time.monotonic() - began >= 0.2
        assert store.jobs(ANN) == ()  # readers do not wait
        other.execute("ROLLBACK")
        other.close()
        add(store)


@pytest.mark.parametrize("url", [
    "mysql://ann:canary@host/jobs", "sqlite://", "sqlite:///:memory:", "canary", "postgresql+asyncpg://a:canary@h/j",
    "postgresql://a:canary@h:port/j",
])  # fmt: skip
def test_a_url_that_cannot_be_used_is_named_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="HEADSHOT_DATABASE_URL must be") as caught:
        Store.open(tmp_path / "data", url)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None
    assert not (tmp_path / "data").exists()


def test_postgresql_without_its_driver_says_which_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'psycopg\[binary\]'"):
        Store.open(tmp_path, "postgres://ann@127.0.0.1/jobs")


def test_a_file_that_is_no_database_is_said_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / database.FILE).write_bytes(b"somebody's letters" * 1000)
    with pytest.raises(StoreError, match="no database of ours"):
        Store.open(tmp_path)
    assert (tmp_path / database.FILE).read_bytes() == b"somebody's letters" * 1000


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(StoreError, match="folder"):
        Store.open(tmp_path / "data" / "jobs")


def test_a_picture_that_cannot_be_written_leaves_its_job_to_be_finished_later(place: Place, store: Store) -> None:
    job = send(store)
    folder = next((place.folder / "pictures").iterdir())
    in_the_way = folder / sha256(PICTURE).hexdigest()[:2]
    in_the_way.write_bytes(b"")
    with pytest.raises(StoreError, match="pictures"):
        store.done(job, PICTURE, "a.png")
    assert look(store, job).state is JobState.PROCESSING
    in_the_way.unlink()
    assert store.done(job, PICTURE, "a.png")


# --- migrations


def schema_of(engine: Engine) -> dict[str, object]:
    """What the database itself says of its tables."""
    inspector = inspect(engine)

    def described(rows: list[object]) -> list[str]:
        return sorted(str(sorted((key, str(value)) for key, value in row.items())) for row in rows)  # type: ignore[attr-defined]

    return {
        table: {
            "columns": described(inspector.get_columns(table)),
            "indexes": described(inspector.get_indexes(table)),
            "checks": described(inspector.get_check_constraints(table)),
            "unique": described(inspector.get_unique_constraints(table)),
            "foreign": described(inspector.get_foreign_keys(table)),
            "primary": str(inspector.get_pk_constraint(table)),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def test_the_migrations_end_where_the_models_are(place: Place, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    place.open().close()
    migrated = database.connect(place.folder, place.url)
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    if place.url is None:
        made = database.connect(tmp_path / "made", None)
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        made = database.connect(tmp_path, server.url(server.another()))
    with made.begin() as connection:
        Base.metadata.create_all(connection)
    from_models, from_steps = schema_of(made), schema_of(migrated)
    history = {"comparisons", "shots", "thumbnails", "failures", "looks", "votes", "candidates", "ballots"}
    assert set(from_models) == {"store", "jobs", "events"} | history
    assert from_steps == from_models
    migrated.dispose()
    made.dispose()


def test_a_database_of_the_first_revision_comes_up_with_all_its_jobs(place: Place) -> None:
    engine = database.connect(place.folder, place.url)
    database.migrate(engine, "0001")
    row = {
        "id": "a" * 32,
        "owner": ANN,
        "comparison": "c",
        "request": REQUEST.model_dump_json(),
        "mark": hash_token("k"),
        "at": place.clock().replace(tzinfo=None).isoformat(" ", "microseconds"),
    }
    with database.writing(engine).begin() as connection:
        salt = connection.execute(text("SELECT salt FROM store")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO jobs (id, owner, comparison, position, request, api, key_mark, photo_sha256, state,"
                " stranded, remote_id, sentence, facts, created_at, changed_at) VALUES (:id, :owner, :comparison, 0,"
                " :request, 'v6', :mark, :mark, 'processing', false, 'r1', '', '{}', :at, :at)"
            ),
            row,
        )
    engine.dispose()
    with place.open() as store:
        found = look(store, JobId("a" * 32))
        assert (found.state, found.polls, found.request) == (JobState.PROCESSING, 0, REQUEST)
        assert [event.what for event in store.timeline(ANN, found.id)] == ["added"]
        assert bytes(salt) == store.salt
        assert store.polled(found.id)
        assert store.done(found.id, PICTURE, "a.png")


def test_the_history_of_a_database_from_before_teams_had_names_is_there(place: Place) -> None:
    engine = database.connect(place.folder, place.url)
    database.migrate(engine, "0003")
    row = {
        "id": "a" * 32,
        "owner": ANN,
        "requests": f"[{REQUEST.model_dump_json()}]",
        "mark": hash_token("k"),
        "at": place.clock().replace(tzinfo=None).isoformat(" ", "microseconds"),
    }
    with database.writing(engine).begin() as connection:
        connection.execute(
            text(
                'INSERT INTO comparisons (id, owner, kind, "group", name, favourite, backend, photo_sha256, requests,'
                " ended, begun, kept_since, search) VALUES (:id, :owner, 'team', 'g', 'Ann', false, 'studio', :mark,"
                " :requests, true, :at, :at, 'ann')"
            ),
            row,
        )
    engine.dispose()
    with place.open() as store:
        [found] = store.history.group(ANN, "g")
        assert (found.name, found.group_name, found.requests) == ("Ann", "", (REQUEST,))
        assert store.history.rename_group(ANN, "g", "The board")


def test_a_database_of_a_later_version_is_refused_and_left_alone(place: Place) -> None:
    place.open().close()
    engine = database.connect(place.folder, place.url)
    with database.writing(engine).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="update the program"):
        place.open()


def test_many_who_open_an_empty_database_at_once_find_one_and_the_same(place: Place) -> None:
    stores = at_once(*[place.open] * 6)
    assert {type(store) for store in stores} == {Store}, stores
    assert len({store.salt for store in stores if isinstance(store, Store)}) == 1
    for store in stores:
        assert isinstance(store, Store)
        add(store)
        store.close()


def test_an_installed_package_brings_its_migrations_along(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "headshot", tmp_path / "site" / "headshot", ignore=shutil.ignore_patterns("__pycache__"))
    script = "import sys, pathlib, headshot.storage as s; s.Store.open(pathlib.Path(sys.argv[1])); print(s.__file__)"
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "data"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith(str(tmp_path / "site"))
    assert (ran.stderr, (tmp_path / "data" / database.FILE).exists()) == ("", True)


def test_sqlite_keeps_what_was_committed_through_a_power_cut(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    engine = database.connect(tmp_path, None)
    with engine.connect() as connection:
        described = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        }
    engine.dispose()
    assert described == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 10_000
    }  # fmt: skip


def test_the_copies_that_sqlite_leaves_in_its_pages_go_with_the_next_deletion(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        add(store)
    file = tmp_path / database.FILE
    data = bytearray(file.read_bytes())
    # As a moved row leaves it: between the cells' addresses and the cells of a page (fileformat2, section 1.6).
    page = next(at for at in range(4096, len(data), 4096) if data[at] == 13)
    gap = page + 8 + 2 * int.from_bytes(data[page + 3 : page + 5])
    assert gap + 20 < page + int.from_bytes(data[page + 5 : page + 7])
    data[gap + 2 : gap + 2 + len(b"zebra-striped")] = b"zebra-striped"
    file.write_bytes(data)
    with Store.open(tmp_path) as store:
        add(store)
        assert b"zebra-striped" in file.read_bytes()
        assert store.forget(ANN) == 2
        assert b"zebra-striped" not in file.read_bytes()
        add(store)  # and the file is sound


def test_what_is_deleted_leaves_sqlites_log_though_somebody_else_empties_it_at_that_moment(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        add(store)
        log = tmp_path / f"{database.FILE}-wal"
        assert b"teal backdrop" in log.read_bytes()
        # SQLite's lock of whoever empties the log: the second of the eight bytes at 120 (fileformat2, section 2.3.1).
        # A process of its own holds it, for a process may take its own locks twice.
        emptying = (
            f"import fcntl, sys; file = open({str(tmp_path / database.FILE)!r} + '-shm', 'r+b');"
            "fcntl.lockf(file, fcntl.LOCK_EX, 1, 121); print(flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", emptying],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as somebody:
            assert somebody.stdin is not None and somebody.stdout is not None
            somebody.stdout.readline()
            threading.Timer(0.3, somebody.stdin.close).start()
            assert store.forget(ANN) == 1
        assert b"teal backdrop" not in log.read_bytes()
