"""Who is on the page, what they put in and what they were given. Two visitors never meet.

A visitor is a browser tab. Its photo lives in memory, its pictures in a folder with an unguessable name; both go when
the tab closes, and each thing alone when it has been kept for its time.
"""

import asyncio
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ..backends import Backend
from ..errors import RequestError, Stopped
from ..face import PhotoCheck
from ..photo import Photo
from ..request import HeadshotRequest, Note, Progress, Step

GRACE_SECONDS = 20.0  # a browser knocks again 3 s after a broken connection; a phone changing networks takes longer


@dataclass(frozen=True)
class Shot:
    """A headshot that has been put down as files: what the page needs to show it, without its pixels."""

    request: HeadshotRequest
    filename: str
    size: tuple[int, int]
    seconds: float
    likeness: float | None
    notes: tuple[Note, ...]
    picture: str  # address of the full PNG, relative to the page
    thumbnail: str  # address of a small WebP


@dataclass
class Job:
    """One comparison from the press of Generate to its end. Made on the event loop."""

    requests: list[HeadshotRequest]
    photo: Photo | None  # None once it is no longer needed: a job outlives its photo
    face: int | None
    backend: str
    shots: list[Shot] = field(default_factory=list)
    started: bool = False
    seconds: float = 0.0  # from the start to the end, what the headshots share included
    stopped: bool = False
    ended: bool = False  # nothing more comes of it
    news: "asyncio.Queue[Step | Shot | Exception | None]" = field(default_factory=asyncio.Queue)  # None: all landed
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()

        def tell(step: Step) -> None:  # from a backend's worker thread
            loop.call_soon_threadsafe(self.news.put_nowait, step)

        self.progress = Progress(tell)

    @property
    def alive(self) -> bool:
        """Whether it waits for its place or runs."""
        return not (self.stopped or self.ended)

    def stop(self) -> None:
        self.stopped = True
        self.progress.stop()
        self.photo = None


class Visitor:
    """One tab's belongings. `name` is 256 random bits: it stands in every picture's address and is the only way in."""

    def __init__(self, root: Path, forget_photo: Callable[[Photo], None]) -> None:
        self._forget_photo = forget_photo
        self.name = secrets.token_urlsafe(32)
        self.folder = root / self.name
        self.photo: Photo | None = None
        self.check: PhotoCheck | None = None
        self.face: int | None = None  # the face picked by hand
        self.photo_expired = False
        self.job: Job | None = None
        self.checking = asyncio.Lock()  # held while a photo is looked at: Generate pressed meanwhile waits for it
        self.taken_at = 0.0
        self._left = False
        self._files = threading.Lock()

    def take(self, photo: Photo, check: PhotoCheck, face: int | None) -> None:
        if self.photo is not None and self.photo.sha256 != photo.sha256:
            self._forget_photo(self.photo)
        self.photo, self.check, self.face = photo, check, face
        self.photo_expired, self.taken_at = False, time.time()

    def put_back(self) -> None:
        """Forget the photo, at the visitor's wish."""
        self._drop_photo(expired=False)

    def write(self, name: str, data: bytes) -> Path:
        """Put a file into a new corner of the visitor's folder, so that equal names never meet.

        Raises Stopped after the visitor left: a picture that lands late must not bring the folder back.
        """
        with self._files:
            if self._left:
                raise Stopped("The page was closed.")
            corner = self.folder / secrets.token_urlsafe(8)
            corner.mkdir(parents=True)
            path = corner / name
            path.write_bytes(data)
        return path

    def address(self, path: Path) -> str:
        """Where the browser finds a file of this visitor's, relative to the page."""
        return "/".join(["headshots", self.name, path.parent.name, quote(path.name)])

    def leave(self) -> None:
        if self.job is not None:
            self.job.stop()
        self.put_back()
        with self._files:
            self._left = True
            shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self, before: float) -> None:
        """Drop the photo and every file that is older than that moment."""
        if self.photo is not None and self.taken_at < before:
            self._drop_photo(expired=True)
        if self.folder.is_dir():
            for corner in self.folder.iterdir():
                if corner.stat().st_mtime < before:
                    shutil.rmtree(corner, ignore_errors=True)

    def _drop_photo(self, *, expired: bool) -> None:
        photo = self.photo
        self.photo, self.check, self.face, self.photo_expired = None, None, None, expired
        if photo is not None:
            self._forget_photo(photo)


class Visitors:
    """All tabs that are open, by Gradio's session hash. Safe to use from any thread.

    backends: told to forget a photo when its visitor does.
    """

    def __init__(
        self,
        root: Path,
        keep_seconds: float,
        grace_seconds: float = GRACE_SECONDS,
        *,
        backends: Collection[Backend] = (),
    ) -> None:
        self._backends = backends
        self.root = root
        self.keep_seconds = keep_seconds
        self.grace_seconds = grace_seconds
        self._visitors: dict[str, Visitor] = {}
        self._connections: dict[str, int] = {}
        self._left_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def of(self, session: str | None) -> Visitor:
        """The visitor with Gradio's session hash. Raises RequestError where there is none."""
        if session is None:
            raise RequestError("This page has lost its session: load it anew.")
        with self._lock:
            if session not in self._visitors:
                self._visitors[session] = Visitor(self.root, self._forget_photo)
                if not self._connections.get(session):
                    self._left_at[session] = time.time()  # no heartbeat yet: without one it goes after the grace
            return self._visitors[session]

    def _forget_photo(self, photo: Photo) -> None:
        for backend in self._backends:
            backend.forget(photo)

    @contextmanager
    def present(self, session: str) -> Iterator[None]:
        """While the tab's heartbeat runs. A reconnecting tab overlaps itself: only the last to close counts."""
        with self._lock:
            self._connections[session] = self._connections.get(session, 0) + 1
            self._left_at.pop(session, None)
        try:
            yield
        finally:
            with self._lock:
                self._connections[session] -= 1
                if not self._connections[session]:
                    del self._connections[session]
                    self._left_at[session] = time.time()

    def stop(self, session: str | None) -> None:
        """Nobody is looking any more: the comparison that runs for this tab ends."""
        visitor = self._visitors.get(session or "")
        if visitor is not None and visitor.job is not None:
            visitor.job.stop()

    def sweep(self) -> None:
        """Delete what has been kept for its time, and everything of the tabs that closed."""
        now = time.time()
        with self._lock:
            gone = [session for session, left in self._left_at.items() if now - left >= self.grace_seconds]
            leaving = [self._visitors.pop(session) for session in gone if session in self._visitors]
            for session in gone:
                del self._left_at[session]
            staying = list(self._visitors.values())
        for visitor in leaving:
            visitor.leave()
        for visitor in staying:
            visitor.forget(before=now - self.keep_seconds)

    def close(self) -> None:
        """The server ends: nothing stays on the disk."""
        with self._lock:
            leaving = list(self._visitors.values())
            self._visitors.clear()
        for visitor in leaving:
            visitor.leave()
        shutil.rmtree(self.root, ignore_errors=True)

    def picture(self, visitor: str, corner: str, name: str) -> Path | None:
        """The file behind a picture's address, None where there is none. No name may climb out of its folder."""
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in (visitor, corner, name)):
            return None
        path = self.root / visitor / corner / name
        return path if path.is_file() else None
