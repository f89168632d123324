"""The local pipeline's comparisons, on models of the real layout with random weights: what may differ, what may not."""

import functools
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from headshot import errors
from headshot.pipeline import hardware, loading
from headshot.pipeline.preview import PREVIEW_PX, CleanLatents, LatentColours, TinyDecoder, render_previews
from headshot.pipeline.sampling import Guidance, Sampler
from headshot.request import HeadshotRequest

torch.set_num_threads(1)

PROMPT, NEGATIVE = "grey backdrop, soft light", "blurry, plastic skin"
EQUAL = 1e-4  # of a range of 2, in float32
WIDTH, HEIGHT = tiny.SIZE


@functools.cache
def loaded(family: Any) -> loading.Loaded:
    (processor,) = hardware.devices(cpu=True)
    spec = tiny.tiny_spec(family)
    return loading.load(spec, processor, hardware.Tier.ON_DEVICE, folder=tiny.folder(family), compile=False)


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def models(request: pytest.FixtureRequest) -> loading.Loaded:
    return loaded(request.param)


@pytest.fixture(scope="module")
def klein() -> loading.Loaded:
    return loaded("flux2-klein")


@pytest.fixture(scope="module")
def sdxl() -> loading.Loaded:
    return loaded("sdxl-face")


@pytest.fixture(scope="module")
def sdxl_without_tiny_vae(sdxl: loading.Loaded) -> loading.Loaded:
    return loading.Loaded(**{**vars(sdxl), "tiny_vae": None})


def a_face(seed: int = 0) -> Image.Image:
    tiles = np.random.default_rng(seed).integers(0, 256, (8, 8, 3))
    return Image.fromarray(tiles.repeat(8, 0).repeat(8, 1).astype(np.uint8))


def new_sampler(models: loading.Loaded, prompt: str = PROMPT, negative: str = NEGATIVE, **options: Any) -> Sampler:
    return Sampler(models, a_face(), prompt, negative, **{"preview_seconds": 0, **options})


def request(seed: int, guidance: float = 4.0, steps: Any = 21, **words: str) -> HeadshotRequest:
    return HeadshotRequest(
        **{"prompt": PROMPT, "negative_prompt": NEGATIVE, **words},
        seed=seed,
        guidance_scale=guidance,
        num_inference_steps=steps,
    )


def ignore(done: int, of: int, previews: Sequence[Image.Image | None]) -> None:
    """A step callback that does nothing."""


@contextmanager
def as_floats(models: loading.Loaded) -> Iterator[list[np.ndarray]]:
    """Collect the decoder's own pictures, (3, H, W), before they are rounded to 8 bit."""
    pictures: list[np.ndarray] = []
    hook = models.pipe.vae.decoder.register_forward_hook(
        lambda _, __, out: pictures.extend(each.reshape(3, HEIGHT, WIDTH).numpy() for each in out)
    )
    try:
        yield pictures
    finally:
        hook.remove()


@contextmanager
def counted(*modules: Any) -> Iterator[list[int]]:
    """Count the calls of each module."""
    counts = [0] * len(modules)

    def count(place: int, *_: Any) -> None:
        counts[place] += 1

    hooks = [module.register_forward_hook(functools.partial(count, place)) for place, module in enumerate(modules)]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def run(sampler: Sampler, *requests: HeadshotRequest) -> list[np.ndarray]:
    """One run's pictures as the decoder made them, in order if the requests are of one group."""
    with as_floats(sampler._loaded) as pictures:
        headshots = sampler.run(requests, ignore)
    assert len(pictures) == len(headshots) == len(requests)
    return pictures


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


def furthest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


@functools.cache
def _usual(family: Any, bucket: int) -> Sampler:
    return new_sampler(loaded(family), bucket=bucket)


def usual(models: loading.Loaded, bucket: int = 4) -> Sampler:
    """A sampler of the usual prompts, shared by several tests, as the runs of a comparison share one."""
    return _usual(models.spec.family, bucket)


@dataclass(frozen=True)
class Four:
    """The headshots of seeds 1 to 4, as files and as floats, and the previews of each step."""

    headshots: list[Image.Image]
    floats: list[np.ndarray]
    previews: list[Sequence[Image.Image | None]]


