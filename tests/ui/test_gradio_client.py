"""The endpoint for programs, called by the real `gradio_client`, and by plain HTTP as a stranger would."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from page import files_in, serving, uploads, visiting
from PIL import Image
from playwright.sync_api import Browser, expect
from stub import StubBackend, file_of

from headshot import HeadshotRequest, Photo, shoot, ui
from headshot.errors import NotConfigured, Refused, Unavailable
from headshot.imaging import photo_check
from headshot.registry import create_backends
from headshot.runs.error_messages import BUG
from headshot.settings import Settings
from headshot.ui.headshots.photo import EXAMPLE
from headshot.web import server

DEFAULT = HeadshotRequest()
GRACE_SECONDS = 0.6
SOON_SECONDS = 10  # two cores that other tests may share


@pytest.fixture(scope="module")
def quick_heartbeat() -> Iterator[None]:
    """A client that closes hears of it with the next beat, which by default comes every 15 s."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_HEARTBEAT_INTERVAL", "0.2")
        yield


@pytest.fixture(scope="module")
def backend() -> StubBackend:
    return StubBackend()


@pytest.fixture(scope="module")
def site(backend: StubBackend, quick_heartbeat: None) -> Iterator[server.Site]:
    with serving({backend.name: backend}, grace_seconds=GRACE_SECONDS) as running:
        yield running


@pytest.fixture(autouse=True)
def _forgetful(backend: StubBackend) -> Iterator[None]:
    backend.reset()
    yield
    backend.reset()


@pytest.fixture(autouse=True)
def _tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's client leaves an empty folder behind for each file that it fetches."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))


@contextmanager
def connected(site: server.Site, downloads: Path | None) -> Iterator[Client]:
    """downloads: None leaves the files where they are and gives their addresses."""
    client = Client(site.address, verbose=False, download_files=downloads or False, analytics_enabled=False)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def client(site: server.Site, tmp_path: Path) -> Iterator[Client]:
    with connected(site, tmp_path / "downloads") as client:
        yield client


@pytest.fixture
def stranger(site: server.Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.address, trust_env=False, timeout=SOON_SECONDS) as stranger:
        yield stranger


@pytest.fixture
def photo(tmp_path: Path) -> Any:
    """The example, under a name that no other test sends."""
    path = tmp_path / f"{tmp_path.name}.png"
    shutil.copy(EXAMPLE, path)
    return handle_file(str(path))


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def png(request: HeadshotRequest) -> bytes:
    """The stub's file of the example."""
    return file_of(Photo.open(EXAMPLE), request)


# What a program sees.


