"""What a visitor has made, until it expires or is deleted: comparisons, and the headshots that have landed of each."""

import secrets
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from headshot.errors import RequestError
from headshot.request import HeadshotRequest

from .looks import SavedSettingsTable
from .pictures import digest_of
from .records import HistoryEntry, Kind, StoredHeadshot, Usage, checked, headshot_from_row, one_line
from .schema import ComparisonRow, FailureRow, LookRow, ShotRow, ThumbnailRow
from .unit_of_work import UnitOfWork, translate_disk_errors
from .votes import PollTable

MAX_NAME_CHARACTERS = 80
MAX_SEARCH_CHARACTERS = 200  # a sentence out of a prompt; SQLite gives up on a pattern of 50,000 bytes


class History:
    """The history of one store, of all its visitors. Safe to use from any thread.

    Every method raises StoreError where the database or the disk fails. What takes an owner finds nothing of anybody
    else's: None, False, or nothing at all, as where there is no such thing. `land`, `fail` and `end` take a
    comparison's id alone, for they are called by whoever makes it; `vote`, `cast`, `ballots` and `shot_of_vote` take
    the code that lets people in who are no owners.
    """

    def __init__(self, ground: UnitOfWork) -> None:
        self._ground = ground
        self._looks = SavedSettingsTable(ground)
        self.save_look = self._looks.save
        self.saved_settings = self._looks.all
        self.delete_look = self._looks.delete
        votes = PollTable(ground)
        self.open_vote = votes.open
        self.close_vote = votes.close
        self.vote = votes.vote
        self.votes = votes.of
        self.cast = votes.cast
        self.ballots = votes.ballots
        self.shot_of_vote = votes.shot

    # What comes.

    def begin(
        self,
        owner: str,
        requests: Sequence[HeadshotRequest],
        *,
        kind: Kind,
        backend: str,
        photo_sha256: str,
        face: int | None,
        group: str = "",
        name: str = "",
        group_name: str = "",
        begun: datetime | None = None,
    ) -> str:
        """Write down a comparison before anything of it is made. Returns its id.

        requests: with their seeds, one for each position.  backend: the one that is asked.  face: as in Comparison.
        group_name: of a group that is new here; others have theirs.  begun: where that was not now.
        Raises RequestError where the name is too long; ValueError where a seed is open, or a mark is none.
        """
        checked(owner=owner, photo_sha256=photo_sha256)
        if not requests or any(request.seed is None for request in requests):
            raise ValueError("a comparison has requests, and each has its seed")
        now = self._ground.clock()
        row = ComparisonRow(
            id=secrets.token_hex(16),
            owner=owner,
            kind=kind,
            group=group,
            name=one_line(name, "The name", MAX_NAME_CHARACTERS),
            group_name=one_line(group_name, "The name", MAX_NAME_CHARACTERS),
            favourite=False,
            backend=backend,
            photo_sha256=photo_sha256,
            face=face,
            requests=[request.model_dump() for request in requests],
            ended=False,
            begun=begun or now,
            kept_since=now,
        )
        comparison = row.id
        with self._ground.write(lock=True) as session:
            if group:
                its = select(ComparisonRow.group_name).where(_of_group(owner, group)).limit(1)
                known = session.scalar(its)
                row.group_name = row.group_name if known is None else known
            row.search = _searchable(row)
            session.add(row)
        return comparison

    def land(
        self,
        comparison: str,
        position: int,
        *,
        png: bytes,
        filename: str,
        thumbnail: bytes,
        size: tuple[int, int],
        backend: str,
        facts: Mapping[str, Any],
        made: datetime | None = None,
    ) -> str | None:
        """Keep a headshot, and return its id; None where its comparison was deleted meanwhile.

        When this returns it is on the disk for good. Landing the same picture again gives the same id, as does another
        file of the same paid job, which the facts name as `job`; any other picture at the same position stands behind
        the one before it, for both may have been paid for. Why that position failed
        is forgotten.

        png: the file's bytes, kept as they are.  filename: what a visitor saves it as.  thumbnail: of `thumbnail_of`.
        size: width and height in pixels.  backend: the one that has made it.  facts: as JSON's types.
        made: where that was not now.
        Raises ValueError where the comparison has no such position.
        """
        digest = digest_of(png)
        with translate_disk_errors(), self._ground.write(lock=True) as session:
            row = session.get(ComparisonRow, comparison)
            if row is None:
                return None
            _check_position(row, position)
            here = ShotRow.comparison == comparison, ShotRow.position == position
            failure = FailureRow.comparison == comparison, FailureRow.position == position
            session.execute(delete(FailureRow).where(*failure))
            job = facts.get("job")
            for known in session.scalars(select(ShotRow).where(*here)):
                if known.picture_sha256 == digest or (job and known.facts.get("job") == job):
                    return known.id
            shot = secrets.token_hex(16)
            session.add(
                ShotRow(
                    id=shot,
                    owner=row.owner,
                    comparison=comparison,
                    position=position,
                    backend=backend,
                    filename=filename,
                    width=size[0],
                    height=size[1],
                    facts=dict(facts),
                    favourite=False,
                    picture_sha256=digest,
                    size_bytes=len(png),
                    made=made or self._ground.clock(),
                )
            )
            session.flush()
            session.add(ThumbnailRow(shot=shot, webp=thumbnail))
            session.flush()
            self._ground.pictures.keep(png, digest)  # before the commit and under the lock, as in `Store.done`
            return shot

    def fail(self, comparison: str, position: int, sentence: str) -> None:
        """Write down why a headshot did not come, until it lands. Where it has landed before, nothing happens.

        Raises ValueError where the comparison has no such position.
        """
        with self._ground.write(lock=True) as session:
            row = session.get(ComparisonRow, comparison)
            if row is None:
                return
            _check_position(row, position)
            landed = exists().where(ShotRow.comparison == comparison, ShotRow.position == position)
            if not session.scalar(select(landed)):
                session.merge(FailureRow(comparison=comparison, position=position, sentence=sentence))

    def end(self, comparison: str) -> None:
        """Nothing more comes of it: it is whole, or it was stopped. What lands nevertheless is kept."""
        with self._ground.write(lock=True) as session:
            session.execute(update(ComparisonRow).where(ComparisonRow.id == comparison).values(ended=True))

    # What is there.

    def page(
        self,
        owner: str,
        *,
        search: str = "",
        backend: str = "",
        favourites: bool = False,
        before: HistoryEntry | None = None,
        limit: int = 24,
    ) -> tuple[HistoryEntry, ...]:
        """A visitor's comparisons, the latest first. before: the last one of the page that came before.

        search: stands in a prompt, a negative prompt or the name, in capitals or not.  backend: was asked, or has made
        one of the headshots.  favourites: those that are one, or have one among their headshots.
        Raises RequestError where the search is too long.
        """
        wanted = [ComparisonRow.owner == owner]
        if before is not None:
            same_moment = and_(ComparisonRow.begun == before.begun, ComparisonRow.id < before.id)
            wanted.append(or_(ComparisonRow.begun < before.begun, same_moment))
        if sought := _folded(search):
            if len(sought) > MAX_SEARCH_CHARACTERS:
                raise RequestError(f"Search for fewer words: at most {MAX_SEARCH_CHARACTERS} characters.")
            wanted.append(ComparisonRow.search.contains(sought, autoescape=True))
        of_it = ShotRow.comparison == ComparisonRow.id
        if backend:
            wanted.append(or_(ComparisonRow.backend == backend, exists().where(of_it, ShotRow.backend == backend)))
        if favourites:
            loved = select(ShotRow.comparison).where(ShotRow.owner == owner, ShotRow.favourite)
            wanted.append(or_(ComparisonRow.favourite, ComparisonRow.id.in_(loved)))
        with self._ground.read() as session:
            return self._comparisons(session, and_(*wanted), limit=limit)

    def comparison(self, owner: str, comparison: str) -> HistoryEntry | None:
        with self._ground.read() as session:
            its = and_(ComparisonRow.owner == owner, ComparisonRow.id == comparison)
            return next(iter(self._comparisons(session, its)), None)

    def group(self, owner: str, group: str) -> tuple[HistoryEntry, ...]:
        """In the order in which they were begun. None belong to the group ""."""
        if not group:
            return ()
        with self._ground.read() as session:
            its = _of_group(owner, group)
            return self._comparisons(session, its)[::-1]

    def latest(self, owner: str) -> HistoryEntry | None:
        return next(iter(self.page(owner, limit=1)), None)

    def begun_at(self, owner: str, moment: datetime) -> tuple[HistoryEntry, ...]:
        """Those that were begun at exactly that moment: how one that was brought along is known again."""
        with self._ground.read() as session:
            its = and_(ComparisonRow.owner == owner, ComparisonRow.begun == moment)
            return self._comparisons(session, its)

    def headshot(self, owner: str, shot: str) -> StoredHeadshot | None:
        its = (
            select(ShotRow, ComparisonRow)
            .join(ComparisonRow, ComparisonRow.id == ShotRow.comparison)
            .where(ShotRow.owner == owner, ShotRow.id == shot)
        )
        with self._ground.read() as session:
            found = session.execute(its).one_or_none()
            if found is None:
                return None
            row, of = found
            return headshot_from_row(row, of, self._ground.pictures)

    def by_content_id(self, owner: str, mark: str) -> StoredHeadshot | None:
        """The latest headshot that landed with that `mark` among its facts."""
        its = select(ShotRow.id).where(ShotRow.owner == owner, ShotRow.facts["mark"].as_string() == mark)
        with self._ground.read() as session:
            found = session.scalar(its.order_by(ShotRow.made.desc(), ShotRow.id).limit(1))
        return None if found is None else self.headshot(owner, found)

    def thumbnail(self, owner: str, shot: str) -> bytes | None:
        """A WebP file's bytes."""
        its = select(ThumbnailRow.webp).join(ShotRow, ShotRow.id == ThumbnailRow.shot)
        with self._ground.read() as session:
            return session.scalar(its.where(ShotRow.owner == owner, ShotRow.id == shot))

    def usage(self, owner: str) -> Usage:
        once = select(ShotRow.picture_sha256, func.max(ShotRow.size_bytes).label("size")).where(ShotRow.owner == owner)
        files = once.group_by(ShotRow.picture_sha256).subquery()
        with self._ground.read() as session:
            return Usage(
                comparisons=session.scalars(select(func.count()).where(ComparisonRow.owner == owner)).one(),
                headshots=session.scalars(select(func.count()).where(ShotRow.owner == owner)).one(),
                bytes=int(session.scalars(select(func.coalesce(func.sum(files.c.size), 0))).one()),
            )

    # What changes.

    def rename(self, owner: str, comparison: str, name: str) -> bool:
        """Raises RequestError where the name is too long. "" takes its name away."""
        line = one_line(name, "The name", MAX_NAME_CHARACTERS)
        with self._ground.write(lock=True) as session:
            its = select(ComparisonRow).where(ComparisonRow.owner == owner, ComparisonRow.id == comparison)
            row = session.scalars(its).one_or_none()
            if row is None:
                return False
            row.name = line
            row.search = _searchable(row)
            return True

    def rename_group(self, owner: str, group: str, name: str) -> bool:
        """As `rename`, for what belongs together. Nothing belongs to the group ""."""
        line = one_line(name, "The name", MAX_NAME_CHARACTERS)
        with self._ground.write(lock=True) as session:
            rows = session.scalars(select(ComparisonRow).where(_of_group(owner, group))).all() if group else ()
            for row in rows:
                row.group_name = line
                row.search = _searchable(row)
            return bool(rows)

    def favourite(self, owner: str, what: str, on: bool) -> bool:
        """what: the id of a comparison or of a headshot. False where there is none."""
        with self._ground.write(lock=True) as session:
            for row in (ComparisonRow, ShotRow):
                this = update(row).where(row.owner == owner, row.id == what).values(favourite=on)
                if session.scalar(this.returning(row.id)) is not None:
                    return True
            return False

    # What goes.

    def delete(self, owner: str, comparison: str) -> bool:
        """Delete a comparison, its headshots and their pictures, and the votes on it. False where there is none."""
        return self._delete(and_(ComparisonRow.owner == owner, ComparisonRow.id == comparison)) > 0

    def delete_headshot(self, owner: str, shot: str) -> bool:
        """Delete a headshot and its picture. It leaves its votes, and what was said of it there goes with it."""
        this = delete(ShotRow).where(ShotRow.owner == owner, ShotRow.id == shot).returning(ShotRow.picture_sha256)
        with self._ground.write(lock=True) as session:
            gone = session.scalars(this).all()
        self._ground.delete_files(gone)
        self._ground.vacuum(len(gone))
        return bool(gone)

    def forget(self, owner: str) -> int:
        """Delete everything of a visitor: the history, the looks, the votes. Returns how many comparisons."""
        return self._delete(ComparisonRow.owner == owner, LookRow.owner == owner)

    def expire(self, before: datetime) -> int:
        """Delete the comparisons that came in before that moment, with all that `delete` deletes. Returns how many.

        Looks are no pictures: they stay until nobody can come back for them.
        """
        gone = self._delete(ComparisonRow.kept_since < before, self._looks.forgotten())
        with translate_disk_errors(), self._ground.write(lock=True) as session:
            self._ground.collect_garbage(session)
        return gone

    # Inside.

    def _delete(self, which: ColumnElement[bool], looks: ColumnElement[bool] | None = None) -> int:
        with self._ground.write(lock=True) as session:
            those = select(ComparisonRow.id).where(which)
            pictures = set(session.scalars(select(ShotRow.picture_sha256).where(ShotRow.comparison.in_(those))))
            gone = session.scalars(delete(ComparisonRow).where(which).returning(ComparisonRow.id)).all()
            settings = []
            if looks is not None:
                settings = list(session.scalars(delete(LookRow).where(looks).returning(LookRow.id)))
        self._ground.delete_files(pictures)
        self._ground.vacuum(len(gone) + len(settings))
        return len(gone)

    def _comparisons(
        self, session: Session, which: ColumnElement[bool], *, limit: int | None = None
    ) -> tuple[HistoryEntry, ...]:
        """The latest first."""
        latest = select(ComparisonRow).where(which).order_by(ComparisonRow.begun.desc(), ComparisonRow.id.desc())
        rows = session.scalars(latest.limit(limit)).all()
        of_these = [row.id for row in rows]
        shots: dict[str, list[ShotRow]] = defaultdict(list)
        its = select(ShotRow).where(ShotRow.comparison.in_(of_these))
        for shot in session.scalars(its.order_by(ShotRow.position, ShotRow.made, ShotRow.id)):
            shots[shot.comparison].append(shot)
        failures: dict[str, dict[int, str]] = defaultdict(dict)
        why = select(FailureRow).where(FailureRow.comparison.in_(of_these)).order_by(FailureRow.position)
        for failure in session.scalars(why):
            failures[failure.comparison][failure.position] = failure.sentence
        return tuple(self._comparison(row, shots[row.id], failures[row.id]) for row in rows)

    def _comparison(self, row: ComparisonRow, shots: Iterable[ShotRow], failures: Mapping[int, str]) -> HistoryEntry:
        return HistoryEntry(
            id=row.id,
            owner=row.owner,
            kind=cast(Kind, row.kind),
            group=row.group,
            name=row.name,
            group_name=row.group_name,
            favourite=row.favourite,
            backend=row.backend,
            photo_sha256=row.photo_sha256,
            face=row.face,
            requests=tuple(HeadshotRequest.model_validate(request) for request in row.requests),
            failures=failures,
            ended=row.ended,
            begun=row.begun,
            kept_since=row.kept_since,
            headshots=tuple(headshot_from_row(shot, row, self._ground.pictures) for shot in shots),
        )


def _check_position(row: ComparisonRow, position: int) -> None:
    if not 0 <= position < len(row.requests):
        raise ValueError(f"comparison {row.id} has no position {position}")


def _of_group(owner: str, group: str) -> ColumnElement[bool]:
    return and_(ComparisonRow.owner == owner, ComparisonRow.group == group)


def _searchable(row: ComparisonRow) -> str:
    """What a comparison is found by: its names and its texts, each once."""
    asked = [request[field] for request in row.requests for field in ("prompt", "negative_prompt")]
    return "\n".join(dict.fromkeys(_folded(text) for text in (row.name, row.group_name, *asked)))


def _folded(text: str) -> str:
    """A text as a search sees it: without capitals, with one form for each letter, and one blank between words."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", plain).split())