@functools.cache
def _four(family: Any) -> Four:
    previews: list[Sequence[Image.Image | None]] = []
    with as_floats(loaded(family)) as floats:
        headshots = _usual(family, 4).run(
            [request(seed) for seed in (1, 2, 3, 4)], lambda done, of, seen: previews.append(seen)
        )
    return Four(headshots, floats, previews)


def four(models: loading.Loaded) -> Four:
    return _four(models.spec.family)


@functools.cache
def _alone(family: Any, seed: int, guidance: float) -> np.ndarray:
    (picture,) = run(_usual(family, 1), request(seed, guidance))
    return picture


def alone(models: loading.Loaded, seed: int, guidance: float = 4.0) -> np.ndarray:
    """A bucket of one."""
    return _alone(models.spec.family, seed, guidance)


def test_four_seeds_give_four_different_headshots_of_the_recipes_size(models: loading.Loaded) -> None:
    headshots = four(models).headshots
    assert [(headshot.size, headshot.mode) for headshot in headshots] == [(tiny.SIZE, "RGB")] * 4
    for one, other in itertools.combinations(headshots, 2):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).mean() > 5


def test_a_batch_gives_what_single_runs_give(models: loading.Loaded) -> None:
    for seed, beside_others in enumerate(four(models).floats[:2], start=1):
        assert furthest(alone(models, seed), beside_others) < EQUAL


def test_other_neighbours_and_another_position_do_not_change_a_bit(models: loading.Loaded) -> None:
    _, second, third, _ = four(models).floats
    elsewhere = run(usual(models), request(3), request(77, guidance=9.5), request(2))
    assert same(elsewhere[0], third)
    assert same(elsewhere[2], second)


def test_a_guidance_sweep_in_one_batch_equals_single_runs(models: loading.Loaded) -> None:
    sweep = run(usual(models), *(request(5, guidance) for guidance in (1.5, 4.0, 7.3, 20.0)))
    for guidance, of_the_sweep in ((1.5, sweep[0]), (20.0, sweep[3])):
        assert furthest(alone(models, 5, guidance), of_the_sweep) < EQUAL
    for one, other in itertools.pairwise(sweep):
        assert furthest(one, other) > 0.02


