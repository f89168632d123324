"""A whole history as one archive, and what a stranger's archive may not do."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from databases import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keeping import ANN, BEN, PHOTO, asked, begin
from PIL import Image

from headshot.errors import RequestError
from headshot.imaging.thumbnail import thumbnail_of
from headshot.request import HeadshotRequest
from headshot.storage import History, HistoryEntry, Store, StoreError, hash_token, transfer
from headshot.storage.transfer import export_history, import_history, plain

CY = hash_token("cy's token")


def png(number: int, size: tuple[int, int] = (8, 10)) -> bytes:
    """A small picture, of this number alone."""
    written = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256, 9)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "here", clock=Clock()) as store:
        yield store


@pytest.fixture
def history(store: Store) -> History:
    return store.history


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "there", clock=Clock()) as store:
        yield store


def land(history: History, comparison: str, position: int, data: bytes, **more: Any) -> str:
    facts = {"seconds": 0.5, "likeness": 0.71, "notes": [{"kind": "applied", "text": "Teal."}], "face": [1, 2, 3.5, 4]}
    with Image.open(io.BytesIO(data)) as picture:
        given = {"filename": f"seed-{position}.png", "backend": "studio", "facts": facts, "size": picture.size} | more
        return str(history.land(comparison, position, png=data, thumbnail=thumbnail_of(picture), **given))


def fill(history: History, owner: str = ANN) -> None:
    """Something of every kind."""
    wordings = asked("teal", "grey", "100% \0 \U0001f9e2")
    matrix = begin(history, owner, wordings, "auto", kind="matrix", group="g", name="A/B: é", group_name="The board")
    shots = [land(history, matrix, position, png(position), backend="pipeline") for position in (0, 2)]
    shots.append(land(history, matrix, 0, png(9)))
    history.fail(matrix, 1, "The service declined it.")
    history.end(matrix)
    history.favourite(owner, shots[1], True)
    history.favourite(owner, matrix, True)
    stopped = begin(history, owner, name="A/B: é")
    land(history, stopped, 1, png(300), filename="../../etc/passwd.png", facts={"made_by": {"later": [1, {"a": None}]}})
    begin(history, owner)
    history.save_look(owner, "Board", {"prompt": "teal", "guidance_scale": 7.5, "backend": "studio"})
    code = history.open_vote(owner, matrix, shots, "Which?")
    history.cast(code, CY, shots[0], shots[1], "tie")


def exported(history: History, owner: str = ANN) -> io.BytesIO:
    written = io.BytesIO()
    export_history(history, owner, written)
    written.seek(0)
    return written


def every(history: History, owner: str) -> list[HistoryEntry]:
    return list(history.page(owner, limit=1_000))


def told(comparisons: list[HistoryEntry], history: History) -> list[dict[str, Any]]:
    """What must be the same elsewhere: everything but ids, owner, and when it came in."""
    return [
        {
            **{
                name: getattr(comparison, name)
                for name in ("kind", "group", "name", "group_name", "favourite", "backend", "photo_sha256", "face")
            },
            **{name: getattr(comparison, name) for name in ("requests", "failures", "ended", "begun")},
            "shots": [
                {
                    **{
                        name: getattr(shot, name)
                        for name in ("position", "request", "backend", "size", "facts", "favourite", "made")
                    },
                    "filename": plain(shot.filename),
                    "picture": shot.picture.read_bytes(),
                    "thumbnail": history.thumbnail(comparison.owner, shot.id),
                }
                for shot in comparison.headshots
            ],
        }
        for comparison in comparisons
    ]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A history that Ann's is in, for tests after which it is the same."""
    with Store.open(tmp_path_factory.mktemp("full"), clock=Clock()) as store:
        fill(store.history)
        yield store.history


def repacked(archive: io.BytesIO, change: Callable[[dict[str, Any], dict[str, bytes]], object]) -> io.BytesIO:
    """The same archive, its list and its files changed."""
    with zipfile.ZipFile(archive) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    listed = json.loads(files.pop("history.json"))
    change(listed, files)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        for name, data in ({"history.json": json.dumps(listed).encode()} | files).items():
            packed.writestr(name, data)
    written.seek(0)
    return written


def refused(history: History, archive: Any, sentence: str, owner: str = BEN) -> None:
    """It is, and nothing of it has stayed."""
    before = told(every(history, owner), history), history.saved_settings(owner)
    with pytest.raises(RequestError, match=sentence) as caught:
        import_history(history, owner, archive)
    said = str(caught.value)
    assert said.endswith((".", "!"))
    assert len(said) < 300
    assert (told(every(history, owner), history), history.saved_settings(owner)) == before


# --- there and back


