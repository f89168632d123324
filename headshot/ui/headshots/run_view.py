"""The components that show a comparison: its status line, its cards and its notes."""

from pathlib import Path
from typing import Any

import gradio as gr

from headshot.runs.run import Run
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates

from . import results

# One function in the browser, from these files in this order.
VIEWER_SCRIPT = "".join(
    (Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8")
    for name in (
        *("cards", "details", "viewer", "zoom", "compare_view", "selection", "fullscreen"),
        "../retry_buttons",
    )
)


class RunView:
    """Shows the comparison of a tab: builds its components, and makes the updates for them."""

    def __init__(self, settings: Settings, sessions: SessionRegistry) -> None:
        self._settings = settings
        self._sessions = sessions

    def build(self, greeting: str) -> None:
        """Build the components, with `greeting` as the first status line (HTML)."""
        about: dict[str, Any] = {"apply_default_css": False}
        self.status = gr.HTML(greeting, elem_id="status", js_on_load=None, **about)
        # The script is not in `js_on_load` itself: Gradio searches that for events a score of times at each update.
        self.shots = gr.HTML(
            results.shots(None, None),
            elem_id="shots",
            head=f"<script>function mountHeadshotViewer(element, trigger, watch) {{\n{VIEWER_SCRIPT}\n}}</script>",
            js_on_load="mountHeadshotViewer(element, trigger, watch)",
            **about,
        )
        self.notes = gr.HTML(elem_id="notes", js_on_load=None, **about)

    @property
    def components(self) -> list[Any]:
        """Everything that the updates of this class may change."""
        return [self.status, self.shots, self.notes]

    def unchanged(self) -> Updates:
        """An update that changes nothing: Gradio wants one from each handler."""
        return {self.status: gr.skip()}

    def cards(self, session: TabSession) -> Updates:
        """The cards of the tab's comparison as it is now."""
        shots = results.shots(
            session.run, session.baseline, session.address, earlier=session.other_runs, api=self._settings.modelslab_api
        )
        return {self.shots: shots}

    def starting(self, session: TabSession, run: Run) -> Updates:
        """A comparison before its first news."""
        return {self.status: results.starting(run), **self.cards(session)}

    def running(self, session: TabSession, run: Run, status: str) -> Updates:
        """A comparison under way, with `status` (HTML) as its status line."""
        # All three each time: Gradio would rebuild an omitted one on the server, which takes 2 ms for the cards alone,
        # and it does not send what is unchanged.
        return {self.status: status, **self.cards(session), self.notes: results.notes(run)}

    def finished(self, session: TabSession, run: Run) -> Updates:
        """A comparison after its end, or after Stop."""
        return self.running(session, run, results.ended(run))

    def incomplete(self, session: TabSession, run: Run) -> Updates:
        """A comparison that ended without some headshots, whose cards say why."""
        return self.running(session, run, results.some_missing(run))

    def refused(self, sentence: str, request: gr.Request) -> Updates:
        """Show an error above the headshots, which stay as they are. The `otherwise` of `event_handler`."""
        session = self._sessions.get(request.session_hash, request.cookies)
        run = session.run
        if run is not None and run.headshots and sentence in {str(at.error) for at in run.statuses.values()}:
            return self.incomplete(session, run)
        if run is not None and run.alive:  # another action was refused while it runs
            return self.unchanged()
        status = results.status(sentence, kind="error")
        return {self.status: status} if run is None else self.running(session, run, status)
