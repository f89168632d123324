"""A comparison as a table for spreadsheets: one line a headshot."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headshot.request import HeadshotRequest, Note

_COLUMNS = (
    *("file", "backend", "prompt", "negative_prompt", "steps", "guidance", "seed"),
    *("seconds", "likeness", "notes", "error"),
)
# What spreadsheets take for the beginning of a formula, in its wide forms too, behind blanks that some of them strip.
# Source: OWASP, CSV Injection.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class CsvRow:
    """One headshot, or one that did not come: then without a file, and with an error.

    file: its name in the ZIP beside the table.  seconds, likeness: as in Headshot.  photo: the name of the photo's
    file, where there are several photos.
    """

    request: HeadshotRequest
    file: str = ""
    backend: str = ""
    seconds: float | None = None
    likeness: float | None = None
    notes: Sequence[Note] = ()
    error: str = ""
    photo: str = ""


def csv_of(lines: Iterable[CsvRow]) -> bytes:
    """RFC 4180 in UTF-8, with the mark at its beginning by which Excel knows it. The first line names the columns.

    Numbers stay numbers, with a point before the decimals; a text that a spreadsheet would run as a formula gets an
    apostrophe before it. A column `photo` comes first where any line has one.
    """
    lines = list(lines)
    with_photo = any(line.photo for line in lines)
    written = io.StringIO(newline="")
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow((["photo"] if with_photo else []) + list(_COLUMNS))
    for line in lines:
        asked = line.request
        rows.writerow(
            [
                *([safe_text(line.photo)] if with_photo else []),
                *(safe_text(words) for words in (line.file, line.backend, asked.prompt, asked.negative_prompt)),
                asked.num_inference_steps,
                repr(asked.guidance_scale).removesuffix(".0"),
                "" if asked.seed is None else asked.seed,
                "" if line.seconds is None else round(line.seconds, 3),
                "" if line.likeness is None else round(line.likeness, 4),
                safe_text("; ".join(str(note) for note in line.notes)),
                safe_text(line.error),
            ]
        )
    return written.getvalue().encode("utf-8-sig", "replace")


def safe_text(words: str) -> str:
    """What a spreadsheet shows as it is and never runs as a formula."""
    seen = _UNSEEN.sub(" ", words)
    return f"'{seen}" if _FORMULA.match(seen) else seen
