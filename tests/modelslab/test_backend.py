"""ModelsLab as a backend: whose key it is, whose headshots they are, and the same from a script."""

import asyncio
import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import portraits
import pytest
from bad_photos import PORTRAIT
from loopback import CANARY, QUICK, loopback, traces
from paths import ROOT
from PIL import Image
from service import Exchange, Service, closed_port

from headshot.backends import Readiness
from headshot.comparison.axes import plan
from headshot.errors import NotConfigured, PhotoError, RequestError, Stopped
from headshot.imaging import face
from headshot.imaging.photo import Photo
from headshot.modelslab.backend import ModelsLab
from headshot.modelslab.job_runner import WebhookTarget
from headshot.modelslab.jobs import JobService
from headshot.modelslab.key import Key
from headshot.progress import Progress, Step
from headshot.request import Headshot, HeadshotRequest
from headshot.settings import Settings
from headshot.storage import hash_token

ANN, BEN = hash_token("ann's token"), hash_token("ben's token")
ANNS_KEY, BENS_KEY = "anns0key0with0many0characters", "bens0key0with0many0characters"
PHOTO = Photo.from_image(Image.radial_gradient("L").convert("RGB"))

pytestmark = pytest.mark.anyio


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(file=portrait()) as service:
        yield service


def portrait() -> bytes:
    data = io.BytesIO()
    Image.open(PORTRAIT).resize((455, 568)).save(data, "PNG")
    return data.getvalue()


def backend(service: Service, folder: Path, *, key: str = CANARY, **more: Any) -> ModelsLab:
    settings = Settings(modelslab_key=key, modelslab_url=service.base_url, data_dir=folder, **more)
    return ModelsLab(JobService(settings, polling=QUICK, resolve=loopback))


@asynccontextmanager
async def opened(service: Service, folder: Path, **options: Any) -> AsyncIterator[ModelsLab]:
    found = backend(service, folder, **options)
    try:
        yield found
    finally:
        await found.jobs.close()


async def shot(
    found: ModelsLab, *seeds: int, photo: Photo = PHOTO, progress: Progress | None = None, face: int | None = None
) -> list[Headshot]:
    requests = plan(HeadshotRequest(), seeds)
    async with aclosing(found.generate(photo, requests, progress or Progress(), face=face)) as headshots:
        return [headshot async for headshot in headshots]


def bodies(service: Service) -> list[dict[str, Any]]:
    return [job.body for job in service.jobs.values()]


# --- whether it is ready


def test_without_a_key_it_says_how_to_give_one(service: Service, tmp_path: Path) -> None:
    found = backend(service, tmp_path, key="")
    sentence = "ModelsLab needs a key: enter yours below, or start the server with HEADSHOT_MODELSLAB_KEY."
    assert found.readiness() == found.for_user(ANN, None).readiness() == Readiness(False, sentence)
    with pytest.raises(NotConfigured) as keyless:
        _ = found.key
    assert str(keyless.value) == sentence


@pytest.mark.parametrize(("key", "whose"), [(None, "this server’s key"), (Key(ANNS_KEY), "your key")])
def test_with_a_key_it_says_whose_is_charged(key: Key | None, whose: str, service: Service, tmp_path: Path) -> None:
    assert backend(service, tmp_path).for_user(ANN, key).readiness() == Readiness(
        True, f"ModelsLab is ready, with {whose}. Your photo is sent to it, and every headshot is charged there."
    )


def test_a_visitors_key_makes_it_ready_where_the_server_has_none(service: Service, tmp_path: Path) -> None:
    found = backend(service, tmp_path, key="  ")
    assert not found.readiness().ready
    assert found.for_user(ANN, Key(ANNS_KEY)).readiness().ready


@pytest.mark.parametrize("key", ["two words", "schlüssel", "x" * 201])
def test_a_text_that_cannot_be_a_key_is_refused_before_anything_is_sent(
    key: str, service: Service, tmp_path: Path
) -> None:
    sentence = "The ModelsLab key holds a space or a character that no key has: copy it again from modelslab.com."
    assert backend(service, tmp_path, key=key).readiness() == Readiness(False, sentence)
    assert backend(service, tmp_path).for_user(ANN, Key(key)).readiness() == Readiness(False, sentence)


def test_a_visitors_empty_key_does_not_spend_the_servers(service: Service, tmp_path: Path) -> None:
    readiness = backend(service, tmp_path).for_user(ANN, Key(" ")).readiness()
    assert readiness == Readiness(False, "There is no ModelsLab key: make one at modelslab.com and enter it.")


