"""A stranger's archive is refused as a whole."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from archiving import contents, every, exported, fill, png, repacked
from databases import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keeping import BEN

from headshot.errors import RequestError
from headshot.storage import (
    History,
    Store,
    history_archive,
    history_import,
    history_manifest,
)
from headshot.storage.history_import import import_history


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A history that Ann's is in, for tests after which it is the same."""
    with Store.open(tmp_path_factory.mktemp("full"), clock=Clock()) as store:
        fill(store.history)
        yield store.history


def refused(history: History, archive: Any, sentence: str, owner: str = BEN) -> None:
    """It is, and nothing of it has stayed."""
    before = contents(every(history, owner), history), history.saved_settings(owner)
    with pytest.raises(RequestError, match=sentence) as caught:
        import_history(history, owner, archive)
    said = str(caught.value)
    assert said.endswith((".", "!"))
    assert len(said) < 300
    assert (contents(every(history, owner), history), history.saved_settings(owner)) == before


# --- what is refused


def test_what_is_no_archive_of_a_history_is_refused(full: History) -> None:
    whole = exported(full).getvalue()
    for data in (b"", b"PK", b"\x89PNG\r\n\x1a\n", whole[: len(whole) // 2], whole[100:-30], b"x" * 100_000):
        refused(full, io.BytesIO(data), "archive")
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as packed:
        packed.writestr("a.txt", "hello")
    refused(full, empty, "none of a history")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_damaged_archive_is_refused_or_the_damage_did_no_harm(
    full: History, damages: list[tuple[float, int]]
) -> None:
    damaged = bytearray(exported(full).getvalue())
    for where, what in damages:
        damaged[int(where * len(damaged))] ^= what
    try:
        done = import_history(full, BEN, io.BytesIO(damaged))
    except RequestError:
        assert every(full, BEN) == []
        assert full.saved_settings(BEN) == ()
    else:
        assert (done.comparisons, done.headshots) == (3, 4)
        full.forget(BEN)


def shot(listed: dict[str, Any]) -> dict[str, Any]:
    """The first shot of the matrix."""
    found: dict[str, Any] = listed["comparisons"][-1]["shots"][0]
    return found


CHANGES: dict[str, tuple[Callable[[dict[str, Any], dict[str, bytes]], object], str]] = {
    "later version": (lambda manifest, _: manifest.update(version=2), "later version"),
    "no version": (lambda manifest, _: manifest.pop("version"), "none of a history"),
    "version in words": (lambda manifest, _: manifest.update(version="1"), "none of a history"),
    "earlier than the first": (lambda manifest, _: manifest.update(version=0), "none of a history"),
    "another format": (lambda manifest, _: manifest.update(format="recipes"), "none of a history"),
    "no comparisons": (lambda manifest, _: manifest.pop("comparisons"), "says what no history says"),
    "guidance": (
        lambda manifest, _: manifest["comparisons"][-1]["requests"][1].update(guidance_scale=21),
        "Guidance must be a number from 1 to 20",
    ),
    "steps": (
        lambda manifest, _: manifest["comparisons"][-1]["requests"][1].update(num_inference_steps=22),
        "Steps must be",
    ),
    "prompt": (
        lambda manifest, _: manifest["comparisons"][0]["requests"][0].update(prompt="p" * 2_001),
        "2,000 characters",
    ),
    "unknown setting": (lambda manifest, _: manifest["comparisons"][0]["requests"][0].update(key="x"), "not a setting"),
    "open seed": (lambda manifest, _: manifest["comparisons"][0]["requests"][0].update(seed=None), "seed"),
    "no requests": (lambda manifest, _: manifest["comparisons"][0].update(requests=[]), "says what no history says"),
    "kind": (lambda manifest, _: manifest["comparisons"][0].update(kind="film"), "says what no history says"),
    "name": (lambda manifest, _: manifest["comparisons"][0].update(name="n" * 81), "says what no history says"),
    "backend": (lambda manifest, _: manifest["comparisons"][0].update(backend="<b>"), "says what no history says"),
    "photo": (lambda manifest, _: manifest["comparisons"][0].update(photo_sha256="../x"), "says what no history says"),
    "no zone": (
        lambda manifest, _: manifest["comparisons"][0].update(begun="2026-01-01T00:00:00"),
        "says what no history",
    ),
    "year 9999": (
        lambda manifest, _: manifest["comparisons"][0].update(begun="9999-12-31T23:59:59-12:00"),
        "what no history",
    ),
    "far position": (lambda manifest, _: shot(manifest).update(position=3), "where nothing was asked for"),
    "negative position": (lambda manifest, _: shot(manifest).update(position=-1), "says what no history says"),
    "far failure": (
        lambda manifest, _: manifest["comparisons"][0].update(failures={"9": "?"}),
        "where nothing was asked for",
    ),
    "likeness": (lambda manifest, _: shot(manifest)["facts"].update(likeness="much"), "says what no history says"),
    "notes": (lambda manifest, _: shot(manifest)["facts"].update(notes="<b>"), "says what no history says"),
    "face": (lambda manifest, _: shot(manifest)["facts"].update(face=[1, 2]), "says what no history says"),
    "book of facts": (lambda manifest, _: shot(manifest)["facts"].update(other="x" * 100_000), "Too much is said"),
    "look": (lambda manifest, _: manifest["looks"][0]["settings"].update(guidance_scale="x"), "Guidance must be"),
    "nested look": (
        lambda manifest, _: manifest["looks"][0]["settings"].update(other=[1]),
        "words, numbers and nothing else",
    ),
    "lacking picture": (lambda _, files: files.popitem(), "lacks some of its pictures"),
    "path out": (
        lambda manifest, _: shot(manifest).update(file="../../../../etc/passwd"),
        "lacks some of its pictures",
    ),
    "path of a system": (lambda manifest, _: shot(manifest).update(file="/etc/passwd"), "lacks some of its pictures"),
    "no PNG": (lambda manifest, files: files.update({shot(manifest)["file"]: b"GIF89a" * 9}), "no PNG"),
    "half a PNG": (lambda manifest, files: files.update({shot(manifest)["file"]: png(1, (90, 90))[:-40]}), "damaged"),
    "PNG of a strip": (
        lambda manifest, files: files.update({shot(manifest)["file"]: png(1, (12_001, 2))}),
        "far too many",
    ),
    "PNG of a field": (
        lambda manifest, files: files.update({shot(manifest)["file"]: png(1, (4_001, 4_000))}),
        "far too many",
    ),
    "script for a PNG": (lambda manifest, files: files.update({shot(manifest)["file"]: b"<script>"}), "no PNG"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_archive_that_says_what_cannot_be_is_refused_whole(full: History, change: str) -> None:
    act, sentence = CHANGES[change]
    refused(full, repacked(exported(full), act), sentence)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"version": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_list_that_is_no_json_of_ours_is_refused(full: History, text: bytes) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("history.json", text)
    refused(full, written, "damaged|none of a history")


def test_a_bomb_is_not_unpacked(full: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_import, "MAX_PICTURE_BYTES", 2**20)
    monkeypatch.setattr(history_manifest, "MAX_MANIFEST_BYTES", 2**20)
    monkeypatch.setattr(history_archive, "MAX_MANIFEST_BYTES", 2**20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("history.json", b" " * 2**24)
    refused(full, bomb, "The archive's list has more than 1 MB")

    def swollen(listed: dict[str, Any], files: dict[str, bytes]) -> None:
        files[shot(listed)["file"]] += bytes(2**24)

    refused(full, repacked(exported(full), swollen), "A picture in the archive has more than 1 MB")
    lying = repacked(exported(full), swollen).getvalue()
    honest = struct.pack("<I", 2**24 + len(png(0)))
    assert honest in lying
    refused(full, io.BytesIO(lying.replace(honest, struct.pack("<I", 99))), "archive")


def test_the_archives_size_is_counted_while_it_is_read(full: History, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = exported(full)
    monkeypatch.setattr(history_archive, "MAX_BYTES", 0)
    monkeypatch.setattr(
        history_manifest, "MAX_MANIFEST_BYTES", len(zipfile.ZipFile(archive).read("history.json")) + 100
    )
    monkeypatch.setattr(history_archive, "MAX_MANIFEST_BYTES", len(zipfile.ZipFile(archive).read("history.json")) + 100)
    refused(full, archive, "GB, which is more than is read")


def test_a_directory_of_too_many_names_is_not_even_read(full: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_archive, "MAX_DIRECTORY_BYTES", 100_000)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as packed:
        for number in range(3_000):
            packed.writestr(f"{number:04}", b"")
    refused(full, many, "more entries than are read")


def test_too_many_headshots_of_one_picture_are_refused(full: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_manifest, "MAX_HEADSHOTS", 6)
    refused(full, exported(full), "more than 6 headshots")


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_cannot_be_bounded_is_refused(full: History, way: int) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", way) as packed:
        packed.writestr("history.json", b"{}")
    refused(full, written, "none of a history")


def test_a_picture_that_unpacks_without_end_inside_is_refused(full: History) -> None:
    """A PNG of a few bytes whose text is a hundred megabytes."""

    def swollen(listed: dict[str, Any], files: dict[str, bytes]) -> None:
        data = files[shot(listed)["file"]]
        body = b"zTXtbomb\0\0" + zlib.compress(bytes(10**8), 9)
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        files[shot(listed)["file"]] = data[:33] + chunk + data[33:]

    refused(full, repacked(exported(full), swollen), "damaged")
