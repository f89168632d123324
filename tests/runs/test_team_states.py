"""The machine of a team's run: every event in every state."""

import itertools

import pytest

from headshot.runs import team_states
from headshot.runs.team_states import TRANSITIONS, TeamState, TeamStateError, TeamTransition

IDLE, REQUESTED, RUNNING, STOPPED, DONE = TeamState
NEVER = None

# A row a state, a column an event; a state in its own row: the event changes nothing there.
MACHINE = {
    #           request    start    finish  stop     reset
    IDLE:      (REQUESTED, NEVER,   NEVER,  IDLE,    IDLE),
    REQUESTED: (REQUESTED, RUNNING, NEVER,  STOPPED, REQUESTED),
    RUNNING:   (NEVER,     NEVER,   DONE,   STOPPED, RUNNING),
    STOPPED:   (REQUESTED, NEVER,   NEVER,  STOPPED, IDLE),
    DONE:      (REQUESTED, NEVER,   NEVER,  DONE,    IDLE),
}  # fmt: skip


@pytest.mark.parametrize(("state", "transition"), list(itertools.product(TeamState, TRANSITIONS)))
def test_every_event_in_every_state_leads_where_the_table_says(state: TeamState, transition: TeamTransition) -> None:
    expected = MACHINE[state][TRANSITIONS.index(transition)]
    if expected is NEVER:
        with pytest.raises(TeamStateError, match=f"{state} cannot {transition.name}"):
            transition.after(state)
    else:
        assert transition.after(state) is expected


def test_every_state_is_reached_and_every_state_can_be_left() -> None:
    reached, before = {IDLE}, set[TeamState]()
    while reached != before:
        before = set(reached)
        reached |= {each.to for each in TRANSITIONS if each.allowed_from & before}
    assert reached == set(TeamState)
    for state in TeamState:
        assert any(state in each.allowed_from and each.to is not state for each in TRANSITIONS)


def test_no_event_is_both_allowed_and_ignored_in_a_state() -> None:
    for each in TRANSITIONS:
        assert not each.allowed_from & each.ignore_from


def test_the_drawing_names_every_state_and_every_event() -> None:
    drawing = str(team_states.__doc__)
    assert all(state.name in drawing for state in TeamState)
    assert all(f"─{each.name}─" in drawing for each in TRANSITIONS)
