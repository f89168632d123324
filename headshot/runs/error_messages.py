"""An error as a sentence for the person at the screen."""

import logging

from headshot.errors import HeadshotError

BUG = "Something went wrong on the server. Try again. If it happens again, tell whoever runs this page."

_log = logging.getLogger(__name__)


def message_for(error: Exception) -> str:
    """Return the sentence for this error, as plain text. A bug becomes BUG, and a traceback in the log.

    Args:
        error: any error of a handler or a run.
    """
    if isinstance(error, HeadshotError):
        return str(error)
    _log.error("A handler failed", exc_info=error)
    return BUG