def test_a_history_is_the_same_elsewhere(history: History, elsewhere: Store) -> None:
    fill(history)
    fill(history, CY)
    there = elsewhere.history
    done = import_history(there, BEN, exported(history))
    assert (done.comparisons, done.headshots, done.skipped, done.saved_settings) == (3, 4, 0, 1)
    assert told(every(there, BEN), there) == told(every(history, ANN), history)
    assert [(look.name, look.settings) for look in there.saved_settings(BEN)] == [
        (look.name, look.settings) for look in history.saved_settings(ANN)
    ]
    ids = {shot.id for comparison in every(history, ANN) for shot in comparison.headshots}
    assert ids.isdisjoint(shot.id for comparison in every(there, BEN) for shot in comparison.headshots)
    assert there.votes(BEN) == ()
    assert every(there, ANN) == []


def test_importing_twice_does_not_duplicate(history: History, elsewhere: Store) -> None:
    fill(history)
    archive = exported(history)
    told: list[tuple[int, int]] = []
    first = import_history(elsewhere.history, BEN, archive, lambda done, total: told.append((done, total)))
    before = every(elsewhere.history, BEN)
    assert told == [(done, first.headshots) for done in range(1, first.headshots + 1)]
    again = import_history(elsewhere.history, BEN, archive, lambda done, total: told.append((done, total)))
    assert told[first.headshots :] == told[: first.headshots]  # what is skipped counts
    assert (again.comparisons, again.headshots, again.skipped, again.saved_settings) == (0, 0, first.headshots, 0)
    assert every(elsewhere.history, BEN) == before
    own = import_history(history, ANN, archive)
    assert (own.comparisons, own.headshots, own.skipped) == (0, 0, 4)


def test_an_import_that_was_cut_off_is_completed_by_the_next(history: History, elsewhere: Store) -> None:
    fill(history)
    archive = exported(history)
    there = elsewhere.history
    import_history(there, BEN, archive)
    matrix = every(there, BEN)[-1]
    there.delete_headshot(BEN, matrix.headshots[0].id)
    there.delete(BEN, every(there, BEN)[1].id)
    done = import_history(there, BEN, archive)
    assert (done.comparisons, done.headshots, done.skipped) == (1, 2, 2)
    assert len(every(there, BEN)) == 3
    assert sorted(shot.position for shot in every(there, BEN)[-1].headshots) == [0, 0, 2]


