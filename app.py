"""The door: settings -> backends -> server -> launch. A Space, the container and `python app.py` all run it."""

from headshot import server
from headshot.backends import registry
from headshot.settings import Settings


def main() -> None:
    settings = Settings()
    server.launch(settings, registry(settings))


if __name__ == "__main__":
    main()
