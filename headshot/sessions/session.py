"""Who is on the page, what they put in and what they were given. Two visitors never meet.

A visitor is a browser tab. Its photo lives in memory, its pictures in a folder with an unguessable name; both go when
the tab closes, and each thing alone when it has been kept for its time.
"""

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from headshot.backends import Backend
from headshot.cookies import owner_of
from headshot.errors import RequestError, Stopped
from headshot.imaging.photo import Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.modelslab.account import Key
from headshot.modelslab.backend import ModelsLab, OtherRun
from headshot.modelslab.job_runner import WebhookTarget
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.runs.team import Team

GRACE_SECONDS = 300.0  # a phone that shows another app for a while lets go of its connection
PHOTO_BYTES = 2**30  # of all tabs' photos together: twenty of the largest, hundreds from phones, on a machine of 4 GB

Lost = Literal["", "kept its time", "made room", "was away"]

_log = logging.getLogger(__name__)


class TabSession:
    """One tab's belongings. `token` is 256 random bits: it stands in every picture's address and is the only way in."""

    def __init__(
        self, root: Path, forget_photo: Callable[[Photo], None], clock: Callable[[], float], owner: str
    ) -> None:
        self._forget_photo = forget_photo
        self._clock = clock
        self.token = secrets.token_urlsafe(32)
        self.owner = owner  # by which ModelsLab's jobs are found again
        self.key: Key | None = None  # to ModelsLab, in memory alone
        self.webhook: WebhookTarget | None = None  # a receiver of the visitor's own
        self.folder = root / self.token
        self.photo: Photo | None = None
        self.check: PhotoCheck | None = None
        self.face: int | None = None  # the face picked by hand
        self.parent = ""  # the mark of the picture whose settings were taken over: the comparisons that follow name it
        self.preview: Path | None = None
        self.photo_lost_reason: Lost = ""  # why a photo is gone that the visitor did not remove
        self.photo_version = 0  # counts the photos put in and taken out: a check that ends after a later turn is void
        self.upload = ""  # the path of the last one, which is deleted once it is read
        self.last_count_event = ("", "", 0.0)  # the count that was chosen last, for which seeds, and when
        self.run: Run | None = None
        self.team = Team()
        self.other_runs: list[OtherRun] = []  # what else ModelsLab has made, or makes
        self.baseline: SavedHeadshot | None = None  # stays beside the comparisons that follow
        self.checking = asyncio.Lock()  # held while a photo is looked at: Generate pressed meanwhile waits for it
        self.taken_at = 0.0
        self._left = False
        self._written: dict[Path, float] = {}  # when each corner was
        self._lock = threading.RLock()

    def backends(self, registry: Mapping[str, Backend]) -> dict[str, Backend]:
        """The registry as this visitor sees it: ModelsLab with their own key, if they have entered one."""
        return {
            name: backend.for_user(self.owner, self.key, self.webhook) if isinstance(backend, ModelsLab) else backend
            for name, backend in registry.items()
        }

    def set_photo(self, photo: Photo, check: PhotoCheck, face: int | None, preview: bytes) -> None:
        """Keep this photo in place of the one before. The time it is kept runs on where only the face is another."""
        with self._lock:
            path = self.write("photo.jpg", preview)
            former, former_preview = self.photo, self.preview
            self.photo, self.check, self.face, self.preview, self.photo_lost_reason = photo, check, face, path, ""
            if former is None or former.sha256 != photo.sha256:
                self.taken_at = self._clock()
        self.delete_slot(former_preview)
        if former is not None and former.sha256 != photo.sha256:
            self._forget_photo(former)

    def remove_photo(self, lost: Lost = "") -> None:
        """Forget the photo: at the visitor's wish, or for that reason."""
        with self._lock:
            self.photo_version += 1
            photo, preview = self.photo, self.preview
            self.photo, self.check, self.face, self.preview, self.photo_lost_reason = None, None, None, None, lost
        self.delete_slot(preview)
        if photo is not None:
            self._forget_photo(photo)

    def write(self, name: str, data: bytes, run: Run | None = None) -> Path:
        """Put a file into a new corner of the visitor's folder, so that equal names never meet.

        Raises Stopped after the visitor left, and after this job was stopped: a picture that lands late must not bring
        back what was deleted.
        """
        with self._lock:
            if self._left or (run is not None and run.stopped):
                raise Stopped("This headshot is no longer wanted.")
            corner = self.folder / secrets.token_urlsafe(8)
            corner.mkdir(parents=True)
            self._written[corner] = self._clock()
            path = corner / name
            path.write_bytes(data)
        return path

    def address(self, corner: str, name: str) -> str:
        """Where the browser finds what lies or is made in a corner of this visitor's, relative to the page."""
        return "/".join(["headshots", self.token, corner, quote(name)])

    def headshot(self, name: str) -> SavedHeadshot | None:
        """The headshot with that id, of what is on the page."""
        return next((shot for shot in self._on_the_page if shot.id == name), None)

    def by_content_id(self, mark: str) -> SavedHeadshot | None:
        """The headshot with that mark, of what is on the page."""
        return next((shot for shot in self._on_the_page if mark and shot.content_id == mark), None)

    @property
    def _on_the_page(self) -> list[SavedHeadshot]:
        """The baseline, the comparison's and the team's."""
        shots = [self.baseline, *([] if self.run is None else self.run.headshots), *self.team.headshots]
        return [shot for shot in shots if shot is not None]

    def begin(self, run: Run) -> None:
        """This comparison takes the place of the one before, whose files go, all but the baseline's."""
        with self._lock:
            former, self.run = self.run, run
            self.delete_headshots([] if former is None else former.headshots)

    def set_baseline(self, shot: SavedHeadshot | None) -> None:
        """The headshot that stays beside the comparisons that follow; None for none."""
        with self._lock:
            former, self.baseline = self.baseline, shot
            self.delete_headshots([] if former is None else [former])

    def delete_headshots(self, shots: Collection[SavedHeadshot]) -> None:
        """Delete the files of headshots, but of those that are still on the page."""
        needed = {corner for shot in self._on_the_page for corner in shot.slot_dirs}
        for corner in {corner for shot in shots for corner in shot.slot_dirs} - needed:
            self.delete_slot(corner / "anything")

    def delete(self) -> None:
        """Everything goes: what runs, the photo, the headshots, every file."""
        with self._lock:
            if self.run is not None:
                self.run.stop()
            self.team.stop()
            self.remove_photo()
            self.parent = ""
            self.run, self.team, self.baseline, self.other_runs = None, Team(), None, []
            self._written.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        with self._lock:
            self._left = True
            self.delete()

    def expire(self, before: float) -> None:
        """Drop the photo and every file that is older than that moment."""
        with self._lock:
            if self.photo is not None and self.taken_at < before:
                self.remove_photo("kept its time")
            for corner in [corner for corner, written in self._written.items() if written < before]:
                self.delete_slot(corner / "anything")
                if self.baseline is not None and self.baseline.path.parent == corner:
                    self.baseline = None

    def delete_slot(self, path: Path | None) -> None:
        """Delete the corner that a file lies in."""
        if path is None:
            return
        with self._lock:
            self._written.pop(path.parent, None)
            shutil.rmtree(path.parent, ignore_errors=True)


