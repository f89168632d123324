"""The page's last lines: how long pictures are kept, and who receives them."""

from headshot.sessions.retention import GRACE_SECONDS
from headshot.settings import Settings


def footer(settings: Settings, *, hosted: bool) -> str:
    """The footer as HTML.

    Args:
        settings: for how long photos and the history are kept.
        hosted: whether ModelsLab is among the backends.
    """
    kept = _counted(settings.keep_minutes, "minute")
    left = _counted(round(GRACE_SECONDS / 60), "minute")
    hours = _counted(settings.history_hours, "hour")
    days = _counted(settings.starred_days, "day")
    # Paid results outlive the page, so that somebody who closed it too early can come back to them.
    elsewhere = (
        f" Photos go to ModelsLab only if you choose it. What ModelsLab made stays available here for {kept}."
        if hosted
        else ""
    )
    return (
        "<footer><p>Nobody else sees your photo and headshots. <i>Delete my pictures</i> deletes them at once. "
        f"Otherwise your photo is deleted {left} after you close this page and at the latest after {kept}, "
        f"the headshots in your history after {hours}, those with a star after {days}.{elsewhere} "
        "Use a photo of yourself, or one that you have permission for.</p></footer>"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
