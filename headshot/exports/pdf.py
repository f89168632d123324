"""Sheets as a PDF that can be mailed and printed: one page each, the words in it drawn and not searchable."""

import io
import math
from collections.abc import Sequence

from PIL import Image

MAX_BYTES = 10_000_000  # what mail servers let through at the least, and a phone opens at once

_LONG_SIDE_POINTS = 842  # A4's, upright or across: every printer fits that
_QUALITIES = (92, 85, 78)  # JPEG; below, skin shows its blocks, and a smaller picture looks better
_SHRINK = 0.85


def as_pdf(sheets: Sequence[Image.Image], *, title: str, max_bytes: int = MAX_BYTES) -> bytes:
    """One page a sheet in its own proportions, the largest as long as A4, of at most that many bytes together.

    Pictures are JPEG, coarser and then smaller where there would be more. The file has a title, and tells neither when
    nor who. The same sheets give the same bytes.
    Raises ValueError for no sheet.
    """
    if not sheets:
        raise ValueError("a PDF has at least one page")
    pages = [sheet.convert("RGB") for sheet in sheets]
    while True:
        for quality in _QUALITIES:
            data = _written(pages, title, quality)
            if len(data) <= max_bytes:
                return data
        share = min(_SHRINK, math.sqrt(max_bytes / len(data)))
        if max(max(page.size) for page in pages) == 1:
            return data  # the frame of a page alone is larger than that
        pages = [page.resize((max(1, round(page.width * share)), max(1, round(page.height * share)))) for page in pages]


def _written(pages: Sequence[Image.Image], title: str, quality: int) -> bytes:
    data = io.BytesIO()
    pages[0].save(
        data,
        "PDF",
        save_all=True,
        append_images=pages[1:],
        resolution=72 * max(max(page.size) for page in pages) / _LONG_SIDE_POINTS,
        quality=quality,
        title=title,
        creationDate=None,  # else both say when
        modDate=None,
    )
    return data.getvalue()
