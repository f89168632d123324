"""A headshot as code that really runs, whatever was typed into the prompt."""

import ast
import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, get_args

import pytest
import service as hosted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lacking import lacking
from paths import ROOT
from playwright._impl._driver import compute_driver_executable

from headshot import shoot
from headshot.exports.snippets import ADDRESSES, Api, as_curl, as_javascript, as_json, as_python
from headshot.modelslab import client
from headshot.modelslab.bodies import enterprise_body, v6_body
from headshot.request import MAX_SEED, HeadshotRequest
from headshot.settings import Settings

EXAMPLE = ROOT / "headshot" / "examples" / "astronaut.png"
NASTY = (
    """it's "so" `id` $(id) ${HOME} $HOME \\n \\ \\' !! ~ * ? [a] {b,c} & ; | > < # %s %d %% \\u0041 \x07\x1b[31m"""
    "\nnext line\r\nand\ttab, é ü 中文 🙂 \u202e\u2028\u2029 '''\"\"\" EOF </script><!-- */ //\n"
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.text("'\"\\$`\n\r%!#{}()é🙂 ", max_size=40)
REQUESTS = st.builds(
    HeadshotRequest,
    prompt=TEXTS,
    negative_prompt=TEXTS,
    num_inference_steps=st.sampled_from([21, 31, 41]),
    guidance_scale=st.floats(1, 20),
    seed=st.integers(0, MAX_SEED) | st.none(),
)
KEY = "k3y-of-nobody"


@given(REQUESTS)
def test_the_json_holds_all_five_settings_and_is_read_back_as_it_was(request: HeadshotRequest) -> None:
    text = as_json(request)
    assert list(json.loads(text)) == list(HeadshotRequest.model_fields)
    assert len(text.splitlines()) >= 7
    assert HeadshotRequest.model_validate_json(text) == request


@given(REQUESTS, st.none() | st.integers(0, 5))
def test_the_python_asks_for_exactly_this_headshot(request: HeadshotRequest, face: int | None) -> None:
    code = as_python(request, "studio", face)
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    call = next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "shoot")
    asked: dict[str, Any] = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    [seed] = asked.pop("seeds")
    assert asked.pop("backend") == "studio"
    assert asked.pop("face", None) == face
    assert HeadshotRequest(**asked, seed=seed) == request
    assert all(character.isprintable() for line in code.split("\n") for character in line)


def test_the_python_reads_as_a_person_would_write_it() -> None:
    request = HeadshotRequest(prompt="navy backdrop, the sitter's own tie", negative_prompt='"blurry"', seed=2)
    assert as_python(request, "studio", 1) == (
        "from pathlib import Path\n"
        "\n"
        "from headshot import shoot\n"
        "\n"
        "[headshot] = shoot(\n"
        '    "photo.jpg",\n'
        '    prompt="navy backdrop, the sitter\'s own tie",\n'
        "    negative_prompt='\"blurry\"',\n"
        "    num_inference_steps=21,\n"
        "    guidance_scale=7.5,\n"
        "    seeds=[2],\n"
        '    backend="studio",\n'
        "    face=1,\n"
        ")\n"
        "Path(headshot.filename).write_bytes(headshot.png)\n"
    )


def test_the_python_for_the_hosted_backend_says_where_its_key_is_read_from() -> None:
    code = as_python(HeadshotRequest(seed=1), "modelslab")
    assert "# The key is read from the environment variable HEADSHOT_MODELSLAB_KEY.\n[headshot] = shoot(" in code
    assert '    backend="modelslab",\n' in code
    assert "modelslab_key" in Settings.model_fields
    assert "#" not in as_python(HeadshotRequest(seed=1), "studio")


