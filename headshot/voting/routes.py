"""The voting pages: whoever has a poll's code sees two pictures, chooses one, and sees the next two.

The vote is blind: nothing that a voter receives tells pictures apart except the pictures themselves. A picture's
address is a token that differs for each voter, and its file is encoded again without metadata. Tokens are valid until
the server stops; afterwards the page asks for its pair again.
"""

import asyncio
import hmac
import html
import json
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from hashlib import blake2b, sha256
from itertools import permutations
from pathlib import Path
from string import Template
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from headshot.cookies import VOTE_COOKIE, new_secret, secret_in, vote_cookie
from headshot.errors import HeadshotError, RequestError
from headshot.imaging.encoding import jpeg
from headshot.streams import read_limited

from .pairs import count_judged, next_pair, pairs_for
from .ranking import OUTCOMES, BallotLike, Outcome

NO_VOTE = "There is no such vote, or it has ended."

_WELCOME = "Two pictures at a time, without their settings: you say which one you prefer."
_CODE = re.compile(r"[0-9A-Z]{8}")
_LONG_SIDE_PX = 1280  # a headshot's own; on a screen two of them stand beside each other
_QUALITY = 90  # JPEG at full colour resolution: no artefacts that could be mistaken for the picture's own; about 200 KB
_PICTURES_AT_ONCE = 2  # each keeps a core busy for a twentieth of a second
_BODY_BYTES = 1024  # a choice has about 60
_BODY_SECONDS = 10.0  # far more than so few bytes need on a slow line
# Wrong codes accepted by the whole server: trying 30⁸ codes at five a second takes four thousand years, or forty to
# find the first of a hundred open polls. Voters who already had a right code are not limited.
_GUESSES, _GUESSES_A_SECOND = 50, 5.0
_MAX_ADMITTED = 10_000  # voters remembered to have had a right code; a forgotten one counts as a guess once more
_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_FOLDER = Path(__file__).parent / "page"
_ASSETS = {"vote.css": "text/css", "vote.js": "text/javascript"}

_T = TypeVar("_T")


class PollView(Protocol):
    """The part of a poll that the voting pages need."""

    @property
    def title(self) -> str:
        """Shown to voters; may be empty."""
        ...

    @property
    def shots(self) -> tuple[str, ...]:
        """The headshots' ids, without those deleted since."""
        ...

    @property
    def open(self) -> bool:
        """Whether ballots are accepted."""
        ...


class PictureView(Protocol):
    """The part of a stored headshot that the voting pages need."""

    @property
    def picture(self) -> Path:
        """The headshot's file, which may have been deleted."""
        ...


class PollAccess(Protocol):
    """The part of the history that the voting pages need. Every method blocks briefly and may raise StoreError."""

    def vote(self, code: str, /) -> PollView | None:
        """The poll of that code, open or closed; None if there is none."""
        ...

    def ballots(self, code: str, /) -> Sequence[BallotLike]:
        """All ballots of the poll, in the order in which they were cast."""
        ...

    def cast(self, code: str, voter: str, left: str, right: str, outcome: Outcome, /) -> bool:
        """Save a ballot in place of the same voter's earlier one on the pair.

        Returns:
            False if the poll is closed or the pair does not belong to it.

        Raises:
            RequestError: if the poll has as many ballots as it can have.
        """
        ...

    def shot_of_vote(self, code: str, shot: str, /) -> PictureView | None:
        """A headshot of an open poll; None if it does not belong to one."""
        ...


class RunWithHistory(Protocol):
    """Calls a function with the polls in a worker thread and returns its result."""

    async def __call__(self, function: Callable[[PollAccess], _T], /) -> _T:
        """Run `function`; its exceptions are raised here."""
        ...


def routes(run_with_history: RunWithHistory, *, clock: Callable[[], float] = time.monotonic) -> list[Route]:
    """All routes under /vote.

    Args:
        run_with_history: Gives access to the polls.
        clock: Seconds, for the limit on wrong codes.
    """
    pages = _VotePages(run_with_history, clock)
    return [
        Route("/vote", _with_errors(pages.code_form, partial(_code_form_error, here="vote"))),
        Route("/vote/assets/{name}", pages.asset),
        Route("/vote/{code}", _with_errors(pages.vote_page, partial(_code_form_error, here="../vote"))),
        Route("/vote/{code}", _with_errors(pages.submit, _json_error), methods=["POST"]),
        Route("/vote/{code}/pair", _with_errors(pages.next_pair, _json_error)),
        Route("/vote/{code}/picture/{token}", _with_errors(pages.picture, _json_error)),
    ]


