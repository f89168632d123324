"""Headshots and runs without pixels, for tests of what is shown and kept."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from stub import StubBackend

from headshot.comparison.axes import plan
from headshot.imaging.face import Face
from headshot.imaging.photo import Photo
from headshot.request import HeadshotRequest, Note
from headshot.runs.run import Run
from headshot.runs.saved_headshot import PhotoCopy, SavedHeadshot

PHOTO = Photo.from_image(Image.new("RGB", (80, 80)))
REQUEST = HeadshotRequest(seed=1)


def saved(seed: int, *notes: Note, likeness: float | None = 0.7, **request: Any) -> SavedHeadshot:
    return SavedHeadshot(
        id=f"shot{seed}",
        request=HeadshotRequest(seed=seed, **request),
        backend="stub",
        made_by="",
        photo_sha256=PHOTO.sha256,
        face=None,
        filename=f"headshot-stub-seed-{seed}.png",
        size=(640, 800),
        seconds=1.25,
        likeness=likeness,
        notes=notes,
        path=Path(f"/nowhere/shot{seed}/headshot-stub-seed-{seed}.png"),
        thumbnail_path=Path(f"/nowhere/thumbnail{seed}/thumbnail.jpg"),
        picture=f"p{seed}",
        thumbnail=f"t{seed}",
        overlaid=f"o{seed}",
        photo_copy=PhotoCopy(Path("/nowhere/photo/photo.jpg"), (1.0, 2.0, 3.0, 4.0)),
    )


def new_run(requests: list[HeadshotRequest], photo: Photo | None = None) -> Run:
    """Call it on an event loop."""
    face = Face((10.0, 10.0, 40.0, 50.0), np.zeros((5, 2), np.float32), 0.9)
    return Run(requests, photo, face, None, [StubBackend()])


def run_of(*shots: SavedHeadshot, of: int) -> Run:
    """A run of so many seeds that has these headshots."""

    async def make() -> Run:
        run = new_run(plan(REQUEST, list(range(1, of + 1))))
        run.headshots.extend(shots)
        return run

    return asyncio.run(make())
