"""The handlers that run a team: submit, confirm, run, stop."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import anyio
import anyio.to_thread
import gradio as gr

from headshot.errors import NotConfigured, PhotoError, RequestError, Stopped, Unavailable
from headshot.progress import Step
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.execution import execute
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.runs.team import Person, Team, TeamLook
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui.messages import Updates, message_for, toast

from .look import TeamLookPart
from .photos import RUNNING
from .view import PHOTOS_DELETED, TeamView


class TeamRuns:
    """Runs a team's look for one person after the other."""

    def __init__(
        self,
        view: TeamView,
        look: TeamLookPart,
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        recorder: HistoryRecorder,
        check_limiter: anyio.CapacityLimiter,
    ) -> None:
        self._view = view
        self._look = look
        self._sessions = sessions
        self._queues = queues
        self._recorder = recorder
        self._check_limiter = check_limiter

    async def submit(self, values: Updates, request: gr.Request) -> Updates:
        """Request a run; ask first if it is paid."""
        return await self._request_run(values, request, confirmed=False)

    async def submit_paid(self, values: Updates, request: gr.Request) -> Updates:
        """Request a run after the visitor confirmed that it is paid."""
        return await self._request_run(values, request, confirmed=True)

    async def _request_run(self, values: Updates, request: gr.Request, *, confirmed: bool) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        team = session.team
        async with team.checking:
            if team.running:
                toast(RUNNING)
                return {self._view.status: gr.skip()}
            if team.from_history:
                raise PhotoError(PHOTOS_DELETED)
            look = await self._look.read(values, session)
            missing = team.missing(look)
            if not team.people:
                raise PhotoError("Add your team’s photos first.")
            if not team.usable:
                raise PhotoError("None of these photos can be used; see their cards.")
            if not missing:
                raise RequestError("Everyone has a headshot in this look. Choose another look, or add photos.")
            if not confirmed and any(backend.survives_disconnect for backend in look.backends):
                return {self._view.status: gr.skip(), **self._view.ask(team, look, missing)}
            session.delete_headshots(team.request_run(look))
        return self._view.starting(session, look)

    async def run(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """Run what was requested, if anything; yields the tab as headshots come."""
        session = self._sessions.get(request.session_hash, request.cookies)
        team = session.team
        async with team.making:
            if not team.start() or team.look is None:
                return
            version = team.run_version
            try:
                async with aclosing(self._run_everyone(session, team, team.look)) as updates:
                    async for update in updates:
                        yield update
            finally:
                team.finish(version)
        if not team.running:  # the next run may be, if it was waiting for this one's end
            yield await self._view.snapshot(values, session)

    async def _run_everyone(self, session: TabSession, team: Team, look: TeamLook) -> AsyncGenerator[Updates]:
        """One person after the other, so that one photo at a time is in memory."""
        version = team.run_version
        for person in team.missing(look):
            if team.run_version != version:
                return
            team.current = person
            try:
                async with aclosing(self._run_person(session, team, look, person)) as updates:
                    async for update in updates:
                        yield update
            except Stopped:
                return
            except (NotConfigured, Unavailable) as error:  # the next person's would end in the same way
                person.failure = str(error)
                raise
            except Exception as error:  # noqa: BLE001  a bug is logged in message_for()
                person.failure = message_for(error)

    async def _run_person(
        self, session: TabSession, team: Team, look: TeamLook, person: Person
    ) -> AsyncGenerator[Updates]:
        number = team.usable.index(person) + 1
        text, stage = f"{number} of {len(team.usable)}: {person.name}", ""

        def progress() -> Updates:
            return self._view.progress(session, len(team.headshots), len(team.usable), text, stage)

        yield progress()
        version = team.run_version
        photo = await anyio.to_thread.run_sync(person.open_photo, limiter=self._check_limiter)
        run = person.run
        if run is None:
            run = person.run = Run(
                [look.request],
                photo,
                person.chosen_face,
                person.face,
                look.backends,
                owner=session.owner,
                kind="team",
                group=team.group,
                name=person.name,
            )
        else:
            run.reopen()
            run.photo, run.backends = photo, look.backends
        if team.run_version != version:  # stopped while the photo was read
            run.stop()
        try:
            async with aclosing(execute(run, photo, self._queues, session, self._recorder)) as events:
                async for event in events:
                    if isinstance(event, Step):
                        stage = event.stage
                    if team.run_version == version:
                        yield progress()
        finally:
            team.history_error = team.history_error or run.history_error
            if session.photo is None or session.photo.sha256 != photo.sha256:
                for backend in look.backends:
                    backend.drop_cache(photo)
            await anyio.to_thread.run_sync(self._recorder.end, run)

    async def stop(self, values: Updates, request: gr.Request) -> Updates:
        """Stop the run. Finished headshots stay."""
        session = self._sessions.get(request.session_hash, request.cookies)
        session.team.stop()
        return await self._view.snapshot(values, session)
