"""A visitor's whole history as one ZIP, and back into another store.

    2026-03-01 12.00.05 For the board/headshot-studio-seed-7-guidance-7.5-steps-21.png
    …
    history.json        everything else, under a version

The names are for people. Nothing of an archive is ever used as a path on the disk: what comes in is looked up inside of
the archive by the names in its `history.json`, and all of it is a stranger's, whoever says to have exported it.
"""

import io
import json
import re
import shutil
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal, NoReturn

from PIL import Image
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from headshot.errors import RequestError
from headshot.imaging.photo import MAX_SIDE_PX
from headshot.imaging.thumbnail import thumbnail_of
from headshot.request import MAX_PROMPT_CHARACTERS, HeadshotRequest

from . import Ballot, History, HistoryEntry, Kind, Poll, StoredHeadshot
from .pictures import digest_of

FORMAT = "headshot history"
VERSION = 1
MANIFEST = "history.json"

# Each bound is some times what a history of thousands has, and what one request to a server may cost at most.
MAX_BYTES = 8 * 2**30  # of all pictures: 5,000 have 5 to 10 GB
MAX_PICTURE_BYTES = 20 * 2**20  # 1024 × 1280 px have 2 MB, and 4 at most
MAX_MANIFEST_BYTES = 64 * 2**20  # 5,000 headshots have about 8 MB
MAX_DIRECTORY_BYTES = 8 * 2**20  # 40,000 names of 130 characters
MAX_REQUESTS = 1_000  # of one comparison
MAX_SHOTS = 20_000
_MAX_PIXELS = 16_000_000  # twelve times a headshot's: a picture of one colour may have many in few bytes
_MAX_SENTENCE = 2_000
_MAX_FACTS_CHARACTERS = 100_000
_MAX_NAME_CHARACTERS = 120  # with its folder's it stays within the 260 of a path on Windows

_CHUNK_BYTES = 2**20
_ENDING = re.compile(r"(?<=[^ .])\.[A-Za-z0-9]{1,5}$")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows keeps these for devices


@dataclass(frozen=True)
class Imported:
    """What came in. skipped: headshots that were there already.  looks: those whose names were free."""

    comparisons: int
    headshots: int
    skipped: int
    saved_settings: int


# --- out


def export_history(history: History, owner: str, to: BinaryIO) -> None:
    """Write everything that the history has of an owner. Takes one picture at a time into memory, and of that a piece.

    to: need not be seekable.  What is deleted while this runs is left out.
    Raises StoreError where the history cannot be read; OSError where `to` cannot be written.
    """
    told: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "exported": datetime.now(UTC).isoformat(),
        "comparisons": [],
        "looks": [{"name": look.name, "settings": dict(look.settings)} for look in history.saved_settings(owner)],
        "votes": [_told_vote(vote, history.ballots(vote.code)) for vote in history.votes(owner)],
    }
    names = _UniqueNames()
    last: HistoryEntry | None = None
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as packed:  # a PNG does not get smaller
        while page := history.page(owner, before=last):
            last = page[-1]
            for comparison in page:
                folder = names.free(f"{comparison.begun:%Y-%m-%d %H.%M.%S} {comparison.name}") + "/"
                shots = []
                for shot in comparison.headshots:
                    name = names.free(shot.filename, folder)
                    if _packed(packed, shot, name):
                        shots.append(_told_shot(shot, name))
                told["comparisons"].append(_told_comparison(comparison, shots))
        entry = _entry(MANIFEST, datetime.now(UTC))
        entry.compress_type = zipfile.ZIP_DEFLATED
        packed.writestr(entry, json.dumps(told, ensure_ascii=False, indent=1).encode("utf-8", "replace"))


def _packed(packed: zipfile.ZipFile, shot: StoredHeadshot, name: str) -> bool:
    try:
        picture = shot.picture.open("rb")
    except FileNotFoundError:  # deleted since the page was read
        return False
    with picture:
        entry = _entry(name, shot.made)
        with packed.open(entry, "w") as out:
            shutil.copyfileobj(picture, out, _CHUNK_BYTES)
    return True


