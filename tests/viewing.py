"""The viewer in a real browser, for tests: on a page that has nothing but the headshots' cards, and no Gradio."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from settled import boxes

from headshot.ui import assets, theme

SIZE = 256, 320
RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 30), (30, 30, 200), (250, 250, 250)
PHONE = {"width": 390, "height": 844}
STYLES = ("viewer", "card", "viewer_shell", "details", "compare_view", "selection", "fullscreen")
# What a headshot from ModelsLab has beside the others.
EXCHANGE = {
    "timeline": [
        ["14:03:07", "Sent", ""],
        ["14:03:07", "Queued", "ModelsLab has given it the number 66752945, and expects it in 13 seconds."],
        ["14:03:20", "Asked", "It is still working."],
        ["14:03:23", "Done", ""],
        ["14:03:24", "Downloaded", "1.2 MB, PNG, 1024 × 1280"],
    ],
    "sent": json.dumps(
        {"key": "•••", "face_image": "data:image/jpeg;base64,/9j/4AAQ…", "prompt": "<b>navy</b>"}, indent=2
    ),
    "reply": json.dumps({"status": "success", "id": 66752945, "output": ["https://pub.example/0-a.png"]}, indent=2),
}
CODE = ("python", "curl", "javascript", "sent", "reply", "timeline")
TABS = ("Notes", "Request", "Python", "cURL", "JavaScript")


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def plain(colour: tuple[int, int, int]) -> bytes:
    return png(Image.new("RGB", SIZE, colour))


@dataclass(frozen=True)
class Card:
    """A completed headshot, as the page writes it."""

    id: str
    seed: int
    label: str
    picture: str
    original: str
    baseline: bool = False
    prompt: str = "light grey backdrop"
    negative: str = ""
    guidance: float = 7.5
    likeness: float | None = None
    face: tuple[float, float, float, float] | None = None
    size: tuple[int, int] = SIZE
    more: dict[str, Any] = field(default_factory=dict)  # what only some have

    @property
    def part(self) -> dict[str, Any]:
        """As the tab's state has it."""
        return {
            "kind": "finished",
            "id": self.id,
            "label": self.label,
            "alt": f"Headshot, {self.label}",
            "facts": ["0.5 s", f"likeness 0.9{self.seed}"],
            "measures": ["0.5 s", f"likeness 0.9{self.seed}"],
            "own": [],
            "name": f"headshot-studio-seed-{self.seed}.png",
            "picture": self.picture,
            "thumbnail": self.picture,
            "original": self.original,
            "details": f"/details.json?{quote(json.dumps(self.details))}",
            "width": self.size[0],
            "height": self.size[1],
            "baseline": self.baseline,
            "likeness": self.likeness,
            "face": self.face,
            "notes": [
                {"kind": "applied", "text": "loop light"},
                {"kind": "advice", "text": "The face is small."},
                {"kind": "not applied", "text": "glasses"},
                {"kind": "applied", "text": "grey backdrop"},
            ],
            "request": {
                "prompt": self.prompt,
                "negative_prompt": self.negative,
                "num_inference_steps": 21,
                "guidance_scale": self.guidance,
                "seed": self.seed,
            },
            "timings": [["This headshot", "0.5 s"]],
            **{name: value for name, value in self.more.items() if name not in CODE},
        }

    @property
    def details(self) -> dict[str, Any]:
        """What the server says when the headshot is opened."""
        return {
            "python": f"print({self.seed})",
            "curl": f"curl -d seed={self.seed}",
            "javascript": f"fetch({self.seed})",
            **{name: value for name, value in self.more.items() if name in CODE},
        }


ONE = Card("a1", 1, "Seed 1", "/red.png", "/white.png?of=1", likeness=0.81)
TWO = Card("b2", 2, "Seed 2", "/green.png", "/white.png?of=2", likeness=0.92)
THREE = Card("c3", 3, "Seed 3", "/blue.png", "/white.png?of=3", prompt="navy backdrop", negative="hat", guidance=12)
CARDS = (ONE, TWO, THREE)
PICTURES = {
    "/red.png": plain(RED),
    "/green.png": plain(GREEN),
    "/blue.png": plain(BLUE),
    "/white.png": plain(WHITE),
}


