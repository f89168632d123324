"""The two cookies, each a secret of 256 random bits: one identifies a browser, the other a voter.

No other module names, reads or writes a cookie.
"""

import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

PAGE_COOKIE = "headshot-visitor"
PAGE_COOKIE_SECONDS = 400 * 86_400  # the most that browsers allow; saved settings are kept as long
VOTE_COOKIE = "headshot-voter"
VOTE_COOKIE_SECONDS = 30 * 86_400  # longer than any vote is open: a voter without it would have to start again

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # as from token_urlsafe(32): a shorter value could be guessed


def secret_in(cookies: Mapping[str, str], name: str) -> str | None:
    """The secret that a browser sent under this name; None if it sent none, or one that could be guessed."""
    secret = cookies.get(name, "")
    return secret if _SECRET.fullmatch(secret) else None


def new_secret() -> str:
    """A secret for a browser that has none."""
    return secrets.token_urlsafe(32)


def owner_of(cookies: Mapping[str, str]) -> str:
    """The owner of everything that this browser makes: the SHA-256 of its page cookie, or a new owner without one.

    Args:
        cookies: the request's.

    Returns:
        64 hexadecimal digits. The secret itself is never stored.
    """
    return sha256((secret_in(cookies, PAGE_COOKIE) or new_secret()).encode()).hexdigest()


def page_cookie(request: "HTTPConnection") -> str:
    """The `Set-Cookie` header of the page: renews the browser's secret, or sets a new one.

    A Space is shown in a frame of huggingface.co, where a browser keeps only cookies that are Secure and Partitioned.
    """
    secret = secret_in(request.cookies, PAGE_COOKIE) or new_secret()
    policy = "SameSite=None; Secure; Partitioned" if _is_encrypted(request) else "SameSite=Lax"
    return f"{PAGE_COOKIE}={secret}; Path=/; Max-Age={PAGE_COOKIE_SECONDS}; HttpOnly; {policy}"


def vote_cookie(request: "HTTPConnection", secret: str) -> str:
    """The `Set-Cookie` header that sets a voter's secret, for the voting pages only."""
    secure = "; Secure" if _is_encrypted(request) else ""
    path = f"{request.scope.get('root_path', '').rstrip('/')}/vote"
    return f"{VOTE_COOKIE}={secret}; Path={path}; Max-Age={VOTE_COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"


def _is_encrypted(request: "HTTPConnection") -> bool:
    # Uvicorn trusts this header only from a proxy on this machine. A false one costs its sender a cookie, and no more.
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return "https" in (request.url.scheme, forwarded)