@dataclass
class _GuessLimiter:
    """A token bucket for wrong codes: `_GUESSES` at once, refilled by `_GUESSES_A_SECOND`."""

    clock: Callable[[], float]
    available: float = _GUESSES
    updated: float = 0.0

    def consume(self) -> bool:
        now = self.clock()
        self.available = min(_GUESSES, self.available + max(0.0, now - self.updated) * _GUESSES_A_SECOND)
        self.updated = now
        if self.available < 1:
            return False
        self.available -= 1
        return True

    def refund(self) -> None:
        self.available += 1


class _VotePages:
    def __init__(self, run_with_history: RunWithHistory, clock: Callable[[], float]) -> None:
        self._run_with_history = run_with_history
        self._secret = secrets.token_bytes(32)
        self._guesses = _GuessLimiter(clock, updated=clock())
        self._admitted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._limiter = anyio.CapacityLimiter(_PICTURES_AT_ONCE)
        self._assets = {name: (_FOLDER / name).read_bytes() for name in _ASSETS}

    async def code_form(self, request: Request) -> Response:
        typed = request.query_params.get("code")
        if typed is None:
            return _code_form(_WELCOME, 200, "vote")
        code = _normalized(typed)
        if code is None:
            raise _not_found()
        return _redirect(f"vote/{code}")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return PlainTextResponse("There is nothing here.", 404)
        # Fetched again with each page: only a few kilobytes, and never those of an older version.
        return Response(self._assets[name], media_type=_ASSETS[name], headers=_HEADERS | {"Cache-Control": "no-cache"})

    async def vote_page(self, request: Request) -> Response:
        typed = request.path_params["code"]
        code = _normalized(typed)
        if code is not None and code != typed:
            return _redirect(code)
        secret = secret_in(request.cookies, VOTE_COOKIE) or new_secret()
        poll = await self._open_poll(typed, _voter_hash(secret))
        title = html.escape(poll.title or "Which headshot is best?")
        response = HTMLResponse(_template("vote.html").substitute(title=title), headers=_HEADERS)
        response.headers.append("Set-Cookie", vote_cookie(request, secret))
        return response

    async def next_pair(self, request: Request) -> Response:
        code, voter = _code_and_voter(request)
        await self._open_poll(code, voter)
        return await self._next_pair(code, voter)

    async def submit(self, request: Request) -> Response:
        code, voter = _code_and_voter(request)
        poll = await self._open_poll(code, voter)
        parsed = _parse_choice(await _read_body(request))
        if parsed is None:
            raise HTTPException(400, "The answer cannot be read: reload this page.")
        token, choice = parsed
        shown = next(
            (pair for pair in permutations(poll.shots, 2) if self._is_token_of(token, "pair", code, voter, *pair)), None
        )
        if shown is None:  # the token is older than the server's start, or one of the pictures was deleted
            raise HTTPException(409, "This pair is no longer part of the vote.")
        # False means that the poll was closed meanwhile: `_next_pair` then answers 404.
        await self._run_with_history(lambda polls: polls.cast(code, voter, *shown, choice))
        return await self._next_pair(code, voter)

    async def picture(self, request: Request) -> Response:
        code, voter = _code_and_voter(request)
        poll = await self._open_poll(code, voter)
        token = request.path_params["token"]
        shot = next((shot for shot in poll.shots if self._is_token_of(token, "picture", code, voter, shot)), None)
        stored = None if shot is None else await self._run_with_history(lambda polls: polls.shot_of_vote(code, shot))
        if stored is None:
            raise _not_found()
        try:
            picture = await anyio.to_thread.run_sync(_encode_without_metadata, stored.picture, limiter=self._limiter)
        except FileNotFoundError as error:  # deleted at this moment
            raise _not_found() from error
        return Response(picture, media_type="image/jpeg", headers=_HEADERS)

    async def _open_poll(self, code: str, voter: str) -> PollView:
        """The poll of that code. Raises HTTPException: 404 if no poll of it is open, 429 after too many wrong codes."""
        if not _CODE.fullmatch(code):
            raise _not_found()
        known = (voter, code) in self._admitted
        if not known and not self._guesses.consume():
            raise HTTPException(
                429, "Too many wrong codes were tried just now. Try again in a minute.", {"Retry-After": "10"}
            )
        poll = await self._run_with_history(lambda polls: polls.vote(code))
        if poll is not None and not known:
            self._guesses.refund()
            self._admitted[voter, code] = None
            if len(self._admitted) > _MAX_ADMITTED:
                self._admitted.popitem(last=False)
        if poll is None or not poll.open:
            raise _not_found()
        return poll

    async def _next_pair(self, code: str, voter: str) -> Response:
        """The voter's next pair and progress, as JSON."""

        def read(polls: PollAccess) -> tuple[tuple[str, str] | None, int, int] | None:
            poll = polls.vote(code)
            if poll is None or not poll.open:
                return None
            ballots = polls.ballots(code)
            return (
                next_pair(poll.shots, voter, ballots),
                count_judged(poll.shots, voter, ballots),
                pairs_for(len(poll.shots)),
            )

        found = await self._run_with_history(read)
        if found is None:
            raise _not_found()
        pair, done, of = found
        body: dict[str, object] = {"pair": None, "done": min(done, of), "of": of}
        if pair is not None:
            body["pair"] = self._token("pair", code, voter, *pair)
            body |= {
                side: f"picture/{self._token('picture', code, voter, shot)}"
                for side, shot in zip(("left", "right"), pair, strict=True)
            }
        return JSONResponse(body, headers=_HEADERS)

    def _token(self, *parts: str) -> str:
        """A keyed hash of the parts, valid until the server stops; it can neither be read nor made without the key."""
        digest = blake2b("\n".join(parts).encode(), key=self._secret, digest_size=16).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _is_token_of(self, token: str, *parts: str) -> bool:
        return hmac.compare_digest(token.encode(errors="replace"), self._token(*parts).encode())