def _entry(name: str, moment: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(
        name, moment.astimezone(UTC).timetuple()[:6] if moment.year >= 1980 else (1980, 1, 1, 0, 0, 0)
    )
    entry.create_system = 3  # Unix, also when written on Windows, so that the mode counts
    entry.external_attr = 0o644 << 16
    return entry


def _told_comparison(comparison: HistoryEntry, shots: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": comparison.kind,
        "group": comparison.group,
        "name": comparison.name,
        "group_name": comparison.group_name,
        "favourite": comparison.favourite,
        "backend": comparison.backend,
        "photo_sha256": comparison.photo_sha256,
        "face": comparison.face,
        "requests": [request.model_dump() for request in comparison.requests],
        "failures": {str(at): sentence[:_MAX_SENTENCE] for at, sentence in comparison.failures.items()},
        "ended": comparison.ended,
        "begun": comparison.begun.isoformat(),
        "shots": shots,
    }


def _told_shot(shot: StoredHeadshot, name: str) -> dict[str, Any]:
    return {
        "id": shot.id,
        "file": name,
        "position": shot.position,
        "backend": shot.backend,
        "filename": shot.filename,
        "size": list(shot.size),
        "facts": dict(shot.facts),
        "favourite": shot.favourite,
        "made": shot.made.isoformat(),
    }


def _told_vote(vote: Poll, ballots: tuple[Ballot, ...]) -> dict[str, Any]:
    """For whoever reads the file. It is not taken in again: a code, and who has voted, belong to the server of both."""
    voters: dict[str, int] = {}
    return {
        "title": vote.title,
        "shots": list(vote.shots),
        "begun": vote.begun.isoformat(),
        "ballots": [
            {
                "voter": voters.setdefault(ballot.voter, len(voters) + 1),
                "left": ballot.left,
                "right": ballot.right,
                "outcome": ballot.outcome,
                "at": ballot.at.isoformat(),
            }
            for ballot in ballots
        ],
    }


class _UniqueNames:
    """Names in the archive, each given once, whatever capitals a system tells apart."""

    def __init__(self) -> None:
        self._taken = {MANIFEST}

    def free(self, wanted: str, folder: str = "") -> str:
        """The path of a folder in the archive, or of a file in such a folder."""
        stem, ending = _parted(plain(wanted))
        number, path = 1, f"{folder}{stem}{ending}"
        while path.casefold() in self._taken:
            number += 1
            path = f"{folder}{stem} ({number}){ending}"
        self._taken.add(path.casefold())
        return path


def plain(name: str) -> str:
    """A name for a file or a folder that every system takes: no folder in it, no device, at most 120 characters."""
    name = "".join("-" if letter in '<>:"/\\|?*' or _unseen(letter) else letter for letter in name).strip(" .")
    stem, ending = _parted(name)
    name = stem[: _MAX_NAME_CHARACTERS - len(ending)].strip(" .") + ending
    return f"headshot {name}".strip() if not name.strip(" .") or _RESERVED.fullmatch(name) else name


def _parted(name: str) -> tuple[str, str]:
    """A name without its ending, and the ending with its dot, or "" where what follows the last dot is none."""
    found = _ENDING.search(name)
    return (name, "") if found is None else (name[: found.start()], found.group())


def _unseen(letter: str) -> bool:
    """Whether it is a control, half a character, a change of direction, or a blank that is no space."""
    return unicodedata.category(letter)[0] in "CZ" and letter != " "


# --- in


def _told_moment(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:  # a database's year 1 and 9999 have no neighbours to convert to
        raise ValueError("no date of a headshot")
    return moment


_Moment = Annotated[AwareDatetime, AfterValidator(_told_moment)]
_Word = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Position = Annotated[int, Field(ge=0, lt=MAX_REQUESTS)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, strict=True)


class _NoteModel(_Model):
    kind: Literal["applied", "not applied", "advice"]
    text: Annotated[str, Field(max_length=_MAX_SENTENCE)]


class _FactsModel(_Model):
    """What the page relies on. Whatever else a later backend tells comes along."""

    model_config = ConfigDict(extra="allow")

    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    likeness: Annotated[float, Field(ge=-1.01, le=1.01, allow_inf_nan=False)] | None = None
    trust: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    notes: Annotated[list[_NoteModel], Field(max_length=100)] = Field(default_factory=list)
    made_by: dict[str, JsonValue] = Field(default_factory=dict)
    mark: _Digest | None = None
    parent: _Digest | None = None
    face: Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=4, max_length=4)] | None = None


