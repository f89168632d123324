"""The machine's arrows as data, and the sentences that go with them. The drawing stands in `headshot.storage`."""

from typing import Literal, NamedTuple

from .schema import State


class StateError(RuntimeError):
    """A bug: the job's state does not allow what was asked. Nothing was changed, and nothing may be sent."""


class Arrow(NamedTuple):
    """Where a job may come from. `harmless`: where the news is a duplicate or comes too late, and nothing happens."""

    to: State
    come_from: frozenset[State]
    harmless: frozenset[State]


ENDS = frozenset({State.DONE, State.FAILED})
IN_FLIGHT = frozenset({State.SENT, State.PROCESSING})

SENDING = Arrow(State.SENT, frozenset({State.PENDING}), frozenset())
# UNKNOWN: another process has recovered meanwhile. What it has told the visitor stays.
WITHDRAWN = Arrow(State.PENDING, frozenset({State.SENT}), frozenset({State.PENDING, State.UNKNOWN}))
ACCEPTED = Arrow(State.PROCESSING, frozenset({State.SENT, State.UNKNOWN}), ENDS | {State.PROCESSING})
UNANSWERED = Arrow(State.UNKNOWN, IN_FLIGHT, ENDS | {State.UNKNOWN})
DONE = Arrow(State.DONE, frozenset({State.PROCESSING, State.UNKNOWN}), ENDS)
FAILED = Arrow(State.FAILED, frozenset(State) - ENDS, ENDS)

Untaken = Literal["not connected", "rate limited"]
"""Why the service cannot have accepted a POST that was sent: no connection came about, or it said that it declines."""

NOT_TAKEN: dict[Untaken, str] = {
    "not connected": "The service could not be reached, so nothing was sent.",
    "rate limited": "The service takes no more jobs just now, so nothing was sent.",
}
NEVER_SENT = "The server stopped before this headshot was sent, so nothing was billed. Send it when you like."
LOST = (
    "The server stopped after this headshot was sent and before an answer was kept: it may have been made and billed. "
    "Check again, or send it again, which may be charged twice."
)
