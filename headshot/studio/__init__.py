"""The studio: real headshots on two CPU cores, with no key, no GPU and no network."""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from PIL import Image

from .. import face as faces
from ..backends import Readiness
from ..photo import Photo
from ..request import Headshot, HeadshotRequest, Note, Progress
from .analysis import Analysis, analyse
from .look import SUMMARY, Look, read
from .render import PROOF, PROOFS, Session, Variation, expose, session

__all__ = ["Studio"]

Value = TypeVar("Value")

_WORKERS = 2  # the machine the studio is made for has two cores
# What every proof must reach, by guidance: 0.90 is promised at the full look, and a proof is within .005 of the full
# picture; beyond it the person asked for drama, and dramatic light alone costs likeness without changing anyone.
_LIKENESS_BY_GUIDANCE = ((7.5, 20), (0.905, 0.80))
# How much of light, retouch and contrast is left when a look costs too much likeness; the last is taken as it is.
_MILDNESS = (1.0, 0.62, 0.3)
_BLURRED_BEYOND, _POOR_BEYOND = 3.0, 4.5  # enlargement of the photo: visible, and no longer worth it


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A session, and what is said on each of its headshots."""

    session: Session
    notes: tuple[Note, ...]
    colourless: bool


class Studio:
    """Cuts the person out, frames, lights and retouches them before a painted backdrop.

    A photo is analysed once and remembered by its hash (the last `cached_photos` of them, about 45 MB each); every
    seed after that is one render. Two worker threads serve all comparisons, each of which has at most two pictures in
    the queue, so that none waits for another to finish.
    """

    name = "studio"
    help = SUMMARY

    def __init__(self, *, cached_photos: int = 3) -> None:
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="studio")
        self._analyses = _Remembered[Analysis](cached_photos)

    def readiness(self) -> Readiness:
        return Readiness(True, "The studio is ready. It works on this machine: no key, no GPU, no network.")

    def forget(self, photo: Photo) -> None:
        """Drop the photo's analyses. One that is being made when its comparison was stopped is not kept either."""
        self._analyses.drop(lambda key: key[0] == photo.sha256)

    async def shoot(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncIterator[Headshot]:
        """Yield the headshots in the requests' order, each as soon as it and those before it are done."""
        sessions = _Remembered[_Prepared](2)
        total, done = len(requests), 0
        waiting: deque[asyncio.Future[Headshot]] = deque()
        loop = asyncio.get_running_loop()

        def queue(request: HeadshotRequest) -> "asyncio.Future[Headshot]":
            return loop.run_in_executor(self._pool, self._shoot_one, photo, face, request, sessions, progress)

        try:
            progress.check()
            progress.report("Studying the photo", 0, total)
            for request in requests:
                if not sessions.holds(_session_key(request)):
                    while waiting:
                        yield await waiting.popleft()
                        done += 1
                    await loop.run_in_executor(self._pool, self._prepare, photo, face, request, sessions, progress)
                    progress.report("Lighting and framing", done, total)
                waiting.append(queue(request))
                if len(waiting) == _WORKERS:
                    headshot = await waiting.popleft()
                    done += 1
                    progress.report("Lighting and framing", done, total)
                    yield headshot
            while waiting:
                headshot = await waiting.popleft()
                done += 1
                progress.report("Lighting and framing" if waiting else "Done", done, total)
                yield headshot
        finally:
            for future in waiting:
                future.cancel()

    def _prepare(
        self,
        photo: Photo,
        face: int | None,
        request: HeadshotRequest,
        sessions: "_Remembered[_Prepared]",
        progress: Progress,
    ) -> _Prepared:
        progress.check()
        return sessions.get(_session_key(request), lambda: self._session(photo, face, request, progress))

    def _session(self, photo: Photo, face: int | None, request: HeadshotRequest, progress: Progress) -> _Prepared:
        analysis = self._analyses.get(
            (photo.sha256, face, request.num_inference_steps),
            lambda: _analyse(photo, face, request.num_inference_steps, progress),
        )
        progress.check()
        reading = read(request.prompt, request.negative_prompt)
        shared = _mild_enough(analysis, reading.look, request.guidance_scale)
        advice = []
        if shared.mildness < 1:
            advice.append("The look is rendered milder than asked, so that the person stays as they are.")
        if analysis.upscale > _POOR_BEYOND:
            advice.append("The face is very small in this photo and looks soft; a closer photo will look far better.")
        elif analysis.upscale > _BLURRED_BEYOND:
            advice.append("The face is small in this photo and was enlarged; a closer photo will look sharper.")
        notes = reading.notes + tuple(Note("advice", text) for text in advice)
        return _Prepared(shared, notes, reading.look.black_and_white)

    def _shoot_one(
        self,
        photo: Photo,
        face: int | None,
        request: HeadshotRequest,
        sessions: "_Remembered[_Prepared]",
        progress: Progress,
    ) -> Headshot:
        prepared = self._prepare(photo, face, request, sessions, progress)
        progress.check()
        started = time.perf_counter()
        assert request.seed is not None  # the protocol's promise  # noqa: S101
        pixels, crop = expose(prepared.session, Variation.of(request.seed))
        notes = prepared.notes
        if crop.cut > 0:
            notes += (
                Note("advice", "The photo ends close to the person, who had to be continued a little at the edge."),
            )
        elif crop.share > 0.6:
            notes += (Note("advice", "The photo ends close to the person, so the headshot is a tight one."),)
        analysis = prepared.session.analysis
        likeness = _likeness(analysis, pixels, colourless=prepared.colourless)
        png = encode(pixels)
        return Headshot(
            image=Image.fromarray(pixels),
            png=png,
            request=request,
            backend=self.name,
            seconds=time.perf_counter() - started,
            notes=notes,
            likeness=likeness,
        )


def encode(pixels: np.ndarray) -> bytes:
    """PNG bytes of a (H, W, 3) uint8 RGB picture: fast rather than smallest, so that encoding never dominates."""
    settings = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG]
    return cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1].tobytes()


