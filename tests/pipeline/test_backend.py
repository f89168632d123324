"""The local pipeline as a backend: results, safety and Stop; on tiny models loaded from disk."""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import unsafe
from local_pipeline import REQUEST, Recorder, generate, pipeline
from opening import opened
from PIL import Image

from headshot.comparison.axes import expand_axis, plan
from headshot.comparison.comparing import compare
from headshot.errors import PhotoError, Refused, Stopped
from headshot.imaging.photo import Photo
from headshot.pipeline import results
from headshot.pipeline.backend import Pipeline
from headshot.pipeline.loading import Loaded
from headshot.pipeline.model_specs import Family
from headshot.progress import Progress, Step
from headshot.request import Headshot, HeadshotRequest

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def warm() -> Pipeline:
    """A pipeline that several tests share; they leave it unchanged."""
    return pipeline()


# Results


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_comparison_completes_and_every_file_says_how_to_repeat_it(family: Family, photo: Photo) -> None:
    backend, recorder = pipeline(family), Recorder()
    requests = plan(REQUEST, [1, 2, 3, 4, 5])

    async def run() -> list[Headshot]:
        return [headshot async for headshot in compare([backend], photo, requests, recorder.progress)]

    headshots = asyncio.run(run())
    assert [headshot.request for headshot in headshots] == requests
    for headshot in headshots:
        assert headshot.backend == "local"
        with Image.open(io.BytesIO(headshot.png)) as file:
            assert file.size == headshot.image.size == (1024, 1280)
            assert np.array_equal(np.asarray(file), np.asarray(headshot.image))
            made_by = json.loads(file.text["headshot"])["made_by"]
        assert made_by["recipe"] == family
        assert tiny.tiny_spec(family).repos[0].name in made_by["revision"]
        assert (made_by["bucket"], made_by["dtype"], made_by["device"]) == (4, "float32", "the processor")
        assert {"torch", "diffusers", "transformers"} <= set(made_by["versions"])
        assert any("Made by" in note.text and "all on the device" in note.text for note in headshot.notes)
        assert headshot.seconds > 0
    assert len({headshot.png for headshot in headshots}) == 5
    assert [step.done for step in recorder.steps] == sorted(step.done for step in recorder.steps)
    assert recorder.steps[-1] == Step("Done", 5, 5)