class SessionRegistry:
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
        self._sessions: dict[str, TabSession] = {}
        self._connections: dict[str, int] = {}
        self._left_at: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}  # whose things were deleted: a tab that comes back is told so
        self._lock = threading.Lock()

    def get(self, session_hash: str | None, cookies: Mapping[str, str] | None = None) -> TabSession:
        """The visitor with Gradio's session hash. Raises RequestError where there is none.

        cookies: the browser's. A tab of a browser whose other tab has a key, or had it a moment ago, has it too.
        """
        if session_hash is None:
            raise RequestError("This page has lost its session: load it anew.")
        with self._lock:
            if session_hash not in self._sessions:
                session = TabSession(self.root, self._forget_photo, self._clock, owner_of(cookies or {}))
                session.key = next((tab.key for tab in self._of(session.owner) if tab.key is not None), None)
                self._sessions[session_hash] = session
                if self._gone_at.pop(session_hash, None) is not None:
                    session.photo_lost_reason = "was away"
                if not self._connections.get(session_hash):
                    self._left_at[session_hash] = self._clock()  # no heartbeat yet: without one it goes after the grace
            return self._sessions[session_hash]

    def tabs(self, owner: str) -> list[TabSession]:
        """All of this browser's."""
        with self._lock:
            return self._of(owner)

    def _of(self, owner: str) -> list[TabSession]:
        """This browser's tabs, the latest first."""
        return [session for session in reversed(self._sessions.values()) if session.owner == owner]

    def move_photo_to(self, session: TabSession, sha256: str) -> None:
        """Give a visitor the photo that another tab of the same browser holds, or held a moment ago, if that is it."""
        with self._lock:
            tabs = [tab for tab in self._of(session.owner) if tab is not session]
        for tab in tabs:
            photo, check, preview = tab.photo, tab.check, tab.preview
            if photo is not None and check is not None and preview is not None and photo.sha256 == sha256:
                with suppress(FileNotFoundError):  # it goes in this moment
                    session.set_photo(photo, check, tab.face, preview.read_bytes())
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

    def by_token(self, name: str) -> TabSession | None:
        """The visitor whose secret name this is."""
        with self._lock:
            return next((session for session in self._sessions.values() if session.token == name), None)

    def _forget_photo(self, photo: Photo) -> None:
        for backend in self._backends:
            try:
                backend.drop_cache(photo)
            except Exception:  # noqa: BLE001  what else is to be deleted must not wait for one backend's bug
                _log.exception("The backend %s could not forget a photo", backend.name)

    def evict(self) -> None:
        """Hold the photos of all tabs within their bound: those taken first go first, the latest never."""
        with self._lock:
            latest_first = sorted(self._sessions.values(), key=lambda session: session.taken_at, reverse=True)
        held = 0
        for session in latest_first:
            photo = session.photo
            if photo is None:
                continue
            if held and held + photo.pixels.nbytes > self._photo_bytes:
                session.remove_photo("made room")
            else:
                held += photo.pixels.nbytes

    @contextmanager
    def connected(self, session_hash: str) -> Iterator[None]:
        """While the tab's heartbeat runs. A reconnecting tab overlaps itself: only the last to close counts."""
        with self._lock:
            self._connections[session_hash] = self._connections.get(session_hash, 0) + 1
            self._left_at.pop(session_hash, None)
        try:
            yield
        finally:
            with self._lock:
                self._connections[session_hash] -= 1
                if not self._connections[session_hash]:
                    del self._connections[session_hash]
                    self._left_at[session_hash] = self._clock()

    def stop(self, session_hash: str | None) -> None:
        """Nobody is looking any more: what runs for this tab ends."""
        session = self._sessions.get(session_hash or "")
        if session is not None:
            session.team.detach()
            if session.run is not None:
                session.run.detach()

    def sweep(self) -> None:
        """Delete what has been kept for its time, and everything of the tabs that closed."""
        now = self._clock()
        with self._lock:
            gone = [session_hash for session_hash, left in self._left_at.items() if now - left >= self.grace_seconds]
            leaving = [self._sessions.pop(session_hash) for session_hash in gone if session_hash in self._sessions]
            for session_hash in gone:
                del self._left_at[session_hash]
                self._gone_at[session_hash] = now
            for session_hash in [
                session_hash for session_hash, at in self._gone_at.items() if now - at >= self.keep_seconds
            ]:
                del self._gone_at[session_hash]
            staying = list(self._sessions.values())
        for session in leaving:
            session.leave()
        for session in staying:
            session.expire(before=now - self.keep_seconds)

    def close(self) -> None:
        """The server ends: nothing stays on the disk."""
        with self._lock:
            leaving = list(self._sessions.values())
            self._sessions.clear()
        for session in leaving:
            session.leave()
        shutil.rmtree(self.root, ignore_errors=True)

    def picture(self, session: str, corner: str, name: str) -> Path | None:
        """The file behind a picture's address, None where there is none. No name may climb out of its folder."""
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in (session, corner, name)):
            return None
        path = self.root / session / corner / name
        return path if path.is_file() else None
