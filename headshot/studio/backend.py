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
from headshot.imaging.photo_check import HIDDEN, POOR_ENLARGEMENT, SOFT_ENLARGEMENT, face_for_headshot
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest, Note

from .analysis import DRAFT_SCALE, Analysis, analyse
from .cutout.matte import NetworkOutputs
from .framing import Frame
from .prompt.reading import read
from .prompt.style_spec import OWN_BACKGROUND, StyleSpec
from .render import LIKENESS_TEST_JITTERS, LIKENESS_TEST_SIZE, LookSetup, SeedJitter, prepare_look, render_frame
from .single_flight import SingleFlightLru

__all__ = ["Studio"]

_HELP = """\
- **Prompt** and **negative prompt** choose backdrop, light, tone, contrast, crop, retouch, vignette and grain from a
  documented vocabulary. The studio works on your photo: clothes, hair, expression and pose stay, and whatever it
  cannot do is listed with the result.
- **Guidance** is how far the look departs from the photo: at 1 it is cut out, framed and corrected only, 7.5 is a full
  studio look, 20 is dramatic.
- **Steps** are effort: 21 is fast, 31 finer, 41 finest. The difference shows around the hair.
- **Seed** picks another frame of the same session.
"""
_WORKERS = 2  # the machine the studio is made for has two cores
# The likeness that every test picture must reach, by guidance: 0.90 is promised at the full look, and a test picture is
# within .005 of the full one; beyond it the person wants drama, and dramatic light alone costs likeness although it
# changes nobody.
_LIKENESS_BY_GUIDANCE = ((7.5, 20), (0.905, 0.80))
# The share of light, retouch and contrast that is left if a look costs too much likeness; the last is not tested.
_LIKENESS_FACTORS = (1.0, 0.8, 0.6, 0.3)
_DRAFT_STEPS = 21  # steps of an analysis for a draft: more effort cannot be seen at that size
_USELESS_ENLARGEMENT = 5.0  # by eye on ten faces: from here on the eyes are smears, whatever is done to them
_LOOKS_KEPT = 2  # 16 MB each; a comparison goes through its looks one after the other
_TIGHT_SHARE = 0.62  # of the height: a head that no look asks for
_MAX_CUT = 0.002  # of the frame: a sleeve's end at the photo's border, which nobody sees
_NO_SHOULDERS = 0.1, 0.2  # of the height, below the chin and above the hair: a head at the lower edge of an empty frame
_NOTE_TIGHT = Note("advice", "The photo ends close to the person, so the headshot is a tight one.")
_MSG_NO_ROOM = (
    "The photo ends so close to the face that no headshot can be cut from it. Use a photo that shows the whole head "
    "and the shoulders, with some space around them."
)
# Face heights of border with somebody else above the chin: cheek by cheek has 2, arms around have 4.
_MAX_CONTACT_LENGTH = 3.0
_MSG_HELD = (
    "Somebody else holds or covers the person in this photo and cannot be taken out of it. "
    "Use a photo with nobody that close."
)
_MSG_BACKGROUND_KEPT = (
    "The person could not be cut out cleanly, so the photo's own background stays, out of focus. A photo with nobody "
    "close by, before a plain background of another colour than hair and clothes, can have any backdrop."
)


@dataclass(frozen=True, eq=False)
class _PreparedLook:
    """A prepared look, and the notes of each of its headshots."""

    setup: LookSetup
    notes: tuple[Note, ...]
    colourless: bool


@dataclass(frozen=True, eq=False)
class _RenderJob:
    """The data that all renders of one comparison share.

    Attributes:
        photo: of the person.
        face: index of the chosen face.
        progress: of the comparison.
        looks: prepared looks, by prompts, guidance and steps.
    """

    photo: Photo
    face: int
    progress: Progress
    looks: SingleFlightLru[tuple[object, ...], _PreparedLook]

    @property
    def subject(self) -> tuple[str, int, Marks]:
        return self.photo.sha256, self.face, self.photo.marks


