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
from headshot.progress import HeadshotStatus, Progress, Step
from headshot.request import HeadshotRequest

from .saved_headshot import SavedHeadshot


class Attempt:
    """One run of a job, up to its end, Stop, or a closed tab: what comes of it later disturbs none that follows.

    Made on the event loop.  at: whose turn it is.  ended: nothing more comes of it.  news: None once all has landed.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.started = False
        self.stopped = False
        self.ended = False
        self.current_backend: Backend | None = None
        self.events: asyncio.Queue[Step | HeadshotStatus | SavedHeadshot | Exception | None] = asyncio.Queue()
        self.progress = Progress(self._put, self._put)

    def detach(self) -> None:
        """As `Run.leave`."""
        self.stopped = True
        if self.current_backend is None or not self.current_backend.survives_disconnect:
            self.progress.cancel()
        self._put(Stopped("Stopped. The headshots that had landed are kept."))

    def _put(self, news: Step | HeadshotStatus | Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.events.put_nowait, news)


@dataclass
class Run:
    """One comparison from the press of Generate to its end. Made on the event loop.

    backends: as `compare` takes it.  photo: None once it is no longer needed, for a job outlives its photo, and for one
    that was found again.  chosen: the photo's face, if the photo was at hand.  resumed: the name of a comparison that
    goes on, or went on, without this page.  photo_sha256: of the photo, at hand or not.
    parent: as `inscribed` takes it. What is found again has it from a headshot of its own; one of which none had landed
    has lost it.
    owner: in whose history it is written down, "" for nobody's.  kind, group, name: as there.
    history_id: its id there, "" before it is begun.  kept_shots: by position, the ids of those that are there.
    history_error: why it is not there.  failures: why one did not come.  only: the one to be made, None for all.
    """

    requests: list[HeadshotRequest]
    photo: Photo | None
    chosen: Face | None
    face: int | None
    backends: Sequence[Backend]
    remote_id: str = ""
    owner: str = ""
    photo_sha256: str = ""
    parent: str = ""
    kind: Literal["comparison", "matrix", "team"] = "comparison"
    group: str = ""
    name: str = ""
    history_id: str = ""
    history_ids: dict[int, str] = field(default_factory=dict)
    history_error: str = ""
    failures: dict[HeadshotRequest, str] = field(default_factory=dict)
    only: HeadshotRequest | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    headshots: list[SavedHeadshot] = field(default_factory=list)
    statuses: dict[HeadshotRequest, HeadshotStatus] = field(default_factory=dict)  # of those that have not landed
    seconds: float = 0.0  # from its turn to its end, what the headshots share included

    def __post_init__(self) -> None:
        if self.photo is not None:
            self.photo_sha256 = self.photo.sha256
        self.reopen()

    def reopen(self) -> None:
        """Ready to run, also once more: what has landed stays."""
        self.attempt = Attempt()

    @property
    def completed(self) -> list[SavedHeadshot]:
        """The headshots that are there, in the order in which they were asked for."""
        return sorted(self.headshots, key=lambda shot: self.requests.index(shot.request))

    @property
    def missing(self) -> list[HeadshotRequest]:
        """What has not landed."""
        there = {shot.request for shot in self.headshots}
        return [request for request in self.requests if request not in there]

    @property
    def can_go_on(self) -> bool:
        """Whether what is missing can be made now. What is paid for may still come: its own card asks for it."""
        return not (self.alive or self.remote_id) and bool(self.backends) and not self.backends[0].survives_disconnect

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
        self.attempt.progress.cancel()
        self.detach()

    def detach(self) -> None:
        """Nobody looks any more: a backend whose work lasts goes on. From any thread."""
        self.photo = None
        self.attempt.detach()
