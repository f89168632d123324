"""A headshot that lies in a file, and the copy of the photo that it was made from."""

from dataclasses import dataclass
from pathlib import Path

from headshot.modelslab.backend import JobRecord
from headshot.request import HeadshotRequest, Note


@dataclass(frozen=True)
class SavedHeadshot:
    """A headshot that has been put down as files: what the page needs to show it, without its pixels.

    id: the last folder of its picture's address, unguessable.  job: as in Headshot.  mark: as `mark_of`, "" for one
    that was kept before there were marks.  made_by: the models with their commits, or the endpoint, "" where the
    backend has neither.  photo_sha256: of the photo.  face: which of it, None for the first.
    face_box: x, y, width, height of the face in it, None where none is found.
    history_id: its id in the history, "" where it is not there.  stored: its file belongs to the history alone.
    photo_copy: None where the photo was not at hand any more.
    """

    id: str
    request: HeadshotRequest
    backend: str
    made_by: str
    photo_sha256: str
    face: int | None
    filename: str
    size: tuple[int, int]
    seconds: float
    likeness: float | None
    notes: tuple[Note, ...]
    path: Path
    thumbnail_path: Path
    picture: str  # address of the full PNG, relative to the page
    thumbnail: str  # address of a small JPEG
    overlaid: str  # address of the photo laid over this headshot, made when it is asked for; "" without an original
    photo_copy: "PhotoCopy | None"
    face_box: tuple[float, ...] | None = None
    trust: float | None = None
    job: str = ""
    content_id: str = ""
    record: JobRecord | None = None
    history_id: str = ""
    stored: bool = False

    @property
    def measures(self) -> list[str]:
        """Its time and, where it is known, its likeness."""
        known = [] if self.likeness is None else [f"likeness {self.likeness:.2f}"]
        return [f"{self.seconds:.1f} s", *known]

    @property
    def slot_dirs(self) -> set[Path]:
        """The visitor's own folders that its files lie in, the photo's copy included."""
        paths = set() if self.stored else {self.path, self.thumbnail_path}
        return {path.parent for path in paths | ({self.photo_copy.path} if self.photo_copy else set())}


@dataclass(frozen=True)
class PhotoCopy:
    """A small copy of the photo that a comparison was made from. box: x, y, width, height of its face in the copy."""

    path: Path
    box: tuple[float, float, float, float]
