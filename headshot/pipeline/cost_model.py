"""What a comparison costs in operations, and so about how long it takes before anything was timed."""

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
_PASS_TERAFLOPS: "dict[Family, float]" = {"flux2-klein": 69.0, "sdxl-face": 5.8, "qwen-edit": 305.0}
_PASS_AREA = 896 * 1120
_GUIDED_PASSES = 2  # a step: one with the prompt, one with the negative prompt
_MODEL_SHARE = 0.5  # of the speed of one large product of matrices, which no whole model reaches
_MATRIX_SIDE = 1024  # 2 × 10^9 operations, 40 ms on a slow core


def passes(requests: Sequence[HeadshotRequest]) -> int:
    """How many times the model runs over one picture for all these requests.

    A bucket counts as full even if it is not: it costs the same.
    """
    groups = Counter(
        (request.prompt, request.negative_prompt, request.num_inference_steps, request.guidance_scale > 1)
        for request in requests
    )
    return sum(
        BUCKET * ceil(count / BUCKET) * steps * (_GUIDED_PASSES if guided else 1)
        for (_, _, steps, guided), count in groups.items()
    )


def teraflops_per_pass(spec: "ModelSpec") -> float:
    """Operations of one pass over one picture, in 10^12; correct to about ±50%."""
    width, height = spec.size
    return _PASS_TERAFLOPS[spec.family] * width * height / _PASS_AREA


def teraflops_per_second(device: "Device", dtype: str) -> float:
    """Measure a device's speed on a whole model, in 10^12 operations a second, with one product of matrices."""
    import torch

    side = _MATRIX_SIDE if device.name == "cpu" else 4 * _MATRIX_SIDE  # on a GPU the launch would dominate
    matrix = torch.ones(side, side, device=device.name, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(3):  # the first one also includes the device's start
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - started)
    return _MODEL_SHARE * 2 * side**3 / best / 1e12
