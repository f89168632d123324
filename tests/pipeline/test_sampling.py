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
from headshot.pipeline.preview import PREVIEW_PX, CleanLatents, LatentColours, TinyDecoder, small_pictures
from headshot.pipeline.sampling import Conditioning, Guidance
from headshot.request import HeadshotRequest

torch.set_num_threads(1)

PROMPT, NEGATIVE = "grey backdrop, soft light", "blurry, plastic skin"
EQUAL = 1e-4  # of a range of 2, in float32
WIDTH, HEIGHT = tiny.SIZE


@functools.cache
def loaded(family: Any) -> loading.Loaded:
    (processor,) = hardware.devices(cpu=True)
    recipe = tiny.tiny_recipe(family)
    return loading.load(recipe, processor, hardware.Tier.ON_DEVICE, folder=tiny.folder(family), compile=False)


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


def session(models: loading.Loaded, prompt: str = PROMPT, negative: str = NEGATIVE, **options: Any) -> Conditioning:
    return Conditioning(models, a_face(), prompt, negative, **{"preview_seconds": 0, **options})


def asked(seed: int, guidance: float = 4.0, steps: Any = 21, **words: str) -> HeadshotRequest:
    return HeadshotRequest(
        **{"prompt": PROMPT, "negative_prompt": NEGATIVE, **words},
        seed=seed,
        guidance_scale=guidance,
        num_inference_steps=steps,
    )


def unheard(done: int, of: int, previews: Sequence[Image.Image | None]) -> None:
    """Listens to nothing."""


@contextmanager
def as_floats(models: loading.Loaded) -> Iterator[list[np.ndarray]]:
    """The decoder's own pictures, (3, H, W), before they are rounded to 8 bit."""
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
    """How often each of the modules has been called so far."""
    counts = [0] * len(modules)

    def count(place: int, *_: Any) -> None:
        counts[place] += 1

    hooks = [module.register_forward_hook(functools.partial(count, place)) for place, module in enumerate(modules)]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def run(session: Conditioning, *requests: HeadshotRequest) -> list[np.ndarray]:
    """One run's pictures as the decoder painted them: for requests of one group they come in order."""
    with as_floats(session._loaded) as pictures:
        headshots = session.run(requests, unheard)
    assert len(pictures) == len(headshots) == len(requests)
    return pictures


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


def furthest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


@functools.cache
def _usual(family: Any, bucket: int) -> Conditioning:
    return session(loaded(family), bucket=bucket)


def usual(models: loading.Loaded, bucket: int = 4) -> Conditioning:
    """The session of the usual words, which several tests use one after another, as a comparison's runs do."""
    return _usual(models.recipe.family, bucket)


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
            [asked(seed) for seed in (1, 2, 3, 4)], lambda done, of, seen: previews.append(seen)
        )
    return Four(headshots, floats, previews)


def four(models: loading.Loaded) -> Four:
    return _four(models.recipe.family)


@functools.cache
def _alone(family: Any, seed: int, guidance: float) -> np.ndarray:
    (picture,) = run(_usual(family, 1), asked(seed, guidance))
    return picture


def alone(models: loading.Loaded, seed: int, guidance: float = 4.0) -> np.ndarray:
    """A bucket of one."""
    return _alone(models.recipe.family, seed, guidance)


def test_four_seeds_give_four_different_headshots_of_the_recipes_size(models: loading.Loaded) -> None:
    headshots = four(models).headshots
    assert [(headshot.size, headshot.mode) for headshot in headshots] == [(tiny.SIZE, "RGB")] * 4
    for one, other in itertools.combinations(headshots, 2):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).mean() > 5


def test_a_batch_gives_what_single_runs_give(models: loading.Loaded) -> None:
    for seed, beside_others in enumerate(four(models).floats[:2], start=1):
        assert furthest(alone(models, seed), beside_others) < EQUAL


def test_other_neighbours_and_another_place_do_not_change_a_bit(models: loading.Loaded) -> None:
    _, second, third, _ = four(models).floats
    elsewhere = run(usual(models), asked(3), asked(77, guidance=9.5), asked(2))
    assert same(elsewhere[0], third)
    assert same(elsewhere[2], second)


