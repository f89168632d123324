"""The page where people vote, by a code and without knowing what they look at: two pictures, one answer, the next two.

Nothing that a voter receives tells one picture from another but the picture itself: its address is a token of this
voter alone, and its file is made anew. The tokens hold until the server ends; a page then asks for its pair again.
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
from collections.abc import Awaitable, Callable, Sequence
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
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from headshot.cookies import VOTE_COOKIE, new_secret, secret_in, vote_cookie
from headshot.errors import HeadshotError, RequestError
from headshot.imaging.encoding import jpeg
from headshot.streams import read_limited

from .ranking import OUTCOMES, BallotLike, Outcome, is_valid_ballot, next_pair, pairs_for

NO_VOTE = "There is no such vote, or it has ended."

_WELCOME = "Two pictures at a time, without their settings: you say which one you prefer."
_CODE = re.compile(r"[0-9A-Z]{8}")
_LONG_SIDE_PX = 1280  # a headshot's own; on a screen two of them stand beside each other
_QUALITY = 90  # JPEG, full colour resolution: no artefact that could be taken for the picture's own; about 200 KB
_PICTURES_AT_ONCE = 2  # each keeps a core busy for a twentieth of a second
_BODY_BYTES = 1024  # an answer has about 60
_BODY_SECONDS = 10.0
# Wrong codes that the whole server hears: 30⁸ codes at five a second are four thousand years, or forty for the first of
# a hundred open votes. Those who are in a vote already are not held up by who guesses.
_GUESSES, _GUESSES_A_SECOND = 50, 5.0
_ADMITTED = 10_000  # voters who are remembered to have had a right code; who is forgotten is counted once more
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
    """shots: their ids, without those that were deleted since.  open: ballots are taken."""

    @property
    def title(self) -> str: ...
    @property
    def shots(self) -> tuple[str, ...]: ...
    @property
    def open(self) -> bool: ...


class PictureView(Protocol):
    @property
    def picture(self) -> Path: ...


class PollAccess(Protocol):
    """The part of the history that voters need. Everything in it may raise StoreError, and blocks for a moment."""

    def vote(self, code: str, /) -> PollView | None: ...

    def ballots(self, code: str, /) -> Sequence[BallotLike]: ...

    def cast(self, code: str, voter: str, left: str, right: str, outcome: Outcome, /) -> bool:
        """In the place of what the same voter said of the pair before. False where the vote takes none of it.

        Raises RequestError where the vote is full.
        """
        ...

    def shot_of_vote(self, code: str, shot: str, /) -> PictureView | None: ...


class RunWithHistory(Protocol):
    """Do something with the votes in a worker thread."""

    async def __call__(self, act: Callable[[PollAccess], _T], /) -> _T: ...


def routes(ask: RunWithHistory, *, clock: Callable[[], float] = time.monotonic) -> list[Route]:
    """Everything under /vote."""
    booth = _VotePages(ask, clock)
    return [
        Route("/vote", _answering(booth.door, partial(_code_form, here="vote"))),
        Route("/vote/assets/{name}", booth.asset),
        Route("/vote/{code}", _answering(booth.page, partial(_code_form, here="../vote"))),
        Route("/vote/{code}", _answering(booth.cast, _message_page), methods=["POST"]),
        Route("/vote/{code}/pair", _answering(booth.pair, _message_page)),
        Route("/vote/{code}/picture/{token}", _answering(booth.picture, _message_page)),
    ]


class _Sentence(Exception):
    """An answer in words, instead of what was asked for."""

    def __init__(self, sentence: str, status: int, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


@dataclass
class _Guesses:
    """How many wrong codes are listened to: some at once, and then so many a second."""

    clock: Callable[[], float]
    left: float = _GUESSES
    at: float = 0.0

    def take(self) -> bool:
        now = self.clock()
        self.left = min(_GUESSES, self.left + max(0.0, now - self.at) * _GUESSES_A_SECOND)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def give_back(self) -> None:
        self.left += 1


class _VotePages:
    def __init__(self, ask: RunWithHistory, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._secret = secrets.token_bytes(32)
        self._guesses = _Guesses(clock, at=clock())
        self._admitted: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._at_once = anyio.CapacityLimiter(_PICTURES_AT_ONCE)
        self._assets = {name: (_FOLDER / name).read_bytes() for name in _ASSETS}

    async def door(self, request: Request) -> Response:
        typed = request.query_params.get("code")
        if typed is None:
            return _code_form(_Sentence(_WELCOME, 200), "vote")
        code = _read(typed)
        if code is None:
            raise _not_found()
        return _redirect(f"vote/{code}")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return PlainTextResponse("There is nothing here.", 404)
        # Asked for anew with each page: a few kilobytes, and never those of the version before.
        return Response(self._assets[name], media_type=_ASSETS[name], headers=_HEADERS | {"Cache-Control": "no-cache"})

    async def page(self, request: Request) -> Response:
        typed = request.path_params["code"]
        code = _read(typed)
        if code is not None and code != typed:
            return _redirect(code)
        secret = secret_in(request.cookies, VOTE_COOKIE) or new_secret()
        vote = await self._vote(typed, _voter_hash(secret))
        title = html.escape(vote.title or "Which headshot is best?")
        answer = HTMLResponse(_template("vote.html").substitute(title=title), headers=_HEADERS)
        answer.headers.append("Set-Cookie", vote_cookie(request, secret))
        return answer

    async def pair(self, request: Request) -> Response:
        code, voter = _caller(request)
        await self._vote(code, voter)
        return await self._next(code, voter)

    async def cast(self, request: Request) -> Response:
        code, voter = _caller(request)
        vote = await self._vote(code, voter)
        answer = _answer_in(await _body(request))
        if answer is None:
            raise _Sentence("The answer cannot be read: load this page anew.", 400)
        token, choice = answer
        shown = next(
            (pair for pair in permutations(vote.shots, 2) if self._is(token, "pair", code, voter, *pair)), None
        )
        if shown is None:  # of before the server's start, or of before a picture was deleted
            raise _Sentence("This pair is no longer asked about.", 409)
        await self._ask(
            lambda votes: votes.cast(code, voter, *shown, choice)
        )  # False: it ended meanwhile, as is said next
        return await self._next(code, voter)

    async def picture(self, request: Request) -> Response:
        code, voter = _caller(request)
        vote = await self._vote(code, voter)
        token = request.path_params["token"]
        shot = next((shot for shot in vote.shots if self._is(token, "picture", code, voter, shot)), None)
        kept = None if shot is None else await self._ask(lambda votes: votes.shot_of_vote(code, shot))
        if kept is None:
            raise _not_found()
        try:
            picture = await anyio.to_thread.run_sync(_picture_file, kept.picture, limiter=self._at_once)
        except FileNotFoundError as error:  # it was deleted in this moment
            raise _not_found() from error
        return Response(picture, media_type="image/jpeg", headers=_HEADERS)

    async def _vote(self, code: str, voter: str) -> PollView:
        """Raises _Sentence for codes that open nothing, and for all new ones where too many of these were tried."""
        if not _CODE.fullmatch(code):
            raise _not_found()
        known = (voter, code) in self._admitted
        if not known and not self._guesses.take():
            raise _Sentence(
                "Too many wrong codes were tried just now. Try again in a minute.", 429, **{"Retry-After": "10"}
            )
        vote = await self._ask(lambda votes: votes.vote(code))
        if vote is not None and not known:
            self._guesses.give_back()
            self._admitted[voter, code] = None
            if len(self._admitted) > _ADMITTED:
                self._admitted.popitem(last=False)
        if vote is None or not vote.open:
            raise _not_found()
        return vote

    async def _next(self, code: str, voter: str) -> Response:
        """What this voter is asked next, and how far they are."""

        def look(votes: PollAccess) -> tuple[tuple[str, str] | None, int, int] | None:
            vote = votes.vote(code)
            if vote is None or not vote.open:
                return None
            ballots = votes.ballots(code)
            return (
                next_pair(vote.shots, voter, ballots),
                is_valid_ballot(vote.shots, voter, ballots),
                pairs_for(len(vote.shots)),
            )

        seen = await self._ask(look)
        if seen is None:
            raise _not_found()
        pair, done, of = seen
        told: dict[str, object] = {"pair": None, "done": min(done, of), "of": of}
        if pair is not None:
            told["pair"] = self._token("pair", code, voter, *pair)
            told |= {
                side: f"picture/{self._token('picture', code, voter, shot)}"
                for side, shot in zip(("left", "right"), pair, strict=True)
            }
        return JSONResponse(told, headers=_HEADERS)

    def _token(self, *of: str) -> str:
        """What stands for this, here and until the server ends; nobody can tell or make it without the secret."""
        digest = blake2b("\n".join(of).encode(), key=self._secret, digest_size=16).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _is(self, token: str, *of: str) -> bool:
        return hmac.compare_digest(token.encode(errors="replace"), self._token(*of).encode())


def _answering(
    route: Callable[[Request], Awaitable[Response]], say: Callable[[_Sentence], Response]
) -> Callable[[Request], Awaitable[Response]]:
    @wraps(route)
    async def answering(request: Request) -> Response:
        try:
            return await route(request)
        except _Sentence as sentence:
            return say(sentence)
        except ClientDisconnect:
            return say(_Sentence("The answer did not arrive whole.", 400))
        except RequestError as error:
            return say(_Sentence(str(error), 422))
        except HeadshotError as error:
            return say(_Sentence(str(error), 503))

    return answering


def _not_found() -> _Sentence:
    return _Sentence(NO_VOTE, 404)


def _caller(request: Request) -> tuple[str, str]:
    """The code and the voter's mark."""
    secret = secret_in(request.cookies, VOTE_COOKIE)
    if secret is None:
        raise _Sentence("This page needs its cookie, by which your answers are told from others'.", 403)
    return request.path_params["code"], _voter_hash(secret)


