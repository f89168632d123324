"""A visitor's team: the people whose photos were put in, their one look, and what has landed of each."""

import asyncio
import io
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from headshot.backends import Backend
from headshot.comparison.labels import setting_labels
from headshot.errors import PhotoError
from headshot.exports.team import names_of
from headshot.imaging.encoding import png
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest

from .execution import reopened
from .files import Album
from .run import Job
from .saved_headshot import Shot

if TYPE_CHECKING:
    from headshot.storage import Comparison


@dataclass(frozen=True)
class Locked:
    """The look of a run: read once, and the same for everybody. words: as of `setting_labels`."""

    request: HeadshotRequest
    chain: Sequence[Backend]
    words: Sequence[str]

    def is_like(self, other: "Locked | None") -> bool:
        """Whether the other one makes the same headshots."""
        return other is not None and (self.request, self.chain[0].name) == (other.request, other.chain[0].name)


@dataclass(eq=False)
class Person:
    """One of the team. name: that of the headshot's file, without its ending.

    photo: the clean photo as a file, None where it was refused.  face: which of its faces, None for the first.
    thumbnail: address of a small picture around the face, "" where there is none.  refusal: why there will be no
    headshot of this photo.  remarks: what will hurt the headshot.  crowd: that one of several faces was taken.
    failure: why the last try gave none.  size_bytes: of the clean photo's file.
    """

    file_name: str
    name: str = ""
    photo: Path | None = None
    sha256: str = ""
    chosen: Face | None = None
    face: int | None = None
    thumbnail: str = ""
    thumbnail_path: Path | None = None
    refusal: str = ""
    remarks: Sequence[str] = ()
    job: Job | None = None
    failure: str = ""
    crowd: str = ""
    size_bytes: int = 0
    key: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def shot(self) -> Shot | None:
        return self.job.shots[0] if self.job is not None and self.job.shots else None

    @property
    def reason(self) -> str:
        return self.refusal or self.failure

    def opened(self) -> Photo:
        """The photo, into memory. Raises PhotoError where it has been kept for its time."""
        try:
            data = b"" if self.photo is None else self.photo.read_bytes()
        except FileNotFoundError:
            data = b""
        if not data:
            raise PhotoError("This photo was deleted after its time, as promised: choose it again.")
        with Image.open(io.BytesIO(data)) as clean:
            pixels = np.array(clean)
        pixels.flags.writeable = False
        return Photo(pixels, self.sha256)


def lossless(photo: Photo) -> bytes:
    """A PNG of its pixels, of which `Person.opened` is the same photo again. 12 megapixels: half a second, 15 MB."""
    return png(Image.fromarray(photo.pixels), compress_level=1)  # not `photo.image`, which would stay in memory


class Team:
    """Belongs to one tab, and goes with it.

    group: of the run's comparisons in the history, "" before the first run.  found: it was opened from there, and
    nobody's photo is at hand.  due: a run was asked for and has not
    begun.  running: from then to its end.  turn: changes whenever a run begins or is to end.  at: whose headshot is
    being made.  unkept: as in Job.
    """

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.locked: Locked | None = None
        self.group = ""
        self.found = False
        self.due = False
        self.running = False
        self.stopped = False
        self.turn = 0
        self.at: Person | None = None
        self.unkept = ""
        self.checking = asyncio.Lock()  # held while photos are looked at
        self.making = asyncio.Lock()  # held by a run: the next one waits until a stopped one has put its things away

    @classmethod
    def of(cls, group: "Sequence[Comparison]", registry: Mapping[str, Backend], album: Album) -> "Team":
        """A team of the history, everybody once: who failed first and landed later counts as landed."""
        team, asked = cls(), group[0].backend
        maker = [registry[asked]] if asked in registry else []
        request = group[0].requests[0]
        team.group, team.found = group[0].group, True
        team.locked = Locked(request, maker, setting_labels(request, maker[0].title if maker else ""))
        landed = {run.name for run in group if run.shots}
        missing = {run.name: run for run in group if run.name not in landed}
        for run in group:
            if run.shots or missing.get(run.name) is run:
                why = next(iter(run.failures.values()), "Not made.")
                job = reopened(run, maker, None, album)
                name = run.name or "photo"
                team.people.append(Person(name, name, sha256=run.photo_sha256, job=job, failure=why))
        return team

    @property
    def waiting(self) -> bool:
        """Whether there are photos that wait for their headshots, or headshots that are in no history."""
        return bool(self.unkept) or any(person.photo is not None and person.shot is None for person in self.people)

    def add(self, person: Person) -> None:
        self.people.append(person)
        self._name()

    def remove(self, person: Person) -> None:
        self.people.remove(person)
        self._name()

    def _name(self) -> None:
        """Nobody's name changes once there is a headshot under it."""
        for person, name in zip(self.people, names_of(each.file_name for each in self.people), strict=True):
            if person.job is None:
                person.name = name.removesuffix(".png")

    @property
    def able(self) -> list[Person]:
        """Those whose photos can be used."""
        return [person for person in self.people if not person.refusal]

    @property
    def shots(self) -> list[Shot]:
        return [person.shot for person in self.people if person.shot is not None]

    @property
    def absent(self) -> dict[str, str]:
        """By name, why somebody has no headshot."""
        return {each.name: each.reason or "Not made." for each in self.people if each.shot is None}

    def missing(self, locked: Locked) -> list[Person]:
        """Those who have no headshot in that look."""
        same = locked.is_like(self.locked)
        return [person for person in self.able if not same or person.shot is None]

    def begin(self, locked: Locked) -> list[Shot]:
        """A run in that look: of those who lack it, or of everybody. Returns the headshots that it replaces."""
        former: list[Shot] = []
        if not locked.is_like(self.locked):
            former, self.group, self.unkept = self.shots, secrets.token_hex(16), ""
            for person in self.people:
                person.job = None
            self._name()
        self.locked = locked
        for person in self.people:
            person.failure = ""
        self.turn += 1
        self.due, self.running, self.stopped = True, True, False
        return former

    def unmake(self) -> list[Shot]:
        """Nobody has a headshot any more, and who has no photo is not there. Returns the headshots."""
        former = self.shots
        self.people = [person for person in self.people if person.photo is not None or person.refusal]
        for person in self.people:
            person.job, person.failure = None, ""
        self.locked, self.group, self.found, self.unkept, self.stopped = None, "", False, "", False
        self._name()
        return former

    def stop(self) -> None:
        """At the visitor's wish. From any thread."""
        at = self._end()
        if at is not None:
            at.stop()

    def leave(self) -> None:
        """Nobody looks any more: nobody else's turn comes. From any thread."""
        at = self._end()
        if at is not None:
            at.leave()

    def _end(self) -> Job | None:
        """Nobody else's turn comes. Returns the job that is at work."""
        at, self.at = self.at, None
        self.turn += 1
        self.stopped = self.stopped or self.running
        self.due = self.running = False
        return None if at is None else at.job
