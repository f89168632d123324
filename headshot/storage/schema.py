"""The tables. What a column may hold at which moment is the machine of `headshot.storage`."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class JobState(StrEnum):
    """Where a job stands; the arrows between them are drawn in `headshot.storage`."""

    PENDING = "pending"
    SENT = "sent"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Nothing changes it any more."""
        return self in (JobState.DONE, JobState.FAILED)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone with a time, so it is put off on the way in and on again on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise TypeError("a moment needs its time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SafeText(TypeDecorator[str]):
    """A strange service, and a strange visitor, may say anything. PostgreSQL takes no null character, neither database
    half a character: both become a replacement, in what is stored and in what is looked for."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class JsonValue(TypeDecorator[Any]):
    """JSON. NaN and the infinities, which Python reads in a reply and PostgreSQL refuses, become null."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(json.dumps(value), parse_constant=lambda _: None)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {
        str: SafeText,
        datetime: UtcDateTime,
        dict[str, Any]: JsonValue,
        list[dict[str, Any]]: JsonValue,
        float: Double,
    }
    # Named alike on both databases, so that a migration can name what it changes.
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class StoreRow(Base):
    """The store itself, one row that the first migration writes.

    name: of the folder its pictures lie in, so that two databases never share, and never sweep, one folder.
    salt: keys the marks of API keys, 32 bytes.
    """

    __tablename__ = "store"

    name: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))


class JobRow(Base):
    """One paid headshot: at most one accepted POST."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("(state = 'done') = (picture_sha256 IS NOT NULL)", name="picture_when_done"),
        Index(None, "owner", "created_at", "id"),
        Index(None, "owner", "comparison"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    comparison: Mapped[str]
    position: Mapped[int]
    request: Mapped[dict[str, Any]]
    api: Mapped[str]
    key_mark: Mapped[str]
    photo_sha256: Mapped[str]
    track_id: Mapped[str | None]
    webhook_mark: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[JobState] = mapped_column(
        Enum(
            JobState,
            name="state",
            native_enum=False,
            create_constraint=True,
            length=16,
            values_callable=lambda states: [state.value for state in states],
        ),
        index=True,
    )
    stranded: Mapped[bool]
    remote_id: Mapped[str | None] = mapped_column(index=True)
    eta_seconds: Mapped[float | None]
    sentence: Mapped[str]
    picture_sha256: Mapped[str | None] = mapped_column(index=True)
    filename: Mapped[str | None]
    facts: Mapped[dict[str, Any]]
    polls: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class EventRow(Base):
    """One line of a job's timeline."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    what: Mapped[str]
    sentence: Mapped[str]
    details: Mapped[dict[str, Any]]


class ComparisonRow(Base):
    """One run of the history: what was asked for at once, over one photo.

    kept_since: when it came into this store, from which its time here counts; `begun` is older where it was brought
    along from another one.  search: what it can be found by, in the letters of `headshot.storage.history.searchable`.
    """

    __tablename__ = "comparisons"
    __table_args__ = (
        CheckConstraint("kind IN ('comparison', 'matrix', 'team')", name="kind"),
        Index(None, "owner", "begun", "id"),
        Index(None, "owner", "group"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    kind: Mapped[str]
    group: Mapped[str]
    name: Mapped[str]
    group_name: Mapped[str] = mapped_column(server_default=text("''"))
    favourite: Mapped[bool]
    backend: Mapped[str]
    photo_sha256: Mapped[str]
    face: Mapped[int | None]
    requests: Mapped[list[dict[str, Any]]]
    ended: Mapped[bool]
    begun: Mapped[datetime]
    kept_since: Mapped[datetime] = mapped_column(index=True)
    search: Mapped[str] = mapped_column(deferred=True)


class ShotRow(Base):
    """One headshot of the history. Its picture is a file, which jobs and other shots may want too.

    size_bytes: of that file.
    """

    __tablename__ = "shots"
    __table_args__ = (Index(None, "owner", "favourite"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    comparison: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    backend: Mapped[str]
    filename: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    facts: Mapped[dict[str, Any]]
    favourite: Mapped[bool]
    picture_sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int]
    made: Mapped[datetime]


class ThumbnailRow(Base):
    """Apart from its shot, so that a list of many shots reads none."""

    __tablename__ = "thumbnails"

    shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True)
    webp: Mapped[bytes] = mapped_column(LargeBinary)


class FailureRow(Base):
    """Why one headshot of a comparison did not come."""

    __tablename__ = "failures"

    comparison: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sentence: Mapped[str]


class LookRow(Base):
    """Settings that a visitor keeps under a name."""

    __tablename__ = "looks"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    settings: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime] = mapped_column(index=True)


class VoteRow(Base):
    """Some shots that several people choose between. code: what lets them in."""

    __tablename__ = "votes"

    code: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    comparison: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    title: Mapped[str]
    open: Mapped[bool]
    begun: Mapped[datetime]


class CandidateRow(Base):
    """One shot of a vote. A shot that is deleted leaves its votes, and its ballots go with it."""

    __tablename__ = "candidates"

    vote: Mapped[str] = mapped_column(ForeignKey("votes.code", ondelete="CASCADE"), primary_key=True)
    shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int]


class BallotRow(Base):
    """What one voter said of one pair."""

    __tablename__ = "ballots"
    __table_args__ = (CheckConstraint("outcome IN ('left', 'right', 'tie')", name="outcome"),)

    vote: Mapped[str] = mapped_column(ForeignKey("votes.code", ondelete="CASCADE"), primary_key=True)
    voter: Mapped[str] = mapped_column(primary_key=True)
    left_shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True, index=True)
    right_shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True, index=True)
    outcome: Mapped[str]
    at: Mapped[datetime]
