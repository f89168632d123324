"""`headshot shoot`: headshots of one or more photos, as files."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from headshot.backend_names import MODELSLAB
from headshot.backends import Backend, choose
from headshot.comparison.axes import parse_seeds, plan
from headshot.comparison.comparing import compare
from headshot.errors import HeadshotError, NotConfigured, Stopped
from headshot.imaging.photo import Photo
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.runs.signing import LazySigner
from headshot.settings import Settings, variable

from .console import printable, write_error, write_json
from .data_folder import with_data_folder
from .files import FileError, open_folder, write_headshot
from .looks import find_look

if TYPE_CHECKING:
    from .progress_bar import ProgressBar

_INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended


@dataclass(frozen=True)
class Order:
    """The arguments of `headshot shoot`, as they were typed.

    Attributes:
        photos: files, in the order in which they are worked on.
        look: a preset's name, "" for the default look.
        prompt: None for the look's own.
        negative_prompt: None for the look's own.
        guidance: None for the look's own.
        steps: 21, 31 or 41.
        seeds: as `parse_seeds` reads them; "" for one random seed, the same for all photos.
        backend: a backend's name, `auto`, or "" for the setting HEADSHOT_BACKEND.
        face: counted from 1, as on the page; None for the clearest.
        out: the folder that the files are written into.
        as_json: print one JSON list instead of the files' names.
    """

    photos: Sequence[Path]
    look: str = ""
    prompt: str | None = None
    negative_prompt: str | None = None
    guidance: float | None = None
    steps: int = 21
    seeds: str = ""
    backend: str = ""
    face: int | None = None
    out: Path = Path()
    as_json: bool = False

    def request(self) -> HeadshotRequest:
        """Return the settings of every headshot, the seed left open.

        Raises:
            RequestError: if a setting is out of range, or there is no such look.
        """
        values: dict[str, Any] = {"num_inference_steps": self.steps}
        if self.look:
            preset = find_look(self.look)
            values |= {
                "prompt": preset.prompt,
                "negative_prompt": preset.negative_prompt,
                "guidance_scale": preset.guidance_scale,
            }
        own = {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "guidance_scale": self.guidance,
        }
        return HeadshotRequest.model_validate(
            {**values, **{name: value for name, value in own.items() if value is not None}}
        )


def shoot(order: Order) -> int:
    """Make the headshots, and sign and write each one as soon as it is done.

    Ctrl-C stops as the page's Stop does: what is done is kept.

    Returns:
        The exit status: 0, 1 if a photo failed, or 130 after Ctrl-C.

    Raises:
        HeadshotError: if nothing can be made: a wrong setting, a missing key, a certificate that cannot sign, a folder
            that cannot be written to.
    """
    settings = Settings()
    seeds = parse_seeds(order.seeds, at_most=settings.max_headshots) if order.seeds else [None]
    requests = plan(order.request(), seeds)
    open_folder(order.out)
    with with_data_folder(settings) as usable:
        backends = _backends(usable, order.backend or settings.backend)
        from .progress_bar import ProgressBar  # rich takes a tenth of a second to load

        with ProgressBar(len(requests) * len(order.photos)) as bar:
            run = _Run(order, requests, backends, LazySigner(usable), bar)
            with run.cancelled_by_interrupt():
                anyio.run(run.all_photos)
    if order.as_json:
        write_json(run.results)
    if run.progress.stopped:
        write_error(run.stopped_sentence())
        return _INTERRUPTED
    return 1 if run.failed else 0


def _backends(settings: Settings, name: str) -> list[Backend]:
    """Return the backends to try, best first.

    Raises:
        RequestError: if there is no backend of that name.
        NotConfigured: if it is not ready.
    """
    from headshot.registry import create_backends  # OpenCV and onnxruntime: not before the arguments are known good

    backends = create_backends(settings)
    if name == MODELSLAB and not settings.modelslab_key.get_secret_value().strip():
        # The backend's own sentence speaks of the page's field for a key.
        raise NotConfigured(name, f"ModelsLab needs a key: set {variable('modelslab_key')}.")
    return choose(backends, name)


class _Run:
    """The work of one command: photo after photo, headshot after headshot."""

    def __init__(
        self,
        order: Order,
        requests: Sequence[HeadshotRequest],
        backends: Sequence[Backend],
        signer: LazySigner,
        bar: "ProgressBar",
    ) -> None:
        self._order = order
        self._requests = requests
        self._backends = backends
        self._signer = signer
        self._bar = bar
        self._paid_requests: set[HeadshotRequest] = set()  # of the photo at work: sent, and not there yet
        self.results: list[dict[str, Any]] = []
        self.failed = False
        self.progress = Progress(bar.update, self._on_status)

    @contextmanager
    def cancelled_by_interrupt(self) -> Iterator[None]:
        """Turn the first Ctrl-C into Stop; a second one ends the program at once."""
        if threading.current_thread() is not threading.main_thread():  # where no handler can be set
            yield
            return

        def stop(number: int, frame: object) -> None:
            self.progress.cancel()
            signal.signal(signal.SIGINT, signal.default_int_handler)

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    async def all_photos(self) -> None:
        """Work on every photo; one that fails does not stop the others.

        Raises:
            FileError: if a headshot cannot be written, because the next one could not either.
        """
        for position, path in enumerate(self._order.photos):
            if self.progress.stopped:
                return
            self._bar.start_photo(path.name, position * len(self._requests))
            self._paid_requests.clear()
            try:
                await self._one_photo(path)
            except Stopped:
                return
            except FileError:
                raise
            except HeadshotError as error:
                self.failed = True
                self._bar.write_error(self._about(path, str(error)))

    async def _one_photo(self, path: Path) -> None:
        photo = await anyio.to_thread.run_sync(Photo.open, path)
        face = None if self._order.face is None else self._order.face - 1
        async with aclosing(compare(self._backends, photo, self._requests, self.progress, face=face)) as headshots:
            async for headshot in headshots:
                self._paid_requests.discard(headshot.request)
                signed = await anyio.to_thread.run_sync(self._signer.sign_headshot, headshot)
                file = write_headshot(self._order.out, path, headshot.filename, signed)
                self.results.append(_result(path, file, headshot))
                if not self._order.as_json:
                    self._bar.write_line(str(file))
        for backend in self._backends:
            backend.drop_cache(photo)

    def _on_status(self, status: HeadshotStatus) -> None:
        if status.job and status.kind in ("under way", "unknown"):
            self._paid_requests.add(status.request)

    def _about(self, path: Path, sentence: str) -> str:
        """Name the photo where the sentence does not, and there are several."""
        if len(self._order.photos) == 1 or path.name in sentence:
            return sentence
        return f"{printable(str(path))}: {sentence}"

    def stopped_sentence(self) -> str:
        """Return how much was done before Ctrl-C, and what may be billed all the same."""
        total = len(self._requests) * len(self._order.photos)
        sent = len(self._paid_requests)
        billed = f"; {sent} more had been sent to ModelsLab and may be billed" if sent else ""
        return f"Stopped: {len(self.results)} of {total} headshots are done{billed}."


def _result(photo: Path, file: Path, headshot: Headshot) -> dict[str, Any]:
    return {
        "photo": str(photo),
        "file": str(file),
        "backend": headshot.backend,
        "request": headshot.request.model_dump(),
        "seconds": round(float(headshot.seconds), 3),
        "likeness": None if headshot.likeness is None else round(float(headshot.likeness), 4),
        "trust": None if headshot.trust is None else round(float(headshot.trust), 4),
        "notes": [{"kind": note.kind, "text": note.text} for note in headshot.notes],
    }
