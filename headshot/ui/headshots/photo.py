"""The photo and its check: by upload, webcam, clipboard, or the example. Only the cleaned photo is passed on."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from headshot.errors import PhotoError
from headshot.imaging import photo_check
from headshot.imaging.encoding import jpeg
from headshot.imaging.photo import MAX_FILE_BYTES, Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.sessions.registry import SessionRegistry
from headshot.sessions.tab_session import TabSession
from headshot.ui.messages import Updates, event_handler

_EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE = _EXAMPLES / "portrait.jpg"
_OTHER_EXAMPLE = _EXAMPLES / "astronaut.png"  # what the studio makes of unusual clothes
_UPLOAD_FIX = (
    Path(__file__).with_name("upload_fix.js").read_text(encoding="utf-8").replace("__MOST_BYTES__", str(MAX_FILE_BYTES))
)
# One queue of Gradio's for changes of the photo and for Generate, so that Generate sees what was clicked before it.
IN_ORDER = "in order"
_CHECKS_AT_ONCE = 2  # of all visitors: reading a photo of 40 megapixels takes 300 MB for a second
_PREVIEW_PX = 960  # twice the width it is shown at, for sharp screens
_NEAR_FACE = 0.9  # a click counts this far from the face's middle, in face sizes: hair, ears and chin belong to it
_ACCENT, _OTHER = "#4fc1b0", "#ffffff"  # the chosen face in the page's accent, both readable on skin and on shade


class PhotoPart:
    """The part of the form that holds the photo.

    Attributes:
        shown: the components that `emptied` and `as_it_is` update.
    """

    def __init__(self, sessions: SessionRegistry, cache: Path) -> None:
        self._sessions = sessions
        self._cache = cache
        self._check_limiter = anyio.CapacityLimiter(_CHECKS_AT_ONCE)
        with gr.Row(elem_id="photo-part"):
            self.photo = gr.Image(
                type="filepath",
                sources=["upload", "webcam", "clipboard"],
                label="Photo",
                show_label=False,
                container=False,
                buttons=[],
                height=264,
                placeholder="Drop a portrait\nor click to choose",
                webcam_options=gr.WebcamOptions(mirror=True),
                elem_id="photo",
                alt_text="Your photo",
            )
            with gr.Column(elem_id="check-part", min_width=0):
                self.check = gr.HTML(_INVITATION, elem_id="check", apply_default_css=False, js_on_load=_UPLOAD_FIX)
                self.turn = gr.Button("Turn the photo", size="sm", visible=False, elem_id="turn")
                self.example = gr.Button("Use the example photo", size="sm", elem_id="example")
                self.other_example = gr.Button("Another example", size="sm", elem_id="other-example")
                self.face = gr.Radio([], label="Face", visible=False, elem_id="face", container=False)

        self.shown = [self.photo, self.check, self.face, self.turn, self.example, self.other_example]
        quickly: dict[str, Any] = {
            "show_progress": "hidden",
            "api_visibility": "private",
            "concurrency_limit": None,
            "concurrency_id": IN_ORDER,
            # Pasting clears the input first: by default the paste would be dropped while the clearing is still handled.
            "trigger_mode": "always_last",
        }
        # No preprocessing: Gradio would open the file with every decoder that Pillow has, and for a file that is no
        # picture it would fail before a handler could report it.
        unopened = {**quickly, "preprocess": False}
        self.photo.input(event_handler(self._on_upload, otherwise=self._refused), {self.photo}, self.shown, **unopened)
        self.photo.clear(event_handler(self._on_clear, otherwise=self._refused), {self.photo}, self.shown, **unopened)
        for button, handler in ((self.example, self._use_example), (self.other_example, self._use_other_example)):
            button.click(event_handler(handler, otherwise=self._refused), {self.face}, self.shown, **quickly)
        self.turn.click(event_handler(self._rotate, otherwise=self._refused), {self.face}, self.shown, **quickly)
        self.face.input(event_handler(self._choose_face, otherwise=self._refused), {self.face}, self.shown, **quickly)
        # "always_last" would send the first click once more, and never the last one.
        pointing = {**quickly, "trigger_mode": "multiple"}
        self.photo.select(
            event_handler(self._choose_clicked_face, otherwise=self._refused), {self.face}, self.shown, **pointing
        )

    def emptied(self) -> Updates:
        """The page without a photo."""
        return self._updates(None, None, _INVITATION)

    def as_it_is(self, session: TabSession) -> Updates:
        """The page with the photo that the session has, or without one."""
        if session.photo is None or session.check is None:
            return self.emptied()
        return self._updates(session.preview, session.check, _verdict(session.photo, session.check))

    async def _on_upload(self, values: Updates, request: gr.Request) -> Updates:
        if values[self.photo] is None:
            return await self._on_clear(values, request)
        path = str(values[self.photo]["path"])
        if not _within(path, self._cache):  # a script could name any file of the server
            raise PhotoError("The photo did not arrive: choose it again.")
        session = self._sessions.get(request.session_hash, request.cookies)
        if _within(path, self._sessions.root) or path == session.upload:
            # Gradio reports clearing as an input too, with the photo that was cleared.
            return {self.photo: gr.skip()}
        session.upload = path
        try:
            return await self._replace(request, partial(open_upload, path))
        finally:
            delete_upload(path)

    async def _use_example(self, values: Updates, request: gr.Request) -> Updates:
        return await self._replace(request, partial(Photo.open, EXAMPLE))

    async def _use_other_example(self, values: Updates, request: gr.Request) -> Updates:
        return await self._replace(request, partial(Photo.open, _OTHER_EXAMPLE))

    async def _rotate(self, values: Updates, request: gr.Request) -> Updates:
        """Replace the photo by itself, turned as its check advises."""
        session = self._sessions.get(request.session_hash, request.cookies)
        photo, check = session.photo, session.check
        if photo is None or check is None:
            raise PhotoError("The photo is no longer here: choose it again.")
        if not check.turn:  # a second click, while the first was handled
            return {self.photo: gr.skip()}
        return await self._replace(request, partial(photo.turned, check.turn))

    async def _choose_face(self, values: Updates, request: gr.Request) -> Updates:
        return await self._set_face(self._sessions.get(request.session_hash, request.cookies), int(values[self.face]))

    async def _choose_clicked_face(self, values: Updates, request: gr.Request, event: gr.SelectData) -> Updates:
        """A click on the photo chooses the face under it."""
        session = self._sessions.get(request.session_hash, request.cookies)
        index = None
        if session.photo is not None and session.check is not None:
            scale = _preview_scale(session.photo.pixels.shape[1::-1])
            index = _face_at(session.check, event.index[0] / scale, event.index[1] / scale)
        if index is None:
            return {self.photo: gr.skip()}
        return await self._set_face(session, index)

    async def _set_face(self, session: TabSession, index: int) -> Updates:
        version = session.photo_version
        async with session.checking:
            photo = session.photo
            if session.photo_version != version:  # the face was picked on the photo before
                return {self.photo: gr.skip()}
            if photo is None:
                raise PhotoError("The photo is no longer here: choose it again.")
            return await self._check(session, version, lambda: photo, index)

    async def _replace(self, request: gr.Request, load: Callable[[], Photo]) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        session.photo_version += 1
        version = session.photo_version
        async with session.checking:
            return await self._check(session, version, load)

    async def _on_clear(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        session.remove_photo()
        updates = self.emptied()
        # The input is empty already, or has the next photo: pasting clears it first, and then uploads.
        del updates[self.photo]
        return updates

    async def _check(
        self, session: TabSession, version: int, load: Callable[[], Photo], index: int | None = None
    ) -> Updates:
        """Check the photo and store it in the session, unless the photo was changed again meanwhile."""
        try:
            photo, check, preview = await anyio.to_thread.run_sync(look_at, load, index, limiter=self._check_limiter)
        except PhotoError:
            if session.photo_version != version:
                return {self.photo: gr.skip()}
            raise
        if session.photo_version != version:
            return {self.photo: gr.skip()}
        session.set_photo(photo, check, index, preview)
        self._sessions.evict()
        return self._updates(session.preview, check, _verdict(photo, check))

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """Show an error beside the photo; the photo from before stays."""
        session = self._sessions.get(request.session_hash, request.cookies)
        problem = _problem(sentence)
        if session.preview is None:
            return self._updates(None, None, problem)
        kept = '<p class="kept">Your earlier photo is kept.</p>'
        return self._updates(session.preview, session.check, problem + kept)

    def _updates(self, preview: Path | None, check: PhotoCheck | None, verdict: str) -> Updates:
        several = check is not None and len(check.faces) > 1
        choices = [(f"Face {n + 1}", n) for n in range(len(check.faces))] if check is not None and several else []
        chosen = _index(check) if check is not None and several else None
        return {
            self.photo: None if preview is None else str(preview),
            self.check: verdict,
            self.face: gr.Radio(choices, value=chosen, visible=several),
            self.turn: gr.Button(visible=check is not None and check.turn != 0),
            self.example: gr.Button(visible=preview is None),
            self.other_example: gr.Button(visible=preview is None),
        }


def _within(path: str, folder: Path) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())


def is_upload(path: str, cache: Path) -> bool:
    """Whether `path` is where Gradio saves uploads: directly in a folder of `cache`."""
    try:
        return Path(path).resolve().parent.parent == cache.resolve()
    except (OSError, ValueError):  # too long for a path, or a NUL in it
        return False


def open_upload(path: str) -> Photo:
    """Read an uploaded photo. Raises PhotoError."""
    if not Path(path).is_file():
        raise PhotoError("The upload is incomplete: choose the photo again.")
    return Photo.open(path)


def delete_upload(path: str) -> None:
    """Delete an upload and its folder: the original file may say where the photo was taken."""
    Path(path).unlink(missing_ok=True)
    with suppress(OSError):  # another upload is in it, or its deletion was quicker
        Path(path).parent.rmdir()


def look_at(load: Callable[[], Photo], index: int | None = None) -> tuple[Photo, PhotoCheck, bytes]:
    """Read and check a photo.

    Args:
        load: returns the photo.
        index: of the face picked by hand, None for the clearest.

    Returns:
        The photo, its check, and a preview as JPEG with the faces outlined.

    Raises:
        PhotoError: if the photo cannot be read.
    """
    photo = load()
    check = photo_check.check(photo.pixels, index)
    return photo, check, _preview(photo, check)


def _preview(photo: Photo, check: PhotoCheck) -> bytes:
    """A small JPEG of the photo, its faces outlined, and numbered if there are several."""
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    scale = _preview_scale(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    if check.faces:
        image = image.copy()
        _outline(image, [np.multiply(found.box, scale).tolist() for found in check.faces], _index(check))
    return jpeg(image, 88)


def _preview_scale(size: tuple[int, int]) -> float:
    return min(1.0, _PREVIEW_PX / max(size))


def _face_at(check: PhotoCheck, x: float, y: float) -> int | None:
    """The index of the face at or next to that point; None if there is none, or only one face in the photo."""
    if len(check.faces) < 2:
        return None

    def distance(index: int) -> float:  # in face sizes: 0.5 is the edge of the face's box
        left, top, width, height = check.faces[index].box
        return max(abs(x - left - width / 2) / width, abs(y - top - height / 2) / height)

    nearest = min(range(len(check.faces)), key=distance)
    return nearest if distance(nearest) <= _NEAR_FACE else None


def _index(check: PhotoCheck) -> int | None:
    """The index of the chosen face."""
    return None if check.chosen is None else check.faces.index(check.chosen)


def _outline(image: Image.Image, boxes: Sequence[Sequence[float]], chosen: int | None) -> None:
    draw = ImageDraw.Draw(image)
    line = max(2, round(max(image.size) / 240))
    font = ImageFont.load_default(size=max(14, max(image.size) / 28))
    # The chosen one last, so that no other outline crosses it.
    for index in sorted(range(len(boxes)), key=lambda index: index == chosen):
        x, y, width, height = boxes[index]
        colour = _ACCENT if index == chosen else _OTHER
        draw.rounded_rectangle((x, y, x + width, y + height), radius=4 * line, outline=colour, width=line)
        if len(boxes) == 1:
            continue
        label = str(index + 1)
        left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
        pad = 2 * line
        tab = (x, y, x + right - left + 2 * pad, y + bottom - top + 2 * pad)
        draw.rounded_rectangle(tab, radius=4 * line, fill=colour)
        draw.text((x + pad - left, y + pad - top), label, fill="#10201e", font=font)


_INVITATION = (
    '<div class="check"><h2>What makes a good photo</h2><ul class="tips">'
    "<li>One person, looking at the camera</li><li>Head and shoulders, nothing cut off</li>"
    "<li>Even light, no sunglasses</li>"
    f"<li>JPEG, PNG, WebP or HEIC, up to {MAX_FILE_BYTES // 2**20} MB</li></ul></div>"
)


def _verdict(photo: Photo, check: PhotoCheck) -> str:
    if not check.usable:
        return _problem(" ".join(advice.text for advice in check.advice))
    height, width = photo.pixels.shape[:2]
    count = len(check.faces)
    lines = [f'<li class="good">{"One face" if count == 1 else f"{count} faces"} found</li>']
    lines += [f'<li class="advice">{escape(advice.text)}</li>' for advice in check.advice]
    if not check.advice:
        lines.append('<li class="good">Sharp, well lit and large enough</li>')
    lines.append(f'<li class="fact">{width:,} × {height:,} pixels</li>')
    return f'<div class="check" role="status"><h2>Photo check</h2><ul class="verdict">{"".join(lines)}</ul></div>'


def _problem(sentence: str) -> str:
    return (
        '<div class="check" role="status"><h2>Photo check</h2>'
        f'<ul class="verdict"><li class="bad">{escape(sentence)}</li></ul></div>'
    )
