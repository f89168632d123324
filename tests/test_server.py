"""What the server lets in and out, asked by plain HTTP as a stranger would."""

import asyncio
import io
import json
import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from page import app_running, serving
from PIL import Image
from starlette.responses import FileResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send
from stub import StubBackend

from headshot import server, ui
from headshot.ui.visitors import Visitors

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site() -> Iterator[server.Site]:
    backend = StubBackend()
    with serving({backend.name: backend}) as running:
        yield running


@pytest.fixture
def client(site: server.Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.address, trust_env=False) as client:
        yield client


@pytest.fixture
def trap() -> Iterator[HTTPServer]:
    """A server that nobody should ask. `asked` holds who did."""

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    trap = HTTPServer(("127.0.0.1", 0), Trap)
    trap.asked = []
    thread = threading.Thread(target=trap.serve_forever)
    thread.start()
    yield trap
    trap.shutdown()
    thread.join()
    trap.server_close()


def test_the_health_check_answers(client: httpx.Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_every_answer_carries_the_headers_that_hold_the_page_to_this_server(client: httpx.Client) -> None:
    for path in ("/", "/healthz", "/config", "/nothing", "/theme.css"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "connect-src 'self' data: blob:;" in policy
        assert "frame-ancestors 'self' https://huggingface.co" in policy  # a Space is shown in a frame


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/deep_link?session_hash=abc",
        "/gradio_api/deep_link/?session_hash=abc",
        "/gradio_api/runs",
        "/gradio_api/run-history/records",
        "/gradio_api/openapi.json",
        "/gradio_api/proxy=https://example.com/",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/monitoring",
        "/monitoring/summary",
        "/docs",
        "/openapi.json",
    ],
)
def test_doors_that_the_page_does_not_use_are_walled_up(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/call/predict",
        "/gradio_api/call/v2/predict",
        "/gradio_api/run/predict",
        "/gradio_api/run/0",
        "/gradio_api/api/predict",
        "/gradio_api/process_recording",
        "/gradio_api/vibe-edit",
        "/gradio_api/component_server",
    ],
)
def test_there_is_no_door_past_the_queue(client: httpx.Client, path: str) -> None:
    assert client.post(path, json={"data": [], "fn_index": 0, "session_hash": "abc"}).status_code == 404


def test_no_handler_has_a_name_to_call_it_by_but_the_endpoint_for_programs(client: httpx.Client) -> None:
    handlers = client.get("/config").json()["dependencies"]
    named = [handler["api_name"] for handler in handlers if handler["api_visibility"] != "private"]
    assert named == ["generate"]
    assert list(client.get("/gradio_api/info").json()["named_endpoints"]) == ["/generate"]


def test_links_are_not_fetched_for_anybody(client: httpx.Client, trap: HTTPServer) -> None:
    link = f"http://127.0.0.1:{trap.server_port}/secret"
    for path in (link, link.replace("http", "HTTP"), f"//127.0.0.1:{trap.server_port}/secret"):
        assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
    photo = {"path": link, "url": link, "meta": {"_type": "gradio.FileData"}}
    for data in ([photo], [{"deep": [photo]}], [[[photo]]]):
        call = {"data": data, "fn_index": 0, "session_hash": "abc"}
        assert client.post("/gradio_api/queue/join", json=call).status_code == 403
        assert client.post("/gradio_api/queue/join/", json=call).status_code == 403
    # The same key twice: what the guard reads must be what Gradio reads.
    twice = json.dumps({"data": [photo], "fn_index": 0, "session_hash": "abc"}).replace(
        '"path"', '"path": "/harmless", "path"', 1
    )
    assert client.post("/gradio_api/queue/join", content=twice).status_code == 403
    assert trap.asked == []


def test_a_call_can_name_no_file_that_was_not_uploaded(client: httpx.Client, site: server.Site) -> None:
    somebodys = site.visitors.of("somebody").write("headshot.png", b"a picture").parent
    folders = [str(path) for path in (ui.CACHE, ui.CACHE / "lock", site.visitors.root, somebodys)]
    for path in ("/etc/passwd", "headshot/settings.py", "a\0b", "a" * 5_000, f"{ui.CACHE}/../passwd", *folders):
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for data in ([photo], [{"deep": [photo]}]):
            answer = client.post("/gradio_api/queue/join", json={"data": data, "fn_index": 0, "session_hash": "abc"})
            assert (answer.status_code, answer.json()) == (
                403,
                {"detail": "Only a file that was uploaded can be named."},
            )


def test_a_call_that_is_no_form_is_refused(client: httpx.Client) -> None:
    assert client.post("/gradio_api/queue/join", content=b"{").status_code == 400
    assert client.post("/gradio_api/queue/join", content=b"[" * 100_000).status_code == 400
    assert client.post("/gradio_api/queue/join", content=b" " * 300_000).status_code == 413


