"""Syncs deletions between open tabs of the same browser."""

from pathlib import Path
from typing import Any

import gradio as gr

from headshot.sessions.registry import SessionRegistry

from .headshots.tab import HeadshotsPart
from .history.tab import HistoryPart
from .messages import Updates, event_handler
from .team.tab import TeamPart

SCRIPT = Path(__file__).with_name("tab_sync.js").read_text(encoding="utf-8")
_BROADCAST = """() => { document.dispatchEvent(new Event("headshots-deleted")); }"""


class TabSync:
    """Refreshes the other tabs when one of them deletes something."""

    def __init__(
        self, sessions: SessionRegistry, listener: Any, shoot: HeadshotsPart, history: HistoryPart, team: TeamPart
    ) -> None:
        """Keep what the handler needs.

        Args:
            sessions: the open tabs.
            listener: a component that is always on the page, with SCRIPT in its `js_on_load`.
            shoot: the comparison on the first tab.
            history: the History tab.
            team: the Team tab.
        """
        self._sessions = sessions
        self._listener = listener
        self._shoot = shoot
        self._history = history
        self._team = team

    def wire(self) -> None:
        """Connect the events, after the other parts are wired."""
        shoot, history, team = self._shoot, self._history, self._team
        for deletion in (shoot.deleted, history.deleted):
            deletion.then(None, js=_BROADCAST, api_visibility="private")
        self._listener.refresh(
            event_handler(self._refresh),
            {history.state, *team.inputs},
            [*shoot.shown, history.list, history.state, *team.outputs],
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )

    async def _refresh(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        return {
            **self._shoot.renewed(session, headshots=event.headshots is True, photo=event.photo is True),
            **await self._history.refresh(values, session),
            **await self._team.snapshot(values, session),
        }
