"""The studio: real headshots on two CPU cores, with no key, no GPU and no network."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
from PIL import Image

from headshot.backend_names import STUDIO, TITLES
from headshot.backends import Readiness
from headshot.durations import DurationEstimator
from headshot.errors import PhotoError
from headshot.imaging import face as faces
from headshot.imaging.encoding import fast_png
from headshot.imaging.photo import Marks, Photo
from headshot.imaging.photo_check import HIDDEN, POOR_ENLARGEMENT, SOFT_ENLARGEMENT, sitter
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest, Note

from .analysis import DRAFT_SCALE, Analysis, analyse
from .cutout.matte import Seen
from .framing import Frame
from .prompt.look import OWN_BACKGROUND, SUMMARY, StyleSpec, read
from .render import LIKENESS_TEST_SIZE, LIKENESS_TEST_VARIATIONS, LookSetup, SeedJitter, prepare_look, render_frame
from .single_flight import SingleFlightLru

__all__ = ["Studio"]

_WORKERS = 2  # the machine the studio is made for has two cores
# What every proof must reach, by guidance: 0.90 is promised at the full look, and a proof is within .005 of the full
# picture; beyond it the person asked for drama, and dramatic light alone costs likeness without changing anyone.
_LIKENESS_BY_GUIDANCE = ((7.5, 20), (0.905, 0.80))
# How much of light, retouch and contrast is left when a look costs too much likeness; the last is taken as it is.
_MILDNESS = (1.0, 0.8, 0.6, 0.3)
_DRAFT_EFFORT = 21  # of an analysis that is made for a draft: more effort cannot be seen at that size
_NO_USE_ENLARGEMENT = 5.0  # by eye on ten faces: from here on the eyes are smears, whatever is done to them
_SESSIONS_KEPT = 2  # 16 MB each; a comparison goes through its looks one after the other
_TIGHT_SHARE = 0.62  # of the height: a head that no look asks for
_CUT_AT_MOST = 0.002  # of the frame: a sleeve's end at the photo's border, which nobody sees
_NO_SHOULDERS = 0.1, 0.2  # of the height, below the chin and above the hair: a head at the lower edge of an empty frame
_TIGHT = Note("advice", "The photo ends close to the person, so the headshot is a tight one.")
_NO_ROOM = (
    "The photo ends so close to the face that no headshot can be cut from it. Use a photo that shows the whole head "
    "and the shoulders, with some space around them."
)
_EMBRACED = 3.0  # face heights of border with somebody else above the chin: cheek by cheek has 2, arms around have 4
_HELD = (
    "Somebody else holds or covers the person in this photo and cannot be taken out of it. "
    "Use a photo with nobody that close."
)
_KEPT = (
    "The person could not be cut out cleanly, so the photo's own background stays, out of focus. A photo with nobody "
    "close by, before a plain background of another colour than hair and clothes, can have any backdrop."
)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A prepared look, and what is said on each of its headshots."""

    look: LookSetup
    notes: tuple[Note, ...]
    colourless: bool


@dataclass(frozen=True, eq=False)
class _RenderJob:
    """What the jobs of one comparison share. face: an index. sessions: by look, guidance and effort."""

    photo: Photo
    face: int
    progress: Progress
    sessions: SingleFlightLru[tuple[object, ...], _Prepared]

    @property
    def subject(self) -> tuple[str, int, Marks]:
        return self.photo.sha256, self.face, self.photo.marks


