"""A backend for the page's tests: flat pictures, as fast or slow as a test wants, obeying the whole protocol."""

import io
import threading
import time
from collections.abc import AsyncIterator, Sequence

import anyio.to_thread
from PIL import Image, ImageDraw

from headshot.backends import Readiness
from headshot.errors import HeadshotError
from headshot.photo import Photo
from headshot.request import Headshot, HeadshotRequest, Note, Progress

SIZE = (256, 320)
STAGES = ("Cutting out the person…", "Lighting…")


class StubBackend:
    """Each headshot is one colour that follows from its seed, with the photo's small copy in the middle.

    seconds: how long each headshot takes.  asked, faces: the requests and faces it was given.
    stopped: set when a comparison ended because Progress said so.
    """

    help = "- **Guidance** is written on the picture.\n- **Steps** change nothing here."

    def __init__(self, seconds: float = 0.05, *, name: str = "stub") -> None:
        self.name = name
        self._seconds = seconds
        self.stopped = threading.Event()
        self.reset()

    def reset(self) -> None:
        self.seconds = self._seconds
        self.asked: list[HeadshotRequest] = []
        self.faces: list[int | None] = []
        self.forgotten: list[str] = []
        self.stopped.clear()
        self.fail(None)

    def fail(self, error: Exception | None, *, after: int = 0) -> None:
        """Raise this error in each comparison once so many headshots have landed."""
        self.error, self.error_after = error, after

    def readiness(self) -> Readiness:
        return Readiness(True, "A stub that draws flat pictures.")

    def forget(self, photo: Photo) -> None:
        self.forgotten.append(photo.sha256)

    async def shoot(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncIterator[Headshot]:
        self.faces.append(face)
        for done, request in enumerate(requests):
            self.asked.append(request)
            if self.error is not None and done >= self.error_after:
                raise self.error
            yield await anyio.to_thread.run_sync(self._shoot, photo, request, progress, done, len(requests))

    def _shoot(self, photo: Photo, request: HeadshotRequest, progress: Progress, done: int, total: int) -> Headshot:
        started = time.perf_counter()
        for stage in STAGES:
            progress.report(stage, done, total)
            until = time.perf_counter() + self.seconds / len(STAGES)
            while time.perf_counter() < until:
                try:
                    progress.check()
                except HeadshotError:
                    self.stopped.set()
                    raise
                time.sleep(0.01)
        image = draw(photo, request)
        data = io.BytesIO()
        image.save(data, "PNG")
        notes = (
            Note("applied", "light grey backdrop"),
            Note("applied", "soft <b>loop</b> light"),
            Note("not applied", "“plastic skin” is not something this backend can avoid"),
        )
        return Headshot(image, data.getvalue(), request, self.name, time.perf_counter() - started, notes, 0.71)


def draw(photo: Photo, request: HeadshotRequest) -> Image.Image:
    """What the stub makes of a request: the same picture each time."""
    seed = request.seed or 0
    image = Image.new("RGB", SIZE, (90 + seed * 37 % 120, 90 + seed * 59 % 120, 90 + seed * 83 % 120))
    small = photo.image.resize((160, 160))
    image.paste(small, (48, 60))
    ImageDraw.Draw(image).text((16, 280), f"seed {seed}  guidance {request.guidance_scale:g}", fill="white")
    return image
