"""*Delete my pictures*, which asks once. It takes photo, headshots, history, team, and what the browser kept."""

from typing import Any

import gradio as gr

from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.comparisons import Comparisons
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui import assets
from headshot.ui.messages import Updates, event_handler
from headshot.ui.tab_state import TabState

from .photo import PhotoPart


class Deletion:
    """The button, and the question in its place."""

    def __init__(
        self, sessions: SessionRegistry, comparisons: Comparisons, recorder: HistoryRecorder, state: TabState
    ) -> None:
        self._sessions = sessions
        self._comparisons = comparisons
        self._recorder = recorder
        self._state = state

    def build(self) -> None:
        """Build the components."""
        self._button = gr.Button("Delete my pictures", size="sm", elem_id="delete")
        with gr.Column(visible=False, elem_id="delete-confirm", min_width=0) as self._confirm:
            self._question = gr.HTML(js_on_load="element.setAttribute('role', 'status')", elem_id="delete-question")
            with gr.Row():
                self._yes = gr.Button("Delete", variant="stop", size="sm", elem_id="delete-yes", min_width=0)
                self._no = gr.Button("Cancel", size="sm", elem_id="delete-no", min_width=0)

    def wire(self, photo: PhotoPart) -> None:
        """Connect the events.

        Args:
            photo: is emptied.
        """
        self._photo = photo
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        asking = [self._button, self._confirm, self._question]
        asked = self._button.click(event_handler(self._ask), {self._question}, asking, **quiet)
        cancelled = self._no.click(event_handler(self._cancel), {self._question}, asking, **quiet)
        deleted = self._yes.click(
            event_handler(self._delete), {self._question}, [*asking, self._state.component, *photo.shown], **quiet
        )
        # The button that had the focus is gone. Cancel: a second press of Enter must delete nothing.
        deleted.then(None, js=f"() => {assets.call('forgetForm')}", api_visibility="private")
        for event, next_button in ((asked, "delete-no"), (cancelled, "delete"), (deleted, "delete")):
            event.then(None, js=f"() => document.querySelector('#{next_button}')?.focus()", api_visibility="private")

    async def _ask(self, values: Updates, request: gr.Request) -> Updates:
        session = self._session(request)
        headshots = len(session.headshots)
        if self._recorder.may_have_data:
            usage = await self._recorder.run(lambda history: history.usage(session.owner))
            headshots = max(headshots, usage.headshots)
        photos = (session.photo is not None) + sum(person.photo is not None for person in session.team.people)
        what = [_counted(photos, "photo"), _counted(headshots, "headshot")]
        text = " and ".join(filter(None, what)) or "everything of this browser"
        return {
            self._button: gr.Button(visible=False),
            self._confirm: gr.Column(visible=True),
            self._question: f"<p><b>Delete {text}?</b> This cannot be undone. Your history is emptied, too.</p>",
        }

    async def _cancel(self, values: Updates, request: gr.Request) -> Updates:
        return self._asked()

    async def _delete(self, values: Updates, request: gr.Request) -> Updates:
        session = self._session(request)
        await self._comparisons.delete(session)
        return {**self._asked(), **self._state.now(session), **self._photo.emptied()}

    def _asked(self) -> Updates:
        return {self._button: gr.Button(visible=True), self._confirm: gr.Column(visible=False)}

    def _session(self, request: gr.Request) -> TabSession:
        return self._sessions.get(request.session_hash, request.cookies)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}" if count else ""
