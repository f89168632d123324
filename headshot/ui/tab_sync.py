"""Several tabs of one browser: what one of them deletes goes from the others at once."""

from pathlib import Path
from typing import Any

import gradio as gr

from headshot.sessions.session import SessionRegistry

from .headshots.shoot import ShootPart
from .history.tab import HistoryPart
from .messages import Updates, event_handler
from .team.tab import TeamPart

SCRIPT = Path(__file__).with_name("tab_sync.js").read_text(encoding="utf-8")
_TELL = """() => { document.dispatchEvent(new Event("headshots-deleted")); }"""


class TabSync:
    """heard: a component that is always on the page, with SCRIPT among its own."""

    def __init__(
        self, sessions: SessionRegistry, heard: Any, shoot: ShootPart, history: HistoryPart, team: TeamPart
    ) -> None:
        self._sessions = sessions
        self._heard = heard
        self._shoot = shoot
        self._history = history
        self._team = team

    def wire(self) -> None:
        """Once the others are wired."""
        shoot, history, team = self._shoot, self._history, self._team
        for deletion in (shoot.deleted, history.discarded):
            deletion.then(None, js=_TELL, api_visibility="private")
        self._heard.renew(
            event_handler(self._renew),
            {history.shown, *team.asked},
            [*shoot.shown, history.list, history.shown, *team.shown],
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )

    async def _renew(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        return {
            **self._shoot.renewed(session, headshots=event.headshots is True, photo=event.photo is True),
            **await self._history.renewed(values, session),
            **await self._team.now(values, session),
        }
