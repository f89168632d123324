"""The handlers that add people's photos to a team, remove them, and start a new team."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path

import anyio
import anyio.to_thread
import gradio as gr

from headshot.errors import PhotoError, RequestError, Stopped
from headshot.imaging.photo import MAX_FILE_BYTES
from headshot.runs.team import Person, Team
from headshot.runs.team_photos import person_of
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.status import Status
from headshot.sessions.tab_session import TabSession
from headshot.ui.headshots.photo import delete_upload, is_upload, open_upload
from headshot.ui.messages import Updates, note
from headshot.ui.tab_state import TabState

from .view import PHOTOS_DELETED, TeamView

RUNNING = "The team’s headshots are being generated. Wait, or press Stop first."

_UPLOAD_NAME = re.compile(r"[0-9a-f]{32}([~+])(.*)", re.DOTALL)  # what upload_fix.js makes of a file's name
_HISTORY_KEPT = "The previous team’s headshots stay in your history."


class TeamPhotos:
    """Adds and removes the people of a team."""

    def __init__(
        self,
        view: TeamView,
        state: TabState,
        sessions: SessionRegistry,
        cache: Path,
        check_limiter: anyio.CapacityLimiter,
        max_people: int,
    ) -> None:
        self._view = view
        self._state = state
        self._sessions = sessions
        self._cache = cache
        self._check_limiter = check_limiter
        self._max_people = max_people

    def build(self) -> None:
        """Add the upload field to the page."""
        self.files = gr.File(
            file_count="multiple",
            file_types=["image", ".heic", ".heif"],
            label="Photos of the team",
            show_label=False,
            container=False,
            height=150,
            elem_id="team-files",
        )

    async def add(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """Handle an upload: check one photo after the other, and show each person at once."""
        files = [(str(file["path"]), str(file.get("orig_name") or file["path"])) for file in values[self.files] or []]
        try:
            # A script could name any file of the server's.
            if not all(is_upload(path, self._cache) for path, _ in files):
                raise PhotoError("The upload failed. Choose the photos again.")
            session = self._sessions.get(request.session_hash, request.cookies)
            async with aclosing(self._add_files(values, session, files)) as updates:
                async for update in updates:
                    yield update
        finally:
            for path, _ in files:
                if is_upload(path, self._cache):
                    delete_upload(path)

    async def _add_files(
        self, values: Updates, session: TabSession, files: Sequence[tuple[str, str]]
    ) -> AsyncGenerator[Updates]:
        if session.team.running:
            raise RequestError(RUNNING)
        if session.team.from_history:
            session.team = Team()
            note(_HISTORY_KEPT)
        team = session.team
        async with team.checking:
            room = max(0, self._max_people - len(team.people))
            accepted, left_out = files[:room], len(files) - room
            for number, (path, file_name) in enumerate(accepted, start=1):
                text = f"Checking photo {number} of {len(accepted)}"
                session.team_notice = Status(text, "running", number - 1, len(accepted))
                session.changed()
                if number == 1:
                    yield self._state.now(session)
                with suppress(Stopped):  # the visitor left
                    person = await anyio.to_thread.run_sync(
                        self._read, session, path, file_name, limiter=self._check_limiter
                    )
                    if session.team is team:
                        team.add(person)
            session.team_notice = None
        yield {self.files: None, **await self._view.snapshot(values, session)}
        if left_out > 0:
            people = "1 person was" if left_out == 1 else f"{left_out} people were"
            raise RequestError(f"A team has at most {self._max_people} people. {people} left out.")

    def _read(self, session: TabSession, path: str, file_name: str) -> Person:
        """Read an upload and delete it. Raises Stopped after the visitor left."""
        marked = _UPLOAD_NAME.fullmatch(file_name)
        too_large, name = (marked[1] == "+", marked[2]) if marked else (False, file_name)
        try:
            if too_large:
                raise PhotoError(f"This file is larger than {MAX_FILE_BYTES // 2**20} MB. Export a smaller one.")
            photo = open_upload(path)
        except PhotoError as error:
            return Person(name, refusal=str(error))
        finally:
            delete_upload(path)
        return person_of(photo, name, session.team.people, session)

    async def remove(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """Handle a card's button, which removes its person."""
        session = self._sessions.get(request.session_hash, request.cookies)
        team = session.team
        person = next((each for each in team.people if each.key == str(event.id)), None)
        if person is None:
            return self._state.now(session)
        if team.running:
            raise RequestError(RUNNING)
        if team.from_history:
            raise RequestError(PHOTOS_DELETED)
        session.team_notice = None
        team.remove(person)
        delete_photos(session, [person])
        return await self._view.snapshot(values, session)

    async def start_new_team(self, values: Updates, request: gr.Request) -> Updates:
        """Handle the button for a new team: stop the run and delete the photos. The history keeps the headshots."""
        session = self._sessions.get(request.session_hash, request.cookies)
        former, session.team, session.team_notice = session.team, Team(), None
        former.stop()
        session.delete_headshots(former.headshots)
        delete_photos(session, former.people)
        if former.headshots:
            note(_HISTORY_KEPT)
        return await self._view.snapshot(values, session)

    def refused(self, sentence: str, request: gr.Request) -> Updates:
        """Show an error in the status line. Finished headshots stay, and a run goes on."""
        session = self._sessions.get(request.session_hash, request.cookies)
        if not session.team.running:
            session.team_notice = Status(sentence, "error")
        return self._state.now(session)

    def upload_refused(self, sentence: str, request: gr.Request) -> Updates:
        """Return the updates for an upload that ended in an error."""
        return {self.files: None, **self.refused(sentence, request)}


def delete_photos(session: TabSession, people: Sequence[Person]) -> None:
    """Delete these people's photos and thumbnails."""
    for person in people:
        session.delete_slot(person.photo)
        session.delete_slot(person.thumbnail_path)