@pytest.mark.parametrize("guidance", [1.0, 4.5])
def test_a_headshot_is_to_the_bit_what_diffusers_own_call_makes(
    models: loading.Loaded, guidance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as plus

    monkeypatch.setattr(plus, "VAE_IMAGE_SIZE", tiny.REFERENCE_PX**2)  # it would see a megapixel of 64 pixels a side
    pipe, words = models.pipe, models.spec.model_prompt(PROMPT)
    with torch.no_grad():
        own = {
            "flux2-klein": lambda: {
                "image": a_face(),
                "prompt": words,
                "negative_prompt_embeds": pipe.encode_prompt(NEGATIVE)[0],
                "guidance_scale": guidance,
            },
            "sdxl-face": lambda: {
                "ip_adapter_image": a_face(),
                "prompt": words,
                "negative_prompt": NEGATIVE,
                "guidance_scale": guidance,
            },
            "qwen-edit": lambda: {
                "image": a_face(),
                "prompt": words,
                "negative_prompt": NEGATIVE,
                "true_cfg_scale": guidance,
            },
        }[models.spec.family]()
    with as_floats(models) as bare:
        noise = torch.Generator("cpu").manual_seed(5)
        pipe(**own, num_inference_steps=21, width=WIDTH, height=HEIGHT, generator=[noise])
    assert same(alone(models, 5, guidance), bare[0])


def test_guidance_1_beside_higher_ones_is_the_headshot_of_guidance_1(models: loading.Loaded) -> None:
    both = usual(models, bucket=2)
    mixed = both.run([request(6, 7.5), request(6, 1.0)], ignore)
    (of_guidance_1,) = both.run([request(6, 1.0)], ignore)
    assert mixed[1].tobytes() == of_guidance_1.tobytes()
    assert mixed[0].tobytes() != of_guidance_1.tobytes()


def test_the_prompt_changes_the_headshot_and_so_does_the_negative_prompt(models: loading.Loaded) -> None:
    (other_prompt,) = run(new_sampler(models, prompt="blue sky", bucket=1), request(1, prompt="blue sky"))
    (other_negative,) = run(new_sampler(models, negative="hat", bucket=1), request(1, negative_prompt="hat"))
    assert furthest(alone(models, 1), other_prompt) > 100 * EQUAL
    assert furthest(alone(models, 1), other_negative) > 100 * EQUAL


def test_another_face_changes_the_headshot(models: loading.Loaded) -> None:
    (other,) = run(Sampler(models, a_face(9), PROMPT, NEGATIVE, bucket=1), request(1))
    assert furthest(alone(models, 1), other) > 50 * EQUAL


def test_without_guidance_a_headshot_costs_half_and_the_negative_prompt_does_not_count(klein: loading.Loaded) -> None:
    with counted(klein.pipe.transformer) as counts:
        (one,) = run(new_sampler(klein, bucket=1), request(1, 1.0))
        (other,) = run(new_sampler(klein, negative="hat", bucket=1), request(1, 1.0, negative_prompt="hat"))
    assert counts == [2 * 21]
    assert same(one, other)


def test_face_and_prompts_are_encoded_once_for_a_whole_comparison(models: loading.Loaded) -> None:
    pipe = models.pipe
    readers = {
        "flux2-klein": [pipe.text_encoder, pipe.vae.encoder],
        "sdxl-face": [getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2", "image_encoder")],
        "qwen-edit": [pipe.text_encoder, pipe.vae.encoder],
    }[models.spec.family]
    with counted(*readers) as counts:
        sampler = new_sampler(models, bucket=2)
        encoded = list(counts)
        sampler.run([request(seed, 1.0) for seed in (1, 2, 3)], ignore)
        sampler.run([request(1)], ignore)
    # Prompt and negative prompt; the image encoder looks at the face and at the picture of none.
    assert encoded == ([2, 2, 2] if models.spec.family == "sdxl-face" else [2, 1])
    assert counts == encoded


def test_qwens_photo_is_not_prepared_again_for_every_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(*_: Any, **__: Any) -> Any:
        raise AssertionError("the photo was prepared again")

    qwen = loaded("qwen-edit")
    sampler, processor = new_sampler(qwen, bucket=1), qwen.pipe.image_processor
    with monkeypatch.context() as patch:
        patch.setattr(type(processor), "preprocess", again)
        patch.setattr(type(processor), "resize", again)
        sampler.run([request(1), request(2)], ignore)
    assert not {"preprocess", "resize"} & vars(processor).keys()  # the next photo is read


@pytest.mark.parametrize("steps", [21, 31, 41])
def test_progress_counts_every_step(sdxl: loading.Loaded, steps: int) -> None:
    received: list[tuple[int, int]] = []
    usual(sdxl, bucket=1).run([request(1, 1.0, steps)], lambda done, of, _: received.append((done, of)))
    assert received == [(step, steps) for step in range(1, steps + 1)]


def test_a_scheduler_with_two_evaluations_a_step_counts_both(sdxl: loading.Loaded) -> None:
    from diffusers import HeunDiscreteScheduler

    ours, received = sdxl.pipe.scheduler, []
    sdxl.pipe.scheduler = HeunDiscreteScheduler.from_config(ours.config)
    try:
        new_sampler(sdxl, bucket=1).run([request(1, 1.0)], lambda done, of, _: received.append((done, of)))
    finally:
        sdxl.pipe.scheduler = ours
    assert received == [(step, 41) for step in range(1, 42)]


def test_every_request_of_a_bucket_has_a_preview_at_every_step(models: loading.Loaded) -> None:
    received = four(models).previews
    assert len(received) == 21
    # With a tiny autoencoder the whole picture, else one pixel for each latent.
    size = tiny.SIZE if models.tiny_vae is not None else (WIDTH // 8, HEIGHT // 8)
    for previews in received:
        assert [(preview.size, preview.mode) for preview in previews if preview] == [(size, "RGB")] * 4
    assert len({previews[0].tobytes() for previews in received if previews[0]}) > 10  # it develops
    assert received[-1][0] != received[-1][1]


def test_steps_that_follow_at_once_show_the_same_previews_again(sdxl: loading.Loaded) -> None:
    received: list[Sequence[Image.Image | None]] = []
    hasty = new_sampler(sdxl, bucket=1, preview_seconds=60)
    hasty.run([request(1, 1.0), request(2, 1.0)], lambda done, of, previews: received.append(previews))
    assert len(received) == 42
    assert len({id(previews[0]) for previews in received}) == 1
    assert len({id(previews[1]) for previews in received[21:]}) == 1  # its own, from its first step on
    assert received[-1][1] is not None and received[-1][1] is not received[-1][0]


def test_requests_of_a_later_bucket_have_no_preview_yet_and_the_steps_go_on_counting(sdxl: loading.Loaded) -> None:
    received: list[tuple[int, int, list[bool]]] = []
    requests = [request(1), request(2, 1.0), request(3)]
    usual(sdxl, bucket=2).run(
        requests, lambda done, of, previews: received.append((done, of, [preview is not None for preview in previews]))
    )
    assert received == [(step, 42, [True, step > 21, True]) for step in range(1, 43)]


def test_a_preview_is_small_and_keeps_the_pictures_shape(sdxl: loading.Loaded) -> None:
    latents = torch.randn(2, 4, 140, 112)
    with torch.no_grad():
        previews = render_previews(latents, TinyDecoder(sdxl.tiny_vae, 8))
    assert [preview.size for preview in previews] == [(128, PREVIEW_PX)] * 2
    larger = render_previews(torch.randn(1, 4, 400, 320), lambda latents: latents[:, :3])
    assert larger[0].size == (128, PREVIEW_PX)


def test_latents_that_are_a_linear_mix_of_colours_are_converted_back() -> None:
    rng = torch.Generator().manual_seed(1)
    mixing, shade = torch.randn(3, 32, generator=rng), torch.randn(32, 1, 1, generator=rng)

    def disguised(picture: Image.Image) -> torch.Tensor:
        colours = torch.from_numpy(np.asarray(picture, np.float32)).movedim(-1, 0) / 127.5 - 1
        return (torch.einsum("chw,cd->dhw", colours, mixing) + shade)[None]

    small = a_face().resize((32, 32), Image.Resampling.BOX)
    other = a_face(seed=5).resize((24, 30), Image.Resampling.BOX)
    (preview,) = render_previews(disguised(other), LatentColours(disguised(small), a_face()))
    assert preview.size == other.size
    assert np.abs(np.asarray(preview, int) - np.asarray(other, int)).max() <= 2


def test_sdxl_has_previews_without_its_tiny_autoencoder_too(sdxl_without_tiny_vae: loading.Loaded) -> None:
    received: list[Sequence[Image.Image | None]] = []
    new_sampler(sdxl_without_tiny_vae, bucket=1).run(
        [request(1, 1.0)], lambda done, of, previews: received.append(previews)
    )
    assert [previews[0].size for previews in received if previews[0]] == [(WIDTH // 8, HEIGHT // 8)] * 21


@pytest.mark.parametrize("family", ["flux2-klein", "sdxl-face"])
def test_the_preview_is_the_denoised_picture_from_the_first_step_on(family: Any) -> None:
    pristine = loaded(family).pipe.scheduler
    watched = CleanLatents(type(pristine).from_config(pristine.config))
    scheduler, flows = watched.scheduler, family == "flux2-klein"
    scheduler.set_timesteps(21, **({"mu": 1.0} if flows else {}))
    rng = torch.Generator().manual_seed(2)
    picture, noise = torch.randn(1, 4, 8, 8, generator=rng), torch.randn(1, 4, 8, 8, generator=rng)
    sigma = scheduler.sigmas[0]
    noisy = (1 - sigma) * picture + sigma * noise if flows else picture + sigma * noise
    (after,) = scheduler.step(noise - picture if flows else noise, scheduler.timesteps[0], noisy, return_dict=False)[:1]
    assert furthest(watched.clean(after).numpy(), picture.numpy()) < 1e-3 * float(sigma + 1)
    assert furthest(after.numpy(), picture.numpy()) > 1


@pytest.mark.parametrize("family", ["flux2-klein", "qwen-edit"])
def test_packed_latents_are_unpacked_as_the_autoencoder_decodes_them(family: Any) -> None:
    models = loaded(family)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    into_decoder: list[torch.Tensor] = []
    hook = models.pipe.vae.post_quant_conv.register_forward_pre_hook(lambda _, given: into_decoder.append(given[0]))
    sampler = new_sampler(models, bucket=1)
    to_vae_latents = sampler._conditioning.to_vae_latents

    def watch(latents: torch.Tensor) -> torch.Tensor:
        laid_out = to_vae_latents(latents)
        seen.append((latents, laid_out))
        return laid_out

    sampler._conditioning.to_vae_latents = watch  # type: ignore[method-assign]
    sampler.run([request(1, 1.0)], ignore)
    hook.remove()
    packed, laid_out = seen[-1]
    channels = laid_out.shape[1]
    assert packed.shape == (1, WIDTH // 16 * HEIGHT // 16, 4 * channels)
    assert laid_out.shape == (1, channels, HEIGHT // 8, WIDTH // 8)
    # After the last step the clean latents are the latents, so that these two are the same picture.
    assert furthest(laid_out.numpy(), into_decoder[-1].reshape(laid_out.shape).numpy()) < EQUAL


class Enough(Exception):
    """Raised by a step callback to end a run."""


def test_stopping_at_step_5_of_21_ends_at_once_and_the_pipe_works_on(models: loading.Loaded) -> None:
    pipe, scheduler = models.pipe, models.pipe.scheduler
    network, passes_per_step = (pipe.unet, 1) if hasattr(pipe, "unet") else (pipe.transformer, 2)
    received: list[int] = []

    def stop_at_5(done: int, of: int, previews: Sequence[Image.Image | None]) -> None:
        received.append(done)
        if done == 5:
            raise Enough

    sampler = usual(models)
    with counted(network, pipe.vae.decoder) as counts, pytest.raises(Enough):
        sampler.run([request(1), request(2)], stop_at_5)
    assert received == [1, 2, 3, 4, 5]
    assert counts == [5 * passes_per_step, 0]
    assert pipe.scheduler is scheduler
    assert "_encode_vae_image" not in vars(pipe)
    assert not network._forward_pre_hooks
    assert same(run(sampler, request(1), request(2))[1], four(models).floats[1])


def test_offloaded_models_make_the_same_headshot_and_are_moved_back_after_a_stopped_run(models: loading.Loaded) -> None:
    offload = hardware.Tier.MODEL_OFFLOAD
    offloaded = loading.load(models.spec, models.device, offload, folder=tiny.folder(models.spec.family))
    sampler = new_sampler(offloaded, bucket=1)
    away = list(offloaded.pipe._all_hooks)

    def stop(done: int, of: int, previews: Sequence[Image.Image | None]) -> None:
        raise Enough

    with pytest.raises(Enough):
        sampler.run([request(1)], stop)
    assert not {id(hook) for hook in away} & {id(hook) for hook in offloaded.pipe._all_hooks}  # all installed again
    (headshot,) = run(sampler, request(1))
    offloaded.unload()
    assert furthest(headshot, alone(models, 1)) < EQUAL  # not to the bit: the weights begin elsewhere in memory


def test_the_same_seed_repeats_the_headshot_with_another_sampler(models: loading.Loaded) -> None:
    (again,) = run(new_sampler(models, bucket=1), request(1))
    assert same(again, alone(models, 1))


def test_two_runs_one_after_another_share_no_schedule(models: loading.Loaded) -> None:
    before = dict(vars(models.pipe.scheduler))
    sampler = usual(models, bucket=1)
    (finer,) = run(sampler, request(1, 1.0, 41))
    (first,) = run(sampler, request(1))
    assert same(first, alone(models, 1))
    assert not same(first, finer)
    after = vars(models.pipe.scheduler)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_different_steps_are_never_in_one_batch_and_neither_is_guidance_1_with_others(klein: loading.Loaded) -> None:
    sampler = usual(klein)
    requests = [
        request(seed, guidance, steps) for steps in (21, 31) for seed in (1, 2, 3) for guidance in (1.0, 4.0, 8.0)
    ]
    batches = sampler.batches(requests)
    assert sorted(map(hash, itertools.chain(*batches))) == sorted(map(hash, requests))
    assert [len(batch) for batch in batches] == [3, 4, 2, 3, 4, 2]
    for batch in batches:
        assert len({(request.num_inference_steps, request.guidance_scale > 1) for request in batch}) == 1
    with pytest.raises(ValueError, match="one number of steps"):
        sampler.run(requests, ignore)


def test_the_same_request_twice_gives_the_same_headshot_twice(sdxl: loading.Loaded) -> None:
    twice = request(3, 1.0)
    one, other = usual(sdxl, bucket=2).run([twice, twice], ignore)
    assert one.tobytes() == other.tobytes()


def test_a_request_with_another_prompt_or_without_a_seed_is_a_value_error(klein: loading.Loaded) -> None:
    sampler = usual(klein)
    with pytest.raises(ValueError, match="a sampler of its own"):
        sampler.run([request(1, prompt="something else")], ignore)
    with pytest.raises(ValueError, match="resolve it first"):
        sampler.run([HeadshotRequest(prompt=PROMPT, negative_prompt=NEGATIVE)], ignore)


def test_the_highest_seed_works_like_any_other(sdxl: loading.Loaded) -> None:
    highest, lowest = run(usual(sdxl, bucket=2), request(2**32 - 1, 1.0), request(0, 1.0))
    assert furthest(highest, lowest) > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_of_guidance_is_bit_for_bit_what_the_plain_number_is(dtype: torch.dtype) -> None:
    values = (1.1, 4.0, 7.3, 19.9)
    difference = torch.randn(4, 50, 8, generator=torch.Generator().manual_seed(3)).to(dtype)
    sweep = Guidance(values) * difference
    assert sweep.dtype == dtype
    for row, value in enumerate(values):
        assert torch.equal(sweep[row], value * difference[row])


def test_numbers_out_of_range_raise_an_error_and_give_no_black_picture(klein: loading.Loaded) -> None:
    hook = klein.pipe.transformer.register_forward_hook(lambda _, __, out: (out[0] * float("nan"),))
    try:
        with pytest.raises(errors.Unavailable, match=r"left the range of float32 on the processor.*another recipe\."):
            new_sampler(klein, bucket=1).run([request(1)], ignore)
    finally:
        hook.remove()


def test_a_distilled_model_says_that_guidance_does_not_count(klein: loading.Loaded) -> None:
    klein.pipe.register_to_config(is_distilled=True)
    try:
        distilled = new_sampler(klein, bucket=2)
        assert [note.kind for note in distilled.notes] == ["not applied"]
        assert "neither guidance nor a negative prompt" in distilled.notes[0].text
        low, high = run(distilled, request(1, 1.0), request(1, 8.0))
    finally:
        klein.pipe.register_to_config(is_distilled=False)
    assert same(low, high)
    assert new_sampler(klein).notes == ()


def test_sdxl_notes_which_prompt_it_truncated(sdxl: loading.Loaded) -> None:
    assert new_sampler(sdxl).notes == ()
    (note,) = new_sampler(sdxl, prompt="a grey wall " * 30).notes
    assert (note.kind, "words of the prompt" in note.text) == ("not applied", True)
    (note,) = new_sampler(sdxl, negative="no hat " * 30).notes
    assert "words of the negative prompt" in note.text


def test_the_facts_hold_what_is_needed_to_repeat_a_headshot(models: loading.Loaded) -> None:
    facts = json.loads(json.dumps(new_sampler(models).facts()))
    assert facts["bucket"] == 4
    assert facts["model"] == models.spec.repos[0].name
    assert facts["prompt as given to the model"] == models.spec.model_prompt(PROMPT)
    assert facts["size"] == list(tiny.SIZE)
    assert facts["face crop"] == [64, 64]
    assert facts["dtype"] == "float32"
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["scheduler"] == type(models.pipe.scheduler).__name__
    assert facts.keys() >= {"recipe", "revision", "device", "tier", "compiled"}
