"""Generate and Stop: a comparison from the press of the button to its last headshot."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import anyio.to_thread
import gradio as gr

from headshot.backends import Backend
from headshot.errors import PhotoError, Stopped
from headshot.progress import HeadshotStatus, Step
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.execution import execute
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates, toast

from . import results
from .account import modelslab
from .form import Form
from .run_view import RunView

BUSY = "A comparison is running. Wait for it, or press Stop first."


class Runner:
    """Starts the comparison that the form describes, streams its updates and stops it."""

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        form: Form,
        recorder: HistoryRecorder,
        view: RunView,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._sessions = sessions
        self._queues = queues
        self._form = form
        self._recorder = recorder
        self._view = view

    async def submit(self, values: Updates, request: gr.Request) -> Updates:
        """Handle Generate: check everything that can be refused at once, and show the empty frames.

        A matrix is not started but asked about. `run` starts the work itself.
        """
        return await self._submit(values, request, confirmed=False)

    async def submit_matrix(self, values: Updates, request: gr.Request) -> Updates:
        """Handle the confirmation of a matrix, as `submit` handles Generate."""
        return await self._submit(values, request, confirmed=True)

    async def run(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """Run what `submit` has prepared; nothing if it was refused, or stopped meanwhile."""
        session = self._sessions.get(request.session_hash, request.cookies)
        run = session.run
        if run is None or run.photo is None or run.attempt.started or run.stopped:
            return
        async with aclosing(self.stream(session, run)) as updates:
            async for update in updates:
                yield update

    async def stop(self, values: Updates, request: gr.Request) -> Updates:
        """Handle Stop."""
        session = self._sessions.get(request.session_hash, request.cookies)
        run = session.run
        if run is None:
            return self._view.unchanged()
        if run.alive:
            run.stop()
            await anyio.to_thread.run_sync(self._recorder.end, run)
        return self._view.finished(session, run)

    async def stream(self, session: TabSession, run: Run) -> AsyncGenerator[Updates]:
        """Run a comparison, and yield the page's updates as long as the page shows this one.

        Raises:
            BackendError: as `execute` does.
        """
        photo, attempt, status = run.photo, run.attempt, results.starting(run)

        def is_on_the_page() -> bool:
            return session.run is run and run.attempt is attempt

        try:
            async with aclosing(execute(run, photo, self._queues, session, self._recorder)) as events:
                async for event in events:
                    if not is_on_the_page():  # it was stopped, and the page already shows the next one
                        return
                    if isinstance(event, Step):
                        status = results.step(event)
                    if isinstance(event, HeadshotStatus) and not attempt.events.empty():
                        continue  # several headshots report at once: one update shows them all
                    yield self._view.running(session, run, status)
        except Stopped:
            if not is_on_the_page():
                return
        finally:
            # The photo was removed or replaced meanwhile.
            if photo is not None and (session.photo is None or session.photo.sha256 != photo.sha256):
                for backend in run.backends:
                    backend.drop_cache(photo)
        yield self._view.finished(session, run)

    async def load_other_runs(self, session: TabSession) -> None:
        """Look up this browser's other comparisons at ModelsLab, which the page offers to open."""
        hosted = modelslab(session.backends(self._registry))
        session.other_runs = [] if hosted is None else await hosted.other_runs()

    async def _submit(self, values: Updates, request: gr.Request, *, confirmed: bool) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        async with session.checking:
            if session.run is not None and session.run.alive:  # Enter in the seeds; Generate itself is hidden
                toast(BUSY)
                return self._view.unchanged()
            return await self._start(values, session, confirmed=confirmed)

    async def _start(self, values: Updates, session: TabSession, *, confirmed: bool) -> Updates:
        """Make the form's comparison the one on the page. Raises PhotoError and RequestError."""
        if session.photo is None or session.check is None:
            raise PhotoError(self._why_no_photo(session))
        session.check.require_face()  # raises PhotoError if the photo cannot be used
        seeds = self._form.seeds
        updates: Updates = {}
        if not values[self._form.locked] and not confirmed:  # a confirmed matrix has the seeds that were asked about
            updates[seeds] = self._form.fresh_seeds(values)
            values = {**values, **updates}
        matrix = self._form.matrix(values)
        if matrix is not None and not (confirmed and self._form.is_confirmed(values, session)):
            return {**self._view.unchanged(), **self._form.request_confirmation(values, session)}
        chain = self._form.chain(values, session)
        requests = self._form.requests(values) if matrix is None else matrix.ordered_for(chain[0].name)
        run = Run(
            requests,
            session.photo,
            session.check.chosen,
            session.face,
            chain,
            parent=session.parent,
            owner=session.owner,
            kind="comparison" if matrix is None else "matrix",
        )
        await self.load_other_runs(session)
        session.begin(run)
        return {
            **self._view.starting(session, run),
            self._view.notes: "",
            **updates,
            **self._form.clear_confirmation(),
        }

    def _why_no_photo(self, session: TabSession) -> str:
        match session.photo_lost_reason:
            case "expired":
                return f"Your photo was deleted after {self._settings.keep_minutes} minutes. Add it again."
            case "evicted":
                return "The server is full, so your photo was deleted to make room. Add it again."
            case "disconnected":
                return "This page was disconnected for a while, so its pictures were deleted. Add the photo again."
        return "Add a photo first."