class _HeadshotModel(_Model):
    file: Annotated[str, Field(max_length=500)]
    position: _Position
    backend: _Word
    filename: Annotated[str, Field(max_length=500)]
    facts: dict[str, JsonValue]
    favourite: bool
    made: _Moment


class _EntryModel(_Model):
    kind: Kind
    group: Annotated[str, Field(max_length=80)]
    name: Annotated[str, Field(max_length=80)]
    group_name: Annotated[str, Field(max_length=80)] = ""  # archives of earlier versions have none
    favourite: bool
    backend: _Word
    photo_sha256: _Digest
    face: Annotated[int, Field(ge=0, lt=1_000)] | None
    requests: Annotated[tuple[HeadshotRequest, ...], Field(min_length=1, max_length=MAX_REQUESTS)]
    failures: dict[_Position, Annotated[str, Field(max_length=_MAX_SENTENCE)]]
    ended: bool
    begun: _Moment
    shots: list[_HeadshotModel]


class _SettingsModel(_Model):
    name: Annotated[str, Field(min_length=1, max_length=40)]
    settings: dict[str, JsonValue]


class _Head(_Model):
    format: str
    version: int


class _HistoryModel(_Model):
    comparisons: list[_EntryModel]
    looks: list[_SettingsModel]


def import_history(
    history: History, owner: str, from_: BinaryIO, tell: Callable[[int, int], None] = lambda done, total: None
) -> Imported:
    """Add what `export_history` wrote, here or elsewhere, to this owner's history, with its dates and new ids.

    What this owner has already (a comparison begun at the same moment for the same requests, with the same picture at
    the same position) is skipped, so that an archive can be taken in twice, and one that was cut off again. Votes stay
    where they were cast. Takes about 0.1 s for a picture.

    from_: seekable.  tell(done, total): called after each of the archive's headshots, those that are skipped included.
    Raises RequestError, with nothing taken in, for whatever is no such archive, is damaged or exceeds a bound of this
    module; StoreError where the history cannot be written.
    """
    archive = _Archive(from_)
    told = _read_manifest(archive)
    for comparison in told.comparisons:
        for shot in comparison.shots:
            archive.look_for(shot.file)
    total = sum(len(comparison.shots) for comparison in told.comparisons)
    taking = _ImportProgress(history, owner, lambda done: tell(done, total))
    try:
        for comparison in told.comparisons:
            taking.take(comparison, archive)
        taken = {look.name for look in history.saved_settings(owner)}
        for look in told.looks:
            if " ".join(look.name.split()) not in taken:
                taking.take_look(look)
    except BaseException:
        taking.undo()
        raise
    return Imported(len(taking.begun), len(taking.landed), taking.skipped, len(taking.looks))