def test_there_is_one_endpoint_with_the_requests_own_types_bounds_and_defaults(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert isinstance(endpoints, dict)
    assert list(endpoints["named_endpoints"]) == ["/generate"] and not endpoints["unnamed_endpoints"]
    about = endpoints["named_endpoints"]["/generate"]
    typed = {each["parameter_name"]: each["python_type"]["type"] for each in about["parameters"]}
    assert typed == {
        "photo": "filepath",
        "prompt": "str",
        "negative_prompt": "str",
        "num_inference_steps": "int",
        "guidance_scale": "float",
        "seeds": "str",
        "backend": "str",
    }
    assert [each["python_type"]["type"] for each in about["returns"]] == ["list[filepath]"]
    defaults = {
        each["parameter_name"]: each["parameter_default"]
        for each in about["parameters"]
        if each["parameter_has_default"]
    }
    assert defaults == {**DEFAULT.model_dump(exclude={"seed"}), "seeds": "1", "backend": "auto"}
    sent = {each["parameter_name"]: each["python_type"]["description"] for each in about["parameters"]}
    assert sent["num_inference_steps"].endswith("Must be 21, 31 or 41.")
    assert sent["guidance_scale"].endswith("Must be a number from 1 to 20.")
    assert "at most 8" in sent["seeds"]
    assert sent["backend"] == "auto or stub."


def test_what_the_client_prints_of_it_reads_as_a_call(client: Client) -> None:
    words = str(client.view_api(return_format="str", print_info=False))
    assert (
        "predict(photo, prompt, negative_prompt, num_inference_steps, guidance_scale, seeds, backend, "
        'api_name="/generate") -> headshots'
    ) in words
    assert "seeds: str (not required, defaults to:   1)" in words
    assert "gradio" not in words.lower()


def test_a_photo_alone_gives_one_headshot_by_the_defaults(client: Client, backend: StubBackend, photo: Any) -> None:
    [file] = client.predict(photo=photo)
    asked = HeadshotRequest(seed=1)
    assert backend.asked == [asked]
    assert Path(file).name == "headshot-stub-seed-1-guidance-7.5-steps-21.png"
    assert Path(file).read_bytes() == png(asked)


def test_every_parameter_arrives_and_the_files_come_in_the_seeds_order(
    client: Client, backend: StubBackend, photo: Any
) -> None:
    files = client.predict(photo, "navy backdrop", "smile", 41, 12, "9, 2-3, 9", "stub", api_name="/generate")
    look = {"prompt": "navy backdrop", "negative_prompt": "smile", "num_inference_steps": 41, "guidance_scale": 12}
    asked = [HeadshotRequest(**look, seed=seed) for seed in (9, 2, 3)]
    assert backend.asked == asked
    assert [Path(file).name for file in files] == [
        f"headshot-stub-seed-{seed}-guidance-12-steps-41.png" for seed in (9, 2, 3)
    ]
    assert [Path(file).read_bytes() for file in files] == [png(request) for request in asked]


def test_a_program_reads_the_stage_and_the_count(client: Client, backend: StubBackend, photo: Any) -> None:
    backend.hold()
    job = client.submit(photo=photo, seeds="1-3")
    backend.let_complete(2)

    def heard() -> Any:
        sent = job.status().progress_data
        return sent and (sent[0].index, sent[0].length, sent[0].unit, sent[0].desc)

    until(lambda: heard() == (2, 3, "headshots", "Lighting…"))
    backend.let_complete()
    assert len(job.result(timeout=SOON_SECONDS)) == 3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"guidance_scale": 21}, "Guidance must be a number from 1 to 20."),
        ({"num_inference_steps": 20}, "Steps must be 21, 31 or 41."),
        ({"num_inference_steps": "21"}, "Steps must be 21, 31 or 41."),
        ({"prompt": "a" * 2_001}, "Prompt is too long: keep it within 2,000 characters."),
        ({"seeds": "1-9"}, "The range 1-9 holds 9 seeds; at most 8 run at once."),
        ({"seeds": "<b>"}, "“<b>” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ({"backend": "hosted"}, "There is no backend called “hosted”: choose auto or stub."),
    ],
)
def test_a_wrong_setting_raises_one_plain_sentence_and_leaves_nothing(
    client: Client, photo: Any, wrong: dict[str, Any], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(photo=photo, **wrong)
    assert str(refused.value) == sentence
    assert uploads() == []
    assert "Traceback" not in capfd.readouterr().err


def test_a_file_that_is_no_photo_and_a_photo_without_a_face_are_refused_and_gone(
    client: Client, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text, empty = tmp_path / "notes.jpg", tmp_path / "wall.png"
    text.write_text("not a photo")
    Image.new("RGB", (400, 400), "grey").save(empty)
    for path, sentence in ((text, "not a picture"), (empty, "No face was found in this photo.")):
        with pytest.raises(AppError, match=sentence) as refused:
            client.predict(photo=handle_file(str(path)))
        assert str(refused.value).endswith(".")
        assert uploads() == []
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("stub", "The service is busy. Try again in a minute."),
        NotConfigured("stub", "The key is missing: set it, then start again."),
        Refused("stub", "The service declined this photo."),
    ],
)
def test_what_a_backend_says_reaches_the_program(
    client: Client, backend: StubBackend, photo: Any, error: Exception
) -> None:
    backend.fail(error)
    with pytest.raises(AppError) as refused:
        client.predict(photo=photo, seeds="1-2")
    assert str(refused.value) == str(error)


