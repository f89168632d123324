"""The running page, for tests: a server on loopback and a visitor in Chromium."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from paths import ROOT
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Download, Locator, Page, Route, expect

from headshot import ui
from headshot.backends import Backend
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings
from headshot.web import server

CHROMIUM = Path(shutil.which("chromium-headless-shell") or "/usr/bin/chromium")  # without a window, a tenth cheaper
# The camera is Chromium's own moving test picture, which shows no face.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PATIENCE_MS = 20_000  # two cores that other tests may share: only what fails waits as long
expect.set_options(timeout=PATIENCE_MS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def files_in(folder: Path) -> list[Path]:
    """Also while the server deletes some of them, at which rglob and glob fail."""
    return [Path(where) / name for where, _, names in os.walk(folder) for name in names]


def uploads() -> list[Path]:
    """What somebody has sent, in the folders that Gradio names by a file's hash."""
    return [path for path in files_in(ui.CACHE) if path.parent.parent == ui.CACHE and len(path.parent.name) == 64]


@contextmanager
def chromium_running() -> Iterator[str]:
    """Chromium in a process of its own. Yields the address that any Playwright can connect to."""
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps({"executablePath": str(CHROMIUM), "args": ARGUMENTS}), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "playwright", "launch-server", "--browser", "chromium", "--config", str(config)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def downloaded(download: Download) -> bytes:
    with tempfile.TemporaryDirectory(prefix="download-") as folder:
        file = Path(folder) / "file"
        download.save_as(file)
        return file.read_bytes()


@contextmanager
def serving(
    backends: Mapping[str, Backend], *, keep_seconds: float = 3600, grace_seconds: float = 20, port: int | None = None
) -> Iterator[server.Site]:
    # Unsigned, so that a file is the same whenever it is made.
    settings = Settings(open_browser=False, content_credentials=False)
    sessions = SessionRegistry(
        Path(tempfile.mkdtemp(prefix="visitors-", dir=ui.CACHE)),
        keep_seconds,
        grace_seconds,
        backends=backends.values(),
    )
    site = server.start(settings, backends, port=port or free_port(), sessions=sessions)
    try:
        yield site
    finally:
        site.close()


@dataclass(frozen=True)
class App:
    """`python app.py` in a process of its own. `log`: what it said."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def app_running(folder: Path, **environment: str) -> Iterator[App]:
    """The app as a person starts it, its temporary files in `folder`, ended as a container ends it."""
    port = free_port()
    settings = {
        "GRADIO_SERVER_PORT": str(port),
        "HEADSHOT_OPEN_BROWSER": "false",
        "HEADSHOT_DATA_DIR": str(folder / "data"),
        "TMPDIR": str(folder),
    }
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={**os.environ, **settings, **environment},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 60
        while "The playground is at" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield App(f"http://127.0.0.1:{port}/", process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


class Visit:
    """One visitor. `complaints` holds what no visit may cause: console errors, and requests to other servers."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.complaints: list[str] = []
        self.addresses: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda said: said.type == "error" and self._complain(said))
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", lambda request: self._note(request.url))
        self.page.goto(address)
        self._wait_for_the_form()

    def again(self, query: str = "") -> None:
        """Load the page anew, as by a link with that query: three times as quick as a new window."""
        self.page.goto("about:blank")  # where whatever the old page still says is not the new visit's
        self.complaints.clear()
        self.addresses.clear()
        self.page.goto(f"{self.address}{query}")
        self._wait_for_the_form()

    def become_somebody_else(self) -> None:
        """As a browser that was never here, at another page: nothing of this one is left."""
        self.page.goto("about:blank")
        session = self.context.new_cdp_session(self.page)
        session.send("Storage.clearDataForOrigin", {"origin": self.address.rstrip("/"), "storageTypes": "all"})
        session.detach()
        self.context.clear_cookies()

    def _wait_for_the_form(self) -> None:
        """Generate, or Stop in its place where a comparison was found again that runs."""
        self.page.locator("#generate:visible, #stop:visible").first.wait_for()

    def _complain(self, said: ConsoleMessage) -> None:
        self.complaints.append(f"console: {said.text} ({said.location['url']})")

    def _note(self, url: str) -> None:
        self.addresses.append(url)
        if not url.startswith((self.address, "data:", "blob:")):
            self.complaints.append(f"a request went out to {url}")

    @contextmanager
    def slow_call(self, about: str) -> Iterator[None]:
        """The first call with these words in it arrives at the server only when the block has ended."""
        first: list[Route] = []
        over = False

        def hold(route: Route) -> None:
            if not first and about in str(route.request.post_data):
                first.append(route)
                if not over:
                    return  # until the block has ended, which may be before the page calls
            route.continue_()

        self.page.route("**/queue/join*", hold)
        yield
        with self.page.expect_response(lambda answer: bool(first) and answer.request == first[0].request):
            over = True
            if first:
                first[0].continue_()
        self.page.unroute("**/queue/join*", hold)

    def take_example(self) -> None:
        self.page.locator("#example").click()
        expect(self.page.locator(".verdict .good").first).to_be_visible()

    def put_in(self, photo: Path) -> None:
        self.page.locator("#photo input[type=file]").set_input_files(photo)

    def open_fine_tuning(self) -> None:
        """And wait for what is in it: a field that is typed into while it is mounted forgets what was typed."""
        self.page.get_by_role("button", name="Fine tuning").click()
        slider = self.page.locator("#guidance-scale input[type=range]")
        expect(slider).to_have_attribute("style", re.compile("range_progress"))

    def generate(self, seeds: str | None = None) -> None:
        if seeds is not None:
            self.field("seeds").fill(seeds)
        self.page.locator("#generate").click()

    def field(self, name: str) -> Locator:
        return self.page.locator(f"#{name}").locator("textarea, input").first

    def delete_my_pictures(self) -> None:
        self.page.locator("#delete").click()
        self.page.locator("#delete-yes").click()
        expect(self.page.locator("#delete-yes")).to_be_hidden()

    @property
    def completed(self) -> Locator:
        return self.page.locator(".shot.completed")

    @property
    def waiting(self) -> Locator:
        return self.page.locator(".shot.waiting")

    @property
    def status(self) -> Locator:
        return self.page.locator("#status [role=status]")

    @property
    def verdict(self) -> Locator:
        return self.page.locator("#check")

    def until_done(self, count: int) -> None:
        expect(self.page.locator(".status.done")).to_be_visible()
        expect(self.completed).to_have_count(count)

    def evaluate(self, script: str) -> object:
        return self.page.evaluate(script)

    def inspect(self, what: str, part: str | None = None) -> None:
        """Nothing overflows, and axe finds nothing serious in that part, the whole page if none is named."""
        # The accent fades in over the first moments of what opens: colours are judged when all but what moves for ever
        # stands still.
        still = "each => each.playState !== 'running' || each.effect.getTiming().iterations === Infinity"
        self.page.wait_for_function(f"document.getAnimations().every({still})")
        assert self.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{what} overflows"
        serious = [
            (finding["id"], [node["html"][:160] for node in finding["nodes"]][:3])
            for finding in Axe().run(self.page, context=part).response["violations"]
            if finding["impact"] in ("serious", "critical")
        ]
        assert serious == [], what


@contextmanager
def visiting(
    browser: Browser, address: str, *, width: int = 1440, height: int = 900, scheme: str = "light"
) -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        permissions=["camera", "clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        visit = Visit(context, address)
        yield visit
        assert visit.complaints == []
    finally:
        context.close()
