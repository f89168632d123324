"""Reads how any picture was made: from our own record, other programs' texts, XMP and Content Credentials."""

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
from .digital_source_type import in_words
from .limits import parse_json, printable
from .record import PRODUCT, VERSION, content_id

_STEPS = (21, 31, 41)
_MAX_NOTES = 40  # a headshot has about ten
_MAX_NOTE_CHARS = 400  # the longest of ours have 200
_SHA256 = re.compile("[0-9a-f]{64}")
_KINDS = ("applied", "not applied", "advice")


@dataclass(frozen=True)
class Found:
    """The metadata found in a file. Every text is untrusted: escape it before showing it.

    Attributes:
        format: "PNG", "JPEG" or "WebP".
        maker: the program, as a phrase; "" if unknown.
        backend: the one of ours that made it, "" for other programs.
        model: its name, "" if unknown.
        request: None if neither a prompt nor a setting was found.
        given: the fields of the request that the file has; the others are the defaults.
        source: the kind of picture that the file claims to be, as a phrase.
        carriers: the places where the metadata was found, as phrases.
        photo_sha256: of the photo it was made from, "" if unknown.
        content_id: as `content_id_of` returns it.
        parent: the content id of the picture whose settings it was based on, "" for none.
        notes: of the backend.
        settings: other settings, as title and text.
        versions: of programs and packages, as title and text.
        seconds: how long it took, None if unknown.
        remarks: sentences on settings that could not be used unchanged.
        credentials: its Content Credentials.
    """

    format: str
    maker: str = ""
    backend: str = ""
    model: str = ""
    request: HeadshotRequest | None = None
    given: frozenset[str] = frozenset()
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
        """The request's seed; None if there is no request."""
        return None if self.request is None else self.request.seed

    def over(self, mine: HeadshotRequest) -> HeadshotRequest:
        """Return a request with the fields that the file has, and all others from `mine`."""
        if self.request is None:
            return mine
        return mine.model_copy(update={name: getattr(self.request, name) for name in self.given})


def read(data: bytes, *, chain: str = "") -> Found:
    """Read the metadata of a picture file. The pixels are not decoded.

    Blocks for a tenth of a second if there are Content Credentials, because a process of its own reads them.

    Args:
        data: the file's bytes, untrusted.
        chain: the PEM certificates by which this server recognises its own pictures, `C2paSigner.chain`.

    Raises:
        PhotoError: if the file is no PNG, JPEG or WebP, is damaged, or exceeds a limit.
        RequestError: if its metadata is damaged, forged or exceeds a limit: endless texts, NaN for a number.
    """
    file = container_metadata(data)
    packet = _packet(file)
    credentials = check_credentials(data, file.kind, chain) if file.has_credentials else NONE
    record = _own_record(file, packet)
    others = _other_programs(file)
    carriers = [
        *(["our own record"] if record else []),
        *(place for place, _ in others),
        *(["XMP"] if packet else []),
        *(["Content Credentials"] if file.has_credentials else []),
    ]
    common: dict[str, Any] = {
        "format": TITLES[file.kind],
        "content_id": _content_id(record, data),
        "source": in_words(packet.get("source") or credentials.source),
        "carriers": tuple(carriers),
        "credentials": credentials,
    }
    if record:
        return _found_in_record(record, [parsed for _, parsed in others], common)
    if not others:
        tool = packet.get("tool") or credentials.tool or file.exif.get("software") or file.texts.get("Software", "")
        return Found(**common, maker=tool[:100])
    parsed = others[0][1]
    request, given, remarks = _to_request(parsed)
    return Found(
        **common,
        maker=parsed.tool or packet.get("tool", "")[:100] or "A program that writes as A1111’s web UI does",
        model=parsed.model[:200],
        request=request,
        given=given,
        settings=parsed.settings,
        remarks=remarks,
    )


def content_id_of(data: bytes) -> str:
    """Return the id of the picture in a file: the `content_id` of our record, or the SHA-256 of its bytes without one.

    Raises:
        PhotoError: as `read`.
        RequestError: as `read`.
    """
    file = container_metadata(data)
    return _content_id(_own_record(file, _packet(file)), data)


def _packet(file: ContainerMetadata) -> dict[str, str]:
    return {name: printable(text) for name, text in xmp.read(file.xmp).items()}


def _content_id(record: Mapping[str, Any], data: bytes) -> str:
    return content_id(record) if record else sha256(data).hexdigest()


def _own_record(file: ContainerMetadata, packet: Mapping[str, str]) -> dict[str, Any]:
    text = file.texts.get("headshot") or packet.get("record")
    if not text:
        return {}
    try:
        record = parse_json(text, "recipe")
    except ValueError as error:
        raise RequestError("The recipe in this file is damaged: it is not the JSON it should be.") from error
    if (
        not isinstance(record, dict)
        or not isinstance(record.get("version"), int)
        or not isinstance(record.get("request"), dict)
    ):
        raise RequestError("The recipe in this file is forged or damaged: it lacks its version or its request.")
    return record


