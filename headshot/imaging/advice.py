"""The faults of a photo that the photo check reports."""

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    # No headshot can be made.
    "no face",
    "turned photo",
    "half a face",
    "too small",
    "drawing",
    "animal",
    "unclear",
    "profile",
    # One can be made, but the fault will hurt it.
    "several faces",
    "small",
    "blurred",
    "dark",
    "burnt out",
    "backlight",
    "cut",
    "turned",
    "tilted",
    "hidden",
    "close by",
    "like the background",
]


@dataclass(frozen=True)
class Advice:
    """One fault of a photo.

    Attributes:
        code: Which fault.
        text: What it is, what it does to the headshot, and what to do, in whole sentences.
    """

    code: Code
    text: str

    def __str__(self) -> str:
        return self.text
