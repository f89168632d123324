"""`shoot`, as a script or a notebook calls it, with the real studio and a real portrait."""

import asyncio
import hashlib
import inspect
import io
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from paths import ROOT
from PIL import Image

from headshot import Headshot, HeadshotRequest, Note, Photo, Progress, shoot
from headshot.errors import PhotoError, RequestError, Stopped
from headshot.imaging import face, models
from headshot.progress import Step
from headshot.request import MAX_SEED

EXAMPLE = ROOT / "headshot" / "examples" / "astronaut.png"
PORTRAIT = ROOT / "headshot" / "examples" / "portrait.jpg"
PROMPT = "professional headshot, navy backdrop, soft loop light"


@dataclass(frozen=True)
class Run:
    """One call of `shoot` for seeds 1, 2 and none, and what was heard of it."""

    headshots: list[Headshot]
    steps: list[Step]
    seconds: float


@pytest.fixture(scope="module")
def run() -> Run:
    steps: list[Step] = []
    started = time.perf_counter()
    headshots = shoot(EXAMPLE, prompt=PROMPT, seeds=[1, 2, None], progress=Progress(steps.append))
    return Run(headshots, steps, time.perf_counter() - started)


def test_the_call_is_the_documented_one() -> None:
    parameters = inspect.signature(shoot).parameters
    assert list(parameters)[:7] == [
        *("photo", "prompt", "negative_prompt", "num_inference_steps", "guidance_scale", "seeds", "backend")
    ]
    default = HeadshotRequest()
    for name in ("prompt", "negative_prompt", "num_inference_steps", "guidance_scale"):
        assert parameters[name].default == getattr(default, name)
    assert parameters["backend"].default == "auto"


def test_each_seed_gives_one_finished_headshot_in_the_seeds_order(run: Run) -> None:
    assert len(run.headshots) == 3
    for made in run.headshots:
        assert isinstance(made.image, Image.Image) and made.image.mode == "RGB"
        assert made.image.width >= 800 and made.image.height > made.image.width
        assert made.backend == "studio"
        assert 0 < made.seconds < run.seconds
        assert made.likeness is not None and face.SAME_PERSON < made.likeness <= 1
        assert made.notes and all(isinstance(note, Note) and note.text for note in made.notes)
        assert any(note.kind == "applied" and "navy" in note.text for note in made.notes)
    assert [made.request.seed for made in run.headshots[:2]] == [1, 2]


def test_the_request_on_a_headshot_says_everything_that_is_needed_to_repeat_it(run: Run) -> None:
    nobody_chose = run.headshots[2].request
    assert nobody_chose.seed is not None and 0 <= nobody_chose.seed <= MAX_SEED
    assert nobody_chose == HeadshotRequest(prompt=PROMPT, seed=nobody_chose.seed)
    (again,) = shoot(EXAMPLE, **nobody_chose.model_dump(exclude={"seed"}), seeds=[nobody_chose.seed])
    assert again.request == nobody_chose
    assert again.png == run.headshots[2].png


def test_the_files_bytes_are_the_picture_exactly(run: Run) -> None:
    for made in run.headshots:
        with Image.open(io.BytesIO(made.png)) as decoded:
            assert decoded.format == "PNG"
            assert np.array_equal(np.asarray(decoded.convert("RGB")), np.asarray(made.image))


def test_seeds_differ_and_each_file_is_named_by_its_own(run: Run) -> None:
    assert len({made.png for made in run.headshots}) == 3
    assert run.headshots[0].filename == "headshot-studio-seed-1-guidance-7.5-steps-21.png"
    drawn = run.headshots[2].request.seed
    assert run.headshots[2].filename == f"headshot-studio-seed-{drawn}-guidance-7.5-steps-21.png"


def test_progress_tells_stages_and_counts_up_to_the_end(run: Run) -> None:
    assert {step.total for step in run.steps} == {3}
    counts = [step.done for step in run.steps]
    assert counts == sorted(counts) and set(counts) == {0, 1, 2, 3}
    assert len({step.stage for step in run.steps}) >= 2
    assert all(step.stage and step.stage[0].isupper() for step in run.steps)


FORMS: dict[str, Callable[[], Any]] = {
    "a path as text": lambda: str(EXAMPLE),
    "bytes": EXAMPLE.read_bytes,
    "a PIL image": lambda: Image.open(EXAMPLE),
    "a Photo": lambda: Photo.open(EXAMPLE),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_in_any_form_gives_the_same_bytes(run: Run, form: str) -> None:
    (made,) = shoot(FORMS[form](), prompt=PROMPT, seeds=[1])
    assert made.png == run.headshots[0].png


def test_a_seed_gives_the_same_bytes_alone_beside_others_and_in_any_order(run: Run) -> None:
    (alone,) = shoot(EXAMPLE, prompt=PROMPT, seeds=[2])
    beside = shoot(EXAMPLE, prompt=PROMPT, seeds=[77, 2, 1, 2])
    assert [made.request.seed for made in beside] == [77, 2, 1, 2]
    one, two = run.headshots[0].png, run.headshots[1].png
    assert alone.png == two
    assert [made.png for made in beside[1:]] == [two, one, two]


def test_calls_from_several_threads_do_not_mix(run: Run) -> None:
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(shoot, EXAMPLE, prompt=PROMPT, seeds=[seed]) for seed in (1, 2)]
        assert [call.result()[0].png for call in calls] == [made.png for made in run.headshots[:2]]


