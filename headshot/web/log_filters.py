"""Keeps secrets out of the server's logs."""

import logging
import re

from headshot.modelslab.key import MASK
from headshot.modelslab.key_filter import KeyFilter

_SECRETS_IN_ADDRESSES = re.compile(
    r"(/webhooks/|/headshots/|/vote/|/heartbeat/|/file=|session_hash=|[?&]code=)[^\s?&]+"
)


class _UrlFilter(logging.Filter):
    """Masks the secrets in addresses: a server that the page is mounted in may keep an access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SECRETS_IN_ADDRESSES.sub(rf"\1{MASK}", part) if isinstance(part, str) else part for part in record.args
            )
        return True


REDACT_URLS, REDACT_KEYS = _UrlFilter(), KeyFilter()  # one of each, however often a server starts
