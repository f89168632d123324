"""The page. Only this package and `headshot.web` import Gradio."""

from .environment import CACHE  # sets Gradio's environment, so it must come before everything that imports Gradio

# isort: split
from collections.abc import Mapping
from pathlib import Path

import gradio as gr

from headshot.backends import Backend
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.comparisons import Comparisons
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.view.tab_view import TabView
from headshot.settings import Settings

from .api import Endpoint
from .check.tab import CheckPart
from .footer import footer
from .headshots.account import modelslab
from .headshots.calibration import Calibration
from .headshots.deletion import Deletion
from .headshots.form import Form
from .headshots.form_memory import FormMemory
from .headshots.photo import PhotoPart
from .headshots.saved_settings import SavedSettingsPart
from .headshots.tab import HeadshotsPart
from .history.tab import HistoryPart
from .tab_state import TabState
from .tab_sync import TabSync
from .team.tab import TeamPart
from .voting.tab import VotePart

__all__ = ["CACHE", "TITLE", "build"]

TITLE = "Headshot Playground"
_RADIOS = Path(__file__).with_name("radios.js").read_text(encoding="utf-8")
_SWEEP_SECONDS = 60  # how often Gradio looks for uploads that no handler ever read
_HEADER = (
    "<header><h1>Headshot Playground</h1>"
    "<p>One ordinary photo in, professional headshots out: compare looks side by side.</p></header>"
)


def build(
    settings: Settings,
    registry: Mapping[str, Backend],
    sessions: SessionRegistry,
    recorder: HistoryRecorder,
    view: TabView,
) -> gr.Blocks:
    """Build the page over these backends.

    Args:
        settings: of this server.
        registry: the backends by name, best first.
        sessions: hold the photos and headshots of the open tabs.
        recorder: writes the history, which outlives a tab.
        view: makes what the tabs show.
    """
    keep_seconds = settings.keep_minutes * 60
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_SWEEP_SECONDS, keep_seconds))
    with page:
        gr.HTML(_HEADER, apply_default_css=False, js_on_load=_RADIOS, elem_id="header")
        form = Form(settings, registry, sessions)
        queues = {
            name: BackendQueue(name, backend.max_concurrent, settings.queue_size) for name, backend in registry.items()
        }
        comparisons = Comparisons(registry, sessions, queues, recorder)
        state = TabState(sessions, view)
        state.build()
        headshots = HeadshotsPart(
            settings,
            sessions,
            comparisons,
            form,
            Calibration(sessions, CACHE),
            state,
            view.greeting,
        )
        history = HistoryPart(settings, registry, sessions, recorder, comparisons, state, CACHE)
        team = TeamPart(settings, registry, sessions, queues, form, recorder, state, CACHE)
        votes = VotePart(sessions, recorder)
        looks = SavedSettingsPart(sessions, recorder, form)
        memory = FormMemory(form)
        deletion = Deletion(sessions, comparisons, recorder, state)
        check = CheckPart(sessions, recorder, CACHE)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Headshots", id="headshots"), gr.Row(elem_id="page", equal_height=False):
                with gr.Column(elem_id="form", min_width=0):
                    photo = PhotoPart(sessions, CACHE)
                    form.look()
                    looks.build()
                    memory.build()
                    form.axis()
                    with gr.Column(elem_id="go", min_width=0):
                        form.estimate()
                        headshots.buttons()
                    form.fine_tuning()
                with gr.Column(elem_id="results", min_width=0):
                    headshots.results()
                    votes.build()
                    deletion.build()
            with gr.Tab("History", id="history") as history_tab:
                history.build()
            with gr.Tab("Team", id="team") as team_tab:
                team.build()
            with gr.Tab("Check a file", id="check") as check_tab:
                check.build()
        gr.HTML(
            footer(settings, hosted=modelslab(registry) is not None),
            apply_default_css=False,
            js_on_load=None,
            elem_id="footer",
        )
        form.wire(photo, memory.component)
        looks.wire(page)
        memory.wire()
        votes.wire(form)
        headshots.wire(page, photo)
        deletion.wire(photo)
        history.wire(history_tab, tabs, photo, form, team, home="headshots", teams="team")
        team.wire(team_tab)
        TabSync(sessions, state, photo, history, team).wire()
        state.wire(page)
        check.wire(form, tab=check_tab, tabs=tabs, home="headshots")
        endpoint = Endpoint(settings, registry, sessions, queues, CACHE, recorder)

        def closed(request: gr.Request) -> None:
            sessions.stop(request.session_hash)
            endpoint.stop(request.session_hash)

        page.unload(closed)
    return page
