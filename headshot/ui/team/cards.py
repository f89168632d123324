"""A team on the page, as HTML: everybody's photo, and in its place their headshot. Every text is escaped."""

from collections.abc import Callable, Sequence
from html import escape

from headshot.exports import snippets
from headshot.exports.team_files import PDF, SHEET, TABLE, ZIP
from headshot.request import Note
from headshot.runs.team import Person, Team
from headshot.ui.headshots import cards

_FILES = (("zip", ZIP, "ZIP of everybody"), ("sheet", SHEET, "Team sheet"), ("sheet", PDF, "PDF"))
_PERSON = (
    '<svg viewBox="0 0 80 100" aria-hidden="true"><circle cx="40" cy="41" r="16"/>'
    '<path d="M6 100c1-24 14-35 34-35s33 11 34 35z"/></svg>'
)
_EMPTY_FRAMES = 4
_NOBODY = (
    '<p class="promise">Put in a photo of each person. Their file names become the names of their headshots: '
    "<i>Zoë Müller.jpg</i> gives <i>Zoë Müller.png</i>.</p>"
)
_REMOVE = (
    '<svg viewBox="0 0 20 20" aria-hidden="true"><path d="m5 5 10 10M15 5 5 15" fill="none" stroke="currentColor" '
    'stroke-width="1.8" stroke-linecap="round"/></svg>'
)


def drawn(team: Team, address: Callable[[str, str], str], *, api: snippets.Api = "enterprise") -> str:
    """Everybody's card, and the whole team as files once somebody's headshot is there."""
    if not team.people:
        frames = f'<div class="shot"><div class="frame">{_PERSON}</div></div>' * _EMPTY_FRAMES
        return f'<div class="shots">{frames}</div>{_NOBODY}'
    shared = cards.common_notes(team.headshots)
    people = "".join(_card(team, person, shared, api) for person in team.people)
    return f'<div class="shots">{people}</div>{_files(team, address)}'


def line(words: Sequence[str]) -> str:
    """A look in one line."""
    called, *settings = words
    told = "".join(f" · <span>{escape(word)}</span>" for word in settings)
    return f'<p class="locked-look"><b>{escape(called)}</b>{told}</p>'


def running(done: int, total: int, text: str, stage: str) -> str:
    """How far a run is. What changes several times a second is not read aloud."""
    return (
        f'<div class="status running"><p><span role="status" aria-live="polite" class="stage">{escape(text)}</span>'
        f'<span class="count" aria-hidden="true">{escape(stage)}</span></p>'
        f'<progress max="{total}" value="{done}" aria-label="Headshots that have landed"></progress></div>'
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
    kind, told = _told(team, person)
    return (
        f'<div class="shot person {kind}"><div class="held"><div class="frame">{figure}</div>'
        f"{'' if team.running or team.found else remove}</div>"
        f'<div class="label"><b title="{name}">{name}</b>{told}</div></div>'
    )


def _told(team: Team, person: Person) -> tuple[str, str]:
    """A class for its looks, and what is said below the name."""
    if person.refusal:
        return "refused", f'<span class="facts why">{escape(person.refusal)}</span>'
    if person is team.current:
        standing = next(iter(person.run.statuses.values()), None) if person.run is not None else None
        text = standing.text if standing is not None else "being made"
        return "waiting", f'<span class="facts">{escape(text)}</span>'
    if person.failure:
        return "refused", f'<span class="facts why">{escape(person.failure)}</span>'
    if team.running:
        return "queued", '<span class="facts">waiting</span>'
    if team.group:
        return "ready", '<span class="facts">not made yet</span>'
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in (person.crowd, *person.remarks) if remark)
    if remarks:
        return "ready", f'<ul class="facts remarks">{remarks}</ul>'
    return "ready", '<span class="facts fine">ready</span>'


def _files(team: Team, address: Callable[[str, str], str]) -> str:
    if not any(shot.history_id for shot in team.headshots):
        return ""
    links = "".join(
        f'<a class="file {kind}" href="{escape(address(team.group, name))}" download="{name}">{text}</a>'
        for kind, name, text in (*_FILES, ("table", TABLE, "CSV"))
    )
    return f'<nav class="files" aria-label="The whole team as files">{links}</nav>'
