"""A progress bar on standard error, where that is a terminal."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from headshot.progress import Step

from .console import printable, write_error, write_line


class ProgressBar:
    """Shows how far a comparison is; prints lines above the bar. Without a terminal only the lines appear.

    Args:
        total: headshots of all photos together.
    """

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
                redirect_stdout=False,  # standard output may be a pipe, and its lines must arrive there
                redirect_stderr=False,
            )
            self._task = self._bar.add_task("Starting", total=total)
        self._done_before = 0
        self._photo = ""

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start_photo(self, name: str, done: int) -> None:
        """Begin with the next photo.

        Args:
            name: as it is shown.
            done: headshots of the photos before, those that failed included.
        """
        self._photo, self._done_before = printable(name), done
        self.update(Step("", 0, 0))

    def update(self, step: Step) -> None:
        """Show a step of the running comparison. Safe to call from any thread."""
        if self._bar is not None:
            text = f"{self._photo}: {step.stage}" if step.stage else self._photo
            self._bar.update(self._task, description=text, completed=self._done_before + step.done)

    def write_line(self, text: str) -> None:
        """Print a line on standard output."""
        if self._bar is not None and sys.stdout.isatty():
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            write_line(text)

    def write_error(self, sentence: str) -> None:
        """Print a sentence on standard error."""
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        else:
            write_error(sentence)
