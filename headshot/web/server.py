"""Starts the server around the page, on its own or mounted in another app."""

import logging
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from headshot import ui
from headshot.backends import Backend
from headshot.imaging.photo import MAX_FILE_BYTES
from headshot.modelslab.backend import ModelsLab
from headshot.modelslab.jobs import JobService
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions import folder
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.view.tab_view import TabView
from headshot.settings import Settings
from headshot.ui.api import AT_ONCE
from headshot.ui.theme import STYLESHEETS, swatches, theme

from .background_tasks import lifespan_of
from .middleware import middleware_of
from .routes import routes_of

if TYPE_CHECKING:
    from fastapi import FastAPI

_log = logging.getLogger(__name__)

_QUICK_CALLS = 40  # at once, beside those of programs: Gradio's own number for a whole app
_MAX_CALLS = 1_000  # that wait in Gradio's queue, all of them programs'; comparisons wait in queues of their own


def serve(settings: Settings, registry: Mapping[str, Backend], *, port: int | None = None) -> None:
    """Serve the page until Ctrl-C, or a container's SIGTERM. Visitors' files are deleted either way.

    Args:
        settings: of this server.
        registry: its backends, by name.
        port: as in `start`.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        site = start(settings, registry, port=port)
        try:
            site.wait()
        finally:
            site.close()
    except KeyboardInterrupt:
        _log.info("Stopped before the server had started")


@dataclass(frozen=True)
class Site:
    """A running server.

    Attributes:
        address: of the page.
        sessions: the open tabs.
    """

    address: str
    sessions: SessionRegistry
    _page: gr.Blocks

    def wait(self) -> None:
        """Block until the server ends."""
        self._page.block_thread()

    def close(self) -> None:
        """Stop the server and delete its visitors' files."""
        self._page.close(verbose=False)
        self.sessions.close()


def start(
    settings: Settings,
    registry: Mapping[str, Backend],
    *,
    port: int | None = None,
    sessions: SessionRegistry | None = None,
) -> Site:
    """Serve the page in a thread.

    Args:
        settings: of the server.
        registry: the backends by name.
        port: None for the one of GRADIO_SERVER_PORT; the address follows GRADIO_SERVER_NAME, as in every Gradio app.
        sessions: the open tabs; None for an empty registry.
    """
    sessions = sessions or _sessions(settings, registry)
    recorder = HistoryRecorder.of(settings)
    view = TabView(registry)
    page = _page(settings, registry, sessions, recorder, view)
    _, address, _ = page.launch(
        **_options(settings, registry, sessions, recorder, view),
        server_port=port,
        max_threads=page.max_threads,
        prevent_thread_lock=True,
        inbrowser=settings.open_browser,
        share=False,
        num_workers=0,
        quiet=True,
        _frontend=False,  # or a page that takes three seconds, on a busy machine, would count as unreachable
    )
    _log.info("The playground is at %s", address)
    return Site(address, sessions, page)


def mount(
    app: "FastAPI",
    settings: Settings,
    registry: Mapping[str, Backend],
    *,
    path: str = "/",
    sessions: SessionRegistry | None = None,
) -> None:
    """Mount the page in an app of your own. It is served once that app's lifespan has started.

    Every open page holds a connection: a server that waits for its connections when it ends needs a limit for that,
    such as Uvicorn's `timeout_graceful_shutdown`. The page's middleware protects the page only, not the app.

    Args:
        app: yours; its lifespan has to run.
        settings: of the page.
        registry: the backends by name.
        path: of the page in the app.
        sessions: the open tabs; None for an empty registry.
    """
    sessions = sessions or _sessions(settings, registry)
    recorder = HistoryRecorder.of(settings)
    view = TabView(registry)
    options = _options(settings, registry, sessions, recorder, view)
    gr.mount_gradio_app(app, _page(settings, registry, sessions, recorder, view), path, **options)


def _sessions(settings: Settings, registry: Mapping[str, Backend]) -> SessionRegistry:
    folder.delete_abandoned_folders()
    root = Path(tempfile.mkdtemp(prefix="visitors-", dir=ui.CACHE))
    return SessionRegistry(root, settings.keep_minutes * 60, backends=registry.values())


def _page(
    settings: Settings,
    registry: Mapping[str, Backend],
    sessions: SessionRegistry,
    recorder: HistoryRecorder,
    view: TabView,
) -> gr.Blocks:
    page = ui.build(settings, registry, sessions, recorder, view)
    # A program's call holds one of these threads while it runs, and what is clicked meanwhile needs one too.
    page.max_threads = _QUICK_CALLS + AT_ONCE
    page.queue(max_size=_MAX_CALLS, api_open=False)
    return page


def _options(
    settings: Settings,
    registry: Mapping[str, Backend],
    sessions: SessionRegistry,
    recorder: HistoryRecorder,
    view: TabView,
) -> dict[str, Any]:
    """Gradio's options, the same on its own and mounted."""
    job_service = _job_service(registry)
    return {
        "theme": theme(),
        "css": swatches(),
        "css_paths": STYLESHEETS,
        "app_kwargs": {
            "middleware": middleware_of(sessions),
            "routes": routes_of(
                sessions,
                recorder,
                view,
                job_service if settings.public_url else None,
                api=settings.modelslab_api,
            ),
            "lifespan": lifespan_of(settings, registry, sessions, recorder, job_service),
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        "max_file_size": MAX_FILE_BYTES,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "show_error": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
    }


def _job_service(registry: Mapping[str, Backend]) -> JobService | None:
    """The service that runs paid jobs, if there may be any."""
    return next((backend.jobs for backend in registry.values() if isinstance(backend, ModelsLab)), None)
