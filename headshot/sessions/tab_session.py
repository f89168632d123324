"""What one browser tab holds: its photo, its runs, and its files.

The photo lives in memory, the pictures in a folder with an unguessable name. Both go when the tab closes, and each
file alone when it has been kept for its time.
"""

import asyncio
import secrets
import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from headshot.backends import Backend
from headshot.errors import Stopped
from headshot.imaging.photo import Photo
from headshot.imaging.photo_check import PhotoCheck
from headshot.modelslab.backend import ModelsLab, OtherRun
from headshot.modelslab.job_runner import WebhookTarget
from headshot.modelslab.key import Key
from headshot.runs.run import Run
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.runs.team import Team

from .snapshot import Snapshot
from .status import Status

if TYPE_CHECKING:
    from headshot.storage import HistoryEntry

Lost = Literal["", "expired", "evicted", "disconnected"]
"""Why a photo is gone that the visitor did not remove; "" while there is one, or if they removed it themselves."""


class TabSession:
    """The belongings of one tab. Safe to use from any thread.

    Attributes:
        token: 256 random bits. It is part of every picture's address and the only way to reach the tab's files.
        owner: the browser's hashed secret, by which its ModelsLab jobs and its history are found.
        key: the visitor's own ModelsLab key; in memory only.
        webhook: a receiver that the visitor entered.
        folder: holds the tab's files, each in a slot (a folder of its own).
        face: index of the face that was picked by hand; None for the first.
        parent: content id of the picture whose settings were restored. Comparisons that follow record it.
        photo_version: counts the photos set and removed; a check that ends under another version is void.
        upload: path of the last upload, which is deleted once it is read.
        last_count_event: the count that was chosen last, for which seeds, and when.
        other_runs: what else ModelsLab has made, or is making, for this owner.
        baseline: the headshot that stays beside the comparisons that follow.
        checking: held while a photo is checked, so that Generate waits for it.
        taken_at: when the photo was set, by the registry's clock.
        snapshot: what the page shows; `changed` lets the browser look again.
        notice: the status line in place of the comparison's, up to the next comparison; None for the comparison's.
        team_notice: the same for the team's status line.
        deletions: counts what was deleted in this tab.
        deletions_elsewhere: counts what was deleted in the browser's other tabs: this page then looks at all again.
    """

    def __init__(
        self, root: Path, forget_photo: Callable[[Photo], None], clock: Callable[[], float], owner: str
    ) -> None:
        self._forget_photo = forget_photo
        self._clock = clock
        self.token = secrets.token_urlsafe(32)
        self.owner = owner
        self.key: Key | None = None
        self.webhook: WebhookTarget | None = None
        self.folder = root / self.token
        self.photo: Photo | None = None
        self.check: PhotoCheck | None = None
        self.face: int | None = None
        self.parent = ""
        self.preview: Path | None = None
        self.photo_lost_reason: Lost = ""
        self.photo_version = 0
        self.upload = ""
        self.last_count_event = ("", "", 0.0)
        self.run: Run | None = None
        self.team = Team()
        self.other_runs: list[OtherRun] = []
        self.baseline: SavedHeadshot | None = None
        self.checking = asyncio.Lock()
        self.taken_at = 0.0
        self.snapshot = Snapshot()
        self.notice: Status | None = None
        self.team_notice: Status | None = None
        self.deletions = self.deletions_elsewhere = 0
        self._left = False
        self._written: dict[Path, float] = {}  # by slot folder, when it was written
        self._lock = threading.RLock()

    @property
    def busy(self) -> bool:
        """Whether something runs that will change what the page shows."""
        return (self.run is not None and self.run.open) or self.team.running or self.team.checking.locked()

    def note_deletion(self, by: "TabSession") -> None:
        """Let the page look at everything again: something of its browser was deleted.

        Args:
            by: the tab in which it was deleted, which may be this one.
        """
        if by is self:
            self.deletions += 1
        else:
            self.deletions_elsewhere += 1
        self.changed()

    def changed(self) -> None:
        """Let the page look again: something that it shows may differ."""
        self.snapshot.wake()

    def backends(self, registry: Mapping[str, Backend]) -> dict[str, Backend]:
        """Return the registry as this visitor sees it: ModelsLab uses their own key, if they have entered one."""
        return {
            name: backend.for_user(self.owner, self.key, self.webhook) if isinstance(backend, ModelsLab) else backend
            for name, backend in registry.items()
        }

    def set_photo(
        self, photo: Photo, check: PhotoCheck, face: int | None, preview: bytes, *, taken_at: float | None = None
    ) -> None:
        """Replace the photo. If only the chosen face differs, the time for which the photo is kept does not restart.

        Args:
            photo: the clean photo.
            check: its check.
            face: index of the face picked by hand, None for the first.
            preview: a small JPEG of the photo.
            taken_at: when it was first set, by the registry's clock; None for now.

        Raises:
            Stopped: after the visitor left.
        """
        with self._lock:
            path = self.write("photo.jpg", preview)
            former, former_preview = self.photo, self.preview
            self.photo, self.check, self.face, self.preview, self.photo_lost_reason = photo, check, face, path, ""
            if former is None or former.sha256 != photo.sha256:
                self.taken_at = self._clock() if taken_at is None else taken_at
        self.delete_slot(former_preview)
        if former is not None and former.sha256 != photo.sha256:
            self._forget_photo(former)

    def remove_photo(self, lost: Lost = "") -> None:
        """Forget the photo.

        Args:
            lost: why, or "" if the visitor asked for it.
        """
        with self._lock:
            self.photo_version += 1
            photo, preview = self.photo, self.preview
            self.photo, self.check, self.face, self.preview, self.photo_lost_reason = None, None, None, None, lost
        self.delete_slot(preview)
        if photo is not None:
            self._forget_photo(photo)

    def write(self, name: str, data: bytes, run: Run | None = None) -> Path:
        """Write a file into a new slot, so that files of the same name never meet.

        Args:
            name: of the file.
            data: its content.
            run: the run that the file belongs to, if any.

        Returns:
            The file's path; its parent is the slot's folder.

        Raises:
            Stopped: after the visitor left, or after `run` was stopped. A picture that is finished late must not
                bring back what was deleted.
        """
        with self._lock:
            if self._left or (run is not None and run.stopped):
                raise Stopped("This headshot is no longer wanted.")
            slot_dir = self.folder / secrets.token_urlsafe(8)
            slot_dir.mkdir(parents=True)
            self._written[slot_dir] = self._clock()
            path = slot_dir / name
            path.write_bytes(data)
        return path

    def address(self, slot: str, name: str) -> str:
        """Return the address of a file in one of this tab's slots, relative to the page.

        Args:
            slot: name of the slot's folder, or the id of what the file is made from on request.
            name: of the file.
        """
        return "/".join(["headshots", self.token, slot, quote(name)])

    def headshot(self, name: str) -> SavedHeadshot | None:
        """Return the headshot on the page with that id."""
        return next((shot for shot in self.headshots if shot.id == name), None)

    def by_content_id(self, content_id: str) -> SavedHeadshot | None:
        """Return the headshot on the page with that content id."""
        return next((shot for shot in self.headshots if content_id and shot.content_id == content_id), None)

    @property
    def headshots(self) -> list[SavedHeadshot]:
        """The baseline, and the headshots of the comparison and of the team."""
        shots = [self.baseline, *([] if self.run is None else self.run.headshots), *self.team.headshots]
        return [shot for shot in shots if shot is not None]

    def begin(self, run: Run) -> None:
        """Make this the current run. The files of the former one are deleted, except for the baseline's."""
        with self._lock:
            former, self.run, self.notice = self.run, run, None
            self.delete_headshots([] if former is None else former.headshots)
        self.changed()

    def set_baseline(self, shot: SavedHeadshot | None) -> None:
        """Pin the headshot that stays beside the comparisons that follow; None unpins it."""
        with self._lock:
            former, self.baseline = self.baseline, shot
            self.delete_headshots([] if former is None else [former])
        self.changed()

    def delete_headshots(self, shots: Collection[SavedHeadshot]) -> None:
        """Delete the files of these headshots, except for files of headshots that are still on the page."""
        needed = {slot_dir for shot in self.headshots for slot_dir in shot.slot_dirs}
        for slot_dir in {slot_dir for shot in shots for slot_dir in shot.slot_dirs} - needed:
            self._delete_slot_dir(slot_dir)

    def remove_deleted(self, entries: "Sequence[HistoryEntry]") -> None:
        """Remove from the page what was deleted from the history.

        Args:
            entries: the deleted comparisons, all of one team if there are several.
        """
        run, baseline = self.run, self.baseline
        if self.team.group and self.team.group == entries[0].group:
            self.delete_headshots(self.team.reset_results())
        if baseline is not None and baseline.history_id in {shot.id for entry in entries for shot in entry.headshots}:
            self.set_baseline(None)
        if run is not None and run.history_id in {entry.id for entry in entries}:
            self.run = None
            self.delete_headshots(run.headshots)
        self.changed()

    def delete(self) -> None:
        """Stop what is running and delete everything: the photo, the headshots, every file."""
        with self._lock:
            if self.run is not None:
                self.run.stop()
            self.team.stop()
            self.remove_photo()
            self.parent = ""
            self.run, self.team, self.baseline, self.other_runs = None, Team(), None, []
            self._written.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        """Delete everything and accept no file any more: the tab is closed."""
        with self._lock:
            self._left = True
            self.delete()

    def expire(self, before: float) -> None:
        """Delete the photo and every file that were set before that moment of the registry's clock."""
        with self._lock:
            if self.photo is not None and self.taken_at < before:
                self.remove_photo("expired")
            for slot_dir in [slot_dir for slot_dir, written in self._written.items() if written < before]:
                self._delete_slot_dir(slot_dir)
                if self.baseline is not None and self.baseline.path.parent == slot_dir:
                    self.baseline = None

    def delete_slot(self, path: Path | None) -> None:
        """Delete the slot that holds this file; nothing if there is no file."""
        if path is not None:
            self._delete_slot_dir(path.parent)

    def _delete_slot_dir(self, slot_dir: Path) -> None:
        with self._lock:
            self._written.pop(slot_dir, None)
            shutil.rmtree(slot_dir, ignore_errors=True)
