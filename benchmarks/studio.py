"""How fast the studio is, as ratios within one run: only ratios can be compared between machines and busy hours.

    python benchmarks/studio.py

The photo has one megapixel. Goals are printed beside the figures.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from headshot import HeadshotRequest, Photo, Progress  # noqa: E402 - the folder is not installed
from headshot.comparison.axes import plan  # noqa: E402
from headshot.imaging import models, photo_check  # noqa: E402 - the folder is not installed
from headshot.imaging.encoding import fast_png  # noqa: E402
from headshot.request import Headshot  # noqa: E402
from headshot.studio import analysis  # noqa: E402
from headshot.studio.backend import Studio  # noqa: E402

ROUNDS = 5
REQUEST = HeadshotRequest()
CROWN, CORNER = (490, 60), (20, 20)  # of the portrait
CHANGES = {
    "guidance": HeadshotRequest(guidance_scale=12),
    "light": HeadshotRequest(prompt="light grey backdrop, Rembrandt light"),
    "tone": HeadshotRequest(prompt="light grey backdrop, warm tones, high contrast"),
    "paper": HeadshotRequest(prompt="navy backdrop"),
    "place": HeadshotRequest(prompt="garden backdrop"),
}


def photo(number: int) -> Photo:
    """The same portrait with one pixel changed, so that nothing is cached from the round before."""
    pixels = Photo.open(ROOT / "headshot" / "examples" / "portrait.jpg").pixels.copy()
    pixels[0, 0] = number % 256, number // 256, 0
    return Photo.of(fast_png(pixels))


async def shoot(studio: Studio, subject: Photo, seeds: list[int]) -> list[Headshot]:
    return [headshot async for headshot in studio.generate(subject, plan(REQUEST, seeds), Progress())]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def networks_run_by(work: Callable[[], object]) -> list[tuple[str, np.ndarray]]:
    """Every network that `work` runs, with its input, except YuNet."""
    runs: list[tuple[str, np.ndarray]] = []
    original = models.run

    def recording_run(name: str, batch: np.ndarray) -> list[np.ndarray]:
        runs.append((name, batch))
        return original(name, batch)

    models.run = recording_run
    try:
        work()
    finally:
        models.run = original
    return runs


def line(what: str, figure: str, goal: str) -> None:
    print(f"{what:<62} {figure:>14}   goal {goal}")


def ratios() -> None:
    studio = Studio()
    asyncio.run(shoot(studio, photo(0), [1]))  # loads the networks and fills the libraries' caches
    inputs = networks_run_by(lambda: asyncio.run(shoot(studio, photo(1), [1])))
    bare, one, four, cpu_bare, cpu_one, cpu_four = [], [], [], [], [], []
    for number in range(ROUNDS):
        first, second = photo(2 + 2 * number), photo(3 + 2 * number)
        wall, cpu = timed(lambda: [models.run(name, batch) for name, batch in inputs])
        bare.append(wall)
        cpu_bare.append(cpu)
        wall, cpu = timed(lambda first=first: asyncio.run(shoot(studio, first, [1])))  # type: ignore[misc]
        one.append(wall)
        cpu_one.append(cpu)
        wall, cpu = timed(lambda second=second: asyncio.run(shoot(studio, second, [1, 2, 3, 4])))  # type: ignore[misc]
        four.append(wall)
        cpu_four.append(cpu)
    middle = statistics.median
    further = (middle(cpu_four) - middle(cpu_one)) / 3
    pixels = np.asarray(asyncio.run(shoot(studio, photo(1), [1]))[0].image)
    png = middle(timed(lambda: fast_png(pixels))[1] for _ in range(ROUNDS))
    subject = photo(1)
    check = middle(timed(lambda: photo_check.check(subject.pixels))[0] for _ in range(ROUNDS))
    names = ", ".join(f"{name} x{[n for n, _ in inputs].count(name)}" for name in dict.fromkeys(n for n, _ in inputs))
    print(f"networks of one headshot: {names}: {middle(bare):.2f} s; first headshot {middle(one):.2f} s\n")
    line("first headshot / its networks alone", f"{middle(one) / middle(bare):.2f} x", "2.5 x")
    line("the same in CPU seconds", f"{middle(cpu_one) / middle(cpu_bare):.2f} x", "-")
    line("comparison of 4 seeds / of 1", f"{middle(four) / middle(one):.2f} x", "1.3 x")
    line("the same in CPU seconds", f"{middle(cpu_four) / middle(cpu_one):.2f} x", "-")
    line("CPU of one further seed: render, likeness, encode", f"{further:.2f} s", "0.29 s")
    trusted = middle(seconds_of_trust(studio, photo(200 + number)) for number in range(ROUNDS))
    line("photo check and trust / first headshot", f"{(check + trusted) / middle(one):.0%}", "5%")
    line("PNG encoding / that CPU", f"{png / further:.0%}", "under half")


def seconds_of_trust(studio: Studio, subject: Photo) -> float:
    """Seconds that the first headshot of a photo spends on estimating the trust in its cut-out."""
    spent = []

    def timing(work: Callable[..., object]) -> Callable[..., object]:
        def timed_work(*arguments: object) -> object:
            started = time.perf_counter()
            result = work(*arguments)
            spent.append(time.perf_counter() - started)
            return result

        return timed_work

    with contextlib.ExitStack() as stack:
        for name in ("_evidence", "trust_score", "likely_person", "contact_length"):
            stack.enter_context(mock.patch.object(analysis, name, timing(getattr(analysis, name))))
        asyncio.run(shoot(studio, subject, [1]))
    return sum(spent)


def correction() -> None:
    """Measure a headshot after a person corrected the cut-out of an analysed photo, which runs no networks."""
    studio = Studio()
    rounds = []
    for number in range(ROUNDS):
        subject = photo(300 + number)
        asyncio.run(shoot(studio, subject, [1]))
        marked = subject.marked(inside=[CROWN], outside=[CORNER])
        rounds.append(timed(lambda marked=marked: asyncio.run(shoot(studio, marked, [1])))[0])  # type: ignore[misc]
    line("a headshot whose cut-out was corrected", f"{statistics.median(rounds):.2f} s", "1 s")


def drafts() -> None:
    """Measure the page's live view after the photo is analysed, in CPU seconds."""
    studio = Studio()
    subject = photo(50)
    asyncio.run(shoot(studio, subject, [1]))
    line("CPU of the first 4 drafts", f"{cpu_of_drafts(studio, subject, REQUEST, [1, 2, 3, 4]):.2f} s", "0.25 s")
    for what, request in CHANGES.items():
        # Other seeds each time: a backdrop that is cached from the round before would cost less.
        rounds = [[number, number + 1, number + 2, number + 3] for number in range(10, 10 + 4 * ROUNDS, 4)]
        seconds = statistics.median(cpu_of_drafts(studio, subject, request, seeds) for seeds in rounds)
        line(f"CPU of 4 drafts, another {what}", f"{seconds:.2f} s", "0.25 s")


