"""All open tabs: found by Gradio's session hash, swept when they close. No visitor reaches another one's session."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from headshot.backends import Backend
from headshot.cookies import owner_of
from headshot.errors import RequestError
from headshot.imaging.photo import Photo

from .retention import GRACE_SECONDS, PHOTO_BYTES
from .tab_session import TabSession

_log = logging.getLogger(__name__)


class SessionRegistry:
    """All open tabs, by Gradio's session hash. Safe to use from any thread."""

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
        """Start without any tab.

        Args:
            root: folder of all tabs' files.
            keep_seconds: how long a photo or a file is kept.
            grace_seconds: how long a tab without a connection is kept.
            backends: drop what they cached of a photo when its visitor removes it.
            photo_bytes: upper bound for all photos in memory together.
            clock: seconds, never going back.
        """
        self._backends = backends
        self._photo_bytes = photo_bytes
        self._clock = clock
        self.root = root
        self.keep_seconds = keep_seconds
        self.grace_seconds = grace_seconds
        self._sessions: dict[str, TabSession] = {}
        self._connections: dict[str, int] = {}
        self._left_at: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}  # swept tabs: one that reconnects learns why its photo is gone
        self._lock = threading.Lock()

    def get(self, session_hash: str | None, cookies: Mapping[str, str] | None = None) -> TabSession:
        """Return the tab's session, made if there is none yet.

        Args:
            session_hash: Gradio's.
            cookies: the browser's. If another tab of the same browser has a key, or had one a moment ago, the new one
                gets it too.

        Raises:
            RequestError: if the page has no session hash.
        """
        if session_hash is None:
            raise RequestError("This page has lost its session. Reload it.")
        with self._lock:
            if session_hash not in self._sessions:
                session = TabSession(self.root, self._forget_photo, self._clock, owner_of(cookies or {}))
                session.key = next((tab.key for tab in self._of(session.owner) if tab.key is not None), None)
                self._sessions[session_hash] = session
                if self._gone_at.pop(session_hash, None) is not None:
                    session.photo_lost_reason = "disconnected"
                if not self._connections.get(session_hash):
                    self._left_at[session_hash] = self._clock()  # no heartbeat yet: without one it goes after the grace
            return self._sessions[session_hash]

    def tabs(self, owner: str) -> list[TabSession]:
        """Return all tabs of this browser, the latest first."""
        with self._lock:
            return self._of(owner)

    def _of(self, owner: str) -> list[TabSession]:
        return [session for session in reversed(self._sessions.values()) if session.owner == owner]

    def share_photo(self, session: TabSession, sha256: str = "") -> None:
        """Give a tab a photo that another tab of the same browser has, or had a moment ago. It gets no younger.

        Args:
            session: of the tab.
            sha256: of the photo; "" for the latest.
        """
        with self._lock:
            tabs = [tab for tab in self._of(session.owner) if tab is not session]
        for tab in sorted(tabs, key=lambda tab: tab.taken_at, reverse=True):
            photo, check, preview, taken_at = tab.photo, tab.check, tab.preview, tab.taken_at
            if photo is not None and check is not None and preview is not None and sha256 in ("", photo.sha256):
                with suppress(FileNotFoundError):  # the other tab removes it at this moment
                    session.set_photo(photo, check, tab.face, preview.read_bytes(), taken_at=taken_at)
                    return

    def forget_key(self, owner: str) -> None:
        """Remove the key from all tabs of this browser: each would pass it on to the next."""
        with self._lock:
            for tab in self._of(owner):
                tab.key = None

    def delete(self, owner: str) -> None:
        """Delete everything of all tabs of this browser, except for their keys."""
        for tab in self.tabs(owner):
            tab.delete()

    def by_token(self, token: str) -> TabSession | None:
        """Return the tab with that secret token."""
        with self._lock:
            return next((session for session in self._sessions.values() if session.token == token), None)

    def _forget_photo(self, photo: Photo) -> None:
        for backend in self._backends:
            try:
                backend.drop_cache(photo)
            except Exception:  # noqa: BLE001  what else is to be deleted must not wait for one backend's bug
                _log.exception("The backend %s could not drop what it cached of a photo", backend.name)

    def evict(self) -> None:
        """Keep the photos of all tabs within their bound: the oldest go first, the latest never."""
        with self._lock:
            latest_first = sorted(self._sessions.values(), key=lambda session: session.taken_at, reverse=True)
        held = 0
        for session in latest_first:
            photo = session.photo
            if photo is None:
                continue
            if held and held + photo.pixels.nbytes > self._photo_bytes:
                session.remove_photo("evicted")
            else:
                held += photo.pixels.nbytes

    @contextmanager
    def connected(self, session_hash: str) -> Iterator[None]:
        """Count one connection of a tab's heartbeat. A reconnecting tab has two: only the last to close counts."""
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
        """Detach from what runs for this tab: it was closed. Work that survives a disconnect goes on."""
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
        """Delete everything: the server ends, and nothing stays on the disk."""
        with self._lock:
            leaving = list(self._sessions.values())
            self._sessions.clear()
        for session in leaving:
            session.leave()
        shutil.rmtree(self.root, ignore_errors=True)

    def picture(self, token: str, slot: str, name: str) -> Path | None:
        """Return the file behind a picture's address, None if there is none.

        Args:
            token: the tab's.
            slot: name of the slot's folder.
            name: of the file. No part may climb out of its folder.
        """
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in (token, slot, name)):
            return None
        path = self.root / token / slot / name
        return path if path.is_file() else None
