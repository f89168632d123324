"""Sheets as a PDF to mail and print: one page each, whose text is part of the picture and not searchable."""

import io
import math
from collections.abc import Sequence

from PIL import Image

MAX_BYTES = 10_000_000  # nearly all mail servers accept that, and phones open it at once

_LONG_SIDE_POINTS = 842  # A4's, portrait or landscape, which every printer can print
_QUALITIES = (92, 85, 78)  # JPEG; below 78 blocks are visible in skin, and a smaller picture looks better
_SHRINK = 0.85  # at most, when no quality is enough: a few more rounds, but hardly smaller than necessary


def as_pdf(sheets: Sequence[Image.Image], *, title: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Write a PDF with one page for each sheet, in its own proportions; the largest is as long as A4.

    Pictures are JPEG, of lower quality and then smaller if the file would be too large. The file holds a title, but
    neither a date nor an author. The same sheets give the same bytes.

    Args:
        sheets: In any mode.
        title: The document's.
        max_bytes: Limit on the file's size.

    Raises:
        ValueError: for no sheets.
    """
    if not sheets:
        raise ValueError("a PDF has at least one page")
    pages = [sheet.convert("RGB") for sheet in sheets]
    while True:
        for quality in _QUALITIES:
            data = _encode(pages, title, quality)
            if len(data) <= max_bytes:
                return data
        share = min(_SHRINK, math.sqrt(max_bytes / len(data)))
        if max(max(page.size) for page in pages) == 1:
            return data  # the PDF's own structure alone is larger than the limit
        pages = [page.resize((max(1, round(page.width * share)), max(1, round(page.height * share)))) for page in pages]


def _encode(pages: Sequence[Image.Image], title: str, quality: int) -> bytes:
    data = io.BytesIO()
    pages[0].save(
        data,
        "PDF",
        save_all=True,
        append_images=pages[1:],
        resolution=72 * max(max(page.size) for page in pages) / _LONG_SIDE_POINTS,
        quality=quality,
        title=title,
        creationDate=None,  # by default both are the current time
        modDate=None,
    )
    return data.getvalue()
