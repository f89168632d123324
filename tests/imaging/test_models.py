"""The networks that travel with the project: the right bytes, named origins, and no noise."""

import hashlib
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from paths import ROOT

from headshot.imaging import models

FILES = sorted(models.FOLDER.glob("*.onnx"))
LINES = (models.FOLDER / "SHA256SUMS").read_text(encoding="ascii").splitlines()
SUMS = {name: checksum for checksum, name in (line.split("  ") for line in LINES)}
EXAMPLE = ROOT / "headshot" / "examples" / "astronaut.png"
LOAD_ALL = """
import numpy as np
from headshot.imaging import models
for path in models.FOLDER.glob("*.onnx"):
    models.session(path.stem)
print(len(models.detect_faces(np.zeros((64, 64, 3), np.uint8))))
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_has_the_checksum_on_record(path: Path) -> None:
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SUMS[path.name]


def test_checksums_and_notice_name_every_file_and_no_other() -> None:
    names = {path.name for path in FILES}
    assert len(names) == 5
    assert set(SUMS) == names
    notice = (models.FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+\.onnx)` \|(.+)\|$", notice, re.MULTILINE)
    assert {name for name, _ in rows} == names
    assert all(re.search(r"\b(MIT|Apache-2\.0)\b", about) for _, about in rows), "a licence is missing"


def test_loading_and_running_prints_nothing_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:headshot", "-c", LOAD_ALL],
        capture_output=True,
        text=True,
        cwd=models.FOLDER.parents[2],
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_a_network_is_loaded_once() -> None:
    assert models.session("selfie_segmentation") is models.session("selfie_segmentation")


def test_the_detector_gives_the_same_rows_from_many_threads_at_many_sizes() -> None:
    picture = cv2.imread(str(EXAMPLE))
    assert picture is not None
    pictures = [cv2.resize(picture, (side, side)) for side in (320, 400, 512)]
    alone = [models.detect_faces(one) for one in pictures]
    assert all(len(rows) >= 1 and rows.shape[1] == 15 for rows in alone)
    ready = threading.Barrier(4)

    def look(turn: int) -> bool:
        ready.wait()
        return all(np.array_equal(models.detect_faces(pictures[i % 3]), alone[i % 3]) for i in range(turn, turn + 6))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(look, range(4)))


def test_a_picture_without_a_face_gives_no_rows() -> None:
    rows = models.detect_faces(np.full((200, 300, 3), 128, np.uint8))
    assert rows.shape == (0, 15) and rows.dtype == np.float32
