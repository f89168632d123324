"""What the Team tab shows, and the updates that turn a team into it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from headshot.durations import spoken_duration
from headshot.errors import HeadshotError
from headshot.exports import snippets
from headshot.runs.team import Person, Team, TeamLook
from headshot.sessions.tab_session import TabSession
from headshot.ui.headshots import results
from headshot.ui.messages import Updates

from . import cards
from .look import TeamLookPart

PHOTOS_DELETED = "This team’s photos were deleted. Add everyone’s photo again to generate more."

_BUTTONS = Path(__file__).parents[1].joinpath("retry_buttons.js").read_text(encoding="utf-8")
_GREETING = results.status("Add everyone’s photo, then press Generate team.")
_BARE: dict[str, Any] = {"js_on_load": None, "apply_default_css": False}


class TeamView:
    """The components that show a team."""

    def __init__(self, look: TeamLookPart, api: snippets.Api) -> None:
        self._look = look
        self._api = api

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
        """Add the status line, the cards, the notes, and the button for a new team."""
        self.status = gr.HTML(_GREETING, elem_id="team-status", **_BARE)
        self.people = gr.HTML(
            cards.team_cards(Team(), _no_address), elem_id="team", apply_default_css=False, js_on_load=_BUTTONS
        )
        self.notes = gr.HTML(elem_id="team-notes", **_BARE)
        self.new_team = gr.Button("Start a new team", size="sm", elem_id="team-over", visible=False)

    @property
    def outputs(self) -> list[Any]:
        """All components that show a team."""
        return [
            self.status,
            self.people,
            self.notes,
            self.new_team,
            self.words,
            self.plan,
            self.confirm,
            self.question,
        ]

    def people_updates(self, session: TabSession) -> Updates:
        """Return the updates of everyone's cards."""
        team = session.team
        return {
            self.people: cards.team_cards(team, session.address, api=self._api),
            self.notes: results.notes(team),
            self.new_team: gr.Button(visible=bool(team.people) and not team.running),
        }

    def progress(self, session: TabSession, done: int, total: int, text: str, stage: str = "") -> Updates:
        """Return the status line of something under way, and everyone's cards; see `cards.progress`."""
        return {self.status: cards.progress(done, total, text, stage), **self.people_updates(session)}

    async def snapshot(self, values: Updates, session: TabSession) -> Updates:
        """Return the whole tab as it is now.

        Args:
            values: of the look's inputs.
            session: the tab's.
        """
        team, updates = session.team, self.people_updates(session)
        if team.running and team.look is not None:
            return {self.status: gr.skip(), self.words: cards.look_line(team.look.words), **updates}
        updates |= {self.status: _status(team), self.confirm: gr.Column(visible=False)}
        if team.from_history and team.look is not None:
            return {
                **updates,
                self.words: cards.look_line(team.look.words),
                self.plan: f'<p class="plan">{PHOTOS_DELETED}</p>',
            }
        try:
            look = await self._look.read(values, session)
        except HeadshotError as error:
            return {**updates, self.words: f'<p class="plan wrong">{escape(str(error))}</p>', self.plan: ""}
        return {**updates, self.words: cards.look_line(look.words), self.plan: _plan(team, look)}

    def starting(self, session: TabSession, look: TeamLook) -> Updates:
        """Return the updates for a run that was requested just now."""
        return {
            self.words: cards.look_line(look.words),
            **self.progress(session, 0, len(session.team.usable), "Starting…"),
            self.confirm: gr.Column(visible=False),
        }

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

    def refused(self, sentence: str, session: TabSession) -> Updates:
        """Return the updates for an error. Finished headshots stay."""
        if session.team.running:  # something else was refused meanwhile
            return {self.status: gr.skip()}
        return {self.status: results.status(sentence, kind="error"), **self.people_updates(session)}


def _status(team: Team) -> str:
    """The status line while nothing runs."""
    done, total = len(team.headshots), len(team.usable)
    if not team.people:
        return _GREETING
    if not team.group:
        return results.status(f"{_counted(total, 'photo')} ready{_unusable(team)}.")
    if team.from_history:
        kind = "done" if done == total else "stopped"
        return results.status(f"From your history: {done} of {_counted(total, 'headshot')}", kind=kind)
    if done == total:
        return results.status(f"{_counted(done, 'headshot')}{_unusable(team)}", kind="done")
    if team.stopped:
        return results.status(f"Stopped: {done} of {total}", kind="stopped")
    cards_ = "card" if total - done == 1 else "cards"
    return results.status(f"{done} of {total} done; see the failed {cards_}.", kind="stopped")


def _unusable(team: Team) -> str:
    count = len(team.people) - len(team.usable)
    return (
        f"; {_counted(count, 'photo')} can’t be used, see {'its card' if count == 1 else 'their cards'}"
        if count
        else ""
    )


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


def _no_address(slot: str, name: str) -> str:
    raise ValueError("an empty team has no files")