class Studio:
    """Cuts the person out, frames, lights and retouches them before a painted backdrop.

    A photo is analysed once and remembered by its hash (the last `cached_photos` of them, about 50 MB each); every
    seed after that is one render. Two worker threads serve all comparisons, each of which has at most two pictures in
    the queue, so that none waits for another to finish.
    """

    name = STUDIO
    title = TITLES[STUDIO]
    help = SUMMARY
    max_concurrent = 2  # one prepares while the other renders
    survives_disconnect = False

    def __init__(self, *, cached_photos: int = 3) -> None:
        # First guesses: two cores that have nothing else to do.
        self._analysing, self._preparing, self._rendering = (
            DurationEstimator(1.4),
            DurationEstimator(0.25),
            DurationEstimator(0.4),
        )
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="studio")
        self._analyses = SingleFlightLru[tuple[str, int, Marks, int], Analysis](cached_photos)

    def readiness(self) -> Readiness:
        return Readiness(True, "The studio is ready. It works on this machine: no key, no GPU, no network.")

    def estimate(self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None) -> float:
        """See Backend. An analysis that is remembered costs nothing; renders of one session share the two threads."""
        efforts = {request.num_inference_steps for request in requests}
        if photo is not None:
            known = photo.sha256, face or 0, photo.marks
            efforts = {steps for steps in efforts if (*known, steps) not in self._analyses}
        sessions = Counter(_session_key(request) for request in requests)
        turns = sum(ceil(count / _WORKERS) for count in sessions.values())
        return (
            len(efforts) * self._analysing.seconds
            + len(sessions) * self._preparing.seconds
            + turns * self._rendering.seconds
        )

    def drop_cache(self, photo: Photo) -> None:
        """Drop the photo's analyses, one that is being made included."""
        self._analyses.drop(lambda key: key[0] == photo.sha256)

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """Yield the headshots in the requests' order, each as soon as it and those before it are done."""
        work = _RenderJob(photo, face or 0, progress, SingleFlightLru(_SESSIONS_KEPT))
        total, done = len(requests), 0
        waiting: deque[asyncio.Future[Headshot]] = deque()
        loop = asyncio.get_running_loop()

        async def land() -> Headshot:
            nonlocal done
            headshot = await waiting.popleft()
            done += 1
            progress.report("Lighting and framing" if done < total else "Done", done, total)
            return headshot

        try:
            progress.check()
            for request in requests:
                if _session_key(request) not in work.sessions:
                    while waiting:
                        yield await land()
                    progress.report("Studying the photo", done, total)
                    await loop.run_in_executor(self._pool, self._prepare, work, request)
                    progress.report("Lighting and framing", done, total)
                waiting.append(loop.run_in_executor(self._pool, self._shoot_one, work, request))
                if len(waiting) == _WORKERS:
                    yield await land()
            while waiting:
                yield await land()
        finally:
            for future in waiting:
                future.cancel()

    def draft(
        self,
        photo: Photo,
        requests: Sequence[HeadshotRequest],
        progress: Progress | None = None,
        *,
        face: int | None = None,
    ) -> list[Image.Image]:
        """Small pictures of what `generate` would make of the same requests, in their order: 320×400 RGB each.

        Frame, light, backdrop and tone are the full picture's; sharpening, grain and likeness are left out. The look is
        as mild as a comparison of the same look and guidance has found it must be; where none was made yet it is as
        asked, and the full picture may come out milder.
        Blocks until all are done, so call it from a worker thread. The analysis is the one remembered for the request's
        effort; where there is none, that of the least effort, which is made and remembered if it must be.
        face: as in `generate`. Every request's seed is a number.
        Raises PhotoError where the photo holds no usable face, Stopped after `progress.stop()`.
        """
        work = _RenderJob(photo, face or 0, progress or Progress(), SingleFlightLru(_SESSIONS_KEPT))
        return self._pool.submit(self._draft_all, work, list(requests)).result()

    def _draft_all(self, work: _RenderJob, requests: list[HeadshotRequest]) -> list[Image.Image]:
        sessions: dict[tuple[object, ...], LookSetup] = {}
        drafts = []
        for request in requests:
            work.progress.check()
            key = _session_key(request)
            if key not in sessions:
                sessions[key] = self._draft_session(work, request)
            pixels, _ = _exposed(sessions[key], request, DRAFT_SCALE)
            drafts.append(Image.fromarray(pixels))
        return drafts

    def _draft_session(self, work: _RenderJob, request: HeadshotRequest) -> LookSetup:
        efforts = (request.num_inference_steps, _DRAFT_EFFORT)
        keys = [(*work.subject, effort) for effort in efforts]
        key = next((key for key in keys if key in self._analyses), keys[-1])
        analysis = self._analyses.get(key, lambda: self._analyse(work, key[-1]))
        work.progress.check()
        look = read(request.prompt, request.negative_prompt).look
        mildness = analysis.mildness.get((look, request.guidance_scale), 1.0)
        return prepare_look(analysis.small, look, request.guidance_scale, mildness)

    def _prepare(self, work: _RenderJob, request: HeadshotRequest) -> _Prepared:
        work.progress.check()
        return work.sessions.get(_session_key(request), lambda: self._session(work, request))

    def _session(self, work: _RenderJob, request: HeadshotRequest) -> _Prepared:
        analysis = self._analyses.get(
            (*work.subject, request.num_inference_steps),
            lambda: self._analyse(work, request.num_inference_steps),
        )
        work.progress.check()
        reading = read(request.prompt, request.negative_prompt)
        proved = (reading.look, request.guidance_scale) in analysis.mildness
        with nullcontext() if proved else self._preparing.measured():  # what a new look costs is what is to be learnt
            shared = _mild_enough(analysis, reading.look, request.guidance_scale)
        advice, told = [], reading.notes
        if shared.behind is not None and reading.look.backdrop != OWN_BACKGROUND:
            advice.append(_KEPT)
            told = _without_backdrop(told, reading.look.backdrop)
        if shared.mildness < 1:
            advice.append("The look is rendered milder than asked, so that the person stays as they are.")
        if analysis.enlargement > _NO_USE_ENLARGEMENT:
            advice.append("The face is too small in this photo for a headshot of use at full size: use a closer photo.")
        elif analysis.enlargement > POOR_ENLARGEMENT:
            advice.append("The face is very small in this photo and looks soft; a closer photo will look far better.")
        elif analysis.enlargement > SOFT_ENLARGEMENT:
            advice.append("The face is small in this photo and was enlarged; a closer photo will look sharper.")
        notes = told + tuple(Note("advice", text) for text in advice)
        return _Prepared(shared, notes, reading.look.black_and_white)

    def _analyse(self, work: _RenderJob, steps: int) -> Analysis:
        with self._analysing.measured():
            pixels = work.photo.pixels
            people, chosen = sitter(pixels, work.face)
            work.progress.check()
            others = [other for other in people if other is not chosen]
            if faces.is_hidden(chosen, people) and not work.photo.marks:
                raise PhotoError(HIDDEN)
            found = analyse(pixels, chosen, others, steps=steps, marks=work.photo.marks, seen=self._seen(work))
        if found.embrace > _EMBRACED and not work.photo.marks:
            raise PhotoError(_HELD)
        return found

    def _seen(self, work: _RenderJob) -> Seen | None:
        """What the networks said of this face before: a correction of the cut-out need not ask them again."""
        if not work.photo.marks:
            return None
        subject = work.photo.sha256, work.face
        known = self._analyses.first(lambda key: key[:2] == subject)
        return None if known is None else known.seen

    def _shoot_one(self, work: _RenderJob, request: HeadshotRequest) -> Headshot:
        prepared = self._prepare(work, request)
        work.progress.check()
        started = time.perf_counter()
        pixels, crop = _exposed(prepared.look, request)
        notes = prepared.notes
        if crop.share > _TIGHT_SHARE:
            notes += (_TIGHT,)
        png = fast_png(pixels)
        likeness, box = _recognised(prepared.look.analysis, pixels, colourless=prepared.colourless)
        seconds = time.perf_counter() - started
        self._rendering.record(seconds)
        return Headshot(
            image=Image.fromarray(pixels),
            png=png,
            request=request,
            backend=self.name,
            likeness=likeness,
            trust=prepared.look.analysis.trust,
            facts=_facts(work.photo.marks),
            face_box=box,
            seconds=seconds,
            notes=notes,
        )


