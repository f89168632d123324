"""One comparison on the page: what was asked, what has landed, and its news while it runs."""

import asyncio
import io
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio.to_thread
from PIL import Image

from ..backends import Backend
from ..compare import compare
from ..errors import Stopped
from ..face import Face
from ..modelslab import ModelsLab, Record
from ..photo import Photo
from ..recipe import inscribed
from ..request import Headshot, HeadshotRequest, Note, Progress, Standing, Step
from .line import Line

# What is made of a visitor's headshots when it is asked for: see exports.py.
OVERLAID, SHEET, ZIP = "original.jpg", "contact-sheet.png", "headshots.zip"

_THUMBNAIL_PX = 640  # twice the width of a card at four in a row, for sharp screens
_COPY_PX = 2048  # of the photo, to lay beside a headshot of 1280: a face fills at most half of it


@dataclass(frozen=True)
class Shot:
    """A headshot that has been put down as files: what the page needs to show it, without its pixels.

    id: the last folder of its picture's path, unguessable.  job: as in Headshot.
    original: None where the photo was not at hand any more.
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
    overlaid: str  # address of the photo laid over this headshot, made when it is asked for; "" without an original
    original: "Original | None"
    job: str = ""
    record: Record | None = None

    @property
    def corners(self) -> set[Path]:
        """The folders that its files lie in, the photo's copy included."""
        originals = [] if self.original is None else [self.original.path]
        return {path.parent for path in (self.path, self.thumbnail_path, *originals)}


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
    """One comparison from the press of Generate to its end. Made on the event loop.

    chain: as `compare` takes it.  photo: None once it is no longer needed, for a job outlives its photo, and for one
    that was found again.  chosen: the photo's face, if the photo was at hand.  resumed: the name of a comparison that
    goes on, or went on, without this page.
    """

    requests: list[HeadshotRequest]
    photo: Photo | None
    chosen: Face | None
    face: int | None
    chain: Sequence[Backend]
    resumed: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    shots: list[Shot] = field(default_factory=list)
    standings: dict[HeadshotRequest, Standing] = field(default_factory=dict)  # of those that have not landed
    seconds: float = 0.0  # from its turn to its end, what the headshots share included

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.reopen()

    def reopen(self) -> None:
        """Ready to run, also once more: what has landed stays."""
        self.started = False
        self.stopped = False
        self.ended = False  # nothing more comes of it
        self.at: Backend | None = None  # whose turn it is
        self.news: asyncio.Queue[Step | Standing | Shot | Exception | None] = asyncio.Queue()  # None: all landed
        self.progress = Progress(self._tell, self._tell)

    @property
    def landed(self) -> list[Shot]:
        """The headshots that are there, in the order in which they were asked for."""
        return sorted(self.shots, key=lambda shot: self.requests.index(shot.request))

    @property
    def alive(self) -> bool:
        """Whether it waits for its place or runs."""
        return not (self.stopped or self.ended)

    def stop(self) -> None:
        """At its visitor's wish. From any thread."""
        self.progress.stop()
        self.leave()

    def leave(self) -> None:
        """Nobody looks any more: a backend whose work lasts goes on. From any thread."""
        self.stopped = True
        if self.at is None or not self.at.lasting:
            self.progress.stop()
        self.photo = None
        self._tell(Stopped("Stopped. The headshots that had landed are kept."))

    def _tell(self, news: Step | Standing | Exception) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.news.put_nowait, news)


async def run(
    job: Job, photo: Photo | None, lines: Mapping[str, Line], album: Album
) -> AsyncGenerator[Step | Standing | Shot]:
    """Run the job when its turn comes: its news, and its headshots once they lie in the album, as they come.

    Raises what the backends raise, Unavailable where the line is too long, Stopped after `job.stop()`. Closing this
    generator leaves the job.
    """
    job.started = True
    task = asyncio.create_task(_produce(job, photo, lines, album))
    complete = False
    try:
        while (item := await job.news.get()) is not None:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Shot):
                job.shots.append(item)
                job.standings.pop(item.request, None)
            elif isinstance(item, Standing):
                job.standings[item.request] = item
            yield item
        complete = True
    finally:  # the end, Stop, or a closed tab
        if not complete:
            job.leave()
        job.ended = True
        job.photo = None
        task.cancel()


async def _produce(job: Job, photo: Photo | None, lines: Mapping[str, Line], album: Album) -> None:
    """Errors are news too."""
    started_at = time.perf_counter()
    landed: asyncio.Queue[Headshot | None] = asyncio.Queue()

    def tell_place(before: int) -> None:
        place = "your turn is next" if not before else f"{before} before yours"
        job.news.put_nowait(Step(f"Waiting for a free place: {place}", 0, len(job.requests)))

    @asynccontextmanager
    async def turn(backend: Backend) -> AsyncIterator[None]:
        nonlocal started_at
        async with lines[backend.name].turn(tell_place):
            if job.at is None:
                started_at = time.perf_counter()
            job.at = backend
            yield

    try:
        if job.resumed:
            made = _resumed(job)
        elif photo is not None:
            made = compare(job.chain, photo, job.requests, job.progress, face=job.face, turn=turn)
        else:
            raise TypeError("without a photo only what was begun before can go on")
        # Beside the backend, which is at the next headshot meanwhile.
        putting_down = asyncio.create_task(_put_down_all(album, job, photo, landed))
        try:
            # Without aclosing a stopped job would leave the backend's generator open until it is collected.
            async with aclosing(made) as headshots:
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


async def _resumed(job: Job) -> AsyncGenerator[Headshot]:
    """What lands of a comparison that was begun before, all but what the job has already."""
    [backend] = [backend for backend in job.chain if isinstance(backend, ModelsLab)]
    job.at = backend
    have = {shot.request for shot in job.shots}
    async with aclosing(backend.follow(job.resumed, len(job.requests), job.progress)) as headshots:
        async for headshot in headshots:
            if headshot.request not in have:
                yield inscribed(headshot)


async def _put_down_all(album: Album, job: Job, photo: Photo | None, landed: "asyncio.Queue[Headshot | None]") -> None:
    """What lands becomes news in its order, up to the None."""
    original = None
    if photo is not None and job.chosen is not None:
        original = await anyio.to_thread.run_sync(_put_down_original, album, job, photo, job.chosen)
    while (headshot := await landed.get()) is not None:
        record = await job.at.record(headshot.job) if isinstance(job.at, ModelsLab) and headshot.job else None
        job.news.put_nowait(await anyio.to_thread.run_sync(_put_down, album, job, headshot, original, record))


def _put_down_original(album: Album, job: Job, photo: Photo, chosen: Face) -> Original:
    image = Image.fromarray(photo.pixels)  # not `photo.image`, which would stay in memory with the photo
    scale = min(1.0, _COPY_PX / max(image.size))
    image.thumbnail((_COPY_PX, _COPY_PX), Image.Resampling.LANCZOS)
    x, y, width, height = (float(value) * scale for value in chosen.box)
    return Original(album.write("photo.jpg", _encoded(image, 90), job), (x, y, width, height))


def _put_down(album: Album, job: Job, headshot: Headshot, original: Original | None, record: Record | None) -> Shot:
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
        overlaid="" if original is None else album.address(path.parent.name, OVERLAID),
        original=original,
        job=headshot.job,
        record=record,
    )


def _encoded(image: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return data.getvalue()
