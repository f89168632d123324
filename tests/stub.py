"""A backend for the page's tests: flat pictures, each when the test lets it, obeying the whole protocol."""

import io
import threading
from collections.abc import AsyncGenerator, Callable, Sequence

import anyio.to_thread
from PIL import Image, ImageDraw

from headshot.backends import Readiness
from headshot.errors import HeadshotError
from headshot.imaging.photo import Photo
from headshot.metadata import embed_metadata
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest, Note

SIZE = (256, 320)
SECONDS = 0.5  # a headshot, as it says: its files are the same bytes on any machine
STAGES = ("Cutting out the person…", "Lighting…")


class StubBackend:
    """Each headshot is one colour that follows from its seed, with the photo's small copy in the middle.

    asked, faces: the requests and faces it was given.  forgotten: the photos it was told to forget.
    stopped: set when a comparison ended because Progress said so.
    """

    help = "- **Guidance** is written on the picture.\n- **Steps** change nothing here."
    max_concurrent = 2
    survives_disconnect = False

    def __init__(self, *, name: str = "stub") -> None:
        self.name = name
        self.title = name.capitalize()
        self.stopped = threading.Event()
        self._came = threading.Condition()
        self._gate: threading.Semaphore | None = None
        self.reset()

    def reset(self) -> None:
        if self._gate is not None:
            self._gate.release(1_000)  # whatever still waits there
        self._gate, self._deaf = None, False
        self.asked: list[HeadshotRequest] = []
        self.faces: list[int | None] = []
        self.forgotten: list[str] = []
        self.stopped.clear()
        self.fail(None)

    def hold(self, *, deaf: bool = False) -> Callable[[], None]:
        """From now on each headshot waits for `let_complete`; a deaf backend hears of Stop only once it may go on.

        Returns what lets one of these go on, also after another `hold`.
        """
        self._gate, self._deaf = threading.Semaphore(0), deaf
        return self._gate.release

    def until_asked(self, count: int) -> None:
        """Wait until so many requests are or were at work: only what has begun can hear of Stop."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.asked) >= count, 30)

    def let_complete(self, count: int = 1) -> None:
        if self._gate is None:
            raise RuntimeError("nothing is held")
        self._gate.release(count)

    def fail(self, error: Exception | None, *, after: int = 0) -> None:
        """Raise this error in each comparison once so many headshots have completed."""
        self.error, self.error_after = error, after

    def readiness(self) -> Readiness:
        return Readiness(True, "A stub that draws flat pictures.")

    def estimate(self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None) -> float:
        return SECONDS * len(requests)

    def drop_cache(self, photo: Photo) -> None:
        self.forgotten.append(photo.sha256)

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        self.faces.append(face)
        for done, request in enumerate(requests):
            with self._came:
                self.asked.append(request)
                self._came.notify_all()
            if self.error is not None and done >= self.error_after:
                raise self.error
            yield await anyio.to_thread.run_sync(self._shoot, photo, request, progress, done, len(requests))

    def _shoot(self, photo: Photo, request: HeadshotRequest, progress: Progress, done: int, total: int) -> Headshot:
        try:
            for stage in STAGES:
                progress.report(stage, done, total)
            self._wait(progress)
            progress.check()
        except HeadshotError:
            self.stopped.set()
            raise
        return made(photo, request, self.name)

    def _wait(self, progress: Progress) -> None:
        gate, deaf = self._gate, self._deaf
        while gate is not None and not gate.acquire(timeout=0.01):
            if not deaf:
                progress.check()


def made(photo: Photo, request: HeadshotRequest, name: str = "stub") -> Headshot:
    """What a stub of that name makes of a request."""
    image = draw(photo, request)
    data = io.BytesIO()
    image.save(data, "PNG")
    notes = (
        Note("applied", "light grey backdrop"),
        Note("applied", "soft <b>loop</b> light"),
        Note("not applied", "“plastic skin” is not something this backend can avoid"),
    )
    return Headshot(image, data.getvalue(), request, name, SECONDS, notes, 0.71)


def file_of(photo: Photo, request: HeadshotRequest) -> bytes:
    """The file that a visitor of the stub is given: its bytes with the recipe."""
    return embed_metadata(made(photo, request), photo_sha256=photo.sha256).png


def draw(photo: Photo, request: HeadshotRequest) -> Image.Image:
    """What the stub makes of a request: the same picture each time."""
    seed = request.seed or 0
    image = Image.new("RGB", SIZE, (90 + seed * 37 % 120, 90 + seed * 59 % 120, 90 + seed * 83 % 120))
    small = photo.image.resize((160, 160))
    image.paste(small, (48, 60))
    ImageDraw.Draw(image).text((16, 280), f"seed {seed}  guidance {request.guidance_scale:g}", fill="white")
    return image
