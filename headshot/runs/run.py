"""A comparison on the page: what was asked for, what has landed, and its news while it runs."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from headshot.backends import Backend
from headshot.errors import Stopped
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest, Progress, Standing, Step

from .saved_headshot import Shot


class Attempt:
    """One run of a job, up to its end, Stop, or a closed tab: what comes of it later disturbs none that follows.

    Made on the event loop.  at: whose turn it is.  ended: nothing more comes of it.  news: None once all has landed.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.started = False
        self.stopped = False
        self.ended = False
        self.at: Backend | None = None
        self.news: asyncio.Queue[Step | Standing | Shot | Exception | None] = asyncio.Queue()
        self.progress = Progress(self._tell, self._tell)

    def leave(self) -> None:
        """As `Job.leave`."""
        self.stopped = True
        if self.at is None or not self.at.lasting:
            self.progress.stop()
        self._tell(Stopped("Stopped. The headshots that had landed are kept."))

    def _tell(self, news: Step | Standing | Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.news.put_nowait, news)


@dataclass
class Job:
    """One comparison from the press of Generate to its end. Made on the event loop.

    chain: as `compare` takes it.  photo: None once it is no longer needed, for a job outlives its photo, and for one
    that was found again.  chosen: the photo's face, if the photo was at hand.  resumed: the name of a comparison that
    goes on, or went on, without this page.  photo_sha256: of the photo, at hand or not.
    parent: as `inscribed` takes it. What is found again has it from a headshot of its own; one of which none had landed
    has lost it.
    owner: in whose history it is written down, "" for nobody's.  kind, group, name: as there.
    kept: its id there, "" before it is begun.  kept_shots: by position, the ids of those that are there.
    unkept: why it is not there.  failures: why one did not come.  alone: the one that is to be made, None for all.
    """

    requests: list[HeadshotRequest]
    photo: Photo | None
    chosen: Face | None
    face: int | None
    chain: Sequence[Backend]
    resumed: str = ""
    owner: str = ""
    photo_sha256: str = ""
    parent: str = ""
    kind: Literal["comparison", "matrix", "team"] = "comparison"
    group: str = ""
    name: str = ""
    kept: str = ""
    kept_shots: dict[int, str] = field(default_factory=dict)
    unkept: str = ""
    failures: dict[HeadshotRequest, str] = field(default_factory=dict)
    alone: HeadshotRequest | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    shots: list[Shot] = field(default_factory=list)
    standings: dict[HeadshotRequest, Standing] = field(default_factory=dict)  # of those that have not landed
    seconds: float = 0.0  # from its turn to its end, what the headshots share included

    def __post_init__(self) -> None:
        if self.photo is not None:
            self.photo_sha256 = self.photo.sha256
        self.reopen()

    def reopen(self) -> None:
        """Ready to run, also once more: what has landed stays."""
        self.attempt = Attempt()

    @property
    def landed(self) -> list[Shot]:
        """The headshots that are there, in the order in which they were asked for."""
        return sorted(self.shots, key=lambda shot: self.requests.index(shot.request))

    @property
    def missing(self) -> list[HeadshotRequest]:
        """What has not landed."""
        there = {shot.request for shot in self.shots}
        return [request for request in self.requests if request not in there]

    @property
    def can_go_on(self) -> bool:
        """Whether what is missing can be made now. What is paid for may still come: its own card asks for it."""
        return not (self.alive or self.resumed) and bool(self.chain) and not self.chain[0].lasting

    @property
    def alive(self) -> bool:
        """Whether it waits for its place or runs."""
        return not (self.stopped or self.attempt.ended)

    @property
    def stopped(self) -> bool:
        """Whether its visitor stopped it, or left."""
        return self.attempt.stopped

    def stop(self) -> None:
        """At its visitor's wish. From any thread."""
        self.attempt.progress.stop()
        self.leave()

    def leave(self) -> None:
        """Nobody looks any more: a backend whose work lasts goes on. From any thread."""
        self.photo = None
        self.attempt.leave()
