"""A team's headshots as files: a ZIP, a contact sheet, a PDF and a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from headshot.comparison.labels import setting_labels
from headshot.imaging.encoding import png
from headshot.imaging.text_drawing import drawable_text
from headshot.request import HeadshotRequest, Note

from .comparison_csv import CsvRow, comparison_csv
from .pdf import as_pdf
from .team import TeamRow, headshot_names, team_sheet, team_zip

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry, StoredHeadshot

ZIP, SHEET, PDF, TABLE = "team.zip", "team.png", "team.pdf", "team.csv"
NAMES = (SHEET, PDF, TABLE, ZIP)


@dataclass(frozen=True)
class _Person:
    """One person: `name` is the file's in the ZIP, `reason` says why there is no headshot."""

    name: str
    request: HeadshotRequest
    shot: "StoredHeadshot | None" = None
    reason: str = ""


def make(
    group: "Sequence[HistoryEntry]", name: str, *, words: Sequence[str] = (), absent: Mapping[str, str] | None = None
) -> bytes | None:
    """Make one of the files in NAMES for a team in the history; takes up to a second for a dozen people.

    Args:
        group: The team's history entries, one or more a person.
        name: Which file.
        words: The settings in words, title first; by default `setting_labels` of the first person's request.
        absent: Why further people of the team have no headshot, by their names.

    Returns:
        The file's bytes, or None if nobody has a headshot or there is no such file.

    Raises:
        FileNotFoundError: if a picture was deleted meanwhile.
    """
    people = _people(group, absent or {})
    if not any(person.shot for person in people):
        return None
    title, *settings = words or setting_labels(people[0].request)
    match name:
        case "team.zip":
            pictures = {person.name: person.shot.picture.read_bytes() for person in people if person.shot}
            return team_zip(pictures, png(_sheet(people, title, settings)), _table(people))
        case "team.png":
            return png(_sheet(people, title, settings))
        case "team.pdf":
            return as_pdf([_sheet(people, title, settings)], title=title)
        case "team.csv":
            return _table(people)
    return None


def _people(group: "Sequence[HistoryEntry]", absent: Mapping[str, str]) -> list[_Person]:
    """Everybody once; a person whose first run failed and whose second succeeded has a headshot."""
    completed = [(entry, entry.headshots[-1]) for entry in group if entry.headshots]
    names = headshot_names(f"{entry.name}.png" for entry, _ in completed)
    people = [_Person(name, shot.request, shot) for name, (_, shot) in zip(names, completed, strict=True)]
    with_headshot = {entry.name for entry, _ in completed}
    not_made = {entry.name: "Not made." for entry in group if not entry.headshots}
    failed = {entry.name: reason for entry in group for reason in entry.failures.values()}
    for name, reason in {**not_made, **absent, **failed}.items():
        if name not in with_headshot and group:
            people.append(_Person(f"{name}.png", group[0].requests[0], reason=reason))
    return people


def _sheet(people: Sequence[_Person], title: str, settings: Sequence[str]) -> Image.Image:
    rows = [
        TeamRow(_drawable_name(person.name, number), person.shot.picture if person.shot else None, reason=person.reason)
        for number, person in enumerate(people, start=1)
    ]
    return team_sheet(rows, title=title, footer=" · ".join(settings))


def _drawable_name(name: str, number: int) -> str:
    """The name, or a number if the sheet's font lacks its script."""
    return name if drawable_text(name.removesuffix(".png")).strip("? ") else f"No. {number}"


def _table(people: Sequence[_Person]) -> bytes:
    rows = []
    for person in people:
        photo = person.name.removesuffix(".png")
        if person.shot is None:
            rows.append(CsvRow(person.request, error=person.reason, photo=photo))
            continue
        facts = person.shot.facts
        rows.append(
            CsvRow(
                person.request,
                file=person.name,
                backend=person.shot.backend,
                seconds=facts.get("seconds"),
                likeness=facts.get("likeness"),
                notes=[Note(note["kind"], note["text"]) for note in facts.get("notes", ())],
                photo=photo,
            )
        )
    return comparison_csv(rows)
