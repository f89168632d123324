"""ZeroGPU: the GPU of a Space that is lent for seconds at a time, to a process that is forked for it.

What crosses to that process and back is pickled, and the models are those that lay on the device before the fork. So
they are placed at the start, by name, and the work is a generator that takes and yields plain values. Everywhere else
the package `spaces` is missing or says that it has nothing to lend, and the generator is the plain function.
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

from .cost_model import passes, teraflops
from .device_run import BatchEvent, StepEvent, run_comparison

if TYPE_CHECKING:
    from .loading import Loaded

News = TypeVar("News")
Stream = Generator[News, None, None]

# A slice of an H200, as Spaces lend it (`spaces` 0.51, config.py: 60 of 132 processors), does about 450 × 10^12 dense
# operations a second at bf16; a third of it is what such models reach. An estimate: no such Space was timed.
TERAFLOPS = 150.0
_FETCHING_SECONDS = 15.0  # the weights come to the device first, 17 GB at most, and prompt and face are encoded
_MOST_SECONDS = 300  # chosen: a visitor's share of a day is counted in minutes, and asking for more is refused

_placed: "dict[str, Loaded]" = {}
Lent = Callable[[Image.Image, Sequence[HeadshotRequest]], Stream[StepEvent | BatchEvent]]


@dataclass(frozen=True)
class SerializedError:
    """One of our errors on its way between processes, where `spaces` would make it one of Gradio's."""

    kind: type[BackendError]
    backend: str
    sentence: str


def on_zerogpu() -> bool:
    """Whether this program runs on a Space with ZeroGPU. Must be asked before torch has touched a device."""
    found = find_spec("spaces")
    if found is None or found.origin is None:  # nothing, or any folder of that name
        return False
    from spaces.config import Config

    return bool(Config.zero_gpu)


def gpu_function(task: Callable[..., Stream[News]], seconds: Callable[..., int]) -> Callable[..., Stream[News]]:
    """The task with a GPU lent to it for `seconds` of its arguments; the task itself where none is lent."""
    if not on_zerogpu():
        return task
    import spaces

    borrowing: Callable[..., Stream[News]] = spaces.GPU(duration=seconds)(task)
    return borrowing


def move_to_gpu(loaded: "Loaded") -> Lent:
    """What the work with these models is called by. Once, at the start: a Space counts its tasks before it serves."""
    _placed[loaded.recipe.name] = loaded
    task = gpu_function(_task, _seconds)

    def run(face: Image.Image, requests: Sequence[HeadshotRequest]) -> Stream[StepEvent | BatchEvent]:
        try:
            with closing(task(loaded.recipe.name, face, tuple(requests))) as lending:
                for news in lending:
                    if isinstance(news, SerializedError):
                        raise news.kind(news.backend, news.sentence)
                    yield news
        except Exception as error:
            if sentence := _quota_error(error):
                raise Unavailable(LOCAL, sentence) from error
            raise

    return run


def _task(
    name: str, face: Image.Image, requests: tuple[HeadshotRequest, ...]
) -> Stream[StepEvent | BatchEvent | SerializedError]:
    def running(tell: Callable[[StepEvent | BatchEvent], None]) -> None:
        run_comparison(_placed[name], face, requests, tell)

    try:
        yield from forward_events(running)
    except BackendError as error:
        yield SerializedError(type(error), error.backend, str(error))


def _seconds(name: str, face: Image.Image, requests: tuple[HeadshotRequest, ...]) -> int:
    """For how long the GPU is asked: the shorter, the sooner a visitor's turn comes."""
    needed = passes(requests) * teraflops(_placed[name].recipe) / TERAFLOPS
    return min(_MOST_SECONDS, ceil(_FETCHING_SECONDS + needed))


def forward_events(running: Callable[[Callable[[News], None]], None]) -> Stream[News]:
    """Turn work that calls back into an iterator. Closing it ends the work at the next thing it would tell."""
    news: queue.SimpleQueue[News | None] = queue.SimpleQueue()
    closed = threading.Event()

    def tell(item: News) -> None:
        if closed.is_set():
            raise Stopped("Stopped. Nobody listens any more.")
        news.put(item)

    with ThreadPoolExecutor(1, thread_name_prefix="pipeline-lent") as thread:
        future = thread.submit(running, tell)
        future.add_done_callback(lambda _: news.put(None))
        try:
            while (item := news.get()) is not None:
                yield item
        finally:
            closed.set()
        future.result()


def _quota_error(error: Exception) -> str:
    """A sentence where Gradio's own error says that no GPU can be had: the quota is spent, or the queue too long."""
    if not any(kind.__module__.partition(".")[0] == "gradio" for kind in type(error).__mro__):
        return ""
    reason = re.sub(r"<[^>]*>", "", str(getattr(error, "message", error))).strip().rstrip(".")
    return f"The Space's GPU cannot be had now ({reason}): try again later, or choose another backend."
