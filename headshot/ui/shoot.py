"""Generate and Stop: a comparison runs in a task of its own and sends its news to the page."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio.to_thread
import gradio as gr
from PIL import Image

from .. import backends
from ..backends import Backend
from ..compare import compare, parse_seeds, plan
from ..errors import PhotoError, RequestError, Stopped
from ..photo import Photo
from ..request import Headshot, Step, random_seed
from ..settings import Settings
from . import controls, results
from .messages import Updates, spoken, toast
from .photo import IN_ORDER
from .visitors import Job, Shot, Visitor, Visitors

_THUMBNAIL_PX = 640  # twice the width of a card at four in a row, for sharp screens
_FIRST_SEEDS = 4  # one row of the grid on a wide screen, two on a phone
_AT_ONCE = 2  # comparisons that run side by side; the others wait in line, for more would only slow each other down

_ENLARGE = Path(__file__).with_name("enlarge.js").read_text(encoding="utf-8")
_SHOW_RESULTS = """() => {
  if (innerWidth >= 1000) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector("#results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}"""


class ShootPart:
    """The look, the seeds, the buttons and the results."""

    def __init__(self, settings: Settings, registry: Mapping[str, Backend], visitors: Visitors) -> None:
        self._settings = settings
        self._registry = registry
        self._visitors = visitors

    def form(self) -> None:
        """Build the left column's part, below the photo."""
        self.controls = {name: controls.control(name) for name in ("prompt", "negative_prompt")}
        first = min(_FIRST_SEEDS, self._settings.max_seeds)
        with gr.Row(elem_id="seeds-row"):
            self.seeds = gr.Textbox(
                value=f"1-{first}" if first > 1 else "1",
                label="Seeds",
                info=f"1, 2, 3 or 10-13: one headshot each, at most {self._settings.max_seeds}.",
                max_lines=1,
                elem_id="seeds",
                scale=1,
            )
            self.dice = gr.Button("New seeds", size="sm", elem_id="dice", scale=0, min_width=0)
        with gr.Row(elem_id="actions"):
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate")
            self.stop = gr.Button("Stop", elem_id="stop", visible=False)
        with gr.Accordion("Fine tuning", open=True, elem_id="fine-tuning"):
            for name in ("guidance_scale", "num_inference_steps"):
                self.controls[name] = controls.control(name)
            choices = [("Automatic", backends.AUTO), *((name, name) for name in self._registry)]
            self.backend = gr.Radio(
                choices,
                value=self._settings.backend,
                label="Backend",
                visible=len(self._registry) > 1,
                elem_id="backend",
            )
        for backend in self._registry.values():
            where = "here" if len(self._registry) == 1 else f"to the {backend.name}"
            with gr.Accordion(f"What the settings mean {where}", open=False):
                gr.Markdown(backend.help)

    def results(self) -> None:
        """Build the right column."""
        about: dict[str, Any] = {"apply_default_css": False}
        self.status = gr.HTML(_greeting(self._registry), elem_id="status", js_on_load=None, **about)
        self.shots = gr.HTML(results.empty(), elem_id="shots", js_on_load=_ENLARGE, **about)
        self.notes = gr.HTML(elem_id="notes", js_on_load=None, **about)

    def wire(self) -> None:
        shown = [self.status, self.shots, self.notes, self.generate, self.stop]
        form = {self.seeds, self.backend, *self.controls.values()}
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        refused = {"otherwise": self._refused}

        self.dice.click(spoken(self._roll, otherwise=self._same_seeds), {self.seeds}, [self.seeds], **quiet)
        pressed = gr.on(
            [self.generate.click, self.seeds.submit],
            spoken(self._plan, **refused),
            form,
            shown,
            concurrency_limit=None,
            concurrency_id=IN_ORDER,
            **quiet,
        )
        running = pressed.then(spoken(self._run, **refused), {self.seeds}, shown, concurrency_limit=_AT_ONCE, **quiet)
        self.stop.click(
            spoken(self._stop, **refused),
            {self.seeds},
            shown,
            cancels=[running],
            concurrency_limit=None,
            **quiet,
        )
        # On a phone the results lie below the form.
        self.generate.click(None, js=_SHOW_RESULTS, api_visibility="private")

    async def _roll(self, values: Updates, request: gr.Request) -> Updates:
        """As many fresh seeds as the field holds now."""
        try:
            count = len(parse_seeds(values[self.seeds], at_most=self._settings.max_seeds))
        except RequestError:  # the dice are a way out of a field that cannot be read
            count = min(_FIRST_SEEDS, self._settings.max_seeds)
        return {self.seeds: ", ".join(str(random_seed()) for _ in range(count))}

    def _same_seeds(self, sentence: str, request: gr.Request) -> Updates:
        return {self.seeds: gr.skip()}

    async def _plan(self, values: Updates, request: gr.Request) -> Updates:
        """Read the form and show the frames: what can be refused is refused here, at once."""
        visitor = self._visitors.of(request.session_hash)
        async with visitor.checking:
            if visitor.job is not None and visitor.job.alive:  # Enter in the seeds; Generate itself is hidden
                toast("A comparison is running: let it end, or press Stop first.")
                return {self.status: gr.skip()}
            return self._planned(values, visitor)

    def _planned(self, values: Updates, visitor: Visitor) -> Updates:
        if visitor.photo is None or visitor.check is None:
            if visitor.lost == "kept its time":
                minutes = self._settings.keep_minutes
                raise PhotoError(f"Your photo was deleted after {minutes} minutes, as promised: choose it again.")
            if visitor.lost == "made room":
                raise PhotoError("Many people are here, and your photo made room for theirs: choose it again.")
            raise PhotoError("Choose a photo first, or use the example.")
        if not visitor.check.usable:
            raise PhotoError(" ".join(advice.text for advice in visitor.check.advice))
        seeds = parse_seeds(values[self.seeds], at_most=self._settings.max_seeds)
        requests = plan(controls.request(values, self.controls), seeds)
        backend = backends.choose(self._registry, values[self.backend])
        visitor.job = Job(requests, visitor.photo, visitor.face, backend.name)
        return {
            self.status: results.status("Waiting for a free place…", total=len(requests), kind="running"),
            self.shots: results.shots(visitor.job),
            self.notes: "",
            **self._buttons(running=True),
        }

    async def _run(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        visitor = self._visitors.of(request.session_hash)
        job = visitor.job
        if job is None or job.photo is None or job.started or job.stopped:  # the form was refused, or Stop was quicker
            yield {self.status: gr.skip()}  # a generator without a single update would empty every output
            return
        job.started = True
        started_at = time.perf_counter()
        task = asyncio.create_task(_produce(self._registry[job.backend], visitor, job, job.photo))
        try:
            while (item := await job.news.get()) is not None:
                if visitor.job is not job:  # stopped, and the page shows the next one already
                    yield {self.status: gr.skip()}
                    return
                match item:
                    case Step():
                        yield {self.status: results.step(item)}
                    case Shot():
                        job.shots.append(item)
                        yield {self.shots: results.shots(job), self.notes: results.notes(job)}
                    case Stopped():
                        job.stopped = True
                        break
                    case Exception():
                        raise item
            job.seconds = time.perf_counter() - started_at
            yield self._finished(job)
        finally:  # the end, Stop, or a closed tab
            job.ended = True
            job.progress.stop()
            job.photo = None
            task.cancel()

    async def _stop(self, values: Updates, request: gr.Request) -> Updates:
        job = self._visitors.of(request.session_hash).job
        if job is None:
            return self._buttons(running=False)
        if job.alive:
            job.stop()
        return self._finished(job)

    def _finished(self, job: Job) -> Updates:
        return {
            self.status: results.ended(job),
            self.shots: results.shots(job),
            self.notes: results.notes(job),
            **self._buttons(running=False),
        }

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """The sentence above the results; whatever had landed stays."""
        updates = {self.status: results.status(sentence, kind="error"), **self._buttons(running=False)}
        job = self._visitors.of(request.session_hash).job
        if job is not None:
            job.stop()
            updates |= {self.shots: results.shots(job), self.notes: results.notes(job)}
        return updates

    def _buttons(self, *, running: bool) -> Updates:
        return {self.generate: gr.Button(visible=not running), self.stop: gr.Button(visible=running)}


async def _produce(backend: Backend, visitor: Visitor, job: Job, photo: Photo) -> None:
    """Make the job's headshots, put each down as files, and tell the job's news. Errors are news too."""
    try:
        # Without aclosing a stopped job would leave the backend's generator open until it is collected.
        async with aclosing(compare(backend, photo, job.requests, job.progress, face=job.face)) as headshots:
            async for headshot in headshots:
                job.news.put_nowait(await anyio.to_thread.run_sync(_put_down, visitor, headshot))
        job.news.put_nowait(None)
    except Exception as error:  # noqa: BLE001  raised again where the news is read
        job.news.put_nowait(error)


def _put_down(visitor: Visitor, headshot: Headshot) -> Shot:
    """The headshot's own bytes under its own name, and a thumbnail for the page."""
    small = headshot.image.copy()
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    small.save(data, "WEBP", quality=86)
    picture = visitor.write(headshot.filename, headshot.png)
    thumbnail = visitor.write("thumbnail.webp", data.getvalue())
    return Shot(
        request=headshot.request,
        filename=headshot.filename,
        size=headshot.image.size,
        seconds=headshot.seconds,
        likeness=headshot.likeness,
        notes=headshot.notes,
        picture=visitor.address(picture),
        thumbnail=visitor.address(thumbnail),
    )


def _greeting(registry: Mapping[str, Backend]) -> str:
    if any(backend.readiness().ready for backend in registry.values()):
        return results.status("Choose a photo, then press Generate.")
    return results.status(" ".join(backend.readiness().sentence for backend in registry.values()), kind="error")
