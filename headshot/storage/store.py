"""The store: every change of a job's state, and reading and deleting jobs."""

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
from .job_states import NotAcceptedReason, StateError, Transition
from .pictures import Pictures, digest_of
from .records import Event, JobId, ModelsLabJob, Recovery, check_hashes, job_from_row
from .schema import EventRow, JobRow, JobState, StoreRow
from .unit_of_work import UnitOfWork, translate_disk_errors

# The service deletes its results after a day: unfinished jobs are kept as long, and later webhooks are ignored.
REMOTE_KEPT = timedelta(hours=24)


class Store:
    """The jobs of one database, and their pictures. Safe to use from any thread.

    Every method raises StoreError if the database or the disk fails. Reading is limited to one owner: a visitor's page
    passes the hash of its own token and finds nothing of any other visitor. The methods that change a job's state have
    only its id, because the job service calls them. They return whether anything changed: False is a duplicate, a late
    event, or a job that its visitor deleted meanwhile, all harmless. They raise StateError for a change that the
    drawing in `headshot.storage` does not have.

    Attributes:
        salt: for `key_fingerprint`.
        history: the comparisons, saved settings and votes of the same database.
    """

    def __init__(self, engine: Engine, folder: Path, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        with database.translate_database_errors(), Session(engine) as session:
            this = session.scalars(select(StoreRow)).one()
        self.salt = this.salt
        self._unit_of_work = UnitOfWork(engine, Pictures(folder, this.name), clock)
        self.history = History(self._unit_of_work)

    @classmethod
    def open(
        cls, folder: Path, url: str | None = None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> Self:
        """Open the store in a folder, which is made if it is missing, and bring its tables up to date.

        Args:
            folder: has the pictures, and `jobs.sqlite3` unless a URL names another database.
            url: `postgresql://…` or `sqlite:////path`; None or "" for the file in the folder.
            clock: returns the present moment, with its zone.

        Raises:
            SettingsError: if the URL is of no database that is supported.
            StoreError: if the database or the folder cannot be used.
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
        """Close all connections to the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # Changes of a job's state, in their usual order.

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
        """Save a job that is to be sent, and return its id. It is PENDING then, and nothing was sent.

        Args:
            owner: `hash_token` of the visitor's token.
            comparison: the run it belongs to.
            position: its place in that run, from 0.
            request: with its seed.
            api: the service's API it is to be sent to.
            key_fingerprint: of the API key, with this store's salt.
            photo_sha256: of the cleaned photo.
            track_id: the id sent along with it, which a webhook repeats.
            webhook_mark: `hash_token` of the token in the webhook's URL.
            facts: values of JSON's types.

        Raises:
            ValueError: if a hash is not one, so that no secret is stored.
        """
        check_hashes(owner=owner, key_fingerprint=key_fingerprint, photo_sha256=photo_sha256, webhook_mark=webhook_mark)
        job = JobId(secrets.token_hex(16))
        now = self._unit_of_work.clock()
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
        with self._unit_of_work.write() as session:
            session.add(row)
            session.flush()
            self._record(session, job, "added")
        return job

    def sending(self, job: JobId, *, asked: bool = False) -> None:
        """PENDING → SENT. The POST may begin only after this has returned.

        Args:
            job: its id.
            asked: the visitor wants it sent now; a stranded job is sent only then.

        Raises:
            StateError: in all but one of several callers that try to send the same job.
            Stopped: if the visitor has deleted it.
        """

        def allow(row: JobRow) -> None:
            if row.stranded and not asked:
                raise StateError(f"job {job} is stranded: it is sent when its visitor asks")

        with self._unit_of_work.write() as session:
            if not self._move(session, job, job_states.SENDING, allow=allow):
                raise Stopped("This headshot is no longer wanted.")

    def reset_to_pending(self, job: JobId, because: NotAcceptedReason) -> bool:
        """SENT → PENDING: the service cannot have accepted the POST, so the job may be sent again.

        If there was no answer for any other reason, call `unknown`.
        """
        sentence = job_states.NOT_ACCEPTED[because]
        with self._unit_of_work.write() as session:
            return self._move(session, job, job_states.WITHDRAWN, sentence=sentence)

    def accepted(
        self,
        job: JobId,
        remote_id: str | None,
        eta_seconds: float | None = None,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> bool:
        """SENT or UNKNOWN → PROCESSING: the service has accepted the job. Also if it is finished there already.

        Args:
            job: its id.
            remote_id: the service's id for it; None if it gave none, and then it cannot be fetched after a crash.
            eta_seconds: estimated time until it is done.
            details: the reply, for the timeline; without secrets and pictures.

        Raises:
            StateError: also if the service gave the job another id before, which means that it accepted two POSTs.
        """

        def allow(row: JobRow) -> None:
            if remote_id is not None and row.remote_id not in (None, remote_id):
                raise StateError(f"job {job} is {row.remote_id!r} at the service, and now {remote_id!r} too")

        named: dict[str, Any] = {} if remote_id is None else {"remote_id": remote_id}
        with self._unit_of_work.write() as session:
            return self._move(
                session, job, job_states.ACCEPTED, details=details, allow=allow, eta_seconds=eta_seconds, **named
            )

    def polled(self, job: JobId, eta_seconds: float | None = None) -> bool:
        """Count a poll that found no result yet. False if the job has ended.

        Args:
            job: its id.
            eta_seconds: the new estimate; None leaves the last one.
        """
        changes = {} if eta_seconds is None else {"eta_seconds": eta_seconds}
        statement = (
            update(JobRow).where(JobRow.id == job, JobRow.state.in_(job_states.DONE.allowed_from)).returning(JobRow.id)
        )
        with self._unit_of_work.write() as session:
            return session.scalar(statement.values(polls=JobRow.polls + 1, **changes)) is not None

    def unknown(self, job: JobId, sentence: str, *, details: Mapping[str, Any] | None = None) -> bool:
        """SENT or PROCESSING → UNKNOWN: no answer, or no result before the time-out. It may have been billed."""
        with self._unit_of_work.write() as session:
            return self._move(session, job, job_states.UNANSWERED, sentence=sentence, details=details)

    def failed(self, job: JobId, sentence: str, *, details: Mapping[str, Any] | None = None) -> bool:
        """→ FAILED, from every state but DONE: the service declined it, or it was cancelled before it was sent."""
        with self._unit_of_work.write() as session:
            return self._move(session, job, job_states.FAILED, sentence=sentence, details=details)

    def done(self, job: JobId, picture: bytes, filename: str, facts: Mapping[str, Any] | None = None) -> bool:
        """PROCESSING or UNKNOWN → DONE. The picture is safely on the disk before the state changes.

        Args:
            job: its id.
            picture: the file's bytes, stored unchanged.
            filename: the name under which a visitor saves it.
            facts: shown beside the picture (seed, seconds, notes), values of JSON's types; added to those of `add`.
        """
        digest = digest_of(picture)
        with translate_disk_errors(), self._unit_of_work.write(lock=True) as session:
            if not self._move(
                session, job, job_states.DONE, picture_sha256=digest, filename=filename, facts=facts or {}
            ):
                return False
            # Before the commit, or a crash could leave a job without its picture; and under the lock, or another
            # transaction could delete the file, which no row needs yet.
            self._unit_of_work.pictures.save(picture, digest)
            return True

    def note(self, job: JobId, what: str, sentence: str = "") -> bool:
        """Add a line to a job's timeline that changes nothing else. False if the job is gone.

        Args:
            job: its id.
            what: one word, as `webhook`.
            sentence: for the visitor, or "".
        """
        with self._unit_of_work.write() as session:
            if session.get(JobRow, job, with_for_update=True) is None:
                return False
            self._record(session, job, what, sentence)
            return True

    def recover(self) -> Recovery:
        """Clean up after a server that ended in any way, and return its unfinished jobs. Call it before sending any.

        Jobs that were sent without an answer become UNKNOWN, jobs that were never sent are stranded, and files that no
        row needs are deleted. This sends nothing. If another process still runs jobs of this database, they become
        stranded or UNKNOWN too: it cannot send the stranded ones, and its answers still finish the others.
        """
        lost = or_(JobRow.state == JobState.SENT, and_(JobRow.state == JobState.PROCESSING, JobRow.remote_id.is_(None)))
        left = and_(JobRow.state == JobState.PENDING, ~JobRow.stranded)
        with translate_disk_errors(), self._unit_of_work.write(lock=True) as session:
            changes = {"state": JobState.UNKNOWN, "changed_at": self._unit_of_work.clock()}
            unknown = self._change_all(session, lost, "unknown", job_states.LOST, **changes)
            self._change_all(session, left, "stranded", job_states.NEVER_SENT, stranded=True)
            self._unit_of_work.collect_garbage(session)
            return Recovery(
                unknown=self._jobs(session, JobRow.id.in_(unknown)),
                never_sent=self._jobs(session, JobRow.state == JobState.PENDING),
                to_poll=self._jobs(session, JobRow.state == JobState.PROCESSING),
            )

    # Reading.

    def job(self, owner: str, job: JobId) -> ModelsLabJob | None:
        """Return a visitor's job; None if there is none, or it is another visitor's."""
        with self._unit_of_work.read() as session:
            return next(iter(self._jobs(session, JobRow.owner == owner, JobRow.id == job)), None)

    def jobs(self, owner: str, *, before: ModelsLabJob | None = None, limit: int = 50) -> tuple[ModelsLabJob, ...]:
        """Return one page of a visitor's jobs, the latest first.

        Args:
            owner: the hash of the visitor's token.
            before: the last job of the page before this one; None for the first page.
            limit: the most that are returned.
        """
        wanted = JobRow.owner == owner
        if before is not None:
            same_moment = and_(JobRow.created_at == before.created_at, JobRow.id < before.id)
            wanted = and_(wanted, or_(JobRow.created_at < before.created_at, same_moment))
        latest = select(JobRow).where(wanted).order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(limit)
        with self._unit_of_work.read() as session:
            return tuple(job_from_row(row, self._unit_of_work.pictures) for row in session.scalars(latest))

    def comparison(self, owner: str, comparison: str) -> tuple[ModelsLabJob, ...]:
        """Return the jobs of one run by position; a retry comes after the job that it repeats."""
        with self._unit_of_work.read() as session:
            return self._jobs(session, JobRow.owner == owner, JobRow.comparison == comparison)

    def in_state(self, owner: str, *states: JobState) -> tuple[ModelsLabJob, ...]:
        """Return a visitor's jobs that are in one of these states."""
        with self._unit_of_work.read() as session:
            return self._jobs(session, JobRow.owner == owner, JobRow.state.in_(states))

    def timeline(self, owner: str, job: JobId) -> tuple[Event, ...]:
        """Return the events of a visitor's job, the earliest first."""
        of_job = select(EventRow).join(JobRow, JobRow.id == EventRow.job).where(JobRow.owner == owner, JobRow.id == job)
        with self._unit_of_work.read() as session:
            rows = session.scalars(of_job.order_by(EventRow.id))
            return tuple(Event(row.at, row.what, row.sentence, row.details) for row in rows)

    def by_webhook(self, webhook_mark: str, track_id: str | None, remote_id: str) -> ModelsLabJob | None:
        """Return the job that a webhook call is about; None unless token, track id and remote id all fit.

        A call is only a hint: fetch the result from the service before trusting it. An ended job is found too, so that
        a duplicate call is answered with success.

        Args:
            webhook_mark: the hash of the token in the webhook's URL.
            track_id: as it was sent with the job.
            remote_id: the job's own; if its POST has no answer yet, an id that no other job has.
        """
        with self._unit_of_work.read() as session:
            row = session.scalars(select(JobRow).where(JobRow.webhook_mark == webhook_mark)).one_or_none()
            # The index lookup may leak by its timing how much of a hash was right; this comparison does not.
            if row is None or not hmac.compare_digest(row.webhook_mark or "", webhook_mark):
                return None
            if row.track_id != track_id or row.created_at < self._unit_of_work.clock() - REMOTE_KEPT:
                return None
            if row.remote_id is not None:
                return job_from_row(row, self._unit_of_work.pictures) if row.remote_id == remote_id else None
            used = select(JobRow.id).where(JobRow.remote_id == remote_id, JobRow.key_mark == row.key_mark).limit(1)
            if row.state is JobState.PENDING or session.scalar(used) is not None:
                return None
            return job_from_row(row, self._unit_of_work.pictures)

    # Deleting.

    def forget(self, owner: str) -> int:
        """Delete all jobs of a visitor, and the pictures that no other row needs. Returns the number of jobs.

        Jobs that are at the service by now are made and billed all the same, and their results are never fetched.
        """
        with self._unit_of_work.write(lock=True) as session:
            gone = session.scalars(delete(JobRow).where(JobRow.owner == owner).returning(JobRow.picture_sha256)).all()
        self._unit_of_work.delete_files({digest for digest in gone if digest is not None})
        self._unit_of_work.vacuum(len(gone))
        return len(gone)

    def expire(self, before: datetime) -> int:
        """Delete the jobs that ended or were stranded before that moment, and their pictures. Returns their number.

        The others may still be sent, or are paid for and not yet fetched: they are kept for a day, after which the
        service has deleted their results too.
        """
        at_rest = or_(JobRow.state.in_(job_states.ENDS), JobRow.stranded)
        dead = JobRow.created_at < min(before, self._unit_of_work.clock() - REMOTE_KEPT)
        old = or_(and_(at_rest, JobRow.changed_at < before), and_(~at_rest, dead))
        with self._unit_of_work.write(lock=True) as session:
            gone = session.scalars(delete(JobRow).where(old).returning(JobRow.id)).all()
        with translate_disk_errors(), self._unit_of_work.write(lock=True) as session:
            self._unit_of_work.collect_garbage(session)
        self._unit_of_work.vacuum(len(gone))
        return len(gone)

    def _move(
        self,
        session: Session,
        job: JobId,
        transition: Transition,
        *,
        sentence: str = "",
        details: Mapping[str, Any] | None = None,
        allow: Callable[[JobRow], None] = lambda row: None,
        facts: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> bool:
        """Compare and set, repeated until no other transaction changed the row between its two halves."""
        while True:
            row = session.get(JobRow, job, populate_existing=True)
            if row is None:
                return False
            allow(row)
            if row.state in transition.ignore_from:
                return False
            if row.state not in transition.allowed_from:
                raise StateError(f"job {job} is {row.state} and cannot become {transition.to}")
            unchanged = and_(
                JobRow.id == job,
                JobRow.state == row.state,
                JobRow.stranded == row.stranded,
                JobRow.remote_id.is_not_distinct_from(row.remote_id),
            )
            values |= {
                "state": transition.to,
                "stranded": False,
                "sentence": sentence,
                "changed_at": self._unit_of_work.clock(),
            }
            if facts is not None:
                values["facts"] = {**row.facts, **facts}
            if session.scalar(update(JobRow).where(unchanged).values(**values).returning(JobRow.id)) is not None:
                self._record(session, job, transition.to, sentence, details)
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
            EventRow(job=job, at=self._unit_of_work.clock(), what=what, sentence=sentence, details=dict(details or {}))
        )

    def _jobs(self, session: Session, *where: ColumnElement[bool]) -> tuple[ModelsLabJob, ...]:
        """Return jobs in the order in which the page shows them."""
        rows = select(JobRow).where(*where).order_by(JobRow.comparison, JobRow.position, JobRow.created_at, JobRow.id)
        return tuple(job_from_row(row, self._unit_of_work.pictures) for row in session.scalars(rows))