def test_what_had_completed_when_a_backend_failed_reaches_the_program(
    client: Client, backend: StubBackend, photo: Any
) -> None:
    backend.fail(Refused("stub", "The service declined this photo."), after=2)
    files = client.predict(photo=photo, seeds="1-4")
    assert [Path(file).name for file in files] == [
        f"headshot-stub-seed-{seed}-guidance-7.5-steps-21.png" for seed in (1, 2)
    ]


def test_a_bug_stays_in_the_log(
    client: Client, backend: StubBackend, photo: Any, caplog: pytest.LogCaptureFixture
) -> None:
    backend.fail(ZeroDivisionError("with a secret in it"))
    with pytest.raises(AppError) as refused:
        client.predict(photo=photo)
    assert str(refused.value) == BUG
    assert "ZeroDivisionError: with a secret in it" in caplog.text


# The photo and the files.


def test_the_photo_is_deleted_as_soon_as_it_is_read(client: Client, backend: StubBackend, photo: Any) -> None:
    backend.hold()
    job = client.submit(photo=photo)
    until(lambda: backend.asked)
    assert uploads() == []
    backend.let_complete()
    job.result(timeout=SOON_SECONDS)


def test_one_photo_may_be_sent_with_several_calls_at_once(client: Client, photo: Any) -> None:
    jobs = [client.submit(photo=photo, prompt=f"look {number}") for number in range(12)]
    for number, job in enumerate(jobs):
        [file] = job.result(timeout=SOON_SECONDS)
        assert Path(file).read_bytes() == png(HeadshotRequest(prompt=f"look {number}", seed=1))
    assert uploads() == []


def test_two_programs_files_lie_apart_under_names_that_nobody_guesses(
    site: server.Site, stranger: httpx.Client, photo: Any
) -> None:
    with connected(site, None) as one, connected(site, None) as other:
        mine, theirs = one.predict(photo=photo)[0]["path"], other.predict(photo=photo)[0]["path"]
        folders = [Path(path).relative_to(site.sessions.root).parts for path in (mine, theirs)]
        assert folders[0][0] != folders[1][0]
        assert all(len(session) >= 43 and len(corner) >= 11 for session, corner, _ in folders)  # 256 and 64 random bits
        for path in (mine, theirs):
            assert stranger.get(f"gradio_api/file={path}").status_code == 200
            for folder in list(Path(path).parents)[:3]:
                assert stranger.get(f"gradio_api/file={folder}").status_code in (204, 403, 404)


def test_the_files_are_gone_after_the_program_and_its_grace(site: server.Site, photo: Any, tmp_path: Path) -> None:
    with connected(site, tmp_path) as client:
        client.predict(photo=photo, seeds="1-2")
        time.sleep(2 * GRACE_SECONDS)
        assert len([path for path in files_in(site.sessions.root) if path.suffix == ".png"]) == 2
    until(lambda: not files_in(site.sessions.root) and not list(site.sessions.root.iterdir()))
    assert uploads() == []


def test_a_photo_is_forgotten_when_the_next_one_comes_and_when_the_program_goes(
    site: server.Site, backend: StubBackend, tmp_path: Path
) -> None:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    with Image.open(EXAMPLE) as example:
        for margin, path in enumerate(paths, 1):
            example.crop((margin, margin, *example.size)).save(path)
    one, two = (Photo.open(path).sha256 for path in paths)
    with connected(site, tmp_path) as client:
        for path in (paths[0], paths[0], paths[1]):
            assert one not in backend.forgotten
            client.predict(photo=handle_file(str(path)))
        assert one in backend.forgotten
        assert two not in backend.forgotten
        backend.hold()
        job = client.submit(photo=handle_file(str(paths[0])))
        until(lambda: len(backend.asked) == 4)
        backend.forgotten.clear()
        client.submit(photo=handle_file(str(paths[1])))
        until(lambda: len(backend.asked) == 5)
        backend.forgotten.clear()  # forgotten while it is still in use, and so once more when it no longer is
        backend.let_complete(2)
        job.result(timeout=SOON_SECONDS)
        assert backend.forgotten == [one]
    until(lambda: two in backend.forgotten)


