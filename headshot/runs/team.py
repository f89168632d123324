"""A visitor's team: the people whose photos were added, their one look, and the headshots made so far."""

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
from headshot.exports.team import headshot_names
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest

from .execution import run_from_history
from .files import FileSink
from .run import Run
from .saved_headshot import SavedHeadshot
from .team_states import ACTIVE, FINISH, REQUEST, RESET, START, STOP, TeamState, TeamTransition

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry


@dataclass(frozen=True)
class TeamLook:
    """The look of a team's run: read once, and the same for everyone.

    Attributes:
        request: the settings, with a seed.
        backends: the one to use, then its fallbacks.
        words: the look in words, as `setting_labels` returns them.
    """

    request: HeadshotRequest
    backends: Sequence[Backend]
    words: Sequence[str]

    def same_as(self, other: "TeamLook | None") -> bool:
        """Return whether both looks make the same headshots."""
        return other is not None and (self.request, self.backends[0].name) == (other.request, other.backends[0].name)


@dataclass(eq=False)
class Person:
    """One person of the team.

    Attributes:
        file_name: of the photo, as uploaded.
        name: of the headshot's file, without its ending.
        photo: file of the clean photo; None if it was refused or is not at hand.
        sha256: of the photo.
        chosen_face: the face that the headshot is made of.
        face: its index among the photo's faces, None for the first.
        thumbnail: address of a small picture around the face, "" if there is none.
        thumbnail_path: its file.
        refusal: why this photo cannot be used.
        remarks: what will lower the quality of the headshot.
        run: the latest run for this person.
        failure: why the last try failed.
        crowd: says that one of several faces was chosen.
        size_bytes: of the clean photo's file.
        key: identifies the person's card on the page.
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
        """The person's headshot, None as long as there is none."""
        return self.run.headshots[0] if self.run is not None and self.run.headshots else None

    @property
    def reason(self) -> str:
        """Why there is no headshot, "" if nothing went wrong."""
        return self.refusal or self.failure

    def open_photo(self) -> Photo:
        """Load the photo into memory.

        Raises:
            PhotoError: if the photo has expired and is deleted.
        """
        try:
            data = b"" if self.photo is None else self.photo.read_bytes()
        except FileNotFoundError:
            data = b""
        if not data:
            raise PhotoError("This photo has expired and was deleted. Add it again.")
        with Image.open(io.BytesIO(data)) as clean:
            pixels = np.array(clean)
        pixels.flags.writeable = False
        return Photo(pixels, self.sha256)


