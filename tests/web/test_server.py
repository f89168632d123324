"""What the server answers and refuses, over plain HTTP as a stranger would ask."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from loopback import CANARY, traces
from mounted import mounted
from page import app_running, serving
from paths import ROOT
from PIL import Image
from starlette.responses import FileResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send
from stub import StubBackend

from headshot import ui
from headshot.cookies import PAGE_COOKIE, PAGE_COOKIE_SECONDS, owner_of
from headshot.settings import Settings
from headshot.web import server
from headshot.web.vanished_files import VanishedFilesMiddleware

PORTRAIT = ROOT / "headshot" / "examples" / "portrait.jpg"


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
def test_routes_that_the_page_does_not_use_are_not_found(client: httpx.Client, path: str) -> None:
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
def test_no_route_bypasses_the_queue(client: httpx.Client, path: str) -> None:
    assert client.post(path, json={"data": [], "fn_index": 0, "session_hash": "abc"}).status_code == 404


def test_no_handler_has_a_name_to_call_it_by_but_the_endpoint_for_programs(client: httpx.Client) -> None:
    handlers = client.get("/config").json()["dependencies"]
    named = [handler["api_name"] for handler in handlers if handler["api_visibility"] != "private"]
    assert named == ["generate"]
    assert list(client.get("/gradio_api/info").json()["named_endpoints"]) == ["/generate"]


def test_a_matrix_question_comes_and_goes_with_one_event(client: httpx.Client) -> None:
    # The page may hear the answers of two events in another order than they were given.
    config = client.get("/config").json()
    [question] = [part["id"] for part in config["components"] if part["props"].get("elem_id") == "confirm"]
    assert sum(question in handler["outputs"] for handler in config["dependencies"]) == 1


def test_what_follows_on_an_event_is_not_dropped_while_what_followed_on_the_one_before_is_under_way(
    client: httpx.Client,
) -> None:
    handlers = client.get("/config").json()["dependencies"]
    following = [handler for handler in handlers if handler["trigger_after"] is not None and handler["backend_fn"]]
    assert len(following) >= 4
    assert not [handler["id"] for handler in following if handler["trigger_mode"] == "once"]


@pytest.mark.parametrize("button", ["stop", "team-stop"])
def test_what_is_stopped_can_still_say_so_over_what_it_said_a_moment_before(client: httpx.Client, button: str) -> None:
    config = client.get("/config").json()
    [stop] = [part["id"] for part in config["components"] if part["props"].get("elem_id") == button]
    [handler] = [each for each in config["dependencies"] if [stop, "click"] in each["targets"] and each["backend_fn"]]
    assert handler["cancels"] == []  # an update on its way would come after the answer, and nothing would follow it


def _secret_in(answer: httpx.Response) -> str:
    """The browser's new secret."""
    (cookie,) = answer.headers.get_list("set-cookie")
    found = re.match(rf"{PAGE_COOKIE}=([A-Za-z0-9_-]{{43}});", cookie)
    assert found is not None
    return found[1]


def test_the_page_gives_each_browser_a_secret_that_no_script_can_read(client: httpx.Client) -> None:
    answer = client.get("/")
    secret = _secret_in(answer)
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie == f"{PAGE_COOKIE}={secret}; Path=/; Max-Age={PAGE_COOKIE_SECONDS}; HttpOnly; SameSite=Lax"
    assert answer.headers["cache-control"] == "private, no-store"  # no proxy gives one visitor's secret to another
    assert secret not in answer.text
    client.cookies.clear()
    another = _secret_in(client.get("/"))
    assert another != secret
    assert owner_of({PAGE_COOKIE: another}) != owner_of({PAGE_COOKIE: secret})


def test_a_browser_keeps_its_secret_for_as_long_as_it_comes_back(client: httpx.Client) -> None:
    secret = _secret_in(client.get("/"))
    assert client.cookies[PAGE_COOKIE] == secret  # as a browser would send it from now on
    again = client.get("/")
    assert _secret_in(again) == secret
    assert f"Max-Age={PAGE_COOKIE_SECONDS}" in again.headers["set-cookie"]


@pytest.mark.parametrize("guessable", ["", "a", "a" * 42, "a" * 44, "a" * 42 + "!", f"{'a' * 42}\u00e9", "{43}"])
def test_what_is_no_secret_of_ours_is_replaced(client: httpx.Client, guessable: str) -> None:
    cookie = f"other=1; {PAGE_COOKIE}={guessable}".encode("latin-1")
    assert _secret_in(client.get("/", headers=[(b"Cookie", cookie)])) != guessable


@pytest.mark.parametrize("scheme", ["https", "https, http", "HTTPS"])
def test_a_page_that_is_encrypted_can_keep_its_secret_in_another_pages_frame(client: httpx.Client, scheme: str) -> None:
    cookie = client.get("/", headers={"X-Forwarded-Proto": scheme}).headers["set-cookie"]
    assert cookie.endswith("; HttpOnly; SameSite=None; Secure; Partitioned")


def test_only_the_page_itself_gives_a_secret(client: httpx.Client) -> None:
    for method, path in (("HEAD", "/"), ("OPTIONS", "/"), ("POST", "/"), ("GET", "/config"), ("GET", "/healthz")):
        assert "set-cookie" not in client.request(method, path).headers
    assert "set-cookie" not in client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).headers  # an image's address


