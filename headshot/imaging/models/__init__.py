"""The five small networks that travel with the project. Nothing is ever downloaded; see NOTICE.md for origins."""

import threading
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent
_THREADS = 2  # the machine the studio is made for has two cores; more threads would only wait for each other
_ERRORS_ONLY = 3  # onnxruntime's severity scale; the files carry harmless unused initialisers that it warns about


@cache
def session(name: str) -> onnxruntime.InferenceSession:
    """The network in `<name>.onnx`, loaded once a process. `run` on it is safe from several threads."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = _THREADS
    # A thread that has nothing to do waits instead of spinning: a comparison takes 13 % less CPU and 7 % less time, for
    # the renderer has the core meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it never shrinks; without it the peak falls and the time does not rise
    return onnxruntime.InferenceSession(FOLDER / f"{name}.onnx", options, providers=["CPUExecutionProvider"])


def run(name: str, batch: np.ndarray) -> list[np.ndarray]:
    """All outputs of a network with one input."""
    network = session(name)
    outputs: list[np.ndarray] = network.run(None, {network.get_inputs()[0].name: batch})
    return outputs


_yunet_lock = threading.Lock()


@cache
def _yunet() -> cv2.FaceDetectorYN:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns about targets it does not know
    # A score of 0.6, which true faces in a crowd reach; boxes that overlap by 0.3 are one face; at most 200 of them.
    return cv2.FaceDetectorYN.create(str(FOLDER / "yunet_f32.onnx"), "", (320, 320), 0.6, 0.3, 200)


def detect_faces(bgr: np.ndarray) -> np.ndarray:
    """YuNet's rows for a (H, W, 3) uint8 BGR picture: (n, 15) float32 of x, y, w, h, five points, score."""
    with _yunet_lock:  # the detector keeps its input size as state
        detector = _yunet()
        detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = detector.detect(bgr)
    return np.empty((0, 15), np.float32) if rows is None else rows
