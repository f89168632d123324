"""The visitor's own ModelsLab account: a key that is sent once through the page, and stays in the server's memory.

Nothing that Gradio stores, sends or renders has the key: no State, and no component's value but the password box, which
is emptied by the response to its own event. The page shows only the key's last characters.
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
from headshot.modelslab.backend import KEYS_PAGE, ModelsLab
from headshot.modelslab.job_runner import WebhookTarget
from headshot.modelslab.key import Key
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates, event_handler

from .photo import IN_ORDER

_TEST_SECONDS = 20.0  # the client waits longer for pictures; nobody waits longer for a yes or no
_TESTS_AT_ONCE = 8  # of all visitors: each test that hangs holds one of the server's forty slots for quick calls
_SHOWN_CHARS = 4  # as other services do, enough to tell two keys apart
_SHOWN_FROM_CHARS = 20  # of a shorter key, four characters would be a good part
_MOST_CHARS = 1_000  # far more than any key, webhook or track id has; the rest is cut off

# Browsers fill in and offer to save passwords even with "off", and suggest one for "new-password"; a field with this
# value they leave alone. Gradio ignores `html_attributes` for password boxes, so a script sets it.
_NO_AUTOFILL = "setTimeout(() => { document.querySelector('#api-key input').autocomplete = 'one-time-code'; })"
_FOCUS = "() => document.querySelector('#api-key input').focus()"  # the button that held it is gone
# On the element that stays when the text is replaced: else screen readers would not announce it.
_ANNOUNCED = "element.setAttribute('role', 'status')"

_log = logging.getLogger(__name__)


def modelslab(registry: Mapping[str, Backend]) -> ModelsLab | None:
    """The ModelsLab backend, None if it is not among these."""
    found = registry.get(MODELSLAB)
    return found if isinstance(found, ModelsLab) else None


class AccountPart:
    """The part of the form for the key and for the visitor's own webhook. Empty if ModelsLab is not offered.

    Attributes:
        changes: the events after which other backends may be ready than before.
    """

    def __init__(self, settings: Settings, registry: Mapping[str, Backend], sessions: SessionRegistry) -> None:
        self._sessions = sessions
        self._resuming: set[asyncio.Task[None]] = set()  # a task without a reference may be collected while it runs
        self.changes: list[Any] = []
        backend = modelslab(registry)
        if backend is None:
            return
        self._backend = backend
        with gr.Column(elem_id="account", min_width=0):
            self._build_key()
            if not settings.public_demo:  # without a handler a script cannot set it either
                self._build_webhook()

    @property
    def lines(self) -> list[Any]:
        """The components that `shown` may change."""
        return [self.line] if self.changes else []

    def shown(self, session: TabSession) -> Updates:
        """The line about this visitor's key, for a page that is loaded."""
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
        gr.HTML(_ABOUT, apply_default_css=False, js_on_load=_NO_AUTOFILL)
        self.line = gr.HTML(self._line(None), elem_id="key-line", apply_default_css=False, js_on_load=_ANNOUNCED)
        with gr.Row(elem_id="key-actions"):
            test = gr.Button("Test key", size="sm", elem_id="test-key", min_width=0)
            forget = gr.Button("Forget key", size="sm", elem_id="forget-key", min_width=0)
        self.changes = [self.line.change]
        refused = {"otherwise": self._show_error}
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # In one queue with Generate, so that Generate uses a key that was entered just before.
        in_order = {**quick, "concurrency_id": IN_ORDER}
        gr.on(
            [self._box.blur, self._box.submit],
            event_handler(self._store_key, otherwise=self._reject_key),
            {self._box},
            [self._box, self.line],
            trigger_mode="always_last",  # a box that is left again at once must be emptied, too
            **in_order,
        )
        test.click(
            event_handler(self._test, **refused),
            {self.line},
            [self.line],
            trigger_mode="always_last",  # the former test may still be ending
            **{**quick, "concurrency_limit": _TESTS_AT_ONCE},
        )
        forgotten = forget.click(event_handler(self._forget, **refused), {self.line}, [self.line], **in_order)
        forgotten.then(None, js=_FOCUS, api_visibility="private")

    def _build_webhook(self) -> None:
        with gr.Accordion("Your own webhook", open=False, elem_id="hook"):
            self._url = gr.Textbox(
                label="Webhook",
                info="ModelsLab calls this address when a headshot is done. Only for testing your own receiver.",
                placeholder="https://",
                max_lines=1,
                max_length=_MOST_CHARS,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
                elem_id="webhook",
            )
            self._track_id = gr.Textbox(
                label="Track id",
                info="Sent back with each call.",
                max_lines=1,
                max_length=_MOST_CHARS,
                html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=False),
                elem_id="track-id",
            )
            self._hook_line = gr.HTML(elem_id="hook-line", apply_default_css=False, js_on_load=_ANNOUNCED)
        gr.on(
            [event for field in (self._url, self._track_id) for event in (field.blur, field.submit)],
            event_handler(self._set_webhook, otherwise=self._reject_webhook),
            {self._url, self._track_id},
            [self._hook_line],
            show_progress="hidden",
            trigger_mode="always_last",  # the event of the first field may still run when the second field is left
            api_visibility="private",
            concurrency_limit=None,
            concurrency_id=IN_ORDER,
        )

    async def _store_key(self, values: Updates, request: gr.Request) -> Updates:
        """Store the key and empty the box. An empty box keeps the key from before."""
        text = str(values[self._box] or "")[:_MOST_CHARS].strip()
        if not text:
            return {self._box: "" if values[self._box] else gr.skip()}
        key = Key(text)
        if key.problem:
            raise NotConfigured(MODELSLAB, key.problem)
        session = self._sessions.get(request.session_hash, request.cookies)
        session.key = key
        if self._backend.jobs.has_jobs:
            resuming = asyncio.create_task(
                self._resume(session.owner, key)
            )  # opens the database: not while the visitor waits
            self._resuming.add(resuming)
            resuming.add_done_callback(self._resuming.discard)
        return {self._box: "", self.line: self._line(session)}

    async def _resume(self, owner: str, key: Key) -> None:
        """Resume the jobs that were sent with this key before the server was restarted."""
        try:
            await self._backend.jobs.resume(owner, key)
        except Exception:  # noqa: BLE001  nobody awaits this task
            _log.exception("Could not resume ModelsLab jobs after a key was entered")

    async def _test(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        session = self._sessions.get(request.session_hash, request.cookies)
        key = self._backend.for_user(session.owner, session.key).key
        yield {self.line: self._line(session, "Testing…")}
        try:
            await self._test_key(key)
        except HeadshotError:
            if self._holds(session, key):
                raise
        if self._holds(session, key):
            yield {self.line: self._line(session, "The key works.", "good")}
        else:  # forgotten or replaced meanwhile: the line about that stays
            yield {self.line: gr.skip()}

    async def _test_key(self, key: Key) -> None:
        try:
            async with asyncio.timeout(_TEST_SECONDS):
                await self._backend.jobs.test(key)
        except (TimeoutError, Unavailable) as error:
            raise Unavailable(MODELSLAB, "ModelsLab does not respond. Test the key again in a minute.") from error

    def _holds(self, session: TabSession, key: Key) -> bool:
        """Whether the visitor's headshots would still be sent with this key."""
        return (session.key or self._backend.jobs.key) is key

    async def _forget(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        self._sessions.forget_key(session.owner)
        return {self.line: self._line(session, "Key deleted.")}

    def _reject_key(self, sentence: str, request: gr.Request) -> Updates:
        return {self._box: "", **self._show_error(sentence, request)}

    def _show_error(self, sentence: str, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        return {self.line: self._line(session, sentence, "wrong")}

    async def _set_webhook(self, values: Updates, request: gr.Request) -> Updates:
        """Set the webhook of the headshots that are sent from now on."""
        session = self._sessions.get(request.session_hash, request.cookies)
        session.webhook = None  # also if the new one is refused
        url, track_id = (str(values[field] or "")[:_MOST_CHARS].strip() for field in (self._url, self._track_id))
        if not url and track_id:
            raise RequestError("A track id needs a webhook. Enter one, too.")
        if not url:
            return {self._hook_line: ""}
        host = _host(url)
        session.webhook = WebhookTarget(url, track_id or None)
        return {self._hook_line: _words(f"ModelsLab will call {host} for every headshot you send from now on.")}

    def _reject_webhook(self, sentence: str, request: gr.Request) -> Updates:
        return {self._hook_line: _words(sentence, "wrong")}

    def _line(self, session: TabSession | None, words: str = "", kind: str = "") -> str:
        """The line about the key, as HTML. CSS shows the buttons that fit it.

        session: None on a page without a visitor yet. words: what has just happened. kind: "", "good" or "wrong".
        """
        own = None if session is None else session.key
        which, state = "", ""
        if own is not None:
            which, state = "there own", f"Key saved for this session.{_ending(own)}"
        elif self._backend.jobs.key is not None:
            which, state = "there", "This server has its own key, so you don't need one."
        lines = (f'<p class="state">{state}</p>' if state else "") + (_words(words, kind) if words else "")
        # Random, because Gradio fires `change` only if the value differs.
        return f'<div class="key-line {which}" data-at="{secrets.token_hex(4)}">{lines}</div>'


def _words(text: str, kind: str = "") -> str:
    return f'<p class="words {kind}">{escape(text)}</p>'


def _ending(key: Key) -> str:
    text = key.reveal()
    return f" It ends in <code>{escape(text[-_SHOWN_CHARS:])}</code>." if len(text) >= _SHOWN_FROM_CHARS else ""


def _host(url: str) -> str:
    """The host of a webhook. Raises RequestError for an address that the service would not call."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RequestError("The webhook is not a valid link. Copy it again.") from error
    if parts.scheme != "https":
        raise RequestError("The webhook must start with https://.")
    if not host or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise RequestError("The webhook contains a space or a password, or has no host. Copy the link again.")
    return host


_ABOUT = (
    '<p class="about-key">Kept in memory while this page is open, never saved to disk. No key yet? '
    f'<a href="{KEYS_PAGE}" target="_blank" rel="noreferrer">Create one at ModelsLab</a>.</p>'
)