@pytest.mark.parametrize("key", [None, Key("two words")])
async def test_without_a_usable_key_nothing_is_stored(key: Key | None, service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path / "data", key="") as found:
        with pytest.raises(NotConfigured):
            await shot(found.for_user(ANN, key), 1)
    assert service.posts == 0 and not (tmp_path / "data").exists()


# --- whose it is


async def test_visitors_share_the_job_service_and_each_sees_only_their_own(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as found:
        ann, ben = found.for_user(ANN, Key(ANNS_KEY)), found.for_user(BEN, None)
        assert ann.jobs is ben.jobs is found.jobs
        [hers], [his] = await asyncio.gather(shot(ann, 1), shot(ben, 2))
        assert (hers.request.seed, his.request.seed) == (1, 2)
        for owner, headshot, other in ((ANN, hers, his), (BEN, his, hers)):
            [job] = await found.jobs.comparison(owner)
            assert job.id == headshot.job
            with pytest.raises(RequestError, match="no longer here"):
                await found.jobs.record(owner, other.job)
        [job] = await found.jobs.comparison(ANN)
        assert [shot async for shot in ben.watch(job.comparison, 1, Progress())] == []
        assert [shot.job async for shot in ann.watch(job.comparison, 1, Progress())] == [hers.job]


async def test_a_visitors_key_is_sent_with_that_visitors_headshots_alone(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as found:
        views = [found.for_user(ANN, Key(ANNS_KEY)), found.for_user(BEN, Key(BENS_KEY)), found]
        await asyncio.gather(*(shot(view, at, 10 + at) for at, view in enumerate(views)))
    assert {body["seed"]: body["key"] for body in bodies(service)} == {
        **dict.fromkeys((0, 10), ANNS_KEY),
        **dict.fromkeys((1, 11), BENS_KEY),
        **dict.fromkeys((2, 12), CANARY),
    }


async def test_two_programs_that_name_no_owner_have_nothing_in_common(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as found:
        await shot(found, 1)
        assert await found.jobs.comparison(ModelsLab(found.jobs).owner) == ()
        assert len(await found.jobs.comparison(found.owner)) == 1


def test_a_view_shows_no_key(service: Service, tmp_path: Path) -> None:
    found = backend(service, tmp_path)
    view = found.for_user(ANN, Key(CANARY), WebhookTarget("https://example.com/hook"))
    assert traces(repr((found, vars(found), view, vars(view), view.key, vars(found.jobs)))) == []


# --- what is sent, and what comes of it


async def test_a_headshot_has_a_likeness_and_the_comparison_reports_its_steps(service: Service, tmp_path: Path) -> None:
    steps: list[Step] = []
    async with opened(service, tmp_path) as found:
        assert found.estimate(PHOTO, plan(HeadshotRequest(), [1])) is None
        [one, two] = await shot(found, 1, 2, photo=Photo.open(PORTRAIT), progress=Progress(steps.append))
        estimate = found.estimate(None, plan(HeadshotRequest(), range(11)))
        assert estimate == pytest.approx(3 * found.jobs.durations.seconds)  # five at once
    for headshot in (one, two):
        assert headshot.likeness is not None and headshot.likeness > 0.9
        assert headshot.notes == ()
    assert steps[0] == Step("Sending your photo to ModelsLab", 0, 2)
    assert steps[1:] == [Step("Generating at ModelsLab", 1, 2), Step("Done", 2, 2)]


async def test_only_the_part_around_the_chosen_face_is_sent(service: Service, tmp_path: Path) -> None:
    people = [portraits.photograph("astronaut"), portraits.photograph("portrait")[:1024]]
    photo = Photo.from_image(Image.fromarray(np.hstack(people)))
    faces = face.find(photo.pixels)
    async with opened(service, tmp_path) as found:
        [largest] = await shot(found, 0, photo=photo, face=0)
        [other] = await shot(found, 1, photo=photo, face=1)
        await shot(found, 2, photo=photo)
        with pytest.raises(PhotoError, match="There is no face number 3"):
            await shot(found, 3, photo=photo, face=2)
    sent = [Photo.from_bytes(base64.b64decode(body["face_image"].partition(",")[2])) for body in bodies(service)]
    assert len(sent) == 3
    for chosen, cut in zip(faces, sent[:2], strict=True):
        [seen] = face.find(cut.pixels)
        assert face.likeness(face.embed(photo.pixels, chosen), face.embed(cut.pixels, seen)) > 0.8
    assert sent[2].pixels.shape == photo.pixels.shape
    assert largest.likeness is not None and largest.likeness > face.SAME_PERSON  # the picture is the portrait's
    assert other.likeness is not None and other.likeness < face.SAME_PERSON


async def test_a_stop_before_the_start_stores_nothing(service: Service, tmp_path: Path) -> None:
    progress = Progress()
    progress.cancel()
    async with opened(service, tmp_path / "data") as found:
        with pytest.raises(Stopped):
            await shot(found, 1, progress=progress)
        assert not found.jobs.has_jobs
    assert service.posts == 0


async def test_the_other_api_has_its_own_path(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, modelslab_api="v6") as found:
        [headshot] = await shot(found, 1)
        job, _ = await found.jobs.record(found.owner, headshot.job)
    [body] = bodies(service)
    assert body["samples"] == job.facts["sent"]["samples"] == 1
    assert job.api == "v6"


# --- from a script

_SCRIPT = """
import json, sys
import headshot
from headshot.errors import HeadshotError

def summary(headshots):
    return [[shot.request.seed, shot.backend, shot.likeness, shot.notes and shot.notes[0].text] for shot in headshots]

for seeds in json.loads(sys.argv[2]):
    try:
        print(json.dumps({"completed": summary(headshot.shoot(sys.argv[3], seeds=seeds, backend=sys.argv[1]))}))
    except HeadshotError as error:
        said = {"error": type(error).__name__, "sentence": str(error), "completed": summary(error.headshots)}
        print(json.dumps(said))
"""


async def decline(exchange: Exchange) -> None:
    await exchange.answer(200, {"status": "error", "message": "The prompt is not allowed."})


def script(
    address: str, folder: Path, *seeds: list[int], name: str = "modelslab", **settings: str
) -> list[dict[str, Any]]:
    """What each call of `shoot` in one program came to."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HEADSHOT_")} | {
        "PYTHONPATH": str(ROOT),
        "HEADSHOT_MODELSLAB_KEY": CANARY,
        "HEADSHOT_MODELSLAB_URL": address,
        "HEADSHOT_DATA_DIR": str(folder / "data"),
        **{f"HEADSHOT_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-c", _SCRIPT, name, json.dumps(seeds), str(PORTRAIT)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True, timeout=90)
    assert traces(done.stdout + done.stderr) == []
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def inline(service: Service) -> None:
    """Pictures come inside the answer, for a program without a resolver of ours follows no link to loopback."""
    service.link = f"data:image/png;base64,{base64.b64encode(service.file).decode()}"


def test_a_script_shoots_with_the_environments_key(service: Service, tmp_path: Path) -> None:
    async def linger(exchange: Exchange) -> None:
        await service._submit(exchange)
        [*_, job] = service.jobs.values()
        job.done_at += job.body["seed"] == 1

    inline(service)
    service.script("submit", linger)
    first, second = script(service.base_url, tmp_path, [1, 2], [3])
    assert [seed for seed, *_ in first["completed"]] == [1, 2]  # though the second one completed first
    assert [seed for seed, *_ in second["completed"]] == [3]  # in another event loop, with the same job service
    for _, name, likeness, notes in first["completed"] + second["completed"]:
        assert name == "modelslab" and likeness > 0.9 and not notes
    assert [body["key"] for body in bodies(service)] == [CANARY] * 3
    assert len(list((tmp_path / "data").glob("jobs.sqlite3"))) == 1


def test_a_script_gets_the_finished_headshots_with_the_error(service: Service, tmp_path: Path) -> None:
    inline(service)
    service.script("submit", None, decline, None)
    [said] = script(service.base_url, tmp_path, [1, 2, 3], modelslab_in_flight="1")
    assert said["error"] == "Refused"
    assert "The prompt is not allowed" in said["sentence"]
    assert sorted(seed for seed, *_ in said["completed"]) == [1, 3]


def test_if_modelslab_cannot_be_reached_auto_falls_back_to_the_studio(tmp_path: Path) -> None:
    with closed_port() as port:
        [said] = script(f"http://127.0.0.1:{port}", tmp_path, [1], name="auto")
    [[seed, name, likeness, note]] = said["completed"]
    assert (seed, name) == (1, "studio") and likeness > 0.5
    assert note.startswith("Made by Studio, for ModelsLab was not available: ModelsLab cannot be reached:")