@dataclass
class _ImportProgress:
    """What one import has done so far. tell(done): is told of each headshot."""

    history: History
    owner: str
    tell: Callable[[int], None]
    begun: list[str] = field(default_factory=list)
    landed: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    skipped: int = 0

    def take(self, told: _EntryModel, archive: "_Archive") -> None:
        same = (told.requests, told.kind, told.photo_sha256, told.face)
        there = next(
            (
                found
                for found in self.history.begun_at(self.owner, told.begun)
                if (found.requests, found.kind, found.photo_sha256, found.face) == same
            ),
            None,
        )
        if there is not None:
            comparison = there.id
        else:
            comparison = self.history.begin(
                self.owner,
                told.requests,
                kind=told.kind,
                backend=told.backend,
                photo_sha256=told.photo_sha256,
                face=told.face,
                group=told.group,
                name=told.name,
                group_name=told.group_name,
                begun=told.begun,
            )
            self.begun.append(comparison)
        known = {(shot.position, shot.picture.name) for shot in there.headshots} if there is not None else set()
        for shot in told.shots:
            self._take_shot(shot, comparison, known, archive)
            self.tell(len(self.landed) + self.skipped)
        if there is None:
            for position, sentence in told.failures.items():
                self.history.fail(comparison, position, sentence)
            if told.favourite:
                self.history.favourite(self.owner, comparison, True)
            if told.ended:
                self.history.end(comparison)

    def _take_shot(
        self, told: _HeadshotModel, comparison: str, known: set[tuple[int, str]], archive: "_Archive"
    ) -> None:
        png = archive.read(told.file, MAX_PICTURE_BYTES, "A picture in the archive")
        if (place := (told.position, digest_of(png))) in known:
            self.skipped += 1
            return
        known.add(place)
        picture = _decoded(png)
        shot = self.history.land(
            comparison,
            told.position,
            png=png,
            filename=plain(told.filename),
            thumbnail=thumbnail_of(picture),
            size=picture.size,
            backend=told.backend,
            facts=told.facts,
            made=told.made,
        )
        if shot is None:
            raise RequestError("What was being taken in was deleted meanwhile: import the archive again.")
        self.landed.append(shot)
        if told.favourite:
            self.history.favourite(self.owner, shot, True)

    def take_look(self, told: _SettingsModel) -> None:
        self.looks.append(self.history.save_look(self.owner, told.name, told.settings).id)

    def undo(self) -> None:
        for look in self.looks:
            self.history.delete_look(self.owner, look)
        for comparison in self.begun:
            self.history.delete(self.owner, comparison)
        for shot in self.landed:  # into comparisons that were there before
            self.history.delete_headshot(self.owner, shot)


# --- what a stranger's archive may do to its reader


class _Archive:
    """A ZIP by its entries' names. What is read of it is bounded while it is being read, whatever it says of itself."""

    def __init__(self, file: BinaryIO) -> None:
        self._left = MAX_BYTES + MAX_MANIFEST_BYTES
        with _damaged("The file is no archive of a history, or damaged: choose the ZIP that an export has written."):
            # The whole directory is read at once and becomes an object for each name, before anybody could count them.
            self._zip = zipfile.ZipFile(_LimitedFile(file, MAX_DIRECTORY_BYTES))

    def look_for(self, name: str) -> zipfile.ZipInfo:
        """Raises RequestError where there is no such file, or it is packed so that its size could not be bounded."""
        try:
            entry = self._zip.getinfo(name)
        except KeyError as error:
            raise RequestError("The archive lacks some of its pictures: export it once more.") from error
        # bz2 and LZMA give out a whole block at once, however large; and nothing of ours is encrypted.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 0x1:
            raise RequestError("The archive was packed by another program, in a way that is not read here.")
        return entry

    def read(self, name: str, most_bytes: int, what: str) -> bytes:
        entry = self.look_for(name)
        most = min(most_bytes, self._left)
        pieces, size = [], 0
        with _damaged("The archive is damaged: export it once more."), self._zip.open(entry) as file:
            # A piece at a time, and one byte too many at most, whatever the entry says of its size.
            while size <= most and (piece := file.read(min(_CHUNK_BYTES, most + 1 - size))):
                pieces.append(piece)
                size += len(piece)
        if size > most:
            if most < most_bytes:
                raise RequestError(f"The archive holds more than {MAX_BYTES // 2**30} GB, which is more than is read.")
            raise RequestError(f"{what} has more than {most_bytes // 2**20} MB, which is more than is read.")
        self._left -= size
        return b"".join(pieces)


