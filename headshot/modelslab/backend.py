"""ModelsLab's head shot service as a backend, with the server's key or a visitor's own."""

import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING

from headshot.backend_names import MODELSLAB, TITLES
from headshot.backends import Readiness
from headshot.errors import NotConfigured
from headshot.imaging.photo import Photo
from headshot.progress import Progress
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import variable

from .job_runner import WebhookTarget
from .jobs import JobService
from .key import Key
from .result_image import Subject

if TYPE_CHECKING:
    from headshot.storage import ModelsLabJob

KEYS_PAGE = "https://modelslab.com/dashboard/api-keys"

_HELP = """
- **Prompt** and **Negative prompt** go to the service as they are: it is a diffusion model and reads any words.
- **Guidance** is its classifier-free guidance: 7.5 is what it was made for; from about 12 pictures look hard.
- **Steps** are its denoising steps: 21 is fast, 31 finer, 41 finest.
- **Seed**: the same photo, settings and seed give a similar picture again; the service does not promise the same one.
- Where a face was chosen, only the part of the photo around it is sent.
"""


@dataclass(frozen=True)
class JobRecord:
    """How a headshot was made, to be shown.

    Attributes:
        sent: the request as JSON without key and picture, "" if it is not known.
        reply: the last response as JSON without key and pictures, "" if it is not known.
        timeline: (seconds since the first event, event, details), as texts.
    """

    sent: str
    reply: str
    timeline: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class OtherRun:
    """A comparison of a visitor.

    Attributes:
        comparison: its name.
        begun: when its first job was stored.
        jobs: the ids of its jobs in the store.
        completed: how many of its headshots are done.
    """

    comparison: str
    begun: datetime
    jobs: frozenset[str]
    completed: int


_EVENT_TITLES = {
    "added": "Saved",
    "sent": "Sent",
    "pending": "Rejected (not billed)",
    "processing": "Queued at ModelsLab",
    "webhook": "Webhook received",
    "unknown": "No response",
    "done": "Downloaded",
}


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


