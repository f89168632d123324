"""Runs a team's look for one person after the other. Each change ends in `TabSession.changed`."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing

import anyio
import anyio.to_thread

from headshot.errors import NotConfigured, Stopped, Unavailable
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.error_messages import message_for
from headshot.runs.execution import execute
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.runs.team import Person, Team, TeamLook

from .status import Status
from .tab_session import TabSession


class TeamRuns:
    """Runs the teams of all tabs. Its methods are called on the event loop."""

    def __init__(
        self, queues: Mapping[str, BackendQueue], recorder: HistoryRecorder, check_limiter: anyio.CapacityLimiter
    ) -> None:
        """Run nothing yet.

        Args:
            queues: by the backend's name.
            recorder: saves the runs in the history.
            check_limiter: of the photos that are in memory at once, of all visitors.
        """
        self._queues = queues
        self._recorder = recorder
        self._check_limiter = check_limiter
        self._running: set[asyncio.Task[None]] = set()

    def start(self, session: TabSession, look: TeamLook) -> None:
        """Run a look for everyone who has no headshot in it, beside whoever called.

        Args:
            session: of a tab whose team does not run.
            look: as the form describes it.
        """
        session.team_notice = None
        session.delete_headshots(session.team.request_run(look))
        session.changed()
        task = asyncio.create_task(self._run(session, session.team))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def stop(self, session: TabSession) -> None:
        """Stop the tab's run. Finished headshots stay."""
        session.team.stop()
        session.changed()

    async def _run(self, session: TabSession, team: Team) -> None:
        async with team.making:
            if not team.start() or team.look is None:
                return
            version = team.run_version
            try:
                await self._run_everyone(session, team, team.look)
            except Exception as error:  # noqa: BLE001  a bug is logged in message_for()
                if team.run_version == version:
                    session.team_notice = Status(message_for(error), "error")
            finally:
                team.finish(version)
                session.changed()

    async def _run_everyone(self, session: TabSession, team: Team, look: TeamLook) -> None:
        """One person after the other, so that one photo at a time is in memory."""
        version = team.run_version
        for person in team.missing(look):
            if team.run_version != version:
                return
            team.current = person
            session.changed()
            try:
                await self._run_person(session, team, look, person)
            except Stopped:
                return
            except (NotConfigured, Unavailable) as error:  # the next person's would end in the same way
                person.failure = str(error)
                raise
            except Exception as error:  # noqa: BLE001  a bug is logged in message_for()
                person.failure = message_for(error)

    async def _run_person(self, session: TabSession, team: Team, look: TeamLook, person: Person) -> None:
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
                async for _ in events:
                    session.changed()
        finally:
            team.history_error = team.history_error or run.history_error
            if session.photo is None or session.photo.sha256 != photo.sha256:
                for backend in look.backends:
                    backend.drop_cache(photo)
            await anyio.to_thread.run_sync(self._recorder.end, run)
