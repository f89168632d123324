"""The local pipeline: headshots by a diffusion model on this machine's own accelerator, with the network off.

Importing this module is cheap: torch and diffusers are imported only if there are weights to run, in a worker thread
where possible.
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
from headshot.imaging.photo_check import face_for_headshot
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest, Note
from headshot.settings import Settings, variable

from . import hardware, loading, weights, zerogpu
from .cost_model import passes, teraflops_per_pass, teraflops_per_second
from .device_run import BatchEvent, StepEvent, run_comparison
from .device_worker import DevicePool, DeviceWorker
from .face_crop import face_region
from .model_specs import MODEL_SPECS, ModelSpec, best_fitting
from .results import OutputSteps, headshot_from_picture, publish_previews

if TYPE_CHECKING:
    from .hardware import Device
    from .loading import Loaded

__all__ = ["Pipeline"]

_STOP_CHECK_SECONDS = 0.2  # how soon Stop is noticed while a step runs: on a CPU one may take minutes
_NVIDIA_CARDS = Path("/proc/driver/nvidia/gpus")  # one folder each; torch knows them too, after an import of 4 seconds
_CPU_THREADS = 2  # they check, finish and encode pictures, so that the device need not wait for that


@dataclass(eq=False)
class _DeviceTask:
    """One comparison on a device.

    Attributes:
        face: the square crop for the model.
        embedding: of the photo's face.
        remaining: the requests that are not made yet.
        total: number of requests.
        progress: the comparison's.
        notes: to be added to every headshot made from now on.
        completed: number of finished headshots.
        abandoned: set when nobody receives results any more.
        previews: the latest publishing of previews.
    """

    face: Image.Image
    embedding: np.ndarray
    remaining: list[HeadshotRequest]
    total: int
    progress: Progress
    notes: list[Note] = field(default_factory=list)
    completed: int = 0
    abandoned: threading.Event = field(default_factory=threading.Event)
    previews: "Future[None] | None" = None

    def check(self) -> None:
        """Raises Stopped after Stop, or if nobody receives results any more."""
        self.progress.check()
        if self.abandoned.is_set():
            raise Stopped("Stopped. Nobody waits for this comparison any more.")

    def report(self, stage: str) -> None:
        self.progress.report(stage, self.completed, self.total)


class Pipeline:
    """The local pipeline as a `Backend`: one comparison at a time on each device, several devices side by side."""

    name = LOCAL
    title = TITLES[LOCAL]
    survives_disconnect = False

    def __init__(
        self,
        settings: Settings,
        *,
        devices: "Sequence[Device] | None" = None,
        spec: ModelSpec | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        """Look for nothing yet, except on ZeroGPU, where the models must be loaded at the start.

        Args:
            settings: of the server.
            devices: to be used instead of those that are found.
            spec: the model to use instead of the one that settings and memory choose.
            idle_seconds: replaces the setting `pipeline_idle_minutes`.
        """
        self._settings = settings
        self._devices = devices
        self._spec = spec
        self._idle_seconds: float | None = (
            60.0 * settings.pipeline_idle_minutes if idle_seconds is None else idle_seconds
        )
        self._output_steps = OutputSteps(settings.pipeline_sharpen, settings.pipeline_grain)
        self._cpu_threads = ThreadPoolExecutor(_CPU_THREADS, thread_name_prefix="pipeline-cpu")
        self._setup_lock = threading.Lock()
        self._pool: DevicePool | None = None
        self._pass_duration = DurationEstimator(0.0)  # of one pass of the model over one picture
        self._ready_sentence = ""
        self._load_error = ""  # why loading failed the last time
        self._gpu_run: zerogpu.GpuRun | None = None
        self.help = self._initial_help()
        # An estimate without torch: the NVIDIA cards in the machine, or 1.
        cards = len(list(_NVIDIA_CARDS.glob("*"))) if settings.pipeline_device == "auto" else 1
        self.max_concurrent = max(1, cards if devices is None else len(devices))
        self._on_zerogpu = zerogpu.on_zerogpu()
        if self._on_zerogpu:
            self._preload_on_zerogpu()

    def readiness(self) -> Readiness:
        """See `Backend.readiness`.

        If there are weights, the first call imports torch, which takes seconds. While `warm_up` does that, the answer
        is "not ready" at once.
        """
        if not self._setup_lock.acquire(blocking=False):
            return Readiness(False, "The local pipeline is starting and looks for a device: try again in some seconds.")
        try:
            self._set_up()
        except HeadshotError as error:
            return Readiness(False, str(error))
        finally:
            self._setup_lock.release()
        return Readiness(False, self._load_error) if self._load_error else Readiness(True, self._ready_sentence)

    def warm_up(self) -> None:
        """Find the devices, load the models and run one step (which compiles them), in a background thread.

        Returns at once. Errors are not raised here; `readiness` reports them.
        """
        if not self._on_zerogpu:  # there the models are loaded already, and no device is lent for this
            threading.Thread(target=self._warm_up, name="pipeline-warm-up", daemon=True).start()

    def estimate(
        self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
    ) -> float | None:
        """See `Backend.estimate`. Before the first run, from the number of operations and the device's speed."""
        if self._pool is None:
            return None
        loading_seconds = 0.0 if self._pool.are_loaded else self._pool.loading_seconds
        return loading_seconds + passes(requests) * self._pass_duration.seconds

    def drop_cache(self, photo: Photo) -> None:
        """Does nothing: a photo's face is encoded for one comparison and dropped with it."""

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """See `Backend.generate`. Yields bucket by bucket: up to four headshots of equal steps arrive together.

        Raises:
            Refused: a headshot failed the safety check. Raised after all others have been yielded.
        """
        progress.check()
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[BatchEvent | None] = asyncio.Queue()

        def put(event: BatchEvent | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(events.put_nowait, event)

        if self._on_zerogpu and self._gpu_run is None:
            raise NotConfigured(LOCAL, self._load_error)
        pool = await loop.run_in_executor(self._cpu_threads, self._open_pool)
        task = await loop.run_in_executor(
            self._cpu_threads, self._device_task, pool.spec, photo, requests, progress, face
        )
        task.report("Waiting for a free device")
        future = pool.submit(lambda worker: self._run(worker, task, put))
        future.add_done_callback(lambda _: put(None))
        refusal: Refused | None = None
        try:
            while (batch := await _next_event(events, progress)) is not None:
                for request, picture in zip(batch.requests, batch.pictures, strict=True):
                    try:
                        headshot = await loop.run_in_executor(
                            self._cpu_threads,
                            headshot_from_picture,
                            picture,
                            request,
                            batch,
                            task.embedding,
                            self._output_steps,
                        )
                    except Refused as error:
                        refusal = error
                        progress.report_item(HeadshotStatus(request, "failed", str(error), error=error))
                        continue
                    task.completed += 1
                    if task.completed == task.total:
                        task.report("Done")
                    yield headshot
            await asyncio.wrap_future(future)  # raises the task's error, if any
        finally:
            task.abandoned.set()
            future.cancel()
        if refusal is not None:
            raise refusal

    def _initial_help(self) -> str:
        try:
            return self._candidates()[1][0].help
        except HeadshotError:  # a folder without known weights: `readiness` reports it
            return next(iter(MODEL_SPECS.values())).help

    def _candidates(self) -> tuple[Path | None, list[ModelSpec]]:
        """The folder with the weights, None for the cache, and the models that the settings allow, best first."""
        setting = self._settings.pipeline
        if self._spec is not None:
            return (Path(setting) if setting else None), [self._spec]
        if setting in MODEL_SPECS:
            return None, [MODEL_SPECS[setting]]
        if setting:
            folder = Path(setting).expanduser()
            return folder, [weights.spec_in_folder(folder)]
        return None, list(MODEL_SPECS.values())

    def _open_pool(self) -> DevicePool:
        with self._setup_lock:
            return self._set_up()

    def _set_up(self) -> DevicePool:
        """Find packages, weights, devices and memory, in this order, as each takes longer to look for.

        Requires `_setup_lock`. Raises NotConfigured or Unavailable, which name what is missing.
        """
        if self._pool is not None:
            return self._pool
        if missing := loading.missing_packages():
            raise NotConfigured(
                LOCAL,
                f"The local pipeline needs {', '.join(missing)}: install what it needs with "
                "`pip install -r requirements-gpu.txt`.",
            )
        if sentence := safety.problem():
            raise NotConfigured(LOCAL, sentence)
        folder, specs = self._with_weights()
        if self._devices is None:
            self._devices = hardware.select_devices(self._settings.pipeline_device)
        spec = best_fitting(max(device.free_gb() for device in self._devices), specs)
        usable = [device for device in self._devices if hardware.fitting_tiers(spec, device)]
        if not usable:
            raise Unavailable(LOCAL, hardware.memory_shortage(spec, self._devices[0]))
        compiled = self._settings.pipeline_compile and not self._on_zerogpu
        workers = [
            DeviceWorker(spec, device, partial(hardware.fitting_tiers, spec, device), folder, compiled=compiled)
            for device in usable
        ]
        if self._on_zerogpu:  # no device is there to be timed before one is lent
            speed = zerogpu.TERAFLOPS_PER_SECOND
        else:
            speed = teraflops_per_second(usable[0], hardware.dtype_for(spec, usable[0]))
        self._pass_duration = DurationEstimator(teraflops_per_pass(spec) / speed)
        self._spec, self.help, self.max_concurrent = spec, spec.help, len(usable)
        self._ready_sentence = self._describe(spec, usable)
        self._pool = DevicePool(workers, self._idle_seconds)
        return self._pool

    def _with_weights(self) -> tuple[Path | None, list[ModelSpec]]:
        """As `_candidates`, but only the models whose weights are complete. Raises NotConfigured if none is."""
        folder, candidates = self._candidates()
        missing = {spec.name: weights.missing_weights(spec, folder) for spec in candidates}
        complete = [spec for spec in candidates if not missing[spec.name]]
        if complete:
            return folder, complete
        # The advice is about the model whose download was begun, if any, else about the default.
        best = min(
            candidates,
            key=lambda spec: round(sum(each.gigabytes for each in missing[spec.name]) / spec.gigabytes, 1),
        )
        raise NotConfigured(LOCAL, weights.download_advice(best, missing[best.name], folder))

    def _describe(self, spec: ModelSpec, devices: "Sequence[Device]") -> str:
        seconds = (
            passes([HeadshotRequest(seed=0)]) * self._pass_duration.seconds
        )  # a bucket of one costs as much as four
        where = " and ".join(dict.fromkeys(device.title for device in devices))
        return (
            f"The local pipeline is ready: {spec.title} on {where}, about {spoken_duration(seconds)} for one to four "
            "headshots. Your photo stays on this machine."
        )

    def _preload_on_zerogpu(self) -> None:
        """Load the models now and never unload them: on ZeroGPU there is no device between two tasks."""
        self._idle_seconds = None
        try:
            pool = self._open_pool()
            self._gpu_run = pool.submit(lambda worker: zerogpu.move_to_gpu(worker.open())).result()
        except HeadshotError as error:
            self._load_error = f"{error} Then restart the Space."

    def _warm_up(self) -> None:
        with suppress(HeadshotError):  # the next call of `readiness` or `generate` reports it
            self._open_pool().submit(lambda worker: self._within_memory(worker, [], _run_first_step)).result()

    def _device_task(
        self,
        spec: ModelSpec,
        photo: Photo,
        requests: Sequence[HeadshotRequest],
        progress: Progress,
        face: int | None,
    ) -> _DeviceTask:
        """Raises PhotoError if the photo has no face that a headshot can be made of."""
        _, found = face_for_headshot(photo.pixels, face)
        region = face_region(photo.pixels, spec, face)
        return _DeviceTask(region, faces.embed(photo.pixels, found), list(requests), len(requests), progress)

    def _run(self, worker: DeviceWorker, task: _DeviceTask, put: Callable[[BatchEvent], None]) -> None:
        """Make a task's pictures, in the worker's thread; each finished bucket is passed to `put`."""
        task.check()
        if not worker.is_loaded:
            task.report(f"Loading {worker.spec.title}")

        def on_event(event: StepEvent | BatchEvent) -> None:
            task.check()
            if isinstance(event, StepEvent):
                task.report(f"Step {event.step} of {event.steps}")
                # While the last previews are still being published, these are dropped: the device must not wait.
                if task.previews is None or task.previews.done():
                    task.previews = self._cpu_threads.submit(publish_previews, event, task.progress)
                return
            if task.previews is not None:
                task.previews.result()  # else a preview could arrive after the picture
            made = set(event.requests)
            task.remaining = [request for request in task.remaining if request not in made]
            self._pass_duration.record(event.seconds * len(event.requests) / passes(event.requests))
            put(replace(event, notes=(*event.notes, *task.notes)))

        def make_remaining(loaded: "Loaded") -> None:
            task.check()
            task.report("Reading the face and the words")
            if self._gpu_run is None:
                run_comparison(loaded, task.face, task.remaining, on_event)
                return
            with closing(self._gpu_run(task.face, task.remaining)) as events:
                for event in events:
                    on_event(event)

        try:
            self._within_memory(worker, task.notes, make_remaining)
        finally:
            if task.previews is not None:
                wait([task.previews])  # else a preview could arrive after the report of an error
        self._load_error = ""

    def _within_memory(self, worker: DeviceWorker, notes: list[Note], attempt: "Callable[[Loaded], None]") -> None:
        """Call `attempt` with the models; if the device runs out of memory, once more in the next smaller tier."""
        for retried in (False, True):
            try:
                attempt(worker.open())
            except NotConfigured as error:  # weights that cannot be read
                self._load_error = str(error)
                raise
            except Exception as error:
                if not hardware.is_out_of_memory(error):
                    raise
            else:
                return
            # Not inside `except`: the error's traceback keeps alive what filled the memory.
            if retried or not worker.use_lower_tier():
                break
            notes.append(
                Note(
                    "advice",
                    f"{_capitalised(worker.device.title)} ran out of memory, so this was made again with less of it, "
                    f"which is slower: {worker.tier}.",
                )
            )
        worker.unload()
        raise Unavailable(
            LOCAL,
            f"{_capitalised(worker.device.title)} ran out of memory with {worker.spec.title}, in the smallest way tried"
            f" too: close other programs that use it, or choose a smaller recipe with {variable('pipeline')}.",
        )


async def _next_event(events: "asyncio.Queue[BatchEvent | None]", progress: Progress) -> BatchEvent | None:
    """The next event. Raises Stopped soon after Stop, however long a step takes, but only once the queue is empty."""
    while True:
        if events.empty():
            progress.check()
        try:
            async with asyncio.timeout(_STOP_CHECK_SECONDS):
                return await events.get()
        except TimeoutError:
            continue


def _run_first_step(loaded: "Loaded") -> None:
    """Run one step of a whole bucket, during which a compiler compiles. Not on the CPU, where it takes minutes."""
    if loaded.device.name == "cpu":
        return

    def stop(_: object) -> None:
        raise Stopped("One step is enough.")

    grey = Image.new("RGB", (loaded.spec.reference_px,) * 2, (127, 127, 127))
    with suppress(Stopped):
        run_comparison(loaded, grey, [HeadshotRequest(seed=0)], stop)


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
