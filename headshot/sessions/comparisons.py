"""The comparison of a tab: started, stopped, continued and brought back. Each change ends in `TabSession.changed`."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio.to_thread

from headshot.backends import Backend
from headshot.errors import PhotoError, RequestError, Stopped
from headshot.modelslab.backend import ModelsLab
from headshot.request import HeadshotRequest
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.error_messages import message_for
from headshot.runs.execution import execute, parent_of, run_from_history
from headshot.runs.files import save_photo_copy
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run

from .registry import SessionRegistry
from .status import Status
from .tab_session import TabSession

if TYPE_CHECKING:
    from headshot import storage

BUSY = "A comparison is running. Wait for it, or press Stop first."
GONE = "This headshot is no longer here: pictures are deleted after a while."


class Comparisons:
    """Runs the comparisons of all tabs. Its methods are called on the event loop."""

    def __init__(
        self,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        recorder: HistoryRecorder,
    ) -> None:
        """Run nothing yet.

        Args:
            registry: the backends by name.
            sessions: the open tabs.
            queues: by the backend's name.
            recorder: saves the runs in the history.
        """
        self._registry = registry
        self._sessions = sessions
        self._queues = queues
        self._recorder = recorder
        self._following: set[asyncio.Task[None]] = set()

    async def start(self, session: TabSession, run: Run) -> None:
        """Make this the comparison of the tab, and run it beside whoever called.

        Args:
            session: of the tab.
            run: made just now.
        """
        await self._load_other_runs(session)
        session.begin(run)
        self._follow(session, run)

    async def stop(self, session: TabSession) -> None:
        """Stop the tab's comparison. Finished headshots stay; what was sent to ModelsLab before comes by itself."""
        run = session.run
        if run is None or not run.alive:
            return
        run.stop()
        session.notice = None
        await anyio.to_thread.run_sync(self._recorder.end, run)
        session.changed()
        sent = {at.request: at.job for at in run.statuses.values() if at.kind == "under way" and at.job}
        hosted = self.hosted(session)
        if sent and hosted is not None:
            comparison = await hosted.comparison_of(next(iter(sent.values())))
            if run.stopped and session.run is run:
                run.remote_id = comparison
                run.reopen(late=sent)
                self._follow(session, run)

    async def restore(self, session: TabSession) -> None:
        """Bring this browser's photo and last comparison back to a new page, and continue what has not ended.

        Args:
            session: of a tab without a comparison.
        """
        if session.run is not None:
            return
        hosted = self.hosted(session)
        jobs = () if hosted is None else await hosted.running_jobs()
        if hosted is not None and jobs:
            self._sessions.share_photo(session, jobs[0].photo_sha256)
            await self._resume_remote(session, hosted, jobs)
            return
        entry = await self._recorder.latest(session.owner)
        if entry is not None and (entry.headshots or not entry.ended):
            await self.open_entry(session, entry)
        self._sessions.share_photo(session)
        run = session.run
        if run is None or entry is None or entry.ended or not (run.missing and run.can_go_on):
            return
        if session.photo is not None and session.photo.sha256 == run.photo_sha256:
            self.run_missing(session, run, None)

    async def open_entry(self, session: TabSession, entry: "storage.HistoryEntry") -> None:
        """Put a comparison of the history on the page, in place of the current one.

        Args:
            session: of the tab.
            entry: from the history.

        Raises:
            RequestError: if a comparison is running.
        """
        if session.run is not None and session.run.alive:
            raise RequestError(BUSY)
        self._sessions.share_photo(session, entry.photo_sha256)
        photo, check, original = session.photo, session.check, None
        if photo is not None and photo.sha256 == entry.photo_sha256 and check is not None and check.chosen:
            original = await anyio.to_thread.run_sync(save_photo_copy, session, photo, check.chosen)
        backend = session.backends(self._registry).get(entry.backend)
        session.begin(run_from_history(entry, [] if backend is None else [backend], original, session))

    def run_missing(self, session: TabSession, run: Run, only: HeadshotRequest | None) -> None:
        """Generate the missing headshots of a comparison.

        Args:
            session: of the tab.
            run: the comparison on its page.
            only: the one to generate, None for all.

        Raises:
            PhotoError: if the tab does not have the comparison's photo.
            RequestError: if the comparison is running, or cannot be continued.
        """
        if run.alive:
            raise RequestError(BUSY)
        if not run.can_go_on:
            raise RequestError("This comparison cannot be continued. Press Generate to make it again.")
        if session.photo is None or session.photo.sha256 != run.photo_sha256:
            raise PhotoError("This comparison was started with another photo. Add that photo again, then continue.")
        run.reopen()
        run.photo, run.only, run.chosen = session.photo, only, None if session.check is None else session.check.chosen
        self._follow(session, run)

    def run_missing_at(self, session: TabSession, position: str) -> None:
        """Generate one missing headshot.

        Args:
            session: of the tab.
            position: of the request in its comparison, as text; "" for all that are missing.

        Raises:
            PhotoError: as `run_missing` does.
            RequestError: as `run_missing` does, or if there is no such headshot.
        """
        run = session.run
        if run is None:
            raise RequestError(GONE)
        only = next((request for at, request in enumerate(run.requests) if str(at) == position), None)
        if position and (only is None or only not in run.missing):
            raise RequestError(GONE)
        self.run_missing(session, run, only)

    async def retry_remote(self, session: TabSession, job: str, *, send: bool) -> None:
        """Ask ModelsLab for a job's result once more, or send the job once more.

        Args:
            session: of the tab.
            job: the job's id.
            send: whether to send it.

        Raises:
            PhotoError: if the photo to send is gone.
            RequestError: if there is no such job.
        """
        hosted, run = self.hosted(session), session.run
        if hosted is None or run is None:
            raise RequestError(GONE)
        if not send:
            comparison = await hosted.check_again(job)
        elif session.photo is None:
            raise PhotoError("Your photo is no longer here. Add the same photo again, then send it.")
        else:
            comparison = await hosted.send_again(job, session.photo, session.face)
        if not run.alive:  # else it is followed already
            run.remote_id = comparison
            run.reopen()
            self._follow(session, run)

    async def open_remote(self, session: TabSession, comparison: str) -> None:
        """Put another comparison at ModelsLab on the page.

        Args:
            session: of the tab.
            comparison: its id at ModelsLab.

        Raises:
            RequestError: if a comparison is running, or there is none with that id.
        """
        hosted = self.hosted(session)
        if session.run is not None and session.run.alive:
            raise RequestError(BUSY)
        jobs = () if hosted is None else await hosted.running_jobs(comparison)
        if hosted is None or not jobs:
            raise RequestError(GONE)
        await self._resume_remote(session, hosted, jobs)

    async def follow_again(self, session: TabSession) -> None:
        """Follow the jobs of the comparison on the page again, if they waited for a key that was just entered."""
        hosted, run = self.hosted(session), session.run
        if session.key is None or hosted is None or run is None or run.open or not run.remote_id:
            return
        jobs = await hosted.running_jobs(run.remote_id)
        waiting = {at.job for at in run.statuses.values() if at.kind == "unknown"}  # and not the stopped ones
        resumed = [job for job in jobs if job.id in waiting and hosted.jobs.status(job).kind == "under way"]
        if resumed and not run.alive:
            run.reopen()
            self._follow(session, run)

    async def delete(self, session: TabSession) -> None:
        """Delete everything of this tab's browser: photos, headshots, history, and what ModelsLab has made."""
        for tab in self._sessions.tabs(session.owner):
            own, shown = tab is session, tab.run is not None or tab.baseline is not None
            tab.delete()
            if own or shown:
                where = "" if own else " in another tab"
                what = "photo and headshots" if own else "headshots"
                tab.notice = Status(f"Your {what} were deleted{where}.", "done")
            tab.note_deletion(session)
        await self._recorder.forget(session.owner)
        hosted = self.hosted(session)
        if hosted is not None:
            await hosted.delete()

    def hosted(self, session: TabSession) -> ModelsLab | None:
        """Return the hosted backend with this visitor's key, if there is one."""
        backends = session.backends(self._registry).values()
        return next((backend for backend in backends if isinstance(backend, ModelsLab)), None)

    async def _resume_remote(
        self, session: TabSession, hosted: ModelsLab, jobs: "Sequence[storage.ModelsLabJob]"
    ) -> None:
        """Put a comparison at ModelsLab on the page, and follow its jobs: all of one comparison, at least one."""
        check = session.check if session.photo is not None and session.photo.sha256 == jobs[0].photo_sha256 else None
        photo, chosen = (None, None) if check is None else (session.photo, check.chosen)
        run = Run(
            [job.request for job in jobs],
            photo,
            chosen,
            session.face,
            [hosted],
            remote_id=jobs[0].comparison,
            owner=session.owner,
            photo_sha256=jobs[0].photo_sha256,
        )
        entry = await self._recorder.find_matching(run)
        if entry is not None:
            run.kind, run.history_id, run.parent = entry.kind, entry.id, parent_of(entry)
            run.history_ids = {shot.position: shot.id for shot in entry.headshots}
        await self.start(session, run)

    async def _load_other_runs(self, session: TabSession) -> None:
        """Look up this browser's other comparisons at ModelsLab, which the page offers to open."""
        hosted = self.hosted(session)
        session.other_runs = [] if hosted is None else await hosted.other_runs()

    def _follow(self, session: TabSession, run: Run) -> None:
        session.notice = None
        session.changed()
        task = asyncio.create_task(self._run(session, run))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _run(self, session: TabSession, run: Run) -> None:
        """Run a comparison to its end. Its error is the last thing that it says of itself."""
        photo, attempt = run.photo, run.attempt
        try:
            async with aclosing(execute(run, photo, self._queues, session, self._recorder)) as events:
                async for _ in events:
                    session.changed()
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001  logged in message_for()
            attempt.error = message_for(error)
        finally:
            # The photo was removed or replaced meanwhile.
            if photo is not None and (session.photo is None or session.photo.sha256 != photo.sha256):
                for backend in run.backends:
                    backend.drop_cache(photo)
            session.changed()
