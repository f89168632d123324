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

from .execution import run_from_history
from .files import FileSink
from .run import Run
from .saved_headshot import SavedHeadshot

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry


@dataclass(frozen=True)
class TeamLook:
    """The look of a run: read once, and the same for everybody. words: as of `setting_labels`."""

    request: HeadshotRequest
    backends: Sequence[Backend]
    words: Sequence[str]

    def same_as(self, other: "TeamLook | None") -> bool:
        """Whether the other one makes the same headshots."""
        return other is not None and (self.request, self.backends[0].name) == (other.request, other.backends[0].name)


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
    chosen_face: Face | None = None
    face: int | None = None
    thumbnail: str = ""
    thumbnail_path: Path | None = None
    refusal: str = ""
    remarks: Sequence[str] = ()
    run: Run | None = None
    failure: str = ""
    crowd: str = ""
    size_bytes: int = 0
    key: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def headshot(self) -> SavedHeadshot | None:
        return self.run.headshots[0] if self.run is not None and self.run.headshots else None

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
        self.look: TeamLook | None = None
        self.group = ""
        self.found = False
        self.run_requested = False
        self.running = False
        self.stopped = False
        self.run_version = 0
        self.current: Person | None = None
        self.history_error = ""
        self.checking = asyncio.Lock()  # held while photos are looked at
        self.making = asyncio.Lock()  # held by a run: the next one waits until a stopped one has put its things away

    @classmethod
    def of(cls, group: "Sequence[HistoryEntry]", registry: Mapping[str, Backend], sink: FileSink) -> "Team":
        """A team of the history, everybody once: who failed first and landed later counts as landed."""
        team, asked = cls(), group[0].backend
        maker = [registry[asked]] if asked in registry else []
        request = group[0].requests[0]
        team.group, team.found = group[0].group, True
        team.look = TeamLook(request, maker, setting_labels(request, maker[0].title if maker else ""))
        landed = {entry.name for entry in group if entry.headshots}
        missing = {entry.name: entry for entry in group if entry.name not in landed}
        for entry in group:
            if entry.headshots or missing.get(entry.name) is entry:
                why = next(iter(entry.failures.values()), "Not made.")
                run = run_from_history(entry, maker, None, sink)
                name = entry.name or "photo"
                team.people.append(Person(name, name, sha256=entry.photo_sha256, run=run, failure=why))
        return team

    @property
    def waiting(self) -> bool:
        """Whether there are photos that wait for their headshots, or headshots that are in no history."""
        return bool(self.history_error) or any(
            person.photo is not None and person.headshot is None for person in self.people
        )

    def add(self, person: Person) -> None:
        self.people.append(person)
        self._name()

    def remove(self, person: Person) -> None:
        self.people.remove(person)
        self._name()

    def _name(self) -> None:
        """Nobody's name changes once there is a headshot under it."""
        for person, name in zip(self.people, names_of(each.file_name for each in self.people), strict=True):
            if person.run is None:
                person.name = name.removesuffix(".png")

    @property
    def usable(self) -> list[Person]:
        """Those whose photos can be used."""
        return [person for person in self.people if not person.refusal]

    @property
    def headshots(self) -> list[SavedHeadshot]:
        return [person.headshot for person in self.people if person.headshot is not None]

    @property
    def without_result(self) -> dict[str, str]:
        """By name, why somebody has no headshot."""
        return {each.name: each.reason or "Not made." for each in self.people if each.headshot is None}

    def missing(self, locked: TeamLook) -> list[Person]:
        """Those who have no headshot in that look."""
        same = locked.same_as(self.look)
        return [person for person in self.usable if not same or person.headshot is None]

    def begin(self, locked: TeamLook) -> list[SavedHeadshot]:
        """A run in that look: of those who lack it, or of everybody. Returns the headshots that it replaces."""
        former: list[SavedHeadshot] = []
        if not locked.same_as(self.look):
            former, self.group, self.history_error = self.headshots, secrets.token_hex(16), ""
            for person in self.people:
                person.run = None
            self._name()
        self.look = locked
        for person in self.people:
            person.failure = ""
        self.run_version += 1
        self.run_requested, self.running, self.stopped = True, True, False
        return former

    def reset_results(self) -> list[SavedHeadshot]:
        """Nobody has a headshot any more, and who has no photo is not there. Returns the headshots."""
        former = self.headshots
        self.people = [person for person in self.people if person.photo is not None or person.refusal]
        for person in self.people:
            person.run, person.failure = None, ""
        self.look, self.group, self.found, self.history_error, self.stopped = None, "", False, "", False
        self._name()
        return former

    def stop(self) -> None:
        """At the visitor's wish. From any thread."""
        at = self._end()
        if at is not None:
            at.stop()

    def detach(self) -> None:
        """Nobody looks any more: nobody else's turn comes. From any thread."""
        at = self._end()
        if at is not None:
            at.detach()

    def _end(self) -> Run | None:
        """Nobody else's turn comes. Returns the job that is at work."""
        at, self.current = self.current, None
        self.run_version += 1
        self.stopped = self.stopped or self.running
        self.run_requested = self.running = False
        return None if at is None else at.run