class ModelsLab:
    """The hosted service, as a Backend.

    It works with the server's own key; `for_user` makes a visitor's view of it.

    Attributes:
        name: of the backend.
        title: for people.
        help: what the settings mean to it, as Markdown.
        max_concurrent: comparisons that may run at once.
        survives_disconnect: jobs continue when nobody watches.
        jobs: the job service, shared by all views.
        owner: the hash of a token that nobody else has.
    """

    name = MODELSLAB
    title = TITLES[MODELSLAB]
    help = _HELP
    max_concurrent = 100  # of their headshots only as many run at once as the account allows: JobSlots sees to that
    survives_disconnect = True

    def __init__(
        self, job_service: JobService, *, owner: str = "", key: Key | None = None, webhook: WebhookTarget | None = None
    ) -> None:
        """Make a view of a job service.

        Args:
            job_service: shared by all views.
            owner: by default a random one.
            key: None for the server's.
            webhook: a receiver of the visitor's own; None for this server's.
        """
        self.jobs = job_service
        self.owner = owner or sha256(secrets.token_bytes(32)).hexdigest()
        self._visitors_key = key
        self._webhook = webhook

    def for_user(self, owner: str, key: Key | None, webhook: WebhookTarget | None = None) -> "ModelsLab":
        """Return one visitor's view of this backend.

        Args:
            owner: the hash of a token that nobody else has.
            key: None for the server's.
            webhook: a receiver of the visitor's own; None for this server's.
        """
        return ModelsLab(self.jobs, owner=owner, key=key, webhook=webhook)

    @property
    def key(self) -> Key:
        """The visitor's key, or else the server's.

        Raises:
            NotConfigured: if there is none.
        """
        key = self._visitors_key or self.jobs.key
        if key is None:
            raise NotConfigured(
                MODELSLAB,
                f"ModelsLab needs a key: enter yours below, or start the server with {variable('modelslab_key')}.",
            )
        return key

    def readiness(self) -> Readiness:
        """See Backend. The key is not tested with the service."""
        try:
            problem = self.key.problem
        except NotConfigured as error:
            return Readiness(False, str(error))
        if problem:
            return Readiness(False, problem)
        whose = "your key" if self._visitors_key else "this server’s key"
        return Readiness(
            True, f"ModelsLab is ready, with {whose}. Your photo is sent to it, and every headshot is charged there."
        )

    def estimate(
        self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
    ) -> float | None:
        """See Backend. None until a first headshot is done."""
        if not self.jobs.durations.known:
            return None
        return ceil(len(requests) / self.jobs.max_in_flight) * self.jobs.durations.seconds

    async def record(self, job: str) -> JobRecord:
        """Return how one of this visitor's headshots was made.

        Raises:
            RequestError: if it was deleted.
        """
        found, events = await self.jobs.record(self.owner, job)
        lines = [
            (
                f"{(event.at - events[0].at).total_seconds():.1f} s",
                _EVENT_TITLES.get(event.what, event.what),
                event.sentence,
            )
            for event in events
        ]
        if found.polls:
            lines.insert(-1, ("", "Checked once" if found.polls == 1 else f"Checked {found.polls} times", ""))
        sent, reply = (_json(found.facts.get(name)) for name in ("sent", "reply"))
        return JobRecord(sent, reply, tuple(lines))

    async def running_jobs(self, comparison: str | None = None) -> "tuple[ModelsLabJob, ...]":
        """Return the jobs of a comparison, by default the visitor's last, and resume those that can be resumed.

        Args:
            comparison: its name. Jobs of all of the visitor's comparisons are resumed, if their key is here.
        """
        if not self.jobs.has_jobs:
            return ()
        key = self._visitors_key or self.jobs.key
        if key is not None and not key.problem:
            await self.jobs.resume(self.owner, key)
        return await self.jobs.comparison(self.owner, comparison)

    async def other_runs(self) -> list[OtherRun]:
        """Return this visitor's comparisons that have a headshot or may still get one, the latest first."""
        return [
            OtherRun(
                jobs[0].comparison,
                min(job.created_at for job in jobs),
                frozenset(job.id for job in jobs),
                sum(job.picture is not None for job in jobs),
            )
            for jobs in (await self.jobs.comparisons(self.owner) if self.jobs.has_jobs else ())
            if any(job.picture is not None or not job.state.ended for job in jobs)
        ]

    async def check_again(self, job: str) -> str:
        """Like `JobService.check_again`. Returns the comparison's name."""
        await self.jobs.check_again(self.owner, job, self.key)
        return await self.comparison_of(job)

    async def send_again(self, job: str, photo: Photo, face: int | None) -> str:
        """Like `JobService.send_again`. Returns the comparison's name."""
        await self.jobs.send_again(self.owner, job, self.key, Subject(photo, face))
        return await self.comparison_of(job)

    async def delete(self) -> None:
        """Delete all of this visitor's jobs and their pictures."""
        if self.jobs.has_jobs:
            await self.jobs.forget(self.owner)

    async def comparison_of(self, job: str) -> str:
        """Return the name of the comparison that a job belongs to.

        Raises:
            RequestError: if the job was deleted.
        """
        return (await self.jobs.record(self.owner, job))[0].comparison

    def drop_cache(self, photo: Photo) -> None:
        """Do nothing: a photo is sent and not cached."""

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """See Backend. Yields in any order. Jobs that were sent go on, also after `progress.cancel()`."""
        progress.check()
        progress.report("Sending your photo to ModelsLab", 0, len(requests))
        subject = Subject(photo, face)
        comparison = await self.jobs.submit(self.owner, self.key, requests, subject, webhook=self._webhook)
        async with aclosing(self.watch(comparison, len(requests), progress)) as headshots:
            async for headshot in headshots:
                yield headshot

    async def watch(self, comparison: str, total: int, progress: Progress) -> AsyncGenerator[Headshot]:
        """Yield the headshots of a comparison that was submitted before; `progress.cancel()` drops unsent jobs.

        Args:
            comparison: its name.
            total: the number of its headshots.
            progress: see `JobService.watch`, which also says what is raised.
        """
        done = 0
        try:
            async with aclosing(self.jobs.watch(self.owner, comparison, progress)) as headshots:
                async for headshot in headshots:
                    done += 1
                    progress.report("Generating at ModelsLab" if done < total else "Done", done, total)
                    yield headshot
        finally:
            if progress.stopped:
                self.jobs.cancel(comparison)
