"""One comparison on the page: what was asked, what has landed, and its news while it runs."""

import asyncio
import io
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio.to_thread
from PIL import Image

from ..backends import Backend
from ..compare import compare
from ..errors import Stopped
from ..face import Face
from ..photo import Photo
from ..request import Headshot, HeadshotRequest, Note, Progress, Step
from .line import Line

# What is made of a visitor's headshots when it is asked for: see exports.py.
OVERLAID, SHEET, ZIP = "original.jpg", "contact-sheet.png", "headshots.zip"

_THUMBNAIL_PX = 640  # twice the width of a card at four in a row, for sharp screens
_COPY_PX = 2048  # of the photo, to lay beside a headshot of 1280: a face fills at most half of it


@dataclass(frozen=True)
class Shot:
    """A headshot that has been put down as files: what the page needs to show it, without its pixels.

    id: the last folder of its picture's path, unguessable.
    """

    id: str
    request: HeadshotRequest
    backend: str
    face: int | None
    filename: str
    size: tuple[int, int]
    seconds: float
    likeness: float | None
    notes: tuple[Note, ...]
    path: Path
    thumbnail_path: Path
    picture: str  # address of the full PNG, relative to the page
    thumbnail: str  # address of a small JPEG
    overlaid: str  # address of the photo laid over this headshot, made when it is asked for
    original: "Original"

    @property
    def corners(self) -> set[Path]:
        """The folders that its files lie in, the photo's copy included."""
        return {path.parent for path in (self.path, self.thumbnail_path, self.original.path)}


@dataclass(frozen=True)
class Original:
    """A small copy of the photo that a comparison was made from. box: x, y, width, height of its face in the copy."""

    path: Path
    box: tuple[float, float, float, float]


class Album(Protocol):
    """Where a job's files go: its visitor's folder."""

    def write(self, name: str, data: bytes, job: "Job | None" = None) -> Path: ...

    def address(self, corner: str, name: str) -> str: ...


@dataclass
class Job:
    """One comparison from the press of Generate to its end. Made on the event loop."""

    requests: list[HeadshotRequest]
    photo: Photo | None  # None once it is no longer needed: a job outlives its photo
    chosen: Face
    face: int | None
    backend: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    shots: list[Shot] = field(default_factory=list)
    started: bool = False
    seconds: float = 0.0  # from its turn to its end, what the headshots share included
    stopped: bool = False
    ended: bool = False  # nothing more comes of it
    news: "asyncio.Queue[Step | Shot | Exception | None]" = field(default_factory=asyncio.Queue)  # None: all landed
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.progress = Progress(self._tell)

    @property
    def landed(self) -> list[Shot]:
        """The headshots that are there, in the order in which they were asked for."""
        return sorted(self.shots, key=lambda shot: self.requests.index(shot.request))

    @property
    def alive(self) -> bool:
        """Whether it waits for its place or runs."""
        return not (self.stopped or self.ended)

    def stop(self) -> None:
        """From any thread."""
        self.stopped = True
        self.progress.stop()
        self.photo = None
        self._tell(Stopped("Stopped. The headshots that had landed are kept."))

    def _tell(self, news: Step | Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.news.put_nowait, news)


async def run(job: Job, photo: Photo, backend: Backend, line: Line, album: Album) -> AsyncGenerator[Step | Shot]:
    """Run the job when its turn comes: its steps, and its headshots once they lie in the album, as they come.

    Raises what the backend raises, Unavailable where the line is too long, Stopped after `job.stop()`. Closing this
    generator stops the job.
    """
    job.started = True
    task = asyncio.create_task(_produce(job, photo, backend, line, album))
    complete = False
    try:
        while (item := await job.news.get()) is not None:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Shot):
                job.shots.append(item)
            yield item
        complete = True
    finally:  # the end, Stop, or a closed tab
        job.stopped = job.stopped or not complete
        job.ended = True
        job.progress.stop()
        job.photo = None
        task.cancel()


async def _produce(job: Job, photo: Photo, backend: Backend, line: Line, album: Album) -> None:
    """Errors are news too."""
    total = len(job.requests)

    def tell_place(before: int) -> None:
        place = "your turn is next" if not before else f"{before} before yours"
        job.news.put_nowait(Step(f"Waiting for a free place: {place}", 0, total))

    try:
        async with line.turn(tell_place):
            started_at = time.perf_counter()
            landed: asyncio.Queue[Headshot | None] = asyncio.Queue()
            # Beside the backend, which is at the next headshot meanwhile.
            putting_down = asyncio.create_task(_put_down_all(album, job, photo, landed))
            try:
                # Without aclosing a stopped job would leave the backend's generator open until it is collected.
                async with aclosing(compare(backend, photo, job.requests, job.progress, face=job.face)) as headshots:
                    async for headshot in headshots:
                        landed.put_nowait(headshot)
                        if putting_down.done():  # it failed, and says why below
                            break
            finally:
                landed.put_nowait(None)
                await putting_down
            job.seconds = time.perf_counter() - started_at
        job.news.put_nowait(None)
    except Exception as error:  # noqa: BLE001  raised again where the news is read
        job.news.put_nowait(error)


async def _put_down_all(album: Album, job: Job, photo: Photo, landed: "asyncio.Queue[Headshot | None]") -> None:
    """What lands becomes news in its order, up to the None."""
    original = await anyio.to_thread.run_sync(_put_down_original, album, job, photo)
    while (headshot := await landed.get()) is not None:
        job.news.put_nowait(await anyio.to_thread.run_sync(_put_down, album, job, headshot, original))


def _put_down_original(album: Album, job: Job, photo: Photo) -> Original:
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    scale = min(1.0, _COPY_PX / max(image.size))
    image.thumbnail((_COPY_PX, _COPY_PX), Image.Resampling.LANCZOS)
    x, y, width, height = (float(value) * scale for value in job.chosen.box)
    return Original(album.write("photo.jpg", _encoded(image, 90), job), (x, y, width, height))


def _put_down(album: Album, job: Job, headshot: Headshot, original: Original) -> Shot:
    """The headshot's own bytes under its own name, and a thumbnail for the page."""
    small = headshot.image.copy()
    # Reduced by a whole number first, which for a headshot is all there is to do: 3 ms with the JPEG, where Lanczos and
    # WebP take 65.
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS, reducing_gap=1.0)
    path = album.write(headshot.filename, headshot.png, job)
    thumbnail = album.write("thumbnail.jpg", _encoded(small, 88), job)
    return Shot(
        id=path.parent.name,
        request=headshot.request,
        backend=headshot.backend,
        face=job.face,
        filename=headshot.filename,
        size=headshot.image.size,
        seconds=headshot.seconds,
        likeness=headshot.likeness,
        notes=headshot.notes,
        path=path,
        thumbnail_path=thumbnail,
        picture=album.address(path.parent.name, path.name),
        thumbnail=album.address(thumbnail.parent.name, thumbnail.name),
        overlaid=album.address(path.parent.name, OVERLAID),
        original=original,
    )


def _encoded(image: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return data.getvalue()
