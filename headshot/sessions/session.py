"""Who is on the page, what they put in and what they were given. Two visitors never meet.

A visitor is a browser tab. Its photo lives in memory, its pictures in a folder with an unguessable name; both go when
the tab closes, and each thing alone when it has been kept for its time.
"""

import asyncio
import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from headshot.backends import Backend
from headshot.errors import RequestError, Stopped
from headshot.imaging.photo import Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.modelslab.account import Key
from headshot.modelslab.backend import Earlier, ModelsLab
from headshot.modelslab.job_runner import Hook
from headshot.runs.run import Job
from headshot.runs.saved_headshot import Shot
from headshot.runs.team import Team

GRACE_SECONDS = 300.0  # a phone that shows another app for a while lets go of its connection
PHOTO_BYTES = 2**30  # of all tabs' photos together: twenty of the largest, hundreds from phones, on a machine of 4 GB

COOKIE = "headshot-visitor"
COOKIE_SECONDS = 400 * 86_400  # the most that browsers allow, and as long as a look of one's own is kept

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # token_urlsafe(32): what anybody could guess opens nothing

Lost = Literal["", "kept its time", "made room", "was away"]

_log = logging.getLogger(__name__)


def owner_of(cookies: Mapping[str, str]) -> str:
    """The mark of a browser's secret, by which the jobs of its visitor are found again; a new one without a cookie."""
    secret = cookies.get(COOKIE, "")
    return sha256((secret if _SECRET.fullmatch(secret) else secrets.token_urlsafe(32)).encode()).hexdigest()