def _with_errors(
    endpoint: Callable[[Request], Awaitable[Response]], respond: Callable[[HTTPException], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, whose errors become the response that `respond` makes of them."""

    @wraps(endpoint)
    async def wrapper(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException as error:
            return respond(error)
        except ClientDisconnect:
            return respond(HTTPException(400, "The answer did not arrive completely."))
        except RequestError as error:
            return respond(HTTPException(422, str(error)))
        except HeadshotError as error:
            return respond(HTTPException(503, str(error)))

    return wrapper


def _not_found() -> HTTPException:
    return HTTPException(404, NO_VOTE)


def _code_and_voter(request: Request) -> tuple[str, str]:
    """The poll's code and the voter's hash. Raises HTTPException 403 without the cookie."""
    secret = secret_in(request.cookies, VOTE_COOKIE)
    if secret is None:
        raise HTTPException(403, "This page needs its cookie, which tells your answers from those of other voters.")
    return request.path_params["code"], _voter_hash(secret)


def _voter_hash(secret: str) -> str:
    """What the ballots store in place of the voter's secret."""
    return sha256(secret.encode()).hexdigest()


def _normalized(typed: str) -> str | None:
    """A typed code, perhaps with small letters, blanks or hyphens, as it is stored; None if it cannot be a code."""
    code = re.sub(r"[\s-]", "", typed[:40]).upper()
    return code if _CODE.fullmatch(code) else None


def _redirect(address: str) -> Response:
    return RedirectResponse(address, 303, headers=_HEADERS)


def _code_form(message: str, status: int, here: str, headers: Mapping[str, str] | None = None) -> Response:
    """The page with the field for a code. `here` is the address of /vote, relative to the browser's."""
    page = _template("enter_code.html").substitute(message=html.escape(message), here=here)
    return HTMLResponse(page, status, headers={**_HEADERS, **(headers or {})})


def _code_form_error(error: HTTPException, here: str) -> Response:
    return _code_form(error.detail, error.status_code, here, error.headers)


def _json_error(error: HTTPException) -> Response:
    headers = {**_HEADERS, **(error.headers or {})}
    return JSONResponse({"detail": error.detail}, error.status_code, headers=headers)


def _template(name: str) -> Template:
    return Template((_FOLDER / name).read_text(encoding="utf-8"))


async def _read_body(request: Request) -> bytes:
    """The whole body, or b"" if it is too large or too slow; such a body is not read to its end."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await read_limited(_BODY_BYTES, request.stream())
    except TimeoutError:
        return b""


def _parse_choice(body: bytes) -> tuple[str, Outcome] | None:
    """The pair's token and the choice; None if the body does not hold them."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match parsed:
        case {"pair": str(token), "choice": str(choice)}:
            return next(((token, outcome) for outcome in OUTCOMES if outcome == choice), None)
    return None


def _encode_without_metadata(path: Path) -> bytes:
    """The picture as a JPEG file that holds nothing but the picture."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    picture.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture.info.clear()  # Pillow writes some of it into what it saves
    return jpeg(picture, _QUALITY, full_colour=True)
