"""Transactions over one database, one folder of pictures and one clock: the base of all parts of the store."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime

from sqlalchemy import Engine, select, union
from sqlalchemy.orm import Session

from . import database
from .database import StoreError
from .pictures import Pictures
from .schema import JobRow, ShotRow

_DIGESTS_PER_STATEMENT = 1_000  # SQLite takes some 32,000 values in one statement


class UnitOfWork:
    """Begins transactions, and deletes the pictures that no row needs any more. Safe to use from any thread.

    Attributes:
        pictures: the files of this database's pictures.
        clock: returns the present moment, with its zone.
    """

    def __init__(self, engine: Engine, pictures: Pictures, clock: Callable[[], datetime]) -> None:
        self._reader = engine
        self._writer = database.writing(engine)
        # SQLite lets one connection write, and the others try again at growing intervals, up to a tenth of a second.
        # The threads of this process wait for this lock instead.
        self._writing = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self.pictures = pictures
        self.clock = clock

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session for reading.

        Raises:
            StoreError: if the database fails.
        """
        with database.translate_database_errors(), Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self, *, lock: bool = False) -> Iterator[Session]:
        """Open one transaction that writes; it is committed at the end of the block.

        Args:
            lock: take the global advisory lock. Needed when files or many rows change together.

        Raises:
            StoreError: if the database fails.
        """
        with self._writing, database.translate_database_errors(), Session(self._writer) as session, session.begin():
            if lock:
                database.lock(session.connection())
            yield session

    def delete_files(self, digests: Collection[str]) -> None:
        """Delete those of these pictures that no row needs any more.

        Call it only after the commit that deleted their rows, or a crash could leave a row without its picture. After
        a crash before this, the next `collect_garbage` deletes the files.

        Args:
            digests: SHA-256 of each picture, in hex.

        Raises:
            StoreError: if the database or the disk fails.
        """
        left = list(digests)
        for start in range(0, len(left), _DIGESTS_PER_STATEMENT):
            some = left[start : start + _DIGESTS_PER_STATEMENT]
            with translate_disk_errors(), self.write(lock=True) as session:
                jobs = select(JobRow.picture_sha256).where(JobRow.picture_sha256.in_(some))
                shots = select(ShotRow.picture_sha256).where(ShotRow.picture_sha256.in_(some))
                needed = set(session.scalars(union(jobs, shots)))
                for digest in some:
                    if digest not in needed:
                        self.pictures.delete(digest)

    def collect_garbage(self, session: Session) -> None:
        """Delete every file that no row needs.

        Args:
            session: of a transaction that holds the lock.
        """
        jobs = select(JobRow.picture_sha256).where(JobRow.picture_sha256.is_not(None))
        self.pictures.delete_all_but(set(session.scalars(union(jobs, select(ShotRow.picture_sha256)))))

    def vacuum(self, deleted: int) -> None:
        """Remove all traces of deleted rows from SQLite's files.

        Args:
            deleted: how many rows the last commit deleted; nothing is done for 0.
        """
        if deleted:
            with self._writing, database.translate_database_errors():
                database.vacuum(self._reader)


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """Turn OSError into StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The folder of the pictures cannot be used ({error.strerror or error}). Free some room on the server's"
            " disk, or tell whoever runs this server."
        ) from error
