"""A headshot saved as a file, and the copy of the photo that it was made from."""

from dataclasses import dataclass
from pathlib import Path

from headshot.modelslab.backend import JobRecord
from headshot.request import HeadshotRequest, Note


@dataclass(frozen=True)
class SavedHeadshot:
    """A headshot whose files are written: all that the page needs to show it, without its pixels.

    Attributes:
        id: the slot in its picture's address, unguessable.
        request: the settings it was made with.
        backend: name of the backend that made it.
        made_by: the models with their commits, or the endpoint; "" if the backend has neither.
        photo_sha256: of the photo.
        face: index of the photo's face, None for the first.
        filename: under which it is downloaded.
        size: width and height in pixels.
        seconds: that it took.
        likeness: of its face with the photo's; None if it was not measured.
        notes: what was and was not applied.
        path: the file.
        thumbnail_path: a small JPEG.
        picture: address of the full PNG, relative to the page.
        thumbnail: address of a small JPEG.
        overlaid: address of the photo laid over this headshot, made on request; "" without a photo copy.
        photo_copy: None if the photo was no longer at hand.
        face_box: x, y, width, height of its face in pixels; None if no face was found.
        trust: how far the likeness can be trusted; None if it was not measured.
        job: the backend's own job id, or "".
        content_id: as `content_id_of` returns it; "" for a headshot that was saved before there were content ids.
        record: the job's request and response, for jobs of the hosted service.
        history_id: its id in the history, "" if it is not there.
        stored: True if its file belongs to the history alone.
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
    picture: str
    thumbnail: str
    overlaid: str
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
        """Its duration and, if known, its likeness."""
        known = [] if self.likeness is None else [f"likeness {self.likeness:.2f}"]
        return [f"{self.seconds:.1f} s", *known]

    @property
    def slot_dirs(self) -> set[Path]:
        """The folders that hold its files in the tab's folder, including the photo's copy."""
        paths = set() if self.stored else {self.path, self.thumbnail_path}
        return {path.parent for path in paths | ({self.photo_copy.path} if self.photo_copy else set())}


@dataclass(frozen=True)
class PhotoCopy:
    """A small copy of the photo that a comparison was made from.

    Attributes:
        path: the file.
        box: x, y, width, height of the photo's face in the copy.
    """

    path: Path
    box: tuple[float, float, float, float]
