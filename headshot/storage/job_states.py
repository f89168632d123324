"""The allowed changes of a job's state as data, and their sentences. `headshot.storage` has a drawing of them."""

from typing import Literal, NamedTuple

from .schema import JobState


class StateError(RuntimeError):
    """A bug: the job's state does not allow this change. Nothing was changed, and nothing may be sent."""


class Transition(NamedTuple):
    """One change of a job's state.

    Attributes:
        to: the new state.
        allowed_from: the states that may change to it.
        ignore_from: states in which the event is a late duplicate and is dropped.
    """

    to: JobState
    allowed_from: frozenset[JobState]
    ignore_from: frozenset[JobState]


ENDS = frozenset({JobState.DONE, JobState.FAILED})
IN_FLIGHT = frozenset({JobState.SENT, JobState.PROCESSING})

SENDING = Transition(JobState.SENT, frozenset({JobState.PENDING}), frozenset())
# UNKNOWN: another process has recovered meanwhile. The sentence that the visitor has read by then stays.
WITHDRAWN = Transition(JobState.PENDING, frozenset({JobState.SENT}), frozenset({JobState.PENDING, JobState.UNKNOWN}))
ACCEPTED = Transition(JobState.PROCESSING, frozenset({JobState.SENT, JobState.UNKNOWN}), ENDS | {JobState.PROCESSING})
UNANSWERED = Transition(JobState.UNKNOWN, IN_FLIGHT, ENDS | {JobState.UNKNOWN})
DONE = Transition(JobState.DONE, frozenset({JobState.PROCESSING, JobState.UNKNOWN}), ENDS)
FAILED = Transition(JobState.FAILED, frozenset(JobState) - ENDS, ENDS)

NotAcceptedReason = Literal["not connected", "rate limited"]
"""Why the service cannot have accepted a POST: no connection was made, or it declined with 429."""

NOT_ACCEPTED: dict[NotAcceptedReason, str] = {
    "not connected": "The service could not be reached, so nothing was sent.",
    "rate limited": "The service takes no more jobs just now, so nothing was sent.",
}
NEVER_SENT = "The server stopped before this headshot was sent, so nothing was billed. Send it when you like."
LOST = (
    "The server stopped after this headshot was sent and before an answer was kept: it may have been made and billed. "
    "Check again, or send it again, which may be charged twice."
)
