"""Generate, Stop, the results, and what a headshot offers: its seed, the baseline, deletion."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import gradio as gr

from headshot.backends import Backend
from headshot.errors import BackendError, PhotoError, RequestError, Stopped
from headshot.modelslab.backend import ModelsLab
from headshot.request import HeadshotRequest, Standing, Step
from headshot.runs.backend_queue import Line
from headshot.runs.execution import parent_of, reopened, run
from headshot.runs.files import put_down_original
from headshot.runs.history_recorder import Keeper
from headshot.runs.run import Job
from headshot.sessions.session import Visitor, Visitors
from headshot.settings import Settings
from headshot.ui.messages import Updates, note, spoken, toast

from . import results
from .account import modelslab
from .calibration import Calibration
from .form import Form
from .photo import IN_ORDER, PhotoPart

if TYPE_CHECKING:
    from headshot import storage

_VIEWER = "".join(
    (Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8")
    for name in (
        *("cards", "details", "viewer", "zoom", "compare_view", "selection", "fullscreen"),
        "../retry_buttons",
    )
)
_BUSY = "A comparison is running: let it end, or press Stop first."
_GONE = "This headshot is no longer here: pictures are deleted after a while."
_SHOW_RESULTS = """() => {
  // A matrix is asked about first, where Generate stands.
  const asked = document.querySelector("#varied input[value=matrix]:checked") && !document.querySelector("#yes");
  if (innerWidth >= 1000 || asked) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector("#results").scrollIntoView({behavior: calm ? "auto" : "smooth"});
}"""


class ShootPart:
    """What runs a comparison, and shows it."""

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, Backend],
        visitors: Visitors,
        lines: Mapping[str, Line],
        form: Form,
        keeper: Keeper,
        calibration: Calibration,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._visitors = visitors
        self._lines = lines
        self._form = form
        self._keeper = keeper
        self._calibration = calibration

    def buttons(self) -> None:
        with gr.Row(elem_id="actions"):
            self.generate = gr.Button("Generate", variant="primary", elem_id="generate")
            self.stop = gr.Button("Stop", elem_id="stop")

    def results(self) -> None:
        """Build the right column."""
        about: dict[str, Any] = {"apply_default_css": False}
        self.status = gr.HTML(_greeting(self._registry), elem_id="status", js_on_load=None, **about)
        # Not in `js_on_load` itself, which Gradio searches for events a score of times at each update of anything.
        self.shots = gr.HTML(
            results.shots(None, None),
            elem_id="shots",
            head=f"<script>function mountHeadshotViewer(element, trigger, watch) {{\n{_VIEWER}\n}}</script>",
            js_on_load="mountHeadshotViewer(element, trigger, watch)",
            **about,
        )
        self.notes = gr.HTML(elem_id="notes", js_on_load=None, **about)
        self._calibration.build()

    def deletion(self) -> None:
        """The last thing of the right column."""
        self.delete = gr.Button("Delete my pictures", size="sm", elem_id="delete")

    def wire(self, page: gr.Blocks, photo: PhotoPart) -> None:
        shown = [self.status, self.shots, self.notes]
        seeds = self._form.seeds
        self._photo = photo
        self.shown = [*shown, *photo.shown]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        refused = {"otherwise": self._refused}

        told = {*self._form.fields, self._form.asked}
        pressed = gr.on(
            [self.generate.click, seeds.submit, self._form.scales.submit],
            spoken(self._plan, **refused),
            told,
            [*shown, seeds, self._form.asked],
            concurrency_id=IN_ORDER,
            **quiet,
        )
        confirmed = self._form.yes.click(
            spoken(self._plan_a_matrix, **refused),
            told,
            [*shown, seeds, self._form.asked],
            concurrency_id=IN_ORDER,
            **quiet,
        )
        # Multiple: what follows on a refusal may still be under way when what follows on the next press must begin.
        running = [
            event.then(spoken(self._run, **refused), {seeds}, shown, trigger_mode="multiple", **quiet)
            for event in (pressed, confirmed)
        ]
        acting = self.shots.select(
            spoken(self._act, **refused),
            {seeds},
            [*shown, seeds, self._form.locked],
            trigger_mode="multiple",  # what is missing may be made for minutes, beside the other buttons
            **quiet,
        )
        found = [*self.shown, *self._form.account.lines]
        followed = [*running, acting, page.load(spoken(self._restore, **refused), {seeds}, found, **quiet)]
        if modelslab(self._registry) is not None:
            followed += [
                change(spoken(self._go_on, **refused), {seeds}, shown, **quiet) for change in self._form.account.changes
            ]
        # Nothing is cancelled: what is followed ends by itself, with the last word over what it said a moment before.
        self.stop.click(spoken(self._stop, **refused), {seeds}, shown, **quiet)
        self.deleted = self.delete.click(
            spoken(self._delete, **refused), {seeds}, [*shown, *photo.shown], cancels=followed, **quiet
        )
        self._calibration.wire()
        # On a phone the results lie below the form.
        for button in (self.generate, self._form.yes):
            button.click(None, js=_SHOW_RESULTS, api_visibility="private")

    async def _plan(self, values: Updates, request: gr.Request) -> Updates:
        """Read the form and show the frames: what can be refused is refused here, at once. A matrix is asked about."""
        return await self._pressed(values, request, meant=False)

    async def _plan_a_matrix(self, values: Updates, request: gr.Request) -> Updates:
        """Once it was said that so many are meant."""
        return await self._pressed(values, request, meant=True)

    async def _pressed(self, values: Updates, request: gr.Request, *, meant: bool) -> Updates:
        visitor = self._visitors.of(request.session_hash, request.cookies)
        async with visitor.checking:
            if visitor.job is not None and visitor.job.alive:  # Enter in the seeds; Generate itself is hidden
                toast(_BUSY)
                return {self.status: gr.skip()}
            return await self._planned(values, visitor, meant=meant)

    async def _planned(self, values: Updates, visitor: Visitor, *, meant: bool) -> Updates:
        if visitor.photo is None or visitor.check is None:
            if visitor.lost == "kept its time":
                minutes = self._settings.keep_minutes
                raise PhotoError(f"Your photo was deleted after {minutes} minutes, as promised: choose it again.")
            if visitor.lost == "made room":
                raise PhotoError("Many people are here, and your photo made room for theirs: choose it again.")
            if visitor.lost == "was away":
                raise PhotoError("This page was away for long, and its pictures were deleted: choose the photo again.")
            raise PhotoError("There is no photo here yet: choose one, use the example, or wait for yours to arrive.")
        visitor.check.taken()  # raises PhotoError where no headshot can be made
        seeds = self._form.seeds
        updates: Updates = {}
        if not values[self._form.locked] and not meant:  # what is meant has the seeds that were asked about
            updates[seeds] = self._form.fresh_seeds(values)
            values = {**values, **updates}
        matrix = self._form.matrix(values)
        if matrix is not None and not (meant and self._form.is_asked(values, visitor)):
            return {self.status: gr.skip(), **self._form.ask(values, visitor)}
        chain = self._form.chain(values, visitor)
        requests = self._form.requests(values) if matrix is None else matrix.ordered_for(chain[0].name)
        job = Job(
            requests,
            visitor.photo,
            visitor.check.chosen,
            visitor.face,
            chain,
            parent=visitor.parent,
            owner=visitor.owner,
            kind="comparison" if matrix is None else "matrix",
        )
        await self._look_back(visitor)
        visitor.begin(job)
        return {
            self.status: _starting(job),
            self.notes: "",
            **self._shown(visitor),
            **updates,
            **self._form.answered(),
        }

    async def _run(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        visitor = self._visitors.of(request.session_hash, request.cookies)
        job = visitor.job
        if job is None or job.photo is None or job.attempt.started or job.stopped:
            # The form was refused, or Stop was quicker.
            return
        async with aclosing(self._followed(visitor, job)) as updates:
            async for update in updates:
                yield update

    async def _followed(self, visitor: Visitor, job: Job) -> AsyncGenerator[Updates]:
        """Run the job, and show what comes of it while it is the one on the page."""
        photo, attempt, status = job.photo, job.attempt, _starting(job)

        def is_on_the_page() -> bool:
            return visitor.job is job and job.attempt is attempt

        try:
            async with aclosing(run(job, photo, self._lines, visitor, self._keeper)) as news:
                async for item in news:
                    if not is_on_the_page():  # stopped, and the page shows the next one already
                        return
                    if isinstance(item, Step):
                        status = results.step(item)
                    if isinstance(item, Standing) and not attempt.news.empty():
                        continue  # four headshots make a step at once, and one update shows them all
                    # All three each time: what is left out Gradio builds anew on the server, 2 ms for the grid alone,
                    # and what stays the same it does not send.
                    yield {self.status: status, **self._shown(visitor), self.notes: results.notes(job)}
        except Stopped:
            if not is_on_the_page():
                return
        finally:
            # Taken out while it was worked on.
            if photo is not None and (visitor.photo is None or visitor.photo.sha256 != photo.sha256):
                for backend in job.chain:
                    backend.forget(photo)
        yield self._finished(visitor, job)

    async def _restore(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """A page that is loaded goes on with this browser's last comparison, at ModelsLab or where it was left."""
        visitor = self._visitors.of(request.session_hash, request.cookies)
        hosted = modelslab(visitor.backends(self._registry))
        if visitor.key is not None:
            yield self._form.account.shown(visitor)
        jobs = await hosted.found() if hosted is not None and visitor.job is None else ()
        if hosted is None or not jobs:
            left = await self._keeper.unfinished(visitor.owner) if visitor.job is None else None
            if left is None:
                return
            async with aclosing(self._taken_up(visitor, left)) as updates:
                async for update in updates:
                    yield update
            return
        self._visitors.hand_over(visitor, jobs[0].photo_sha256)
        if visitor.photo is not None:
            yield self._photo.as_it_is(visitor)
        async with aclosing(self._reopened(visitor, hosted, jobs)) as updates:
            async for update in updates:
                yield update

    async def opened(self, visitor: Visitor, comparison: "storage.Comparison") -> Updates:
        """The page with a comparison of the history in place of the one on it. Raises RequestError while one runs."""
        if visitor.job is not None and visitor.job.alive:
            raise RequestError(_BUSY)
        self._visitors.hand_over(visitor, comparison.photo_sha256)
        photo, check, original = visitor.photo, visitor.check, None
        if photo is not None and photo.sha256 == comparison.photo_sha256 and check is not None and check.chosen:
            original = await anyio.to_thread.run_sync(put_down_original, visitor, photo, check.chosen)
        backend = visitor.backends(self._registry).get(comparison.backend)
        job = reopened(comparison, [] if backend is None else [backend], original, visitor)
        visitor.begin(job)
        return {**self._photo.as_it_is(visitor), **self._finished(visitor, job), self.status: results.found(job)}

    async def _taken_up(self, visitor: Visitor, left: "storage.Comparison") -> AsyncGenerator[Updates]:
        """Show a comparison whose page or server went away, and go on with it where its photo is at hand."""
        yield await self.opened(visitor, left)
        job = visitor.job
        if job is not None and job.missing and job.can_go_on and visitor.photo is not None:
            async with aclosing(self._continued(visitor, job, None)) as updates:
                async for update in updates:
                    yield update

    async def _continued(self, visitor: Visitor, job: Job, alone: HeadshotRequest | None) -> AsyncGenerator[Updates]:
        """Make what is missing of a comparison, or the one of it. Raises PhotoError where its photo is not at hand."""
        if job.alive:
            raise RequestError(_BUSY)
        if not job.can_go_on:
            raise RequestError("This cannot go on here: press Generate to make it anew.")
        if visitor.photo is None or visitor.photo.sha256 != job.photo_sha256:
            raise PhotoError("It was begun with another photo: choose that one again, then go on.")
        job.reopen()
        job.photo, job.alone, job.chosen = visitor.photo, alone, None if visitor.check is None else visitor.check.chosen
        yield {self.status: _starting(job), **self._shown(visitor)}
        async with aclosing(self._followed(visitor, job)) as updates:
            async for update in updates:
                yield update

    async def _reopened(
        self, visitor: Visitor, hosted: ModelsLab, jobs: "Sequence[storage.Job]"
    ) -> AsyncGenerator[Updates]:
        """Show a comparison that was begun before, and follow it."""
        check = visitor.check if visitor.photo is not None and visitor.photo.sha256 == jobs[0].photo_sha256 else None
        photo, chosen = (None, None) if check is None else (visitor.photo, check.chosen)
        requests = [job.request for job in jobs]
        job = Job(
            requests,
            photo,
            chosen,
            visitor.face,
            [hosted],
            resumed=jobs[0].comparison,
            owner=visitor.owner,
            photo_sha256=jobs[0].photo_sha256,
        )
        known = await self._keeper.alike(job)
        if known is not None:
            job.kind, job.kept, job.parent = known.kind, known.id, parent_of(known)
            job.kept_shots = {shot.position: shot.id for shot in known.shots}
        await self._look_back(visitor)
        visitor.begin(job)
        async with aclosing(self._followed_again(visitor, job)) as updates:
            async for update in updates:
                yield update

    async def _go_on(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """With the key that it was sent with, what was found again and stood still goes on."""
        visitor = self._visitors.of(request.session_hash, request.cookies)
        hosted, job = modelslab(visitor.backends(self._registry)), visitor.job
        if visitor.key is None or hosted is None or job is None or job.alive or not job.resumed:
            return
        found = await hosted.found(job.resumed)
        stood_still = {at.job for at in job.standings.values() if at.kind == "unknown"}  # and not what was stopped
        going = [one for one in found if one.id in stood_still and hosted.desk.standing(one).kind == "under way"]
        if job.alive or not going:
            return
        job.reopen()
        async with aclosing(self._followed_again(visitor, job)) as updates:
            async for update in updates:
                yield update

    async def _followed_again(self, visitor: Visitor, job: Job) -> AsyncGenerator[Updates]:
        """As `_followed`; what became of the others was said when it happened, and stands on their cards."""
        yield {self.status: _starting(job), **self._shown(visitor)}
        try:
            async with aclosing(self._followed(visitor, job)) as updates:
                async for update in updates:
                    yield update
        except BackendError:
            yield {**self._finished(visitor, job), self.status: results.some_missing(job)}

    async def _stop(self, values: Updates, request: gr.Request) -> Updates:
        visitor = self._visitors.of(request.session_hash, request.cookies)
        job = visitor.job
        if job is None:
            return {self.status: gr.skip()}
        if job.alive:
            job.stop()
            await anyio.to_thread.run_sync(self._keeper.end, job)
        return self._finished(visitor, job)

    async def _act(self, values: Updates, request: gr.Request, event: gr.EventData) -> AsyncIterator[Updates]:
        """What a headshot's own buttons ask for."""
        visitor = self._visitors.of(request.session_hash, request.cookies)
        if event.action in ("check", "send", "open"):
            async with aclosing(self._pursued(visitor, event.action, str(event.id))) as updates:
                async for update in updates:
                    yield update
            return
        if event.action in ("make", "make all"):
            job = visitor.job
            if job is None:
                raise RequestError(_GONE)
            alone = None if event.action == "make all" else _at(job, str(event.id))
            async with aclosing(self._continued(visitor, job, alone)) as updates:
                async for update in updates:
                    yield update
            return
        shot = visitor.shot(str(event.id))
        if shot is None:
            raise RequestError(_GONE)
        match event.action:
            case "use_seed":
                visitor.parent = shot.mark
                note(f"Seed {shot.request.seed} stands in the seeds field.")
                yield {self._form.seeds: str(shot.request.seed), self._form.locked: True}
                return
            case "baseline":
                visitor.set_baseline(shot)
            case "no_baseline":
                visitor.set_baseline(None)
        yield self._shown(visitor)

    async def _pursued(self, visitor: Visitor, action: str, name: str) -> AsyncGenerator[Updates]:
        """Ask again for a headshot at ModelsLab, or send it again."""
        hosted, job = modelslab(visitor.backends(self._registry)), visitor.job
        if action == "open" and hosted is not None:
            async with aclosing(self._opened(visitor, hosted, name)) as updates:
                async for update in updates:
                    yield update
            return
        if hosted is None or job is None:
            raise RequestError(_GONE)
        if action == "check":
            comparison = await hosted.check_again(name)
        elif visitor.photo is None:
            raise PhotoError("The photo is not kept here: choose the same one again, then send it.")
        else:
            comparison = await hosted.send_again(name, visitor.photo, visitor.face)
        if job.alive:  # and being followed
            return
        job.resumed = comparison
        job.reopen()
        yield {self.status: _starting(job), **self._shown(visitor)}
        async with aclosing(self._followed(visitor, job)) as updates:
            async for update in updates:
                yield update

    async def _opened(self, visitor: Visitor, hosted: ModelsLab, name: str) -> AsyncGenerator[Updates]:
        """Another comparison in place of the one on the page."""
        if visitor.job is not None and visitor.job.alive:
            raise RequestError(_BUSY)
        jobs = await hosted.found(name)
        if not jobs:
            raise RequestError(_GONE)
        async with aclosing(self._reopened(visitor, hosted, jobs)) as updates:
            async for update in updates:
                yield update

    async def _delete(self, values: Updates, request: gr.Request) -> Updates:
        visitor = self._visitors.of(request.session_hash, request.cookies)
        self._visitors.delete(visitor.owner)
        await self._keeper.forget(visitor.owner)
        hosted = modelslab(visitor.backends(self._registry))
        if hosted is not None:
            await hosted.delete()
        return {
            self.status: results.status("Your photo and your headshots are deleted.", kind="done"),
            self.notes: "",
            **self._shown(visitor),
            **self._photo.emptied(),
        }

    def renewed(self, visitor: Visitor, *, headshots: bool, photo: bool) -> Updates:
        """The tab after something was deleted in another one. headshots, photo: whether there were any on it."""
        updates = {self.notes: results.notes(visitor.job), **self._shown(visitor)}
        if headshots and visitor.job is None and visitor.baseline is None:
            updates[self.status] = results.status("Your headshots were deleted in another tab.", kind="done")
        if photo and visitor.photo is None and not visitor.checking.locked():
            updates |= self._photo.emptied()
        return updates

    def _finished(self, visitor: Visitor, job: Job) -> Updates:
        return {
            self.status: results.ended(job),
            self.notes: results.notes(job),
            **self._shown(visitor),
        }

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """The sentence above the results; whatever had landed stays."""
        visitor = self._visitors.of(request.session_hash, request.cookies)
        job = visitor.job
        if job is not None and job.shots and sentence in {str(at.error) for at in job.standings.values()}:
            return {**self._finished(visitor, job), self.status: results.some_missing(job)}
        if job is not None and job.alive:  # something else was refused beside it
            return {self.status: gr.skip()}
        updates = {self.status: results.status(sentence, kind="error")}
        if job is not None:
            updates |= {self.notes: results.notes(job), **self._shown(visitor)}
        return updates

    def _shown(self, visitor: Visitor) -> Updates:
        shots = results.shots(
            visitor.job, visitor.baseline, visitor.address, earlier=visitor.earlier, api=self._settings.modelslab_api
        )
        return {self.shots: shots}

    async def _look_back(self, visitor: Visitor) -> None:
        hosted = modelslab(visitor.backends(self._registry))
        visitor.earlier = [] if hosted is None else await hosted.earlier()


def _at(job: Job, position: str) -> HeadshotRequest:
    """What is missing at that place of the comparison."""
    found = next((request for at, request in enumerate(job.requests) if str(at) == position), None)
    if found is None or found not in job.missing:
        raise RequestError(_GONE)
    return found


def _starting(job: Job) -> str:
    return results.status("Starting…", total=len(job.requests), kind="running")


def _greeting(registry: Mapping[str, Backend]) -> str:
    if any(backend.readiness().ready for backend in registry.values()):
        return results.status("Choose a photo, then press Generate.")
    return results.status(" ".join(backend.readiness().sentence for backend in registry.values()), kind="error")
