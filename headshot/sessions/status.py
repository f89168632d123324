"""The line above the headshots: what happens, or how it ended."""

from dataclasses import asdict, dataclass
from typing import Literal

from headshot.runs.run import Run

from .snapshot import Part


@dataclass(frozen=True)
class Status:
    """A status line.

    Attributes:
        text: plain text.
        kind: "" for an invitation; "running" is shown with a progress bar.
        done: how many headshots are finished, for the progress bar.
        total: of how many.
        stage: what is done for one of them; it changes several times a second, so it is not read aloud.
    """

    text: str
    kind: Literal["", "running", "done", "stopped", "error"] = ""
    done: int = 0
    total: int = 0
    stage: str = ""

    def part(self) -> Part:
        """Return it as JSON's types."""
        return asdict(self)


def status_of(run: Run) -> Status:
    """Return the status of a comparison."""
    attempt, done, total = run.attempt, len(run.headshots), len(run.requests)
    if run.alive:
        stage = attempt.stage
        return (
            Status("Starting…", "running", total=total)
            if stage is None
            else Status(stage.stage, "running", stage.done, stage.total)
        )
    if attempt.from_history:
        return Status(f"From your history: {done} of {total} headshots", "done" if done == total else "stopped")
    on_cards = bool(run.remote_id) or (done > 0 and attempt.error in {str(at.error) for at in run.statuses.values()})
    if attempt.error and not on_cards and not attempt.late:
        return Status(attempt.error, "error")
    if attempt.error and not attempt.late:
        cards = "card" if total - done == 1 else "cards"
        return Status(f"{done} of {total} done; see the failed {cards}.", "stopped")
    if run.stopped or attempt.late:
        sent = sum(status.kind == "under way" and bool(status.job) for status in run.statuses.values())
        stopped = f"Stopped: {done} of {total}" if done or not sent else "Stopped"
        if sent:
            stopped += f". {sent} already sent may be billed" + (" and will still arrive here." if run.open else ".")
        return Status(stopped, "stopped")
    noun = "headshot" if done == 1 else "headshots"
    # The time of a comparison that went on without this page was not measured.
    return Status(f"{done} {noun}" + ("" if run.remote_id else f" in {run.seconds:.1f} s"), "done")