def test_it_works_where_an_event_loop_is_running_as_in_a_notebook(run: Run) -> None:
    async def cell() -> list[Headshot]:
        return shoot(EXAMPLE, prompt=PROMPT, seeds=[1])

    (made,) = asyncio.run(cell())
    assert made.png == run.headshots[0].png


FRESH = """
import hashlib, sys
import headshot
assert not {"gradio", "torch", "diffusers", "fastapi", "httpx"} & set(sys.modules), "importing headshot is not light"
for made in headshot.shoot(sys.argv[1], prompt=sys.argv[2], seeds=[2, 1]):
    print(hashlib.sha256(made.png).hexdigest())
"""


def test_a_fresh_process_makes_the_same_bytes_quietly_and_the_pages_limit_does_not_bind_it(run: Run) -> None:
    fresh = subprocess.run(
        [sys.executable, "-c", FRESH, str(EXAMPLE), PROMPT],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HEADSHOT_MAX_HEADSHOTS": "1"},
        timeout=120,
        check=False,
    )
    assert (fresh.returncode, fresh.stderr) == (0, "")
    assert fresh.stdout.split() == [hashlib.sha256(made.png).hexdigest() for made in run.headshots[1::-1]]


def test_a_second_call_with_the_same_photo_does_not_analyse_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    run_network = models.run

    def counted(name: str, batch: np.ndarray) -> list[np.ndarray]:
        asked.append(name)
        return run_network(name, batch)

    monkeypatch.setattr(models, "run", counted)
    never_seen = Photo.open(PORTRAIT).pixels.copy()
    never_seen[0, 0] ^= 1
    photo = Image.fromarray(never_seen)
    shoot(photo, seeds=[1])
    assert "u2netp" in asked  # the cut-out, which belongs to the analysis alone
    asked.clear()
    shoot(photo, prompt="white backdrop", guidance_scale=5, seeds=[2])
    assert "u2netp" not in asked and "sface_int8bq" in asked


def test_stop_leaves_off_between_pictures_and_hands_over_what_had_completed(run: Run) -> None:
    def listen(step: Step) -> None:
        if step.done == 1:
            progress.cancel()

    progress = Progress(listen)
    with pytest.raises(Stopped) as stopped:
        shoot(EXAMPLE, prompt=PROMPT, seeds=[1, *range(100, 109)], progress=progress)
    completed = stopped.value.headshots
    assert 1 <= len(completed) <= 3, "only the pictures in the making may still be finished"
    assert isinstance(completed[0], Headshot) and completed[0].png == run.headshots[0].png


def test_stop_before_the_start_makes_nothing() -> None:
    heard: list[Step] = []
    progress = Progress(heard.append)
    progress.cancel()
    with pytest.raises(Stopped) as stopped:
        shoot(PORTRAIT, prompt="teal backdrop", seeds=[1, 2], progress=progress)
    assert stopped.value.headshots == ()
    assert heard == []


def test_no_thread_of_a_call_outlives_it(run: Run) -> None:
    before = set(threading.enumerate())  # the studio's own two threads among them
    shoot(EXAMPLE, prompt=PROMPT, seeds=[1])
    assert set(threading.enumerate()) - before == set()


def test_a_photo_without_a_face_is_refused_with_a_sentence() -> None:
    landscape = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
    with pytest.raises(PhotoError, match=r"^No face was found in this photo\. .+\.$"):
        shoot(landscape, seeds=[1])


def test_the_face_to_take_can_be_named(run: Run) -> None:
    with pytest.raises(PhotoError, match="no face number 2: the photo has 1 face"):
        shoot(EXAMPLE, seeds=[1], face=1)
    assert shoot(EXAMPLE, prompt=PROMPT, seeds=[1], face=0)[0].png == run.headshots[0].png


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"prompt": 5}, "Prompt must be text."),
        ({"negative_prompt": None}, "Negative prompt must be text."),
        ({"num_inference_steps": 20}, "Steps must be 21, 31 or 41."),
        ({"num_inference_steps": "21"}, "Steps must be 21, 31 or 41."),
        ({"guidance_scale": math.nan}, "Guidance must be a number from 1 to 20."),
        ({"guidance_scale": 21}, "Guidance must be a number from 1 to 20."),
        ({"seeds": []}, "Name at least one seed, for example [1, 2, 3, 4]."),
        ({"seeds": 4}, "Give the seeds as a list, for example [1, 2, 3, 4]."),
        ({"seeds": [1, -1]}, "Seed must be a whole number from 0 to 4294967295 or empty."),
        ({"seeds": [True]}, "Seed must be a whole number from 0 to 4294967295 or empty."),
        ({"backend": "hosted"}, "There is no backend called “hosted”: choose auto or modelslab or local or studio."),
        ({"backend": None}, "There is no backend called “None”: choose auto or modelslab or local or studio."),
    ],
)
def test_a_wrong_argument_is_refused_with_a_sentence_before_the_photo_is_touched(
    wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError) as refused:
        shoot(ROOT / "there-is-no-such-photo.jpg", **wrong)
    assert str(refused.value) == sentence


def test_a_missing_photo_is_refused_with_a_sentence() -> None:
    with pytest.raises(PhotoError, match=r"There is no file “nobody\.jpg”"):
        shoot("nobody.jpg", seeds=[1])
