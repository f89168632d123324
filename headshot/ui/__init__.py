"""The page. This package and `server.py` are the only importers of Gradio."""

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path

from . import folder

# Gradio reads these when it is imported: no usage reports, and a folder of our own for uploads, which dies with us.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_TEMP_DIR"] = str(folder.claim())

import gradio as gr

from ..backends import Backend
from ..settings import Settings
from .photo import PhotoPart
from .shoot import ShootPart
from .visitors import Visitors

CACHE = Path(gr.utils.get_upload_folder())

TITLE = "Headshot Playground"
_SWEEP_SECONDS = 60  # how often Gradio looks for uploads that no handler ever took


def build(settings: Settings, registry: Mapping[str, Backend], visitors: Visitors) -> gr.Blocks:
    """The page over these backends. `visitors` keeps what is put in and made here."""
    keep_seconds = settings.keep_minutes * 60
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_SWEEP_SECONDS, keep_seconds))
    with page:
        gr.HTML(_HEADER, apply_default_css=False, js_on_load=None, elem_id="header")
        shoot = ShootPart(settings, registry, visitors)
        with gr.Row(elem_id="page", equal_height=False):
            with gr.Column(elem_id="form", min_width=0):
                PhotoPart(visitors, CACHE)
                shoot.form()
            with gr.Column(elem_id="results", min_width=0):
                shoot.results()
        gr.HTML(_footer(settings, registry), apply_default_css=False, js_on_load=None, elem_id="footer")
        shoot.wire()

        def closed(request: gr.Request) -> None:
            visitors.stop(request.session_hash)

        page.unload(closed)
    return page


_HEADER = (
    "<header><h1>Headshot Playground</h1>"
    "<p>One ordinary photo in, professional headshots out: compare looks side by side.</p></header>"
)


def _footer(settings: Settings, registry: Mapping[str, Backend]) -> str:
    minutes = settings.keep_minutes
    readiness = "".join(f"<p>{escape(backend.readiness().sentence)}</p>" for backend in registry.values())
    return (
        f"<footer><p>Your photo and headshots are seen by nobody else. They are deleted when you close this page, and "
        f"after {minutes} minute{'' if minutes == 1 else 's'} at the latest. Use a photo of yourself, or one that you "
        f"have permission for.</p>{readiness}</footer>"
    )
