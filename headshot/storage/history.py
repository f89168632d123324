"""A visitor's comparisons with their headshots, until they expire or are deleted."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session

from headshot.errors import RequestError
from headshot.request import HeadshotRequest

from .pictures import digest_of
from .records import HistoryEntry, Kind, StoredHeadshot, Usage, check_hashes, headshot_from_row, one_line
from .saved_settings import SavedSettingsTable
from .schema import ComparisonRow, FailureRow, LookRow, ShotRow, ThumbnailRow
from .search_text import normalized, search_text_of
from .unit_of_work import UnitOfWork, translate_disk_errors
from .votes import PollTable

MAX_NAME_CHARACTERS = 80
MAX_SEARCH_CHARACTERS = 200  # a sentence out of a prompt; SQLite gives up on a pattern of 50,000 bytes


class History:
    """The history of one store, of all its visitors. Safe to use from any thread.

    Every method raises StoreError if the database or the disk fails. A method with an `owner` finds nothing of any
    other visitor: it returns None, False or nothing, as if it did not exist. `save_headshot`, `fail` and `end`
    have only a comparison's id, because the code that makes its headshots calls them; `vote`, `cast`, `ballots` and
    `shot_of_vote` have a vote's code instead, because voters are not the owner.
    """

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work
        self._saved_settings = SavedSettingsTable(unit_of_work)
        self.save_look = self._saved_settings.save
        self.saved_settings = self._saved_settings.all
        self.delete_look = self._saved_settings.delete
        votes = PollTable(unit_of_work)
        self.open_vote = votes.open
        self.close_vote = votes.close
        self.vote = votes.vote
        self.votes = votes.of
        self.cast = votes.cast
        self.ballots = votes.ballots
        self.shot_of_vote = votes.shot

    # Adding.

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
        """Save a comparison before any of its headshots is made, and return its id.

        Args:
            owner: the hash of the visitor's token.
            requests: with their seeds, one for each position.
            kind: as in `HistoryEntry`.
            backend: the one that was chosen.
            photo_sha256: of the cleaned photo.
            face: as in `HistoryEntry`.
            group: an id that runs which belong together share, or "".
            name: one line, or "".
            group_name: of a new group; a group that exists keeps its name.
            begun: None for now.

        Raises:
            RequestError: if a name is too long.
            ValueError: if there is no request, a seed is missing, or a hash is not one.
        """
        check_hashes(owner=owner, photo_sha256=photo_sha256)
        if not requests or any(request.seed is None for request in requests):
            raise ValueError("a comparison has requests, and each has its seed")
        now = self._unit_of_work.clock()
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
        with self._unit_of_work.write(lock=True) as session:
            if group:
                its = select(ComparisonRow.group_name).where(_of_group(owner, group)).limit(1)
                known = session.scalar(its)
                row.group_name = row.group_name if known is None else known
            row.search = search_text_of(row)
            session.add(row)
        return comparison

    def save_headshot(
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
        """Save a headshot, and return its id; None if its comparison was deleted meanwhile.

        When this returns, the headshot survives a power cut. Saving the same picture again returns the same id, and so
        does another file of the same paid job, which `facts["job"]` names. Any other picture at the same position is
        added after the earlier one, because both may have been paid for. The failure of that position is deleted.

        Args:
            comparison: the id that `begin` returned.
            position: of its request there.
            png: the file's bytes, stored unchanged.
            filename: the name under which a visitor saves it.
            thumbnail: a WebP file's bytes, from `thumbnail_of`.
            size: width and height in pixels.
            backend: the one that made it.
            facts: values of JSON's types.
            made: None for now.

        Raises:
            ValueError: if the comparison has no such position.
        """
        digest = digest_of(png)
        with translate_disk_errors(), self._unit_of_work.write(lock=True) as session:
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
                    made=made or self._unit_of_work.clock(),
                )
            )
            session.flush()
            session.add(ThumbnailRow(shot=shot, webp=thumbnail))
            session.flush()
            self._unit_of_work.pictures.save(png, digest)  # before the commit and under the lock, as in `Store.done`
            return shot

    def fail(self, comparison: str, position: int, sentence: str) -> None:
        """Save why a headshot is missing. Does nothing if it was made before; `save_headshot` deletes the sentence.

        Args:
            comparison: the id that `begin` returned.
            position: of its request there.
            sentence: for the visitor.

        Raises:
            ValueError: if the comparison has no such position.
        """
        with self._unit_of_work.write(lock=True) as session:
            row = session.get(ComparisonRow, comparison)
            if row is None:
                return
            _check_position(row, position)
            completed = exists().where(ShotRow.comparison == comparison, ShotRow.position == position)
            if not session.scalar(select(completed)):
                session.merge(FailureRow(comparison=comparison, position=position, sentence=sentence))

    def end(self, comparison: str) -> None:
        """Mark a comparison as finished or stopped. A headshot that comes later is saved all the same."""
        with self._unit_of_work.write(lock=True) as session:
            session.execute(update(ComparisonRow).where(ComparisonRow.id == comparison).values(ended=True))

    # Reading.

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
        """Return one page of a visitor's comparisons, the latest first.

        Args:
            owner: the hash of the visitor's token.
            search: a text in a prompt, a negative prompt or a name, in capitals or not; "" for all.
            backend: the one that was chosen or made one of the headshots; "" for all.
            favourites: only those that are marked, or have a marked headshot.
            before: the last comparison of the page before this one; None for the first page.
            limit: the most that are returned.

        Raises:
            RequestError: if the search is too long.
        """
        wanted = [ComparisonRow.owner == owner]
        if before is not None:
            same_moment = and_(ComparisonRow.begun == before.begun, ComparisonRow.id < before.id)
            wanted.append(or_(ComparisonRow.begun < before.begun, same_moment))
        if sought := normalized(search):
            if len(sought) > MAX_SEARCH_CHARACTERS:
                raise RequestError(f"Search for fewer words: at most {MAX_SEARCH_CHARACTERS} characters.")
            wanted.append(ComparisonRow.search.contains(sought, autoescape=True))
        of_it = ShotRow.comparison == ComparisonRow.id
        if backend:
            wanted.append(or_(ComparisonRow.backend == backend, exists().where(of_it, ShotRow.backend == backend)))
        if favourites:
            marked = select(ShotRow.comparison).where(ShotRow.owner == owner, ShotRow.favourite)
            wanted.append(or_(ComparisonRow.favourite, ComparisonRow.id.in_(marked)))
        with self._unit_of_work.read() as session:
            return self._comparisons(session, and_(*wanted), limit=limit)

    def comparison(self, owner: str, comparison: str) -> HistoryEntry | None:
        """Return a visitor's comparison by its id."""
        with self._unit_of_work.read() as session:
            its = and_(ComparisonRow.owner == owner, ComparisonRow.id == comparison)
            return next(iter(self._comparisons(session, its)), None)

    def group(self, owner: str, group: str) -> tuple[HistoryEntry, ...]:
        """Return the comparisons of a group, the earliest first. The group "" has none."""
        if not group:
            return ()
        with self._unit_of_work.read() as session:
            its = _of_group(owner, group)
            return self._comparisons(session, its)[::-1]

    def latest(self, owner: str) -> HistoryEntry | None:
        """Return a visitor's latest comparison."""
        return next(iter(self.page(owner, limit=1)), None)

    def begun_at(self, owner: str, moment: datetime) -> tuple[HistoryEntry, ...]:
        """Return the comparisons begun at exactly that moment: an import recognises by it what is there already."""
        with self._unit_of_work.read() as session:
            its = and_(ComparisonRow.owner == owner, ComparisonRow.begun == moment)
            return self._comparisons(session, its)

    def headshot(self, owner: str, shot: str) -> StoredHeadshot | None:
        """Return a visitor's headshot by its id."""
        its = (
            select(ShotRow, ComparisonRow)
            .join(ComparisonRow, ComparisonRow.id == ShotRow.comparison)
            .where(ShotRow.owner == owner, ShotRow.id == shot)
        )
        with self._unit_of_work.read() as session:
            found = session.execute(its).one_or_none()
            if found is None:
                return None
            row, comparison = found
            return headshot_from_row(row, comparison, self._unit_of_work.pictures)

    def by_content_id(self, owner: str, content_id: str) -> StoredHeadshot | None:
        """Return the visitor's latest headshot that was saved with that content id, as `facts["mark"]`."""
        its = select(ShotRow.id).where(ShotRow.owner == owner, ShotRow.facts["mark"].as_string() == content_id)
        with self._unit_of_work.read() as session:
            found = session.scalar(its.order_by(ShotRow.made.desc(), ShotRow.id).limit(1))
        return None if found is None else self.headshot(owner, found)

    def thumbnail(self, owner: str, shot: str) -> bytes | None:
        """Return the thumbnail of a visitor's headshot, a WebP file's bytes."""
        its = select(ThumbnailRow.webp).join(ShotRow, ShotRow.id == ThumbnailRow.shot)
        with self._unit_of_work.read() as session:
            return session.scalar(its.where(ShotRow.owner == owner, ShotRow.id == shot))

    def usage(self, owner: str) -> Usage:
        """Return the size of a visitor's history."""
        once = select(ShotRow.picture_sha256, func.max(ShotRow.size_bytes).label("size")).where(ShotRow.owner == owner)
        files = once.group_by(ShotRow.picture_sha256).subquery()
        with self._unit_of_work.read() as session:
            return Usage(
                comparisons=session.scalars(select(func.count()).where(ComparisonRow.owner == owner)).one(),
                headshots=session.scalars(select(func.count()).where(ShotRow.owner == owner)).one(),
                bytes=int(session.scalars(select(func.coalesce(func.sum(files.c.size), 0))).one()),
            )

    # Changing.

    def rename(self, owner: str, comparison: str, name: str) -> bool:
        """Change the name of a comparison. False if there is none.

        Args:
            owner: the hash of the visitor's token.
            comparison: its id.
            name: "" removes the name.

        Raises:
            RequestError: if the name is too long.
        """
        line = one_line(name, "The name", MAX_NAME_CHARACTERS)
        with self._unit_of_work.write(lock=True) as session:
            its = select(ComparisonRow).where(ComparisonRow.owner == owner, ComparisonRow.id == comparison)
            row = session.scalars(its).one_or_none()
            if row is None:
                return False
            row.name = line
            row.search = search_text_of(row)
            return True

    def rename_group(self, owner: str, group: str, name: str) -> bool:
        """Change the name of a group, like `rename`. The group "" has no comparisons."""
        line = one_line(name, "The name", MAX_NAME_CHARACTERS)
        with self._unit_of_work.write(lock=True) as session:
            rows = session.scalars(select(ComparisonRow).where(_of_group(owner, group))).all() if group else ()
            for row in rows:
                row.group_name = line
                row.search = search_text_of(row)
            return bool(rows)

    def favourite(self, owner: str, what: str, on: bool) -> bool:
        """Mark a comparison or a headshot as a favourite, or remove the mark. False if there is none.

        Args:
            owner: the hash of the visitor's token.
            what: the id of a comparison or of a headshot.
            on: False removes the mark.
        """
        with self._unit_of_work.write(lock=True) as session:
            for row in (ComparisonRow, ShotRow):
                this = update(row).where(row.owner == owner, row.id == what).values(favourite=on)
                if session.scalar(this.returning(row.id)) is not None:
                    return True
            return False

    # Deleting.

    def delete(self, owner: str, comparison: str) -> bool:
        """Delete a comparison, its headshots and their pictures, and the votes on it. False if there is none."""
        return self._delete(and_(ComparisonRow.owner == owner, ComparisonRow.id == comparison)) > 0

    def delete_headshot(self, owner: str, shot: str) -> bool:
        """Delete a headshot, its picture, and its ballots in votes. False if there is none."""
        this = delete(ShotRow).where(ShotRow.owner == owner, ShotRow.id == shot).returning(ShotRow.picture_sha256)
        with self._unit_of_work.write(lock=True) as session:
            gone = session.scalars(this).all()
        self._unit_of_work.delete_files(gone)
        self._unit_of_work.vacuum(len(gone))
        return bool(gone)

    def forget(self, owner: str) -> int:
        """Delete everything of a visitor: history, saved settings, votes. Returns the number of comparisons."""
        return self._delete(ComparisonRow.owner == owner, LookRow.owner == owner)

    def expire(self, before: datetime, *, starred_before: datetime | None = None) -> int:
        """Delete the comparisons added before that moment, like `delete`, and return how many.

        Saved settings stay until nobody can ask for them. `starred_before`: for what has a star; None for the same.
        """
        starred = ComparisonRow.favourite | ComparisonRow.id.in_(select(ShotRow.comparison).where(ShotRow.favourite))
        moment = min(before, starred_before or before)
        old = or_(and_(ComparisonRow.kept_since < before, not_(starred)), ComparisonRow.kept_since < moment)
        gone = self._delete(old, self._saved_settings.expired())
        with translate_disk_errors(), self._unit_of_work.write(lock=True) as session:
            self._unit_of_work.collect_garbage(session)
        return gone

    def _delete(self, which: ColumnElement[bool], saved: ColumnElement[bool] | None = None) -> int:
        with self._unit_of_work.write(lock=True) as session:
            those = select(ComparisonRow.id).where(which)
            pictures = set(session.scalars(select(ShotRow.picture_sha256).where(ShotRow.comparison.in_(those))))
            gone = session.scalars(delete(ComparisonRow).where(which).returning(ComparisonRow.id)).all()
            settings = []
            if saved is not None:
                settings = list(session.scalars(delete(LookRow).where(saved).returning(LookRow.id)))
        self._unit_of_work.delete_files(pictures)
        self._unit_of_work.vacuum(len(gone) + len(settings))
        return len(gone)

    def _comparisons(
        self, session: Session, which: ColumnElement[bool], *, limit: int | None = None
    ) -> tuple[HistoryEntry, ...]:
        """Return the comparisons of that condition, the latest first."""
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
            headshots=tuple(headshot_from_row(shot, row, self._unit_of_work.pictures) for shot in shots),
        )


def _check_position(row: ComparisonRow, position: int) -> None:
    if not 0 <= position < len(row.requests):
        raise ValueError(f"comparison {row.id} has no position {position}")


def _of_group(owner: str, group: str) -> ColumnElement[bool]:
    return and_(ComparisonRow.owner == owner, ComparisonRow.group == group)
