"""ZeroGPU: the requested duration, that only plain values cross to the process with the GPU, and Stop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from PIL import Image

from headshot.comparison.axes import plan
from headshot.errors import Stopped
from headshot.pipeline import cost_model, zerogpu
from headshot.pipeline.model_specs import MODEL_SPECS
from headshot.request import HeadshotRequest

REQUEST = HeadshotRequest()

# A stand-in for the package `spaces`: it asks for the duration, pickles arguments and results, closes the task when it
# is closed, and raises Gradio's own error if no GPU is available.
_SPACES = """
import pickle

class Error(Exception):
    __module__ = "gradio.exceptions"
    def __init__(self, message):
        self.message = message

durations, crossed, closed, spent = [], [], [], []

def GPU(duration):
    def decorate(task):
        def wrapped(*args):
            durations.append(duration(*args))
            if spent:
                raise Error("<b>You have exceeded your GPU quota</b>.")
            args = pickle.loads(pickle.dumps(args))
            work = task(*args)
            try:
                for item in work:
                    crossed.append(type(item).__name__)
                    yield pickle.loads(pickle.dumps(item))
            except GeneratorExit:
                work.close()
                closed.append(True)
                raise
        return wrapped
    return decorate
"""
_SPACE = """
import asyncio, json
from pathlib import Path
import tiny, torch, spaces
torch.set_num_threads(1)
from headshot.comparison.axes import plan
from headshot.errors import HeadshotError
from headshot.imaging.photo import Photo
from headshot.pipeline import zerogpu
from headshot.pipeline.backend import Pipeline
from headshot.pipeline.hardware import Device
from headshot.request import HeadshotRequest
from headshot.progress import Progress
from headshot.settings import Settings

zerogpu.TERAFLOPS_PER_SECOND = 0.05  # so slow that tiny models take some seconds
backend = Pipeline(
    Settings(pipeline=str(tiny.folder("sdxl-face")), pipeline_idle_minutes=1),
    devices=[Device("cpu", "the processor", "float32", 8.0)],
    spec=tiny.tiny_spec("sdxl-face"),
)
loaded_at_start = list(zerogpu._models_on_gpu)
backend.warm_up()  # there is no GPU outside of a task, so that this must not touch one
photo = Photo.from_bytes(Path("headshot/examples/portrait.jpg").read_bytes())

def generate(seeds, steps=21, progress=None):
    async def run():
        request = HeadshotRequest(num_inference_steps=steps)
        return [shot async for shot in backend.generate(photo, plan(request, seeds), progress or Progress())]
    try:
        return [shot.request.seed for shot in asyncio.run(run())]
    except HeadshotError as error:
        return f"{type(error).__name__}: {error}"

