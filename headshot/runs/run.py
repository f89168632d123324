"""A comparison on the page: its requests, the headshots made so far, and its events while it runs."""

import asyncio
import secrets
from collections.abc import Collection, Sequence
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
    """One attempt at a run, up to its end, Stop, or a closed tab. Its late results do not disturb the next attempt.

    Create it on the event loop.

    Attributes:
        late: not empty in an attempt that follows on Stop: those that were sent before, and still come by themselves.
        started: True once it waits for its backend.
        stopped: True after Stop, or after the tab was closed.
        ended: True when no more events come.
        from_history: True if it only stands for what the history has.
        stage: the last step that was reported, None before the first.
        error: the sentence for the error that it ended with, "" for none.
        current_backend: the one running now.
        events: a queue; an exception is the last event, None marks completion.
        progress: what the backend reports to.
    """

    def __init__(self, late: Collection[HeadshotRequest] = ()) -> None:
        self.late = frozenset(late)
        self._loop = asyncio.get_running_loop()
        self.started = False
        self.stopped = False
        self.ended = False
        self.from_history = False
        self.stage: Step | None = None
        self.error = ""
        self.current_backend: Backend | None = None
        self.events: asyncio.Queue[Step | HeadshotStatus | SavedHeadshot | Exception | None] = asyncio.Queue()
        self.progress = Progress(self._put, self._put)

    def detach(self) -> None:
        """Listen no longer; see `Run.detach`."""
        self.stopped = True
        if self.current_backend is None or not self.current_backend.survives_disconnect:
            self.progress.cancel()
        self._put(Stopped("Stopped. Finished headshots are kept."))

    def _put(self, event: Step | HeadshotStatus | Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)


@dataclass
class Run:
    """One comparison from the press of Generate to its end. Create it on the event loop.

    Attributes:
        requests: one for each headshot.
        photo: None once it is no longer needed (a run outlives its photo), and for a run of the history.
        chosen: the photo's face, if the photo was at hand.
        face: index of the face picked by hand, None for the first.
        backends: the one to use, then its fallbacks.
        remote_id: the service's comparison that goes on, or went on, without this page; "" for a new one.
        owner: whose history it is saved in, "" for nobody's.
        photo_sha256: of the photo, at hand or not.
        parent: content id of the picture whose settings were restored. A run of the history reads it from one of its
            headshots, so a run without any headshot has lost it.
        kind: as in the history.
        group: the team's id in the history, "" for none.
        name: as in the history.
        history_id: its id in the history, "" before it is saved.
        history_ids: the ids of its headshots in the history, by position.
        history_error: why it is not in the history.
        failures: why a headshot is missing.
        only: the one request to run, None for all that are missing.
        id: unguessable; the slot of its files' addresses.
        headshots: finished ones, in the order in which they came.
        statuses: of unfinished headshots.
        seconds: from the start on the backend to the end, including what the headshots share.
        attempt: the current one.
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
    statuses: dict[HeadshotRequest, HeadshotStatus] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.photo is not None:
            self.photo_sha256 = self.photo.sha256
        self.reopen()

    def reopen(self, late: Collection[HeadshotRequest] = ()) -> None:
        """Make it ready to run, or to run again. Finished headshots stay.

        Args:
            late: only wait for these, which were sent before Stop; the run does not count as alive.
        """
        self.attempt = Attempt(late)

    @property
    def completed(self) -> list[SavedHeadshot]:
        """The finished headshots, in the order of the requests."""
        return sorted(self.headshots, key=lambda shot: self.requests.index(shot.request))

    @property
    def missing(self) -> list[HeadshotRequest]:
        """The requests without a headshot."""
        there = {shot.request for shot in self.headshots}
        return [request for request in self.requests if request not in there]

    @property
    def can_go_on(self) -> bool:
        """Whether the missing headshots can be generated now. Paid ones may still come: their cards offer a retry."""
        return not (self.alive or self.remote_id) and bool(self.backends) and not self.backends[0].survives_disconnect

    @property
    def alive(self) -> bool:
        """Whether it is queued or running."""
        return self.open and not self.attempt.late

    @property
    def open(self) -> bool:
        """Whether headshots of it may still come: it is alive, or what was sent before Stop is waited for."""
        return not (self.stopped or self.attempt.ended)

    @property
    def stopped(self) -> bool:
        """Whether the visitor stopped it or closed the tab."""
        return self.attempt.stopped

    def stop(self) -> None:
        """Cancel it, because the visitor asked for it. Thread-safe."""
        self.attempt.progress.cancel()
        self.detach()

    def detach(self) -> None:
        """Listen no longer, because the tab disconnected. Cancels local work; remote jobs go on. Thread-safe."""
        self.photo = None
        self.attempt.detach()