_REQUESTS = st.builds(
    HeadshotRequest,
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    num_inference_steps=st.sampled_from([21, 31, 41]),
    guidance_scale=st.floats(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
_FACTS = st.fixed_dictionaries(
    {"seconds": st.floats(0, 1e6), "likeness": st.none() | st.floats(-1, 1)},
    optional={
        "notes": st.lists(st.fixed_dictionaries({"kind": st.just("advice"), "text": st.text(max_size=20)}), max_size=2),
        "made_by": st.dictionaries(
            st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=3
        ),
        "face": st.none() | st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
    },
)
_SHOTS = st.tuples(st.integers(0, 2), st.integers(0, 3), st.text(max_size=30), _FACTS, st.booleans())
_RUNS = st.tuples(
    st.lists(_REQUESTS, min_size=3, max_size=3),
    st.sampled_from(["comparison", "matrix", "team"]),
    st.text(max_size=20),
    st.none() | st.integers(0, 9),
    st.lists(_SHOTS, max_size=3),
    st.booleans(),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_RUNS, max_size=3))
def test_whatever_the_history_holds_comes_back(history: History, elsewhere: Store, runs: list[Any]) -> None:
    there = elsewhere.history
    history.forget(ANN)
    there.forget(BEN)
    for requests, kind, name, face, shots, ended in runs:
        comparison = history.begin(
            ANN,
            requests,
            kind=kind,
            backend="studio",
            photo_sha256=PHOTO,
            face=face,
            name=name,
            group=name,
            group_name=name[::-1],
        )
        for position, number, filename, facts, loved in shots:
            shot = land(history, comparison, position, png(number), filename=filename, facts=facts)
            history.favourite(ANN, shot, loved)
        history.fail(comparison, 1, name)
        if ended:
            history.end(comparison)
    archive = exported(history)
    done = import_history(there, BEN, archive)
    assert done.comparisons == len(runs)
    assert told(every(there, BEN), there) == told(every(history, ANN), history)
    again = import_history(there, BEN, archive)
    assert (again.comparisons, again.headshots, again.skipped) == (0, 0, done.headshots)


def test_an_archive_from_before_teams_had_names_comes_in(history: History, elsewhere: Store) -> None:
    fill(history)
    earlier = repacked(exported(history), lambda told, _: [run.pop("group_name") for run in told["comparisons"]])
    assert import_history(elsewhere.history, BEN, earlier).comparisons == 3
    assert {run.group_name for run in every(elsewhere.history, BEN)} == {""}


def test_an_archive_is_read_by_others_and_its_names_lead_nowhere(history: History) -> None:
    fill(history)
    with zipfile.ZipFile(exported(history)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert names[-1] == "history.json"
        assert {info.compress_type for info in packed.infolist() if info.filename.endswith(".png")} == {
            zipfile.ZIP_STORED
        }
        listed = json.loads(packed.read("history.json"))
    assert (listed["format"], listed["version"]) == (transfer.FORMAT, transfer.VERSION)
    assert [PurePosixPath(name).parts[1:] for name in names[:-1]] == [
        ("-..-etc-passwd.png",),
        ("seed-0.png",),
        ("seed-0 (2).png",),
        ("seed-2.png",),
    ]
    assert len({PurePosixPath(name).parts[0] for name in names[:-1]}) == 2
    assert all(name.startswith("2026-03-01 12.0") and "A-B- é" in name for name in names[:-1])
    (vote,) = listed["votes"]
    assert vote["ballots"][0]["voter"] == 1
    assert CY not in json.dumps(listed)
    assert ANN not in json.dumps(listed)


def test_an_export_goes_where_nobody_can_seek_and_takes_one_picture_at_a_time(history: History) -> None:
    comparison = begin(history)
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    large = io.BytesIO()
    Image.fromarray(noise).save(large, "PNG", compress_level=0)
    land(history, comparison, 0, large.getvalue())

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.pieces: list[bytes] = []

        def writable(self) -> bool:
            return True

        def write(self, piece: Any) -> int:
            self.pieces.append(bytes(piece))
            return len(piece)

    pipe = Pipe()
    export_history(history, ANN, pipe)  # type: ignore[arg-type]
    assert max(map(len, pipe.pieces)) <= 2**20
    assert import_history(history, BEN, io.BytesIO(b"".join(pipe.pieces))).headshots == 1


def test_what_is_deleted_meanwhile_is_left_out(history: History) -> None:
    fill(history)
    gone = every(history, ANN)[-1].headshots[0]
    gone.picture.unlink()
    archive = exported(history)
    assert import_history(history, BEN, archive).headshots == 3


@given(st.text(max_size=300))
def test_a_plain_name_is_one_on_every_system_and_stays_itself(name: str) -> None:
    made = plain(name)
    assert 0 < len(made) <= 130
    assert made == plain(made)
    assert made.isprintable()
    assert not set(made) & set('<>:"/\\|?*')
    assert made == made.strip(" .")
    assert made.partition(".")[0].strip().casefold() not in ("con", "nul", "aux", "com1")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("headshot-studio-seed-7-guidance-7.5-steps-21.png", "headshot-studio-seed-7-guidance-7.5-steps-21.png"),
        ("Zoë Müller.jpeg", "Zoë Müller.jpeg"),
        ("../../x.png", "-..-x.png"),
        ("a\u202egnp.exe", "a-gnp.exe"),
        ("CON.png", "headshot CON.png"),
        (" . ", "headshot"),
        ("n" * 200 + ".png", "n" * 116 + ".png"),
    ],
)
def test_a_plain_name_keeps_what_can_be_kept(name: str, made: str) -> None:
    assert plain(name) == made


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
    "later version": (lambda told, _: told.update(version=2), "later version"),
    "no version": (lambda told, _: told.pop("version"), "none of a history"),
    "version in words": (lambda told, _: told.update(version="1"), "none of a history"),
    "earlier than the first": (lambda told, _: told.update(version=0), "none of a history"),
    "another format": (lambda told, _: told.update(format="recipes"), "none of a history"),
    "no comparisons": (lambda told, _: told.pop("comparisons"), "says what no history says"),
    "guidance": (
        lambda told, _: told["comparisons"][-1]["requests"][1].update(guidance_scale=21),
        "Guidance must be a number from 1 to 20",
    ),
    "steps": (lambda told, _: told["comparisons"][-1]["requests"][1].update(num_inference_steps=22), "Steps must be"),
    "prompt": (lambda told, _: told["comparisons"][0]["requests"][0].update(prompt="p" * 2_001), "2,000 characters"),
    "unknown setting": (lambda told, _: told["comparisons"][0]["requests"][0].update(key="x"), "not a setting"),
    "open seed": (lambda told, _: told["comparisons"][0]["requests"][0].update(seed=None), "seed"),
    "no requests": (lambda told, _: told["comparisons"][0].update(requests=[]), "says what no history says"),
    "kind": (lambda told, _: told["comparisons"][0].update(kind="film"), "says what no history says"),
    "name": (lambda told, _: told["comparisons"][0].update(name="n" * 81), "says what no history says"),
    "backend": (lambda told, _: told["comparisons"][0].update(backend="<b>"), "says what no history says"),
    "photo": (lambda told, _: told["comparisons"][0].update(photo_sha256="../x"), "says what no history says"),
    "no zone": (lambda told, _: told["comparisons"][0].update(begun="2026-01-01T00:00:00"), "says what no history"),
    "year 9999": (lambda told, _: told["comparisons"][0].update(begun="9999-12-31T23:59:59-12:00"), "what no history"),
    "far position": (lambda told, _: shot(told).update(position=3), "where nothing was asked for"),
    "negative position": (lambda told, _: shot(told).update(position=-1), "says what no history says"),
    "far failure": (lambda told, _: told["comparisons"][0].update(failures={"9": "?"}), "where nothing was asked for"),
    "likeness": (lambda told, _: shot(told)["facts"].update(likeness="much"), "says what no history says"),
    "notes": (lambda told, _: shot(told)["facts"].update(notes="<b>"), "says what no history says"),
    "face": (lambda told, _: shot(told)["facts"].update(face=[1, 2]), "says what no history says"),
    "book of facts": (lambda told, _: shot(told)["facts"].update(other="x" * 100_000), "Too much is told"),
    "look": (lambda told, _: told["looks"][0]["settings"].update(guidance_scale="x"), "Guidance must be"),
    "nested look": (lambda told, _: told["looks"][0]["settings"].update(other=[1]), "words, numbers and nothing else"),
    "lacking picture": (lambda _, files: files.popitem(), "lacks some of its pictures"),
    "path out": (lambda told, _: shot(told).update(file="../../../../etc/passwd"), "lacks some of its pictures"),
    "path of a system": (lambda told, _: shot(told).update(file="/etc/passwd"), "lacks some of its pictures"),
    "no PNG": (lambda told, files: files.update({shot(told)["file"]: b"GIF89a" * 9}), "no PNG"),
    "half a PNG": (lambda told, files: files.update({shot(told)["file"]: png(1, (90, 90))[:-40]}), "damaged"),
    "PNG of a strip": (lambda told, files: files.update({shot(told)["file"]: png(1, (12_001, 2))}), "far too many"),
    "PNG of a field": (lambda told, files: files.update({shot(told)["file"]: png(1, (4_001, 4_000))}), "far too many"),
    "script for a PNG": (lambda told, files: files.update({shot(told)["file"]: b"<script>"}), "no PNG"),
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
    monkeypatch.setattr(transfer, "MAX_PICTURE_BYTES", 2**20)
    monkeypatch.setattr(transfer, "MAX_MANIFEST_BYTES", 2**20)
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
    monkeypatch.setattr(transfer, "MAX_BYTES", 0)
    monkeypatch.setattr(transfer, "MAX_MANIFEST_BYTES", len(zipfile.ZipFile(archive).read("history.json")) + 100)
    refused(full, archive, "GB, which is more than is read")


