"""The devices at work: one job at a time on each, several side by side, and the memory given back when nobody comes."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from headshot.backend_names import LOCAL
from headshot.durations import DurationEstimator
from headshot.errors import Unavailable

from .hardware import too_little
from .loading import load

if TYPE_CHECKING:
    from pathlib import Path

    from .hardware import Device, Tier
    from .loading import Loaded
    from .model_specs import ModelSpec

Result = TypeVar("Result")
# Of all threads: while weights are read, torch makes modules without memory for whoever makes one.
_loading = threading.Lock()


class DeviceWorker:
    """One device and what is loaded on it. Belongs to one thread at a time, the one whose work `DevicePool` runs on it.

    tiers: the ways in which the recipe fits the device, best first, measured anew whenever nothing is loaded.
    """

    def __init__(
        self,
        recipe: "ModelSpec",
        device: "Device",
        tiers: "Callable[[], Sequence[Tier]]",
        folder: "Path | None",
        *,
        compiled: bool,
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.loading = DurationEstimator(0.0)
        self._tiers = tiers
        self._left: list[Tier] = []
        self._folder = folder
        self._compiled = compiled
        self._loaded: Loaded | None = None

    @property
    def is_loaded(self) -> bool:
        return self._loaded is not None

    @property
    def tier(self) -> "Tier | None":
        """How it is loaded, or would be; None before the memory was measured."""
        return self._left[0] if self._left else None

    def open(self) -> "Loaded":
        """The models on the device, loaded if they are not. Raises what `load` raises, Unavailable without memory."""
        if self._loaded is None:
            if not self._left:
                self._left = list(self._tiers())
            if not self._left:
                raise Unavailable(LOCAL, too_little(self.recipe, self.device))
            with _loading, self.loading.measured():
                self._loaded = load(
                    self.recipe, self.device, self._left[0], folder=self._folder, compile=self._compiled
                )
        return self._loaded

    def step_down(self) -> bool:
        """Empty the device; what is opened next needs less memory. False where there is no smaller tier."""
        self._unload()
        self._left = self._left[1:]
        return bool(self._left)

    def empty(self) -> None:
        """Free the device's memory."""
        self._unload()
        self._left = []

    def _unload(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.unload()


class DevicePool:
    """Runs work on whichever device is free, first come, first served, in threads of its own.

    A device that has the models already is taken before one that would have to load them; one that nobody has worked on
    for `idle_seconds` is emptied (None: never).
    """

    def __init__(self, benches: Sequence[DeviceWorker], idle_seconds: float | None) -> None:
        self._all = tuple(benches)
        self._idle_seconds = idle_seconds
        self._free = list(benches)
        self._lock = threading.Lock()
        self._timers: dict[DeviceWorker, threading.Timer] = {}
        self._threads = ThreadPoolExecutor(len(benches), thread_name_prefix="pipeline")

    def __len__(self) -> int:
        return len(self._all)

    @property
    def recipe(self) -> "ModelSpec":
        """The one that all of them have."""
        return self._all[0].recipe

    @property
    def are_loaded(self) -> bool:
        """Whether the next job begins at once."""
        return any(bench.is_loaded for bench in self._all)

    @property
    def loading_seconds(self) -> float:
        """What loading took the last few times, 0 while nobody knows."""
        return max(bench.loading.seconds for bench in self._all)

    def submit(self, work: Callable[[DeviceWorker], Result]) -> "Future[Result]":
        """Run `work` when its turn comes, in this thread's context. Cancel the future to give up one that waits."""
        return self._threads.submit(contextvars.copy_context().run, self._on_a_free_one, work)

    def _on_a_free_one(self, work: Callable[[DeviceWorker], Result]) -> Result:
        with self._lock:  # there are as many threads as benches, so that one is free
            bench = max(self._free, key=lambda bench: bench.is_loaded)
            self._free.remove(bench)
            timer = self._timers.pop(bench, None)
        if timer is not None:
            timer.cancel()
        try:
            return work(bench)
        finally:
            self._leave(bench)

    def _leave(self, bench: DeviceWorker) -> None:
        with self._lock:
            self._free.append(bench)
            if bench.is_loaded and self._idle_seconds is not None:
                timer = threading.Timer(self._idle_seconds, self._empty_if_idle, [bench])
                timer.daemon = True  # a program that wants to end does not wait for it
                self._timers[bench] = timer
                timer.start()

    def _empty_if_idle(self, bench: DeviceWorker) -> None:
        with self._lock:
            mine = self._timers.get(bench) is threading.current_thread()  # else somebody came in the same moment
            if mine:
                del self._timers[bench]
                bench.empty()
