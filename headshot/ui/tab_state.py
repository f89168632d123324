"""Tells the browser where the tab's state is: each handler that changes it returns `TabState.now`."""

from typing import Any

import gradio as gr

from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.sessions.view.tab_view import TabView

from . import assets
from .messages import Updates, event_handler


class TabState:
    """A component without anything to see, whose value names the tab and its newest revision.

    Attributes:
        component: an output of every event that changes what a tab shows.
    """

    def __init__(self, sessions: SessionRegistry, view: TabView) -> None:
        self._sessions = sessions
        self._view = view

    def build(self) -> None:
        """Add the component to the page."""
        self.component: Any = gr.HTML(
            html_template="",
            js_on_load=assets.call("mountTab", "props", "watch", "() => trigger('refresh')"),
            apply_default_css=False,
            elem_id="tab-state",
        )

    def wire(self, page: gr.Blocks) -> None:
        """Connect the page's load: the tab learns its token."""
        page.load(
            event_handler(self._opened),
            {self.component},
            [self.component],
            show_progress="hidden",
            api_visibility="private",
            concurrency_limit=None,
        )

    def now(self, session: TabSession) -> Updates:
        """Return the update that lets the browser ask for the tab's newest state.

        Args:
            session: the tab's.
        """
        return {self.component: {"token": session.token, "revision": self._view.refresh(session)}}

    async def _opened(self, values: Updates, request: gr.Request) -> Updates:
        return self.now(self._sessions.get(request.session_hash, request.cookies))