def test_a_directory_of_too_many_names_is_not_even_read(full: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_DIRECTORY_BYTES", 100_000)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as packed:
        for number in range(3_000):
            packed.writestr(f"{number:04}", b"")
    refused(full, many, "more entries than are read")


def test_too_many_headshots_of_one_picture_are_refused(full: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_SHOTS", 6)
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


def test_an_import_that_fails_in_the_middle_leaves_what_was_there_before(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(history)
    archive = exported(history)
    import_history(history, BEN, archive)
    matrix = every(history, BEN)[-1]
    for gone in matrix.headshots[:2]:
        history.delete_headshot(BEN, gone.id)
    history.delete(BEN, every(history, BEN)[0].id)
    before = every(history, BEN)
    there_for_a_moment = []

    def full_at_the_second(image: Image.Image) -> bytes:
        there_for_a_moment.append(sum(len(comparison.headshots) for comparison in every(history, BEN)))
        if len(there_for_a_moment) == 2:
            raise StoreError("The disk is full.")
        return thumbnail_of(image)

    monkeypatch.setattr(transfer, "thumbnail_of", full_at_the_second)
    with pytest.raises(StoreError):
        import_history(history, BEN, archive)
    assert there_for_a_moment == [2, 3]
    assert every(history, BEN) == before


def test_a_date_before_zip_began_does_not_stop_an_export(history: History) -> None:
    history.begin(
        ANN,
        asked(),
        kind="comparison",
        backend="studio",
        photo_sha256=PHOTO,
        face=None,
        begun=datetime(2001, 1, 1, tzinfo=UTC),
    )
    comparison = every(history, ANN)[0].id
    land(history, comparison, 0, png(1), made=datetime(1979, 1, 1, tzinfo=UTC))
    assert len(zipfile.ZipFile(exported(history)).namelist()) == 2
    assert every(history, ANN)[0].kept_since - every(history, ANN)[0].begun > timedelta(days=365)