def test_the_python_runs_and_writes_the_very_same_file(tmp_path: Path) -> None:
    request = HeadshotRequest(prompt=f"navy backdrop, {NASTY}", guidance_scale=4.25, seed=3)
    shutil.copy(EXAMPLE, tmp_path / "photo.jpg")
    (tmp_path / "again.py").write_text(as_python(request, "studio", 0), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "again.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    arguments: dict[str, Any] = request.model_dump(exclude={"seed"})
    [expected] = shoot(EXAMPLE, **arguments, seeds=[3], backend="studio", face=0)
    assert {path.name for path in tmp_path.iterdir()} == {"photo.jpg", "again.py", expected.filename}
    assert (tmp_path / expected.filename).read_bytes() == expected.png


# ------------------------------------------------------------------------------------------------ the hosted endpoint


def test_the_addresses_are_those_of_the_client() -> None:
    assert get_args(Api) == get_args(client.Api)
    assert {api: client.BASE_URL + path for api, path in client._PATHS.items()} == ADDRESSES


@dataclass
class Service:
    """A server on this machine that stands at the endpoint's place, and the shell that asks it.

    got: path, content type and body of each request.
    """

    address: str
    folder: Path
    shell: list[str]
    got: list[tuple[str, str, bytes]] = field(default_factory=list)

    def run(self, snippet: str, **changes: str | None) -> "subprocess.CompletedProcess[str]":
        """Run the snippet beside photo.jpg, with the endpoint's host alone replaced."""
        assert snippet.count("https://modelslab.com/") == 1
        env = {**os.environ, "MODELSLAB_API_KEY": KEY, "no_proxy": "*", **changes}
        return subprocess.run(
            self.shell,
            input=snippet.replace("https://modelslab.com/", f"{self.address}/"),
            cwd=self.folder,
            env={name: value for name, value in env.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module", params=["bash", "bash --norc -i", "sh"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    shell = str(request.param).split()  # -i: as pasted at a prompt, where "!" calls up earlier commands
    for program in (shell[0], "curl", "base64"):
        if shutil.which(program) is None:
            lacking(f"there is no {program} to run the snippet with")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.got.append((self.path, self.headers["Content-Type"], body))
            answer = b'{"status":"success"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing on the screen."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        folder = tmp_path_factory.mktemp("snippet")
        asked = Service(f"http://127.0.0.1:{server.server_port}", folder, shell)
        (folder / "photo.jpg").write_bytes(b"a small photo \xff\xd8\x00\n" * 20)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


def _check(service: Service, request: HeadshotRequest) -> None:
    service.got.clear()
    done = service.run(as_curl(request))
    assert (done.returncode, done.stdout) == (0, '{"status":"success"}'), done.stderr
    [(path, kind, body)] = service.got
    assert (path, kind) == ("/api/v1/enterprise/image_editing/head_shot", "application/json")
    photo = base64.b64encode((service.folder / "photo.jpg").read_bytes()).decode()
    sent = json.loads(body)
    assert sent == {
        "key": KEY,
        "face_image": f"data:image/jpeg;base64,{photo}",
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "num_inference_steps": str(request.num_inference_steps),
        "guidance_scale": request.guidance_scale,
        "seed": request.seed,
        "webhook": None,
        "track_id": None,
    }


@pytest.mark.parametrize("text", [NASTY, "-n", "%s", "'", "", "@photo.jpg"])
def test_the_curl_sends_the_nine_fields_with_every_character_of_the_prompts(service: Service, text: str) -> None:
    _check(service, HeadshotRequest(prompt=text, negative_prompt=text, num_inference_steps=41, seed=MAX_SEED))


# The fixture is of the module: nothing of one example is left for the next.
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS)
def test_the_curl_sends_any_request_unchanged(service: Service, request: HeadshotRequest) -> None:
    _check(service, request)


def test_the_curl_sends_a_photo_that_no_command_line_would_take(service: Service) -> None:
    photo = service.folder / "photo.jpg"
    small = photo.read_bytes()
    photo.write_bytes(bytes(range(256)) * 40_000)  # 10 MB
    try:
        _check(service, HeadshotRequest(seed=1))
    finally:
        photo.write_bytes(small)


def test_no_program_is_given_key_photo_or_prompt_as_an_argument(service: Service) -> None:
    spies = service.folder / "spies"
    spies.mkdir()
    for program in ("curl", "base64", "tr", "printf", "env", "cat"):
        real = shutil.which(program)
        if real is not None:
            spy = spies / program
            spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "{program} $*" >> "$SEEN"\nexec {real} "$@"\n')
            spy.chmod(0o755)
    seen = service.folder / "seen"
    service.got.clear()
    done = service.run(
        as_curl(HeadshotRequest(prompt="nobody's business")),
        PATH=f"{spies}{os.pathsep}{os.environ['PATH']}",
        SEEN=str(seen),
    )
    assert done.returncode == 0 and len(service.got) == 1
    arguments = seen.read_text()
    assert {line.split()[0] for line in arguments.splitlines()} == {"base64", "tr", "curl"}
    assert not any(secret in arguments for secret in (KEY, "business", base64.b64encode(b"a small").decode()[:8]))
    assert KEY not in done.stderr


@pytest.mark.parametrize("key", ["", None])
def test_without_a_key_nothing_is_sent_and_the_shell_says_what_to_set(service: Service, key: str | None) -> None:
    service.got.clear()
    done = service.run(as_curl(HeadshotRequest()), MODELSLAB_API_KEY=key)
    assert done.returncode != 0
    assert "MODELSLAB_API_KEY: set it to your ModelsLab key" in done.stderr
    assert service.got == []


def test_without_a_photo_nothing_is_sent_and_the_shell_names_the_file(service: Service) -> None:
    service.got.clear()
    photo = service.folder / "photo.jpg"
    data = photo.read_bytes()
    photo.unlink()
    try:
        done = service.run(as_curl(HeadshotRequest()))
    finally:
        photo.write_bytes(data)
    assert done.returncode != 0
    assert "photo.jpg" in done.stderr
    assert service.got == []


def test_the_curl_for_an_ordinary_key_sends_what_the_client_sends(service: Service) -> None:
    request = HeadshotRequest(prompt=NASTY, seed=7)
    service.got.clear()
    done = service.run(as_curl(request, "v6"))
    assert done.returncode == 0, done.stderr
    [(path, _, body)] = service.got
    photo = base64.b64encode((service.folder / "photo.jpg").read_bytes()).decode()
    assert path == "/api/v6/image_editing/head_shot"
    assert json.loads(body) == v6_body(KEY, request, f"data:image/jpeg;base64,{photo}") | {"key": KEY}


@given(REQUESTS)
def test_the_curl_is_plain_ascii_and_names_the_key_by_its_variable_alone(request: HeadshotRequest) -> None:
    code = as_curl(request)
    assert code.isascii()
    assert all(character.isprintable() for line in code.split("\n") for character in line)
    assert f"{ADDRESSES['enterprise']}/head_shot" in code.split()
    assert code.count("MODELSLAB_API_KEY") == 2 + (request.prompt + request.negative_prompt).count("MODELSLAB_API_KEY")


# --------------------------------------------------------------------------------------------------------- JavaScript

NODE = compute_driver_executable()[0]  # what drives the browser is a Node of its own
PHOTO = b"a small photo \xff\xd8\x00\n" * 100 + b"and what only its end holds, to be found again"
PHOTO_AS_SENT = f"data:image/jpeg;base64,{base64.b64encode(PHOTO).decode()}"
# A thousand times as quick as the real one, for the snippet itself; it writes down for how many seconds it was set.
CLOCK = """\
const real = globalThis.setTimeout;
globalThis.setTimeout = (then, ms, ...values) => {
  if (!new Error().stack.includes("headshot.mjs")) return real(then, ms, ...values); // those of fetch
  require("node:fs").appendFileSync("waits", `${ms / 1000}\\n`);
  return real(then, ms / 1000);
};
"""


@dataclass
class Program:
    """The folder in which a visitor saves the snippet and runs it."""

    folder: Path

    def run(self, code: str, address: str, key: str | None = KEY) -> "subprocess.CompletedProcess[str]":
        """With the host alone replaced, and a quick clock."""
        assert code.count("https://modelslab.com/") == 1
        code = code.replace("https://modelslab.com/", f"{address}/")
        (self.folder / "headshot.mjs").write_text(code, encoding="utf-8")
        env = {**os.environ, "MODELSLAB_API_KEY": key}
        return subprocess.run(
            [NODE, "--require", "./clock.cjs", "headshot.mjs"],
            cwd=self.folder,
            env={name: value for name, value in env.items() if value is not None},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    @property
    def pictures(self) -> list[Path]:
        return sorted(self.folder.glob("headshot-*"))

    @property
    def waits(self) -> list[float]:
        return [float(line) for line in (self.folder / "waits").read_text().split()]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    (tmp_path / "clock.cjs").write_text(CLOCK)
    return Program(tmp_path)


def _answering(value: object, status: int = 200) -> hosted.Fault:
    async def answer(exchange: hosted.Exchange) -> None:
        await exchange.answer(status, value)

    return answer


async def _hang_up(exchange: hosted.Exchange) -> None:
    await exchange.body()
    exchange.reset()


def _quiet(done: "subprocess.CompletedProcess[str]") -> bool:
    """Neither key nor photo were said, although the service repeats both."""
    return not any(secret in done.stdout + done.stderr for secret in (KEY, PHOTO_AS_SENT[-40:]))


@pytest.mark.parametrize("text", [NASTY, "`${process.exit(9)}`", "</script>", '"', "", "🙂" * 200])
@pytest.mark.parametrize("api", get_args(Api))
def test_the_javascript_sends_every_character_and_writes_the_picture(program: Program, api: Api, text: str) -> None:
    request = HeadshotRequest(prompt=text, negative_prompt=text, guidance_scale=4, seed=MAX_SEED)
    with hosted.Service(job_seconds=0, at_once=True) as service:
        done = program.run(as_javascript(request, api), service.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    body = {"enterprise": enterprise_body, "v6": v6_body}[api](KEY, request, PHOTO_AS_SENT) | {"key": KEY}
    assert [job.body for job in service.jobs.values()] == [body]
    [picture] = program.pictures
    assert picture.suffix == ".png"
    assert picture.read_bytes() == service.file
    assert '"status": "success"' in done.stdout
    assert done.stdout.endswith(f"Wrote {picture.name}\n")
    assert (service.posts, service.polls, _quiet(done)) == (1, 0, True)


# One folder for all examples: each leaves its picture there, and only what was sent is looked at.
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS)
def test_the_javascript_sends_any_request_unchanged(program: Program, request: HeadshotRequest) -> None:
    with hosted.Service(job_seconds=0, at_once=True) as service:
        done = program.run(as_javascript(request), service.base_url)
    assert done.returncode == 0, done.stderr
    assert [job.body for job in service.jobs.values()] == [enterprise_body(KEY, request, PHOTO_AS_SENT) | {"key": KEY}]


@pytest.mark.parametrize("api", get_args(Api))
def test_the_javascript_waits_for_a_job_that_is_queued(program: Program, api: Api) -> None:
    with hosted.Service(job_seconds=0.3, eta=2.5) as service:
        done = program.run(as_javascript(HeadshotRequest(seed=1), api), service.base_url)
    assert done.returncode == 0, done.stderr
    assert [picture.read_bytes() for picture in program.pictures] == [service.file]
    assert program.waits[:2] == [2.5, 3]
    assert service.posts == 1
    assert service.polls == len(program.waits)
    assert _quiet(done)


def test_the_javascript_waits_a_minute_at_most_and_outlives_what_passes(program: Program) -> None:
    with hosted.Service(job_seconds=0, eta=500) as service:
        service.script(
            "poll",
            _answering({"status": "failed", "message": "Request not found", "output": ""}),
            _hang_up,
            _answering({"status": "error", "message": "Rate limit exceeded"}, 429),
            _answering(b"<html>Bad gateway</html>", 502),
            None,
        )
        service.script("download", _answering(b"<html>Not found</html>", 404), None)
        done = program.run(as_javascript(HeadshotRequest(seed=1)), service.base_url)
    assert done.returncode == 0, done.stderr
    assert program.waits == [60, 3, 3, 3, 3, 3]
    assert (service.posts, service.polls, service.downloads) == (1, 5, 2)
    assert [picture.read_bytes() for picture in program.pictures] == [service.file]


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "error", "message": "Invalid API key"},
        {"status": "error", "message": {"prompt": ["The prompt field is required."]}},
        {"status": "failed", "id": "", "message": "Failed, Try Again", "output": ""},
        {"status": "success", "id": 1, "output": []},
    ],
)
@pytest.mark.parametrize("at", ["submit", "poll"])
def test_the_javascript_ends_with_a_sentence_where_there_is_no_picture(
    program: Program, at: hosted.At, reply: dict[str, object]
) -> None:
    with hosted.Service(job_seconds=0) as service:
        service.script(at, _answering(reply))
        done = program.run(as_javascript(HeadshotRequest(seed=1)), service.base_url)
    assert (done.returncode, done.stderr) == (1, "There is no picture: the reply says why.\n")
    assert json.loads("{" + done.stdout.rpartition("\n{")[2] if at == "poll" else done.stdout) == reply
    assert (service.posts, service.polls, program.pictures) == (1, int(at == "poll"), [])


