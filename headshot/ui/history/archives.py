"""The handlers that export a history as one archive and import one, with what the page shows meanwhile."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import anyio

from headshot.errors import RequestError
from headshot.runs.history_queries import export_to
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.tab_session import TabSession
from headshot.ui.headshots.photo import delete_upload, is_upload

from . import timeline

if TYPE_CHECKING:
    from headshot.storage import History

MAX_ARCHIVE_BYTES = 2 * 2**30  # that one visitor may import: a thousand headshots
PART_BYTES = 8 * 2**20  # an archive is uploaded in parts: the server accepts no file that is larger than a photo
_REPORT_SECONDS = 0.5  # how often the page learns how far its import is
_AT_ONCE = 2  # archives that are written or read, each of which keeps a disk busy for a while


class HistoryArchives:
    """Exports and imports histories, a few at a time."""

    def __init__(self, recorder: HistoryRecorder, cache: Path) -> None:
        self._recorder = recorder
        self._cache = cache
        self._exported: WeakKeyDictionary[TabSession, Path] = WeakKeyDictionary()
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._imports: set[asyncio.Task[str]] = set()  # the event loop holds a task only by a weak reference

    async def export(self, session: TabSession) -> dict[str, Any]:
        """Write the owner's history into a file of the tab's, in place of an earlier export.

        Returns:
            The file's address as "href", its "name", and its "size" in words.

        Raises:
            RequestError: if there is nothing to export, or the archive cannot be written.
        """
        session.delete_slot(self._exported.pop(session, None))
        if not self._recorder.may_have_data:
            raise RequestError("There is nothing to export yet.")
        path = session.write(f"headshot-history-{datetime.now(UTC):%Y-%m-%d}.zip", b"")
        self._exported[session] = path
        async with self._limiter:
            await self._recorder.run(lambda history: export_to(history, session.owner, path))
        return {
            "href": session.address(path.parent.name, path.name),
            "name": path.name,
            "size": timeline.size(path.stat().st_size),
        }

    async def import_uploads(self, session: TabSession, paths: Sequence[str]) -> AsyncIterator[tuple[int, int] | str]:
        """Import an archive that was uploaded in parts. The import goes on if this generator is closed.

        Args:
            session: the tab's.
            paths: of the uploaded parts, in their order.

        Yields:
            How many headshots of how many are imported, now and then; at last what was imported, in words.

        Raises:
            RequestError: if the parts are no uploads, or the archive is refused.
        """
        if not paths or not all(is_upload(path, self._cache) for path in paths):
            raise RequestError("The upload failed. Choose the archive again.")
        progress = 0, 0

        def report(done: int, total: int) -> None:  # called in the thread that imports
            nonlocal progress
            progress = done, total

        task = asyncio.create_task(self._import(session.owner, paths, report))
        self._imports.add(task)
        task.add_done_callback(self._imports.discard)
        while not task.done():
            yield progress
            await asyncio.wait({task}, timeout=_REPORT_SECONDS)
        yield task.result()

    async def _import(self, owner: str, paths: Sequence[str], report: Callable[[int, int], None]) -> str:
        try:
            async with self._limiter:
                return await self._recorder.run(lambda history: _import_parts(history, owner, paths, report))
        finally:
            for path in paths:
                delete_upload(path)


def _import_parts(history: "History", owner: str, paths: Sequence[str], report: Callable[[int, int], None]) -> str:
    """Join the parts, import the archive, and return what was imported, in words."""
    from headshot.storage.history_import import import_history  # loads SQLAlchemy: too slow for a start

    with tempfile.TemporaryFile() as whole:
        try:
            for path in paths:
                with Path(path).open("rb") as part:
                    shutil.copyfileobj(part, whole)
                delete_upload(path)
                if whole.tell() > MAX_ARCHIVE_BYTES:
                    raise RequestError(f"The archive is too large. The limit is {MAX_ARCHIVE_BYTES / 2**30:g} GB.")
        except OSError as error:
            raise RequestError("The upload was incomplete. Choose the archive again.") from error
        imported = import_history(history, owner, whole, report)
    return timeline.imported(imported.comparisons, imported.headshots, imported.skipped, imported.saved_settings)