class Studio:
    """The CPU backend: cuts the person out, frames, lights and retouches them in front of a painted backdrop.

    A photo is analysed once and its analysis is cached under the photo's hash; every seed after that is one render. Two
    worker threads serve all comparisons, each of which has at most two pictures in the queue, so that none waits for
    another to finish.

    Args:
        cached_photos: how many analyses are kept, about 50 MB each.
    """

    name = STUDIO
    title = TITLES[STUDIO]
    help = _HELP
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
        """See Backend. The studio is always ready."""
        return Readiness(True, "The studio is ready. It works on this machine: no key, no GPU, no network.")

    def estimate(self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None) -> float:
        """See Backend. A cached analysis costs nothing; the renders of one look share the two threads."""
        step_counts = {request.num_inference_steps for request in requests}
        if photo is not None:
            known = photo.sha256, face or 0, photo.marks
            step_counts = {steps for steps in step_counts if (*known, steps) not in self._analyses}
        looks = Counter(_look_key(request) for request in requests)
        rounds = sum(ceil(count / _WORKERS) for count in looks.values())
        return (
            len(step_counts) * self._analysing.seconds
            + len(looks) * self._preparing.seconds
            + rounds * self._rendering.seconds
        )

    def drop_cache(self, photo: Photo) -> None:
        """Drop the photo's analyses, including one that is being computed."""
        self._analyses.drop(lambda key: key[0] == photo.sha256)

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """Yield the headshots in the requests' order, each as soon as it and those before it are done."""
        work = _RenderJob(photo, face or 0, progress, SingleFlightLru(_LOOKS_KEPT))
        total, done = len(requests), 0
        waiting: deque[asyncio.Future[Headshot]] = deque()
        loop = asyncio.get_running_loop()

        async def next_finished() -> Headshot:
            nonlocal done
            headshot = await waiting.popleft()
            done += 1
            progress.report("Lighting and framing" if done < total else "Done", done, total)
            return headshot

        try:
            progress.check()
            for request in requests:
                if _look_key(request) not in work.looks:
                    while waiting:
                        yield await next_finished()
                    progress.report("Studying the photo", done, total)
                    await loop.run_in_executor(self._pool, self._prepare, work, request)
                    progress.report("Lighting and framing", done, total)
                waiting.append(loop.run_in_executor(self._pool, self._render_one, work, request))
                if len(waiting) == _WORKERS:
                    yield await next_finished()
            while waiting:
                yield await next_finished()
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
        """Return small previews of what `generate` would make, 320×400 RGB each, in the requests' order.

        Blocks until all are done, so call it from a worker thread. Frame, light, backdrop and tone are the full
        picture's; sharpening, grain and likeness are left out. The look is as mild as an earlier comparison of the same
        look and guidance found necessary; without one it is as asked, and the full picture may be milder.
        The analysis is the cached one of the request's steps, or that of the fewest steps, which is made and cached if
        there is none.

        Args:
            photo: of the person.
            requests: whose seeds are numbers.
            progress: to stop it.
            face: as in `generate`.

        Raises:
            PhotoError: if the photo holds no usable face.
            Stopped: after `progress.cancel()`.
        """
        work = _RenderJob(photo, face or 0, progress or Progress(), SingleFlightLru(_LOOKS_KEPT))
        return self._pool.submit(self._draft_all, work, list(requests)).result()

    def _draft_all(self, work: _RenderJob, requests: list[HeadshotRequest]) -> list[Image.Image]:
        looks: dict[tuple[object, ...], LookSetup] = {}
        drafts = []
        for request in requests:
            work.progress.check()
            key = _look_key(request)
            if key not in looks:
                looks[key] = self._draft_look(work, request)
            pixels, _ = _rendered(looks[key], request, DRAFT_SCALE)
            drafts.append(Image.fromarray(pixels))
        return drafts

    def _draft_look(self, work: _RenderJob, request: HeadshotRequest) -> LookSetup:
        step_counts = (request.num_inference_steps, _DRAFT_STEPS)
        keys = [(*work.subject, steps) for steps in step_counts]
        key = next((key for key in keys if key in self._analyses), keys[-1])
        analysis = self._analyses.get(key, lambda: self._analyse(work, key[-1]))
        work.progress.check()
        look = read(request.prompt, request.negative_prompt).look
        likeness_factor = analysis.likeness_factors.get((look, request.guidance_scale), 1.0)
        return prepare_look(analysis.small, look, request.guidance_scale, likeness_factor)

    def _prepare(self, work: _RenderJob, request: HeadshotRequest) -> _PreparedLook:
        work.progress.check()
        return work.looks.get(_look_key(request), lambda: self._prepare_new(work, request))

    def _prepare_new(self, work: _RenderJob, request: HeadshotRequest) -> _PreparedLook:
        analysis = self._analyses.get(
            (*work.subject, request.num_inference_steps),
            lambda: self._analyse(work, request.num_inference_steps),
        )
        work.progress.check()
        parsed = read(request.prompt, request.negative_prompt)
        known = (parsed.look, request.guidance_scale) in analysis.likeness_factors
        with nullcontext() if known else self._preparing.measured():  # only a new look's duration is measured
            setup = _keep_likeness(analysis, parsed.look, request.guidance_scale)
        advice, notes = [], parsed.notes
        if setup.background is not None and parsed.look.backdrop != OWN_BACKGROUND:
            advice.append(_MSG_BACKGROUND_KEPT)
            notes = _with_background_note(notes, parsed.look.backdrop)
        if setup.likeness_factor < 1:
            advice.append("The look is rendered milder than asked, so that the person stays as they are.")
        if analysis.enlargement > _USELESS_ENLARGEMENT:
            advice.append("The face is too small in this photo for a headshot of use at full size: use a closer photo.")
        elif analysis.enlargement > POOR_ENLARGEMENT:
            advice.append("The face is very small in this photo and looks soft; a closer photo will look far better.")
        elif analysis.enlargement > SOFT_ENLARGEMENT:
            advice.append("The face is small in this photo and was enlarged; a closer photo will look sharper.")
        notes = notes + tuple(Note("advice", text) for text in advice)
        return _PreparedLook(setup, notes, parsed.look.black_and_white)

    def _analyse(self, work: _RenderJob, steps: int) -> Analysis:
        with self._analysing.measured():
            pixels = work.photo.pixels
            people, chosen = face_for_headshot(pixels, work.face)
            work.progress.check()
            others = [other for other in people if other is not chosen]
            if faces.is_hidden(chosen, people) and not work.photo.marks:
                raise PhotoError(HIDDEN)
            found = analyse(
                pixels, chosen, others, steps=steps, marks=work.photo.marks, outputs=self._network_outputs(work)
            )
        if found.contact_length > _MAX_CONTACT_LENGTH and not work.photo.marks:
            raise PhotoError(_MSG_HELD)
        return found

    def _network_outputs(self, work: _RenderJob) -> NetworkOutputs | None:
        """Cached network outputs of this face: a correction of the cut-out need not run the networks again."""
        if not work.photo.marks:
            return None
        subject = work.photo.sha256, work.face
        known = self._analyses.newest(lambda key: key[:2] == subject)
        return None if known is None else known.network_outputs

    def _render_one(self, work: _RenderJob, request: HeadshotRequest) -> Headshot:
        prepared = self._prepare(work, request)
        work.progress.check()
        started = time.perf_counter()
        pixels, crop = _rendered(prepared.setup, request)
        notes = prepared.notes
        if crop.share > _TIGHT_SHARE:
            notes += (_NOTE_TIGHT,)
        png = fast_png(pixels)
        likeness, box = _likeness_and_box(prepared.setup.analysis, pixels, colourless=prepared.colourless)
        seconds = time.perf_counter() - started
        self._rendering.record(seconds)
        return Headshot(
            image=Image.fromarray(pixels),
            png=png,
            request=request,
            backend=self.name,
            likeness=likeness,
            trust=prepared.setup.analysis.trust,
            facts=_facts(work.photo.marks),
            face_box=box,
            seconds=seconds,
            notes=notes,
        )


