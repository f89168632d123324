"""What the photo check says of one fault of a photo."""

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
    # One can be made, and will suffer.
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
    """One thing that will hurt the result. `text`: what it is, what it does, and what to do, in whole sentences."""

    code: Code
    text: str

    def __str__(self) -> str:
        return self.text
