"""The likeness of a second real photo of the same person: a scale for the likeness of the headshots."""

from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr

from headshot.errors import PhotoError
from headshot.imaging import face
from headshot.imaging.photo import Photo
from headshot.sessions.registry import SessionRegistry
from headshot.ui.messages import Updates, event_handler

from .photo import delete_upload, is_upload, open_upload

_AT_ONCE = 1  # a photo of 40 megapixels takes 300 MB for a second, and the photo's own check may run beside it
_ABOUT = (
    '<p class="legend">How similar are two real photos of you? Add a second one: it is only measured, not shown to '
    "anybody and not kept.</p>"
)


class Calibration:
    """The upload of a second photo, below the notes of a comparison."""

    def __init__(self, sessions: SessionRegistry, cache: Path) -> None:
        self._sessions = sessions
        self._cache = cache
        self._measure_limiter = anyio.CapacityLimiter(_AT_ONCE)

    def build(self) -> None:
        """Build the components."""
        with gr.Row(elem_id="calibrate"):  # CSS shows it beside headshots that have a likeness
            self.result = gr.HTML(_ABOUT, apply_default_css=False, js_on_load=None, elem_id="calibrated")
            self.second = gr.UploadButton(
                "Add a second photo", file_count="single", file_types=["image"], size="sm", elem_id="second-photo"
            )

    def wire(self) -> None:
        """Connect the events."""
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # No preprocessing: Gradio would copy the file.
        self.second.upload(
            event_handler(self._measure, otherwise=self._refused),
            {self.second},
            [self.second, self.result],
            preprocess=False,
            trigger_mode="always_last",
            **quick,
        )

    async def _measure(self, values: Updates, request: gr.Request) -> Updates:
        sent = values[self.second]
        sent = sent[0] if isinstance(sent, list) else sent
        path = str(sent["path"]) if isinstance(sent, dict) else ""
        if not is_upload(path, self._cache):  # a script could name any file of the server
            raise PhotoError("The second photo did not arrive: choose it again.")
        session = self._sessions.get(request.session_hash, request.cookies)
        photo, check = session.photo, session.check
        try:
            if photo is None or check is None or check.chosen is None:
                raise PhotoError("Add your main photo first, then the second one.")
            own = await anyio.to_thread.run_sync(_likeness, photo, check.chosen, path, limiter=self._measure_limiter)
        finally:
            delete_upload(path)
        return {self.second: None, self.result: _result(own)}

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        return {self.second: None, self.result: _ABOUT}


def _likeness(photo: Photo, chosen: face.Face, path: str) -> float:
    """The likeness of the chosen face and the most similar face in the second photo, −1…1. Raises PhotoError."""
    second = open_upload(path)
    if second.sha256 == photo.sha256:
        raise PhotoError("That is the same photo: add another one of the same person.")
    found = face.find(second.pixels)
    if not found:
        raise PhotoError("No face was found in the second photo: choose another one.")
    mine = face.embed(photo.pixels, chosen)
    return max(face.likeness(mine, face.embed(second.pixels, other)) for other in found)


def _result(own: float) -> str:
    doubt = "" if own >= face.SAME_PERSON else " That is low: is it the same person?"
    return (
        f'<p class="legend" id="calibration" data-own="{own:.3f}" role="status">Two real photos of you reach '
        f"<b>{own:.2f}</b>. A headshot near or above that looks as much like you as another photo.{doubt}</p>"
    )
