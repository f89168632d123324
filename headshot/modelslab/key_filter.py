"""Keeps ModelsLab keys out of the log."""

import logging

from .key import live_keys


class KeyFilter(logging.Filter):
    """Masks every key of this process in log records.

    Add it to handlers: a filter on a logger does not see the records of its child loggers.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask keys in the message and the traceback. Returns True: no record is dropped."""
        message = record.getMessage()
        clean = _scrubbed(message)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = _scrubbed(record.exc_text)
        return True


def _scrubbed(text: str) -> str:
    for key in live_keys():
        text = key.scrub(text)
    return text
