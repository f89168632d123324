"""Processes that work on a store and stop at a named point, to be killed there: a child for each, forked while warm.

Run as a program it reads one JSON object a line, {"do": "pay" | "forget" | "open" | "race", "folder", "url", ...},
forks a child for it (for a race, several), and prints what the child says: where it stands, or what it has won. Nothing
in the store knows of this: the points are SQLAlchemy's own event before a commit and Python's audit of files.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg  # noqa: F401  loaded before the first child is forked
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401  the same
from sqlalchemy import Engine, event

from headshot.request import HeadshotRequest
from headshot.storage import JobId, StateError, Store, hash_token, key_fingerprint

ROOT = Path(__file__).parent.parent
PICTURE = b"\x89PNG what was paid for"

# In the order in which a paid job comes by them.
POINTS = (
    "before the commit of add",
    "after add",
    "before the commit of sending",
    "after sending",
    "after the POST",
    "before the commit of accepted",
    "after accepted",
    "before the picture has its name",
    "before the commit of done",
    "after done",
)


class Warm:
    """The program, running. `place` below is a folder and a URL or None."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self._program = program

    def killed_at(self, point: str, do: str, folder: Path, url: str | None, **more: Any) -> None:
        """Let a child do that, and kill it with signal 9 when it stands at the point."""
        self._say(do=do, point=point, folder=str(folder), url=url, **more)
        child = self._heard()
        assert child["at"] == point, child
        os.kill(child["pid"], signal.SIGKILL)
        assert self._heard() == {"ended": -signal.SIGKILL}

    def race(self, folder: Path, url: str | None, jobs: list[str], runners: int) -> list[str]:
        """Let that many children try to send all the jobs at once. Returns the jobs that were sent, each as often."""
        self._say(do="race", folder=str(folder), url=url, jobs=jobs, runners=runners)
        heard = [self._heard() for _ in range(2 * runners)]
        return [job for message in heard for job in message.get("sent", [])]

    def _say(self, **order: Any) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()

    def _heard(self) -> dict[str, Any]:
        assert self._program.stdout is not None
        message: dict[str, Any] = json.loads(self._program.stdout.readline())
        return message


@contextmanager
def warm() -> Iterator[Warm]:
    command = [sys.executable, __file__]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        yield Warm(program)
        assert program.stdin is not None
        program.stdin.close()
        assert program.wait(timeout=20) == 0


def tell(**message: Any) -> None:
    """One write for one line, so that the children's lines stay whole."""
    os.write(1, json.dumps(message).encode() + b"\n")


def stand(point: str) -> None:
    tell(pid=os.getpid(), at=point)
    while True:
        signal.pause()


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        start, go = os.pipe()
        children = []
        for _ in range(order.get("runners", 1)):
            child = os.fork()
            if not child:
                os.close(go)
                signal.alarm(60)  # nobody else ends it where the tests themselves were killed
                try:
                    job = Work(order)
                    job.watch()
                    job.run(start)
                    os._exit(0)
                except BaseException as error:  # noqa: BLE001  the test shows it
                    tell(error=repr(error))
                    os._exit(1)
            children.append(child)
        os.close(start)
        os.close(go)  # the race begins: each child reads its end
        for child in children:
            tell(ended=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


class Work:
    """One order, carried out up to its point."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.point = order.get("point")
        self.now = "open"  # the step that a commit belongs to

    def watch(self) -> None:
        event.listen(Engine, "commit", self._before_commit)
        sys.addaudithook(self._before_file)

    def _before_commit(self, _connection: object) -> None:
        if self.point == f"before the commit of {self.now}":
            stand(self.point)

    def _before_file(self, name: str, arguments: tuple[Any, ...]) -> None:
        wanted = {"before the picture has its name": "os.rename", "before the picture is deleted": "os.remove"}
        if self.point in wanted and name == wanted[self.point] and self.order["folder"] in str(arguments[0]):
            stand(self.point)

    def _after(self, step: str) -> None:
        if self.point == f"after {step}":
            stand(self.point)

    def run(self, start: int) -> None:
        with Store.open(Path(self.order["folder"]), self.order["url"]) as store:
            match self.order["do"]:
                case "race":
                    os.read(start, 1)  # its end is the sign to begin
                    tell(sent=[job for job in self.order["jobs"] if self._sent(store, job)])
                case "forget":
                    self.now = "forget"
                    store.forget(self.order["owner"])
                case "pay":
                    self._pay(store)

    def _sent(self, store: Store, job: JobId) -> bool:
        try:
            store.sending(job)
        except StateError:
            return False
        return True

    def _pay(self, store: Store) -> None:
        self.now = "add"
        marks = {"key_fingerprint": key_fingerprint("key", store.salt), "photo_sha256": hash_token("photo")}
        job = store.add(self.order["owner"], "c", 0, HeadshotRequest(seed=1), api="v6", **marks)
        self._after("add")
        self.now = "sending"
        store.sending(job)
        self._after("sending")
        with Path(self.order["service"]).open("a") as service:  # what the service has accepted, and bills
            service.write(f"{job}\n")
        self._after("the POST")
        self.now = "accepted"
        store.accepted(job, f"remote-{job}", 2.5)
        self._after("accepted")
        self.now = "done"
        store.done(job, PICTURE + job.encode(), "a.png")
        self._after("done")


if __name__ == "__main__":
    # Each child begins with all this done. Nothing stays open, for a connection cannot be shared.
    with tempfile.TemporaryDirectory() as folder:
        order = {"do": "pay", "owner": "0" * 64, "folder": folder, "url": None, "service": f"{folder}/service"}
        Work(order).run(-1)
    main()
