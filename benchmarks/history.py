"""How fast the history is with 5,000 pictures of one visitor: pages, searches, filters, and the thumbnails' sizes.

    python benchmarks/history.py [postgresql://…]

Without a URL it builds SQLite in a temporary folder, with a file for each picture. With a URL, that database must be
empty. Each figure is the median of several runs, in milliseconds and as a multiple of one row read by its key in the
same run, because only the multiple can be compared between machines. Goals are printed beside the figures; the exit
status is 1 if one is missed.
"""

import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from headshot.imaging.thumbnail import thumbnail_of  # noqa: E402
from headshot.request import HeadshotRequest  # noqa: E402  the folder is not installed
from headshot.storage import History, HistoryEntry, Store, hash_token  # noqa: E402

COMPARISONS, EACH = 1_250, 4
OTHERS = 50  # comparisons of another visitor among them
ROUNDS = 7
PAGE = 24
GOAL_MS = 200
GOAL_THUMBNAIL_BYTES = 30_000
OWNER, OTHER = hash_token("the visitor of the benchmark"), hash_token("another one")
BACKDROPS = ("light grey", "teal", "warm oak", "navy", "white", "charcoal", "sage", "brick")


class Clock:
    """A clock that advances a minute at each call, so that no two records have the same time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


class Figure(NamedTuple):
    what: str
    milliseconds: float
    goal: float | None


def main() -> int:
    url = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder), url, clock=Clock()) as store:
        history = store.history
        began = time.perf_counter()
        largest = build(history)
        print(f"built {COMPARISONS} comparisons of {EACH} in {time.perf_counter() - began:.0f} s")
        figures = measured(history)
    row = figures[0].milliseconds
    print(f"{'':44}{'ms':>9}{'× a row':>9}  goal")
    missed = 0
    for what, milliseconds, goal in figures:
        verdict = "" if goal is None else f"≤ {goal:g} ms {'met' if milliseconds <= goal else 'MISSED'}"
        missed += goal is not None and milliseconds > goal
        print(f"{what:44}{milliseconds:9.2f}{milliseconds / row:9.1f}  {verdict}".rstrip())
    met = largest <= GOAL_THUMBNAIL_BYTES
    print(f"the largest thumbnail has {largest:,} bytes; goal ≤ {GOAL_THUMBNAIL_BYTES:,} {'met' if met else 'MISSED'}")
    return int(missed > 0 or not met)


def build(history: History) -> int:
    """Fill the history. Returns the size of its largest thumbnail, in bytes."""
    largest = 0
    thumbnails = [thumbnail_of(portrait(seed)) for seed in range(EACH)] + [thumbnail_of(noise())]
    for number in range(COMPARISONS):
        backdrop = BACKDROPS[number % len(BACKDROPS)]
        prompt = f"professional headshot number {number}, {backdrop} backdrop, soft loop light, half body, 85 mm"
        requests = [HeadshotRequest(prompt=prompt, seed=seed) for seed in range(EACH)]
        backend = ("studio", "modelslab", "pipeline")[number % 3]
        comparison = history.begin(
            OWNER, requests, kind="comparison", backend=backend, photo_sha256=hash_token("photo"), face=None
        )
        for position in range(EACH):
            thumbnail = thumbnails[(number * EACH + position) % len(thumbnails)]
            largest = max(largest, len(thumbnail))
            shot = history.save_headshot(
                comparison,
                position,
                png=png(number * EACH + position),
                filename=f"headshot-{backend}-seed-{position}-guidance-7.5-steps-21.png",
                thumbnail=thumbnail,
                size=(1024, 1280),
                backend=backend,
                facts={
                    "seconds": 0.5,
                    "likeness": 0.7,
                    "notes": [{"kind": "applied", "text": f"The {backdrop} backdrop."}] * 6,
                    "made_by": {"versions": {"headshot": "1", "numpy": np.__version__}},
                    "face": [300, 300, 400, 400],
                },
            )
            if (number * EACH + position) % 40 == 0:
                history.favourite(OWNER, str(shot), True)
        history.end(comparison)
        if number % (COMPARISONS // OTHERS) == 0:
            history.begin(
                OTHER, requests, kind="comparison", backend=backend, photo_sha256=hash_token("photo"), face=None
            )
    return largest


def measured(history: History) -> list[Figure]:
    """All figures; the first is the row that the others are multiples of."""
    before_50 = None
    for _ in range(49):
        before_50 = history.page(OWNER, before=before_50, limit=PAGE)[-1]
    first = history.page(OWNER, limit=PAGE)
    shot = first[0].headshots[0].id
    assert len(history.page(OWNER, before=before_50, limit=PAGE)) == PAGE

    def last(page: tuple[HistoryEntry, ...], least: int) -> None:
        assert len(page) >= least

    calls: list[tuple[str, Callable[[], object], float | None]] = [
        ("one row by its key", lambda: history.thumbnail(OWNER, shot), None),
        ("the first page", lambda: last(history.page(OWNER), PAGE), GOAL_MS),
        ("page 50", lambda: last(history.page(OWNER, before=before_50), PAGE), GOAL_MS),
        ("a search that many fit", lambda: last(history.page(OWNER, search="Warm Oak"), PAGE), GOAL_MS),
        ("a search that one fits", lambda: last(history.page(OWNER, search="number 3,"), 1), GOAL_MS),
        ("a search that none fits", lambda: last(history.page(OWNER, search="velvet"), 0), GOAL_MS),
        ("a backend", lambda: last(history.page(OWNER, backend="modelslab"), PAGE), GOAL_MS),
        ("a backend that has made nothing", lambda: last(history.page(OWNER, backend="nobody"), 0), GOAL_MS),
        ("the favourites", lambda: last(history.page(OWNER, favourites=True), PAGE), GOAL_MS),
        ("the thumbnails of a page, one by one", lambda: thumbnails(history, first), GOAL_MS),
        ("the disk usage", lambda: history.usage(OWNER), GOAL_MS),
    ]
    return [Figure(what, milliseconds(call), goal) for what, call, goal in calls]


def thumbnails(history: History, page: tuple[HistoryEntry, ...]) -> None:
    for comparison in page:
        for shot in comparison.headshots:
            assert history.thumbnail(OWNER, shot.id)


def milliseconds(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1_000 * statistics.median(times)


def png(number: int) -> bytes:
    """A small picture that differs for each number."""
    pixels = np.full((10, 8, 3), (number % 256, number // 256, 128), np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def portrait(seed: int) -> Image.Image:
    """A picture with the detail of a portrait: smooth shades, and the grain of a good camera."""
    random = np.random.default_rng(seed)
    shades = Image.fromarray(random.integers(40, 220, (16, 13, 3), dtype=np.uint8)).resize((1024, 1280))
    grain = random.normal(0, 4, (1280, 1024, 3))
    return Image.fromarray(np.clip(np.asarray(shades) + grain, 0, 255).astype(np.uint8))


def noise() -> Image.Image:
    """A picture with as much detail as possible."""
    return Image.fromarray(np.random.default_rng(9).integers(0, 256, (1280, 1024, 3), dtype=np.uint8))


if __name__ == "__main__":
    sys.exit(main())
