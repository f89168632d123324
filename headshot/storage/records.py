"""What the store takes and gives: plain values, which outlive the transaction they were read in."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NewType

from headshot.errors import RequestError
from headshot.request import HeadshotRequest

from .pictures import Pictures
from .schema import ComparisonRow, JobRow, JobState, ShotRow

JobId = NewType("JobId", str)  # 128 random bits
Kind = Literal["comparison", "matrix", "team"]
Outcome = Literal["left", "right", "tie"]

_MARK = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelsLabJob:
    """One paid headshot, as it stood when it was read.

    owner: the mark of its visitor's token.  comparison, position: where it stands on the page.
    key_fingerprint: which API key it was or will be sent with.
    stranded: PENDING, and the server that was to send it is gone: it is sent when its visitor asks, or never.
    remote_id: the service's name for it; None while unknown.  eta_seconds: counted from `changed_at`.
    sentence: what the visitor should know about its state, "" where that is nothing.
    picture: the file of a DONE job.  filename: the name a visitor saves it under.  facts: what `done` was told of it.
    polls: how often the service was asked about it.
    """

    id: JobId
    owner: str
    comparison: str
    position: int
    request: HeadshotRequest
    api: str
    key_fingerprint: str
    photo_sha256: str
    track_id: str | None
    state: JobState
    stranded: bool
    remote_id: str | None
    eta_seconds: float | None
    sentence: str
    picture: Path | None
    filename: str | None
    facts: Mapping[str, Any]
    polls: int
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Event:
    """One line of a job's timeline. what: `added`, a state it came to, or a word given to `Store.note`."""

    at: datetime
    what: str
    sentence: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Recovery:
    """What a server finds that starts after another one ended, however it ended.

    unknown: were sent and not answered: they may have been billed.  never_sent: wait for their visitors to ask.
    to_poll: the service has accepted them, and their results are to be fetched, with the key that each names.
    """

    unknown: tuple[ModelsLabJob, ...]
    never_sent: tuple[ModelsLabJob, ...]
    to_poll: tuple[ModelsLabJob, ...]


def hash_token(secret: str) -> str:
    """What is stored of a visitor's or a webhook's token: its SHA-256. The token must be random, 128 bits or more."""
    return sha256(secret.encode()).hexdigest()


def key_fingerprint(key: str, salt: bytes) -> str:
    """What is stored of an API key: tells whether two are the same to who holds the database's salt, and no more."""
    return hmac.new(salt, key.encode(), sha256).hexdigest()


def checked(**marks: str | None) -> None:
    """Raises ValueError where a mark is none, for then it may be the secret itself. The error does not show it."""
    for name, value in marks.items():
        if value is not None and not _MARK.fullmatch(value):
            raise ValueError(f"{name} must be a SHA-256 in hexadecimal")


def job_from_row(row: JobRow, pictures: Pictures) -> ModelsLabJob:
    return ModelsLabJob(
        id=JobId(row.id),
        owner=row.owner,
        comparison=row.comparison,
        position=row.position,
        request=HeadshotRequest.model_validate(row.request),
        api=row.api,
        key_fingerprint=row.key_mark,
        photo_sha256=row.photo_sha256,
        track_id=row.track_id,
        state=row.state,
        stranded=row.stranded,
        remote_id=row.remote_id,
        eta_seconds=row.eta_seconds,
        sentence=row.sentence,
        picture=None if row.picture_sha256 is None else pictures.path(row.picture_sha256),
        filename=row.filename,
        facts=row.facts,
        polls=row.polls,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )


@dataclass(frozen=True)
class StoredHeadshot:
    """One headshot of the history.

    request: with its seed, as the comparison asked for it at this position.  filename: a visitor saves it as that.
    size: width and height in pixels.  facts: what `History.land` was told.  picture: the PNG file.
    photo_sha256, face: as in Comparison.
    """

    id: str
    comparison: str
    position: int
    request: HeadshotRequest
    backend: str
    filename: str
    size: tuple[int, int]
    facts: Mapping[str, Any]
    favourite: bool
    picture: Path
    made: datetime
    photo_sha256: str
    face: int | None


@dataclass(frozen=True)
class HistoryEntry:
    """One run of the history, as it stood when it was read.

    group: "" or what the runs that belong together have in common, as those of a team.  group_name: what all of those
    are called.  backend: the one that was asked.
    face: which of the photo's, None for the first.  failures: by position, why one did not come.
    ended: nothing more comes of it. False is one that is under way, or whose server has gone.
    headshots: by position, and where one was made twice, in the order of their making.
    begun: when it was.  kept_since: when it came into this store; its time here counts from then.
    """

    id: str
    owner: str
    kind: Kind
    group: str
    name: str
    group_name: str
    favourite: bool
    backend: str
    photo_sha256: str
    face: int | None
    requests: tuple[HeadshotRequest, ...]
    failures: Mapping[int, str]
    ended: bool
    begun: datetime
    kept_since: datetime
    headshots: tuple[StoredHeadshot, ...]


@dataclass(frozen=True)
class Usage:
    """What a visitor's history takes. bytes: of its pictures' files, of which each counts once."""

    comparisons: int
    headshots: int
    bytes: int


@dataclass(frozen=True)
class SavedSettings:
    """Settings under a name. settings: what `History.save_look` was given."""

    id: str
    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Poll:
    """Shots to choose between. shots: their ids, without those that were deleted since.  open: ballots are taken."""

    code: str
    owner: str
    comparison: str
    title: str
    shots: tuple[str, ...]
    open: bool
    begun: datetime


@dataclass(frozen=True)
class Ballot:
    """What one voter said of one pair. left, right: the shots as they stood on the screen."""

    voter: str
    left: str
    right: str
    outcome: Outcome
    at: datetime


def headshot_from_row(row: ShotRow, of: ComparisonRow, pictures: Pictures) -> StoredHeadshot:
    """of: its comparison."""
    return StoredHeadshot(
        id=row.id,
        comparison=row.comparison,
        position=row.position,
        request=HeadshotRequest.model_validate(of.requests[row.position]),
        backend=row.backend,
        filename=row.filename,
        size=(row.width, row.height),
        facts=row.facts,
        favourite=row.favourite,
        picture=pictures.path(row.picture_sha256),
        made=row.made,
        photo_sha256=of.photo_sha256,
        face=of.face,
    )


def one_line(text: str, what: str, most: int) -> str:
    """A person's words for a name: one line, trimmed. Raises RequestError where it is longer than `most` characters."""
    line = " ".join(text.split())
    if len(line) > most:
        raise RequestError(f"{what} is too long: keep it within {most} characters.")
    return line
