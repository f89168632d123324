"""ModelsLab on loopback: a real HTTP server that behaves as the service is known to, and misbehaves on request.

    python tests/service.py --job-seconds 1 --depth 5

runs it on its own, prints its address, and ends with its standard input.
"""

import argparse
import asyncio
import base64
import io
import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from PIL import Image

At = Literal["submit", "poll", "download"]
STEPS = ("21", "31", "41")
REQUIRED = {
    "enterprise": (
        *("key", "face_image", "prompt", "negative_prompt", "num_inference_steps", "guidance_scale"),
        *("seed", "webhook", "track_id"),
    ),
    "v6": ("key", "face_image", "prompt"),
}


def picture(kind: str = "PNG", size: tuple[int, int] = (96, 120)) -> bytes:
    """A small picture with detail."""
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    image.putpixel((3, 3), (250, 10, 10))
    data = io.BytesIO()
    image.save(data, kind)
    return data.getvalue()


@dataclass
class Exchange:
    """One request, and the raw connection for its response. `body` is read when it is needed."""

    service: "Service"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    method: str
    path: str
    headers: dict[str, str]
    ended: bool = False  # the connection is not used again
    _body: bytes | None = None

    async def body(self) -> bytes:
        if self._body is None:
            self._body = await self.reader.readexactly(int(self.headers.get("content-length", 0)))
        return self._body

    async def values(self) -> dict[str, Any]:
        return dict(json.loads(await self.body()))

    async def answer(self, status: int, content: bytes | object, headers: dict[str, str] | None = None) -> None:
        """JSON unless `content` is bytes."""
        await self.body()
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        kind = "text/html" if isinstance(content, bytes) else "application/json"
        lines = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
        await self.raw(f"HTTP/1.1 {status} Scripted\r\n".encode(), lines, data)

    async def raw(self, first: bytes, headers: dict[str, str], data: bytes) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.writer.write(first + head.encode() + b"\r\n" + data)
        with suppress(ConnectionError):
            await self.writer.drain()

    def reset(self) -> None:
        """End the connection as a crash does: with RST."""
        found: socket.socket = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        self.ended = True


Fault = Callable[[Exchange], Awaitable[None]]


@dataclass(repr=False)
class Job:
    number: int
    body: dict[str, Any]
    done_at: float
    finished_at: float | None = None  # when a response reported its end


