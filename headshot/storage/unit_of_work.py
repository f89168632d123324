"""What all parts of the store stand on: one database, one folder of pictures, one clock."""

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

_AT_ONCE = 1_000  # SQLite takes some 32,000 values in one statement, and its older versions 999


class UnitOfWork:
    """Transactions, and the pictures that go with them. Safe to use from any thread."""

    def __init__(self, engine: Engine, pictures: Pictures, clock: Callable[[], datetime]) -> None:
        self._reader = engine
        self._writer = database.writing(engine)
        # SQLite lets one write and has the others look again at growing intervals, up to a tenth of a second: the
        # threads of this process take their turns without that.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self.pictures = pictures
        self.clock = clock

    @contextmanager
    def read(self) -> Iterator[Session]:
        with database.translate_database_errors(), Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self, *, lock: bool = False) -> Iterator[Session]:
        """One transaction. lock: of all who ask for it, one at a time; for files, and for many rows at once."""
        with self._turn, database.translate_database_errors(), Session(self._writer) as session, session.begin():
            if lock:
                database.lock(session.connection())
            yield session

    def delete_files(self, digests: Collection[str]) -> None:
        """Delete those of these pictures that no row wants any more.

        Only after the commit that has deleted their rows, or a crash could leave a row without its picture. Killed
        before this, the next `collect_garbage` has the files.
        """
        left = list(digests)
        for start in range(0, len(left), _AT_ONCE):
            some = left[start : start + _AT_ONCE]
            with translate_disk_errors(), self.write(lock=True) as session:
                jobs = select(JobRow.picture_sha256).where(JobRow.picture_sha256.in_(some))
                shots = select(ShotRow.picture_sha256).where(ShotRow.picture_sha256.in_(some))
                wanted = set(session.scalars(union(jobs, shots)))
                for digest in some:
                    if digest not in wanted:
                        self.pictures.drop(digest)

    def collect_garbage(self, session: Session) -> None:
        """Delete every file that no row wants. session: of a transaction that locks."""
        jobs = select(JobRow.picture_sha256).where(JobRow.picture_sha256.is_not(None))
        self.pictures.sweep(set(session.scalars(union(jobs, select(ShotRow.picture_sha256)))))

    def vacuum(self, deleted: int) -> None:
        """After the commit that has deleted that many rows: nothing of them is left in SQLite's files."""
        if deleted:
            with self._turn, database.translate_database_errors():
                database.vacuum(self._reader)


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """The disk's troubles as StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The folder of the pictures cannot be used ({error.strerror or error}). Free some room on the server's"
            " disk, or tell whoever runs this server."
        ) from error