def test_headshots_arrive_when_their_bucket_is_done_and_not_at_the_end(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second bucket cannot begin before the first one's headshots were received."""
    received, begun = threading.Event(), []

    def hold_the_second(loaded: Loaded) -> None:
        def before(*_: object) -> None:
            begun.append(time.monotonic())
            if len(begun) == 22:  # 21 steps of the first bucket were taken
                assert received.wait(60), "the first four headshots did not arrive while the fifth waited"

        loaded.pipe.unet.register_forward_pre_hook(before)

    async def run(backend: Pipeline) -> int:
        count = 0
        async for _ in backend.generate(photo, plan(REQUEST, range(5)), Progress()):
            count += 1
            if count == 4:
                assert len(begun) <= 22
                received.set()
        return count

    with opened(monkeypatch, hold_the_second):
        assert asyncio.run(run(pipeline())) == 5
    assert len(begun) == 42


def test_the_same_request_gives_the_same_bytes_whatever_runs_beside_it(warm: Pipeline, photo: Photo) -> None:
    [alone] = generate(warm, photo, plan(REQUEST, [7]))
    among = generate(warm, photo, plan(REQUEST, [5, 6, 7]))
    assert alone.png == among[2].png
    assert alone.png != among[0].png


def test_guidance_values_share_a_bucket_and_steps_run_apart(warm: Pipeline, photo: Photo) -> None:
    seeded = REQUEST.model_copy(update={"seed": 3})
    recorder = Recorder()
    sweep = generate(warm, photo, expand_axis(seeded, "guidance_scale", [3.0, 7.5]), recorder.progress)
    assert [step.stage for step in recorder.steps].count("Step 1 of 21") == 1
    assert sweep[0].png != sweep[1].png
    recorder = Recorder()
    generate(warm, photo, expand_axis(seeded, "num_inference_steps", [21, 31]), recorder.progress)
    stages = [step.stage for step in recorder.steps]
    assert "Step 21 of 21" in stages
    assert "Step 31 of 31" in stages


def test_without_guidance_a_note_says_that_the_negative_prompt_has_no_effect(warm: Pipeline, photo: Photo) -> None:
    request = HeadshotRequest(guidance_scale=1, seed=1)
    [headshot] = generate(warm, photo, [request])
    assert "negative prompt counts only at a guidance above 1" in " ".join(map(str, headshot.notes))
    [headshot] = generate(warm, photo, [request.model_copy(update={"guidance_scale": 2.0})])
    assert "negative prompt" not in " ".join(map(str, headshot.notes))


def test_every_step_is_reported_with_small_previews_that_come_before_the_headshot(warm: Pipeline, photo: Photo) -> None:
    recorder, requests = Recorder(), plan(REQUEST, [1, 2])
    late: list[int] = []

    async def run() -> None:
        async for _ in warm.generate(photo, requests, recorder.progress):
            late.append(len(recorder.statuses))

    asyncio.run(run())
    assert [step.stage for step in recorder.steps if step.stage.startswith("Step")] == [
        f"Step {step} of 21" for step in range(1, 22)
    ]
    assert {status.request for status in recorder.statuses} == set(requests)
    assert {status.kind for status in recorder.statuses} == {"under way"}
    assert late == [len(recorder.statuses)] * 2
    shown = [status.preview for status in recorder.statuses if status.preview]
    assert shown
    for preview in shown:
        with Image.open(io.BytesIO(preview)) as small:
            assert small.format == "JPEG"
            assert max(small.size) <= 160


# Stop, and other ends of a comparison


def test_stop_at_the_fifth_step_ends_there_and_the_next_comparison_works(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, passes = Recorder(), []

    def stop_in_the_fifth(loaded: Loaded) -> None:
        def after(*_: object) -> None:
            passes.append(1)
            if len(passes) == 5:
                recorder.progress.cancel()

        loaded.pipe.unet.register_forward_hook(after)

    with opened(monkeypatch, stop_in_the_fifth):
        backend = pipeline()
        with pytest.raises(Stopped) as stopped:
            generate(backend, photo, plan(REQUEST, [1, 2]), recorder.progress)
        assert stopped.value.headshots == ()
        recorder.statuses.clear()
        [again] = generate(backend, photo, plan(REQUEST, [1]))
    assert len(passes) == 5 + 21
    assert not recorder.statuses
    [fresh] = generate(pipeline(), photo, plan(REQUEST, [1]))
    assert again.png == fresh.png


def test_stop_takes_effect_at_once_even_while_another_comparison_has_the_device(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, let_go = threading.Event(), threading.Event()

    def hold(loaded: Loaded) -> None:
        def before(*_: object) -> None:
            busy.set()
            assert let_go.wait(60)

        loaded.pipe.unet.register_forward_pre_hook(before)

    with opened(monkeypatch, hold):
        backend = pipeline()
        first = threading.Thread(target=generate, args=(backend, photo, plan(REQUEST, [1])))
        first.start()
        assert busy.wait(60)
        waiting = Recorder()
        threading.Timer(0.3, waiting.progress.cancel).start()
        with pytest.raises(Stopped):
            generate(backend, photo, plan(REQUEST, [2]), waiting.progress)
        assert first.is_alive()
        assert not any(step.stage.startswith("Step") for step in waiting.steps)
        let_go.set()
        first.join(60)
        assert not first.is_alive()


def test_a_closed_page_ends_the_work_between_two_steps(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []

    async def leave_after_the_first_bucket(backend: Pipeline) -> None:
        headshots = backend.generate(photo, plan(REQUEST, range(8)), Progress())
        async for _ in headshots:
            break
        await headshots.aclose()

    with opened(monkeypatch, lambda loaded: loaded.pipe.unet.register_forward_hook(lambda *_: passes.append(1))):
        backend = pipeline()
        asyncio.run(leave_after_the_first_bucket(backend))
        generate(backend, photo, plan(REQUEST, [1]))  # starts only after the other one has left the device
    assert len(passes) < 3 * 21


def test_a_photo_without_a_face_is_refused_before_a_device_is_requested(photo: Photo) -> None:
    backend, recorder = pipeline(), Recorder()
    with pytest.raises(PhotoError, match="No face was found"):
        generate(
            backend, Photo.of(Image.new("RGB", (400, 500), (120, 130, 140))), plan(REQUEST, [1]), recorder.progress
        )
    assert recorder.steps == []
    with pytest.raises(PhotoError, match="There is no face number 3"):
        asyncio.run(anext(backend.generate(photo, plan(REQUEST, [1]), Progress(), face=2)))


# Safety


def paint_the_unsafe(*numbers: int) -> Callable[[Loaded], None]:
    """The decoder returns a picture that fails the safety check, as its first, second … picture, by `numbers`."""
    pixels = np.asarray(unsafe.picture(*tiny.SIZE), np.float32) / 127.5 - 1
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    decoded: list[int] = []

    def change(loaded: Loaded) -> None:
        def after(_: object, __: object, painted: Any) -> Any:
            decoded.append(1)
            return tensor if len(decoded) in numbers else painted

        loaded.pipe.vae.decoder.register_forward_hook(after)

    return change


def test_a_picture_that_fails_the_safety_check_is_withheld_with_a_message(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, requests = Recorder(), plan(REQUEST, [1, 2])
    with opened(monkeypatch, paint_the_unsafe(1, 2)), pytest.raises(Refused, match="was withheld") as refusal:
        generate(pipeline(), photo, requests, recorder.progress)
    assert refusal.value.headshots == ()
    failed = [status for status in recorder.statuses if status.kind == "failed"]
    assert [status.request for status in failed] == requests
    assert all("Try another seed" in status.text and isinstance(status.error, Refused) for status in failed)


def test_the_other_headshots_arrive_before_the_refusal_is_raised(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, paint_the_unsafe(2)), pytest.raises(Refused) as refusal:
        generate(pipeline(), photo, plan(REQUEST, [1, 2, 3]))
    assert [headshot.request.seed for headshot in refusal.value.headshots] == [1, 3]  # type: ignore[attr-defined]


def test_a_preview_that_would_be_withheld_is_not_shown_either() -> None:
    from headshot.pipeline.device_run import StepEvent

    recorder, [request] = Recorder(), plan(REQUEST, [1])
    results.publish_previews(StepEvent((request,), 20, 21, (unsafe.picture(128, 160),)), recorder.progress)
    results.publish_previews(
        StepEvent((request,), 21, 21, (Image.new("RGB", (128, 160), (90, 110, 140)),)), recorder.progress
    )
    assert [bool(status.preview) for status in recorder.statuses] == [False, True]