report = {"loaded": loaded_at_start, "ready": backend.readiness().ready, "idle": backend._idle_seconds}
report["four"] = generate([1, 2, 3, 4])
report["five"] = generate([1, 2, 3, 4, 5])
report["finer"] = generate([1], steps=41)
report["durations"] = spaces.durations[:]
report["crossed"] = sorted(set(spaces.crossed))
stopping = Progress(lambda step: stopping.cancel() if step.stage == "Step 5 of 21" else None)
before = len(spaces.crossed)
report["stopped"] = generate([1], progress=stopping)
backend._pool.submit(lambda worker: None).result()  # runs after the stopped task has left the device
report["steps before Stop"] = len(spaces.crossed) - before
report["closed"] = spaces.closed[:]
loaded = zerogpu._models_on_gpu["sdxl-face"]
whole = loaded.pipe.unet.forward
loaded.pipe.unet.forward = lambda *args, **named: (whole(*args, **named)[0] * float("nan"),)
report["our own error"] = generate([1])
loaded.pipe.unet.forward = whole
spaces.spent.append(True)
report["refused"] = generate([1])
print(json.dumps(report))
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A folder for sys.path in which a package `spaces` says that this is a Space with ZeroGPU."""
    package = tmp_path / "spaces"
    package.mkdir()
    (package / "__init__.py").write_text(_SPACES, encoding="utf-8")
    (package / "config.py").write_text("class Config:\n    zero_gpu = True\n", encoding="utf-8")
    return tmp_path


def run(script: str, *paths: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT, ROOT / "tests")))}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1]


def test_on_a_space_the_duration_follows_steps_and_seeds_and_plain_values_cross(space: Path) -> None:
    report = json.loads(run(_SPACE, space))
    assert report["loaded"] == ["sdxl-face"]  # before the first request
    assert report["ready"] is True
    assert report["idle"] is None  # the models are never unloaded
    assert report["four"] == [1, 2, 3, 4]
    assert report["five"] == [1, 2, 3, 4, 5]
    assert report["finer"] == [1]
    four, five, finer = report["durations"]
    start = zerogpu._START_SECONDS
    assert five - start == pytest.approx(2 * (four - start), abs=2)  # another bucket
    assert finer - start == pytest.approx((four - start) * 41 / 21, abs=2)
    assert report["crossed"] == ["BatchEvent", "StepEvent"]
    assert report["stopped"].startswith("Stopped: ")
    assert 5 <= report["steps before Stop"] <= 7
    assert report["closed"] == [True]
    assert report["our own error"].startswith("Unavailable: The model's numbers left the range")
    assert report["refused"] == (
        "Unavailable: The Space's GPU cannot be had now (You have exceeded your GPU quota): "
        "try again later, or choose another backend."
    )


def test_without_zerogpu_the_task_is_left_as_it_is(space: Path) -> None:
    script = (
        "from headshot.pipeline import zerogpu\n"
        "def task(): yield 1\n"
        "print(zerogpu.on_zerogpu(), zerogpu.gpu_function(task, lambda: 60) is task)"
    )
    assert run(script) == "False True"
    assert run(script, space) == "True False"
    (space / "spaces" / "config.py").write_text("class Config:\n    zero_gpu = False\n", encoding="utf-8")
    assert run(script, space) == "False True"


def test_a_folder_called_spaces_is_not_mistaken_for_the_package(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    assert run("from headshot.pipeline import zerogpu; print(zerogpu.on_zerogpu())", tmp_path) == "False"


@pytest.mark.parametrize("name", list(MODEL_SPECS))
def test_no_duration_is_longer_than_a_space_grants(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeLoaded:
        spec = MODEL_SPECS[name]

    monkeypatch.setitem(zerogpu._models_on_gpu, name, FakeLoaded())  # type: ignore[arg-type]
    face = Image.new("RGB", (8, 8))
    one = zerogpu._seconds(name, face, tuple(plan(REQUEST, [1])))
    most = zerogpu._seconds(name, face, tuple(plan(REQUEST.model_copy(update={"num_inference_steps": 41}), range(16))))
    assert zerogpu._START_SECONDS < one <= most <= zerogpu._MAX_SECONDS


def test_closing_ends_the_work_at_its_next_event() -> None:
    reached: list[int] = []

    def counting(on_event: object) -> None:
        for number in range(1_000_000):
            reached.append(number)
            on_event(number)  # type: ignore[operator]

    numbers = zerogpu.forward_events(counting)
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    numbers.close()
    assert len(reached) < 1_000_000


def test_an_error_of_the_work_is_raised_after_its_events() -> None:
    def failing(on_event: object) -> None:
        on_event("first")  # type: ignore[operator]
        raise Stopped("Stopped.")

    received = []
    with pytest.raises(Stopped):
        received.extend(zerogpu.forward_events(failing))
    events = zerogpu.forward_events(failing)
    assert next(events) == "first"


def test_a_bucket_costs_the_same_whether_it_is_full_and_half_without_guidance() -> None:
    one, four, five = (cost_model.passes(plan(REQUEST, range(count))) for count in (1, 4, 5))
    assert one == four == 2 * 4 * 21
    assert five == 2 * four
    unguided = REQUEST.model_copy(update={"guidance_scale": 1.0})
    assert cost_model.passes(plan(unguided, range(4))) == four / 2
