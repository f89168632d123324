"""The values that the store receives and returns. They outlive the transaction in which they were read."""

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

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelsLabJob:
    """One paid headshot, in the state in which it was read.

    Attributes:
        id: the job's id in this store.
        owner: the hash of its visitor's token.
        comparison: the run it belongs to.
        position: its place in that run, from 0.
        request: with its seed.
        api: the service's API it was or will be sent to.
        key_fingerprint: of the API key it was or will be sent with.
        photo_sha256: of the photo it is made from.
        track_id: the id sent along with it, which a webhook repeats; None if none was sent.
        state: see `headshot.storage`.
        stranded: it is PENDING, and the server that would have sent it is gone. It is sent only if its visitor asks.
        remote_id: the service's id for it; None while unknown.
        eta_seconds: estimated time until it is done, counted from `changed_at`.
        sentence: explains its state to the visitor, or "".
        picture: the file of a DONE job.
        filename: the name under which a visitor saves it.
        facts: those given to `Store.add` and `Store.done`.
        polls: how often the service was asked about it.
        created_at: when it was added.
        changed_at: when its state last changed.
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
    """One line of a job's timeline.

    Attributes:
        at: when it happened.
        what: `added`, the job's new state, or a word given to `Store.note`.
        sentence: for the visitor, or "".
        details: of a reply, without secrets and pictures.
    """

    at: datetime
    what: str
    sentence: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Recovery:
    """The unfinished jobs that a new server finds after another one has ended.

    Attributes:
        unknown: sent without an answer: they may have been billed.
        never_sent: wait until their visitors ask for them.
        to_poll: accepted by the service; fetch their results with the key whose fingerprint each one has.
    """

    unknown: tuple[ModelsLabJob, ...]
    never_sent: tuple[ModelsLabJob, ...]
    to_poll: tuple[ModelsLabJob, ...]


def hash_token(secret: str) -> str:
    """Return the SHA-256 of a visitor's or a webhook's token, which is stored instead of it.

    Args:
        secret: must be random, 128 bits or more.
    """
    return sha256(secret.encode()).hexdigest()


def key_fingerprint(key: str, salt: bytes) -> str:
    """Return a keyed hash of an API key, which is stored instead of it and only shows whether two keys are the same.

    Args:
        key: the API key.
        salt: the database's, `Store.salt`.
    """
    return hmac.new(salt, key.encode(), sha256).hexdigest()


def check_hashes(**hashes: str | None) -> None:
    """Check that each value is a SHA-256 in hex, or None.

    Raises:
        ValueError: if one is not: it may be the secret itself. The error does not show it.
    """
    for name, value in hashes.items():
        if value is not None and not _SHA256.fullmatch(value):
            raise ValueError(f"{name} must be a SHA-256 in hexadecimal")


def job_from_row(row: JobRow, pictures: Pictures) -> ModelsLabJob:
    """Convert a row of the database to a job."""
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

    Attributes:
        id: the headshot's id in this store.
        comparison: the id of its `HistoryEntry`.
        position: the index of its request there.
        request: with its seed, the comparison's request at this position.
        backend: the one that made it.
        filename: the name under which a visitor saves it.
        size: width and height in pixels.
        facts: those given to `History.save_headshot`.
        favourite: whether the visitor marked it.
        picture: the PNG file.
        made: when it was made.
        photo_sha256: as in `HistoryEntry`.
        face: as in `HistoryEntry`.
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
    """One run of the history, in the state in which it was read.

    Attributes:
        id: the run's id in this store.
        owner: the hash of its visitor's token.
        kind: a comparison, a matrix, or one member of a team.
        group: an id that runs which belong together share, as those of a team; "" for none.
        name: given by the visitor, or "".
        group_name: the name of the whole group, or "".
        favourite: whether the visitor marked it.
        backend: the one that was chosen.
        photo_sha256: of the cleaned photo.
        face: the index of the face in the photo; None for the first.
        requests: with their seeds, by position.
        failures: by position, why a headshot is missing.
        ended: no more headshots will come. False while it runs, and if its server was killed.
        begun: when it was begun.
        kept_since: when it came into this store; it expires some time after that.
        headshots: by position; if one was made twice, the earlier one first.
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
    """The size of a visitor's history.

    Attributes:
        comparisons: how many.
        headshots: how many.
        bytes: of the picture files, each of which counts once.
    """

    comparisons: int
    headshots: int
    bytes: int


@dataclass(frozen=True)
class SavedSettings:
    """Settings under a name.

    Attributes:
        id: their id in this store.
        name: one line.
        settings: those given to `History.save_look`.
    """

    id: str
    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Poll:
    """A vote on some headshots.

    Attributes:
        code: lets voters in.
        owner: the hash of its visitor's token.
        comparison: the run with which it is deleted.
        title: one line, or "".
        shots: the headshots' ids in their order, without those that were deleted since.
        open: whether it accepts ballots.
        begun: when it was opened.
    """

    code: str
    owner: str
    comparison: str
    title: str
    shots: tuple[str, ...]
    open: bool
    begun: datetime


@dataclass(frozen=True)
class Ballot:
    """One voter's answer on one pair.

    Attributes:
        voter: the hash of the voter's token.
        left: the id of the headshot on the left of the screen.
        right: the id of the other one.
        outcome: the side that was preferred, or "tie".
        at: when it was cast.
    """

    voter: str
    left: str
    right: str
    outcome: Outcome
    at: datetime


def headshot_from_row(row: ShotRow, comparison: ComparisonRow, pictures: Pictures) -> StoredHeadshot:
    """Convert a row of the database, with the row of its comparison, to a headshot."""
    return StoredHeadshot(
        id=row.id,
        comparison=row.comparison,
        position=row.position,
        request=HeadshotRequest.model_validate(comparison.requests[row.position]),
        backend=row.backend,
        filename=row.filename,
        size=(row.width, row.height),
        facts=row.facts,
        favourite=row.favourite,
        picture=pictures.path(row.picture_sha256),
        made=row.made,
        photo_sha256=comparison.photo_sha256,
        face=comparison.face,
    )


def one_line(text: str, what: str, most: int) -> str:
    """Return a name that a person typed as one line, trimmed.

    Args:
        text: as it was typed.
        what: names it in the error, as its first words.
        most: characters.

    Raises:
        RequestError: if it is longer than that.
    """
    line = " ".join(text.split())
    if len(line) > most:
        raise RequestError(f"{what} is too long: keep it within {most} characters.")
    return line
