"""The status of a job without a picture, and which job counts for each headshot of a comparison."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headshot.backend_names import MODELSLAB
from headshot.errors import HeadshotError, OutcomeUnknown, Refused
from headshot.progress import HeadshotStatus

from .job_runner import MSG_CANCELLED_BEFORE_SEND, JobRunner

if TYPE_CHECKING:
    from headshot.storage import ModelsLabJob

_MSG_NOT_RUNNING = "ModelsLab has this headshot: enter the key it was sent with, or check again."


def status_of(job: "ModelsLabJob", runner: JobRunner | None, error: HeadshotError | None) -> HeadshotStatus:
    """Return the status of a job that has no picture.

    Args:
        job: as it was read from the store.
        runner: its runner, if it runs in this process.
        error: why it ended, if that is still known.
    """
    from headshot.storage import JobState

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
            error = OutcomeUnknown(MODELSLAB, _MSG_NOT_RUNNING)
            return HeadshotStatus(job.request, "unknown", str(error), job.id, error)
    return HeadshotStatus(job.request, "under way" if runner.was_sent else "waiting", runner.text, job.id)


def latest(jobs: "Iterable[ModelsLabJob]") -> "tuple[ModelsLabJob, ...]":
    """Return one job for each headshot of a comparison: the first with a picture, else the last one submitted.

    Args:
        jobs: of one comparison, in the order of their submission.
    """
    chosen: dict[int, ModelsLabJob] = {}
    for job in jobs:
        former = chosen.get(job.position)
        if former is None or former.picture is None:
            chosen[job.position] = job
    return tuple(chosen.values())
