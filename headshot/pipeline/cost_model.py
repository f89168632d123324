"""What a comparison costs: how many operations it takes, and so, before anything was timed, about how long."""

import time
from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from headshot.request import HeadshotRequest

from .model_specs import BUCKET

if TYPE_CHECKING:
    from .hardware import Device
    from .model_specs import Family, ModelSpec

# Operations (10^12) of one pass over one picture of 896 × 1120 px: for the transformers 2 × parameters × tokens (the
# picture's 3,920, the reference's 2,304, the prompt's 512) and 4 × tokens² × width × layers of attention; SDXL's U-Net
# is published with 6.0 at 1024 × 1024, where its work grows with the area.
_PASS: "dict[Family, float]" = {"flux2-klein": 69.0, "sdxl-face": 5.8, "qwen-edit": 305.0}
_PASS_AREA = 896 * 1120
_GUIDED = 2  # passes a step: with the prompt, and with the negative one
_SHARE = 0.5  # of the speed of one large product of matrices, which no whole model reaches
_PRODUCT = 1024  # the side of those matrices: 2 × 10^9 operations, 40 ms on a slow core


def passes(requests: Sequence[HeadshotRequest]) -> int:
    """How often the model looks at one picture for all of these; a bucket costs the same whether it is full or not."""
    groups = Counter(
        (request.prompt, request.negative_prompt, request.num_inference_steps, request.guidance_scale > 1)
        for request in requests
    )
    return sum(
        BUCKET * ceil(count / BUCKET) * steps * (_GUIDED if guided else 1)
        for (_, _, steps, guided), count in groups.items()
    )


def teraflops(recipe: "ModelSpec") -> float:
    """The operations of one pass over one picture, in 10^12; right within a half."""
    width, height = recipe.size
    return _PASS[recipe.family] * width * height / _PASS_AREA


def speed(device: "Device", dtype: str) -> float:
    """The 10^12 operations that a device does a second on a whole model: measured on one product of matrices."""
    import torch

    side = _PRODUCT if device.name == "cpu" else 4 * _PRODUCT  # a GPU would be done before it was asked
    matrix = torch.ones(side, side, device=device.name, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(3):  # the first one also wakes the device
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # to have a number in hand is to wait for it
        best = min(best, time.perf_counter() - started)
    return _SHARE * 2 * side**3 / best / 1e12
