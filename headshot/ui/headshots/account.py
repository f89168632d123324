"""The visitor's own ModelsLab account: a key that passes through the page, and stays in the server's memory alone.

Nothing that Gradio keeps, sends out or renders holds the key: no State, no value of a component but the password box,
which is emptied by the answer to what it sent. What the page shows is its last characters.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from html import escape
from typing import Any
from urllib.parse import urlsplit

import gradio as gr

from headshot.backend_names import MODELSLAB
from headshot.backends import Backend
from headshot.errors import HeadshotError, NotConfigured, RequestError, Unavailable
from headshot.modelslab.account import Key
from headshot.modelslab.backend import KEYS_PAGE, ModelsLab
from headshot.modelslab.job_runner import WebhookTarget
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates, event_handler

from .photo import IN_ORDER

_TEST_SECONDS = 20.0  # the client waits for longer, for pictures; nobody does for a yes or no
_TESTS_AT_ONCE = 8  # of all visitors: each that hangs holds one of the server's forty places for quick calls
_TELLING_CHARS = 4  # what other services show of a key, so that two can be told apart
_TELLING_FROM = 20  # characters: of a shorter key, four would be a good part
_MOST_CHARS = 1_000  # far more than any key, webhook or track id has; a longer text is not looked at

# Browsers fill in and offer to save passwords whatever "off" says, and make one up for "new-password": what has this
# word they leave alone. Gradio gives its password boxes none of the attributes that it is told.
_LEFT_ALONE = "setTimeout(() => { document.querySelector('#api-key input').autocomplete = 'one-time-code'; })"
_FOCUS = "() => document.querySelector('#api-key input').focus()"  # the button that held it is gone
_SPOKEN = "element.setAttribute('role', 'status')"  # on what stays when the text is replaced, else nobody reads it out

_log = logging.getLogger(__name__)


def modelslab(registry: Mapping[str, Backend]) -> ModelsLab | None:
    """The backend that takes a key, where it is among these."""
    found = registry.get(MODELSLAB)
    return found if isinstance(found, ModelsLab) else None


class AccountPart:
    """The key's corner of the form, and a webhook of the visitor's own; nothing where ModelsLab is not offered.

    changes: what the rest of the page listens to, for with a key other backends are ready.
    """

    def __init__(self, settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry) -> None:
        self._sessions = sessions
        self._resuming: set[asyncio.Task[None]] = set()  # a task that nobody holds may be collected while it runs
        self.changes: list[Any] = []
        backend = modelslab(registry)
        if backend is None:
            return
        self._backend = backend
        with gr.Column(elem_id="account", min_width=0):
            self._build_key()
            if not settings.public_demo:  # what has no handler cannot be called by a script either
                self._build_hook()

    @property
    def lines(self) -> list[Any]:
        """What `shown` may change."""
        return [self.line] if self.changes else []

    def shown(self, session: TabSession) -> Updates:
        """What the page says of this visitor's key: for a page that is loaded by somebody who has one."""
        return {self.line: self._line(session)} if self.changes else {}

    def _build_key(self) -> None:
        gr.HTML("<h2>ModelsLab</h2>", apply_default_css=False, js_on_load=None)
        self._box = gr.Textbox(
            type="password",
            label="API key",
            placeholder="Paste your key",
            max_length=_MOST_CHARS,
            elem_id="api-key",
        )
        gr.HTML(_ABOUT, apply_default_css=False, js_on_load=_LEFT_ALONE)
        self.line = gr.HTML(self._line(None), elem_id="key-line", apply_default_css=False, js_on_load=_SPOKEN)
        with gr.Row(elem_id="key-actions"):
            test = gr.Button("Test key", size="sm", elem_id="test-key", min_width=0)
            forget = gr.Button("Forget key", size="sm", elem_id="forget-key", min_width=0)
        self.changes = [self.line.change]
        told = {"otherwise": self._told}
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # Before Generate, where both are on their way: a key that was typed just before is used.
        in_order = {**quick, "concurrency_id": IN_ORDER}
        # Through the queue, which is the one way that the server lets calls in by.
        gr.on(
            [self._box.blur, self._box.submit],
            event_handler(self._keep, otherwise=self._refused),
            {self._box},
            [self._box, self.line],
            trigger_mode="always_last",  # a box that is left again at once must not keep what stands in it
            **in_order,
        )
        test.click(
            event_handler(self._test, **told),
            {self.line},
            [self.line],
            trigger_mode="always_last",  # the one before may have answered and not quite ended
            **{**quick, "concurrency_limit": _TESTS_AT_ONCE},
        )
        forgotten = forget.click(event_handler(self._forget, **told), {self.line}, [self.line], **in_order)
        forgotten.then(None, js=_FOCUS, api_visibility="private")

    def _build_hook(self) -> None:
        with gr.Accordion("Your own webhook", open=False, elem_id="hook"):
            self._url = gr.Textbox(
                label="Webhook",
                info="ModelsLab calls it when a headshot is done. For those who test a receiver of their own.",
                placeholder="https://",
                max_lines=1,
                max_length=_MOST_CHARS,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
                elem_id="webhook",
            )
            self._track_id = gr.Textbox(
                label="Track id",
                info="Comes back with the call.",
                max_lines=1,
                max_length=_MOST_CHARS,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
                elem_id="track-id",
            )
            self._hook_line = gr.HTML(elem_id="hook-line", apply_default_css=False, js_on_load=_SPOKEN)
        gr.on(
            [event for field in (self._url, self._track_id) for event in (field.blur, field.submit)],
            event_handler(self._call, otherwise=self._call_nobody),
            {self._url, self._track_id},
            [self._hook_line],
            show_progress="hidden",
            trigger_mode="always_last",  # from one field to the next the first may still be on its way
            api_visibility="private",
            concurrency_limit=None,
            concurrency_id=IN_ORDER,
        )

    async def _keep(self, values: Updates, request: gr.Request) -> Updates:
        """Take the key out of the box. An empty box is nobody's wish to lose the key."""
        text = str(values[self._box] or "")[:_MOST_CHARS].strip()
        if not text:
            return {self._box: "" if values[self._box] else gr.skip()}
        key = Key(text)
        if key.problem:
            raise NotConfigured(MODELSLAB, key.problem)
        session = self._sessions.get(request.session_hash, request.cookies)
        session.key = key
        if self._backend.jobs.has_jobs:
            resuming = asyncio.create_task(self._resume(session.owner, key))  # opens the store: not while one waits
            self._resuming.add(resuming)
            resuming.add_done_callback(self._resuming.discard)
        return {self._box: "", self.line: self._line(session)}

    async def _resume(self, owner: str, key: Key) -> None:
        """What was sent with this key before the server's last start can be asked for again."""
        try:
            await self._backend.jobs.resume(owner, key)
        except Exception:  # noqa: BLE001  a task's own error would be heard by nobody
            _log.exception("What a visitor had sent before could not be taken up again")

    async def _test(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        session = self._sessions.get(request.session_hash, request.cookies)
        key = self._backend.for_user(session.owner, session.key).key
        yield {self.line: self._line(session, "Testing…")}
        try:
            await self._ask(key)
        except HeadshotError:
            if self._holds(session, key):
                raise
        if self._holds(session, key):
            yield {self.line: self._line(session, "The key works.", "good")}
        else:  # forgotten or replaced meanwhile: what is said of that stays
            yield {self.line: gr.skip()}

    async def _ask(self, key: Key) -> None:
        try:
            async with asyncio.timeout(_TEST_SECONDS):
                await self._backend.jobs.test(key)
        except (TimeoutError, Unavailable) as error:
            raise Unavailable(
                MODELSLAB, "ModelsLab cannot be asked just now: test the key again in a minute."
            ) from error

    def _holds(self, session: TabSession, key: Key) -> bool:
        """Whether that is still the key that the visitor's headshots would be sent with."""
        return (session.key or self._backend.jobs.key) is key

    async def _forget(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        self._sessions.forget_key(session.owner)
        return {self.line: self._line(session, "Your key is forgotten.")}

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        return {self._box: "", **self._told(sentence, request)}

    def _told(self, sentence: str, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        return {self.line: self._line(session, sentence, "wrong")}

    async def _call(self, values: Updates, request: gr.Request) -> Updates:
        """Whom the service calls for what is sent from now on."""
        session = self._sessions.get(request.session_hash, request.cookies)
        session.webhook = None  # whatever stands there in its place
        url, track_id = (str(values[field] or "")[:_MOST_CHARS].strip() for field in (self._url, self._track_id))
        if not url and track_id:
            raise RequestError("A track id comes back with the webhook's call: name a webhook, too.")
        if not url:
            return {self._hook_line: ""}
        host = _host(url)
        session.webhook = WebhookTarget(url, track_id or None)
        return {self._hook_line: _words(f"ModelsLab calls {host} for every headshot that is sent from now on.")}

    def _call_nobody(self, sentence: str, request: gr.Request) -> Updates:
        return {self._hook_line: _words(sentence, "wrong")}

    def _line(self, session: TabSession | None, words: str = "", kind: str = "") -> str:
        """Whose key there is, and what has just become of it. kind: "", "good" or "wrong"; visitor: None for anybody.

        What can be done with the key follows from it, by CSS. No two are equal, so that each is heard of as a change.
        """
        own = None if session is None else session.key
        which, state = "", ""
        if own is not None:
            which, state = "there own", f"Your key is here, in memory alone.{_ending(own)}"
        elif self._backend.jobs.key is not None:
            which, state = "there", "This server has a key of its own: you can make headshots without one."
        lines = (f'<p class="state">{state}</p>' if state else "") + (_words(words, kind) if words else "")
        return f'<div class="key-line {which}" data-at="{secrets.token_hex(4)}">{lines}</div>'


def _words(text: str, kind: str = "") -> str:
    return f'<p class="words {kind}">{escape(text)}</p>'


def _ending(key: Key) -> str:
    text = key.reveal()
    return f" It ends in <code>{escape(text[-_TELLING_CHARS:])}</code>." if len(text) >= _TELLING_FROM else ""


def _host(url: str) -> str:
    """The host of a webhook. Raises RequestError for what the service would not call."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RequestError("The webhook cannot be read as a link: copy it again.") from error
    if parts.scheme != "https":
        raise RequestError("The webhook must be a link that starts with https://: the service calls no other.")
    if not host or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise RequestError("The webhook holds a space, a password, or no host: copy the link again.")
    return host


_ABOUT = (
    '<p class="about-key">Kept in memory while this page is open, and never written down. No key yet? '
    f'<a href="{KEYS_PAGE}" target="_blank" rel="noreferrer">Make one at ModelsLab</a>.</p>'
)
