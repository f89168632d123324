"""Labels of headshots and of their settings, in words for people."""

from collections.abc import Sequence

from headshot.request import HeadshotRequest

from .axes import varying_fields
from .matrix import Matrix
from .presets import preset_of

_WORDS = {"seed": "seed {}", "guidance_scale": "guidance {:g}", "num_inference_steps": "{} steps"}
_LONG_CHARS = 60  # of a prompt without a preset: a longer one does not fit in one line


def label(request: HeadshotRequest, among: Sequence[HeadshotRequest]) -> str:
    """Return the settings in which a headshot differs from the others, or its seed: `Seed 2`, `Guidance 4`.

    Args:
        request: the headshot's.
        among: those of the whole comparison.
    """
    varied = varying_fields(among)
    fields = [field for field in _WORDS if field in varied] or ["seed"]
    words = " · ".join(_WORDS[field].format(getattr(request, field)) for field in fields)
    return words[0].upper() + words[1:]


def labels(requests: Sequence[HeadshotRequest]) -> dict[HeadshotRequest, str]:
    """Return the label of each request of a comparison: by row and column if they are a matrix of several rows."""
    matrix = Matrix.spanned(requests)
    if matrix is None or len(matrix.rows()) < 2:
        return {request: label(request, requests) for request in requests}
    rows, columns = matrix.rows(), matrix.columns()
    return {request: " · ".join([*rows[row], *columns[column]]) for (row, column), request in matrix.cells().items()}


def differences_from(request: HeadshotRequest, others: Sequence[HeadshotRequest]) -> list[str]:
    """Return how a headshot of another comparison differs from these, in the settings that all of these share."""
    varied = varying_fields(others)
    wanted = varying_fields([request, *others])
    words = [_WORDS[name].format(getattr(request, name)) for name in _WORDS if name in wanted and name not in varied]
    if "prompt" in wanted or "negative_prompt" in wanted:
        words.append(preset_of(request) or "another prompt")
    return words


def setting_labels(request: HeadshotRequest, maker: str = "", name: str = "") -> list[str]:
    """Return settings for people: `Corporate`, `guidance 7.5`, `21 steps`, `seed 1`, `Studio`.

    Args:
        request: the settings.
        maker: the backend's title, or "".
        name: of the settings; "" for the name of the preset with this prompt.
    """
    prompt = " ".join(request.prompt.split())
    short = prompt if len(prompt) <= _LONG_CHARS else f"{prompt[: _LONG_CHARS - 1].rstrip()}…"
    called = name or preset_of(request) or (f"“{short}”" if short else "No prompt")
    words = [called, f"guidance {request.guidance_scale:g}", f"{request.num_inference_steps} steps"]
    return [*words, *([] if request.seed is None else [f"seed {request.seed}"]), *([maker] if maker else [])]


def size_label(matrix: Matrix) -> str:
    """Return how many headshots a matrix has, and why: `12 headshots (2 seeds × 2 guidance × 3 prompts)`."""
    counts = {
        "seeds": len(matrix.seeds),
        "guidance": len(matrix.guidance_scales),
        "steps": len(matrix.num_inference_steps),
        "prompts": len(matrix.prompts),
    }
    factors = " × ".join(f"{count} {axis}" for axis, count in counts.items() if count > 1)
    return f"{matrix.size:,} headshot{'' if matrix.size == 1 else 's'}{f' ({factors})' if factors else ''}"