def _rendered(setup: LookSetup, request: HeadshotRequest, size: float = 1.0) -> tuple[np.ndarray, Frame]:
    """The picture of a request, and its crop. Raises PhotoError if the photo has no room for a frame."""
    pixels, crop = render_frame(setup, SeedJitter.of(_seed_of(request)), size)
    low, high = _NO_SHOULDERS
    if crop.cut > _MAX_CUT or (crop.chest < low and crop.air > high):
        raise PhotoError(_MSG_NO_ROOM)
    return pixels, crop


def _with_background_note(notes: tuple[Note, ...], backdrop: str) -> tuple[Note, ...]:
    """The same notes, but the backdrop is not applied, because the photo's own background stays."""
    asked = f"{backdrop} backdrop"
    instead = Note("not applied", f"“{asked}”: the photo's own background stays.")
    return tuple(instead if note == Note("applied", asked) else note for note in notes)


def _facts(marks: Marks) -> dict[str, Any]:
    """The data in a headshot's file beyond the request."""
    named = {"inside": marks.inside, "outside": marks.outside}
    return {name: [list(point) for point in points] for name, points in named.items() if points}


def _keep_likeness(analysis: Analysis, look: StyleSpec, guidance_scale: float) -> LookSetup:
    """Prepare the look at the strongest of four levels at which it passes the likeness test.

    The test renders the look's extremes, never the comparison's own seeds: so a request gives the same bytes whichever
    others run beside it, and one level holds for all seeds. The result is cached with the analysis.
    """
    known = analysis.likeness_factors.get((look, guidance_scale))
    if known is not None:
        return prepare_look(analysis, look, guidance_scale, known)
    setup = prepare_look(analysis, look, guidance_scale)
    enough = float(np.interp(guidance_scale, *_LIKENESS_BY_GUIDANCE))
    with ThreadPoolExecutor(len(LIKENESS_TEST_JITTERS)) as pool:
        for likeness_factor in _LIKENESS_FACTORS:
            setup = setup if likeness_factor == 1 else prepare_look(analysis, look, guidance_scale, likeness_factor)
            test = partial(_test_likeness, setup)
            if all(score is not None and score >= enough for score in pool.map(test, LIKENESS_TEST_JITTERS)):
                break
    analysis.likeness_factors[look, guidance_scale] = setup.likeness_factor
    return setup


def _test_likeness(setup: LookSetup, jitter: SeedJitter) -> float | None:
    pixels = render_frame(setup, jitter, LIKENESS_TEST_SIZE)[0]
    return _likeness_and_box(setup.analysis, pixels, colourless=setup.look.black_and_white)[0]


def _likeness_and_box(
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
        raise TypeError("a backend takes requests whose seed is a number: see comparing.plan")
    return request.seed


def _look_key(request: HeadshotRequest) -> tuple[object, ...]:
    return request.prompt, request.negative_prompt, request.guidance_scale, request.num_inference_steps
