"""The Team tab: many photos in one look. Its layout and its events."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import gradio as gr

from headshot.backends import Backend
from headshot.errors import PhotoError, RequestError
from headshot.imaging.photo import MAX_FILE_BYTES
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.team import Team
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.sessions.team_runs import TeamRuns
from headshot.settings import Settings
from headshot.ui.headshots.form import Form
from headshot.ui.messages import Updates, event_handler, toast
from headshot.ui.tab_state import TabState

from .look import TeamLookPart
from .photos import RUNNING, TeamPhotos, delete_photos
from .view import PHOTOS_DELETED, TeamView

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry

_CHECKS_AT_ONCE = 2  # reading a photo of 40 megapixels takes 300 MB for a second, whoever sends it
_UNSAVED_WORK = "The Team tab has photos without headshots. Generate them, or start a new team there first."
_SHOW_RESULTS = """() => {
  if (innerWidth >= 1000) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector("#team-results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}"""


class TeamPart:
    """The tab. Call `build` inside it, then `wire` once all other parts are built."""

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        form: Form,
        recorder: HistoryRecorder,
        state: TabState,
        cache: Path,
    ) -> None:
        self._max_people = settings.max_matrix
        self._registry = registry
        self._sessions = sessions
        limiter = anyio.CapacityLimiter(_CHECKS_AT_ONCE)
        self._look = TeamLookPart(form, recorder)
        self._state = state
        self._view = TeamView(self._look, state)
        self._photos = TeamPhotos(self._view, state, sessions, cache, limiter, self._max_people)
        self._runs = TeamRuns(queues, recorder, limiter)

    def build(self) -> None:
        """Add the tab's components to the page."""
        with gr.Row(elem_id="team-page", equal_height=False):
            with gr.Column(elem_id="team-form", min_width=0):
                gr.HTML(_introduction(self._max_people), js_on_load=None, apply_default_css=False)
                self._photos.build()
                self._look.build()
                self._view.build_look()
                with gr.Column(elem_id="team-go", min_width=0):
                    self._view.build_plan()
                    with gr.Row(elem_id="team-actions"):
                        self._generate = gr.Button("Generate team", variant="primary", elem_id="team-make")
                        self._stop = gr.Button("Stop", elem_id="team-stop")
            with gr.Column(elem_id="team-results", min_width=0):
                self._view.build_results()

    @property
    def inputs(self) -> set[Any]:
        """The components whose values `snapshot` and `open_from_history` need."""
        return self._look.inputs

    @property
    def outputs(self) -> list[Any]:
        """All components that show a team."""
        return self._view.outputs

    def wire(self, tab: gr.Tab) -> None:
        """Connect the events.

        Args:
            tab: this one; it is refreshed when it is opened.
        """
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        view, photos = self._view, self._photos
        inputs, outputs = self.inputs, self.outputs
        refused = {"otherwise": photos.refused}
        tab.select(event_handler(self._on_tab_opened), inputs, [*outputs, self._look.choice], **quiet)
        self._look.choice.input(
            event_handler(self._on_look_chosen), inputs, outputs, trigger_mode="always_last", **quiet
        )
        # Gradio's preprocessing would refuse a whole batch because of one file's type.
        photos.files.upload(
            event_handler(photos.add, otherwise=photos.upload_refused),
            {photos.files, *inputs},
            [photos.files, *outputs],
            preprocess=False,
            **quiet,
        )
        self._generate.click(event_handler(self._submit, **refused), inputs, outputs, **quiet)
        view.yes.click(event_handler(self._submit_paid, **refused), inputs, outputs, **quiet)
        view.no.click(None, None, view.confirm, js="() => ({visible: false, __type__: 'update'})", **quiet)
        self._stop.click(event_handler(self._on_stop), inputs, outputs, **quiet)
        view.people.select(event_handler(photos.remove, **refused), inputs, outputs, trigger_mode="multiple", **quiet)
        view.people.change_plan(
            event_handler(self._on_look_chosen), inputs, outputs, trigger_mode="always_last", **quiet
        )
        view.new_team.click(event_handler(photos.start_new_team), inputs, outputs, **quiet)
        for button in (self._generate, view.yes):  # on a phone the results are below
            button.click(None, js=_SHOW_RESULTS, api_visibility="private")

    async def snapshot(self, values: Updates, session: TabSession) -> Updates:
        """Return the whole tab as it is now.

        Args:
            values: of `inputs`.
            session: the tab's.
        """
        return await self._view.snapshot(values, session)

    async def open_from_history(self, values: Updates, session: TabSession, group: "Sequence[HistoryEntry]") -> Updates:
        """Replace the team with one of the history, unless it is the same team.

        Args:
            values: of `inputs`.
            session: the tab's.
            group: the team's entries, at least one.

        Raises:
            RequestError: if a run or unsaved work would be lost.
        """
        former = session.team
        if former.group != group[0].group:
            if former.running:
                raise RequestError(RUNNING)
            if former.has_unsaved_work or former.checking.locked():
                raise RequestError(_UNSAVED_WORK)
            session.team = Team.of(group, session.backends(self._registry), session)
            session.team_notice = None
            session.delete_headshots(former.headshots)
            delete_photos(session, former.people)
        return await self.snapshot(values, session)

    async def _on_tab_opened(self, values: Updates, request: gr.Request) -> Updates:
        """The form may have changed meanwhile, and saved looks may have come or gone."""
        session = self._session(request)
        values, choice = await self._look.refresh(values, session)
        return {**choice, **await self.snapshot(values, session)}

    async def _on_look_chosen(self, values: Updates, request: gr.Request) -> Updates:
        return await self.snapshot(values, self._session(request))

    async def _submit(self, values: Updates, request: gr.Request) -> Updates:
        """Start a run; ask first if it is paid."""
        return await self._start(values, self._session(request), confirmed=False)

    async def _submit_paid(self, values: Updates, request: gr.Request) -> Updates:
        """Start a run after the visitor confirmed that it is paid."""
        return await self._start(values, self._session(request), confirmed=True)

    async def _start(self, values: Updates, session: TabSession, *, confirmed: bool) -> Updates:
        team = session.team
        async with team.checking:
            if team.running:
                toast(RUNNING)
                return self._state.now(session)
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
                return {**self._state.now(session), **self._view.ask(team, look, missing)}
            self._runs.start(session, look)
        return await self.snapshot(values, session)

    async def _on_stop(self, values: Updates, request: gr.Request) -> Updates:
        session = self._session(request)
        self._runs.stop(session)
        return await self.snapshot(values, session)

    def _session(self, request: gr.Request) -> TabSession:
        return self._sessions.get(request.session_hash, request.cookies)


def _introduction(max_people: int) -> str:
    return (
        '<div class="intro"><h2>One look for a whole team</h2><p>Add a photo of each person and get one consistent set '
        f"of headshots: the same crop, light and backdrop for everyone. Up to {max_people} people, "
        f"{MAX_FILE_BYTES // 2**20} MB per photo.</p></div>"
    )
