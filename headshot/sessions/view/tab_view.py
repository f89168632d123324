"""The whole of what a tab shows, brought up to date in its snapshot."""

from collections.abc import Mapping

from headshot.backends import Backend
from headshot.sessions.status import Status
from headshot.sessions.tab_session import TabSession

from .comparison import comparison_parts
from .team import team_parts


class TabView:
    """Makes the parts of every tab's snapshot."""

    def __init__(self, registry: Mapping[str, Backend]) -> None:
        """Read what a page says before its first comparison.

        Args:
            registry: the backends by name; if none is ready, the page says why.
        """
        readiness = [backend.readiness() for backend in registry.values()]
        if any(each.ready for each in readiness):
            self.greeting = Status("Choose a photo, then press Generate.")
        else:
            self.greeting = Status(" ".join(each.sentence for each in readiness), "error")

    def refresh(self, session: TabSession) -> int:
        """Bring the tab's snapshot up to date.

        Args:
            session: the tab's.

        Returns:
            The snapshot's revision.
        """
        deletions = {"own": session.deletions, "elsewhere": session.deletions_elsewhere}
        parts = comparison_parts(session, self.greeting) | team_parts(session)
        return session.snapshot.update(parts | {"deletions": deletions})
