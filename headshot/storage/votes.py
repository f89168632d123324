"""Votes: people who have a vote's code may compare its headshots and see their pictures, and nothing else."""

import secrets
from collections.abc import Sequence
from typing import cast

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from headshot.errors import RequestError

from .records import Ballot, Outcome, Poll, StoredHeadshot, check_hashes, headshot_from_row, one_line
from .schema import BallotRow, CandidateRow, ComparisonRow, ShotRow, VoteRow
from .unit_of_work import UnitOfWork

MIN_SHOTS, MAX_SHOTS = 2, 64  # 64 make 2,016 pairs, more than anybody looks at
MAX_TITLE_CHARACTERS = 80
MAX_BALLOTS = 20_000  # of one vote: some hundred people with some hundred pairs each; a flood of ballots stops there

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # read aloud and written down: no 0 and O, no 1, I and L, no U beside V
_LENGTH = 8  # 30⁸ is 39 bits: with a hundred open votes, a hundred guesses a second need two years for one of them


class PollTable:
    """The votes of all visitors of one store."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work

    def open(self, owner: str, comparison: str, shots: Sequence[str], title: str) -> str:
        """Open a vote on some of the visitor's own headshots, and return its code.

        Args:
            owner: the hash of the visitor's token.
            comparison: the vote is deleted with it.
            shots: ids of headshots of this comparison or others, in the order in which the vote shows them.
            title: one line, or "".

        Raises:
            RequestError: if there are too few or too many, one is missing, or the title is too long.
        """
        title = one_line(title, "The vote's title", MAX_TITLE_CHARACTERS)
        wanted = tuple(dict.fromkeys(shots))
        if not MIN_SHOTS <= len(wanted) <= MAX_SHOTS:
            raise RequestError(f"A vote needs {MIN_SHOTS} to {MAX_SHOTS} headshots: {len(wanted)} were chosen.")
        with self._unit_of_work.write(lock=True) as session:
            its = select(ComparisonRow.id).where(ComparisonRow.owner == owner, ComparisonRow.id == comparison)
            own = set(session.scalars(select(ShotRow.id).where(ShotRow.owner == owner, ShotRow.id.in_(wanted))))
            if session.scalar(its) is None or own != set(wanted):
                raise RequestError("Some of these headshots are no longer there: choose again.")
            code = _new_code()
            while session.get(VoteRow, code) is not None:
                code = _new_code()
            row = VoteRow(code=code, owner=owner, comparison=comparison, title=title, open=True)
            row.begun = self._unit_of_work.clock()
            session.add(row)
            session.flush()
            session.add_all(CandidateRow(vote=code, shot=shot, position=at) for at, shot in enumerate(wanted))
            return code

    def close(self, owner: str, code: str) -> bool:
        """Stop accepting ballots; those that were cast stay. False if there is no such vote or it was closed."""
        this = and_(VoteRow.code == _normalized(code), VoteRow.owner == owner, VoteRow.open)
        with self._unit_of_work.write() as session:
            return session.scalar(update(VoteRow).where(this).values(open=False).returning(VoteRow.code)) is not None

    def vote(self, code: str) -> Poll | None:
        """Return the vote of that code, also if it is closed.

        Args:
            code: as somebody typed it, in capitals or not, in groups or not.
        """
        with self._unit_of_work.read() as session:
            return next(iter(_votes(session, VoteRow.code == _normalized(code))), None)

    def of(self, owner: str) -> tuple[Poll, ...]:
        """Return a visitor's votes, the latest first."""
        with self._unit_of_work.read() as session:
            return _votes(session, VoteRow.owner == owner)

    def cast(self, code: str, voter: str, left: str, right: str, outcome: Outcome) -> bool:
        """Store one voter's ballot on one pair, in the place of this voter's earlier one on it.

        Args:
            code: as for `vote`.
            voter: the hash of the voter's token.
            left: the id of the headshot on the left of the screen.
            right: the id of the other one.
            outcome: the side that was preferred, or "tie".

        Returns:
            False if the vote is missing or closed, or does not have this pair.

        Raises:
            RequestError: if the vote has as many ballots as it can have.
        """
        check_hashes(voter=voter)
        if outcome not in ("left", "right", "tie"):
            raise ValueError(f"{outcome!r} is not an outcome")
        if left == right:
            return False
        with self._unit_of_work.write(lock=True) as session:  # or a shot could be deleted from under its ballot
            vote = session.get(VoteRow, _normalized(code))
            if vote is None or not vote.open:
                return False
            pair = select(CandidateRow.shot).where(CandidateRow.vote == vote.code)
            if len(session.scalars(pair.where(CandidateRow.shot.in_((left, right)))).all()) != 2:
                return False
            same = or_(
                and_(BallotRow.left_shot == left, BallotRow.right_shot == right),
                and_(BallotRow.left_shot == right, BallotRow.right_shot == left),
            )
            session.execute(delete(BallotRow).where(BallotRow.vote == vote.code, BallotRow.voter == voter, same))
            count = select(func.count()).select_from(BallotRow).where(BallotRow.vote == vote.code)
            if session.scalars(count).one() >= MAX_BALLOTS:
                raise RequestError("This vote has taken as many answers as it can: thank you all the same.")
            session.add(
                BallotRow(
                    vote=vote.code,
                    voter=voter,
                    left_shot=left,
                    right_shot=right,
                    outcome=outcome,
                    at=self._unit_of_work.clock(),
                )
            )
            return True

    def ballots(self, code: str) -> tuple[Ballot, ...]:
        """Return a vote's ballots in the order in which they came."""
        its = select(BallotRow).where(BallotRow.vote == _normalized(code))
        with self._unit_of_work.read() as session:
            return tuple(
                Ballot(row.voter, row.left_shot, row.right_shot, cast(Outcome, row.outcome), row.at)
                for row in session.scalars(its.order_by(BallotRow.at, BallotRow.voter, BallotRow.left_shot))
            )

    def shot(self, code: str, shot: str) -> StoredHeadshot | None:
        """Return a headshot of a vote, for anybody who has the code. None for every other headshot."""
        its = (
            select(ShotRow, ComparisonRow)
            .join(ComparisonRow, ComparisonRow.id == ShotRow.comparison)
            .join(CandidateRow, CandidateRow.shot == ShotRow.id)
            .where(CandidateRow.vote == _normalized(code), CandidateRow.shot == shot)
        )
        with self._unit_of_work.read() as session:
            found = session.execute(its).one_or_none()
            if found is None:
                return None
            row, comparison = found
            return headshot_from_row(row, comparison, self._unit_of_work.pictures)


def _normalized(code: str) -> str:
    """Return a code as it is stored, from the characters that somebody typed."""
    return "".join(code.split()).replace("-", "").upper()[: 2 * _LENGTH]


def _new_code() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def _votes(session: Session, which: ColumnElement[bool]) -> tuple[Poll, ...]:
    rows = session.scalars(select(VoteRow).where(which).order_by(VoteRow.begun.desc(), VoteRow.code)).all()
    of = CandidateRow.vote.in_([row.code for row in rows])
    shots: dict[str, list[str]] = {row.code: [] for row in rows}
    for candidate in session.scalars(select(CandidateRow).where(of).order_by(CandidateRow.position)):
        shots[candidate.vote].append(candidate.shot)
    return tuple(
        Poll(row.code, row.owner, row.comparison, row.title, tuple(shots[row.code]), row.open, row.begun)
        for row in rows
    )
