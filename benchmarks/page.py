"""How fast the page is: its start, its gallery, its refusals, and many visitors at once.

    python benchmarks/page.py

Needs requirements-dev.txt and Debian's chromium. Every server runs in its own process. Goals are printed beside the
figures. Only the ratios, each of one run, can be compared between machines.
"""

import asyncio
import io
import json
import math
import os
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import bad_photos  # noqa: E402  the folder is not installed

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-headless-shell") or "chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WINDOW: ViewportSize = {"width": 1440, "height": 900}
SIZE = (1024, 1280)  # of a headshot

START_ROUNDS = 5
START_GOAL = 1.3
HELLO = """\
import gradio as gr
with gr.Blocks() as page:
    name = gr.Textbox(label="Name")
    button = gr.Button("Hello", elem_id="hello")
    button.click(lambda name: f"Hello, {name}", name, name)
page.launch(ssr_mode=False, quiet=True)
"""
USABLE = """selector => {
  const button = document.querySelector(selector);
  return button !== null && button.checkVisibility() && !button.disabled;
}"""

GALLERY = 9
GALLERY_ROUNDS = 5
GALLERY_GOAL = 0.3
GALLERY_WAIT = 0.2  # seconds before each headshot
# The clock runs in the browser: from the click to the frame in which the last picture is decoded.
WATCH = """count => {
  addEventListener("click", () => {
    window.requested = performance.getEntriesByType("resource").length;
    const pressed = performance.now();
    const look = () => {
      const pictures = [...document.querySelectorAll(".shot.completed img")];
      if (pictures.length === count && pictures.every(picture => picture.complete && picture.naturalWidth > 0))
        window.took = (performance.now() - pressed) / 1000;
      else requestAnimationFrame(look);
    };
    look();
  }, {capture: true, once: true});
}"""

REFUSED = {
    "a drawing": bad_photos.svg,
    "21 KB of 178 megapixels": bad_photos.bomb,
    "half a JPEG": bad_photos.truncated,
    "a text": bad_photos.text,
    "a PDF": bad_photos.pdf,
    "half a HEIC": bad_photos.iphone,
    "an animation": bad_photos.animation,
    "a landscape": bad_photos.landscape,
}
REFUSED_ROUNDS = 3
REFUSED_GOAL = 2.0

CROWD = 25
CROWD_ROUNDS = 3
CROWD_GOAL = 1.8  # times as long as one visitor alone
CARD_GOAL = 5_000  # bytes of an update of one card
CROWD_SECONDS = 1.0  # the backend's time for a comparison, in equal waits before each headshot
PATIENCE = 60.0  # seconds; anything slower is an error
TOKEN = re.compile(r'"token": ?"([\w-]{43})"')


# ------------------------------------------------------------------------------------------------------- the backends


def pictures(count: int) -> list[tuple[Image.Image, bytes]]:
    """Different pictures, as large and as hard to compress as the studio's: a portrait with grain."""
    portrait = Image.open(ROOT / "headshot" / "examples" / "astronaut.png").convert("RGB")
    pixels = np.asarray(ImageOps.fit(portrait, SIZE, Image.Resampling.LANCZOS), np.float32)
    made = []
    for seed in range(count):
        grain = np.random.default_rng(seed).normal(0, 2, pixels.shape[:2])[..., None]
        image = Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
        data = io.BytesIO()
        image.save(data, "PNG", compress_level=1)
        made.append((image, data.getvalue()))
    return made


