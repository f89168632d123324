"""Shows what was deleted in another tab of the same browser as deleted in this one."""

import gradio as gr

from headshot.sessions.registry import SessionRegistry

from .headshots.photo import PhotoPart
from .history.tab import HistoryPart
from .messages import Updates, event_handler
from .tab_state import TabState
from .team.tab import TeamPart


class TabSync:
    """Refreshes what Gradio draws; the comparison follows the tab's state by itself."""

    def __init__(
        self, sessions: SessionRegistry, state: TabState, photo: PhotoPart, history: HistoryPart, team: TeamPart
    ) -> None:
        """Keep what the handler needs.

        Args:
            sessions: the open tabs.
            state: triggers `refresh`.
            photo: the photo of the form.
            history: the History tab.
            team: the Team tab.
        """
        self._sessions = sessions
        self._state = state
        self._photo = photo
        self._history = history
        self._team = team

    def wire(self) -> None:
        """Connect the event, after the other parts are wired."""
        history, team = self._history, self._team
        self._state.component.refresh(
            event_handler(self._refresh),
            {history.state, *team.inputs},
            [*self._photo.shown, history.list, history.state, *team.outputs],
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )

    async def _refresh(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        gone = session.photo is None and not session.checking.locked()
        return {
            **(self._photo.emptied() if gone else {}),
            **await self._history.refresh(values, session),
            **await self._team.snapshot(values, session),
        }
