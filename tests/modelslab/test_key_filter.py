"""Log lines without the key."""

import io
import logging
from urllib.parse import quote

from headshot.modelslab.key import Key
from headshot.modelslab.key_filter import KeyFilter

TEXT = "cAnArY0k3y/0f+N0b0dy=59chars"


def test_logs_are_written_without_the_key() -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    key = Key(TEXT)
    handler.addFilter(KeyFilter())
    logger = logging.getLogger("test_key_filter")
    logger.addHandler(handler)
    try:
        logger.warning("sent %s to %s", {"key": TEXT}, quote(TEXT))
        try:
            raise ValueError(f"no such key: {TEXT}")
        except ValueError:
            logger.exception("it broke")
    finally:
        logger.removeHandler(handler)
    assert key.problem is None
    assert "it broke" in written.getvalue() and "no such key: •••" in written.getvalue()
    assert TEXT not in written.getvalue() and quote(TEXT) not in written.getvalue()
