"""ZeroGPU: how long a GPU is asked for, that only plain values cross to the process that has it, and Stop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from PIL import Image

from headshot.comparison.comparing import plan
from headshot.errors import Stopped
from headshot.pipeline import cost_model, zerogpu
from headshot.pipeline.model_specs import MODEL_SPECS
from headshot.request import HeadshotRequest

REQUEST = HeadshotRequest()

# What `spaces` is to a program: it asks for the duration, pickles what goes to its process and what comes back, ends
# the work when it is closed, and raises Gradio's own error where it has no GPU to lend.
_SPACES = """
import pickle

class Error(Exception):
    __module__ = "gradio.exceptions"
    def __init__(self, message):
        self.message = message

durations, crossed, closed, spent = [], [], [], []

def GPU(duration):
    def decorate(task):
        def borrowing(*args):
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
        return borrowing
    return decorate
"""
_SPACE = """
import asyncio, json
from pathlib import Path
import tiny, torch, spaces
torch.set_num_threads(1)
from headshot.compare import plan
from headshot.errors import HeadshotError
from headshot.photo import Photo
from headshot.pipeline import zerogpu
from headshot.pipeline.backend import Pipeline
from headshot.pipeline.hardware import Device
from headshot.request import HeadshotRequest
from headshot.progress import Progress
from headshot.settings import Settings

zerogpu.TERAFLOPS = 0.05  # so slow that tiny models take a time worth asking for
backend = Pipeline(
    Settings(pipeline=str(tiny.folder("sdxl-face")), pipeline_idle_minutes=1),
    devices=[Device("cpu", "the processor", "float32", 8.0)],
    recipe=tiny.tiny_recipe("sdxl-face"),
)
placed = list(zerogpu._placed)
backend.warm_up()  # there is no GPU outside of a task, so that this must not touch one
photo = Photo.from_bytes(Path("tests/photos/portrait.jpg").read_bytes())

def shoot(seeds, steps=21, progress=None):
    async def run():
        request = HeadshotRequest(num_inference_steps=steps)
        return [shot async for shot in backend.shoot(photo, plan(request, seeds), progress or Progress())]
    try:
        return [shot.request.seed for shot in asyncio.run(run())]
    except HeadshotError as error:
        return f"{type(error).__name__}: {error}"

told = {"placed": placed, "ready": backend.readiness().ready, "idle": backend._idle_seconds}
told["four"] = shoot([1, 2, 3, 4])
told["five"] = shoot([1, 2, 3, 4, 5])
told["finer"] = shoot([1], steps=41)
told["durations"] = spaces.durations[:]
told["crossed"] = sorted(set(spaces.crossed))
stopping = Progress(lambda step: stopping.stop() if step.stage == "Step 5 of 21" else None)
before = len(spaces.crossed)
told["stopped"] = shoot([1], progress=stopping)
backend._benches.submit(lambda bench: None).result()  # its turn comes once the stopped work has left
told["steps before Stop"] = len(spaces.crossed) - before
told["closed"] = spaces.closed[:]
loaded = zerogpu._placed["sdxl-face"]
whole = loaded.pipe.unet.forward
loaded.pipe.unet.forward = lambda *args, **named: (whole(*args, **named)[0] * float("nan"),)
told["our own error"] = shoot([1])
loaded.pipe.unet.forward = whole
spaces.spent.append(True)
told["declined"] = shoot([1])
print(json.dumps(told))
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


def test_on_a_space_the_gpu_is_asked_for_by_steps_and_seeds_and_plain_values_cross(space: Path) -> None:
    told = json.loads(run(_SPACE, space))
    assert told["placed"] == ["sdxl-face"]  # before anybody asked for a headshot
    assert told["ready"] is True
    assert told["idle"] is None  # what was placed stays
    assert told["four"] == [1, 2, 3, 4]
    assert told["five"] == [1, 2, 3, 4, 5]
    assert told["finer"] == [1]
    four, five, finer = told["durations"]
    fetching = zerogpu._FETCHING_SECONDS
    assert five - fetching == pytest.approx(2 * (four - fetching), abs=2)  # another bucket
    assert finer - fetching == pytest.approx((four - fetching) * 41 / 21, abs=2)
    assert told["crossed"] == ["Made", "Stepped"]
    assert told["stopped"].startswith("Stopped: ")
    assert 5 <= told["steps before Stop"] <= 7
    assert told["closed"] == [True]
    assert told["our own error"].startswith("Unavailable: The model's numbers left the range")
    assert told["declined"] == (
        "Unavailable: The Space's GPU cannot be had now (You have exceeded your GPU quota): "
        "try again later, or choose another backend."
    )


def test_where_spaces_has_nothing_to_lend_the_task_is_left_as_it_is(space: Path) -> None:
    script = (
        "from headshot.pipeline import zerogpu\n"
        "def task(): yield 1\n"
        "print(zerogpu.on_zerogpu(), zerogpu.gpu_function(task, lambda: 60) is task)"
    )
    assert run(script) == "False True"
    assert run(script, space) == "True False"
    (space / "spaces" / "config.py").write_text("class Config:\n    zero_gpu = False\n", encoding="utf-8")
    assert run(script, space) == "False True"


def test_any_folder_called_spaces_is_not_taken_for_the_package(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    assert run("from headshot.pipeline import zerogpu; print(zerogpu.on_zerogpu())", tmp_path) == "False"


@pytest.mark.parametrize("name", list(MODEL_SPECS))
def test_no_duration_is_beyond_what_a_space_grants(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Placed:
        recipe = MODEL_SPECS[name]

    monkeypatch.setitem(zerogpu._placed, name, Placed())  # type: ignore[arg-type]
    face = Image.new("RGB", (8, 8))
    one = zerogpu._seconds(name, face, tuple(plan(REQUEST, [1])))
    most = zerogpu._seconds(name, face, tuple(plan(REQUEST.model_copy(update={"num_inference_steps": 41}), range(16))))
    assert zerogpu._FETCHING_SECONDS < one <= most <= zerogpu._MOST_SECONDS


def test_closing_ends_the_work_at_the_next_thing_that_it_tells() -> None:
    reached: list[int] = []

    def counting(tell: object) -> None:
        for number in range(1_000_000):
            reached.append(number)
            tell(number)  # type: ignore[operator]

    numbers = zerogpu.forward_events(counting)
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    numbers.close()
    assert len(reached) < 1_000_000


def test_what_the_work_raises_is_raised_after_what_it_told() -> None:
    def failing(tell: object) -> None:
        tell("first")  # type: ignore[operator]
        raise Stopped("Stopped.")

    heard = []
    with pytest.raises(Stopped):
        heard.extend(zerogpu.forward_events(failing))
    news = zerogpu.forward_events(failing)
    assert next(news) == "first"


def test_a_bucket_costs_the_same_whether_it_is_full_and_half_without_guidance() -> None:
    one, four, five = (cost_model.passes(plan(REQUEST, range(count))) for count in (1, 4, 5))
    assert one == four == 2 * 4 * 21
    assert five == 2 * four
    unguided = REQUEST.model_copy(update={"guidance_scale": 1.0})
    assert cost_model.passes(plan(unguided, range(4))) == four / 2