@dataclass(repr=False)
class Service:
    """The service, its faults, and counts of what it was asked.

    Attributes:
        job_seconds: how long every job takes.
        depth: how many jobs of one key may run at once.
        at_once: the response to a submission is the picture.
        readable_after: seconds after a job's end during which its link answers 404.
        eta: what responses name; None for the truth.
        posts: submissions that a careless client would be billed for: all except those rejected for a full queue.
        turned_away: submissions rejected for a full queue.
        faults: for each kind of request, the faults to come.
        link: the form of a job's output.
    """

    job_seconds: float = 0.05
    depth: int = 5
    at_once: bool = False
    readable_after: float = 0.0
    eta: float | None = None
    busy_status: int = 429
    keep_photos: bool = True
    file: bytes = field(default_factory=picture)
    posts: int = 0
    turned_away: int = 0
    polls: int = 0
    downloads: int = 0
    connections: int = 0
    most_at_once: int = 0
    hosts: list[str] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)
    faults: dict[At, Iterator[Fault | None]] = field(default_factory=dict)
    link: str = "{base}/out/{number}.png"
    # The running server, on a thread of its own.
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(66_752_945))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, at: At, *faults: Fault | None, forever: bool = True) -> None:
        """Misbehave at these requests in turn; None behaves well. `forever` repeats the last one."""
        self.faults[at] = itertools.chain(faults, itertools.repeat(faults[-1] if forever else None))

    # The service.

    async def respond(self, exchange: Exchange) -> None:
        at = self._at(exchange)
        self.hosts.append(exchange.headers.get("host", ""))
        if at == "submit":
            self.posts += 1
        elif at == "poll":
            self.polls += 1
        elif at == "download":
            self.downloads += 1
        fault = next(self.faults[at], None) if at in self.faults else None
        if fault is not None:
            await fault(exchange)
        elif at == "submit":
            await self._submit(exchange)
        elif at == "poll":
            await self._poll(exchange)
        elif at == "download":
            await self._download(exchange)
        else:
            await exchange.answer(404, b"<html>Not found</html>")

    def _at(self, exchange: Exchange) -> At | None:
        if exchange.method == "POST" and exchange.path.endswith("/image_editing/head_shot"):
            return "submit"
        if exchange.method == "POST" and "/image_editing/fetch/" in exchange.path:
            return "poll"
        return "download" if exchange.method == "GET" and exchange.path.startswith("/out/") else None

    async def _submit(self, exchange: Exchange) -> None:
        body = await exchange.values()
        missing = [name for name in REQUIRED["v6" if "/v6/" in exchange.path else "enterprise"] if name not in body]
        if missing:
            complaints = {name: [f"The {name} field is required."] for name in missing}
            return await exchange.answer(200, {"status": "error", "message": complaints})
        if str(body.get("num_inference_steps", 21)) not in STEPS:
            complaint = {"num_inference_steps": ["The selected num inference steps is invalid."]}
            return await exchange.answer(200, {"status": "error", "message": complaint})
        now = time.monotonic()
        under_way = sum(job.finished_at is None and job.body["key"] == body["key"] for job in self.jobs.values())
        if under_way >= self.depth:
            self.posts, self.turned_away = self.posts - 1, self.turned_away + 1
            return await exchange.answer(self.busy_status, {"status": "error", "message": busy(self.depth)})
        if not self.keep_photos:
            body["face_image"] = body["face_image"][:64]
        job = Job(next(self._numbers), body, now + self.job_seconds)
        self.jobs[job.number] = job
        self.most_at_once = max(self.most_at_once, under_way + 1)
        if self.at_once:
            await asyncio.sleep(self.job_seconds)
            job.finished_at = time.monotonic()
            return await exchange.answer(200, {**self.success(job), "generationTime": 1.96, "meta": meta(job)})
        return await exchange.answer(200, self.processing(job))

    def processing(self, job: Job) -> dict[str, Any]:
        return {
            "status": "processing",
            "tip": "Get 20x faster image generation using enterprise plan.",
            "eta": self.job_seconds if self.eta is None else self.eta,
            "message": "Try to fetch request after seconds estimated",
            "fetch_result": "http://127.0.0.1:9/api/v6/image_editing/fetch/1",  # the key must not be sent there
            "id": job.number,
            "output": [],
            "meta": meta(job),
            "future_links": [self.link_of(job)],
        }

    def success(self, job: Job) -> dict[str, Any]:
        return {"status": "success", "id": job.number, "output": [self.link_of(job)]}

    def link_of(self, job: Job) -> str:
        return self.link.format(base=self.base_url, number=job.number)

    async def _poll(self, exchange: Exchange) -> None:
        body = await exchange.values()
        number = exchange.path.rpartition("/")[2]
        job = self.jobs.get(int(number)) if number.isdigit() else None
        if job is None or body["key"] != job.body["key"]:
            return await exchange.answer(200, {"status": "failed", "message": "Request not found", "output": ""})
        if time.monotonic() < job.done_at:
            return await exchange.answer(200, {"status": "processing", "message": "Try Again", "output": ""})
        job.finished_at = job.finished_at or time.monotonic()
        return await exchange.answer(200, self.success(job))

    async def _download(self, exchange: Exchange) -> None:
        job = self.jobs[int(exchange.path.removeprefix("/out/").partition(".")[0])]
        if time.monotonic() < job.done_at + self.readable_after:
            return await exchange.answer(404, b"<html>Not found</html>")
        if exchange.path.endswith(".base64"):
            return await exchange.answer(200, b"data:image/png;base64," + base64.b64encode(self.file))
        return await exchange.answer(200, self.file, {"Content-Type": "text/plain"})

    # The server.

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024, limit=2**22)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not reader.at_eof():
                start = await reader.readexactly(1)
                if start == b"\x16":  # TLS
                    writer.write(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n")
                    break
                head = (start + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
                exchange = Exchange(self, reader, writer, method, path, headers)
                await self.respond(exchange)
                if exchange.ended or headers.get("connection") == "close":
                    break
        writer.close()


def busy(depth: int) -> str:
    return f"Rate limit exceeded. Maximum {depth} queued requests allowed."


def meta(job: Job) -> dict[str, Any]:
    """The input, echoed with the key."""
    return {**job.body, "seed": 1234 if job.body.get("seed") is None else job.body["seed"]}


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found.getsockname()[1]


@contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full, so that the next connection gets no answer at all."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        callers = [socket.socket() for _ in range(8)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        time.sleep(0.05)
        yield deaf.getsockname()[1]
        for caller in callers:
            caller.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job-seconds", type=float, default=1.0)
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--eta", type=float)
    given = parser.parse_args()
    with Service(
        given.job_seconds, given.depth, given.at_once, eta=given.eta, file=picture(size=(512, 640))
    ) as service:
        sys.stdout.write(service.base_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
