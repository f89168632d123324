"""The store: every arrow of the machine, what is read, and what is deleted."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Engine, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from headshot.errors import Stopped
from headshot.request import HeadshotRequest

from . import database, job_states
from .history import History
from .job_states import StateError, StateNotReached, Transition
from .pictures import Pictures, digest_of
from .records import Event, JobId, ModelsLabJob, Recovery, checked, job_from_row
from .schema import EventRow, JobRow, JobState, StoreRow
from .unit_of_work import UnitOfWork, translate_disk_errors

# The service deletes its results after a day: what is in flight is kept as long, and no webhook is believed after it.
REMOTE_KEPT = timedelta(hours=24)


class Store:
    """The jobs of one database, and their pictures. Safe to use from any thread.

    Every method raises StoreError where the database or the disk fails. Reading is scoped by owner: a visitor's page
    passes the mark of its own token and finds nothing of anybody else's. The arrows take a job's id alone, for they are
    drawn by whoever runs the jobs. They tell whether anything changed: False is a duplicate, a latecomer, or a job that
    its visitor has deleted meanwhile, all harmless. They raise StateError where the machine has no such arrow.
    """

    def __init__(self, engine: Engine, folder: Path, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        with database.translate_database_errors(), Session(engine) as session:
            this = session.scalars(select(StoreRow)).one()
        self.salt = this.salt  # for `key_fingerprint`
        self._ground = UnitOfWork(engine, Pictures(folder, this.name), clock)
        self.history = History(self._ground)

    @classmethod
    def open(
        cls, folder: Path, url: str | None = None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> Self:
        """Open the store in this folder, which is made where it is missing, and bring its tables up to date.

        folder: holds the pictures, and `jobs.sqlite3` unless a URL names another database: `postgresql://…` or
        `sqlite:////path`.  clock: gives the moment, with its zone.
        Raises SettingsError where the URL cannot be used, StoreError where what it names cannot.
        """
        with translate_disk_errors(), database.translate_database_errors():
            engine = database.connect(folder, url)
            try:
                database.migrate(engine)
                return cls(engine, folder, clock)
            except BaseException:
                engine.dispose()
                raise

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # The arrows, in a job's order.

    def add(
        self,
        owner: str,
        comparison: str,
        position: int,
        request: HeadshotRequest,
        *,
        api: str,
        key_fingerprint: str,
        photo_sha256: str,
        track_id: str | None = None,
        webhook_mark: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> JobId:
        """Write down a job that is to be sent. When this returns it is PENDING, and nothing has left the house.

        owner, webhook_mark: `hash_token` of the visitor's and of the webhook's token.
        key_fingerprint: `key_fingerprint` of the key, with
        this store's salt. No secret comes in here: ValueError where one of them is no mark.
        """
        checked(owner=owner, key_fingerprint=key_fingerprint, photo_sha256=photo_sha256, webhook_mark=webhook_mark)
        job = JobId(secrets.token_hex(16))
        now = self._ground.clock()
        row = JobRow(
            id=job,
            owner=owner,
            comparison=comparison,
            position=position,
            request=request.model_dump(),
            api=api,
            key_mark=key_fingerprint,
            photo_sha256=photo_sha256,
            track_id=track_id,
            webhook_mark=webhook_mark,
            state=JobState.PENDING,
            stranded=False,
            sentence="",
            facts=dict(facts or {}),
            polls=0,
            created_at=now,
            changed_at=now,
        )
        with self._ground.write() as session:
            session.add(row)
            session.flush()
            self._record(session, job, "added")
        return job

    def sending(self, job: JobId, *, asked: bool = False) -> None:
        """PENDING → SENT. The POST may begin when this has returned, and must not where it raises.

        asked: the visitor wants it sent now, which a stranded job waits for.
        Raises StateError in all but one of several who race for a job, Stopped where the visitor has deleted it.
        """

        def allow(row: JobRow) -> None:
            if row.stranded and not asked:
                raise StateError(f"job {job} is stranded: it is sent when its visitor asks")

        with self._ground.write() as session:
            if not self._move(session, job, job_states.SENDING, allow=allow):
                raise Stopped("This headshot is no longer wanted.")

    def reset_to_pending(self, job: JobId, because: StateNotReached) -> bool:
        """SENT → PENDING: the service cannot have accepted the POST, so the job may be sent as if it never had been.

        Every silence for another reason is `unknown`.
        """
        sentence = job_states.NOT_TAKEN[because]
        with self._ground.write() as session:
            return self._move(session, job, job_states.WITHDRAWN, sentence=sentence)

    def accepted(
        self,
        job: JobId,
        remote_id: str | None,
        eta_seconds: float | None = None,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> bool:
        """SENT or UNKNOWN → PROCESSING: the service has the job, under this name. Also where it is made already.

        remote_id: None where the service gave no name; such a job cannot be fetched after a crash.
        details: the reply, for the timeline; without secrets and pictures.
        Raises StateError also where the service has called the job by another name before: it took two POSTs for it.
        """

        def allow(row: JobRow) -> None:
            if remote_id is not None and row.remote_id not in (None, remote_id):
                raise StateError(f"job {job} is {row.remote_id!r} at the service, and now {remote_id!r} too")

        named: dict[str, Any] = {} if remote_id is None else {"remote_id": remote_id}
        with self._ground.write() as session:
            return self._move(
                session, job, job_states.ACCEPTED, details=details, allow=allow, eta_seconds=eta_seconds, **named
            )

    def polled(self, job: JobId, eta_seconds: float | None = None) -> bool:
        """The service was asked about a job and has no result yet. eta_seconds: None leaves the last one."""
        news = {} if eta_seconds is None else {"eta_seconds": eta_seconds}
        statement = (
            update(JobRow).where(JobRow.id == job, JobRow.state.in_(job_states.DONE.allowed_from)).returning(JobRow.id)
        )
        with self._ground.write() as session:
            return session.scalar(statement.values(polls=JobRow.polls + 1, **news)) is not None

    def unknown(self, job: JobId, sentence: str, *, details: Mapping[str, Any] | None = None) -> bool:
        """SENT or PROCESSING → UNKNOWN: no answer, or no result within the time. It may have been billed."""
        with self._ground.write() as session:
            return self._move(session, job, job_states.UNANSWERED, sentence=sentence, details=details)

    def failed(self, job: JobId, sentence: str, *, details: Mapping[str, Any] | None = None) -> bool:
        """→ FAILED, from everywhere but an end: the service declined it, or it was given up before it was sent."""
        with self._ground.write() as session:
            return self._move(session, job, job_states.FAILED, sentence=sentence, details=details)

    def done(self, job: JobId, picture: bytes, filename: str, facts: Mapping[str, Any] | None = None) -> bool:
        """PROCESSING or UNKNOWN → DONE. The picture is on the disk, for good, before the job says so.

        picture: the file's bytes, kept as they are.  filename: what a visitor saves it as.
        facts: what is to be told beside the picture (seed, seconds, notes), as JSON's types; added to those of `add`.
        """
        digest = digest_of(picture)
        with translate_disk_errors(), self._ground.write(lock=True) as session:
            if not self._move(
                session, job, job_states.DONE, picture_sha256=digest, filename=filename, facts=facts or {}
            ):
                return False
            # Before the commit, or a crash could leave a job without its picture; and under the lock, or somebody
            # could delete the file, which nobody else wants yet, in between.
            self._ground.pictures.keep(picture, digest)
            return True

    def note(self, job: JobId, what: str, sentence: str = "") -> bool:
        """A line in the job's timeline that changes nothing else. what: one word, `webhook`."""
        with self._ground.write() as session:
            if session.get(JobRow, job, with_for_update=True) is None:
                return False
            self._record(session, job, what, sentence)
            return True

    def recover(self) -> Recovery:
        """Make sense of what a server that ended, however it ended, has left. To be called before a job is sent.

        What was sent and not answered becomes UNKNOWN, what was never sent is stranded, and files that no job wants go.
        Nothing is sent by this, nor by anybody because of it. Where another process still runs jobs of this database,
        they become stranded or UNKNOWN too: it can send none of the former, and its answers still finish the latter.
        """
        lost = or_(JobRow.state == JobState.SENT, and_(JobRow.state == JobState.PROCESSING, JobRow.remote_id.is_(None)))
        left = and_(JobRow.state == JobState.PENDING, ~JobRow.stranded)
        with translate_disk_errors(), self._ground.write(lock=True) as session:
            changes = {"state": JobState.UNKNOWN, "changed_at": self._ground.clock()}
            unknown = self._change_all(session, lost, "unknown", job_states.LOST, **changes)
            self._change_all(session, left, "stranded", job_states.NEVER_SENT, stranded=True)
            self._ground.collect_garbage(session)
            return Recovery(
                unknown=self._jobs(session, JobRow.id.in_(unknown)),
                never_sent=self._jobs(session, JobRow.state == JobState.PENDING),
                to_poll=self._jobs(session, JobRow.state == JobState.PROCESSING),
            )

    # What is there.

    def job(self, owner: str, job: JobId) -> ModelsLabJob | None:
        """None where there is none, or it is somebody else's."""
        with self._ground.read() as session:
            return next(iter(self._jobs(session, JobRow.owner == owner, JobRow.id == job)), None)

    def jobs(self, owner: str, *, before: ModelsLabJob | None = None, limit: int = 50) -> tuple[ModelsLabJob, ...]:
        """This visitor's jobs, the latest first. before: the last one of the page that came before."""
        wanted = JobRow.owner == owner
        if before is not None:
            same_moment = and_(JobRow.created_at == before.created_at, JobRow.id < before.id)
            wanted = and_(wanted, or_(JobRow.created_at < before.created_at, same_moment))
        latest = select(JobRow).where(wanted).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
        with self._ground.read() as session:
            return tuple(job_from_row(row, self._ground.pictures) for row in session.scalars(latest))

    def comparison(self, owner: str, comparison: str) -> tuple[ModelsLabJob, ...]:
        """By position; what was sent again stands behind what it was sent again for."""
        with self._ground.read() as session:
            return self._jobs(session, JobRow.owner == owner, JobRow.comparison == comparison)

    def in_state(self, owner: str, *states: JobState) -> tuple[ModelsLabJob, ...]:
        with self._ground.read() as session:
            return self._jobs(session, JobRow.owner == owner, JobRow.state.in_(states))

    def timeline(self, owner: str, job: JobId) -> tuple[Event, ...]:
        """What happened to this visitor's job, in its order."""
        of_job = select(EventRow).join(JobRow, JobRow.id == EventRow.job).where(JobRow.owner == owner, JobRow.id == job)
        with self._ground.read() as session:
            rows = session.scalars(of_job.order_by(EventRow.id))
            return tuple(Event(row.at, row.what, row.sentence, row.details) for row in rows)

    def by_webhook(self, webhook_mark: str, track_id: str | None, remote_id: str) -> ModelsLabJob | None:
        """The job that a webhook's call is about; None where mark, track id and the service's name do not all fit.

        remote_id: must be the job's own; where its POST is not answered yet, or never was, one that no other job has.
        A call is a hint and no result: fetch what it names before believing it. An ended job is found too, so that a
        duplicate can be thanked for.
        """
        with self._ground.read() as session:
            row = session.scalars(select(JobRow).where(JobRow.webhook_mark == webhook_mark)).one_or_none()
            # The index may tell by its time how much was right, but of a hash only; what decides does not tell.
            if row is None or not hmac.compare_digest(row.webhook_mark or "", webhook_mark):
                return None
            if row.track_id != track_id or row.created_at < self._ground.clock() - REMOTE_KEPT:
                return None
            if row.remote_id is not None:
                return job_from_row(row, self._ground.pictures) if row.remote_id == remote_id else None
            taken = select(JobRow.id).where(JobRow.remote_id == remote_id, JobRow.key_mark == row.key_mark).limit(1)
            if row.state is JobState.PENDING or session.scalar(taken) is not None:
                return None
            return job_from_row(row, self._ground.pictures)

    # What goes.

    def forget(self, owner: str) -> int:
        """Delete all jobs of a visitor, and their pictures but those that somebody else has too. Returns how many jobs.

        What is at the service by now is made and billed nevertheless, and nobody will fetch it.
        """
        with self._ground.write(lock=True) as session:
            gone = session.scalars(delete(JobRow).where(JobRow.owner == owner).returning(JobRow.picture_sha256)).all()
        self._ground.delete_files({digest for digest in gone if digest is not None})
        self._ground.vacuum(len(gone))
        return len(gone)

    def expire(self, before: datetime) -> int:
        """Delete the jobs that came to rest before that moment, and their pictures. Returns how many jobs.

        At rest are those that ended and those that are stranded. The others may still be sent, or are paid for and not
        yet fetched: they are spared for a day, after which the service, too, has nothing of them.
        """
        at_rest = or_(JobRow.state.in_(job_states.ENDS), JobRow.stranded)
        dead = JobRow.created_at < min(before, self._ground.clock() - REMOTE_KEPT)
        old = or_(and_(at_rest, JobRow.changed_at < before), and_(~at_rest, dead))
        with self._ground.write(lock=True) as session:
            gone = session.scalars(delete(JobRow).where(old).returning(JobRow.id)).all()
        with translate_disk_errors(), self._ground.write(lock=True) as session:
            self._ground.collect_garbage(session)
        self._ground.vacuum(len(gone))
        return len(gone)

    # Inside.

    def _move(
        self,
        session: Session,
        job: JobId,
        arrow: Transition,
        *,
        sentence: str = "",
        details: Mapping[str, Any] | None = None,
        allow: Callable[[JobRow], None] = lambda row: None,
        facts: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> bool:
        """Compare and set, until the row that was looked at is the row that is changed."""
        while True:
            row = session.get(JobRow, job, populate_existing=True)
            if row is None:
                return False
            allow(row)
            if row.state in arrow.ignore_from:
                return False
            if row.state not in arrow.allowed_from:
                raise StateError(f"job {job} is {row.state} and cannot become {arrow.to}")
            unchanged = and_(
                JobRow.id == job,
                JobRow.state == row.state,
                JobRow.stranded == row.stranded,
                JobRow.remote_id.is_not_distinct_from(row.remote_id),
            )
            values |= {"state": arrow.to, "stranded": False, "sentence": sentence, "changed_at": self._ground.clock()}
            if facts is not None:
                values["facts"] = {**row.facts, **facts}
            if session.scalar(update(JobRow).where(unchanged).values(**values).returning(JobRow.id)) is not None:
                self._record(session, job, arrow.to, sentence, details)
                return True

    def _change_all(
        self, session: Session, where: ColumnElement[bool], what: str, sentence: str, **values: Any
    ) -> list[str]:
        changed = update(JobRow).where(where).values(sentence=sentence, **values).returning(JobRow.id)
        jobs = list(session.scalars(changed))
        for job in jobs:
            self._record(session, job, what, sentence)
        return jobs

    def _record(
        self, session: Session, job: str, what: str, sentence: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        session.add(
            EventRow(job=job, at=self._ground.clock(), what=what, sentence=sentence, details=dict(details or {}))
        )

    def _jobs(self, session: Session, *where: ColumnElement[bool]) -> tuple[ModelsLabJob, ...]:
        """In the order they are shown in."""
        rows = select(JobRow).where(*where).order_by(JobRow.comparison, JobRow.position, JobRow.created_at, JobRow.id)
        return tuple(job_from_row(row, self._ground.pictures) for row in session.scalars(rows))
