"""ModelsLab's head shot service as a backend: whoever's key it is, and a desk that looks after what is paid for."""

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

from .account import Key
from .job_runner import WebhookTarget
from .jobs import JobService
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
    """How a headshot came about, to be shown. sent, reply: JSON without key and pictures, "" where it is not known.

    timeline: when, what happened, and what else there is to say; the time counts from the beginning.
    """

    sent: str
    reply: str
    timeline: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class OtherRun:
    """A comparison of a visitor's. jobs: its headshots' names here."""

    comparison: str
    begun: datetime
    jobs: frozenset[str]
    landed: int


_WORDS = {
    "added": "Written down",
    "sent": "Sent",
    "pending": "Not taken",
    "processing": "Queued at ModelsLab",
    "webhook": "ModelsLab called",
    "unknown": "No answer",
    "done": "Downloaded",
}


def _shown(value: object) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


class ModelsLab:
    """See Backend. As it stands it works with the server's own key; `for_user` makes a visitor's view of it."""

    name = MODELSLAB
    title = TITLES[MODELSLAB]
    help = _HELP
    max_concurrent = 100  # comparisons; how many of their headshots are under way at once is the account's to say
    survives_disconnect = True

    def __init__(
        self, job_service: JobService, *, owner: str = "", key: Key | None = None, hook: WebhookTarget | None = None
    ) -> None:
        self.jobs = job_service
        self.owner = owner or sha256(secrets.token_bytes(32)).hexdigest()
        self._own_key = key
        self._hook = hook

    def for_user(self, owner: str, key: Key | None, hook: WebhookTarget | None = None) -> "ModelsLab":
        """As one visitor sees it. owner: the mark of a secret that nobody else has.  key: None for the server's."""
        return ModelsLab(self.jobs, owner=owner, key=key, hook=hook)

    @property
    def key(self) -> Key:
        """Raises NotConfigured where there is none."""
        key = self._own_key or self.jobs.key
        if key is None:
            raise NotConfigured(
                MODELSLAB,
                f"ModelsLab needs a key: enter yours below, or start the server with {variable('modelslab_key')}.",
            )
        return key

    def readiness(self) -> Readiness:
        try:
            problem = self.key.problem
        except NotConfigured as error:
            return Readiness(False, str(error))
        if problem:
            return Readiness(False, problem)
        whose = "your key" if self._own_key else "this server’s key"
        return Readiness(
            True, f"ModelsLab is ready, with {whose}. Your photo is sent to it, and every headshot is charged there."
        )

    def estimate(
        self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
    ) -> float | None:
        if not self.jobs.pace.known:
            return None
        return ceil(len(requests) / self.jobs.at_once) * self.jobs.pace.seconds

    async def record(self, job: str) -> JobRecord:
        """Of one of this visitor's headshots. Raises RequestError where it is gone."""
        found, events = await self.jobs.record(self.owner, job)
        lines = [
            (f"{(at.at - events[0].at).total_seconds():.1f} s", _WORDS.get(at.what, at.what), at.sentence)
            for at in events
        ]
        if found.polls:
            lines.insert(-1, ("", "Asked once" if found.polls == 1 else f"Asked {found.polls} times", ""))
        sent, reply = (_shown(found.facts.get(name)) for name in ("sent", "reply"))
        return JobRecord(sent, reply, tuple(lines))

    async def running_jobs(self, comparison: str | None = None) -> "tuple[ModelsLabJob, ...]":
        """A comparison of this visitor's, the last if none is named. What nobody looks after is taken up again where
        the key allows it.
        """
        if not self.jobs.has_jobs:
            return ()
        key = self._own_key or self.jobs.key
        if key is not None and not key.problem:
            await self.jobs.resume(self.owner, key)
        return await self.jobs.comparison(self.owner, comparison)

    async def other_runs(self) -> list[OtherRun]:
        """This visitor's comparisons of which something is there or may still come, the latest first."""
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
        """As `JobService.check_again` does it. Returns the comparison's name."""
        await self.jobs.check_again(self.owner, job, self.key)
        return await self._comparison(job)

    async def send_again(self, job: str, photo: Photo, face: int | None) -> str:
        """As `JobService.send_again` does it. Returns the comparison's name."""
        await self.jobs.send_again(self.owner, job, self.key, Subject(photo, face))
        return await self._comparison(job)

    async def delete(self) -> None:
        """All of this visitor's jobs and their pictures."""
        if self.jobs.has_jobs:
            await self.jobs.forget(self.owner)

    async def _comparison(self, job: str) -> str:
        return (await self.jobs.record(self.owner, job))[0].comparison

    def drop_cache(self, photo: Photo) -> None:
        """Nothing of a photo is remembered: it is sent, and gone."""

    async def generate(
        self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
    ) -> AsyncGenerator[Headshot]:
        """Yield the headshots as they land, in any order. What was sent goes on, also after `progress.stop()`."""
        progress.check()
        progress.report("Sending your photo to ModelsLab", 0, len(requests))
        comparison = await self.jobs.begin(self.owner, self.key, requests, Subject(photo, face), hook=self._hook)
        async with aclosing(self.follow(comparison, len(requests), progress)) as headshots:
            async for headshot in headshots:
                yield headshot

    async def follow(self, comparison: str, total: int, progress: Progress) -> AsyncGenerator[Headshot]:
        """The headshots of a comparison that was begun before; see `JobService.follow`. Stop drops the unsent."""
        done = 0
        try:
            async with aclosing(self.jobs.follow(self.owner, comparison, progress)) as headshots:
                async for headshot in headshots:
                    done += 1
                    progress.report("ModelsLab is at work" if done < total else "Done", done, total)
                    yield headshot
        finally:
            if progress.stopped:
                self.jobs.stop(comparison)