def cpu_of_drafts(studio: Studio, subject: Photo, request: HeadshotRequest, seeds: list[int]) -> float:
    return timed(lambda: studio.draft(subject, plan(request, seeds)))[1]


async def crowd() -> None:
    """Measure eight visitors with eight photos, and the longest time that the event loop was blocked."""
    studio = Studio()
    subjects = [photo(100 + number) for number in range(8)]
    gaps: list[float] = []

    async def measure_gaps() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - before - 0.01)

    async def visit(subject: Photo) -> float:
        await shoot(studio, subject, [1, 2, 3, 4])
        return time.perf_counter() - started

    gap_task = asyncio.create_task(measure_gaps())
    started = time.perf_counter()
    ends = await asyncio.gather(*(visit(subject) for subject in subjects))
    gap_task.cancel()
    line("8 comparisons at once: first finished / last finished", f"{min(ends) / max(ends):.0%}", "none starves")
    line("longest wait of the event loop meanwhile", f"{1000 * max(gaps):.0f} ms", "under 200 ms")


def peak_memory(*arguments: str) -> float:
    """Peak memory of a fresh process with these arguments, in GB."""
    command = [sys.executable, __file__, *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    if "--peak" in sys.argv:
        number = int(sys.argv[-1])
        studio = Studio()

        async def all_of_them() -> None:
            await asyncio.gather(*(shoot(studio, photo(n), [1, 2, 3, 4]) for n in range(number)))

        asyncio.run(all_of_them())
        # VmHWM and not getrusage, whose maximum is inherited from the parent process.
        status = Path("/proc/self/status").read_text()
        print(int(status.partition("VmHWM:")[2].split()[0]) / 2**20)
        return
    ratios()
    correction()
    drafts()
    asyncio.run(crowd())
    line("peak memory of one comparison of 4", f"{peak_memory('--peak', '1'):.2f} GB", "0.6 GB")
    line("peak memory of eight at once", f"{peak_memory('--peak', '8'):.2f} GB", "-")


if __name__ == "__main__":
    main()
