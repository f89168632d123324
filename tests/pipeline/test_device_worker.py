"""The local pipeline's devices: memory, idle time and concurrency; on tiny models loaded from disk."""

import dataclasses
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from local_pipeline import CPU, REQUEST, Recorder, generate, pipeline
from opening import opened

from headshot.comparison.axes import plan
from headshot.errors import Unavailable
from headshot.imaging.photo import Photo
from headshot.pipeline import hardware, loading
from headshot.pipeline.hardware import Device, Tier
from headshot.pipeline.loading import Loaded

pytestmark = pytest.mark.usefixtures("one_thread")


# Memory


def fail(times: int) -> Callable[[Loaded], None]:
    """The first `times` passes of the model run out of memory, whichever model was loaded."""
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
    """A processor cannot offload: here the second tier has only another name, and loads like the first."""
    monkeypatch.setattr(hardware, "fitting_tiers", lambda *_: [Tier.ON_DEVICE, Tier.MODEL_OFFLOAD])
    monkeypatch.setattr(loading, "_move_to_device", lambda pipe, device, _: pipe.to(device.name))


@pytest.mark.usefixtures("two_tiers")
def test_out_of_memory_uses_the_next_lower_tier_once_and_says_so(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, fail(1)) as seen:
        backend = pipeline()
        [headshot] = generate(backend, photo, plan(REQUEST, [1]))
        assert [loaded.tier for loaded in seen] == [Tier.ON_DEVICE, Tier.MODEL_OFFLOAD]
        assert seen[0].pipe is None
        notes = " ".join(map(str, headshot.notes))
        assert "ran out of memory, so this was made again with less of it" in notes
        assert notes.count(str(Tier.MODEL_OFFLOAD)) == 2  # in “Made by” and in the reason
        assert headshot.facts["tier"] == str(Tier.MODEL_OFFLOAD)
        [next_one] = generate(backend, photo, plan(REQUEST, [1]))
        assert len(seen) == 2
        assert "ran out of memory" not in " ".join(map(str, next_one.notes))
    assert next_one.image.tobytes() == headshot.image.tobytes()


@pytest.mark.usefixtures("two_tiers")
def test_headshots_from_before_the_memory_ran_out_are_neither_made_again_nor_get_the_note(
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
        headshots = generate(pipeline(), photo, plan(REQUEST, range(5)))
    assert len(headshots) == 5
    assert len(passes) == 25 + 21
    assert ["memory" in " ".join(map(str, headshot.notes)) for headshot in headshots] == [False] * 4 + [True]


@pytest.mark.usefixtures("two_tiers")
def test_out_of_memory_twice_raises_unavailable_and_frees_everything(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(monkeypatch, fail(2)) as seen:
        backend = pipeline()
        with pytest.raises(Unavailable, match=r"^The processor ran out of memory .*HEADSHOT_PIPELINE\.$") as error:
            generate(backend, photo, plan(REQUEST, [1]))
        assert error.value.backend == "local"
        assert [loaded.pipe for loaded in seen] == [None, None]
        assert (
            len(generate(backend, photo, plan(REQUEST, [1]))) == 1
        )  # the memory may be free again, so it is measured again
        assert seen[2].tier is Tier.ON_DEVICE


def test_an_error_that_is_not_about_memory_is_not_retried(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(loaded: Loaded) -> None:
        def after(*_: object) -> None:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        loaded.pipe.unet.register_forward_hook(after)

    with opened(monkeypatch, break_it) as seen, pytest.raises(RuntimeError, match="mat1 and mat2"):
        generate(pipeline(), photo, plan(REQUEST, [1]))
    assert len(seen) == 1


def test_an_idle_device_is_unloaded_and_the_next_comparison_loads_again(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[weakref.ref[Any]] = []
    with opened(monkeypatch, lambda loaded: models.append(weakref.ref(loaded.pipe.unet))) as seen:
        backend = pipeline(idle_seconds=0.2)
        [first] = generate(backend, photo, plan(REQUEST, [1]))
        until = time.monotonic() + 30
        while models[0]() is not None and time.monotonic() < until:
            time.sleep(0.05)
        assert seen[0].pipe is None
        assert models[0]() is None
        [second] = generate(backend, photo, plan(REQUEST, [1]))
        assert len(seen) == 2
    assert first.png == second.png


def test_a_device_in_use_is_not_unloaded_however_short_the_idle_time(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(monkeypatch, lambda _: None) as seen:
        assert len(generate(pipeline(idle_seconds=0.001), photo, plan(REQUEST, range(5)))) == 5
    assert len(seen) == 1


# Concurrency


@pytest.mark.parametrize(("devices", "at_most"), [((CPU,), 1), ((CPU, dataclasses.replace(CPU, title="two")), 2)])
def test_comparisons_run_one_by_one_on_a_device_and_side_by_side_on_two(
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
            made[seed] = generate(backend, photo, plan(REQUEST, [seed]))[0].png

        threads = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert most == [at_most]
    assert len(seen) == at_most
    assert made[1] == generate(pipeline(), photo, plan(REQUEST, [1]))[0].png
    assert made[1] != made[2]


def test_warming_up_does_not_block_and_the_first_comparison_need_not_load(
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
        assert backend.readiness().ready  # while the models are being loaded
        let_go.set()
        recorder = Recorder()
        generate(backend, photo, plan(REQUEST, [1]), recorder.progress)
        assert len(seen) == 1
    assert not any(step.stage.startswith("Loading") for step in recorder.steps)


def test_while_it_looks_for_a_device_readiness_says_so_instead_of_blocking(monkeypatch: pytest.MonkeyPatch) -> None:
    looking, let_go = threading.Event(), threading.Event()
    select_devices = hardware.select_devices

    def slowly(setting: str) -> list[Device]:
        looking.set()
        assert let_go.wait(60)
        return select_devices(setting)

    monkeypatch.setattr(hardware, "select_devices", slowly)
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


def test_the_duration_is_estimated_before_the_first_run_and_learnt_from_it(photo: Photo) -> None:
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
    generate(backend, photo, four)
    learnt = backend.estimate(photo, four)
    assert learnt is not None
    assert learnt <= time.monotonic() - started
