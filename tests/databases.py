"""The two databases that the store is tested on: SQLite in a folder, and a PostgreSQL of our own on loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from headshot.store import Store

KINDS = ("sqlite", "postgresql")
USER = "headshot"
# Nothing here outlives the test, so nothing needs to outlive a power cut.
_OPTIONS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "listen_addresses": "127.0.0.1"}


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
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (programs[-1] if programs else None)
    if found is None:
        reason = "there is no PostgreSQL to test with: apt-get install postgresql"
        # Where the tests decide about a change, a skipped database would be a hole that nobody sees.
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="headshot-postgresql-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The server refuses to run as root, and its package has made a user for it.
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if other:
        shutil.chown(folder, "postgres", "postgres")

    def run(program: str, *arguments: str) -> None:
        command: list[Any] = [*other, Path(found).parent / program, "-D", folder / "data", *arguments]
        # Not into a pipe, which the server would inherit and hold open.
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=True, timeout=60)

    options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
    try:
        run("initdb", "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        run("pg_ctl", "-w", "start", "-o", f"-p {port} -k {folder} {options}")
        try:
            yield PostgreSQL(port)
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
        (folder.parent / f"{folder.name}.log").unlink()