class Team:
    """The team of one tab. It goes with the tab.

    Attributes:
        people: in the order in which they were added.
        look: of the last run; None before the first.
        group: id of the run's comparisons in the history, "" before the first run.
        from_history: True if the team was opened from the history: then nobody's photo is at hand.
        state: of the run; see `team_states`.
        run_version: incremented on each request and each stop; a worker whose version differs must exit.
        current: the person whose headshot is being made.
        history_error: why headshots are not in the history.
        checking: held while photos are checked.
        making: held by a run: the next one waits until a stopped one has put its files away.
    """

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.look: TeamLook | None = None
        self.group = ""
        self.from_history = False
        self.state = TeamState.IDLE
        self.run_version = 0
        self.current: Person | None = None
        self.history_error = ""
        self.checking = asyncio.Lock()
        self.making = asyncio.Lock()

    @classmethod
    def of(cls, group: "Sequence[HistoryEntry]", registry: Mapping[str, Backend], sink: FileSink) -> "Team":
        """Return a team of the history, each person once: a success counts, whatever failed before it.

        Args:
            group: the team's entries, at least one.
            registry: the backends by name.
            sink: gives the addresses of the headshots.
        """
        team, backend_name = cls(), group[0].backend
        backends = [registry[backend_name]] if backend_name in registry else []
        request = group[0].requests[0]
        team.group, team.from_history = group[0].group, True
        team.look = TeamLook(request, backends, setting_labels(request, backends[0].title if backends else ""))
        made = {entry.name for entry in group if entry.headshots}
        missing = {entry.name: entry for entry in group if entry.name not in made}
        for entry in group:
            if entry.headshots or missing.get(entry.name) is entry:
                reason = next(iter(entry.failures.values()), "Not made.")
                run = run_from_history(entry, backends, None, sink)
                name = entry.name or "photo"
                team.people.append(Person(name, name, sha256=entry.photo_sha256, run=run, failure=reason))
        return team

    @property
    def running(self) -> bool:
        """Whether a run was requested or is under way."""
        return self.state in ACTIVE

    @property
    def stopped(self) -> bool:
        """Whether the last run was stopped before its end."""
        return self.state is TeamState.STOPPED

    @property
    def has_unsaved_work(self) -> bool:
        """Whether there are photos without a headshot, or headshots that are not in the history."""
        return bool(self.history_error) or any(
            person.photo is not None and person.headshot is None for person in self.people
        )

    def add(self, person: Person) -> None:
        """Add a person, who gets a name that nobody else has."""
        self.people.append(person)
        self._name()

    def remove(self, person: Person) -> None:
        """Remove a person."""
        self.people.remove(person)
        self._name()

    def _name(self) -> None:
        """Name everyone after their files. A name does not change once there is a run under it."""
        for person, name in zip(self.people, headshot_names(each.file_name for each in self.people), strict=True):
            if person.run is None:
                person.name = name.removesuffix(".png")

    @property
    def usable(self) -> list[Person]:
        """The people whose photos can be used."""
        return [person for person in self.people if not person.refusal]

    @property
    def headshots(self) -> list[SavedHeadshot]:
        """All headshots made so far, in the order of the people."""
        return [person.headshot for person in self.people if person.headshot is not None]

    @property
    def without_result(self) -> dict[str, str]:
        """By name, why somebody has no headshot."""
        return {each.name: each.reason or "Not made." for each in self.people if each.headshot is None}

    def missing(self, look: TeamLook) -> list[Person]:
        """Return the people who have no headshot in that look."""
        same = look.same_as(self.look)
        return [person for person in self.usable if not same or person.headshot is None]

    def request_run(self, look: TeamLook) -> list[SavedHeadshot]:
        """Request a run in that look: for everyone, or if the look is the same, for those without a headshot.

        Returns:
            The headshots that the run replaces.
        """
        former: list[SavedHeadshot] = []
        if not look.same_as(self.look):
            former, self.group, self.history_error = self.headshots, secrets.token_hex(16), ""
            for person in self.people:
                person.run = None
            self._name()
        self.look = look
        for person in self.people:
            person.failure = ""
        self.run_version += 1
        self._move(REQUEST)
        return former

    def start(self) -> bool:
        """Start the requested run; returns False if there is none (the form was refused, or Stop came first)."""
        if self.state is not TeamState.REQUESTED or self.look is None:
            return False
        self._move(START)
        return True

    def finish(self, run_version: int) -> None:
        """End the run of that version. A run that was stopped or replaced meanwhile changes nothing."""
        if self.run_version == run_version:
            self._move(FINISH)
            self.current = None

    def reset_results(self) -> list[SavedHeadshot]:
        """Clear all results and remove the people without a photo.

        Returns:
            The headshots that were cleared.
        """
        former = self.headshots
        self.people = [person for person in self.people if person.photo is not None or person.refusal]
        for person in self.people:
            person.run, person.failure = None, ""
        self.look, self.group, self.from_history, self.history_error = None, "", False, ""
        self._move(RESET)
        self._name()
        return former

    def stop(self) -> None:
        """Stop the run, because the visitor asked for it. Thread-safe."""
        run = self._end()
        if run is not None:
            run.stop()

    def detach(self) -> None:
        """End the run, because the tab disconnected. Remote jobs that were sent go on. Thread-safe."""
        run = self._end()
        if run is not None:
            run.detach()

    def _end(self) -> Run | None:
        """Let nobody else's headshot begin; returns the run at work."""
        person, self.current = self.current, None
        self.run_version += 1
        self._move(STOP)
        return None if person is None else person.run

    def _move(self, transition: TeamTransition) -> None:
        self.state = transition.after(self.state)
