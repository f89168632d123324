"""The blind vote, for whose headshots they are: begun, shared, read and closed."""

from pathlib import Path
from typing import Any

import gradio as gr

from headshot.errors import RequestError
from headshot.runs.files import THUMBNAIL
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.ui.headshots.form import Form
from headshot.ui.messages import Updates, event_handler, note
from headshot.voting import results

from . import ranking_view

_ACTS = Path(__file__).with_name("voting.js").read_text(encoding="utf-8")
_NOTHING = "Make at least two headshots first: a vote is between them."
_TITLE = "Which headshot is the best?"  # and not the prompt, from which a voter could tell one from another
_ABOUT = (
    '<p class="about">Let others choose, two headshots at a time, without seeing which is which: by a link, on any '
    "phone. What they prefer becomes a ranking that says how certain it is.</p>"
    '<nav class="files"><button type="button" class="file" data-act="begin">Start a blind vote</button></nav>'
)


class VotePart:
    """Beneath a comparison: the votes on it."""

    def __init__(self, sessions: SessionRegistry, recorder: HistoryRecorder) -> None:
        self._sessions = sessions
        self._recorder = recorder

    def build(self) -> None:
        with gr.Accordion("Blind vote", open=False, elem_id="vote-part") as self.part:
            self.votes = gr.HTML(_ABOUT, apply_default_css=False, js_on_load=_ACTS, elem_id="votes")

    def wire(self, form: Form) -> None:
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        self.part.expand(event_handler(self._show), {form.seeds}, [self.votes], **quick)
        self.votes.select(event_handler(self._act), {form.seeds}, [self.votes], **quick)

    async def _show(self, values: Updates, request: gr.Request) -> Updates:
        return {self.votes: await self._told(self._sessions.get(request.session_hash, request.cookies))}

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
                    raise RequestError("This vote is no longer here.")
                note("The vote is closed: nobody can open its link any more.")
        return {self.votes: await self._told(session)}

    async def _begin(self, session: TabSession) -> None:
        job = session.run
        shots = [] if job is None else [shot.history_id for shot in job.completed if shot.history_id]
        if job is None or len(shots) < 2:
            raise RequestError(_NOTHING)
        kept = job.history_id
        await self._recorder.serialized(
            session.owner, lambda history: history.open_vote(session.owner, kept, shots, _TITLE)
        )

    async def _told(self, session: TabSession) -> str:
        job = session.run
        if job is None or not job.history_id:
            return _ABOUT
        kept = job.history_id
        found = await self._recorder.serialized(
            session.owner, lambda history: results.results_of(history, session.owner, kept)
        )
        told = "".join(
            ranking_view.told(
                one,
                session.address(one.vote.code, "").rstrip("/"),
                {shot: session.address(shot, THUMBNAIL) for shot in one.vote.shots},
            )
            for one in found
        )
        return told + ("" if any(one.vote.open for one in found) else _ABOUT)
