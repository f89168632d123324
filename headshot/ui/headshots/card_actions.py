"""The buttons of the cards and of the viewer: use a seed, pin a baseline, try again, open another comparison."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import gradio as gr

from headshot.backends import Backend
from headshot.errors import PhotoError, RequestError
from headshot.modelslab.backend import ModelsLab
from headshot.request import HeadshotRequest
from headshot.runs.run import Run
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui.messages import Updates, note

from .account import modelslab
from .form import Form
from .resuming import Resumer
from .run_view import RunView
from .running import BUSY, Runner

_GONE = "This headshot is no longer here: pictures are deleted after a while."


class CardActions:
    """Handles what the buttons of a headshot trigger: the `select` event of the cards."""

    def __init__(
        self,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        form: Form,
        runner: Runner,
        resumer: Resumer,
        view: RunView,
    ) -> None:
        self._registry = registry
        self._sessions = sessions
        self._form = form
        self._runner = runner
        self._resumer = resumer
        self._view = view

    async def on_action(self, values: Updates, request: gr.Request, event: gr.EventData) -> AsyncIterator[Updates]:
        """Do what the button of a card asks for. The event has `action`, and `id`: of a headshot, job or position."""
        session = self._sessions.get(request.session_hash, request.cookies)
        action, name = event.action, str(event.id)
        if action in ("check", "send", "open", "make", "make all"):
            async with aclosing(self._start(session, action, name)) as updates:
                async for update in updates:
                    yield update
            return
        shot = session.headshot(name)
        if shot is None:
            raise RequestError(_GONE)
        match action:
            case "use_seed":
                session.parent = shot.content_id
                note(f"Seed {shot.request.seed} is now in the Seeds field.")
                yield {self._form.seeds: str(shot.request.seed), self._form.locked: True}
                return
            case "baseline":
                session.set_baseline(shot)
            case "no_baseline":
                session.set_baseline(None)
        yield self._view.cards(session)

    def _start(self, session: TabSession, action: str, name: str) -> AsyncGenerator[Updates]:
        """The updates of an action that runs for a while."""
        if action in ("make", "make all"):
            run = session.run
            if run is None:
                raise RequestError(_GONE)
            only = None if action == "make all" else _missing_at(run, name)
            return self._resumer.run_missing(session, run, only)
        hosted = modelslab(session.backends(self._registry))
        if hosted is None:
            raise RequestError(_GONE)
        if action == "open":
            return self._open_remote(session, hosted, name)
        return self._retry_remote(session, hosted, name, send=action == "send")

    async def _retry_remote(
        self, session: TabSession, hosted: ModelsLab, job: str, *, send: bool
    ) -> AsyncGenerator[Updates]:
        """Ask ModelsLab for a job's result once more, or send the job once more."""
        run = session.run
        if run is None:
            raise RequestError(_GONE)
        if not send:
            comparison = await hosted.check_again(job)
        elif session.photo is None:
            raise PhotoError("Your photo is no longer here. Add the same photo again, then send it.")
        else:
            comparison = await hosted.send_again(job, session.photo, session.face)
        if run.alive:  # its updates are streamed already
            return
        run.remote_id = comparison
        run.reopen()
        yield self._view.starting(session, run)
        async with aclosing(self._runner.stream(session, run)) as updates:
            async for update in updates:
                yield update

    async def _open_remote(self, session: TabSession, hosted: ModelsLab, comparison: str) -> AsyncGenerator[Updates]:
        """Put another comparison at ModelsLab on the page."""
        if session.run is not None and session.run.alive:
            raise RequestError(BUSY)
        jobs = await hosted.running_jobs(comparison)
        if not jobs:
            raise RequestError(_GONE)
        async with aclosing(self._resumer.resume_remote(session, hosted, jobs)) as updates:
            async for update in updates:
                yield update


def _missing_at(run: Run, position: str) -> HeadshotRequest:
    """The missing headshot at that position of the comparison."""
    found = next((request for at, request in enumerate(run.requests) if str(at) == position), None)
    if found is None or found not in run.missing:
        raise RequestError(_GONE)
    return found
