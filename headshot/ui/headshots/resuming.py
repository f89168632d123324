"""Continuing a comparison: after a reload, from the history, at ModelsLab, or for the headshots that are missing."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio.to_thread
import gradio as gr

from headshot.backends import Backend
from headshot.errors import BackendError, PhotoError, RequestError
from headshot.modelslab.backend import ModelsLab
from headshot.request import HeadshotRequest
from headshot.runs.execution import parent_of, run_from_history
from headshot.runs.files import save_photo_copy
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui.messages import Updates

from . import results
from .account import AccountPart, modelslab
from .photo import PhotoPart
from .run_view import RunView
from .running import BUSY, Runner

if TYPE_CHECKING:
    from headshot import storage


class Resumer:
    """Brings an earlier comparison back to the page, and continues it where that is possible."""

    def __init__(
        self,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        recorder: HistoryRecorder,
        account: AccountPart,
        photo: PhotoPart,
        runner: Runner,
        view: RunView,
    ) -> None:
        self._registry = registry
        self._sessions = sessions
        self._recorder = recorder
        self._account = account
        self._photo = photo
        self._runner = runner
        self._view = view

    async def restore(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """Handle a page load: continue this browser's last comparison, at ModelsLab or from the history."""
        session = self._sessions.get(request.session_hash, request.cookies)
        hosted = modelslab(session.backends(self._registry))
        if session.key is not None:
            yield self._account.shown(session)
        jobs = await hosted.running_jobs() if hosted is not None and session.run is None else ()
        if hosted is None or not jobs:
            entry = await self._recorder.unfinished(session.owner) if session.run is None else None
            if entry is None:
                return
            async with aclosing(self._resume_unfinished(session, entry)) as updates:
                async for update in updates:
                    yield update
            return
        self._sessions.move_photo_to(session, jobs[0].photo_sha256)
        if session.photo is not None:
            yield self._photo.as_it_is(session)
        async with aclosing(self.resume_remote(session, hosted, jobs)) as updates:
            async for update in updates:
                yield update

    async def open_entry(self, session: TabSession, entry: "storage.HistoryEntry") -> Updates:
        """Put a comparison of the history on the page, in place of the current one.

        Raises:
            RequestError: if a comparison is running.
        """
        if session.run is not None and session.run.alive:
            raise RequestError(BUSY)
        self._sessions.move_photo_to(session, entry.photo_sha256)
        photo, check, original = session.photo, session.check, None
        if photo is not None and photo.sha256 == entry.photo_sha256 and check is not None and check.chosen:
            original = await anyio.to_thread.run_sync(save_photo_copy, session, photo, check.chosen)
        backend = session.backends(self._registry).get(entry.backend)
        run = run_from_history(entry, [] if backend is None else [backend], original, session)
        session.begin(run)
        return {**self._photo.as_it_is(session), **self._view.running(session, run, results.found(run))}

    async def run_missing(self, session: TabSession, run: Run, only: HeadshotRequest | None) -> AsyncGenerator[Updates]:
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
        yield self._view.starting(session, run)
        async with aclosing(self._runner.stream(session, run)) as updates:
            async for update in updates:
                yield update

    async def resume_remote(
        self, session: TabSession, hosted: ModelsLab, jobs: "Sequence[storage.ModelsLabJob]"
    ) -> AsyncGenerator[Updates]:
        """Put a comparison at ModelsLab on the page, and follow its jobs.

        Args:
            session: of the tab.
            hosted: the backend with this visitor's key.
            jobs: all of one comparison, at least one.
        """
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
        await self._runner.load_other_runs(session)
        session.begin(run)
        async with aclosing(self._stream_resumed(session, run)) as updates:
            async for update in updates:
                yield update

    async def on_key_entered(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """Follow the jobs of the comparison on the page again, if they waited for the key that was just entered."""
        session = self._sessions.get(request.session_hash, request.cookies)
        hosted, run = modelslab(session.backends(self._registry)), session.run
        if session.key is None or hosted is None or run is None or run.alive or not run.remote_id:
            return
        jobs = await hosted.running_jobs(run.remote_id)
        waiting = {at.job for at in run.statuses.values() if at.kind == "unknown"}  # and not the stopped ones
        resumed = [job for job in jobs if job.id in waiting and hosted.jobs.status(job).kind == "under way"]
        if run.alive or not resumed:
            return
        run.reopen()
        async with aclosing(self._stream_resumed(session, run)) as updates:
            async for update in updates:
                yield update

    async def _resume_unfinished(self, session: TabSession, entry: "storage.HistoryEntry") -> AsyncGenerator[Updates]:
        """Show a comparison whose page or server went away, and continue it if its photo is still here."""
        yield await self.open_entry(session, entry)
        run = session.run
        if run is not None and run.missing and run.can_go_on and session.photo is not None:
            async with aclosing(self.run_missing(session, run, None)) as updates:
                async for update in updates:
                    yield update

    async def _stream_resumed(self, session: TabSession, run: Run) -> AsyncGenerator[Updates]:
        """Like `Runner.stream`, but errors are not raised: they were shown when they happened, and are on the cards."""
        yield self._view.starting(session, run)
        try:
            async with aclosing(self._runner.stream(session, run)) as updates:
                async for update in updates:
                    yield update
        except BackendError:
            yield self._view.incomplete(session, run)
