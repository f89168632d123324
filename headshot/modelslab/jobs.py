"""Runs ModelsLab jobs: decides the order of HTTP calls and database writes.

A job is stored before it is sent, and every event of it before the next step. Each job runs in a task that continues
when nobody watches; callers subscribe per comparison. Status is always read from the store, so it survives a restart.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from headshot.backend_names import MODELSLAB
from headshot.durations import DurationEstimator
from headshot.errors import NotConfigured, OutcomeUnknown, RequestError
from headshot.progress import HeadshotStatus, Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings
from headshot.storage.async_store import AsyncStore

from .bodies import redacted_body
from .client import Api, HeadShotClient, Resolve
from .job_runner import JobRunner, WebhookTarget
from .job_status import latest, status_of
from .key import Key
from .polling import PollingPolicy
from .replies import JobResponse
from .result_image import Subject, from_record
from .runner_registry import RunnerRegistry

if TYPE_CHECKING:  # SQLAlchemy takes half a second to load: too long for a visitor without a key
    from headshot.storage import Event, ModelsLabJob, Store

MSG_EXPIRED = "This headshot is no longer here: pictures are deleted after a while."
_STOP_CHECK_SECONDS = 0.25  # how soon a Stop from another thread is noticed


class JobService:
    """The jobs of all visitors of one server or program.

    The store is opened when it is first needed. A method that takes an owner, the hash of a visitor's token, finds
    nothing of anybody else's.

    Attributes:
        api: the endpoint that new jobs are sent to.
        key: the server's own key, or None.
        max_in_flight: how many jobs of one key run at once.
    """

    def __init__(
        self, settings: Settings, *, polling: PollingPolicy | None = None, resolve: Resolve | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            settings: of the server.
            polling: as HeadShotClient takes it.
            resolve: as HeadShotClient takes it.
        """
        self._settings = settings
        self._store = AsyncStore(settings.data_dir.expanduser(), settings.database_url.get_secret_value() or None)
        self._client_options: dict[str, Any] = {
            "base_url": settings.modelslab_url,
            "max_in_flight": settings.modelslab_in_flight,
            "give_up_after_seconds": settings.modelslab_give_up_seconds,
            "polling": polling,
            "resolve": resolve,
        }
        self.api: Api = settings.modelslab_api
        self.max_in_flight = settings.modelslab_in_flight
        own = settings.modelslab_key.get_secret_value()
        self.key = Key(own) if own.strip() else None
        self._runners = RunnerRegistry()
        # (owner, job id) pairs for which a retry is being created; guards against double submit.
        self._retrying: set[tuple[str, str]] = set()
        self._recovered: asyncio.Event | None = None  # None: `recover` was not called

    @property
    def has_jobs(self) -> bool:
        """Whether there may be jobs, judged without opening the store."""
        return self._store.may_have_data

    @property
    def durations(self) -> DurationEstimator:
        """How long one headshot takes, from its POST to its picture."""
        return self._runners.durations

    async def recover(self) -> None:
        """Mark the jobs that the last server left, and resume those that were sent with this server's own key."""
        recovered = self._recovered = asyncio.Event()
        try:
            recovery = await self._store.run(lambda store: store.recover())
            if self.key is not None:
                await self._resume(lambda _: recovery.to_poll, self.key)
        finally:
            recovered.set()

    async def expire(self, seconds: float) -> None:
        """Delete jobs that did not change for that long."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        await self._store.run(lambda store: store.expire(before))

    async def close(self) -> None:
        """Stop all runners. Jobs keep their state in the store, and the next start finds them."""
        await self._runners.close()
        await self._store.close()

    async def test(self, key: Key) -> None:
        """Test a key with the service, which costs nothing.

        Raises:
            NotConfigured: if the service does not accept it.
            Unavailable: if the service cannot be reached or understood.
        """
        async with self._client(key, self.api) as client:
            await client.check()

    async def submit(
        self,
        owner: str,
        key: Key,
        requests: Sequence[HeadshotRequest],
        subject: Subject,
        *,
        webhook: WebhookTarget | None = None,
        retry_of: "ModelsLabJob | None" = None,
    ) -> str:
        """Store a job for each request, and start sending them one after the other as slots come free.

        Args:
            owner: the hash of the visitor's token.
            key: to send them with.
            requests: one for each job.
            subject: the photo to send.
            webhook: a receiver of the visitor's own; by default this server's, if it has a public URL.
            retry_of: a job of which this is another try, in its comparison and at its position.

        Returns:
            The comparison's name.

        Raises:
            NotConfigured: if the key cannot be one.
            PhotoError: if the photo has no such face.
            StoreError: if the jobs cannot be stored. Then nothing is sent.
        """
        if self._recovered is not None:  # or `recover` would take the new jobs for those of the last server
            await self._recovered.wait()
        if key.problem:
            raise NotConfigured(MODELSLAB, key.problem)
        face_image = await anyio.to_thread.run_sync(subject.face_image)
        comparison = secrets.token_hex(8) if retry_of is None else retry_of.comparison
        first = 0 if retry_of is None else retry_of.position

        def add(store: "Store") -> list[JobRunner]:
            return [
                self._add_job(store, owner, comparison, position, request, key, subject, face_image, webhook)
                for position, request in enumerate(requests, first)
            ]

        self._runners.start(await self._store.run(add), self._client(key, self.api))
        return comparison

    def _add_job(
        self,
        store: "Store",
        owner: str,
        comparison: str,
        position: int,
        request: HeadshotRequest,
        key: Key,
        subject: Subject,
        face_image: str,
        webhook: WebhookTarget | None,
    ) -> JobRunner:
        from headshot.storage import hash_token, key_fingerprint

        webhook_mark = None
        if webhook is None and self._settings.public_url:
            token = secrets.token_urlsafe(32)
            webhook_mark = hash_token(token)
            webhook = WebhookTarget.for_this_server(self._settings.public_url, token)
        webhook = webhook or WebhookTarget()
        sent = redacted_body(self.api, request, face_image, webhook=webhook.url or None, track_id=webhook.track_id)
        job = store.add(
            owner,
            comparison,
            position,
            request,
            api=self.api,
            key_fingerprint=key_fingerprint(key.reveal(), store.salt),
            photo_sha256=subject.photo.sha256,
            track_id=webhook.track_id,
            webhook_mark=webhook_mark,
            facts={"sent": sent},
        )
        return JobRunner(
            job, owner, comparison, request, self._store, self._runners.on_change, face_image, subject, webhook
        )

    async def _resume(self, find: "Callable[[Store], Iterable[ModelsLabJob]]", key: Key) -> None:
        """Resumes those of the found jobs that were sent with this key, have not ended, and have no runner."""
        fingerprint = await self._fingerprint(key)
        runners: dict[Api, list[JobRunner]] = {}
        # Must be the last await: jobs read earlier may have ended meanwhile.
        for job in await self._store.run(find):
            running_or_ended = job.state.ended or self._runners.get(job) is not None
            if job.key_fingerprint != fingerprint or job.remote_id is None or running_or_ended:
                continue
            reply = JobResponse.of_job(job.remote_id)
            runner = JobRunner(
                job.id, job.owner, job.comparison, job.request, self._store, self._runners.on_change, reply=reply
            )
            runners.setdefault("v6" if job.api == "v6" else "enterprise", []).append(runner)
        for api, found in runners.items():
            self._runners.start(found, self._client(key, api))

    async def _fingerprint(self, key: Key) -> str:
        from headshot.storage import key_fingerprint

        return await self._store.run(lambda store: key_fingerprint(key.reveal(), store.salt))

    def _client(self, key: Key, api: Api) -> HeadShotClient:
        return HeadShotClient(key, api=api, **self._client_options)

    async def watch(self, owner: str, comparison: str, progress: Progress) -> AsyncGenerator[Headshot]:
        """Yield a comparison's headshots, those that are done and then each that follows, until no job of it runs here.

        Args:
            owner: the hash of the visitor's token.
            comparison: its name.
            progress: gets the status of each unfinished headshot when it changes.

        Raises:
            Stopped: after `progress.cancel()`.
            HeadshotError: at the end, the error of the first headshot that was not made.
        """
        reported: dict[int, HeadshotStatus] = {}
        yielded: set[int] = set()
        with self._runners.watching(comparison) as changes:
            running = True
            while running:
                # Before the store is read, so that the events of a runner that ends meanwhile are read next time.
                running_ids = {runner.job for runner in self._runners.of_comparison(comparison)}
                running = bool(running_ids)
                jobs = await self._store.run(lambda store: store.comparison(owner, comparison))
                for job in latest(jobs):
                    ended_meanwhile = job.id in running_ids and self._runners.get(job) is None
                    if job.position in yielded or ended_meanwhile:
                        continue
                    headshot = await self._headshot(job)
                    if headshot is not None:
                        yielded.add(job.position)
                        reported.pop(job.position, None)
                        yield headshot
                        continue
                    before, status = reported.get(job.position), self.status(job)
                    reported[job.position] = status
                    if before is None or (before.kind, before.text) != (status.kind, status.text):
                        progress.report_item(status)
                if running:
                    await _next_change(changes, progress)
        for _, status in sorted(reported.items()):
            if status.error is not None:
                raise status.error

    def cancel(self, comparison: str) -> None:
        """Cancel the jobs of a comparison that were not sent. Those that were run to their end: they are paid."""
        for runner in self._runners.of_comparison(comparison):
            runner.cancel()

    def status(self, job: "ModelsLabJob") -> HeadshotStatus:
        """Return the status of a job that has no picture."""
        runner = self._runners.get(job)
        return status_of(job, runner, self._runners.errors.get(job.id) if runner is None else runner.error)

    async def _headshot(self, job: "ModelsLabJob") -> Headshot | None:
        if job.id in self._runners.unsaved:
            return self._runners.unsaved[job.id]
        picture = job.picture
        if picture is None:
            return None
        try:
            png = await anyio.to_thread.run_sync(picture.read_bytes)
        except FileNotFoundError as error:  # deleted since the job was read
            raise RequestError(MSG_EXPIRED) from error
        return await anyio.to_thread.run_sync(lambda: from_record(png, job.request, job.facts, job.id))

    async def comparison(self, owner: str, comparison: str | None = None) -> "tuple[ModelsLabJob, ...]":
        """Return the jobs of one comparison, one for each headshot; by default those of the latest comparison."""
        if comparison is None:
            last = await self._store.run(lambda store: store.jobs(owner, limit=1))
            if not last:
                return ()
            comparison = last[0].comparison
        name = comparison
        return latest(await self._store.run(lambda store: store.comparison(owner, name)))

    async def comparisons(self, owner: str) -> "list[tuple[ModelsLabJob, ...]]":
        """Return a visitor's comparisons, each as `comparison` does, the latest first; the last 50 jobs count."""
        found: dict[str, list[ModelsLabJob]] = {}
        for job in await self._store.run(lambda store: store.jobs(owner)):
            found.setdefault(job.comparison, []).append(job)
        return [latest(reversed(jobs)) for jobs in found.values()]

    async def record(self, owner: str, job: str) -> "tuple[ModelsLabJob, tuple[Event, ...]]":
        """Return a job and its timeline.

        Raises:
            RequestError: if the job was deleted.
        """
        found = await self._job(owner, job)
        return found, await self._store.run(lambda store: store.timeline(owner, found.id))

    async def resume(self, owner: str, key: Key) -> None:
        """Resume the visitor's jobs that were sent with this key and have no runner."""
        from headshot.storage import JobState

        await self._resume(lambda store: store.in_state(owner, JobState.PROCESSING), key)

    async def check_again(self, owner: str, job: str, key: Key) -> None:
        """Poll a job whose outcome is unknown. Watch its comparison for the result.

        Raises:
            RequestError: if the job was deleted.
            OutcomeUnknown: if the service never returned an id to poll it by.
            NotConfigured: if the job was sent with another key.
        """
        found = await self._job(owner, job)
        runner = self._runners.get(found)
        if runner is not None:
            runner.webhook_received.set()
            return
        if found.state.ended:
            return
        if found.remote_id is None:
            raise OutcomeUnknown(
                MODELSLAB,
                "ModelsLab never gave this headshot a job number, so it cannot be checked: look at modelslab.com.",
            )
        remote_id = found.remote_id
        if found.key_fingerprint != await self._fingerprint(key):
            raise NotConfigured(MODELSLAB, "This headshot was sent with another key: enter that one, then check again.")
        await self._store.run(lambda store: store.accepted(found.id, remote_id))
        self._runners.errors.pop(found.id, None)
        await self._resume(lambda store: filter(None, [store.job(owner, found.id)]), key)

    async def send_again(self, owner: str, job: str, key: Key, subject: Subject) -> None:
        """Submit another try of a job, which may be billed as well. Watch its comparison for the result.

        Does nothing if the job has a picture, runs, or has a later try.

        Raises:
            RequestError: if the job was deleted, or was made from another photo.
        """
        if (owner, job) in self._retrying:  # the same button pressed twice
            return
        self._retrying.add((owner, job))  # before anything is read, or the read could miss the other try
        try:
            found = await self._job(owner, job)
            if found.photo_sha256 != subject.photo.sha256:
                raise RequestError("This headshot was made from another photo: choose that one again, then send it.")
            comparison = found.comparison
            tries = latest(await self._store.run(lambda store: store.comparison(owner, comparison)))
            has_later_try = all(one.id != found.id for one in tries)
            if has_later_try or self._runners.get(found) is not None or found.picture is not None:
                return
            await self.submit(owner, key, [found.request], subject, retry_of=found)
        finally:
            self._retrying.discard((owner, job))

    async def forget(self, owner: str) -> None:
        """Delete a visitor's jobs and their pictures. What was sent to the service is still made and billed."""
        for runner in self._runners.of_owner(owner):
            runner.cancel(force=True)
        await self._store.run(lambda store: store.forget(owner))

    async def on_webhook(self, token: str, track_id: str | None, remote_id: str) -> bool:
        """Poll the job that a webhook's call names; the call itself proves nothing.

        Args:
            token: the last part of the webhook's path.
            track_id: as it was called with.
            remote_id: the service's job id, as it was called with.

        Returns:
            False if these do not belong to one job.
        """
        from headshot.storage import hash_token

        try:
            JobResponse.of_job(remote_id)
        except RequestError:  # not an id that could be polled
            return False
        found = await self._store.run(lambda store: store.by_webhook(hash_token(token), track_id, remote_id))
        if found is None:
            return False
        if found.state.ended:
            return True
        job = found.id
        await self._store.run(lambda store: store.note(job, "webhook"))
        runner = self._runners.get(found)
        if runner is not None:
            runner.webhook_job_id = remote_id
            runner.webhook_received.set()
        else:
            await self._store.run(lambda store: store.accepted(job, remote_id))
            if self.key is not None:
                await self._resume(lambda store: filter(None, [store.job(found.owner, job)]), self.key)
        return True

    async def _job(self, owner: str, job: str) -> "ModelsLabJob":
        from headshot.storage import JobId

        found = await self._store.run(lambda store: store.job(owner, JobId(job)))
        if found is None:
            raise RequestError(MSG_EXPIRED)
        return found


async def _next_change(changes: "asyncio.Queue[None]", progress: Progress) -> None:
    """Waits for a change and empties the queue. Raises Stopped."""
    while changes.empty():
        progress.check()
        try:
            async with asyncio.timeout(_STOP_CHECK_SECONDS):
                await changes.get()
        except TimeoutError:
            continue
        break
    while not changes.empty():
        changes.get_nowait()
