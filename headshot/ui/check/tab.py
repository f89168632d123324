"""The Check tab: reads the metadata of any picture and restores its settings."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import gradio as gr

from headshot.durations import spoken_duration
from headshot.errors import PhotoError, RequestError
from headshot.imaging.photo import MAX_FILE_BYTES
from headshot.metadata import Found, differences, read
from headshot.request import HeadshotRequest
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui.headshots.form import Form, Restored
from headshot.ui.headshots.photo import delete_upload, is_upload
from headshot.ui.history import timeline
from headshot.ui.messages import Updates, event_handler, note

from . import report

if TYPE_CHECKING:
    from headshot.storage import History, HistoryEntry, StoredHeadshot

_READS_AT_ONCE = 2  # reading a picture of 40 megapixels takes 300 MB for a second, whoever sends it

_RESTORES: tuple[tuple[Restored, str, str], ...] = (
    ("all", "Restore all", "Prompts, settings and seed loaded."),
    (
        "all but the seed",
        "All but the seed",
        "Prompts and settings loaded; your seeds are unchanged.",
    ),
    ("the seed", "Seed only", "Seed loaded; everything else is unchanged."),
)


class CheckPart:
    """The tab. Call `build` inside it, then `wire` once the form is built."""

    def __init__(
        self,
        sessions: SessionRegistry,
        recorder: HistoryRecorder,
        cache: Path,
        *,
        chain: Callable[[], str] | None = None,
    ) -> None:
        """Keep what the handlers need.

        Args:
            sessions: the open tabs.
            recorder: the history.
            cache: where Gradio puts uploads.
            chain: returns the PEM certificates by which this server recognises its own pictures; the recorder's if
                None.
        """
        self._sessions = sessions
        self._recorder = recorder
        self._cache = cache
        self._chain = chain or recorder.signer.chain
        self._limiter = anyio.CapacityLimiter(_READS_AT_ONCE)

    def build(self) -> None:
        """Add the tab's components to the page."""
        with gr.Row(elem_id="check-page", equal_height=False):
            with gr.Column(elem_id="check-drop", min_width=0):
                gr.HTML(_INTRODUCTION, apply_default_css=False, js_on_load=None)
                self.file = gr.Image(
                    type="filepath",
                    sources=["upload"],
                    label="Picture to check",
                    show_label=False,
                    container=False,
                    buttons=[],
                    height=184,
                    placeholder="Drop a picture\nor click to choose",
                    elem_id="check-file",
                    alt_text="Picture to check",
                )
                self.picture = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="checked-picture")
            with gr.Column(elem_id="check-found", min_width=0):
                self.report = gr.HTML(_NOTHING_YET, apply_default_css=False, js_on_load=None, elem_id="report")
                self.against = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="against")
                with gr.Row(elem_id="restore", visible=False) as self.buttons:
                    self._restores = {
                        what: gr.Button(
                            label,
                            variant="primary" if what == "all" else "secondary",
                            elem_id=f"restore-{what.replace(' ', '-')}",
                            min_width=0,
                        )
                        for what, label, _ in _RESTORES
                    }
        self.found = gr.State(None)

    def wire(self, form: Form, *, tab: gr.Tab | None = None, tabs: gr.Tabs | None = None, home: str = "") -> None:
        """Connect the events.

        Args:
            form: the settings on the first tab.
            tab: this one; the comparison with the form is refreshed when it is opened.
            tabs: all of them.
            home: id of the tab that shows the restored form.
        """
        self._form, self._tabs, self._home = form, tabs, home
        quickly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        latest: dict[str, Any] = {**quickly, "trigger_mode": "always_last"}
        compared = [self.against, self.buttons, *self._restores.values()]
        compare = (event_handler(self._compare), {self.found, *form.fields}, compared)
        # Gradio's preprocessing would open the file with every decoder that Pillow has.
        shown = [self.file, self.picture, self.report, self.found]
        self.file.input(
            event_handler(self._drop, otherwise=self._refused),
            {self.file},
            shown,
            preprocess=False,
            **latest,
        ).then(*compare, **latest)
        if tab is not None:
            tab.select(event_handler(self._compare_again), {self.found, *form.fields}, compared, **latest)
        filled = [*form.restorable, *([tabs] if tabs is not None else [])]
        for what, _, message in _RESTORES:
            self._restores[what].click(
                event_handler(self._restoring(what, message)), {self.found, *form.fields}, filled, **quickly
            ).then(*compare, **latest)

    async def _drop(self, values: Updates, request: gr.Request) -> Updates:
        if values[self.file] is None:  # Gradio reports that we cleared it as an input too
            return {self.file: gr.skip()}
        path = str(values[self.file]["path"])
        if not is_upload(path, self._cache):  # a script could name any file of the server's
            raise PhotoError("The upload failed. Drop the picture again.")
        try:
            found, picture = await anyio.to_thread.run_sync(self._read, Path(path), limiter=self._limiter)
        finally:
            delete_upload(path)
        session = self._sessions.get(request.session_hash, request.cookies)
        return {
            self.file: None,
            self.picture: picture,
            self.report: report.report(found, await self._find_parent(found.parent, session)),
            self.found: found,
        }

    async def _find_parent(self, content_id: str, session: TabSession) -> str:
        """Which of the visitor's pictures has that content id, as the end of a sentence; "" if none has."""
        shot = session.by_content_id(content_id)
        if shot is not None:
            return f" (on this page: seed {shot.request.seed})"
        if not content_id or not self._recorder.may_have_data:
            return ""

        def find(history: "History") -> "tuple[StoredHeadshot, HistoryEntry] | None":
            stored = history.by_content_id(session.owner, content_id)
            entry = None if stored is None else history.comparison(session.owner, stored.comparison)
            return None if stored is None or entry is None else (stored, entry)

        found = await self._recorder.run(find)
        if found is None:
            return ""
        stored, entry = found
        ago = spoken_duration((datetime.now(UTC) - stored.made).total_seconds())
        seed = stored.request.seed
        return f" (in your history: seed {seed} of “{timeline.title(entry)}”, made {ago} ago)"

    def _read(self, path: Path) -> tuple[Found, str]:
        if not path.is_file():
            raise PhotoError("The upload was incomplete. Drop the picture again.")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        return read(data, chain=self._chain()), report.picture(data)

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """Show the sentence in place of the report."""
        return {
            self.file: None,
            self.picture: "",
            self.report: f'<div class="checked" role="status"><p class="refused">{escape(sentence)}</p></div>',
            self.found: None,
        }

    async def _compare_again(self, values: Updates, request: gr.Request) -> Updates:
        """Compare with the form, which may have changed. If nothing was found yet, a file may be being read: skip."""
        return {self.against: gr.skip()} if values[self.found] is None else await self._compare(values, request)

    async def _compare(self, values: Updates, request: gr.Request) -> Updates:
        found: Found | None = values[self.found]
        if found is None or found.request is None:
            return {self.against: "", self.buttons: gr.Row(visible=False)}
        mine, problem = self._mine(values)
        theirs = found.over(mine[0])
        session = self._sessions.get(request.session_hash, request.cookies)
        more = bool(found.given - {"seed"})
        can: dict[Restored, bool] = {"all": True, "all but the seed": more, "the seed": found.seed is not None}
        return {
            self.against: report.comparison(
                differences(mine, theirs, among=found.given), problem, report.photo_match(found, session.photo)
            ),
            self.buttons: gr.Row(visible=True),
            **{self._restores[what]: gr.Button(interactive=can[what]) for what in can},
        }

    def _restoring(self, what: Restored, message: str) -> Callable[..., Any]:
        async def restore(values: Updates, request: gr.Request) -> Updates:
            found: Found | None = values[self.found]
            if found is None or found.request is None:
                raise RequestError("Nothing to restore. Drop a picture first.")
            mine, _ = self._mine(values)
            updates = self._form.restored(found.over(mine[0]), what)
            if self._tabs is not None:
                updates[self._tabs] = gr.Tabs(selected=self._home)
            session = self._sessions.get(request.session_hash, request.cookies)
            session.parent = found.content_id
            note(" ".join(filter(None, (message, report.photo_match(found, session.photo)[1]))))
            return updates

        return restore

    def _mine(self, values: Updates) -> tuple[Sequence[HeadshotRequest], str]:
        """The form's requests; if it has an error, the default ones and the sentence that says why."""
        try:
            return self._form.requests(values), ""
        except RequestError as error:
            return [HeadshotRequest()], str(error)


_INTRODUCTION = (
    '<div class="intro"><h2>Check a file</h2><p>Drop a headshot made here, or a picture from A1111, Fooocus, InvokeAI '
    "or ComfyUI, to see how it was generated and to reuse its settings. The file is deleted right after it is read.</p>"
    "</div>"
)
_NOTHING_YET = (
    '<div class="checked empty"><p>A picture’s metadata appears here: prompts, settings, seed, and whether it has '
    "changed since it was signed.</p></div>"
)
