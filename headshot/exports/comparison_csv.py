"""A comparison as a table for spreadsheets: one row for each headshot."""

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
# What spreadsheets treat as the start of a formula, also in full-width forms, and after blanks, which some of them
# strip. Source: OWASP, CSV Injection.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class CsvRow:
    """One headshot, or one that failed, which has an error in place of a file.

    Attributes:
        request: Its settings.
        file: Its name in the ZIP beside the table.
        backend: Which backend made it.
        seconds: As in `Headshot`.
        likeness: As in `Headshot`.
        notes: As in `Headshot`.
        error: Why it failed.
        photo: The name of the photo's file, if there are several photos.
    """

    request: HeadshotRequest
    file: str = ""
    backend: str = ""
    seconds: float | None = None
    likeness: float | None = None
    notes: Sequence[Note] = ()
    error: str = ""
    photo: str = ""


def comparison_csv(rows: Iterable[CsvRow]) -> bytes:
    """Write the table as RFC 4180 CSV in UTF-8, with the byte order mark by which Excel recognises it.

    The first line names the columns; a column `photo` comes first if any row has one. Numbers stay numbers, with a
    decimal point; a text that a spreadsheet would run as a formula gets an apostrophe before it.

    Args:
        rows: In the order of the table.
    """
    rows = list(rows)
    with_photo = any(row.photo for row in rows)
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow((["photo"] if with_photo else []) + list(_COLUMNS))
    for row in rows:
        request = row.request
        writer.writerow(
            [
                *([safe_text(row.photo)] if with_photo else []),
                *(safe_text(text) for text in (row.file, row.backend, request.prompt, request.negative_prompt)),
                request.num_inference_steps,
                repr(request.guidance_scale).removesuffix(".0"),
                "" if request.seed is None else request.seed,
                "" if row.seconds is None else round(row.seconds, 3),
                "" if row.likeness is None else round(row.likeness, 4),
                safe_text("; ".join(str(note) for note in row.notes)),
                safe_text(row.error),
            ]
        )
    return file.getvalue().encode("utf-8-sig", "replace")


def safe_text(text: str) -> str:
    """The text as a cell that a spreadsheet shows unchanged and never runs as a formula."""
    visible = _CONTROLS.sub(" ", text)
    return f"'{visible}" if _FORMULA.match(visible) else visible
