"""The two cookies, each a secret of 256 random bits: whose browser this is, and who votes.

Nothing else names, reads or writes a cookie.
"""

import re
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

PAGE_COOKIE = "headshot-visitor"
PAGE_COOKIE_SECONDS = 400 * 86_400  # the most that browsers allow, and as long as saved settings are kept
VOTE_COOKIE = "headshot-voter"
VOTE_COOKIE_SECONDS = 30 * 86_400  # longer than any vote is open; without it a voter would be asked everything again

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")  # token_urlsafe(32): what anybody could guess opens nothing


def secret_in(cookies: Mapping[str, str], name: str) -> str | None:
    """The secret that a browser sent under this name; None without one, or with one that could be guessed."""
    secret = cookies.get(name, "")
    return secret if _SECRET.fullmatch(secret) else None


def new_secret() -> str:
    """A secret for a browser that has none."""
    return secrets.token_urlsafe(32)


def owner_of(cookies: Mapping[str, str]) -> str:
    """The owner of what this browser makes: the SHA-256 of its page cookie, or a new one without that cookie.

    Returns:
        64 hexadecimal digits. The secret itself is stored nowhere.
    """
    return sha256((secret_in(cookies, PAGE_COOKIE) or new_secret()).encode()).hexdigest()


def page_cookie(request: "HTTPConnection") -> str:
    """The `Set-Cookie` header of the page: the browser's own secret for longer, or a new one.

    A Space is shown in a frame of huggingface.co, where a browser keeps only what is Secure and Partitioned.
    """
    secret = secret_in(request.cookies, PAGE_COOKIE) or new_secret()
    shown = "SameSite=None; Secure; Partitioned" if _is_encrypted(request) else "SameSite=Lax"
    return f"{PAGE_COOKIE}={secret}; Path=/; Max-Age={PAGE_COOKIE_SECONDS}; HttpOnly; {shown}"


def vote_cookie(request: "HTTPConnection", secret: str) -> str:
    """The `Set-Cookie` header of a voter, for the voting pages alone."""
    secure = "; Secure" if _is_encrypted(request) else ""
    path = f"{request.scope.get('root_path', '').rstrip('/')}/vote"
    return f"{VOTE_COOKIE}={secret}; Path={path}; Max-Age={VOTE_COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"


def _is_encrypted(request: "HTTPConnection") -> bool:
    # Uvicorn believes this header of a proxy on this machine only. Whoever lies in it loses a cookie, and no more.
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return "https" in (request.url.scheme, forwarded)
