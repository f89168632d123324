"""The door: settings -> backends -> server -> launch. A Space, the container and `python app.py` all run it."""

import logging
import sys

from headshot.errors import SettingsError
from headshot.modelslab.account import KeyFilter
from headshot.registry import create_backends
from headshot.settings import Settings
from headshot.web import server


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(KeyFilter())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # Gradio asks its own server at the start, once a route
    try:
        settings = Settings()
        backends = create_backends(settings)
    except SettingsError as error:
        sys.exit(str(error))
    server.serve(settings, backends)


if __name__ == "__main__":
    main()
