"""The local pipeline: headshots by a diffusion model on this machine's own accelerator, with the network off.

Light: torch and its like are imported when there are weights to run, and in a thread where there is one.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from headshot.backend_names import LOCAL, TITLES
from headshot.backends import Readiness
from headshot.durations import DurationEstimator, spoken_duration
from headshot.errors import HeadshotError, NotConfigured, Refused, Stopped, Unavailable
from headshot.imaging import face as faces
from headshot.imaging import safety
from headshot.imaging.photo import Photo
from headshot.imaging.photo_check import sitter
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest, Note
from headshot.settings import Settings, variable

from . import hardware, loading, zerogpu
from .cost_model import passes, speed, teraflops
from .device_run import BatchEvent, StepEvent, run_comparison
from .device_worker import DevicePool, DeviceWorker
from .face_crop import face_region
from .model_specs import MODEL_SPECS, ModelSpec, fitting
from .results import OutputSteps, finished, publish_previews

if TYPE_CHECKING:
    from .hardware import Device
    from .loading import Loaded

__all__ = ["Pipeline"]

_LISTEN_SECONDS = 0.2  # how soon Stop is heard while a step is under way: on a CPU one may take minutes
_CARDS = Path("/proc/driver/nvidia/gpus")  # one folder each; an import of torch would tell too, after four seconds
_HANDS = 2  # threads that check, finish and encode beside the device, which must not wait for them


@dataclass(eq=False)
class _DeviceTask:
    """One comparison. left: what is still to be made.  gone: nobody listens any more.  shown: the latest previews."""

    face: Image.Image
    embedding: np.ndarray
    left: list[HeadshotRequest]
    total: int
    progress: Progress
    notes: list[Note] = field(default_factory=list)
    landed: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    shown: "Future[None] | None" = None

    def check(self) -> None:
        """Raises Stopped."""
        self.progress.check()
        if self.gone.is_set():
            raise Stopped("Stopped. Nobody listens any more.")

    def report(self, stage: str) -> None:
        self.progress.report(stage, self.landed, self.total)


class Pipeline:
    """See Backend. One comparison at a time on each device, several devices side by side.

    devices, recipe: instead of what is found and chosen.  idle_seconds: instead of the setting.
    """

    name = LOCAL
    title = TITLES[LOCAL]
    survives_disconnect = False

    def __init__(
        self,
        settings: Settings,
        *,
        devices: "Sequence[Device] | None" = None,
        recipe: ModelSpec | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        self._settings = settings
        self._given = devices
        self._recipe = recipe
        self._idle_seconds: float | None = (
            60.0 * settings.pipeline_idle_minutes if idle_seconds is None else idle_seconds
        )
        self._finish = OutputSteps(settings.pipeline_sharpen, settings.pipeline_grain)
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="pipeline-hand")
        self._looking = threading.Lock()
        self._benches: DevicePool | None = None
        self._pace = DurationEstimator(0.0)  # of one pass of the model over one picture
        self._ready = ""
        self._broken = ""  # why loading failed the last time
        self._lent: zerogpu.Lent | None = None
        self.help = self._help()
        # Before torch is asked: the NVIDIA cards in the machine, or 1.
        cards = len(list(_CARDS.glob("*"))) if settings.pipeline_device == "auto" else 1
        self.max_concurrent = max(1, cards if devices is None else len(devices))
        self._on_zero = zerogpu.on_zerogpu()
        if self._on_zero:
            self._place()

    def readiness(self) -> Readiness:
        """The first time it imports torch, seconds long, where there are weights; unless `warm_up` is at it."""
        if not self._looking.acquire(blocking=False):
            return Readiness(False, "The local pipeline is starting and looks for a device: try again in some seconds.")
        try:
            self._look()
        except HeadshotError as error:
            return Readiness(False, str(error))
        finally:
            self._looking.release()
        return Readiness(False, self._broken) if self._broken else Readiness(True, self._ready)

    def warm_up(self) -> None:
        """Look for devices, load the models, and run one step where that compiles them, all in the background.

        Returns at once. What goes wrong, `readiness` says.
        """
        if not self._on_zero:  # where the models lie ready, and no device is lent for this
            threading.Thread(target=self._warm_up, name="pipeline-warm-up", daemon=True).start()

    def estimate(
        self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
    ) -> float | None:
        """See Backend. Before anything was timed, by the number of operations and the device's speed."""
        if self._benches is None:
            return None
        waking = 0.0 if self._benches.are_loaded else self._benches.loading_seconds
        return waking + passes(requests) * self._pace.seconds

    def drop_cache(self, photo: Photo) -> None:
        """Nothing of a photo is remembered: its face is encoded for one comparison, and gone with it."""

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """Yield the headshots bucket by bucket: four of equal steps land together.

        One that fails the safety check is withheld, and Refused is raised once all others have landed.
        """
        progress.check()
        loop = asyncio.get_running_loop()
        news: asyncio.Queue[BatchEvent | None] = asyncio.Queue()

        def tell(made: BatchEvent | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(news.put_nowait, made)

        if self._on_zero and self._lent is None:
            raise NotConfigured(LOCAL, self._broken)
        benches = await loop.run_in_executor(self._hands, self._open)
        job = await loop.run_in_executor(self._hands, self._job, benches.recipe, photo, requests, progress, face)
        job.report("Waiting for a free device")
        future = benches.submit(lambda bench: self._run(bench, job, tell))
        future.add_done_callback(lambda _: tell(None))
        refusal: Refused | None = None
        try:
            while (made := await _next(news, progress)) is not None:
                for request, picture in zip(made.requests, made.pictures, strict=True):
                    try:
                        headshot = await loop.run_in_executor(
                            self._hands, finished, picture, request, made, job.embedding, self._finish
                        )
                    except Refused as error:
                        refusal = error
                        progress.report_item(HeadshotStatus(request, "failed", str(error), error=error))
                        continue
                    job.landed += 1
                    if job.landed == job.total:
                        job.report("Done")
                    yield headshot
            await asyncio.wrap_future(future)  # for what it raised
        finally:
            job.gone.set()
            future.cancel()
        if refusal is not None:
            raise refusal

    def _help(self) -> str:
        try:
            return self._candidates()[1][0].help
        except HeadshotError:  # a folder without a recipe: readiness says so
            return next(iter(MODEL_SPECS.values())).help

    def _candidates(self) -> tuple[Path | None, list[ModelSpec]]:
        """The folder with the weights, None for the cache, and the recipes that are wished for, best first."""
        named = self._settings.pipeline
        if self._recipe is not None:
            return (Path(named) if named else None), [self._recipe]
        if named in MODEL_SPECS:
            return None, [MODEL_SPECS[named]]
        if named:
            folder = Path(named).expanduser()
            return folder, [loading.recognised(folder)]
        return None, list(MODEL_SPECS.values())

    def _open(self) -> DevicePool:
        with self._looking:
            return self._look()

    def _look(self) -> DevicePool:
        """Packages, weights, devices, memory, in this order: each costs more to look for. Raises the BackendError that
        says what is missing.
        """
        if self._benches is not None:
            return self._benches
        if absent := loading.absent_packages():
            raise NotConfigured(
                LOCAL,
                f"The local pipeline needs {', '.join(absent)}: install what it needs with "
                "`pip install -r requirements-gpu.txt`.",
            )
        if sentence := safety.problem():
            raise NotConfigured(LOCAL, sentence)
        folder, wished = self._candidates()
        lacks = {recipe.name: loading.weights(recipe, folder) for recipe in wished}
        whole = [recipe for recipe in wished if not lacks[recipe.name]]
        if not whole:
            # The one that was begun, if any, else the default.
            best = min(
                wished,
                key=lambda recipe: round(sum(lack.gigabytes for lack in lacks[recipe.name]) / recipe.gigabytes, 1),
            )
            raise NotConfigured(LOCAL, loading.what_to_do(best, lacks[best.name], folder))
        if self._given is None:
            self._given = hardware.chosen(self._settings.pipeline_device)
        devices = self._given
        recipe = fitting(max(device.free_gb() for device in devices), whole)
        able = [device for device in devices if hardware.tiers(recipe, device)]
        if not able:
            raise Unavailable(LOCAL, hardware.too_little(recipe, devices[0]))
        compiled = self._settings.pipeline_compile and not self._on_zero
        benches = [
            DeviceWorker(recipe, device, partial(hardware.tiers, recipe, device), folder, compiled=compiled)
            for device in able
        ]
        # On ZeroGPU there is no device to time before one is lent.
        pace = zerogpu.TERAFLOPS if self._on_zero else speed(able[0], hardware.dtype_for(recipe, able[0]))
        self._pace = DurationEstimator(teraflops(recipe) / pace)
        self._recipe, self.help, self.max_concurrent = recipe, recipe.help, len(able)
        four = passes([HeadshotRequest(seed=0)]) * self._pace.seconds  # a bucket costs the same with one in it
        where = " and ".join(dict.fromkeys(device.title for device in able))
        self._ready = (
            f"The local pipeline is ready: {recipe.title} on {where}, about {spoken_duration(four)} for one to four "
            "headshots. Your photo stays on this machine."
        )
        self._benches = DevicePool(benches, self._idle_seconds)
        return self._benches

    def _place(self) -> None:
        """On ZeroGPU the models lie on the device from the start, for it is gone between two jobs."""
        self._idle_seconds = None
        try:
            benches = self._open()
            benches.submit(lambda bench: setattr(self, "_lent", zerogpu.move_to_gpu(bench.open()))).result()
        except HeadshotError as error:
            self._broken = f"{error} Then restart the Space."

    def _warm_up(self) -> None:
        with suppress(HeadshotError):  # whoever asks for readiness or a headshot hears of it
            self._open().submit(lambda bench: self._within_memory(bench, [], _first_step)).result()

    def _job(
        self,
        recipe: ModelSpec,
        photo: Photo,
        requests: Sequence[HeadshotRequest],
        progress: Progress,
        face: int | None,
    ) -> _DeviceTask:
        """Raises PhotoError where there is no face that a headshot can be made of."""
        _, chosen = sitter(photo.pixels, face)
        region = face_region(photo.pixels, recipe, face)
        return _DeviceTask(region, faces.embed(photo.pixels, chosen), list(requests), len(requests), progress)

    def _run(self, bench: DeviceWorker, job: _DeviceTask, tell: Callable[[BatchEvent], None]) -> None:
        """In the bench's thread."""
        job.check()
        if not bench.is_loaded:
            job.report(f"Loading {bench.recipe.title}")

        def hear(news: StepEvent | BatchEvent) -> None:
            job.check()
            if isinstance(news, StepEvent):
                job.report(f"Step {news.step} of {news.steps}")
                # Where the last previews are still being looked at, these are left out: the device waits for nobody.
                if job.shown is None or job.shown.done():
                    job.shown = self._hands.submit(publish_previews, news, job.progress)
                return
            if job.shown is not None:
                job.shown.result()  # or a preview would come after the picture
            made = set(news.requests)
            job.left = [request for request in job.left if request not in made]
            self._pace.record(news.seconds * len(news.requests) / passes(news.requests))
            tell(replace(news, notes=(*news.notes, *job.notes)))

        def develop(loaded: "Loaded") -> None:
            job.check()
            job.report("Reading the face and the words")
            if self._lent is None:
                run_comparison(loaded, job.face, job.left, hear)
                return
            with closing(self._lent(job.face, job.left)) as lent:
                for news in lent:
                    hear(news)

        try:
            self._within_memory(bench, job.notes, develop)
        finally:
            if job.shown is not None:
                wait([job.shown])  # or a preview would come after what is said of an error
        self._broken = ""

    def _within_memory(self, bench: DeviceWorker, notes: list[Note], attempt: "Callable[[Loaded], None]") -> None:
        """Try, and once more in the next smaller tier where the device's memory runs out."""
        for retried in (False, True):
            try:
                attempt(bench.open())
            except NotConfigured as error:  # weights that cannot be read
                self._broken = str(error)
                raise
            except Exception as error:
                if not hardware.out_of_memory(error):
                    raise
            else:
                return
            # Only here: what filled the memory hung in the error, and is gone with it.
            if retried or not bench.step_down():
                break
            notes.append(
                Note(
                    "advice",
                    f"{_opening(bench.device.title)} ran out of memory, so this was made anew with less of it, which "
                    f"is slower: {bench.tier}.",
                )
            )
        bench.empty()
        raise Unavailable(
            LOCAL,
            f"{_opening(bench.device.title)} ran out of memory with {bench.recipe.title}, in the smallest way tried "
            f"too: close other programs that use it, or choose a smaller recipe with {variable('pipeline')}.",
        )


async def _next(news: "asyncio.Queue[BatchEvent | None]", progress: Progress) -> BatchEvent | None:
    """Raises Stopped within a moment, however long a step takes; what is done by then still comes."""
    while True:
        if news.empty():
            progress.check()
        try:
            async with asyncio.timeout(_LISTEN_SECONDS):
                return await news.get()
        except TimeoutError:
            continue


def _first_step(loaded: "Loaded") -> None:
    """One step of a whole bucket, at which compilers compile. Not on the CPU, where it takes minutes."""
    if loaded.device.name == "cpu":
        return

    def leave(_: object) -> None:
        raise Stopped("One step is enough.")

    grey = Image.new("RGB", (loaded.recipe.reference_px,) * 2, (127, 127, 127))
    with suppress(Stopped):
        run_comparison(loaded, grey, [HeadshotRequest(seed=0)], leave)


def _opening(words: str) -> str:
    return words[:1].upper() + words[1:]