class _LimitedFile(io.RawIOBase):
    """A file of which nobody can read more than so many bytes at once."""

    def __init__(self, file: BinaryIO, most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._most_bytes + 1 if size < 0 else min(size, self._most_bytes + 1))
        if len(data) > self._most_bytes:
            raise RequestError("The archive has more entries than are read: it is none of a history.")
        return data


def _read_manifest(archive: _Archive) -> _HistoryModel:
    try:
        archive.look_for(MANIFEST)
    except RequestError as error:
        _no_history(error)
    text = archive.read(MANIFEST, MAX_MANIFEST_BYTES, "The archive's list")
    try:
        head = _Head.model_validate_json(text)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid":
            raise RequestError("The archive's list, history.json, is damaged: export it once more.") from error
        _no_history(error)
    if head.format != FORMAT or head.version < 1:
        _no_history()
    if head.version > VERSION:
        raise RequestError("The archive was written by a later version of this program: update the program first.")
    try:
        read = _HistoryModel.model_validate_json(text)
        for comparison in read.comparisons:
            _check(comparison)
        for look in read.looks:
            _check_look(look)
    except RequestError as error:
        raise RequestError(f"The archive holds what is not possible, so nothing was taken in. {error}") from error
    except ValidationError as error:
        raise RequestError(
            "The archive's list, history.json, says what no history says, so nothing was taken in: export it once more."
        ) from error
    if sum(len(comparison.shots) + 1 for comparison in read.comparisons) > MAX_SHOTS:
        raise RequestError(f"The archive holds more than {MAX_SHOTS:,} headshots, which is more than is read.")
    return read


def _check(comparison: _EntryModel) -> None:
    """Raises RequestError or ValidationError for what the types alone do not tell."""
    positions = len(comparison.requests)
    if any(request.seed is None for request in comparison.requests):
        raise RequestError("Each headshot needs its seed.")
    if any(shot.position >= positions for shot in comparison.shots) or any(
        at >= positions for at in comparison.failures
    ):
        raise RequestError("A headshot stands where nothing was asked for.")
    for shot in comparison.shots:
        _FactsModel.model_validate(shot.facts)
        if len(json.dumps(shot.facts)) > _MAX_FACTS_CHARACTERS:
            raise RequestError("Too much is told about a headshot.")


def _check_look(look: _SettingsModel) -> None:
    """Raises RequestError where a look would not fit into the form."""
    ours = {name: value for name, value in look.settings.items() if name in HeadshotRequest.model_fields}
    HeadshotRequest.model_validate(ours)
    for value in look.settings.values():
        if not isinstance(value, (str, int, float, bool, type(None))) or len(str(value)) > MAX_PROMPT_CHARACTERS:
            raise RequestError("A look holds words, numbers and nothing else.")


def _decoded(png: bytes) -> Image.Image:
    """The picture in RGB. Raises RequestError for everything that is no sound PNG of a headshot's size."""
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        raise RequestError("The archive holds a picture that is no PNG, so nothing was taken in: export it once more.")
    damaged = _damaged("The archive holds a picture that is damaged, so nothing was taken in: export it once more.")
    with damaged, Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
        if opened.width * opened.height > _MAX_PIXELS or max(opened.size) > MAX_SIDE_PX:
            raise RequestError("The archive holds a picture with far too many pixels, so nothing was taken in.")
        return opened.convert("RGB")


@contextmanager
def _damaged(sentence: str) -> Iterator[None]:
    """zipfile raises a dozen errors on hostile archives, and Pillow more: see `photo`."""
    try:
        yield
    except (RequestError, MemoryError):
        raise
    except Exception as error:
        raise RequestError(sentence) from error


def _no_history(error: Exception | None = None) -> NoReturn:
    raise RequestError("The archive is none of a history: choose the ZIP that an export has written.") from error
