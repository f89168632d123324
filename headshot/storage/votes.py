"""Votes: who has a vote's code may choose between its shots, and see their pictures, and nothing else."""

import secrets
from collections.abc import Sequence
from typing import cast

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from headshot.errors import RequestError

from .records import Ballot, Outcome, Poll, StoredHeadshot, checked, headshot_from_row, one_line
from .schema import BallotRow, CandidateRow, ComparisonRow, ShotRow, VoteRow
from .unit_of_work import UnitOfWork

MIN_SHOTS, MAX_SHOTS = 2, 64  # 64 make 2,016 pairs, more than anybody looks at
MAX_TITLE_CHARACTERS = 80
MAX_BALLOTS = 20_000  # of one vote: some hundred people who each look at some hundred pairs; who floods it, ends there

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # read aloud and written down: no 0 and O, no 1, I and L, no U beside V
_LENGTH = 8  # 30⁸ is 39 bits: with a hundred open votes, a hundred guesses a second need two years for one of them


class PollTable:
    def __init__(self, ground: UnitOfWork) -> None:
        self._ground = ground

    def open(self, owner: str, comparison: str, shots: Sequence[str], title: str) -> str:
        """Begin a vote on some of the visitor's own shots, and return its code. It ends with the comparison.

        shots: of this comparison or others; in the order in which the vote shows them.
        Raises RequestError where there are too few or too many, one is not there, or the title is too long.
        """
        title = one_line(title, "The vote's title", MAX_TITLE_CHARACTERS)
        wanted = tuple(dict.fromkeys(shots))
        if not MIN_SHOTS <= len(wanted) <= MAX_SHOTS:
            raise RequestError(f"A vote needs {MIN_SHOTS} to {MAX_SHOTS} headshots: {len(wanted)} were chosen.")
        with self._ground.write(lock=True) as session:
            its = select(ComparisonRow.id).where(ComparisonRow.owner == owner, ComparisonRow.id == comparison)
            own = set(session.scalars(select(ShotRow.id).where(ShotRow.owner == owner, ShotRow.id.in_(wanted))))
            if session.scalar(its) is None or own != set(wanted):
                raise RequestError("Some of these headshots are no longer there: choose again.")
            code = _code()
            while session.get(VoteRow, code) is not None:
                code = _code()
            row = VoteRow(code=code, owner=owner, comparison=comparison, title=title, open=True)
            row.begun = self._ground.clock()
            session.add(row)
            session.flush()
            session.add_all(CandidateRow(vote=code, shot=shot, position=at) for at, shot in enumerate(wanted))
            return code

    def close(self, owner: str, code: str) -> bool:
        """No ballots are taken any more. Those there are stay. False where there is none, or it was closed before."""
        this = and_(VoteRow.code == read(code), VoteRow.owner == owner, VoteRow.open)
        with self._ground.write() as session:
            return session.scalar(update(VoteRow).where(this).values(open=False).returning(VoteRow.code)) is not None

    def vote(self, code: str) -> Poll | None:
        """Closed ones too. code: as somebody has typed it, in capitals or not, in groups or not."""
        with self._ground.read() as session:
            return next(iter(_votes(session, VoteRow.code == read(code))), None)

    def of(self, owner: str) -> tuple[Poll, ...]:
        """The latest first."""
        with self._ground.read() as session:
            return _votes(session, VoteRow.owner == owner)

    def cast(self, code: str, voter: str, left: str, right: str, outcome: Outcome) -> bool:
        """Take one voter's word on one pair, in the place of what the same voter said of it before.

        voter: the mark of a voter's token.  False where the vote takes none, or the pair is not of it.
        Raises RequestError where the vote has as many ballots as it can have.
        """
        checked(voter=voter)
        if outcome not in ("left", "right", "tie"):
            raise ValueError(f"{outcome!r} is not an outcome")
        if left == right:
            return False
        with self._ground.write(lock=True) as session:  # or a shot could be deleted from under its ballot
            vote = session.get(VoteRow, read(code))
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
                    at=self._ground.clock(),
                )
            )
            return True

    def ballots(self, code: str) -> tuple[Ballot, ...]:
        """In the order in which they came."""
        its = select(BallotRow).where(BallotRow.vote == read(code))
        with self._ground.read() as session:
            return tuple(
                Ballot(row.voter, row.left_shot, row.right_shot, cast(Outcome, row.outcome), row.at)
                for row in session.scalars(its.order_by(BallotRow.at, BallotRow.voter, BallotRow.left_shot))
            )

    def shot(self, code: str, shot: str) -> StoredHeadshot | None:
        """A shot of a vote, to whoever has the code. None for every other shot."""
        its = (
            select(ShotRow, ComparisonRow)
            .join(ComparisonRow, ComparisonRow.id == ShotRow.comparison)
            .join(CandidateRow, CandidateRow.shot == ShotRow.id)
            .where(CandidateRow.vote == read(code), CandidateRow.shot == shot)
        )
        with self._ground.read() as session:
            found = session.execute(its).one_or_none()
            if found is None:
                return None
            row, of = found
            return headshot_from_row(row, of, self._ground.pictures)


def read(code: str) -> str:
    """A code as it is stored, from what somebody has typed."""
    return "".join(code.split()).replace("-", "").upper()[: 2 * _LENGTH]


def _code() -> str:
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
