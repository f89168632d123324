"""The devices at work: one task at a time on each, several side by side, and idle memory given back."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from headshot.backend_names import LOCAL
from headshot.durations import DurationEstimator
from headshot.errors import Unavailable

from .hardware import memory_shortage
from .loading import load

if TYPE_CHECKING:
    from pathlib import Path

    from .hardware import Device, Tier
    from .loading import Loaded
    from .model_specs import ModelSpec

Result = TypeVar("Result")
# Process-wide: during `from_pretrained` torch creates modules on the `meta` device, without memory, in every thread.
_loading = threading.Lock()


class DeviceWorker:
    """One device and the models loaded on it.

    Not thread-safe: it belongs to the one thread in which `DevicePool` runs a task on it.
    """

    def __init__(
        self,
        spec: "ModelSpec",
        device: "Device",
        tiers: "Callable[[], Sequence[Tier]]",
        folder: "Path | None",
        *,
        compiled: bool,
    ) -> None:
        """Load nothing yet.

        Args:
            spec: the model to run.
            device: where to run it.
            tiers: returns the tiers that fit the device, best first. Called whenever nothing is loaded, because free
                memory changes.
            folder: the folder with the weights, None for Hugging Face's cache.
            compiled: whether to compile the model where that is possible.
        """
        self.spec = spec
        self.device = device
        self.loading = DurationEstimator(0.0)
        self._fitting_tiers = tiers
        self._remaining_tiers: list[Tier] = []
        self._folder = folder
        self._compiled = compiled
        self._loaded: Loaded | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether the models are on the device."""
        return self._loaded is not None

    @property
    def tier(self) -> "Tier | None":
        """The tier that the models are or would be loaded in; None before the memory was measured."""
        return self._remaining_tiers[0] if self._remaining_tiers else None

    def open(self) -> "Loaded":
        """The models on the device, loaded first if they are not.

        Raises:
            NotConfigured: as `loading.load` raises it.
            Unavailable: the device has too little free memory for every tier.
        """
        if self._loaded is None:
            if not self._remaining_tiers:
                self._remaining_tiers = list(self._fitting_tiers())
            if not self._remaining_tiers:
                raise Unavailable(LOCAL, memory_shortage(self.spec, self.device))
            with _loading, self.loading.measured():
                self._loaded = load(
                    self.spec, self.device, self._remaining_tiers[0], folder=self._folder, compile=self._compiled
                )
        return self._loaded

    def use_lower_tier(self) -> bool:
        """Free the device's memory; the next `open` loads in the next smaller tier.

        Returns:
            False if there is no smaller tier.
        """
        self._free_memory()
        self._remaining_tiers = self._remaining_tiers[1:]
        return bool(self._remaining_tiers)

    def unload(self) -> None:
        """Free the device's memory; the next `open` starts with the best tier that fits then."""
        self._free_memory()
        self._remaining_tiers = []

    def _free_memory(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.unload()


class DevicePool:
    """Runs tasks on whichever device is free, first come, first served, in threads of its own.

    A device that has the models loaded is preferred to one that has not.
    """

    def __init__(self, workers: Sequence[DeviceWorker], idle_seconds: float | None) -> None:
        """Start a thread for each worker when the first tasks arrive.

        Args:
            workers: one for each device, all of the same model.
            idle_seconds: unload a device after so many seconds without a task; None: never.
        """
        self._all = tuple(workers)
        self._idle_seconds = idle_seconds
        self._free = list(workers)
        self._lock = threading.Lock()
        self._timers: dict[DeviceWorker, threading.Timer] = {}
        self._threads = ThreadPoolExecutor(len(workers), thread_name_prefix="pipeline")

    def __len__(self) -> int:
        return len(self._all)

    @property
    def spec(self) -> "ModelSpec":
        """The model that all devices run."""
        return self._all[0].spec

    @property
    def are_loaded(self) -> bool:
        """Whether the next task starts without loading."""
        return any(worker.is_loaded for worker in self._all)

    @property
    def loading_seconds(self) -> float:
        """How long loading takes, learnt from the last few times; 0 before the first."""
        return max(worker.loading.seconds for worker in self._all)

    def submit(self, task: Callable[[DeviceWorker], Result]) -> "Future[Result]":
        """Run `task` as soon as a device is free, in the caller's context variables.

        Returns:
            A future of the task's result; cancel it to withdraw a task that still waits.
        """
        return self._threads.submit(contextvars.copy_context().run, self._run_on_free_worker, task)

    def _run_on_free_worker(self, task: Callable[[DeviceWorker], Result]) -> Result:
        with self._lock:  # there are as many threads as workers, so one is free
            worker = max(self._free, key=lambda worker: worker.is_loaded)
            self._free.remove(worker)
            timer = self._timers.pop(worker, None)
        if timer is not None:
            timer.cancel()
        try:
            return task(worker)
        finally:
            self._release(worker)

    def _release(self, worker: DeviceWorker) -> None:
        with self._lock:
            self._free.append(worker)
            if worker.is_loaded and self._idle_seconds is not None:
                timer = threading.Timer(self._idle_seconds, self._unload_if_idle, [worker])
                timer.daemon = True  # must not keep the process alive
                self._timers[worker] = timer
                timer.start()

    def _unload_if_idle(self, worker: DeviceWorker) -> None:
        with self._lock:
            is_current = self._timers.get(worker) is threading.current_thread()  # else a task took the worker just now
            if is_current:
                del self._timers[worker]
                worker.unload()
