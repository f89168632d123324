"""Runs the local pipeline on tiny models loaded from disk, for its tests."""

import asyncio
from collections.abc import Sequence
from typing import Any

import tiny

from headshot.errors import HeadshotError
from headshot.imaging.photo import Photo
from headshot.pipeline.backend import Pipeline
from headshot.pipeline.hardware import Device
from headshot.pipeline.model_specs import Family
from headshot.progress import HeadshotStatus, Progress, Step
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings

CPU = Device("cpu", "the processor", "float32", 8.0)
REQUEST = HeadshotRequest()


def pipeline(family: Family = "sdxl-face", *, devices: Sequence[Device] | None = (CPU,), **named: Any) -> Pipeline:
    """A real pipeline with tiny weights on disk."""
    settings = Settings(pipeline=str(named.pop("folder", tiny.folder(family))), **named.pop("settings", {}))
    return Pipeline(settings, devices=devices, spec=tiny.tiny_spec(family), **named)


def generate(
    backend: Pipeline, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress | None = None
) -> list[Headshot]:
    headshots: list[Headshot] = []

    async def run() -> None:
        async for headshot in backend.generate(photo, requests, progress or Progress()):
            headshots.append(headshot)

    try:
        asyncio.run(run())
    except HeadshotError as error:
        error.headshots = tuple(headshots)
        raise
    return headshots


class Recorder:
    """Records everything that a comparison reports, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.statuses: list[HeadshotStatus] = []
        self.progress = Progress(self.steps.append, self.statuses.append)
