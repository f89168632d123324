"""The page. Only this package and `headshot.web` import Gradio."""

from .environment import CACHE  # sets Gradio's environment, so it must come before everything that imports Gradio

# isort: split
from collections.abc import Mapping
from pathlib import Path

import gradio as gr

from headshot.backends import Backend
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings

from .api import Endpoint
from .check.tab import CheckPart
from .footer import footer
from .headshots.account import modelslab
from .headshots.calibration import Calibration
from .headshots.form import Form
from .headshots.photo import PhotoPart
from .headshots.saved_settings import SavedSettingsPart
from .headshots.tab import HeadshotsPart
from .history.tab import HistoryPart
from .tab_sync import SCRIPT, TabSync
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
    settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry, recorder: HistoryRecorder
) -> gr.Blocks:
    """Build the page over these backends.

    Args:
        settings: of this server.
        registry: the backends by name, best first.
        sessions: hold the photos and headshots of the open tabs.
        recorder: writes the history, which outlives a tab.
    """
    keep_seconds = settings.keep_minutes * 60
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_SWEEP_SECONDS, keep_seconds))
    with page:
        header = gr.HTML(_HEADER, apply_default_css=False, js_on_load=_RADIOS + SCRIPT, elem_id="header")
        form = Form(settings, registry, sessions)
        queues = {
            name: BackendQueue(name, backend.max_concurrent, settings.queue_size) for name, backend in registry.items()
        }
        headshots = HeadshotsPart(settings, registry, sessions, queues, form, recorder, Calibration(sessions, CACHE))
        history = HistoryPart(settings, registry, sessions, recorder, CACHE)
        team = TeamPart(settings, registry, sessions, queues, form, recorder, CACHE)
        votes = VotePart(sessions, recorder)
        looks = SavedSettingsPart(sessions, recorder, form)
        check = CheckPart(sessions, recorder, CACHE)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Headshots", id="headshots"), gr.Row(elem_id="page", equal_height=False):
                with gr.Column(elem_id="form", min_width=0):
                    photo = PhotoPart(sessions, CACHE)
                    form.look()
                    looks.build()
                    form.axis()
                    with gr.Column(elem_id="go", min_width=0):
                        form.estimate()
                        headshots.buttons()
                    form.fine_tuning()
                with gr.Column(elem_id="results", min_width=0):
                    headshots.results()
                    votes.build()
                    headshots.deletion()
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
        form.wire(photo)
        looks.wire(page)
        votes.wire(form)
        headshots.wire(page, photo)
        history.wire(history_tab, tabs, headshots, form, team, home="headshots", teams="team")
        team.wire(team_tab)
        TabSync(sessions, header, headshots, history, team).wire()
        check.wire(form, tab=check_tab, tabs=tabs, home="headshots")
        endpoint = Endpoint(settings, registry, sessions, queues, CACHE, recorder)

        def closed(request: gr.Request) -> None:
            sessions.stop(request.session_hash)
            endpoint.stop(request.session_hash)

        page.unload(closed)
    return page
