"""Writes a visitor's whole history as one ZIP; `history_archive` shows what is in it."""

import json
import shutil
import zipfile
from datetime import UTC, datetime
from typing import Any, BinaryIO

from .archive_names import ArchivePaths
from .history import History
from .history_archive import MANIFEST
from .history_manifest import FORMAT, MAX_SENTENCE_CHARACTERS, VERSION
from .records import Ballot, HistoryEntry, Poll, StoredHeadshot

_CHUNK_BYTES = 2**20


def export_history(history: History, owner: str, to: BinaryIO) -> None:
    """Write everything that the history has of an owner, with one piece of one picture in memory at a time.

    What is deleted while this runs is left out.

    Args:
        history: of any store.
        owner: the hash of the visitor's token.
        to: need not be seekable.

    Raises:
        StoreError: if the history cannot be read.
        OSError: if `to` cannot be written.
    """
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "exported": datetime.now(UTC).isoformat(),
        "comparisons": [],
        "looks": [{"name": saved.name, "settings": dict(saved.settings)} for saved in history.saved_settings(owner)],
        "votes": [_vote_json(vote, history.ballots(vote.code)) for vote in history.votes(owner)],
    }
    names = ArchivePaths(reserved=MANIFEST)
    last: HistoryEntry | None = None
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:  # a PNG does not get smaller
        while page := history.page(owner, before=last):
            last = page[-1]
            for comparison in page:
                folder = names.unused(f"{comparison.begun:%Y-%m-%d %H.%M.%S} {comparison.name}") + "/"
                shots = []
                for shot in comparison.headshots:
                    name = names.unused(shot.filename, folder)
                    if _add_picture(archive, shot, name):
                        shots.append(_headshot_json(shot, name))
                manifest["comparisons"].append(_entry_json(comparison, shots))
        entry = _zip_entry(MANIFEST, datetime.now(UTC))
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, json.dumps(manifest, ensure_ascii=False, indent=1).encode("utf-8", "replace"))


def _add_picture(archive: zipfile.ZipFile, shot: StoredHeadshot, name: str) -> bool:
    try:
        picture = shot.picture.open("rb")
    except FileNotFoundError:  # deleted since the page was read
        return False
    with picture:
        entry = _zip_entry(name, shot.made)
        with archive.open(entry, "w") as out:
            shutil.copyfileobj(picture, out, _CHUNK_BYTES)
    return True


def _zip_entry(name: str, moment: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(
        name, moment.astimezone(UTC).timetuple()[:6] if moment.year >= 1980 else (1980, 1, 1, 0, 0, 0)
    )
    entry.create_system = 3  # Unix, also when written on Windows, so that the mode counts
    entry.external_attr = 0o644 << 16
    return entry


def _entry_json(comparison: HistoryEntry, shots: list[dict[str, Any]]) -> dict[str, Any]:
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
        "failures": {str(at): sentence[:MAX_SENTENCE_CHARACTERS] for at, sentence in comparison.failures.items()},
        "ended": comparison.ended,
        "begun": comparison.begun.isoformat(),
        "shots": shots,
    }


def _headshot_json(shot: StoredHeadshot, name: str) -> dict[str, Any]:
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


def _vote_json(vote: Poll, ballots: tuple[Ballot, ...]) -> dict[str, Any]:
    """A vote for people who read the file. It is never imported: its code and its voters belong to their server."""
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
