"""Where paid headshots are looked after: the client sends and asks, the store remembers, and this says in which order.

A job is written down before it is sent, and what happens to it before anything else happens. It is looked after by a
task of its own, which goes on when nobody listens; who wants to know follows its comparison. What is told is read from
the store, so that it is the same after a restart.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread

from headshot.backend_names import MODELSLAB
from headshot.durations import DurationEstimator
from headshot.errors import HeadshotError, NotConfigured, OutcomeUnknown, Refused, RequestError
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings
from headshot.storage.async_store import AsyncStore

from .account import Key
from .bodies import shown_body
from .client import Api, HeadShotClient, Resolve
from .job_runner import MSG_CANCELLED_BEFORE_SEND, JobRunner, WebhookTarget
from .polling import PollingPolicy
from .replies import JobResponse
from .result_image import Subject, from_record

if TYPE_CHECKING:  # SQLAlchemy takes half a second to load, for which a visitor without a key should not wait
    from headshot.storage import Event, JobId, ModelsLabJob, Store

_LISTEN_SECONDS = 0.25  # how soon a Stop is noticed that comes from another thread
_GONE = "This headshot is no longer here: pictures are deleted after a while."
_REMEMBERED = 100  # errors and unkept headshots of jobs that ended, for those who follow them

_T = TypeVar("_T")


class JobService:
    """The jobs of one server or program, of all its visitors. The store is opened when it is first needed.

    resolve, waits: as HeadShotClient takes them. What takes an owner finds nothing of anybody else's.
    """

    def __init__(
        self, settings: Settings, *, waits: PollingPolicy | None = None, resolve: Resolve | None = None
    ) -> None:
        self._settings = settings
        self._ledger = AsyncStore(settings.data_dir.expanduser(), settings.database_url.get_secret_value() or None)
        self._options: dict[str, Any] = {
            "base_url": settings.modelslab_url,
            "max_in_flight": settings.modelslab_in_flight,
            "give_up_after_seconds": settings.modelslab_give_up_seconds,
            "waits": waits,
            "resolve": resolve,
        }
        self.api: Api = settings.modelslab_api
        self.at_once = settings.modelslab_in_flight
        own = settings.modelslab_key.get_secret_value()
        self.key = Key(own) if own.strip() else None  # the server's own
        self._runners: dict[str, dict[JobId, JobRunner]] = {}  # by comparison
        self._again: set[tuple[str, str]] = set()  # whose job another try is being written down beside
        self._carrying: set[asyncio.Task[None]] = set()
        self._listeners: dict[str, set[asyncio.Queue[None]]] = {}
        self._errors: dict[JobId, HeadshotError] = {}
        self._unkept: dict[JobId, Headshot] = {}  # that the disk had no room for
        self.pace = DurationEstimator(0.0)  # of one headshot, from its POST to its picture
        self._recovered: asyncio.Event | None = None  # None: nothing is to be recovered

    @property
    def has_jobs(self) -> bool:
        """Whether there may be some, without a look into the store."""
        return self._ledger.may_have_data

    # At the server's start and end.

    async def recover(self) -> None:
        """Make sense of what the server before has left, and go on with what this server's own key can ask for."""
        recovered = self._recovered = asyncio.Event()
        try:
            recovery = await self._ledger.run(lambda store: store.recover())
            if self.key is not None:
                await self._resume(lambda _: recovery.to_poll, self.key)
        finally:
            recovered.set()

    async def expire(self, seconds: float) -> None:
        """Delete what has been at rest for that long."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        await self._ledger.run(lambda store: store.expire(before))

    async def close(self) -> None:
        """Leave everything as it stands: the next start finds it."""
        carrying = list(self._carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        await self._ledger.close()

    # Sending.

    async def test(self, key: Key) -> None:
        """Whether the service lets this key in, which costs nothing. Raises NotConfigured or Unavailable."""
        async with self._client(key, self.api) as client:
            await client.check()

    async def begin(
        self,
        owner: str,
        key: Key,
        requests: Sequence[HeadshotRequest],
        subject: Subject,
        *,
        hook: WebhookTarget | None = None,
        beside: "ModelsLabJob | None" = None,
    ) -> str:
        """Write down a job for each request, and send them one after the other as places come free.

        hook: a receiver of the visitor's own.  beside: the job of which this is another try.
        Returns the comparison's name. Raises StoreError where nothing can be written down: then nothing is sent.
        """
        if self._recovered is not None:  # or what begins now would be taken for what the server before has left
            await self._recovered.wait()
        if key.problem:
            raise NotConfigured(MODELSLAB, key.problem)
        sent_as = await anyio.to_thread.run_sync(subject.face_image)
        comparison = secrets.token_hex(8) if beside is None else beside.comparison
        first = 0 if beside is None else beside.position

        def add(store: "Store") -> list[JobRunner]:
            return [
                self._written_down(store, owner, comparison, position, request, key, subject, sent_as, hook)
                for position, request in enumerate(requests, first)
            ]

        self._start(await self._ledger.run(add), key, self.api)
        return comparison

    def _written_down(
        self,
        store: "Store",
        owner: str,
        comparison: str,
        position: int,
        request: HeadshotRequest,
        key: Key,
        subject: Subject,
        face_image: str,
        hook: WebhookTarget | None,
    ) -> JobRunner:
        from headshot.storage import hash_token, key_fingerprint

        webhook_mark = None
        if hook is None and self._settings.public_url:
            token = secrets.token_urlsafe(32)
            webhook_mark = hash_token(token)
            hook = WebhookTarget.for_this_server(self._settings.public_url, token)
        hook = hook or WebhookTarget()
        shown = shown_body(self.api, request, face_image, webhook=hook.url or None, track_id=hook.track_id)
        job = store.add(
            owner,
            comparison,
            position,
            request,
            api=self.api,
            key_fingerprint=key_fingerprint(key.reveal(), store.salt),
            photo_sha256=subject.photo.sha256,
            track_id=hook.track_id,
            webhook_mark=webhook_mark,
            facts={"sent": shown},
        )
        return JobRunner(job, owner, comparison, request, self._ledger, self._tell, face_image, subject, hook)

    async def _resume(self, find: "Callable[[Store], Iterable[ModelsLabJob]]", key: Key) -> None:
        """Go on with those of these jobs that were sent with this key, have not ended, and that nobody looks after."""
        mine = await self._mark(key)
        runners: dict[Api, list[JobRunner]] = {}
        for job in await self._ledger.run(find):  # last of all, for what was read before may have ended since
            if job.key_fingerprint != mine or job.remote_id is None or job.state.ended or self._runner(job) is not None:
                continue
            reply = JobResponse.of_job(job.remote_id)
            runner = JobRunner(job.id, job.owner, job.comparison, job.request, self._ledger, self._tell, reply=reply)
            runners.setdefault("v6" if job.api == "v6" else "enterprise", []).append(runner)
        for api, found in runners.items():
            self._start(found, key, api)

    async def _mark(self, key: Key) -> str:
        from headshot.storage import key_fingerprint

        return await self._ledger.run(lambda store: key_fingerprint(key.reveal(), store.salt))

    def _start(self, runners: Sequence[JobRunner], key: Key, api: Api) -> None:
        for runner in runners:
            self._runners.setdefault(runner.comparison, {})[runner.job] = runner
        carrying = asyncio.create_task(self._carry(runners, key, api))
        self._carrying.add(carrying)  # a task that nobody holds may be collected while it runs
        carrying.add_done_callback(self._carrying.discard)

    async def _carry(self, runners: Sequence[JobRunner], key: Key, api: Api) -> None:
        """All the trips over one client, whose connections they share."""
        async with self._client(key, api) as client:
            await asyncio.gather(*(self._look_after(runner, client) for runner in runners), return_exceptions=True)

    async def _look_after(self, runner: JobRunner, client: HeadShotClient) -> None:
        try:
            await runner.start(client)
        finally:
            if runner.seconds is not None:
                self.pace.record(runner.seconds)
            if runner.error is not None:
                _remember(self._errors, runner.job, runner.error)
            if runner.unsaved_result is not None:
                _remember(self._unkept, runner.job, runner.unsaved_result)
            siblings = self._runners[runner.comparison]
            del siblings[runner.job]
            if not siblings:
                del self._runners[runner.comparison]
            self._tell(runner)

    def _client(self, key: Key, api: Api) -> HeadShotClient:
        return HeadShotClient(key, api=api, **self._options)

    # Listening.

    async def follow(self, owner: str, comparison: str, progress: Progress) -> AsyncGenerator[Headshot]:
        """The comparison's headshots, those that are there and those that land; where the others stand is told.

        Ends when nothing of it is under way in this process. Raises Stopped after `progress.stop()`, and at the end
        the error of the first that did not land.
        """
        news: asyncio.Queue[None] = asyncio.Queue()
        self._listeners.setdefault(comparison, set()).add(news)
        told: dict[int, HeadshotStatus] = {}
        landed: set[int] = set()
        try:
            under_way = True
            while under_way:
                carried = set(
                    self._runners.get(comparison, ())
                )  # before the books are read, so that the last news is in
                under_way = bool(carried)
                jobs = await self._ledger.run(lambda store: store.comparison(owner, comparison))
                for job in latest(jobs):
                    if job.position in landed or (job.id in carried and self._runner(job) is None):
                        continue  # the latter has ended meanwhile: the next round reads how
                    headshot = await self._headshot(job)
                    if headshot is not None:
                        landed.add(job.position)
                        told.pop(job.position, None)
                        yield headshot
                        continue
                    before, standing = told.get(job.position), self.standing(job)
                    told[job.position] = standing
                    if before is None or (before.kind, before.text) != (standing.kind, standing.text):
                        progress.report_item(standing)
                if under_way:
                    await _on_news(news, progress)
        finally:
            self._listeners[comparison].discard(news)
            if not self._listeners[comparison]:
                del self._listeners[comparison]
        for _, standing in sorted(told.items()):
            if standing.error is not None:
                raise standing.error

    def stop(self, comparison: str) -> None:
        """Drop what was not sent. What was is looked after to its end: it is paid."""
        for runner in list(self._runners.get(comparison, {}).values()):
            runner.cancel()

    def standing(self, job: "ModelsLabJob") -> HeadshotStatus:
        """Where a job stands that has no picture."""
        from headshot.storage import JobState

        runner = self._runner(job)
        error = self._errors.get(job.id) if runner is None else runner.error
        match job.state:
            case JobState.FAILED:
                error = error or Refused(MODELSLAB, job.sentence)
                return HeadshotStatus(job.request, "failed", job.sentence, job.id, error)
            case JobState.UNKNOWN:
                error = error or OutcomeUnknown(MODELSLAB, job.sentence)
                return HeadshotStatus(job.request, "unknown", job.sentence, job.id, error)
            case JobState.PENDING if runner is None:
                text = job.sentence if job.stranded or error is None else str(error)
                return HeadshotStatus(job.request, "never sent", text or MSG_CANCELLED_BEFORE_SEND, job.id, error)
            case _ if runner is None:
                error = OutcomeUnknown(
                    MODELSLAB, "ModelsLab has this headshot: enter the key it was sent with, or check again."
                )
                return HeadshotStatus(job.request, "unknown", str(error), job.id, error)
        return HeadshotStatus(job.request, "under way" if runner.was_sent else "waiting", runner.text, job.id)

    async def _headshot(self, job: "ModelsLabJob") -> Headshot | None:
        """None while there is none."""
        if job.id in self._unkept:
            return self._unkept[job.id]
        picture = job.picture
        if picture is None:
            return None
        try:
            png = await anyio.to_thread.run_sync(picture.read_bytes)
        except FileNotFoundError as error:  # deleted since the books were read
            raise RequestError(_GONE) from error
        return await anyio.to_thread.run_sync(lambda: from_record(png, job.request, job.facts, job.id))

    # What a visitor asks for later.

    async def comparison(self, owner: str, comparison: str | None = None) -> "tuple[ModelsLabJob, ...]":
        """The jobs of one comparison, the latest where none is named, one for each of its headshots."""
        if comparison is None:
            last = await self._ledger.run(lambda store: store.jobs(owner, limit=1))
            if not last:
                return ()
            comparison = last[0].comparison
        name = comparison
        return latest(await self._ledger.run(lambda store: store.comparison(owner, name)))

    async def comparisons(self, owner: str) -> "list[tuple[ModelsLabJob, ...]]":
        """This visitor's comparisons as `comparison` gives them, the latest first; at most 50 jobs' worth."""
        found: dict[str, list[ModelsLabJob]] = {}
        for job in await self._ledger.run(lambda store: store.jobs(owner)):
            found.setdefault(job.comparison, []).append(job)
        return [latest(reversed(jobs)) for jobs in found.values()]

    async def record(self, owner: str, job: str) -> "tuple[ModelsLabJob, tuple[Event, ...]]":
        """A job and its timeline. Raises RequestError where it is gone."""
        found = await self._job(owner, job)
        return found, await self._ledger.run(lambda store: store.timeline(owner, found.id))

    async def resume(self, owner: str, key: Key) -> None:
        """Go on with what this visitor sent with this key and what nobody looks after."""
        from headshot.storage import JobState

        await self._resume(lambda store: store.in_state(owner, JobState.PROCESSING), key)

    async def check_again(self, owner: str, job: str, key: Key) -> None:
        """Ask for a job whose end is not known. Follow its comparison to hear.

        Raises RequestError where it is gone, Unknown where it cannot be asked for, NotConfigured for another key.
        """
        found = await self._job(owner, job)
        runner = self._runner(found)
        if runner is not None:
            runner.webhook_received.set()
            return
        if found.state.ended:
            return
        if found.remote_id is None:
            raise OutcomeUnknown(
                MODELSLAB,
                "ModelsLab never gave this headshot a number, so it cannot be asked for: look at modelslab.com.",
            )
        remote_id = found.remote_id
        if found.key_fingerprint != await self._mark(key):
            raise NotConfigured(MODELSLAB, "This headshot was sent with another key: enter that one, then check again.")
        await self._ledger.run(lambda store: store.accepted(found.id, remote_id))
        self._errors.pop(found.id, None)
        await self._resume(lambda store: filter(None, [store.job(owner, found.id)]), key)

    async def send_again(self, owner: str, job: str, key: Key, subject: Subject) -> None:
        """Another try beside a job, which may be billed beside it. Follow its comparison to hear.

        Raises RequestError where the job is gone, or was of another photo.
        """
        if (owner, job) in self._again:  # the same button pressed twice
            return
        self._again.add((owner, job))  # before anything is read, or what was read could be older than the other try
        try:
            found = await self._job(owner, job)
            if found.photo_sha256 != subject.photo.sha256:
                raise RequestError("This headshot was made of another photo: choose that one again, then send it.")
            name = found.comparison
            tries = latest(await self._ledger.run(lambda store: store.comparison(owner, name)))
            newer = all(one.id != found.id for one in tries)
            if newer or self._runner(found) is not None or found.picture is not None:
                return
            await self.begin(owner, key, [found.request], subject, beside=found)
        finally:
            self._again.discard((owner, job))

    async def forget(self, owner: str) -> None:
        """Delete a visitor's jobs and their pictures. What the service has is made and billed nevertheless."""
        for runners in list(self._runners.values()):
            for runner in [runner for runner in runners.values() if runner.owner == owner]:
                runner.cancel(whatever=True)
        await self._ledger.run(lambda store: store.forget(owner))

    async def called(self, token: str, track_id: str | None, remote_id: str) -> bool:
        """A webhook has called: ask for what it names, for the call itself proves nothing. False: it fits no job."""
        from headshot.storage import hash_token

        try:
            JobResponse.of_job(remote_id)
        except RequestError:  # no number that anything could be asked by
            return False
        found = await self._ledger.run(lambda store: store.by_webhook(hash_token(token), track_id, remote_id))
        if found is None:
            return False
        if found.state.ended:
            return True
        job = found.id
        await self._ledger.run(lambda store: store.note(job, "webhook"))
        runner = self._runner(found)
        if runner is not None:
            runner.webhook_job_id = remote_id
            runner.webhook_received.set()
        else:
            await self._ledger.run(lambda store: store.accepted(job, remote_id))
            if self.key is not None:
                await self._resume(lambda store: filter(None, [store.job(found.owner, job)]), self.key)
        return True

    def _runner(self, job: "ModelsLabJob") -> JobRunner | None:
        return self._runners.get(job.comparison, {}).get(job.id)

    def _tell(self, runner: JobRunner) -> None:
        """Have those look who follow."""
        for listener in self._listeners.get(runner.comparison, ()):
            listener.put_nowait(None)

    async def _job(self, owner: str, job: str) -> "ModelsLabJob":
        from headshot.storage import JobId

        found = await self._ledger.run(lambda store: store.job(owner, JobId(job)))
        if found is None:
            raise RequestError(_GONE)
        return found


def latest(jobs: "Iterable[ModelsLabJob]") -> "tuple[ModelsLabJob, ...]":
    """One job for each headshot of a comparison: the one with a picture, else the last that was sent for it."""
    chosen: dict[int, ModelsLabJob] = {}
    for job in jobs:
        former = chosen.get(job.position)
        if former is None or former.picture is None:
            chosen[job.position] = job
    return tuple(chosen.values())


async def _on_news(news: "asyncio.Queue[None]", progress: Progress) -> None:
    """Wait for news, as many as there are. Raises Stopped."""
    while news.empty():
        progress.check()
        try:
            async with asyncio.timeout(_LISTEN_SECONDS):
                await news.get()
        except TimeoutError:
            continue
        break
    while not news.empty():
        news.get_nowait()


def _remember(where: "dict[JobId, _T]", job: "JobId", what: _T) -> None:
    where[job] = what
    while len(where) > _REMEMBERED:
        del where[next(iter(where))]