def _analyse(photo: Photo, index: int | None, steps: int, progress: Progress) -> Analysis:
    found = faces.find(photo.pixels)
    chosen = faces.choose(found, index)
    progress.check()
    analysis = analyse(photo.pixels, chosen, [other for other in found if other is not chosen], steps=steps)
    progress.check()  # a photo that was taken back meanwhile must not be remembered
    return analysis


def _mild_enough(analysis: Analysis, look: Look, guidance_scale: float) -> Session:
    """The look at the strongest of three levels whose proofs keep the likeness.

    The proofs are the look's extreme variations, never the comparison's own seeds: a request gives the same bytes
    whichever others run beside it, and one level holds for the whole session.
    """
    shared = session(analysis, look, guidance_scale)
    enough = float(np.interp(guidance_scale, *_LIKENESS_BY_GUIDANCE))
    for mildness in _MILDNESS:
        shared = shared if mildness == 1 else session(analysis, look, guidance_scale, mildness)
        proofs = (expose(shared, variation, PROOF)[0] for variation in PROOFS)
        scores = (_likeness(analysis, proof, colourless=look.black_and_white) for proof in proofs)
        if all(score is None or score >= enough for score in scores):
            break
    return shared


def _likeness(analysis: Analysis, pixels: np.ndarray, *, colourless: bool) -> float | None:
    found = faces.find(pixels)
    if not found:
        return None
    reference = analysis.grey_embedding if colourless else analysis.embedding
    return faces.likeness(reference, faces.embed(pixels, found[0]))


def _session_key(request: HeadshotRequest) -> tuple[object, ...]:
    return request.prompt, request.negative_prompt, request.guidance_scale, request.num_inference_steps


class _Remembered(Generic[Value]):
    """The last few results by key. Threads that ask for the same missing one wait for a single making of it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[object, Value] = OrderedDict()
        self._making: dict[object, threading.Lock] = {}
        self._lock = threading.Lock()

    def holds(self, key: object) -> bool:
        with self._lock:
            return key in self._values

    def drop(self, which: Callable[[Any], bool]) -> None:
        with self._lock:
            for key in [key for key in self._values if which(key)]:
                del self._values[key]

    def get(self, key: object, make: Callable[[], Value]) -> Value:
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            try:
                value = make()
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self._most:
                        self._values.popitem(last=False)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value