def _other_programs(file: ContainerMetadata) -> list[tuple[str, ParsedMetadata]]:
    """Return the metadata of other programs and where it was found, the most detailed first."""
    comment = file.exif.get("comment", "")
    texts = {"parameters": file.texts.get("parameters", ""), "EXIF user comment": comment}
    texts |= {"JPEG comment": file.texts.get("comment", "")} if file.kind == "jpeg" else {}
    found = [("invokeai_metadata", dialects.parse_invokeai(file.texts.get("invokeai_metadata", "")))]
    found += [(place, dialects.parse_fooocus(text)) for place, text in texts.items() if text.lstrip().startswith("{")]
    prompt, workflow = (file.texts.get(name) or file.exif.get(name, "") for name in ("prompt", "workflow"))
    found += [("ComfyUI’s graph", dialects.parse_comfyui(prompt, workflow))]
    found += [(place, dialects.parse_a1111(text)) for place, text in texts.items() if text]
    return [(place, parsed) for place, parsed in found if parsed is not None]


def _found_in_record(record: Mapping[str, Any], others: list[ParsedMetadata], common: Mapping[str, Any]) -> Found:
    fields, made_by, timings = record["request"], _dict(record.get("made_by")), _dict(record.get("timings"))
    parsed = ParsedMetadata(
        PRODUCT,
        prompt=_text(fields.get("prompt")),
        negative_prompt=_text(fields.get("negative_prompt")),
        steps=_number(fields.get("num_inference_steps")),
        guidance=_number(fields.get("guidance_scale")),
        seed=_integer(fields.get("seed")),
    )
    for text in (parsed.prompt, parsed.negative_prompt):
        if text is not None and re.search("[\ud800-\udfff]", text):
            raise RequestError("The recipe in this file is forged or damaged: a prompt in it holds half a character.")
    request, given, remarks = _to_request(parsed)
    if record["version"] > VERSION:
        remarks = (
            "It was written by a newer version of this program, which may tell more than is shown here.",
            *remarks,
        )
    if any(other.seed != parsed.seed for other in others if other.seed is not None and parsed.seed is not None):
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
        given=given,
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


def _to_request(parsed: ParsedMetadata) -> tuple[HeadshotRequest | None, frozenset[str], tuple[str, ...]]:
    """Return a request with a file's settings, the fields that the file has, and remarks on changed ones."""
    values: dict[str, Any] = {}
    remarks = []
    for name, title, text in [
        ("prompt", "prompt", parsed.prompt),
        ("negative_prompt", "negative prompt", parsed.negative_prompt),
    ]:
        if text is not None:
            values[name] = text[:MAX_PROMPT_CHARACTERS]
            if len(text) > MAX_PROMPT_CHARACTERS:
                remarks.append(f"Its {title} was cut to the {MAX_PROMPT_CHARACTERS:,} characters that are read here.")
    if parsed.steps is not None:
        steps = values["num_inference_steps"] = min(_STEPS, key=lambda step: abs(step - (parsed.steps or 0)))
        if steps != parsed.steps:
            remarks.append(f"Its {parsed.steps:g} steps become {steps}, the nearest number that there is here.")
    if parsed.guidance is not None:
        guidance = values["guidance_scale"] = min(max(parsed.guidance, 1.0), 20.0)
        if guidance != parsed.guidance:
            remarks.append(
                f"Its guidance of {parsed.guidance:g} becomes {guidance:g}: from 1 to 20 is what there is here."
            )
    if parsed.seed is not None and parsed.seed != -1:  # -1 asks for a new one, in most programs
        if 0 <= parsed.seed <= MAX_SEED:
            values["seed"] = parsed.seed
        else:
            remarks.append(f"Its seed {parsed.seed} is outside 0 to {MAX_SEED}, so a new one will be drawn.")
    if not values:
        return None, frozenset(), tuple(remarks)
    if "prompt" in values:
        values.setdefault("negative_prompt", "")  # it was made without one, and the default would change the look
    return HeadshotRequest.model_validate(values), frozenset(values), tuple(remarks)


def _notes(values: Any) -> list[Note]:
    return [
        Note(note["kind"], printable(note["text"])[:_MAX_NOTE_CHARS])
        for note in (values if isinstance(values, list) else [])[:_MAX_NOTES]
        if isinstance(note, dict) and note.get("kind") in _KINDS and isinstance(note.get("text"), str)
    ]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(value: Any) -> str:
    """Return any JSON value as a short text."""
    if isinstance(value, list):
        return " × ".join(_short(entry) for entry in value[:6])[:300]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None or isinstance(value, dict) else printable(str(value))[:300]


def _digest(value: Any) -> str:
    """Return a SHA-256 in hex; "" for any other value."""
    return value if isinstance(value, str) and _SHA256.fullmatch(value) else ""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        else None
    )


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
