"""The tab that makes headshots: its buttons, its results, and which event calls which handler."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from headshot.backends import Backend
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.history_recorder import HistoryRecorder
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates, event_handler

from . import results
from .account import modelslab
from .calibration import Calibration
from .card_actions import CardActions
from .form import Form
from .photo import IN_ORDER, PhotoPart
from .resuming import Resumer
from .run_view import RunView
from .running import Runner

if TYPE_CHECKING:
    from headshot import storage

_SHOW_RESULTS = """() => {
  // A matrix must be confirmed first, next to Generate.
  const asked = document.querySelector("#varied input[value=matrix]:checked") && !document.querySelector("#yes");
  if (innerWidth >= 1000 || asked) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector("#results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}"""


class HeadshotsPart:
    """Generate, Stop, the results and *Delete my pictures*.

    Attributes:
        shown: the components that `opened` and `renewed` may update.
        deleted: the event that follows on *Delete my pictures*.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        form: Form,
        recorder: HistoryRecorder,
        calibration: Calibration,
    ) -> None:
        self._registry = registry
        self._sessions = sessions
        self._form = form
        self._recorder = recorder
        self._calibration = calibration
        self._view = RunView(settings, sessions)
        self._runner = Runner(settings, registry, sessions, queues, form, recorder, self._view)

    def buttons(self) -> None:
        """Build Generate and Stop."""
        with gr.Row(elem_id="actions"):
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate")
            self.stop = gr.Button("Stop", elem_id="stop")

    def results(self) -> None:
        """Build the right column."""
        self._view.build(_greeting(self._registry))
        self.status, self.shots, self.notes = self._view.components
        self._calibration.build()

    def deletion(self) -> None:
        """Build the last element of the right column."""
        self.delete = gr.Button("Delete my pictures", size="sm", elem_id="delete")

    def wire(self, page: gr.Blocks, photo: PhotoPart) -> None:
        """Connect the events. All components of the page must be built."""
        form, view, runner = self._form, self._view, self._runner
        self._photo = photo
        self._resumer = Resumer(self._registry, self._sessions, self._recorder, form.account, photo, runner, view)
        actions = CardActions(self._registry, self._sessions, form, runner, self._resumer, view)
        self.shown = [*view.components, *photo.shown]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        refused = {"otherwise": view.refused}
        submitting: dict[str, Any] = {
            "inputs": {*form.fields, form.confirmation_token},
            "outputs": [*view.components, form.seeds, form.confirmation_token],
            "concurrency_id": IN_ORDER,
            **quiet,
        }
        submitted = gr.on(
            [self.generate.click, form.seeds.submit, form.scales.submit],
            event_handler(runner.submit, **refused),
            **submitting,
        )
        confirmed = form.yes.click(event_handler(runner.submit_matrix, **refused), **submitting)
        # trigger_mode="multiple": the `.then` of a refused click may still be running when the `.then` of the next
        # click starts; "once" would drop it.
        running = [
            event.then(
                event_handler(runner.run, **refused), {form.seeds}, view.components, trigger_mode="multiple", **quiet
            )
            for event in (submitted, confirmed)
        ]
        acting = self.shots.select(
            event_handler(actions.on_action, **refused),
            {form.seeds},
            [*view.components, form.seeds, form.locked],
            trigger_mode="multiple",  # missing headshots may take minutes, and the other buttons work meanwhile
            **quiet,
        )
        restored = page.load(
            event_handler(self._resumer.restore, **refused),
            {form.seeds},
            [*self.shown, *form.account.lines],
            **quiet,
        )
        streams = [*running, acting, restored]
        if modelslab(self._registry) is not None:
            streams += [
                change(event_handler(self._resumer.on_key_entered, **refused), {form.seeds}, view.components, **quiet)
                for change in form.account.changes
            ]
        # No `cancels=` here: each stream ends by itself, and must send the final status.
        self.stop.click(event_handler(runner.stop, **refused), {form.seeds}, view.components, **quiet)
        self.deleted = self.delete.click(
            event_handler(self._delete, **refused), {form.seeds}, self.shown, cancels=streams, **quiet
        )
        self._calibration.wire()
        # On a phone the results are below the form.
        for button in (self.generate, form.yes):
            button.click(None, js=_SHOW_RESULTS, api_visibility="private")

    async def opened(self, session: TabSession, comparison: "storage.HistoryEntry") -> Updates:
        """The page with a comparison of the history in place of the current one.

        Raises:
            RequestError: if a comparison is running.
        """
        return await self._resumer.open_entry(session, comparison)

    def renewed(self, session: TabSession, *, headshots: bool, photo: bool) -> Updates:
        """The page after something was deleted in another tab of the same browser.

        Args:
            session: of this tab.
            headshots: whether this page shows any.
            photo: whether this page shows one.
        """
        updates = {self.notes: results.notes(session.run), **self._view.cards(session)}
        if headshots and session.run is None and session.baseline is None:
            updates[self.status] = results.status("Your headshots were deleted in another tab.", kind="done")
        if photo and session.photo is None and not session.checking.locked():
            updates |= self._photo.emptied()
        return updates

    async def _delete(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        self._sessions.delete(session.owner)
        await self._recorder.forget(session.owner)
        hosted = modelslab(session.backends(self._registry))
        if hosted is not None:
            await hosted.delete()
        return {
            self.status: results.status("Your photo and headshots were deleted.", kind="done"),
            self.notes: "",
            **self._view.cards(session),
            **self._photo.emptied(),
        }


def _greeting(registry: Mapping[str, Backend]) -> str:
    if any(backend.readiness().ready for backend in registry.values()):
        return results.status("Choose a photo, then press Generate.")
    return results.status(" ".join(backend.readiness().sentence for backend in registry.values()), kind="error")
