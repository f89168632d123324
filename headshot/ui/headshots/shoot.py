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
from headshot.progress import HeadshotStatus, Step
from headshot.request import HeadshotRequest
from headshot.runs.backend_queue import BackendQueue
from headshot.runs.execution import execute, parent_of, run_from_history
from headshot.runs.files import save_photo_copy
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.run import Run
from headshot.sessions.session import SessionRegistry, TabSession
from headshot.settings import Settings
from headshot.ui.messages import Updates, event_handler, note, toast

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
        sessions: SessionRegistry,
        queues: Mapping[str, BackendQueue],
        form: Form,
        recorder: HistoryRecorder,
        calibration: Calibration,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._sessions = sessions
        self._queues = queues
        self._form = form
        self._recorder = recorder
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
            event_handler(self._plan, **refused),
            told,
            [*shown, seeds, self._form.asked],
            concurrency_id=IN_ORDER,
            **quiet,
        )
        confirmed = self._form.yes.click(
            event_handler(self._plan_a_matrix, **refused),
            told,
            [*shown, seeds, self._form.asked],
            concurrency_id=IN_ORDER,
            **quiet,
        )
        # Multiple: what follows on a refusal may still be under way when what follows on the next press must begin.
        running = [
            event.then(event_handler(self._run, **refused), {seeds}, shown, trigger_mode="multiple", **quiet)
            for event in (pressed, confirmed)
        ]
        acting = self.shots.select(
            event_handler(self._act, **refused),
            {seeds},
            [*shown, seeds, self._form.locked],
            trigger_mode="multiple",  # what is missing may be made for minutes, beside the other buttons
            **quiet,
        )
        found = [*self.shown, *self._form.account.lines]
        followed = [*running, acting, page.load(event_handler(self._restore, **refused), {seeds}, found, **quiet)]
        if modelslab(self._registry) is not None:
            followed += [
                change(event_handler(self._go_on, **refused), {seeds}, shown, **quiet)
                for change in self._form.account.changes
            ]
        # Nothing is cancelled: what is followed ends by itself, with the last word over what it said a moment before.
        self.stop.click(event_handler(self._stop, **refused), {seeds}, shown, **quiet)
        self.deleted = self.delete.click(
            event_handler(self._delete, **refused), {seeds}, [*shown, *photo.shown], cancels=followed, **quiet
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
        session = self._sessions.get(request.session_hash, request.cookies)
        async with session.checking:
            if session.run is not None and session.run.alive:  # Enter in the seeds; Generate itself is hidden
                toast(_BUSY)
                return {self.status: gr.skip()}
            return await self._planned(values, session, meant=meant)

    async def _planned(self, values: Updates, session: TabSession, *, meant: bool) -> Updates:
        if session.photo is None or session.check is None:
            if session.photo_lost_reason == "kept its time":
                minutes = self._settings.keep_minutes
                raise PhotoError(f"Your photo was deleted after {minutes} minutes, as promised: choose it again.")
            if session.photo_lost_reason == "made room":
                raise PhotoError("Many people are here, and your photo made room for theirs: choose it again.")
            if session.photo_lost_reason == "was away":
                raise PhotoError("This page was away for long, and its pictures were deleted: choose the photo again.")
            raise PhotoError("There is no photo here yet: choose one, use the example, or wait for yours to arrive.")
        session.check.taken()  # raises PhotoError where no headshot can be made
        seeds = self._form.seeds
        updates: Updates = {}
        if not values[self._form.locked] and not meant:  # what is meant has the seeds that were asked about
            updates[seeds] = self._form.fresh_seeds(values)
            values = {**values, **updates}
        matrix = self._form.matrix(values)
        if matrix is not None and not (meant and self._form.is_asked(values, session)):
            return {self.status: gr.skip(), **self._form.ask(values, session)}
        chain = self._form.chain(values, session)
        requests = self._form.requests(values) if matrix is None else matrix.ordered_for(chain[0].name)
        run = Run(
            requests,
            session.photo,
            session.check.chosen,
            session.face,
            chain,
            parent=session.parent,
            owner=session.owner,
            kind="comparison" if matrix is None else "matrix",
        )
        await self._look_back(session)
        session.begin(run)
        return {
            self.status: _starting(run),
            self.notes: "",
            **self._shown(session),
            **updates,
            **self._form.answered(),
        }

    async def _run(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        session = self._sessions.get(request.session_hash, request.cookies)
        run = session.run
        if run is None or run.photo is None or run.attempt.started or run.stopped:
            # The form was refused, or Stop was quicker.
            return
        async with aclosing(self._followed(session, run)) as updates:
            async for update in updates:
                yield update

    async def _followed(self, session: TabSession, run: Run) -> AsyncGenerator[Updates]:
        """Run the job, and show what comes of it while it is the one on the page."""
        photo, attempt, status = run.photo, run.attempt, _starting(run)

        def is_on_the_page() -> bool:
            return session.run is run and run.attempt is attempt

        try:
            async with aclosing(execute(run, photo, self._queues, session, self._recorder)) as news:
                async for item in news:
                    if not is_on_the_page():  # stopped, and the page shows the next one already
                        return
                    if isinstance(item, Step):
                        status = results.step(item)
                    if isinstance(item, HeadshotStatus) and not attempt.events.empty():
                        continue  # four headshots make a step at once, and one update shows them all
                    # All three each time: what is left out Gradio builds anew on the server, 2 ms for the grid alone,
                    # and what stays the same it does not send.
                    yield {self.status: status, **self._shown(session), self.notes: results.notes(run)}
        except Stopped:
            if not is_on_the_page():
                return
        finally:
            # Taken out while it was worked on.
            if photo is not None and (session.photo is None or session.photo.sha256 != photo.sha256):
                for backend in run.backends:
                    backend.drop_cache(photo)
        yield self._finished(session, run)

    async def _restore(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """A page that is loaded goes on with this browser's last comparison, at ModelsLab or where it was left."""
        session = self._sessions.get(request.session_hash, request.cookies)
        hosted = modelslab(session.backends(self._registry))
        if session.key is not None:
            yield self._form.account.shown(session)
        jobs = await hosted.running_jobs() if hosted is not None and session.run is None else ()
        if hosted is None or not jobs:
            left = await self._recorder.unfinished(session.owner) if session.run is None else None
            if left is None:
                return
            async with aclosing(self._taken_up(session, left)) as updates:
                async for update in updates:
                    yield update
            return
        self._sessions.move_photo_to(session, jobs[0].photo_sha256)
        if session.photo is not None:
            yield self._photo.as_it_is(session)
        async with aclosing(self._reopened(session, hosted, jobs)) as updates:
            async for update in updates:
                yield update

    async def opened(self, session: TabSession, comparison: "storage.HistoryEntry") -> Updates:
        """The page with a comparison of the history in place of the one on it. Raises RequestError while one runs."""
        if session.run is not None and session.run.alive:
            raise RequestError(_BUSY)
        self._sessions.move_photo_to(session, comparison.photo_sha256)
        photo, check, original = session.photo, session.check, None
        if photo is not None and photo.sha256 == comparison.photo_sha256 and check is not None and check.chosen:
            original = await anyio.to_thread.run_sync(save_photo_copy, session, photo, check.chosen)
        backend = session.backends(self._registry).get(comparison.backend)
        run = run_from_history(comparison, [] if backend is None else [backend], original, session)
        session.begin(run)
        return {**self._photo.as_it_is(session), **self._finished(session, run), self.status: results.found(run)}

    async def _taken_up(self, session: TabSession, left: "storage.HistoryEntry") -> AsyncGenerator[Updates]:
        """Show a comparison whose page or server went away, and go on with it where its photo is at hand."""
        yield await self.opened(session, left)
        run = session.run
        if run is not None and run.missing and run.can_go_on and session.photo is not None:
            async with aclosing(self._continued(session, run, None)) as updates:
                async for update in updates:
                    yield update

    async def _continued(self, session: TabSession, run: Run, alone: HeadshotRequest | None) -> AsyncGenerator[Updates]:
        """Make what is missing of a comparison, or the one of it. Raises PhotoError where its photo is not at hand."""
        if run.alive:
            raise RequestError(_BUSY)
        if not run.can_go_on:
            raise RequestError("This cannot go on here: press Generate to make it anew.")
        if session.photo is None or session.photo.sha256 != run.photo_sha256:
            raise PhotoError("It was begun with another photo: choose that one again, then go on.")
        run.reopen()
        run.photo, run.only, run.chosen = session.photo, alone, None if session.check is None else session.check.chosen
        yield {self.status: _starting(run), **self._shown(session)}
        async with aclosing(self._followed(session, run)) as updates:
            async for update in updates:
                yield update

    async def _reopened(
        self, session: TabSession, hosted: ModelsLab, jobs: "Sequence[storage.ModelsLabJob]"
    ) -> AsyncGenerator[Updates]:
        """Show a comparison that was begun before, and follow it."""
        check = session.check if session.photo is not None and session.photo.sha256 == jobs[0].photo_sha256 else None
        photo, chosen = (None, None) if check is None else (session.photo, check.chosen)
        requests = [job.request for job in jobs]
        run = Run(
            requests,
            photo,
            chosen,
            session.face,
            [hosted],
            remote_id=jobs[0].comparison,
            owner=session.owner,
            photo_sha256=jobs[0].photo_sha256,
        )
        known = await self._recorder.find_matching(run)
        if known is not None:
            run.kind, run.history_id, run.parent = known.kind, known.id, parent_of(known)
            run.history_ids = {shot.position: shot.id for shot in known.headshots}
        await self._look_back(session)
        session.begin(run)
        async with aclosing(self._followed_again(session, run)) as updates:
            async for update in updates:
                yield update

    async def _go_on(self, values: Updates, request: gr.Request) -> AsyncIterator[Updates]:
        """With the key that it was sent with, what was found again and stood still goes on."""
        session = self._sessions.get(request.session_hash, request.cookies)
        hosted, run = modelslab(session.backends(self._registry)), session.run
        if session.key is None or hosted is None or run is None or run.alive or not run.remote_id:
            return
        found = await hosted.running_jobs(run.remote_id)
        stood_still = {at.job for at in run.statuses.values() if at.kind == "unknown"}  # and not what was stopped
        going = [one for one in found if one.id in stood_still and hosted.jobs.standing(one).kind == "under way"]
        if run.alive or not going:
            return
        run.reopen()
        async with aclosing(self._followed_again(session, run)) as updates:
            async for update in updates:
                yield update

    async def _followed_again(self, session: TabSession, run: Run) -> AsyncGenerator[Updates]:
        """As `_followed`; what became of the others was said when it happened, and stands on their cards."""
        yield {self.status: _starting(run), **self._shown(session)}
        try:
            async with aclosing(self._followed(session, run)) as updates:
                async for update in updates:
                    yield update
        except BackendError:
            yield {**self._finished(session, run), self.status: results.some_missing(run)}

    async def _stop(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        run = session.run
        if run is None:
            return {self.status: gr.skip()}
        if run.alive:
            run.stop()
            await anyio.to_thread.run_sync(self._recorder.end, run)
        return self._finished(session, run)

    async def _act(self, values: Updates, request: gr.Request, event: gr.EventData) -> AsyncIterator[Updates]:
        """What a headshot's own buttons ask for."""
        session = self._sessions.get(request.session_hash, request.cookies)
        if event.action in ("check", "send", "open"):
            async with aclosing(self._pursued(session, event.action, str(event.id))) as updates:
                async for update in updates:
                    yield update
            return
        if event.action in ("make", "make all"):
            run = session.run
            if run is None:
                raise RequestError(_GONE)
            alone = None if event.action == "make all" else _at(run, str(event.id))
            async with aclosing(self._continued(session, run, alone)) as updates:
                async for update in updates:
                    yield update
            return
        shot = session.headshot(str(event.id))
        if shot is None:
            raise RequestError(_GONE)
        match event.action:
            case "use_seed":
                session.parent = shot.content_id
                note(f"Seed {shot.request.seed} stands in the seeds field.")
                yield {self._form.seeds: str(shot.request.seed), self._form.locked: True}
                return
            case "baseline":
                session.set_baseline(shot)
            case "no_baseline":
                session.set_baseline(None)
        yield self._shown(session)

    async def _pursued(self, session: TabSession, action: str, name: str) -> AsyncGenerator[Updates]:
        """Ask again for a headshot at ModelsLab, or send it again."""
        hosted, run = modelslab(session.backends(self._registry)), session.run
        if action == "open" and hosted is not None:
            async with aclosing(self._opened(session, hosted, name)) as updates:
                async for update in updates:
                    yield update
            return
        if hosted is None or run is None:
            raise RequestError(_GONE)
        if action == "check":
            comparison = await hosted.check_again(name)
        elif session.photo is None:
            raise PhotoError("The photo is not kept here: choose the same one again, then send it.")
        else:
            comparison = await hosted.send_again(name, session.photo, session.face)
        if run.alive:  # and being followed
            return
        run.remote_id = comparison
        run.reopen()
        yield {self.status: _starting(run), **self._shown(session)}
        async with aclosing(self._followed(session, run)) as updates:
            async for update in updates:
                yield update

    async def _opened(self, session: TabSession, hosted: ModelsLab, name: str) -> AsyncGenerator[Updates]:
        """Another comparison in place of the one on the page."""
        if session.run is not None and session.run.alive:
            raise RequestError(_BUSY)
        jobs = await hosted.running_jobs(name)
        if not jobs:
            raise RequestError(_GONE)
        async with aclosing(self._reopened(session, hosted, jobs)) as updates:
            async for update in updates:
                yield update

    async def _delete(self, values: Updates, request: gr.Request) -> Updates:
        session = self._sessions.get(request.session_hash, request.cookies)
        self._sessions.delete(session.owner)
        await self._recorder.forget(session.owner)
        hosted = modelslab(session.backends(self._registry))
        if hosted is not None:
            await hosted.delete()
        return {
            self.status: results.status("Your photo and your headshots are deleted.", kind="done"),
            self.notes: "",
            **self._shown(session),
            **self._photo.emptied(),
        }

    def renewed(self, session: TabSession, *, headshots: bool, photo: bool) -> Updates:
        """The tab after something was deleted in another one. headshots, photo: whether there were any on it."""
        updates = {self.notes: results.notes(session.run), **self._shown(session)}
        if headshots and session.run is None and session.baseline is None:
            updates[self.status] = results.status("Your headshots were deleted in another tab.", kind="done")
        if photo and session.photo is None and not session.checking.locked():
            updates |= self._photo.emptied()
        return updates

    def _finished(self, session: TabSession, run: Run) -> Updates:
        return {
            self.status: results.ended(run),
            self.notes: results.notes(run),
            **self._shown(session),
        }

    def _refused(self, sentence: str, request: gr.Request) -> Updates:
        """The sentence above the results; whatever had landed stays."""
        session = self._sessions.get(request.session_hash, request.cookies)
        run = session.run
        if run is not None and run.headshots and sentence in {str(at.error) for at in run.statuses.values()}:
            return {**self._finished(session, run), self.status: results.some_missing(run)}
        if run is not None and run.alive:  # something else was refused beside it
            return {self.status: gr.skip()}
        updates = {self.status: results.status(sentence, kind="error")}
        if run is not None:
            updates |= {self.notes: results.notes(run), **self._shown(session)}
        return updates

    def _shown(self, session: TabSession) -> Updates:
        shots = results.shots(
            session.run, session.baseline, session.address, earlier=session.other_runs, api=self._settings.modelslab_api
        )
        return {self.shots: shots}

    async def _look_back(self, session: TabSession) -> None:
        hosted = modelslab(session.backends(self._registry))
        session.other_runs = [] if hosted is None else await hosted.other_runs()


def _at(run: Run, position: str) -> HeadshotRequest:
    """What is missing at that place of the comparison."""
    found = next((request for at, request in enumerate(run.requests) if str(at) == position), None)
    if found is None or found not in run.missing:
        raise RequestError(_GONE)
    return found


def _starting(run: Run) -> str:
    return results.status("Starting…", total=len(run.requests), kind="running")


def _greeting(registry: Mapping[str, Backend]) -> str:
    if any(backend.readiness().ready for backend in registry.values()):
        return results.status("Choose a photo, then press Generate.")
    return results.status(" ".join(backend.readiness().sentence for backend in registry.values()), kind="error")
