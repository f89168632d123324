"""ZeroGPU: a Space's GPU that is lent for seconds at a time, to a process that is forked for it.

Arguments and results cross to that process and back by pickle, and it has only the models that were on the device
before the fork. So the models are loaded at the start and found by name, and the GPU function is a generator that takes
and yields plain values. Elsewhere the package `spaces` is missing or reports no ZeroGPU, and the generator runs as it
is.
"""

import queue
import re
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from headshot.backend_names import LOCAL
from headshot.errors import BackendError, Stopped, Unavailable
from headshot.request import HeadshotRequest

from .cost_model import passes, teraflops_per_pass
from .device_run import BatchEvent, StepEvent, run_comparison

if TYPE_CHECKING:
    from .loading import Loaded

Event = TypeVar("Event")
Stream = Generator[Event, None, None]

# A slice of an H200, as Spaces lend it (`spaces` 0.51, config.py: 60 of 132 processors), does about 450 × 10^12 dense
# operations a second at bf16; a third of it is what such models reach. An estimate: no such Space was timed.
TERAFLOPS_PER_SECOND = 150.0
_START_SECONDS = 15.0  # 17 GB of weights at most move to the device, and prompt and face are encoded
_MAX_SECONDS = 300  # chosen: a visitor's daily quota is counted in minutes, and longer requests are refused

_models_on_gpu: "dict[str, Loaded]" = {}  # by the spec's name
GpuRun = Callable[[Image.Image, Sequence[HeadshotRequest]], Stream[StepEvent | BatchEvent]]


@dataclass(frozen=True)
class SerializedError:
    """One of our errors on its way between processes: `spaces` would turn an exception into one of Gradio's.

    Attributes:
        kind: the error's class.
        backend: the backend that it names.
        sentence: its message.
    """

    kind: type[BackendError]
    backend: str
    sentence: str


def on_zerogpu() -> bool:
    """Whether this program runs on a Space with ZeroGPU. Must be called before torch has touched a device."""
    found = find_spec("spaces")
    if found is None or found.origin is None:  # not installed, or just a folder of that name
        return False
    from spaces.config import Config

    return bool(Config.zero_gpu)


def gpu_function(task: Callable[..., Stream[Event]], seconds: Callable[..., int]) -> Callable[..., Stream[Event]]:
    """Make `task` run with a lent GPU.

    Args:
        task: a generator function of plain values.
        seconds: called with the task's arguments; for how long to ask for the GPU.

    Returns:
        The wrapped task; `task` itself outside of ZeroGPU.
    """
    if not on_zerogpu():
        return task
    import spaces

    wrapped: Callable[..., Stream[Event]] = spaces.GPU(duration=seconds)(task)
    return wrapped


def move_to_gpu(loaded: "Loaded") -> GpuRun:
    """Register loaded models for use on the lent GPU.

    Must be called once, at the start: a Space counts its GPU functions before it serves.

    Returns:
        A function of face crop and requests that yields the run's events. Closing the iterator ends the run.
    """
    _models_on_gpu[loaded.spec.name] = loaded
    task = gpu_function(_task, _seconds)

    def run(face: Image.Image, requests: Sequence[HeadshotRequest]) -> Stream[StepEvent | BatchEvent]:
        try:
            with closing(task(loaded.spec.name, face, tuple(requests))) as events:
                for event in events:
                    if isinstance(event, SerializedError):
                        raise event.kind(event.backend, event.sentence)
                    yield event
        except Exception as error:
            if sentence := _quota_error(error):
                raise Unavailable(LOCAL, sentence) from error
            raise

    return run


def _task(
    name: str, face: Image.Image, requests: tuple[HeadshotRequest, ...]
) -> Stream[StepEvent | BatchEvent | SerializedError]:
    def work(on_event: Callable[[StepEvent | BatchEvent], None]) -> None:
        run_comparison(_models_on_gpu[name], face, requests, on_event)

    try:
        yield from forward_events(work)
    except BackendError as error:
        yield SerializedError(type(error), error.backend, str(error))


def _seconds(name: str, face: Image.Image, requests: tuple[HeadshotRequest, ...]) -> int:
    """For how long to ask for the GPU: a shorter request waits less in the Space's queue."""
    needed = passes(requests) * teraflops_per_pass(_models_on_gpu[name].spec) / TERAFLOPS_PER_SECOND
    return min(_MAX_SECONDS, ceil(_START_SECONDS + needed))


def forward_events(work: Callable[[Callable[[Event], None]], None]) -> Stream[Event]:
    """Turn work that calls back into an iterator of its events.

    Closing the iterator ends the work at its next event. An error of the work is raised after its events.

    Args:
        work: is called in a thread, with the callback that takes its events.
    """
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    closed = threading.Event()

    def on_event(event: Event) -> None:
        if closed.is_set():
            raise Stopped("Stopped. Nobody waits for this comparison any more.")
        events.put(event)

    with ThreadPoolExecutor(1, thread_name_prefix="pipeline-zerogpu") as thread:
        future = thread.submit(work, on_event)
        future.add_done_callback(lambda _: events.put(None))
        try:
            while (event := events.get()) is not None:
                yield event
        finally:
            closed.set()
        future.result()


def _quota_error(error: Exception) -> str:
    """A sentence if Gradio's own error says that no GPU is available (quota used up, queue too long), else ""."""
    if not any(kind.__module__.partition(".")[0] == "gradio" for kind in type(error).__mro__):
        return ""
    reason = re.sub(r"<[^>]*>", "", str(getattr(error, "message", error))).strip().rstrip(".")
    return f"The Space's GPU cannot be had now ({reason}): try again later, or choose another backend."
