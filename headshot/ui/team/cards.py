"""The team's cards as HTML: everyone's photo, replaced by their headshot. Every text is escaped."""

from collections.abc import Callable, Sequence
from html import escape

from headshot.exports import snippets
from headshot.exports.team_files import PDF, SHEET, TABLE, ZIP
from headshot.request import Note
from headshot.runs.team import Person, Team
from headshot.ui.headshots import cards

_FILES = (
    ("zip", ZIP, "ZIP of everyone"),
    ("sheet", SHEET, "Team sheet"),
    ("sheet", PDF, "PDF"),
    ("table", TABLE, "CSV"),
)
_PERSON = (
    '<svg viewBox="0 0 80 100" aria-hidden="true"><circle cx="40" cy="41" r="16"/>'
    '<path d="M6 100c1-24 14-35 34-35s33 11 34 35z"/></svg>'
)
_EMPTY_FRAMES = 4  # one row on a wide screen
_EMPTY_TEAM = (
    '<p class="promise">Add one photo per person. Each headshot gets the name of its photo’s file: '
    "<i>Zoë Müller.jpg</i> gives <i>Zoë Müller.png</i>.</p>"
)
_REMOVE = (
    '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="m5 5 10 10M15 5 5 15" fill="none" stroke="currentColor" '
    'stroke-width="1.8" stroke-linecap="round"/></svg>'
)


def team_cards(team: Team, address: Callable[[str, str], str], *, api: snippets.Api = "enterprise") -> str:
    """Return everyone's card, and links to the team's files once there is a headshot.

    Args:
        team: the tab's.
        address: gives a file's address from its slot and its name.
        api: the ModelsLab API that the code in the details calls.
    """
    if not team.people:
        frames = f'<div class="shot"><div class="frame">{_PERSON}</div></div>' * _EMPTY_FRAMES
        return f'<div class="shots">{frames}</div>{_EMPTY_TEAM}'
    shared = cards.common_notes(team.headshots)
    people = "".join(_card(team, person, shared, api) for person in team.people)
    return f'<div class="shots">{people}</div>{_files(team, address)}'


def look_line(words: Sequence[str]) -> str:
    """Return a look in one line: its name, then its settings."""
    name, *settings = words
    rest = "".join(f" · <span>{escape(setting)}</span>" for setting in settings)
    return f'<p class="locked-look"><b>{escape(name)}</b>{rest}</p>'


def progress(done: int, total: int, text: str, stage: str) -> str:
    """Return the status line of a run or a check, with a bar.

    Args:
        done: how many are done.
        total: of how many.
        text: is read aloud when it changes.
        stage: changes several times a second, so it is not read aloud.
    """
    return (
        f'<div class="status running"><p><span role="status" aria-live="polite" class="stage">{escape(text)}</span>'
        f'<span class="count" aria-hidden="true">{escape(stage)}</span></p>'
        f'<progress max="{total}" value="{done}" aria-label="Progress"></progress></div>'
    )


def _card(team: Team, person: Person, shared: Sequence[Note], api: snippets.Api) -> str:
    shot = person.headshot
    if shot is not None:
        own = [Note("advice", person.crowd)] if person.crowd else []
        own += [note for note in shot.notes if note not in shared]
        return cards.person_card(shot, person.name, own, f"{person.name}.png", api=api)
    name = escape(person.name)
    figure = f'<img src="{escape(person.thumbnail)}" alt="Photo of {name}">' if person.thumbnail else _PERSON
    remove = (
        f'<button type="button" class="remove" data-act="remove" data-job="{person.key}" title="Remove" '
        f'aria-label="Remove {name}">{_REMOVE}</button>'
    )
    css_class, caption = _caption(team, person)
    return (
        f'<div class="shot person {css_class}"><div class="held"><div class="frame">{figure}</div>'
        f"{'' if team.running or team.from_history else remove}</div>"
        f'<div class="label"><b title="{name}">{name}</b>{caption}</div></div>'
    )


def _caption(team: Team, person: Person) -> tuple[str, str]:
    """A CSS class for the card, and the text below the name."""
    if person.refusal:
        return "refused", f'<span class="facts why">{escape(person.refusal)}</span>'
    if person is team.current:
        status = next(iter(person.run.statuses.values()), None) if person.run is not None else None
        text = status.text if status is not None else "generating"
        return "waiting", f'<span class="facts">{escape(text)}</span>'
    if person.failure:
        return "refused", f'<span class="facts why">{escape(person.failure)}</span>'
    if team.running:
        return "queued", '<span class="facts">queued</span>'
    if team.group:
        return "ready", '<span class="facts">not generated yet</span>'
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in (person.crowd, *person.remarks) if remark)
    if remarks:
        return "ready", f'<ul class="facts remarks">{remarks}</ul>'
    return "ready", '<span class="facts fine">ready</span>'


def _files(team: Team, address: Callable[[str, str], str]) -> str:
    if not any(shot.history_id for shot in team.headshots):
        return ""
    links = "".join(
        f'<a class="file {kind}" href="{escape(address(team.group, name))}" download="{name}">{text}</a>'
        for kind, name, text in _FILES
    )
    return f'<nav class="files" aria-label="Team files">{links}</nav>'
