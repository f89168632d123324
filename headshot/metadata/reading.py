"""Any picture in, what made it out: from our own record, other programs' texts, XMP and Content Credentials."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from headshot.errors import RequestError
from headshot.request import MAX_PROMPT_CHARACTERS, MAX_SEED, HeadshotRequest, Note

from . import dialects, xmp
from .container import TITLES, ContainerMetadata, container_metadata
from .credentials import NONE, Credentials, check_credentials
from .dialects import ParsedMetadata
from .limits import from_json, plain
from .record import PRODUCT, VERSION, content_id
from .source import in_words

_STEPS = (21, 31, 41)
_MAX_NOTES = 40
_MAX_NOTE_CHARS = 400
_SHA256 = re.compile("[0-9a-f]{64}")
_KINDS = ("applied", "not applied", "advice")


@dataclass(frozen=True)
class Found:
    """What a file tells of itself. Every text is a stranger's: escape it where it is shown.

    format: "PNG", "JPEG" or "WebP".  maker: the program, and whose model, as a phrase; "" where nothing tells.
    backend: ours that made it, "" for other programs.  request: None where no prompt and no setting was found.
    told: the fields of the request that the file itself gives; the others are the defaults.
    source: what kind of picture it says it is, as a phrase.  carriers: where it was read, as phrases.
    settings, versions: whatever else is told, as title and text.  seconds: that it took, None where nothing tells.
    mark: as `content_id_of`.  parent: the mark of the picture whose settings it goes on from, "" where none is told.
    remarks: sentences on what could not be taken over as it is.
    """

    format: str
    maker: str = ""
    backend: str = ""
    model: str = ""
    request: HeadshotRequest | None = None
    told: frozenset[str] = frozenset()
    source: str = ""
    carriers: tuple[str, ...] = ()
    photo_sha256: str = ""
    content_id: str = ""
    parent: str = ""
    notes: tuple[Note, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None
    remarks: tuple[str, ...] = ()
    credentials: Credentials = NONE

    @property
    def seed(self) -> int | None:
        return None if self.request is None else self.request.seed

    def over(self, mine: HeadshotRequest) -> HeadshotRequest:
        """My request with all that the file tells in its place."""
        if self.request is None:
            return mine
        return mine.model_copy(update={name: getattr(self.request, name) for name in self.told})


def read(data: bytes, *, chain: str = "") -> Found:
    """What a picture file tells. chain: the PEM certificates by which this server knows its own, `Seal.chain`.

    Blocks for a tenth of a second where there are Content Credentials, which a process of its own reads.
    Raises PhotoError or RequestError with one sentence where the file is no PNG, JPEG or WebP, is damaged, or holds
    what no recipe does: endless texts, document types, numbers that are none. The pixels are not looked at.
    """
    file = container_metadata(data)
    packet = _packet(file)
    credentials = check_credentials(data, file.kind, chain) if file.sealed else NONE
    ours = _ours(file, packet)
    others = _others(file)
    carriers = [
        *(["our own record"] if ours else []),
        *(place for place, _ in others),
        *(["XMP"] if packet else []),
        *(["Content Credentials"] if file.sealed else []),
    ]
    common: dict[str, Any] = {
        "format": TITLES[file.kind],
        "content_id": _mark(ours, data),
        "source": in_words(packet.get("source") or credentials.source),
        "carriers": tuple(carriers),
        "credentials": credentials,
    }
    if ours:
        return _of_ours(ours, [told for _, told in others], common)
    if not others:
        said = packet.get("tool") or credentials.tool or file.exif.get("software") or file.texts.get("Software", "")
        return Found(**common, maker=said[:100])
    told = others[0][1]
    request, given, remarks = _request(told)
    return Found(
        **common,
        maker=told.tool or packet.get("tool", "")[:100] or "A program that writes as A1111’s web UI does",
        model=told.model[:200],
        request=request,
        told=given,
        settings=told.settings,
        remarks=remarks,
    )


def content_id_of(data: bytes) -> str:
    """What names the picture in a file: the `content_id` of our record, or, without one, the SHA-256 of its bytes.

    Raises as `read`.
    """
    file = container_metadata(data)
    return _mark(_ours(file, _packet(file)), data)


def _packet(file: ContainerMetadata) -> dict[str, str]:
    return {name: plain(text) for name, text in xmp.read(file.xmp).items()}


def _mark(ours: Mapping[str, Any], data: bytes) -> str:
    return content_id(ours) if ours else sha256(data).hexdigest()


def _ours(file: ContainerMetadata, packet: Mapping[str, str]) -> dict[str, Any]:
    text = file.texts.get("headshot") or packet.get("record")
    if not text:
        return {}
    try:
        told = from_json(text, "recipe")
    except ValueError as error:
        raise RequestError("The recipe in this file is damaged: it is not the JSON it should be.") from error
    if (
        not isinstance(told, dict)
        or not isinstance(told.get("version"), int)
        or not isinstance(told.get("request"), dict)
    ):
        raise RequestError("The recipe in this file is forged or damaged: it lacks its version or its request.")
    return told


def _others(file: ContainerMetadata) -> list[tuple[str, ParsedMetadata]]:
    """What other programs' texts tell, with where that was found, the most telling first."""
    comment = file.exif.get("comment", "")
    words = {"parameters": file.texts.get("parameters", ""), "EXIF user comment": comment}
    words |= {"JPEG comment": file.texts.get("comment", "")} if file.kind == "jpeg" else {}
    found = [("invokeai_metadata", dialects.invokeai(file.texts.get("invokeai_metadata", "")))]
    found += [(place, dialects.fooocus(text)) for place, text in words.items() if text.lstrip().startswith("{")]
    prompt, workflow = (file.texts.get(name) or file.exif.get(name, "") for name in ("prompt", "workflow"))
    found += [("ComfyUI’s graph", dialects.comfyui(prompt, workflow))]
    found += [(place, dialects.a1111(text)) for place, text in words.items() if text]
    return [(place, told) for place, told in found if told is not None]


