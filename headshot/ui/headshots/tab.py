"""The tab that makes headshots: its buttons, its results, and what each of them does."""

import json
from html import escape
from typing import Any

import gradio as gr

from headshot.errors import PhotoError, RequestError
from headshot.runs.run import Run
from headshot.sessions.comparisons import BUSY, GONE, Comparisons
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.status import Status
from headshot.sessions.tab_session import TabSession
from headshot.settings import Settings
from headshot.ui import assets
from headshot.ui.messages import Updates, event_handler, note, toast
from headshot.ui.tab_state import TabState

from .calibration import Calibration
from .form import Form
from .photo import IN_ORDER, PhotoPart

_EMPTY = assets.text("headshots/frames.html", "headshots/promise.html")
_SHOW_RESULTS = """() => {
  // A matrix must be confirmed first, next to Generate.
  const asked = document.querySelector("#varied input[value=matrix]:checked") && !document.querySelector("#yes");
  if (innerWidth >= 1000 || asked) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector("#results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}"""


class HeadshotsPart:
    """Generate, Stop and the results, which the browser draws from the tab's state."""

    def __init__(
        self,
        settings: Settings,
        sessions: SessionRegistry,
        comparisons: Comparisons,
        form: Form,
        calibration: Calibration,
        state: TabState,
        greeting: Status,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._comparisons = comparisons
        self._form = form
        self._calibration = calibration
        self._state = state
        self._greeting = greeting

    def buttons(self) -> None:
        """Build Generate and Stop."""
        with gr.Row(elem_id="actions"):
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate")
            self.stop = gr.Button("Stop", elem_id="stop")

    def results(self) -> None:
        """Build the right column."""
        about: dict[str, Any] = {"apply_default_css": False}
        gr.HTML(
            f'<div class="status"><p>{escape(self._greeting.text)}</p></div>',
            elem_id="status",
            js_on_load=assets.call("mountStatus", "element", json.dumps(self._greeting.part())),
            **about,
        )
        self._shots = gr.HTML(
            _EMPTY, elem_id="shots", js_on_load=assets.call("mountShots", "element", "trigger"), **about
        )
        gr.HTML(elem_id="notes", js_on_load=assets.call("mountNotes", "element"), **about)
        self._calibration.build()

    def wire(self, page: gr.Blocks, photo: PhotoPart) -> None:
        """Connect the events. All components of the page must be built."""
        form, state = self._form, self._state.component
        self._photo = photo
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        refused = {"otherwise": self._refused}
        submitting: dict[str, Any] = {
            "inputs": {*form.fields, form.confirmation_token},
            "outputs": [state, form.seeds, form.confirmation_token],
            "concurrency_id": IN_ORDER,
            **quiet,
        }
        gr.on(
            [self.generate.click, form.seeds.submit, form.scales.submit],
            event_handler(self._submit, **refused),
            **submitting,
        )
        form.yes.click(event_handler(self._submit_matrix, **refused), **submitting)
        self._shots.select(
            event_handler(self._act, **refused),
            {form.seeds},
            [state, form.seeds, form.locked],
            trigger_mode="multiple",  # each button is one of its own
            **quiet,
        )
        page.load(
            event_handler(self._restore, **refused),
            {form.seeds},
            [state, *photo.shown, *form.account.lines],
            **quiet,
        )
        for change in form.account.changes:
            change(event_handler(self._on_key_entered, **refused), {form.seeds}, [state], **quiet)
        self.stop.click(event_handler(self._stop, **refused), {form.seeds}, [state], **quiet)
        self._calibration.wire()
        # On a phone the results are below the form.
        for button in (self.generate, form.yes):
            button.click(None, js=_SHOW_RESULTS, api_visibility="private")

    async def _submit(self, values: Updates, request: gr.Request) -> Updates:
        """Handle Generate. A matrix is not started but asked about."""
        return await self._start(values, self._session(request), confirmed=False)

    async def _submit_matrix(self, values: Updates, request: gr.Request) -> Updates:
        """Handle the confirmation of a matrix."""
        return await self._start(values, self._session(request), confirmed=True)

    async def _start(self, values: Updates, session: TabSession, *, confirmed: bool) -> Updates:
        """Start the form's comparison. Raises PhotoError and RequestError."""
        async with session.checking:
            if session.run is not None and session.run.alive:  # Enter in the seeds; Generate itself is hidden
                toast(BUSY)
                return self._state.now(session)
            if session.photo is None or session.check is None:
                raise PhotoError(self._why_no_photo(session))
            face = session.check.require_face()  # raises PhotoError if the photo cannot be used
            seeds = self._form.seeds
            updates: Updates = {}
            if not values[self._form.locked] and not confirmed:  # a confirmed matrix has the seeds that it showed
                updates[seeds] = self._form.fresh_seeds(values)
                values = {**values, **updates}
            matrix = self._form.matrix(values)
            if matrix is not None and not (confirmed and self._form.is_confirmed(values, session)):
                return {**self._state.now(session), **self._form.request_confirmation(values, session)}
            chain = self._form.chain(values, session)
            requests = self._form.requests(values) if matrix is None else matrix.ordered_for(chain[0].name)
            run = Run(
                requests,
                session.photo,
                face,
                session.face,
                chain,
                parent=session.parent,
                owner=session.owner,
                kind="comparison" if matrix is None else "matrix",
            )
            await self._comparisons.start(session, run)
        return {**self._state.now(session), **updates, **self._form.clear_confirmation()}

    def _why_no_photo(self, session: TabSession) -> str:
        match session.photo_lost_reason:
            case "expired":
                return f"Your photo was deleted after {self._settings.keep_minutes} minutes. Add it again."
            case "evicted":
                return "The server is full, so your photo was deleted to make room. Add it again."
            case "disconnected":
                return "This page was disconnected for a while, so its pictures were deleted. Add the photo again."
        return "Add a photo first."

    async def _stop(self, values: Updates, request: gr.Request) -> Updates:
        session = self._session(request)
        await self._comparisons.stop(session)
        return self._state.now(session)

    async def _act(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """Do what the button of a card asks for. The event has `action`, and `id`: of a headshot, job or position."""
        session, name, updates = self._session(request), str(event.id), {}
        match event.action:
            case "check" | "send":
                await self._comparisons.retry_remote(session, name, send=event.action == "send")
            case "open":
                await self._comparisons.open_remote(session, name)
            case "make":
                self._comparisons.run_missing_at(session, name)
            case "make all":
                self._comparisons.run_missing_at(session, "")
            case action:
                updates = self._act_on_headshot(session, str(action), name)
        return {**self._state.now(session), **updates}

    def _act_on_headshot(self, session: TabSession, action: str, name: str) -> Updates:
        shot = session.headshot(name)
        if shot is None:
            raise RequestError(GONE)
        match action:
            case "use_seed":
                session.parent = shot.content_id
                note(f"Seed {shot.request.seed} is now in the Seeds field.")
                return {self._form.seeds: str(shot.request.seed), self._form.locked: True}
            case "baseline":
                session.set_baseline(shot)
            case "no_baseline":
                session.set_baseline(None)
        return {}

    async def _restore(self, values: Updates, request: gr.Request) -> Updates:
        """Handle a page load: the key, the photo and the comparison of this browser are there again."""
        session = self._session(request)
        await self._comparisons.restore(session)
        key = {} if session.key is None else self._form.account.shown(session)
        photo = {} if session.photo is None else self._photo.as_it_is(session)
        return {**self._state.now(session), **key, **photo}

    async def _on_key_entered(self, values: Updates, request: gr.Request) -> Updates:
        session = self._session(request)
        await self._comparisons.follow_again(session)
        return self._state.now(session)

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """Show an error above the headshots, which stay as they are. A comparison that runs goes on."""
        session = self._session(request)
        if session.run is None or not session.run.alive:
            session.notice = Status(sentence, "error")
        return self._state.now(session)

    def _session(self, request: gr.Request) -> TabSession:
        return self._sessions.get(request.session_hash, request.cookies)
