"""The five small networks that are part of the project. Nothing is downloaded; see NOTICE.md for their origins."""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent
_THREADS = 2  # the studio is made for a machine with two cores; more threads would wait for each other
_ERRORS_ONLY = 3  # onnxruntime's severity scale; the files carry harmless unused initialisers that it warns about


@cache
def session(name: str) -> onnxruntime.InferenceSession:
    """The network in `<name>.onnx`, loaded once in a process; its `run` is thread-safe."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = _THREADS
    # An idle thread waits instead of spinning: a comparison takes 13 % less CPU and 7 % less time, because the renderer
    # can use the core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # the arena never shrinks; without it the peak is lower and the time the same
    return onnxruntime.InferenceSession(FOLDER / f"{name}.onnx", options, providers=["CPUExecutionProvider"])


def run(name: str, batch: np.ndarray) -> list[np.ndarray]:
    """All outputs of a network with one input.

    Args:
        name: As for `session`.
        batch: The input.
    """
    network = session(name)
    outputs: list[np.ndarray] = network.run(None, {network.get_inputs()[0].name: batch})
    return outputs


_yunet_lock = threading.Lock()


@cache
def _yunet() -> cv2.FaceDetectorYN:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns about targets it does not know
    # A score of 0.6, which real faces in a crowd reach; boxes that overlap by 0.3 are one face; at most 200 faces.
    return cv2.FaceDetectorYN.create(str(FOLDER / "yunet_f32.onnx"), "", (320, 320), 0.6, 0.3, 200)


def detect_faces(bgr: np.ndarray) -> np.ndarray:
    """Detect faces with YuNet.

    Args:
        bgr: (H, W, 3) uint8 BGR.

    Returns:
        (n, 15) float32: x, y, width, height, five points, score.
    """
    with _yunet_lock:  # the detector keeps its input size as state
        detector = _yunet()
        detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = detector.detect(bgr)
    return np.empty((0, 15), np.float32) if rows is None else rows