def state(cards: Sequence[Card], *, matrix: bool = False) -> dict[str, Any]:
    """The parts of a tab that shows these cards, in a row or in a matrix of one row."""
    keys = [str(position) for position in range(len(cards))]
    table = {"columns": [[key] for key in keys], "rows": [{"title": ["Row"], "keys": keys}]} if matrix else None
    return {
        "status": {"text": "Done", "kind": "done", "done": 0, "total": 0},
        "results": {
            "keys": [] if matrix else keys,
            "matrix": table,
            "files": [],
            "remaining": 0,
            "total": [],
            "earlier": [],
            "promise": not cards,
        },
        **{f"card/{key}": card.part for key, card in zip(keys, cards, strict=True)},
    }


def document(cards: Sequence[Card]) -> str:
    """The page's own scripts, without Gradio. `draw(parts)` is what the server's stream does."""
    styles = "".join(path.read_text(encoding="utf-8") for path in theme.STYLESHEETS if path.stem in STYLES)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Headshots</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>
  :root {{ --primary-50: #eef6f4; --primary-300: #7fbab1; --primary-400: #4d9a90; --primary-500: #1f7a70;
           --primary-600: #146459; --primary-900: #0c332f; --background-fill-primary: #fff; --body-text-color: #222;
           --button-secondary-border-color: #ccc; }}
  .dark {{ --background-fill-primary: #1d1d1b; --body-text-color: #ecebe8; background: #141413; color: #ecebe8; }}
  body {{ margin: 0; min-height: 1500px; }}
  .shots {{ display: flex; flex-wrap: wrap; gap: 12px; padding: 12px; }}
  .shot {{ width: 160px; margin: 0; }}
  .frame {{ display: block; }}
  .frame img {{ display: block; width: 100%; height: auto; }}
  #stop {{ position: fixed; inset: auto 16px 12px; height: 48px; }}
</style><style>{styles}</style></head><body>
<main><h1>Headshots</h1><div id="shots"><div class="shots"></div></div><div id="history"></div></main>
<script type="module">
  import {{ mountShots }} from "/scripts/main.js";
  import {{ pick, picks }} from "/scripts/headshots/selection.js";
  import {{ entryTemplate }} from "/scripts/history/entry.js";
  import {{ render }} from "/scripts/lit/lit-html.js";
  import {{ draw }} from "/scripts/tab_state.js";
  window.said = [];
  let revision = 0;
  window.draw = (parts) => draw({{ revision: ++revision, names: Object.keys(parts), parts }});
  window.fillHistory = (entry) => {{
    const run = Object.assign(document.createElement("article"), {{ className: "run" }});
    run.dataset.title = entry.name;
    document.querySelector("#history").replaceChildren(run);
    render(entryTemplate(entry), run);
    pick(picks);
  }};
  window.mount = () => mountShots(document.querySelector("#shots"), (name, data) => said.push([name, data]));
  mount();
  window.draw({json.dumps(state(cards)).replace("<", chr(92) + "u003c")});
  document.documentElement.dataset.ready = "";
</script></body></html>"""


@contextmanager
def serving(cards: Sequence[Card] = CARDS, pictures: Mapping[str, bytes] = PICTURES) -> Iterator[str]:
    """The page's address."""
    page = document(cards).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            media_type, content = "image/png", pictures.get(path)
            if path == "/":
                media_type, content = "text/html", page
            elif path.startswith("/scripts/"):
                media_type, content = "text/javascript", assets.files().get(path.removeprefix("/scripts/"))
            elif path == "/details.json":
                media_type, content = "application/json", unquote(query).encode()
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", media_type)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Viewer:
    """The page and the parts of the viewer. `complaints`: console errors, page errors and outside requests."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._note(request.url, address))
        page.goto(address)
        page.locator("html[data-ready]").wait_for(state="attached")
        self.dialog = page.locator("dialog.viewer")
        self.title = self.dialog.locator("h2 span")
        self.bar = page.locator(".picked-bar")
        self.tools = page.locator(".grid-tools")
        self.range = page.get_by_role("slider", name="Share of the left picture")
        self.pair = self.dialog.locator(".pair")

    def _note(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:")):
            self.complaints.append(f"a request went out to {url}")

    def card(self, card: Card) -> Locator:
        return self.page.locator(f"#shot-{card.id}")

    def open(self, card: Card) -> None:
        self.card(card).locator("a.frame").click()

    def pick(self, *cards: Card) -> None:
        for card in cards:
            self.card(card).locator(".pick").click()

    def compare(self, *cards: Card) -> None:
        self.pick(*cards)
        self.bar.get_by_role("button", name="Compare", exact=True).click()
        self.compared()

    def draw(self, *cards: Card, matrix: bool = False) -> None:
        """The server has sent another state."""
        self.page.evaluate("parts => draw(parts)", state(cards, matrix=matrix))

    def fill_history(self, *cards: Card, title: str = "Navy") -> None:
        """The history has drawn one entry with these cards, or none."""
        entry = {
            "key": "k1",
            "id": "k1",
            "begun": "2026-01-01T12:00:00Z",
            "until": "2026-01-02T12:00:00Z",
            "name": title,
            "automatic": "Corporate",
            "favourite": False,
            "about": ["Seeds", "Studio"],
            "count": "",
            "why": "",
            "cards": [{**card.part, "favourite": False, "open": ""} for card in cards],
        }
        self.page.evaluate("entry => fillHistory(entry)", entry)

    def button(self, name: str) -> Locator:
        return self.dialog.get_by_role("button", name=name, exact=True)

    def select(self, name: str) -> Locator:
        return self.dialog.get_by_role("combobox", name=name, exact=True)

    def compared(self) -> None:
        expect(self.pair.locator(".left img")).to_be_visible()
        expect(self.dialog.locator(".stage.loading")).to_have_count(0)
        self.settled()

    def settled(self) -> None:
        """What glides or fades has done so."""
        done = (
            "part => Promise.allSettled(part.getAnimations({subtree: true}).map(each => each.finished)).then(() => 0)"
        )
        self.dialog.evaluate(done)

    def said(self) -> list[Any]:
        said: list[Any] = self.page.evaluate("said")
        return said

    def at(self, share: float, height: float = 0.7) -> tuple[float, float]:
        """Where on the screen so much of the picture is to the left. Below the grip, above the labels."""
        (box,) = boxes(self.pair)
        return box["x"] + box["width"] * share, box["y"] + box["height"] * height

    def seen(self, part: Locator) -> Image.Image:
        """A part of the page as it is on the screen."""
        box = part.bounding_box()
        assert box
        return Image.open(io.BytesIO(self.page.screenshot(clip=box))).convert("RGB")  # type: ignore[arg-type]

    def shows(self, left: tuple[int, ...], right: tuple[int, ...], *, line: float) -> None:
        """The picture is `left` up to just before the line, and `right` from just behind it."""
        self.page.mouse.move(0, 0)
        shot = self.seen(self.pair)
        y = round(shot.height * 0.7)
        before = [share for share in (0.02, line - 0.02) if 0 < share < line - 0.01]
        behind = [share for share in (line + 0.02, 0.98) if line + 0.01 < share < 1]
        assert {shot.getpixel((round(shot.width * share), y)) for share in before} <= {left}
        assert {shot.getpixel((round(shot.width * share), y)) for share in behind} <= {right}
        assert before or behind

    def swipe(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.touch([[start], [end]])

    def touch(self, path: Sequence[Sequence[tuple[float, float]]], *, steps: int = 12) -> None:
        """Fingers that go evenly from the first places to the second, one pair of places for each finger."""
        finger = self.page.context.new_cdp_session(self.page)
        first, last = path
        for step in range(steps + 1):
            points = [
                {"x": a[0] + (b[0] - a[0]) * step / steps, "y": a[1] + (b[1] - a[1]) * step / steps, "id": number}
                for number, (a, b) in enumerate(zip(first, last, strict=True))
            ]
            finger.send(
                "Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": points}
            )
            self.page.wait_for_timeout(16)
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def serious(self) -> list[tuple[str, list[str]]]:
        """What axe finds, once nothing moves."""
        self.page.wait_for_function("document.getAnimations().every(each => each.playState !== 'running')")
        return [
            (finding["id"], [node["html"][:160] for node in finding["nodes"]][:3])
            for finding in Axe().run(self.page).response["violations"]
            if finding["impact"] in ("serious", "critical")
        ]


@contextmanager
def viewing(browser: Browser, address: str, **options: Any) -> Iterator[Viewer]:
    """A window of its own."""
    with window(browser, **options) as context, visiting(context, address) as viewer:
        yield viewer


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    context = browser.new_context(**({"viewport": {"width": 1100, "height": 760}} | options))
    try:
        yield context
    finally:
        context.close()


@contextmanager
def visiting(context: BrowserContext, address: str) -> Iterator[Viewer]:
    """The page anew in a window that is open already, which is several times as quick."""
    viewer = Viewer(context.new_page(), address)
    try:
        yield viewer
        assert viewer.complaints == []
    finally:
        viewer.page.close()
