"""The job runners of this process, by comparison, and the callers that watch them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from headshot.durations import DurationEstimator
from headshot.errors import HeadshotError
from headshot.request import Headshot

from .client import HeadShotClient
from .job_runner import JobRunner

if TYPE_CHECKING:
    from headshot.storage import JobId, ModelsLabJob

_REMEMBERED = 100  # errors and unsaved headshots of ended jobs, for those that watch them; the oldest go first

_T = TypeVar("_T")


class RunnerRegistry:
    """Starts job runners as tasks that continue when nobody watches, and remembers how the last ones ended.

    Attributes:
        durations: of one headshot, from its POST to its picture.
        errors: of jobs that ended without a picture, by job id.
        unsaved: headshots that could not be stored, by job id.
    """

    def __init__(self) -> None:
        self.durations = DurationEstimator(0.0)
        self.errors: dict[JobId, HeadshotError] = {}
        self.unsaved: dict[JobId, Headshot] = {}
        self._runners: dict[str, dict[JobId, JobRunner]] = {}  # by comparison
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchers: dict[str, set[asyncio.Queue[None]]] = {}  # by comparison

    def start(self, runners: Sequence[JobRunner], client: HeadShotClient) -> None:
        """Run these jobs in a task of their own.

        Args:
            runners: not started yet.
            client: shared by them, for its connections; closed when the last one has ended.
        """
        for runner in runners:
            self._runners.setdefault(runner.comparison, {})[runner.job] = runner
        task = asyncio.create_task(self._run_task(runners, client))
        self._tasks.add(task)  # a task without a reference may be garbage-collected while it runs
        task.add_done_callback(self._tasks.discard)

    def get(self, job: "ModelsLabJob") -> JobRunner | None:
        """Return the runner of a job that runs in this process."""
        return self._runners.get(job.comparison, {}).get(job.id)

    def of_comparison(self, comparison: str) -> list[JobRunner]:
        """Return the runners of a comparison that have not ended."""
        return list(self._runners.get(comparison, {}).values())

    def of_owner(self, owner: str) -> list[JobRunner]:
        """Return the runners of a visitor that have not ended."""
        return [runner for runners in self._runners.values() for runner in runners.values() if runner.owner == owner]

    @contextmanager
    def watching(self, comparison: str) -> "Iterator[asyncio.Queue[None]]":
        """Provide a queue that gets an item at every change of a comparison's runners."""
        changes: asyncio.Queue[None] = asyncio.Queue()
        self._watchers.setdefault(comparison, set()).add(changes)
        try:
            yield changes
        finally:
            self._watchers[comparison].discard(changes)
            if not self._watchers[comparison]:
                del self._watchers[comparison]

    def on_change(self, runner: JobRunner) -> None:
        """Wake the watchers of a runner's comparison."""
        for changes in self._watchers.get(runner.comparison, ()):
            changes.put_nowait(None)

    async def close(self) -> None:
        """Cancel all tasks. What was sent keeps its state in the store, for the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_task(self, runners: Sequence[JobRunner], client: HeadShotClient) -> None:
        async with client:
            await asyncio.gather(*(self._run(runner, client) for runner in runners), return_exceptions=True)

    async def _run(self, runner: JobRunner, client: HeadShotClient) -> None:
        try:
            await runner.start(client)
        finally:
            if runner.seconds is not None:
                self.durations.record(runner.seconds)
            if runner.error is not None:
                _remember(self.errors, runner.job, runner.error)
            if runner.unsaved_result is not None:
                _remember(self.unsaved, runner.job, runner.unsaved_result)
            siblings = self._runners[runner.comparison]
            del siblings[runner.job]
            if not siblings:
                del self._runners[runner.comparison]
            self.on_change(runner)


def _remember(where: "dict[JobId, _T]", job: "JobId", what: _T) -> None:
    where[job] = what
    while len(where) > _REMEMBERED:
        del where[next(iter(where))]
