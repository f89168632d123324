"""The notes that all headshots of a comparison or of a team share."""

from collections.abc import Sequence

from headshot.imaging.face import SAME_PERSON
from headshot.runs.saved_headshot import SavedHeadshot
from headshot.sessions.snapshot import Part

from .cards import common_notes

_LEGEND = (
    "Likeness compares the face with the photo’s: two photos of one person reach about 0.70 to 0.77, different people "
    f"at most 0.29; below {SAME_PERSON:.2f} it could be somebody else."
)


def notes_of(shots: Sequence[SavedHeadshot], history_error: str = "") -> Part:
    """Return `missing`, `advice`, `applied`, and the `legend` of the likeness, "" where there is none.

    Args:
        shots: all of them.
        history_error: why they are not in the history.
    """
    common = common_notes(shots)

    def texts(kind: str) -> list[str]:
        return [note.text for note in common if note.kind == kind]

    return {
        "missing": texts("not applied"),
        "advice": [*([history_error] if history_error and shots else []), *texts("advice")],
        "applied": texts("applied"),
        "legend": _LEGEND if any(shot.likeness is not None for shot in shots) else "",
    }
