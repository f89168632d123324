"""Portraits as the studio analyses and renders them, for its tests."""

from functools import cache

import numpy as np
import portraits

from headshot.imaging import face
from headshot.studio import analysis, render
from headshot.studio.prompt.style_spec import StyleSpec

PORTRAITS = ("portrait", "astronaut")


@cache
def analysed(kind: str, steps: int = 21) -> analysis.Analysis:
    pixels = picture(kind)
    found = face.find(pixels)
    return analysis.analyse(pixels, found[0], found[1:], steps=steps)


@cache
def picture(kind: str) -> np.ndarray:
    made = portraits.photograph(kind) if kind in PORTRAITS else getattr(portraits, kind)()
    return made[0] if isinstance(made, tuple) else made  # long_hair also gives the truth about its strands


def rendered(kind: str, look: StyleSpec, guidance_scale: float = 7.5, seed: int | None = None) -> np.ndarray:
    setup = render.prepare_look(analysed(kind), look, guidance_scale)
    jitter = render.SeedJitter() if seed is None else render.SeedJitter.of(seed)
    return render.render_frame(setup, jitter)[0]


def same_face(pixels: np.ndarray) -> face.Face:
    found = face.find(pixels)
    assert len(found) == 1
    return found[0]
