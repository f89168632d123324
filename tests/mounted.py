"""The page in an app of somebody's own, run by Uvicorn as they would, with an access log."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from page import free_port
from starlette.applications import Starlette

from headshot.backends import Backend
from headshot.settings import Settings
from headshot.web import server


@contextmanager
def mounted(settings: Settings, registry: Mapping[str, Backend], path: str = "/") -> Iterator[str]:
    """The page's address."""
    app = FastAPI()
    server.mount(app, settings, registry, path=path)
    access_log = logging.getLogger("uvicorn.access")
    level = access_log.level
    access_log.setLevel(logging.INFO)
    try:
        with served(app) as address:
            yield f"{address}{path.rstrip('/')}/"
    finally:
        access_log.setLevel(level)


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address, without a slash at its end, at which Uvicorn answers with that app."""
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not running.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
