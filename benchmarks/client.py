"""What the ModelsLab client costs, against a service on loopback, as ratios within one run.

    python benchmarks/client.py

The comparison with the official client needs that client, and a package that it does not declare:
`pip install modelslab-py==0.2.3 requests`. Goals are printed beside the figures.
"""

import asyncio
import gc
import importlib
import importlib.util
import multiprocessing
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - the folder is not installed

from headshot.imaging.photo import Photo  # noqa: E402
from headshot.modelslab import HeadShotClient  # noqa: E402
from headshot.modelslab.bodies import enterprise_body  # noqa: E402
from headshot.modelslab.face_image import face_image  # noqa: E402
from headshot.modelslab.replies import JobResponse  # noqa: E402
from headshot.modelslab.safe_url import ResolvedUrl  # noqa: E402
from headshot.request import HeadshotRequest  # noqa: E402

KEY = "k3y-of-nobody-in-a-benchmark"
REQUESTS = 200
SEEDS, DEPTH, JOB_SECONDS = 20, 5, 1.0
ROUNDS = SEEDS / DEPTH * JOB_SECONDS
WAITING = 1_000
LINK = "https://example.com/me.jpg"


@contextmanager
def service(*options: object) -> Iterator[str]:
    """Run the fake service in its own process, so that it uses none of the client's time and memory.

    Yields:
        Its address.
    """
    command = [sys.executable, str(ROOT / "tests" / "service.py"), *map(str, options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.stdin.close()


async def loopback(url: str) -> ResolvedUrl:
    parts = urlsplit(url)
    return ResolvedUrl(url, parts.scheme, parts.hostname or "", parts.port or 80, "127.0.0.1")


def client(address: str, **options: Any) -> HeadShotClient:
    return HeadShotClient(KEY, base_url=address, resolve=loopback, **options)


def line(what: str, figure: str, goal: str) -> None:
    print(f"{what:<62} {figure:>16}   goal {goal}")


async def overhead(address: str, photo: str) -> tuple[float, float]:
    """Median seconds of a submission through bare httpx and through the client, in turns."""
    body = {**enterprise_body(KEY, HeadshotRequest(), photo), "key": KEY}
    url = f"{address}/api/v1/enterprise/image_editing/head_shot"
    bare, ours = [], []
    async with httpx.AsyncClient(trust_env=False) as http, client(address) as found:
        for _ in range(REQUESTS):
            started = time.perf_counter()
            (await http.post(url, json=body)).json()
            bare.append(time.perf_counter() - started)
            started = time.perf_counter()
            await found.submit(HeadshotRequest(), photo)
            ours.append(time.perf_counter() - started)
    return statistics.median(bare), statistics.median(ours)


async def twenty(address: str, photo: str) -> float:
    """Seconds until all pictures of a comparison have been downloaded."""
    async with client(address, max_in_flight=DEPTH) as found:

        async def one(seed: int) -> bytes:
            reply = await found.result(await found.submit(HeadshotRequest(seed=seed), photo))
            return await found.download(reply.output[0])

        started = time.perf_counter()
        pictures = await asyncio.gather(*(one(seed) for seed in range(SEEDS)))
        assert all(picture.startswith(b"\x89PNG") for picture in pictures)
        return time.perf_counter() - started


async def bare_twenty(address: str, photo: str) -> float:
    """The same with bare httpx, without checks, polling exactly when a job is done."""
    base = f"{address}/api/v1/enterprise/image_editing"
    slots = asyncio.Semaphore(DEPTH)
    async with httpx.AsyncClient(trust_env=False) as http:

        async def one(seed: int) -> bytes:
            body = {**enterprise_body(KEY, HeadshotRequest(seed=seed), photo), "key": KEY}
            async with slots:
                job = (await http.post(f"{base}/head_shot", json=body)).json()["id"]
                await asyncio.sleep(JOB_SECONDS)
                done = (await http.post(f"{base}/fetch/{job}", json={"key": KEY})).json()
            return (await http.get(done["output"][0])).content

        started = time.perf_counter()
        await asyncio.gather(*(one(seed) for seed in range(SEEDS)))
        return time.perf_counter() - started


def official(address: str, photo: str) -> tuple[float, float]:
    """Seconds for the same with modelslab-py: one by one, as in its README, and on `DEPTH` threads.

    Its `fetch` ignores the ETA and sleeps a minute between polls; here it sleeps for the ETA, which is the best that it
    can do. It has no field for a seed, but its schema passes unknown fields through.
    """
    sdk = importlib.import_module("modelslab_py.core.client")
    editing = importlib.import_module("modelslab_py.core.apis.image_editing")
    schemas = importlib.import_module("modelslab_py.schemas.image_editing")
    found = sdk.Client(api_key=KEY, fetch_retry=30, fetch_timeout=JOB_SECONDS)
    found.base_url = f"{address}/api/"
    api = editing.Image_editing(client=found, enterprise=True)
    # The endpoint requires all nine fields, and the client's `exclude_none` drops those that are null.
    missing = {"negative_prompt": "blurry", "webhook": "", "track_id": "", "num_inference_steps": "21"}

    def one(seed: int) -> None:
        reply = api.headshot(schemas.HeadshotSchema(prompt="navy", face_image=photo, seed=seed, **missing))
        if reply["status"] == "processing":
            reply = api.fetch(str(reply["id"]))
        assert reply["status"] == "success", reply
        assert httpx.get(reply["output"][0], trust_env=False).content.startswith(b"\x89PNG")

    started = time.perf_counter()
    for seed in range(SEEDS // DEPTH):  # a fifth of them: they only add up
        one(seed)
    serial = (time.perf_counter() - started) * DEPTH
    started = time.perf_counter()
    with ThreadPoolExecutor(DEPTH) as pool:
        list(pool.map(one, range(SEEDS)))
    return serial, time.perf_counter() - started


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def thousand(address: str, photo: str) -> tuple[float, int]:
    """Megabytes and threads that a thousand jobs add while they poll for their pictures."""
    async with client(address, max_in_flight=WAITING) as found:
        sent: list[JobResponse] = []
        for seed in range(WAITING):
            sent.append(await found.submit(HeadshotRequest(seed=seed), photo))
            if seed == 0:  # the first request's costs belong to the client, not to a job
                gc.collect()
                before, threads = resident_mb(), threading.active_count()
        responses: list[JobResponse] = []
        all_polled = asyncio.Event()

        def on_response(reply: JobResponse) -> None:
            responses.append(reply)
            if len(responses) >= 2 * WAITING:
                all_polled.set()

        tasks = [asyncio.create_task(found.result(reply, on_response=on_response)) for reply in sent]
        await all_polled.wait()
        cost = resident_mb() - before, threading.active_count() - threads
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return cost


def waiting(address: str, photo: str) -> tuple[float, int]:
    return asyncio.run(thousand(address, photo))


def main() -> None:
    started = time.perf_counter()
    photo = face_image(Photo.open(ROOT / "headshot" / "examples" / "portrait.jpg"))
    line("the photo as a data URI, once a comparison", f"{(time.perf_counter() - started) * 1000:.0f} ms", "-")
    with service("--at-once", "--job-seconds", 0) as address:
        for name, sent in (("a link", LINK), (f"a photo of {len(photo) // 1024} KB", photo)):
            bare, ours = asyncio.run(overhead(address, sent))
            figure = f"{(ours - bare) * 1000:.2f} of {ours * 1000:.1f} ms"
            line(f"overhead of a submission with {name} over bare httpx, median", figure, "3 ms")
    with service("--job-seconds", JOB_SECONDS, "--depth", DEPTH) as address:
        runs = [(asyncio.run(bare_twenty(address, photo)), asyncio.run(twenty(address, photo))) for _ in range(3)]
    times = sorted(ours / ROUNDS for _, ours in runs)
    line(
        f"{SEEDS} seeds of {JOB_SECONDS:g} s, {DEPTH} at once / {ROUNDS:g} s, median of 3", f"{times[1]:.3f} x", "1.1 x"
    )
    line("  the fastest and the slowest", f"{times[0]:.3f}, {times[2]:.3f} x", "-")
    seconds = times[1] * ROUNDS
    ratio = statistics.median(ours / bare for bare, ours in runs)
    line("  the same / bare httpx that polls at the right moment", f"{ratio:.3f} x", "-")
    if importlib.util.find_spec("modelslab_py") is None or importlib.util.find_spec("requests") is None:
        print("modelslab-py and requests are not installed: the comparison with the official client is left out.")
    else:
        with service("--job-seconds", JOB_SECONDS, "--depth", DEPTH) as address:
            serial, threaded = official(address, photo)
        line("the same through modelslab-py 0.2.3, one by one / ours", f"{serial / seconds:.2f} x", "-")
        line(f"the same through it on {DEPTH} threads / ours", f"{threaded / seconds:.2f} x", "-")
    with (
        service("--job-seconds", 3600, "--depth", 2 * WAITING, "--eta", 5) as address,
        # A fresh process: in this one a thousand jobs would reuse memory that was freed before.
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        megabytes, threads = pool.submit(waiting, address, photo).result()
    line(f"{WAITING:,} waiting jobs: memory", f"{megabytes:.0f} MB", "150 MB")
    line(f"{WAITING:,} waiting jobs: threads", f"{threads}", "0")


if __name__ == "__main__":
    main()