def test_a_guidance_sweep_in_one_batch_equals_single_runs(models: loading.Loaded) -> None:
    sweep = run(usual(models), *(asked(5, guidance) for guidance in (1.5, 4.0, 7.3, 20.0)))
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
    pipe, words = models.pipe, models.recipe.wrapped(PROMPT)
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
        }[models.recipe.family]()
    with as_floats(models) as bare:
        noise = torch.Generator("cpu").manual_seed(5)
        pipe(**own, num_inference_steps=21, width=WIDTH, height=HEIGHT, generator=[noise])
    assert same(alone(models, 5, guidance), bare[0])


def test_guidance_1_beside_higher_ones_is_the_headshot_of_guidance_1(models: loading.Loaded) -> None:
    both = usual(models, bucket=2)
    mixed = both.run([asked(6, 7.5), asked(6, 1.0)], unheard)
    (of_guidance_1,) = both.run([asked(6, 1.0)], unheard)
    assert mixed[1].tobytes() == of_guidance_1.tobytes()
    assert mixed[0].tobytes() != of_guidance_1.tobytes()


def test_the_prompt_changes_the_headshot_and_so_does_the_negative_prompt(models: loading.Loaded) -> None:
    (other_prompt,) = run(session(models, prompt="blue sky", bucket=1), asked(1, prompt="blue sky"))
    (other_negative,) = run(session(models, negative="hat", bucket=1), asked(1, negative_prompt="hat"))
    assert furthest(alone(models, 1), other_prompt) > 100 * EQUAL
    assert furthest(alone(models, 1), other_negative) > 100 * EQUAL


def test_another_face_changes_the_headshot(models: loading.Loaded) -> None:
    (other,) = run(Conditioning(models, a_face(9), PROMPT, NEGATIVE, bucket=1), asked(1))
    assert furthest(alone(models, 1), other) > 50 * EQUAL


def test_without_guidance_a_headshot_costs_half_and_the_negative_prompt_does_not_count(klein: loading.Loaded) -> None:
    with counted(klein.pipe.transformer) as counts:
        (one,) = run(session(klein, bucket=1), asked(1, 1.0))
        (other,) = run(session(klein, negative="hat", bucket=1), asked(1, 1.0, negative_prompt="hat"))
    assert counts == [2 * 21]
    assert same(one, other)