def test_an_upload_over_ten_megabytes_is_refused(client: httpx.Client) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("big.jpg", bytes(11 * 2**20), "image/jpeg")})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.example", "Host": "playground.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_another_sites_script_is_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/config"), ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/upload")):
        answer = client.request(method, path, headers=headers)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = client.options("/config", headers={**headers, "Access-Control-Request-Method": "POST"})
    assert not [name for name in preflight.headers if name.startswith("access-control-")]


def test_the_page_itself_and_a_frame_of_it_are_let_in(client: httpx.Client, site: server.Site) -> None:
    own = {"Origin": site.address.rstrip("/")}
    assert client.get("/config", headers=own).status_code == 200
    frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert client.get("/", headers=frame).status_code == 200


def test_a_range_request_does_not_echo_cookies(client: httpx.Client, site: server.Site) -> None:
    uploaded = _upload(client)
    answer = client.get(
        f"/gradio_api/file={uploaded}",
        headers={"Range": "bytes=0-10", "Cookie": "session=secret", "Authorization": "Bearer secret"},
    )
    assert answer.status_code == 200
    assert "secret" not in str(answer.headers)
    assert answer.headers["cache-control"] == "private, no-store"


def _upload(client: httpx.Client) -> str:
    data = io.BytesIO()
    Image.new("RGB", (80, 80)).save(data, "PNG")
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", data.getvalue(), "image/png")})
    path: str = answer.json()[0]
    return path


def test_a_file_that_was_deleted_before_it_was_asked_for_is_no_error(client: httpx.Client) -> None:
    uploaded = Path(_upload(client))
    uploaded.unlink()
    assert client.get(f"/gradio_api/file={uploaded}").status_code == 204


@pytest.mark.parametrize("noticed", ["before its size is read", "before it is opened", "by Gradio"])
def test_a_file_that_is_deleted_while_it_is_asked_for_is_no_error(site: server.Site, noticed: str) -> None:
    path = ui.CACHE / "asked-for.png"
    path.write_bytes(b"a picture")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        size = path.stat() if noticed == "before it is opened" else None
        path.unlink()
        refusal = PlainTextResponse("File not allowed.", 403)
        response = refusal if noticed == "by Gradio" else FileResponse(path, stat_result=size)
        await response(scope, receive, send)

    async def ask() -> httpx.Response:
        guarded = httpx.ASGITransport(server.Guard(answer, site.visitors))
        async with httpx.AsyncClient(transport=guarded, base_url="http://test") as client:
            return await client.get(f"/gradio_api/file={path}")

    assert asyncio.run(ask()).status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=headshot/settings.py",
        f"/gradio_api/file={ROOT}/pyproject.toml",
        "/headshots/../../../etc/passwd",
        "/headshots/%2e%2e/%2e%2e/passwd",
        "/headshots/..%2f..%2f/etc/passwd",
        "/headshots/a/b/..",
        "/gradio_api/file=%00",
        f"/gradio_api/file={'a' * 5_000}",
        "/static/../../../../etc/passwd",
    ],
)
def test_no_address_climbs_out_of_the_pictures(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (403, 404)
    assert "root:" not in answer.text


def test_a_picture_is_served_with_its_name_and_never_kept_by_the_browser(
    client: httpx.Client, site: server.Site
) -> None:
    visitor = site.visitors.of("somebody")
    path = visitor.write("headshot-stub-seed-1.png", b"a picture")
    answer = client.get(visitor.address(path.parent.name, path.name))
    assert answer.content == b"a picture"
    assert 'filename="headshot-stub-seed-1.png"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "private, no-store"


def test_the_app_follows_gradios_own_address_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with app_running(tmp_path, GRADIO_SERVER_NAME="0.0.0.0") as app:  # noqa: S104  what the container sets
        assert httpx.get(f"{app.address}healthz", trust_env=False).text == "ok"
        assert list(tmp_path.glob("headshot-*"))
    log = app.log.read_text()
    assert app.process.returncode == 0, log
    assert not list(tmp_path.glob("headshot-*"))
    assert "Traceback" not in log
    assert re.search(r"The playground is at http://\S+:\d+", log)


def test_a_pass_over_the_visitors_that_fails_is_logged_and_not_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again = threading.Event()

    class Stumbling(Visitors):
        passes = 0

        def sweep(self) -> None:
            self.passes += 1
            if self.passes == 1:
                raise OSError("the first pass stumbles")
            super().sweep()
            again.set()

    visitors = Stumbling(tmp_path, keep_seconds=100, grace_seconds=0.05)
    folder = visitors.of("tab").write("a.png", b"a").parent

    async def swept() -> None:
        sweeping = asyncio.create_task(server._sweep(visitors))
        assert await asyncio.to_thread(again.wait, 5)
        sweeping.cancel()

    asyncio.run(swept())
    assert not folder.exists()
    assert "OSError: the first pass stumbles" in caplog.text


def test_gradios_usage_reports_are_off() -> None:
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert Path(os.environ["GRADIO_TEMP_DIR"]).resolve() == ui.CACHE
