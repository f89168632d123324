"""The door for programs: `/generate`, which `gradio_client` calls by name. They stand in the same lines as the page."""

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
from headshot.backends import Backend
from headshot.comparison.comparing import parse_seeds, plan
from headshot.errors import BackendError, PhotoError, RequestError
from headshot.imaging.photo import MAX_FILE_BYTES, Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.request import HeadshotRequest, Step, allowed
from headshot.runs.backend_queue import Line
from headshot.runs.execution import run
from headshot.runs.history_recorder import Keeper
from headshot.runs.run import Job
from headshot.runs.saved_headshot import Shot
from headshot.sessions.session import Visitors
from headshot.settings import Settings

from .headshots.photo import delete_upload, is_upload, look_at, open_upload
from .messages import sentence, toast

NAME = "generate"
_SETTINGS = ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale")
_SCHEMA = HeadshotRequest.model_json_schema()["properties"]
_FILE = {name: part for name, part in gr.FileData.model_json_schema().items() if name != "description"}
# Each call holds a photo of up to 50 MB and one of Gradio's places from here to its end. Those that come on top wait in
# Gradio's own queue, where they hold neither, and a program reads its rank.
_AT_ONCE = 8


class Endpoint:
    """One comparison over one photo, for a program: it gets the headshots' files.

    Becomes part of the page that is being built.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        visitors: Visitors,
        lines: Mapping[str, Line],
        cache: Path,
        keeper: Keeper,
    ) -> None:
        self._most = settings.max_headshots
        self._registry = registry
        self._visitors = visitors
        self._lines = lines
        self._cache = cache
        self._keeper = keeper
        self._calls: dict[str, set[asyncio.Task[Any]]] = {}  # that run, by session
        self._reading = asyncio.Lock()  # reading a photo of 40 megapixels takes 300 MB for a second
        # An upload's path follows from its name and bytes: a program that sends one photo with several calls names one
        # path in all of them, and the first to read it deletes it.
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
            concurrency_limit=_AT_ONCE,
            concurrency_id=NAME,
        )

    def _parameters(self, backend: str) -> list[Api]:
        names = " or ".join([backends.AUTO, *self._registry])
        seeds = f"“1, 2, 3” or “10-13”: one headshot each, at most {self._most}."
        return [
            _parameter("photo", _FILE, f'handle_file("me.jpg"), up to {MAX_FILE_BYTES // 2**20} MB.'),
            *(_setting(name) for name in _SETTINGS),
            _parameter("seeds", {"type": "string"}, seeds, "1"),
            _parameter("backend", {"type": "string"}, f"{names}.", backend),
        ]

    def stop(self, session: str | None) -> None:
        """The program with Gradio's session hash is gone: its calls end. From any thread."""
        for call in list(self._calls.get(session or "", ())):
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
        # Any: nothing that was sent is what was asked for before it has been looked at.
        settings = dict(zip(_SETTINGS, (prompt, negative_prompt, num_inference_steps, guidance_scale), strict=True))
        session = request.session_hash or ""
        try:
            # A program without a heartbeat is here as long as its call runs.
            with self._visitors.present(session), self._called(session):
                return await self._shoot(session, photo, settings, seeds, backend)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    @contextmanager
    def _called(self, session: str) -> Iterator[None]:
        """While the call runs, `stop` ends it."""
        call = asyncio.current_task()
        if call is None:
            raise RuntimeError("Gradio's queue runs each call in a task of its own")
        calls = self._calls.setdefault(session, set())
        calls.add(call)
        try:
            yield
        finally:
            calls.remove(call)
            if not calls:
                del self._calls[session]

    async def _shoot(
        self, session: str, sent: Any, settings: dict[str, Any], seeds: Any, backend: Any
    ) -> list[dict[str, Any]]:
        path = self._path(sent)
        try:
            if not isinstance(seeds, str):
                raise RequestError('Write the seeds as text, for example "1, 2, 3" or "10-13".')
            requests = plan(HeadshotRequest.model_validate(settings), parse_seeds(seeds, at_most=self._most))
            visitor = self._visitors.of(session)
            chain = backends.choose(visitor.backends(self._registry), backend)
            photo, check, preview = await self._look_at(path)
        finally:
            delete_upload(path)
        job = Job(requests, photo, check.taken(), None, chain)
        visitor.take(photo, check, None, preview)  # so that a backend remembers it from call to call, and no longer
        self._visitors.make_room()
        try:
            news = run(job, photo, self._lines, visitor, self._keeper)
            async with aclosing(news):
                async for item in news:
                    if isinstance(item, Step):
                        gr.Progress()((item.done, item.total), desc=item.stage, unit="headshots")
        except BackendError as error:
            if not job.shots:
                raise
            toast(sentence(error))  # the program reads it beside what has landed, which may be paid for
        finally:
            if visitor.photo is None or visitor.photo.sha256 != photo.sha256:  # another call brought another one
                for backend in chain:
                    backend.forget(photo)
        return [_file(shot) for shot in job.landed]

    def _path(self, sent: Any) -> str:
        """Where the photo lies that a call names: nothing but an upload can be named."""
        path = sent.get("path") if isinstance(sent, dict) else None
        if not isinstance(path, str):
            raise PhotoError('Send the photo as a file, for example photo=handle_file("me.jpg").')
        if not is_upload(path, self._cache):
            raise PhotoError("The photo did not arrive: send it again.")
        return path

    async def _look_at(self, path: str) -> tuple[Photo, PhotoCheck, bytes]:
        async with self._reading:
            known = self._photos.get(path)
            found = await anyio.to_thread.run_sync(look_at, lambda: open_upload(path) if known is None else known)
            self._photos[path] = found[0]
            return found


def _setting(name: str) -> Api:
    """A parameter with type, help, bounds and default as the request has them."""
    field = _SCHEMA[name]
    about = field["description"]
    if field["type"] != "string":
        about += f" Must be {allowed(field)}."
    # Without its "enum", for of that Gradio tells programs that the choices are strings.
    return _parameter(name, {"type": field["type"]}, about, field["default"])


def _parameter(name: str, schema: dict[str, Any], about: str, default: Any = None) -> Api:
    """What `gr.api` would make of a function's parameter, and the words that `view_api` shows."""
    return Api(default, {**schema, "additional_description": about}, name)


def _headshots() -> Api:
    # A schema's definitions are looked up at its top.
    schema: dict[str, Any] = {"type": "array", "items": _FILE, "$defs": _FILE["$defs"]}
    return Api(None, {**schema, "description": "PNG files, in the seeds' order"}, "headshots")


def _file(shot: Shot) -> dict[str, Any]:
    """What `gradio_client` downloads, under the name that the path ends in."""
    return gr.FileData(path=str(shot.path), orig_name=shot.filename, mime_type="image/png").model_dump()