def test_face_and_words_are_encoded_once_for_a_whole_comparison(models: loading.Loaded) -> None:
    pipe = models.pipe
    readers = {
        "flux2-klein": [pipe.text_encoder, pipe.vae.encoder],
        "sdxl-face": [getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2", "image_encoder")],
        "qwen-edit": [pipe.text_encoder, pipe.vae.encoder],
    }[models.recipe.family]
    with counted(*readers) as counts:
        comparison = session(models, bucket=2)
        encoded = list(counts)
        comparison.run([asked(seed, 1.0) for seed in (1, 2, 3)], unheard)
        comparison.run([asked(1)], unheard)
    # Prompt and negative prompt; the image encoder looks at the face and at the picture of none.
    assert encoded == ([2, 2, 2] if models.recipe.family == "sdxl-face" else [2, 1])
    assert counts == encoded


def test_qwens_photo_is_not_enlarged_once_more_for_every_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(*_: Any, **__: Any) -> Any:
        raise AssertionError("the photo was made ready once more")

    qwen = loaded("qwen-edit")
    comparison, processor = session(qwen, bucket=1), qwen.pipe.image_processor
    with monkeypatch.context() as patch:
        patch.setattr(type(processor), "preprocess", again)
        patch.setattr(type(processor), "resize", again)
        comparison.run([asked(1), asked(2)], unheard)
    assert not {"preprocess", "resize"} & vars(processor).keys()  # the next photo is read


@pytest.mark.parametrize("steps", [21, 31, 41])
def test_progress_counts_every_step(sdxl: loading.Loaded, steps: int) -> None:
    heard: list[tuple[int, int]] = []
    usual(sdxl, bucket=1).run([asked(1, 1.0, steps)], lambda done, of, _: heard.append((done, of)))
    assert heard == [(step, steps) for step in range(1, steps + 1)]


def test_a_scheduler_that_goes_twice_is_counted_twice(sdxl: loading.Loaded) -> None:
    from diffusers import HeunDiscreteScheduler

    ours, heard = sdxl.pipe.scheduler, []
    sdxl.pipe.scheduler = HeunDiscreteScheduler.from_config(ours.config)
    try:
        session(sdxl, bucket=1).run([asked(1, 1.0)], lambda done, of, _: heard.append((done, of)))
    finally:
        sdxl.pipe.scheduler = ours
    assert heard == [(step, 41) for step in range(1, 42)]


def test_every_request_of_a_bucket_has_a_preview_at_every_step(models: loading.Loaded) -> None:
    heard = four(models).previews
    assert len(heard) == 21
    # With a tiny autoencoder the whole picture, else one pixel for each latent.
    size = tiny.SIZE if models.tiny_vae is not None else (WIDTH // 8, HEIGHT // 8)
    for previews in heard:
        assert [(preview.size, preview.mode) for preview in previews if preview] == [(size, "RGB")] * 4
    assert len({previews[0].tobytes() for previews in heard if previews[0]}) > 10  # it develops
    assert heard[-1][0] != heard[-1][1]


def test_steps_that_follow_at_once_show_the_same_previews_again(sdxl: loading.Loaded) -> None:
    heard: list[Sequence[Image.Image | None]] = []
    hasty = session(sdxl, bucket=1, preview_seconds=60)
    hasty.run([asked(1, 1.0), asked(2, 1.0)], lambda done, of, previews: heard.append(previews))
    assert len(heard) == 42
    assert len({id(previews[0]) for previews in heard}) == 1
    assert len({id(previews[1]) for previews in heard[21:]}) == 1  # its own, from its first step on
    assert heard[-1][1] is not None and heard[-1][1] is not heard[-1][0]


def test_requests_of_a_later_bucket_have_no_preview_yet_and_the_steps_go_on_counting(sdxl: loading.Loaded) -> None:
    heard: list[tuple[int, int, list[bool]]] = []
    requests = [asked(1), asked(2, 1.0), asked(3)]
    usual(sdxl, bucket=2).run(
        requests, lambda done, of, previews: heard.append((done, of, [preview is not None for preview in previews]))
    )
    assert heard == [(step, 42, [True, step > 21, True]) for step in range(1, 43)]


def test_a_preview_is_small_and_keeps_the_pictures_shape(sdxl: loading.Loaded) -> None:
    latents = torch.randn(2, 4, 140, 112)
    with torch.no_grad():
        previews = small_pictures(latents, TinyDecoder(sdxl.tiny_vae, 8))
    assert [preview.size for preview in previews] == [(128, PREVIEW_PX)] * 2
    larger = small_pictures(torch.randn(1, 4, 400, 320), lambda latents: latents[:, :3])
    assert larger[0].size == (128, PREVIEW_PX)


def test_latents_that_are_colours_in_disguise_are_read_back() -> None:
    rng = torch.Generator().manual_seed(1)
    mixing, shade = torch.randn(3, 32, generator=rng), torch.randn(32, 1, 1, generator=rng)

    def disguised(picture: Image.Image) -> torch.Tensor:
        colours = torch.from_numpy(np.asarray(picture, np.float32)).movedim(-1, 0) / 127.5 - 1
        return (torch.einsum("chw,cd->dhw", colours, mixing) + shade)[None]

    small = a_face().resize((32, 32), Image.Resampling.BOX)
    other = a_face(seed=5).resize((24, 30), Image.Resampling.BOX)
    (preview,) = small_pictures(disguised(other), LatentColours(disguised(small), a_face()))
    assert preview.size == other.size
    assert np.abs(np.asarray(preview, int) - np.asarray(other, int)).max() <= 2


def test_sdxl_has_previews_without_its_tiny_autoencoder_too(sdxl_without_tiny_vae: loading.Loaded) -> None:
    heard: list[Sequence[Image.Image | None]] = []
    session(sdxl_without_tiny_vae, bucket=1).run([asked(1, 1.0)], lambda done, of, previews: heard.append(previews))
    assert [previews[0].size for previews in heard if previews[0]] == [(WIDTH // 8, HEIGHT // 8)] * 21


@pytest.mark.parametrize("family", ["flux2-klein", "sdxl-face"])
def test_what_is_previewed_is_the_clean_picture_from_the_first_step_on(family: Any) -> None:
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
def test_packed_latents_are_laid_out_as_the_autoencoder_reads_them(family: Any) -> None:
    models = loaded(family)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    into_decoder: list[torch.Tensor] = []
    hook = models.pipe.vae.post_quant_conv.register_forward_pre_hook(lambda _, given: into_decoder.append(given[0]))
    comparison = session(models, bucket=1)
    pictured = comparison._conditions.pictured

    def watch(latents: torch.Tensor) -> torch.Tensor:
        laid_out = pictured(latents)
        seen.append((latents, laid_out))
        return laid_out

    comparison._conditions.pictured = watch  # type: ignore[method-assign]
    comparison.run([asked(1, 1.0)], unheard)
    hook.remove()
    packed, laid_out = seen[-1]
    channels = laid_out.shape[1]
    assert packed.shape == (1, WIDTH // 16 * HEIGHT // 16, 4 * channels)
    assert laid_out.shape == (1, channels, HEIGHT // 8, WIDTH // 8)
    # After the last step the clean latents are the latents, so that these two are the same picture.
    assert furthest(laid_out.numpy(), into_decoder[-1].reshape(laid_out.shape).numpy()) < EQUAL


class Enough(Exception):
    """What a listener raises to end a run."""


def test_stopping_at_step_5_of_21_ends_at_once_and_the_pipe_works_on(models: loading.Loaded) -> None:
    pipe, scheduler = models.pipe, models.pipe.scheduler
    denoiser, halves = (pipe.unet, 1) if hasattr(pipe, "unet") else (pipe.transformer, 2)
    heard: list[int] = []

    def stop_at_5(done: int, of: int, previews: Sequence[Image.Image | None]) -> None:
        heard.append(done)
        if done == 5:
            raise Enough

    comparison = usual(models)
    with counted(denoiser, pipe.vae.decoder) as counts, pytest.raises(Enough):
        comparison.run([asked(1), asked(2)], stop_at_5)
    assert heard == [1, 2, 3, 4, 5]
    assert counts == [5 * halves, 0]
    assert pipe.scheduler is scheduler
    assert "_encode_vae_image" not in vars(pipe)
    assert not denoiser._forward_pre_hooks
    assert same(run(comparison, asked(1), asked(2))[1], four(models).floats[1])


def test_offloaded_models_make_the_same_headshot_and_go_back_when_a_run_is_stopped(models: loading.Loaded) -> None:
    offload = hardware.Tier.MODEL_OFFLOAD
    offloaded = loading.load(models.recipe, models.device, offload, folder=tiny.folder(models.recipe.family))
    comparison = session(offloaded, bucket=1)
    away = list(offloaded.pipe._all_hooks)

    def stop(done: int, of: int, previews: Sequence[Image.Image | None]) -> None:
        raise Enough

    with pytest.raises(Enough):
        comparison.run([asked(1)], stop)
    assert not {id(hook) for hook in away} & {id(hook) for hook in offloaded.pipe._all_hooks}  # all placed anew
    (headshot,) = run(comparison, asked(1))
    offloaded.unload()
    assert furthest(headshot, alone(models, 1)) < EQUAL  # not to the bit: the weights begin elsewhere in memory


def test_the_same_seed_repeats_the_headshot_in_another_session(models: loading.Loaded) -> None:
    (again,) = run(session(models, bucket=1), asked(1))
    assert same(again, alone(models, 1))


def test_two_jobs_one_after_another_share_no_schedule(models: loading.Loaded) -> None:
    before = dict(vars(models.pipe.scheduler))
    comparison = usual(models, bucket=1)
    (finer,) = run(comparison, asked(1, 1.0, 41))
    (first,) = run(comparison, asked(1))
    assert same(first, alone(models, 1))
    assert not same(first, finer)
    after = vars(models.pipe.scheduler)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_steps_are_swept_in_separate_runs_and_guidance_1_apart(klein: loading.Loaded) -> None:
    comparison = usual(klein)
    requests = [
        asked(seed, guidance, steps) for steps in (21, 31) for seed in (1, 2, 3) for guidance in (1.0, 4.0, 8.0)
    ]
    batches = comparison.batches(requests)
    assert sorted(map(hash, itertools.chain(*batches))) == sorted(map(hash, requests))
    assert [len(batch) for batch in batches] == [3, 4, 2, 3, 4, 2]
    for batch in batches:
        assert len({(request.num_inference_steps, request.guidance_scale > 1) for request in batch}) == 1
    with pytest.raises(ValueError, match="one number of steps"):
        comparison.run(requests, unheard)


def test_the_same_request_twice_gives_the_same_headshot_twice(sdxl: loading.Loaded) -> None:
    twice = asked(3, 1.0)
    one, other = usual(sdxl, bucket=2).run([twice, twice], unheard)
    assert one.tobytes() == other.tobytes()


def test_a_request_of_other_words_or_without_a_seed_is_a_mistake_of_the_caller(klein: loading.Loaded) -> None:
    comparison = usual(klein)
    with pytest.raises(ValueError, match="a session of its own"):
        comparison.run([asked(1, prompt="something else")], unheard)
    with pytest.raises(ValueError, match="resolve it first"):
        comparison.run([HeadshotRequest(prompt=PROMPT, negative_prompt=NEGATIVE)], unheard)


def test_the_highest_seed_is_one_like_any_other(sdxl: loading.Loaded) -> None:
    highest, lowest = run(usual(sdxl, bucket=2), asked(2**32 - 1, 1.0), asked(0, 1.0))
    assert furthest(highest, lowest) > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_of_guidance_is_what_the_plain_number_is_to_the_bit(dtype: torch.dtype) -> None:
    values = (1.1, 4.0, 7.3, 19.9)
    difference = torch.randn(4, 50, 8, generator=torch.Generator().manual_seed(3)).to(dtype)
    sweep = Guidance(values) * difference
    assert sweep.dtype == dtype
    for row, value in enumerate(values):
        assert torch.equal(sweep[row], value * difference[row])


def test_numbers_that_leave_the_range_are_said_and_not_shown_as_a_black_picture(klein: loading.Loaded) -> None:
    hook = klein.pipe.transformer.register_forward_hook(lambda _, __, out: (out[0] * float("nan"),))
    try:
        with pytest.raises(errors.Unavailable, match=r"left the range of float32 on the processor.*another recipe\."):
            session(klein, bucket=1).run([asked(1)], unheard)
    finally:
        hook.remove()


def test_a_distilled_model_says_that_guidance_does_not_count(klein: loading.Loaded) -> None:
    klein.pipe.register_to_config(is_distilled=True)
    try:
        distilled = session(klein, bucket=2)
        assert [note.kind for note in distilled.notes] == ["not applied"]
        assert "neither guidance nor a negative prompt" in distilled.notes[0].text
        low, high = run(distilled, asked(1, 1.0), asked(1, 8.0))
    finally:
        klein.pipe.register_to_config(is_distilled=False)
    assert same(low, high)
    assert session(klein).notes == ()


def test_sdxl_says_which_words_it_did_not_read(sdxl: loading.Loaded) -> None:
    assert session(sdxl).notes == ()
    (note,) = session(sdxl, prompt="a grey wall " * 30).notes
    assert (note.kind, "words of the prompt" in note.text) == ("not applied", True)
    (note,) = session(sdxl, negative="no hat " * 30).notes
    assert "words of the negative prompt" in note.text


def test_the_facts_hold_what_repeats_a_headshot(models: loading.Loaded) -> None:
    facts = json.loads(json.dumps(session(models).recipe_facts()))
    assert facts["bucket"] == 4
    assert facts["model"] == models.recipe.parts[0].repo
    assert facts["prompt as given to the model"] == models.recipe.wrapped(PROMPT)
    assert facts["size"] == list(tiny.SIZE)
    assert facts["face crop"] == [64, 64]
    assert facts["dtype"] == "float32"
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["scheduler"] == type(models.pipe.scheduler).__name__
    assert facts.keys() >= {"recipe", "revision", "device", "tier", "compiled"}
