"""A fake Hugging Face hub on loopback: the HTTP that a download of a model's files needs."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """The state of a fake hub.

    Attributes:
        repositories: the folder of each repository, by name.
        stall_after: number of bytes of a file after which the hub stalls until `release`; None: never.
        stalled: set when the hub has stalled.
        release: ends the stall.
        status: the status of every response, unless it is 200.
        garbles: whether files are sent with wrong bytes.
        got: (file, first byte) of every requested file.
        address: where it listens.
    """

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.stall_after: int | None = None
        self.stalled = threading.Event()
        self.release = threading.Event()
        self.status = 200
        self.garbles = False
        self.got: list[tuple[str, int]] = []
        self.address = ""


@contextmanager
def hub(repositories: dict[str, Path]) -> Iterator[Hub]:
    held = Hub(repositories)

    class Handler(_Handler):
        hub = held

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        held.release.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.hub.status != 200:
            self._send(self.hub.status, b"", {})
            return
        for name, folder in self.hub.repositories.items():
            if path == f"/api/models/{name}/revision/main":
                self._send(200, json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode(), {})
                return
            if path == f"/api/models/{name}/tree/{COMMIT}":
                self._send(200, json.dumps([_entry(folder, file) for file in _files(folder)]).encode(), {})
                return
            start = f"/{name}/resolve/{COMMIT}/"
            if path.startswith(start) and (folder / path.removeprefix(start)).is_file():
                self._file(folder, folder / path.removeprefix(start), with_body)
                return
        self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def _file(self, folder: Path, file: Path, with_body: bool) -> None:
        content = file.read_bytes()
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        if with_body:
            self.hub.got.append((file.relative_to(folder).as_posix(), first))
        if self.hub.garbles:
            content = bytes(255 - byte for byte in content)
        self._send(206 if first else 200, content[first:], headers, with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return
        most = self.hub.stall_after
        if most is not None and len(body) > most:
            self.wfile.write(body[:most])
            self.wfile.flush()
            self.hub.stalled.set()
            self.hub.release.wait()
            self.close_connection = True
            return
        self.wfile.write(body)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _entry(folder: Path, file: Path) -> dict[str, object]:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    entry: dict[str, object] = {
        "type": "file",
        "path": file.relative_to(folder).as_posix(),
        "size": len(content),
        "oid": hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest(),
    }
    if file.suffix == ".safetensors":  # stored as a large file, under its own hash
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry
