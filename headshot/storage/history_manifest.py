"""The list in an exported archive, `history.json`: its limits, its types, and how it is read from a stranger's archive.

The field names here are the keys of the file. Archives of every earlier version must stay readable.
"""

import json
from datetime import datetime
from typing import Annotated, Literal, NoReturn

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from headshot.errors import RequestError
from headshot.request import MAX_PROMPT_CHARACTERS, HeadshotRequest

from .history_archive import MANIFEST, MAX_MANIFEST_BYTES, HistoryArchive
from .records import Kind

FORMAT = "headshot history"
VERSION = 1

# Each limit is several times what a history of thousands of headshots has.
MAX_REQUESTS = 1_000  # of one comparison
MAX_HEADSHOTS = 20_000
MAX_SENTENCE_CHARACTERS = 2_000
_MAX_FACTS_CHARACTERS = 100_000


def _plausible(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:  # a database's year 1 and 9999 have no neighbours to convert to
        raise ValueError("no date of a headshot")
    return moment


_Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
_Word = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Position = Annotated[int, Field(ge=0, lt=MAX_REQUESTS)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, strict=True)


class _NoteModel(_Model):
    kind: Literal["applied", "not applied", "advice"]
    text: Annotated[str, Field(max_length=MAX_SENTENCE_CHARACTERS)]


class _FactsModel(_Model):
    """The facts that the page relies on. Others, from a later backend, are allowed and kept."""

    model_config = ConfigDict(extra="allow")

    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    likeness: Annotated[float, Field(ge=-1.01, le=1.01, allow_inf_nan=False)] | None = None
    trust: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    notes: Annotated[list[_NoteModel], Field(max_length=100)] = Field(default_factory=list)
    made_by: dict[str, JsonValue] = Field(default_factory=dict)
    mark: _Digest | None = None
    parent: _Digest | None = None
    face: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=4, max_length=4)] | None = None


class HeadshotModel(_Model):
    """One headshot of a comparison. `file` is the name of its picture in the archive."""

    file: Annotated[str, Field(max_length=500)]
    position: _Position
    backend: _Word
    filename: Annotated[str, Field(max_length=500)]
    facts: dict[str, JsonValue]
    favourite: bool
    made: _Moment


class EntryModel(_Model):
    """One comparison, with its headshots."""

    kind: Kind
    group: Annotated[str, Field(max_length=80)]
    name: Annotated[str, Field(max_length=80)]
    group_name: Annotated[str, Field(max_length=80)] = ""  # archives of earlier versions have none
    favourite: bool
    backend: _Word
    photo_sha256: _Digest
    face: Annotated[int, Field(ge=0, lt=1_000)] | None
    requests: Annotated[tuple[HeadshotRequest, ...], Field(min_length=1, max_length=MAX_REQUESTS)]
    failures: dict[_Position, Annotated[str, Field(max_length=MAX_SENTENCE_CHARACTERS)]]
    ended: bool
    begun: _Moment
    shots: list[HeadshotModel]


class SettingsModel(_Model):
    """Settings that were saved under a name."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    settings: dict[str, JsonValue]


class _HeaderModel(_Model):
    format: str
    version: int


class HistoryModel(_Model):
    """The whole list, as far as it is imported: votes are in the file for its readers only."""

    comparisons: list[EntryModel]
    looks: list[SettingsModel]


def read_manifest(archive: HistoryArchive) -> HistoryModel:
    """Read and check the list of an archive.

    Raises:
        RequestError: if there is no such list, it is damaged, of a later version, or exceeds a limit of this module.
    """
    try:
        archive.find(MANIFEST)
    except RequestError as error:
        _raise_no_history(error)
    text = archive.read(MANIFEST, MAX_MANIFEST_BYTES, "The archive's list")
    try:
        header = _HeaderModel.model_validate_json(text)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid":
            raise RequestError("The archive's list, history.json, is damaged: export it once more.") from error
        _raise_no_history(error)
    if header.format != FORMAT or header.version < 1:
        _raise_no_history()
    if header.version > VERSION:
        raise RequestError("The archive was written by a later version of this program: update the program first.")
    try:
        manifest = HistoryModel.model_validate_json(text)
        for entry in manifest.comparisons:
            _check_entry(entry)
        for saved in manifest.looks:
            _check_settings(saved)
    except RequestError as error:
        raise RequestError(f"The archive holds what is not possible, so nothing was taken in. {error}") from error
    except ValidationError as error:
        raise RequestError(
            "The archive's list, history.json, says what no history says, so nothing was taken in: export it once more."
        ) from error
    if sum(len(entry.shots) + 1 for entry in manifest.comparisons) > MAX_HEADSHOTS:
        raise RequestError(f"The archive holds more than {MAX_HEADSHOTS:,} headshots, which is more than is read.")
    return manifest


def _check_entry(entry: EntryModel) -> None:
    """Check what the types alone cannot. Raises RequestError or ValidationError."""
    positions = len(entry.requests)
    if any(request.seed is None for request in entry.requests):
        raise RequestError("Each headshot needs its seed.")
    if any(shot.position >= positions for shot in entry.shots) or any(at >= positions for at in entry.failures):
        raise RequestError("A headshot stands where nothing was asked for.")
    for shot in entry.shots:
        _FactsModel.model_validate(shot.facts)
        if len(json.dumps(shot.facts)) > _MAX_FACTS_CHARACTERS:
            raise RequestError("Too much is said about a headshot.")


def _check_settings(saved: SettingsModel) -> None:
    """Raises RequestError if the form could not show these settings."""
    ours = {name: value for name, value in saved.settings.items() if name in HeadshotRequest.model_fields}
    HeadshotRequest.model_validate(ours)
    for value in saved.settings.values():
        if not isinstance(value, (str, int, float, bool, type(None))) or len(str(value)) > MAX_PROMPT_CHARACTERS:
            raise RequestError("A look holds words, numbers and nothing else.")


def _raise_no_history(error: Exception | None = None) -> NoReturn:
    raise RequestError("The archive is none of a history: choose the ZIP that an export has written.") from error
