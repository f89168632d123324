"""The visitor's own looks: the form's settings, saved under a name."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from headshot.errors import RequestError
from headshot.request import HeadshotRequest
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.ui.messages import Updates, event_handler, note

from .form import Form

if TYPE_CHECKING:
    from headshot.storage import SavedSettings

_GONE = "This look was deleted. Save it again."


class SavedSettingsPart:
    """A row of the visitor's looks, and the fields that save and delete one."""

    def __init__(self, sessions: SessionRegistry, recorder: HistoryRecorder, form: Form) -> None:
        self._sessions = sessions
        self._recorder = recorder
        self._form = form

    def build(self) -> None:
        """Build the components."""
        self.own = gr.Radio([], label="Your looks", visible=False, elem_id="looks")
        with gr.Accordion("Save this look", open=False, elem_id="save-look"), gr.Row(elem_id="save-look-row"):
            self.name = gr.Textbox(
                label="Name",
                info="Saves prompt, negative prompt, guidance, steps and backend in this browser's history.",
                max_lines=1,
                max_length=40,
                elem_id="look-name",
                html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            )
            self.save = gr.Button("Save", size="sm", elem_id="look-save", min_width=0)
            self.remove = gr.Button("Delete", size="sm", visible=False, elem_id="look-remove", min_width=0)

    def wire(self, page: gr.Blocks) -> None:
        """Connect the events. The form must be built."""
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        shown = [self.own, self.name, self.remove]
        page.load(event_handler(self._load), {self.name}, shown, **quick)
        self.own.input(
            event_handler(self._apply),
            {self.own},
            [*self._form.restorable, self._form.backend, self.name, self.remove],
            trigger_mode="always_last",
            **quick,
        )
        gr.on(
            [self.save.click, self.name.submit],
            event_handler(self._save),
            {self.name, *self._form.fields},
            shown,
            **quick,
        )
        self.remove.click(event_handler(self._delete), {self.own}, shown, **quick)

    async def _load(self, values: Updates, request: gr.Request) -> Updates:
        owner = self._sessions.get(request.session_hash, request.cookies).owner
        return self._shown(await self._looks(owner), None) if self._recorder.may_have_data else {self.name: gr.skip()}

    async def _apply(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        look = next((look for look in await self._looks(session.owner) if look.name == values[self.own]), None)
        if look is None:
            raise RequestError(_GONE)
        session.parent = ""
        settings = dict(look.settings)
        backend = settings.pop("backend", None)
        updates = self._form.restored(HeadshotRequest.model_validate(settings), "all but the seed")
        if backend in self._form.backends:
            updates[self._form.backend] = backend
        return {**updates, self.name: look.name, self.remove: gr.Button(visible=True)}

    async def _save(self, values: Updates, request: gr.Request) -> Updates:
        owner = self._sessions.get(request.session_hash, request.cookies).owner
        name = str(values[self.name] or "").strip()
        if not name:
            raise RequestError("Give the look a name first.")
        settings = self._form.look_of(values)
        look = await self._recorder.run(lambda history: history.save_look(owner, name, settings))
        note(f"Look “{look.name}” saved.")
        return self._shown(await self._looks(owner), look.name)

    async def _delete(self, values: Updates, request: gr.Request) -> Updates:
        owner = self._sessions.get(request.session_hash, request.cookies).owner
        looks = await self._looks(owner)
        look = next((look for look in looks if look.name == values[self.own]), None)
        if look is None:
            raise RequestError(_GONE)
        await self._recorder.run(lambda history: history.delete_look(owner, look.id))
        note(f"Look “{look.name}” deleted.")
        return {**self._shown([one for one in looks if one is not look], None), self.name: ""}

    async def _looks(self, owner: str) -> "list[SavedSettings]":
        return list(await self._recorder.run(lambda history: history.saved_settings(owner)))

    def _shown(self, looks: "list[SavedSettings]", chosen: str | None) -> Updates:
        names = [look.name for look in looks]
        return {
            self.own: gr.Radio(choices=names, value=chosen, visible=bool(names)),
            self.name: chosen or gr.skip(),
            self.remove: gr.Button(visible=chosen is not None),
        }