def _exposed(shared: LookSetup, request: HeadshotRequest, size: float = 1.0) -> tuple[np.ndarray, Frame]:
    """The picture of a request, and its crop. Raises PhotoError where the photo has no room for a frame."""
    pixels, crop = render_frame(shared, SeedJitter.of(_seed_of(request)), size)
    low, high = _NO_SHOULDERS
    if crop.cut > _CUT_AT_MOST or (crop.chest < low and crop.air > high):
        raise PhotoError(_NO_ROOM)
    return pixels, crop


def _without_backdrop(notes: tuple[Note, ...], backdrop: str) -> tuple[Note, ...]:
    """The same notes, but for the backdrop, which is not applied where the photo's own background stays."""
    asked = f"{backdrop} backdrop"
    instead = Note("not applied", f"“{asked}”: the photo's own background stays.")
    return tuple(instead if note == Note("applied", asked) else note for note in notes)


def _facts(marks: Marks) -> dict[str, Any]:
    """What a headshot's file tells beside the request."""
    named = {"inside": marks.inside, "outside": marks.outside}
    return {name: [list(point) for point in points] for name, points in named.items() if points}


def _mild_enough(analysis: Analysis, look: StyleSpec, guidance_scale: float) -> LookSetup:
    """The look at the strongest of four levels whose proofs keep the likeness.

    The proofs are the look's extreme variations, never the comparison's own seeds: a request gives the same bytes
    whichever others run beside it, and one level holds for the whole session. What was found is remembered with the
    analysis.
    """
    known = analysis.mildness.get((look, guidance_scale))
    if known is not None:
        return prepare_look(analysis, look, guidance_scale, known)
    shared = prepare_look(analysis, look, guidance_scale)
    enough = float(np.interp(guidance_scale, *_LIKENESS_BY_GUIDANCE))
    with ThreadPoolExecutor(len(LIKENESS_TEST_VARIATIONS)) as at_once:
        for mildness in _MILDNESS:
            shared = shared if mildness == 1 else prepare_look(analysis, look, guidance_scale, mildness)
            proof = partial(_likeness_of_proof, shared)
            if all(score is not None and score >= enough for score in at_once.map(proof, LIKENESS_TEST_VARIATIONS)):
                break
    analysis.mildness[look, guidance_scale] = shared.mildness
    return shared


def _likeness_of_proof(shared: LookSetup, variation: SeedJitter) -> float | None:
    proof = render_frame(shared, variation, LIKENESS_TEST_SIZE)[0]
    return _recognised(shared.analysis, proof, colourless=shared.look.black_and_white)[0]


def _recognised(
    analysis: Analysis, pixels: np.ndarray, *, colourless: bool
) -> tuple[float | None, tuple[float, float, float, float] | None]:
    """Likeness and box of the face in the picture, as in Headshot."""
    found = faces.find(pixels)
    if not found:
        return None, None
    reference = analysis.grey_embedding if colourless else analysis.embedding
    return faces.likeness(reference, faces.embed(pixels, found[0])), found[0].box


def _seed_of(request: HeadshotRequest) -> int:
    if request.seed is None:
        raise TypeError("a backend takes requests whose seed is a number: see compare.plan")
    return request.seed


def _session_key(request: HeadshotRequest) -> tuple[object, ...]:
    return request.prompt, request.negative_prompt, request.guidance_scale, request.num_inference_steps
