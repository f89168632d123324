"""A team as parts: everyone's photo or headshot, the status, the files and the notes."""

from collections.abc import Sequence

from headshot.exports.team_files import PDF, SHEET, TABLE, ZIP
from headshot.request import Note
from headshot.runs.team import Person, Team
from headshot.sessions.snapshot import Part
from headshot.sessions.status import Status
from headshot.sessions.tab_session import TabSession

from .cards import common_notes, finished_card
from .notes import notes_of

_FILES = (
    ("zip", ZIP, "ZIP of everyone"),
    ("sheet", SHEET, "Team sheet"),
    ("sheet", PDF, "PDF"),
    ("table", TABLE, "CSV"),
)
_GREETING = "Add everyone’s photo, then press Generate team."


def team_parts(session: TabSession) -> dict[str, Part]:
    """Return the parts that show a tab's team: `team`, `team/status`, `team/notes`, and one for each person.

    Args:
        session: the tab's.
    """
    team = session.team
    shared = common_notes(team.headshots)
    return {
        "team": {
            "keys": [person.key for person in team.people],
            "running": team.running,
            "files": _files(session, team),
        },
        "team/status": (session.team_notice or _status(team)).part(),
        "team/notes": notes_of(team.headshots, team.history_error),
        **{f"team/card/{person.key}": _card(team, person, shared) for person in team.people},
    }


def _card(team: Team, person: Person, shared: Sequence[Note]) -> Part:
    shot = person.headshot
    if shot is not None:
        own = [Note("advice", person.crowd)] if person.crowd else []
        own += [note for note in shot.notes if note not in shared]
        return finished_card(shot, person.name, facts=shot.measures, notes=own, name=f"{person.name}.png")
    state, texts = _state(team, person)
    return {
        "kind": "person",
        "key": person.key,
        "label": person.name,
        "thumbnail": person.thumbnail,
        "state": state,
        "texts": texts,
        "removable": not (team.running or team.from_history),
    }


def _state(team: Team, person: Person) -> tuple[str, list[str]]:
    """The state of a card without a headshot, and what is said below the name."""
    if person.refusal:
        return "refused", [person.refusal]
    if person is team.current:
        status = next(iter(person.run.statuses.values()), None) if person.run is not None else None
        return "waiting", [status.text if status is not None else "generating"]
    if person.failure:
        return "refused", [person.failure]
    if team.running:
        return "queued", ["queued"]
    if team.group:
        return "ready", ["not generated yet"]
    remarks = [remark for remark in (person.crowd, *person.remarks) if remark]
    return ("remarks", remarks) if remarks else ("fine", ["ready"])


def _files(session: TabSession, team: Team) -> list[Part]:
    if not any(shot.history_id for shot in team.headshots):
        return []
    return [
        {"kind": kind, "href": session.address(team.group, name), "name": name, "text": text}
        for kind, name, text in _FILES
    ]


def _status(team: Team) -> Status:
    done, total = len(team.headshots), len(team.usable)
    if team.running:
        person, stage = team.current, ""
        if person is None:
            return Status("Starting…", "running", done, total)
        if person.run is not None and person.run.attempt.stage is not None:
            stage = person.run.attempt.stage.stage
        return Status(f"{team.usable.index(person) + 1} of {total}: {person.name}", "running", done, total, stage)
    if not team.people:
        return Status(_GREETING)
    if not team.group:
        return Status(f"{_counted(total, 'photo')} ready{_unusable(team)}.")
    if team.from_history:
        text = f"From your history: {done} of {_counted(total, 'headshot')}"
        return Status(text, "done" if done == total else "stopped")
    if done == total:
        return Status(f"{_counted(done, 'headshot')}{_unusable(team)}", "done")
    if team.stopped:
        return Status(f"Stopped: {done} of {total}", "stopped")
    cards = "card" if total - done == 1 else "cards"
    return Status(f"{done} of {total} done; see the failed {cards}.", "stopped")


def _unusable(team: Team) -> str:
    count = len(team.people) - len(team.usable)
    if not count:
        return ""
    return f"; {_counted(count, 'photo')} can’t be used, see {'its card' if count == 1 else 'their cards'}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
