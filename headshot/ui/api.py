"""The endpoint for programs: `/generate`, for `gradio_client`. Its calls wait in the same queues as the page's."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import anyio.to_thread
import gradio as gr
from gradio.components.api_component import Api

from headshot import backends
from headshot.backend_names import AUTO
from headshot.backends import Backend
from headshot.comparison.axes import parse_seeds, plan
from headshot.errors import BackendError, PhotoError, RequestError
from headshot.imaging.photo import MAX_FILE_BYTES, Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.progress import Step
from headshot.request import HeadshotRequest, allowed
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.error_messages import message_for
from headshot.runs.execution import execute
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings

from .headshots.photo import delete_upload, is_upload, look_at, open_upload
from .messages import toast

NAME = "generate"
_SETTINGS = ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale")
_SCHEMA = HeadshotRequest.model_json_schema()["properties"]
_FILE = {name: part for name, part in gr.FileData.model_json_schema().items() if name != "description"}
# Each running call holds a photo of up to 50 MB and one of Gradio's slots. Further calls wait in Gradio's own queue,
# where they hold neither, and the program sees its position.
AT_ONCE = 8


class Endpoint:
    """One comparison of one photo, for a program, which receives the headshots' files.

    Making one adds the endpoint to the page that is being built.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        cache: Path,
        recorder: HistoryRecorder,
    ) -> None:
        self._most = settings.max_headshots
        self._registry = registry
        self._sessions = sessions
        self._queues = queues
        self._cache = cache
        self._recorder = recorder
        self._calls: dict[str, set[asyncio.Task[Any]]] = {}  # the running ones, by session hash
        self._reading = asyncio.Lock()  # reading a photo of 40 megapixels takes 300 MB for a second
        # An upload's path follows from its name and bytes: a program that sends one photo with several calls names the
        # same path in all of them, and the first call that reads the file deletes it.
        self._photos: WeakValueDictionary[str, Photo] = WeakValueDictionary()
        gr.on(
            [],
            self._generate,
            self._parameters(settings.backend),
            _headshots(),
            preprocess=False,
            postprocess=False,
            api_name=NAME,
            api_description="Headshots of one photo: one look, several seeds.",
            show_progress="hidden",
            concurrency_limit=AT_ONCE,
            concurrency_id=NAME,
        )

    def _parameters(self, backend: str) -> list[Api]:
        names = " or ".join([AUTO, *self._registry])
        seeds = f"“1, 2, 3” or “10-13”: one headshot each, at most {self._most}."
        return [
            _parameter("photo", _FILE, f'handle_file("me.jpg"), up to {MAX_FILE_BYTES // 2**20} MB.'),
            *(_setting(name) for name in _SETTINGS),
            _parameter("seeds", {"type": "string"}, seeds, "1"),
            _parameter("backend", {"type": "string"}, f"{names}.", backend),
        ]

    def stop(self, session_hash: str | None) -> None:
        """End the calls of a program that has disconnected. Thread-safe."""
        for call in list(self._calls.get(session_hash or "", ())):
            call.get_loop().call_soon_threadsafe(call.cancel)

    async def _generate(
        self,
        photo: Any,
        prompt: Any,
        negative_prompt: Any,
        num_inference_steps: Any,
        guidance_scale: Any,
        seeds: Any,
        backend: Any,
        request: gr.Request,
    ) -> list[dict[str, Any]]:
        # Any: Gradio does not check the types.
        settings = dict(zip(_SETTINGS, (prompt, negative_prompt, num_inference_steps, guidance_scale), strict=True))
        session_hash = request.session_hash or ""
        try:
            # A program has no heartbeat: it counts as connected while its call runs.
            with self._sessions.connected(session_hash), self._stoppable(session_hash):
                return await self._run(session_hash, photo, settings, seeds, backend)
        except Exception as error:
            raise gr.Error(message_for(error), print_exception=False) from error

    @contextmanager
    def _stoppable(self, session_hash: str) -> Iterator[None]:
        """While the call runs, `stop` ends it."""
        call = asyncio.current_task()
        if call is None:
            raise RuntimeError("Gradio's queue runs each call in a task of its own")
        calls = self._calls.setdefault(session_hash, set())
        calls.add(call)
        try:
            yield
        finally:
            calls.remove(call)
            if not calls:
                del self._calls[session_hash]

    async def _run(
        self, session_hash: str, sent: Any, settings: dict[str, Any], seeds: Any, backend: Any
    ) -> list[dict[str, Any]]:
        path = self._path(sent)
        try:
            if not isinstance(seeds, str):
                raise RequestError('Write the seeds as text, for example "1, 2, 3" or "10-13".')
            requests = plan(HeadshotRequest.model_validate(settings), parse_seeds(seeds, at_most=self._most))
            session = self._sessions.get(session_hash)
            chain = backends.choose(session.backends(self._registry), backend)
            photo, check, preview = await self._read_photo(path)
        finally:
            delete_upload(path)
        run = Run(requests, photo, check.require_face(), None, chain)
        # So that a backend remembers the photo from call to call, but not longer.
        session.set_photo(photo, check, None, preview)
        self._sessions.evict()
        try:
            async with aclosing(execute(run, photo, self._queues, session, self._recorder)) as events:
                async for event in events:
                    if isinstance(event, Step):
                        gr.Progress()((event.done, event.total), desc=event.stage, unit="headshots")
        except BackendError as error:
            if not run.headshots:
                raise
            toast(message_for(error))  # the program gets it beside the finished headshots, which may be paid for
        finally:
            if session.photo is None or session.photo.sha256 != photo.sha256:  # another call has replaced it
                for backend in chain:
                    backend.drop_cache(photo)
        return [_file(shot) for shot in run.completed]

    def _path(self, sent: Any) -> str:
        """The path of the photo in a call. Only uploads are accepted."""
        path = sent.get("path") if isinstance(sent, dict) else None
        if not isinstance(path, str):
            raise PhotoError('Send the photo as a file, for example photo=handle_file("me.jpg").')
        if not is_upload(path, self._cache):
            raise PhotoError("The photo did not arrive: send it again.")
        return path

    async def _read_photo(self, path: str) -> tuple[Photo, PhotoCheck, bytes]:
        async with self._reading:
            known = self._photos.get(path)
            found = await anyio.to_thread.run_sync(look_at, lambda: open_upload(path) if known is None else known)
            self._photos[path] = found[0]
            return found


def _setting(name: str) -> Api:
    """A parameter with the type, help, bounds and default of the request's field."""
    field = _SCHEMA[name]
    about = field["description"]
    if field["type"] != "string":
        about += f" Must be {allowed(field)}."
    # Without "enum", because Gradio would tell programs that the choices are strings.
    return _parameter(name, {"type": field["type"]}, about, field["default"])


def _parameter(name: str, schema: dict[str, Any], about: str, default: Any = None) -> Api:
    """A parameter as `gr.api` would make it, with the help that `view_api` shows."""
    return Api(default, {**schema, "additional_description": about}, name)


def _headshots() -> Api:
    # Definitions must be at the top of a schema.
    schema: dict[str, Any] = {"type": "array", "items": _FILE, "$defs": _FILE["$defs"]}
    return Api(None, {**schema, "description": "PNG files, in the seeds' order"}, "headshots")


def _file(shot: SavedHeadshot) -> dict[str, Any]:
    """A file that `gradio_client` downloads, with its name."""
    return gr.FileData(path=str(shot.path), orig_name=shot.filename, mime_type="image/png").model_dump()
