"""The states of a team's run, as data.

    IDLE ──request──▶ REQUESTED ──start──▶ RUNNING ──finish──▶ DONE
                          │                   │
                          └───────stop────────┴──────────────▶ STOPPED

    IDLE, STOPPED, DONE ──request──▶ REQUESTED
    STOPPED, DONE       ──reset────▶ IDLE

REQUESTED lasts from the press of the button to the moment when the run gets its turn: a stopped one may still be
putting its files away. A run that was stopped does not report its end, so STOPPED has no way to DONE.
"""

from enum import StrEnum
from typing import NamedTuple


class TeamState(StrEnum):
    """Where a team's run is."""

    IDLE = "idle"
    REQUESTED = "requested"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


class TeamStateError(RuntimeError):
    """A bug: the state does not allow this transition. Nothing was changed."""


class TeamTransition(NamedTuple):
    """Where an event leads.

    Attributes:
        name: of the event.
        to: the new state.
        allowed_from: states in which the event may come.
        ignore_from: states in which the event changes nothing.
    """

    name: str
    to: TeamState
    allowed_from: frozenset[TeamState]
    ignore_from: frozenset[TeamState]

    def after(self, state: TeamState) -> TeamState:
        """Return the state after this event.

        Raises:
            TeamStateError: if the event cannot come in this state.
        """
        if state in self.allowed_from:
            return self.to
        if state in self.ignore_from:
            return state
        raise TeamStateError(f"A team's run that is {state} cannot {self.name}")


ACTIVE = frozenset({TeamState.REQUESTED, TeamState.RUNNING})
_AT_REST = frozenset(TeamState) - ACTIVE

# REQUESTED: the later request replaces one that has not begun.
REQUEST = TeamTransition("request", TeamState.REQUESTED, _AT_REST | {TeamState.REQUESTED}, frozenset())
START = TeamTransition("start", TeamState.RUNNING, frozenset({TeamState.REQUESTED}), frozenset())
FINISH = TeamTransition("finish", TeamState.DONE, frozenset({TeamState.RUNNING}), frozenset())
STOP = TeamTransition("stop", TeamState.STOPPED, ACTIVE, _AT_REST)
# Deleted headshots do not end a run that began meanwhile: it goes on and ends by itself.
RESET = TeamTransition("reset", TeamState.IDLE, _AT_REST, ACTIVE)

TRANSITIONS = (REQUEST, START, FINISH, STOP, RESET)
