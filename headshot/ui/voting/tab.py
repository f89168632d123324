"""The blind vote as the headshots' owner sees it: start, share, read and close it."""

from pathlib import Path
from typing import Any

import gradio as gr

from headshot.errors import RequestError
from headshot.runs.files import THUMBNAIL
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui.headshots.form import Form
from headshot.ui.messages import Updates, event_handler, note
from headshot.voting import results

from . import ranking_view

_SCRIPT = Path(__file__).with_name("voting.js").read_text(encoding="utf-8")
_TOO_FEW = "Generate at least two headshots first."
_TITLE = "Which headshot is the best?"  # not the prompt, which could give the difference away to a voter
_ABOUT = (
    '<p class="about">Share a link, and others choose between two headshots at a time, without labels, on any device. '
    "Their votes become a ranking that shows how certain it is.</p>"
    '<nav class="files"><button type="button" class="file" data-act="begin">Start a blind vote</button></nav>'
)


class VotePart:
    """The section below a comparison with the votes on it."""

    def __init__(self, sessions: SessionRegistry, recorder: HistoryRecorder) -> None:
        self._sessions = sessions
        self._recorder = recorder

    def build(self) -> None:
        """Add the section to the page."""
        with gr.Accordion("Blind vote", open=False, elem_id="vote-part") as self.part:
            self.votes = gr.HTML(_ABOUT, apply_default_css=False, js_on_load=_SCRIPT, elem_id="votes")

    def wire(self, form: Form) -> None:
        """Connect the events.

        Args:
            form: the settings; Gradio needs some input for the handlers to receive values.
        """
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        self.part.expand(event_handler(self._show), {form.seeds}, [self.votes], **quick)
        self.votes.select(event_handler(self._act), {form.seeds}, [self.votes], **quick)

    async def _show(self, values: Updates, request: gr.Request) -> Updates:
        return {self.votes: await self._sections(self._sessions.get(request.session_hash, request.cookies))}

    async def _act(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        match event.action:
            case "begin":
                await self._begin(session)
            case "close":
                code = str(event.code)
                if not await self._recorder.serialized(
                    session.owner, lambda history: history.close_vote(session.owner, code)
                ):
                    raise RequestError("This vote no longer exists.")
                note("Vote closed. Its link no longer works.")
        return {self.votes: await self._sections(session)}

    async def _begin(self, session: TabSession) -> None:
        run = session.run
        shots = [] if run is None else [shot.history_id for shot in run.completed if shot.history_id]
        if run is None or len(shots) < 2:
            raise RequestError(_TOO_FEW)
        entry = run.history_id
        await self._recorder.serialized(
            session.owner, lambda history: history.open_vote(session.owner, entry, shots, _TITLE)
        )

    async def _sections(self, session: TabSession) -> str:
        run = session.run
        if run is None or not run.history_id:
            return _ABOUT
        entry = run.history_id
        votes = await self._recorder.serialized(
            session.owner, lambda history: results.results_of(history, session.owner, entry)
        )
        sections = "".join(
            ranking_view.poll_section(
                result,
                session.address(result.poll.code, "").rstrip("/"),
                {shot: session.address(shot, THUMBNAIL) for shot in result.poll.shots},
            )
            for result in votes
        )
        return sections + ("" if any(result.poll.open for result in votes) else _ABOUT)