def serve(wait: float, *, shared: bool) -> None:
    """Serve the page with a backend that only waits.

    Prints the backend's own time for each comparison, in seconds.

    Args:
        wait: seconds for each headshot, or for a whole comparison if `shared`.
        shared: whether a comparison's headshots share the time.
    """
    from headshot.backends import Readiness
    from headshot.imaging.photo import Photo
    from headshot.progress import Progress
    from headshot.request import Headshot, HeadshotRequest, Note
    from headshot.settings import Settings
    from headshot.web import server

    class Waiting:
        """A backend with prepared pictures."""

        name = "waiting"
        title = "Waiting"
        survives_disconnect = False
        help = "It waits."
        max_concurrent = 1000

        def __init__(self) -> None:
            self._pictures = pictures(GALLERY)

        def readiness(self) -> Readiness:
            return Readiness(True, "Waits, and returns prepared pictures.")

        def estimate(
            self, photo: Photo | None, requests: Sequence[HeadshotRequest], *, face: int | None = None
        ) -> float:
            return wait if shared else wait * len(requests)

        def drop_cache(self, photo: Photo) -> None:
            """Does nothing: nothing is cached."""

        async def generate(
            self, photo: Photo, requests: Sequence[HeadshotRequest], progress: Progress, *, face: int | None = None
        ) -> AsyncGenerator[Headshot]:
            own = 0.0
            for done, request in enumerate(requests):
                started = time.perf_counter()
                progress.report("Waiting", done, len(requests))
                await asyncio.sleep(wait / len(requests) if shared else wait)
                progress.check()
                image, png = self._pictures[done % len(self._pictures)]
                took = time.perf_counter() - started
                own += took
                yield Headshot(image, png, request, self.name, took, (Note("applied", "a wait"),), 0.9)
            print(own, flush=True)

    server.serve(Settings(open_browser=False, max_headshots=GALLERY), {"waiting": Waiting()})


