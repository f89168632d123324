"""What the Team tab says of its look and of a run before it begins. The team itself is drawn by the browser."""

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from headshot.durations import spoken_duration
from headshot.errors import HeadshotError
from headshot.runs.team import Person, Team, TeamLook
from headshot.sessions.tab_session import TabSession
from headshot.ui import assets
from headshot.ui.messages import Updates
from headshot.ui.tab_state import TabState

from .look import TeamLookPart

PHOTOS_DELETED = "This team’s photos were deleted. Add everyone’s photo again to generate more."

_EMPTY = assets.text("headshots/frames.html", "team/promise.html")
_BARE: dict[str, Any] = {"js_on_load": None, "apply_default_css": False}


class TeamView:
    """The components that show a team."""

    def __init__(self, look: TeamLookPart, state: TabState) -> None:
        self._look = look
        self._state = state

    def build_look(self) -> None:
        """Add the line that says what the look is."""
        self.words = gr.HTML(elem_id="team-words", **_BARE)

    def build_plan(self) -> None:
        """Add the line that says what the button would do, and the question before paid work."""
        self.plan = gr.HTML(elem_id="team-plan", **_BARE)
        with gr.Column(visible=False, elem_id="team-confirm", min_width=0) as self.confirm:
            self.question = gr.HTML(elem_id="team-question", **_BARE)
            with gr.Row():
                self.yes = gr.Button("Generate", variant="primary", elem_id="team-yes", min_width=0)
                self.no = gr.Button("Cancel", elem_id="team-no", min_width=0)

    def build_results(self) -> None:
        """Add the places of the status line, the cards and the notes, and the button for a new team."""
        bare: dict[str, Any] = {"apply_default_css": False}
        gr.HTML(elem_id="team-status", js_on_load=assets.call("mountTeamStatus", "element"), **bare)
        events = ("element", "(id) => trigger('select', { id })", "() => trigger('change_plan')")
        self.people: Any = gr.HTML(_EMPTY, elem_id="team", js_on_load=assets.call("mountTeam", *events), **bare)
        gr.HTML(elem_id="team-notes", js_on_load=assets.call("mountTeamNotes", "element"), **bare)
        self.new_team = gr.Button("Start a new team", size="sm", elem_id="team-over")

    @property
    def outputs(self) -> list[Any]:
        """All components that `snapshot` updates."""
        return [self._state.component, self.words, self.plan, self.confirm, self.question]

    async def snapshot(self, values: Updates, session: TabSession) -> Updates:
        """Return the whole tab as it is now.

        Args:
            values: of the look's inputs.
            session: the tab's.
        """
        team, updates = session.team, self._state.now(session)
        if team.running and team.look is not None:
            return {**updates, self.words: _look_line(team.look.words), self.confirm: gr.Column(visible=False)}
        updates[self.confirm] = gr.Column(visible=False)
        if team.from_history and team.look is not None:
            return {
                **updates,
                self.words: _look_line(team.look.words),
                self.plan: f'<p class="plan">{PHOTOS_DELETED}</p>',
            }
        try:
            look = await self._look.read(values, session)
        except HeadshotError as error:
            return {**updates, self.words: f'<p class="plan wrong">{escape(str(error))}</p>', self.plan: ""}
        return {**updates, self.words: _look_line(look.words), self.plan: _plan(team, look)}

    def ask(self, team: Team, look: TeamLook, missing: Sequence[Person]) -> Updates:
        """Return the question whether so many headshots may be charged for.

        Args:
            team: the tab's.
            look: of the run; one of its backends is paid.
            missing: the people that the run is for.
        """
        paid = next(backend for backend in look.backends if backend.survives_disconnect)
        text = f"<p><b>Generate {_counted(len(missing), 'paid headshot')} with {escape(paid.title)}?</b>"
        doubtful = sum(_may_be_billed(person) for person in missing)
        if doubtful and look.same_as(team.look):
            subject = "One of them was" if doubtful == 1 else f"{doubtful} of them were"
            text += f" {subject} sent before without a response and may be charged twice."
        return {self.confirm: gr.Column(visible=True), self.question: f"{text}</p>"}


def _look_line(words: Sequence[str]) -> str:
    """A look in one line: its name, then its settings."""
    name, *settings = words
    rest = "".join(f" · <span>{escape(setting)}</span>" for setting in settings)
    return f'<p class="locked-look"><b>{escape(name)}</b>{rest}</p>'


def _plan(team: Team, look: TeamLook) -> str:
    """What the button would do, and about how long that takes."""
    missing = team.missing(look)
    if not team.usable:
        return ""
    if not missing:
        return '<p class="plan">Everyone has a headshot in this look.</p>'
    backend = look.backends[0]
    seconds = backend.estimate(None, [look.request])
    about = "" if seconds is None else f", about {spoken_duration(len(missing) * seconds)}"
    if backend.survives_disconnect:
        count = f"{_counted(len(missing), 'paid headshot')} by {backend.title}"
    else:
        count = _counted(len(missing), "headshot")
    rest = "" if len(missing) == len(team.usable) else "; the others have one in this look"
    return f'<p class="plan">{count}{about}{rest}</p>'


def _may_be_billed(person: Person) -> bool:
    statuses = () if person.run is None else person.run.statuses.values()
    return any(status.kind in ("unknown", "under way") for status in statuses)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
