"""`headshot page`: settings → backends → server. `app.py`, which a Space and the container run, calls it too."""

import logging
from functools import partial

from headshot.errors import HeadshotError
from headshot.settings import Settings

from .console import write_error
from .data_folder import check_data_folder


def run_page(*, port: int | None = None, open_browser: bool | None = None) -> int:
    """Serve the page until Ctrl-C.

    Args:
        port: this one and no other; None for the first free one from GRADIO_SERVER_PORT, or from 7860.
        open_browser: None for the setting HEADSHOT_OPEN_BROWSER.

    Returns:
        The exit status: 0, or 1 with a sentence on standard error if the server cannot start.
    """
    try:
        settings = Settings()
        check_data_folder(settings)
        if open_browser is not None:
            settings = settings.model_copy(update={"open_browser": open_browser})
        _serve(settings, port)
    except HeadshotError as error:
        write_error(str(error))
        return 1
    except OSError as error:  # the port is taken, the address is not this machine's, no temporary folder
        # Gradio's own text on a taken port has two sentences, and speaks of Python's parameters.
        reason = "no free port was found" if "empty port" in str(error) else str(error.strerror or error).rstrip(".")
        write_error(f"The page cannot start: {reason if port is None else f'{reason} (port {port})'}.")
        return 1
    return 0


def _serve(settings: Settings, port: int | None) -> None:
    from headshot.modelslab.key_filter import KeyFilter
    from headshot.registry import create_backends
    from headshot.web import server  # Gradio takes seconds to load: not before the settings are known good

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(KeyFilter())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio calls its own server at the start, once a route
    serve = server.serve if port is None else partial(server.serve, port=port)
    serve(settings, create_backends(settings))
