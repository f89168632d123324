"""A team's headshots as files: a ZIP with everybody under their name, a sheet, a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from headshot.comparison.labels import setting_labels
from headshot.imaging.encoding import png
from headshot.imaging.text_drawing import drawable_text
from headshot.request import HeadshotRequest, Note

from .comparison_csv import CsvRow, csv_of
from .pdf import as_pdf
from .team import TeamRow, names_of, team_sheet, team_zip

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry, StoredHeadshot

ZIP, SHEET, PDF, TABLE = "team.zip", "team.png", "team.pdf", "team.csv"
NAMES = (SHEET, PDF, TABLE, ZIP)


@dataclass(frozen=True)
class _One:
    """name: of the file in the ZIP.  reason: why there is none."""

    name: str
    request: HeadshotRequest
    shot: "StoredHeadshot | None" = None
    reason: str = ""


def make(
    group: "Sequence[HistoryEntry]", name: str, *, words: Sequence[str] = (), absent: Mapping[str, str] | None = None
) -> bytes | None:
    """The file of that name, of a group of the history; None where nobody of it has a headshot.

    words: of `setting_labels`, taken from the group where there are none.  absent: by name, who else of the team has no
    headshot, and why. Takes up to a second for a dozen people. Raises FileNotFoundError where a picture has gone
    meanwhile.
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


def _people(group: "Sequence[HistoryEntry]", absent: Mapping[str, str]) -> list[_One]:
    """Everybody once: who failed first and landed later counts as landed."""
    landed = [(each, each.headshots[-1]) for each in group if each.headshots]
    names = names_of(f"{each.name}.png" for each, _ in landed)
    people = [_One(name, shot.request, shot) for name, (_, shot) in zip(names, landed, strict=True)]
    there = {each.name for each, _ in landed}
    missing = {each.name: "Not made." for each in group if not each.headshots}
    told = {each.name: why for each in group for why in each.failures.values()}
    for name, reason in {**missing, **absent, **told}.items():
        if name not in there and group:
            people.append(_One(f"{name}.png", group[0].requests[0], reason=reason))
    return people


def _sheet(people: Sequence[_One], title: str, settings: Sequence[str]) -> Image.Image:
    members = [
        TeamRow(_spelled(each.name, number), each.shot.picture if each.shot else None, reason=each.reason)
        for number, each in enumerate(people, start=1)
    ]
    return team_sheet(members, title=title, footer=" · ".join(settings))


def _spelled(name: str, number: int) -> str:
    """The name, or a number where it is in a script that the sheet's font lacks."""
    return name if drawable_text(name.removesuffix(".png")).strip("? ") else f"No. {number}"


def _table(people: Sequence[_One]) -> bytes:
    lines = []
    for each in people:
        photo = each.name.removesuffix(".png")
        if each.shot is None:
            lines.append(CsvRow(each.request, error=each.reason, photo=photo))
            continue
        facts = each.shot.facts
        lines.append(
            CsvRow(
                each.request,
                file=each.name,
                backend=each.shot.backend,
                seconds=facts.get("seconds"),
                likeness=facts.get("likeness"),
                notes=[Note(note["kind"], note["text"]) for note in facts.get("notes", ())],
                photo=photo,
            )
        )
    return csv_of(lines)