def _of_ours(record: Mapping[str, Any], others: list[ParsedMetadata], common: Mapping[str, Any]) -> Found:
    asked, made_by, timings = record["request"], _dict(record.get("made_by")), _dict(record.get("timings"))
    told = ParsedMetadata(
        PRODUCT,
        prompt=_text(asked.get("prompt")),
        negative_prompt=_text(asked.get("negative_prompt")),
        steps=_number(asked.get("num_inference_steps")),
        guidance=_number(asked.get("guidance_scale")),
        seed=_whole(asked.get("seed")),
    )
    for text in (told.prompt, told.negative_prompt):
        if text is not None and re.search("[\ud800-\udfff]", text):
            raise RequestError("The recipe in this file is forged or damaged: a prompt in it holds half a character.")
    request, given, remarks = _request(told)
    if record["version"] > VERSION:
        remarks = (
            "It was written by a newer version of this program, which may tell more than is shown here.",
            *remarks,
        )
    if any(other.seed != told.seed for other in others if other.seed is not None and told.seed is not None):
        remarks = (*remarks, "Its texts contradict each other: our own record counts, and somebody changed the file.")
    made_with = _dict(record.get("made_with"))
    backend = _short(record.get("backend"))
    versions = {**made_with, **_dict(made_by.get("versions"))}
    seconds = _number(timings.get("seconds"))
    return Found(
        **common,
        maker=f"{PRODUCT} {_short(made_with.get(PRODUCT))}".strip(),
        backend=backend,
        model=_short(made_by.get("model")),
        request=request,
        told=given,
        photo_sha256=_digest(record.get("photo_sha256")),
        parent=_digest(record.get("parent")),
        notes=tuple(_notes(record.get("notes"))),
        settings=tuple(
            (_short(name), _short(value)) for name, value in made_by.items() if name not in ("versions", "model")
        )[:40],
        versions=tuple((_short(name), _short(value)) for name, value in versions.items())[:40],
        seconds=seconds if seconds is not None and seconds >= 0 else None,
        remarks=remarks,
    )


def _request(told: ParsedMetadata) -> tuple[HeadshotRequest | None, frozenset[str], tuple[str, ...]]:
    """What can be asked for here of what a file tells, which fields that are, and what had to be changed for it."""
    values: dict[str, Any] = {}
    remarks = []
    for name, title, text in [
        ("prompt", "prompt", told.prompt),
        ("negative_prompt", "negative prompt", told.negative_prompt),
    ]:
        if text is not None:
            values[name] = text[:MAX_PROMPT_CHARACTERS]
            if len(text) > MAX_PROMPT_CHARACTERS:
                remarks.append(f"Its {title} was cut to the {MAX_PROMPT_CHARACTERS:,} characters that are read here.")
    if told.steps is not None:
        steps = values["num_inference_steps"] = min(_STEPS, key=lambda step: abs(step - (told.steps or 0)))
        if steps != told.steps:
            remarks.append(f"Its {told.steps:g} steps become {steps}, the nearest number that there is here.")
    if told.guidance is not None:
        guidance = values["guidance_scale"] = min(max(told.guidance, 1.0), 20.0)
        if guidance != told.guidance:
            remarks.append(
                f"Its guidance of {told.guidance:g} becomes {guidance:g}: from 1 to 20 is what there is here."
            )
    if told.seed is not None and told.seed != -1:  # -1 asks for a new one, in most programs
        if 0 <= told.seed <= MAX_SEED:
            values["seed"] = told.seed
        else:
            remarks.append(f"Its seed {told.seed} is outside 0 to {MAX_SEED}, so a new one will be drawn.")
    if not values:
        return None, frozenset(), tuple(remarks)
    if "prompt" in values:
        values.setdefault("negative_prompt", "")  # it was made without one, and the default would change the look
    return HeadshotRequest.model_validate(values), frozenset(values), tuple(remarks)


def _notes(told: Any) -> list[Note]:
    return [
        Note(note["kind"], plain(note["text"])[:_MAX_NOTE_CHARS])
        for note in (told if isinstance(told, list) else [])[:_MAX_NOTES]
        if isinstance(note, dict) and note.get("kind") in _KINDS and isinstance(note.get("text"), str)
    ]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(value: Any) -> str:
    """Any JSON value as a short text."""
    if isinstance(value, list):
        return " × ".join(_short(entry) for entry in value[:6])[:300]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None or isinstance(value, dict) else plain(str(value))[:300]


def _digest(value: Any) -> str:
    """A SHA-256, "" where it is none."""
    return value if isinstance(value, str) and _SHA256.fullmatch(value) else ""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        else None
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
