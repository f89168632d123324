"""The tables of the database. `headshot.storage` has a drawing of the states that `JobRow.state` goes through."""

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
    """The state of a job; `headshot.storage` has a drawing of the changes between them."""

    PENDING = "pending"
    SENT = "sent"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the job can no longer change."""
        return self in (JobState.DONE, JobState.FAILED)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite stores no zone: it is removed when a value is written, and added when it is read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; raises TypeError for a moment without a zone."""
        if value is not None and value.tzinfo is None:
            raise TypeError("a moment needs its time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SafeText(TypeDecorator[str]):
    """Text from a service or a visitor, which may hold anything.

    PostgreSQL refuses null characters, and both databases refuse half a character (a lone surrogate). Both become a
    replacement character, in values that are stored and in values that are searched for.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace the characters that a database refuses."""
        return value and value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class JsonValue(TypeDecorator[Any]):
    """JSON. NaN and infinities, which Python accepts in a reply and PostgreSQL refuses, become null."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Replace NaN and infinities by null."""
        return json.loads(json.dumps(value), parse_constant=lambda _: None)


class Base(DeclarativeBase):
    """The base of all tables: its types, and the names of its constraints."""

    type_annotation_map: ClassVar = {
        str: SafeText,
        datetime: UtcDateTime,
        dict[str, Any]: JsonValue,
        list[dict[str, Any]]: JsonValue,
        float: Double,
    }
    # The same names on both databases, so that a migration can refer to a constraint by its name.
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

    Attributes:
        name: of the folder of its pictures: two databases never share one, so neither deletes the other's files.
        salt: the key of `key_fingerprint`, 32 bytes.
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
    """One run of the history: several requests over one photo.

    Attributes:
        kept_since: when it came into this store; it expires some time after that. `begun` is older if it was imported.
        search: the text it can be found by, as `headshot.storage.search_text` writes it.
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
    """One headshot of the history. Its picture is a file, which jobs and other headshots may share.

    Attributes:
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
    """The thumbnail of a headshot, in a table of its own so that a list of many headshots does not read it."""

    __tablename__ = "thumbnails"

    shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True)
    webp: Mapped[bytes] = mapped_column(LargeBinary)


class FailureRow(Base):
    """Why one headshot of a comparison is missing."""

    __tablename__ = "failures"

    comparison: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sentence: Mapped[str]


class LookRow(Base):
    """Settings that a visitor saved under a name."""

    __tablename__ = "looks"
    __table_args__ = (UniqueConstraint("owner", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    settings: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime] = mapped_column(index=True)


class VoteRow(Base):
    """A vote on some headshots.

    Attributes:
        code: lets voters in.
    """

    __tablename__ = "votes"

    code: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    comparison: Mapped[str] = mapped_column(ForeignKey("comparisons.id", ondelete="CASCADE"), index=True)
    title: Mapped[str]
    open: Mapped[bool]
    begun: Mapped[datetime]


class CandidateRow(Base):
    """One headshot of a vote. If the headshot is deleted, so are this row and its ballots."""

    __tablename__ = "candidates"

    vote: Mapped[str] = mapped_column(ForeignKey("votes.code", ondelete="CASCADE"), primary_key=True)
    shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int]


class BallotRow(Base):
    """One voter's answer on one pair."""

    __tablename__ = "ballots"
    __table_args__ = (CheckConstraint("outcome IN ('left', 'right', 'tie')", name="outcome"),)

    vote: Mapped[str] = mapped_column(ForeignKey("votes.code", ondelete="CASCADE"), primary_key=True)
    voter: Mapped[str] = mapped_column(primary_key=True)
    left_shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True, index=True)
    right_shot: Mapped[str] = mapped_column(ForeignKey("shots.id", ondelete="CASCADE"), primary_key=True, index=True)
    outcome: Mapped[str]
    at: Mapped[datetime]
