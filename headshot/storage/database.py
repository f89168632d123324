"""The two kinds of database, SQLite and PostgreSQL: how to connect, begin a transaction and migrate."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url, text

from headshot.errors import HeadshotError, SettingsError

FILE = "jobs.sqlite3"
BUSY_SECONDS = 10  # a transaction takes milliseconds, one with a picture tens of them: a longer wait is hopeless
_CONNECT_SECONDS = 5  # a database on the same network answers within a second
_RETRY_SECONDS = 0.02  # emptying the log takes milliseconds
_LOCK = 0x48454144  # "HEAD": the number of our one advisory lock at PostgreSQL

# These are bugs in our statements; all others mean a database that is gone, full, locked or no database.
_BUGS = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.InternalError, exc.NotSupportedError)

_log = logging.getLogger(__name__)
_migrating = threading.Lock()  # Alembic keeps the running migration in a module's globals


class StoreError(HeadshotError):
    """The jobs cannot be read or written: the database does not answer, or the disk is full."""


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Turn errors of the database's own into StoreError. Bugs in our statements are raised as they are."""
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreError("Too many requests wait for the record of the jobs. Try again in a minute.") from error
    except exc.DBAPIError as error:
        if isinstance(error, _BUGS):
            raise
        raise StoreError(
            "The record of the jobs cannot be used: its database does not answer, is no database of ours, or its disk"
            " is full. Try again in a minute, or tell whoever runs this server."
        ) from error


def connect(folder: Path, url: str | None) -> Engine:
    """Return an engine for `jobs.sqlite3` in this folder, or for the URL. Only SQLite's empty file is made by this.

    Its errors show neither the values of a statement nor a password.

    Args:
        folder: made if it is missing.
        url: of another database, as for `Store.open`; None or "" for the file in the folder.

    Raises:
        SettingsError: if the URL is of no database that is supported.
    """
    address = URL.create("sqlite", database=str(folder / FILE)) if not url else _parse(url)
    if address.get_backend_name() == "sqlite":
        file = Path(address.database or "")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)  # SQLite would let others read it; its -wal and -shm take the file's own permissions
        engine = create_engine(address, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(
            address,
            hide_parameters=True,
            pool_pre_ping=True,  # the database may have been restarted since a connection was last used
            isolation_level="READ COMMITTED",  # compare-and-set needs no more, and a stricter default would fail it
            connect_args={} if "connect_timeout" in address.query else {"connect_timeout": _CONNECT_SECONDS},
        )
    except ModuleNotFoundError as error:
        raise SettingsError("A PostgreSQL database needs one more package: pip install 'psycopg[binary]'.") from error


def _parse(url: str) -> URL:
    address = None
    with suppress(exc.ArgumentError, ValueError):  # they show the URL, and the password in it
        address = make_url(url)
    if address is not None and address.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if address is not None and address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
        return address
    raise SettingsError(
        "HEADSHOT_DATABASE_URL must be empty, sqlite:////path/of/a/file or postgresql://user:password@host/name."
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin late and at the wrong statements: see `_begin_sqlite`
    for pragma in (
        "journal_mode = WAL",  # readers do not wait for the writer
        "synchronous = FULL",  # a commit outlives a power cut: a forgotten SENT might be paid twice
        "foreign_keys = ON",
        "secure_delete = ON",  # what a visitor deletes is overwritten, not only unlinked
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take SQLite's one write lock at the start of a transaction that writes: later it may be refused as stale."""
    begin = connection.get_execution_options().get("begin", "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


def writing(engine: Engine) -> Engine:
    """Return the same engine for transactions that write."""
    return engine.execution_options(begin="BEGIN IMMEDIATE")


def lock(connection: Connection) -> None:
    """Block every other transaction that calls this, until this one ends. SQLite's write lock does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def vacuum(engine: Engine) -> None:
    """Remove all traces of deleted rows from SQLite's files. PostgreSQL vacuums without being asked.

    SQLite overwrites deleted rows, but not the copies that moved rows have left in their former pages. So the file is
    rewritten, in 0.1 s for 15 MB. Then its log, which still holds everything, is emptied. SQLite waits there for
    readers and writers, but not for another process that empties the log at that moment; then it returns 1 and raises
    no error: https://www.sqlite.org/c3ref/wal_checkpoint_v2.html.
    """
    if engine.dialect.name == "sqlite":
        give_up_at = time.monotonic() + BUSY_SECONDS
        with engine.execution_options(begin="").connect() as connection:
            connection.exec_driver_sql("VACUUM")
            while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one():
                if time.monotonic() > give_up_at:
                    _log.warning("Could not empty SQLite's log: deleted rows stay in it for now")
                    return
                time.sleep(_RETRY_SECONDS)


def migrate(engine: Engine, to: str = "head") -> None:
    """Bring the tables up to date, in one transaction. Several processes may call it at the same time.

    Args:
        engine: as `connect` returns it.
        to: the revision to reach.

    Raises:
        StoreError: if the database was written by a later version of this program.
    """
    config = Config()
    config.set_main_option("script_location", "headshot.storage:migrations")  # found wherever the package is installed
    steps = ScriptDirectory.from_config(config)
    known = {step.revision for step in steps.walk_revisions()}
    with engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    if at is not None and at not in known:
        raise StoreError("The record of the jobs was written by a later version of this program: update the program.")
    if at == (steps.get_current_head() if to == "head" else to):
        return
    with _migrating, writing(engine).begin() as connection:
        lock(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