def test_a_program_without_a_heartbeat_finds_its_files_after_a_long_call(
    site: server.Site, backend: StubBackend, stranger: httpx.Client
) -> None:
    backend.hold()
    join(stranger, [upload(stranger)], session="no heartbeat")
    time.sleep(3 * GRACE_SECONDS)
    backend.let_complete()
    [file] = answer(stranger, session="no heartbeat")["output"]["data"][0]
    found = stranger.get(f"gradio_api/file={file['path']}")
    assert found.content == png(HeadshotRequest(seed=1))
    until(lambda: not files_in(site.sessions.root))
    assert stranger.get(f"gradio_api/file={file['path']}").status_code == 204


def test_a_cancelled_job_stops_the_backend(client: Client, backend: StubBackend, photo: Any) -> None:
    backend.hold()
    job = client.submit(photo=photo, seeds="1-3")
    until(lambda: backend.asked)
    job.cancel()
    assert backend.stopped.wait(SOON_SECONDS)
    assert len(backend.asked) == 1


def test_a_client_that_closes_stops_what_runs_and_what_waits(
    site: server.Site, backend: StubBackend, photo: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    backend.hold()
    with connected(site, tmp_path) as client:
        jobs = [client.submit(photo=photo, seeds=str(seed)) for seed in range(1, 5)]
        until(lambda: len(backend.asked) == 2)
        until(lambda: sum("In the queue" in str(job.status().progress_data) for job in jobs) == 2)  # the others wait
    assert backend.stopped.wait(SOON_SECONDS)
    until(lambda: not files_in(site.sessions.root))
    backend.asked.clear()
    with connected(site, tmp_path) as client:
        job = client.submit(photo=photo, seeds="9")
        until(lambda: backend.asked)
        assert [request.seed for request in backend.asked] == [9]  # a place is free, and nobody waits before it
        backend.let_complete(10)
        assert len(job.result(timeout=SOON_SECONDS)) == 1
    assert "Traceback" not in capfd.readouterr().err


KILLED = """
import sys
from gradio_client import Client, handle_file
Client(sys.argv[1], verbose=False).predict(photo=handle_file(sys.argv[2]), seeds="1-8")
"""


def test_a_program_that_is_killed_stops_the_backend(site: server.Site, backend: StubBackend) -> None:
    backend.hold()
    program = subprocess.Popen([sys.executable, "-c", KILLED, site.address, str(EXAMPLE)])
    try:
        until(lambda: backend.asked)
    finally:
        program.kill()
        program.wait()
    assert backend.stopped.wait(SOON_SECONDS)
    until(lambda: not files_in(site.sessions.root))


# The line.


def test_programs_and_people_stand_in_one_line(
    site: server.Site, backend: StubBackend, client: Client, photo: Any, browser: Browser
) -> None:
    backend.hold()
    jobs = [client.submit(photo=photo, seeds=str(seed)) for seed in (1, 2)]
    until(lambda: len(backend.asked) == backend.max_concurrent)
    with visiting(browser, site.address) as visit:
        visit.take_example()
        visit.generate(seeds="7")
        expect(visit.status).to_contain_text("In the queue: you are next")
        backend.let_complete(3)
        visit.until_done(1)
    assert [len(job.result(timeout=SOON_SECONDS)) for job in jobs] == [1, 1]


def test_very_many_calls_of_a_program_fill_neither_the_line_nor_the_page_and_all_are_answered(
    backend: StubBackend, stranger: httpx.Client
) -> None:
    backend.hold()
    sent = upload(stranger)
    calls = backend.max_concurrent + Settings().queue_size + 10
    for _ in range(calls):
        join(stranger, [sent], session="many calls")
    until(lambda: len(backend.asked) == backend.max_concurrent)
    join(stranger, session="page", handler="_roll")
    assert re.fullmatch(r"[\d, -]+", answer(stranger, session="page")["output"]["data"][0])
    backend.let_complete(1_000)
    heard = messages(stranger, session="many calls")
    said = [message["msg"] for message in heard]
    assert said[: said.index("process_completed")].count("process_starts") < Settings().queue_size / 2
    assert [message["success"] for message in heard if message["msg"] == "process_completed"] == [True] * calls


def test_a_line_full_of_people_leaves_the_page_alive_and_says_so_to_the_next(backend: StubBackend) -> None:
    backend.hold()
    photo = Photo.open(EXAMPLE)
    check = photo_check.check(photo.pixels)
    in_line = backend.max_concurrent + Settings().queue_size
    with serving({backend.name: backend}) as site, httpx.Client(base_url=site.address, trust_env=False) as stranger:
        for number in range(in_line + 1):
            session = f"visitor {number}"
            site.sessions.get(session).set_photo(photo, check, None, b"a preview")
            join(stranger, session=session, handler="_submit")
            assert answer(stranger, session=session)["success"]
        shown = stranger.get(f"tab/{site.sessions.get(session).token}/events")
        assert f"The server is busy: {Settings().queue_size} comparisons are waiting." in shown.text
        join(stranger, session="another", handler="_roll")
        assert answer(stranger, session="another")["success"]
        backend.let_complete(1_000)


# By plain HTTP.


def upload(stranger: httpx.Client) -> dict[str, Any]:
    """The example as a file of its own: its bytes decide where it lies."""
    data = EXAMPLE.read_bytes() + os.urandom(8)
    [path] = stranger.post("gradio_api/upload", files={"files": ("me.png", data, "image/png")}).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def join(
    stranger: httpx.Client, data: Sequence[Any] = (), *, session: str = "stranger", handler: str = "generate"
) -> httpx.Response:
    """Call a handler with what the page shows at first, but for `data` in place of as many of its first inputs."""
    config = stranger.get("config").json()
    first = {each["id"]: each["props"].get("value") for each in config["components"]}
    [called] = [each for each in config["dependencies"] if each["api_name"] == handler]
    values = [*data, *(first[number] for number in called["inputs"][len(data) :])]
    call = json.dumps(
        {"data": values, "fn_index": called["id"], "session_hash": session}
    )  # NaN too, as httpx would not
    return stranger.post("gradio_api/queue/join", content=call, headers={"Content-Type": "application/json"})


def messages(stranger: httpx.Client, *, session: str) -> list[dict[str, Any]]:
    """All that the session is told, until each of its calls has been answered."""
    with stranger.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as events:
        return [json.loads(line.removeprefix("data:")) for line in events.iter_lines() if line.startswith("data:")]


def answer(stranger: httpx.Client, *, session: str = "stranger") -> dict[str, Any]:
    heard = messages(stranger, session=session)
    [answer] = [message for message in heard if message["msg"] == "process_completed"]
    return answer


@pytest.mark.parametrize("door", ["call", "call/v2", "api", "run"])
def test_the_name_opens_no_door_past_the_queue(stranger: httpx.Client, door: str) -> None:
    call = {"data": [], "session_hash": "stranger"}
    assert stranger.post(f"gradio_api/{door}/generate", json=call).status_code == 404


NOT_SENT = 'Send the photo as a file, for example photo=handle_file("me.jpg").'
NO_SEEDS = 'Write the seeds as text, for example "1, 2, 3" or "10-13".'


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        *(("photo", value, NOT_SENT) for value in (None, 5, [], {}, "/etc/passwd", {"path": 5}, {"url": "/a"})),
        ("prompt", ["a"], "Prompt must be text."),
        ("prompt", None, "Prompt must be text."),
        ("prompt", "a" * 100_000, "Prompt is too long: keep it within 2,000 characters."),
        ("negative_prompt", {"a": 1}, "Negative prompt must be text."),
        ("num_inference_steps", [21], "Steps must be 21, 31 or 41."),
        ("num_inference_steps", 10**30, "Steps must be 21, 31 or 41."),
        ("guidance_scale", float("nan"), "Guidance must be a number from 1 to 20."),
        ("guidance_scale", float("inf"), "Guidance must be a number from 1 to 20."),
        ("guidance_scale", "7.5", "Guidance must be a number from 1 to 20."),
        *(("seeds", value, NO_SEEDS) for value in (5, None, [1, 2], {"a": 1})),
        ("seeds", "", "Name at least one seed, for example 1, 2, 3 or 10-13."),
        ("seeds", "9" * 100_000, f"“{'9' * 20}” is not a seed: write numbers like 1, 2, 3 or a range like 10-13."),
        ("seeds", "1-999999999", "The range 1-999999999 holds 999,999,999 seeds; at most 8 run at once."),
        ("backend", ["stub"], "There is no backend called “['stub']”: choose auto or stub."),
        ("backend", None, "There is no backend called “None”: choose auto or stub."),
    ],
)
def test_hostile_values_are_answered_with_one_sentence(
    stranger: httpx.Client, parameter: str, value: Any, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ["photo", *DEFAULT.model_dump(exclude={"seed"}), "seeds", "backend"]
    data = [upload(stranger), *DEFAULT.model_dump(exclude={"seed"}).values(), "1", "auto"]
    sent = Path(data[0]["path"])
    data[names.index(parameter)] = value
    assert join(stranger, data).status_code == 200
    output = answer(stranger)
    assert output["success"] is False
    assert output["output"]["error"] == sentence
    assert "Traceback" not in str(output)
    assert "Traceback" not in capfd.readouterr().err
    assert sent.exists() == (parameter == "photo")
    sent.unlink(missing_ok=True)


def test_no_file_but_an_upload_can_be_named(
    site: server.Site, stranger: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    with site.sessions.connected("somebody else"):  # whose things stay as long
        foreign = site.sessions.get("somebody else").write("headshot.png", EXAMPLE.read_bytes())
        for photo in ({"path": str(foreign)}, {"path": str(foreign), "meta": {"_type": "gradio.FileData"}}):
            assert join(stranger, [photo]).status_code == 200
            assert answer(stranger)["output"]["error"] == "The photo did not arrive: send it again."
        for path in ("/etc/passwd", "https://example.com/me.jpg", f"{ui.CACHE}/lock", str(foreign.parent)):
            assert join(stranger, [{"path": path}]).status_code == 403
        gone = {"path": str(ui.CACHE / "nothing" / "me.png"), "meta": {"_type": "gradio.FileData"}}
        assert join(stranger, [gone]).status_code == 200
        assert answer(stranger)["output"]["error"] == "The upload is incomplete: choose the photo again."
        assert foreign.read_bytes() == EXAMPLE.read_bytes()
    assert "Traceback" not in capfd.readouterr().err


# The real thing.


@pytest.fixture(scope="module")
def studio() -> Iterator[server.Site]:
    with serving(create_backends(Settings())) as running:
        yield running


def test_a_programs_headshots_are_the_librarys_byte_for_byte(studio: server.Site, tmp_path: Path) -> None:
    look = {"prompt": "navy backdrop, Rembrandt light", "guidance_scale": 9.5}
    with connected(studio, tmp_path) as client:
        files = client.predict(photo=handle_file(str(EXAMPLE)), seeds="2, 1", **look)
    library = shoot(EXAMPLE, seeds=[2, 1], **look)
    assert [Path(file).name for file in files] == [headshot.filename for headshot in library]
    assert [Path(file).read_bytes() for file in files] == [headshot.png for headshot in library]
