"""Histories, and archives of them, for the tests of export and import."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from keeping import ANN, asked, begin
from PIL import Image

from headshot.imaging.thumbnail import thumbnail_of
from headshot.storage import (
    History,
    HistoryEntry,
    hash_token,
)
from headshot.storage.archive_names import portable_name
from headshot.storage.history_export import export_history

CY = hash_token("cy's token")


def png(number: int, size: tuple[int, int] = (8, 10)) -> bytes:
    """A small picture, of this number alone."""
    written = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256, 9)).save(written, "PNG")
    return written.getvalue()


def save_headshot(history: History, comparison: str, position: int, data: bytes, **more: Any) -> str:
    facts = {"seconds": 0.5, "likeness": 0.71, "notes": [{"kind": "applied", "text": "Teal."}], "face": [1, 2, 3.5, 4]}
    with Image.open(io.BytesIO(data)) as picture:
        given = {"filename": f"seed-{position}.png", "backend": "studio", "facts": facts, "size": picture.size} | more
        return str(history.save_headshot(comparison, position, png=data, thumbnail=thumbnail_of(picture), **given))


def fill(history: History, owner: str = ANN) -> None:
    """Something of every kind."""
    wordings = asked("teal", "grey", "100% \0 \U0001f9e2")
    matrix = begin(history, owner, wordings, "auto", kind="matrix", group="g", name="A/B: é", group_name="The board")
    shots = [save_headshot(history, matrix, position, png(position), backend="pipeline") for position in (0, 2)]
    shots.append(save_headshot(history, matrix, 0, png(9)))
    history.fail(matrix, 1, "The service declined it.")
    history.end(matrix)
    history.favourite(owner, shots[1], True)
    history.favourite(owner, matrix, True)
    stopped = begin(history, owner, name="A/B: é")
    save_headshot(
        history, stopped, 1, png(300), filename="../../etc/passwd.png", facts={"made_by": {"later": [1, {"a": None}]}}
    )
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


def contents(comparisons: list[HistoryEntry], history: History) -> list[dict[str, Any]]:
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
                    "filename": portable_name(shot.filename),
                    "picture": shot.picture.read_bytes(),
                    "thumbnail": history.thumbnail(comparison.owner, shot.id),
                }
                for shot in comparison.headshots
            ],
        }
        for comparison in comparisons
    ]


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