def _voter_hash(secret: str) -> str:
    """What is stored of a voter."""
    return sha256(secret.encode()).hexdigest()


def _read(typed: str) -> str | None:
    """A code as it is stored, from what somebody has typed: small letters, blanks, hyphens. None for what is none."""
    code = re.sub(r"[\s-]", "", typed[:40]).upper()
    return code if _CODE.fullmatch(code) else None


def _redirect(address: str) -> Response:
    return RedirectResponse(address, 303, headers=_HEADERS)


def _code_form(sentence: _Sentence, here: str) -> Response:
    """The page with the field for a code. here: the address of /vote from where the browser is."""
    page = _template("enter_code.html").substitute(message=html.escape(str(sentence)), here=here)
    return HTMLResponse(page, sentence.status, headers=_HEADERS | sentence.headers)


def _message_page(sentence: _Sentence) -> Response:
    return JSONResponse({"detail": str(sentence)}, sentence.status, headers=_HEADERS | sentence.headers)


def _template(name: str) -> Template:
    return Template((_FOLDER / name).read_text(encoding="utf-8"))


async def _body(request: Request) -> bytes:
    """The whole body, or nothing of one that is too large or too slow, which is not read to its end."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await read_limited(_BODY_BYTES, request.stream())
    except TimeoutError:
        return b""


def _answer_in(body: bytes) -> tuple[str, Outcome] | None:
    """The pair's token and what was chosen."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match said:
        case {"pair": str(token), "choice": str(choice)}:
            return next(((token, outcome) for outcome in OUTCOMES if outcome == choice), None)
    return None


def _picture_file(path: Path) -> bytes:
    """A picture as a file of its own, in which nothing stands but the picture."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    picture.thumbnail((_LONG_SIDE_PX, _LONG_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture.info.clear()  # Pillow writes some of it into what it saves
    return jpeg(picture, _QUALITY, full_colour=True)