@pytest.mark.parametrize("fault", [_hang_up, _answering(b"<html>Bad gateway</html>", 502)])
def test_the_javascript_never_sends_a_request_twice(program: Program, fault: hosted.Fault) -> None:
    with hosted.Service() as service:
        service.script("submit", fault)
        done = program.run(as_javascript(HeadshotRequest(seed=1)), service.base_url)
    assert (done.returncode, service.posts, service.polls) == (1, 1, 0)
    assert _quiet(done)


def test_the_javascript_takes_the_key_to_no_other_address(program: Program) -> None:
    with hosted.Service() as other, hosted.Service() as service:

        async def lead_on(exchange: hosted.Exchange) -> None:
            await exchange.answer(307, {}, {"Location": f"{other.base_url}/api/v6/image_editing/head_shot"})

        service.script("submit", lead_on)
        done = program.run(as_javascript(HeadshotRequest(seed=1)), service.base_url)
    assert (done.returncode, service.posts, other.connections) == (1, 1, 0)
    assert _quiet(done)


@pytest.mark.parametrize("key", ["", None])
def test_without_a_key_the_javascript_sends_nothing_and_says_what_to_set(program: Program, key: str | None) -> None:
    with hosted.Service() as service:
        done = program.run(as_javascript(HeadshotRequest()), service.base_url, key)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Set MODELSLAB_API_KEY to your ModelsLab key.\n"
    assert service.connections == 0


def test_without_a_photo_the_javascript_sends_nothing_and_names_the_file(program: Program) -> None:
    (program.folder / "photo.jpg").unlink()
    with hosted.Service() as service:
        done = program.run(as_javascript(HeadshotRequest()), service.base_url)
    assert done.returncode == 1
    assert "photo.jpg" in done.stderr
    assert service.connections == 0


@given(REQUESTS)
def test_the_javascript_is_plain_ascii_and_every_line_of_it_is_seen(request: HeadshotRequest) -> None:
    code = as_javascript(request)
    assert code.isascii()
    assert all(character.isprintable() for line in code.split("\n") for character in line)
