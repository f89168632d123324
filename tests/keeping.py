"""Comparisons and headshots for the tests of what is kept of them."""

import threading
from collections.abc import Callable, Sequence
from hashlib import sha256

from databases import Place
from sqlalchemy import text

from headshot.request import HeadshotRequest
from headshot.storage import History, HistoryEntry, StoredHeadshot, database, hash_token

ANN, BEN = hash_token("ann's token"), hash_token("ben's token")
PHOTO = hash_token("photo")
TABLES = ("comparisons", "shots", "thumbnails", "failures", "looks", "votes", "candidates", "ballots")
PICTURE, OTHER = b"\x89PNG one", b"\x89PNG another"


def asked(*prompts: str) -> list[HeadshotRequest]:
    return [HeadshotRequest(prompt=prompt, seed=seed) for seed, prompt in enumerate(prompts or ("teal", "grey"))]


def begin(
    history: History,
    owner: str = ANN,
    requests: Sequence[HeadshotRequest] = (),
    backend: str = "studio",
    **more: object,
) -> str:
    given = {"photo_sha256": PHOTO, "face": None, "kind": "comparison"} | more
    return history.begin(owner, requests or asked(), backend=backend, **given)  # type: ignore[arg-type]


def save_headshot(
    history: History,
    comparison: str,
    position: int = 0,
    png: bytes = PICTURE,
    backend: str = "studio",
    job: str = "",
    **facts: object,
) -> str | None:
    return history.save_headshot(
        comparison,
        position,
        png=png,
        filename="a.png",
        thumbnail=b"RIFF",
        size=(1024, 1280),
        backend=backend,
        facts={"seconds": 0.5, **({"job": job} if job else {}), **facts},
    )


def shot(history: History, png: bytes = PICTURE, owner: str = ANN) -> StoredHeadshot:
    """A headshot of a comparison of its own."""
    found = history.headshot(owner, str(save_headshot(history, begin(history, owner), png=png)))
    assert found is not None
    return found


def files_of(*pictures: bytes) -> set[str]:
    return {sha256(picture).hexdigest() for picture in pictures}


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Each call's result or exception, all begun at the same moment in threads."""
    results: list[object] = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(index: int) -> None:
        gate.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:  # noqa: BLE001  it is the result
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def look(history: History, comparison: str, owner: str = ANN) -> HistoryEntry:
    found = history.comparison(owner, comparison)
    assert found is not None
    return found


def rows(place: Place) -> dict[str, int]:
    engine = database.connect(place.folder, place.url)
    with engine.connect() as connection:
        counts = {table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES}  # noqa: S608
    engine.dispose()
    return {table: count for table, count in counts.items() if count}
