"""Adds an exported archive to a visitor's history, here or in another store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from headshot.errors import RequestError
from headshot.imaging.thumbnail import thumbnail_of

from .archive_names import portable_name
from .history import History
from .history_archive import MAX_PICTURE_BYTES, HistoryArchive, decode_picture
from .history_manifest import EntryModel, HeadshotModel, SettingsModel, read_manifest
from .pictures import digest_of


@dataclass(frozen=True)
class Imported:
    """How much was imported.

    Attributes:
        comparisons: new ones.
        headshots: new ones.
        skipped: headshots that were there already.
        saved_settings: those whose names were free.
    """

    comparisons: int
    headshots: int
    skipped: int
    saved_settings: int


def import_history(
    history: History, owner: str, from_: BinaryIO, tell: Callable[[int, int], None] = lambda done, total: None
) -> Imported:
    """Add what `export_history` wrote, here or elsewhere, to this owner's history, with its dates and new ids.

    What this owner has already is skipped: a comparison begun at the same moment with the same requests, with the same
    picture at the same position. So an archive can be imported twice, or again after an import was cut off. Votes are
    not imported. Takes about 0.1 s for a picture.

    Args:
        history: of any store.
        owner: the hash of the visitor's token.
        from_: seekable.
        tell: called with (done, total) after each of the archive's headshots, the skipped ones included.

    Raises:
        RequestError: if it is no such archive, is damaged, or exceeds a limit; nothing is imported then.
        StoreError: if the history cannot be written.
    """
    archive = HistoryArchive(from_)
    manifest = read_manifest(archive)
    for entry in manifest.comparisons:
        for shot in entry.shots:
            archive.find(shot.file)
    total = sum(len(entry.shots) for entry in manifest.comparisons)
    progress = _ImportProgress(history, owner, lambda done: tell(done, total))
    try:
        for entry in manifest.comparisons:
            progress.add_entry(entry, archive)
        used = {saved.name for saved in history.saved_settings(owner)}
        for saved in manifest.looks:
            if " ".join(saved.name.split()) not in used:
                progress.add_settings(saved)
    except BaseException:
        progress.undo()
        raise
    return Imported(len(progress.comparisons), len(progress.headshots), progress.skipped, len(progress.saved_settings))


@dataclass
class _ImportProgress:
    """The ids of everything that one import has added so far. `tell` is called after each headshot."""

    history: History
    owner: str
    tell: Callable[[int], None]
    comparisons: list[str] = field(default_factory=list)
    headshots: list[str] = field(default_factory=list)
    saved_settings: list[str] = field(default_factory=list)
    skipped: int = 0

    def add_entry(self, entry: EntryModel, archive: HistoryArchive) -> None:
        same = (entry.requests, entry.kind, entry.photo_sha256, entry.face)
        there = next(
            (
                found
                for found in self.history.begun_at(self.owner, entry.begun)
                if (found.requests, found.kind, found.photo_sha256, found.face) == same
            ),
            None,
        )
        if there is not None:
            comparison = there.id
        else:
            comparison = self.history.begin(
                self.owner,
                entry.requests,
                kind=entry.kind,
                backend=entry.backend,
                photo_sha256=entry.photo_sha256,
                face=entry.face,
                group=entry.group,
                name=entry.name,
                group_name=entry.group_name,
                begun=entry.begun,
            )
            self.comparisons.append(comparison)
        known = {(shot.position, shot.picture.name) for shot in there.headshots} if there is not None else set()
        for shot in entry.shots:
            self._add_headshot(shot, comparison, known, archive)
            self.tell(len(self.headshots) + self.skipped)
        if there is None:
            for position, sentence in entry.failures.items():
                self.history.fail(comparison, position, sentence)
            if entry.favourite:
                self.history.favourite(self.owner, comparison, True)
            if entry.ended:
                self.history.end(comparison)

    def _add_headshot(
        self, shot: HeadshotModel, comparison: str, known: set[tuple[int, str]], archive: HistoryArchive
    ) -> None:
        png = archive.read(shot.file, MAX_PICTURE_BYTES, "A picture in the archive")
        if (picture_here := (shot.position, digest_of(png))) in known:
            self.skipped += 1
            return
        known.add(picture_here)
        picture = decode_picture(png)
        added = self.history.save_headshot(
            comparison,
            shot.position,
            png=png,
            filename=portable_name(shot.filename),
            thumbnail=thumbnail_of(picture),
            size=picture.size,
            backend=shot.backend,
            facts=shot.facts,
            made=shot.made,
        )
        if added is None:
            raise RequestError("What was being taken in was deleted meanwhile: import the archive again.")
        self.headshots.append(added)
        if shot.favourite:
            self.history.favourite(self.owner, added, True)

    def add_settings(self, saved: SettingsModel) -> None:
        self.saved_settings.append(self.history.save_look(self.owner, saved.name, saved.settings).id)

    def undo(self) -> None:
        for saved in self.saved_settings:
            self.history.delete_look(self.owner, saved)
        for comparison in self.comparisons:
            self.history.delete(self.owner, comparison)
        for shot in self.headshots:  # into comparisons that were there before
            self.history.delete_headshot(self.owner, shot)