def test_a_server_without_the_service_receives_no_webhook(client: httpx.Client) -> None:
    wrong = client.get("/nothing-was-ever-here")
    answer = client.post(f"/webhooks/{'a' * 43}", json={"status": "success", "id": 1, "track_id": "1"})
    assert (answer.status_code, answer.text) == (wrong.status_code, wrong.text)


@pytest.mark.parametrize("path", ["/", "/playground"])
def test_an_app_of_somebodys_own_carries_the_whole_page(tmp_path: Path, path: str) -> None:
    backend, folders = StubBackend(), set(ui.CACHE.glob("visitors-*"))
    with mounted(Settings(open_browser=False), {backend.name: backend}, path) as address:
        with httpx.Client(base_url=address, trust_env=False) as client:
            assert client.get("healthz").text == "ok"
            page = client.get("")
            assert "default-src 'self'" in page.headers["content-security-policy"]
            assert len(_secret_in(page)) == 43
            assert client.get("gradio_api/deep_link?session_hash=abc").status_code == 404
            assert client.get("config", headers={"Origin": "https://elsewhere.example"}).status_code == 403
            preflight = client.options("config", headers={"Origin": "null", "Access-Control-Request-Method": "POST"})
            assert not [name for name in preflight.headers if name.startswith("access-control-")]
            assert client.post("gradio_api/upload", files={"files": bytes(11 * 2**20)}).status_code == 413
        program = Client(address, verbose=False, download_files=tmp_path, analytics_enabled=False)
        try:
            files = program.predict(handle_file(PORTRAIT), seeds="1-2", api_name="/generate")
        finally:
            program.close()
        assert [Path(file).suffix for file in files] == [".png", ".png"]
        (own,) = set(ui.CACHE.glob("visitors-*")) - folders
    assert not own.exists()


def test_links_are_not_fetched_for_anybody(client: httpx.Client, trap: HTTPServer) -> None:
    link = f"http://127.0.0.1:{trap.server_port}/secret"
    for path in (link, link.replace("http", "HTTP"), f"//127.0.0.1:{trap.server_port}/secret"):
        assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
    photo = {"path": link, "url": link, "meta": {"_type": "gradio.FileData"}}
    for data in ([photo], [{"deep": [photo]}], [[[photo]]]):
        call = {"data": data, "fn_index": 0, "session_hash": "abc"}
        assert client.post("/gradio_api/queue/join", json=call).status_code == 403
        assert client.post("/gradio_api/queue/join/", json=call).status_code == 403
    # The same key twice: what the middleware reads must be what Gradio reads.
    twice = json.dumps({"data": [photo], "fn_index": 0, "session_hash": "abc"}).replace(
        '"path"', '"path": "/harmless", "path"', 1
    )
    assert client.post("/gradio_api/queue/join", content=twice).status_code == 403
    assert trap.asked == []


def test_a_call_can_name_no_file_that_was_not_uploaded(client: httpx.Client, site: server.Site) -> None:
    with site.sessions.connected("somebody"):  # whose things stay as long
        somebodys = site.sessions.get("somebody").write("headshot.png", b"a picture").parent
        folders = [str(path) for path in (ui.CACHE, ui.CACHE / "lock", site.sessions.root, somebodys)]
        for path in ("/etc/passwd", "headshot/settings.py", "a\0b", "a" * 5_000, f"{ui.CACHE}/../passwd", *folders):
            photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
            for data in ([photo], [{"deep": [photo]}]):
                answer = client.post(
                    "/gradio_api/queue/join", json={"data": data, "fn_index": 0, "session_hash": "abc"}
                )
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
        guarded = httpx.ASGITransport(VanishedFilesMiddleware(answer))
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
    with site.sessions.connected("somebody"):  # whose things stay as long
        session = site.sessions.get("somebody")
        path = session.write("headshot-stub-seed-1.png", b"a picture")
        answer = client.get(session.address(path.parent.name, path.name))
        assert answer.content == b"a picture"
        assert answer.url.path.endswith("/headshot-stub-seed-1.png")
        assert answer.headers["content-disposition"] == "inline"  # or it would go before the name that a link gives
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


def test_a_key_that_something_logs_is_masked_by_the_app() -> None:
    careless = """
import logging, sys
import app
from headshot.web import server

def serve(settings, registry):
    key = settings.modelslab_key.get_secret_value()
    logging.getLogger("a.library").error("the request %s has failed", {"key": key})
    try:
        raise RuntimeError(f"echoed: {key}")
    except RuntimeError:
        logging.getLogger().exception("and so has the reply")

server.serve = serve
app.main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", careless],
        cwd=ROOT,
        env=os.environ | {"HEADSHOT_MODELSLAB_KEY": CANARY},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the request {'key': '•••'} has failed" in ran.stderr
    assert "RuntimeError: echoed: •••" in ran.stderr
    assert traces(ran.stdout + ran.stderr) == []


def test_gradios_usage_reports_are_off() -> None:
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert Path(os.environ["GRADIO_TEMP_DIR"]).resolve() == ui.CACHE
