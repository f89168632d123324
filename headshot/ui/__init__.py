"""The page. This package and `server.py` are the only importers of Gradio."""

import os
from collections.abc import Mapping
from pathlib import Path

from headshot.sessions import folder

# Gradio reads these when it is imported: no usage reports, and a folder of our own for uploads, which dies with us.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**12)  # a summary of all events, after each: 30 to 180 ms
os.environ["GRADIO_TEMP_DIR"] = str(folder.claim())

import gradio as gr

from headshot.backends import Backend
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.session import GRACE_SECONDS, SessionRegistry
from headshot.settings import Settings

from .api import Endpoint
from .check.tab import CheckPart
from .headshots.account import modelslab
from .headshots.calibration import Calibration
from .headshots.form import Form
from .headshots.photo import PhotoPart
from .headshots.saved_settings import SavedSettingsPart
from .headshots.shoot import ShootPart
from .history.tab import HistoryPart
from .tab_sync import SCRIPT, TabSync
from .team.tab import TeamPart
from .voting.tab import VotePart

CACHE = Path(gr.utils.get_upload_folder())

TITLE = "Headshot Playground"
_RADIOS = Path(__file__).with_name("radios.js").read_text(encoding="utf-8")
_SWEEP_SECONDS = 60  # how often Gradio looks for uploads that no handler ever took


def build(
    settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry, recorder: HistoryRecorder
) -> gr.Blocks:
    """The page over these backends. `sessions` has what is put in and made here, `recorder` what stays of it."""
    keep_seconds = settings.keep_minutes * 60
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_SWEEP_SECONDS, keep_seconds))
    with page:
        header = gr.HTML(_HEADER, apply_default_css=False, js_on_load=_RADIOS + SCRIPT, elem_id="header")
        form = Form(settings, registry, sessions)
        queues = {
            name: BackendQueue(name, backend.max_concurrent, settings.queue_size) for name, backend in registry.items()
        }
        shoot = ShootPart(settings, registry, sessions, queues, form, recorder, Calibration(sessions, CACHE))
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
                        form.outlook()
                        shoot.buttons()
                    form.fine_tuning()
                with gr.Column(elem_id="results", min_width=0):
                    shoot.results()
                    votes.build()
                    shoot.deletion()
            with gr.Tab("History", id="history") as history_tab:
                history.build()
            with gr.Tab("Team", id="team") as team_tab:
                team.build()
            with gr.Tab("Check a file", id="check") as check_tab:
                check.build()
        gr.HTML(
            _footer(settings, hosted=modelslab(registry) is not None),
            apply_default_css=False,
            js_on_load=None,
            elem_id="footer",
        )
        form.wire(photo)
        looks.wire(page)
        votes.wire(form)
        shoot.wire(page, photo)
        history.wire(history_tab, tabs, shoot, form, team, home="headshots", teams="team")
        team.wire(team_tab)
        TabSync(sessions, header, shoot, history, team).wire()
        check.wire(form, tab=check_tab, tabs=tabs, home="headshots")
        endpoint = Endpoint(settings, registry, sessions, queues, CACHE, recorder)

        def closed(request: gr.Request) -> None:
            sessions.stop(request.session_hash)
            endpoint.stop(request.session_hash)

        page.unload(closed)
    return page


_HEADER = (
    "<header><h1>Headshot Playground</h1>"
    "<p>One ordinary photo in, professional headshots out: compare looks side by side.</p></header>"
)


def _footer(settings: Settings, *, hosted: bool) -> str:
    minutes = settings.keep_minutes
    kept = f"{minutes} minute{'' if minutes == 1 else 's'}"
    hours = f"{settings.history_hours} hour{'' if settings.history_hours == 1 else 's'}"
    # What is paid for is found again by who closed the page too soon.
    elsewhere = (
        " Only what you let ModelsLab make goes there; such headshots wait for you here, "
        f"closed page or not, for {kept}."
    )
    return (
        "<footer><p>Your photo and headshots are seen by nobody else. They are deleted when you press <i>Delete my "
        f"pictures</i>: your photo also {round(GRACE_SECONDS / 60)} minutes after you close this page and after {kept},"
        f" the headshots in your history after {hours}."
        f"{elsewhere if hosted else ''} Use a photo of yourself, or one that you have permission for.</p></footer>"
    )