# -------------------------------------------------------------------------------------------------------- the servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(port: int, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server in its own process, and end it by SIGTERM as a container does."""
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as data:
        environment = {
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HEADSHOT_DATA_DIR": data,
            "HEADSHOT_OPEN_BROWSER": "false",
        }
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield process
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode())
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def until_open(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until the port accepts connections."""
    deadline = time.perf_counter() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.perf_counter() > deadline:
                raise
            time.sleep(0.01)


def line(what: str, figure: str, goal: str, reached: bool | None = None) -> None:
    verdict = "" if reached is None else "reached" if reached else "missed"
    print(f"{what:<78} {figure:>9}   goal {goal:<8} {verdict}".rstrip(), flush=True)


def load() -> str:
    return ", ".join(f"{share:.1f}" for share in os.getloadavg())


# ---------------------------------------------------------------------------------------------------------- the start


def start(browser: Browser, button: str, *command: str) -> tuple[float, float]:
    """Seconds from the start of the process until it listens, and until a new visitor's page is usable."""
    context = browser.new_context(viewport=WINDOW)  # with an empty cache
    page = context.new_page()
    port = free_port()
    started = time.perf_counter()
    with running(port, *command) as process:
        until_open(port, process)
        up = time.perf_counter() - started
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        page.wait_for_function(USABLE, arg=button)
        usable = time.perf_counter() - started
        context.close()
    return up, usable


def starts(browser: Browser) -> None:
    """Compare `python app.py` with a minimal Gradio page, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder, "hello.py")
        hello.write_text(HELLO)
        commands = {"#generate": "app.py", "#hello": str(hello)}
        measured: dict[str, list[tuple[float, float]]] = {button: [] for button in commands}
        for number in range(START_ROUNDS + 1):
            for button, command in commands.items():
                times = start(browser, button, command)
                if number:  # the first round only warms the disk cache
                    measured[button].append(times)
    middles = [[statistics.median(times) for times in zip(*measured[button], strict=True)] for button in commands]
    (our_up, ours), (bare_up, bare) = middles
    print(f"\nFrom the process to a usable page: medians of {START_ROUNDS} rounds, warm disk, empty browser cache")
    line(f"server listens: {our_up:.2f} s, hello page {bare_up:.2f} s", f"{our_up / bare_up:.2f} x", "-")
    in_browser, bare_in_browser = ours - our_up, bare - bare_up
    line(
        f"then the browser: {in_browser:.2f} s, hello page {bare_in_browser:.2f} s",
        f"{in_browser / bare_in_browser:.2f} x",
        "-",
    )
    line(
        f"button visible and enabled: {ours:.2f} s, hello page {bare:.2f} s",
        f"{ours / bare:.2f} x",
        f"{START_GOAL} x",
        ours / bare <= START_GOAL,
    )


# -------------------------------------------------------------------------------------------------------- the gallery


def gallery(browser: Browser) -> None:
    """Measure, in a browser, the time until all of a comparison's thumbnails are visible."""
    beyond, shares, fetched = [], [], []
    port = free_port()
    with running(port, __file__, "--serve-gallery") as process:
        until_open(port, process)
        for number in range(GALLERY_ROUNDS + 1):
            context = browser.new_context(viewport=WINDOW)  # another visitor: a page would bring its photo back
            took, requested = grow(context.new_page(), port)
            context.close()
            assert process.stdout is not None
            own = float(process.stdout.readline())
            if number:  # the first warms up
                beyond.append(took - own)
                shares.append((took - own) / own)
                fetched.append(requested)
    seconds = statistics.median(beyond)
    print(
        f"\nA gallery of {GALLERY} pictures of {SIZE[0]} x {SIZE[1]}, one each {GALLERY_WAIT} s: from the click on "
        f"Generate\nto the frame in which thumbnail {GALLERY} is decoded, less the backend's own time; "
        f"median of {GALLERY_ROUNDS} visits on a warm server"
    )
    line(
        f"beyond the backend's own time ({statistics.median(shares):.0%} of it; {min(beyond):.2f} to "
        f"{max(beyond):.2f} s)",
        f"{seconds:.2f} s",
        f"{GALLERY_GOAL} s",
        seconds <= GALLERY_GOAL,
    )
    line(f"requests of the browser meanwhile, {GALLERY} thumbnails among them", f"{statistics.median(fetched):g}", "-")


def grow(page: Page, port: int) -> tuple[float, int]:
    page.goto(f"http://127.0.0.1:{port}/")
    page.locator("#example").click()
    page.locator("#check .verdict .good").first.wait_for()
    page.locator("#seeds").locator("textarea, input").first.fill(f"1-{GALLERY}")
    page.locator("#plan").filter(has_text=f"{GALLERY} headshots").wait_for()  # the server has processed the form
    page.evaluate(WATCH, GALLERY)
    page.locator("#generate").click()
    page.wait_for_function("() => window.took !== undefined")
    requested = page.evaluate("() => performance.getEntriesByType('resource').length - requested")
    return float(page.evaluate("() => took")), int(requested)


# ------------------------------------------------------------------------------------------------------- the refusals


def refusals(browser: Browser) -> None:
    """Measure how fast the page refuses files without a usable face, each on a fresh page."""
    port = free_port()
    with running(port, __file__, "--serve-gallery") as process, tempfile.TemporaryDirectory() as folder:
        until_open(port, process)
        page = browser.new_context(viewport=WINDOW).new_page()
        files = {what: make(Path(folder)) for what, make in REFUSED.items()}
        for file in files.values():  # warms up
            refused(page, port, file)
        took = {
            what: statistics.median(refused(page, port, file) for _ in range(REFUSED_ROUNDS))
            for what, file in files.items()
        }
        page.context.close()
    slowest = max(took, key=lambda what: took[what])
    print(f"\nFiles that are no photo of a face: until the page says so; medians of {REFUSED_ROUNDS} rounds")
    line(
        f"the slowest of {len(took)}: {slowest} (the median one {statistics.median(took.values()):.2f} s)",
        f"{took[slowest]:.2f} s",
        f"{REFUSED_GOAL:g} s",
        took[slowest] <= REFUSED_GOAL,
    )


def refused(page: Page, port: int, file: Path) -> float:
    page.goto(f"http://127.0.0.1:{port}/")
    page.locator("#generate:visible").wait_for()
    started = time.perf_counter()
    page.locator("#photo input[type=file]").set_input_files(file)
    page.locator("#check .bad").first.wait_for()
    return time.perf_counter() - started


# ---------------------------------------------------------------------------------------------------------- the crowd


class Visitor:
    """One session that sends the requests of a browser's page: queue, heartbeat, the tab's stream, and pictures.

    Attributes:
        errors: everything that went wrong for this visitor.
        cards: bytes of each message that had one card in it.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._session = secrets.token_hex(8)
        self._components: dict[int, dict[str, Any]] = {}
        self._functions: list[dict[str, Any]] = []
        self._fetched: dict[str, asyncio.Task[None]] = {}
        self._heart: asyncio.Task[None] | None = None
        self.errors: list[str] = []
        self.cards: list[int] = []

    async def arrive(self) -> None:
        """Open the page and choose the example photo."""
        (await self._client.get("/")).raise_for_status()
        config = (await self._client.get("/config")).raise_for_status().json()
        self._components = {component["id"]: component["props"] for component in config["components"]}
        self._functions = config["dependencies"]
        self._heart = asyncio.create_task(self._beat())
        reply = await self._call(self._function_of("example", "click"), {})
        if 'class="good"' not in reply:
            self.errors.append("the example photo was refused")

    async def generate(self, headshots: int) -> float:
        """Seconds from the click to the end of the tab's stream and the last thumbnail."""
        seeds = ", ".join(str(seed) for seed in range(1, headshots + 1))
        started = time.perf_counter()
        reply = await self._call(self._function_of("generate", "click"), {"seeds": seeds})
        found = TOKEN.search(reply)
        if found is None:
            self.errors.append(f"Generate was refused: {reply[-500:]}")
            return PATIENCE
        status = await self._follow(found[1])
        await asyncio.gather(*self._fetched.values())
        took = time.perf_counter() - started
        fetched = len(self._fetched)
        if fetched != headshots or status.get("kind") != "done":
            self.errors.append(f"{fetched} thumbnails of {headshots} headshots were fetched; the last status: {status}")
        return took

    async def _follow(self, token: str) -> dict[str, Any]:
        """Read the tab's stream to its end and fetch each thumbnail as soon as it is named. Returns the last status."""
        status: dict[str, Any] = {}
        async with self._client.stream("GET", f"/tab/{token}/events?after=-1") as stream:
            stream.raise_for_status()
            async for text in stream.aiter_lines():
                if text == "event: idle":
                    break
                if not text.startswith("data:"):
                    continue
                parts = json.loads(text.removeprefix("data:"))["parts"]
                status = parts.get("status", status)
                cards = [part for name, part in parts.items() if name.startswith("card/")]
                if len(cards) == 1:
                    self.cards.append(len(text))
                for card in cards:
                    address = card.get("thumbnail")
                    if address and address not in self._fetched:
                        self._fetched[address] = asyncio.create_task(self._fetch(address))
        return status

    def leave(self) -> None:
        if self._heart is not None:
            self._heart.cancel()

    def _function_of(self, element: str, event: str) -> dict[str, Any]:
        names = {identity: props.get("elem_id") for identity, props in self._components.items()}
        return next(
            function
            for function in self._functions
            if function["backend_fn"]
            and any(names.get(target) == element and name == event for target, name in function["targets"])
        )

    async def _call(self, function: dict[str, Any], filled: dict[str, Any]) -> str:
        """Send one event: join the queue and read its stream until it is done. Returns the whole stream."""
        inputs = [self._components[identity] for identity in function["inputs"]]
        event = {
            "data": [filled.get(props.get("elem_id", ""), props.get("value")) for props in inputs],
            "event_data": None,
            "fn_index": function["id"],
            "trigger_id": function["targets"][0][0],
            "session_hash": self._session,
        }
        (await self._client.post("/gradio_api/queue/join", json=event)).raise_for_status()
        received: list[str] = []
        async with self._client.stream("GET", f"/gradio_api/queue/data?session_hash={self._session}") as stream:
            stream.raise_for_status()
            async for text in stream.aiter_lines():
                if not text.startswith("data:"):
                    continue
                message = json.loads(text.removeprefix("data:"))
                if message.get("success") is False or message["msg"] in ("unexpected_error", "log"):
                    self.errors.append(text)
                received.append(text.replace('\\"', '"'))
                if message["msg"] == "close_stream":
                    break
        return "".join(received)

    async def _fetch(self, address: str) -> None:
        picture = await self._client.get(f"/{address}")
        if picture.status_code != 200 or not picture.content:
            self.errors.append(f"a thumbnail: {picture.status_code}")

    async def _beat(self) -> None:
        async with self._client.stream("GET", f"/gradio_api/heartbeat/{self._session}") as beats:
            async for _ in beats.aiter_raw():
                pass


async def press_at_once(port: int, count: int, headshots: int) -> tuple[list[float], list[str], list[int]]:
    """Let `count` visitors with a photo click Generate at the same moment.

    Returns:
        Their times, their errors, and the bytes of each message that had one card in it.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=PATIENCE) as client:
        sessions = [Visitor(client) for _ in range(count)]
        try:
            await asyncio.gather(*(session.arrive() for session in sessions))
            times = await asyncio.gather(*(session.generate(headshots) for session in sessions))
        finally:
            for session in sessions:
                session.leave()
    errors = [error for session in sessions for error in session.errors]
    return times, errors, [size for session in sessions for size in session.cards]


def crowd() -> None:
    """Measure many visitors at once, as HTTP sessions: 25 browsers would load the machine more than the server does."""
    print(
        f"\n{CROWD} sessions press Generate in the same moment, {CROWD_ROUNDS} times; the backend waits "
        f"{CROWD_SECONDS:g} s a comparison and hands over pictures of {SIZE[0]} x {SIZE[1]}.\n"
        "One process beside the server's speaks the page's own protocol (queue, event streams, heartbeat, thumbnails), "
        "without a browser.\nA visitor's time ends with the last event and the last thumbnail"
    )
    port = free_port()
    with running(port, __file__, "--serve-crowd") as process:
        until_open(port, process)
        asyncio.run(press_at_once(port, 1, 1))  # warms up
        alone = statistics.median(asyncio.run(press_at_once(port, 1, 1))[0][0] for _ in range(CROWD_ROUNDS))
        line("one visitor alone, one headshot", f"{alone:.2f} s", "-")
        for what, headshots, goal in (("one headshot each", 1, CROWD_GOAL), ("four headshots each", 4, None)):
            rounds = [asyncio.run(press_at_once(port, CROWD, headshots)) for _ in range(CROWD_ROUNDS)]
            times = sorted(took for times, _, _ in rounds for took in times)
            errors = [error for _, errors, _ in rounds for error in errors]
            sizes = [size for _, _, sizes in rounds for size in sizes]
            p95 = times[math.ceil(0.95 * len(times)) - 1]
            line(
                f"{what}: p95 {p95:.2f} s (median {statistics.median(times):.2f} s), to one visitor alone",
                f"{p95 / alone:.2f} x",
                "-" if goal is None else f"{goal:g} x",
                None if goal is None else p95 / alone <= goal,
            )
            if sizes:
                largest = max(sizes)
                line(f"{what}: the largest update of one card", f"{largest} B", f"{CARD_GOAL} B", largest < CARD_GOAL)
            line(f"{what}: errors", str(len(errors)), "0", not errors)
            for error in errors[:3]:
                print(f"    {error[:300]}")


def main() -> None:
    if "--serve-gallery" in sys.argv:
        serve(GALLERY_WAIT, shared=False)
        return
    if "--serve-crowd" in sys.argv:
        serve(CROWD_SECONDS, shared=True)
        return
    print(f"load before: {load()}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        starts(browser)
        gallery(browser)
        refusals(browser)
        browser.close()
    crowd()
    print(f"\nload after: {load()}")


if __name__ == "__main__":
    main()
