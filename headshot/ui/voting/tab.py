"""The blind vote, for whose headshots they are: begun, shared, read and closed."""

from pathlib import Path
from typing import Any

import gradio as gr

from headshot.errors import RequestError
from headshot.runs.files import THUMBNAIL
from headshot.runs.history_recorder import Keeper
from headshot.sessions.session import Visitor, Visitors
from headshot.ui.headshots.form import Form
from headshot.ui.messages import Updates, note, spoken
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

    def __init__(self, visitors: Visitors, keeper: Keeper) -> None:
        self._visitors = visitors
        self._keeper = keeper

    def build(self) -> None:
        with gr.Accordion("Blind vote", open=False, elem_id="vote-part") as self.part:
            self.votes = gr.HTML(_ABOUT, apply_default_css=False, js_on_load=_ACTS, elem_id="votes")

    def wire(self, form: Form) -> None:
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        self.part.expand(spoken(self._show), {form.seeds}, [self.votes], **quick)
        self.votes.select(spoken(self._act), {form.seeds}, [self.votes], **quick)

    async def _show(self, values: Updates, request: gr.Request) -> Updates:
        return {self.votes: await self._told(self._visitors.of(request.session_hash, request.cookies))}

    async def _act(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        visitor = self._visitors.of(request.session_hash, request.cookies)
        match event.action:
            case "begin":
                await self._begin(visitor)
            case "close":
                code = str(event.code)
                if not await self._keeper.in_turn(
                    visitor.owner, lambda history: history.close_vote(visitor.owner, code)
                ):
                    raise RequestError("This vote is no longer here.")
                note("The vote is closed: nobody can open its link any more.")
        return {self.votes: await self._told(visitor)}

    async def _begin(self, visitor: Visitor) -> None:
        job = visitor.job
        shots = [] if job is None else [shot.kept for shot in job.landed if shot.kept]
        if job is None or len(shots) < 2:
            raise RequestError(_NOTHING)
        kept = job.kept
        await self._keeper.in_turn(visitor.owner, lambda history: history.open_vote(visitor.owner, kept, shots, _TITLE))

    async def _told(self, visitor: Visitor) -> str:
        job = visitor.job
        if job is None or not job.kept:
            return _ABOUT
        kept = job.kept
        found = await self._keeper.in_turn(
            visitor.owner, lambda history: results.rankings(history, visitor.owner, kept)
        )
        told = "".join(
            ranking_view.told(
                one,
                visitor.address(one.vote.code, "").rstrip("/"),
                {shot: visitor.address(shot, THUMBNAIL) for shot in one.vote.shots},
            )
            for one in found
        )
        return told + ("" if any(one.vote.open for one in found) else _ABOUT)
