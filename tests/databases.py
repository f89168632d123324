"""The two databases that the store is tested on: SQLite in a folder, and a PostgreSQL of our own on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
from lacking import lacking

from headshot.storage import Store

KINDS = ("sqlite", "postgresql")
USER = "headshot"
# Nothing here outlives the test, so nothing needs to outlive a power cut.
_OPTIONS = {"fsync": "off", "full-page-writes": "off", "synchronous-commit": "off", "listen-addresses": "127.0.0.1"}


class Clock:
    """Goes on by a step with each look."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.step = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


@dataclass
class Place:
    """An empty folder, and the URL of an empty database where that is not to lie in the folder."""

    folder: Path
    url: str | None = None
    clock: Clock = field(default_factory=Clock)

    def open(self) -> Store:
        return Store.open(self.folder, self.url, clock=self.clock)

    @property
    def files(self) -> set[str]:
        """The names of all pictures, finished or not."""
        return {path.name for path in (self.folder / "pictures").rglob("*") if path.is_file()}


class PostgreSQL:
    """A running server of nobody else's."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._numbers = count(1)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def emptied(self) -> str:
        """The URL of a database with nothing in it: always the same one, for a new one takes a second."""
        self.do("DROP SCHEMA IF EXISTS public CASCADE")
        self.do("CREATE SCHEMA public")
        return self.url()

    def another(self) -> str:
        """The name of a new database."""
        name = f"jobs_{next(self._numbers)}"
        self.do(f"CREATE DATABASE {name}")
        return name

    def do(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Debian's server, in a folder of its own. Skips the test where it is not installed, and fails it in CI."""
    found = shutil.which("initdb") or max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
    if found is None:
        lacking("there is no PostgreSQL to test with: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="headshot-postgresql-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The server stops with the tests, also where these are killed. It refuses to run as root; its package has made a
    # user for it.
    prefix = ["setpriv", "--pdeathsig=QUIT"]
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        prefix += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
    programs, data = Path(found).parent, folder / "data"
    options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
    try:
        initdb = [programs / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"]
        subprocess.run([*prefix, *initdb, "--no-sync"], cwd=folder, capture_output=True, check=True, timeout=60)
        postgres = [*prefix, programs / "postgres", "-D", data, "-p", str(port), "-k", folder, *options]
        with subprocess.Popen(postgres, cwd=folder, stderr=subprocess.DEVNULL) as running:
            try:
                yield _once_it_answers(PostgreSQL(port))
            finally:
                running.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _once_it_answers(server: PostgreSQL) -> PostgreSQL:
    give_up_at = time.monotonic() + 60
    while True:
        try:
            server.do("SELECT 1")
            return server
        except psycopg.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