class Visitor:
    """One tab's belongings. `name` is 256 random bits: it stands in every picture's address and is the only way in."""

    def __init__(
        self, root: Path, forget_photo: Callable[[Photo], None], clock: Callable[[], float], owner: str
    ) -> None:
        self._forget_photo = forget_photo
        self._clock = clock
        self.name = secrets.token_urlsafe(32)
        self.owner = owner  # by which ModelsLab's jobs are found again
        self.key: Key | None = None  # to ModelsLab, in memory alone
        self.hook: Hook | None = None  # a receiver of the visitor's own
        self.folder = root / self.name
        self.photo: Photo | None = None
        self.check: PhotoCheck | None = None
        self.face: int | None = None  # the face picked by hand
        self.parent = ""  # the mark of the picture whose settings were taken over: the comparisons that follow name it
        self.preview: Path | None = None
        self.lost: Lost = ""  # why a photo is gone that the visitor did not remove
        self.turn = 0  # counts the photos put in and taken out: a check that ends after a later turn is void
        self.upload = ""  # the path of the last one, which is deleted once it is read
        self.resized = ("", "", 0.0)  # the count that was chosen last, for which seeds, and when
        self.job: Job | None = None
        self.team = Team()
        self.earlier: list[Earlier] = []  # what else ModelsLab has made, or makes
        self.baseline: Shot | None = None  # stays beside the comparisons that follow
        self.checking = asyncio.Lock()  # held while a photo is looked at: Generate pressed meanwhile waits for it
        self.taken_at = 0.0
        self._left = False
        self._written: dict[Path, float] = {}  # when each corner was
        self._lock = threading.RLock()

    def backends(self, registry: Mapping[str, Backend]) -> dict[str, Backend]:
        """The registry as this visitor sees it: ModelsLab with their own key, if they have entered one."""
        return {
            name: backend.bound(self.owner, self.key, self.hook) if isinstance(backend, ModelsLab) else backend
            for name, backend in registry.items()
        }

    def take(self, photo: Photo, check: PhotoCheck, face: int | None, preview: bytes) -> None:
        """Keep this photo in place of the one before. The time it is kept runs on where only the face is another."""
        with self._lock:
            path = self.write("photo.jpg", preview)
            former, former_preview = self.photo, self.preview
            self.photo, self.check, self.face, self.preview, self.lost = photo, check, face, path, ""
            if former is None or former.sha256 != photo.sha256:
                self.taken_at = self._clock()
        self.clear(former_preview)
        if former is not None and former.sha256 != photo.sha256:
            self._forget_photo(former)

    def put_back(self, lost: Lost = "") -> None:
        """Forget the photo: at the visitor's wish, or for that reason."""
        with self._lock:
            self.turn += 1
            photo, preview = self.photo, self.preview
            self.photo, self.check, self.face, self.preview, self.lost = None, None, None, None, lost
        self.clear(preview)
        if photo is not None:
            self._forget_photo(photo)

    def write(self, name: str, data: bytes, job: Job | None = None) -> Path:
        """Put a file into a new corner of the visitor's folder, so that equal names never meet.

        Raises Stopped after the visitor left, and after this job was stopped: a picture that lands late must not bring
        back what was deleted.
        """
        with self._lock:
            if self._left or (job is not None and job.stopped):
                raise Stopped("This headshot is no longer wanted.")
            corner = self.folder / secrets.token_urlsafe(8)
            corner.mkdir(parents=True)
            self._written[corner] = self._clock()
            path = corner / name
            path.write_bytes(data)
        return path

    def address(self, corner: str, name: str) -> str:
        """Where the browser finds what lies or is made in a corner of this visitor's, relative to the page."""
        return "/".join(["headshots", self.name, corner, quote(name)])

    def shot(self, name: str) -> Shot | None:
        """The headshot with that id, of what is on the page."""
        return next((shot for shot in self._on_the_page if shot.id == name), None)

    def marked(self, mark: str) -> Shot | None:
        """The headshot with that mark, of what is on the page."""
        return next((shot for shot in self._on_the_page if mark and shot.mark == mark), None)

    @property
    def _on_the_page(self) -> list[Shot]:
        """The baseline, the comparison's and the team's."""
        shots = [self.baseline, *([] if self.job is None else self.job.shots), *self.team.shots]
        return [shot for shot in shots if shot is not None]

    def begin(self, job: Job) -> None:
        """This comparison takes the place of the one before, whose files go, all but the baseline's."""
        with self._lock:
            former, self.job = self.job, job
            self.clear_shots([] if former is None else former.shots)

    def set_baseline(self, shot: Shot | None) -> None:
        """The headshot that stays beside the comparisons that follow; None for none."""
        with self._lock:
            former, self.baseline = self.baseline, shot
            self.clear_shots([] if former is None else [former])

    def clear_shots(self, shots: Collection[Shot]) -> None:
        """Delete the files of headshots, but of those that are still on the page."""
        needed = {corner for shot in self._on_the_page for corner in shot.corners}
        for corner in {corner for shot in shots for corner in shot.corners} - needed:
            self.clear(corner / "anything")

    def delete(self) -> None:
        """Everything goes: what runs, the photo, the headshots, every file."""
        with self._lock:
            if self.job is not None:
                self.job.stop()
            self.team.stop()
            self.put_back()
            self.parent = ""
            self.job, self.team, self.baseline, self.earlier = None, Team(), None, []
            self._written.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        with self._lock:
            self._left = True
            self.delete()

    def forget(self, before: float) -> None:
        """Drop the photo and every file that is older than that moment."""
        with self._lock:
            if self.photo is not None and self.taken_at < before:
                self.put_back("kept its time")
            for corner in [corner for corner, written in self._written.items() if written < before]:
                self.clear(corner / "anything")
                if self.baseline is not None and self.baseline.path.parent == corner:
                    self.baseline = None

    def clear(self, path: Path | None) -> None:
        """Delete the corner that a file lies in."""
        if path is None:
            return
        with self._lock:
            self._written.pop(path.parent, None)
            shutil.rmtree(path.parent, ignore_errors=True)


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
        photo_bytes: int = PHOTO_BYTES,
        clock: Callable[[], float] = time.monotonic,  # the time of day may be set back
    ) -> None:
        self._backends = backends
        self._photo_bytes = photo_bytes
        self._clock = clock
        self.root = root
        self.keep_seconds = keep_seconds
        self.grace_seconds = grace_seconds
        self._visitors: dict[str, Visitor] = {}
        self._connections: dict[str, int] = {}
        self._left_at: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}  # whose things were deleted: a tab that comes back is told so
        self._lock = threading.Lock()

    def of(self, session: str | None, cookies: Mapping[str, str] | None = None) -> Visitor:
        """The visitor with Gradio's session hash. Raises RequestError where there is none.

        cookies: the browser's. A tab of a browser whose other tab has a key, or had it a moment ago, has it too.
        """
        if session is None:
            raise RequestError("This page has lost its session: load it anew.")
        with self._lock:
            if session not in self._visitors:
                visitor = Visitor(self.root, self._forget_photo, self._clock, owner_of(cookies or {}))
                visitor.key = next((tab.key for tab in self._of(visitor.owner) if tab.key is not None), None)
                self._visitors[session] = visitor
                if self._gone_at.pop(session, None) is not None:
                    visitor.lost = "was away"
                if not self._connections.get(session):
                    self._left_at[session] = self._clock()  # no heartbeat yet: without one it goes after the grace
            return self._visitors[session]

    def tabs(self, owner: str) -> list[Visitor]:
        """All of this browser's."""
        with self._lock:
            return self._of(owner)

    def _of(self, owner: str) -> list[Visitor]:
        """This browser's tabs, the latest first."""
        return [visitor for visitor in reversed(self._visitors.values()) if visitor.owner == owner]

    def hand_over(self, visitor: Visitor, sha256: str) -> None:
        """Give a visitor the photo that another tab of the same browser holds, or held a moment ago, if that is it."""
        with self._lock:
            tabs = [tab for tab in self._of(visitor.owner) if tab is not visitor]
        for tab in tabs:
            photo, check, preview = tab.photo, tab.check, tab.preview
            if photo is not None and check is not None and preview is not None and photo.sha256 == sha256:
                with suppress(FileNotFoundError):  # it goes in this moment
                    visitor.take(photo, check, tab.face, preview.read_bytes())
                    return

    def forget_key(self, owner: str) -> None:
        """From all of this browser's tabs, for each would hand it to the next."""
        with self._lock:
            for tab in self._of(owner):
                tab.key = None

    def delete(self, owner: str) -> None:
        """Everything of all of this browser's tabs goes, but for their keys."""
        for tab in self.tabs(owner):
            tab.delete()

    def named(self, name: str) -> Visitor | None:
        """The visitor whose secret name this is."""
        with self._lock:
            return next((visitor for visitor in self._visitors.values() if visitor.name == name), None)

    def _forget_photo(self, photo: Photo) -> None:
        for backend in self._backends:
            try:
                backend.forget(photo)
            except Exception:  # noqa: BLE001  what else is to be deleted must not wait for one backend's bug
                _log.exception("The backend %s could not forget a photo", backend.name)

    def make_room(self) -> None:
        """Hold the photos of all tabs within their bound: those taken first go first, the latest never."""
        with self._lock:
            latest_first = sorted(self._visitors.values(), key=lambda visitor: visitor.taken_at, reverse=True)
        held = 0
        for visitor in latest_first:
            photo = visitor.photo
            if photo is None:
                continue
            if held and held + photo.pixels.nbytes > self._photo_bytes:
                visitor.put_back("made room")
            else:
                held += photo.pixels.nbytes

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
                    self._left_at[session] = self._clock()

    def stop(self, session: str | None) -> None:
        """Nobody is looking any more: what runs for this tab ends."""
        visitor = self._visitors.get(session or "")
        if visitor is not None:
            visitor.team.leave()
            if visitor.job is not None:
                visitor.job.leave()

    def sweep(self) -> None:
        """Delete what has been kept for its time, and everything of the tabs that closed."""
        now = self._clock()
        with self._lock:
            gone = [session for session, left in self._left_at.items() if now - left >= self.grace_seconds]
            leaving = [self._visitors.pop(session) for session in gone if session in self._visitors]
            for session in gone:
                del self._left_at[session]
                self._gone_at[session] = now
            for session in [session for session, at in self._gone_at.items() if now - at >= self.keep_seconds]:
                del self._gone_at[session]
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
